/* The operator table and shape inference: one function per family of operators. */
#include "internal.h"

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

static const struct nn_shape *in_shape(const struct nn_graph *g, const struct nn_node *n, int i)
{
    return &nn__value(g, n->inputs[i])->shape;
}

static bool has_input(const struct nn_node *n, int i)
{
    return i < n->input_count && n->inputs[i] != NN_NONE;
}

/* Sets one output; dimensions are checked here once for every operator. */
static int set_output(struct nn_graph *g, const struct nn_node *n, int i, enum nn_dtype type,
                      const struct nn_shape *s, struct err *err)
{
    if (nn__shape_elements(s, 1) < 0 || nn__shape_elements(s, 1) > INT_MAX)
        return nn__node_error(n, err, ERR_RANGE, "its output is too large");
    struct nn_tensor *out = nn__value(g, n->outputs[i]);
    out->dtype = type;
    out->shape = *s;
    return 0;
}

static int set_like(struct nn_graph *g, const struct nn_node *n, const struct nn_shape *s,
                    struct err *err)
{
    return set_output(g, n, 0, nn__value(g, n->inputs[0])->dtype, s, err);
}

/* An axis of -rank..rank; a negative one counts from the end. */
static int want_axis(const struct nn_node *n, int64_t axis, int rank, int *out, struct err *err)
{
    if (axis < -rank || axis > rank)
        return nn__node_error(n, err, ERR_RANGE, "axis %lld is outside a tensor of rank %d",
                              (long long)axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return 0;
}

/* Elementwise operators: the first input's shape. Further outputs (Dropout's mask, the training
 * outputs of BatchNormalization) are given the same shape and may not be used. */
int nn__shape_same(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_shape s = *in_shape(g, n, 0);
    if (n->op == NN_OP_BATCHNORM) {
        for (int i = 1; i < 5; i++)
            if (in_shape(g, n, i)->rank != 1 || s.rank < 2 ||
                in_shape(g, n, i)->dims[0] != s.dims[1])
                return nn__node_error(n, err, ERR_FORMAT, "input %d does not fit the channels", i);
    }
    for (int i = 0; i < n->output_count; i++)
        if (set_output(g, n, i, nn__value(g, n->inputs[0])->dtype, &s, err) < 0)
            return err ? err->code : ERR_RANGE;
    return 0;
}

/* numpy's rule: dimensions are matched from the last one, and 1 stretches. */
int nn__shape_broadcast(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_shape a = *in_shape(g, n, 0), b = *in_shape(g, n, 1), out;
    out.rank = a.rank > b.rank ? a.rank : b.rank;
    for (int i = 1; i <= out.rank; i++) {
        int64_t da = i <= a.rank ? a.dims[a.rank - i] : 1;
        int64_t db = i <= b.rank ? b.dims[b.rank - i] : 1;
        if (da != db && da != 1 && db != 1)
            return nn__node_error(n, err, ERR_FORMAT, "dimensions %lld and %lld do not broadcast",
                                  (long long)da, (long long)db);
        out.dims[out.rank - i] = da == 1 ? db : da;
    }
    return set_like(g, n, &out, err);
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
    const struct nn_shape *x = in_shape(g, n, 0);
    const struct nn_shape *k = n->input_count > 1 ? in_shape(g, n, 1) : NULL;
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
    const struct nn_shape *x = in_shape(g, n, 0), *k = in_shape(g, n, 1);
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
    const struct nn_shape *k = in_shape(g, n, 1);
    if (w->kernel[1] != k->dims[k->rank - 1] || (k->rank == 4 && w->kernel[0] != k->dims[2]))
        return nn__node_error(n, err, ERR_FORMAT, "kernel_shape is not that of the weights");
    return 0;
}

static int check_bias(const struct nn_graph *g, const struct nn_node *n, int64_t channels,
                      struct err *err)
{
    if (has_input(n, 2) && (in_shape(g, n, 2)->rank != 1 || in_shape(g, n, 2)->dims[0] != channels))
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
    const struct nn_shape *x = in_shape(g, n, 0), *k = in_shape(g, n, 1);
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
    return code < 0 ? code : set_like(g, n, &out, err);
}

/* ConvTranspose (ONNX operator documentation): the output side is
 * stride (in - 1) + output_padding + (kernel - 1) dilation + 1 - pads, or the pads follow from
 * output_shape or auto_pad. The window is that of the convolution whose gradient this is, so `in`
 * is the image that is read and `out` the one that is written. */
int nn__window_transposed(const struct nn_graph *g, const struct nn_node *n, struct nn_window *w,
                          struct err *err)
{
    int extra[2] = {0, 0}, wanted[2] = {0, 0};
    bool row = in_shape(g, n, 0)->rank == 3;
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
            bool lower = !strcmp(auto_pad, "SAME_LOWER");
            w->pad[i] = lower ? total - total / 2 : total / 2;
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
    const struct nn_shape *x = in_shape(g, n, 0), *k = in_shape(g, n, 1);
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
    return code < 0 ? code : set_like(g, n, &out, err);
}

int nn__shape_pool(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_window w;
    const struct nn_shape *x = in_shape(g, n, 0);
    if (x->rank != 4 && x->rank != 3)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "wants an image or a row, got rank %d",
                              x->rank);
    if (n->output_count > 1)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "its second output is not implemented");
    int code = nn__window(g, n, &w, err);
    if (code < 0)
        return code;
    for (int i = 0; i < 4; i++)
        if (w.pad[i] >= w.kernel[i % 2] * w.dilation[i % 2] + w.stride[i % 2])
            return nn__node_error(n, err, ERR_RANGE, "a border is as wide as the window");
    struct nn_shape out = image_shape(x, x->dims[1], &w);
    return set_like(g, n, &out, err);
}

