/* The operator table and shape inference: one function per family of operators. */
#include "shape.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct nn_op_info ops[NN_OP_COUNT] = {
#define X(id, name, min, max, parameters, fn)                                                      \
    [NN_OP_##id] = {name, min, max, parameters, nn__shape_##fn},
    NN_OPS(X)
#undef X
};

const struct nn_op_info *nn__op_info(enum nn_op op)
{
    return &ops[op];
}

int nn__op_find(const char *name)
{
    for (int i = 0; i < NN_OP_COUNT; i++)
        if (!strcmp(ops[i].name, name))
            return i;
    return -1;
}

/* What shape functions share: see shape.h. */

const struct nn_shape *nn__in_shape(const struct nn_graph *g, const struct nn_node *n, int i)
{
    return &nn__value(g, n->inputs[i])->shape;
}

bool nn__has_input(const struct nn_node *n, int i)
{
    return i < n->input_count && n->inputs[i] != NN_NONE;
}

int nn__want_axis(const struct nn_node *n, int64_t axis, int rank, struct err *err)
{
    if (axis < -rank || axis >= rank)
        return nn__node_error(n, err, ERR_RANGE, "axis %lld is outside a tensor of rank %d",
                              (long long)axis, rank);
    return (int)(axis < 0 ? axis + rank : axis);
}

int nn__set_output(struct nn_graph *g, const struct nn_node *n, int i, enum nn_dtype type,
                   const struct nn_shape *s, struct err *err)
{
    int64_t count = nn__shape_elements(s, 1);
    if (count < 0 || count > INT_MAX)
        return nn__node_error(n, err, ERR_RANGE, "its output is too large");
    struct nn_tensor *out = nn__value(g, n->outputs[i]);
    out->dtype = type;
    out->shape = *s;
    return 0;
}

int nn__set_like(struct nn_graph *g, const struct nn_node *n, const struct nn_shape *s,
                 struct err *err)
{
    return nn__set_output(g, n, 0, nn__value(g, n->inputs[0])->dtype, s, err);
}

int nn__set_unknown(struct nn_graph *g, const struct nn_node *n)
{
    for (int i = 0; i < n->output_count; i++)
        nn__value(g, n->outputs[i])->shape = (struct nn_shape){.rank = NN_UNKNOWN};
    return 0;
}

static bool open_shape(const struct nn_shape *s)
{
    return s->rank == NN_UNKNOWN || (s->rank > 0 && s->dims[0] == NN_ANY_BATCH);
}

bool nn__undecided(const struct nn_graph *g, const struct nn_node *n, int first_constant)
{
    if (g->bound)
        return false;
    for (int i = 0; i < n->input_count; i++) {
        if (!nn__has_input(n, i))
            continue;
        if (open_shape(nn__in_shape(g, n, i)) ||
            (i >= first_constant && !nn__is_constant(g, n->inputs[i])))
            return true;
    }
    return false;
}

int nn__broadcast_into(const struct nn_node *n, struct nn_shape *out, const struct nn_shape *s,
                       struct err *err)
{
    struct nn_shape a = *out;
    out->rank = a.rank > s->rank ? a.rank : s->rank;
    for (int i = 1; i <= out->rank; i++) {
        int64_t da = i <= a.rank ? a.dims[a.rank - i] : 1;
        int64_t db = i <= s->rank ? s->dims[s->rank - i] : 1;
        if (da != db && da != 1 && db != 1)
            return nn__node_error(n, err, ERR_FORMAT, "dimensions %lld and %lld do not broadcast",
                                  (long long)da, (long long)db);
        out->dims[out->rank - i] = da == 1 ? db : da;
    }
    return 0;
}

/* Elementwise */

/* Elementwise operators: the first input's shape. Further outputs (Dropout's mask, the training
 * outputs of BatchNormalization) are given the same shape and may not be used. */
int nn__shape_same(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_shape s = *nn__in_shape(g, n, 0);
    if (n->op == NN_OP_BATCHNORM) {
        for (int i = 1; i < 5; i++)
            if (nn__in_shape(g, n, i)->rank != 1 || s.rank < 2 ||
                nn__in_shape(g, n, i)->dims[0] != s.dims[1])
                return nn__node_error(n, err, ERR_FORMAT, "input %d does not fit the channels", i);
    }
    for (int i = 0; i < n->output_count; i++)
        if (nn__set_output(g, n, i, nn__value(g, n->inputs[0])->dtype, &s, err) < 0)
            return err ? err->code : ERR_RANGE;
    return 0;
}

/* numpy's rule: dimensions are matched from the last one, and 1 stretches. An open batch may turn
 * out to be the number that it meets. */
