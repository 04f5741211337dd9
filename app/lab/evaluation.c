/* Runs a model over a view and gathers every figure we report. */
#include "lab/evaluation.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/path.h"
#include "lab/charts.h"
#include "lab/lab.h"
#include "vision/fer_data.h"

enum { VOTERS = 10, FERPLUS_EMOTIONS = 8 };

static double accuracy_of(const float *logits, const struct nn_view *v)
{
    int right = 0;
    for (int i = 0; i < v->count; i++)
        right += nn_argmax(logits + (size_t)i * EMOTION_COUNT, EMOTION_COUNT) ==
                 v->data->label[v->row[i]];
    return v->count > 0 ? (double)right / v->count : 0;
}

static void measure_calibration(struct evaluation *e, const float *logits, int count)
{
    float *p = mem_new((size_t)count + 1, EMOTION_COUNT * sizeof *p);
    for (int i = 0; i < count; i++)
        nn_softmax_row(logits + (size_t)i * EMOTION_COUNT, EMOTION_COUNT, (double)e->temperature,
                       p + (size_t)i * EMOTION_COUNT);
    e->ece = nn_calibration_error(p, e->truth, count, EMOTION_COUNT);
    e->log_loss = nn_log_loss(logits, e->truth, count, EMOTION_COUNT, (double)e->temperature);
    free(p);
}

static void measure_single(struct evaluation *e, const struct nn_view *v, const float *logits)
{
    nn_confusion_init(&e->confusion, EMOTION_COUNT);
    for (int i = 0; i < v->count; i++) {
        e->truth[i] = v->data->label[v->row[i]];
        e->guess[i] = (uint8_t)nn_argmax(logits + (size_t)i * EMOTION_COUNT, EMOTION_COUNT);
        nn_confusion_add(&e->confusion, e->truth[i], e->guess[i]);
    }
    e->accuracy = nn_confusion_accuracy(&e->confusion);
    e->macro_f1 = nn_confusion_macro_f1(&e->confusion);
    measure_calibration(e, logits, v->count);
}

/* Both views keep row order, so one walk finds the rows that stayed. */
static void measure_unique(struct evaluation *e, const struct nn_view *v,
                           const struct nn_view *elsewhere, int n)
{
    struct nn_view unique;
    int right = 0, at = 0;
    nn_view_copy(&unique, v);
    nn_view_drop_duplicates(&unique, elsewhere, n);
    for (int i = 0; i < v->count && at < unique.count; i++)
        if (v->row[i] == unique.row[at]) {
            right += e->guess[i] == e->truth[i];
            at++;
        }
    e->unique_count = unique.count;
    e->unique = unique.count > 0 ? (double)right / unique.count : 0;
    nn_view_free(&unique);
}

static void measure_votes(struct evaluation *e, const struct nn_view *v, const float *votes)
{
    int right = 0;
    for (int i = 0; i < v->count; i++) {
        const float *share = v->data->share + (size_t)v->row[i] * FERPLUS_COUNT;
        int majority = nn_majority(share, FERPLUS_COUNT, VOTERS);
        if (majority < 0)
            continue;
        e->ferplus_count++;
        right += nn_argmax(votes + (size_t)i * FERPLUS_MAX, FERPLUS_EMOTIONS) == majority;
    }
    e->ferplus = e->ferplus_count > 0 ? (double)right / e->ferplus_count : 0;
}

/* preprocess_reading() wants the model's own column order; ours came out sorted. */
static void measure_combined(struct evaluation *e, const struct preprocess *model,
                             const float *logits, const float *votes, int count)
{
    struct preprocess sorted = *model;
    int right = 0;
    for (int c = 0; c < EMOTION_COUNT; c++)
        sorted.order[c] = (enum emotion)c;
    for (int i = 0; i < count; i++) {
        struct reading reading;
        preprocess_reading(&sorted, logits + (size_t)i * EMOTION_COUNT,
                           votes + (size_t)i * FERPLUS_MAX, &reading);
        right += (int)emotion_top(&reading.scores) == e->truth[i];
    }
    e->combined = count > 0 ? (double)right / count : 0;
}

void evaluation_run(struct evaluation *out, struct predictor *p, const struct nn_view *view,
                    const struct nn_view *elsewhere, int elsewhere_count)
{
    size_t rows = (size_t)view->count + 1;
    float *logits = mem_new(rows, EMOTION_COUNT * sizeof *logits);
    float *votes = mem_new(rows, FERPLUS_MAX * sizeof *votes);
    *out = (struct evaluation){.truth = mem_new(rows, 1), .guess = mem_new(rows, 1)};
    out->temperature = predictor_preprocess(p)->temperature;
    out->two_heads = predictor_preprocess(p)->ferplus_count > 0;
    predictor_run(p, view, NN_SINGLE_CROP, logits, votes);
    measure_single(out, view, logits);
    measure_unique(out, view, elsewhere, elsewhere_count);
    if (out->two_heads)
        measure_combined(out, predictor_preprocess(p), logits, votes, view->count);
    if (out->two_heads && view->data->shares > 0)
        measure_votes(out, view, votes);
    predictor_run(p, view, NN_FLIP, logits, NULL);
    out->flip = accuracy_of(logits, view);
    predictor_run(p, view, NN_TEN_CROP, logits, NULL);
    out->ten_crop = accuracy_of(logits, view);
    free(logits);
    free(votes);
}

void evaluation_free(struct evaluation *e)
{
    free(e->truth);
    free(e->guess);
    *e = (struct evaluation){0};
}

/* ---- output ---- */

