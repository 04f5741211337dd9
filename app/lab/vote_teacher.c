/* The FER+ votes as a teacher. See vote_teacher.h. */
#include "lab/vote_teacher.h"

#include <linear.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "emotion.h"
#include "nn/zoo.h"

/* Each share and its logarithm, and a constant. */
enum { FEATURES = 2 * NN_FERPLUS_SHARES + 1 };

static const double cost = 1, tolerance = 1e-3;

/* False: nobody rated it. */
static bool features_of(const float *share, struct feature_node x[FEATURES + 1])
{
    double sum = 0;
    for (int c = 0; c < NN_FERPLUS_SHARES; c++) {
        sum += (double)share[c];
        x[2 * c] = (struct feature_node){2 * c + 1, (double)share[c]};
        /* ten votes, and half a vote more for everything: no share is 0 */
        x[2 * c + 1] = (struct feature_node){2 * c + 2, log(10 * (double)share[c] + 0.5)};
    }
    x[FEATURES - 1] = (struct feature_node){FEATURES, 1};
    x[FEATURES].index = -1;
    return sum > 0;
}

static void silent(const char *line)
{
    (void)line;
}

/* NULL: no row has votes. */
static struct model *fit(const struct nn_view *view)
{
    const struct nn_dataset *d = view->data;
    size_t rows = (size_t)view->count + 1;
    struct feature_node *nodes = mem_new(rows * (FEATURES + 1), sizeof *nodes);
    struct feature_node **x = mem_new(rows, sizeof *x);
    double *y = mem_new(rows, sizeof *y);
    int n = 0;
    for (int i = 0; i < view->count; i++) {
        x[n] = nodes + (size_t)n * (FEATURES + 1);
        y[n] = d->label[view->row[i]];
        n += features_of(d->share + (size_t)view->row[i] * (size_t)d->shares, x[n]);
    }
    struct problem problem = {.l = n, .n = FEATURES, .y = y, .x = x, .bias = -1};
    struct parameter parameter = {.solver_type = L2R_LR, .eps = tolerance, .C = cost};
    set_print_string_function(silent);
    struct model *m = n > 0 ? train(&problem, &parameter) : NULL;
    free(nodes);
    free(x);
    free(y);
    return m;
}

int vote_teacher_add(const struct nn_view *view, float share, float *soft, struct err *err)
{
    const struct nn_dataset *d = view->data;
    struct model *m = d->shares == NN_FERPLUS_SHARES ? fit(view) : NULL;
    if (m == NULL)
        return err_set(err, ERR_RANGE, "the votes cannot teach: name their file with --votes");
    int classes = get_nr_class(m), label[EMOTION_COUNT];
    double p[EMOTION_COUNT];
    get_labels(m, label);
    for (int i = 0; i < view->count; i++) {
        struct feature_node x[FEATURES + 1];
        size_t row = (size_t)view->row[i];
        float *out = soft + row * EMOTION_COUNT;
        if (!features_of(d->share + row * NN_FERPLUS_SHARES, x)) {
            out[d->label[row]] += share;
            continue;
        }
        predict_probability(m, x, p);
        for (int c = 0; c < classes; c++)
            out[label[c]] += share * (float)p[c];
    }
    free_and_destroy_model(&m);
    return 0;
}
