/* Builders of nn/layers.h on top of the graph's node calls. */
#include "nn/layers.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "internal.h"

/* A parameter named after its node, "Conv_3.weight", so that saved names stay the same. */
static nn_value parameter(struct nn_graph *g, const char *node, const char *role,
                          struct nn_shape shape)
{
    char name[128];
    snprintf(name, sizeof name, "%.100s.%s", node, role);
    return nn__constant_add(g, name, NN_F32, &shape);
}

static void fill(struct nn_graph *g, nn_value v, float x)
{
    if (v == NN_NONE)
        return;
    struct nn_tensor *t = nn__value(g, v);
    int64_t n = nn__shape_elements(&t->shape, 1);
    for (int64_t i = 0; i < n; i++)
        ((float *)t->data)[i] = x;
}

/* Variance of fresh weights times their fan-in, see nn/layers.h. */
static const float HE = 2.0f, SMALL = 1.0f / 3.0f;

/* Every tensor has a random stream of its own, its index in the graph. */
static void fill_normal(struct nn_graph *g, nn_value v, float variance)
{
    if (v == NN_NONE)
        return;
    struct rng rng;
    rng_seed(&rng, g->seed, (uint64_t)v);
    struct nn_tensor *t = nn__value(g, v);
    float deviation = sqrtf(variance);
    int64_t n = nn__shape_elements(&t->shape, 1);
    for (int64_t i = 0; i < n; i++)
        ((float *)t->data)[i] = deviation * rng_normal(&rng);
}

static nn_value filled(struct nn_graph *g, const char *node, const char *role, int n, float x)
{
    nn_value v = parameter(g, node, role, (struct nn_shape){1, {n}});
    fill(g, v, x);
    return v;
}

/* Starts a node whose first input is x; NULL after an error or without x. */
static struct nn_node *begin(struct nn_graph *g, enum nn_op op, nn_value x)
{
    assert(!g->finished);
    if (g->error.code || x == NN_NONE)
        return NULL;
    struct nn_node *n = nn__node_begin(g, op, NULL);
    nn__node_input(g, n, x);
    return n;
}

static nn_value unary(struct nn_graph *g, enum nn_op op, nn_value x)
{
    struct nn_node *n = begin(g, op, x);
    return n ? nn__node_end(g, n, 1, NULL) : NN_NONE;
}

static nn_value binary(struct nn_graph *g, enum nn_op op, nn_value a, nn_value b)
{
    struct nn_node *n = begin(g, op, a);
    if (!n)
        return NN_NONE;
    nn__node_input(g, n, b);
    return nn__node_end(g, n, 1, NULL);
}

nn_value nn_input(struct nn_graph *g, const char *name, int channels, int height, int width)
{
    return nn__input_add(g, name, NN_F32,
                         &(struct nn_shape){4, {NN_ANY_BATCH, channels, height, width}});
}

/* x as N x C x H x W, or the graph fails with a sentence. */
static const struct nn_shape *want_rank(struct nn_graph *g, const char *layer, nn_value x, int rank)
{
    if (g->error.code || x == NN_NONE)
        return NULL;
    const struct nn_shape *s = nn_graph_shape(g, x);
    if (s->rank == rank)
        return s;
    err_set(&g->error, ERR_FORMAT, "%s wants an input of rank %d, got %d", layer, rank, s->rank);
    return NULL;
}

static int or_one(int x)
{
    return x ? x : 1;
}

/* Keras' "same" (and TensorFlow's SAME): total = max((out - 1) * stride + reach - in, 0). */
static void same_pads(int in, int reach, int stride, int64_t *before, int64_t *after)
{
    int total = ((in + stride - 1) / stride - 1) * stride + reach - in;
    *before = total > 0 ? total / 2 : 0;
    *after = total > 0 ? total - total / 2 : 0;
}

