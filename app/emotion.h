/* The seven FER-2013 classes, in FER-2013 order. Files store names, never numbers. */
#ifndef EMOTION_H
#define EMOTION_H

#include <stdbool.h>

enum emotion {
    EMOTION_ANGRY,
    EMOTION_DISGUST,
    EMOTION_FEAR,
    EMOTION_HAPPY,
    EMOTION_SAD,
    EMOTION_SURPRISE,
    EMOTION_NEUTRAL,
    EMOTION_COUNT
};

/* A probability for each emotion; sums to 1. */
struct emotion_scores {
    float p[EMOTION_COUNT];
};

/* The name used in files and reports: "angry". Static. "?" outside the enum. */
const char *emotion_name(enum emotion e);

/* Accepts the names above and their usual relatives ("anger", "Happiness", "surprised"),
 * whatever the case. false: unknown, *out is left alone. */
bool emotion_parse(const char *name, enum emotion *out);

/* The most probable emotion; the first one on a tie. */
enum emotion emotion_top(const struct emotion_scores *s);

/* Probability of the top emotion minus that of the second, 0 .. 1. */
float emotion_confidence(const struct emotion_scores *s);

/* into = (1 - weight) * into + weight * s, weight in 0 .. 1. */
void emotion_blend(struct emotion_scores *into, const struct emotion_scores *s, float weight);

/* All probability on one emotion. */
struct emotion_scores emotion_pure(enum emotion e);

/* Scales to sum 1; all zero (or not finite) becomes all neutral. */
void emotion_normalise(struct emotion_scores *s);

#endif
