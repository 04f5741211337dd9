/* Optimizers against PyTorch's trajectories (tests/golden/optim.bin), schedules against their
 * formulas. */
#include "support/testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "nn/layers.h"
#include "nn/optim.h"

/* Numbers in [-1, 1) that make_golden.py computes alike. */
static float pattern(uint32_t i, uint32_t seed)
{
    uint32_t x = i * 2654435761u + seed * 97531u;
    x ^= x >> 15;
    x *= 2246822519u;
    x ^= x >> 13;
    return (float)((double)x / 2147483648.0 - 1.0);
}

/* A tape with a 2 x 3 matrix and a bias of 2, as in make_golden.py: optimizers(). */
struct small {
    struct nn_graph *g;
    struct nn_tape *t;
};

static struct small small_tape(void)
{
    struct small s = {.g = nn_graph_create("small", 1)};
    nn_value x = nn_flatten(s.g, nn_input(s.g, "input", 3, 1, 1));
    nn_graph_output(s.g, nn_dense(s.g, x, 2), "logits");
    assert_int_equal(nn_graph_finish(s.g, NULL), 0);
    assert_int_equal(nn_tape_create(&s.t, s.g, 1, NN_FP32, NULL, NULL), 0);
    assert_int_equal(nn_tape_total(s.t), 8);
    for (uint32_t i = 0; i < 8; i++)
        nn_tape_weights(s.t)[i] = i < 6 ? pattern(i, 1) : pattern(i - 6, 2);
    return s;
}

static void free_small(struct small s)
{
    nn_tape_destroy(s.t);
    nn_graph_destroy(s.g);
}

static void set_gradient(struct nn_tape *t, uint32_t step)
{
    for (uint32_t i = 0; i < 8; i++)
        nn_tape_gradients(t)[i] = i < 6 ? pattern(i, 10 + step) : pattern(i - 6, 20 + step);
}

static void read_golden(const char *name, float out[40])
{
    char path[512];
    char *data;
    size_t len;
    snprintf(path, sizeof path, "%s/tests/golden/optim.bin", MOODREEL_SOURCE_DIR);
    assert_int_equal(path_read(path, (void **)&data, &len, 1 << 20, NULL), 0);
    for (size_t at = 0; at + 36 + 160 <= len; at += 36 + 160)
        if (!strcmp(data + at, name)) {
            memcpy(out, data + at + 36, 160);
            free(data);
            return;
        }
    fail_msg("optim.bin holds no \"%s\"", name);
}

static void check_trajectory(const char *name)
{
    enum nn_optim_kind kind;
    assert_true(nn_optim_parse(name, &kind));
    struct small s = small_tape();
    struct nn_optim_params p = nn_optim_defaults(kind);
    p.weight_decay = 0.05f;
    p.clip_norm = 1;
    struct nn_optim *o = nn_optim_create(s.t, &p);
    float golden[40];
    read_golden(name, golden);
    for (uint32_t step = 0; step < 5; step++) {
        set_gradient(s.t, step);
        assert_true(nn_optim_step(o, s.t, 0.1f) > 1); /* so that clipping acts */
        for (int i = 0; i < 8; i++)
            if (fabsf(nn_tape_weights(s.t)[i] - golden[step * 8 + (uint32_t)i]) > 2e-6f)
                fail_msg("%s, step %u: weight %d is %.8g, PyTorch has %.8g", name, step, i,
                         (double)nn_tape_weights(s.t)[i], (double)golden[step * 8 + (uint32_t)i]);
    }
    assert_int_equal(nn_optim_steps(o), 5);
    nn_optim_destroy(o);
    free_small(s);
}

static void test_trajectories(void **state)
{
    (void)state;
    check_trajectory("sgd");
    check_trajectory("rmsprop");
    check_trajectory("adam");
    check_trajectory("adamw");
}

/* The step starts below, with the gradient found above. */
static void test_a_climb_is_undone_by_the_step(void **state)
{
    (void)state;
    struct small s = small_tape();
    struct nn_optim_params p = nn_optim_defaults(NN_SGD);
    p.momentum = 0;
    p.sam = 0.5f;
    struct nn_optim *o = nn_optim_create(s.t, &p);
    float *w = nn_tape_weights(s.t), *g = nn_tape_gradients(s.t), below[8];
    memcpy(below, w, sizeof below);
    for (int i = 0; i < 8; i++)
        g[i] = i == 2 ? 3 : i == 7 ? -4 : 0;
    assert_true(nn_optim_climb(o, s.t));
    for (int i = 0; i < 8; i++)
        assert_true(fabsf(w[i] - below[i] - (i == 2 ? 0.3f : i == 7 ? -0.4f : 0)) < 1e-6f);
    for (int i = 0; i < 8; i++)
        g[i] = (float)i;
    nn_optim_step(o, s.t, 0.1f);
    for (int i = 0; i < 8; i++)
        assert_true(fabsf(w[i] - (below[i] - 0.1f * (float)i)) < 1e-6f);
    memcpy(below, w, sizeof below);
    g[3] = INFINITY;
    assert_false(nn_optim_climb(o, s.t));
    assert_memory_equal(w, below, sizeof below);
    nn_optim_destroy(o);
    free_small(s);
}

