/* `moodreel-lab sentiment`: trains and measures the review model of catalog/sentiment.h.
 *
 * NBSVM (Wang and Manning, ACL 2012, section 2.3): with f the 0/1 features of a text,
 *     r = log((p / |p|) / (q / |q|)),  p = 1 + sum of f over positive texts, q over negative ones;
 * a linear SVM (liblinear, L2 loss) learns w on f o r; the weight of a feature is
 *     r * ((1 - beta) * mean |w| + beta * w),  beta = 0.25. */
#include <linear.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "catalog/idmap.h"
#include "catalog/sentiment.h"
#include "catalog/table.h"
#include "lab/lab.h"

static const double beta = 0.25;

/* One labelled text as feature numbers. */
struct sample {
    int *features;
    int count;
    bool positive;
    int fold;
};

struct corpus {
    struct intern names; /* of the features */
    struct sample *v;
    size_t cap;
    int count;
};

/* What training gives: one weight a feature. */
struct weights {
    double *v;
    double bias;
};

/* --- reading --------------------------------------------------------------------------------- */

struct gather {
    struct corpus *corpus;
    int *v;
    size_t cap;
    int count;
};

static void gather_feature(const char *feature, void *payload)
{
    struct gather *g = payload;
    g->v = mem_grow(g->v, &g->cap, (size_t)g->count + 1, sizeof *g->v);
    g->v[g->count++] = intern_put(&g->corpus->names, feature);
}

static void add_sample(struct corpus *c, const char *text, bool positive, int fold)
{
    struct gather g = {.corpus = c};
    sentiment_features(text, gather_feature, &g);
    c->v = mem_grow(c->v, &c->cap, (size_t)c->count + 1, sizeof *c->v);
    c->v[c->count++] = (struct sample){g.v, g.count, positive, fold};
}

/* One text a line: rt-polarity.pos and .neg, dealt to the folds 1 .. 10 in turn. */
static int read_lines(struct corpus *c, const char *path, bool positive, struct err *err)
{
    static const struct table_format format = {.delimiter = "\x01", .header = "text"};
    const struct cell *cells = NULL;
    struct table *t = NULL;
    int line = 0;
    int rc = table_open(&t, path, &format, err);
    while (rc >= 0 && (rc = table_next(t, &cells, err)) == 1) {
        struct arena *a = arena_create(1024);
        add_sample(c, table_text(a, cells[0]), positive, 1 + line++ % 10);
        arena_destroy(a);
    }
    table_close(t);
    return rc;
}

static void free_corpus(struct corpus *c)
{
    for (int i = 0; i < c->count; i++)
        free(c->v[i].features);
    free(c->v);
    intern_free(&c->names);
}

/* --- training -------------------------------------------------------------------------------- */

static void log_count_ratios(const struct corpus *c, int without, double *r)
{
    int n = c->names.count;
    double *p = mem_new((size_t)n, sizeof *p), *q = mem_new((size_t)n, sizeof *q);
    double p_sum = n, q_sum = n;
    for (int i = 0; i < n; i++)
        p[i] = q[i] = 1;
    for (int s = 0; s < c->count; s++) {
        if (c->v[s].fold == without)
            continue;
        double *counts = c->v[s].positive ? p : q;
        for (int k = 0; k < c->v[s].count; k++)
            counts[c->v[s].features[k]]++;
        *(c->v[s].positive ? &p_sum : &q_sum) += c->v[s].count;
    }
    for (int i = 0; i < n; i++)
        r[i] = log(p[i] / p_sum / (q[i] / q_sum));
    free(p);
    free(q);
}

static int by_index(const void *a, const void *b)
{
    return ((const struct feature_node *)a)->index - ((const struct feature_node *)b)->index;
}

static struct feature_node *nodes_of(const struct sample *s, const double *r, int bias_index)
{
    struct feature_node *x = mem_new((size_t)s->count + 2, sizeof *x);
    for (int k = 0; k < s->count; k++)
        x[k] = (struct feature_node){s->features[k] + 1, r[s->features[k]]};
    qsort(x, (size_t)s->count, sizeof *x, by_index);
    x[s->count] = (struct feature_node){bias_index, 1};
    x[s->count + 1].index = -1;
    return x;
}

