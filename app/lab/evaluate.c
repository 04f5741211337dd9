/* `evaluate`: a model against a split of a data set. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/pool.h"
#include "base/rng.h"
#include "base/mem.h"
#include "lab/evaluation.h"
#include "lab/lab.h"
#include "lab/sheet.h"
#include "vision/fer_data.h"

enum { SHEET_COLUMNS = 10 };

/* `n` faces drawn at random, always the same, with true and predicted label. */
static int write_samples(const struct evaluation *e, const struct nn_view *v, int n,
                         const char *path, struct err *err)
{
    const struct nn_dataset *d = v->data;
    struct rng rng;
    int rc = 0, *order = mem_new((size_t)v->count, sizeof *order);
    for (int i = 0; i < v->count; i++)
        order[i] = i;
    rng_seed(&rng, 1, 0);
    rng_shuffle(&rng, order, v->count);
    n = n < v->count ? n : v->count;
    struct sheet *sheet = sheet_create(n, SHEET_COLUMNS);
    for (int i = 0; i < n && rc == 0; i++) {
        int at = order[i], truth = e->truth[at], guess = e->guess[at];
        struct str first = {0}, second = {0};
        str_addf(&first, "is %s", lab_labels[truth]);
        str_addf(&second, "-> %s", lab_labels[guess]);
        rc = sheet_put(sheet, i, nn_dataset_picture(d, v->row[at]), d->width, d->height, first.s,
                       second.s, truth == guess ? SHEET_GOOD : SHEET_BAD, err);
        str_free(&first);
        str_free(&second);
    }
    if (rc == 0)
        rc = sheet_write(sheet, path, err);
    sheet_destroy(sheet);
    free(order);
    return rc;
}

static void print_json(const struct evaluation *e, const char *model, const struct lab_values *v)
{
    json_t *out = json_pack("{s:s, s:s, s:s}", "model", model, "data", v->data, "split",
                            fer_split_name((enum nn_split)v->split));
    json_t *figures = evaluation_json(e);
    json_object_update(out, figures);
    json_decref(figures);
    json_dumpf(out, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(out);
}

static int write_files(const struct evaluation *e, const struct nn_view *view, const char *model,
                       const struct lab_values *v, struct err *err)
{
    struct str title = {0}, sheet = {0};
    if (v->out == NULL)
        return 0;
    const char *slash = strrchr(model, '/');
    str_addf(&title, "%s on %s", slash != NULL ? slash + 1 : model,
             fer_split_name((enum nn_split)v->split));
    str_addf(&sheet, "%s/samples.png", v->out);
    int rc = evaluation_write(e, v->out, title.s, err);
    if (rc == 0 && v->samples > 0)
        rc = write_samples(e, view, v->samples, sheet.s, err);
    str_free(&title);
    str_free(&sheet);
    return rc;
}

/* The views of the other splits, in one array. */
static int other_views(const struct lab_data_set *d, int split, struct nn_view *out)
{
    int n = 0;
    for (int s = 0; s < NN_SPLIT_COUNT; s++)
        if (s != split)
            out[n++] = d->split[s];
    return n;
}

static int evaluate_on(const char *model, struct lab_values *v, const struct lab_data_set *d,
                       struct pool *pool, struct err *err)
{
    const struct nn_view *view = &d->split[v->split];
    struct nn_view others[NN_SPLIT_COUNT];
    struct predictor *p;
    struct evaluation e;
    if (view->count == 0)
        return err_set(err, ERR_RANGE,
                       "%s: there is no %s picture in it; --split names another part", v->data,
                       fer_split_name((enum nn_split)v->split));
    int rc = predictor_open(&p, model, pool, err);
    if (rc < 0)
        return rc;
    evaluation_run(&e, p, view, others, other_views(d, v->split, others));
    if (v->json) {
        print_json(&e, model, v);
    } else {
        printf("%s on %s of %s\n\n", model, fer_split_name((enum nn_split)v->split), v->data);
        evaluation_print(&e, stdout);
    }
    rc = write_files(&e, view, model, v, err);
    evaluation_free(&e);
    predictor_close(p);
    return rc;
}

static int run(const char *model, struct lab_values *v, struct err *err)
{
    struct lab_data_set d;
    struct pool *pool = pool_create(v->threads);
    int rc = lab_data_open(&d, v, stderr, err);
    if (rc == 0)
        rc = evaluate_on(model, v, &d, pool, err);
    lab_data_close(&d);
    pool_destroy(pool);
    return rc;
}

int lab_evaluate(int argc, char **argv, struct err *err)
{
    struct lab_values v;
    struct options *o;
    int words, status;
    status = options_begin(&o, &lab_options, &lab_commands[LAB_EVALUATE], &v, argc, argv, err);
    if (status != OPTIONS_GO)
        return status;
    char *const *word = options_words(o, &words);
    if (words != 1) {
        err_set(err, ERR_RANGE, "evaluate takes one model, not %d", words);
        status = STATUS_USAGE;
    } else if (v.samples > 0 && v.out == NULL) {
        err_set(err, ERR_NOT_FOUND, "--samples needs a folder: --out DIR");
        status = STATUS_USAGE;
    } else {
        status = run(word[0], &v, err) < 0 ? STATUS_FAILED : STATUS_OK;
    }
    options_free(o);
    return status;
}
