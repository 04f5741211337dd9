/* Builds the taste from feedback and catalogue, and answers for one title at a time. */
#include "catalog/taste.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/catalog_internal.h"
#include "catalog/db.h"
#include "catalog/ease.h"
#include "catalog/feedback.h"

enum { SHOWN_DAYS = 30, DECADES = 40, FEATURE_PRIOR = 4 };

/* Sizes of the parts, our choice: one liked person is worth as much as a half-point of rating. */
static const float genre_part = 0.5f, decade_part = 0.15f, language_part = 0.15f;
static const float person_part = 0.15f, person_part_max = 0.4f, similar_part = 0.5f;
static const float factor_min = 0.55f, factor_max = 1.82f;

/* Opinions about one feature value. */
struct votes {
    float likes, dislikes;
};

/* What is known about one title through people and through similar titles. */
struct bonus {
    float people, similar;
    int person, liked; /* the strongest: index of the name, -1 none */
    float liked_weight;
    float factor; /* exp of both parts */
};

struct taste {
    const struct feedback *feedback;
    int64_t revision;
    struct idmap exclusions; /* title -> flags */
    struct idmap bonus_at;   /* title -> index */
    struct bonus *bonus;
    size_t bonus_cap;
    int bonus_count;
    struct intern names; /* of people and titles */
    struct votes *genres;
    struct votes decades[DECADES], languages[256];
    float similar_max;
    int likes;

    /* What all of it comes to. */
    float *set_factor; /* [set_count] */
    int set_count;
    float decade_factor[DECADES], language_factor[256];
    uint64_t maybe[1024]; /* one bit of a hash: off, the title surely has no bonus */
    float most;
    bool empty; /* no opinion at all */
};

unsigned taste_exclusions(const struct taste *t, int64_t title)
{
    int32_t flags = 0;
    return idmap_get(&t->exclusions, title, &flags) ? (unsigned)flags : 0;
}

static float share(struct votes v)
{
    return (v.likes - v.dislikes) / (v.likes + v.dislikes + FEATURE_PRIOR);
}

static int decade_of(int year)
{
    int decade = (year - 1800) / 10;
    return decade < 0 ? 0 : decade >= DECADES ? DECADES - 1 : decade;
}

static const struct bonus *bonus_of(const struct taste *t, int64_t title)
{
    int32_t i = 0;
    return idmap_get(&t->bonus_at, title, &i) ? &t->bonus[i] : NULL;
}

static float genre_share(const struct taste *t, const struct catalog *c, int set)
{
    float sum = 0;
    if (set >= c->set_count || c->sets[set].count == 0)
        return 0;
    for (int i = 0; i < c->sets[set].count; i++)
        sum += share(t->genres[c->sets[set].genre[i]]);
    return sum / (float)c->sets[set].count;
}

/* One like says little about which of its neighbours a person likes as well: like the shares of
 * the features, what ratings say grows with the number of likes. */
static float bonus_part(const struct taste *t, const struct bonus *b)
{
    float people = fmaxf(-person_part_max, fminf(person_part_max, person_part * b->people));
    float similar = t->similar_max > 0 ? b->similar / t->similar_max : 0;
    float sure = (float)t->likes / (float)(t->likes + FEATURE_PRIOR);
    return people + similar_part * sure * similar;
}

static uint32_t bit_of(int64_t title)
{
    return (uint32_t)((uint64_t)title * 0x9e3779b97f4a7c15u >> 48);
}

float taste_factor(const struct taste *t, int64_t title, int genre_set, int year, int language)
{
    if (t->empty)
        return 1;
    float factor = t->set_factor[genre_set < t->set_count ? genre_set : 0] *
                   t->decade_factor[decade_of(year)] * t->language_factor[language & 255];
    uint32_t bit = bit_of(title);
    const struct bonus *b =
        t->maybe[bit / 64] >> bit % 64 & 1 ? bonus_of(t, title) : NULL;
    if (b != NULL)
        factor *= b->factor;
    return factor < factor_min ? factor_min : factor > factor_max ? factor_max : factor;
}

float taste_factor_max(const struct taste *t)
{
    return t->empty ? 1 : t->most;
}

static const char *liked_genre(const struct taste *t, const struct catalog *c, int set)
{
    const char *best = NULL;
    float best_share = 0.15f;
    for (int i = 0; set < c->set_count && i < c->sets[set].count; i++) {
        float s = share(t->genres[c->sets[set].genre[i]]);
        if (s > best_share) {
            best_share = s;
            best = c->genres.texts[c->sets[set].genre[i]];
        }
    }
    return best;
}

