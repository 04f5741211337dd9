/* Upserts. See writer.h. */
#include "catalog/writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "catalog/db.h"
#include "catalog/idmap.h"
#include "catalog/names.h"

enum statement {
    PUT_TITLE,
    PUT_RATING,
    PUT_PERSON,
    CLEAR_CREDITS,
    PUT_CREDIT,
    PUT_LANGUAGE,
    PUT_TAG,
    PUT_REVIEW,
    PUT_SIMILAR,
    PUT_GENRES,
    HAS_TITLE,
    FIND_RENAMED,
    STATEMENT_COUNT
};

static const char *const sql[STATEMENT_COUNT] = {
    [PUT_TITLE] =
        "INSERT INTO title(id, kind, name, original, year, minutes, rating, votes, genre_set,"
        " certificate, valence, energy, sources)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, coalesce(?9, 1), ?10, ?11, ?12, ?13)"
        " ON CONFLICT(id) DO UPDATE SET kind=excluded.kind,"
        " name=CASE WHEN ?3=original THEN name ELSE ?3 END," /* its second name is known */
        " original=coalesce(?4, original),"
        /* Kind 3, songs: lists have years of reissues, the earliest is nearest to the song's. */
        " year=CASE WHEN ?2=3 THEN coalesce(min(?5, year), ?5, year) ELSE coalesce(?5, year) END,"
        " minutes=coalesce(?6, minutes), rating=coalesce(?7, rating), votes=coalesce(?8, votes),"
        " genre_set=coalesce(?9, genre_set), certificate=coalesce(?10, certificate),"
        " valence=coalesce(?11, valence), energy=coalesce(?12, energy), sources=sources|?13",
    [PUT_RATING] = "UPDATE title SET rating=?2, votes=?3 WHERE id=?1 AND"
                   " (rating IS NULL OR sources=?4)",
    [PUT_PERSON] = "INSERT INTO person(id, name) VALUES(?, ?)"
                   " ON CONFLICT(id) DO UPDATE SET name=excluded.name",
    [CLEAR_CREDITS] = "DELETE FROM credit WHERE title=? AND role=?",
    [PUT_CREDIT] = "INSERT OR REPLACE INTO credit(title, role, place, person) VALUES(?, ?, ?, ?)",
    [PUT_LANGUAGE] = "INSERT INTO title_language(title, language, certainty) VALUES(?, ?, ?)"
                     " ON CONFLICT DO UPDATE SET certainty=max(certainty, excluded.certainty)",
    [PUT_TAG] = "INSERT OR REPLACE INTO tag(title, tag, uses) VALUES(?, ?, ?)",
    [PUT_REVIEW] = "INSERT OR REPLACE INTO review(title, text, score, moods) VALUES(?, ?, ?, ?)",
    [PUT_SIMILAR] = "INSERT OR REPLACE INTO similar(title, other, weight) VALUES(?, ?, ?)",
    [PUT_GENRES] = "INSERT INTO genre_set(id, genres) VALUES(?, ?)",
    [HAS_TITLE] = "SELECT 1 FROM title WHERE id=?",
    [FIND_RENAMED] =
        "SELECT min(t.id), t.name, count(*) FROM credit c JOIN title t ON t.id=c.title"
        " WHERE c.person=?1 AND c.role=?2 AND t.kind=?3 AND t.year=?4 AND t.minutes=?5"
        " AND t.sources & ?6 = 0",
};

struct writer {
    sqlite3 *db;
    unsigned source;
    sqlite3_stmt *st[STATEMENT_COUNT];
    struct err failure;

    struct intern sets;     /* genres as stored; set id = index + 1 */
    struct intern spelled;  /* genres as read from the file ... */
    int *set_of_spelled;    /* ... and their set */
    size_t set_of_spelled_cap;
    struct str scratch;

    bool names_read;
    struct idmap by_name;   /* name id -> index into ids */
    int64_t *ids;
    size_t ids_cap;
    int id_count;
};

static bool failed(const struct writer *w)
{
    return w->failure.code != ERR_OK;
}

int writer_failed(const struct writer *w, struct err *err)
{
    return failed(w) ? err_set(err, w->failure.code, "%s", w->failure.text) : ERR_OK;
}

static int read_sets(struct writer *w, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = db_prepare(w->db, "SELECT id, genres FROM genre_set ORDER BY id", &st, err);
    if (rc < 0)
        return rc;
    while ((rc = db_step(st, err)) == 1)
        if (intern_put(&w->sets, db_text(st, 1)) + 1 != sqlite3_column_int(st, 0))
            rc = err_set(err, ERR_FORMAT, "genre sets are not numbered 1, 2, 3 ...");
    sqlite3_finalize(st);
    return rc;
}

static int add_set(struct writer *w, const char *genres)
{
    int known = intern_find(&w->sets, genres);
    if (known >= 0)
        return known + 1;
    if (w->sets.count >= UINT16_MAX - 1)
        return 1;
    int set = intern_put(&w->sets, genres) + 1;
    sqlite3_bind_int(w->st[PUT_GENRES], 1, set);
    sqlite3_bind_text(w->st[PUT_GENRES], 2, genres, -1, SQLITE_STATIC);
    db_run(w->st[PUT_GENRES], &w->failure);
    return set;
}

