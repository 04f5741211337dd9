/* The training executor against PyTorch's numbers (tests/golden/tape.bin, written once by
 * make_golden.py), against finite differences, against itself with other thread counts, and at its
 * purpose: it learns eight images by heart. */
#include "support/testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/pool.h"
#include "internal.h"
#include "nn/layers.h"
#include "nn/optim.h"
#include "nn/zoo.h"

/* Numbers in [-1, 1) that make_golden.py computes alike. */
static float pattern(uint32_t i, uint32_t seed)
{
    uint32_t x = i * 2654435761u + seed * 97531u;
    x ^= x >> 15;
    x *= 2246822519u;
    x ^= x >> 13;
    return (float)((double)x / 2147483648.0 - 1.0);
}

static bool ends_with(const char *s, const char *end)
{
    return strlen(s) >= strlen(end) && !strcmp(s + strlen(s) - strlen(end), end);
}

static int64_t rows_of(const struct nn_graph *g, const char *name)
{
    return nn_graph_shape(g, nn_graph_find(g, name))->dims[0];
}

/* make_golden.py: fill() */
static void fill_weights(const struct nn_graph *g, struct nn_tape *t)
{
    int count;
    const struct nn_tape_span *s = nn_tape_spans(t, &count);
    for (int i = 0; i < count && s[i].trainable; i++) {
        float *w = nn_tape_weights(t) + s[i].offset;
        float fan_in = (float)s[i].count / (float)rows_of(g, s[i].name);
        for (size_t k = 0; k < s[i].count; k++) {
            float v = pattern((uint32_t)k, (uint32_t)i + 1);
            w[k] = s[i].decay ? v * sqrtf(6.0f / fan_in)
                              : v * 0.2f + (ends_with(s[i].name, "weight") ? 1.0f : 0.0f);
        }
    }
}

static void fill_input(struct nn_tape *t, size_t floats)
{
    for (size_t i = 0; i < floats; i++)
        nn_tape_input(t)[i] = pattern((uint32_t)i, 0);
}

/* The cases of make_golden.py: CASES */

static nn_value conv(struct nn_graph *g, nn_value x, int out, int kernel, int pad)
{
    return nn_conv2d(
        g, x, (struct nn_conv){.out = out, .kernel = kernel, .pads = {pad, pad, pad, pad, false}});
}

static nn_value relu(struct nn_graph *g, nn_value x)
{
    return nn_activation(g, x, NN_ACT_RELU);
}

static nn_value same_relu(struct nn_graph *g, nn_value x)
{
    struct nn_pads one = {1, 1, 1, 1, false};
    x = relu(g,
             nn_conv2d(g, x, (struct nn_conv){.out = 18, .kernel = 3, .pads = one, .bias = true}));
    return relu(
        g, nn_conv2d(g, x, (struct nn_conv){.out = 17, .kernel = 3, .pads = one, .bias = true}));
}

static nn_value stride(struct nn_graph *g, nn_value x)
{
    return nn_conv2d(
        g, conv(g, x, 18, 3, 0),
        (struct nn_conv){.out = 20, .kernel = 5, .stride = 2, .pads = {1, 1, 2, 2, false}});
}

static nn_value dilated(struct nn_graph *g, nn_value x)
{
    return nn_conv2d(
        g, conv(g, x, 18, 3, 1),
        (struct nn_conv){.out = 9, .kernel = 3, .dilation = 2, .pads = {2, 2, 2, 2, false}});
}

static nn_value stride_dilated(struct nn_graph *g, nn_value x)
{
    return nn_conv2d(
        g, conv(g, x, 18, 3, 1),
        (struct nn_conv){
            .out = 9, .kernel = 3, .stride = 2, .dilation = 2, .pads = {2, 2, 2, 2, false}});
}

static nn_value groups(struct nn_graph *g, nn_value x)
{
    return nn_conv2d(
        g, conv(g, x, 18, 3, 1),
        (struct nn_conv){.out = 24, .kernel = 3, .groups = 6, .pads = {1, 1, 1, 1, false}});
}

static nn_value skips(struct nn_graph *g, nn_value x)
{
    return nn_conv2d(g, conv(g, x, 18, 3, 1),
                     (struct nn_conv){.out = 16, .kernel = 2, .stride = 3});
}

static nn_value pointwise2(struct nn_graph *g, nn_value x)
{
    return nn_conv2d(g, conv(g, x, 18, 3, 1),
                     (struct nn_conv){.out = 33, .kernel = 1, .stride = 2});
}

static nn_value depthwise(struct nn_graph *g, nn_value x)
{
    return nn_conv2d(
        g, conv(g, x, 18, 3, 1),
        (struct nn_conv){.out = 18, .kernel = 3, .groups = 18, .pads = {1, 1, 1, 1, false}});
}

