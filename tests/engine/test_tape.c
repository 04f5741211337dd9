/* The training executor as a whole: equal bits for any number of threads, and its purpose: it
 * learns eight images by heart. Its numbers are checked by test_tape_numbers. */
#include "engine/tape_cases.h"

#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "nn/layers.h"
#include "nn/optim.h"
#include "nn/zoo.h"

/* Determinism */

static void train_steps(struct nn_tape *t, int steps, float *losses)
{
    struct nn_optim_params p = nn_optim_defaults(NN_SGD);
    struct nn_optim *o = nn_optim_create(t, &p);
    struct tape_targets s;
    tape_set_targets(&s, NULL, 11, 7);
    for (int i = 0; i < steps; i++) {
        for (size_t k = 0; k < 11 * 44 * 44; k++)
            nn_tape_input(t)[k] = tape_pattern((uint32_t)k, (uint32_t)i);
        nn_tape_forward(t, 11, NN_TRAIN, (uint64_t)i);
        losses[i] = nn_tape_loss(t, s.of);
        nn_tape_backward(t);
        nn_optim_step(o, t, 0.01f);
    }
    nn_optim_destroy(o);
}

static void test_threads_give_equal_bits(void **state)
{
    (void)state;
    struct nn_zoo_options small = {.width_factor = 0.5f, .seed = 5};
    float losses[3][2], *weights[3];
    size_t total = 0;
    for (int threads = 1; threads <= 3; threads++) {
        struct nn_graph *g = NULL;
        struct pool *pool = pool_create(threads);
        assert_int_equal(nn_zoo_build(&g, "moodreel-best", &small, NULL), 0);
        struct nn_tape *t = tape_of(g, 12, pool);
        total = nn_tape_total(t) * sizeof(float);
        train_steps(t, 2, losses[threads - 1]);
        weights[threads - 1] = malloc(total);
        memcpy(weights[threads - 1], nn_tape_weights(t), total);
        nn_tape_destroy(t);
        nn_graph_destroy(g);
        pool_destroy(pool);
    }
    assert_memory_equal(losses[0], losses[1], sizeof losses[0]);
    assert_memory_equal(losses[0], losses[2], sizeof losses[0]);
    assert_memory_equal(weights[0], weights[1], total);
    assert_memory_equal(weights[0], weights[2], total);
    for (int i = 0; i < 3; i++)
        free(weights[i]);
}

static void test_dropout_follows_the_step(void **state)
{
    (void)state;
    struct nn_graph *g = tape_build(case_dropped, false);
    struct nn_tape *t = tape_of(g, CASE_IMAGES, NULL);
    float first[8];
    tape_fill_input(t, CASE_IMAGES * CASE_INPUT);
    nn_tape_forward(t, CASE_IMAGES, NN_TRAIN, 1);
    memcpy(first, nn_tape_output(t, 0), sizeof first);
    nn_tape_forward(t, CASE_IMAGES, NN_TRAIN, 2);
    assert_memory_not_equal(first, nn_tape_output(t, 0), sizeof first);
    nn_tape_forward(t, CASE_IMAGES, NN_TRAIN, 1);
    assert_memory_equal(first, nn_tape_output(t, 0), sizeof first);
    nn_tape_destroy(t);
    nn_graph_destroy(g);
}

/* Purpose */

