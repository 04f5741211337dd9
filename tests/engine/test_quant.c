/* Networks with QuantizeLinear and DequantizeLinear: what runs in 8 bits against the same network
 * in floats. A quantised value that is also an output of the graph keeps its operators in floats:
 * that is how the reference is made. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "internal.h"
#include "nn/layers.h"
#include "nn/onnx.h"
#include "nn/quantise.h"
#include "nn/run.h"
#include "support/testing.h"

struct net {
    struct nn_graph *g;
    struct rng rng;
    bool reference; /* every quantised value becomes an output */
    int outputs;
};

static struct net net_begin(bool reference)
{
    struct net n = {.g = nn_graph_create("quantised", 7), .reference = reference};
    rng_seed(&n.rng, 21, 0);
    return n;
}

static nn_value number(struct net *n, enum nn_dtype type, double value)
{
    struct nn_shape scalar = {.rank = 0};
    nn_value v = nn__constant_add(n->g, NULL, type, &scalar);
    nn__set_element(nn__value(n->g, v), 0, value);
    return v;
}

static void output(struct net *n, nn_value v)
{
    char name[16];
    snprintf(name, sizeof name, "out%d", n->outputs++);
    nn_graph_output(n->g, v, name);
}

static nn_value linear(struct net *n, enum nn_op op, nn_value x, nn_value scale, nn_value zero,
                       int axis)
{
    struct nn_node *node = nn__node_begin(n->g, op, NULL);
    nn__node_input(n->g, node, x);
    nn__node_input(n->g, node, scale);
    nn__node_input(n->g, node, zero);
    nn__node_int(n->g, node, "axis", axis);
    return nn__node_end(n->g, node, 1, NULL);
}

/* Quantised and back. */
static nn_value q(struct net *n, nn_value x, float scale, int zero)
{
    nn_value s = number(n, NN_F32, scale), z = number(n, NN_U8, zero);
    nn_value codes = linear(n, NN_OP_QUANTIZE, x, s, z, 1);
    if (n->reference)
        output(n, codes);
    return linear(n, NN_OP_DEQUANTIZE, codes, s, z, 1);
}

/* Random s8 weights with a scale for each channel along `axis`, so that results are about as large
 * as x. */
static nn_value weights(struct net *n, struct nn_shape shape, int axis, int fan_in)
{
    struct nn_shape channels = {.rank = 1, .dims = {shape.dims[axis]}};
    nn_value codes = nn__constant_add(n->g, NULL, NN_I8, &shape);
    nn_value scale = nn__constant_add(n->g, NULL, NN_F32, &channels);
    nn_value zero = nn__constant_add(n->g, NULL, NN_I8, &channels);
    for (int64_t i = 0; i < nn__shape_elements(&shape, 1); i++)
        nn__set_element(nn__value(n->g, codes), i, rng_below(&n->rng, 255) - 127.0);
    for (int64_t i = 0; i < channels.dims[0]; i++) {
        double s = (0.5 + rng_uniform(&n->rng)) / (73 * sqrt(fan_in));
        nn__set_element(nn__value(n->g, scale), i, s);
        nn__set_element(nn__value(n->g, zero), i, 0);
    }
    return linear(n, NN_OP_DEQUANTIZE, codes, scale, zero, axis);
}

static nn_value bias(struct net *n, int count)
{
    struct nn_shape s = {.rank = 1, .dims = {count}};
    nn_value v = nn__constant_add(n->g, NULL, NN_F32, &s);
    for (int i = 0; i < count; i++)
        nn__set_element(nn__value(n->g, v), i, 0.3 * rng_normal(&n->rng));
    return v;
}

