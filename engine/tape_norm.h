/* What a convolution of a tape knows of the batch norm behind it. */
#ifndef ENGINE_TAPE_NORM_H
#define ENGINE_TAPE_NORM_H

#include "tape_internal.h"

/* Sums of x and x * x of one image's blocks [b0, b1), taken while they are in the cache. */
void tape__norm_sums(struct nn_tape *t, struct tape_op *norm, int image, int b0, int b1);

#endif
