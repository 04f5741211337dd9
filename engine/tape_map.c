/* Elementwise operators of a tape: sums and products with broadcasting, activations, dropout. They
 * go row by row, because images have borders; a matrix is an image of one row. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "tape_internal.h"

static float *row_at(const struct tape_tensor *x, int image, int block, int row)
{
    return tape__image(x, image) + (size_t)block * x->at.plane + (size_t)row * x->at.row;
}

static float *grad_row_at(const struct tape_tensor *x, int image, int block, int row)
{
    return tape__grad_image(x, image) + (size_t)block * x->grad_at.plane +
           (size_t)row * x->grad_at.row;
}

typedef void row_fn(struct nn_tape *t, struct tape_op *op, int image, int block, int row);

static void each_row(struct nn_tape *t, struct tape_op *op, int image, row_fn *fn)
{
    for (int b = 0; b < op->y->blocks; b++)
        for (int r = 0; r < op->y->h; r++)
            fn(t, op, image, b, r);
}

/* The gradient of input i, with its border cleared if this is its first writer; NULL: none. */
static struct tape_tensor *begin_gradient(struct tape_op *op, int i, int image)
{
    struct tape_tensor *x = op->inputs[i].tensor;
    if (!x->has_grad)
        return NULL;
    if (!op->inputs[i].add)
        tape__clear_border(x, image);
    return x;
}

static void mark_input_read(struct nn_tape *t, const struct tape_op *op)
{
    for (int i = 0; i < op->input_count; i++)
        t->input_blocked |= op->inputs[i].tensor == t->tensors[t->graph->inputs[0]];
}

/* Sums and products */

/* True when the tensor has one number a channel and y has more: it stretches over the image. */
static bool stretches(const struct tape_tensor *x, const struct tape_tensor *y)
{
    return !x->rows && x->h * x->w == 1 && y->h * y->w != 1;
}

static int setup_pair(struct nn_tape *t, struct tape_op *op, struct err *err)
{
    if (op->input_count != 2)
        return nn__node_error(op->node, err, ERR_UNSUPPORTED,
                              "with a constant it cannot be trained");
    for (int i = 0; i < 2; i++) {
        const struct tape_tensor *x = op->inputs[i].tensor, *y = op->y;
        bool same = x->width == y->width && x->rows == y->rows;
        if (!same && !(stretches(x, y) && x->channels == y->channels && !y->rows))
            return nn__node_error(op->node, err, ERR_UNSUPPORTED,
                                  "this broadcast cannot be trained");
    }
    /* kinds below take the one that stretches second */
    if (stretches(op->inputs[0].tensor, op->y)) {
        struct tape_input swap = op->inputs[0];
        op->inputs[0] = op->inputs[1];
        op->inputs[1] = swap;
    }
    mark_input_read(t, op);
    return 0;
}

static void add_row(struct nn_tape *t, struct tape_op *op, int image, int block, int row)
{
    const struct tape_tensor *x = op->inputs[0].tensor, *z = op->inputs[1].tensor, *y = op->y;
    bool wide = stretches(z, y);
    struct nn_affine16 a = {
        .a = row_at(x, image, block, row),
        .b = wide ? NULL : row_at(z, image, block, row),
        .shift = wide ? row_at(z, image, block, 0) : NULL,
        .y = row_at(y, image, block, row),
        .pixels = (size_t)y->w,
        .lo = op->lo,
        .hi = op->hi,
    };
    t->k->affine16(&a);
}

static void add_image(struct nn_tape *t, struct tape_op *op, int image)
{
    each_row(t, op, image, add_row);
}

static void add_forward(struct nn_tape *t, struct tape_op *op)
{
    tape__forward_images(t, op, add_image);
}

static void unclip_row(struct nn_tape *t, struct tape_op *op, int image, int block, int row)
{
    float *d = grad_row_at(op->y, image, block, row);
    t->k->clip_back(row_at(op->y, image, block, row), d, d, (size_t)op->y->w * 16, op->lo, op->hi);
}

/* Writes or adds a row of floats. */
static void put(const struct nn_tape *t, const float *from, bool add, float *to, size_t n)
{
    t->k->axpby(1, from, add, to, n);
}

