/* Inference against networks computed by plain loops here: convolutions of every kernel, fusion,
 * threads, clones, limits. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "internal.h"
#include "nn/layers.h"
#include "nn/run.h"
#include "support/testing.h"

struct conv_case {
    int channels, h, w;
    struct nn_conv p;
    const char *kernel; /* the one that must be chosen on any processor; NULL: any */
};

static const struct conv_case cases[] = {
    {1, 20, 17, {.out = 24, .kernel = 3, .pads = {1, 1, 1, 1}, .bias = true}, "conv16 planar"},
    {3, 21, 22, {.out = 7, .kernel = 3, .stride = 2, .pads = {0, 1, 2, 1}}, "conv16 planar"},
    {40, 9, 11, {.out = 35, .kernel = 1, .bias = true}, "conv16"},
    {32, 12, 10, {.out = 18, .kernel = 1, .stride = 2, .bias = true}, "conv16"},
    {20, 13, 12, {.out = 33, .kernel = 3, .stride = 2, .pads = {.same = true}}, "conv16"},
    {17, 15, 15, {.out = 16, .kernel = 3, .dilation = 2, .pads = {2, 2, 2, 2}}, "conv16"},
    {9, 12, 14, {.out = 12, .kernel = 5, .kernel_w = 3, .pads = {2, 1, 2, 1}}, "conv16"},
    {64, 24, 24, {.out = 64, .kernel = 3, .pads = {1, 1, 1, 1}, .bias = true}, NULL},
    {64, 13, 11, {.out = 80, .kernel = 3, .pads = {0, 0, 0, 0}, .bias = true}, NULL},
    {128, 6, 6, {.out = 128, .kernel = 3, .pads = {1, 1, 1, 1}, .bias = true}, NULL},
    {24, 14, 13, {.out = 24, .kernel = 3, .groups = 24, .pads = {1, 1, 1, 1}}, "depthwise16"},
    {24, 14, 13, {.out = 24, .kernel = 3, .stride = 2, .groups = 24, .pads = {.same = true}},
     "depthwise16"},
    {64, 9, 9, {.out = 32, .kernel = 3, .groups = 2, .pads = {1, 1, 1, 1}, .bias = true}, "conv16"},
    {12, 9, 9, {.out = 18, .kernel = 3, .groups = 3, .pads = {1, 1, 1, 1}}, "conv16"},
    {32, 9, 9, {.out = 64, .kernel = 3, .groups = 8, .pads = {1, 1, 1, 1}, .bias = true},
     "conv16"},
    {20, 7, 6, {.out = 40, .kernel = 3, .groups = 20, .pads = {1, 1, 1, 1}}, "plain loops"},
};

static void fill(float *x, size_t n, uint64_t seed)
{
    struct rng r;
    rng_seed(&r, seed, 0);
    for (size_t i = 0; i < n; i++)
        x[i] = rng_normal(&r);
}

static float pixel_or_zero(const float *plane, const struct nn_window *w, int row, int col)
{
    bool inside = row >= 0 && row < w->in[0] && col >= 0 && col < w->in[1];
    return inside ? plane[row * w->in[1] + col] : 0;
}

/* The convolution of one node in double, straight from its definition. */
static void convolve(const struct nn_graph *g, const struct nn_node *n, const float *x, int images,
                     float *y)
{
    struct nn_window w;
    assert_int_equal(nn__window(g, n, &w, NULL), 0);
    const struct nn_shape *k = nn_graph_shape(g, n->inputs[1]);
    const float *weight = nn__value(g, n->inputs[1])->data;
    const float *bias = n->input_count > 2 ? nn__value(g, n->inputs[2])->data : NULL;
    int oc = (int)k->dims[0], ic = (int)k->dims[1], taps = w.kernel[0] * w.kernel[1];
    for (int64_t i = 0; i < (int64_t)images * oc * w.out[0] * w.out[1]; i++) {
        int col = (int)(i % w.out[1]), row = (int)(i / w.out[1] % w.out[0]);
        int o = (int)(i / w.out[1] / w.out[0] % oc);
        int first = o / (oc / w.groups) * ic;
        int64_t image = i / w.out[1] / w.out[0] / oc;
        double sum = bias ? bias[o] : 0;
        for (int c = 0; c < ic; c++)
            for (int t = 0; t < taps; t++) {
                const float *plane = x + (image * ic * w.groups + first + c) * w.in[0] * w.in[1];
                int r = row * w.stride[0] + t / w.kernel[1] * w.dilation[0] - w.pad[0];
                int s = col * w.stride[1] + t % w.kernel[1] * w.dilation[1] - w.pad[1];
                sum += (double)weight[(o * ic + c) * taps + t] * pixel_or_zero(plane, &w, r, s);
            }
        y[i] = (float)sum;
    }
}

