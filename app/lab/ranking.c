/* `moodreel-lab ranking FOLDER`: MovieLens part. The protocol is in ranking.h. */
#include "lab/ranking.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "catalog/ease.h"
#include "catalog/table.h"
#include "lab/lab.h"

struct rating {
    int user, item;
    int64_t time;
    int order; /* in the file */
};

struct ratings {
    struct rating *v;
    size_t cap;
    int count, users, items;
};

static int later(const void *a, const void *b)
{
    const struct rating *x = a, *y = b;
    if (x->user != y->user)
        return x->user - y->user;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->order - y->order;
}

static int read_ratings(struct ratings *r, const char *file, struct err *err)
{
    static const struct table_format format = {.delimiter = "\t",
                                               .header = "user,item,rating,time"};
    const struct cell *c = NULL;
    struct table *t = NULL;
    int rc = table_open(&t, file, &format, err);
    while (rc >= 0 && (rc = table_next(t, &c, err)) == 1) {
        int64_t user = 0, item = 0, time = 0;
        if (!cell_int(c[0], 1, 1000000, &user) || !cell_int(c[1], 1, 20000, &item) ||
            !cell_int(c[3], 0, INT64_C(1) << 40, &time))
            continue;
        r->v = mem_grow(r->v, &r->cap, (size_t)r->count + 1, sizeof *r->v);
        r->v[r->count] = (struct rating){(int)user - 1, (int)item - 1, time, r->count};
        r->count++;
        r->users = user > r->users ? (int)user : r->users;
        r->items = item > r->items ? (int)item : r->items;
    }
    table_close(t);
    if (rc == ERR_OK && r->count == 0)
        rc = err_set(err, ERR_FORMAT, "%s: no ratings in it", file);
    if (rc == ERR_OK)
        qsort(r->v, (size_t)r->count, sizeof *r->v, later);
    return rc;
}

/* One user's ratings in order of time; the last is held out. */
struct history {
    const struct rating *v;
    int count;
};

/* What is held out: the last rating, or the last but one, with the last unknown to everybody. */
enum part { VALIDATION, TEST };

/* *at moves on to the next user. */
static struct history next_history(const struct ratings *r, enum part part, int *at)
{
    struct history h = {r->v + *at, 0};
    while (*at + h.count < r->count && h.v[h.count].user == h.v[0].user)
        h.count++;
    *at += h.count;
    if (part == VALIDATION && h.count > 1)
        h.count--;
    return h;
}

struct quality {
    double hits10, gain10, hits20, gain20;
    int users;
};

/* Rank of the held-out item among those not rated; of equals the lower number first. */
static int rank_of(const double *score, const struct history *h, int items)
{
    int wanted = h->v[h->count - 1].item, rank = 0;
    for (int i = 0; i < items; i++)
        rank += score[i] > score[wanted] || (score[i] == score[wanted] && i < wanted);
    return rank;
}

static void count_rank(struct quality *q, int rank)
{
    q->users++;
    if (rank < 10) {
        q->hits10++;
        q->gain10 += 1 / log2(rank + 2);
    }
    if (rank < 20) {
        q->hits20++;
        q->gain20 += 1 / log2(rank + 2);
    }
}

static void print_quality(const char *name, const struct quality *q)
{
    printf("%-30s HR@10 %.4f  NDCG@10 %.4f  HR@20 %.4f  NDCG@20 %.4f\n", name,
           q->hits10 / q->users, q->gain10 / q->users, q->hits20 / q->users,
           q->gain20 / q->users);
}

/* What a method knows. */
struct model {
    const double *popularity; /* [items] */
    const double *weights;    /* [items * items]; NULL: popularity decides */
    double half_life;         /* in ratings; INFINITY: all count the same */
};

static void score_items(const struct history *h, int items, const struct model *m, double *score)
{
    if (m->weights == NULL) {
        memcpy(score, m->popularity, (size_t)items * sizeof *score);
        return;
    }
    memset(score, 0, (size_t)items * sizeof *score);
    for (int k = 0; k + 1 < h->count; k++) {
        double share = ease_recency(h->count - 2 - k, m->half_life);
        const double *row = m->weights + (size_t)h->v[k].item * (size_t)items;
        for (int i = 0; i < items; i++)
            score[i] += share * row[i];
    }
}

static struct quality measure(const struct ratings *r, enum part part, const struct model *m)
{
    struct quality q = {0};
    double *score = mem_new((size_t)r->items, sizeof *score);
    for (int at = 0; at < r->count;) {
        struct history h = next_history(r, part, &at);
        score_items(&h, r->items, m, score);
        for (int k = 0; k + 1 < h.count; k++)
            score[h.v[k].item] = -INFINITY;
        count_rank(&q, rank_of(score, &h, r->items));
    }
    free(score);
    return q;
}