struct taste_reason taste_reason_for(const struct taste *t, const struct catalog *c,
                                     const struct shelf_entry *e)
{
    struct taste_reason r = {0};
    if (t->empty)
        return r;
    const struct bonus *b = bonus_of(t, e->id);
    if (b != NULL && b->people > 0 && b->person >= 0)
        r.person = t->names.texts[b->person];
    else if (b != NULL && b->liked >= 0 && b->similar > 0.2f * t->similar_max)
        r.title = t->names.texts[b->liked];
    else
        r.genre = liked_genre(t, c, e->genre_set);
    return r;
}

/* --- building -------------------------------------------------------------------------------- */

struct entries {
    struct feedback_entry *v;
    size_t cap;
    int count;
};

static void collect(const struct feedback_entry *e, void *payload)
{
    struct entries *l = payload;
    l->v = mem_grow(l->v, &l->cap, (size_t)l->count + 1, sizeof *l->v);
    l->v[l->count++] = *e;
}

static void exclude(struct taste *t, const struct feedback_entry *e)
{
    int flags = (e->opinion == OPINION_DISLIKE ? TASTE_DISLIKED : 0) |
                (e->seen ? TASTE_SEEN : 0) | (e->shown ? TASTE_SHOWN : 0);
    if (flags != 0)
        *idmap_at(&t->exclusions, e->title, 0) |= flags;
}

static struct bonus *bonus_for(struct taste *t, int64_t title)
{
    int32_t *i = idmap_at(&t->bonus_at, title, -1);
    if (*i < 0) {
        t->bonus = mem_grow(t->bonus, &t->bonus_cap, (size_t)t->bonus_count + 1,
                            sizeof *t->bonus);
        t->bonus[t->bonus_count] = (struct bonus){.person = -1, .liked = -1};
        *i = t->bonus_count++;
    }
    return &t->bonus[*i];
}

static void vote(struct votes *v, float opinion)
{
    if (opinion > 0)
        v->likes += opinion;
    else
        v->dislikes -= opinion;
}

/* Every other title of a person in a liked (1) or disliked (-0.5) title. */
static int add_filmography(struct taste *t, struct catalog *c, int64_t title, int64_t person,
                           int name, float opinion, struct err *err)
{
    sqlite3_stmt *st = c->st[READ_FILMOGRAPHY];
    int rc;
    sqlite3_bind_int64(st, 1, person);
    while ((rc = db_step(st, err)) == 1) {
        if (sqlite3_column_int64(st, 0) == title)
            continue;
        struct bonus *b = bonus_for(t, sqlite3_column_int64(st, 0));
        b->people += opinion;
        if (opinion > 0)
            b->person = name;
    }
    sqlite3_reset(st);
    return rc;
}

static int add_people(struct taste *t, struct catalog *c, int64_t title, float opinion,
                      struct err *err)
{
    sqlite3_stmt *st = c->st[READ_TITLE_PEOPLE];
    int rc;
    sqlite3_bind_int64(st, 1, title);
    while ((rc = db_step(st, err)) == 1) {
        int name = intern_put(&t->names, db_text(st, 1));
        rc = add_filmography(t, c, title, sqlite3_column_int64(st, 0), name,
                             opinion > 0 ? opinion : 0.5f * opinion, err);
        if (rc < 0)
            break;
    }
    sqlite3_reset(st);
    return rc;
}

static int add_similar(struct taste *t, struct catalog *c, int64_t title, int name, float recency,
                       struct err *err)
{
    sqlite3_stmt *st = c->st[READ_SIMILAR];
    int rc;
    sqlite3_bind_int64(st, 1, title);
    while ((rc = db_step(st, err)) == 1) {
        struct bonus *b = bonus_for(t, sqlite3_column_int64(st, 0));
        float weight = recency * (float)sqlite3_column_double(st, 1);
        b->similar += weight;
        if (weight > b->liked_weight) {
            b->liked_weight = weight;
            b->liked = name;
        }
        t->similar_max = fmaxf(t->similar_max, b->similar);
    }
    sqlite3_reset(st);
    return rc;
}

static int add_features(struct taste *t, struct catalog *c, const struct title *title,
                        float opinion, struct err *err)
{
    sqlite3_stmt *st = c->st[READ_TITLE];
    sqlite3_bind_int64(st, 1, title->id);
    int rc = db_step(st, err);
    int set = rc == 1 ? sqlite3_column_int(st, 7) : 0;
    sqlite3_reset(st);
    if (rc < 0)
        return rc;
    for (int i = 0; set < c->set_count && i < c->sets[set].count; i++)
        vote(&t->genres[c->sets[set].genre[i]], opinion);
    vote(&t->decades[decade_of(title->year)], opinion);
    vote(&t->languages[catalog_language_number(c, title->language)], opinion);
    return ERR_OK;
}

