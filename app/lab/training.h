/* From the option values to a trainer: network, metadata, teacher, configuration. Shared by
 * `train` and `crossval`. */
#ifndef LAB_TRAINING_H
#define LAB_TRAINING_H

#include "lab/lab.h"
#include "vision/preprocess.h"

struct pool;

struct training {
    struct nn_graph *graph;
    struct preprocess pre;
    struct nn_trainer *trainer;
    float *soft, *soft_share; /* the teachers'; NULL without one */
};

struct nn_ranks;

/* Builds the network with fresh weights (or those of --init) and a trainer on the two views,
 * which it borrows, for one of `ranks` (NULL: alone). The files of --teacher are asked about
 * every row to learn. */
int training_open(struct training *out, const struct lab_values *v, const struct nn_view *train,
                  const struct nn_view *val, struct nn_ranks *ranks, struct pool *pool,
                  struct err *err);
void training_close(struct training *t); /* also after a failed open */

/* Writes the best weights with metadata to `path`. */
int training_save_model(struct training *t, bool averaged, const char *path, struct err *err);

/* Fits the temperature of the model file on `val`, stores it in its metadata. */
int training_calibrate(const char *path, const struct nn_view *val, struct pool *pool,
                       double *temperature, struct err *err);

#endif
