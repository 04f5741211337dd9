/* The training executor: forward, loss and backward of a graph for a fixed batch.
 *
 *     nn_tape_create(&tape, graph, 64, NN_FP32, pool, &err);
 *     for each step:
 *         fill nn_tape_input(tape)
 *         nn_tape_forward(tape, 64, NN_TRAIN, step);
 *         loss = nn_tape_loss(tape, &target);
 *         nn_tape_backward(tape);
 *         nn_optim_step(optim, tape, rate);            nn/optim.h
 *     nn_tape_store(tape, NULL);                       back into the graph, then nn_onnx_save()
 *
 * All memory is planned by nn_tape_create(): a step allocates nothing and cannot fail. The same
 * inputs, weights and step number give the same bits for any number of threads.
 * One tape belongs to one thread (the pool's caller). */
#ifndef NN_TAPE_H
#define NN_TAPE_H

#include "nn/graph.h"

struct pool;
struct nn_ranks;
struct nn_tape;

enum nn_tape_mode {
    NN_TRAIN, /* batch statistics (running ones are updated), dropout acts */
    NN_EVAL   /* running statistics, no dropout; no backward after it */
};

/* Copies the weights of a finished graph. With NN_BF16 convolutions of 16 channels or more (direct
 * ones and dense layers: 32) round their operands, forward and backward; the weights that are
 * trained stay floats. `g` and `pool` (may be NULL) are borrowed and must outlive the tape.
 * ERR_UNSUPPORTED names a node that cannot be trained. */
int nn_tape_create(struct nn_tape **out, struct nn_graph *g, int batch,
                   enum nn_precision precision, struct pool *pool, struct err *err);
void nn_tape_destroy(struct nn_tape *t); /* NULL is allowed */

/* From the next forward on the tape works on its share of a batch that is spread over ranks
 * (nn/ranks.h, borrowed): batch norm, loss and gradients are those of the whole batch. Every rank
 * makes the same calls with the same `count`. */
void nn_tape_join(struct nn_tape *t, struct nn_ranks *ranks);

int nn_tape_batch(const struct nn_tape *t);
size_t nn_tape_memory(const struct nn_tape *t); /* bytes planned, weights included */

/* batch x C x H x W floats for the caller to fill before each forward. */
float *nn_tape_input(struct nn_tape *t);

/* Runs the first `count` images of the input (1 .. batch). `step` seeds the dropout masks: give
 * every training step its own number, and a resumed run repeats exactly. */
void nn_tape_forward(struct nn_tape *t, int count, enum nn_tape_mode mode, uint64_t step);

/* count x width floats of the last forward; width is the output's elements per image. */
const float *nn_tape_output(const struct nn_tape *t, int index);
int nn_tape_output_width(const struct nn_tape *t, int index);

/* What one output should say, image by image. With s = smoothing, C = classes, w = class weights:
 * q = (1 - s) * share + s / C; loss = sum_i sum_c -w_c q_ic log softmax(x_i)_c divided by
 * sum_i sum_c w_c share_ic (Szegedy et al., "Rethinking the Inception Architecture", section 7). */
struct nn_target {
    const int *labels;          /* count; -1: this image has no part in the loss. Or: */
    const float *shares;        /* count x classes, rows sum to 1 (or are all 0: no part) */
    const float *class_weights; /* classes; NULL: all 1 */
    float smoothing;            /* 0 .. 1 */
    float weight;               /* of this output in the total; 0 leaves the output out */
};

/* Softmax cross-entropy of the last forward, one target per output of the graph; keeps the
 * gradient for nn_tape_backward(). Returns the weighted sum over the outputs. */
float nn_tape_loss(struct nn_tape *t, const struct nn_target *targets);

/* Gradients of the last loss into nn_tape_gradients(); overwrites them. */
void nn_tape_backward(struct nn_tape *t);

/* All weights in one vector, in the graph's own layout: first `trainable` numbers that an optimizer
 * changes, then the others (running statistics, frozen weights) up to `total`. Writable between
 * steps. Gradients run beside the trainable part. */
float *nn_tape_weights(struct nn_tape *t);
float *nn_tape_gradients(struct nn_tape *t);
size_t nn_tape_trainable(const struct nn_tape *t);
size_t nn_tape_total(const struct nn_tape *t);

/* The tensors inside that vector. */
struct nn_tape_span {
    const char *name; /* of the graph's value */
    size_t offset, count;
    bool trainable;
    bool decay; /* weight decay applies: a weight matrix, not a bias or batch-norm parameter */
};
const struct nn_tape_span *nn_tape_spans(const struct nn_tape *t, int *count);

/* Writes a vector of nn_tape_total() weights (NULL: the tape's own) into the graph; nn_tape_load
 * reads the graph's weights into the tape. */
void nn_tape_store(struct nn_tape *t, const float *weights);
void nn_tape_load(struct nn_tape *t);

struct pool *nn_tape_pool(const struct nn_tape *t);

#endif
