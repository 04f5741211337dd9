/* ONNX files in and out: operator sets 7 to 17; a network built here is written with set 13, a
 * loaded one with the set it came with. engine/onnx.proto is the part of the format that is
 * understood; the operators are those of the table in engine/README.md. Batch-norm layers are
 * stored unfolded, so a saved network can be trained on. Metadata (metadata_props) goes both ways.
 * Weights must lie inside the file; halves are read as floats, and written as halves again where
 * nn_graph_store_halves() wrote them.
 *
 * Bytes from outside are never trusted: every length and size is checked before memory is asked
 * for, and reading takes, the graph included, at most NN_ONNX_MEMORY_FACTOR times the file's size
 * and NN_ONNX_MEMORY_FIXED bytes (a small file has much structure and few weights). What is made
 * of a graph for inference is bounded by nn_run_options.memory_limit. */
#ifndef NN_ONNX_H
#define NN_ONNX_H

#include "nn/graph.h"

enum { NN_ONNX_MEMORY_FACTOR = 4, NN_ONNX_MEMORY_FIXED = 4 << 20 };
#define NN_ONNX_MAX_FILE ((size_t)1 << 30) /* bytes */

/* *out is finished and owned by the caller. Errors: ERR_IO, ERR_FORMAT for damaged bytes,
 * ERR_UNSUPPORTED naming node and operator. */
int nn_onnx_load(struct nn_graph **out, const char *path, struct err *err);
int nn_onnx_read(struct nn_graph **out, const void *data, size_t len, struct err *err);

/* Replaces the file atomically. */
int nn_onnx_save(const struct nn_graph *g, const char *path, struct err *err);

bool nn_onnx_supports(const char *op_type);

#endif
