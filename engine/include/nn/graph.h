/* A network: values (tensors) and the nodes that compute them, as in ONNX.
 *
 * Made by the builders of nn/layers.h, by nn_zoo_build() or by nn_onnx_load(), then frozen by
 * nn_graph_finish(). From then on only a trainer writes its weights, and any number of runs may
 * read them. Images are N x C x H x W, float32; the batch N is open until a run or a tape fixes it.
 * An error while building sticks to the graph: every builder returns NN_NONE after the first one
 * and nn_graph_finish() reports it. Not thread safe while it is built; read-only use is. */
#ifndef NN_GRAPH_H
#define NN_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct nn_graph;
typedef int nn_value; /* names a tensor of one graph; an index from 0 */

enum { NN_NONE = -1 };      /* no value: an absent optional input, or a builder after an error */
enum { NN_MAX_RANK = 6 };   /* dimensions of a tensor */
enum { NN_ANY_BATCH = -1 }; /* first dimension of a tensor that follows the batch */

enum nn_dtype { NN_F32, NN_I64, NN_I32, NN_U8, NN_I8, NN_BOOL, NN_DTYPE_COUNT };

/* What products are computed in; weights, sums, gradients and everything else stay float32. */
enum nn_precision {
    NN_FP32,
    NN_BF16 /* operands rounded to bfloat16: faster where nn_bf16_is_fast() */
};
/* True when the processor multiplies bfloat16; others compute it in plain loops, slowly. */
bool nn_bf16_is_fast(void);

size_t nn_dtype_size(enum nn_dtype t);      /* bytes of one element */
const char *nn_dtype_name(enum nn_dtype t); /* "f32" ... */

struct nn_shape {
    int rank;                  /* 0: a scalar; -1: told only when a run fixes the batch */
    int64_t dims[NN_MAX_RANK]; /* NN_ANY_BATCH only in dims[0] */
};

/* `seed` decides the initial weights: the same calls with the same seed give the same bits. */
struct nn_graph *nn_graph_create(const char *name, uint64_t seed);
void nn_graph_destroy(struct nn_graph *g); /* NULL is allowed */

/* Declares v an output under `name`; outputs keep the order of these calls. */
void nn_graph_output(struct nn_graph *g, nn_value v, const char *name);
/* Freezes the graph. Fails with the first error of a builder, or without an output. */
int nn_graph_finish(struct nn_graph *g, struct err *err);

/* What a graph is made of. Strings and shapes live as long as the graph. */
const char *nn_graph_name(const struct nn_graph *g);
int nn_graph_input_count(const struct nn_graph *g);
nn_value nn_graph_input(const struct nn_graph *g, int index);
int nn_graph_output_count(const struct nn_graph *g);
nn_value nn_graph_output_at(const struct nn_graph *g, int index);
nn_value nn_graph_find(const struct nn_graph *g, const char *value_name); /* NN_NONE: unknown */
const char *nn_graph_value_name(const struct nn_graph *g, nn_value v);
const struct nn_shape *nn_graph_shape(const struct nn_graph *g, nn_value v);
enum nn_dtype nn_graph_dtype(const struct nn_graph *g, nn_value v);

/* Numbers in the weights; with trainable_only those that an optimizer changes, without it also
 * running statistics, as Keras counts them, and 8-bit weights with their scales. */
size_t nn_graph_parameters(const struct nn_graph *g, bool trainable_only);
/* Multiply-accumulates of convolutions and dense layers for one image. */
int64_t nn_graph_macs(const struct nn_graph *g);

/* Transfer learning. freeze: no parameter that `upto` depends on is trained from now on.
 * adopt: copies every weight of `from` whose name, type and shape also occur in g, with
 * `frozen_only` no parameter that can be trained; returns how many tensors were copied. */
void nn_graph_freeze(struct nn_graph *g, nn_value upto);
int nn_graph_adopt(struct nn_graph *g, const struct nn_graph *from, bool frozen_only);

/* Whether files hold weights of two and more dimensions in 16 bits (IEEE 754 binary16), which
 * halves their size; weights above 65504 stay as they are. With `halves` the weights are rounded at
 * once; computing stays float32. A loaded graph is stored as it was. */
void nn_graph_store_halves(struct nn_graph *g, bool halves);

/* One network of several with the same inputs and outputs: every output is the mean of theirs.
 * *out is finished and the caller's, with the metadata of the first; `part`s are copied. Such a
 * network runs, it is not trained. ERR_FORMAT says which part differs. */
int nn_graph_join(struct nn_graph **out, struct nn_graph *const *part, int count, struct err *err);

/* Key/value text that travels with the ONNX file (metadata_props). NULL: no such key. */
const char *nn_graph_meta(const struct nn_graph *g, const char *key);
void nn_graph_set_meta(struct nn_graph *g, const char *key, const char *value); /* copied */
int nn_graph_meta_count(const struct nn_graph *g);
void nn_graph_meta_at(const struct nn_graph *g, int index, const char **key, const char **value);

#endif