/* Padding by half the kernel. */
static nn_value conv(struct net *n, nn_value x, int out, int kernel, int stride, int groups)
{
    int in = (int)nn_graph_shape(n->g, x)->dims[1] / groups, half = kernel / 2;
    struct nn_shape s = {.rank = 4, .dims = {out, in, kernel, kernel}};
    nn_value w = weights(n, s, 0, in * kernel * kernel), b = bias(n, out);
    struct nn_node *node = nn__node_begin(n->g, NN_OP_CONV, NULL);
    nn__node_input(n->g, node, x);
    nn__node_input(n->g, node, w);
    nn__node_input(n->g, node, b);
    nn__node_ints(n->g, node, "kernel_shape", (int64_t[]){kernel, kernel}, 2);
    nn__node_ints(n->g, node, "strides", (int64_t[]){stride, stride}, 2);
    nn__node_ints(n->g, node, "pads", (int64_t[]){half, half, half, half}, 4);
    nn__node_int(n->g, node, "group", groups);
    return nn__node_end(n->g, node, 1, NULL);
}

static nn_value gemm(struct net *n, nn_value x, int out, bool transposed)
{
    int in = (int)nn_graph_shape(n->g, x)->dims[1];
    struct nn_shape s = {.rank = 2, .dims = {transposed ? out : in, transposed ? in : out}};
    nn_value w = weights(n, s, transposed ? 0 : 1, in), b = bias(n, out);
    struct nn_node *node = nn__node_begin(n->g, NN_OP_GEMM, NULL);
    nn__node_input(n->g, node, x);
    nn__node_input(n->g, node, w);
    nn__node_input(n->g, node, b);
    nn__node_int(n->g, node, "transB", transposed);
    return nn__node_end(n->g, node, 1, NULL);
}

static nn_value relu(struct net *n, nn_value x)
{
    return nn_activation(n->g, x, NN_ACT_RELU);
}

static size_t elements(const struct nn_shape *s)
{
    return (size_t)nn__shape_elements(s, 1);
}

static int count_kernel(const struct nn_run *r, const char *kernel)
{
    struct nn_run_step s;
    int n = 0;
    for (int i = 0; i < nn_run_step_count(r); i++) {
        nn_run_step_at(r, i, &s);
        n += !strcmp(s.kernel, kernel);
    }
    return n;
}

typedef void build_fn(struct net *n, int variant);

/* What becomes of a network: bytes where they are possible, codes and floats, floats alone. */
enum form { BYTES, REFERENCE, WIDE };

static void widen(struct nn_graph **g)
{
    struct err err;
    assert_true(nn_is_quantised(*g));
    if (nn_dequantise(g, &err) < 0)
        fail_msg("%s", err.text);
    assert_false(nn_is_quantised(*g));
}

static void feed(struct nn_run *r, float size)
{
    struct rng rng;
    rng_seed(&rng, 5, 0);
    for (size_t i = 0; i < elements(nn_run_input_shape(r, 0)); i++)
        nn_run_input(r, 0)[i] = size * rng_normal(&rng);
    nn_run_forward(r);
}

/* The network's output "y". */
static struct nn_run *make(build_fn *build, int variant, enum form form, int batch,
                           struct pool *pool)
{
    struct err err;
    struct nn_run *r;
    struct net n = net_begin(form == REFERENCE);
    build(&n, variant);
    if (nn_graph_finish(n.g, &err) < 0)
        fail_msg("%s", err.text);
    if (form == WIDE)
        widen(&n.g);
    if (nn_run_create(&r, n.g, batch, pool, NULL, &err) < 0)
        fail_msg("%s", err.text);
    nn_graph_destroy(n.g);
    feed(r, 1);
    nn_run_forward(r); /* with used memory */
    return r;
}

static const float *y_of(const struct nn_run *r, size_t *count)
{
    int i = nn_run_find_output(r, "y");
    *count = elements(nn_run_output_shape(r, i));
    return nn_run_output(r, i);
}

enum { STEP = 32 }; /* quantisation steps a unit, of every result here */

/* In steps. */
static double most_apart(const struct nn_run *a, const struct nn_run *b)
{
    size_t count;
    const float *x = y_of(a, &count), *y = y_of(b, &count);
    double most = 0;
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs((double)x[i] - y[i]));
    return most * STEP;
}

