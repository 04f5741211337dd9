/* The live line of a training. */
#ifndef LAB_PROGRESS_H
#define LAB_PROGRESS_H

#include "nn/train.h"

/* Redraws the line on stderr at most ten times a second when that is a terminal, else does
 * nothing. An nn_progress_fn payload: `epochs` of the training as an int. Always true. */
bool progress_show(const struct nn_progress *s, void *epochs);
void progress_clear(void); /* wipes the line, so that a plain one can be printed */

/* "1:02:03" or "2:03". `out` has room for 24 bytes. */
void progress_duration(double seconds, char *out);

#endif