static int set_of(struct writer *w, const char *genres)
{
    int known = intern_find(&w->spelled, genres);
    if (known >= 0)
        return w->set_of_spelled[known];
    name_genres(genres, &w->scratch);
    int set = add_set(w, w->scratch.s);
    int i = intern_put(&w->spelled, genres);
    w->set_of_spelled = mem_grow(w->set_of_spelled, &w->set_of_spelled_cap, (size_t)i + 1,
                                 sizeof *w->set_of_spelled);
    w->set_of_spelled[i] = set;
    return set;
}

int writer_create(struct writer **out, sqlite3 *db, unsigned source, struct err *err)
{
    struct writer *w = mem_new(1, sizeof *w);
    w->db = db;
    w->source = source;
    int rc = ERR_OK;
    for (int i = 0; i < STATEMENT_COUNT && rc == ERR_OK; i++)
        rc = db_prepare(db, sql[i], &w->st[i], err);
    if (rc == ERR_OK)
        rc = read_sets(w, err);
    if (rc == ERR_OK) {
        add_set(w, ""); /* set 1: none */
        rc = writer_failed(w, err);
    }
    if (rc < 0) {
        writer_destroy(w);
        return rc;
    }
    *out = w;
    return ERR_OK;
}

void writer_destroy(struct writer *w)
{
    if (w == NULL)
        return;
    for (int i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(w->st[i]);
    intern_free(&w->sets);
    intern_free(&w->spelled);
    free(w->set_of_spelled);
    str_free(&w->scratch);
    idmap_free(&w->by_name);
    free(w->ids);
    free(w);
}

static void run(struct writer *w, enum statement s)
{
    if (!failed(w))
        db_run(w->st[s], &w->failure);
}

static void bind_known_int(sqlite3_stmt *st, int at, int value, int unknown)
{
    if (value == unknown)
        sqlite3_bind_null(st, at);
    else
        sqlite3_bind_int(st, at, value);
}

static void bind_known_real(sqlite3_stmt *st, int at, double value, double unknown)
{
    if (value <= unknown)
        sqlite3_bind_null(st, at);
    else
        sqlite3_bind_double(st, at, value);
}

static void bind_name(sqlite3_stmt *st, int at, const char *text)
{
    sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC); /* NULL binds NULL */
}

void writer_title(struct writer *w, const struct title_row *r)
{
    sqlite3_stmt *st = w->st[PUT_TITLE];
    bool same = r->original != NULL && strcmp(r->original, r->name) == 0;
    sqlite3_bind_int64(st, 1, r->id);
    sqlite3_bind_int(st, 2, r->kind);
    bind_name(st, 3, r->name);
    bind_name(st, 4, same ? NULL : r->original);
    bind_known_int(st, 5, r->year, 0);
    bind_known_int(st, 6, r->minutes, 0);
    bind_known_real(st, 7, r->rating, 0);
    bind_known_int(st, 8, r->votes, 0);
    bind_known_int(st, 9, r->genres != NULL ? set_of(w, r->genres) : 0, 0);
    bind_known_int(st, 10, r->certificate, -1);
    bind_known_real(st, 11, r->valence, -1);
    bind_known_real(st, 12, r->energy, -1);
    sqlite3_bind_int64(st, 13, w->source);
    run(w, PUT_TITLE);
}

void writer_rating(struct writer *w, int64_t title, double rating, int votes)
{
    sqlite3_bind_int64(w->st[PUT_RATING], 1, title);
    sqlite3_bind_double(w->st[PUT_RATING], 2, rating);
    sqlite3_bind_int(w->st[PUT_RATING], 3, votes);
    sqlite3_bind_int64(w->st[PUT_RATING], 4, w->source);
    run(w, PUT_RATING);
}

void writer_person(struct writer *w, int64_t id, const char *name)
{
    sqlite3_bind_int64(w->st[PUT_PERSON], 1, id);
    bind_name(w->st[PUT_PERSON], 2, name);
    run(w, PUT_PERSON);
}

void writer_clear_credits(struct writer *w, int64_t title, enum credit_role role)
{
    sqlite3_bind_int64(w->st[CLEAR_CREDITS], 1, title);
    sqlite3_bind_int(w->st[CLEAR_CREDITS], 2, role);
    run(w, CLEAR_CREDITS);
}

void writer_credit(struct writer *w, int64_t title, enum credit_role role, int place,
                   int64_t person)
{
    sqlite3_stmt *st = w->st[PUT_CREDIT];
    sqlite3_bind_int64(st, 1, title);
    sqlite3_bind_int(st, 2, role);
    sqlite3_bind_int(st, 3, place);
    sqlite3_bind_int64(st, 4, person);
    run(w, PUT_CREDIT);
}