/* In floats alone only what the roundings add up to is different, as long as no code saturates. */
static void check_wide(build_fn *build, int variant, struct nn_run *exact)
{
    struct nn_run *wide = make(build, variant, WIDE, 1, NULL);
    feed(wide, 0.3f);
    feed(exact, 0.3f);
    double most = most_apart(wide, exact);
    if (!(most <= 3))
        fail_msg("variant %d: in floats off by %g steps", variant, most);
    assert_int_equal(count_kernel(wide, "qconv16"), 0);
    nn_run_destroy(wide);
}

/* Within one step of the reference, the same bits for any number of threads. Returns the run of
 * one image; the caller destroys it. */
static struct nn_run *check(build_fn *build, int variant)
{
    size_t count;
    for (int batch = 3; batch >= 1; batch -= 2) {
        struct pool *pool = pool_create(3);
        struct nn_run *fast = make(build, variant, BYTES, batch, NULL);
        struct nn_run *exact = make(build, variant, REFERENCE, batch, NULL);
        struct nn_run *shared = make(build, variant, BYTES, batch, pool);
        const float *y = y_of(fast, &count), *expected = y_of(exact, &count);
        double most = most_apart(fast, exact), spread = 0;
        for (size_t i = 0; i < count; i++)
            spread = fmax(spread, fabs((double)expected[i] - expected[0]));
        if (!(most <= 1.001))
            fail_msg("variant %d: off by %g steps", variant, most);
        assert_true(spread > 8.0 / STEP);
        assert_memory_equal(y_of(shared, &count), y, count * sizeof *y);
        if (batch == 1)
            check_wide(build, variant, exact);
        nn_run_destroy(exact);
        nn_run_destroy(shared);
        pool_destroy(pool);
        if (batch == 1)
            return fast;
        nn_run_destroy(fast);
    }
    return NULL;
}

static const struct conv_case {
    int in, h, w, out, kernel, stride;
    bool depthwise;
} convs[] = {
    {1, 13, 12, 20, 3, 1, false}, {3, 15, 14, 33, 3, 2, false}, {16, 8, 8, 16, 1, 1, false},
    {37, 9, 7, 50, 1, 1, false},  {37, 9, 7, 18, 3, 1, false},  {64, 6, 6, 96, 3, 1, false},
    {20, 11, 12, 7, 5, 2, false}, {40, 9, 9, 24, 1, 2, false},  {24, 10, 9, 24, 3, 1, true},
    {33, 11, 12, 33, 3, 2, true}, {16, 7, 7, 16, 5, 1, true},
};

static void build_conv(struct net *n, int variant)
{
    const struct conv_case *c = &convs[variant];
    nn_value x = q(n, nn_input(n->g, "x", c->in, c->h, c->w), 0.03f, 117);
    x = conv(n, x, c->out, c->kernel, c->stride, c->depthwise ? c->in : 1);
    nn_graph_output(n->g, q(n, x, 1.0f / STEP, 121), "y");
}

static void test_convolutions(void **state)
{
    (void)state;
    for (int i = 0; i < (int)(sizeof convs / sizeof *convs); i++) {
        struct nn_run *r = check(build_conv, i);
        assert_int_equal(count_kernel(r, convs[i].depthwise ? "qdepthwise16" : "qconv16"), 1);
        assert_int_equal(count_kernel(r, "quantise16"), 1);
        nn_run_destroy(r);
    }
}

/* A result that stays float: no last quantisation, a function without an 8-bit kernel behind, or
 * between two convolutions. */
static void build_open(struct net *n, int variant)
{
    nn_value x = q(n, nn_input(n->g, "x", 19, 6, 5), 0.03f, 128);
    x = relu(n, conv(n, x, 21, 3, 1, 1));
    if (variant > 0)
        x = nn_activation(n->g, x, NN_ACT_TANH);
    if (variant > 1)
        x = conv(n, q(n, x, 1.0f / 255, 0), 18, 3, 1, 1);
    nn_graph_output(n->g, x, "y");
}