int nn__shape_global_pool(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_shape out = *in_shape(g, n, 0);
    if (out.rank < 3)
        return nn__node_error(n, err, ERR_FORMAT, "wants at least rank 3, got %d", out.rank);
    for (int i = 2; i < out.rank; i++)
        out.dims[i] = 1;
    return set_like(g, n, &out, err);
}

/* Matrices */

int nn__shape_gemm(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *a = in_shape(g, n, 0), *b = in_shape(g, n, 1);
    if (a->rank != 2 || b->rank != 2)
        return nn__node_error(n, err, ERR_FORMAT, "wants two matrices, got ranks %d and %d",
                              a->rank, b->rank);
    int ta = nn__attr_int(n, "transA", 0) != 0, tb = nn__attr_int(n, "transB", 0) != 0;
    if (a->dims[!ta] != b->dims[tb])
        return nn__node_error(n, err, ERR_FORMAT, "inner sizes %lld and %lld differ",
                              (long long)a->dims[!ta], (long long)b->dims[tb]);
    struct nn_shape out = {2, {a->dims[ta], b->dims[!tb]}};
    return set_like(g, n, &out, err);
}

/* Batches of matrices broadcast like elementwise operators; a vector is a row on the left and a
 * column on the right. */
static int batched_matmul(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_shape a = *in_shape(g, n, 0), b = *in_shape(g, n, 1), out = {0};
    if (a.rank < 2 || b.rank < 2)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "wants matrices, got ranks %d and %d",
                              a.rank, b.rank);
    int64_t m = a.dims[a.rank - 2], k = a.dims[a.rank - 1];
    if (b.dims[b.rank - 2] != k)
        return nn__node_error(n, err, ERR_FORMAT, "inner sizes %lld and %lld differ", (long long)k,
                              (long long)b.dims[b.rank - 2]);
    out.rank = a.rank > b.rank ? a.rank : b.rank;
    for (int i = 3; i <= out.rank; i++) {
        int64_t da = i <= a.rank ? a.dims[a.rank - i] : 1;
        int64_t db = i <= b.rank ? b.dims[b.rank - i] : 1;
        if (da != db && da != 1 && db != 1)
            return nn__node_error(n, err, ERR_FORMAT, "dimensions %lld and %lld do not broadcast",
                                  (long long)da, (long long)db);
        out.dims[out.rank - i] = da == 1 ? db : da;
    }
    out.dims[out.rank - 2] = m;
    out.dims[out.rank - 1] = b.dims[b.rank - 1];
    return set_like(g, n, &out, err);
}

int nn__shape_matmul(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *a = in_shape(g, n, 0), *b = in_shape(g, n, 1);
    if (a->rank < 2 || b->rank != 2)
        return batched_matmul(g, n, err);
    if (a->dims[a->rank - 1] != b->dims[0])
        return nn__node_error(n, err, ERR_FORMAT, "inner sizes %lld and %lld differ",
                              (long long)a->dims[a->rank - 1], (long long)b->dims[0]);
    struct nn_shape out = *a;
    out.dims[out.rank - 1] = b->dims[1];
    return set_like(g, n, &out, err);
}

/* Moving elements */

