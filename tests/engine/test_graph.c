/* The graph: shapes, parameter counts, sticky errors, seeds, freezing. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "internal.h"
#include "nn/layers.h"
#include "nn/run.h"

static void assert_shape(const struct nn_graph *g, nn_value v, int c, int h, int w)
{
    const struct nn_shape *s = nn_graph_shape(g, v);
    assert_int_equal(s->rank, 4);
    assert_int_equal(s->dims[0], NN_ANY_BATCH);
    assert_int_equal(s->dims[1], c);
    assert_int_equal(s->dims[2], h);
    assert_int_equal(s->dims[3], w);
}

static void test_window_shapes(void **state)
{
    (void)state;
    struct nn_graph *g = nn_graph_create("shapes", 1);
    nn_value x = nn_input(g, "input", 3, 46, 37);
    struct nn_pads same = {.same = true};
    assert_shape(g, nn_conv2d(g, x, (struct nn_conv){.out = 8, .kernel = 3}), 8, 44, 35);
    assert_shape(
        g, nn_conv2d(g, x, (struct nn_conv){.out = 8, .kernel = 5, .stride = 2, .pads = same}), 8,
        23, 19);
    assert_shape(
        g, nn_conv2d(g, x, (struct nn_conv){.out = 6, .kernel = 3, .dilation = 4, .groups = 3}), 6,
        38, 29);
    assert_shape(g, nn_maxpool(g, x, (struct nn_pool){3, 2, same}), 3, 23, 19);
    assert_shape(g, nn_avgpool(g, x, (struct nn_pool){.kernel = 2}), 3, 23, 18);
    assert_shape(g, nn_global_avgpool(g, x), 3, 1, 1);
    assert_shape(g, nn_mul(g, x, nn_global_maxpool(g, x)), 3, 46, 37);
    assert_shape(g, nn_concat(g, x, x), 6, 46, 37);
    nn_value d = nn_dense(g, nn_flatten(g, x), 7);
    assert_int_equal(nn_graph_shape(g, d)->rank, 2);
    assert_int_equal(nn_graph_shape(g, d)->dims[1], 7);
    nn_graph_output(g, d, "logits");
    assert_int_equal(nn_graph_finish(g, NULL), 0);
    nn_graph_destroy(g);
}

/* Keras pads (0, 1) on even sides and (1, 1) on odd ones for a 3x3 pool of stride 2. */
static void test_same_pads_are_keras(void **state)
{
    (void)state;
    struct nn_graph *g = nn_graph_create("pads", 1);
    nn_value x = nn_input(g, "input", 1, 44, 11);
    nn_maxpool(g, x, (struct nn_pool){3, 2, {.same = true}});
    struct nn_window w;
    assert_int_equal(nn__window(g, &g->nodes[0], &w, NULL), 0);
    int expected[4] = {0, 1, 1, 1}; /* top, left, bottom, right */
    assert_memory_equal(w.pad, expected, sizeof expected);
    nn_graph_destroy(g);
}

/* An empty name stands for an optional input; a sum or a join has none of those. */
static void test_no_operand_may_be_absent(void **state)
{
    static const enum nn_op ops[] = {NN_OP_SUM, NN_OP_MEAN, NN_OP_MAX, NN_OP_MIN, NN_OP_CONCAT};
    (void)state;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        struct nn_graph *g = nn_graph_create("absent", 1);
        struct err err = {0};
        nn_value x = nn_input(g, "input", 1, 4, 4);
        struct nn_node *n = nn__node_begin(g, ops[i], NULL);
        nn__node_input(g, n, x);
        nn__node_input(g, n, NN_NONE);
        assert_int_equal(nn__node_end(g, n, 1, NULL), NN_NONE);
        assert_int_equal(nn_graph_finish(g, &err), ERR_FORMAT);
        assert_non_null(strstr(err.text, "input 1 is missing"));
        nn_graph_destroy(g);
    }
}

static void test_errors_stick(void **state)
{
    (void)state;
    struct nn_graph *g = nn_graph_create("bad", 1);
    nn_value x = nn_input(g, "input", 3, 4, 4);
    nn_value y = nn_conv2d(g, x, (struct nn_conv){.out = 8, .kernel = 5});
    assert_int_equal(y, NN_NONE);
    assert_int_equal(nn_dense(g, nn_flatten(g, x), 3), NN_NONE);
    struct err err = {0};
    assert_int_equal(nn_graph_finish(g, &err), ERR_RANGE);
    assert_non_null(strstr(err.text, "Conv"));
    assert_non_null(strstr(err.text, "window of 5"));
    nn_graph_destroy(g);
}

static struct nn_graph *small(uint64_t seed)
{
    struct nn_graph *g = nn_graph_create("small", seed);
    nn_value x = nn_input(g, "input", 1, 8, 8);
    x = nn_conv2d(g, x, (struct nn_conv){.out = 4, .kernel = 3, .bias = true});
    x = nn_activation(g, nn_batchnorm(g, x), NN_ACT_RELU6);
    nn_graph_output(g, nn_dense(g, nn_flatten(g, nn_dropout(g, x, 0.5f)), 3), "logits");
    assert_int_equal(nn_graph_finish(g, NULL), 0);
    return g;
}

