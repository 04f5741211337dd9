/* The insides of an open catalogue. Private to app/catalog. */
#ifndef CATALOG_CATALOG_INTERNAL_H
#define CATALOG_CATALOG_INTERNAL_H

#include <sqlite3.h>

#include "base/mem.h"
#include "catalog/catalog.h"
#include "catalog/idmap.h"
#include "catalog/shelf.h"

/* The statements of the hot path: prepared once, counted by catalog_hot_path_counts(). */
enum catalog_statement {
    READ_TITLE,      /* id -> its row */
    READ_CREDITS,    /* title -> role, person, name */
    READ_LANGUAGE,   /* title -> language, certainty */
    READ_MOOD,       /* title -> sentiment, reviews, moods */
    READ_BLOCK,      /* kind, block -> shelf entries */
    READ_FILMOGRAPHY, /* person -> title, role */
    READ_SIMILAR,    /* title -> other, weight */
    READ_TITLE_PEOPLE, /* title -> role, person */
    FIND_TITLES,     /* match -> ranks */
    FIND_PEOPLE,     /* match -> ranks */
    READ_TITLE_RANK, /* rank -> title */
    READ_PERSON_RANK, /* rank -> person, name, titles */
    CATALOG_STATEMENT_COUNT
};

enum { GENRES_OF_SET_MAX = 16 };

struct genre_set {
    int count;
    short genre[GENRES_OF_SET_MAX]; /* indices into catalog.genres */
};

struct taste;

struct catalog {
    sqlite3 *db;
    char *path;
    sqlite3_stmt *st[CATALOG_STATEMENT_COUNT];

    struct intern genres;
    struct genre_set *sets; /* [set_count], by genre_set.id; 0 and gaps are empty */
    int set_count;
    char language[256][4]; /* by number on the shelf; [0] is "" */
    int language_titles[256];

    struct shelf shelf[TITLE_KIND_COUNT];
    double mean[TITLE_KIND_COUNT], weight[TITLE_KIND_COUNT];

    struct taste *taste; /* of the last recommend() with feedback, see taste.h */
};

/* Takes db, also on failure. */
int catalog_adopt(struct catalog **out, sqlite3 *db, const char *path, struct err *err);

/* Fills *t with strings from the arena. 1: found, 0: no such title. */
int catalog_read_title(struct catalog *c, int64_t id, struct title *t, struct arena *a,
                       struct err *err);
/* The same of a title on the shelf, which knows its language. */
int catalog_read_shelved(struct catalog *c, const struct shelf_entry *e, struct title *t,
                         struct arena *a, struct err *err);

/* SQLite's own check of the file. `pragma`: quick_check for every page and key, integrity_check for
 * the indices too. */
int catalog_check_pages(struct catalog *c, const char *pragma, struct err *err);

/* "a|b" -> the FTS5 expression "a" "b"* ; false: no word in it. out: cap bytes. */
bool catalog_match_expression(const char *text, char *out, int cap);

/* Number of a language on the shelf; 0: none has it. */
int catalog_language_number(const struct catalog *c, const char *code);

#endif
