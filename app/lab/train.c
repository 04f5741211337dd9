/* `train`: a recipe to checkpoints, learning curves and a model.
 *
 * FILES in --out: recipe.conf (the settings of the run), checkpoint (after the last epoch),
 * model.onnx (the best epoch; its temperature is fitted at the end), curves.csv, curves.png. The
 * model is written before the checkpoint: a run killed between the two learns that epoch again,
 * bit for bit, and writes the same model.
 *
 * RANKS. Under mpirun every process runs all of this on its share of each batch; the first one
 * alone speaks and writes. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LOG_MODULE "train"
#include "base/log.h"
#include "base/path.h"
#include "base/pool.h"
#include "base/str.h"
#include "lab/curves.h"
#include "lab/lab.h"
#include "lab/progress.h"
#include "lab/training.h"
#include "nn/ranks_mpi.h"

/* The names of one run's files. */
struct run_files {
    struct str recipe, checkpoint, model;
};

static void files_init(struct run_files *f, const char *dir)
{
    *f = (struct run_files){0};
    str_addf(&f->recipe, "%s/recipe.conf", dir);
    str_addf(&f->checkpoint, "%s/checkpoint", dir);
    str_addf(&f->model, "%s/model.onnx", dir);
}

static void files_free(struct run_files *f)
{
    str_free(&f->recipe);
    str_free(&f->checkpoint);
    str_free(&f->model);
}

/* The settings as a config file, so that --resume needs nothing but --out. */
static int save_recipe(const struct options *o, const char *path, struct err *err)
{
    char *aside = path_aside(path);
    FILE *f = fopen(aside, "w");
    int rc = f == NULL ? err_errno(err, path) : 0;
    if (f != NULL) {
        options_print_config(o, f);
        bool failed = ferror(f) != 0;
        if (fclose(f) != 0 || failed) {
            rc = err_errno(err, path);
            remove(aside);
        } else {
            rc = path_commit(aside, path, err);
        }
    }
    free(aside);
    return rc;
}

static int prepare_folder(const struct options *o, const struct lab_values *v,
                          const struct run_files *f, struct err *err)
{
    if (access(f->checkpoint.s, F_OK) == 0)
        return err_set(err, ERR_RANGE,
                       "%s: holds a training already; continue it with --resume or name another "
                       "folder",
                       v->out);
    if (access(f->model.s, F_OK) == 0)
        return err_set(err, ERR_RANGE,
                       "%s: holds a model already; move it away or name another folder", v->out);
    int rc = path_make_dirs(v->out, err);
    return rc < 0 ? rc : save_recipe(o, f->recipe.s, err);
}

/* A chart that cannot be drawn is no reason to end a training. */
static void draw_curves(const struct lab_values *v, const struct nn_epoch *history, int count)
{
    struct err err = {0};
    if (curves_write(v->out, v->net != NULL ? v->net : v->init, history, count, &err) < 0)
        log_warn("%s", err.text);
}

static int continue_training(struct training *t, const struct lab_values *v,
                             const struct run_files *f, struct err *err)
{
    if (access(f->checkpoint.s, F_OK) != 0)
        return err_set(err, ERR_NOT_FOUND,
                       "%s: there is no checkpoint to continue from; train without --resume",
                       v->out);
    return nn_trainer_load(t->trainer, f->checkpoint.s, err);
}

static int finish_epoch(struct training *t, const struct lab_values *v, const struct run_files *f,
                        struct err *err)
{
    int count;
    const struct nn_epoch *history = nn_trainer_history(t->trainer, &count);
    const struct nn_epoch *last = &history[count - 1];
    struct str line = {0};
    progress_clear();
    curves_line(last, v->epochs, &line);
    printf("%s\n", line.s);
    fflush(stdout);
    str_free(&line);
    int rc = last->best ? training_save_model(t, last->averaged, f->model.s, err) : 0;
    if (rc == 0)
        rc = nn_trainer_save(t->trainer, f->checkpoint.s, err);
    if (rc == 0)
        draw_curves(v, history, count);
    return rc;
}

static int learn(struct training *t, struct lab_values *v, const struct run_files *f, bool first,
                 struct err *err)
{
    int rc = 0;
    while (rc == 0 && !nn_trainer_done(t->trainer)) {
        rc = nn_trainer_epoch(t->trainer, first ? progress_show : NULL, &v->epochs, err);
        if (rc == 0 && first)
            rc = finish_epoch(t, v, f, err);
        else if (first)
            progress_clear();
    }
    const struct nn_epoch *best = nn_trainer_best(t->trainer);
    if (rc < 0 && best != NULL)
        err_prefix(err, "stopped, %s keeps the best model (epoch %d)", v->out, best->number);
    return rc;
}

