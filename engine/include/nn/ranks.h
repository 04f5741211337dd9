/* Ranks: the processes that learn one network together, each on its share of every batch (data
 * parallelism). This is all that the trainer asks of whatever connects them; nn/ranks_mpi.h
 * connects them by MPI. NULL stands for one process alone in every function below.
 *
 * DESIGN. Every rank holds the whole network and the same weights, and makes the same steps. What
 * depends on the whole batch - the statistics of batch norm and their gradients, the weights of
 * the loss, the gradient of the weights - is summed over the ranks in their order, so all of them
 * go on with the same bits. The result is that of one process with the same batch, but for the
 * rounding of sums that are grouped in another way. Ranks must compute alike: one program, one kind
 * of processor. */
#ifndef NN_RANKS_H
#define NN_RANKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nn_ranks {
    int index, count; /* this one, 0 .. count - 1 */
    /* Replace v on every rank by the sum of all ranks' v, added in the order of ranks: the same
     * bits everywhere. Every rank calls with the same n. They do not return when a rank is gone:
     * the connection ends the program. */
    void (*sum)(struct nn_ranks *r, double *v, size_t n);       /* small: latency counts */
    void (*sum_floats)(struct nn_ranks *r, float *v, size_t n); /* large: bandwidth counts */
};

int nn_ranks_count(const struct nn_ranks *r); /* NULL: 1 */
int nn_ranks_index(const struct nn_ranks *r); /* NULL: 0 */

/* The functions of the struct; nothing happens with one rank. */
void nn_ranks_sum(struct nn_ranks *r, double *v, size_t n);
void nn_ranks_sum_floats(struct nn_ranks *r, float *v, size_t n);

/* Whether all ranks passed the same number; all get the same answer. */
bool nn_ranks_agree(struct nn_ranks *r, uint64_t number);

/* The place in the whole batch of this rank's picture `at` of `count`. A rank has as many pictures
 * from the front of the batch as from its end, mirrored, so that the pairs of mixup (first with
 * last, second with last but one ...) stay together: `count` is even unless it is alone. */
int nn_ranks_place(const struct nn_ranks *r, int at, int count);

#endif
