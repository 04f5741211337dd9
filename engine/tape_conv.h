/* What the ways to convolve in a tape share: directly in floats (tape_conv.c) or bfloat16
 * (tape_bf16.c), and by Winograd's method in either (tape_winograd.c) for 3 x 3, stride 1. */
#ifndef ENGINE_TAPE_CONV_H
#define ENGINE_TAPE_CONV_H

#include "tape_internal.h"

enum tape_conv_form { TAPE_PLANAR, TAPE_DENSE, TAPE_DEPTHWISE };

struct tape_phase {
    int first, taps, offset;
};

struct tape_winograd;
struct tape_bf16;

struct tape_conv {
    struct nn_window w;
    enum tape_conv_form form;
    int oc, ic, out_blocks, in_blocks;
    bool grouped;            /* dense weights with zeros between groups */
    size_t size;             /* packed weights in floats */
    float *packed, *flipped; /* flipped: all phases behind each other */
    float *bias;             /* [16 x out blocks] */
    float *dense;            /* grouped: OIHW with zeros */
    float *dw;               /* [slots][size] */
    int slots;
    int group; /* images that a slot works on at a time; a power of two */
    bool has_bias;
    float *db;                    /* doubles [batch][out blocks][16], bias gradient by image */
    struct tape_phase *phases[2]; /* [stride] of rows, of columns */
    int step[2], gap[2];
    int dy_before[2], dy_after[2]; /* border of dy: top, left; bottom, right */
    struct tape_winograd *fast; /* NULL: direct */
    struct tape_bf16 *rounded;  /* NULL: in floats, or as `fast` does */
};

/* The input of an image at its first tap. */
const float *tape__conv_input(const struct nn_tape *t, const struct tape_op *op, int image);
/* dy at its first tap for the input gradient of stride 1. */
const float *tape__conv_output_gradient_at(const struct tape_op *op, int image);
/* Makes the gradient of the output from that behind the batch norm and the clip. */
void tape__conv_output_gradient(struct nn_tape *t, struct tape_op *op, int image);
/* Before the input gradient of an image is written. */
void tape__conv_begin_input_gradient(struct tape_op *op, int image);

/* One phase of the input gradient: rows stride * i + p, columns stride * j + q, and how many rows
 * that is. The weights and their precision are the caller's. */
struct nn_conv16 tape__conv_phase(const struct tape_op *op, int image, int p, int q);
int tape__conv_phase_rows(const struct tape_op *op, int p);

/* Runs fn for groups of c->group images [first, last) of every slot over the pool, with scratch of
 * the thread: t->scratch_floats. */
typedef void tape_group_fn(struct nn_tape *t, struct tape_op *op, int slot, int first, int last,
                           float *scratch);
void tape__conv_slots(struct nn_tape *t, struct tape_op *op, tape_group_fn *fn);

/* bfloat16: plan() returns NULL when floats are better. */
struct tape_bf16 *tape__bf16_plan(struct nn_tape *t, struct tape_op *op);
bool tape__bf16_large(const struct tape_conv *c); /* it works on the whole batch */
void tape__bf16_prepare(const struct nn_tape *t, struct tape_op *op);
void tape__bf16_forward(struct nn_tape *t, struct tape_op *op);
void tape__bf16_backward(struct nn_tape *t, struct tape_op *op);

/* Winograd: plan() returns NULL when the direct way is better; prepare() follows the packing. */
bool tape__winograd_large(const struct tape_conv *c); /* it works on the whole batch */
struct tape_winograd *tape__winograd_plan(struct nn_tape *t, struct tape_op *op);
void tape__winograd_prepare(const struct nn_tape *t, struct tape_op *op);
void tape__winograd_forward(struct nn_tape *t, struct tape_op *op);
void tape__winograd_backward(struct nn_tape *t, struct tape_op *op);

#endif