static nn_value depthwise_stride(struct nn_graph *g, nn_value x)
{
    return nn_conv2d(
        g, conv(g, x, 18, 3, 1),
        (struct nn_conv){
            .out = 18, .kernel = 3, .stride = 2, .groups = 18, .pads = {1, 1, 1, 1, false}});
}

static nn_value batchnorm(struct nn_graph *g, nn_value x)
{
    x = nn_activation(g, nn_batchnorm(g, conv(g, x, 18, 3, 1)), NN_ACT_RELU6);
    return nn_batchnorm(g, conv(g, x, 4, 3, 0));
}

static nn_value pools(struct nn_graph *g, nn_value x)
{
    struct nn_pads one = {1, 1, 1, 1, false};
    x = nn_maxpool(g, conv(g, x, 18, 3, 1), (struct nn_pool){3, 2, one});
    return nn_avgpool(g, conv(g, x, 8, 1, 0), (struct nn_pool){3, 1, one});
}

static nn_value residual(struct nn_graph *g, nn_value x)
{
    x = relu(g, conv(g, x, 20, 3, 1));
    nn_value y = relu(g, nn_add(g, conv(g, x, 20, 3, 1), x));
    return nn_add(g, relu(g, conv(g, y, 20, 1, 0)), y);
}

static nn_value excite(struct nn_graph *g, nn_value x)
{
    x = nn_batchnorm(g, conv(g, x, 18, 3, 1));
    /* PyTorch lists the norm before the two convolutions, and so does the graph */
    nn_value z = nn_global_avgpool(g, x);
    z = relu(g, nn_conv2d(g, z, (struct nn_conv){.out = 4, .kernel = 1, .bias = true}));
    z = nn_conv2d(g, z, (struct nn_conv){.out = 18, .kernel = 1, .bias = true});
    return nn_mul(g, x, nn_activation(g, z, NN_ACT_SIGMOID));
}

static nn_value concat(struct nn_graph *g, nn_value x)
{
    nn_value a = nn_activation(g, conv(g, x, 10, 3, 0), NN_ACT_LEAKY_RELU);
    nn_value b = nn_activation(g, conv(g, x, 13, 3, 0), NN_ACT_TANH);
    return conv(g, nn_concat(g, a, b), 5, 3, 0);
}

static nn_value swish(struct nn_graph *g, nn_value x)
{
    x = nn_activation(g, conv(g, x, 6, 3, 0), NN_ACT_SWISH);
    return nn_activation(g, conv(g, x, 6, 3, 0), NN_ACT_HARD_SWISH);
}

static nn_value plain(struct nn_graph *g, nn_value x)
{
    return conv(g, x, 5, 3, 0);
}

static nn_value dropped(struct nn_graph *g, nn_value x)
{
    return nn_dropout(g, relu(g, conv(g, x, 16, 3, 0)), 0.5f);
}

static const float class_weights[] = {0.5f, 2, 1, 3};

static const struct golden_case {
    const char *name; /* as in tape.bin */
    nn_value (*body)(struct nn_graph *g, nn_value x);
    float smoothing;
    const float *weights;
    bool soft; /* a second head with soft shares that counts half */
} cases[] = {
    {"conv-same-relu", same_relu, 0, NULL, false},
    {"conv-stride", stride, 0, NULL, false},
    {"conv-dilated", dilated, 0, NULL, false},
    {"conv-stride-dilated", stride_dilated, 0, NULL, false},
    {"conv-groups", groups, 0, NULL, false},
    {"conv-skips", skips, 0, NULL, false},
    {"conv-pointwise-2", pointwise2, 0, NULL, false},
    {"depthwise", depthwise, 0, NULL, false},
    {"depthwise-stride", depthwise_stride, 0, NULL, false},
    {"batchnorm", batchnorm, 0, NULL, false},
    {"pools", pools, 0, NULL, false},
    {"residual", residual, 0, NULL, false},
    {"excite", excite, 0, NULL, false},
    {"concat", concat, 0, NULL, false},
    {"swish", swish, 0, NULL, false},
    {"smoothing", plain, 0.1f, NULL, false},
    {"class-weights", plain, 0, class_weights, false},
    {"two-heads", plain, 0, NULL, true},
};
enum { CASES = sizeof cases / sizeof *cases, IMAGES = 2, INPUT = 3 * 9 * 7, SHARES = 10 };

static struct nn_graph *build(nn_value (*body)(struct nn_graph *, nn_value), bool two_heads)
{
    struct nn_graph *g = nn_graph_create("case", 1);
    nn_value x = nn_flatten(g, body(g, nn_input(g, "input", 3, 9, 7)));
    nn_graph_output(g, nn_dense(g, x, 4), "logits");
    if (two_heads)
        nn_graph_output(g, nn_dense(g, x, SHARES), "second");
    struct err err = {0};
    if (nn_graph_finish(g, &err) < 0)
        fail_msg("%s", err.text);
    return g;
}

