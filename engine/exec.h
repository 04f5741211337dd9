/* Inference operators: prepare once, execute often.
 *
 * A prepare function turns a job (plan.h) into a step: it checks what is left to check, packs
 * weights into plan memory and fills a context in plan->arena. The step's run function then reads
 * and writes the places, splits its work over the pool so that pieces write disjoint memory (the
 * same bits for any number of threads), and allocates nothing.
 *
 * exec.c        the table: operator -> prepare functions for the two layouts
 * exec_cut.c    pieces of work for the threads
 * exec_conv.c, exec_winograd.c   C16 convolutions
 * exec_window.c any convolution or pool, plain
 * exec_pool.c   C16 pools                 exec_matmul.c   Gemm, MatMul
 * exec_unary.c  activations, arithmetic   exec_nary.c     broadcasting arithmetic
 * exec_norm.c   softmax, normalisations   exec_reduce.c   reductions, global pools
 * exec_map.c    everything that moves elements            exec_resize.c  linear and cubic Resize
 * exec_layout.c conversions between layouts               exec_quant.c   quantisation
 * exec_dot.c    convolutions, sums, products and means in 8 bits; convolutions in bfloat16 */
#ifndef ENGINE_EXEC_H
#define ENGINE_EXEC_H

#include "plan.h"

typedef int nn__prepare_fn(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                           struct err *err);

nn__prepare_fn nn__prepare_layout, nn__prepare_unary, nn__prepare_nary,
    nn__prepare_nary16, nn__prepare_map, nn__prepare_split, nn__prepare_concat,
    nn__prepare_concat16, nn__prepare_resize, nn__prepare_reduce, nn__prepare_softmax,
    nn__prepare_layer_norm, nn__prepare_lrn, nn__prepare_lp_norm,
    nn__prepare_instance_norm, nn__prepare_batchnorm,
    nn__prepare_batchnorm16, nn__prepare_matmul, nn__prepare_window,
    nn__prepare_conv16, nn__prepare_winograd, nn__prepare_pool16, nn__prepare_global_pool16,
    nn__prepare_qconcat16, nn__prepare_qavgpool16,
    nn__prepare_quantize, nn__prepare_quantize16, nn__prepare_qconv16, nn__prepare_bconv16,
    nn__prepare_qadd16, nn__prepare_qmul16, nn__prepare_qmean16, nn__prepare_fill;

struct nn__exec_info {
    nn__prepare_fn *plain;
    nn__prepare_fn *c16; /* NULL: plain only */
    nn__prepare_fn *q16; /* NULL: not in 8 bits */
};
const struct nn__exec_info *nn__exec_info(enum nn_op op);

/* Can this node run on C16 tensors, its weights and attributes considered? */
bool nn__fits_c16(const struct nn__compiler *c, const struct nn_node *n);
/* The integers behind a dequantised constant, or NULL. */
const struct nn__coded *nn__codes_of(const struct nn__compiler *c, nn_value v);
/* A matrix is an image of one pixel. */
static inline int nn__height(const struct nn_shape *s)
{
    return s->rank == 4 ? (int)s->dims[2] : 1;
}
static inline int nn__width(const struct nn_shape *s)
{
    return s->rank == 4 ? (int)s->dims[3] : 1;
}
/* How many groups of a convolution to compute as one with zeros between them, so that each result
 * fills whole blocks; 0: too many. */
int nn__merged_groups(const struct nn_shape *weights, int64_t groups);
/* One input channel and one filter a group. */
static inline bool nn__is_depthwise(const struct nn_shape *weights, int64_t groups)
{
    return weights->dims[1] == 1 && weights->dims[0] == groups;
}
/* A convolution that reads a plain input with a border and writes C16 (few input channels). */
bool nn__is_planar_conv(const struct nn__compiler *c, const struct nn_node *n);
/* Is this depthwise convolution computed by the next job, its only reader? See exec_conv.c. */
bool nn__joins_next(const struct nn__compiler *c, const struct nn__job *j);
/* The tile size (2, 4, 6) with which Winograd's method computes this convolution faster than the
 * direct one; 0: it does not. */
int nn__winograd_size(const struct nn__compiler *c, const struct nn_node *n);
/* Where Resize reads pixel i of a result axis of `out` elements. */
double nn__resize_source(const struct nn_node *n, int64_t index, double scale, int64_t in,
                         int64_t out);
