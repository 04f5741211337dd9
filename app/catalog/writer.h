/* Puts content into a catalogue under construction: prepared upserts, genre sets by number.
 * Private to app/catalog; import.c makes and commits it. The first failure sticks: every later call
 * does nothing and writer_failed() says so, so importers check once per row at most. */
#ifndef CATALOG_WRITER_H
#define CATALOG_WRITER_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "catalog/catalog.h"

struct writer;

/* Unknown: NULL, 0, or -1 for certificate, valence and energy. Known values replace old ones,
 * unknown ones leave them. */
struct title_row {
    int64_t id;
    enum title_kind kind;
    const char *name, *original;
    int year, minutes, votes, certificate;
    double rating, valence, energy;
    const char *genres; /* any spelling, see name_genres(); NULL: leave */
};

enum credit_role { ROLE_DIRECTOR, ROLE_ACTOR, ROLE_ARTIST };

/* `source` is the bit of the importing source. Borrows db. */
int writer_create(struct writer **out, sqlite3 *db, unsigned source, struct err *err);
void writer_destroy(struct writer *w); /* NULL is allowed */
int writer_failed(const struct writer *w, struct err *err); /* ERR_OK or the first failure */

void writer_title(struct writer *w, const struct title_row *r);
/* Only for titles that have no rating from elsewhere. */
void writer_rating(struct writer *w, int64_t title, double rating, int votes);
void writer_person(struct writer *w, int64_t id, const char *name);
/* Forgets the credits of a title in this role, before new ones are put. */
void writer_clear_credits(struct writer *w, int64_t title, enum credit_role role);
void writer_credit(struct writer *w, int64_t title, enum credit_role role, int place,
                   int64_t person);
/* People by name alone, a list separated by `separator`. */
void writer_credits_by_name(struct writer *w, int64_t title, enum credit_role role,
                            const char *names, char separator);
/* The more certain claim wins. */
void writer_language(struct writer *w, int64_t title, const char *code, int certainty);
void writer_tag(struct writer *w, int64_t title, const char *tag, int uses);
void writer_review(struct writer *w, int64_t title, int64_t text_hash, double score,
                   unsigned moods);
void writer_similar(struct writer *w, int64_t title, int64_t other, double weight);

/* Titles already there, by name and year: the id to add facts to. 0: none. The first call reads
 * all names. A year off by one still matches when nothing else does (release years differ). */
int64_t writer_find(struct writer *w, enum title_kind kind, const char *name, int year);
/* A film already there under another name, "Seven Samurai" for "Shichinin no samurai": the only one
 * of this director, year and length that the importing source does not know yet. Its name goes to
 * `name`. 0: none; shorts are not looked for, they are too much alike. */
int64_t writer_find_renamed(struct writer *w, const char *director, int year, int minutes,
                            char *name, int cap);
bool writer_has(struct writer *w, int64_t id);

#endif
