/* See walk.h.
 *
 * DESIGN. A block is filtered column by column into one byte a title; every filter is a loop
 * without branches. The survivors are scored by table look-ups; only what would enter the pool is
 * scored exactly. */
#include "catalog/walk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/catalog_internal.h"
#include "catalog/fit.h"
#include "catalog/policy.h"
#include "catalog/taste.h"

/* What a title's mood words or a song's tone may add to the fit of its genres. */
static const float fit_slack = 0.3f;

/* What stays the same during one walk. */
struct scan {
    bool listed, quality, taste, songs;
    float popularity, weight; /* see shelf_renown() */
    float taste_most;
    float most;            /* fit and taste of no title multiply to more */
    const float *set_fit;
    const bool *set_listed;
    float hurdle[UINT16_MAX + 1]; /* genre set -> 1 / (fit * taste_most) */
    unsigned char keep[SHELF_BLOCK + 1]; /* 1: passes the filters; a 1 behind the last one */
};

/* --- filters --------------------------------------------------------------------------------- */

static void keep_16(unsigned char *restrict keep, const uint16_t *restrict v, int n, unsigned from,
                    unsigned to)
{
    for (int i = 0; i < n; i++)
        keep[i] &= (unsigned char)((v[i] >= from) & (v[i] <= to));
}

static void keep_certificates(unsigned char *restrict keep, const uint8_t *restrict v, int n,
                              unsigned most)
{
    for (int i = 0; i < n; i++)
        keep[i] &= (unsigned char)(v[i] <= most);
}

static void keep_votes(unsigned char *restrict keep, const uint32_t *restrict v, int n,
                       uint32_t least)
{
    for (int i = 0; i < n; i++)
        keep[i] &= (unsigned char)(v[i] >= least);
}

/* A second language is as sure as the first. */
static void keep_language(unsigned char *restrict keep, const struct shelf_columns *c,
                          uint8_t number, unsigned certainty)
{
    for (int i = 0; i < c->count; i++)
        keep[i] &= (unsigned char)(((c->language[0][i] == number) |
                                    (c->language[1][i] == number)) &
                                   (c->certainty[i] >= certainty));
}

static uint32_t bit_of(int64_t title)
{
    return (uint32_t)((uint64_t)title * 0x9e3779b97f4a7c15u >> 48);
}

void walk_mark_people(struct walk *w)
{
    for (size_t i = 0; i < w->with_person.cap; i++) {
        uint32_t bit = bit_of(w->with_person.keys[i]);
        if (w->with_person.keys[i] != INT64_MIN)
            w->maybe[bit / 64] |= (uint64_t)1 << bit % 64;
    }
}

static void keep_people(const struct walk *w, unsigned char *keep, const struct shelf_columns *c)
{
    for (int i = 0; i < c->count; i++) {
        uint32_t bit = bit_of(c->id[i]);
        int32_t marked = 0;
        if ((w->maybe[bit / 64] >> bit % 64 & 1) == 0 ||
            !idmap_get(&w->with_person, c->id[i], &marked))
            marked = 0;
        keep[i] &= (unsigned char)(marked != 0);
    }
}

static void filter(const struct walk *w, unsigned char *keep, const struct shelf_columns *c)
{
    const struct recommend_query *q = w->q;
    memset(keep, 1, (size_t)c->count + 1);
    if (q->year_min > 0 || q->year_max > 0)
        keep_16(keep, c->year, c->count, q->year_min > 0 ? (unsigned)q->year_min : 1,
                q->year_max > 0 ? (unsigned)q->year_max : UINT16_MAX);
    if (q->minutes_max > 0)
        keep_16(keep, c->minutes, c->count, 1, (unsigned)q->minutes_max);
    if (q->certificate_max >= 0)
        keep_certificates(keep, c->certificate, c->count, (unsigned)q->certificate_max);
    if (q->votes_min > 0)
        keep_votes(keep, c->votes, c->count, (uint32_t)q->votes_min);
    if (w->language != 0)
        keep_language(keep, c, w->language, (unsigned)q->certainty_min);
    if (w->by_person)
        keep_people(w, keep, c);
}

/* --- scores ---------------------------------------------------------------------------------- */

static float quality_of(const struct scan *s, uint16_t quality)
{
    float q = (float)quality / UINT16_MAX;
    return s->quality ? q * q : 1;
}

/* What a title is worth whatever the mood. */
static float worth_of(const struct scan *s, const struct shelf_columns *c, int i)
{
    return quality_of(s, c->quality[i]) * shelf_renown(c->votes[i], s->weight, s->popularity);
}

/* true: the title may enter the pool, none of the reasons to leave it out applies. */
static bool admitted(struct walk *w, int64_t title)
{
    w->fitting++;
    if (w->excluded == 0)
        return true;
    unsigned excluded = taste_exclusions(w->taste, title) & w->excluded;
    w->shown += (excluded & TASTE_SHOWN) != 0;
    return excluded == 0;
}

