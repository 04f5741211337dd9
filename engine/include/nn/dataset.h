/* Labelled 8-bit pictures of one shape, and views of them.
 *
 * A data set owns the pictures of all splits as they came from the file. A view is a list of row
 * numbers: the splits, the duplicate-free part, the folds of a cross-validation are views, so no
 * picture is ever copied. Rows are only added, never changed; after that any number of threads
 * may read. */
#ifndef NN_DATASET_H
#define NN_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* FER-2013's three splits: train on the first, choose on the second, report the third once. */
enum nn_split { NN_TRAINING, NN_VALIDATION, NN_TEST, NN_SPLIT_COUNT };

struct nn_dataset {
    int channels, height, width; /* of every picture */
    int classes;                 /* labels are 0 .. classes - 1, at most NN_CLASSES_MAX */
    int shares;                  /* columns of `share`; 0: no votes were read */
    int count;                   /* rows */
    size_t capacity;             /* rows that fit before the next growth */
    uint8_t *pixels;             /* count x channels x height x width */
    uint8_t *label;              /* count */
    uint8_t *split;              /* count, enum nn_split */
    float *share;                /* count x shares: vote shares, sum 1; all 0: not rated */
};

enum { NN_CLASSES_MAX = 32 };

/* Never NULL. `shares` is 0 for data without votes. */
struct nn_dataset *nn_dataset_create(int channels, int height, int width, int classes, int shares);
void nn_dataset_destroy(struct nn_dataset *d); /* NULL is allowed */

/* Copies one picture (channels x height x width bytes) and its votes (`shares` floats that sum to
 * 1 or are all 0; NULL only when shares is 0). ERR_NO_MEMORY leaves the set as it was. */
int nn_dataset_add(struct nn_dataset *d, const uint8_t *pixels, int label, enum nn_split split,
                   const float *share, struct err *err);

size_t nn_dataset_picture_size(const struct nn_dataset *d); /* bytes of one picture */
const uint8_t *nn_dataset_picture(const struct nn_dataset *d, int row);

/* Some rows of a data set, in order. Borrows the data set. End with nn_view_free(). */
struct nn_view {
    const struct nn_dataset *data;
    int *row; /* count row numbers */
    int count;
};

void nn_view_free(struct nn_view *v); /* leaves an empty view */
void nn_view_of_split(struct nn_view *out, const struct nn_dataset *d, enum nn_split split);
void nn_view_copy(struct nn_view *out, const struct nn_view *v);

/* Rows per class, `classes` numbers. */
void nn_view_class_counts(const struct nn_view *v, int *counts);

/* One fold of a k-fold cross-validation, stratified by label. held_out: the rows of the fold;
 * otherwise all others. The same seed gives the same folds. 2 <= k, 0 <= fold < k. */
void nn_view_fold(struct nn_view *out, const struct nn_view *v, int k, int fold, bool held_out,
                  uint64_t seed);

/* What nn_view_drop_duplicates() took away. */
struct nn_duplicates {
    int inside; /* repeats of an earlier row of the view */
    int across; /* rows whose picture also occurs in one of the other views */
};

/* Keeps the rows of v whose picture, byte for byte, is in none of the `n` other views and is not
 * a repeat of an earlier row of v. Row order is kept. */
struct nn_duplicates nn_view_drop_duplicates(struct nn_view *v, const struct nn_view *others,
                                             int n);

#endif
