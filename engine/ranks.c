/* What all connections of ranks share: see nn/ranks.h. */
#include "nn/ranks.h"

int nn_ranks_count(const struct nn_ranks *r)
{
    return r ? r->count : 1;
}

int nn_ranks_index(const struct nn_ranks *r)
{
    return r ? r->index : 0;
}

void nn_ranks_sum(struct nn_ranks *r, double *v, size_t n)
{
    if (nn_ranks_count(r) > 1)
        r->sum(r, v, n);
}

void nn_ranks_sum_floats(struct nn_ranks *r, float *v, size_t n)
{
    if (nn_ranks_count(r) > 1)
        r->sum_floats(r, v, n);
}

/* Two sums of which the ranks' difference cannot cancel: n x sum of squares = square of the sum
 * only when all numbers are equal. Pieces of 16 bits keep both exact for up to 1000 ranks. */
bool nn_ranks_agree(struct nn_ranks *r, uint64_t number)
{
    bool same = true;
    for (int shift = 0; shift < 64; shift += 16) {
        double piece = (double)(number >> shift & 0xffff), v[2] = {piece, piece * piece};
        nn_ranks_sum(r, v, 2);
        same &= v[1] * nn_ranks_count(r) == v[0] * v[0];
    }
    return same;
}

int nn_ranks_place(const struct nn_ranks *r, int at, int count)
{
    int half = count / 2, before = half * nn_ranks_index(r);
    return at < half ? before + at : count * (nn_ranks_count(r) - 1) - before + at;
}
