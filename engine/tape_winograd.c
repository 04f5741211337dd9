/* 3 x 3 convolutions of stride 1 in a tape by Winograd's method (kernels.h, struct nn_winograd).
 *
 * DESIGN. Layers with small weights work by slots of images, in groups that stay in the cache: the
 * weight gradient is summed in the transformed domain, one sum a slot in memory that all layers
 * share, and comes back when the slots have been added in order; scratch belongs to threads.
 * Large weights would be read again for every group. Those layers transform the whole batch into
 * one scratch and then take position by position, whose weights fit the cache.
 * In bfloat16 the transformed operands are rounded; what is summed and transformed stays float. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "tape_conv.h"
#include "tape_norm.h"

enum { GOOD_TILES = 96 };     /* a weight gradient wants at least so many at a time */
enum { LARGE_SUM = 1 << 20 }; /* transformed weights in floats that the caches do not hold */

struct tape_winograd {
    int m, positions, tiles; /* tiles of one image */
    bool large;
    float *u, *u_back; /* transformed weights: forward, of the input gradient; or bfloat16 */
    size_t sum;        /* floats of a weight gradient's sum */
    bool bf16;
};

/* The cheaper tile by multiplications; 0: direct convolution needs fewer still. */
static int choose_tile(const struct tape_conv *c)
{
    int direct = 9 * c->w.out[0] * c->w.out[1];
    int two = 16 * nn_winograd_tiles(2, c->w.out[0], c->w.out[1]);
    int four = 36 * nn_winograd_tiles(4, c->w.out[0], c->w.out[1]);
    int least = four <= two ? four : two;
    return least * 5 > direct * 4 ? 0 : four <= two ? 4 : 2;
}

static void want_at_least(size_t *have, size_t floats)
{
    if (floats > *have)
        *have = floats;
}

struct tape_winograd *tape__winograd_plan(struct nn_tape *t, struct tape_op *op)
{
    struct tape_conv *c = op->own;
    const struct nn_window *w = &c->w;
    int m = choose_tile(c);
    if (c->form != TAPE_DENSE || c->grouped || w->kernel[0] != 3 || w->kernel[1] != 3 ||
        w->stride[0] != 1 || w->stride[1] != 1 || w->dilation[0] != 1 || w->dilation[1] != 1 ||
        c->ic < 16 || c->oc < 16 || m == 0)
        return NULL;
    struct tape_winograd *f = arena_alloc(t->arena, sizeof *f);
    f->m = m;
    f->bf16 = t->precision == NN_BF16;
    f->positions = (m + 2) * (m + 2);
    f->tiles = nn_winograd_tiles(m, w->out[0], w->out[1]);
    f->sum = nn_winograd_weights_size(m, c->oc, c->ic);
    f->large = f->sum > LARGE_SUM;
    int good = f->bf16 ? 2 * GOOD_TILES : GOOD_TILES; /* the same bytes */
    for (c->group = 1; c->group * f->tiles < good; c->group *= 2)
        ;
    c->slots = 1;
    tape__want(t, &f->u, f->sum);
    int most = f->tiles;
    if (op->inputs[0].tensor->has_grad) {
        tape__want(t, &f->u_back, nn_winograd_weights_size(m, c->ic, c->oc));
        int back = nn_winograd_tiles(m, w->in[0], w->in[1]);
        most = back > most ? back : most;
    }
    most *= f->large ? t->batch : c->group;
    most += most % 2; /* bfloat16 takes pairs of them */
    want_at_least(f->large ? &t->large_scratch_floats : &t->scratch_floats,
                  nn_winograd_scratch(m, c->ic, most) + nn_winograd_scratch(m, c->oc, most));
    want_at_least(&t->sum_floats, f->large ? f->sum : f->sum * TAPE_SLOTS);
    return f;
}

bool tape__winograd_large(const struct tape_conv *c)
{
    return c->fast->large;
}

static void transform(const struct nn_tape *t, const struct tape_winograd *f, int oc_blocks,
                      int ic_blocks, float *w, float *u)
{
    struct nn_winograd_weights k = {f->m, oc_blocks, ic_blocks, w, u, (uint16_t *)(void *)u};
    (f->bf16 ? t->k->bwinograd_weights : t->k->winograd_weights)(&k, 0, oc_blocks);
}