int nn__shape_broadcast(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_shape out = *nn__in_shape(g, n, 0);
    bool open = nn__undecided(g, n, INT_MAX);
    int code = nn__broadcast_into(n, &out, nn__in_shape(g, n, 1), open ? NULL : err);
    if (code < 0 && open)
        return nn__set_unknown(g, n);
    return code < 0 ? code : nn__set_like(g, n, &out, err);
}

/* Windows of convolutions and pools */

/* Reads `count` numbers, a multiple of 2. A row (N x C x W, `row`) has half of them: the height's
 * keep their defaults. */
static int read_pair(const struct nn_node *n, const char *name, int count, bool row, int least,
                     int *out, struct err *err)
{
    const struct nn_attr *a = nn__attr(n, name);
    if (!a)
        return 0;
    int given = row ? count / 2 : count;
    if (a->kind != NN_ATTR_INTS || a->count != given)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "%s must have %d numbers", name, given);
    for (int i = 0; i < given; i++) {
        if (a->ints[i] < least || a->ints[i] > SHRT_MAX)
            return nn__node_error(n, err, ERR_RANGE, "%s has %lld", name, (long long)a->ints[i]);
        out[row ? 2 * i + 1 : i] = (int)a->ints[i];
    }
    return 0;
}

/* Resolves auto_pad and ceil_mode of one direction (ONNX operator MaxPool, "Summary"). */
static int resolve_axis(const struct nn_node *n, struct nn_window *w, int i, const char *auto_pad,
                        struct err *err)
{
    int reach = (w->kernel[i] - 1) * w->dilation[i] + 1, stride = w->stride[i];
    if (!strncmp(auto_pad, "SAME_", 5)) {
        w->out[i] = (w->in[i] + stride - 1) / stride;
        int total = (w->out[i] - 1) * stride + reach - w->in[i];
        total = total < 0 ? 0 : total;
        bool lower = !strcmp(auto_pad, "SAME_LOWER");
        w->pad[i] = lower ? total - total / 2 : total / 2;
        w->pad[i + 2] = total - w->pad[i];
        return 0;
    }
    int room = w->in[i] + w->pad[i] + w->pad[i + 2] - reach;
    if (room < 0)
        return nn__node_error(n, err, ERR_RANGE, "a window of %d is larger than the input of %d",
                              reach, w->in[i]);
    w->out[i] = room / stride + 1;
    /* a window more, when it starts inside the input: PyTorch's reading of ceil_mode */
    if (nn__attr_int(n, "ceil_mode", 0) && room % stride &&
        w->out[i] * stride < w->in[i] + w->pad[i]) {
        w->out[i]++;
        w->pad[i + 2] += stride - room % stride;
    }
    return 0;
}

/* What every window has: sides of the input, kernel, strides, dilations, pads as written. */
static int read_window(const struct nn_graph *g, const struct nn_node *n, struct nn_window *w,
                       struct err *err)
{
    *w = (struct nn_window){.stride = {1, 1}, .dilation = {1, 1}};
    const struct nn_shape *x = nn__in_shape(g, n, 0);
    const struct nn_shape *k = n->input_count > 1 ? nn__in_shape(g, n, 1) : NULL;
    bool row = x->rank == 3;
    for (int i = 0; i < 2; i++) {
        int axis = row ? 1 + i : 2 + i;
        int64_t side = row && i == 0 ? 1 : x->dims[axis];
        if (side < 1 || side > SHRT_MAX)
            return nn__node_error(n, err, ERR_RANGE, "an input side is %lld", (long long)side);
        w->in[i] = (int)side;
        w->kernel[i] = row && i == 0 ? 1 : 0;
        if (k && !(row && i == 0))
            w->kernel[i] = (int)k->dims[axis];
    }
    const char *auto_pad = nn__attr_string(n, "auto_pad", "NOTSET");
    if (read_pair(n, "kernel_shape", 2, row, 1, w->kernel, err) < 0 ||
        read_pair(n, "strides", 2, row, 1, w->stride, err) < 0 ||
        read_pair(n, "dilations", 2, row, 1, w->dilation, err) < 0 ||
        (strcmp(auto_pad, "VALID") && read_pair(n, "pads", 4, row, 0, w->pad, err) < 0))
        return err ? err->code : ERR_FORMAT;
    if (w->kernel[0] < 1 || w->kernel[1] < 1)
        return nn__node_error(n, err, ERR_FORMAT, "kernel_shape is missing");
    int64_t groups = nn__attr_int(n, "group", 1);
    if (groups < 1 || groups > INT_MAX)
        return nn__node_error(n, err, ERR_RANGE, "group is %lld", (long long)groups);
    w->groups = (int)groups;
    return 0;
}

