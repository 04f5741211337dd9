/* The numbers of the training executor: against PyTorch's (tests/golden/tape.bin, written once by
 * make_golden.py), against plain loops and against finite differences. */
#include "engine/tape_cases.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "nn/layers.h"
#include "nn/zoo.h"

/* Golden numbers */

static float *read_golden(const char *file, const char *name, int *count)
{
    char path[512];
    char *data;
    size_t len;
    snprintf(path, sizeof path, "%s/tests/golden/%s", MOODREEL_SOURCE_DIR, file);
    assert_int_equal(path_read(path, (void **)&data, &len, 1 << 20, NULL), 0);
    for (size_t at = 0; at + 36 <= len; at += 36 + 4 * (size_t)*count) {
        memcpy(count, data + at + 32, sizeof *count);
        if (strcmp(data + at, name) != 0)
            continue;
        float *floats = malloc(4 * (size_t)*count);
        memcpy(floats, data + at + 36, 4 * (size_t)*count);
        free(data);
        return floats;
    }
    fail_msg("%s holds no \"%s\"", file, name);
    return NULL;
}

/* Compares floats with the next golden ones, relative to the largest of them. */
static const float *expect(const char *name, const char *what, const float *want, const float *got,
                           size_t n, double tolerance)
{
    double top = 1e-3;
    for (size_t i = 0; i < n; i++)
        top = fabs(want[i]) > top ? fabs(want[i]) : top;
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)want[i] - got[i]) <= tolerance * top))
            fail_msg("%s: %s[%zu] is %.7g, PyTorch has %.7g", name, what, i, (double)got[i],
                     (double)want[i]);
    return want + n;
}

/* make_golden.py: sampled() */
static const float *expect_sampled(const char *name, const char *what, const float *want,
                                   const float *got, size_t n, double tolerance)
{
    float all[9];
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += (double)got[i] * got[i];
    all[0] = (float)sqrt(squares);
    for (size_t i = 0; i < 8; i++)
        all[1 + i] = got[i * (n - 1) / 7];
    return expect(name, what, want, all, 9, tolerance);
}

static void expect_step(const char *name, const struct nn_graph *g, struct nn_tape *t, int images,
                        const struct nn_target *targets, bool sample, double tolerance)
{
    int count, spans;
    float *golden = read_golden("tape.bin", name, &count);
    const float *next = golden;
    nn_tape_forward(t, images, NN_TRAIN, 1);
    for (int i = 0; i < nn_graph_output_count(g); i++)
        next = expect(name, "output", next, nn_tape_output(t, i),
                      (size_t)(images * nn_tape_output_width(t, i)), tolerance);
    float loss = nn_tape_loss(t, targets);
    next = expect(name, "loss", next, &loss, 1, tolerance);
    nn_tape_backward(t);
    const struct nn_tape_span *s = nn_tape_spans(t, &spans);
    for (int i = 0; i < spans; i++) {
        const float *got =
            (s[i].trainable ? nn_tape_gradients(t) : nn_tape_weights(t)) + s[i].offset;
        next =
            (sample ? expect_sampled : expect)(name, s[i].name, next, got, s[i].count, tolerance);
    }
    assert_int_equal(next - golden, count);
    free(golden);
}

static void test_golden(void **state)
{
    (void)state;
    for (int i = 0; i < TAPE_CASES; i++) {
        struct nn_graph *g = tape_build(tape_cases[i].body, tape_cases[i].soft);
        struct nn_tape *t = tape_of(g, CASE_IMAGES, NULL);
        struct tape_targets s;
        tape_set_targets(&s, &tape_cases[i], CASE_IMAGES, 4);
        tape_fill_weights(g, t);
        tape_fill_input(t, CASE_IMAGES * CASE_INPUT);
        expect_step(tape_cases[i].name, g, t, CASE_IMAGES, s.of, false, 2e-5);
        /* a second step must not see anything that the first left behind, nor a larger batch */
        struct nn_tape *larger = tape_of(g, 5, NULL);
        tape_fill_weights(g, larger);
        for (size_t k = 0; k < 5 * CASE_INPUT; k++)
            nn_tape_input(larger)[k] = 3;
        nn_tape_forward(larger, 5, NN_TRAIN, 0);
        nn_tape_loss(larger, s.of);
        nn_tape_backward(larger);
        nn_tape_load(larger);
        tape_fill_weights(g, larger);
        tape_fill_input(larger, CASE_IMAGES * CASE_INPUT);
        expect_step(tape_cases[i].name, g, larger, CASE_IMAGES, s.of, false, 2e-5);
        nn_tape_destroy(larger);
        nn_tape_destroy(t);
        nn_graph_destroy(g);
    }
}

static void test_golden_xception38(void **state)
{
    (void)state;
    struct nn_graph *g = NULL;
    assert_int_equal(nn_zoo_build(&g, "xception38", NULL, NULL), 0);
    struct nn_tape *t = tape_of(g, 4, NULL);
    struct tape_targets s;
    tape_set_targets(&s, NULL, 4, 7);
    tape_fill_weights(g, t);
    tape_fill_input(t, 4 * 48 * 48);
    expect_step("xception38", g, t, 4, s.of, true, 2e-4);
    nn_tape_destroy(t);
    nn_graph_destroy(g);
}

