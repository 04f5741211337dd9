/* Personal taste: what likes and dislikes say about every other title. Private to app/catalog.
 *
 *     taste = clamp(exp(content + collaborative), 0.55 .. 1.82)
 *
 * content: shares of liked and disliked titles per genre, decade and language, and the people in
 * them; collaborative: the EASE weights of the liked titles (ease.h), 0 where no ratings were
 * imported. The factor is 1 for a person who has said nothing. */
#ifndef CATALOG_TASTE_H
#define CATALOG_TASTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "catalog/shelf.h"

struct catalog;
struct feedback;
struct taste;

/* Why a title is left out. */
enum { TASTE_DISLIKED = 1, TASTE_SEEN = 2, TASTE_SHOWN = 4 };

/* The taste as it is now; made again only when feedback changed. Owned by c. f NULL: nobody said
 * anything. */
int taste_of(struct catalog *c, struct feedback *f, const struct taste **out, struct err *err);
/* These titles were remembered as shown just now: the taste is still up to date. */
void taste_note_shown(struct catalog *c, struct feedback *f, const int64_t *titles, int count);
void taste_free(struct taste *t); /* NULL is allowed */

/* OR of the reasons to leave a title out, 0: none. */
unsigned taste_exclusions(const struct taste *t, int64_t title);
/* Cheap: three table look-ups, and a fourth for the few titles that people or ratings point to. */
float taste_factor(const struct taste *t, int64_t title, int genre_set, int year, int language);
float taste_factor_max(const struct taste *t); /* no title has more */

/* What speaks for a title most: a liked person's name, or the name of a liked title whose friends
 * like this one, or a liked genre. NULL: nothing. The strings live with t. */
struct taste_reason {
    const char *person, *title, *genre;
};
struct taste_reason taste_reason_for(const struct taste *t, const struct catalog *c,
                                     const struct shelf_entry *e);

#endif
