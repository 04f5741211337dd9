/* Films and songs from CSV files of all sorts: the header says which column is what. Knows the
 * names that the public tables use (IMDb top 1000, IMDB 5000, TMDB 5000, MovieLens-like movie.csv,
 * Spotify and Deezer song lists). */
#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "catalog/import_internal.h"
#include "catalog/names.h"

enum field { ID, TITLE, ORIGINAL, YEAR, GENRES, RATING, VOTES, LANGUAGE, RUNTIME, DIRECTOR, CAST,
             STAR1, STAR2, STAR3, CERTIFICATE, ARTIST, VALENCE, ENERGY, AROUSAL, MOOD,
             FIELD_COUNT };

static const char *const names[FIELD_COUNT] = {
    [ID] = "imdb_id|tconst|imdbid|imdb_title_id|const|movie_imdb_link",
    [TITLE] = "title|series_title|movie_title|primarytitle|primary_title|track_name|name|song|film",
    [ORIGINAL] = "original_title|originaltitle",
    [YEAR] = "year|released_year|title_year|startyear|start_year|release_year|release_date",
    [GENRES] = "genres|genre|playlist_genre|track_genre",
    [RATING] = "rating|imdb_rating|imdb_score|averagerating|average_rating|vote_average|avg_vote",
    [VOTES] = "votes|no_of_votes|num_voted_users|numvotes|num_votes|vote_count",
    [LANGUAGE] = "original_language|language|spoken_language",
    [RUNTIME] = "runtime|duration|runtimeminutes|runtime_minutes|minutes",
    [DIRECTOR] = "director|director_name|directors",
    [CAST] = "actors|cast|stars",
    [STAR1] = "star1|actor_1_name",
    [STAR2] = "star2|actor_2_name",
    [STAR3] = "star3|actor_3_name",
    [CERTIFICATE] = "certificate|content_rating|rated",
    [ARTIST] = "artist|artist_name|artists|track_artist|performer",
    [VALENCE] = "valence",
    [ENERGY] = "energy",
    [AROUSAL] = "arousal",
    [MOOD] = "mood|label|emotion",
};

struct csv {
    struct import *im;
    struct table *t;
    int at[FIELD_COUNT]; /* columns, -1: none */
    const struct cell *c;
    struct arena *arena; /* of the row */
};

static struct cell field(const struct csv *f, enum field which)
{
    return f->at[which] >= 0 ? f->c[f->at[which]] : (struct cell){"", 0};
}

static const char *text(const struct csv *f, enum field which)
{
    return table_text(f->arena, field(f, which));
}

/* The first four digits that stand for a year: "2009", "2009-12-10", "10-12-2009". 0: none. */
static int year_in(const char *s)
{
    for (; *s != '\0'; s++) {
        int64_t year = 0;
        char digits[5] = {0};
        size_t n = strspn(s, "0123456789");
        if (n == 4) {
            memcpy(digits, s, 4);
            if (parse_i64(digits, 1850, 2200, &year))
                return (int)year;
        }
        s += n > 0 ? n - 1 : 0;
    }
    return 0;
}

/* "tt0499549" anywhere in the text, as in "http://www.imdb.com/title/tt0499549/". 0: none. */
static int64_t imdb_number_in(const char *s)
{
    for (s = strstr(s, "tt"); s != NULL; s = strstr(s + 2, "tt")) {
        int64_t id = 0;
        char digits[12] = {0};
        size_t n = strspn(s + 2, "0123456789");
        if (n < 6 || n > 9)
            continue;
        memcpy(digits, s + 2, n);
        if (parse_i64(digits, 1, UINT32_MAX, &id))
            return id;
    }
    return 0;
}

/* TMDB keeps lists as JSON: [{"id": 28, "name": "Action"}, ...] -> "Action|...". Other lists may be
 * written as in Python: ['Action', 'Crime']. */
