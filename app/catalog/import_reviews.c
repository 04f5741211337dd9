/* Reviews: each is reduced to a probability of being positive and the mood words in it. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "catalog/idmap.h"
#include "catalog/import_internal.h"
#include "catalog/mood_word.h"
#include "catalog/names.h"
#include "catalog/sentiment.h"

enum field { ID, TITLE, YEAR, TEXT, LABEL, FIELD_COUNT };
static const char *const names[FIELD_COUNT] = {
    [ID] = "imdb_id|tconst|imdbid|title_id|movie_id",
    [TITLE] = "title|movie|movie_title|film",
    [YEAR] = "year|release_year",
    [TEXT] = "text|review|review_text|content|sentence",
    [LABEL] = "label|sentiment|fresh|polarity",
};

struct reviews {
    struct import *im;
    struct table *t;
    struct sentiment *model;
    int at[FIELD_COUNT];
    const struct cell *c;
};

static struct cell field(const struct reviews *r, enum field which)
{
    return r->at[which] >= 0 ? r->c[r->at[which]] : (struct cell){"", 0};
}

/* What people said themselves counts more than what the model reads. false: no label. */
static bool read_label(struct cell c, double *score)
{
    static const struct {
        const char *label;
        double score;
    } labels[] = {{"positive", 1}, {"pos", 1}, {"fresh", 1},  {"1", 1},
                  {"negative", 0}, {"neg", 0}, {"rotten", 0}, {"0", 0}};
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
        if (strcasecmp(c.s, labels[i].label) == 0) {
            *score = labels[i].score;
            return true;
        }
    return false;
}

/* 0: the catalogue does not hold the title. */
static int64_t find_title(struct reviews *r, struct arena *a)
{
    int64_t id = 0, year = 0;
    const char *text = table_text(a, field(r, ID));
    if (title_parse_imdb_id(text, &id) && writer_has(r->im->writer, id))
        return id;
    char name[512];
    int named_year = 0;
    name_split_year(table_text(a, field(r, TITLE)), name, sizeof name, &named_year);
    if (name[0] == '\0')
        return 0;
    cell_int(field(r, YEAR), 1850, 2200, &year);
    return writer_find(r->im->writer, TITLE_FILM, name, year > 0 ? (int)year : named_year);
}

static void put_review(struct reviews *r, struct arena *a)
{
    const char *text = table_text(a, field(r, TEXT));
    int64_t title = find_title(r, a);
    double score = 0;
    if (title == 0 || text[0] == '\0') {
        table_reject(r->t, title == 0 ? "the catalogue holds no such title" : "no text");
        return;
    }
    if (!read_label(field(r, LABEL), &score))
        score = sentiment_score(r->model, text);
    writer_review(r->im->writer, title, (int64_t)(hash_bytes(text, strlen(text)) >> 1), score,
                  mood_words_in(text));
    r->im->stats.kept++;
}

static int read_rows(struct reviews *r, struct err *err)
{
    int rc;
    while ((rc = table_next(r->t, &r->c, err)) == 1) {
        struct arena *a = arena_create(4096);
        put_review(r, a);
        arena_destroy(a);
        rc = import_tick(r->im, r->t, err);
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? rc : writer_failed(r->im->writer, err);
}

static int read_table(struct reviews *r, struct err *err)
{
    static const struct table_format format = {.quoted = true};
    const char *path = r->im->options->path;
    const char *slash = strrchr(path, '/');
    int text = 0;
    int rc = table_open(&r->t, path, &format, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < FIELD_COUNT; i++)
        r->at[i] = table_column(r->t, names[i]);
    rc = table_need_column(r->t, names[TEXT], &text, err);
    if (rc == ERR_OK && r->at[ID] < 0 && r->at[TITLE] < 0)
        rc = err_set(err, ERR_FORMAT, "%s: neither a column \"imdb_id\" nor \"title\" (and "
                     "\"year\") says which title a review is of", path);
    if (rc == ERR_OK)
        rc = read_rows(r, err);
    import_end_table(r->im, r->t, slash != NULL ? slash + 1 : path);
    table_close(r->t);
    return rc;
}

int import_reviews(struct import *im, struct err *err)
{
    struct reviews r = {.im = im};
    import_stage(im, "reviews", 0);
    int rc = sentiment_load(&r.model, NULL, err);
    if (rc == ERR_OK)
        rc = read_table(&r, err);
    sentiment_free(r.model);
    return rc;
}
