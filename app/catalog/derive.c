/* The derived tables: shelf, review summaries, search indexes. Everything here is made from the
 * content, in a file that has none of them yet. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "catalog/db.h"
#include "catalog/idmap.h"
#include "catalog/import_internal.h"
#include "catalog/mood_word.h"
#include "catalog/shelf.h"
#include "embedded.h"

/* m of the weighted rating: the votes that one title in twenty reaches, at most what IMDb's Top 250
 * asked for in its first years (3,000). */
enum { WEIGHT_PERCENTILE = 95, WEIGHT_MOST = 3000, WEIGHT_LEAST = 10 };

/* A title on its way to the shelf. */
struct item {
    struct shelf_entry entry;
    enum title_kind kind;
    float rating, sentiment;
    int reviews;
};

struct derive {
    sqlite3 *db; /* of the import */
    struct import *im;
    struct item *items;
    size_t items_cap;
    int count;
    struct intern languages; /* number = index + 1 */
    int *language_titles;
    size_t language_titles_cap;
};

static int tick(struct derive *d, struct err *err)
{
    return import_tick(d->im, NULL, err);
}

/* Begins a stage that goes over all rows of these tables, "review, tag". */
static int stage(struct derive *d, const char *name, const char *tables, struct err *err)
{
    int64_t rows = 0;
    char table[32], sql[64];
    for (const char *s = tables; *s != '\0'; s += strspn(s, ", ")) {
        int64_t count = 0;
        size_t len = strcspn(s, ",");
        snprintf(table, sizeof table, "%.*s", (int)len, s);
        snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
        int rc = db_value(d->db, sql, &count, err);
        if (rc < 0)
            return rc;
        rows += count;
        s += len;
    }
    import_stage(d->im, name, rows);
    return ERR_OK;
}

/* --- review summaries ------------------------------------------------------------------------ */

/* A mood word prevails when at least a quarter of the reviews use it, or a tag says so. */
static int put_mood(sqlite3_stmt *put, int64_t title, double sum, int reviews, const int *uses,
                    unsigned tagged, struct err *err)
{
    unsigned bits = tagged;
    for (int w = 0; w < MOOD_WORD_COUNT; w++)
        if (reviews > 0 && uses[w] * 4 >= reviews)
            bits |= 1u << w;
    sqlite3_bind_int64(put, 1, title);
    sqlite3_bind_double(put, 2, reviews > 0 ? sum / reviews : -1);
    sqlite3_bind_int(put, 3, reviews);
    sqlite3_bind_int64(put, 4, bits);
    return db_run(put, err);
}

static int summarise_reviews(struct derive *d, sqlite3_stmt *st, sqlite3_stmt *put,
                             struct err *err)
{
    int64_t title = 0;
    int reviews = 0, uses[MOOD_WORD_COUNT] = {0};
    double sum = 0;
    int rc;
    while ((rc = db_step(st, err)) == 1) {
        int64_t next = sqlite3_column_int64(st, 0);
        if (next != title && reviews > 0 &&
            (rc = put_mood(put, title, sum, reviews, uses, 0, err)) < 0)
            return rc;
        if (next != title) {
            reviews = 0, sum = 0;
            memset(uses, 0, sizeof uses);
        }
        title = next;
        reviews++;
        sum += sqlite3_column_double(st, 1);
        for (int w = 0; w < MOOD_WORD_COUNT; w++)
            uses[w] += sqlite3_column_int(st, 2) >> w & 1;
        if ((rc = tick(d, err)) < 0)
            return rc;
    }
    if (rc == 0 && reviews > 0)
        rc = put_mood(put, title, sum, reviews, uses, 0, err);
    return rc;
}

static int add_tag_moods(struct derive *d, sqlite3_stmt *st, sqlite3_stmt *put, struct err *err)
{
    int rc;
    while ((rc = db_step(st, err)) == 1) {
        unsigned bits = mood_words_in(db_text(st, 1));
        if ((rc = tick(d, err)) < 0)
            return rc;
        if (bits == 0)
            continue;
        sqlite3_bind_int64(put, 1, sqlite3_column_int64(st, 0));
        sqlite3_bind_int64(put, 2, bits);
        if ((rc = db_run(put, err)) < 0)
            return rc;
    }
    return rc;
}