void writer_credits_by_name(struct writer *w, int64_t title, enum credit_role role,
                            const char *names, char separator)
{
    const char separators[2] = {separator, '\0'};
    writer_clear_credits(w, title, role);
    for (int place = 0; *names != '\0'; place++) {
        names += strspn(names, " ");
        size_t len = strcspn(names, separators);
        char *name = mem_strndup(names, len);
        for (size_t n = len; n > 0 && name[n - 1] == ' '; n--)
            name[n - 1] = '\0';
        if (name[0] != '\0') {
            int64_t id = name_person_id(name);
            writer_person(w, id, name);
            writer_credit(w, title, role, place, id);
        }
        free(name);
        names += len + (names[len] != '\0');
    }
}

void writer_language(struct writer *w, int64_t title, const char *code, int certainty)
{
    sqlite3_bind_int64(w->st[PUT_LANGUAGE], 1, title);
    bind_name(w->st[PUT_LANGUAGE], 2, code);
    sqlite3_bind_int(w->st[PUT_LANGUAGE], 3, certainty);
    run(w, PUT_LANGUAGE);
}

void writer_tag(struct writer *w, int64_t title, const char *tag, int uses)
{
    sqlite3_bind_int64(w->st[PUT_TAG], 1, title);
    bind_name(w->st[PUT_TAG], 2, tag);
    sqlite3_bind_int(w->st[PUT_TAG], 3, uses);
    run(w, PUT_TAG);
}

void writer_review(struct writer *w, int64_t title, int64_t text_hash, double score,
                   unsigned moods)
{
    sqlite3_bind_int64(w->st[PUT_REVIEW], 1, title);
    sqlite3_bind_int64(w->st[PUT_REVIEW], 2, text_hash);
    sqlite3_bind_double(w->st[PUT_REVIEW], 3, score);
    sqlite3_bind_int64(w->st[PUT_REVIEW], 4, moods);
    run(w, PUT_REVIEW);
}

void writer_similar(struct writer *w, int64_t title, int64_t other, double weight)
{
    sqlite3_bind_int64(w->st[PUT_SIMILAR], 1, title);
    sqlite3_bind_int64(w->st[PUT_SIMILAR], 2, other);
    sqlite3_bind_double(w->st[PUT_SIMILAR], 3, weight);
    run(w, PUT_SIMILAR);
}

bool writer_has(struct writer *w, int64_t id)
{
    if (failed(w))
        return false;
    sqlite3_bind_int64(w->st[HAS_TITLE], 1, id);
    bool has = db_step(w->st[HAS_TITLE], &w->failure) == 1;
    sqlite3_reset(w->st[HAS_TITLE]);
    return has;
}

/* A better known title keeps its name: titles are read in order of falling votes. */
static void remember_name(struct writer *w, enum title_kind kind, const char *name, int year,
                          int64_t id)
{
    w->ids = mem_grow(w->ids, &w->ids_cap, (size_t)w->id_count + 1, sizeof *w->ids);
    w->ids[w->id_count] = id;
    idmap_at(&w->by_name, name_title_id(kind, name, year, ""), w->id_count++);
}

static void read_names(struct writer *w)
{
    sqlite3_stmt *st = NULL;
    w->names_read = true;
    if (db_prepare(w->db, "SELECT kind, name, original, coalesce(year, 0), id FROM title"
                          " ORDER BY votes DESC", &st, &w->failure) < 0)
        return;
    while (db_step(st, &w->failure) == 1) {
        enum title_kind kind = (enum title_kind)sqlite3_column_int(st, 0);
        int64_t id = sqlite3_column_int64(st, 4);
        remember_name(w, kind, db_text(st, 1), sqlite3_column_int(st, 3), id);
        if (sqlite3_column_type(st, 2) == SQLITE_TEXT)
            remember_name(w, kind, db_text(st, 2), sqlite3_column_int(st, 3), id);
    }
    sqlite3_finalize(st);
}

int64_t writer_find(struct writer *w, enum title_kind kind, const char *name, int year)
{
    static const int shifts[] = {0, -1, 1};
    if (!w->names_read)
        read_names(w);
    for (int i = 0; i < (year > 0 ? 3 : 1); i++) {
        int32_t index = 0;
        if (idmap_get(&w->by_name, name_title_id(kind, name, year + shifts[i], ""), &index))
            return w->ids[index];
    }
    return 0;
}

int64_t writer_find_renamed(struct writer *w, const char *director, int year, int minutes,
                            char *name, int cap)
{
    enum { SHORT_MINUTES = 45 };
    sqlite3_stmt *st = w->st[FIND_RENAMED];
    int64_t id = 0;
    if (failed(w) || director[0] == '\0' || year == 0 || minutes < SHORT_MINUTES)
        return 0;
    sqlite3_bind_int64(st, 1, name_person_id(director));
    sqlite3_bind_int(st, 2, ROLE_DIRECTOR);
    sqlite3_bind_int(st, 3, TITLE_FILM);
    sqlite3_bind_int(st, 4, year);
    sqlite3_bind_int(st, 5, minutes);
    sqlite3_bind_int64(st, 6, w->source);
    if (db_step(st, &w->failure) == 1 && sqlite3_column_int(st, 2) == 1) {
        id = sqlite3_column_int64(st, 0);
        snprintf(name, (size_t)cap, "%s", db_text(st, 1));
    }
    sqlite3_reset(st);
    return id;
}
