/* The shelf that the viewer chooses from: catalogue, policy, memory, and the list on the screen.
 * What the session's actions RECOMMEND, POLICY and OPINION mean; also behind `moodreel photo`.
 * Main thread only. */
#ifndef FILMS_H
#define FILMS_H

#include <stdbool.h>

#include "base/err.h"
#include "catalog/catalog.h"
#include "emotion.h"
#include "session.h"
#include "views.h"

struct films_params {
    const char *catalog;  /* as in catalog_open(); borrowed during open */
    const char *policy;   /* name or path; NULL: the default one; borrowed during open */
    const char *language; /* of titles, NULL: any; must outlive the films */
    int top;              /* titles in a list */
    bool memory;          /* likes, seen marks, what was shown: kept on disk where that can be done,
                           * else until films_close() */
};

struct films;
int films_open(struct films **out, const struct films_params *p, struct err *err);
void films_close(struct films *f); /* NULL is allowed */
bool films_has_songs(const struct films *f);

/* The mood of a picture: its faces' readings averaged, larger faces counting more. */
struct emotion_scores films_mood(const struct emotion_scores *faces, const float *areas, int count);

/* Fills the list for a mood; faces: the readings it was blended from; none: it was set by
 * hand. On failure the list is empty. */
int films_fetch(struct films *f, const struct emotion_scores *mood,
                const struct emotion_scores *faces, int face_count, bool songs, struct err *err);
void films_clear(struct films *f); /* empties the list */
const struct title_list *films_titles(const struct films *f);
const struct view_mark *films_marks(const struct films *f); /* one per title */

int films_next_policy(struct films *f, struct err *err);
const char *films_policy_name(const struct films *f);  /* "lift" */
const char *films_policy_title(const struct films *f); /* "Lift me up" */

/* Says, or takes back, something about a title of the list. */
int films_opinion(struct films *f, int index, enum session_opinion o, struct err *err);

#endif
