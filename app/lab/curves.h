/* Learning curves of a training as curves.csv and curves.png. */
#ifndef LAB_CURVES_H
#define LAB_CURVES_H

#include "base/str.h"
#include "nn/train.h"

/* Writes both files into `dir`, whole or not at all. */
int curves_write(const char *dir, const char *title, const struct nn_epoch *history, int count,
                 struct err *err);

/* One epoch in words, for the log: without newline. */
void curves_line(const struct nn_epoch *e, int epochs, struct str *out);

#endif
