/* What the neighbours of a batch norm in a tape know of it. */
#ifndef ENGINE_TAPE_NORM_H
#define ENGINE_TAPE_NORM_H

#include "tape_internal.h"

/* Its passes over one image, which the operators around it run while the image is in the cache:
 * the convolution before it takes the sums of x and x * x of blocks [b0, b1), its first reader
 * applies it, the last writer of its gradient takes the gradient's sums, and that convolution turns
 * the gradient of its output into that of its input. */
void tape__norm_sums(struct nn_tape *t, struct tape_op *norm, int image, int b0, int b1);
void tape__norm_apply(struct nn_tape *t, struct tape_op *norm, int image);
void tape__norm_gradient_sums(struct nn_tape *t, struct tape_op *norm, int image);
void tape__norm_gradient(struct nn_tape *t, struct tape_op *norm, int image);

#endif
