/* The small networks that the training tests run, as make_golden.py builds them: see tape_cases.h.
 */
#include "engine/tape_cases.h"

#include <math.h>
#include <string.h>

#include "nn/layers.h"

float tape_pattern(uint32_t i, uint32_t seed)
{
    uint32_t x = i * 2654435761u + seed * 97531u;
    x ^= x >> 15;
    x *= 2246822519u;
    x ^= x >> 13;
    return (float)((double)x / 2147483648.0 - 1.0);
}

bool tape_ends_with(const char *s, const char *end)
{
    return strlen(s) >= strlen(end) && !strcmp(s + strlen(s) - strlen(end), end);
}

static int64_t rows_of(const struct nn_graph *g, const char *name)
{
    return nn_graph_shape(g, nn_graph_find(g, name))->dims[0];
}

void tape_fill_weights(const struct nn_graph *g, struct nn_tape *t)
{
    int count;
    const struct nn_tape_span *s = nn_tape_spans(t, &count);
    for (int i = 0; i < count && s[i].trainable; i++) {
        float *w = nn_tape_weights(t) + s[i].offset;
        float fan_in = (float)s[i].count / (float)rows_of(g, s[i].name);
        for (size_t k = 0; k < s[i].count; k++) {
            float v = tape_pattern((uint32_t)k, (uint32_t)i + 1);
            w[k] = s[i].decay ? v * sqrtf(6.0f / fan_in)
                              : v * 0.2f + (tape_ends_with(s[i].name, "weight") ? 1.0f : 0.0f);
        }
    }
}

void tape_fill_input(struct nn_tape *t, size_t floats)
{
    for (size_t i = 0; i < floats; i++)
        nn_tape_input(t)[i] = tape_pattern((uint32_t)i, 0);
}

/* The cases of make_golden.py: TAPE_CASES */

nn_value case_conv(struct nn_graph *g, nn_value x, int out, int kernel, int pad)
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
        g, case_conv(g, x, 18, 3, 0),
        (struct nn_conv){.out = 20, .kernel = 5, .stride = 2, .pads = {1, 1, 2, 2, false}});
}

static nn_value dilated(struct nn_graph *g, nn_value x)
{
    return nn_conv2d(
        g, case_conv(g, x, 18, 3, 1),
        (struct nn_conv){.out = 9, .kernel = 3, .dilation = 2, .pads = {2, 2, 2, 2, false}});
}

static nn_value stride_dilated(struct nn_graph *g, nn_value x)
{
    return nn_conv2d(
        g, case_conv(g, x, 18, 3, 1),
        (struct nn_conv){
            .out = 9, .kernel = 3, .stride = 2, .dilation = 2, .pads = {2, 2, 2, 2, false}});
}

static nn_value groups(struct nn_graph *g, nn_value x)
{
    return nn_conv2d(
        g, case_conv(g, x, 18, 3, 1),
        (struct nn_conv){.out = 24, .kernel = 3, .groups = 6, .pads = {1, 1, 1, 1, false}});
}

static nn_value skips(struct nn_graph *g, nn_value x)
{
    return nn_conv2d(g, case_conv(g, x, 18, 3, 1),
                     (struct nn_conv){.out = 16, .kernel = 2, .stride = 3});
}

static nn_value pointwise2(struct nn_graph *g, nn_value x)
{
    return nn_conv2d(g, case_conv(g, x, 18, 3, 1),
                     (struct nn_conv){.out = 33, .kernel = 1, .stride = 2});
}

static nn_value depthwise(struct nn_graph *g, nn_value x)
{
    return nn_conv2d(
        g, case_conv(g, x, 18, 3, 1),
        (struct nn_conv){.out = 18, .kernel = 3, .groups = 18, .pads = {1, 1, 1, 1, false}});
}

static nn_value depthwise_stride(struct nn_graph *g, nn_value x)
{
    return nn_conv2d(
        g, case_conv(g, x, 18, 3, 1),
        (struct nn_conv){
            .out = 18, .kernel = 3, .stride = 2, .groups = 18, .pads = {1, 1, 1, 1, false}});
}

nn_value case_batchnorm(struct nn_graph *g, nn_value x)
{
    x = nn_activation(g, nn_batchnorm(g, case_conv(g, x, 18, 3, 1)), NN_ACT_RELU6);
    return nn_batchnorm(g, case_conv(g, x, 4, 3, 0));
}

static nn_value pools(struct nn_graph *g, nn_value x)
{
    struct nn_pads one = {1, 1, 1, 1, false};
    x = nn_maxpool(g, case_conv(g, x, 18, 3, 1), (struct nn_pool){3, 2, one});
    return nn_avgpool(g, case_conv(g, x, 8, 1, 0), (struct nn_pool){3, 1, one});
}

static nn_value residual(struct nn_graph *g, nn_value x)
{
    x = relu(g, case_conv(g, x, 20, 3, 1));
    nn_value y = relu(g, nn_add(g, case_conv(g, x, 20, 3, 1), x));
    return nn_add(g, relu(g, case_conv(g, y, 20, 1, 0)), y);
}

