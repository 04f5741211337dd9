/* Products of a matrix with the rows of a batch in bfloat16, for dense layers (tape_matrix16.c). */
#ifndef ENGINE_TAPE_MATRIX16_H
#define ENGINE_TAPE_MATRIX16_H

#include <math.h>

#include "tape_internal.h"

/* rows x cols, row by row; cols is a multiple of 16. */
struct tape_matrix16 {
    const float *at;
    int rows, cols;
};

/* `count` images of floats, `step` (a multiple of 16) from one to the next. */
struct tape_rows {
    float *at;
    size_t step;
    int count;
};

struct tape_finish {
    const float *bias; /* NULL: none */
    bool add;          /* to what is there */
    float lo, hi;
};

/* out[i][r] = clip(sum over c of M[r][c] in[i][c] + bias[r] + (add ? out[i][r] : 0)) */
void tape__matrix16_times(struct nn_tape *t, const struct tape_matrix16 *m, struct tape_rows in,
                          struct tape_rows out, const struct tape_finish *f);
/* out[i][c] = clip(sum over r of M[r][c] in[i][r] + bias[c] + (add ? out[i][c] : 0)) */
void tape__matrix16_transposed_times(struct nn_tape *t, const struct tape_matrix16 *m,
                                     struct tape_rows in, struct tape_rows out,
                                     const struct tape_finish *f);
/* gradient[r][c] = sum over i of u[i][r] v[i][c] */
void tape__matrix16_gradient(struct nn_tape *t, const struct tape_matrix16 *m, struct tape_rows u,
                             struct tape_rows v, float *gradient);

/* Floats that they need of t->gemm_b, of t->gemm_a, and of t->gemm_b for each thread. */
size_t tape__matrix16_matrix(const struct tape_matrix16 *m);
size_t tape__matrix16_batch(const struct tape_matrix16 *m, int batch);
size_t tape__matrix16_sums(const struct tape_matrix16 *m);

#endif