/* Codes that begin at 0 are the only ReLU. */
static void build_hidden(struct net *n, int variant)
{
    nn_value x = q(n, nn_input(n->g, "x", 19, 6, 5), 0.03f, 128);
    (void)variant;
    x = q(n, conv(n, x, 21, 3, 1, 1), 0.02f, 0);
    nn_graph_output(n->g, conv(n, x, 18, 3, 1, 1), "y");
}

static void test_hidden_relu(void **state)
{
    (void)state;
    struct nn_run *r = check(build_hidden, 0);
    assert_int_equal(count_kernel(r, "qconv16"), 2);
    nn_run_destroy(r);
}

/* Residuals: joined to the convolution, and as a sum of their own. */
static void build_residual(struct net *n, int variant)
{
    nn_value x = q(n, nn_input(n->g, "x", 18, 9, 8), 0.03f, 128);
    nn_value a = q(n, relu(n, conv(n, x, 18, 3, 1, 1)), 0.02f, 0);
    nn_value b = conv(n, a, 18, 3, 1, 1);
    if (variant)
        b = q(n, b, 0.04f, 130);
    nn_value sum = nn_add(n->g, b, x);
    nn_graph_output(n->g, q(n, variant ? relu(n, sum) : sum, 1.0f / STEP, variant ? 0 : 127), "y");
}

static void test_floats_behind(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct nn_run *r = check(build_open, i);
        assert_int_equal(count_kernel(r, "qconv16"), i == 2 ? 2 : 1);
        assert_int_equal(count_kernel(r, "quantise16"), i == 2 ? 2 : 1);
        nn_run_destroy(r);
    }
}

static void test_residuals(void **state)
{
    (void)state;
    struct nn_run *joined = check(build_residual, 0), *apart = check(build_residual, 1);
    assert_int_equal(count_kernel(joined, "qconv16"), 2);
    assert_int_equal(nn_run_step_count(joined), 5); /* in, two convolutions, out, to NCHW */
    assert_int_equal(count_kernel(apart, "qadd16"), 1);
    nn_run_destroy(joined);
    nn_run_destroy(apart);
}

/* Squeeze and excitation; the factors are bytes themselves, come first, or nothing quantises the
 * product. */
static void build_excited(struct net *n, int variant)
{
    nn_value x = q(n, nn_input(n->g, "x", 18, 9, 8), 0.03f, 128);
    nn_value a = q(n, conv(n, x, 35, 3, 1, 1), 0.03f, 117);
    nn_value f = q(n, relu(n, conv(n, nn_global_avgpool(n->g, a), 5, 1, 1, 1)), 0.01f, 0);
    f = nn_activation(n->g, conv(n, f, 35, 1, 1, 1), NN_ACT_SIGMOID);
    if (variant == 1)
        f = q(n, f, 1.0f / 255, 0);
    nn_value y = variant == 2 ? nn_mul(n->g, f, a) : nn_mul(n->g, a, f);
    nn_graph_output(n->g, variant == 3 ? y : q(n, relu(n, y), 1.0f / STEP, 0), "y");
}

static void test_excitation(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct nn_run *r = check(build_excited, i);
        assert_int_equal(count_kernel(r, "qmul16"), 1);
        assert_int_equal(count_kernel(r, "dequantise16"), i < 3); /* the result */
        nn_run_destroy(r);
    }
}

static void build_pools(struct net *n, int variant)
{
    struct nn_pool pool = {.kernel = 3, .stride = 2, .pads = {.same = true}};
    nn_value x = q(n, nn_input(n->g, "x", 20, 12, 11), 1.0f / STEP, 100);
    x = q(n, nn_maxpool(n->g, x, pool), 1.0f / STEP, 100);
    if (variant)
        x = q(n, nn_global_avgpool(n->g, conv(n, x, 40, 1, 1, 1)), 1.0f / STEP, 128);
    if (variant == 2)
        x = nn_global_avgpool(n->g, x);
    nn_graph_output(n->g, x, "y");
}

