/* Training with bfloat16 products: gradients beside those of floats, equal bits for any number of
 * threads, and eight images learnt by heart. */
#include "engine/tape_cases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "nn/layers.h"
#include "nn/optim.h"
#include "nn/zoo.h"

enum { IMAGES = 8 };

/* A dense layer whose weights lie in x out, the other way round than those of nn_dense(). */
static nn_value matmul(struct nn_graph *g, nn_value x, int out)
{
    int in = (int)nn_graph_shape(g, x)->dims[1];
    nn_value w = nn__constant_add(g, "matmul", NN_F32, &(struct nn_shape){2, {in, out}});
    for (int i = 0; i < in * out; i++)
        ((float *)nn__value(g, w)->data)[i] = tape_pattern((uint32_t)i, 9) / (float)in;
    nn__value(g, w)->trainable = true;
    struct nn_node *n = nn__node_begin(g, NN_OP_MATMUL, "matmul_node");
    nn__node_input(g, n, x);
    nn__node_input(g, n, w);
    return nn__node_end(g, n, 1, NULL);
}

/* Kinds of convolutions that round their operands, one behind the other: Winograd with 4 x 4 and
 * 2 x 2 tiles, large and small, strided, 5 x 5, pointwise; then dense
 * layers, two of one input, with weights either way round. `between` follows each. */
static struct nn_graph *mixed(enum nn_act between)
{
    struct nn_graph *g = nn_graph_create("mixed", 3);
    const struct nn_pads same = {.same = true};
    nn_value x = nn_input(g, "input", 1, 13, 13);
    const struct nn_conv layers[] = {{.out = 24, .kernel = 3, .pads = same},
                                     {.out = 32, .kernel = 3, .pads = same, .bias = true},
                                     {.out = 40, .kernel = 3, .stride = 2, .pads = same},
                                     {.out = 32, .kernel = 5, .pads = same},
                                     {.out = 24, .kernel = 1, .stride = 2},
                                     {.out = 96, .kernel = 1},
                                     {.out = 112, .kernel = 5, .pads = same}, /* large */
                                     {.out = 180, .kernel = 1},
                                     {.out = 176, .kernel = 3, .pads = same}};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        x = nn_activation(g, nn_batchnorm(g, nn_conv2d(g, x, layers[i])), between);
    x = nn_flatten(g, x);
    x = nn_activation(g, nn_add(g, nn_dense(g, x, 50), nn_dense(g, x, 50)), between);
    x = nn_add(g, matmul(g, x, 48), nn_dense(g, x, 48));
    nn_graph_output(g, nn_dense(g, x, 7), "logits");
    assert_int_equal(nn_graph_finish(g, NULL), 0);
    return g;
}

/* One step; the gradients are the caller's. */
static float *gradients(enum nn_precision precision, struct nn_graph *g, struct nn_tape **out)
{
    struct tape_targets s;
    struct nn_tape *t = *out = tape_in(precision, g, IMAGES, NULL);
    tape_set_targets(&s, NULL, IMAGES, 7);
    tape_fill_input(t, IMAGES * 13 * 13);
    nn_tape_forward(t, IMAGES, NN_TRAIN, 0);
    nn_tape_loss(t, s.of);
    nn_tape_backward(t);
    size_t bytes = nn_tape_trainable(t) * sizeof(float);
    float *copy = malloc(bytes);
    memcpy(copy, nn_tape_gradients(t), bytes);
    return copy;
}

/* Length of a - b beside that of a. */
static double distance(const float *a, const float *b, size_t n)
{
    double far = 0, length = 0;
    for (size_t i = 0; i < n; i++) {
        far += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        length += (double)a[i] * a[i];
    }
    return sqrt(far / (length + 1e-30));
}

/* Without ReLU: a number that is rounded across its zero would change its gradient altogether. */
static void test_gradients_are_near(void **state)
{
    (void)state;
    struct nn_graph *g = mixed(NN_ACT_NONE);
    struct nn_tape *exact, *rounded;
    float *a = gradients(NN_FP32, g, &exact), *b = gradients(NN_BF16, g, &rounded);
    int spans;
    const struct nn_tape_span *s = nn_tape_spans(exact, &spans);
    for (int i = 0; i < spans && s[i].trainable; i++)
        if (s[i].decay && distance(a + s[i].offset, b + s[i].offset, s[i].count) > 0.08)
            fail_msg("%s: gradients are %.3f apart", s[i].name,
                     distance(a + s[i].offset, b + s[i].offset, s[i].count));
    /* it did round: nothing else makes them differ so much */
    assert_true(distance(a, b, nn_tape_trainable(exact)) > 1e-3);
    free(a);
    free(b);
    nn_tape_destroy(exact);
    nn_tape_destroy(rounded);
    nn_graph_destroy(g);
}

/* Loss after some steps of Adam; stops early when it is below `enough`. */
static float learn(enum nn_precision precision, int threads, int steps, float enough,
                   float *weights)
{
    struct nn_graph *g = mixed(NN_ACT_RELU);
    struct pool *pool = pool_create(threads);
    struct nn_tape *t = tape_in(precision, g, IMAGES, pool);
    struct nn_optim_params p = nn_optim_defaults(NN_ADAM);
    struct nn_optim *optim = nn_optim_create(t, &p);
    struct tape_targets s;
    float loss = 9;
    tape_set_targets(&s, NULL, IMAGES, 7);
    tape_fill_input(t, IMAGES * 13 * 13);
    for (int i = 0; i < steps && loss > enough; i++) {
        nn_tape_forward(t, IMAGES, NN_TRAIN, (uint64_t)i);
        loss = nn_tape_loss(t, s.of);
        nn_tape_backward(t);
        nn_optim_step(optim, t, 0.003f);
    }
    if (weights)
        memcpy(weights, nn_tape_weights(t), nn_tape_total(t) * sizeof *weights);
    nn_optim_destroy(optim);
    nn_tape_destroy(t);
    pool_destroy(pool);
    nn_graph_destroy(g);
    return loss;
}

static void test_learns_as_floats_do(void **state)
{
    (void)state;
    assert_true(learn(NN_FP32, 2, 40, 0.01f, NULL) < 0.05f);
    assert_true(learn(NN_BF16, 2, 40, 0.01f, NULL) < 0.05f);
}

static void test_threads_give_equal_bits(void **state)
{
    (void)state;
    struct nn_graph *g = mixed(NN_ACT_RELU);
    size_t n = nn_graph_parameters(g, false);
    float *weights[3];
    for (int i = 0; i < 3; i++) {
        weights[i] = malloc(n * sizeof(float));
        learn(NN_BF16, i + 1, 2, 0, weights[i]);
    }
    assert_memory_equal(weights[0], weights[1], n * sizeof(float));
    assert_memory_equal(weights[0], weights[2], n * sizeof(float));
    for (int i = 0; i < 3; i++)
        free(weights[i]);
    nn_graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients_are_near),
        cmocka_unit_test(test_learns_as_floats_do),
        cmocka_unit_test(test_threads_give_equal_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
