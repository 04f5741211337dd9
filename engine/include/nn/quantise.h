/* Post-training quantisation: a float network becomes one whose convolutions, dense layers, pools
 * and sums compute in 8 bits (engine/README.md). The result is in QDQ form, QuantizeLinear and
 * DequantizeLinear of opset 13 around float operators, which ONNX Runtime reads too.
 *
 *     struct nn_quantiser *q;
 *     if (nn_quantiser_create(&q, graph, 16, pool, &err) < 0) ...
 *     for each batch: fill nn_quantiser_input(q); nn_quantiser_observe(q, 16);
 *     if (nn_quantiser_finish(q, &quantised, &err) < 0) ...
 *     nn_quantiser_destroy(q);
 *
 * Activations are u8 with a scale and zero point for each tensor, from the smallest and largest
 * value of each batch, averaged over the batches so that one outlier does not set the scale of all;
 * zero is always representable; weights s8 with a scale for each output
 * channel; biases s32. (Jacob et al., "Quantization and training of neural networks for efficient
 * integer-arithmetic-only inference", 2018, section 3; Krishnamoorthi, "Quantizing deep
 * convolutional networks for efficient inference", 2018, section 3.) */
#ifndef NN_QUANTISE_H
#define NN_QUANTISE_H

#include "nn/graph.h"

struct pool;
struct nn_quantiser;

/* Folds batch norms into their convolutions. `g` has one float input and opset 13 or later, else
 * ERR_UNSUPPORTED; it may be destroyed afterwards. `batch`: images of nn_quantiser_input().
 * `pool` (or NULL) is borrowed until destroy. */
int nn_quantiser_create(struct nn_quantiser **out, const struct nn_graph *g, int batch,
                        struct pool *pool, struct err *err);
void nn_quantiser_destroy(struct nn_quantiser *q); /* NULL is allowed */

/* The memory of one batch, N x C x H x W. */
float *nn_quantiser_input(struct nn_quantiser *q);
/* Runs the network on the first `images` of it and notes the range of every value. */
void nn_quantiser_observe(struct nn_quantiser *q, int images);

/* The quantised network, finished, with the metadata of the original; the caller's. At least one
 * image must have been observed (ERR_RANGE). */
int nn_quantiser_finish(const struct nn_quantiser *q, struct nn_graph **out, struct err *err);

/* Whether a network has values or weights in 8 bits. */
bool nn_is_quantised(const struct nn_graph *g);
/* The way back: a network in QDQ form, made here or elsewhere, becomes one that computes in floats.
 * Weights are what their codes stand for; values that were quantised and back are no longer
 * rounded, so results differ by about a quantisation step. Values whose codes begin at 0 stay
 * clipped by them where no ReLU made them: ONNX Runtime's quantiser leaves ReLUs to that.
 * Operator set 11 or later, else ERR_UNSUPPORTED. *g is replaced; after an error it is as it
 * was. */
int nn_dequantise(struct nn_graph **g, struct err *err);
/* Whether this processor multiplies bytes (VNNI). On others a network of 8 bits takes longer than
 * what nn_dequantise() makes of it. */
bool nn_int8_is_fast(void);

#endif
