/* Filling a catalogue from lists that people have.
 *
 * DESIGN. An import copies the old catalogue's other sources into a new file beside it, adds its
 * rows in one transaction, rebuilds the derived tables, checks, syncs and renames. Whatever ends
 * it early (kill, full disk, bad file) leaves the old catalogue as it was. Importing the same
 * files again gives the same catalogue. Rows that cannot be read are counted, never guessed. */
#ifndef CATALOG_IMPORT_H
#define CATALOG_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum import_kind {
    IMPORT_IMDB,      /* folder with title.basics.tsv[.gz] title.ratings.tsv[.gz], optionally
                       * title.crew title.principals name.basics title.akas */
    IMPORT_MOVIELENS, /* folder: ml-latest, ml-latest-small, ml-25m, ml-100k, ml-1m */
    IMPORT_MOVIES,    /* CSV with a header: title, genres, year, rating, votes, language ... */
    IMPORT_SONGS,     /* CSV with a header: title, artist, year, genre, valence, energy, mood */
    IMPORT_REVIEWS,   /* CSV with a header: imdb_id or title and year, text */
    IMPORT_STARTER,   /* folder: films.tsv and songs.tsv of assets/starter */
    IMPORT_KIND_COUNT
};

const char *import_kind_name(enum import_kind kind); /* "imdb"; static */
bool import_kind_parse(const char *name, enum import_kind *out);

enum { IMPORT_SHOWN_BAD = 5 };

/* A row that was left out. */
struct import_bad {
    int64_t line;
    char file[64];
    char reason[120];
};

struct import_stats {
    const char *stage;      /* "title.basics", "search index" ...; static */
    int64_t rows;           /* read so far, over all files */
    int64_t kept, bad;
    int64_t bytes, bytes_total; /* of this stage's file as stored; total 0: unknown */
    double seconds;         /* since the import began */
    double stage_seconds;
    int64_t stage_rows;
    int64_t stage_total;    /* rows that a stage without a file has; 0: see bytes_total */
    int bad_shown;
    struct import_bad first_bad[IMPORT_SHOWN_BAD];
};

/* Called about ten times a second; false stops: ERR_STOPPED and nothing changed. */
typedef bool import_progress_fn(const struct import_stats *s, void *payload);

struct import_options {
    enum import_kind kind;
    const char *path;       /* file or folder to read */
    const char *catalog;    /* file to replace; NULL: the user's own (catalog_user_path) */
    int votes_min;          /* imdb */
    int year_min, year_max; /* imdb; 0: any */
    const char *types;      /* imdb: "movie,tvMovie,..."; NULL: films, series, shorts, videos */
    bool adult;             /* imdb: keep adult titles */
    bool replace;           /* begin empty, not with what other sources brought in */
    import_progress_fn *progress; /* NULL: silent */
    void *payload;
};

/* The first word of such a list that is none of the types an import can keep; NULL: all are. */
const char *import_unknown_type(const char *types);

/* On success *stats (may be NULL) has the final counts. On failure the old file is untouched. */
int import_run(const struct import_options *o, struct import_stats *stats, struct err *err);

#endif
