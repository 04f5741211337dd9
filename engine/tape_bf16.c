/* Convolutions of a tape with products of bfloat16 that Winograd's method does not take: strided,
 * pointwise, 5 x 5.
 *
 * DESIGN. Images stay floats; they are rounded into scratch right before a product reads them: as
 * they are for the forward pass and the input gradient, in pairs of pixels for the weight gradient
 * (kernels.h), which sums over pixels. Layers with small weights work by slots of images, in groups
 * that stay in the cache; large ones round the whole batch for the weight gradient and then take
 * output block by output block, whose sums stay in the cache. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "tape_conv.h"
#include "tape_norm.h"

enum { LEAST_CHANNELS = 32 };     /* fewer are not worth the rounding */
enum { LARGE_WEIGHTS = 1 << 18 }; /* floats of which eight slots may be kept */
enum { BLOCKS_AT_ONCE = 2 };      /* what the weight gradient's register tiles share */

/* The rounded part of an image that a convolution reads, without gaps. */
struct patch {
    int rows, cols;
    size_t row, plane, image;
};

struct tape_bf16 {
    uint16_t *w, *flipped;
    struct patch x, dy;                    /* of the forward pass; of the input gradient */
    size_t x_row, x_plane, x_tap, x_image; /* pairs: x once for each kernel column */
    size_t dy_row, dy_plane, dy_image;
    bool large;
};

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static struct patch patch_of(int rows, int cols, int blocks)
{
    struct patch p = {.rows = rows, .cols = cols, .row = (size_t)cols * 16};
    p.plane = p.row * (size_t)rows;
    p.image = p.plane * (size_t)blocks;
    return p;
}

static int reach(const struct tape_conv *c, int axis)
{
    return (c->w.out[axis] - 1) * c->w.stride[axis] +
           (c->w.kernel[axis] - 1) * c->w.dilation[axis] + 1;
}

static void plan_patches(struct tape_bf16 *f, const struct tape_conv *c)
{
    f->x = patch_of(reach(c, 0), reach(c, 1), c->in_blocks);
    f->dy = patch_of(c->dy_before[0] + c->w.out[0] + c->dy_after[0],
                     c->dy_before[1] + c->w.out[1] + c->dy_after[1], c->out_blocks);
}

static void plan_pairs(struct tape_bf16 *f, const struct tape_conv *c)
{
    size_t pairs = ((size_t)c->w.out[1] + 1) / 2;
    f->x_row = f->dy_row = pairs * 32;
    f->x_plane = f->x_row * (size_t)f->x.rows;
    f->x_tap = f->x_plane * (size_t)c->in_blocks;
    f->x_image = f->x_tap * (size_t)c->w.kernel[1];
    f->dy_plane = f->dy_row * (size_t)c->w.out[0];
    f->dy_image = f->dy_plane * (size_t)c->out_blocks;
}

/* Floats that hold so many bfloat16. */
static size_t halves(size_t n)
{
    return (n + 1) / 2;
}

static void plan_scratch(struct nn_tape *t, const struct tape_conv *c, const struct tape_bf16 *f)
{
    size_t patch = most(f->x.image, f->dy.image), pairs = f->x_image + f->dy_image;
    size_t thread = f->large ? patch : most(patch, pairs * (size_t)c->group);
    t->scratch_floats = most(t->scratch_floats, halves(thread));
    if (f->large)
        t->large_scratch_floats = most(t->large_scratch_floats, halves(pairs * (size_t)t->batch));
}

struct tape_bf16 *tape__bf16_plan(struct nn_tape *t, struct tape_op *op)
{
    struct tape_conv *c = op->own;
    if (t->precision != NN_BF16 || c->form != TAPE_DENSE || c->grouped ||
        c->ic < LEAST_CHANNELS || c->oc < LEAST_CHANNELS || c->w.out[0] * c->w.out[1] == 1)
        return NULL;
    struct tape_bf16 *f = arena_alloc(t->arena, sizeof *f);
    plan_patches(f, c);
    plan_pairs(f, c);
    f->large = c->size > LARGE_WEIGHTS;
    c->slots = f->large ? 1 : TAPE_SLOTS;
    tape__want(t, (float **)(void *)&f->w, halves(c->size));
    if (op->inputs[0].tensor->has_grad)
        tape__want(t, (float **)(void *)&f->flipped, halves(c->size));
    plan_scratch(t, c, f);
    return f;
}