static struct nn_tape *tape_of(struct nn_graph *g, int batch, struct pool *pool)
{
    struct nn_tape *t = NULL;
    struct err err = {0};
    if (nn_tape_create(&t, g, batch, pool, &err) < 0)
        fail_msg("%s", err.text);
    return t;
}

/* What losses() of make_golden.py asks for. */
struct targets {
    int labels[64];
    float shares[64 * SHARES];
    struct nn_target of[2];
};

static void set_targets(struct targets *s, const struct golden_case *c, int images, int classes)
{
    for (int i = 0; i < images; i++) {
        double sum = 0;
        s->labels[i] = (2 * i + 1) % classes;
        for (int k = i * SHARES; k < (i + 1) * SHARES; k++)
            sum += s->shares[k] = fabsf(pattern((uint32_t)k, 77));
        for (int k = i * SHARES; k < (i + 1) * SHARES; k++)
            s->shares[k] = (float)(s->shares[k] / sum);
    }
    s->of[0] = (struct nn_target){.labels = s->labels,
                                  .class_weights = c ? c->weights : NULL,
                                  .smoothing = c ? c->smoothing : 0,
                                  .weight = 1};
    s->of[1] = (struct nn_target){.shares = s->shares, .weight = 0.5f};
}

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
    for (int i = 0; i < CASES; i++) {
        struct nn_graph *g = build(cases[i].body, cases[i].soft);
        struct nn_tape *t = tape_of(g, IMAGES, NULL);
        struct targets s;
        set_targets(&s, &cases[i], IMAGES, 4);
        fill_weights(g, t);
        fill_input(t, IMAGES * INPUT);
        expect_step(cases[i].name, g, t, IMAGES, s.of, false, 2e-5);
        /* a second step must not see anything that the first left behind, nor a larger batch */
        struct nn_tape *larger = tape_of(g, 5, NULL);
        fill_weights(g, larger);
        for (size_t k = 0; k < 5 * INPUT; k++)
            nn_tape_input(larger)[k] = 3;
        nn_tape_forward(larger, 5, NN_TRAIN, 0);
        nn_tape_loss(larger, s.of);
        nn_tape_backward(larger);
        nn_tape_load(larger);
        fill_weights(g, larger);
        fill_input(larger, IMAGES * INPUT);
        expect_step(cases[i].name, g, larger, IMAGES, s.of, false, 2e-5);
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
    struct targets s;
    set_targets(&s, NULL, 4, 7);
    fill_weights(g, t);
    fill_input(t, 4 * 48 * 48);
    expect_step("xception38", g, t, 4, s.of, true, 2e-4);
    nn_tape_destroy(t);
    nn_graph_destroy(g);
}

/* Batches that are large enough work by slots of images, with less memory: a batch in which every
 * image stands many times has the loss and the gradient of the small one. */