void tape__winograd_prepare(const struct nn_tape *t, struct tape_op *op)
{
    const struct tape_conv *c = op->own;
    transform(t, c->fast, c->out_blocks, c->in_blocks, c->packed, c->fast->u);
    if (t->mode == NN_TRAIN && op->inputs[0].tensor->has_grad && op->y->has_grad)
        transform(t, c->fast, c->in_blocks, c->out_blocks, c->flipped, c->fast->u_back);
}

/* The slots of either precision. u, v and s point at both kinds of elements. */

static void set_scratch(struct nn_winograd *w, int tiles, float *scratch)
{
    w->v = scratch;
    w->s = scratch + nn_winograd_scratch(w->m, w->ic, tiles);
    w->bv = (uint16_t *)(void *)w->v;
    w->bs = (uint16_t *)(void *)w->s;
}

static void transform_in(const struct nn_tape *t, const struct nn_winograd *w, int b0, int b1)
{
    (t->precision == NN_BF16 ? t->k->bwinograd_in : t->k->winograd_in)(w, b0, b1);
}

static void multiply(const struct nn_tape *t, const struct nn_winograd *w, int p0, int p1)
{
    void (*mul)(const struct nn_winograd *, int, int, int, int) =
        t->precision == NN_BF16 ? t->k->bwinograd_mul : t->k->winograd_mul;
    mul(w, p0, p1, 0, nn_blocks(w->oc));
}

static void transform_in_for_dw(const struct nn_tape *t, const struct nn_winograd *w, int b0,
                                int b1)
{
    (t->precision == NN_BF16 ? t->k->bwinograd_in_pairs : t->k->winograd_in)(w, b0, b1);
}

static void transform_dy(const struct nn_tape *t, const struct nn_winograd *w, int b0, int b1)
{
    (t->precision == NN_BF16 ? t->k->bwinograd_dy_pairs : t->k->winograd_dy)(w, b0, b1);
}

static void multiply_dw(const struct nn_tape *t, const struct nn_winograd *w, int p0, int p1)
{
    (t->precision == NN_BF16 ? t->k->bwinograd_dw : t->k->winograd_dw)(w, p0, p1);
}

/* Work by slots with a thread's scratch */

/* All tiles of some images, a chunk that fits the cache at a time. x and y point at the first. */
static void convolve(const struct nn_tape *t, struct nn_winograd w, int images, float *scratch)
{
    int all = images * nn_winograd_tiles(w.m, w.oh, w.ow);
    int chunk = nn_winograd_chunk(w.m, w.ic, w.oc, all);
    for (w.first = 0; w.first < all; w.first += chunk) {
        w.tiles = all - w.first < chunk ? all - w.first : chunk;
        set_scratch(&w, w.tiles, scratch);
        transform_in(t, &w, 0, nn_blocks(w.ic));
        multiply(t, &w, 0, (w.m + 2) * (w.m + 2));
        t->k->winograd_out(&w, 0, nn_blocks(w.oc));
    }
}

static void set_weights(struct nn_winograd *w, float *u)
{
    w->u = u;
    w->bu = (uint16_t *)(void *)u;
}

static struct nn_winograd describe(const struct nn_tape *t, const struct tape_op *op, int first)
{
    const struct tape_conv *c = op->own;
    const struct tape_tensor *x = op->inputs[0].tensor, *y = op->y;
    struct nn_winograd w = {.m = c->fast->m, .ic = c->ic, .oc = c->oc, .oh = y->h, .ow = y->w};
    w.x = tape__conv_input(t, op, first);
    set_weights(&w, c->fast->u);
    w.bias = c->has_bias ? c->bias : NULL;
    w.y = tape__image(y, first);
    w.x_image = x->at.image;
    w.x_plane = x->at.plane;
    w.x_row = x->at.row;
    w.y_image = y->at.image;
    w.y_plane = y->at.plane;
    w.y_row = y->at.row;
    w.lo = op->lo;
    w.hi = op->hi;
    return w;
}

static void forward_group(struct nn_tape *t, struct tape_op *op, int slot, int first, int last,
                          float *scratch)
{
    const struct tape_conv *c = op->own;
    (void)slot;
    for (int i = first; i < last; i++)
        tape__begin_image(t, op, i);
    convolve(t, describe(t, op, first), last - first, scratch);
    for (int i = first; i < last && op->norm && t->mode == NN_TRAIN; i++)
        tape__norm_sums(t, op->norm, i, 0, c->out_blocks);
}