bool tape__bf16_large(const struct tape_conv *c)
{
    return c->rounded->large;
}

/* Pairs of input channels, as bconv16 wants its weights. */
static void round_weights(const struct nn_tape *t, const float *packed, size_t size, uint16_t *w)
{
    struct nn_pairs16 p = {
        .src = packed, .dst = w, .src_row = 256, .dst_row = 256, .cols = 16, .step = 1};
    p.rows = (int)(size / 256);
    t->k->pairs16(&p, 0, 1);
}

void tape__bf16_prepare(const struct nn_tape *t, struct tape_op *op)
{
    const struct tape_conv *c = op->own;
    round_weights(t, c->packed, c->size, c->rounded->w);
    if (t->mode == NN_TRAIN && op->inputs[0].tensor->has_grad && op->y->has_grad)
        round_weights(t, c->flipped, c->size, c->rounded->flipped);
}

static uint16_t *elements(float *scratch)
{
    return (uint16_t *)(void *)scratch;
}

/* `from` is the patch's first pixel in an image of this geometry. */
static void round_patch(const struct nn_tape *t, const struct patch *p, const float *from,
                        const struct tape_geometry *at, int blocks, uint16_t *to)
{
    for (int b = 0; b < blocks; b++)
        for (int r = 0; r < p->rows; r++)
            t->k->f32_to_bf16(from + (size_t)b * at->plane + (size_t)r * at->row,
                              to + (size_t)b * p->plane + (size_t)r * p->row, p->row);
}

static struct nn_dot16 describe_forward(const struct tape_op *op, int image, const uint16_t *x)
{
    const struct tape_conv *c = op->own;
    const struct tape_bf16 *f = c->rounded;
    const struct tape_tensor *y = op->y;
    return (struct nn_dot16){
        .x = x,
        .w = f->w,
        .bias = c->has_bias ? c->bias : NULL,
        .y = tape__image(y, image),
        .x_plane = f->x.plane,
        .x_row = f->x.row,
        .y_plane = y->at.plane,
        .y_row = y->at.row,
        .y_col = 16,
        .ic = c->ic,
        .ow = y->w,
        .kh = c->w.kernel[0],
        .kw = c->w.kernel[1],
        .stride_h = c->w.stride[0],
        .stride_w = c->w.stride[1],
        .dilation_h = c->w.dilation[0],
        .dilation_w = c->w.dilation[1],
        .lo = op->lo,
        .hi = op->hi,
    };
}

static void forward_group(struct nn_tape *t, struct tape_op *op, int slot, int first, int last,
                          float *scratch)
{
    const struct tape_conv *c = op->own;
    (void)slot;
    for (int i = first; i < last; i++) {
        tape__begin_image(t, op, i);
        struct nn_dot16 k = describe_forward(op, i, elements(scratch));
        round_patch(t, &c->rounded->x, tape__conv_input(t, op, i), &op->inputs[0].tensor->at,
                    c->in_blocks, elements(scratch));
        t->k->bconv16(&k, 0, c->out_blocks, 0, op->y->h);
        if (op->norm && t->mode == NN_TRAIN)
            tape__norm_sums(t, op->norm, i, 0, c->out_blocks);
    }
}

void tape__bf16_forward(struct nn_tape *t, struct tape_op *op)
{
    tape__conv_slots(t, op, forward_group);
}

/* Weight gradient */

