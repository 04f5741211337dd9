/* EASE: item-item weights in closed form.
 *
 * H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019, equation 8:
 *     P = (G + lambda I)^-1,   B = I - P diag(1 / P_jj),   B_jj = 0
 * with G[i][j] the number of users who know both items. A user's score of item j is the sum of
 * B[i][j] over the items i that the user likes. */
#ifndef CATALOG_EASE_H
#define CATALOG_EASE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Turns the n x n matrix G (row-major, symmetric) into B, in place. n^3 / 2 multiplications, n^2
 * more doubles of memory. `progress` (may be NULL) is told how much of the work is done, 0 .. 1;
 * when it answers false the call ends with ERR_STOPPED (and its sentence, where it set none).
 * ERR_RANGE: not positive definite (lambda <= 0). */
typedef bool ease_progress_fn(double share, void *payload);
int ease_weights(double *gram, int n, double lambda, ease_progress_fn *progress, void *payload,
                 struct err *err);

/* How much a like counts that was followed by `likes_since` others: it fades by half every
 * `half_life` likes; INFINITY: never. Recent likes predict the next one better: EASE_HALF_LIFE is
 * what `moodreel-lab ranking` chooses on the validation ratings of MovieLens 100k. */
enum { EASE_HALF_LIFE = 5 };
double ease_recency(int likes_since, double half_life);

/* Collects G user by user. */
struct ease_counts {
    double *gram; /* [n * n] */
    int n;
};

/* ERR_NO_MEMORY when the matrix does not fit. */
int ease_counts_create(struct ease_counts *c, int n, struct err *err);
/* One user's items, each 0 .. n - 1, each once. */
void ease_counts_add(struct ease_counts *c, const int *items, int count);
void ease_counts_free(struct ease_counts *c);

#endif