static int derive_moods(struct derive *d, struct err *err)
{
    sqlite3_stmt *reviews = NULL, *put = NULL, *tags = NULL, *add = NULL;
    int rc = db_prepare(d->db, "SELECT title, score, moods FROM review ORDER BY title", &reviews,
                        err);
    if (rc == ERR_OK)
        rc = db_prepare(d->db, "INSERT INTO title_mood VALUES(?, ?, ?, ?)", &put, err);
    if (rc == ERR_OK)
        rc = db_prepare(d->db, "SELECT title, tag FROM tag", &tags, err);
    if (rc == ERR_OK)
        rc = db_prepare(d->db,
                        "INSERT INTO title_mood VALUES(?1, -1, 0, ?2)"
                        " ON CONFLICT DO UPDATE SET moods=moods|?2",
                        &add, err);
    if (rc == ERR_OK)
        rc = summarise_reviews(d, reviews, put, err);
    if (rc == ERR_OK)
        rc = add_tag_moods(d, tags, add, err);
    sqlite3_finalize(reviews);
    sqlite3_finalize(put);
    sqlite3_finalize(tags);
    sqlite3_finalize(add);
    return rc;
}

/* --- the shelf ------------------------------------------------------------------------------- */

static uint8_t percent(sqlite3_stmt *st, int column)
{
    if (sqlite3_column_type(st, column) == SQLITE_NULL)
        return SHELF_UNKNOWN;
    double v = sqlite3_column_double(st, column);
    return (uint8_t)lround(100 * (v < 0 ? 0 : v > 1 ? 1 : v));
}

static uint16_t small(sqlite3_stmt *st, int column)
{
    int64_t v = sqlite3_column_int64(st, column);
    return (uint16_t)(v < 0 ? 0 : v > UINT16_MAX ? UINT16_MAX : v);
}

static struct item item_of(sqlite3_stmt *st)
{
    struct item item = {.kind = (enum title_kind)sqlite3_column_int(st, 1), .sentiment = -1};
    struct shelf_entry *e = &item.entry;
    e->id = sqlite3_column_int64(st, 0);
    e->year = small(st, 2);
    e->minutes = small(st, 3);
    item.rating = (float)sqlite3_column_double(st, 4);
    e->votes = (uint32_t)sqlite3_column_int64(st, 5);
    e->genre_set = small(st, 6);
    e->certificate = sqlite3_column_type(st, 7) == SQLITE_NULL ? SHELF_UNKNOWN
                                                               : (uint8_t)small(st, 7);
    e->valence = percent(st, 8);
    e->energy = percent(st, 9);
    return item;
}

static int read_titles(struct derive *d, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = db_prepare(d->db,
                        "SELECT id, kind, year, minutes, rating, votes, genre_set, certificate,"
                        " valence, energy FROM title ORDER BY id",
                        &st, err);
    if (rc < 0)
        return rc;
    while ((rc = db_step(st, err)) == 1) {
        d->items = mem_grow(d->items, &d->items_cap, (size_t)d->count + 1, sizeof *d->items);
        struct item item = item_of(st);
        if ((unsigned)item.kind < TITLE_KIND_COUNT)
            d->items[d->count++] = item;
        if ((rc = tick(d, err)) < 0)
            break;
    }
    sqlite3_finalize(st);
    return rc;
}

/* The facts below come in order of title, and so do the items: one merge each.
 * Returns the item of `title` at or after *at; NULL: there is none. */
static struct item *merge_to(struct derive *d, int *at, int64_t title)
{
    while (*at < d->count && d->items[*at].entry.id < title)
        ++*at;
    return *at < d->count && d->items[*at].entry.id == title ? &d->items[*at] : NULL;
}

static uint8_t language_number(struct derive *d, const char *code)
{
    if (d->languages.count == UINT8_MAX && intern_find(&d->languages, code) < 0)
        return 0;
    int i = intern_put(&d->languages, code);
    size_t old = d->language_titles_cap;
    d->language_titles = mem_grow(d->language_titles, &d->language_titles_cap, (size_t)i + 1,
                                  sizeof *d->language_titles);
    for (size_t k = old; k < d->language_titles_cap; k++)
        d->language_titles[k] = 0;
    d->language_titles[i]++;
    return (uint8_t)(i + 1);
}

static void merge_language(struct derive *d, struct item *item, sqlite3_stmt *st)
{
    struct shelf_entry *e = &item->entry;
    uint8_t number = language_number(d, db_text(st, 1));
    int certainty = sqlite3_column_int(st, 2);
    if (certainty > e->certainty) {
        e->language[1] = e->language[0];
        e->language[0] = number;
        e->certainty = (uint8_t)certainty;
    } else if (e->language[1] == 0) {
        e->language[1] = number;
    }
}