/* The two operands of an image, in pairs. */
static void round_pairs(const struct nn_tape *t, const struct tape_op *op, int image, uint16_t *x,
                        uint16_t *dy)
{
    const struct tape_conv *c = op->own;
    const struct tape_bf16 *f = c->rounded;
    const struct tape_geometry *from = &op->inputs[0].tensor->at, *dy_from = &op->y->grad_at;
    struct nn_pairs16 p = {
        .src = tape__conv_input(t, op, image), .dst = x, .src_plane = from->plane,
        .src_row = from->row, .dst_plane = f->x_plane, .dst_row = f->x_row, .rows = f->x.rows,
        .cols = c->w.out[1], .step = c->w.stride[1]};
    for (int column = 0; column < c->w.kernel[1]; column++) {
        t->k->pairs16(&p, 0, c->in_blocks);
        p.src += (size_t)c->w.dilation[1] * 16;
        p.dst += f->x_tap;
    }
    struct nn_pairs16 d = {
        .src = tape__grad_image(op->y, image), .dst = dy, .src_plane = dy_from->plane,
        .src_row = dy_from->row, .dst_plane = f->dy_plane, .dst_row = f->dy_row,
        .rows = c->w.out[0], .cols = c->w.out[1], .step = 1};
    t->k->pairs16(&d, 0, c->out_blocks);
}

static struct nn_bconv16_dw describe_dw(const struct tape_conv *c, const uint16_t *x,
                                        const uint16_t *dy, int images, int slot)
{
    const struct tape_bf16 *f = c->rounded;
    return (struct nn_bconv16_dw){
        .x = x,
        .dy = dy,
        .dw = c->dw + (size_t)slot * c->size,
        .x_image = f->x_image,
        .x_plane = f->x_plane,
        .x_row = f->x_row,
        .x_tap = f->x_tap,
        .dy_image = f->dy_image,
        .dy_plane = f->dy_plane,
        .dy_row = f->dy_row,
        .images = images,
        .ic = c->ic,
        .oh = c->w.out[0],
        .pairs = (c->w.out[1] + 1) / 2,
        .kh = c->w.kernel[0],
        .kw = c->w.kernel[1],
        .stride_h = c->w.stride[0],
        .dilation_h = c->w.dilation[0],
    };
}

static void sum_weights(struct nn_tape *t, struct tape_op *op, int slot, int first, int last,
                        uint16_t *scratch)
{
    const struct tape_conv *c = op->own;
    const struct tape_bf16 *f = c->rounded;
    uint16_t *x = scratch, *dy = scratch + f->x_image * (size_t)(last - first);
    for (int i = first; i < last; i++)
        round_pairs(t, op, i, x + f->x_image * (size_t)(i - first),
                    dy + f->dy_image * (size_t)(i - first));
    struct nn_bconv16_dw k = describe_dw(c, x, dy, last - first, slot);
    t->k->bconv16_dw(&k, 0, c->out_blocks, 0, c->in_blocks);
}

/* One phase of the input gradient (tape_conv.c) from a rounded dy. */
static struct nn_dot16 describe_phase(const struct tape_op *op, int image, int p, int q,
                                      const uint16_t *dy)
{
    const struct tape_conv *c = op->own;
    const struct tape_bf16 *f = c->rounded;
    const struct nn_conv16 k = tape__conv_phase(op, image, p, q);
    const struct tape_phase *pr = &c->phases[0][p], *pc = &c->phases[1][q];
    int top = c->dy_before[0] + pr->offset - (pr->taps - 1) * c->gap[0];
    int left = c->dy_before[1] + pc->offset - (pc->taps - 1) * c->gap[1];
    return (struct nn_dot16){
        .x = dy + (ptrdiff_t)top * (ptrdiff_t)f->dy.row + (ptrdiff_t)left * 16,
        .y = k.y,
        .x_plane = f->dy.plane,
        .x_row = f->dy.row,
        .y_plane = k.y_plane,
        .y_row = k.y_row,
        .y_col = k.y_col,
        .ic = k.ic,
        .ow = k.ow,
        .kh = k.kh,
        .kw = k.kw,
        .stride_h = 1,
        .stride_w = 1,
        .dilation_h = k.dilation_h,
        .dilation_w = k.dilation_w,
        .accumulate = k.accumulate,
        .lo = k.lo,
        .hi = k.hi,
    };
}