static void assert_close(const float *a, const float *b, size_t n)
{
    float largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fabsf(b[i]) > largest ? fabsf(b[i]) : largest;
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(a[i] - b[i]) <= 2e-4f * largest))
            fail_msg("[%zu] is %g, should be %g", i, a[i], b[i]);
}

static size_t elements(const struct nn_shape *s, int batch)
{
    return (size_t)nn__shape_elements(s, batch);
}

static bool uses_kernel(const struct nn_run *r, const char *kernel)
{
    struct nn_run_step s;
    for (int i = 0; i < nn_run_step_count(r); i++) {
        nn_run_step_at(r, i, &s);
        if (!strcmp(s.kernel, kernel))
            return true;
    }
    return false;
}

static struct nn_graph *conv_graph(const struct conv_case *c)
{
    struct nn_graph *g = nn_graph_create("conv", 7);
    nn_value x = nn_input(g, "input", c->channels, c->h, c->w);
    nn_graph_output(g, nn_conv2d(g, x, c->p), "y");
    assert_int_equal(nn_graph_finish(g, NULL), 0);
    return g;
}

static void check_conv(const struct conv_case *c, int batch, struct pool *pool)
{
    struct err err;
    struct nn_run *r;
    struct nn_graph *g = conv_graph(c);
    size_t out = elements(nn_graph_shape(g, nn_graph_output_at(g, 0)), batch);
    size_t in = elements(nn_graph_shape(g, nn_graph_input(g, 0)), batch);
    float *expected = mem_new(out, sizeof *expected);
    if (nn_run_create(&r, g, batch, pool, NULL, &err) < 0)
        fail_msg("%s", err.text);
    if (c->kernel && !uses_kernel(r, c->kernel))
        fail_msg("%dx%dx%d does not use %s", c->channels, c->h, c->w, c->kernel);
    fill(nn_run_input(r, 0), in, 3);
    convolve(g, &g->nodes[0], nn_run_input(r, 0), batch, expected);
    for (int i = 0; i < 2; i++) { /* the second time with used memory */
        nn_run_forward(r);
        assert_close(nn_run_output(r, 0), expected, out);
    }
    free(expected);
    nn_run_destroy(r);
    nn_graph_destroy(g);
}

static void test_convolutions(void **state)
{
    (void)state;
    struct pool *pool = pool_create(3);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_conv(&cases[i], 1, NULL);
        check_conv(&cases[i], 3, pool);
    }
    pool_destroy(pool);
}

/* conv, batch norm, residual, relu; pool; dense: what a face network is made of. */
static struct nn_graph *residual_graph(void)
{
    struct nn_graph *g = nn_graph_create("residual", 5);
    struct nn_conv p = {.out = 32, .kernel = 3, .pads = {.same = true}};
    nn_value x = nn_input(g, "input", 1, 24, 20);
    x = nn_activation(g, nn_batchnorm(g, nn_conv2d(g, x, p)), NN_ACT_RELU);
    nn_value y = nn_activation(g, nn_batchnorm(g, nn_conv2d(g, x, p)), NN_ACT_RELU6);
    y = nn_batchnorm(g, nn_conv2d(g, y, p));
    x = nn_activation(g, nn_add(g, y, x), NN_ACT_RELU);
    x = nn_maxpool(g, x, (struct nn_pool){.kernel = 3, .stride = 2, .pads = {.same = true}});
    x = nn_activation(g, x, NN_ACT_HARD_SWISH);
    nn_graph_output(g, nn_global_avgpool(g, x), "pooled");
    nn_graph_output(g, nn_softmax(g, nn_dense(g, nn_flatten(g, x), 7)), "p");
    assert_int_equal(nn_graph_finish(g, NULL), 0);
    return g;
}