void evaluation_print_classes(const struct nn_confusion *c, FILE *to)
{
    fprintf(to, "\n%-10s%11s%9s%9s%9s\n", "class", "precision", "recall", "F1", "pictures");
    for (int i = 0; i < c->classes; i++) {
        struct nn_score s = nn_confusion_score(c, i);
        fprintf(to, "%-10s%11.3f%9.3f%9.3f%9lld\n", lab_labels[i], s.precision, s.recall, s.f1,
                (long long)s.support);
    }
    fprintf(to, "\n%-10s", "true\\said");
    for (int g = 0; g < c->classes; g++)
        fprintf(to, "%9s", lab_labels[g]);
    fputc('\n', to);
    for (int t = 0; t < c->classes; t++) {
        fprintf(to, "%-10s", lab_labels[t]);
        for (int g = 0; g < c->classes; g++)
            fprintf(to, "%9lld", (long long)c->cell[t][g]);
        fprintf(to, "   of %lld\n", (long long)nn_confusion_score(c, t).support);
    }
}

void evaluation_print(const struct evaluation *e, FILE *to)
{
    fprintf(to, "accuracy     %6.2f %%  of %lld pictures, single crop\n", 100 * e->accuracy,
            (long long)nn_confusion_total(&e->confusion));
    fprintf(to, "with flip    %6.2f %%\nten crops    %6.2f %%\n", 100 * e->flip, 100 * e->ten_crop);
    fprintf(to, "unique       %6.2f %%  of the %d pictures that are shown nowhere else\n",
            100 * e->unique, e->unique_count);
    if (e->two_heads)
        fprintf(to, "both heads   %6.2f %%  mean of label and FER+ head\n", 100 * e->combined);
    if (e->ferplus_count > 0)
        fprintf(to, "FER+         %6.2f %%  of %d pictures with a majority\n", 100 * e->ferplus,
                e->ferplus_count);
    fprintf(to, "macro F1     %6.4f\nECE          %6.2f %%\nlog loss     %6.4f\n", e->macro_f1,
            100 * e->ece, e->log_loss);
    evaluation_print_classes(&e->confusion, to);
}

static json_t *per_class_json(const struct nn_confusion *c)
{
    json_t *all = json_object();
    for (int i = 0; i < c->classes; i++) {
        struct nn_score s = nn_confusion_score(c, i);
        json_object_set_new(all, lab_labels[i],
                            json_pack("{s:f, s:f, s:f, s:I}", "precision", s.precision, "recall",
                                      s.recall, "f1", s.f1, "support", (json_int_t)s.support));
    }
    return all;
}

static json_t *confusion_json(const struct nn_confusion *c)
{
    json_t *rows = json_array();
    for (int t = 0; t < c->classes; t++) {
        json_t *row = json_array();
        for (int g = 0; g < c->classes; g++)
            json_array_append_new(row, json_integer((json_int_t)c->cell[t][g]));
        json_array_append_new(rows, row);
    }
    return rows;
}

json_t *evaluation_classes_json(const struct nn_confusion *c)
{
    json_t *labels = json_array();
    for (int i = 0; i < c->classes; i++)
        json_array_append_new(labels, json_string(lab_labels[i]));
    return json_pack("{s:f, s:o, s:o, s:o}", "macro_f1", nn_confusion_macro_f1(c), "labels", labels,
                     "per_class", per_class_json(c), "confusion", confusion_json(c));
}

json_t *evaluation_json(const struct evaluation *e)
{
    json_t *out = json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:{s:f, s:i}, s:f}", "count",
                            (json_int_t)nn_confusion_total(&e->confusion), "accuracy", e->accuracy,
                            "ece", e->ece, "log_loss", e->log_loss, "flip_accuracy", e->flip,
                            "ten_crop_accuracy", e->ten_crop, "unique", "accuracy", e->unique,
                            "count", e->unique_count, "temperature", (double)e->temperature);
    json_object_update_new(out, evaluation_classes_json(&e->confusion));
    if (e->two_heads)
        json_object_set_new(out, "both_heads_accuracy", json_real(e->combined));
    if (e->ferplus_count > 0)
        json_object_set_new(
            out, "ferplus",
            json_pack("{s:f, s:i}", "accuracy", e->ferplus, "count", e->ferplus_count));
    return out;
}

static int write_confusion_csv(const struct nn_confusion *c, const char *path, struct err *err)
{
    struct str text = {0};
    nn_confusion_csv(c, lab_labels, &text);
    int rc = path_write_atomic(path, text.s, text.len, err);
    str_free(&text);
    return rc;
}

int evaluation_write(const struct evaluation *e, const char *dir, const char *title,
                     struct err *err)
{
    struct str csv = {0}, png = {0}, pie = {0}, heading = {0};
    int counts[EMOTION_COUNT];
    for (int c = 0; c < EMOTION_COUNT; c++)
        counts[c] = (int)nn_confusion_score(&e->confusion, c).support;
    str_addf(&csv, "%s/confusion.csv", dir);
    str_addf(&png, "%s/confusion.png", dir);
    str_addf(&pie, "%s/classes.png", dir);
    str_addf(&heading, "%s: %.2f %% of %lld", title, 100 * e->accuracy,
             (long long)nn_confusion_total(&e->confusion));
    int rc = path_make_dirs(dir, err);
    if (rc == 0)
        rc = write_confusion_csv(&e->confusion, csv.s, err);
    if (rc == 0)
        rc = chart_confusion(png.s, heading.s, &e->confusion, lab_labels, err);
    if (rc == 0)
        rc = chart_pie(pie.s, title, counts, lab_labels, EMOTION_COUNT, err);
    str_free(&csv);
    str_free(&png);
    str_free(&pie);
    str_free(&heading);
    return rc;
}
