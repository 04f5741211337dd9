/* Loads a model, feeds it the rows of a view, brings its columns into our order. */
#include "lab/predictor.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "nn/onnx.h"
#include "nn/run.h"

enum { BATCH = 32 };

struct predictor {
    struct nn_graph *graph;
    struct nn_run *run;
    struct preprocess pre;
    size_t input_size;
};

int predictor_open(struct predictor **out, const char *model, struct pool *pool, struct err *err)
{
    struct predictor *p = mem_new(1, sizeof *p);
    int rc = nn_onnx_load(&p->graph, model, err);
    if (rc == 0 && (rc = preprocess_from_graph(&p->pre, p->graph, err)) < 0)
        err_prefix(err, "%s", model);
    if (rc == 0 && (rc = nn_run_create(&p->run, p->graph, BATCH, pool, NULL, err)) < 0)
        err_prefix(err, "%s", model);
    p->input_size = (size_t)p->pre.channels * (size_t)p->pre.side * (size_t)p->pre.side;
    if (rc < 0)
        predictor_close(p);
    else
        *out = p;
    return rc;
}

void predictor_close(struct predictor *p)
{
    if (p == NULL)
        return;
    nn_run_destroy(p->run);
    nn_graph_destroy(p->graph);
    free(p);
}

const struct preprocess *predictor_preprocess(const struct predictor *p)
{
    return &p->pre;
}

struct nn_graph *predictor_graph(struct predictor *p)
{
    return p->graph;
}

static void warp_input(const struct preprocess *pre, const struct nn_view *v, int row,
                       const struct nn_warp *w, float *input)
{
    static _Thread_local uint8_t picture[PREPROCESS_SIDE_MAX * PREPROCESS_SIDE_MAX];
    const struct nn_dataset *d = v->data;
    nn_warp_apply(w, NULL, nn_dataset_picture(d, row), 1, d->height, d->width, picture, pre->side,
                  pre->side);
    preprocess_normalise(pre, picture, false, input);
}

void predictor_input(const struct preprocess *pre, const struct nn_view *view, int row,
                     float *input)
{
    struct nn_warp w = nn_crop_warp(NN_SINGLE_CROP, 0, pre->margin, view->data->height,
                                    view->data->width, pre->side, pre->side);
    warp_input(pre, view, view->row[row], &w, input);
}

/* Adds `share` of the run's outputs to the rows from `first`. */
static void collect(struct predictor *p, int first, int count, float share, float *logits,
                    float *votes)
{
    const float *out = nn_run_output(p->run, 0);
    for (int i = 0; i < count; i++, out += EMOTION_COUNT)
        for (int c = 0; c < EMOTION_COUNT; c++)
            logits[(first + i) * EMOTION_COUNT + (int)p->pre.order[c]] += share * out[c];
    if (votes == NULL || p->pre.ferplus_count == 0)
        return;
    out = nn_run_output(p->run, 1);
    for (int i = 0; i < count; i++, out += p->pre.ferplus_count)
        for (int c = 0; c < p->pre.ferplus_count; c++)
            votes[(first + i) * FERPLUS_MAX + c] += share * out[c];
}

void predictor_run(struct predictor *p, const struct nn_view *view, enum nn_crops crops,
                   float *logits, float *votes)
{
    size_t rows = (size_t)view->count;
    int side = p->pre.side;
    memset(logits, 0, rows * EMOTION_COUNT * sizeof *logits);
    if (votes != NULL)
        memset(votes, 0, rows * FERPLUS_MAX * sizeof *votes);
    for (int crop = 0; crop < (int)crops; crop++) {
        struct nn_warp w = nn_crop_warp(crops, crop, p->pre.margin, view->data->height,
                                        view->data->width, side, side);
        for (int at = 0; at < view->count; at += BATCH) {
            int n = view->count - at < BATCH ? view->count - at : BATCH;
            for (int i = 0; i < n; i++)
                warp_input(&p->pre, view, view->row[at + i], &w,
                           nn_run_input(p->run, 0) + (size_t)i * p->input_size);
            nn_run_forward(p->run);
            collect(p, at, n, 1.0f / (float)crops, logits, votes);
        }
    }
}
