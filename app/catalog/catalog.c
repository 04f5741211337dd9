/* Opening a catalogue defensively, and reading titles out of it. */
#include "catalog/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "catalog/catalog_internal.h"
#include "catalog/db.h"
#include "catalog/import_internal.h"
#include "catalog/mood_word.h"
#include "catalog/names.h"
#include "catalog/taste.h"

enum { ACTORS_SHOWN = 3 };

static const char *const sql[CATALOG_STATEMENT_COUNT] = {
    [READ_TITLE] = "SELECT kind, name, original, year, minutes, rating, votes, genre_set,"
                   " certificate, valence, energy FROM title WHERE id=?",
    [READ_CREDITS] = "SELECT role, name FROM credit JOIN person ON person.id=credit.person"
                     " WHERE title=? ORDER BY role, place",
    [READ_LANGUAGE] = "SELECT language, certainty FROM title_language WHERE title=?",
    [READ_MOOD] = "SELECT sentiment, reviews, moods FROM title_mood WHERE title=?",
    [READ_BLOCK] = "SELECT entries FROM shelf WHERE kind=? AND block=?",
    [READ_FILMOGRAPHY] = "SELECT title, role FROM credit WHERE person=?",
    [READ_SIMILAR] = "SELECT other, weight FROM similar WHERE title=?",
    [READ_TITLE_PEOPLE] = "SELECT person, name FROM credit JOIN person ON person.id=credit.person"
                          " WHERE title=?",
    [FIND_TITLES] = "SELECT rowid FROM title_search WHERE title_search MATCH ? ORDER BY rowid",
    [FIND_PEOPLE] = "SELECT rowid FROM person_search WHERE person_search MATCH ? ORDER BY rowid",
    [READ_TITLE_RANK] = "SELECT title FROM title_rank WHERE rank=?",
    [READ_PERSON_RANK] = "SELECT person, name, titles FROM person_rank"
                         " JOIN person ON person.id=person_rank.person WHERE rank=?",
};

static const char *const kind_names[TITLE_KIND_COUNT] = {"film", "series", "short", "song"};

const char *title_kind_name(enum title_kind kind)
{
    return (unsigned)kind < TITLE_KIND_COUNT ? kind_names[kind] : "?";
}

bool title_kind_parse(const char *name, enum title_kind *out)
{
    static const struct {
        const char *name;
        enum title_kind kind;
    } relatives[] = {{"films", TITLE_FILM},   {"movie", TITLE_FILM}, {"movies", TITLE_FILM},
                     {"tv", TITLE_SERIES},    {"shorts", TITLE_SHORT}, {"video", TITLE_SHORT},
                     {"videos", TITLE_SHORT}, {"songs", TITLE_SONG}, {"music", TITLE_SONG}};
    for (int k = 0; k < TITLE_KIND_COUNT; k++)
        if (strcasecmp(name, kind_names[k]) == 0) {
            *out = (enum title_kind)k;
            return true;
        }
    for (size_t i = 0; i < sizeof relatives / sizeof relatives[0]; i++)
        if (strcasecmp(name, relatives[i].name) == 0) {
            *out = relatives[i].kind;
            return true;
        }
    return false;
}

void title_imdb_id(int64_t id, char *out, int cap)
{
    out[0] = '\0';
    if (id > 0 && id < NAMED_ID_FIRST)
        snprintf(out, (size_t)cap, "tt%07lld", (long long)id);
}

bool title_parse_imdb_id(const char *text, int64_t *out)
{
    return strncmp(text, "tt", 2) == 0 && parse_i64(text + 2, 1, UINT32_MAX, out);
}

void title_list_free(struct title_list *l)
{
    free(l->v);
    arena_destroy(l->arena);
    *l = (struct title_list){0};
}

bool catalog_user_path(char *out, int cap)
{
    char folder[4000];
    if (!path_user_dir("data", folder, sizeof folder))
        return false;
    return snprintf(out, (size_t)cap, "%s/catalog.db", folder) < cap;
}

/* --- opening --------------------------------------------------------------------------------- */

/* "Comedy|Drama" into indices of c->genres. */
static void split_set(struct catalog *c, const char *genres, struct genre_set *set)
{
    while (*genres != '\0' && set->count < GENRES_OF_SET_MAX) {
        char genre[64];
        size_t len = strcspn(genres, "|");
        snprintf(genre, sizeof genre, "%.*s", (int)len, genres);
        if (c->genres.count < 4096)
            set->genre[set->count++] = (short)intern_put(&c->genres, genre);
        genres += len + (genres[len] == '|');
    }
}