/* The border that a node wants around its first input: top, left, bottom, right. */
void nn__wanted_border(const struct nn__compiler *c, const struct nn_node *n, int pad[4]);

/* Shorthands. */
static inline const struct nn_shape *nn__shape_of(const struct nn__compiler *c, nn_value v)
{
    return &nn__value(c->g, v)->shape;
}
static inline bool nn__has(const struct nn_node *n, int i)
{
    return i < n->input_count && n->inputs[i] != NN_NONE;
}
static inline const struct nn__place *nn__place(const struct nn__compiler *c, int place)
{
    return &c->plan->places[place];
}
/* A float constant input as an array; NULL when absent or not a float constant. */
const float *nn__floats_of(const struct nn__compiler *c, const struct nn_node *n, int i);
/* Does this C16 convolution round its operands to bfloat16? */
bool nn__rounds(const struct nn__compiler *c, const struct nn_node *n);
/* The weights with the batch norm's scale, [oc][merged * ic][kh][kw]: `merged` of `groups` groups
 * become one whose other weights are zero. The caller frees them; NULL: no memory. */
float *nn__scaled_weights(const struct nn__compiler *c, const struct nn__job *j, int oc, int groups,
                          int merged, size_t each);
/* The bias of a convolution, folded batch norm included, copied to `bias` (zeroed, one number an
 * output channel); *out is bias. */
int nn__conv_bias(struct nn__compiler *c, const struct nn__job *j, float *bias, const float **out,
                  struct err *err);
/* BatchNormalization as y = scale x + shift, one pair a channel. */
int nn__batchnorm_affine(const struct nn__compiler *c, const struct nn_node *n, float *scale,
                         float *shift, struct err *err);
/* `count` zeroed bytes for a context. */
void *nn__context(struct nn__compiler *c, size_t size);
/* More floats of scratch memory for each thread. */
void nn__want_scratch(struct nn__compiler *c, size_t floats);
/* Cutting work into pieces (exec_cut.c). */

/* Into how many pieces to cut `macs` multiply-accumulates (a hundred take a nanosecond): one for
 * one thread or when waking another costs more, else a multiple of the threads. */
int nn__cuts(const struct nn__compiler *c, int64_t macs);
/* Units of `all` in each of about `cuts` pieces, so that no thread gets more than another and,
 * where that leaves a choice, a multiple of `unit`. */
int nn__piece(const struct nn__compiler *c, int all, int cuts, int unit);
/* Can the threads divide so many rows, give or take a tenth? Where they can, they do: each then
 * finds in its own cache what it wrote in the step before. */
bool nn__even(const struct nn__compiler *c, int rows);

/* At least `cuts` rows of equal length that so many pixels without gaps can be seen as; 0: none. */
int nn__flat_rows(int pixels, int cuts);

/* Images cut into pieces of some blocks of 16 channels and some rows. */
struct nn__cut {
    int blocks, rows; /* of an image */
    int blocks_a_piece, rows_a_piece, block_pieces, row_pieces;
};
/* `macs` of all images; by_block: blocks are divided first, then rows, else only rows. */
struct nn__cut nn__cut(const struct nn__compiler *c, int images, int blocks, int rows, int64_t macs,
                       bool by_block);
/* A piece: blocks [b0, b1) and rows [r0, r1) of an image. Neighbouring pieces share weights. */
struct nn__part {
    int image, b0, b1, r0, r1;
};
struct nn__part nn__part(const struct nn__cut *c, int piece);
static inline int nn__pieces(const struct nn__cut *c) /* of an image */
{
    return c->block_pieces * c->row_pieces;
}

/* The thread's scratch memory while a step runs. */
static inline float *nn__scratch(const struct nn__env *e, int thread)
{
    return e->scratch + e->scratch_stride * (size_t)thread;
}

/* A place as rows of elements (floats; bytes of Q16), border left out. */
struct nn__view {
    int images, planes, rows;
    size_t width;                     /* elements in a row */
    size_t start, image, plane, row;  /* elements: the first one, then strides */
};
struct nn__view nn__view(const struct nn__place *p);
void nn__clear_border(const struct nn__place *p, float *data); /* to zero */
size_t nn__place_floats(const struct nn__place *p); /* with border and lanes */

/* Strides of a dense row-major tensor. */
void nn__strides(const struct nn_shape *s, int64_t stride[NN_MAX_RANK]);

enum { NN_GRAIN = 8192 }; /* elements worth a piece of their own */

#endif