static void count_items(const struct ratings *r, enum part part, struct ease_counts *counts,
                        double *popularity)
{
    int *items = mem_new((size_t)r->items, sizeof *items);
    for (int at = 0; at < r->count;) {
        struct history h = next_history(r, part, &at);
        for (int k = 0; k + 1 < h.count && k < r->items; k++) {
            items[k] = h.v[k].item;
            popularity[h.v[k].item]++;
        }
        ease_counts_add(counts, items, h.count - 1);
    }
    free(items);
}

static int fit_ease(const struct ratings *r, enum part part, double lambda,
                    struct ease_counts *counts, double *popularity, struct err *err)
{
    memset(popularity, 0, (size_t)r->items * sizeof *popularity);
    int rc = ease_counts_create(counts, r->items, err);
    if (rc < 0)
        return rc;
    count_items(r, part, counts, popularity);
    return ease_weights(counts->gram, r->items, lambda, NULL, NULL, err);
}

/* The half-life with the best NDCG@10 on the validation ratings. */
static int choose_half_life(const struct ratings *r, double lambda, double *popularity,
                            double *chosen, struct err *err)
{
    static const double candidates[] = {1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 100, INFINITY};
    struct ease_counts counts = {0};
    double best = -1;
    int rc = fit_ease(r, VALIDATION, lambda, &counts, popularity, err);
    for (size_t i = 0; rc == ERR_OK && i < sizeof candidates / sizeof candidates[0]; i++) {
        struct model m = {popularity, counts.gram, candidates[i]};
        struct quality q = measure(r, VALIDATION, &m);
        char name[64];
        snprintf(name, sizeof name, "validation: half-life %g", m.half_life);
        print_quality(name, &q);
        if (q.gain10 > best) {
            best = q.gain10;
            *chosen = m.half_life;
        }
    }
    ease_counts_free(&counts);
    return rc;
}

static void print_test(const char *name, const struct ratings *r, struct model m)
{
    struct quality q = measure(r, TEST, &m);
    print_quality(name, &q);
}

static int measure_test(const struct ratings *r, double lambda, double half_life,
                        double *popularity, struct err *err)
{
    struct ease_counts counts = {0};
    char name[64];
    int64_t began = clock_now_us();
    int rc = fit_ease(r, TEST, lambda, &counts, popularity, err);
    if (rc == ERR_OK) {
        snprintf(name, sizeof name, "test: EASE, half-life %g", half_life);
        printf("EASE weights in %.1f s\n", (double)(clock_now_us() - began) / 1e6);
        print_test("test: popularity", r, (struct model){popularity, NULL, INFINITY});
        print_test("test: plain EASE", r, (struct model){popularity, counts.gram, INFINITY});
        print_test(name, r, (struct model){popularity, counts.gram, half_life});
    }
    ease_counts_free(&counts);
    return rc;
}

int ranking_movielens(const char *file, double lambda, struct err *err)
{
    struct ratings r = {0};
    double half_life = INFINITY;
    int rc = read_ratings(&r, file, err);
    if (rc == ERR_OK) {
        double *popularity = mem_new((size_t)r.items, sizeof *popularity);
        printf("%d ratings, %d users, %d items; leave one out, full ranking; EASE lambda %g\n",
               r.count, r.users, r.items, lambda);
        rc = choose_half_life(&r, lambda, popularity, &half_life, err);
        if (rc == ERR_OK)
            rc = measure_test(&r, lambda, half_life, popularity, err);
        free(popularity);
    }
    free(r.v);
    return rc;
}

/* --- the command ----------------------------------------------------------------------------- */

struct ranking_values {
    double lambda;
};

static const struct option_spec specs[] = {
    {.name = "lambda", .type = OPTION_NUMBER, .offset = offsetof(struct ranking_values, lambda),
     .min = 1e-3, .max = 1e6, .arg = "X", .value = "500",
     .help = "Regularisation of EASE (MovieLens)."},
};

static const struct option_set set = {
    .program = "moodreel-lab", .specs = specs, .count = sizeof specs / sizeof *specs};

static const char *const notes[] = {
    "FOLDER holds u.data of MovieLens 100k, or ldos_comoda_named.csv of LDOS-CoMoDa.", NULL};

static const struct command command = {"ranking", "FOLDER", "Measure how titles are ranked",
                                       lab_ranking, 0, notes};

static int measure_folder(const char *folder, const void *values, struct err *err)
{
    double lambda = ((const struct ranking_values *)values)->lambda;
    char path[4096];
    snprintf(path, sizeof path, "%s/u.data", folder);
    if (access(path, R_OK) == 0)
        return ranking_movielens(path, lambda, err);
    snprintf(path, sizeof path, "%s/ldos_comoda_named.csv", folder);
    if (access(path, R_OK) == 0)
        return ranking_moods(path, err);
    return err_set(err, ERR_NOT_FOUND, "%s: neither u.data nor ldos_comoda_named.csv is there",
                   folder);
}

int lab_ranking(int argc, char **argv, struct err *err)
{
    struct ranking_values v;
    return lab_folder(&set, &command, &v, measure_folder, argc, argv, err);
}
