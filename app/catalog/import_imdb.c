/* IMDb's files: https://developer.imdb.com/non-commercial-datasets/. TAB separated, no quoting,
 * "\N" for unknown.
 *
 * DESIGN. Ratings first: their ids, in a hash of our own, are the titles that can matter (1.5 of 11
 * million). Then one pass over each further file keeps the rows of kept titles. Nothing but the
 * hashes stays in memory. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "catalog/idmap.h"
#include "catalog/import_internal.h"
#include "catalog/names.h"

enum {
    NAME_BYTES = 512,    /* longer titles are cut at a character; the longest seen has 380 */
    DIRECTORS_KEPT = 3,
    ACTORS_KEPT = 4,
    RATING_BITS = 7,     /* rating * 10 in the low bits of the hash's value, votes above */
};

static const struct table_format tsv = {.delimiter = "\t"};

/* One import under way. */
struct imdb {
    struct import *im;
    struct idset rated;   /* titles with a rating: asked for every row, so it must be small ... */
    struct idmap ratings; /* ... and their votes and rating */
    struct idmap kept;    /* title -> actors put so far */
    struct idmap people;  /* wanted people */
    bool has_crew;
};

/* "tt0034583" -> 34583. false: not an id. */
static bool read_id(struct cell c, char letter, int64_t *out)
{
    int64_t id = 0;
    if (c.len < 3 || c.len > 12 || c.s[1] != letter)
        return false;
    for (int i = 2; i < c.len; i++) {
        if (!isdigit((unsigned char)c.s[i]))
            return false;
        id = id * 10 + (c.s[i] - '0');
    }
    *out = id;
    return true;
}

static bool is_null(struct cell c)
{
    return c.len == 0 || (c.len == 2 && c.s[0] == '\\' && c.s[1] == 'N');
}

/* Opens a file of the folder; columns: names, ended by NULL, into at[]. *t NULL: not there. */
static int open_table(struct imdb *m, const char *name, const char *const *columns, int *at,
                      struct table **t, struct err *err)
{
    char path[4096];
    *t = NULL;
    if (!import_find_file(m->im->options->path, name, path))
        return ERR_OK;
    import_stage(m->im, name, 0);
    int rc = table_open(t, path, &tsv, err);
    for (int i = 0; columns[i] != NULL && rc == ERR_OK; i++)
        rc = table_need_column(*t, columns[i], &at[i], err);
    return rc;
}

typedef void take_row(struct imdb *m, struct table *t, const struct cell *c, const int *at,
                      void *state);

static int read_rows(struct imdb *m, struct table *t, const int *at, take_row *take, void *state,
                     struct err *err)
{
    const struct cell *c = NULL;
    int rc;
    while ((rc = table_next(t, &c, err)) == 1) {
        take(m, t, c, at, state);
        rc = import_tick(m->im, t, err);
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? rc : writer_failed(m->im->writer, err);
}

/* Reads one file through `take`. ERR_OK when it is not there and not required. */
static int read_file(struct imdb *m, const char *name, const char *const *columns, bool required,
                     take_row *take, void *state, struct err *err)
{
    int at[16];
    struct table *t = NULL;
    int rc = open_table(m, name, columns, at, &t, err);
    if (rc == ERR_OK && t == NULL && required)
        rc = err_set(err, ERR_NOT_FOUND, "%s: no %s or %s.gz in this folder", m->im->options->path,
                     name, name);
    if (rc == ERR_OK && t != NULL)
        rc = read_rows(m, t, at, take, state, err);
    if (t != NULL)
        import_end_table(m->im, t, name);
    table_close(t);
    return rc;
}

static bool file_exists(struct imdb *m, const char *name)
{
    char path[4096];
    return import_find_file(m->im->options->path, name, path);
}

/* --- ratings --------------------------------------------------------------------------------- */

static void take_rating(struct imdb *m, struct table *t, const struct cell *c, const int *at,
                        void *unused)
{
    int64_t id = 0, votes = 0;
    double rating = 0;
    (void)unused;
    if (!read_id(c[at[0]], 't', &id) || !cell_number(c[at[1]], &rating) || rating < 1 ||
        rating > 10 || !cell_int(c[at[2]], 0, (1 << 24) - 1, &votes)) {
        table_reject(t, "no id, rating from 1 to 10, or number of votes");
        return;
    }
    if (votes < m->im->options->votes_min || id > IDSET_MAX)
        return;
    idset_add(&m->rated, id);
    idmap_put(&m->ratings, id, (int32_t)(votes << RATING_BITS | (int64_t)(rating * 10 + 0.5)));
}

/* --- basics ---------------------------------------------------------------------------------- */

static const struct {
    const char *type;
    enum title_kind kind;
} types[] = {
    {"movie", TITLE_FILM},      {"tvMovie", TITLE_FILM},        {"tvSpecial", TITLE_FILM},
    {"tvSeries", TITLE_SERIES}, {"tvMiniSeries", TITLE_SERIES}, {"short", TITLE_SHORT},
    {"tvShort", TITLE_SHORT},   {"video", TITLE_SHORT},         {"musicVideo", TITLE_SHORT},
};

/* The word stands in a list separated by commas. */
static bool in_list(const char *list, struct cell word)
{
    while (*list != '\0') {
        size_t len = strcspn(list, ",");
        if (len == (size_t)word.len && memcmp(list, word.s, len) == 0)
            return true;
        list += len + (list[len] == ',');
    }
    return false;
}

static bool known_type(struct cell word)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (cell_is(word, types[i].type))
            return true;
    return false;
}