/* Sums d (times x) over the image into the gradient of a stretched tensor. */
static void sum_gradient(struct nn_tape *t, const struct tape_op *op, const struct tape_tensor *x,
                         int image, int i)
{
    const struct tape_tensor *z = op->inputs[i].tensor, *y = op->y;
    for (int b = 0; b < y->blocks; b++) {
        double sums[2][16] = {{0}};
        for (int r = 0; r < y->h; r++) {
            const float *d = grad_row_at(y, image, b, r);
            t->k->sums16(d, x ? row_at(x, image, b, r) : d, (size_t)y->w, sums[0], sums[1]);
        }
        float *dz = grad_row_at(z, image, b, 0);
        for (int l = 0; l < 16; l++)
            dz[l] = (op->inputs[i].add ? dz[l] : 0) + (float)sums[x != NULL][l];
    }
}

static void add_gradient(struct nn_tape *t, struct tape_op *op, int image, int i)
{
    struct tape_tensor *x = op->inputs[i].tensor;
    if (tape__grad_root(x) == tape__grad_root(op->y) || !begin_gradient(op, i, image))
        return; /* the gradient of y is that of x, or nobody wants it */
    if (stretches(x, op->y)) {
        sum_gradient(t, op, NULL, image, i);
        return;
    }
    for (int b = 0; b < x->blocks; b++)
        for (int r = 0; r < x->h; r++)
            put(t, grad_row_at(op->y, image, b, r), op->inputs[i].add, grad_row_at(x, image, b, r),
                (size_t)x->w * 16);
}

static void add_back_image(struct nn_tape *t, struct tape_op *op, int image)
{
    if (op->lo > -INFINITY || op->hi < INFINITY)
        each_row(t, op, image, unclip_row);
    for (int i = 0; i < 2; i++)
        add_gradient(t, op, image, i);
}

static void add_backward(struct nn_tape *t, struct tape_op *op)
{
    tape__backward_images(t, op, add_back_image);
}

static void mul_row(struct nn_tape *t, struct tape_op *op, int image, int block, int row)
{
    const struct tape_tensor *x = op->inputs[0].tensor, *z = op->inputs[1].tensor, *y = op->y;
    if (!stretches(z, y)) {
        t->k->mul(row_at(x, image, block, row), row_at(z, image, block, row),
                  row_at(y, image, block, row), (size_t)y->w * 16);
        return;
    }
    struct nn_affine16 a = {
        .a = row_at(x, image, block, row),
        .a_scale = row_at(z, image, block, 0),
        .y = row_at(y, image, block, row),
        .pixels = (size_t)y->w,
        .lo = -INFINITY,
        .hi = INFINITY,
    };
    t->k->affine16(&a);
}

static void mul_image(struct nn_tape *t, struct tape_op *op, int image)
{
    each_row(t, op, image, mul_row);
}

static void mul_forward(struct nn_tape *t, struct tape_op *op)
{
    tape__forward_images(t, op, mul_image);
}

/* to = (add ? to : 0) + d * factor */
static void put_product(const float *d, const float *factor, bool add, float *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (add ? to[i] : 0) + d[i] * factor[i];
}

/* The gradient of input i: that of y times the other input. */
static void mul_gradient(struct nn_tape *t, struct tape_op *op, int image, int i)
{
    struct tape_tensor *x = begin_gradient(op, i, image);
    const struct tape_tensor *other = op->inputs[!i].tensor;
    if (!x)
        return;
    if (stretches(x, op->y)) {
        sum_gradient(t, op, other, image, i);
        return;
    }
    for (int b = 0; b < x->blocks; b++)
        for (int r = 0; r < x->h; r++) {
            const float *d = grad_row_at(op->y, image, b, r);
            float *dx = grad_row_at(x, image, b, r);
            if (!stretches(other, op->y)) {
                put_product(d, row_at(other, image, b, r), op->inputs[i].add, dx,
                            (size_t)x->w * 16);
                continue;
            }
            struct nn_affine16 a = {
                .a = d,
                .a_scale = row_at(other, image, b, 0),
                .y = dx,
                .pixels = (size_t)x->w,
                .accumulate = op->inputs[i].add,
                .lo = -INFINITY,
                .hi = INFINITY,
            };
            t->k->affine16(&a);
        }
}

