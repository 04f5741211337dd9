/* Confusion matrix, calibration, FER+ majority. */
#include "nn/metrics.h"

#include <assert.h>
#include <math.h>
#include <string.h>

void nn_confusion_init(struct nn_confusion *c, int classes)
{
    assert(classes > 0 && classes <= NN_METRICS_CLASSES);
    memset(c, 0, sizeof *c);
    c->classes = classes;
}

void nn_confusion_add(struct nn_confusion *c, int truth, int guess)
{
    assert(truth >= 0 && truth < c->classes && guess >= 0 && guess < c->classes);
    c->cell[truth][guess]++;
}

int64_t nn_confusion_total(const struct nn_confusion *c)
{
    int64_t n = 0;
    for (int t = 0; t < c->classes; t++)
        for (int g = 0; g < c->classes; g++)
            n += c->cell[t][g];
    return n;
}

static double ratio(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

double nn_confusion_accuracy(const struct nn_confusion *c)
{
    int64_t right = 0;
    for (int i = 0; i < c->classes; i++)
        right += c->cell[i][i];
    return ratio(right, nn_confusion_total(c));
}

static int64_t guesses_of(const struct nn_confusion *c, int cls)
{
    int64_t n = 0;
    for (int t = 0; t < c->classes; t++)
        n += c->cell[t][cls];
    return n;
}

struct nn_score nn_confusion_score(const struct nn_confusion *c, int cls)
{
    struct nn_score s = {0};
    for (int g = 0; g < c->classes; g++)
        s.support += c->cell[cls][g];
    int64_t guessed = guesses_of(c, cls);
    s.recall = ratio(c->cell[cls][cls], s.support);
    s.precision = ratio(c->cell[cls][cls], guessed);
    s.f1 = ratio(2 * c->cell[cls][cls], s.support + guessed);
    return s;
}

double nn_confusion_macro_f1(const struct nn_confusion *c)
{
    double sum = 0;
    int present = 0;
    for (int i = 0; i < c->classes; i++) {
        struct nn_score s = nn_confusion_score(c, i);
        if (s.support + guesses_of(c, i) == 0)
            continue;
        sum += s.f1;
        present++;
    }
    return present > 0 ? sum / present : 0;
}

void nn_confusion_csv(const struct nn_confusion *c, const char *const *names, struct str *out)
{
    str_addf(out, "truth\\guess");
    for (int g = 0; g < c->classes; g++)
        str_addf(out, ",%s", names[g]);
    for (int t = 0; t < c->classes; t++) {
        str_addf(out, "\n%s", names[t]);
        for (int g = 0; g < c->classes; g++)
            str_addf(out, ",%lld", (long long)c->cell[t][g]);
    }
    str_addf(out, "\n");
}

int nn_argmax(const float *v, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (v[i] > v[best])
            best = i;
    return best;
}

void nn_softmax_row(const float *logits, int n, double temperature, float *p)
{
    double sum = 0, top = (double)logits[nn_argmax(logits, n)], e[NN_METRICS_CLASSES];
    assert(n > 0 && n <= NN_METRICS_CLASSES);
    for (int i = 0; i < n; i++)
        sum += e[i] = exp(((double)logits[i] - top) / temperature);
    for (int i = 0; i < n; i++)
        p[i] = (float)(e[i] / sum);
}

double nn_log_loss(const float *logits, const uint8_t *labels, int count, int classes,
                   double temperature)
{
    double loss = 0;
    for (int i = 0; i < count; i++) {
        const float *row = logits + (size_t)i * (size_t)classes;
        double top = (double)row[nn_argmax(row, classes)], sum = 0;
        for (int c = 0; c < classes; c++)
            sum += exp(((double)row[c] - top) / temperature);
        loss += log(sum) - ((double)row[labels[i]] - top) / temperature;
    }
    return count > 0 ? loss / count : 0;
}

double nn_calibration_error(const float *p, const uint8_t *labels, int count, int classes)
{
    enum { BINS = 15 };
    double confidence[BINS] = {0}, right[BINS] = {0}, error = 0;
    for (int i = 0; i < count; i++) {
        const float *row = p + (size_t)i * (size_t)classes;
        int guess = nn_argmax(row, classes);
        int bin = (int)(row[guess] * BINS);
        bin = bin >= BINS ? BINS - 1 : bin;
        confidence[bin] += (double)row[guess];
        right[bin] += guess == labels[i];
    }
    for (int b = 0; b < BINS; b++) /* the bin's share times |accuracy - confidence| */
        error += fabs(right[b] - confidence[b]);
    return count > 0 ? error / count : 0;
}

/* The loss has one minimum in 1 / temperature (it is convex there), so a golden-section search
 * over the logarithm finds it. */
double nn_fit_temperature(const float *logits, const uint8_t *labels, int count, int classes)
{
    if (count == 0)
        return 1;
    const double golden = 0.6180339887498949;
    double low = log(0.05), high = log(20);
    double a = high - golden * (high - low), b = low + golden * (high - low);
    double fa = nn_log_loss(logits, labels, count, classes, exp(a));
    double fb = nn_log_loss(logits, labels, count, classes, exp(b));
    while (high - low > 1e-4) {
        if (fa < fb) {
            high = b, b = a, fb = fa;
            fa = nn_log_loss(logits, labels, count, classes, exp(a = high - golden * (high - low)));
        } else {
            low = a, a = b, fa = fb;
            fb = nn_log_loss(logits, labels, count, classes, exp(b = low + golden * (high - low)));
        }
    }
    return exp((low + high) / 2);
}

int nn_majority(const float *votes, int n, int voters)
{
    assert(n > 2);
    float sum = 0, best = 0;
    int winner = -1;
    for (int i = 0; i < n; i++) {
        float count = votes[i] * (float)voters;
        if (count < 1.5f) /* a single vote is an outlier */
            continue;
        sum += count;
        if (count > best) {
            best = count;
            winner = i;
        }
    }
    return winner >= 0 && winner < n - 2 && best > 0.5f * sum ? winner : -1;
}