const char *import_unknown_type(const char *list)
{
    while (*list != '\0') {
        size_t len = strcspn(list, ",");
        if (!known_type((struct cell){list, (int)len}))
            return list;
        list += len + (list[len] == ',');
    }
    return NULL;
}

static bool wanted_type(const struct import_options *o, struct cell type, enum title_kind *kind)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (cell_is(type, types[i].type)) {
            *kind = types[i].kind;
            return o->types == NULL || in_list(o->types, type);
        }
    return false;
}

/* isAdult alone misses some: the genre counts as well. */
static bool is_adult(struct cell flag, struct cell genres)
{
    return cell_is(flag, "1") || in_list(genres.s, (struct cell){"Adult", 5});
}

enum { B_ID, B_TYPE, B_TITLE, B_ORIGINAL, B_ADULT, B_YEAR, B_RUNTIME, B_GENRES };
static const char *const basics_columns[] = {"tconst",  "titleType", "primaryTitle",
                                             "originalTitle", "isAdult", "startYear",
                                             "runtimeMinutes", "genres", NULL};

/* 0 for \N; false: neither a number nor \N, so the row is not what it seems. */
static bool number_or_null(struct cell c, int64_t *out)
{
    *out = 0;
    return is_null(c) || (isdigit((unsigned char)c.s[0]) && cell_int(c, 0, INT32_MAX, out));
}

static void put_title(struct imdb *m, const struct cell *c, const int *at, struct title_row *r,
                      int32_t packed)
{
    char name[NAME_BYTES], original[NAME_BYTES], genres[NAME_BYTES];
    table_copy_text(c[at[B_TITLE]], name, sizeof name);
    table_copy_text(c[at[B_ORIGINAL]], original, sizeof original);
    table_copy_text(c[at[B_GENRES]], genres, sizeof genres);
    r->name = name;
    r->original = original[0] != '\0' ? original : NULL;
    r->genres = genres;
    r->rating = (packed & ((1 << RATING_BITS) - 1)) / 10.0;
    r->votes = packed >> RATING_BITS;
    writer_title(m->im->writer, r);
    idmap_put(&m->kept, r->id, 0);
    m->im->stats.kept++;
}

