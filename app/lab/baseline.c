/* `baseline`: histograms of oriented gradients and a linear support vector machine, one class
 * against the others (document 004, table 2, "SVM"; Dalal and Triggs 2005; Fan et al., "LIBLINEAR",
 * 2008). The cost of errors is chosen by PublicTest. */
#include <linear.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "emotion.h"
#include "lab/evaluation.h"
#include "lab/lab.h"
#include "vision/opencv_c.h"

enum { FEATURES_MAX = 4096 };

/* The rows of a view as liblinear wants them: nodes of (index from 1, value), ended by index -1. */
struct samples {
    int count, features;
    struct feature_node *nodes; /* count x (features + 1) */
    struct feature_node **row;
    double *label;
};

static int samples_make(struct samples *out, const struct nn_view *v, struct err *err)
{
    const struct nn_dataset *d = v->data;
    float hog[FEATURES_MAX];
    char why[200];
    *out = (struct samples){.count = v->count};
    out->row = mem_new((size_t)v->count + 1, sizeof *out->row);
    out->label = mem_new((size_t)v->count + 1, sizeof *out->label);
    for (int i = 0; i < v->count; i++) {
        int n = cvc_hog(nn_dataset_picture(d, v->row[i]), d->width, d->height, hog, FEATURES_MAX,
                        why, sizeof why);
        if (n < 0)
            return err_set(err, ERR_UNSUPPORTED, "%s", why);
        if (out->nodes == NULL)
            out->nodes = mem_try_aligned((size_t)v->count * (size_t)(n + 1), sizeof *out->nodes);
        if (out->nodes == NULL)
            return err_set(err, ERR_NO_MEMORY, "no memory for %d pictures", v->count);
        out->features = n;
        out->row[i] = out->nodes + (size_t)i * (size_t)(n + 1);
        out->label[i] = d->label[v->row[i]];
        for (int f = 0; f < n; f++)
            out->row[i][f] = (struct feature_node){f + 1, (double)hog[f]};
        out->row[i][n].index = -1;
    }
    return 0;
}

static void samples_free(struct samples *s)
{
    mem_free_aligned(s->nodes);
    free(s->row);
    free(s->label);
}

static void silent(const char *line)
{
    (void)line;
}

static struct model *learn(const struct samples *s, double cost)
{
    struct problem problem = {
        .l = s->count, .n = s->features, .y = s->label, .x = s->row, .bias = -1};
    struct parameter parameter = {.solver_type = L2R_L2LOSS_SVC_DUAL, .eps = 0.1, .C = cost};
    set_print_string_function(silent);
    return train(&problem, &parameter);
}

static struct nn_confusion measure(const struct model *m, const struct samples *s)
{
    struct nn_confusion c;
    nn_confusion_init(&c, EMOTION_COUNT);
    for (int i = 0; i < s->count; i++)
        nn_confusion_add(&c, (int)s->label[i], (int)predict(m, s->row[i]));
    return c;
}

/* The model with the best PublicTest accuracy among a few costs. */
static struct model *choose(const struct samples *training, const struct samples *validation)
{
    static const double costs[] = {0.01, 0.03, 0.1, 0.3};
    struct model *best = NULL;
    double most = -1;
    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++) {
        struct model *m = learn(training, costs[i]);
        struct nn_confusion c = measure(m, validation);
        double accuracy = nn_confusion_accuracy(&c);
        printf("cost %-5g PublicTest %.2f %%\n", costs[i], 100 * accuracy);
        fflush(stdout);
        struct model **loser = accuracy > most ? &best : &m;
        if (*loser != NULL)
            free_and_destroy_model(loser);
        if (accuracy > most) {
            most = accuracy;
            best = m;
        }
    }
    return best;
}

static void report(const struct model *m, const struct samples *test)
{
    struct nn_confusion c = measure(m, test);
    printf("\naccuracy     %6.2f %%  of %d PrivateTest pictures\nmacro F1     %6.4f\n",
           100 * nn_confusion_accuracy(&c), test->count, nn_confusion_macro_f1(&c));
    evaluation_print_classes(&c, stdout);
}

static int run(const struct lab_values *v, struct err *err)
{
    struct lab_data_set d;
    struct samples s[NN_SPLIT_COUNT] = {{0}};
    int rc = lab_data_open(&d, v, stdout, err);
    if (rc == 0)
        rc = lab_data_for_training(&d, v, stdout, err);
    for (int i = 0; i < NN_SPLIT_COUNT && rc == 0; i++)
        rc = samples_make(&s[i], &d.split[i], err);
    if (rc == 0) {
        struct model *m = choose(&s[NN_TRAINING], &s[NN_VALIDATION]);
        report(m, &s[NN_TEST]);
        free_and_destroy_model(&m);
    }
    for (int i = 0; i < NN_SPLIT_COUNT; i++)
        samples_free(&s[i]);
    lab_data_close(&d);
    return rc;
}

int lab_baseline(int argc, char **argv, struct err *err)
{
    struct lab_values v;
    struct options *o;
    int words;
    int status = options_begin(&o, &lab_options, &lab_commands[LAB_BASELINE], &v, argc, argv, err);
    if (status != OPTIONS_GO)
        return status;
    options_words(o, &words);
    if (words > 0) {
        err_set(err, ERR_RANGE, "baseline takes no word, the data comes by --data");
        status = STATUS_USAGE;
    } else {
        status = run(&v, err) < 0 ? STATUS_FAILED : STATUS_OK;
    }
    options_free(o);
    return status;
}
