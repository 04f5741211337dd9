/* `moodreel-lab ranking`: LDOS-CoMoDa part. The protocol is in ranking.h.
 *
 * Every method sees the same popularity (viewings by the other users); they differ in what they
 * make of the emotion:
 *   popularity    nothing
 *   seed-000 ...  titles of the table's genres first, by popularity
 *   match, lift   the shipped policies: (1 + mean weight) / 2 times log of 2 + popularity. `match`
 *                 comes from this very data, so it is shown for comparison only
 *   match refit   the same rule with weights from the other nine folds: the honest figure
 *   recommend()   refit mood fit times quality squared, quality being the weighted rating of the
 *                 other users: what the program does. Finds films for the mood, known or not
 *   x popularity  the same times 1 + viewings: what somebody will really have seen. Nothing in it
 *                 was tuned on these data */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/policy.h"
#include "catalog/shelf.h"
#include "catalog/table.h"
#include "lab/ranking.h"

enum { FOLDS = 10, GENRES = 24, ITEMS_MOST = 5000, GENRES_OF_ITEM = 3, PRIOR_PERCENTILE = 95 };

/* Codes of the data set, inferred from known films (the list is not published with it). */
static const char *const genre_names[GENRES] = {
    "",       "Action",    "Adult",     "Adventure",   "Animation", "",        "Biography",
    "Comedy", "Crime",     "Documentary", "Drama",     "Family",    "Fantasy", "History",
    "Horror", "Music",     "Musical",   "Mystery",     "Romance",   "Sci-Fi",  "Sport",
    "Thriller", "War",     "Western"};

/* dominantEmo 1 .. 7. */
static const enum emotion emotions[8] = {
    EMOTION_NEUTRAL, EMOTION_SAD,   EMOTION_HAPPY,   EMOTION_FEAR,
    EMOTION_SURPRISE, EMOTION_ANGRY, EMOTION_DISGUST, EMOTION_NEUTRAL};

struct viewing {
    int user, item, rating, emotion; /* emotion -1: unknown */
};

struct moods {
    struct viewing *v;
    size_t cap;
    int count;
    int genres[ITEMS_MOST][GENRES_OF_ITEM]; /* 0: none */
    bool known[ITEMS_MOST];
    double popularity[ITEMS_MOST]; /* of the nine folds */
    double quality[ITEMS_MOST];    /* of the nine folds, 0 .. 1 */
    float weight[EMOTION_COUNT][GENRES];
};

static const char *const columns[] = {"userID", "itemID", "rating", "dominantEmo", "genre1",
                                      "genre2", "genre3"};
enum { COLUMN_COUNT = sizeof columns / sizeof columns[0] };

static void take_row(struct moods *m, const struct cell *c, const int *at)
{
    int64_t n[COLUMN_COUNT];
    for (int i = 0; i < COLUMN_COUNT; i++)
        if (!cell_int(c[at[i]], -1, INT32_MAX, &n[i]))
            return;
    if (n[1] < 0 || n[1] >= ITEMS_MOST)
        return;
    for (int g = 0; g < GENRES_OF_ITEM; g++)
        m->genres[n[1]][g] = n[4 + g] > 0 && n[4 + g] < GENRES ? (int)n[4 + g] : 0;
    m->known[n[1]] = true;
    m->v = mem_grow(m->v, &m->cap, (size_t)m->count + 1, sizeof *m->v);
    m->v[m->count++] = (struct viewing){(int)n[0], (int)n[1], (int)n[2],
                                        n[3] >= 1 && n[3] <= 7 ? (int)emotions[n[3]] : -1};
}

static int read_viewings(struct moods *m, const char *file, struct err *err)
{
    static const struct table_format format = {.delimiter = ","};
    const struct cell *c = NULL;
    struct table *t = NULL;
    int at[COLUMN_COUNT];
    int rc = table_open(&t, file, &format, err);
    for (int i = 0; i < COLUMN_COUNT && rc == ERR_OK; i++)
        rc = table_need_column(t, columns[i], &at[i], err);
    while (rc >= 0 && (rc = table_next(t, &c, err)) == 1)
        take_row(m, c, at);
    table_close(t);
    return rc;
}