/* Depthwise and 1 x 1 convolutions in turn, which threads compute in one go. */
static struct nn_graph *separable_graph(void)
{
    struct nn_graph *g = nn_graph_create("separable", 5);
    struct nn_conv stem = {.out = 32, .kernel = 3, .pads = {.same = true}};
    nn_value x = nn_conv2d(g, nn_input(g, "input", 1, 26, 22), stem);
    for (int stride = 1; stride <= 2; stride++) {
        struct nn_conv deep = {.out = 32, .kernel = 3, .groups = 32, .stride = stride,
                               .pads = {.same = true}};
        struct nn_conv point = {.out = 32, .kernel = 1};
        x = nn_activation(g, nn_conv2d(g, x, deep), NN_ACT_RELU6);
        x = nn_activation(g, nn_conv2d(g, x, point), NN_ACT_RELU);
    }
    nn_graph_output(g, nn_global_avgpool(g, x), "pooled");
    nn_graph_output(g, nn_softmax(g, nn_dense(g, nn_flatten(g, x), 7)), "p");
    assert_int_equal(nn_graph_finish(g, NULL), 0);
    return g;
}

/* Every number of threads, and a clone, give the bits of one thread. */
static void check_threads_and_clones(struct nn_graph *g)
{
    struct err err;
    struct nn_run *one, *other;
    assert_int_equal(nn_run_create(&one, g, 2, NULL, NULL, &err), 0);
    size_t in = elements(nn_run_input_shape(one, 0), 2), n = 2 * 32;
    fill(nn_run_input(one, 0), in, 11);
    nn_run_forward(one);
    for (int threads = 2; threads <= 5; threads++) {
        struct pool *pool = pool_create(threads);
        if (threads % 2)
            assert_int_equal(nn_run_clone(&other, one, pool, &err), 0);
        else
            assert_int_equal(nn_run_create(&other, g, 2, pool, NULL, &err), 0);
        memcpy(nn_run_input(other, 0), nn_run_input(one, 0), in * sizeof(float));
        nn_run_forward(other);
        assert_memory_equal(nn_run_output(other, 0), nn_run_output(one, 0), n * sizeof(float));
        assert_memory_equal(nn_run_output(other, 1), nn_run_output(one, 1), 14 * sizeof(float));
        nn_run_destroy(other);
        pool_destroy(pool);
    }
    nn_run_destroy(one);
    nn_graph_destroy(g);
}

static void test_threads_and_clones(void **state)
{
    (void)state;
    check_threads_and_clones(residual_graph());
    check_threads_and_clones(separable_graph());
}

/* The joined depthwise step does nothing, and with one thread nothing is joined. */
static void test_joined_convolutions(void **state)
{
    (void)state;
    struct nn_graph *g = separable_graph();
    for (int threads = 1; threads <= 2; threads++) {
        struct pool *pool = pool_create(threads);
        struct nn_run *r;
        assert_int_equal(nn_run_create(&r, g, 1, pool, NULL, NULL), 0);
        assert_int_equal(uses_kernel(r, "joined to next"), threads == 2);
        assert_int_equal(uses_kernel(r, "depthwise16"), threads == 1);
        nn_run_destroy(r);
        pool_destroy(pool);
    }
    nn_graph_destroy(g);
}

/* Batch norm, residual and clips leave no step of their own. */
static void test_fusion(void **state)
{
    (void)state;
    struct nn_graph *g = residual_graph();
    struct nn_run *r;
    struct nn_run_step s;
    assert_int_equal(nn_run_create(&r, g, 1, NULL, NULL, NULL), 0);
    for (int i = 0; i < nn_run_step_count(r); i++) {
        nn_run_step_at(r, i, &s);
        assert_string_not_equal(s.op, "BatchNormalization");
        assert_string_not_equal(s.op, "Relu");
        assert_string_not_equal(s.op, "Clip");
        assert_string_not_equal(s.op, "Add");
    }
    nn_run_destroy(r);
    nn_graph_destroy(g);
}