static void be_silent(const char *text)
{
    (void)text;
}

/* The linear SVM on f o r over all samples but those of fold `without`. NULL w.v: not trained. */
static struct weights train_svm(const struct corpus *c, int without, const double *r, double cost)
{
    struct weights w = {mem_new((size_t)c->names.count + 1, sizeof *w.v), 0};
    struct problem problem = {.n = c->names.count + 1, .bias = 1};
    struct parameter parameter = {.solver_type = L2R_L2LOSS_SVC_DUAL, .eps = 0.1, .C = cost};
    problem.x = mem_new((size_t)c->count + 1, sizeof *problem.x);
    problem.y = mem_new((size_t)c->count + 1, sizeof *problem.y);
    for (int s = 0; s < c->count; s++) {
        if (c->v[s].fold == without)
            continue;
        problem.x[problem.l] = nodes_of(&c->v[s], r, problem.n);
        problem.y[problem.l++] = c->v[s].positive ? 1 : -1;
    }
    set_print_string_function(be_silent);
    srand(1); /* liblinear draws its order with rand() */
    struct model *m = train(&problem, &parameter);
    double sign = m->label[0] == 1 ? 1 : -1;
    for (int i = 0; i < c->names.count; i++)
        w.v[i] = sign * m->w[i];
    w.bias = sign * m->w[c->names.count];
    free_and_destroy_model(&m);
    for (int i = 0; i < problem.l; i++)
        free(problem.x[i]);
    free(problem.x);
    free(problem.y);
    return w;
}

/* From SVM weights to weights of the bare features. */
static void interpolate(struct weights *w, const double *r, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += fabs(w->v[i]);
    double mean = n > 0 ? sum / n : 0;
    for (int i = 0; i < n; i++)
        w->v[i] = r[i] * ((1 - beta) * mean + beta * w->v[i]);
}

struct ranked {
    double size;
    int feature;
};

static int larger(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->size != y->size ? (x->size > y->size ? -1 : 1) : x->feature - y->feature;
}

/* Keeps the `keep` features that move the training texts most: |weight| * sqrt(texts). */
static void prune(struct weights *w, const struct corpus *c, int keep)
{
    int n = c->names.count;
    struct ranked *rank = mem_new((size_t)n + 1, sizeof *rank);
    double *texts = mem_new((size_t)n + 1, sizeof *texts);
    for (int s = 0; s < c->count; s++)
        for (int k = 0; k < c->v[s].count; k++)
            texts[c->v[s].features[k]]++;
    for (int i = 0; i < n; i++)
        rank[i] = (struct ranked){texts[i] > 1 ? fabs(w->v[i]) * sqrt(texts[i]) : 0, i};
    qsort(rank, (size_t)n, sizeof *rank, larger);
    for (int i = keep; i < n; i++)
        w->v[rank[i].feature] = 0;
    free(rank);
    free(texts);
}

static struct weights train_weights(const struct corpus *c, int without, double cost, int keep)
{
    double *r = mem_new((size_t)c->names.count + 1, sizeof *r);
    log_count_ratios(c, without, r);
    struct weights w = train_svm(c, without, r, cost);
    interpolate(&w, r, c->names.count);
    if (keep > 0)
        prune(&w, c, keep);
    free(r);
    return w;
}

static double value_of(const struct weights *w, const struct sample *s)
{
    double sum = w->bias;
    for (int k = 0; k < s->count; k++)
        sum += w->v[s->features[k]];
    return sum;
}

/* --- measuring ------------------------------------------------------------------------------- */

struct outcome {
    int right, count;
    double slope; /* of the logistic curve that fits the held-out values best */
};

/* One Newton step after another on the log likelihood of slope a: p = 1 / (1 + exp(-a v)). */
static double fit_slope(const double *v, const bool *positive, int n)
{
    double a = 1;
    for (int step = 0; step < 50; step++) {
        double first = 0, second = 1e-9;
        for (int i = 0; i < n; i++) {
            double p = 1 / (1 + exp(-a * v[i]));
            first += ((positive[i] ? 1 : 0) - p) * v[i];
            second += p * (1 - p) * v[i] * v[i];
        }
        a = fmax(1e-3, a + fmax(-0.5, fmin(0.5, first / second)));
    }
    return a;
}