static void merge_maker(struct derive *d, struct item *item, sqlite3_stmt *st)
{
    (void)d;
    uint64_t person = (uint64_t)sqlite3_column_int64(st, 1);
    uint32_t folded = (uint32_t)(person ^ person >> 32);
    if (item->entry.maker == 0)
        item->entry.maker = folded != 0 ? folded : 1;
}

static void merge_mood(struct derive *d, struct item *item, sqlite3_stmt *st)
{
    (void)d;
    item->sentiment = (float)sqlite3_column_double(st, 1);
    item->reviews = sqlite3_column_int(st, 2);
    item->entry.moods = small(st, 3);
}

static int merge(struct derive *d, const char *sql,
                 void (*take)(struct derive *, struct item *, sqlite3_stmt *), struct err *err)
{
    sqlite3_stmt *st = NULL;
    int at = 0;
    int rc = db_prepare(d->db, sql, &st, err);
    if (rc < 0)
        return rc;
    while ((rc = db_step(st, err)) == 1) {
        struct item *item = merge_to(d, &at, sqlite3_column_int64(st, 0));
        if (item != NULL)
            take(d, item, st);
        if ((rc = tick(d, err)) < 0)
            break;
    }
    sqlite3_finalize(st);
    return rc;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* C and m of the weighted rating for one kind. */
static void rating_prior(const struct derive *d, enum title_kind kind, double *mean,
                         double *weight)
{
    uint32_t *votes = mem_new((size_t)d->count + 1, sizeof *votes);
    size_t rated = 0;
    double sum = 0;
    for (int i = 0; i < d->count; i++)
        if (d->items[i].kind == kind && d->items[i].rating > 0) {
            votes[rated++] = d->items[i].entry.votes;
            sum += d->items[i].rating;
        }
    qsort(votes, rated, sizeof *votes, by_number);
    *mean = rated > 0 ? sum / (double)rated : 6;
    *weight = rated > 0 ? votes[(rated - 1) * WEIGHT_PERCENTILE / 100] : WEIGHT_LEAST;
    *weight = fmin(fmax(*weight, WEIGHT_LEAST), WEIGHT_MOST);
    free(votes);
}

static int by_quality(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->entry.quality != y->entry.quality)
        return x->entry.quality > y->entry.quality ? -1 : 1;
    if (x->entry.votes != y->entry.votes)
        return x->entry.votes > y->entry.votes ? -1 : 1;
    return (x->entry.id > y->entry.id) - (x->entry.id < y->entry.id);
}

static int put_block(sqlite3_stmt *put, enum title_kind kind, int block, const struct item *items,
                     int count, struct err *err)
{
    static unsigned char bytes[SHELF_BLOCK * SHELF_ENTRY_BYTES]; /* imports run one at a time */
    for (int i = 0; i < count; i++)
        shelf_pack(&items[i].entry, bytes + (size_t)i * SHELF_ENTRY_BYTES);
    sqlite3_bind_int(put, 1, kind);
    sqlite3_bind_int(put, 2, block);
    sqlite3_bind_blob(put, 3, bytes, count * SHELF_ENTRY_BYTES, SQLITE_STATIC);
    return db_run(put, err);
}

static int put_kind(struct derive *d, sqlite3_stmt *put, enum title_kind kind, int first,
                    int count, double mean, double weight, struct err *err)
{
    int blocks = (count + SHELF_BLOCK - 1) / SHELF_BLOCK;
    int rc = ERR_OK;
    for (int b = 0; b < blocks && rc == ERR_OK; b++) {
        int rest = count - b * SHELF_BLOCK;
        rc = put_block(put, kind, b, d->items + first + b * SHELF_BLOCK,
                       rest < SHELF_BLOCK ? rest : SHELF_BLOCK, err);
    }
    if (rc == ERR_OK)
        rc = db_execf(d->db, err, "INSERT INTO shelf_kind VALUES(%d, %d, %d, %.17g, %.17g)",
                      (int)kind, count, blocks, mean, weight);
    return rc;
}

