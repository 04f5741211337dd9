/* The zoo: one function and one row in the table for each network. */
#include "nn/zoo.h"

#include <string.h>

#include "base/str.h"
#include "nn/layers.h"

static const struct nn_pads same = {.same = true};

struct plan {
    struct nn_graph *g;
    int classes;
    float factor;
};

/* A channel count times the width factor. */
static int scaled(const struct plan *p, int channels)
{
    int n = (int)((float)channels * p->factor);
    return n < 1 ? 1 : n;
}

static nn_value relu(struct nn_graph *g, nn_value x)
{
    return nn_activation(g, x, NN_ACT_RELU);
}

static nn_value conv_relu(struct nn_graph *g, nn_value x, int out, int kernel, struct nn_pads pads)
{
    return relu(
        g, nn_conv2d(g, x,
                     (struct nn_conv){.out = out, .kernel = kernel, .pads = pads, .bias = true}));
}

static nn_value conv_norm(struct nn_graph *g, nn_value x, int out, int kernel, int stride)
{
    return nn_batchnorm(
        g,
        nn_conv2d(g, x,
                  (struct nn_conv){.out = out, .kernel = kernel, .stride = stride, .pads = same}));
}

static nn_value conv_norm_relu(struct nn_graph *g, nn_value x, int out, int kernel, int stride)
{
    return relu(g, conv_norm(g, x, out, kernel, stride));
}

static nn_value depthwise(struct nn_graph *g, nn_value x, int stride)
{
    int channels = x == NN_NONE ? 1 : (int)nn_graph_shape(g, x)->dims[1];
    return nn_conv2d(
        g, x,
        (struct nn_conv){
            .out = channels, .kernel = 3, .stride = stride, .groups = channels, .pads = same});
}

static nn_value pointwise(struct nn_graph *g, nn_value x, int out, int stride)
{
    return nn_conv2d(g, x, (struct nn_conv){.out = out, .kernel = 1, .stride = stride});
}

static nn_value pool2(struct nn_graph *g, nn_value x)
{
    return nn_maxpool(g, x, (struct nn_pool){.kernel = 2});
}

static void logits(const struct plan *p, nn_value x)
{
    nn_graph_output(p->g, nn_dense(p->g, x, p->classes), "logits");
}

static void two_heads(const struct plan *p, nn_value x)
{
    logits(p, x);
    nn_graph_output(p->g, nn_dense(p->g, x, NN_FERPLUS_SHARES), "ferplus");
}

/* Document 000: 32, 32, P, 64, 64, P, 128, 128, P, dense 1000. */
static void vgg6(const struct plan *p, nn_value x)
{
    static const int channels[] = {32, 64, 128};
    for (int i = 0; i < 3; i++) {
        x = conv_relu(p->g, x, scaled(p, channels[i]), 3, same);
        x = conv_relu(p->g, x, scaled(p, channels[i]), 3, same);
        x = pool2(p->g, x);
    }
    logits(p, relu(p->g, nn_dense(p->g, nn_flatten(p->g, x), scaled(p, 1000))));
}

/* Document 001 draws one of its three networks (figure 4): two 3x3 convolutions, then 5x5, 3x3 and
 * 3x3, each stage with pool and dropout. It gives no channel counts and says that the three differ
 * in depth: here they have five, four and three convolutions. */
static void cnn(const struct plan *p, nn_value x, int convolutions)
{
    static const struct {
        int channels, kernel;
        bool pool;
    } stages[] = {{32, 3, false}, {64, 3, true}, {128, 5, true}, {256, 3, true}, {256, 3, true}};
    for (int i = 5 - convolutions; i < 5; i++) {
        x = conv_relu(p->g, x, scaled(p, stages[i].channels), stages[i].kernel, same);
        if (stages[i].pool)
            x = nn_dropout(p->g, pool2(p->g, x), 0.25f);
    }
    x = relu(p->g, nn_dense(p->g, nn_flatten(p->g, x), scaled(p, 256)));
    logits(p, nn_dropout(p->g, x, 0.5f));
}

static void cnn1(const struct plan *p, nn_value x)
{
    cnn(p, x, 5);
}

static void cnn2(const struct plan *p, nn_value x)
{
    cnn(p, x, 4);
}

static void cnn3(const struct plan *p, nn_value x)
{
    cnn(p, x, 3);
}

/* Document 002: four convolutions without padding, pools, dropout, dense 1024. */
static void emoflix4(const struct plan *p, nn_value x)
{
    const struct nn_pads none = {0};
    x = conv_relu(p->g, x, scaled(p, 32), 3, none);
    x = nn_dropout(p->g, pool2(p->g, conv_relu(p->g, x, scaled(p, 64), 3, none)), 0.25f);
    x = pool2(p->g, conv_relu(p->g, x, scaled(p, 128), 3, none));
    x = nn_dropout(p->g, pool2(p->g, conv_relu(p->g, x, scaled(p, 128), 3, none)), 0.25f);
    x = relu(p->g, nn_dense(p->g, nn_flatten(p->g, x), scaled(p, 1024)));
    logits(p, nn_dropout(p->g, x, 0.5f));
}