static const char *list_text(const struct csv *f, enum field which)
{
    const char *s = text(f, which);
    struct str out = {0};
    if (s[0] != '[')
        return s;
    str_add(&out, "", 0);
    json_t *list = json_loads(s, 0, NULL);
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(json_is_object(item) ? json_object_get(item, "name")
                                                                  : item);
        if (name != NULL)
            str_addf(&out, "%s|", name);
    }
    for (; list == NULL && *s != '\0'; s++)
        if (strchr("[]'\"", *s) == NULL)
            str_addf(&out, "%c", *s == ',' ? '|' : *s);
    json_decref(list);
    s = arena_strdup(f->arena, out.s);
    str_free(&out);
    return s;
}

static char list_separator(const char *list)
{
    return strchr(list, '|') != NULL ? '|' : strchr(list, ';') != NULL ? ';' : ',';
}

/* --- films ----------------------------------------------------------------------------------- */

static void put_cast(struct csv *f, int64_t id)
{
    const char *cast = list_text(f, CAST);
    if (cast[0] == '\0') {
        struct str stars = {0};
        str_addf(&stars, "%s|%s|%s", text(f, STAR1), text(f, STAR2), text(f, STAR3));
        cast = arena_strdup(f->arena, stars.s);
        str_free(&stars);
    }
    if (strspn(cast, "| ") < strlen(cast))
        writer_credits_by_name(f->im->writer, id, ROLE_ACTOR, cast, list_separator(cast));
}

static void put_people(struct csv *f, int64_t id)
{
    const char *directors = list_text(f, DIRECTOR);
    if (directors[0] != '\0')
        writer_credits_by_name(f->im->writer, id, ROLE_DIRECTOR, directors,
                               list_separator(directors));
    put_cast(f, id);
}

/* By IMDb id, else by name and year, else by director, year and length: then the film keeps the
 * name it has, and the list's is the original one. */
static int64_t film_id(struct csv *f, struct title_row *r)
{
    enum { NAME_MOST = 1024 };
    struct writer *w = f->im->writer;
    int64_t id = imdb_number_in(text(f, ID));
    if (id == 0)
        id = writer_find(w, TITLE_FILM, r->name, r->year);
    if (id != 0)
        return id;
    char *known = arena_alloc(f->arena, NAME_MOST);
    id = writer_find_renamed(w, list_text(f, DIRECTOR), r->year, r->minutes, known, NAME_MOST);
    if (id == 0)
        return name_title_id(TITLE_FILM, r->name, r->year, "");
    r->original = r->name;
    r->name = known;
    return id;
}

static void read_numbers(struct csv *f, struct title_row *r)
{
    int64_t votes = 0, minutes = 0;
    double rating = 0;
    if (cell_number(field(f, RATING), &rating) && rating >= 1 && rating <= 10)
        r->rating = rating;
    if (cell_int(field(f, VOTES), 0, INT32_MAX, &votes))
        r->votes = (int)votes;
    if (cell_int(field(f, RUNTIME), 1, 1440, &minutes))
        r->minutes = (int)minutes;
    r->certificate = name_certificate(text(f, CERTIFICATE));
}

static void put_film(struct csv *f)
{
    struct title_row r = {.certificate = -1, .valence = -1, .energy = -1, .kind = TITLE_FILM};
    const char *title = text(f, TITLE);
    int year = 0;
    int cap = (int)strlen(title) + 8;
    char *name = arena_alloc(f->arena, (size_t)cap);
    name_split_year(title, name, cap, &r.year);
    year = year_in(text(f, YEAR));
    r.year = year > 0 ? year : r.year;
    r.name = name;
    if (name[0] == '\0') {
        table_reject(f->t, "no title");
        return;
    }
    const char *original = text(f, ORIGINAL);
    r.original = original[0] != '\0' ? original : NULL;
    r.genres = f->at[GENRES] >= 0 ? list_text(f, GENRES) : NULL;
    read_numbers(f, &r);
    r.id = film_id(f, &r);
    writer_title(f->im->writer, &r);
    put_people(f, r.id);
    const char *language = name_language(text(f, LANGUAGE));
    if (language != NULL)
        writer_language(f->im->writer, r.id, language, 95);
    f->im->stats.kept++;
}

/* --- songs ----------------------------------------------------------------------------------- */

/* Where the mood labels of song lists lie, valence and energy; our reading of Russell's
 * circumplex. */
