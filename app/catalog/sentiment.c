/* Features of a text and the linear score. File form: `feature TAB weight` lines; the features
 * "(bias)" and "(slope)" hold the intercept and the slope of the logistic curve. */
#include "catalog/sentiment.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "catalog/idmap.h"
#include "catalog/table.h"

enum { WORD_BYTES = 40 };

struct sentiment {
    struct intern features;
    float *weights;
    size_t weights_cap;
    double bias, slope;
};

/* --- features -------------------------------------------------------------------------------- */

static bool in_word(unsigned char c)
{
    return isalnum(c) || c >= 0x80 || c == '\'';
}

/* The next word in lower case, or one of the signs ! ? that carry feeling. NULL: the text ends. */
static const char *next_word(const char *s, char word[WORD_BYTES])
{
    while (*s != '\0' && !in_word((unsigned char)*s) && *s != '!' && *s != '?')
        s++;
    if (*s == '\0')
        return NULL;
    size_t n = 0;
    if (!in_word((unsigned char)*s))
        word[n++] = *s++;
    else
        for (; in_word((unsigned char)*s); s++)
            if (n + 1 < WORD_BYTES)
                word[n++] = (char)tolower((unsigned char)*s);
    word[n] = '\0';
    return s;
}

void sentiment_features(const char *text, sentiment_feature_fn *fn, void *payload)
{
    char word[WORD_BYTES], before[WORD_BYTES] = "", pair[2 * WORD_BYTES + 1];
    struct intern seen = {0};
    while ((text = next_word(text, word)) != NULL) {
        int count = seen.count;
        if (intern_put(&seen, word) == count)
            fn(word, payload);
        size_t first = strlen(before), second = strlen(word);
        memcpy(pair, before, first);
        pair[first] = ' ';
        memcpy(pair + first + 1, word, second + 1);
        count = seen.count;
        if (first > 0 && intern_put(&seen, pair) == count)
            fn(pair, payload);
        memcpy(before, word, second + 1);
    }
    intern_free(&seen);
}

/* --- model ----------------------------------------------------------------------------------- */

static void put_weight(struct sentiment *s, const char *feature, double weight)
{
    if (strcmp(feature, "(bias)") == 0) {
        s->bias = weight;
    } else if (strcmp(feature, "(slope)") == 0) {
        s->slope = weight;
    } else {
        int i = intern_put(&s->features, feature);
        s->weights = mem_grow(s->weights, &s->weights_cap, (size_t)i + 1, sizeof *s->weights);
        s->weights[i] = (float)weight;
    }
}

static int read_weights(struct sentiment *s, struct table *t, struct err *err)
{
    const struct cell *c = NULL;
    int rc;
    while ((rc = table_next(t, &c, err)) == 1) {
        double weight = 0;
        if (parse_f64(c[1].s, -1e6, 1e6, &weight))
            put_weight(s, c[0].s, weight);
        else
            table_reject(t, "no weight");
    }
    return rc;
}

int sentiment_load(struct sentiment **out, const char *path, struct err *err)
{
    static const struct table_format format = {.delimiter = "\t"};
    char installed[4096];
    struct table *t = NULL;
    if (path == NULL && !path_find_data("models/sentiment.tsv", installed, sizeof installed))
        return err_set(err, ERR_NOT_FOUND, "models/sentiment.tsv is missing; reinstall moodreel");
    path = path != NULL ? path : installed;
    int rc = table_open(&t, path, &format, err);
    if (rc < 0)
        return rc;
    struct sentiment *s = mem_new(1, sizeof *s);
    if (table_columns(t) != 2)
        rc = err_set(err, ERR_FORMAT, "%s: not a sentiment model", path);
    else
        rc = read_weights(s, t, err);
    if (rc == ERR_OK && (s->features.count == 0 || !(s->slope > 0) || table_bad_rows(t) > 0))
        rc = err_set(err, ERR_FORMAT, "%s: damaged sentiment model", path);
    table_close(t);
    if (rc < 0)
        sentiment_free(s);
    else
        *out = s;
    return rc;
}

void sentiment_free(struct sentiment *s)
{
    if (s == NULL)
        return;
    intern_free(&s->features);
    free(s->weights);
    free(s);
}

struct sum {
    const struct sentiment *model;
    double value;
    int known;
};

static void add_feature(const char *feature, void *payload)
{
    struct sum *sum = payload;
    int i = intern_find(&sum->model->features, feature);
    if (i < 0)
        return;
    sum->value += (double)sum->model->weights[i];
    sum->known++;
}

double sentiment_score(const struct sentiment *s, const char *text)
{
    struct sum sum = {s, s->bias, 0};
    sentiment_features(text, add_feature, &sum);
    return sum.known > 0 ? 1 / (1 + exp(-s->slope * sum.value)) : 0.5;
}