/* Document 004's table 2, "CNN": four convolutions with pools, dense 200. */
static void cnn4(const struct plan *p, nn_value x)
{
    static const int channels[] = {32, 64, 96, 128};
    for (int i = 0; i < 4; i++)
        x = pool2(p->g, conv_relu(p->g, x, scaled(p, channels[i]), 3, same));
    logits(p, relu(p->g, nn_dense(p->g, nn_flatten(p->g, x), scaled(p, 200))));
}

/* Document 004, "ResNet-38": the mini-Xception of Arriaga et al., "Real-time Convolutional Neural
 * Networks for Emotion and Gender Classification" (2017); 58,423 parameters with 7 classes. */
static nn_value xception_module(struct nn_graph *g, nn_value x, int out)
{
    nn_value shortcut = nn_batchnorm(g, pointwise(g, x, out, 2));
    x = relu(g, nn_batchnorm(g, pointwise(g, depthwise(g, x, 1), out, 1)));
    x = nn_batchnorm(g, pointwise(g, depthwise(g, x, 1), out, 1));
    return nn_add(g, nn_maxpool(g, x, (struct nn_pool){3, 2, same}), shortcut);
}

static void xception38(const struct plan *p, nn_value x)
{
    for (int i = 0; i < 2; i++)
        x = relu(p->g,
                 nn_batchnorm(
                     p->g, nn_conv2d(p->g, x, (struct nn_conv){.out = scaled(p, 8), .kernel = 3})));
    for (int channels = 16; channels <= 128; channels *= 2)
        x = xception_module(p->g, x, scaled(p, channels));
    x = nn_conv2d(p->g, x,
                  (struct nn_conv){.out = p->classes, .kernel = 3, .pads = same, .bias = true});
    nn_graph_output(p->g, nn_flatten(p->g, nn_global_avgpool(p->g, x)), "logits");
}

/* Document 003: MobileNet v1 (Howard et al. 2017, table 1); pads as PyTorch has them. */
static nn_value relu6(struct nn_graph *g, nn_value x)
{
    return nn_activation(g, nn_batchnorm(g, x), NN_ACT_RELU6);
}

static nn_value padded3(struct nn_graph *g, nn_value x, int out, int stride, int groups)
{
    return nn_conv2d(g, x,
                     (struct nn_conv){.out = out,
                                      .kernel = 3,
                                      .stride = stride,
                                      .groups = groups,
                                      .pads = {1, 1, 1, 1, false}});
}

static void mobilenet(const struct plan *p, nn_value x)
{
    static const struct {
        int out, stride;
    } layers[] = {{64, 1},  {128, 2}, {128, 1}, {256, 2}, {256, 1},  {512, 2}, {512, 1},
                  {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}};
    int channels = scaled(p, 32);
    x = relu6(p->g, padded3(p->g, x, channels, 2, 1));
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        x = relu6(p->g, padded3(p->g, x, channels, layers[i].stride, channels));
        channels = scaled(p, layers[i].out);
        x = relu6(p->g, pointwise(p->g, x, channels, 1));
    }
    logits(p, nn_flatten(p->g, nn_global_avgpool(p->g, x)));
}

/* Our own */

/* Squeeze and excitation (Hu et al. 2018): channels are weighed by what the whole image shows. */
static nn_value excite(struct nn_graph *g, nn_value x, int channels, int reduction)
{
    nn_value gate = nn_global_avgpool(g, x);
    gate = relu(
        g, nn_conv2d(g, gate,
                     (struct nn_conv){.out = channels / reduction, .kernel = 1, .bias = true}));
    gate = nn_conv2d(g, gate, (struct nn_conv){.out = channels, .kernel = 1, .bias = true});
    return nn_mul(g, x, nn_activation(g, gate, NN_ACT_SIGMOID));
}

/* Two 3x3 convolutions, excitation, shortcut (He et al. 2016, the basic block). */
static nn_value residual(struct nn_graph *g, nn_value x, int out, int stride)
{
    if (x == NN_NONE)
        return x;
    nn_value shortcut = x;
    if (stride != 1 || nn_graph_shape(g, x)->dims[1] != out)
        shortcut = nn_batchnorm(g, pointwise(g, x, out, stride));
    x = conv_norm(g, conv_norm_relu(g, x, out, 3, stride), out, 3, 1);
    return relu(g, nn_add(g, excite(g, x, out, 8), shortcut));
}

struct block {
    int out, stride;
};

static void residuals(const struct plan *p, nn_value x, const struct block *block, size_t count)
{
    x = conv_norm_relu(p->g, x, scaled(p, 32), 3, 1);
    for (size_t i = 0; i < count; i++)
        x = residual(p->g, x, scaled(p, block[i].out), block[i].stride);
    x = nn_flatten(p->g, nn_global_avgpool(p->g, x));
    two_heads(p, nn_dropout(p->g, x, 0.3f));
}