static int fill_shelf(struct derive *d, struct err *err)
{
    double mean[TITLE_KIND_COUNT], weight[TITLE_KIND_COUNT];
    sqlite3_stmt *put = NULL;
    for (int k = 0; k < TITLE_KIND_COUNT; k++)
        rating_prior(d, (enum title_kind)k, &mean[k], &weight[k]);
    for (int i = 0; i < d->count; i++) {
        struct item *item = &d->items[i];
        float q = shelf_quality(item->rating, (int)item->entry.votes, mean[item->kind],
                                weight[item->kind], item->sentiment, item->reviews);
        item->entry.quality = (uint16_t)lround(q * UINT16_MAX);
    }
    qsort(d->items, (size_t)d->count, sizeof *d->items, by_quality);
    int rc = db_prepare(d->db, "INSERT INTO shelf VALUES(?, ?, ?)", &put, err);
    for (int k = 0, first = 0; k < TITLE_KIND_COUNT && rc == ERR_OK; k++) {
        int count = 0;
        while (first + count < d->count && d->items[first + count].kind == (enum title_kind)k)
            count++;
        rc = put_kind(d, put, (enum title_kind)k, first, count, mean[k], weight[k], err);
        first += count;
    }
    sqlite3_finalize(put);
    return rc;
}

static int put_languages(struct derive *d, struct err *err)
{
    int rc = ERR_OK;
    for (int i = 0; i < d->languages.count && rc == ERR_OK; i++)
        rc = db_execf(d->db, err, "INSERT INTO shelf_language VALUES(%d, %Q, %d)", i + 1,
                      d->languages.texts[i], d->language_titles[i]);
    return rc;
}

static int derive_shelf(struct derive *d, struct err *err)
{
    int rc = stage(d, "shelf", "title, title_language, credit, title_mood", err);
    if (rc == ERR_OK)
        rc = read_titles(d, err);
    if (rc == ERR_OK)
        rc = merge(d, "SELECT title, language, certainty FROM title_language ORDER BY title",
                   merge_language, err);
    if (rc == ERR_OK)
        rc = merge(d, "SELECT title, person FROM credit WHERE role IN (0, 2)"
                      " ORDER BY title, role, place", merge_maker, err);
    if (rc == ERR_OK)
        rc = merge(d, "SELECT title, sentiment, reviews, moods FROM title_mood ORDER BY title",
                   merge_mood, err);
    if (rc == ERR_OK)
        rc = fill_shelf(d, err);
    return rc == ERR_OK ? put_languages(d, err) : rc;
}

/* --- search ---------------------------------------------------------------------------------- */

/* FTS5 keeps what is added in memory up to `hashsize`; without merging in between and with one
 * merge at the end the index is built three times faster. */
static int begin_index(struct derive *d, const char *table, struct err *err)
{
    return db_execf(d->db, err,
                    "INSERT INTO %s(%s, rank) VALUES('hashsize', 16777216);"
                    "INSERT INTO %s(%s, rank) VALUES('automerge', 0);",
                    table, table, table, table);
}

/* Merges the index into one piece, some pages at a time; "merge" with a negative number begins a
 * merge of everything (FTS5, 6.8), and one that changes nothing says that it is done. */
static int end_index(struct derive *d, const char *table, const char *stage_name, int64_t rows,
                     struct err *err)
{
    enum { PAGES = 500 };
    int64_t pages = 0;
    char sql[80];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s_data", table);
    int rc = db_value(d->db, sql, &pages, err);
    import_stage(d->im, stage_name, rows);
    for (int64_t merged = 0, changes = 2; rc == ERR_OK && changes > 1; merged += PAGES) {
        int before = sqlite3_total_changes(d->db);
        rc = db_execf(d->db, err, "INSERT INTO %s(%s, rank) VALUES('merge', %d)", table, table,
                      merged == 0 ? -PAGES : PAGES);
        changes = sqlite3_total_changes(d->db) - before;
        if (rc == ERR_OK)
            rc = import_share(d->im, (double)merged / (double)(pages + 1), err);
    }
    return rc;
}

static int by_votes(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->entry.votes != y->entry.votes)
        return x->entry.votes > y->entry.votes ? -1 : 1;
    return by_quality(a, b);
}

struct index_statements {
    sqlite3_stmt *title, *people, *rank, *words;
};

static int title_words(struct index_statements *s, int64_t id, struct str *words, struct err *err)
{
    str_clear(words);
    sqlite3_bind_int64(s->title, 1, id);
    int rc = db_step(s->title, err);
    if (rc == 1)
        str_addf(words, "%s %s", db_text(s->title, 0), db_text(s->title, 1));
    sqlite3_reset(s->title);
    sqlite3_bind_int64(s->people, 1, id);
    while (rc >= 0 && (rc = db_step(s->people, err)) == 1)
        str_addf(words, " %s", db_text(s->people, 0));
    sqlite3_reset(s->people);
    return rc;
}