/* Batches that are large enough work by slots of images, with less memory: a batch in which every
 * image stands many times has the loss and the gradient of the small one. */
static void check_repeated(const char *name, struct nn_graph *g, int images, size_t floats,
                           const struct tape_case *c, int classes)
{
    enum { TIMES = 20 };
    struct nn_tape *small = tape_of(g, images, NULL), *large = tape_of(g, images * TIMES, NULL);
    static struct tape_targets s, l;
    tape_set_targets(&s, c, images, classes);
    tape_set_targets(&l, c, images * TIMES, classes);
    tape_fill_weights(g, small);
    tape_fill_weights(g, large);
    tape_fill_input(small, (size_t)images * floats);
    for (int i = 0; i < images * TIMES; i++) {
        memcpy(nn_tape_input(large) + (size_t)i * floats,
               nn_tape_input(small) + (size_t)(i % images) * floats, floats * sizeof(float));
        l.labels[i] = s.labels[i % images];
        memcpy(l.shares + i * CASE_SHARES, s.shares + i % images * CASE_SHARES,
               CASE_SHARES * sizeof(float));
    }
    for (int step = 0; step < 2; step++) { /* the second one finds memory used */
        nn_tape_forward(small, images, NN_TRAIN, 0);
        nn_tape_forward(large, images * TIMES, NN_TRAIN, 0);
        float want = nn_tape_loss(small, s.of), got = nn_tape_loss(large, l.of);
        expect(name, "loss of the repeated batch", &want, &got, 1, 1e-4);
        nn_tape_backward(small);
        nn_tape_backward(large);
    }
    int spans;
    const struct nn_tape_span *span = nn_tape_spans(small, &spans);
    for (int i = 0; i < spans && span[i].trainable; i++)
        expect(name, span[i].name, nn_tape_gradients(small) + span[i].offset,
               nn_tape_gradients(large) + span[i].offset, span[i].count, 1e-3);
    nn_tape_destroy(small);
    nn_tape_destroy(large);
}

static void test_repeated_batch(void **state)
{
    (void)state;
    for (int i = 0; i < TAPE_CASES; i++) {
        struct nn_graph *g = tape_build(tape_cases[i].body, tape_cases[i].soft);
        check_repeated(tape_cases[i].name, g, CASE_IMAGES, CASE_INPUT, &tape_cases[i], 4);
        nn_graph_destroy(g);
    }
    static const char *const names[] = {"xception38", "moodreel-fast", "moodreel-best"};
    for (int i = 0; i < 3; i++) {
        struct nn_graph *g = NULL;
        struct nn_zoo_options o = {.height = 32, .width = 32, .width_factor = i ? 0.5f : 1};
        assert_int_equal(nn_zoo_build(&g, names[i], &o, NULL), 0);
        /* their dropout would differ from image to image */
        for (size_t v = 0; v < g->value_count; v++)
            if (tape_ends_with(g->values[v].name, "ratio"))
                *(float *)g->values[v].data = 0;
        check_repeated(names[i], g, 3, 32 * 32, NULL, 7);
        nn_graph_destroy(g);
    }
}

/* Large layers take another way: against plain loops. */

enum { SIDE = 5, WIDE_IN = 176, WIDE_OUT = 192 };

static void plain_conv(const float *x, const float *w, int in, int out, int k, float *y)
{
    for (int o = 0; o < out; o++)
        for (int r = 0; r < SIDE; r++)
            for (int c = 0; c < SIDE; c++) {
                double sum = 0;
                for (int i = 0; i < in; i++)
                    for (int a = 0; a < k; a++)
                        for (int b = 0; b < k; b++) {
                            int row = r + a - k / 2, col = c + b - k / 2;
                            if (row >= 0 && row < SIDE && col >= 0 && col < SIDE)
                                sum += (double)w[((o * in + i) * k + a) * k + b] *
                                       x[(i * SIDE + row) * SIDE + col];
                        }
                y[(o * SIDE + r) * SIDE + c] = (float)sum;
            }
}

static struct nn_graph *wide_graph(bool dense)
{
    struct nn_graph *g = nn_graph_create("wide", 2);
    nn_value x = case_conv(g, nn_input(g, "input", 3, SIDE, SIDE), WIDE_IN, 1, 0);
    x = nn_flatten(g, case_conv(g, x, WIDE_OUT, 3, 1));
    nn_graph_output(g, dense ? nn_dense(g, x, 4) : x, "logits");
    assert_int_equal(nn_graph_finish(g, NULL), 0);
    return g;
}