static void test_pools(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct nn_run *r = check(build_pools, i);
        assert_int_equal(count_kernel(r, "qmaxpool16"), 1);
        assert_int_equal(count_kernel(r, "qmean16"), i == 2);
        nn_run_destroy(r);
    }
}

/* Branches that meet: a mean of windows, groups, a join of tensors with different scales. */
static void build_branches(struct net *n, int variant)
{
    struct nn_pool pool = {.kernel = 2, .stride = 2};
    nn_value x = q(n, nn_input(n->g, "x", 32, 10, 8), 0.03f, 128);
    nn_value a = q(n, relu(n, conv(n, x, 48, 3, 1, variant == 1 ? 4 : 2)), 0.02f, 0);
    nn_value b = q(n, conv(n, x, variant == 2 ? 18 : 32, 1, 1, variant == 2 ? 2 : 1), 0.04f, 120);
    x = q(n, nn_concat(n->g, a, b), 1.0f / STEP, 100);
    x = nn_avgpool(n->g, x, pool);
    nn_graph_output(n->g, variant == 3 ? x : q(n, x, 1.0f / STEP, 110), "y");
}

static void test_branches(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct nn_run *r = check(build_branches, i);
        assert_int_equal(count_kernel(r, "qconv16"), 2);
        assert_int_equal(count_kernel(r, "qconcat16"), 1);
        assert_int_equal(count_kernel(r, "qavgpool16"), 1);
        assert_int_equal(count_kernel(r, "to C16"), 0);
        nn_run_destroy(r);
    }
}

/* A face network's end: flatten or pool, then two dense layers. */
static void build_dense(struct net *n, int variant)
{
    nn_value x = q(n, nn_input(n->g, "x", 21, 4, 3), 0.03f, 128);
    x = q(n, relu(n, conv(n, x, 35, 3, 1, 1)), 0.02f, 0);
    if (variant & 1)
        x = nn_global_avgpool(n->g, x);
    x = nn_flatten(n->g, x);
    if (variant & 2)
        x = q(n, x, 0.02f, 0);
    x = q(n, relu(n, gemm(n, x, 19, variant & 4)), 0.02f, 0);
    nn_graph_output(n->g, gemm(n, x, 7, true), "y");
}

static void test_dense(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        bool mean = i == 1 || i == 5; /* a float mean is not quantised */
        struct nn_run *r = check(build_dense, i);
        assert_int_equal(count_kernel(r, "qconv16"), mean ? 2 : 3);
        nn_run_destroy(r);
    }
}

static void test_parameters(void **state)
{
    (void)state;
    struct net n = net_begin(false);
    nn_value x = q(&n, nn_input(n.g, "x", 5, 6, 6), 0.03f, 128);
    nn_graph_output(n.g, conv(&n, x, 7, 3, 1, 1), "y");
    assert_int_equal(nn_graph_finish(n.g, NULL), 0);
    assert_int_equal(nn_graph_parameters(n.g, false), 7 * 5 * 9 + 7 + 7); /* scales, biases */
    assert_int_equal(nn_graph_parameters(n.g, true), 7);
    nn_graph_destroy(n.g);
}

/* A residual network with batch norm, as the zoo builds them; variant 1 ends flat. */
static struct nn_graph *float_net(int variant)
{
    struct nn_graph *g = nn_graph_create("float", 3);
    struct nn_conv p = {.out = 24, .kernel = 3, .pads = {.same = true}};
    struct nn_pool pool = {.kernel = 3, .stride = 2, .pads = {.same = true}};
    nn_value x = nn_input(g, "input", 1, 16, 14);
    x = nn_activation(g, nn_batchnorm(g, nn_conv2d(g, x, p)), NN_ACT_RELU);
    nn_value y = nn_activation(g, nn_batchnorm(g, nn_conv2d(g, x, p)), NN_ACT_RELU6);
    p.groups = 24;
    y = nn_conv2d(g, y, p);
    p.groups = 1;
    y = nn_add(g, nn_batchnorm(g, nn_conv2d(g, y, p)), x);
    y = nn_dropout(g, nn_maxpool(g, nn_activation(g, y, NN_ACT_RELU), pool), 0.2f);
    if (variant == 0)
        y = nn_global_avgpool(g, y);
    nn_graph_output(g, nn_dense(g, nn_flatten(g, y), 7), "logits");
    nn_graph_set_meta(g, "labels", "a,b");
    assert_int_equal(nn_graph_finish(g, NULL), 0);
    return g;
}