static void teacher(const struct plan *p, nn_value x)
{
    static const struct block blocks[] = {{32, 1}, {64, 2}, {128, 2}, {128, 1}, {256, 2}};
    residuals(p, x, blocks, sizeof blocks / sizeof *blocks);
}

static void best(const struct plan *p, nn_value x)
{
    static const struct block blocks[] = {{96, 2}, {96, 1}, {160, 2}, {160, 1}, {160, 1}, {256, 2}};
    residuals(p, x, blocks, sizeof blocks / sizeof *blocks);
}

/* Depthwise and pointwise 3x3 with a shortcut where the shape stays. */
static nn_value separable(struct nn_graph *g, nn_value x, int out, int stride)
{
    nn_value y = relu(g, nn_batchnorm(g, depthwise(g, x, stride)));
    y = nn_batchnorm(g, pointwise(g, y, out, 1));
    if (x != NN_NONE && stride == 1 && nn_graph_shape(g, x)->dims[1] == out)
        y = nn_add(g, y, x);
    return relu(g, y);
}

static void fast(const struct plan *p, nn_value x)
{
    static const struct block blocks[] = {{64, 1},  {64, 1},  {128, 2}, {128, 1},
                                          {128, 1}, {256, 2}, {256, 1}};
    x = conv_norm_relu(p->g, x, scaled(p, 32), 3, 2);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        x = separable(p->g, x, scaled(p, blocks[i].out), blocks[i].stride);
    x = excite(p->g, x, scaled(p, 256), 8);
    x = nn_flatten(p->g, nn_global_avgpool(p->g, x));
    two_heads(p, nn_dropout(p->g, x, 0.2f));
}

static const struct nn_zoo_entry entries[] = {
    {"xception38", "depthwise-separable residual net of 58,423 parameters (document 004)", 1, 48,
     48, false},
    {"moodreel-fast", "our small two-headed net", 1, 48, 48, true},
    {"moodreel-best", "our accurate two-headed net: residual, squeeze and excitation", 1, 44, 44,
     true},
    {"moodreel-teacher", "half of moodreel-best, which the shipped nets learn from", 1, 44, 44,
     true},
    {"vgg6", "six 3x3 convolutions, dense 1000 (document 000)", 1, 48, 48, false},
    {"cnn1", "five convolutions (document 001)", 1, 48, 48, false},
    {"cnn2", "four convolutions (document 001)", 1, 48, 48, false},
    {"cnn3", "three convolutions (document 001)", 1, 48, 48, false},
    {"cnn4", "four convolutions, dense 200 (document 004, table 2)", 1, 48, 48, false},
    {"emoflix4", "four convolutions without padding, dense 1024 (document 002)", 1, 48, 48, false},
    {"mobilenet", "MobileNet v1, any width factor (document 003)", 3, 224, 224, false},
};
enum { NETWORKS = sizeof entries / sizeof *entries };

/* In the order of the entries. */
static void (*const builders[NETWORKS])(const struct plan *p, nn_value x) = {
    xception38, fast, best, teacher, vgg6, cnn1, cnn2, cnn3, cnn4, emoflix4, mobilenet};

const struct nn_zoo_entry *nn_zoo_list(size_t *count)
{
    *count = NETWORKS;
    return entries;
}

const struct nn_zoo_entry *nn_zoo_find(const char *name)
{
    for (size_t i = 0; i < NETWORKS; i++)
        if (!strcmp(entries[i].name, name))
            return &entries[i];
    return NULL;
}

static int unknown(const char *name, struct err *err)
{
    struct str names = {0};
    for (size_t i = 0; i < NETWORKS; i++)
        str_addf(&names, "%s%s", i ? ", " : "", entries[i].name);
    int code =
        err_set(err, ERR_NOT_FOUND, "there is no network \"%.60s\"; known are %s", name, names.s);
    str_free(&names);
    return code;
}

static int or_default(int value, int absent)
{
    return value ? value : absent;
}

int nn_zoo_build(struct nn_graph **out, const char *name, const struct nn_zoo_options *options,
                 struct err *err)
{
    const struct nn_zoo_entry *n = nn_zoo_find(name);
    struct nn_zoo_options o = options ? *options : (struct nn_zoo_options){0};
    if (!n)
        return unknown(name, err);
    struct nn_graph *g = nn_graph_create(name, o.seed);
    struct plan p = {g, or_default(o.classes, 7), o.width_factor > 0 ? o.width_factor : 1};
    builders[n - entries](&p,
                          nn_input(g, "input", or_default(o.channels, n->channels),
                                   or_default(o.height, n->height), or_default(o.width, n->width)));
    int code = nn_graph_finish(g, err);
    if (code < 0) {
        nn_graph_destroy(g);
        return err_prefix(err, "%s", name);
    }
    *out = g;
    return 0;
}