static void test_large_layer(void **state)
{
    (void)state;
    enum { PIXELS = SIDE * SIDE };
    struct nn_graph *g = wide_graph(false);
    struct nn_tape *t = tape_of(g, 3, NULL);
    static float middle[WIDE_IN * PIXELS], want[WIDE_OUT * PIXELS];
    tape_fill_input(t, 3 * 3 * PIXELS);
    nn_tape_forward(t, 3, NN_EVAL, 0);
    for (int i = 0; i < 3; i++) {
        const float *w = nn_tape_weights(t);
        plain_conv(nn_tape_input(t) + i * 3 * PIXELS, w, 3, WIDE_IN, 1, middle);
        plain_conv(middle, w + 3 * WIDE_IN, WIDE_IN, WIDE_OUT, 3, want);
        expect("large layer", "output", want, nn_tape_output(t, 0) + i * WIDE_OUT * PIXELS,
               WIDE_OUT * PIXELS, 2e-5);
    }
    nn_tape_destroy(t);
    nn_graph_destroy(g);
}

/* Finite differences */

static double loss_at(struct nn_tape *t, const struct nn_target *targets)
{
    nn_tape_forward(t, CASE_IMAGES, NN_TRAIN, 1);
    return nn_tape_loss(t, targets);
}

/* The loss with one tensor moved by `step` along the direction. */
static double moved_loss(struct nn_tape *t, const struct nn_target *targets,
                         const struct nn_tape_span *s, const float *from, const float *direction,
                         double step)
{
    float *w = nn_tape_weights(t) + s->offset;
    for (size_t k = 0; k < s->count; k++)
        w[k] = from[s->offset + k] + (float)(step * direction[k]);
    double loss = loss_at(t, targets);
    memcpy(w, from + s->offset, s->count * sizeof *w);
    return loss;
}

/* One tensor, along a direction d near its gradient: (L(w + e d) - L(w - e d)) / 2 e = g . d */
static void check_span(const char *name, struct nn_tape *t, const struct nn_target *targets,
                       const struct nn_tape_span *s, const float *gradient, const float *weights)
{
    float *d = malloc(s->count * sizeof *d);
    double slope = 0, length = 0;
    for (size_t k = 0; k < s->count; k++) {
        float g = gradient[s->offset + k];
        d[k] = g * (1 + 0.5f * tape_pattern((uint32_t)k, 500));
        slope += (double)g * d[k];
        length += (double)d[k] * d[k];
    }
    double step = 5e-3 / (sqrt(length) + 1e-9);
    double measured = (moved_loss(t, targets, s, weights, d, step) -
                       moved_loss(t, targets, s, weights, d, -step)) /
                      (2 * step);
    if (!(fabs(measured - slope) <= 0.03 * slope + 2e-6 / step))
        fail_msg("%s: along %s the loss has slope %g, its gradient says %g", name, s->name,
                 measured, slope);
    free(d);
}

static void check_differences(const char *name, struct nn_tape *t, const struct nn_target *targets)
{
    int spans;
    const struct nn_tape_span *s = nn_tape_spans(t, &spans);
    loss_at(t, targets);
    nn_tape_backward(t);
    size_t bytes = nn_tape_trainable(t) * sizeof(float);
    float *gradient = malloc(bytes), *weights = malloc(bytes);
    memcpy(gradient, nn_tape_gradients(t), bytes);
    memcpy(weights, nn_tape_weights(t), bytes);
    for (int i = 0; i < spans && s[i].trainable; i++)
        check_span(name, t, targets, &s[i], gradient, weights);
    free(gradient);
    free(weights);
}

static void test_finite_differences_of_large_layer(void **state)
{
    (void)state;
    struct nn_graph *g = wide_graph(true);
    struct nn_tape *t = tape_of(g, CASE_IMAGES, NULL);
    struct tape_targets s;
    tape_set_targets(&s, NULL, CASE_IMAGES, 4);
    tape_fill_weights(g, t);
    tape_fill_input(t, CASE_IMAGES * 3 * SIDE * SIDE);
    check_differences("large layer", t, s.of);
    nn_tape_destroy(t);
    nn_graph_destroy(g);
}

static void test_finite_differences(void **state)
{
    (void)state;
    static const struct tape_case dropout = {"dropout", case_dropped, 0, NULL, false};
    for (int i = 0; i <= TAPE_CASES; i++) {
        const struct tape_case *c = i < TAPE_CASES ? &tape_cases[i] : &dropout;
        struct nn_graph *g = tape_build(c->body, c->soft);
        struct nn_tape *t = tape_of(g, CASE_IMAGES, NULL);
        struct tape_targets s;
        tape_set_targets(&s, c, CASE_IMAGES, 4);
        tape_fill_weights(g, t);
        tape_fill_input(t, CASE_IMAGES * CASE_INPUT);
        check_differences(c->name, t, s.of);
        nn_tape_destroy(t);
        nn_graph_destroy(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_golden_xception38),
        cmocka_unit_test(test_repeated_batch),
        cmocka_unit_test(test_large_layer),
        cmocka_unit_test(test_finite_differences),
        cmocka_unit_test(test_finite_differences_of_large_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
