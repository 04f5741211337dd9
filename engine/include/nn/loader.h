/* Batches of augmented, normalised pictures, made on a thread of their own while the last batch
 * is being learnt.
 *
 * DESIGN. One loader runs one epoch. Its thread fills two batches in turn; the consumer holds one
 * of them from nn_loader_next() to the next call. Every random decision depends only on (seed,
 * epoch, row) or (seed, epoch, batch): the same epoch gives the same bytes, however the threads
 * are scheduled, wherever a training was resumed, and whichever rank makes a picture. */
#ifndef NN_LOADER_H
#define NN_LOADER_H

#include "nn/augment.h"
#include "nn/dataset.h"
#include "nn/ranks.h"

/* Turns `picture` (channels x height x width bytes) into the network's input x. The engine knows
 * no normalisation of its own: training and camera share the one of the program. */
typedef void nn_normalise_fn(const uint8_t *picture, float *x, void *payload);

struct nn_loader_config {
    const struct nn_view *view;   /* rows to learn; borrowed */
    int batch;                    /* pictures a batch; a shorter last one is left out */
    const struct nn_ranks *ranks; /* that share each batch, see nn_ranks_place(); NULL: alone */
    int height, width;            /* of the pictures given to `normalise` */
    size_t input_size;            /* floats that `normalise` writes */
    nn_normalise_fn *normalise;
    void *payload;
    struct nn_augment augment;
    uint64_t seed;
    float mixup;             /* alpha of the Beta distribution (Zhang et al. 2018); 0: off */
    float mixup_share;       /* fraction of the batches that are mixed */
    const float *soft;       /* data->count x classes: a teacher's probabilities; NULL: none */
    const float *soft_share; /* data->count x shares: the same for the votes; NULL: none */
    float soft_weight;       /* share of the target that comes from the teacher */
};

struct nn_batch {
    int count;    /* pictures: batch / ranks */
    float *x;     /* count x input_size */
    float *label; /* count x classes, rows sum to 1 */
    float *share; /* count x shares, rows sum to 1 or are all 0; NULL without votes */
};

struct nn_loader;

/* Starts the thread on epoch `epoch` (0, 1, ...). The config is copied. */
int nn_loader_start(struct nn_loader **out, const struct nn_loader_config *config, int epoch,
                    struct err *err);
/* The next batch, valid until the next call; NULL after the last. One consumer. */
const struct nn_batch *nn_loader_next(struct nn_loader *l);
/* Stops early if need be, joins the thread and frees. NULL is allowed. */
void nn_loader_stop(struct nn_loader *l);

/* Batches of one epoch. */
int nn_loader_batches(const struct nn_loader_config *config);

#endif