static void input_gradient(struct nn_tape *t, struct tape_op *op, int image, uint16_t *scratch)
{
    const struct tape_conv *c = op->own;
    const struct tape_geometry *at = &op->y->grad_at;
    const uint16_t *w = c->rounded->flipped;
    tape__conv_begin_input_gradient(op, image);
    round_patch(t, &c->rounded->dy,
                tape__grad_image(op->y, image) - (size_t)c->dy_before[0] * at->row -
                    (size_t)c->dy_before[1] * 16,
                at, c->out_blocks, scratch);
    for (int p = 0; p < c->w.stride[0]; p++)
        for (int q = 0; q < c->w.stride[1]; q++) {
            struct nn_dot16 k = describe_phase(op, image, p, q, scratch);
            size_t taps = (size_t)(k.kh * k.kw);
            k.w = w;
            if (taps)
                t->k->bconv16(&k, 0, c->in_blocks, 0, tape__conv_phase_rows(op, p));
            w += c->size / (size_t)(c->w.kernel[0] * c->w.kernel[1]) * taps;
        }
    tape__end_image(t, op, image);
}

static void input_gradient_group(struct nn_tape *t, struct tape_op *op, int slot, int first,
                                 int last, float *scratch)
{
    (void)slot;
    for (int i = first; i < last; i++)
        input_gradient(t, op, i, elements(scratch));
}

static void backward_group(struct nn_tape *t, struct tape_op *op, int slot, int first, int last,
                           float *scratch)
{
    const struct tape_tensor *x = op->inputs[0].tensor;
    for (int i = first; i < last; i++)
        tape__conv_output_gradient(t, op, i);
    for (int i = first; i < last && x->window; i++)
        tape__begin_image(t, op, i);
    if (tape__gradients(t, op, 1))
        sum_weights(t, op, slot, first, last, elements(scratch));
    if (x->has_grad)
        input_gradient_group(t, op, slot, first, last, scratch);
}

static void clear_slot(struct nn_tape *t, struct tape_op *op, int slot)
{
    const struct tape_conv *c = op->own;
    (void)t;
    memset(c->dw + (size_t)slot * c->size, 0, c->size * sizeof *c->dw);
}

/* Large weights */

static void round_batch(struct nn_tape *t, struct tape_op *op, int image)
{
    const struct tape_conv *c = op->own;
    const struct tape_bf16 *f = c->rounded;
    uint16_t *x = elements(t->large_scratch), *dy = x + f->x_image * (size_t)t->count;
    round_pairs(t, op, image, x + f->x_image * (size_t)image, dy + f->dy_image * (size_t)image);
}

static void sum_weights_of_blocks(struct nn_tape *t, struct tape_op *op, int job)
{
    const struct tape_conv *c = op->own;
    const uint16_t *x = elements(t->large_scratch);
    struct nn_bconv16_dw k =
        describe_dw(c, x, x + c->rounded->x_image * (size_t)t->count, t->count, 0);
    int b0 = job * BLOCKS_AT_ONCE;
    int b1 = b0 + BLOCKS_AT_ONCE < c->out_blocks ? b0 + BLOCKS_AT_ONCE : c->out_blocks;
    size_t part = c->size / (size_t)c->out_blocks;
    memset(c->dw + (size_t)b0 * part, 0, (size_t)(b1 - b0) * part * sizeof *c->dw);
    t->k->bconv16_dw(&k, b0, b1, 0, c->in_blocks);
}

static void backward_large(struct nn_tape *t, struct tape_op *op)
{
    const struct tape_conv *c = op->own;
    tape__each_image(t, op, tape__conv_output_gradient);
    if (tape__gradients(t, op, 1)) {
        tape__each_image(t, op, round_batch);
        tape__each(t, op, (c->out_blocks + BLOCKS_AT_ONCE - 1) / BLOCKS_AT_ONCE,
                   sum_weights_of_blocks);
    }
    if (op->inputs[0].tensor->has_grad)
        tape__conv_slots(t, op, input_gradient_group);
}

void tape__bf16_backward(struct nn_tape *t, struct tape_op *op)
{
    const struct tape_conv *c = op->own;
    if (c->rounded->large) {
        backward_large(t, op);
        return;
    }
    tape__each(t, op, TAPE_SLOTS, clear_slot);
    tape__conv_slots(t, op, backward_group);
}