static void test_learns_eight_images(void **state)
{
    (void)state;
    struct nn_graph *g = NULL;
    struct nn_zoo_options o = {.seed = 3};
    assert_int_equal(nn_zoo_build(&g, "xception38", &o, NULL), 0);
    struct nn_tape *t = tape_of(g, 8, NULL);
    struct nn_optim_params p = nn_optim_defaults(NN_ADAM);
    struct nn_optim *optim = nn_optim_create(t, &p);
    struct tape_targets s;
    tape_set_targets(&s, NULL, 8, 7);
    tape_fill_input(t, 8 * 48 * 48);
    float loss = 9;
    for (int i = 0; i < 60 && loss > 0.01f; i++) {
        nn_tape_forward(t, 8, NN_TRAIN, (uint64_t)i);
        loss = nn_tape_loss(t, s.of);
        nn_tape_backward(t);
        nn_optim_step(optim, t, 0.01f);
    }
    assert_true(loss < 0.05f);
    /* running statistics have followed: without batch statistics it still knows them */
    for (int i = 0; i < 80; i++)
        nn_tape_forward(t, 8, NN_TRAIN, 0);
    nn_tape_forward(t, 8, NN_EVAL, 0);
    assert_true(nn_tape_loss(t, s.of) < 0.1f);
    nn_optim_destroy(optim);
    nn_tape_destroy(t);
    nn_graph_destroy(g);
}

static void test_frozen_part_stays(void **state)
{
    (void)state;
    struct nn_graph *g = tape_build(case_batchnorm, false);
    nn_graph_freeze(g, g->nodes[g->node_count - 1].inputs[0]); /* all but the dense layer */
    struct nn_tape *t = tape_of(g, CASE_IMAGES, NULL);
    struct nn_optim_params p = nn_optim_defaults(NN_SGD);
    struct nn_optim *o = nn_optim_create(t, &p);
    struct tape_targets s;
    tape_set_targets(&s, NULL, CASE_IMAGES, 4);
    size_t n = nn_tape_trainable(t), rest = nn_tape_total(t) - n;
    float *before = malloc(nn_tape_total(t) * sizeof *before);
    memcpy(before, nn_tape_weights(t), nn_tape_total(t) * sizeof *before);
    tape_fill_input(t, CASE_IMAGES * CASE_INPUT);
    nn_tape_forward(t, CASE_IMAGES, NN_TRAIN, 0);
    nn_tape_loss(t, s.of);
    nn_tape_backward(t);
    nn_optim_step(o, t, 0.1f);
    assert_int_equal(n, 4 * 35 * 4 + 4);
    assert_memory_not_equal(before, nn_tape_weights(t), n * sizeof *before);
    assert_memory_equal(before + n, nn_tape_weights(t) + n, rest * sizeof *before);
    free(before);
    nn_optim_destroy(o);
    nn_tape_destroy(t);
    nn_graph_destroy(g);
}

static void test_store_and_load(void **state)
{
    (void)state;
    struct nn_graph *g = tape_build(case_plain, false);
    struct nn_tape *a = tape_of(g, CASE_IMAGES, NULL);
    tape_fill_weights(g, a);
    nn_tape_store(a, NULL);
    struct nn_tape *b = tape_of(g, CASE_IMAGES, NULL);
    assert_memory_equal(nn_tape_weights(a), nn_tape_weights(b), nn_tape_total(a) * sizeof(float));
    nn_tape_destroy(a);
    nn_tape_destroy(b);
    nn_graph_destroy(g);
}

static void test_refuses_what_it_cannot_train(void **state)
{
    (void)state;
    struct nn_graph *g = nn_graph_create("bad", 1);
    nn_value x = nn_flatten(g, nn_input(g, "input", 1, 4, 4));
    nn_graph_output(g, nn_softmax(g, nn_dense(g, x, 3)), "p");
    assert_int_equal(nn_graph_finish(g, NULL), 0);
    struct nn_tape *t = NULL;
    struct err err = {0};
    assert_int_equal(nn_tape_create(&t, g, 2, NN_FP32, NULL, &err), ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "Softmax"));
    assert_int_equal(nn_tape_create(&t, g, 0, NN_FP32, NULL, &err), ERR_RANGE);
    nn_graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_give_equal_bits),
        cmocka_unit_test(test_dropout_follows_the_step),
        cmocka_unit_test(test_learns_eight_images),
        cmocka_unit_test(test_frozen_part_stays),
        cmocka_unit_test(test_store_and_load),
        cmocka_unit_test(test_refuses_what_it_cannot_train),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
