/* Builders: each adds nodes to an unfinished graph and returns the new value.
 *
 * Errors stick to the graph (nn/graph.h). Weights are drawn from the graph's seed. Convolutions
 * with bias, those before a ReLU: He et al., "Delving Deep into Rectifiers" (2015), equation 10,
 * deviation sqrt(2 / fan_in). Convolutions without bias stand before batch norm, where the scale
 * does not change what is computed, only how far a step turns the weights (Arora et al. 2018,
 * "Theoretical Analysis of Auto Rate-Tuning by Batch Normalization"); they and dense layers get
 * sqrt(1 / (3 fan_in)), PyTorch's, and learn faster with it. Biases 0; batch-norm scale 1,
 * shift 0, mean 0, variance 1. */
#ifndef NN_LAYERS_H
#define NN_LAYERS_H

#include "nn/graph.h"

enum nn_act {
    NN_ACT_NONE,
    NN_ACT_RELU,
    NN_ACT_RELU6,      /* min(max(x, 0), 6) */
    NN_ACT_LEAKY_RELU, /* x < 0 ? 0.01 x : x */
    NN_ACT_SIGMOID,
    NN_ACT_HARD_SIGMOID, /* clip(x / 6 + 1/2, 0, 1) */
    NN_ACT_HARD_SWISH,   /* x * clip(x / 6 + 1/2, 0, 1) */
    NN_ACT_SWISH,        /* x * sigmoid(x) */
    NN_ACT_TANH
};

/* Border of a sliding window, in pixels; `same` is Keras' padding: the output is
 * ceil(input / stride) and an odd border pixel goes to the bottom and right. */
struct nn_pads {
    int top, left, bottom, right;
    bool same; /* the four numbers are ignored */
};

struct nn_conv {
    int out;              /* output channels */
    int kernel, kernel_w; /* height and width; kernel_w 0: square */
    int stride, dilation; /* 0 means 1 */
    int groups;           /* 0 means 1; = input channels: depthwise */
    struct nn_pads pads;
    bool bias;
};

struct nn_pool {
    int kernel, stride; /* stride 0: = kernel */
    struct nn_pads pads;
};

/* An input of N x channels x height x width float32, N open. */
nn_value nn_input(struct nn_graph *g, const char *name, int channels, int height, int width);

nn_value nn_conv2d(struct nn_graph *g, nn_value x, struct nn_conv p);
nn_value nn_dense(struct nn_graph *g, nn_value x, int out); /* x: N x K; with bias */
nn_value nn_batchnorm(struct nn_graph *g, nn_value x);      /* epsilon 1e-5, momentum 0.9 */
nn_value nn_activation(struct nn_graph *g, nn_value x, enum nn_act act); /* NONE: x itself */
nn_value nn_maxpool(struct nn_graph *g, nn_value x, struct nn_pool p);
nn_value nn_avgpool(struct nn_graph *g, nn_value x, struct nn_pool p); /* border not counted */
nn_value nn_global_avgpool(struct nn_graph *g, nn_value x);            /* N x C x 1 x 1 */
nn_value nn_global_maxpool(struct nn_graph *g, nn_value x);
nn_value nn_add(struct nn_graph *g, nn_value a, nn_value b); /* numpy broadcasting, both */
nn_value nn_mul(struct nn_graph *g, nn_value a, nn_value b);
nn_value nn_concat(struct nn_graph *g, nn_value a, nn_value b);  /* along the channels */
nn_value nn_dropout(struct nn_graph *g, nn_value x, float rate); /* acts in training only */
nn_value nn_flatten(struct nn_graph *g, nn_value x);             /* N x everything else */
nn_value nn_softmax(struct nn_graph *g, nn_value x);             /* over the last axis */

#endif