static nn_value excite(struct nn_graph *g, nn_value x)
{
    x = nn_batchnorm(g, case_conv(g, x, 18, 3, 1));
    /* PyTorch lists the norm before the two convolutions, and so does the graph */
    nn_value z = nn_global_avgpool(g, x);
    z = relu(g, nn_conv2d(g, z, (struct nn_conv){.out = 4, .kernel = 1, .bias = true}));
    z = nn_conv2d(g, z, (struct nn_conv){.out = 18, .kernel = 1, .bias = true});
    return nn_mul(g, x, nn_activation(g, z, NN_ACT_SIGMOID));
}

static nn_value concat(struct nn_graph *g, nn_value x)
{
    nn_value a = nn_activation(g, case_conv(g, x, 10, 3, 0), NN_ACT_LEAKY_RELU);
    nn_value b = nn_activation(g, case_conv(g, x, 13, 3, 0), NN_ACT_TANH);
    return case_conv(g, nn_concat(g, a, b), 5, 3, 0);
}

static nn_value swish(struct nn_graph *g, nn_value x)
{
    x = nn_activation(g, case_conv(g, x, 6, 3, 0), NN_ACT_SWISH);
    return nn_activation(g, case_conv(g, x, 6, 3, 0), NN_ACT_HARD_SWISH);
}

nn_value case_plain(struct nn_graph *g, nn_value x)
{
    return case_conv(g, x, 5, 3, 0);
}

nn_value case_dropped(struct nn_graph *g, nn_value x)
{
    return nn_dropout(g, relu(g, case_conv(g, x, 16, 3, 0)), 0.5f);
}

static const float class_weights[] = {0.5f, 2, 1, 3};

const struct tape_case tape_cases[TAPE_CASES] = {
    {"conv-same-relu", same_relu, 0, NULL, false},
    {"conv-stride", stride, 0, NULL, false},
    {"conv-dilated", dilated, 0, NULL, false},
    {"conv-stride-dilated", stride_dilated, 0, NULL, false},
    {"conv-groups", groups, 0, NULL, false},
    {"conv-skips", skips, 0, NULL, false},
    {"conv-pointwise-2", pointwise2, 0, NULL, false},
    {"depthwise", depthwise, 0, NULL, false},
    {"depthwise-stride", depthwise_stride, 0, NULL, false},
    {"batchnorm", case_batchnorm, 0, NULL, false},
    {"pools", pools, 0, NULL, false},
    {"residual", residual, 0, NULL, false},
    {"excite", excite, 0, NULL, false},
    {"concat", concat, 0, NULL, false},
    {"swish", swish, 0, NULL, false},
    {"smoothing", case_plain, 0.1f, NULL, false},
    {"class-weights", case_plain, 0, class_weights, false},
    {"two-heads", case_plain, 0, NULL, true},
};

struct nn_graph *tape_build(nn_value (*body)(struct nn_graph *, nn_value), bool two_heads)
{
    struct nn_graph *g = nn_graph_create("case", 1);
    nn_value x = nn_flatten(g, body(g, nn_input(g, "input", 3, 9, 7)));
    nn_graph_output(g, nn_dense(g, x, 4), "logits");
    if (two_heads)
        nn_graph_output(g, nn_dense(g, x, CASE_SHARES), "second");
    struct err err = {0};
    if (nn_graph_finish(g, &err) < 0)
        fail_msg("%s", err.text);
    return g;
}

struct nn_tape *tape_in(enum nn_precision precision, struct nn_graph *g, int batch,
                        struct pool *pool)
{
    struct nn_tape *t = NULL;
    struct err err = {0};
    if (nn_tape_create(&t, g, batch, precision, pool, &err) < 0)
        fail_msg("%s", err.text);
    return t;
}

struct nn_tape *tape_of(struct nn_graph *g, int batch, struct pool *pool)
{
    return tape_in(NN_FP32, g, batch, pool);
}

void tape_set_targets(struct tape_targets *s, const struct tape_case *c, int images, int classes)
{
    for (int i = 0; i < images; i++) {
        double sum = 0;
        s->labels[i] = (2 * i + 1) % classes;
        for (int k = i * CASE_SHARES; k < (i + 1) * CASE_SHARES; k++)
            sum += s->shares[k] = fabsf(tape_pattern((uint32_t)k, 77));
        for (int k = i * CASE_SHARES; k < (i + 1) * CASE_SHARES; k++)
            s->shares[k] = (float)(s->shares[k] / sum);
    }
    s->of[0] = (struct nn_target){.labels = s->labels,
                                  .class_weights = c ? c->weights : NULL,
                                  .smoothing = c ? c->smoothing : 0,
                                  .weight = 1};
    s->of[1] = (struct nn_target){.shares = s->shares, .weight = 0.5f};
}
