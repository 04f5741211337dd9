/* What the two halves of `bench` share: inference (bench.c) and training (bench_train.c). */
#ifndef LAB_BENCH_H
#define LAB_BENCH_H

#include <jansson.h>

#include "lab/lab.h"
#include "nn/graph.h"

struct timing {
    double median_ms, min_ms;
};

double bench_now_ms(void);
struct timing bench_summary(double *ms, int n); /* sorts ms */

/* Training steps of g (forward, cross entropy, backward, Adam) on random pictures: a line of a
 * table for each precision, or an entry of `rows` when that is not NULL. */
int bench_training(struct nn_graph *g, const char *name, const struct lab_values *v,
                   const struct options *o, json_t *rows, struct err *err);
void bench_training_header(void);

#endif