int nn__shape_concat(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_shape out = *in_shape(g, n, 0);
    int axis = 0;
    if (want_axis(n, nn__attr_int(n, "axis", 1), out.rank, &axis, err) < 0)
        return ERR_RANGE;
    if (axis == out.rank || out.dims[axis] == NN_ANY_BATCH)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "cannot join along axis %d", axis);
    for (int i = 1; i < n->input_count; i++) {
        struct nn_shape s = *in_shape(g, n, i);
        int64_t size = axis < s.rank ? s.dims[axis] : 0;
        s.dims[axis] = out.dims[axis];
        if (!nn__shape_equal(&s, &out) || size > INT_MAX)
            return nn__node_error(n, err, ERR_FORMAT, "input %d does not fit the first", i);
        out.dims[axis] += size;
    }
    return set_like(g, n, &out, err);
}

int nn__shape_flatten(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *x = in_shape(g, n, 0);
    int axis = 0;
    if (want_axis(n, nn__attr_int(n, "axis", 1), x->rank, &axis, err) < 0)
        return ERR_RANGE;
    struct nn_shape out = {2, {1, 1}};
    for (int i = 0; i < x->rank; i++) {
        bool open = x->dims[i] == NN_ANY_BATCH;
        if (open && axis != 1)
            return nn__node_error(n, err, ERR_UNSUPPORTED, "axis %d would flatten the batch", axis);
        out.dims[i >= axis] = open ? NN_ANY_BATCH : out.dims[i >= axis] * x->dims[i];
    }
    return set_like(g, n, &out, err);
}

/* Fills the dimension given as -1. A batch that stays in front stays open. */
static int resolve_reshape(const struct nn_node *n, const struct nn_shape *x, struct nn_shape *out,
                           struct err *err)
{
    bool open = x->rank > 0 && x->dims[0] == NN_ANY_BATCH;
    int guess = -1;
    int64_t known = 1, total = nn__shape_elements(x, 1);
    for (int i = 0; i < out->rank; i++) {
        if (out->dims[i] == -1 && guess >= 0)
            return nn__node_error(n, err, ERR_FORMAT, "the shape has two open dimensions");
        if (out->dims[i] == -1)
            guess = i;
        else
            known *= out->dims[i];
        if (known < 0 || known > INT_MAX)
            return nn__node_error(n, err, ERR_RANGE, "the shape is too large");
    }
    if (guess >= 0 && (known == 0 || total % known))
        return nn__node_error(n, err, ERR_FORMAT, "the shape does not fit its input");
    if (guess >= 0)
        out->dims[guess] = total / known;
    else if (known != total)
        return nn__node_error(n, err, ERR_FORMAT, "the shape does not fit its input");
    if (open && (out->rank == 0 || out->dims[0] != 1))
        out->rank = NN_UNKNOWN; /* it moves the batch */
    else if (open)
        out->dims[0] = NN_ANY_BATCH;
    return 0;
}

int nn__shape_reshape(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *x = in_shape(g, n, 0);
    const struct nn_tensor *want = nn__value(g, n->inputs[1]);
    if (!want->data && !g->bound)
        return set_like(g, n, &(struct nn_shape){.rank = NN_UNKNOWN}, err);
    if (!want->data || want->dtype != NN_I64 || want->shape.rank != 1 ||
        want->shape.dims[0] > NN_MAX_RANK)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "the new shape must be a constant");
    struct nn_shape out = {.rank = (int)want->shape.dims[0]};
    bool zero_copies = !nn__attr_int(n, "allowzero", 0);
    for (int i = 0; i < out.rank; i++) {
        int64_t d = ((const int64_t *)want->data)[i];
        if (d == 0 && zero_copies && i >= x->rank)
            return nn__node_error(n, err, ERR_FORMAT, "dimension %d has nothing to copy", i);
        out.dims[i] = d == 0 && zero_copies ? x->dims[i] : d;
        if (i == 0 && out.dims[0] == NN_ANY_BATCH && d == 0)
            out.dims[0] = 1; /* the open batch counts as one image here */
        if (out.dims[i] < -1 || out.dims[i] > INT_MAX)
            return nn__node_error(n, err, ERR_RANGE, "dimension %d is %lld", i, (long long)d);
    }
    int code = resolve_reshape(n, x, &out, err);
    return code < 0 ? code : set_like(g, n, &out, err);
}

static float scalar_input(const struct nn_graph *g, const struct nn_node *n, int i, float absent)
{
    bool given = has_input(n, i) && nn__is_constant(g, n->inputs[i]) &&
                 nn__shape_elements(in_shape(g, n, i), 1) == 1;
    return given ? (float)nn__element(nn__value(g, n->inputs[i]), 0) : absent;
}

void nn__clip_limits(const struct nn_graph *g, const struct nn_node *n, float *lo, float *hi)
{
    *lo = scalar_input(g, n, 1, nn__attr_float(n, "min", -INFINITY));
    *hi = scalar_input(g, n, 2, nn__attr_float(n, "max", INFINITY));
}
