/* What the FER+ votes of a picture tell of its FER-2013 label. The label is one person's word, the
 * votes are ten others': how often pictures with such votes bear each label in the data to learn is
 * a target with less chance in it than the label alone. */
#ifndef LAB_VOTE_TEACHER_H
#define LAB_VOTE_TEACHER_H

#include "nn/dataset.h"

/* Fits multinomial logistic regression (one class against the others; Fan et al., "LIBLINEAR",
 * 2008) from votes to labels on the rows of `view` and adds `share` of its probabilities to `soft`
 * (rows of the data set x 7). A row without votes gets its label. ERR_RANGE: there are no votes. */
int vote_teacher_add(const struct nn_view *view, float share, float *soft, struct err *err);

#endif