static void set_window(struct nn_graph *g, struct nn_node *n, const struct nn_shape *x, int kh,
                       int kw, int stride, int dilation, struct nn_pads p)
{
    int64_t pads[4] = {p.top, p.left, p.bottom, p.right};
    if (p.same) {
        same_pads((int)x->dims[2], (kh - 1) * dilation + 1, stride, &pads[0], &pads[2]);
        same_pads((int)x->dims[3], (kw - 1) * dilation + 1, stride, &pads[1], &pads[3]);
    }
    nn__node_ints(g, n, "kernel_shape", (int64_t[]){kh, kw}, 2);
    nn__node_ints(g, n, "strides", (int64_t[]){stride, stride}, 2);
    nn__node_ints(g, n, "pads", pads, 4);
    if (dilation != 1)
        nn__node_ints(g, n, "dilations", (int64_t[]){dilation, dilation}, 2);
}

nn_value nn_conv2d(struct nn_graph *g, nn_value x, struct nn_conv p)
{
    const struct nn_shape *in = want_rank(g, "a convolution", x, 4);
    if (!in)
        return NN_NONE;
    const struct nn_shape s = *in;
    int groups = or_one(p.groups), kw = p.kernel_w ? p.kernel_w : p.kernel;
    int64_t per_group = s.dims[1] / groups;
    struct nn_node *n = begin(g, NN_OP_CONV, x);
    nn_value w =
        parameter(g, n->name, "weight", (struct nn_shape){4, {p.out, per_group, p.kernel, kw}});
    fill_normal(g, w, (p.bias ? HE : SMALL) / (float)(per_group * p.kernel * kw));
    nn__node_input(g, n, w);
    if (p.bias)
        nn__node_input(g, n, filled(g, n->name, "bias", p.out, 0.0f));
    set_window(g, n, &s, p.kernel, kw, or_one(p.stride), or_one(p.dilation), p.pads);
    if (groups != 1)
        nn__node_int(g, n, "group", groups);
    return nn__node_end(g, n, 1, NULL);
}

nn_value nn_dense(struct nn_graph *g, nn_value x, int out)
{
    const struct nn_shape *s = want_rank(g, "a dense layer", x, 2);
    if (!s)
        return NN_NONE;
    int64_t in = s->dims[1];
    struct nn_node *n = begin(g, NN_OP_GEMM, x);
    nn_value w = parameter(g, n->name, "weight", (struct nn_shape){2, {out, in}});
    fill_normal(g, w, SMALL / (float)in);
    nn__node_input(g, n, w);
    nn__node_input(g, n, filled(g, n->name, "bias", out, 0.0f));
    nn__node_int(g, n, "transB", 1);
    return nn__node_end(g, n, 1, NULL);
}

nn_value nn_batchnorm(struct nn_graph *g, nn_value x)
{
    if (g->error.code || x == NN_NONE)
        return NN_NONE;
    int channels = (int)nn_graph_shape(g, x)->dims[1];
    struct nn_node *n = begin(g, NN_OP_BATCHNORM, x);
    nn__node_input(g, n, filled(g, n->name, "weight", channels, 1.0f));
    nn__node_input(g, n, filled(g, n->name, "bias", channels, 0.0f));
    nn__node_input(g, n, filled(g, n->name, "running_mean", channels, 0.0f));
    nn__node_input(g, n, filled(g, n->name, "running_var", channels, 1.0f));
    nn__node_float(g, n, "epsilon", 1e-5f);
    nn__node_float(g, n, "momentum", 0.9f);
    return nn__node_end(g, n, 1, NULL);
}

/* Opset 11 gives Clip its limits as scalar inputs. */
static nn_value relu6(struct nn_graph *g, nn_value x)
{
    struct nn_node *n = begin(g, NN_OP_CLIP, x);
    if (!n)
        return NN_NONE;
    for (int i = 0; i < 2; i++) {
        nn_value limit = parameter(g, n->name, i ? "max" : "min", (struct nn_shape){0});
        fill(g, limit, i ? 6.0f : 0.0f);
        nn__node_input(g, n, limit);
    }
    return nn__node_end(g, n, 1, NULL);
}

static nn_value with_float(struct nn_graph *g, enum nn_op op, nn_value x, const char *attr, float v)
{
    struct nn_node *n = begin(g, op, x);
    if (!n)
        return NN_NONE;
    nn__node_float(g, n, attr, v);
    return nn__node_end(g, n, 1, NULL);
}