static int index_title(struct index_statements *s, int rank, int64_t id, struct str *words,
                       struct err *err)
{
    int rc = title_words(s, id, words, err);
    if (rc < 0)
        return rc;
    sqlite3_bind_int(s->rank, 1, rank);
    sqlite3_bind_int64(s->rank, 2, id);
    rc = db_run(s->rank, err);
    if (rc < 0)
        return rc;
    sqlite3_bind_int(s->words, 1, rank);
    sqlite3_bind_text(s->words, 2, words->s, (int)words->len, SQLITE_STATIC);
    return db_run(s->words, err);
}

static int derive_title_search(struct derive *d, struct err *err)
{
    struct index_statements s = {0};
    struct str words = {0};
    import_stage(d->im, "title search", d->count);
    qsort(d->items, (size_t)d->count, sizeof *d->items, by_votes);
    int rc = db_prepare(d->db, "SELECT name, original FROM title WHERE id=?", &s.title, err);
    if (rc == ERR_OK)
        rc = db_prepare(d->db, "SELECT name FROM credit JOIN person ON person.id=credit.person"
                               " WHERE title=?", &s.people, err);
    if (rc == ERR_OK)
        rc = db_prepare(d->db, "INSERT INTO title_rank VALUES(?, ?)", &s.rank, err);
    if (rc == ERR_OK)
        rc = db_prepare(d->db, "INSERT INTO title_search(rowid, words) VALUES(?, ?)", &s.words,
                        err);
    if (rc == ERR_OK)
        rc = begin_index(d, "title_search", err);
    for (int i = 0; i < d->count && rc == ERR_OK; i++) {
        rc = index_title(&s, i + 1, d->items[i].entry.id, &words, err);
        if (rc == ERR_OK)
            rc = tick(d, err);
    }
    if (rc == ERR_OK)
        rc = end_index(d, "title_search", "title index", d->count, err);
    sqlite3_finalize(s.title);
    sqlite3_finalize(s.people);
    sqlite3_finalize(s.rank);
    sqlite3_finalize(s.words);
    str_free(&words);
    return rc;
}

/* Statements over a whole table each. */
static int rank_people(struct derive *d, struct err *err)
{
    int rc = stage(d, "credits", "credit", err);
    if (rc == ERR_OK)
        rc = import_sql(d->im, "CREATE INDEX credit_by_person ON credit(person, title)", 0, 11,
                        err);
    if (rc == ERR_OK)
        rc = stage(d, "people", "person, credit", err);
    if (rc == ERR_OK)
        rc = import_sql(d->im,
                        "DELETE FROM person WHERE NOT EXISTS"
                        " (SELECT 1 FROM credit WHERE person=person.id)",
                        0, 12, err);
    if (rc == ERR_OK)
        rc = import_sql(d->im,
                        "INSERT INTO person_rank(person, titles)"
                        " SELECT credit.person, count(DISTINCT title) FROM credit"
                        " JOIN title ON title.id=credit.title"
                        " JOIN person ON person.id=credit.person GROUP BY credit.person"
                        " ORDER BY sum(coalesce(votes, 0)) DESC, credit.person",
                        0, 23, err);
    return rc;
}

static int derive_person_search(struct derive *d, struct err *err)
{
    int rc = rank_people(d, err);
    if (rc == ERR_OK)
        rc = begin_index(d, "person_search", err);
    if (rc == ERR_OK)
        rc = stage(d, "person search", "person_rank", err);
    if (rc == ERR_OK)
        rc = import_sql(d->im,
                        "INSERT INTO person_search(rowid, name) SELECT rank, name FROM person_rank"
                        " JOIN person ON person.id=person ORDER BY rank",
                        0, 14, err);
    int64_t people = d->im->stats.stage_total;
    return rc == ERR_OK ? end_index(d, "person_search", "person index", people, err) : rc;
}

int derive_tables(struct import *im, struct err *err)
{
    struct derive d = {.db = im->db, .im = im};
    int rc = db_exec(d.db, sql_derived, err);
    if (rc == ERR_OK)
        rc = stage(&d, "reviews", "review, tag", err);
    if (rc == ERR_OK)
        rc = derive_moods(&d, err);
    if (rc == ERR_OK)
        rc = derive_shelf(&d, err);
    if (rc == ERR_OK)
        rc = derive_person_search(&d, err);
    if (rc == ERR_OK)
        rc = derive_title_search(&d, err);
    free(d.items);
    free(d.language_titles);
    intern_free(&d.languages);
    return rc;
}