static int read_genre_sets(struct catalog *c, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = db_prepare(c->db, "SELECT id, genres FROM genre_set", &st, err);
    if (rc < 0)
        return rc;
    size_t cap = 1;
    c->sets = mem_new(1, sizeof *c->sets);
    c->set_count = 1;
    while ((rc = db_step(st, err)) == 1) {
        int64_t id = sqlite3_column_int64(st, 0);
        if (id < 1 || id > UINT16_MAX)
            continue;
        size_t old = cap;
        c->sets = mem_grow(c->sets, &cap, (size_t)id + 1, sizeof *c->sets);
        if (cap > old)
            memset(c->sets + old, 0, (cap - old) * sizeof *c->sets);
        if (id >= c->set_count)
            c->set_count = (int)id + 1;
        if (c->sets[id].count == 0)
            split_set(c, db_text(st, 1), &c->sets[id]);
    }
    sqlite3_finalize(st);
    return rc;
}

static int read_languages(struct catalog *c, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = db_prepare(c->db, "SELECT id, language, titles FROM shelf_language", &st, err);
    if (rc < 0)
        return rc;
    while ((rc = db_step(st, err)) == 1) {
        int id = sqlite3_column_int(st, 0);
        if (id < 1 || id > 255)
            continue;
        snprintf(c->language[id], sizeof c->language[id], "%s", db_text(st, 1));
        c->language_titles[id] = sqlite3_column_int(st, 2);
    }
    sqlite3_finalize(st);
    return rc;
}

static int open_shelf(struct catalog *c, sqlite3_stmt *st, struct err *err)
{
    int64_t kind = sqlite3_column_int64(st, 0);
    int64_t titles = sqlite3_column_int64(st, 1);
    if (kind < 0 || kind >= TITLE_KIND_COUNT || titles < 0 || titles > 50 * 1000 * 1000)
        return err_set(err, ERR_FORMAT, "%s: damaged shelf; import the lists again", c->path);
    struct shelf *s = &c->shelf[kind];
    free(s->block);
    s->titles = titles;
    s->blocks = (int)((titles + SHELF_BLOCK - 1) / SHELF_BLOCK);
    s->block = mem_new((size_t)s->blocks + 1, sizeof *s->block);
    s->read = c->st[READ_BLOCK];
    c->mean[kind] = sqlite3_column_double(st, 2);
    c->weight[kind] = sqlite3_column_double(st, 3);
    return ERR_OK;
}

static int open_shelves(struct catalog *c, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = db_prepare(c->db, "SELECT kind, titles, mean, weight FROM shelf_kind", &st, err);
    if (rc < 0)
        return rc;
    while ((rc = db_step(st, err)) == 1)
        if ((rc = open_shelf(c, st, err)) < 0)
            break;
    sqlite3_finalize(st);
    return rc;
}

static int refuse_code(sqlite3 *db, const char *path, struct err *err)
{
    int64_t found = 0;
    int rc = db_value(db, "SELECT count(*) FROM sqlite_schema WHERE type IN ('trigger', 'view')",
                      &found, err);
    if (rc == ERR_OK && found != 0)
        rc = err_set(err, ERR_FORMAT, "%s: holds triggers or views, which our files never do; "
                     "it is not opened", path);
    return rc;
}

static int prepare(struct catalog *c, struct err *err)
{
    int rc = db_make_read_only(c->db, err);
    if (rc == ERR_OK)
        rc = db_check_identity(c->db, CATALOG_FILE_ID, CATALOG_VERSION, err);
    if (rc == ERR_OK)
        rc = refuse_code(c->db, c->path, err);
    for (int i = 0; i < CATALOG_STATEMENT_COUNT && rc == ERR_OK; i++)
        rc = db_prepare(c->db, sql[i], &c->st[i], err);
    if (rc == ERR_OK)
        rc = read_genre_sets(c, err);
    if (rc == ERR_OK)
        rc = read_languages(c, err);
    return rc == ERR_OK ? open_shelves(c, err) : rc;
}

int catalog_adopt(struct catalog **out, sqlite3 *db, const char *path, struct err *err)
{
    struct catalog *c = mem_new(1, sizeof *c);
    c->db = db;
    c->path = mem_strdup(path);
    int rc = prepare(c, err);
    if (rc < 0) {
        catalog_close(c);
        return rc;
    }
    *out = c;
    return ERR_OK;
}