static bool held_out(const struct viewing *v, int fold)
{
    return v->user % FOLDS == fold;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Votes that one seen film in twenty reaches, as in the catalogue. */
static double prior_weight(const struct moods *m)
{
    double seen[ITEMS_MOST];
    size_t count = 0;
    for (int i = 0; i < ITEMS_MOST; i++)
        if (m->popularity[i] > 0)
            seen[count++] = m->popularity[i];
    qsort(seen, count, sizeof *seen, by_value);
    return count > 0 ? seen[count * PRIOR_PERCENTILE / 100] : 1;
}

/* Popularity and quality from the other folds. Ratings 1 .. 5 are stretched to IMDb's 1 .. 10. */
static void count_viewings(struct moods *m, int fold)
{
    double sum[ITEMS_MOST] = {0}, all = 0, mean = 0;
    memset(m->popularity, 0, sizeof m->popularity);
    for (int i = 0; i < m->count; i++) {
        const struct viewing *v = &m->v[i];
        double rating = 1 + (v->rating - 1) * 9 / 4.0;
        if (held_out(v, fold))
            continue;
        m->popularity[v->item]++;
        sum[v->item] += rating;
        mean += rating;
        all++;
    }
    mean /= all;
    double weight = prior_weight(m);
    for (int i = 0; i < ITEMS_MOST; i++) {
        int votes = (int)m->popularity[i];
        m->quality[i] = (double)shelf_quality(votes > 0 ? sum[i] / votes : 0, votes, mean, weight,
                                              -1, 0);
    }
}

/* Weights as in assets/policies/match.conf: log2 of the lift, cut to -1 .. 1; shares are pulled
 * towards no lift by ten viewings. */
static void fit_weights(struct moods *m, int fold)
{
    double share[EMOTION_COUNT] = {0}, in_genre[EMOTION_COUNT][GENRES] = {{0}}, of_genre[GENRES];
    double all = 0;
    memset(of_genre, 0, sizeof of_genre);
    for (int i = 0; i < m->count; i++) {
        const struct viewing *v = &m->v[i];
        if (held_out(v, fold) || v->emotion < 0)
            continue;
        all++;
        share[v->emotion]++;
        for (int g = 0; g < GENRES_OF_ITEM; g++) {
            of_genre[m->genres[v->item][g]]++;
            in_genre[v->emotion][m->genres[v->item][g]]++;
        }
    }
    for (int e = 0; e < EMOTION_COUNT; e++)
        for (int g = 1; g < GENRES; g++) {
            double expected = share[e] / all;
            double seen = (in_genre[e][g] + 10 * expected) / (of_genre[g] + 10);
            double lift = expected > 0 ? log2(seen / expected) : 0;
            m->weight[e][g] = (float)fmax(-1, fmin(1, lift));
        }
}

static void policy_weights(struct moods *m, const struct policy *p)
{
    for (int e = 0; e < EMOTION_COUNT; e++)
        for (int g = 1; g < GENRES; g++)
            m->weight[e][g] = policy_weight(p, (enum emotion)e, genre_names[g]);
}

/* Seed tables: the genre decides, popularity only among equals. */
static double table_score(const struct moods *m, int item, int emotion)
{
    bool listed = false;
    for (int g = 0; g < GENRES_OF_ITEM; g++)
        listed |= m->genres[item][g] > 0 && m->weight[emotion][m->genres[item][g]] > 0;
    return (listed ? 1e6 : 0) + m->popularity[item];
}

static double mood_fit(const struct moods *m, int item, int emotion)
{
    double sum = 0;
    int count = 0;
    for (int g = 0; g < GENRES_OF_ITEM; g++) {
        sum += m->weight[emotion][m->genres[item][g]];
        count += m->genres[item][g] > 0;
    }
    return (1 + (count > 0 ? sum / count : 0)) / 2;
}

static double fit_score(const struct moods *m, int item, int emotion)
{
    return mood_fit(m, item, emotion) * log(2 + m->popularity[item]); /* most have one viewer */
}

static double product_score(const struct moods *m, int item, int emotion)
{
    return mood_fit(m, item, emotion) * m->quality[item] * m->quality[item];
}

static double popular_product_score(const struct moods *m, int item, int emotion)
{
    return product_score(m, item, emotion) * (1 + m->popularity[item]);
}

static double popularity_score(const struct moods *m, int item, int emotion)
{
    (void)emotion;
    return m->popularity[item];
}

typedef double item_score(const struct moods *m, int item, int emotion);

struct outcome {
    double percentile, hits50, reciprocal;
    int count;
};

/* Of equals half count as better. */
static void add_rank(struct outcome *o, const struct moods *m, const struct viewing *v,
                     item_score *score)
{
    double wanted = score(m, v->item, v->emotion), better = 0;
    int items = 0;
    for (int i = 0; i < ITEMS_MOST; i++) {
        if (!m->known[i] || i == v->item)
            continue;
        double s = score(m, i, v->emotion);
        better += s > wanted ? 1 : s == wanted ? 0.5 : 0;
        items++;
    }
    o->percentile += better / items;
    o->hits50 += better < 50;
    o->reciprocal += 1 / (1 + better);
    o->count++;
}

static void measure_fold(struct outcome *o, const struct moods *m, int fold, item_score *score)
{
    for (int i = 0; i < m->count; i++)
        if (held_out(&m->v[i], fold) && m->v[i].emotion >= 0 && m->v[i].rating >= 4)
            add_rank(o, m, &m->v[i], score);
}

/* name NULL: weights from the other folds. */
static int measure(struct moods *m, const char *title, const char *policy, item_score *score,
                   struct err *err)
{
    struct outcome o = {0};
    struct policy *p = NULL;
    int rc = policy != NULL ? policy_load(&p, policy, err) : ERR_OK;
    if (rc < 0)
        return rc;
    for (int fold = 0; fold < FOLDS; fold++) {
        count_viewings(m, fold);
        if (p != NULL)
            policy_weights(m, p);
        else
            fit_weights(m, fold);
        measure_fold(&o, m, fold, score);
    }
    policy_free(p);
    printf("%-22s mean rank %5.2f %%  MRR %.4f  in first 50 %5.2f %%   (%d viewings)\n", title,
           100 * o.percentile / o.count, o.reciprocal / o.count, 100 * o.hits50 / o.count,
           o.count);
    return ERR_OK;
}

int ranking_moods(const char *file, struct err *err)
{
    struct moods *m = mem_new(1, sizeof *m);
    int rc = read_viewings(m, file, err);
    if (rc == ERR_OK && m->count == 0)
        rc = err_set(err, ERR_FORMAT, "%s: no viewings in it", file);
    if (rc == ERR_OK)
        rc = measure(m, "popularity", NULL, popularity_score, err);
    if (rc == ERR_OK)
        rc = measure(m, "seed-000 table", "seed-000", table_score, err);
    if (rc == ERR_OK)
        rc = measure(m, "seed-001 table", "seed-001", table_score, err);
    if (rc == ERR_OK)
        rc = measure(m, "lift", "lift", fit_score, err);
    if (rc == ERR_OK)
        rc = measure(m, "match (in-sample)", "match", fit_score, err);
    if (rc == ERR_OK)
        rc = measure(m, "match refit (honest)", NULL, fit_score, err);
    if (rc == ERR_OK)
        rc = measure(m, "recommend() refit", NULL, product_score, err);
    if (rc == ERR_OK)
        rc = measure(m, " ... x popularity", NULL, popular_product_score, err);
    free(m->v);
    free(m);
    return rc;
}