/* What the weight gradient of some images reads; dy stands in y. */
static struct nn_winograd describe_dw(struct nn_tape *t, const struct tape_op *op, int first,
                                      int last, int slot, float *scratch)
{
    const struct tape_conv *c = op->own;
    const struct tape_geometry *at = &op->y->grad_at;
    struct nn_winograd w = describe(t, op, first);
    w.y = tape__grad_image(op->y, first);
    w.y_image = at->image;
    w.y_plane = at->plane;
    w.y_row = at->row;
    w.u = t->sums + (size_t)slot * c->fast->sum;
    w.tiles = (last - first) * c->fast->tiles;
    set_scratch(&w, w.tiles + w.tiles % 2, scratch);
    return w;
}

/* The first group of a slot clears each sum right before it adds, while that is in the cache. */
static void sum_weights(struct nn_tape *t, struct tape_op *op, int slot, int first, int last,
                        float *scratch)
{
    const struct tape_conv *c = op->own;
    struct nn_winograd w = describe_dw(t, op, first, last, slot, scratch);
    size_t step = c->fast->sum / (size_t)c->fast->positions;
    int begin, end;
    tape__slot(t, slot, &begin, &end);
    transform_in_for_dw(t, &w, 0, c->in_blocks);
    transform_dy(t, &w, 0, c->out_blocks);
    for (int p = 0; p < c->fast->positions; p++) {
        if (first == begin)
            memset(w.u + (size_t)p * step, 0, step * sizeof *w.u);
        multiply_dw(t, &w, p, p + 1);
    }
}

/* The input gradient is a convolution of dy with the flipped weights, added to what is there. */
static struct nn_winograd describe_dx(const struct tape_op *op, int first)
{
    const struct tape_conv *c = op->own;
    const struct tape_tensor *x = op->inputs[0].tensor, *y = op->y;
    struct nn_winograd w = {.m = c->fast->m, .ic = c->oc, .oc = c->ic, .oh = x->h, .ow = x->w};
    w.x = tape__conv_output_gradient_at(op, first);
    set_weights(&w, c->fast->u_back);
    w.y = tape__grad_image(x, first);
    w.add = op->inputs[0].add ? w.y : NULL;
    w.x_image = y->grad_at.image;
    w.x_plane = y->grad_at.plane;
    w.x_row = y->grad_at.row;
    w.y_image = w.add_image = x->grad_at.image;
    w.y_plane = w.add_plane = x->grad_at.plane;
    w.y_row = w.add_row = x->grad_at.row;
    w.lo = -INFINITY;
    w.hi = INFINITY;
    return w;
}

static void input_gradient(struct nn_tape *t, struct tape_op *op, int first, int last,
                           float *scratch)
{
    for (int i = first; i < last; i++)
        tape__conv_begin_input_gradient(op, i);
    convolve(t, describe_dx(op, first), last - first, scratch);
    for (int i = first; i < last; i++)
        tape__end_image(t, op, i);
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
        sum_weights(t, op, slot, first, last, scratch);
    if (x->has_grad)
        input_gradient(t, op, first, last, scratch);
}

/* Adds the slots of one output block in order and takes them back to the weights. */
static void finish_weights(struct nn_tape *t, struct tape_op *op, int block)
{
    const struct tape_conv *c = op->own;
    const struct tape_winograd *f = c->fast;
    size_t row = (size_t)c->in_blocks * 256, step = row * (size_t)c->out_blocks;
    for (int s = 1; s < TAPE_SLOTS && !f->large; s++)
        for (int p = 0; p < f->positions; p++) {
            size_t at = (size_t)p * step + (size_t)block * row;
            t->k->axpby(1, t->sums + (size_t)s * f->sum + at, 1, t->sums + at, row);
        }
    memset(c->dw + (size_t)block * row * 9, 0, row * 9 * sizeof *c->dw);
    struct nn_winograd_weights k = {f->m, c->out_blocks, c->in_blocks, c->dw, t->sums, NULL};
    t->k->winograd_weights_back(&k, block, block + 1);
}

/* A slot without images adds nothing. */
static void clear_empty(struct nn_tape *t, struct tape_op *op, int slot)
{
    const struct tape_conv *c = op->own;
    int begin, end;
    tape__slot(t, slot, &begin, &end);
    if (begin == end)
        memset(t->sums + (size_t)slot * c->fast->sum, 0, c->fast->sum * sizeof *t->sums);
}

/* Large weights: the whole batch, by blocks and positions */

struct batch_work {
    struct nn_tape *tape;
    struct nn_winograd w;
};

