/* Policies: which genres, and which tone, suit which emotion. Data in assets/policies/<name>.conf.
 *
 * The files say where each number comes from. A policy file is lines of
 *     title = Make it better           what people see
 *     reason = you asked to be lifted  how the reason sentence refers to it
 *     reason EMOTION = may it last     the same for one emotion
 *     aim = to be lifted               the same where the mood was set by hand; also aim EMOTION
 *     kind = weights | top | contains  how it ranks (below)
 *     limit = 50                       top and contains: the length of the source's list
 *     quality, taste, diversity = yes | no
 *     popularity = 8                   how much more a title that everybody has rated counts than
 *                                      one that nobody has, 0 .. 100; 0 (the default): nothing
 *     target EMOTION = VALENCE AROUSAL the tone to aim at, both -1 .. 1
 *     EMOTION = GENRE WEIGHT, ...      weights in -1 .. 1; without a number: 1
 *     tone GENRE = VALENCE AROUSAL     where a genre lies (installed: tones.conf, read first)
 * and '#' comments. Kinds: `weights` scores by the whole probability vector; `top` takes the top
 * emotion's genre and lists its best-rated titles (seed paper 001); `contains` takes the first
 * titles in catalogue order whose genres contain the word (seed report 000). */
#ifndef CATALOG_POLICY_H
#define CATALOG_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "emotion.h"

struct policy;

enum policy_kind { POLICY_WEIGHTS, POLICY_TOP, POLICY_CONTAINS };

/* Loads "lift" (an installed policy) or a path (anything with a '/' or ending in ".conf").
 * ERR_NOT_FOUND names the policies that exist; ERR_FORMAT names file and line. */
int policy_load(struct policy **out, const char *name, struct err *err);
/* The same from memory; `name` stands in messages. */
int policy_parse(struct policy **out, const char *name, const char *text, size_t len,
                 struct err *err);
void policy_free(struct policy *p); /* NULL is allowed */

/* The installed policies in the order the P key walks them; the default comes first.
 * NULL ends the list. Static. */
const char *policy_builtin(size_t index);

const char *policy_name(const struct policy *p);  /* "lift" */
const char *policy_title(const struct policy *p); /* "Make it better" */
/* "you asked to be lifted"; "": none */
const char *policy_reason(const struct policy *p, enum emotion e);
/* "to be lifted"; without an aim: the reason */
const char *policy_aim(const struct policy *p, enum emotion e);
enum policy_kind policy_kind(const struct policy *p);
int policy_limit(const struct policy *p);         /* 0: no limit of its own */
bool policy_uses_quality(const struct policy *p);
float policy_popularity(const struct policy *p);
bool policy_uses_taste(const struct policy *p);   /* also the memory of what was shown */
bool policy_uses_diversity(const struct policy *p);

/* The weight of a genre for an emotion, -1 .. 1; 0 when the policy does not name it. */
float policy_weight(const struct policy *p, enum emotion e, const char *genre);
/* The tone to aim at for an emotion; false: the policy has none. */
bool policy_target(const struct policy *p, enum emotion e, float *valence, float *arousal);
/* The tone of a genre; false: unknown. */
bool policy_tone(const struct policy *p, const char *genre, float *valence, float *arousal);
/* The genres an emotion favours, heaviest first, at most `cap`; returns how many. Live with p. */
int policy_genres(const struct policy *p, enum emotion e, const char **out, int cap);

#endif