static void check_repeated(const char *name, struct nn_graph *g, int images, size_t floats,
                           const struct golden_case *c, int classes)
{
    enum { TIMES = 20 };
    struct nn_tape *small = tape_of(g, images, NULL), *large = tape_of(g, images * TIMES, NULL);
    static struct targets s, l;
    set_targets(&s, c, images, classes);
    set_targets(&l, c, images * TIMES, classes);
    fill_weights(g, small);
    fill_weights(g, large);
    fill_input(small, (size_t)images * floats);
    for (int i = 0; i < images * TIMES; i++) {
        memcpy(nn_tape_input(large) + (size_t)i * floats,
               nn_tape_input(small) + (size_t)(i % images) * floats, floats * sizeof(float));
        l.labels[i] = s.labels[i % images];
        memcpy(l.shares + i * SHARES, s.shares + i % images * SHARES, SHARES * sizeof(float));
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
    for (int i = 0; i < CASES; i++) {
        struct nn_graph *g = build(cases[i].body, cases[i].soft);
        check_repeated(cases[i].name, g, IMAGES, INPUT, &cases[i], 4);
        nn_graph_destroy(g);
    }
    static const char *const names[] = {"xception38", "moodreel-fast", "moodreel-best"};
    for (int i = 0; i < 3; i++) {
        struct nn_graph *g = NULL;
        struct nn_zoo_options o = {.height = 32, .width = 32, .width_factor = i ? 0.5f : 1};
        assert_int_equal(nn_zoo_build(&g, names[i], &o, NULL), 0);
        /* their dropout would differ from image to image */
        for (size_t v = 0; v < g->value_count; v++)
            if (ends_with(g->values[v].name, "ratio"))
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
    nn_value x = conv(g, nn_input(g, "input", 3, SIDE, SIDE), WIDE_IN, 1, 0);
    x = nn_flatten(g, conv(g, x, WIDE_OUT, 3, 1));
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
    fill_input(t, 3 * 3 * PIXELS);
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
    nn_tape_forward(t, IMAGES, NN_TRAIN, 1);
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
        d[k] = g * (1 + 0.5f * pattern((uint32_t)k, 500));
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
    struct nn_tape *t = tape_of(g, IMAGES, NULL);
    struct targets s;
    set_targets(&s, NULL, IMAGES, 4);
    fill_weights(g, t);
    fill_input(t, IMAGES * 3 * SIDE * SIDE);
    check_differences("large layer", t, s.of);
    nn_tape_destroy(t);
    nn_graph_destroy(g);
}

static void test_finite_differences(void **state)
{
    (void)state;
    static const struct golden_case dropout = {"dropout", dropped, 0, NULL, false};
    for (int i = 0; i <= CASES; i++) {
        const struct golden_case *c = i < CASES ? &cases[i] : &dropout;
        struct nn_graph *g = build(c->body, c->soft);
        struct nn_tape *t = tape_of(g, IMAGES, NULL);
        struct targets s;
        set_targets(&s, c, IMAGES, 4);
        fill_weights(g, t);
        fill_input(t, IMAGES * INPUT);
        check_differences(c->name, t, s.of);
        nn_tape_destroy(t);
        nn_graph_destroy(g);
    }
}

/* Determinism */

static void train_steps(struct nn_tape *t, int steps, float *losses)
{
    struct nn_optim_params p = nn_optim_defaults(NN_SGD);
    struct nn_optim *o = nn_optim_create(t, &p);
    struct targets s;
    set_targets(&s, NULL, 11, 7);
    for (int i = 0; i < steps; i++) {
        for (size_t k = 0; k < 11 * 44 * 44; k++)
            nn_tape_input(t)[k] = pattern((uint32_t)k, (uint32_t)i);
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
    struct nn_graph *g = build(dropped, false);
    struct nn_tape *t = tape_of(g, IMAGES, NULL);
    float first[8];
    fill_input(t, IMAGES * INPUT);
    nn_tape_forward(t, IMAGES, NN_TRAIN, 1);
    memcpy(first, nn_tape_output(t, 0), sizeof first);
    nn_tape_forward(t, IMAGES, NN_TRAIN, 2);
    assert_memory_not_equal(first, nn_tape_output(t, 0), sizeof first);
    nn_tape_forward(t, IMAGES, NN_TRAIN, 1);
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
    struct targets s;
    set_targets(&s, NULL, 8, 7);
    fill_input(t, 8 * 48 * 48);
    float loss = 9;
    for (int i = 0; i < 60 && loss > 0.01f; i++) {
        nn_tape_forward(t, 8, NN_TRAIN, (uint64_t)i);
        loss = nn_tape_loss(t, s.of);
        nn_tape_backward(t);
        nn_optim_step(optim, t, 0.01f);
    }
    assert_true(loss < 0.05f);
    /* running statistics have followed: without batch statistics it still knows them */
    for (int i = 0; i < 30; i++)
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
    struct nn_graph *g = build(batchnorm, false);
    nn_graph_freeze(g, g->nodes[g->node_count - 1].inputs[0]); /* all but the dense layer */
    struct nn_tape *t = tape_of(g, IMAGES, NULL);
    struct nn_optim_params p = nn_optim_defaults(NN_SGD);
    struct nn_optim *o = nn_optim_create(t, &p);
    struct targets s;
    set_targets(&s, NULL, IMAGES, 4);
    size_t n = nn_tape_trainable(t), rest = nn_tape_total(t) - n;
    float *before = malloc(nn_tape_total(t) * sizeof *before);
    memcpy(before, nn_tape_weights(t), nn_tape_total(t) * sizeof *before);
    fill_input(t, IMAGES * INPUT);
    nn_tape_forward(t, IMAGES, NN_TRAIN, 0);
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
    struct nn_graph *g = build(plain, false);
    struct nn_tape *a = tape_of(g, IMAGES, NULL);
    fill_weights(g, a);
    nn_tape_store(a, NULL);
    struct nn_tape *b = tape_of(g, IMAGES, NULL);
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
    assert_int_equal(nn_tape_create(&t, g, 2, NULL, &err), ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "Softmax"));
    assert_int_equal(nn_tape_create(&t, g, 0, NULL, &err), ERR_RANGE);
    nn_graph_destroy(g);
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
        cmocka_unit_test(test_threads_give_equal_bits),
        cmocka_unit_test(test_dropout_follows_the_step),
        cmocka_unit_test(test_learns_eight_images),
        cmocka_unit_test(test_frozen_part_stays),
        cmocka_unit_test(test_store_and_load),
        cmocka_unit_test(test_refuses_what_it_cannot_train),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