int nn__window(const struct nn_graph *g, const struct nn_node *n, struct nn_window *w,
               struct err *err)
{
    int code = read_window(g, n, w, err);
    const char *auto_pad = nn__attr_string(n, "auto_pad", "NOTSET");
    for (int i = 0; i < 2 && code == 0; i++)
        code = resolve_axis(n, w, i, auto_pad, err);
    return code;
}

/* Weights of a convolution: 4-D, or 3-D for a row. */
static int check_kernel(const struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *x = nn__in_shape(g, n, 0), *k = nn__in_shape(g, n, 1);
    if (x->rank != 4 && x->rank != 3)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "wants an image or a row, got rank %d",
                              x->rank);
    bool fits = k->rank == x->rank;
    for (int i = 0; i < k->rank && fits; i++)
        fits = k->dims[i] >= 1 && (i < 2 || k->dims[i] <= SHRT_MAX);
    if (!fits)
        return nn__node_error(n, err, ERR_FORMAT, "the weights must be M x C x kH x kW");
    return 0;
}

static int check_kernel_shape(const struct nn_graph *g, const struct nn_node *n,
                              const struct nn_window *w, struct err *err)
{
    const struct nn_shape *k = nn__in_shape(g, n, 1);
    if (w->kernel[1] != k->dims[k->rank - 1] || (k->rank == 4 && w->kernel[0] != k->dims[2]))
        return nn__node_error(n, err, ERR_FORMAT, "kernel_shape is not that of the weights");
    return 0;
}

static int check_bias(const struct nn_graph *g, const struct nn_node *n, int64_t channels,
                      struct err *err)
{
    if (nn__has_input(n, 2) &&
        (nn__in_shape(g, n, 2)->rank != 1 || nn__in_shape(g, n, 2)->dims[0] != channels))
        return nn__node_error(n, err, ERR_FORMAT, "the bias does not fit the output channels");
    return 0;
}

/* N x C x H x W from its sides; a row has no height. */
static struct nn_shape image_shape(const struct nn_shape *x, int64_t channels,
                                   const struct nn_window *w)
{
    if (x->rank == 3)
        return (struct nn_shape){3, {x->dims[0], channels, w->out[1]}};
    return (struct nn_shape){4, {x->dims[0], channels, w->out[0], w->out[1]}};
}

int nn__shape_conv(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_window w;
    const struct nn_shape *x = nn__in_shape(g, n, 0), *k = nn__in_shape(g, n, 1);
    int code = check_kernel(g, n, err);
    if (code == 0)
        code = nn__window(g, n, &w, err);
    if (code == 0)
        code = check_kernel_shape(g, n, &w, err);
    if (code < 0)
        return code;
    if (k->dims[0] % w.groups || x->dims[1] % w.groups || x->dims[1] / w.groups != k->dims[1])
        return nn__node_error(
            n, err, ERR_FORMAT, "weights of %lld x %lld do not fit %lld channels in %d groups",
            (long long)k->dims[0], (long long)k->dims[1], (long long)x->dims[1], w.groups);
    code = check_bias(g, n, k->dims[0], err);
    struct nn_shape out = image_shape(x, k->dims[0], &w);
    return code < 0 ? code : nn__set_like(g, n, &out, err);
}

/* ConvTranspose (ONNX operator documentation): the output side is
 * stride (in - 1) + output_padding + (kernel - 1) dilation + 1 - pads, or the pads follow from
 * output_shape or auto_pad. The window is that of the convolution whose gradient this is, so `in`
 * is the image that is read and `out` the one that is written. */
int nn__window_transposed(const struct nn_graph *g, const struct nn_node *n, struct nn_window *w,
                          struct err *err)
{
    int extra[2] = {0, 0}, wanted[2] = {0, 0};
    bool row = nn__in_shape(g, n, 0)->rank == 3;
    const char *auto_pad = nn__attr_string(n, "auto_pad", "NOTSET");
    int code = read_window(g, n, w, err);
    if (code < 0 || read_pair(n, "output_padding", 2, row, 0, extra, err) < 0 ||
        read_pair(n, "output_shape", 2, row, 1, wanted, err) < 0)
        return code < 0 ? code : ERR_FORMAT;
    for (int i = 0; i < 2; i++) {
        int64_t full = (int64_t)w->stride[i] * (w->in[i] - 1) + extra[i] +
                       (int64_t)(w->kernel[i] - 1) * w->dilation[i] + 1;
        int64_t side = wanted[i];
        if (side == 0 && !strncmp(auto_pad, "SAME_", 5))
            side = (int64_t)w->in[i] * w->stride[i];
        if (side > 0) {
            int total = full > side && full - side < INT_MAX ? (int)(full - side) : 0;
            bool upper = !strcmp(auto_pad, "SAME_UPPER");
            w->pad[i] = upper ? total / 2 : total - total / 2;
            w->pad[i + 2] = total - w->pad[i];
        } else {
            side = full - w->pad[i] - w->pad[i + 2];
        }
        if (side < 1 || side > SHRT_MAX)
            return nn__node_error(n, err, ERR_RANGE, "an output side is %lld", (long long)side);
        w->out[i] = (int)side;
    }
    return 0;
}

