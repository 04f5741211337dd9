/* Last pass: every place that is neither constant nor an alias gets an offset in one arena. Two
 * places may overlap when their lifetimes do not. Largest first, each at the lowest free offset:
 * Pisarchyk and Lee, "Efficient memory management for deep neural net inference" (2020),
 * section 5.2, "greedy by size". */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "exec.h"

enum { ALIGN = 16 }; /* floats: one cache line */

int nn__place_root(const struct nn_plan *p, int place)
{
    while (p->places[place].alias >= 0)
        place = p->places[place].alias;
    return place;
}

static void touch(struct nn_plan *p, int place, int step)
{
    if (place < 0)
        return;
    struct nn__place *root = &p->places[nn__place_root(p, place)];
    if (root->first < 0)
        root->first = step;
    root->last = step;
}

static void find_lifetimes(const struct nn__compiler *c)
{
    struct nn_plan *p = c->plan;
    for (int i = 0; i < (int)c->job_count; i++) {
        const struct nn__job *j = &c->jobs[i];
        for (int k = 0; k < j->in_count; k++)
            touch(p, j->in[k], nn__joins_next(c, j) ? i + 1 : i);
        for (int k = 0; k < j->out_count; k++)
            touch(p, j->out[k], i);
        touch(p, j->add, i);
    }
    for (size_t i = 0; i < p->place_count; i++)
        if (p->places[i].keep) {
            p->places[i].first = 0;
            p->places[i].last = (int)c->job_count;
        }
}

static bool overlaps(const struct nn__place *a, const struct nn__place *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset where `p` meets none of the `n` places that already have one. */
static size_t find_offset(const struct nn__place *const *placed, size_t n,
                          const struct nn__place *p)
{
    size_t offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < n; i++) {
            const struct nn__place *q = placed[i];
            if (overlaps(p, q) && offset < q->offset + q->count && q->offset < offset + p->count) {
                offset = q->offset + q->count;
                moved = true;
            }
        }
    }
    return offset;
}

static int larger_first(const void *a, const void *b)
{
    const struct nn__place *p = *(const struct nn__place *const *)a;
    const struct nn__place *q = *(const struct nn__place *const *)b;
    if (p->count != q->count)
        return p->count < q->count ? 1 : -1;
    return p < q ? -1 : 1; /* qsort is not stable: the same plan every time */
}

int nn__plan_memory(struct nn__compiler *c, struct err *err)
{
    struct nn_plan *p = c->plan;
    struct nn__place **own = mem_new(p->place_count + 1, sizeof *own);
    size_t n = 0;
    for (size_t i = 0; i < p->place_count; i++)
        p->places[i].first = -1;
    find_lifetimes(c);
    for (size_t i = 0; i < p->place_count; i++) {
        struct nn__place *q = &p->places[i];
        q->count = (nn__place_floats(q) + ALIGN - 1) / ALIGN * ALIGN;
        if (q->alias < 0 && !q->data && q->first >= 0)
            own[n++] = q;
    }
    qsort(own, n, sizeof *own, larger_first);
    for (size_t i = 0; i < n; i++) {
        own[i]->offset = find_offset((const struct nn__place *const *)own, i, own[i]);
        size_t end = own[i]->offset + own[i]->count;
        p->arena_floats = end > p->arena_floats ? end : p->arena_floats;
    }
    free(own);
    p->scratch = (p->scratch + ALIGN - 1) / ALIGN * ALIGN;
    size_t bytes = (p->arena_floats + p->scratch) * sizeof(float);
    if (bytes > p->limit)
        return err_set(err, ERR_RANGE,
                       "the network wants %zu MB for its activations, the limit leaves %zu MB",
                       bytes >> 20, p->limit >> 20);
    return 0;
}
