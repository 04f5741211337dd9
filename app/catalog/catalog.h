/* The local catalogue of films, series, shorts and songs: one SQLite file, opened read-only.
 *
 * A catalogue file is written by import.h only and never changed in place. What a person tells the
 * program lives in another file (feedback.h), so importing again loses nothing.
 * One connection belongs to one thread. Every function that can fail follows base/err.h. */
#ifndef CATALOG_CATALOG_H
#define CATALOG_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct catalog;
struct arena;

enum title_kind {
    TITLE_FILM,   /* cinema and television films */
    TITLE_SERIES, /* series and mini series */
    TITLE_SHORT,  /* short films and videos */
    TITLE_SONG,
    TITLE_KIND_COUNT
};

enum {
    CATALOG_VERSION = 1,          /* of the content tables, kept in PRAGMA user_version */
    CATALOG_FILE_ID = 0x4d6f5265  /* "MoRe" in PRAGMA application_id: the file is ours */
};

/* One title. Strings are never NULL and live as long as the list that holds the title. */
struct title {
    int64_t id;         /* stable: the number of the IMDb id, else a hash of name and year */
    enum title_kind kind;
    int year;           /* 0: unknown */
    int minutes;        /* 0: unknown */
    int votes;          /* 0: none known */
    int certificate;    /* youngest age it is meant for, 0 .. 18; -1: unknown */
    int certainty;      /* of `language`, percent */
    float rating;       /* 1 .. 10; 0: unknown */
    float valence;      /* songs: sad 0 .. 1 happy; -1: unknown */
    float energy;       /* songs: calm 0 .. 1 lively; -1: unknown */
    int reviews;        /* imported ones */
    float sentiment;    /* their mean probability of being positive, 0 .. 1; only with reviews */
    float score;        /* what recommend() ranked by, 0 .. about 1.5; 0 elsewhere */
    const char *imdb_id;  /* "tt0034583"; "": not in IMDb */
    const char *name;
    const char *original; /* name in the country of origin; may equal `name` */
    const char *genres;   /* "Drama, Romance, War" */
    const char *language; /* ISO 639-1 code of the original language, "en"; "": unknown */
    const char *makers;   /* directors; the artist of a song */
    const char *cast;     /* up to three actors */
    const char *moods;    /* mood words found in reviews, "warm, bittersweet" */
    const char *why;      /* recommend(): one sentence */
};

/* Titles with everything they point to; starts as {0}. */
struct title_list {
    struct title *v;
    int count;
    bool exhausted;   /* fewer titles than asked for were left */
    const char *note; /* "" or one sentence for people, such as why the list is short; never NULL
                       * after a successful call */
    struct arena *arena;
};

void title_list_free(struct title_list *l); /* also of {0}; leaves {0} */

/* "film", "series", "short", "song". Static. "?" outside the enum. */
const char *title_kind_name(enum title_kind kind);
bool title_kind_parse(const char *name, enum title_kind *out);

/* Writes "tt0034583" for ids that come from IMDb, else "". cap >= 16. */
void title_imdb_id(int64_t id, char *out, int cap);
/* "tt0034583" -> 34583. false: not of that form. */
bool title_parse_imdb_id(const char *text, int64_t *out);

/* Opens a catalogue for reading. path NULL: the user's own catalogue
 * ($XDG_DATA_HOME/moodreel/catalog.db) when there is one, else the built-in starter catalogue.
 * Refuses files of other programs, newer versions and damaged ones with one sentence.
 * Hostile files are expected: see the hardening list in README.md. */
int catalog_open(struct catalog **out, const char *path, struct err *err);
void catalog_close(struct catalog *c); /* NULL is allowed */

/* The file that was opened; "(starter, in memory)" when it had to be built. Lives with c. */
const char *catalog_path(const struct catalog *c);

/* Where `import` writes by default: the first case of catalog_open(NULL). false: no home folder. */
bool catalog_user_path(char *out, int cap);

/* Number of titles of a kind. */
int64_t catalog_count(const struct catalog *c, enum title_kind kind);

/* One title by id. ERR_NOT_FOUND when the catalogue does not hold it. */
int catalog_title(struct catalog *c, int64_t id, struct title_list *out, struct err *err);

/* Titles by name or by people in them, best first, the last word may be unfinished: search as you
 * type. Any text is safe; text without letters or digits finds nothing. kind -1: every kind. */
int catalog_search(struct catalog *c, const char *text, int kind, int limit,
                   struct title_list *out, struct err *err);

/* A person (or artist) of the catalogue. */
struct person {
    int64_t id;
    int titles; /* how many of the catalogue's titles */
    const char *name;
};

struct person_list {
    struct person *v;
    int count;
    struct arena *arena;
};

void person_list_free(struct person_list *l);

/* People whose name, or any word of it, starts with `prefix`; the best known first. Case and
 * accents do not matter. */
int catalog_find_people(struct catalog *c, const char *prefix, int limit, struct person_list *out,
                        struct err *err);

/* A language of the catalogue and how many titles speak it. */
struct language_count {
    char code[4]; /* "en" */
    int titles;
};
/* The `cap` most frequent languages; returns how many were written or an error. */
int catalog_languages(struct catalog *c, struct language_count *out, int cap, struct err *err);

/* What `catalog info` prints, one "name: value" line each, as a list of strings in `line`. */
int catalog_info(struct catalog *c, void (*line)(const char *text, void *payload), void *payload,
                 struct err *err);

/* Full integrity check: SQLite's pages, then our own rules (every derived table agrees with the
 * content it came from). ERR_FORMAT with the first fault found. */
int catalog_check(struct catalog *c, struct err *err);

#endif