int nn__shape_conv_transpose(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_window w;
    const struct nn_shape *x = nn__in_shape(g, n, 0), *k = nn__in_shape(g, n, 1);
    int code = check_kernel(g, n, err);
    if (code == 0)
        code = nn__window_transposed(g, n, &w, err);
    if (code == 0)
        code = check_kernel_shape(g, n, &w, err);
    if (code < 0)
        return code;
    if (k->dims[0] != x->dims[1] || k->dims[0] % w.groups || k->dims[1] > INT_MAX / w.groups)
        return nn__node_error(n, err, ERR_FORMAT, "the weights do not fit %lld channels",
                              (long long)x->dims[1]);
    code = check_bias(g, n, k->dims[1] * w.groups, err);
    struct nn_shape out = image_shape(x, k->dims[1] * w.groups, &w);
    return code < 0 ? code : nn__set_like(g, n, &out, err);
}

int nn__shape_pool(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_window w;
    const struct nn_shape *x = nn__in_shape(g, n, 0);
    if (x->rank != 4 && x->rank != 3)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "wants an image or a row, got rank %d",
                              x->rank);
    int code = nn__window(g, n, &w, err);
    if (code < 0)
        return code;
    for (int i = 0; i < 4; i++)
        if (w.pad[i] >= w.kernel[i % 2] * w.dilation[i % 2] + w.stride[i % 2])
            return nn__node_error(n, err, ERR_RANGE, "a border is as wide as the window");
    struct nn_shape out = image_shape(x, x->dims[1], &w);
    if (n->output_count > 1 && (code = nn__set_output(g, n, 1, NN_I64, &out, err)) < 0)
        return code; /* where each maximum was: nobody may read it (pass_bind.c) */
    return nn__set_like(g, n, &out, err);
}

int nn__shape_global_pool(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_shape out = *nn__in_shape(g, n, 0);
    if (out.rank < 3)
        return nn__node_error(n, err, ERR_FORMAT, "wants at least rank 3, got %d", out.rank);
    for (int i = 2; i < out.rank; i++)
        out.dims[i] = 1;
    return nn__set_like(g, n, &out, err);
}

/* Matrices */

int nn__shape_gemm(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *a = nn__in_shape(g, n, 0), *b = nn__in_shape(g, n, 1);
    if (a->rank != 2 || b->rank != 2)
        return nn__node_error(n, err, ERR_FORMAT, "wants two matrices, got ranks %d and %d",
                              a->rank, b->rank);
    int ta = nn__attr_int(n, "transA", 0) != 0, tb = nn__attr_int(n, "transB", 0) != 0;
    if (a->dims[!ta] != b->dims[tb])
        return nn__node_error(n, err, ERR_FORMAT, "inner sizes %lld and %lld differ",
                              (long long)a->dims[!ta], (long long)b->dims[tb]);
    struct nn_shape out = {2, {a->dims[ta], b->dims[!tb]}};
    return nn__set_like(g, n, &out, err);
}

struct nn_shape nn__as_matrix(const struct nn_shape *s, bool left)
{
    if (s->rank != 1)
        return *s;
    return left ? (struct nn_shape){2, {1, s->dims[0]}} : (struct nn_shape){2, {s->dims[0], 1}};
}

/* Batches of matrices broadcast like elementwise operators. */
int nn__shape_matmul(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    bool row = nn__in_shape(g, n, 0)->rank == 1, column = nn__in_shape(g, n, 1)->rank == 1;
    struct nn_shape a = nn__as_matrix(nn__in_shape(g, n, 0), true);
    struct nn_shape b = nn__as_matrix(nn__in_shape(g, n, 1), false);
    if (a.rank < 2 || b.rank < 2)
        return nn__node_error(n, err, ERR_FORMAT, "wants matrices, got ranks %d and %d", a.rank,
                              b.rank);
    int64_t rows = a.dims[a.rank - 2], inner = a.dims[a.rank - 1], columns = b.dims[b.rank - 1];
    if (b.dims[b.rank - 2] != inner)
        return nn__node_error(n, err, ERR_FORMAT, "inner sizes %lld and %lld differ",
                              (long long)inner, (long long)b.dims[b.rank - 2]);
    a.rank -= 2;
    b.rank -= 2;
    int code = nn__broadcast_into(n, &a, &b, err);
    if (code < 0)
        return code;
    if (!row)
        a.dims[a.rank++] = rows;
    if (!column)
        a.dims[a.rank++] = columns;
    return nn__set_like(g, n, &a, err);
}