static struct outcome cross_validate(const struct corpus *c, double cost, int keep)
{
    struct outcome o = {0};
    double *v = mem_new((size_t)c->count + 1, sizeof *v);
    bool *positive = mem_new((size_t)c->count + 1, sizeof *positive);
    for (int fold = 1; fold <= 10; fold++) {
        struct weights w = train_weights(c, fold, cost, keep);
        for (int s = 0; s < c->count; s++) {
            if (c->v[s].fold != fold)
                continue;
            v[o.count] = value_of(&w, &c->v[s]);
            positive[o.count] = c->v[s].positive;
            o.right += (v[o.count] > 0) == positive[o.count];
            o.count++;
        }
        free(w.v);
    }
    o.slope = fit_slope(v, positive, o.count);
    free(v);
    free(positive);
    return o;
}

/* --- writing --------------------------------------------------------------------------------- */

static int write_model(const struct corpus *c, const struct weights *w, double slope,
                       const char *path, struct err *err)
{
    struct str text = {0};
    str_addf(&text, "feature\tweight\n(bias)\t%.4g\n(slope)\t%.4g\n", w->bias, slope);
    for (int i = 0; i < c->names.count; i++)
        if (fabs(w->v[i]) > 0)
            str_addf(&text, "%s\t%.3g\n", c->names.texts[i], w->v[i]);
    int rc = path_write_atomic(path, text.s, text.len, err);
    printf("%s: %zu bytes\n", path, text.len);
    str_free(&text);
    return rc;
}

/* --- the command ----------------------------------------------------------------------------- */

struct sentiment_values {
    const char *out;
    int keep;
    double cost;
};

#define AT(field) offsetof(struct sentiment_values, field)

static const struct option_spec specs[] = {
    {.name = "out", .letter = 'o', .type = OPTION_STRING, .offset = AT(out), .arg = "FILE",
     .once = true, .help = "Write the model, trained on all texts."},
    {.name = "keep", .type = OPTION_INT, .offset = AT(keep), .min = 0, .max = 1e6, .arg = "N",
     .value = "0", .help = "Keep only the N features that matter most; 0: all."},
    {.name = "cost", .type = OPTION_NUMBER, .offset = AT(cost), .min = 1e-4, .max = 1e4,
     .arg = "C", .value = "0.3", .help = "Penalty of the SVM."},
};

static const struct option_set set = {
    .program = "moodreel-lab", .specs = specs, .count = sizeof specs / sizeof *specs};

static const char *const notes[] = {
    "FOLDER holds rt-polarity.pos and rt-polarity.neg, one sentence a line (Pang and Lee, ACL "
    "2005). Prints the accuracy of ten-fold cross-validation.", NULL};

static const struct command command = {"sentiment", "FOLDER", "Train the model that reads reviews",
                                       lab_sentiment, 0, notes};

static int read_folder(struct corpus *c, const char *folder, struct err *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/rt-polarity.pos", folder);
    int rc = read_lines(c, path, true, err);
    snprintf(path, sizeof path, "%s/rt-polarity.neg", folder);
    if (rc == ERR_OK)
        rc = read_lines(c, path, false, err);
    return rc;
}

static int run(const char *folder, const void *values, struct err *err)
{
    const struct sentiment_values *v = values;
    struct corpus c = {0};
    int rc = read_folder(&c, folder, err);
    if (rc == ERR_OK) {
        struct outcome o = cross_validate(&c, v->cost, v->keep);
        printf("%d texts, %d features; ten-fold accuracy on rt-polarity %.2f %% (%d of %d)\n",
               c.count, c.names.count, 100.0 * o.right / o.count, o.right, o.count);
        if (v->out != NULL) {
            struct weights w = train_weights(&c, -1, v->cost, v->keep);
            rc = write_model(&c, &w, o.slope, v->out, err);
            free(w.v);
        }
    }
    free_corpus(&c);
    return rc;
}

int lab_sentiment(int argc, char **argv, struct err *err)
{
    struct sentiment_values v;
    return lab_folder(&set, &command, &v, run, argc, argv, err);
}
