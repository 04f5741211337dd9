/* What a model does on a view of a data set: figures, and how they are printed and drawn. */
#ifndef LAB_EVALUATION_H
#define LAB_EVALUATION_H

#include <stdio.h>

#include <jansson.h>

#include "lab/predictor.h"
#include "nn/metrics.h"

struct evaluation {
    struct nn_confusion confusion; /* single crop, label head; so are the next four */
    double accuracy, macro_f1;
    double ece, log_loss;  /* after the model's temperature */
    double flip, ten_crop; /* accuracies of the averaged outputs */
    double unique;         /* accuracy on the rows that are shown nowhere else; 0 .. 1 */
    int unique_count;
    bool two_heads;
    double combined;   /* two heads: accuracy of the app's mean of both */
    double ferplus;    /* FER+ majority accuracy over its eight emotions */
    int ferplus_count; /* rows with a majority; 0: no votes were read */
    uint8_t *truth;    /* per row of the view */
    uint8_t *guess;    /* per row of the view */
    float temperature;
};

/* `elsewhere`: the other views of the data, for the duplicate-free part. End with
 * evaluation_free(). */
void evaluation_run(struct evaluation *out, struct predictor *p, const struct nn_view *view,
                    const struct nn_view *elsewhere, int elsewhere_count);
void evaluation_free(struct evaluation *e);

void evaluation_print(const struct evaluation *e, FILE *to);
/* The part of it that needs no model: precision, recall and F1 of each class, the matrix. */
void evaluation_print_classes(const struct nn_confusion *c, FILE *to);
/* New objects: macro_f1, labels, per_class and confusion of a matrix; all figures. */
json_t *evaluation_classes_json(const struct nn_confusion *c);
json_t *evaluation_json(const struct evaluation *e);
/* confusion.csv, confusion.png and classes.png in `dir`. `title` names model and split. */
int evaluation_write(const struct evaluation *e, const char *dir, const char *title,
                     struct err *err);

#endif
