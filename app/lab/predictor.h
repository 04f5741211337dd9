/* A model file applied to whole views of a data set. */
#ifndef LAB_PREDICTOR_H
#define LAB_PREDICTOR_H

#include "nn/augment.h"
#include "nn/dataset.h"
#include "vision/preprocess.h"

struct nn_graph;
struct pool;
struct predictor;

/* Loads and checks a model. `pool` is borrowed and must outlive it. */
int predictor_open(struct predictor **out, const char *model, struct pool *pool, struct err *err);
void predictor_close(struct predictor *p); /* NULL is allowed */

const struct preprocess *predictor_preprocess(const struct predictor *p);
struct nn_graph *predictor_graph(struct predictor *p);

/* One picture of a view, whole, as input of a model. */
void predictor_input(const struct preprocess *pre, const struct nn_view *view, int row,
                     float *input);

/* Outputs for every row of a view, averaged over the crops: `logits` (count x 7, columns in the
 * order of emotion.h) and, where the model has that head and it is not NULL, `votes` (count x
 * FERPLUS_MAX raw outputs). */
void predictor_run(struct predictor *p, const struct nn_view *view, enum nn_crops crops,
                   float *logits, float *votes);

#endif
