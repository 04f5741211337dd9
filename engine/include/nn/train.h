/* Training of a classifier: epochs over a view of a data set, the best one by another view,
 * checkpoints that resume bit for bit.
 *
 *     nn_trainer_create(&t, graph, &config, &train, &val, pool, &err);
 *     nn_trainer_load(t, "run/checkpoint", &err);             to resume
 *     while (!nn_trainer_done(t)) {
 *         nn_trainer_epoch(t, on_step, payload, &err);
 *         if (last epoch is .best) { nn_trainer_store(t, epoch.averaged); nn_onnx_save(...); }
 *         nn_trainer_save(t, "run/checkpoint", &err);
 *     }
 *
 * The graph has one input and one or two outputs: output 0 says the label; output 1, if there is
 * one, the vote shares of the data set. Everything random comes from the seed, so the same
 * config, data and seed give the same weights. One thread (plus the loader's and the pool's).
 * With config.ranks every rank makes the same calls with the same arguments; each learns its share
 * of every batch and they all end with the same weights and history, so one of them saves. */
#ifndef NN_TRAIN_H
#define NN_TRAIN_H

#include "nn/loader.h"
#include "nn/optim.h"

enum nn_schedule { NN_CONSTANT, NN_COSINE, NN_STEP, NN_PLATEAU };

enum nn_class_weights {
    NN_WEIGHTS_NONE,
    NN_WEIGHTS_ROOT,    /* (n / (classes n_c))^1/2 */
    NN_WEIGHTS_BALANCED /* n / (classes n_c), n_c pictures of class c */
};

struct nn_train_config {
    int epochs, batch;
    int patience; /* epochs without a better one before stopping; 0: never */
    uint64_t seed;
    enum nn_precision precision;
    struct nn_optim_params optim;
    float rate; /* base learning rate */
    enum nn_schedule schedule;
    float warmup;       /* COSINE: share of the training with a rising rate */
    int step_every;     /* STEP: epochs between two steps; PLATEAU: epochs of patience */
    float step_factor;  /* STEP, PLATEAU: factor on the rate */
    float smoothing;    /* label smoothing, 0 .. 1 */
    float share_weight; /* of the vote head's loss; the label head's is 1 */
    float soft_weight;  /* see nn_loader_config */
    const float *soft;  /* borrowed, as soft_share */
    const float *soft_share;
    enum nn_class_weights class_weights;
    struct nn_augment augment;
    float mixup, mixup_share;   /* see nn_loader_config */
    struct nn_ranks *ranks;     /* that learn together, borrowed; NULL: this process alone */
    nn_normalise_fn *normalise; /* must fill the graph's input from channels x H x W bytes */
    void *payload;
};

/* One finished epoch. Losses are cross-entropies of the label head without smoothing, except
 * train_loss, which is what was minimised. */
struct nn_epoch {
    int number;                       /* from 1 */
    float train_loss, train_accuracy; /* over the augmented pictures, while learning */
    float val_loss, val_accuracy;
    float averaged_loss, averaged_accuracy; /* of the EMA weights; NAN without EMA */
    float rate;                             /* at the end of the epoch */
    float seconds;
    bool best;     /* no earlier epoch had a higher accuracy on the validation view */
    bool averaged; /* its EMA weights were at least as good as the others */
};

/* After each batch. Means over the epoch so far. */
struct nn_progress {
    int epoch, batch, batches; /* from 1 */
    float loss, accuracy, rate;
    double seconds; /* since the epoch began */
    int images;     /* learnt in this epoch */
};
typedef bool nn_progress_fn(const struct nn_progress *s,
                            void *payload); /* false: stop, ERR_STOPPED */

struct nn_trainer;

/* Borrows everything but the config. ERR_RANGE: a class of the training view is empty, fewer
 * pictures than a batch, outputs that do not fit the data, a batch that is no multiple of two
 * pictures for each rank, ranks that were not given the same; ERR_UNSUPPORTED: see
 * nn_tape_create. */
int nn_trainer_create(struct nn_trainer **out, struct nn_graph *g, const struct nn_train_config *c,
                      const struct nn_view *train, const struct nn_view *val, struct pool *pool,
                      struct err *err);
void nn_trainer_destroy(struct nn_trainer *t); /* NULL is allowed */

/* Learns one epoch and measures it. ERR_RANGE when the loss is not finite any more, ERR_STOPPED
 * when on_step (may be NULL) said so: the trainer is then only good for destroying. */
int nn_trainer_epoch(struct nn_trainer *t, nn_progress_fn *on_step, void *payload, struct err *err);

/* All epochs are learnt, or patience is at an end. */
bool nn_trainer_done(const struct nn_trainer *t);
const struct nn_epoch *nn_trainer_history(const struct nn_trainer *t, int *count);
/* The best epoch so far; NULL before the first. */
const struct nn_epoch *nn_trainer_best(const struct nn_trainer *t);

/* Copies the weights (averaged: those of the EMA) into the graph, for nn_onnx_save(). */
void nn_trainer_store(struct nn_trainer *t, bool averaged);

/* Weights, moments, EMA, schedule and history after the last whole epoch. The file is replaced
 * atomically; its numbers are in this machine's layout. Loading checks that it belongs to this
 * network, optimizer and training view, and changes nothing unless all of it is sound. */
int nn_trainer_save(const struct nn_trainer *t, const char *path, struct err *err);
int nn_trainer_load(struct nn_trainer *t, const char *path, struct err *err);

#endif
