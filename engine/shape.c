/* The operator table and shape inference: one function per family of operators. */
#include "internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static nn_shape_fn shape_same, shape_broadcast, shape_conv, shape_pool, shape_global_pool,
    shape_gemm, shape_matmul, shape_concat, shape_flatten, shape_reshape;

static const struct nn_op_info ops[NN_OP_COUNT] = {
#define X(id, name, min, max, parameters, fn)                                                      \
    [NN_OP_##id] = {name, min, max, parameters, shape_##fn},
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

static int want_image(const struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    int rank = in_shape(g, n, 0)->rank;
    if (rank != 4)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "wants an N x C x H x W input, got rank %d",
                              rank);
    return 0;
}

/* A flag of -1..rank-1 as an axis; a negative one counts from the end. */
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
static int shape_same(struct nn_graph *g, const struct nn_node *n, struct err *err)
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
static int shape_broadcast(struct nn_graph *g, const struct nn_node *n, struct err *err)
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

static int read_pair(const struct nn_node *n, const char *name, int count, int least, int *out,
                     struct err *err)
{
    const struct nn_attr *a = nn__attr(n, name);
    if (!a)
        return 0;
    if (a->kind != NN_ATTR_INTS || a->count != count)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "%s must have %d numbers", name, count);
    for (int i = 0; i < count; i++) {
        if (a->ints[i] < least || a->ints[i] > SHRT_MAX)
            return nn__node_error(n, err, ERR_RANGE, "%s has %lld", name, (long long)a->ints[i]);
        out[i] = (int)a->ints[i];
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

int nn__window(const struct nn_graph *g, const struct nn_node *n, struct nn_window *w,
               struct err *err)
{
    *w = (struct nn_window){.stride = {1, 1}, .dilation = {1, 1}};
    const struct nn_shape *x = in_shape(g, n, 0);
    for (int i = 0; i < 2; i++) {
        if (x->dims[2 + i] < 1 || x->dims[2 + i] > SHRT_MAX)
            return nn__node_error(n, err, ERR_RANGE, "an input side is %lld",
                                  (long long)x->dims[2 + i]);
        w->in[i] = (int)x->dims[2 + i];
        if (n->op == NN_OP_CONV)
            w->kernel[i] = (int)in_shape(g, n, 1)->dims[2 + i];
    }
    const char *auto_pad = nn__attr_string(n, "auto_pad", "NOTSET");
    if (read_pair(n, "kernel_shape", 2, 1, w->kernel, err) < 0 ||
        read_pair(n, "strides", 2, 1, w->stride, err) < 0 ||
        read_pair(n, "dilations", 2, 1, w->dilation, err) < 0 ||
        (strcmp(auto_pad, "VALID") && read_pair(n, "pads", 4, 0, w->pad, err) < 0))
        return err ? err->code : ERR_FORMAT;
    if (w->kernel[0] < 1 || w->kernel[1] < 1)
        return nn__node_error(n, err, ERR_FORMAT, "kernel_shape is missing");
    for (int i = 0; i < 2; i++)
        if (resolve_axis(n, w, i, auto_pad, err) < 0)
            return err ? err->code : ERR_RANGE;
    int64_t groups = nn__attr_int(n, "group", 1);
    if (groups < 1 || groups > INT_MAX)
        return nn__node_error(n, err, ERR_RANGE, "group is %lld", (long long)groups);
    w->groups = (int)groups;
    return 0;
}

static int shape_conv(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_window w;
    if (want_image(g, n, err) < 0)
        return ERR_UNSUPPORTED;
    const struct nn_shape *x = in_shape(g, n, 0), *k = in_shape(g, n, 1);
    if (k->rank != 4 || k->dims[2] < 1 || k->dims[2] > SHRT_MAX || k->dims[3] < 1 ||
        k->dims[3] > SHRT_MAX)
        return nn__node_error(n, err, ERR_FORMAT, "the weights must be M x C x kH x kW");
    int code = nn__window(g, n, &w, err);
    if (code < 0)
        return code;
    if (w.kernel[0] != k->dims[2] || w.kernel[1] != k->dims[3])
        return nn__node_error(n, err, ERR_FORMAT, "kernel_shape is not that of the weights");
    if (k->dims[1] < 1 || k->dims[0] < 1 || k->dims[0] % w.groups || x->dims[1] % w.groups ||
        x->dims[1] / w.groups != k->dims[1])
        return nn__node_error(
            n, err, ERR_FORMAT, "weights of %lld x %lld do not fit %lld channels in %d groups",
            (long long)k->dims[0], (long long)k->dims[1], (long long)x->dims[1], w.groups);
    if (has_input(n, 2) &&
        (in_shape(g, n, 2)->rank != 1 || in_shape(g, n, 2)->dims[0] != k->dims[0]))
        return nn__node_error(n, err, ERR_FORMAT, "the bias does not fit the output channels");
    struct nn_shape out = {4, {x->dims[0], k->dims[0], w.out[0], w.out[1]}};
    return set_like(g, n, &out, err);
}

static int shape_pool(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_window w;
    if (want_image(g, n, err) < 0)
        return ERR_UNSUPPORTED;
    int code = nn__window(g, n, &w, err);
    if (code < 0)
        return code;
    for (int i = 0; i < 4; i++)
        if (w.pad[i] >= w.kernel[i % 2] * w.dilation[i % 2])
            return nn__node_error(n, err, ERR_RANGE, "a border is as wide as the window");
    const struct nn_shape *x = in_shape(g, n, 0);
    struct nn_shape out = {4, {x->dims[0], x->dims[1], w.out[0], w.out[1]}};
    return set_like(g, n, &out, err);
}

static int shape_global_pool(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    if (want_image(g, n, err) < 0)
        return ERR_UNSUPPORTED;
    struct nn_shape out = {4, {in_shape(g, n, 0)->dims[0], in_shape(g, n, 0)->dims[1], 1, 1}};
    return set_like(g, n, &out, err);
}

/* Matrices */

static int shape_gemm(struct nn_graph *g, const struct nn_node *n, struct err *err)
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

static int shape_matmul(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *a = in_shape(g, n, 0), *b = in_shape(g, n, 1);
    if (a->rank < 2 || b->rank != 2)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "wants a matrix on the right, got rank %d",
                              b->rank);
    if (a->dims[a->rank - 1] != b->dims[0])
        return nn__node_error(n, err, ERR_FORMAT, "inner sizes %lld and %lld differ",
                              (long long)a->dims[a->rank - 1], (long long)b->dims[0]);
    struct nn_shape out = *a;
    out.dims[out.rank - 1] = b->dims[1];
    return set_like(g, n, &out, err);
}

/* Moving elements */

static int shape_concat(struct nn_graph *g, const struct nn_node *n, struct err *err)
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

static int shape_flatten(struct nn_graph *g, const struct nn_node *n, struct err *err)
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
        return nn__node_error(n, err, ERR_UNSUPPORTED, "it would move the batch");
    if (open)
        out->dims[0] = NN_ANY_BATCH;
    return 0;
}

static int shape_reshape(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *x = in_shape(g, n, 0);
    const struct nn_tensor *want = nn__value(g, n->inputs[1]);
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

void nn__clip_limits(const struct nn_graph *g, const struct nn_node *n, float *lo, float *hi)
{
    *lo = nn__attr_float(n, "min", -3.4028235e38f);
    *hi = nn__attr_float(n, "max", 3.4028235e38f);
    if (has_input(n, 1) && nn__is_constant(g, n->inputs[1]))
        *lo = *(const float *)nn__value(g, n->inputs[1])->data;
    if (has_input(n, 2) && nn__is_constant(g, n->inputs[2]))
        *hi = *(const float *)nn__value(g, n->inputs[2])->data;
}
