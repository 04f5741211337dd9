/* How well titles suit the mood, 0 .. 1. Private to app/catalog.
 *
 * For one viewer with probabilities p(e), a policy with genre weights W and targets T:
 *     genres = sum_e p(e) * mean over the title's genres of W[e][g]            -1 .. 1
 *     tone   = sum_e p(e) * (1 - |title's tone - T[e]| / 2)                     0 .. 1
 *     fit    = 0.7 * (1 + genres) / 2 + 0.3 * tone      (without targets: genres alone)
 * A title's tone is the mean of its genres' tones and its mood words' tones; a song's is its
 * valence and energy, and its fit is the tone alone. Genres count per combination of genres, so
 * that 700,000 titles need a few thousand evaluations. Several viewers: mean or minimum. */
#ifndef CATALOG_FIT_H
#define CATALOG_FIT_H

#include "catalog/recommend.h"
#include "catalog/shelf.h"

struct fit;

/* Borrows c and the query's policy. */
struct fit *fit_create(const struct catalog *c, const struct recommend_query *q);
void fit_destroy(struct fit *f); /* NULL is allowed */

float fit_of(const struct fit *f, const struct shelf_entry *e);
/* The same of a film without mood words, by its genre set; 65,536 of them. */
const float *fit_of_sets(const struct fit *f);
float fit_max(const struct fit *f); /* no title has more */

/* The mean mood of the viewers. */
const struct emotion_scores *fit_mood(const struct fit *f);

/* The genre of this title that speaks for it most; NULL: none does. */
const char *fit_best_genre(const struct fit *f, const struct shelf_entry *e);

/* The mood word of this title that is nearest to the target; NULL: none is nearer than its genres
 * are. */
const char *fit_best_mood(const struct fit *f, const struct shelf_entry *e);

/* Top and contains policies: are titles of this genre set on the list of the top emotion? By genre
 * set; 65,536 of them. */
const bool *fit_listed_sets(const struct fit *f);

#endif
