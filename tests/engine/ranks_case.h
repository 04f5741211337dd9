/* A small training that one process and several ranks can do: see ranks_case.c. */
#ifndef ENGINE_RANKS_CASE_H
#define ENGINE_RANKS_CASE_H

#include "nn/train.h"

/* Learns a few epochs of a network with batch norm, dropout and two heads, on augmented, mixed
 * pictures, as one of `ranks` (NULL: alone). Returns the weights (free() them) and their number,
 * and the last epoch; fails the test with the engine's sentence. Callable from several threads. */
float *ranks_case_train(struct nn_ranks *ranks, size_t *count, struct nn_epoch *last);

/* Fails the test unless both did the same within float tolerance. */
void ranks_case_compare(const float *alone, const float *shared, size_t count,
                        const struct nn_epoch *a, const struct nn_epoch *b);

#endif
