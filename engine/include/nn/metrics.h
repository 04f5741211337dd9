/* How good a classifier is: confusion matrix, precision/recall/F1, calibration.
 * Pure functions and plain structs; a matrix cell counts pictures as [truth][guess]. */
#ifndef NN_METRICS_H
#define NN_METRICS_H

#include <stdint.h>

#include "base/str.h"

enum { NN_METRICS_CLASSES = 32 };

struct nn_confusion {
    int classes;
    int64_t cell[NN_METRICS_CLASSES][NN_METRICS_CLASSES]; /* [truth][guess] */
};

/* One class against all others. A ratio whose denominator is 0 is 0. */
struct nn_score {
    double precision, recall, f1;
    int64_t support; /* pictures whose truth is the class */
};

void nn_confusion_init(struct nn_confusion *c, int classes);
void nn_confusion_add(struct nn_confusion *c, int truth, int guess);
int64_t nn_confusion_total(const struct nn_confusion *c);
double nn_confusion_accuracy(const struct nn_confusion *c); /* 0 .. 1; 0 when empty */
struct nn_score nn_confusion_score(const struct nn_confusion *c, int cls);
/* Mean F1 over the classes that occur as truth or guess. */
double nn_confusion_macro_f1(const struct nn_confusion *c);
/* Appends "truth\guess,angry,...\n" and one line per class. */
void nn_confusion_csv(const struct nn_confusion *c, const char *const *names, struct str *out);

/* The index of the largest of n numbers, the first one on a tie. */
int nn_argmax(const float *v, int n);

/* p = softmax(logits / temperature) of one row; p may be logits. */
void nn_softmax_row(const float *logits, int n, double temperature, float *p);

/* Mean negative log likelihood of the labels; logits: count x classes. */
double nn_log_loss(const float *logits, const uint8_t *labels, int count, int classes,
                   double temperature);

/* Expected calibration error with 15 equal-width confidence bins (Guo et al. 2017, "On
 * Calibration of Modern Neural Networks", section 2): 0 .. 1. p: count x classes. */
double nn_calibration_error(const float *p, const uint8_t *labels, int count, int classes);

/* The temperature in 0.05 .. 20 with the smallest nn_log_loss() (Guo et al. 2017, section 4.2).
 * 1 when count is 0. */
double nn_fit_temperature(const float *logits, const uint8_t *labels, int count, int classes);

/* FER+ majority label of one picture by the protocol of Barsoum et al. 2016 (section 4 and the
 * authors' script): single votes are removed, the winner needs more than half of what is left.
 * votes: n counts or shares of `voters`; the last two columns are "unknown" and "not a face".
 * -1: no majority, or one for those two; such pictures are not counted. */
int nn_majority(const float *votes, int n, int voters);

#endif