nn_value nn_activation(struct nn_graph *g, nn_value x, enum nn_act act)
{
    switch (act) {
    case NN_ACT_NONE:
        return x;
    case NN_ACT_RELU:
        return unary(g, NN_OP_RELU, x);
    case NN_ACT_RELU6:
        return relu6(g, x);
    case NN_ACT_LEAKY_RELU:
        return with_float(g, NN_OP_LEAKY_RELU, x, "alpha", 0.01f);
    case NN_ACT_SIGMOID:
        return unary(g, NN_OP_SIGMOID, x);
    case NN_ACT_HARD_SIGMOID:
        return with_float(g, NN_OP_HARD_SIGMOID, x, "alpha", 1.0f / 6.0f);
    case NN_ACT_HARD_SWISH: /* as two nodes: HardSwish itself is opset 14 */
        return nn_mul(g, x, nn_activation(g, x, NN_ACT_HARD_SIGMOID));
    case NN_ACT_SWISH:
        return nn_mul(g, x, nn_activation(g, x, NN_ACT_SIGMOID));
    case NN_ACT_TANH:
        return unary(g, NN_OP_TANH, x);
    }
    return NN_NONE;
}

static nn_value pool(struct nn_graph *g, enum nn_op op, nn_value x, struct nn_pool p)
{
    const struct nn_shape *in = want_rank(g, "a pool", x, 4);
    if (!in)
        return NN_NONE;
    const struct nn_shape s = *in;
    struct nn_node *n = begin(g, op, x);
    set_window(g, n, &s, p.kernel, p.kernel, p.stride ? p.stride : p.kernel, 1, p.pads);
    return nn__node_end(g, n, 1, NULL);
}

nn_value nn_maxpool(struct nn_graph *g, nn_value x, struct nn_pool p)
{
    return pool(g, NN_OP_MAXPOOL, x, p);
}

nn_value nn_avgpool(struct nn_graph *g, nn_value x, struct nn_pool p)
{
    return pool(g, NN_OP_AVGPOOL, x, p);
}

nn_value nn_global_avgpool(struct nn_graph *g, nn_value x)
{
    return unary(g, NN_OP_GLOBAL_AVGPOOL, x);
}

nn_value nn_global_maxpool(struct nn_graph *g, nn_value x)
{
    return unary(g, NN_OP_GLOBAL_MAXPOOL, x);
}

nn_value nn_add(struct nn_graph *g, nn_value a, nn_value b)
{
    return binary(g, NN_OP_ADD, a, b);
}

nn_value nn_mul(struct nn_graph *g, nn_value a, nn_value b)
{
    return binary(g, NN_OP_MUL, a, b);
}

nn_value nn_concat(struct nn_graph *g, nn_value a, nn_value b)
{
    struct nn_node *n = begin(g, NN_OP_CONCAT, a);
    if (!n)
        return NN_NONE;
    nn__node_input(g, n, b);
    nn__node_int(g, n, "axis", 1);
    return nn__node_end(g, n, 1, NULL);
}

/* Opset 12 gives Dropout its rate as a scalar input. */
nn_value nn_dropout(struct nn_graph *g, nn_value x, float rate)
{
    struct nn_node *n = begin(g, NN_OP_DROPOUT, x);
    if (!n)
        return NN_NONE;
    nn_value ratio = parameter(g, n->name, "ratio", (struct nn_shape){0});
    fill(g, ratio, rate);
    nn__node_input(g, n, ratio);
    return nn__node_end(g, n, 1, NULL);
}

nn_value nn_flatten(struct nn_graph *g, nn_value x)
{
    return unary(g, NN_OP_FLATTEN, x);
}

nn_value nn_softmax(struct nn_graph *g, nn_value x)
{
    struct nn_node *n = begin(g, NN_OP_SOFTMAX, x);
    if (!n)
        return NN_NONE;
    nn__node_int(g, n, "axis", -1);
    return nn__node_end(g, n, 1, NULL);
}
