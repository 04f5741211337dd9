/* Titles for a mood.
 *
 *     score = mood fit x quality x taste        (each factor documented in README.md)
 *
 * mood fit: the whole probability vector against the policy's genre weights and tone;
 * quality: Bayesian weighted rating; taste: likes and dislikes by content and, where ratings were
 * imported, by what people with the same likes liked (ease.h). The best few hundred are then
 * picked one by one for variety of genre, decade and director (maximal marginal relevance).
 * Titles that were shown lately, disliked or (on request) seen are left out. */
#ifndef CATALOG_RECOMMEND_H
#define CATALOG_RECOMMEND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "catalog/catalog.h"
#include "emotion.h"

struct policy;
struct feedback;

enum group_mode {
    GROUP_MEAN,        /* everybody's mood fit averaged */
    GROUP_LEAST_MISERY /* the fit of whoever it suits least (O'Connor et al., PolyLens, 2001) */
};

/* What is asked for. Start from recommend_defaults(); zero means "any" throughout. Borrows every
 * pointer for the call. */
struct recommend_query {
    struct emotion_scores mood;
    const struct emotion_scores *faces; /* several viewers; NULL: only `mood` */
    int face_count;
    bool by_hand;                       /* the mood was set, not read: nobody "looks" like it */
    enum group_mode group;

    const struct policy *policy;  /* required */
    enum title_kind kind;
    const char *language;         /* ISO 639-1, "fr"; NULL or "": any */
    int certainty_min;            /* of the language, percent; default 50 */
    const char *actor, *director; /* names, see catalog_find_people(); NULL or "": any.
                                   * Songs: both mean the artist */
    int year_min, year_max;
    int minutes_max;
    int certificate_max;          /* oldest age allowed, -1: any; unknown ones are left out */
    int votes_min;
    bool hide_seen;               /* default true */

    int limit;                    /* how many, default 10 */
    int shuffle;                  /* > 0: this many at random from the mood's list, never one twice
                                   * until the list is spent; `limit` is then not used */
    bool allow_repeats;           /* do not leave out what was shown before, do not remember */
    uint64_t seed;                /* of shuffle */
};

struct recommend_query recommend_defaults(void);

/* A year range from "1990", "1990s", "90s" or "1990-1999". false: none of these. */
bool recommend_parse_decade(const char *text, int *year_min, int *year_max);

/* Fills *out, best first, each with score and reason. An empty or short list is a success: see
 * out->exhausted and out->note. f may be NULL (no memory, no taste). With f, what was returned is
 * remembered as shown unless allow_repeats; where that cannot be written the note says so.
 * ERR_NOT_FOUND: no such person or language; the sentence offers the nearest names.
 * At most a few milliseconds: may run on the main thread. */
int recommend(struct catalog *c, struct feedback *f, const struct recommend_query *q,
              struct title_list *out, struct err *err);

/* "sad 61 %, neutral 22 %": what matters of the mood. For notes and logs. */
void recommend_mood_text(const struct emotion_scores *mood, char *out, int cap);

/* Counts kept since catalog_open() by SQLite over the statements recommend() and catalog_search()
 * ran (sqlite3_stmt_status): rows stepped in full scans, and sorts. Both stay 0: tested. */
void catalog_hot_path_counts(const struct catalog *c, int64_t *full_scan_steps, int64_t *sorts);

#endif
