/* Inference: a network compiled for one batch size, and the memory to execute it.
 *
 * nn_run_create() does all the work that can fail: it binds the batch, folds constants, fuses batch
 * normalisation, activations and residual additions into convolutions, chooses a layout and a
 * kernel for every node, packs the weights and plans the memory. nn_run_forward() then only
 * computes: it allocates nothing, cannot fail, and gives the same bits for any number of threads.
 *
 *     struct nn_run *run;
 *     if (nn_run_create(&run, graph, 1, pool, NULL, &err) < 0) ...
 *     nn_graph_destroy(graph);                    (allowed: a run keeps nothing of its graph)
 *     memcpy(nn_run_input(run, 0), pixels, ...);
 *     nn_run_forward(run);
 *     const float *logits = nn_run_output(run, 0);
 *
 * A run belongs to one thread at a time; nn_run_clone() gives another thread its own, with the
 * packed weights shared. Tensors are dense, row major, float32 (N x C x H x W for images), also
 * those that the model calls integers. */
#ifndef NN_RUN_H
#define NN_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "nn/graph.h"

struct pool;
struct nn_run;

struct nn_run_options {
    size_t memory_limit; /* bytes for weights, constants, tables and activations; 0: 1 GiB. More is
                          * ERR_RANGE, ERR_NO_MEMORY for weights and constants */
    enum nn_precision precision; /* NN_BF16: convolutions of 16 channels or more and dense layers
                                  * round their operands, results then differ by about 1 % */
};

/* `pool` (NULL: the calling thread alone) is borrowed and must outlive the run. `options` may be
 * NULL. ERR_UNSUPPORTED names the node and operator that cannot be run. */
int nn_run_create(struct nn_run **out, const struct nn_graph *g, int batch, struct pool *pool,
                  const struct nn_run_options *options, struct err *err);
/* A run of the same network with memory of its own. The weights are shared; either may be
 * destroyed first. May be called while r computes. */
int nn_run_clone(struct nn_run **out, const struct nn_run *r, struct pool *pool, struct err *err);
void nn_run_destroy(struct nn_run *r); /* NULL is allowed */

/* Inputs and outputs, in the order of the graph. Names, shapes and memory live as long as r. */
int nn_run_input_count(const struct nn_run *r);
int nn_run_output_count(const struct nn_run *r);
int nn_run_find_input(const struct nn_run *r, const char *name);  /* -1: none of that name */
int nn_run_find_output(const struct nn_run *r, const char *name); /* -1: none of that name */
const char *nn_run_input_name(const struct nn_run *r, int index);
const char *nn_run_output_name(const struct nn_run *r, int index);
const struct nn_shape *nn_run_input_shape(const struct nn_run *r, int index);
const struct nn_shape *nn_run_output_shape(const struct nn_run *r, int index);

float *nn_run_input(struct nn_run *r, int index); /* the caller fills it; forward keeps it */
void nn_run_forward(struct nn_run *r);
const float *nn_run_output(const struct nn_run *r, int index); /* valid until the next forward */

/* What was compiled: one step for each call of a kernel, in order. */
struct nn_run_step {
    const char *node;       /* name of the node in the model */
    const char *op;         /* its ONNX operator, or "layout" for a conversion */
    const char *kernel;     /* what computes it */
    struct nn_shape shape;  /* of its first output, as the model sees it */
    int64_t macs;           /* multiply-accumulates of the direct algorithm */
    size_t weight_bytes;    /* packed */
    int64_t ns;             /* shortest of the profiled runs; 0: none yet */
};
int nn_run_step_count(const struct nn_run *r);
void nn_run_step_at(const struct nn_run *r, int index, struct nn_run_step *out);
/* One forward that takes each step's time. */
void nn_run_forward_profiled(struct nn_run *r);

/* Multiply-adds of this precision that the threads of the pool (NULL: this one) can do together, in
 * GFLOP/s, measured in some ten milliseconds: the 100 % of a profile. */
double nn_peak_gflops(struct pool *pool, enum nn_precision precision);

size_t nn_run_weight_bytes(const struct nn_run *r);     /* packed weights, shared by clones */
size_t nn_run_activation_bytes(const struct nn_run *r); /* of this run alone */

#endif
