/* `data`: what a data set holds. */
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "emotion.h"
#include "lab/charts.h"
#include "lab/lab.h"
#include "lab/sheet.h"
#include "nn/metrics.h"
#include "vision/fer_data.h"

enum { VOTERS = 10, SHEET_COLUMNS = 10 };

struct contents {
    int rows[NN_SPLIT_COUNT][EMOTION_COUNT];
    int repeats[NN_SPLIT_COUNT];   /* rows that repeat an earlier one of the same split */
    int elsewhere[NN_SPLIT_COUNT]; /* rows, repeats left out, that an earlier split shows too */
    int majority[NN_SPLIT_COUNT];  /* rows with a FER+ majority */
};

static void count_votes(struct contents *c, const struct nn_dataset *d)
{
    for (int i = 0; i < d->count && d->shares > 0; i++)
        c->majority[d->split[i]] +=
            nn_majority(d->share + (size_t)i * FERPLUS_COUNT, FERPLUS_COUNT, VOTERS) >= 0;
}

static void count(struct contents *out, const struct lab_data_set *d)
{
    *out = (struct contents){0};
    for (int s = 0; s < NN_SPLIT_COUNT; s++) {
        struct nn_view v;
        nn_view_class_counts(&d->split[s], out->rows[s]);
        nn_view_copy(&v, &d->split[s]);
        struct nn_duplicates gone = nn_view_drop_duplicates(&v, d->split, s);
        out->repeats[s] = gone.inside;
        out->elsewhere[s] = gone.across;
        nn_view_free(&v);
    }
    count_votes(out, d->data);
}

static void print_table(const struct contents *c, const struct lab_data_set *d)
{
    printf("%-12s", "");
    for (int s = 0; s < NN_SPLIT_COUNT; s++)
        printf("%13s", fer_split_name((enum nn_split)s));
    for (int e = 0; e < EMOTION_COUNT; e++) {
        printf("\n%-12s", lab_labels[e]);
        for (int s = 0; s < NN_SPLIT_COUNT; s++)
            printf("%13d", c->rows[s][e]);
    }
    const struct {
        const char *name;
        const int *values;
    } extra[] = {{"repeats", c->repeats}, {"seen before", c->elsewhere}, {"FER+", c->majority}};
    printf("\n%-12s", "pictures");
    for (int s = 0; s < NN_SPLIT_COUNT; s++)
        printf("%13d", d->split[s].count);
    for (int i = 0; i < (d->data->shares > 0 ? 3 : 2); i++) {
        printf("\n%-12s", extra[i].name);
        for (int s = 0; s < NN_SPLIT_COUNT; s++)
            printf("%13d", extra[i].values[s]);
    }
    printf("\n\nrepeats: rows whose picture came before in the same split. seen before: rows whose "
           "picture a split to the left shows too.%s\n",
           d->data->shares > 0 ? " FER+: rows on whose emotion more than half of the votes agree."
                               : "");
}

static void print_json(const struct contents *c, const struct lab_data_set *d)
{
    json_t *splits = json_object();
    for (int s = 0; s < NN_SPLIT_COUNT; s++) {
        json_t *classes = json_object();
        for (int e = 0; e < EMOTION_COUNT; e++)
            json_object_set_new(classes, lab_labels[e], json_integer(c->rows[s][e]));
        json_t *split =
            json_pack("{s:i, s:i, s:i, s:o}", "pictures", d->split[s].count, "repeats",
                      c->repeats[s], "seen_before", c->elsewhere[s], "classes", classes);
        if (d->data->shares > 0)
            json_object_set_new(split, "ferplus_majority", json_integer(c->majority[s]));
        json_object_set_new(splits, fer_split_name((enum nn_split)s), split);
    }
    json_t *all = json_pack("{s:i, s:i, s:o}", "width", d->data->width, "height", d->data->height,
                            "splits", splits);
    json_dumpf(all, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(all);
}

/* `samples` Training pictures of a class, evenly spread over the file. */
static int write_sheet(const struct lab_data_set *d, int class, int samples, const char *dir,
                       struct err *err)
{
    const struct nn_dataset *data = d->data;
    int counts[EMOTION_COUNT], seen = 0, put = 0, rc = 0;
    nn_view_class_counts(&d->split[NN_TRAINING], counts);
    int n = counts[class] < samples ? counts[class] : samples;
    if (n == 0)
        return 0;
    struct sheet *sheet = sheet_create(n, SHEET_COLUMNS);
    for (int i = 0; i < d->split[NN_TRAINING].count && put < n && rc == 0; i++) {
        int row = d->split[NN_TRAINING].row[i];
        char number[16];
        if (data->label[row] != class || seen++ < (int)((int64_t)put * counts[class] / n))
            continue;
        snprintf(number, sizeof number, "row %d", row + 1);
        rc = sheet_put(sheet, put++, nn_dataset_picture(data, row), data->width, data->height,
                       lab_labels[class], number, SHEET_PLAIN, err);
    }
    struct str path = {0};
    str_addf(&path, "%s/samples-%s.png", dir, lab_labels[class]);
    if (rc == 0)
        rc = sheet_write(sheet, path.s, err);
    str_free(&path);
    sheet_destroy(sheet);
    return rc;
}

static int draw(const struct contents *c, const struct lab_data_set *d, const char *dir,
                int samples, struct err *err)
{
    double bars[EMOTION_COUNT * NN_SPLIT_COUNT];
    const char *splits[NN_SPLIT_COUNT];
    struct str path = {0};
    for (int s = 0; s < NN_SPLIT_COUNT; s++) {
        splits[s] = fer_split_name((enum nn_split)s);
        for (int e = 0; e < EMOTION_COUNT; e++)
            bars[e * NN_SPLIT_COUNT + s] = c->rows[s][e];
    }
    int rc = path_make_dirs(dir, err);
    str_addf(&path, "%s/classes.png", dir);
    if (rc == 0)
        rc = chart_bars(path.s, "Pictures of each class", "pictures", bars, lab_labels,
                        EMOTION_COUNT, splits, NN_SPLIT_COUNT, err);
    str_clear(&path);
    str_addf(&path, "%s/training.png", dir);
    if (rc == 0)
        rc = chart_pie(path.s, "Training", c->rows[NN_TRAINING], lab_labels, EMOTION_COUNT, err);
    str_free(&path);
    for (int e = 0; e < EMOTION_COUNT && rc == 0; e++)
        rc = write_sheet(d, e, samples > 0 ? samples : 4 * SHEET_COLUMNS, dir, err);
    return rc;
}

static int run(struct lab_values *v, struct err *err)
{
    struct lab_data_set d;
    struct contents c;
    int rc = lab_data_open(&d, v, stderr, err);
    if (rc == 0) {
        count(&c, &d);
        if (v->json)
            print_json(&c, &d);
        else
            print_table(&c, &d);
        if (v->out != NULL)
            rc = draw(&c, &d, v->out, v->samples, err);
    }
    lab_data_close(&d);
    return rc;
}

int lab_data(int argc, char **argv, struct err *err)
{
    struct lab_values v;
    struct options *o;
    int words, status;
    status = options_begin(&o, &lab_options, &lab_commands[LAB_DATA], &v, argc, argv, err);
    if (status != OPTIONS_GO)
        return status;
    char *const *word = options_words(o, &words);
    if (words != 1) {
        err_set(err, ERR_RANGE, "data takes one file or folder, not %d", words);
        status = STATUS_USAGE;
    } else {
        v.data = word[0];
        status = run(&v, err) < 0 ? STATUS_FAILED : STATUS_OK;
    }
    options_free(o);
    return status;
}
