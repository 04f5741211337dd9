/* Inference with bfloat16 products beside that of floats: near, the same bits for any number of
 * threads, half the weights, and nothing rounds unless the caller asks. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "base/rng.h"
#include "internal.h"
#include "nn/layers.h"
#include "nn/run.h"
#include "nn/zoo.h"
#include "support/testing.h"

static const struct nn_run_options rounded = {.precision = NN_BF16};

/* Winograd with either tile, 5 x 5, strided, pointwise with and without a border, a residual,
 * channels that fill no whole blocks, dense layers that do and do not. */
static struct nn_graph *mixed(void)
{
    struct nn_graph *g = nn_graph_create("mixed", 3);
    const struct nn_pads same = {.same = true};
    const struct nn_conv layers[] = {{.out = 24, .kernel = 3, .pads = same},
                                     {.out = 40, .kernel = 3, .pads = same, .bias = true},
                                     {.out = 50, .kernel = 3, .stride = 2, .pads = same},
                                     {.out = 33, .kernel = 5, .pads = same, .bias = true},
                                     {.out = 128, .kernel = 1},
                                     {.out = 128, .kernel = 3, .pads = same}};
    nn_value x = nn_input(g, "input", 1, 21, 17);
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        x = nn_activation(g, nn_conv2d(g, x, layers[i]), NN_ACT_RELU);
    nn_value y = nn_conv2d(g, x, (struct nn_conv){.out = 128, .kernel = 1, .bias = true});
    x = nn_conv2d(g, nn_add(g, x, y), (struct nn_conv){.out = 20, .kernel = 1, .stride = 2});
    x = nn_activation(g, nn_dense(g, nn_flatten(g, x), 43), NN_ACT_RELU);
    nn_graph_output(g, nn_dense(g, nn_dense(g, x, 32), 7), "logits");
    assert_int_equal(nn_graph_finish(g, NULL), 0);
    return g;
}

static struct nn_run *run_of(const struct nn_graph *g, int batch, struct pool *pool,
                             const struct nn_run_options *options)
{
    struct nn_run *r = NULL;
    struct err err = {0};
    struct rng rng;
    if (nn_run_create(&r, g, batch, pool, options, &err) < 0)
        fail_msg("%s", err.text);
    rng_seed(&rng, 4, 0);
    size_t n = (size_t)nn__shape_elements(nn_run_input_shape(r, 0), batch);
    for (size_t i = 0; i < n; i++)
        nn_run_input(r, 0)[i] = rng_normal(&rng);
    nn_run_forward(r);
    return r;
}

static bool has_kernel(const struct nn_run *r, const char *start)
{
    struct nn_run_step s;
    for (int i = 0; i < nn_run_step_count(r); i++) {
        nn_run_step_at(r, i, &s);
        if (strncmp(s.kernel, start, strlen(start)) == 0)
            return true;
    }
    return false;
}

/* Length of the difference beside that of the float outputs. */
static double distance(const struct nn_run *exact, const struct nn_run *other)
{
    double far = 0, length = 0;
    const float *a = nn_run_output(exact, 0), *b = nn_run_output(other, 0);
    for (int64_t i = 0; i < nn__shape_elements(nn_run_output_shape(exact, 0), 1); i++) {
        far += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        length += (double)a[i] * a[i];
    }
    return sqrt(far / (length + 1e-30));
}

static void expect_near(const char *name, const struct nn_graph *g, int batch, double tolerance)
{
    struct nn_run *exact = run_of(g, batch, NULL, NULL), *near = run_of(g, batch, NULL, &rounded);
    double far = distance(exact, near);
    if (!(far < tolerance))
        fail_msg("%s: outputs are %.4f apart", name, far);
    assert_true(far > 0); /* it did round */
    assert_false(has_kernel(exact, "bconv16") || has_kernel(exact, "bwinograd"));
    nn_run_destroy(exact);
    nn_run_destroy(near);
}

static void test_outputs_are_near(void **state)
{
    (void)state;
    static const char *const names[] = {"vgg6", "moodreel-best", "xception38"};
    struct nn_graph *g = mixed();
    for (int batch = 1; batch <= 5; batch += 2)
        expect_near("mixed", g, batch, 0.03);
    nn_graph_destroy(g);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(nn_zoo_build(&g, names[i], NULL, NULL), 0);
        expect_near(names[i], g, 2, 0.03);
        nn_graph_destroy(g);
    }
}

static void test_every_kind_of_kernel_rounds(void **state)
{
    (void)state;
    struct nn_graph *g = mixed();
    struct nn_run *exact = run_of(g, 1, NULL, NULL), *r = run_of(g, 1, NULL, &rounded);
    assert_true(has_kernel(r, "bconv16"));
    assert_true(has_kernel(r, "bwinograd"));
    assert_true(nn_run_weight_bytes(r) < nn_run_weight_bytes(exact));
    nn_run_destroy(exact);
    nn_run_destroy(r);
    nn_graph_destroy(g);
}

static void test_threads_give_equal_bits(void **state)
{
    (void)state;
    struct nn_graph *g = mixed();
    for (int batch = 1; batch <= 7; batch += 6) { /* threads share an image, or take whole ones */
        struct nn_run *alone = run_of(g, batch, NULL, &rounded);
        for (int threads = 2; threads <= 3; threads++) {
            struct pool *pool = pool_create(threads);
            struct nn_run *r = run_of(g, batch, pool, &rounded);
            assert_memory_equal(nn_run_output(alone, 0), nn_run_output(r, 0),
                                7 * (size_t)batch * sizeof(float));
            nn_run_destroy(r);
            pool_destroy(pool);
        }
        nn_run_destroy(alone);
    }
    nn_graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outputs_are_near),
        cmocka_unit_test(test_every_kind_of_kernel_rounds),
        cmocka_unit_test(test_threads_give_equal_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
