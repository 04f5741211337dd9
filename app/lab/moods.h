/* The viewings of LDOS-CoMoDa, and what can be learnt from them without some of the viewers. */
#ifndef LAB_MOODS_H
#define LAB_MOODS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "emotion.h"

enum { MOOD_FOLDS = 10, MOOD_GENRES = 24, MOOD_FILMS_MOST = 5000, MOOD_GENRES_OF_FILM = 3 };

struct viewing {
    int fold; /* of its viewer */
    int film;
    int rating;  /* 1 .. 5 */
    int emotion; /* the one that dominated; -1: unknown */
};

struct moods {
    struct viewing *v;
    size_t cap;
    int count;
    int films; /* how many are known */
    bool known[MOOD_FILMS_MOST];
    int genres[MOOD_FILMS_MOST][MOOD_GENRES_OF_FILM]; /* 0: none */

    /* What moods_learn() found. */
    int votes[MOOD_FILMS_MOST];
    double rating[MOOD_FILMS_MOST]; /* mean, on IMDb's 1 .. 10; 0: none */
    float weight[EMOTION_COUNT][MOOD_GENRES];
};

/* Reads ldos_comoda_named.csv into a zeroed *m. ERR_FORMAT: not that table, or no viewing in it. */
int moods_read(struct moods *m, const char *file, struct err *err);
void moods_free(struct moods *m);

/* Votes, ratings and weights from all viewings but those of two folds (which may be the same).
 * Weights as in assets/policies/match.conf: log2 of the lift, cut to -1 .. 1; shares are pulled
 * towards no lift by ten viewings; neutral is no evidence of a mood and has none. */
void moods_learn(struct moods *m, int without, int nor);

/* IMDb's word for a genre of the data set, "" for those that are not known. */
const char *moods_genre(int genre);

/* The learnt votes and ratings as a CSV file for the importer: films are called "film 17". */
void moods_write_films(const struct moods *m, struct str *csv);
/* The learnt weights as a policy: match.conf without targets, which come from these data too. */
void moods_write_policy(const struct moods *m, double popularity, bool varied, struct str *conf);

#endif