/* Up to this size a file is checked whole when it is opened, which takes some milliseconds; larger
 * ones must open fast and are checked by `catalog check`. */
enum { CHECKED_BYTES = 8 << 20 };

static int open_file(struct catalog **out, const char *path, struct err *err)
{
    struct stat st;
    sqlite3 *db = NULL;
    if (stat(path, &st) != 0)
        return err_errno(err, path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_IO, "%s: not a catalogue file", path);
    if (st.st_size == 0)
        return err_set(err, ERR_FORMAT, "%s: the file is empty, not a catalogue", path);
    struct catalog *c = NULL;
    int rc = db_open_immutable(&db, path, err);
    if (rc == ERR_OK)
        rc = catalog_adopt(&c, db, path, err);
    if (rc == ERR_OK && st.st_size <= CHECKED_BYTES)
        rc = catalog_check_pages(c, "PRAGMA quick_check(1)", err);
    if (rc < 0) {
        catalog_close(c);
        return rc;
    }
    *out = c;
    return ERR_OK;
}

/* Without the built file (cross builds) the lists it is made of serve as well. */
static int open_starter(struct catalog **out, struct err *err)
{
    char path[4096];
    sqlite3 *db = NULL;
    if (path_find_data("starter.db", path, sizeof path))
        return open_file(out, path, err);
    if (!path_find_data("starter", path, sizeof path) &&
        !path_find_data("assets/starter", path, sizeof path))
        return err_set(err, ERR_NOT_FOUND, "no catalogue: neither one of your own nor the starter "
                       "catalogue (%s) is there; reinstall moodreel", path);
    int rc = import_starter_in_memory(&db, path, err);
    return rc < 0 ? rc : catalog_adopt(out, db, "(starter, in memory)", err);
}

int catalog_open(struct catalog **out, const char *path, struct err *err)
{
    char own[4096];
    if (path != NULL)
        return open_file(out, path, err);
    if (catalog_user_path(own, sizeof own) && access(own, F_OK) == 0)
        return open_file(out, own, err);
    return open_starter(out, err);
}

void catalog_close(struct catalog *c)
{
    if (c == NULL)
        return;
    taste_free(c->taste);
    for (int k = 0; k < TITLE_KIND_COUNT; k++)
        shelf_free(&c->shelf[k]);
    for (int i = 0; i < CATALOG_STATEMENT_COUNT; i++)
        sqlite3_finalize(c->st[i]);
    db_close(c->db);
    intern_free(&c->genres);
    free(c->sets);
    free(c->path);
    free(c);
}

const char *catalog_path(const struct catalog *c)
{
    return c->path;
}

int64_t catalog_count(const struct catalog *c, enum title_kind kind)
{
    return (unsigned)kind < TITLE_KIND_COUNT ? c->shelf[kind].titles : 0;
}

int catalog_language_number(const struct catalog *c, const char *code)
{
    for (int i = 1; i < 256; i++)
        if (strcmp(c->language[i], code) == 0)
            return i;
    return 0;
}

/* --- reading titles -------------------------------------------------------------------------- */

static float known_real(sqlite3_stmt *st, int column, float unknown)
{
    bool known = sqlite3_column_type(st, column) != SQLITE_NULL;
    return known ? (float)sqlite3_column_double(st, column) : unknown;
}

static const char *genres_text(const struct catalog *c, int set, struct arena *a)
{
    struct str text = {0};
    str_add(&text, "", 0);
    for (int i = 0; set >= 0 && set < c->set_count && i < c->sets[set].count; i++)
        str_addf(&text, "%s%s", i > 0 ? ", " : "", c->genres.texts[c->sets[set].genre[i]]);
    char *out = arena_strdup(a, text.s);
    str_free(&text);
    return out;
}

static void read_row(const struct catalog *c, sqlite3_stmt *st, struct title *t, struct arena *a)
{
    int kind = sqlite3_column_int(st, 0);
    t->kind = kind >= 0 && kind < TITLE_KIND_COUNT ? (enum title_kind)kind : TITLE_FILM;
    t->name = arena_strdup(a, db_text(st, 1));
    bool same = sqlite3_column_type(st, 2) == SQLITE_NULL;
    t->original = same ? t->name : arena_strdup(a, db_text(st, 2));
    t->year = sqlite3_column_int(st, 3);
    t->minutes = sqlite3_column_int(st, 4);
    t->rating = (float)sqlite3_column_double(st, 5);
    t->votes = sqlite3_column_int(st, 6);
    t->genres = genres_text(c, sqlite3_column_int(st, 7), a);
    t->certificate = (int)known_real(st, 8, -1);
    t->valence = known_real(st, 9, -1);
    t->energy = known_real(st, 10, -1);
}