/* Temperature and the last words. */
static int conclude(struct training *t, const struct run_files *f, const struct nn_view *val,
                    struct pool *pool, struct err *err)
{
    const struct nn_epoch *best = nn_trainer_best(t->trainer);
    double temperature;
    int rc = training_calibrate(f->model.s, val, pool, &temperature, err);
    if (rc < 0)
        return rc;
    float accuracy = best->averaged ? best->averaged_accuracy : best->val_accuracy;
    printf("best epoch %d%s: %.2f %% of %d PublicTest pictures; temperature %.3f; %s\n",
           best->number, best->averaged ? " (averaged weights)" : "", 100 * (double)accuracy,
           val->count, temperature, f->model.s);
    return 0;
}

static int train_on(struct lab_values *v, const struct options *o, struct lab_data_set *d,
                    const struct run_files *f, struct nn_ranks *ranks, struct pool *pool,
                    struct err *err)
{
    struct training t;
    struct nn_view *val = &d->split[NN_VALIDATION];
    bool first = nn_ranks_index(ranks) == 0;
    int rc = training_open(&t, v, &d->split[NN_TRAINING], val, ranks, pool, err);
    if (rc == 0 && v->resume)
        rc = continue_training(&t, v, f, err);
    else if (rc == 0 && first)
        rc = prepare_folder(o, v, f, err);
    if (rc == 0) {
        printf("%s: %zu parameters, %.2f million multiply-adds; %d pictures to learn, %d to choose "
               "by\n",
               v->net != NULL ? v->net : v->init, nn_graph_parameters(t.graph, false),
               (double)nn_graph_macs(t.graph) / 1e6, d->split[NN_TRAINING].count, val->count);
        fflush(stdout);
        rc = learn(&t, v, f, first, err);
    }
    if (rc == 0 && first)
        rc = conclude(&t, f, val, pool, err);
    training_close(&t);
    return rc;
}

static int run_rank(struct lab_values *v, const struct options *o, struct nn_ranks *ranks,
                    struct err *err)
{
    struct lab_data_set d;
    struct run_files f;
    files_init(&f, v->out);
    struct pool *pool = pool_create(v->threads);
    int rc = lab_data_open(&d, v, stdout, err);
    if (rc == 0)
        rc = lab_data_for_training(&d, v, stdout, err);
    if (rc == 0)
        rc = train_on(v, o, &d, &f, ranks, pool, err);
    lab_data_close(&d);
    pool_destroy(pool);
    files_free(&f);
    return rc;
}

/* After an error the ranks are not stopped: mpirun ends those that wait for this one. */
static int run(struct lab_values *v, const struct options *o, struct err *err)
{
    struct nn_ranks *ranks;
    int rc = nn_ranks_mpi_start(&ranks, err);
    if (rc < 0)
        return rc;
    if (nn_ranks_index(ranks) > 0 && freopen("/dev/null", "w", stdout) == NULL)
        return err_errno(err, "/dev/null");
    rc = run_rank(v, o, ranks, err);
    if (rc == 0)
        nn_ranks_mpi_stop(ranks);
    else if (ranks != NULL)
        err_prefix(err, "rank %d of %d", ranks->index + 1, ranks->count);
    return rc;
}

/* The recipe named on the command line, or the settings of the run that is resumed. */
static int read_recipe(struct options *o, const struct lab_values *v, const char *recipe,
                       struct err *err)
{
    struct str own = {0};
    int rc = recipe != NULL ? options_load_file(o, recipe, err) : 0;
    str_addf(&own, "%s/recipe.conf", v->out);
    if (rc == 0 && v->resume)
        rc = options_load_file(o, own.s, err);
    str_free(&own);
    return rc;
}

static int check_usage(const struct options *o, const struct lab_values *v, struct err *err)
{
    int words;
    options_words(o, &words);
    if (words > 1)
        return err_set(err, ERR_RANGE, "train takes one recipe, not %d", words);
    if (v->out == NULL)
        return err_set(err, ERR_NOT_FOUND, "train needs a folder for its files: --out DIR");
    return 0;
}

int lab_train(int argc, char **argv, struct err *err)
{
    struct lab_values v;
    struct options *o;
    int status = options_begin(&o, &lab_options, &lab_commands[LAB_TRAIN], &v, argc, argv, err);
    if (status != OPTIONS_GO)
        return status;
    status = STATUS_USAGE;
    if (check_usage(o, &v, err) == 0) {
        int rc = read_recipe(o, &v, options_words(o, &(int){0})[0], err);
        status = rc < 0 || run(&v, o, err) < 0 ? STATUS_FAILED : STATUS_OK;
    }
    options_free(o);
    return status;
}