static const struct {
    const char *mood;
    double valence, energy;
} song_moods[] = {
    {"happy", 0.85, 0.65}, {"sad", 0.2, 0.3},      {"calm", 0.55, 0.2},  {"energetic", 0.65, 0.9},
    {"angry", 0.2, 0.85},  {"relaxed", 0.65, 0.25}, {"romantic", 0.65, 0.4}, {"fear", 0.2, 0.7},
    {"dark", 0.2, 0.5},    {"party", 0.85, 0.9},   {"neutral", 0.5, 0.5},
};

/* Spotify's 0 .. 1, or percent, or (with a column "arousal") the standardised scale of the Deezer
 * set, whose values lie within 2.5 of 0. */
static double unit_scale(double v, bool standardised)
{
    if (standardised)
        v = 0.5 + v / 5;
    else if (v > 1)
        v /= 100;
    return fmin(1, fmax(0, v));
}

static bool read_tone(struct csv *f, double *valence, double *energy)
{
    bool standardised = f->at[ENERGY] < 0 && f->at[AROUSAL] >= 0;
    if (cell_number(field(f, VALENCE), valence) &&
        cell_number(field(f, standardised ? AROUSAL : ENERGY), energy)) {
        *valence = unit_scale(*valence, standardised);
        *energy = unit_scale(*energy, standardised);
        return true;
    }
    const char *mood = text(f, MOOD);
    for (size_t i = 0; i < sizeof song_moods / sizeof song_moods[0]; i++)
        if (strcasecmp(mood, song_moods[i].mood) == 0) {
            *valence = song_moods[i].valence;
            *energy = song_moods[i].energy;
            return true;
        }
    return false;
}

static void put_song(struct csv *f)
{
    struct title_row r = {.certificate = -1, .kind = TITLE_SONG};
    r.name = text(f, TITLE);
    if (r.name[0] == '\0' || !read_tone(f, &r.valence, &r.energy)) {
        table_reject(f->t, "no title, or neither valence and energy nor a known mood");
        return;
    }
    const char *artist = text(f, ARTIST);
    r.year = year_in(text(f, YEAR));
    r.genres = f->at[GENRES] >= 0 ? list_text(f, GENRES) : NULL;
    r.id = name_title_id(TITLE_SONG, r.name, 0, artist);
    writer_title(f->im->writer, &r);
    if (artist[0] != '\0')
        writer_credits_by_name(f->im->writer, r.id, ROLE_ARTIST, artist, '|');
    const char *language = name_language(text(f, LANGUAGE));
    if (language != NULL)
        writer_language(f->im->writer, r.id, language, 95);
    f->im->stats.kept++;
}

/* --- both ------------------------------------------------------------------------------------ */

static int read_rows(struct csv *f, void (*put)(struct csv *f), struct err *err)
{
    int rc;
    while ((rc = table_next(f->t, &f->c, err)) == 1) {
        f->arena = arena_create(4096);
        put(f);
        arena_destroy(f->arena);
        rc = import_tick(f->im, f->t, err);
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? rc : writer_failed(f->im->writer, err);
}

static int read_csv(struct import *im, void (*put)(struct csv *f), struct err *err)
{
    static const struct table_format format = {.quoted = true};
    struct csv f = {.im = im};
    int rc = table_open(&f.t, im->options->path, &format, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < FIELD_COUNT; i++)
        f.at[i] = table_column(f.t, names[i]);
    if (f.at[TITLE] < 0)
        f.at[TITLE] = f.at[ORIGINAL];
    if (f.at[TITLE] < 0)
        rc = table_need_column(f.t, names[TITLE], &f.at[TITLE], err);
    if (rc == ERR_OK)
        rc = read_rows(&f, put, err);
    const char *slash = strrchr(im->options->path, '/');
    import_end_table(im, f.t, slash != NULL ? slash + 1 : im->options->path);
    table_close(f.t);
    return rc;
}

int import_movies(struct import *im, struct err *err)
{
    import_stage(im, "films", 0);
    return read_csv(im, put_film, err);
}

int import_songs(struct import *im, struct err *err)
{
    import_stage(im, "songs", 0);
    return read_csv(im, put_song, err);
}