/* Each name is a page that may have to come from the disk: what is not shown is not read. */
static int read_credits(struct catalog *c, struct title *t, struct arena *a, struct err *err)
{
    struct str makers = {0}, cast = {0};
    int actors = 0;
    int rc = ERR_OK;
    str_add(&makers, "", 0);
    str_add(&cast, "", 0);
    sqlite3_bind_int64(c->st[READ_CREDITS], 1, t->id);
    while (actors < ACTORS_SHOWN && (rc = db_step(c->st[READ_CREDITS], err)) == 1) {
        bool actor = sqlite3_column_int(c->st[READ_CREDITS], 0) == ROLE_ACTOR;
        struct str *to = actor ? &cast : &makers;
        str_addf(to, "%s%s", to->len > 0 ? ", " : "", db_text(c->st[READ_CREDITS], 1));
        actors += actor;
    }
    sqlite3_reset(c->st[READ_CREDITS]);
    t->makers = arena_strdup(a, makers.s);
    t->cast = arena_strdup(a, cast.s);
    str_free(&makers);
    str_free(&cast);
    return rc < 0 ? rc : ERR_OK;
}

static int read_language(struct catalog *c, struct title *t, struct arena *a, struct err *err)
{
    sqlite3_stmt *st = c->st[READ_LANGUAGE];
    int rc;
    sqlite3_bind_int64(st, 1, t->id);
    while ((rc = db_step(st, err)) == 1)
        if (sqlite3_column_int(st, 1) > t->certainty) {
            t->language = arena_strdup(a, db_text(st, 0));
            t->certainty = sqlite3_column_int(st, 1);
        }
    sqlite3_reset(st);
    return rc;
}

static int read_moods(struct catalog *c, struct title *t, struct arena *a, struct err *err)
{
    struct str words = {0};
    t->moods = "";
    sqlite3_bind_int64(c->st[READ_MOOD], 1, t->id);
    int rc = db_step(c->st[READ_MOOD], err);
    if (rc == 1) {
        t->sentiment = (float)sqlite3_column_double(c->st[READ_MOOD], 0);
        t->reviews = sqlite3_column_int(c->st[READ_MOOD], 1);
        mood_words_text((unsigned)sqlite3_column_int64(c->st[READ_MOOD], 2), &words);
        t->moods = arena_strdup(a, words.s);
    }
    sqlite3_reset(c->st[READ_MOOD]);
    str_free(&words);
    return rc < 0 ? rc : ERR_OK;
}

/* All but the language. 1: found, 0: no such title. */
static int read_facts(struct catalog *c, int64_t id, struct title *t, struct arena *a,
                      struct err *err)
{
    char imdb[24];
    *t = (struct title){.id = id, .language = "", .why = ""};
    sqlite3_bind_int64(c->st[READ_TITLE], 1, id);
    int rc = db_step(c->st[READ_TITLE], err);
    if (rc == 1)
        read_row(c, c->st[READ_TITLE], t, a);
    sqlite3_reset(c->st[READ_TITLE]);
    if (rc <= 0)
        return rc;
    title_imdb_id(id, imdb, sizeof imdb);
    t->imdb_id = arena_strdup(a, imdb);
    rc = read_credits(c, t, a, err);
    if (rc == ERR_OK)
        rc = read_moods(c, t, a, err);
    return rc < 0 ? rc : 1;
}

int catalog_read_shelved(struct catalog *c, const struct shelf_entry *e, struct title *t,
                         struct arena *a, struct err *err)
{
    int rc = read_facts(c, e->id, t, a, err);
    t->language = arena_strdup(a, c->language[e->language[0]]);
    t->certainty = e->certainty;
    return rc;
}

int catalog_read_title(struct catalog *c, int64_t id, struct title *t, struct arena *a,
                       struct err *err)
{
    int rc = read_facts(c, id, t, a, err);
    int found = rc == 1 ? read_language(c, t, a, err) : ERR_OK;
    return found < 0 ? found : rc;
}