static void fill(float *x, size_t n, uint64_t seed)
{
    struct rng rng;
    rng_seed(&rng, seed, 0);
    for (size_t i = 0; i < n; i++)
        x[i] = rng_normal(&rng);
}

static struct nn_graph *quantised(const struct nn_graph *g)
{
    struct err err;
    struct nn_quantiser *quantiser;
    struct nn_graph *made, *loaded;
    char path[] = "/tmp/moodreel-quant-XXXXXX";
    assert_int_equal(nn_quantiser_create(&quantiser, g, 4, NULL, &err), 0);
    assert_int_equal(nn_quantiser_finish(quantiser, &made, &err), ERR_RANGE); /* nothing seen */
    for (int i = 0; i < 4; i++) {
        fill(nn_quantiser_input(quantiser), 4 * 16 * 14, 100 + (uint64_t)i);
        nn_quantiser_observe(quantiser, 4);
    }
    if (nn_quantiser_finish(quantiser, &made, &err) < 0)
        fail_msg("%s", err.text);
    nn_quantiser_destroy(quantiser);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(nn_onnx_save(made, path, &err), 0);
    assert_int_equal(nn_onnx_load(&loaded, path, &err), 0);
    unlink(path);
    nn_graph_destroy(made);
    return loaded;
}

/* Through a file: the same answer within some percent, nothing left in floats but the ends. */
static void test_quantiser(void **state)
{
    (void)state;
    for (int variant = 0; variant < 2; variant++) {
        struct err err;
        struct nn_run *exact, *fast;
        struct nn_graph *g = float_net(variant), *bytes = quantised(g);
        assert_string_equal(nn_graph_meta(bytes, "labels"), "a,b");
        assert_int_equal(nn_run_create(&exact, g, 2, NULL, NULL, &err), 0);
        assert_int_equal(nn_run_create(&fast, bytes, 2, NULL, NULL, &err), 0);
        assert_int_equal(count_kernel(fast, "qconv16"), 4);
        assert_int_equal(count_kernel(fast, "qdepthwise16"), 1);
        assert_int_equal(count_kernel(fast, "qmaxpool16"), 1);
        assert_int_equal(count_kernel(fast, "qmean16"), variant == 0);
        assert_int_equal(count_kernel(fast, "dequantise16"), 0);
        fill(nn_run_input(exact, 0), 2 * 16 * 14, 7);
        fill(nn_run_input(fast, 0), 2 * 16 * 14, 7);
        nn_run_forward(exact);
        nn_run_forward(fast);
        double error = 0, size = 0;
        for (int i = 0; i < 14; i++) {
            error += pow(nn_run_output(fast, 0)[i] - nn_run_output(exact, 0)[i], 2);
            size += pow(nn_run_output(exact, 0)[i], 2);
        }
        assert_true(size > 0);
        if (!(sqrt(error / size) < 0.05))
            fail_msg("variant %d is off by %g %%", variant, 100 * sqrt(error / size));
        nn_run_destroy(exact);
        nn_run_destroy(fast);
        nn_graph_destroy(g);
        nn_graph_destroy(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convolutions), cmocka_unit_test(test_floats_behind),
        cmocka_unit_test(test_hidden_relu),  cmocka_unit_test(test_residuals),
        cmocka_unit_test(test_excitation),   cmocka_unit_test(test_pools),
        cmocka_unit_test(test_branches),     cmocka_unit_test(test_dense),
        cmocka_unit_test(test_parameters),   cmocka_unit_test(test_quantiser),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
