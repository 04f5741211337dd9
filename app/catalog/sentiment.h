/* Is a review sentence positive? NBSVM (Wang and Manning, "Baselines and Bigrams", ACL 2012): a
 * linear model over words and pairs of words, weighted by their naive Bayes log-count ratios.
 * models/sentiment.tsv holds the finished weights; `moodreel-lab sentiment` trains them. */
#ifndef CATALOG_SENTIMENT_H
#define CATALOG_SENTIMENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct sentiment;

/* path NULL: the installed model. */
int sentiment_load(struct sentiment **out, const char *path, struct err *err);
void sentiment_free(struct sentiment *s); /* NULL is allowed */

/* Probability that the text is positive, 0 .. 1; 0.5 for a text without known words. */
double sentiment_score(const struct sentiment *s, const char *text);

/* The features of a text, each once in order of appearance: words ("good", "!", "n't") and pairs
 * ("not good"). Shared by trainer and scorer. fn gets ended strings that live for the call. */
typedef void sentiment_feature_fn(const char *feature, void *payload);
void sentiment_features(const char *text, sentiment_feature_fn *fn, void *payload);

#endif