static int no_such_title(int64_t id, struct err *err)
{
    char imdb[24];
    title_imdb_id(id, imdb, sizeof imdb);
    return imdb[0] != '\0'
               ? err_set(err, ERR_NOT_FOUND, "the catalogue holds no title %s", imdb)
               : err_set(err, ERR_NOT_FOUND, "the catalogue holds no title %lld", (long long)id);
}

int catalog_title(struct catalog *c, int64_t id, struct title_list *out, struct err *err)
{
    db_restart_clock();
    struct title_list l = {.v = mem_new(1, sizeof *l.v), .note = "", .arena = arena_create(1024)};
    int rc = catalog_read_title(c, id, l.v, l.arena, err);
    if (rc == 0)
        rc = no_such_title(id, err);
    if (rc < 0) {
        title_list_free(&l);
        return rc;
    }
    l.count = 1;
    *out = l;
    return ERR_OK;
}

/* --- information ----------------------------------------------------------------------------- */

static int more_titles(const void *a, const void *b)
{
    const struct language_count *x = a, *y = b;
    if (x->titles != y->titles)
        return x->titles > y->titles ? -1 : 1;
    return strcmp(x->code, y->code);
}

int catalog_languages(struct catalog *c, struct language_count *out, int cap, struct err *err)
{
    struct language_count all[255];
    int count = 0;
    (void)err;
    for (int i = 1; i < 256; i++)
        if (c->language[i][0] != '\0') {
            memcpy(all[count].code, c->language[i], sizeof all[count].code);
            all[count++].titles = c->language_titles[i];
        }
    qsort(all, (size_t)count, sizeof *all, more_titles);
    count = count < cap ? count : cap;
    memcpy(out, all, (size_t)count * sizeof *all);
    return count;
}

typedef void line_fn(const char *text, void *payload);

static int info_sources(struct catalog *c, line_fn *line, void *payload, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = db_prepare(c->db, "SELECT name, detail FROM source ORDER BY bit", &st, err);
    if (rc < 0)
        return rc;
    while ((rc = db_step(st, err)) == 1) {
        struct str text = {0};
        str_addf(&text, "source: %s, %s", db_text(st, 0), db_text(st, 1));
        line(text.s, payload);
        str_free(&text);
    }
    sqlite3_finalize(st);
    return rc;
}

static void info_languages(struct catalog *c, line_fn *line, void *payload)
{
    struct language_count top[8];
    struct str text = {0};
    int count = catalog_languages(c, top, 8, NULL);
    if (count == 0)
        return;
    str_addf(&text, "languages: ");
    for (int i = 0; i < count; i++)
        str_addf(&text, "%s%s %d", i > 0 ? ", " : "", name_of_language(top[i].code),
                 top[i].titles);
    line(text.s, payload);
    str_free(&text);
}

static int info_count(struct catalog *c, const char *name, const char *count_sql, line_fn *line,
                      void *payload, struct err *err)
{
    int64_t n = 0;
    char text[80];
    int rc = db_value(c->db, count_sql, &n, err);
    snprintf(text, sizeof text, "%s: %lld", name, (long long)n);
    if (rc == ERR_OK)
        line(text, payload);
    return rc;
}

int catalog_info(struct catalog *c, line_fn *line, void *payload, struct err *err)
{
    char text[4200];
    db_restart_clock();
    snprintf(text, sizeof text, "file: %s", c->path);
    line(text, payload);
    for (int k = 0; k < TITLE_KIND_COUNT; k++) {
        snprintf(text, sizeof text, "%s%s: %lld", kind_names[k], k == TITLE_SERIES ? "" : "s",
                 (long long)c->shelf[k].titles);
        line(text, payload);
    }
    int rc = info_count(c, "people", "SELECT count(*) FROM person_rank", line, payload, err);
    if (rc == ERR_OK)
        rc = info_count(c, "combinations of genres", "SELECT count(*) FROM genre_set", line,
                        payload, err);
    if (rc == ERR_OK)
        rc = info_count(c, "reviewed titles", "SELECT count(*) FROM title_mood WHERE reviews > 0",
                        line, payload, err);
    if (rc == ERR_OK)
        rc = info_count(c, "titles with mood words",
                        "SELECT count(*) FROM title_mood WHERE moods <> 0", line, payload, err);
    info_languages(c, line, payload);
    return rc == ERR_OK ? info_sources(c, line, payload, err) : rc;
}