static void mul_back_image(struct nn_tape *t, struct tape_op *op, int image)
{
    mul_gradient(t, op, image, 0);
    mul_gradient(t, op, image, 1);
}

static void mul_backward(struct nn_tape *t, struct tape_op *op)
{
    tape__backward_images(t, op, mul_back_image);
}

/* Activations */

static int setup_map(struct nn_tape *t, struct tape_op *op, struct err *err)
{
    (void)err;
    mark_input_read(t, op);
    return 0;
}

static void clip_row(struct nn_tape *t, struct tape_op *op, int image, int block, int row)
{
    struct nn_affine16 a = {
        .a = row_at(op->inputs[0].tensor, image, block, row),
        .y = row_at(op->y, image, block, row),
        .pixels = (size_t)op->y->w,
        .lo = op->lo,
        .hi = op->hi,
    };
    t->k->affine16(&a);
}

static void clip_image(struct nn_tape *t, struct tape_op *op, int image)
{
    each_row(t, op, image, clip_row);
}

static void clip_forward(struct nn_tape *t, struct tape_op *op)
{
    tape__forward_images(t, op, clip_image);
}

static void clip_back_image(struct nn_tape *t, struct tape_op *op, int image)
{
    struct tape_tensor *x = begin_gradient(op, 0, image);
    each_row(t, op, image, unclip_row); /* in place: nobody else reads the gradient of y */
    for (int b = 0; b < x->blocks; b++)
        for (int r = 0; r < x->h; r++)
            put(t, grad_row_at(op->y, image, b, r), op->inputs[0].add, grad_row_at(x, image, b, r),
                (size_t)x->w * 16);
}

static void clip_backward(struct nn_tape *t, struct tape_op *op)
{
    tape__backward_images(t, op, clip_back_image);
}

static struct nn_func_args func_of(const struct nn_node *n)
{
    switch (n->op) {
    case NN_OP_LEAKY_RELU:
        return (struct nn_func_args){.func = NN_FUNC_LEAKY,
                                     .alpha = nn__attr_float(n, "alpha", 0.01f)};
    case NN_OP_HARD_SIGMOID:
        return (struct nn_func_args){.func = NN_FUNC_HARDSIGMOID,
                                     .alpha = nn__attr_float(n, "alpha", 0.2f),
                                     .beta = nn__attr_float(n, "beta", 0.5f)};
    case NN_OP_HARD_SWISH:
        return (struct nn_func_args){.func = NN_FUNC_HARDSWISH};
    case NN_OP_TANH:
        return (struct nn_func_args){.func = NN_FUNC_TANH};
    default:
        return (struct nn_func_args){.func = NN_FUNC_SIGMOID};
    }
}

static void func_row(struct nn_tape *t, struct tape_op *op, int image, int block, int row)
{
    struct nn_func_args a = func_of(op->node);
    a.x = row_at(op->inputs[0].tensor, image, block, row);
    a.y = row_at(op->y, image, block, row);
    a.n = (size_t)op->y->w * 16;
    t->k->func(&a);
}

static void func_image(struct nn_tape *t, struct tape_op *op, int image)
{
    each_row(t, op, image, func_row);
}

static void func_forward(struct nn_tape *t, struct tape_op *op)
{
    tape__forward_images(t, op, func_image);
}

/* In place in the gradient of y, then on to x. */
static void func_back_row(struct nn_tape *t, struct tape_op *op, int image, int block, int row)
{
    struct nn_func_args a = func_of(op->node);
    float *d = grad_row_at(op->y, image, block, row);
    a.x = row_at(op->inputs[0].tensor, image, block, row);
    a.dy = d;
    a.y = d;
    a.n = (size_t)op->y->w * 16;
    t->k->func_back(&a);
    put(t, d, op->inputs[0].add, grad_row_at(op->inputs[0].tensor, image, block, row), a.n);
}

