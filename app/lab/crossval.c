/* `crossval`: each part of Training measured by a network that never saw it.
 *
 * Repeats of a picture are dropped first, always: a twin in another fold would be a leak. Every
 * fold starts from fresh weights; its best epoch is chosen by PublicTest, never by the fold that
 * is measured. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/path.h"
#include "base/pool.h"
#include "base/str.h"
#include "lab/evaluation.h"
#include "lab/lab.h"
#include "lab/progress.h"
#include "lab/training.h"

enum { FOLDS_MAX = 100 };

struct fold_result {
    double accuracy, macro_f1;
    int epoch; /* the one that was kept */
};

static int learn(struct training *t, struct lab_values *v, const char *model, struct err *err)
{
    int rc = 0;
    while (rc == 0 && !nn_trainer_done(t->trainer)) {
        int count;
        rc = nn_trainer_epoch(t->trainer, progress_show, &v->epochs, err);
        progress_clear();
        if (rc < 0)
            break;
        const struct nn_epoch *last = nn_trainer_history(t->trainer, &count) + count - 1;
        if (last->best)
            rc = training_save_model(t, last->averaged, model, err);
    }
    return rc;
}

static int measure(struct fold_result *out, const char *model, const struct nn_view *held,
                   struct pool *pool, struct err *err)
{
    struct predictor *p;
    struct evaluation e;
    int rc = predictor_open(&p, model, pool, err);
    if (rc < 0)
        return rc;
    evaluation_run(&e, p, held, NULL, 0);
    out->accuracy = e.accuracy;
    out->macro_f1 = e.macro_f1;
    evaluation_free(&e);
    predictor_close(p);
    return 0;
}

static int run_fold(struct fold_result *out, struct lab_values *v, const struct lab_data_set *d,
                    int fold, struct pool *pool, struct err *err)
{
    struct nn_view train, held;
    struct training t;
    struct str model = {0};
    str_addf(&model, "%s/fold%d.onnx", v->out, fold + 1);
    nn_view_fold(&train, &d->split[NN_TRAINING], v->folds, fold, false, (uint64_t)v->seed);
    nn_view_fold(&held, &d->split[NN_TRAINING], v->folds, fold, true, (uint64_t)v->seed);
    int rc = training_open(&t, v, &train, &d->split[NN_VALIDATION], NULL, pool, err);
    if (rc == 0)
        rc = learn(&t, v, model.s, err);
    if (rc == 0) {
        out->epoch = nn_trainer_best(t.trainer)->number;
        rc = measure(out, model.s, &held, pool, err);
    }
    training_close(&t);
    nn_view_free(&train);
    nn_view_free(&held);
    str_free(&model);
    return rc;
}

/* Mean and sample deviation. */
static void mean_of(const struct fold_result *r, int n, double *mean, double *deviation)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++)
        sum += r[i].accuracy;
    *mean = sum / n;
    for (int i = 0; i < n; i++)
        squares += (r[i].accuracy - *mean) * (r[i].accuracy - *mean);
    *deviation = n > 1 ? sqrt(squares / (n - 1)) : 0;
}

static void print_json(const struct fold_result *r, int n)
{
    double mean, deviation;
    json_t *folds = json_array();
    mean_of(r, n, &mean, &deviation);
    for (int i = 0; i < n; i++)
        json_array_append_new(folds, json_pack("{s:f, s:f, s:i}", "accuracy", r[i].accuracy,
                                               "macro_f1", r[i].macro_f1, "epoch", r[i].epoch));
    json_t *all =
        json_pack("{s:f, s:f, s:o}", "mean", mean, "deviation", deviation, "folds", folds);
    json_dumpf(all, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(all);
}

static int run_folds(struct lab_values *v, const struct lab_data_set *d, struct pool *pool,
                     struct err *err)
{
    struct fold_result r[FOLDS_MAX] = {{0}};
    FILE *to = v->json ? stderr : stdout;
    for (int i = 0; i < v->folds; i++) {
        int rc = run_fold(&r[i], v, d, i, pool, err);
        if (rc < 0)
            return err_prefix(err, "fold %d", i + 1);
        fprintf(to, "fold %d of %d: %.2f %%, macro F1 %.4f, epoch %d\n", i + 1, v->folds,
                100 * r[i].accuracy, r[i].macro_f1, r[i].epoch);
        fflush(to);
    }
    double mean, deviation;
    mean_of(r, v->folds, &mean, &deviation);
    if (v->json)
        print_json(r, v->folds);
    else
        printf("mean %.2f %%, deviation %.2f points\n", 100 * mean, 100 * deviation);
    return 0;
}

static int run(struct lab_values *v, struct err *err)
{
    struct lab_data_set d;
    struct pool *pool = pool_create(v->threads);
    FILE *to = v->json ? stderr : stdout;
    v->dedup = true;
    int rc = lab_data_open(&d, v, to, err);
    if (rc == 0)
        rc = lab_data_for_training(&d, v, to, err);
    if (rc == 0)
        rc = path_make_dirs(v->out, err);
    if (rc == 0)
        rc = run_folds(v, &d, pool, err);
    lab_data_close(&d);
    pool_destroy(pool);
    return rc;
}

int lab_crossval(int argc, char **argv, struct err *err)
{
    struct lab_values v;
    struct options *o;
    int words, status;
    status = options_begin(&o, &lab_options, &lab_commands[LAB_CROSSVAL], &v, argc, argv, err);
    if (status != OPTIONS_GO)
        return status;
    char *const *word = options_words(o, &words);
    if (words > 1 || v.out == NULL) {
        err_set(err, ERR_RANGE, "crossval takes one recipe and a folder for its models: --out DIR");
        status = STATUS_USAGE;
    } else if (words == 1 && options_load_file(o, word[0], err) < 0) {
        status = STATUS_FAILED;
    } else {
        status = run(&v, err) < 0 ? STATUS_FAILED : STATUS_OK;
    }
    options_free(o);
    return status;
}
