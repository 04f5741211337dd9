/* Heap of candidates and maximal marginal relevance. */
#include "catalog/pick.h"

#include <stdlib.h>

#include "base/mem.h"
#include "catalog/catalog_internal.h"

static bool better(bool by_id, const struct candidate *a, const struct candidate *b)
{
    if (!by_id && a->score != b->score)
        return a->score > b->score;
    if (!by_id && a->entry.votes != b->entry.votes)
        return a->entry.votes > b->entry.votes;
    return a->entry.id < b->entry.id;
}

void pool_init(struct pool *p, int cap, bool by_id)
{
    p->v = mem_new((size_t)cap + 1, sizeof *p->v);
    p->count = 0;
    p->cap = cap;
    p->by_id = by_id;
}

void pool_free(struct pool *p)
{
    free(p->v);
    *p = (struct pool){0};
}

float pool_floor(const struct pool *p)
{
    return p->count < p->cap ? -1 : p->v[0].score;
}

static void sift_up(struct pool *p, int i)
{
    while (i > 0 && better(p->by_id, &p->v[(i - 1) / 2], &p->v[i])) {
        struct candidate swap = p->v[i];
        p->v[i] = p->v[(i - 1) / 2];
        p->v[(i - 1) / 2] = swap;
        i = (i - 1) / 2;
    }
}

static void sift_down(struct pool *p)
{
    for (int i = 0;;) {
        int worst = i;
        for (int child = 2 * i + 1; child <= 2 * i + 2 && child < p->count; child++)
            if (better(p->by_id, &p->v[worst], &p->v[child]))
                worst = child;
        if (worst == i)
            return;
        struct candidate swap = p->v[i];
        p->v[i] = p->v[worst];
        p->v[worst] = swap;
        i = worst;
    }
}

void pool_offer(struct pool *p, const struct candidate *c)
{
    if (p->count < p->cap) {
        p->v[p->count++] = *c;
        sift_up(p, p->count - 1);
    } else if (p->cap > 0 && better(p->by_id, c, &p->v[0])) {
        p->v[0] = *c;
        sift_down(p);
    }
}

static int by_score(const void *a, const void *b)
{
    return better(false, a, b) ? -1 : better(false, b, a);
}

static int by_id(const void *a, const void *b)
{
    return better(true, a, b) ? -1 : better(true, b, a);
}

void pool_sort(struct pool *p)
{
    qsort(p->v, (size_t)p->count, sizeof *p->v, p->by_id ? by_id : by_score);
}

/* Shared genres / genres of either. */
static float jaccard(const struct genre_set *a, const struct genre_set *b)
{
    int shared = 0;
    for (int i = 0; i < a->count; i++)
        for (int k = 0; k < b->count; k++)
            shared += a->genre[i] == b->genre[k];
    int either = a->count + b->count - shared;
    return either > 0 ? (float)shared / (float)either : 1;
}

static const struct genre_set *set_of(const struct catalog *c, const struct shelf_entry *e)
{
    return &c->sets[e->genre_set < c->set_count ? e->genre_set : 0];
}

static float similarity(const struct catalog *c, const struct shelf_entry *a,
                        const struct shelf_entry *b)
{
    float s = 0.5f * jaccard(set_of(c, a), set_of(c, b));
    if (a->year / 10 == b->year / 10)
        s += 0.2f;
    if (a->maker != 0 && a->maker == b->maker)
        s += 0.3f;
    return s;
}

void pick_varied(struct pool *p, const struct catalog *c, int count, float lambda)
{
    float *nearest = mem_new((size_t)p->count + 1, sizeof *nearest);
    float best = p->count > 0 && p->v[0].score > 0 ? p->v[0].score : 1;
    for (int n = 0; n < count && n < p->count; n++) {
        int chosen = n;
        float most = -1e9f;
        for (int i = n; i < p->count; i++) {
            float value = lambda * p->v[i].score / best - (1 - lambda) * nearest[i];
            if (value > most) {
                most = value;
                chosen = i;
            }
        }
        struct candidate taken = p->v[chosen];
        for (int i = chosen; i > n; i--) { /* the others keep their order */
            p->v[i] = p->v[i - 1];
            nearest[i] = nearest[i - 1];
        }
        p->v[n] = taken;
        for (int i = n + 1; i < p->count; i++) {
            float s = similarity(c, &taken.entry, &p->v[i].entry);
            nearest[i] = s > nearest[i] ? s : nearest[i];
        }
    }
    free(nearest);
}