static void func_back_image(struct nn_tape *t, struct tape_op *op, int image)
{
    if (begin_gradient(op, 0, image))
        each_row(t, op, image, func_back_row);
}

static void func_backward(struct nn_tape *t, struct tape_op *op)
{
    tape__backward_images(t, op, func_back_image);
}

/* Dropout (Srivastava et al. 2014, inverted): the mask is drawn again for the backward pass. */

struct dropout {
    float keep; /* probability */
    uint64_t stream;
};

static int setup_dropout(struct nn_tape *t, struct tape_op *op, struct err *err)
{
    struct dropout *d = op->own = arena_alloc(t->arena, sizeof *d);
    float rate = nn__attr_float(op->node, "ratio", 0.5f);
    if (op->node->input_count > 1 && nn__is_constant(t->graph, op->node->inputs[1]))
        rate = *(const float *)nn__value(t->graph, op->node->inputs[1])->data;
    if (!(rate >= 0 && rate < 1))
        return nn__node_error(op->node, err, ERR_RANGE, "its rate is not between 0 and 1");
    d->keep = 1 - rate;
    return setup_map(t, op, err);
}

/* y = (add ? y : 0) + x * mask / keep; 16 random bits decide on each number. */
static void mask_row(struct rng *rng, float keep, const float *x, bool add, float *y, size_t n)
{
    uint32_t limit = (uint32_t)lrintf(keep * 65536);
    float scale = 1 / keep;
    for (size_t i = 0; i < n; i += 4) {
        uint64_t bits = rng_u64(rng);
        for (size_t k = 0; k < 4; k++, bits >>= 16) {
            float v = (bits & 65535) < limit ? x[i + k] * scale : 0;
            y[i + k] = add ? y[i + k] + v : v;
        }
    }
}

static void seed_mask(const struct nn_tape *t, const struct tape_op *op, int image, struct rng *rng)
{
    rng_seed(rng, t->graph->seed ^ t->step * 0x9e3779b97f4a7c15u,
             (uint64_t)op->index << 32 | (uint64_t)nn_ranks_place(t->ranks, image, t->count));
}

static void dropout_image(struct nn_tape *t, struct tape_op *op, int image)
{
    const struct dropout *d = op->own;
    const struct tape_tensor *x = op->inputs[0].tensor, *y = op->y;
    struct rng rng;
    seed_mask(t, op, image, &rng);
    float keep = t->mode == NN_TRAIN ? d->keep : 1;
    for (int b = 0; b < y->blocks; b++)
        for (int r = 0; r < y->h; r++)
            mask_row(&rng, keep, row_at(x, image, b, r), false, row_at(y, image, b, r),
                     (size_t)y->w * 16);
}

static void dropout_forward(struct nn_tape *t, struct tape_op *op)
{
    tape__forward_images(t, op, dropout_image);
}

static void dropout_back_image(struct nn_tape *t, struct tape_op *op, int image)
{
    const struct dropout *d = op->own;
    const struct tape_tensor *x = begin_gradient(op, 0, image), *y = op->y;
    struct rng rng;
    seed_mask(t, op, image, &rng);
    for (int b = 0; b < y->blocks; b++)
        for (int r = 0; r < y->h; r++)
            mask_row(&rng, d->keep, grad_row_at(y, image, b, r), op->inputs[0].add,
                     grad_row_at(x, image, b, r), (size_t)y->w * 16);
}

static void dropout_backward(struct nn_tape *t, struct tape_op *op)
{
    tape__backward_images(t, op, dropout_back_image);
}

const struct tape_kind tape__add = {setup_pair, NULL, NULL, add_forward, add_backward, NULL};
const struct tape_kind tape__mul = {setup_pair, NULL, NULL, mul_forward, mul_backward, NULL};
const struct tape_kind tape__clip = {setup_map, NULL, NULL, clip_forward, clip_backward, NULL};
const struct tape_kind tape__func = {setup_map, NULL, NULL, func_forward, func_backward, NULL};
const struct tape_kind tape__dropout = {setup_dropout,    NULL, NULL, dropout_forward,
                                        dropout_backward, NULL};
