/* assets/starter: the built-in catalogue, films.tsv and songs.tsv. Lists in a cell use '|'. */
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "catalog/import_internal.h"
#include "catalog/names.h"

enum film_column { F_ID, F_TITLE, F_YEAR, F_RUNTIME, F_GENRES, F_LANGUAGE, F_DIRECTOR, F_ACTORS,
                   F_RATING, F_VOTES, F_COUNT };
static const char *const film_columns[F_COUNT] = {"imdb_id",  "title",    "year",   "runtime",
                                                  "genres",   "language", "director", "actors",
                                                  "rating",   "votes"};

enum song_column { S_TITLE, S_ARTIST, S_YEAR, S_GENRE, S_LANGUAGE, S_VALENCE, S_ENERGY, S_COUNT };
static const char *const song_columns[S_COUNT] = {"title",    "artist",  "year",  "genre",
                                                  "language", "valence", "energy"};

static void put_languages(struct import *im, int64_t id, const char *codes)
{
    while (*codes != '\0') {
        const char *code = name_language(codes);
        if (code != NULL)
            writer_language(im->writer, id, code, 100);
        while (*codes != '\0' && *codes != '|')
            codes++;
        codes += *codes == '|';
    }
}

static int put_film(struct import *im, struct table *t, const struct cell *c, const int *at,
                    struct arena *a)
{
    int64_t year = 0, minutes = 0, votes = 0;
    struct title_row r = {.certificate = -1, .valence = -1, .energy = -1};
    bool good = title_parse_imdb_id(c[at[F_ID]].s, &r.id) && c[at[F_TITLE]].len > 0 &&
                cell_int(c[at[F_YEAR]], 1880, 2100, &year) &&
                cell_number(c[at[F_RATING]], &r.rating);
    if (!good) {
        table_reject(t, "no IMDb id, title, year or rating");
        return ERR_OK;
    }
    cell_int(c[at[F_RUNTIME]], 1, 1000, &minutes);
    cell_int(c[at[F_VOTES]], 0, INT32_MAX, &votes);
    r.kind = TITLE_FILM;
    r.name = table_text(a, c[at[F_TITLE]]);
    r.year = (int)year;
    r.minutes = (int)minutes;
    r.votes = (int)votes;
    r.genres = table_text(a, c[at[F_GENRES]]);
    writer_title(im->writer, &r);
    writer_credits_by_name(im->writer, r.id, ROLE_DIRECTOR, table_text(a, c[at[F_DIRECTOR]]), '|');
    writer_credits_by_name(im->writer, r.id, ROLE_ACTOR, table_text(a, c[at[F_ACTORS]]), '|');
    put_languages(im, r.id, table_text(a, c[at[F_LANGUAGE]]));
    im->stats.kept++;
    return ERR_OK;
}

static int put_song(struct import *im, struct table *t, const struct cell *c, const int *at,
                    struct arena *a)
{
    int64_t year = 0;
    struct title_row r = {.certificate = -1, .kind = TITLE_SONG};
    if (c[at[S_TITLE]].len == 0 || !cell_number(c[at[S_VALENCE]], &r.valence) ||
        !cell_number(c[at[S_ENERGY]], &r.energy)) {
        table_reject(t, "no title, valence or energy");
        return ERR_OK;
    }
    cell_int(c[at[S_YEAR]], 1000, 2100, &year);
    const char *artist = table_text(a, c[at[S_ARTIST]]);
    r.name = table_text(a, c[at[S_TITLE]]);
    r.year = (int)year;
    r.genres = table_text(a, c[at[S_GENRE]]);
    r.id = name_title_id(TITLE_SONG, r.name, 0, artist);
    writer_title(im->writer, &r);
    writer_credits_by_name(im->writer, r.id, ROLE_ARTIST, artist, '|');
    put_languages(im, r.id, table_text(a, c[at[S_LANGUAGE]]));
    im->stats.kept++;
    return ERR_OK;
}

typedef int put_row(struct import *im, struct table *t, const struct cell *c, const int *at,
                    struct arena *a);

static int read_rows(struct import *im, struct table *t, const int *at, put_row *put,
                     struct err *err)
{
    const struct cell *c = NULL;
    int rc = ERR_OK;
    while (rc == ERR_OK && (rc = table_next(t, &c, err)) == 1) {
        struct arena *a = arena_create(1024);
        rc = put(im, t, c, at, a);
        if (rc == ERR_OK)
            rc = import_tick(im, t, err);
        arena_destroy(a);
    }
    return rc;
}

static int read_list(struct import *im, const char *name, const char *const *columns, int count,
                     put_row *put, struct err *err)
{
    static const struct table_format format = {.delimiter = "\t"};
    int at[F_COUNT];
    char path[4096];
    struct table *t = NULL;
    if (!import_find_file(im->options->path, name, path))
        return err_set(err, ERR_NOT_FOUND, "%s: no file %s in this folder", im->options->path,
                       name);
    int rc = table_open(&t, path, &format, err);
    for (int i = 0; i < count && rc == ERR_OK; i++)
        rc = table_need_column(t, columns[i], &at[i], err);
    if (rc == ERR_OK)
        rc = read_rows(im, t, at, put, err);
    if (t != NULL)
        import_end_table(im, t, name);
    table_close(t);
    return rc;
}

int import_starter(struct import *im, struct err *err)
{
    import_stage(im, "films", 0);
    int rc = read_list(im, "films.tsv", film_columns, F_COUNT, put_film, err);
    if (rc < 0)
        return rc;
    char songs[4096];
    if (!import_find_file(im->options->path, "songs.tsv", songs))
        return ERR_OK;
    import_stage(im, "songs", 0);
    return read_list(im, "songs.tsv", song_columns, S_COUNT, put_song, err);
}