static void test_unknown_name(void **state)
{
    (void)state;
    enum nn_optim_kind kind;
    assert_false(nn_optim_parse("lion", &kind));
}

static void test_state_resumes(void **state)
{
    (void)state;
    struct small a = small_tape(), b = small_tape();
    struct nn_optim_params p = nn_optim_defaults(NN_ADAMW);
    p.ema = 0.9f;
    struct nn_optim *x = nn_optim_create(a.t, &p), *y = nn_optim_create(b.t, &p);
    size_t count, same;
    for (uint32_t step = 0; step < 4; step++) {
        if (step == 2) { /* y takes over from x here */
            memcpy(nn_optim_state(y, &same), nn_optim_state(x, &count), 24 * sizeof(float));
            nn_optim_set_steps(y, nn_optim_steps(x));
            memcpy(nn_tape_weights(b.t), nn_tape_weights(a.t), 8 * sizeof(float));
            assert_int_equal(count, 24);
            assert_int_equal(same, 24);
        }
        set_gradient(a.t, step);
        nn_optim_step(x, a.t, 0.1f);
        if (step >= 2) {
            set_gradient(b.t, step);
            nn_optim_step(y, b.t, 0.1f);
        }
    }
    assert_memory_equal(nn_tape_weights(a.t), nn_tape_weights(b.t), 8 * sizeof(float));
    assert_memory_equal(nn_optim_averaged(x), nn_optim_averaged(y), 8 * sizeof(float));
    nn_optim_destroy(x);
    nn_optim_destroy(y);
    free_small(a);
    free_small(b);
}

static void test_average_follows(void **state)
{
    (void)state;
    struct small s = small_tape();
    struct nn_optim_params p = nn_optim_defaults(NN_SGD);
    p.ema = 0.999f;
    struct nn_optim *o = nn_optim_create(s.t, &p);
    set_gradient(s.t, 0);
    nn_optim_step(o, s.t, 0.1f);
    float first = nn_tape_weights(s.t)[0];
    assert_float_equal(nn_optim_averaged(o)[0], first, 1e-7);
    set_gradient(s.t, 1);
    nn_optim_step(o, s.t, 0.1f);
    float keep = 2.0f / 11.0f; /* young: (1 + 1) / (10 + 1) */
    assert_float_equal(nn_optim_averaged(o)[0], keep * first + (1 - keep) * nn_tape_weights(s.t)[0],
                       1e-6);
    nn_optim_destroy(o);
    free_small(s);
}

static void test_gradient_that_is_not_finite_changes_nothing(void **state)
{
    (void)state;
    struct small s = small_tape();
    struct nn_optim_params p = nn_optim_defaults(NN_ADAM);
    struct nn_optim *o = nn_optim_create(s.t, &p);
    set_gradient(s.t, 0);
    nn_tape_gradients(s.t)[3] = NAN;
    assert_false(isfinite(nn_optim_step(o, s.t, 0.1f)));
    assert_float_equal(nn_tape_weights(s.t)[0], pattern(0, 1), 0);
    assert_int_equal(nn_optim_steps(o), 0);
    nn_optim_destroy(o);
    free_small(s);
}

static void test_schedules(void **state)
{
    (void)state;
    assert_float_equal(nn_schedule_cosine(0.05, 0.1, 0), 0.5f, 1e-6);
    assert_float_equal(nn_schedule_cosine(0.1, 0.1, 0), 1, 1e-6);
    assert_float_equal(nn_schedule_cosine(0.55, 0.1, 0), 0.5f, 1e-6);
    assert_float_equal(nn_schedule_cosine(1, 0.1, 0.01f), 0.01f, 1e-6);
    assert_float_equal(nn_schedule_step(29, 10, 0.5f), 0.25f, 1e-6);
    struct nn_plateau p = {.scale = 1};
    float expected[] = {1, 1, 1, 0.5f, 0.5f};
    float losses[] = {2, 1, 1, 1, 0.5f}; /* two epochs without progress: more than patience 1 */
    for (int i = 0; i < 5; i++)
        assert_float_equal(nn_schedule_plateau(&p, losses[i], 1, 0.5f), expected[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trajectories),
        cmocka_unit_test(test_a_climb_is_undone_by_the_step),
        cmocka_unit_test(test_unknown_name),
        cmocka_unit_test(test_state_resumes),
        cmocka_unit_test(test_average_follows),
        cmocka_unit_test(test_gradient_that_is_not_finite_changes_nothing),
        cmocka_unit_test(test_schedules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