static void take_title(struct imdb *m, struct table *t, const struct cell *c, const int *at,
                       void *unused)
{
    const struct import_options *o = m->im->options;
    struct title_row r = {.certificate = -1, .valence = -1, .energy = -1};
    int64_t year = 0, minutes = 0;
    int32_t packed = 0;
    (void)unused;
    if (!read_id(c[at[B_ID]], 't', &r.id)) {
        table_reject(t, "no title id");
        return;
    }
    if (!idset_has(&m->rated, r.id) || !idmap_get(&m->ratings, r.id, &packed) ||
        !wanted_type(o, c[at[B_TYPE]], &r.kind))
        return;
    if (!number_or_null(c[at[B_YEAR]], &year) || !number_or_null(c[at[B_RUNTIME]], &minutes) ||
        c[at[B_TITLE]].len == 0) {
        table_reject(t, "year or runtime is no number, or there is no title");
        return;
    }
    if ((!o->adult && is_adult(c[at[B_ADULT]], c[at[B_GENRES]])) ||
        (o->year_min > 0 && year < o->year_min) || (o->year_max > 0 && year > o->year_max))
        return;
    /* Years such as 2115 and runtimes of 51,420 minutes exist: unknown rather than wrong. */
    r.year = year >= 1870 && year <= 2100 ? (int)year : 0;
    r.minutes = minutes <= 1440 ? (int)minutes : 0;
    put_title(m, c, at, &r, packed);
}

/* --- people ---------------------------------------------------------------------------------- */

static void put_credit(struct imdb *m, int64_t title, enum credit_role role, int place,
                       struct cell person)
{
    int64_t id = 0;
    if (!read_id(person, 'm', &id))
        return;
    writer_credit(m->im->writer, title, role, place, id);
    idmap_put(&m->people, id, 0);
}

static void take_crew(struct imdb *m, struct table *t, const struct cell *c, const int *at,
                      void *unused)
{
    int64_t title = 0;
    (void)t, (void)unused;
    if (!read_id(c[at[0]], 't', &title) || !idmap_get(&m->kept, title, NULL) || is_null(c[at[1]]))
        return;
    writer_clear_credits(m->im->writer, title, ROLE_DIRECTOR);
    const char *s = c[at[1]].s;
    for (int place = 0; place < DIRECTORS_KEPT && *s != '\0'; place++) {
        size_t len = strcspn(s, ",");
        put_credit(m, title, ROLE_DIRECTOR, place, (struct cell){s, (int)len});
        s += len + (s[len] == ',');
    }
}

/* Rows come in the order of billing. The first actor of a title replaces the cast that another
 * source gave it. */
static void take_principal(struct imdb *m, struct table *t, const struct cell *c, const int *at,
                           void *unused)
{
    int64_t title = 0;
    (void)t, (void)unused;
    bool actor = cell_is(c[at[3]], "actor") || cell_is(c[at[3]], "actress");
    bool director = !m->has_crew && cell_is(c[at[3]], "director");
    if ((!actor && !director) || !read_id(c[at[0]], 't', &title) ||
        !idmap_get(&m->kept, title, NULL))
        return;
    int32_t *seen = idmap_at(&m->kept, title, 0);
    int actors = *seen & 0xff, directors = *seen >> 8;
    if (actor && actors < ACTORS_KEPT) {
        if (actors == 0)
            writer_clear_credits(m->im->writer, title, ROLE_ACTOR);
        put_credit(m, title, ROLE_ACTOR, actors, c[at[2]]);
        ++*seen;
    } else if (director && directors < DIRECTORS_KEPT) {
        if (directors == 0)
            writer_clear_credits(m->im->writer, title, ROLE_DIRECTOR);
        put_credit(m, title, ROLE_DIRECTOR, directors, c[at[2]]);
        *seen += 1 << 8;
    }
}

static void take_name(struct imdb *m, struct table *t, const struct cell *c, const int *at,
                      void *unused)
{
    int64_t person = 0;
    char name[NAME_BYTES];
    (void)t, (void)unused;
    if (!read_id(c[at[0]], 'm', &person) || !idmap_get(&m->people, person, NULL))
        return;
    table_copy_text(c[at[1]], name, sizeof name);
    if (name[0] != '\0')
        writer_person(m->im->writer, person, name);
}

/* --- languages ------------------------------------------------------------------------------- */

/* IMDb states no language of a film. What it has are titles by region; where a region's title is
 * the original title, that region's language may be the film's. A title that is the same in many
 * regions says little, and the certainty says so. */
enum { CLAIMS_MAX = 64 };

struct claim {
    uint64_t title; /* hash of the text */
    const char *language;
};

struct akas {
    int64_t title; /* whose rows are collected; they stand together in the file */
    bool has_original;
    uint64_t original;
    struct claim claims[CLAIMS_MAX];
    int count;
};