static void consider(struct walk *w, const struct scan *s, const struct shelf_columns *c, int i)
{
    struct candidate k = {.taste = 1};
    float worth = worth_of(s, c, i);
    float fit = s->songs ? 1 : s->set_fit[c->genre_set[i]] + (c->moods[i] != 0 ? fit_slack : 0);
    if (fit * worth * s->taste_most < pool_floor(&w->pool))
        return;
    if (s->taste)
        k.taste = taste_factor(w->taste, c->id[i], c->genre_set[i], c->year[i],
                               c->language[0][i]);
    if (fit * worth * k.taste < pool_floor(&w->pool) || !admitted(w, c->id[i]))
        return;
    k.entry = shelf_entry_at(c, i);
    k.fit = fit_of(w->fit, &k.entry);
    k.score = k.fit * worth * k.taste;
    pool_offer(&w->pool, &k);
}

/* The seeds' lists: no fit, the order is the shelf's or the catalogue's. */
static void consider_listed(struct walk *w, const struct scan *s, const struct shelf_columns *c,
                            int i)
{
    struct candidate k = {.fit = 1, .taste = 1, .score = quality_of(s, c->quality[i])};
    if (!admitted(w, c->id[i]))
        return;
    if (w->pool.count == w->pool.cap && w->pool.by_id && c->id[i] > w->pool.v[0].entry.id)
        return;
    k.entry = shelf_entry_at(c, i);
    pool_offer(&w->pool, &k);
}

/* Drops what its genres keep from entering the pool, however well it is liked. Without branches:
 * whether a title passes is as good as random. */
static void keep_hopeful(const struct scan *s, unsigned char *restrict keep,
                         const struct shelf_columns *c, float floor)
{
    const float scale = floor * UINT16_MAX * UINT16_MAX;
    for (int i = 0; i < c->count; i++) {
        float q = (float)c->quality[i];
        float worth = q * q * shelf_renown(c->votes[i], s->weight, s->popularity);
        keep[i] &= (unsigned char)((worth >= scale * s->hurdle[c->genre_set[i]]) |
                                   (c->moods[i] != 0));
    }
}

static void keep_listed(const struct scan *s, unsigned char *restrict keep,
                        const struct shelf_columns *c)
{
    for (int i = 0; i < c->count; i++)
        keep[i] &= (unsigned char)s->set_listed[c->genre_set[i]];
}

static void score_block(struct walk *w, struct scan *s, const struct shelf_columns *c)
{
    float floor = pool_floor(&w->pool);
    filter(w, s->keep, c);
    if (s->listed)
        keep_listed(s, s->keep, c);
    else if (floor > 0 && !s->songs && s->quality)
        keep_hopeful(s, s->keep, c, floor);
    for (int i = 0;; i++) {
        unsigned char *next = memchr(s->keep + i, 1, (size_t)(c->count + 1 - i));
        i = (int)(next - s->keep); /* there is one behind the last title */
        if (i == c->count)
            return;
        if (s->listed)
            consider_listed(w, s, c, i);
        else
            consider(w, s, c, i);
    }
}

/* A hair lower than exact: rounding must not drop the title that is just good enough. */
static void set_hurdles(struct scan *s, int sets)
{
    for (int i = 0; i < sets; i++) {
        float most = s->set_fit[i] * s->taste_most;
        s->hurdle[i] = most > 0 ? 0.999f / most : INFINITY;
    }
}

static int walk_blocks(struct walk *w, struct scan *s, struct err *err)
{
    struct shelf *shelf = &w->c->shelf[w->q->kind];
    for (int b = 0; b < shelf->blocks; b++) {
        const struct shelf_columns *c = NULL;
        int rc = shelf_block(shelf, w->q->kind, b, &c, err);
        if (rc < 0)
            return rc;
        bool hopeless = quality_of(s, c->quality[0]) * s->most < pool_floor(&w->pool);
        if (hopeless && !w->pool.by_id)
            return ERR_OK; /* what follows is no better */
        score_block(w, s, c);
    }
    return ERR_OK;
}

int walk_shelf(struct walk *w, struct err *err)
{
    struct scan *s = mem_new(1, sizeof *s);
    s->listed = policy_kind(w->q->policy) != POLICY_WEIGHTS;
    s->quality = policy_uses_quality(w->q->policy);
    s->popularity = policy_popularity(w->q->policy);
    s->weight = (float)fmax(w->c->weight[w->q->kind], 1); /* a file may say anything */
    s->taste = policy_uses_taste(w->q->policy);
    s->songs = w->q->kind == TITLE_SONG;
    s->set_fit = fit_of_sets(w->fit);
    s->set_listed = fit_listed_sets(w->fit);
    s->taste_most = s->taste ? taste_factor_max(w->taste) : 1;
    s->most = s->listed ? 1 : fit_max(w->fit) * s->taste_most;
    set_hurdles(s, w->c->set_count);
    int rc = walk_blocks(w, s, err);
    free(s);
    return rc;
}