static void batch_in(void *arg, int begin, int end, int thread)
{
    const struct batch_work *b = arg;
    (void)thread;
    transform_in(b->tape, &b->w, begin, end);
}

static void batch_in_for_dw(void *arg, int begin, int end, int thread)
{
    const struct batch_work *b = arg;
    (void)thread;
    transform_in_for_dw(b->tape, &b->w, begin, end);
}

static void batch_mul(void *arg, int begin, int end, int thread)
{
    const struct batch_work *b = arg;
    (void)thread;
    multiply(b->tape, &b->w, begin, end);
}

static void batch_out(void *arg, int begin, int end, int thread)
{
    const struct batch_work *b = arg;
    (void)thread;
    b->tape->k->winograd_out(&b->w, begin, end);
}

static void batch_dy(void *arg, int begin, int end, int thread)
{
    const struct batch_work *b = arg;
    (void)thread;
    transform_dy(b->tape, &b->w, begin, end);
}

static void batch_dw(void *arg, int begin, int end, int thread)
{
    const struct batch_work *b = arg;
    (void)thread;
    size_t step =
        nn_winograd_weights_size(b->w.m, b->w.oc, b->w.ic) / (size_t)((b->w.m + 2) * (b->w.m + 2));
    memset(b->w.u + (size_t)begin * step, 0, (size_t)(end - begin) * step * sizeof *b->w.u);
    multiply_dw(b->tape, &b->w, begin, end);
}

static void convolve_batch(struct nn_tape *t, struct nn_winograd w)
{
    w.tiles = t->count * nn_winograd_tiles(w.m, w.oh, w.ow);
    set_scratch(&w, w.tiles, t->large_scratch);
    struct batch_work b = {t, w};
    pool_for(t->pool, nn_blocks(w.ic), 1, batch_in, &b);
    pool_for(t->pool, (w.m + 2) * (w.m + 2), 1, batch_mul, &b);
    pool_for(t->pool, nn_blocks(w.oc), 1, batch_out, &b);
}

static void sum_weights_batch(struct nn_tape *t, struct tape_op *op)
{
    const struct tape_conv *c = op->own;
    struct batch_work b = {t, describe_dw(t, op, 0, t->count, 0, t->large_scratch)};
    pool_for(t->pool, c->in_blocks, 1, batch_in_for_dw, &b);
    pool_for(t->pool, c->out_blocks, 1, batch_dy, &b);
    pool_for(t->pool, c->fast->positions, 1, batch_dw, &b);
    tape__each(t, op, c->out_blocks, finish_weights);
}

static void norm_image(struct nn_tape *t, struct tape_op *op, int image)
{
    tape__norm_sums(t, op->norm, image, 0, op->y->blocks);
}

static void output_gradient_image(struct nn_tape *t, struct tape_op *op, int image)
{
    tape__conv_output_gradient(t, op, image);
    if (op->inputs[0].tensor->has_grad)
        tape__conv_begin_input_gradient(op, image);
}

static void forward_large(struct nn_tape *t, struct tape_op *op)
{
    tape__each_image(t, op, tape__begin_image);
    convolve_batch(t, describe(t, op, 0));
    if (op->norm && t->mode == NN_TRAIN)
        tape__each_image(t, op, norm_image);
}

static void backward_large(struct nn_tape *t, struct tape_op *op)
{
    tape__each_image(t, op, output_gradient_image);
    if (tape__gradients(t, op, 1))
        sum_weights_batch(t, op);
    if (!op->inputs[0].tensor->has_grad)
        return;
    convolve_batch(t, describe_dx(op, 0));
    tape__each_image(t, op, tape__end_image);
}

/* Both ways */

void tape__winograd_forward(struct nn_tape *t, struct tape_op *op)
{
    const struct tape_conv *c = op->own;
    if (c->fast->large)
        forward_large(t, op);
    else
        tape__conv_slots(t, op, forward_group);
}

void tape__winograd_backward(struct nn_tape *t, struct tape_op *op)
{
    const struct tape_conv *c = op->own;
    bool trained = tape__gradients(t, op, 1) != NULL;
    if (c->fast->large) {
        backward_large(t, op);
        return;
    }
    if (trained && t->count < TAPE_SLOTS)
        tape__each(t, op, TAPE_SLOTS, clear_empty);
    tape__conv_slots(t, op, backward_group);
    if (trained)
        tape__each(t, op, c->out_blocks, finish_weights);
}