/* Certainty of the language that most claims with the original title agree on. */
static int weigh_claims(const struct akas *a, const char **best)
{
    int matching = 0, most = 0;
    for (int i = 0; i < a->count; i++) {
        if (a->claims[i].title != a->original)
            continue;
        int agree = 0;
        matching++;
        for (int k = 0; k < a->count; k++)
            agree += a->claims[k].title == a->original &&
                     strcmp(a->claims[k].language, a->claims[i].language) == 0;
        if (agree > most) {
            most = agree;
            *best = a->claims[i].language;
        }
    }
    if (matching == 0)
        return 0;
    int certainty = 30 + 55 * most / matching;
    return matching == 1 ? certainty - 15 : certainty; /* one region may be a coincidence */
}

static void end_title(struct imdb *m, struct akas *a)
{
    const char *best = NULL;
    int certainty = a->has_original ? weigh_claims(a, &best) : 0;
    if (certainty >= 40)
        writer_language(m->im->writer, a->title, best, certainty);
    a->count = 0;
    a->has_original = false;
}

static const char *claimed_language(struct cell region, struct cell language)
{
    const char *code = is_null(language) ? NULL : name_language(language.s);
    return code != NULL ? code : is_null(region) ? NULL : name_region_language(region.s);
}

static void take_aka(struct imdb *m, struct table *t, const struct cell *c, const int *at,
                     void *state)
{
    struct akas *a = state;
    int64_t title = 0;
    (void)t;
    if (!read_id(c[at[0]], 't', &title) || !idmap_get(&m->kept, title, NULL))
        return;
    if (title != a->title) {
        end_title(m, a);
        a->title = title;
    }
    uint64_t hash = hash_bytes(c[at[1]].s, (size_t)c[at[1]].len);
    if (cell_is(c[at[4]], "1")) {
        a->has_original = true;
        a->original = hash;
        return;
    }
    const char *language = claimed_language(c[at[2]], c[at[3]]);
    if (language != NULL && a->count < CLAIMS_MAX)
        a->claims[a->count++] = (struct claim){hash, language};
}

/* --- all of it ------------------------------------------------------------------------------- */

static int read_titles(struct imdb *m, struct err *err)
{
    static const char *const rating_columns[] = {"tconst", "averageRating", "numVotes", NULL};
    int rc = read_file(m, "title.ratings.tsv", rating_columns, true, take_rating, NULL, err);
    if (rc == ERR_OK)
        rc = read_file(m, "title.basics.tsv", basics_columns, true, take_title, NULL, err);
    idset_free(&m->rated);
    idmap_free(&m->ratings);
    return rc;
}

static int read_people(struct imdb *m, struct err *err)
{
    static const char *const crew[] = {"tconst", "directors", NULL};
    static const char *const principals[] = {"tconst", "ordering", "nconst", "category", NULL};
    static const char *const names[] = {"nconst", "primaryName", NULL};
    if (!file_exists(m, "name.basics.tsv"))
        return ERR_OK; /* people without names are of no use */
    m->has_crew = file_exists(m, "title.crew.tsv");
    int rc = read_file(m, "title.crew.tsv", crew, false, take_crew, NULL, err);
    if (rc == ERR_OK)
        rc = read_file(m, "title.principals.tsv", principals, false, take_principal, NULL, err);
    if (rc == ERR_OK && m->people.count > 0)
        rc = read_file(m, "name.basics.tsv", names, false, take_name, NULL, err);
    return rc;
}

static int read_languages(struct imdb *m, struct err *err)
{
    static const char *const akas[] = {"titleId", "title", "region", "language",
                                       "isOriginalTitle", NULL};
    struct akas a = {0};
    int rc = read_file(m, "title.akas.tsv", akas, false, take_aka, &a, err);
    end_title(m, &a);
    return rc;
}

int import_imdb(struct import *im, struct err *err)
{
    struct imdb m = {.im = im};
    int rc = read_titles(&m, err);
    if (rc == ERR_OK)
        rc = read_people(&m, err);
    if (rc == ERR_OK)
        rc = read_languages(&m, err);
    idmap_free(&m.kept);
    idmap_free(&m.people);
    return rc;
}