/* `later_likes`: how many likes came after this opinion. */
static int add_opinion(struct taste *t, struct catalog *c, const struct feedback_entry *e,
                       int later_likes, struct err *err)
{
    float opinion = e->opinion == OPINION_LIKE ? 1.0f : -1.0f;
    struct arena *a = arena_create(1024);
    struct title title;
    int rc = catalog_read_title(c, e->title, &title, a, err);
    if (rc == 1) {
        t->empty = false;
        t->likes += opinion > 0;
        rc = add_features(t, c, &title, opinion, err);
        if (rc == ERR_OK)
            rc = add_people(t, c, e->title, opinion, err);
        if (rc == ERR_OK && opinion > 0)
            rc = add_similar(t, c, e->title, intern_put(&t->names, title.name),
                             (float)ease_recency(later_likes, EASE_HALF_LIFE), err);
    }
    arena_destroy(a);
    return rc;
}

static float largest(const float *v, int n)
{
    float most = n > 0 ? v[0] : 1;
    for (int i = 1; i < n; i++)
        most = fmaxf(most, v[i]);
    return most;
}

/* From votes to factors. */
static void finish(struct taste *t, const struct catalog *c)
{
    float bonus_most = 1;
    t->set_count = c->set_count;
    t->set_factor = mem_new((size_t)c->set_count + 1, sizeof *t->set_factor);
    for (int s = 0; s < c->set_count; s++)
        t->set_factor[s] = expf(genre_part * genre_share(t, c, s));
    for (int d = 0; d < DECADES; d++)
        t->decade_factor[d] = expf(decade_part * share(t->decades[d]));
    for (int l = 0; l < 256; l++)
        t->language_factor[l] = expf(language_part * share(t->languages[l]));
    for (size_t i = 0; i < t->bonus_at.cap; i++) {
        if (t->bonus_at.keys[i] == INT64_MIN)
            continue;
        struct bonus *b = &t->bonus[t->bonus_at.values[i]];
        uint32_t bit = bit_of(t->bonus_at.keys[i]);
        b->factor = expf(bonus_part(t, b));
        bonus_most = fmaxf(bonus_most, b->factor);
        t->maybe[bit / 64] |= (uint64_t)1 << bit % 64;
    }
    t->most = fminf(factor_max, bonus_most * largest(t->set_factor, t->set_count) *
                                    largest(t->decade_factor, DECADES) *
                                    largest(t->language_factor, 256));
}

static int build(struct taste *t, struct catalog *c, struct feedback *f, struct err *err)
{
    struct entries l = {0};
    int later_likes = 0;
    int rc = feedback_each(f, SHOWN_DAYS, collect, &l, err);
    for (int i = 0; i < l.count && rc >= 0; i++) {
        exclude(t, &l.v[i]);
        if (l.v[i].opinion == OPINION_LIKE || l.v[i].opinion == OPINION_DISLIKE)
            rc = add_opinion(t, c, &l.v[i], later_likes, err);
        later_likes += l.v[i].opinion == OPINION_LIKE;
    }
    free(l.v);
    return rc < 0 ? rc : ERR_OK;
}

int taste_of(struct catalog *c, struct feedback *f, const struct taste **out, struct err *err)
{
    int64_t revision = f != NULL ? feedback_revision(f) : 0;
    if (c->taste != NULL && c->taste->feedback == f && c->taste->revision == revision) {
        *out = c->taste;
        return ERR_OK;
    }
    taste_free(c->taste);
    struct taste *t = c->taste = mem_new(1, sizeof *t);
    t->feedback = f;
    t->revision = revision;
    t->empty = true;
    t->genres = mem_new((size_t)c->genres.count + 1, sizeof *t->genres);
    int rc = f != NULL ? build(t, c, f, err) : ERR_OK;
    finish(t, c);
    if (rc < 0) {
        taste_free(t);
        c->taste = NULL;
        return rc;
    }
    *out = t;
    return ERR_OK;
}

void taste_note_shown(struct catalog *c, struct feedback *f, const int64_t *titles, int count)
{
    for (int i = 0; i < count; i++)
        *idmap_at(&c->taste->exclusions, titles[i], 0) |= TASTE_SHOWN;
    c->taste->revision = feedback_revision(f);
}

void taste_free(struct taste *t)
{
    if (t == NULL)
        return;
    idmap_free(&t->exclusions);
    idmap_free(&t->bonus_at);
    intern_free(&t->names);
    free(t->bonus);
    free(t->genres);
    free(t->set_factor);
    free(t);
}