/* The same network, each image of a batch as if it were alone. */
static void test_batch_is_images(void **state)
{
    (void)state;
    struct nn_graph *g = residual_graph();
    struct nn_run *one, *four;
    assert_int_equal(nn_run_create(&one, g, 1, NULL, NULL, NULL), 0);
    assert_int_equal(nn_run_create(&four, g, 4, NULL, NULL, NULL), 0);
    size_t in = elements(nn_run_input_shape(one, 0), 1);
    fill(nn_run_input(four, 0), 4 * in, 23);
    nn_run_forward(four);
    for (size_t i = 0; i < 4; i++) {
        memcpy(nn_run_input(one, 0), nn_run_input(four, 0) + i * in, in * sizeof(float));
        nn_run_forward(one);
        assert_close(nn_run_output(one, 1), nn_run_output(four, 1) + 7 * i, 7);
        assert_close(nn_run_output(one, 0), nn_run_output(four, 0) + 32 * i, 32);
    }
    nn_run_destroy(one);
    nn_run_destroy(four);
    nn_graph_destroy(g);
}

static void test_ports(void **state)
{
    (void)state;
    struct nn_graph *g = residual_graph();
    struct nn_run *r;
    assert_int_equal(nn_run_create(&r, g, 3, NULL, NULL, NULL), 0);
    nn_graph_destroy(g); /* a run keeps nothing of its graph */
    assert_int_equal(nn_run_input_count(r), 1);
    assert_int_equal(nn_run_output_count(r), 2);
    assert_string_equal(nn_run_input_name(r, 0), "input");
    assert_int_equal(nn_run_find_input(r, "input"), 0);
    assert_int_equal(nn_run_find_output(r, "p"), 1);
    assert_int_equal(nn_run_find_output(r, "q"), -1);
    assert_int_equal(nn_run_input_shape(r, 0)->dims[0], 3);
    assert_int_equal(nn_run_output_shape(r, 1)->dims[1], 7);
    fill(nn_run_input(r, 0), 3 * 24 * 20, 1);
    nn_run_forward(r);
    for (int i = 0; i < 3; i++) {
        double sum = 0;
        for (int k = 0; k < 7; k++)
            sum += nn_run_output(r, 1)[i * 7 + k];
        assert_true(fabs(sum - 1) < 1e-5);
    }
    nn_run_destroy(r);
}

static void test_limits(void **state)
{
    (void)state;
    struct err err;
    struct nn_graph *g = residual_graph();
    struct nn_run *r;
    assert_int_equal(nn_run_create(&r, g, 0, NULL, NULL, &err), ERR_RANGE);
    assert_null(r);
    struct nn_run_options small = {.memory_limit = 200000};
    assert_true(nn_run_create(&r, g, 1, NULL, &small, &err) < 0);
    assert_non_null(strstr(err.text, "memory"));
    nn_graph_destroy(g);
}

/* The tables with which a step finds its elements count, not its elements alone. */
static void test_tables_are_limited(void **state)
{
    enum { COUNT = 100000 };
    (void)state;
    struct err err = {0};
    struct nn_run *r;
    struct nn_run_options small = {.memory_limit = 4 << 20};
    struct nn_graph *g = nn_graph_create("wide", 1);
    struct nn_shape shape = {2, {NN_ANY_BATCH, COUNT}};
    nn_value x = nn__input_add(g, "x", NN_F32, &shape);
    struct nn_node *n = nn__node_begin(g, NN_OP_SLICE, NULL);
    nn__node_input(g, n, x);
    nn__node_ints(g, n, "starts", (int64_t[]){0}, 1);
    nn__node_ints(g, n, "ends", (int64_t[]){COUNT - 1}, 1);
    nn__node_ints(g, n, "axes", (int64_t[]){1}, 1);
    nn_graph_output(g, nn__node_end(g, n, 1, NULL), "y");
    assert_int_equal(nn_graph_finish(g, &err), 0);
    assert_int_equal(nn_run_create(&r, g, 1, NULL, &small, &err), ERR_RANGE);
    assert_non_null(strstr(err.text, "tables"));
    assert_int_equal(nn_run_create(&r, g, 1, NULL, NULL, &err), 0);
    nn_run_destroy(r);
    nn_graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convolutions),    cmocka_unit_test(test_threads_and_clones),
        cmocka_unit_test(test_joined_convolutions),
        cmocka_unit_test(test_fusion),          cmocka_unit_test(test_batch_is_images),
        cmocka_unit_test(test_ports),           cmocka_unit_test(test_limits),
        cmocka_unit_test(test_tables_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
