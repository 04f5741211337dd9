/* Pools of a tape. A global pool is one window over the whole image. */
#include <string.h>

#include "base/mem.h"
#include "tape_internal.h"

struct pooling {
    struct nn_window w;
    bool max, count_pad;
    float *arg; /* bytes [batch][blocks][oh][ow][16]: which window position won */
};

static int setup(struct nn_tape *t, struct tape_op *op, struct err *err)
{
    struct pooling *p = op->own = arena_alloc(t->arena, sizeof *p);
    const struct tape_tensor *x = op->inputs[0].tensor;
    enum nn_op kind = op->node->op;
    p->max = kind == NN_OP_MAXPOOL || kind == NN_OP_GLOBAL_MAXPOOL;
    p->count_pad = nn__attr_int(op->node, "count_include_pad", 0) != 0;
    if (kind == NN_OP_GLOBAL_AVGPOOL || kind == NN_OP_GLOBAL_MAXPOOL) {
        p->w = (struct nn_window){.kernel = {x->h, x->w}, .stride = {1, 1}, .dilation = {1, 1}};
    } else {
        int code = nn__window(t->graph, op->node, &p->w, err);
        if (code < 0)
            return code;
    }
    if (p->w.dilation[0] != 1 || p->w.dilation[1] != 1)
        return nn__node_error(op->node, err, ERR_UNSUPPORTED, "a dilated pool cannot be trained");
    if (p->max && p->w.kernel[0] * p->w.kernel[1] > 256)
        return nn__node_error(op->node, err, ERR_UNSUPPORTED,
                              "a max pool over more than 256 pixels cannot be trained");
    t->input_blocked |= x == t->tensors[t->graph->inputs[0]];
    size_t winners = (size_t)op->y->blocks * 16 * (size_t)(op->y->h * op->y->w);
    if (p->max)
        tape__want(t, &p->arg, (winners * (size_t)t->batch + 3) / 4);
    return 0;
}

/* What forward and backward have in common; x and y are set by them. */
static struct nn_pool16 describe(const struct tape_op *op, int image)
{
    const struct pooling *p = op->own;
    const struct tape_tensor *x = op->inputs[0].tensor, *y = op->y;
    size_t winners = (size_t)y->blocks * 16 * (size_t)(y->h * y->w);
    return (struct nn_pool16){
        .arg = p->max ? (uint8_t *)p->arg + (size_t)image * winners : NULL,
        .h = x->h,
        .w = x->w,
        .oh = y->h,
        .ow = y->w,
        .kh = p->w.kernel[0],
        .kw = p->w.kernel[1],
        .stride_h = p->w.stride[0],
        .stride_w = p->w.stride[1],
        .top = p->w.pad[0],
        .left = p->w.pad[1],
        .count_pad = p->count_pad,
    };
}

static void forward_image(struct nn_tape *t, struct tape_op *op, int image)
{
    const struct pooling *own = op->own;
    const struct tape_tensor *x = op->inputs[0].tensor, *y = op->y;
    struct nn_pool16 p = describe(op, image);
    p.x = tape__image(x, image);
    p.x_plane = x->at.plane;
    p.x_row = x->at.row;
    p.y = tape__image(y, image);
    p.y_plane = y->at.plane;
    p.y_row = y->at.row;
    (own->max ? t->k->maxpool16 : t->k->avgpool16)(&p, 0, y->blocks);
}

static void backward_image(struct nn_tape *t, struct tape_op *op, int image)
{
    const struct pooling *own = op->own;
    const struct tape_tensor *x = op->inputs[0].tensor, *y = op->y;
    struct nn_pool16 p = describe(op, image);
    if (!op->inputs[0].add)
        tape__clear_grad(x, image);
    p.x = tape__grad_image(y, image);
    p.x_plane = y->grad_at.plane;
    p.x_row = y->grad_at.row;
    p.y = tape__grad_image(x, image);
    p.y_plane = x->grad_at.plane;
    p.y_row = x->grad_at.row;
    (own->max ? t->k->maxpool16_back : t->k->avgpool16_back)(&p, 0, y->blocks);
}

static void forward(struct nn_tape *t, struct tape_op *op)
{
    tape__forward_images(t, op, forward_image);
}

static void backward(struct nn_tape *t, struct tape_op *op)
{
    if (op->inputs[0].tensor->has_grad)
        tape__backward_images(t, op, backward_image);
}

/* The backward pass does not read the image. */
static int window(const struct tape_op *op)
{
    (void)op;
    return 1;
}

const struct tape_kind tape__pool = {setup, window, NULL, forward, backward, NULL};