static const float *weights(const struct nn_graph *g, const char *name)
{
    nn_value v = nn_graph_find(g, name);
    assert_int_not_equal(v, NN_NONE);
    return nn__value(g, v)->data;
}

static void test_counts(void **state)
{
    (void)state;
    struct nn_graph *g = small(1);
    size_t conv = 4 * 9 + 4, bn = 8, dense = 3 * 4 * 36 + 3;
    assert_int_equal(nn_graph_parameters(g, true), conv + bn + dense);
    assert_int_equal(nn_graph_parameters(g, false), conv + bn + 8 + dense);
    assert_int_equal(nn_graph_macs(g), 36 * 4 * 9 + 3 * 144);
    nn_graph_destroy(g);
}

static void test_seed_decides_weights(void **state)
{
    (void)state;
    struct nn_graph *a = small(7), *b = small(7), *c = small(8);
    size_t bytes = 4 * 9 * sizeof(float);
    assert_memory_equal(weights(a, "Conv_0.weight"), weights(b, "Conv_0.weight"), bytes);
    assert_memory_not_equal(weights(a, "Conv_0.weight"), weights(c, "Conv_0.weight"), bytes);
    assert_int_equal(nn_graph_adopt(c, a, false), 11);
    assert_memory_equal(weights(a, "Conv_0.weight"), weights(c, "Conv_0.weight"), bytes);
    nn_graph_destroy(a);
    nn_graph_destroy(b);
    nn_graph_destroy(c);
}

static void test_freeze(void **state)
{
    (void)state;
    struct nn_graph *g = small(1);
    nn_graph_freeze(g, g->nodes[1].outputs[0]);
    assert_int_equal(nn_graph_parameters(g, true), 3 * 4 * 36 + 3);
    nn_graph_destroy(g);
}

/* Outputs of a graph for one picture of noise: the caller's. */
static float *outputs(const struct nn_graph *g)
{
    struct nn_run *run = NULL;
    struct rng rng;
    float *copy = mem_new(3, sizeof *copy);
    assert_int_equal(nn_run_create(&run, g, 1, NULL, NULL, NULL), 0);
    rng_seed(&rng, 4, 0);
    for (int i = 0; i < 64; i++)
        nn_run_input(run, 0)[i] = rng_normal(&rng);
    nn_run_forward(run);
    memcpy(copy, nn_run_output(run, 0), 3 * sizeof *copy);
    nn_run_destroy(run);
    return copy;
}

static void test_joined_networks_give_their_mean(void **state)
{
    (void)state;
    struct nn_graph *part[3], *joined = NULL;
    float *of[3], *mean;
    for (uint64_t i = 0; i < 3; i++) {
        part[i] = small(i + 1);
        of[i] = outputs(part[i]);
    }
    nn_graph_set_meta(part[0], "labels", "a,b,c");
    assert_int_equal(nn_graph_join(&joined, part, 3, NULL), 0);
    assert_string_equal(nn_graph_meta(joined, "labels"), "a,b,c");
    assert_string_equal(nn_graph_value_name(joined, nn_graph_output_at(joined, 0)), "logits");
    assert_int_equal(nn_graph_macs(joined), 3 * nn_graph_macs(part[0]));
    mean = outputs(joined);
    for (int c = 0; c < 3; c++)
        assert_true(fabsf(mean[c] - (of[0][c] + of[1][c] + of[2][c]) / 3) < 1e-5f);
    free(mean);
    nn_graph_destroy(joined);
    for (int i = 0; i < 3; i++) {
        free(of[i]);
        nn_graph_destroy(part[i]);
    }
}

static void test_only_networks_of_one_kind_are_joined(void **state)
{
    (void)state;
    struct nn_graph *a = small(1), *b = nn_graph_create("other", 1), *joined = NULL;
    nn_value x = nn_flatten(b, nn_input(b, "input", 1, 8, 8));
    nn_graph_output(b, nn_dense(b, x, 4), "logits");
    assert_int_equal(nn_graph_finish(b, NULL), 0);
    struct err err = {0};
    struct nn_graph *const parts[] = {a, b};
    assert_int_equal(nn_graph_join(&joined, parts, 2, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "network 2 has other inputs, outputs"));
    assert_null(joined);
    nn_graph_destroy(a);
    nn_graph_destroy(b);
}

static void test_meta(void **state)
{
    (void)state;
    struct nn_graph *g = small(1);
    assert_null(nn_graph_meta(g, "labels"));
    nn_graph_set_meta(g, "labels", "a,b");
    nn_graph_set_meta(g, "labels", "b,c");
    assert_string_equal(nn_graph_meta(g, "labels"), "b,c");
    assert_int_equal(nn_graph_meta_count(g), 1);
    nn_graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_shapes),
        cmocka_unit_test(test_same_pads_are_keras),
        cmocka_unit_test(test_no_operand_may_be_absent),
        cmocka_unit_test(test_errors_stick),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_seed_decides_weights),
        cmocka_unit_test(test_freeze),
        cmocka_unit_test(test_joined_networks_give_their_mean),
        cmocka_unit_test(test_only_networks_of_one_kind_are_joined),
        cmocka_unit_test(test_meta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
