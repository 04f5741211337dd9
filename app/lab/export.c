/* `export`: a network of the zoo, a model, or several models as one, as an ONNX file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "lab/lab.h"
#include "lab/training.h"
#include "nn/onnx.h"
#include "nn/quantise.h"
#include "nn/zoo.h"
#include "vision/preprocess.h"

/* Whether two models want the same picture and name their columns alike. */
static bool same_use(const struct preprocess *a, const struct preprocess *b)
{
    return a->side == b->side && a->channels == b->channels && a->mean == b->mean &&
           a->std == b->std && a->margin == b->margin &&
           !memcmp(a->order, b->order, sizeof a->order) && a->ferplus_count == b->ferplus_count &&
           !memcmp(a->ferplus, b->ferplus, sizeof *a->ferplus * (size_t)a->ferplus_count);
}

/* Loads `count` models; those that were loaded are the caller's even after an error. */
static int load_parts(struct nn_graph **part, char *const *model, int count, struct err *err)
{
    struct preprocess first, pre;
    int rc = 0;
    for (int i = 0; i < count && rc == 0; i++) {
        rc = nn_onnx_load(&part[i], model[i], err);
        if (rc < 0)
            break;
        if (preprocess_from_graph(i == 0 ? &first : &pre, part[i], err) < 0)
            rc = err_prefix(err, "%s", model[i]);
        else if (i > 0 && !same_use(&first, &pre))
            rc = err_set(err, ERR_FORMAT, "%s wants other pictures or names its outputs otherwise "
                         "than %s; only models that are used alike become one", model[i], model[0]);
    }
    return rc;
}

static int join(struct nn_graph **out, char *const *model, int count, struct err *err)
{
    struct nn_graph **part = mem_new((size_t)count, sizeof *part);
    int rc = load_parts(part, model, count, err);
    if (rc == 0)
        rc = nn_graph_join(out, part, count, err);
    for (int i = 0; i < count; i++)
        nn_graph_destroy(part[i]);
    free(part);
    return rc;
}

static int make(struct nn_graph **out, const struct lab_values *v, char *const *model, int count,
                struct err *err)
{
    struct nn_zoo_options options = {.width_factor = (float)v->width, .height = v->side,
                                      .width = v->side, .seed = 1};
    if (count == 0)
        return nn_zoo_build(out, v->net, &options, err);
    return count == 1 ? nn_onnx_load(out, model[0], err) : join(out, model, count, err);
}

/* What the temperature is fitted on. */
static int open_data(struct lab_data_set *d, const struct lab_values *v, struct err *err)
{
    int rc = lab_data_open(d, v, stderr, err);
    if (rc == 0 && d->split[NN_VALIDATION].count == 0)
        rc = err_set(err, ERR_RANGE, "%s: there is no PublicTest picture in it to fit the "
                     "temperature on", v->data);
    return rc;
}

static int write_model(const struct lab_values *v, char *const *model, int count, struct err *err)
{
    struct nn_graph *g;
    int rc = make(&g, v, model, count, err);
    if (rc < 0)
        return rc;
    rc = v->wide ? nn_dequantise(&g, err) : 0;
    nn_graph_store_halves(g, v->half);
    if (rc == 0)
        rc = nn_onnx_save(g, v->out, err);
    if (rc == 0)
        printf("%s: %zu parameters\n", v->out, nn_graph_parameters(g, false));
    nn_graph_destroy(g);
    return rc;
}

static int calibrate(const struct lab_values *v, const struct nn_view *val, struct err *err)
{
    struct pool *pool = pool_create(v->threads);
    double temperature;
    int rc = training_calibrate(v->out, val, pool, &temperature, err);
    if (rc == 0)
        printf("temperature %.3f by %d PublicTest pictures\n", temperature, val->count);
    pool_destroy(pool);
    return rc;
}

/* The data are read first: when they are of no use, an earlier file stays. */
static int export(const struct lab_values *v, char *const *model, int count, struct err *err)
{
    struct lab_data_set d = {0};
    int rc = v->data != NULL ? open_data(&d, v, err) : 0;
    if (rc == 0)
        rc = write_model(v, model, count, err);
    if (rc == 0 && v->data != NULL)
        rc = calibrate(v, &d.split[NN_VALIDATION], err);
    lab_data_close(&d);
    return rc;
}

int lab_export(int argc, char **argv, struct err *err)
{
    struct lab_values v;
    struct options *o;
    int words, status;
    status = options_begin(&o, &lab_options, &lab_commands[LAB_EXPORT], &v, argc, argv, err);
    if (status != OPTIONS_GO)
        return status;
    char *const *word = options_words(o, &words);
    if (v.out == NULL || (words > 0) == (v.net != NULL)) {
        err_set(err, ERR_RANGE, "export takes models or --net NAME, and --out FILE.onnx");
        status = STATUS_USAGE;
    } else {
        status = export(&v, word, words, err) < 0 ? STATUS_FAILED : STATUS_OK;
    }
    options_free(o);
    return status;
}
