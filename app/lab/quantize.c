/* `quantize`: a model in 8 bits (nn/quantise.h), calibrated with pictures of a data set. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "lab/lab.h"
#include "lab/predictor.h"
#include "nn/onnx.h"
#include "nn/quantise.h"
#include "vision/fer_data.h"

enum { BATCH = 16 };

/* The first pictures of a view in an order that is always the same. */
static void observe(struct nn_quantiser *q, const struct preprocess *pre,
                    const struct nn_view *view, int pictures)
{
    struct rng rng;
    size_t size = (size_t)pre->channels * (size_t)pre->side * (size_t)pre->side;
    int *order = mem_new((size_t)view->count, sizeof *order);
    for (int i = 0; i < view->count; i++)
        order[i] = i;
    rng_seed(&rng, 1, 0);
    rng_shuffle(&rng, order, view->count);
    pictures = pictures < view->count ? pictures : view->count;
    for (int at = 0; at < pictures; at += BATCH) {
        int n = pictures - at < BATCH ? pictures - at : BATCH;
        for (int i = 0; i < n; i++)
            predictor_input(pre, view, order[at + i], nn_quantiser_input(q) + (size_t)i * size);
        nn_quantiser_observe(q, n);
    }
    free(order);
}

static int write_quantised(const struct nn_graph *g, const struct lab_values *v,
                           const struct nn_view *view, struct pool *pool, struct err *err)
{
    struct nn_quantiser *q;
    struct preprocess pre;
    struct nn_graph *quantised = NULL;
    int rc = preprocess_from_graph(&pre, g, err);
    if (rc < 0 || (rc = nn_quantiser_create(&q, g, BATCH, pool, err)) < 0)
        return rc;
    observe(q, &pre, view, v->pictures);
    rc = nn_quantiser_finish(q, &quantised, err);
    if (rc == 0)
        rc = nn_onnx_save(quantised, v->out, err);
    nn_graph_destroy(quantised);
    nn_quantiser_destroy(q);
    return rc;
}

/* Share of the view's pictures that the model names right. */
static int measure(const char *model, const struct nn_view *view, struct pool *pool, double *out,
                   struct err *err)
{
    struct predictor *p;
    int right = 0, rc = predictor_open(&p, model, pool, err);
    if (rc < 0)
        return rc;
    float *logits = mem_new((size_t)view->count, EMOTION_COUNT * sizeof *logits);
    predictor_run(p, view, NN_SINGLE_CROP, logits, NULL);
    for (int i = 0; i < view->count; i++) {
        const float *row = logits + (size_t)i * EMOTION_COUNT;
        int top = 0;
        for (int c = 1; c < EMOTION_COUNT; c++)
            top = row[c] > row[top] ? c : top;
        right += top == view->data->label[view->row[i]];
    }
    *out = (double)right / view->count;
    free(logits);
    predictor_close(p);
    return 0;
}

static int compare(const char *model, const struct lab_values *v, const struct nn_view *view,
                   struct pool *pool, struct err *err)
{
    double before, after;
    if (view->count == 0) {
        printf("%s written; there is no PublicTest picture to measure it with\n", v->out);
        return 0;
    }
    int rc = measure(model, view, pool, &before, err);
    if (rc == 0)
        rc = measure(v->out, view, pool, &after, err);
    if (rc == 0)
        printf("accuracy on %d PublicTest pictures: float %.2f %%, 8 bits %.2f %%, loss %.2f "
               "points\n", view->count, before * 100, after * 100, (before - after) * 100);
    return rc;
}

static int run(const char *model, const struct lab_values *v, struct err *err)
{
    struct lab_data_set d;
    struct nn_graph *g = NULL;
    struct pool *pool = pool_create(v->threads);
    int rc = lab_data_open(&d, v, stderr, err);
    if (rc == 0 && d.split[v->split].count == 0)
        rc = err_set(err, ERR_RANGE, "%s: there is no %s picture in it", v->data,
                     fer_split_name((enum nn_split)v->split));
    if (rc == 0)
        rc = nn_onnx_load(&g, model, err);
    if (rc == 0 && (rc = write_quantised(g, v, &d.split[v->split], pool, err)) < 0)
        err_prefix(err, "%s", model);
    if (rc == 0)
        rc = compare(model, v, &d.split[NN_VALIDATION], pool, err);
    nn_graph_destroy(g);
    lab_data_close(&d);
    pool_destroy(pool);
    return rc;
}

int lab_quantize(int argc, char **argv, struct err *err)
{
    struct lab_values v;
    struct options *o;
    int words, status;
    status = options_begin(&o, &lab_options, &lab_commands[LAB_QUANTIZE], &v, argc, argv, err);
    if (status != OPTIONS_GO)
        return status;
    char *const *word = options_words(o, &words);
    if (!options_given(o, "split"))
        v.split = NN_TRAINING;
    if (words != 1 || v.out == NULL) {
        err_set(err, ERR_RANGE, "quantize takes one model and the file to write: --out FILE");
        status = STATUS_USAGE;
    } else {
        status = run(word[0], &v, err) < 0 ? STATUS_FAILED : STATUS_OK;
    }
    options_free(o);
    return status;
}
