/* Storage of pictures, splits, folds and exact duplicates. */
#include "nn/dataset.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

struct nn_dataset *nn_dataset_create(int channels, int height, int width, int classes, int shares)
{
    assert(channels > 0 && height > 0 && width > 0);
    assert(classes > 0 && classes <= NN_CLASSES_MAX && shares >= 0 && shares <= NN_CLASSES_MAX);
    struct nn_dataset *d = mem_new(1, sizeof *d);
    d->channels = channels;
    d->height = height;
    d->width = width;
    d->classes = classes;
    d->shares = shares;
    return d;
}

void nn_dataset_destroy(struct nn_dataset *d)
{
    if (d == NULL)
        return;
    free(d->pixels);
    free(d->label);
    free(d->split);
    free(d->share);
    free(d);
}

size_t nn_dataset_picture_size(const struct nn_dataset *d)
{
    return (size_t)d->channels * (size_t)d->height * (size_t)d->width;
}

const uint8_t *nn_dataset_picture(const struct nn_dataset *d, int row)
{
    assert(row >= 0 && row < d->count);
    return d->pixels + (size_t)row * nn_dataset_picture_size(d);
}

static bool grow(void **p, size_t rows, size_t row_size)
{
    void *bigger = rows > SIZE_MAX / (row_size + 1) ? NULL : realloc(*p, rows * row_size + 1);
    if (bigger != NULL)
        *p = bigger;
    return bigger != NULL;
}

static int reserve(struct nn_dataset *d, struct err *err)
{
    if ((size_t)d->count < d->capacity)
        return 0;
    size_t rows = d->capacity == 0 ? 1024 : d->capacity * 2;
    if (!grow((void **)&d->pixels, rows, nn_dataset_picture_size(d)) ||
        !grow((void **)&d->label, rows, 1) || !grow((void **)&d->split, rows, 1) ||
        !grow((void **)&d->share, rows, (size_t)d->shares * sizeof *d->share))
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu pictures", rows);
    d->capacity = rows;
    return 0;
}

int nn_dataset_add(struct nn_dataset *d, const uint8_t *pixels, int label, enum nn_split split,
                   const float *share, struct err *err)
{
    assert(label >= 0 && label < d->classes && split < NN_SPLIT_COUNT);
    assert(share != NULL || d->shares == 0);
    int rc = reserve(d, err);
    if (rc < 0)
        return rc;
    size_t size = nn_dataset_picture_size(d), row = (size_t)d->count;
    memcpy(d->pixels + row * size, pixels, size);
    d->label[row] = (uint8_t)label;
    d->split[row] = (uint8_t)split;
    if (d->shares > 0)
        memcpy(d->share + row * (size_t)d->shares, share, (size_t)d->shares * sizeof *share);
    d->count++;
    return 0;
}

static void view_init(struct nn_view *out, const struct nn_dataset *d, int most)
{
    out->data = d;
    out->row = mem_new((size_t)most + 1, sizeof *out->row);
    out->count = 0;
}

void nn_view_free(struct nn_view *v)
{
    free(v->row);
    *v = (struct nn_view){0};
}

void nn_view_of_split(struct nn_view *out, const struct nn_dataset *d, enum nn_split split)
{
    view_init(out, d, d->count);
    for (int i = 0; i < d->count; i++)
        if (d->split[i] == split)
            out->row[out->count++] = i;
}

void nn_view_copy(struct nn_view *out, const struct nn_view *v)
{
    view_init(out, v->data, v->count);
    memcpy(out->row, v->row, (size_t)v->count * sizeof *v->row);
    out->count = v->count;
}

void nn_view_class_counts(const struct nn_view *v, int *counts)
{
    memset(counts, 0, (size_t)v->data->classes * sizeof *counts);
    for (int i = 0; i < v->count; i++)
        counts[v->data->label[v->row[i]]]++;
}

/* Each class is shuffled by itself and dealt out like cards. Starting every class one fold
 * further keeps the folds of equal size when classes are not multiples of k. */
void nn_view_fold(struct nn_view *out, const struct nn_view *v, int k, int fold, bool held_out,
                  uint64_t seed)
{
    assert(k >= 2 && fold >= 0 && fold < k);
    const struct nn_dataset *d = v->data;
    int *position = mem_new((size_t)v->count + 1, sizeof *position);
    bool *chosen = mem_new((size_t)v->count + 1, sizeof *chosen);
    int next = 0;
    for (int c = 0; c < d->classes; c++) {
        int n = 0;
        for (int i = 0; i < v->count; i++)
            if (d->label[v->row[i]] == c)
                position[n++] = i;
        struct rng rng;
        rng_seed(&rng, seed, (uint64_t)c);
        rng_shuffle(&rng, position, n);
        for (int i = 0; i < n; i++)
            chosen[position[i]] = (next + i) % k == fold;
        next += n;
    }
    view_init(out, d, v->count);
    for (int i = 0; i < v->count; i++)
        if (chosen[i] == held_out)
            out->row[out->count++] = v->row[i];
    free(position);
    free(chosen);
}

/* A set of pictures: open addressing over row numbers, keyed by the picture's bytes. */
struct picture_set {
    const struct nn_dataset *data;
    int *slot; /* row + 1; 0: free */
    size_t mask;
};

/* FNV-1a (Fowler, Noll, Vo), 64 bits. */
static uint64_t hash_bytes(const uint8_t *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

static void set_init(struct picture_set *s, const struct nn_dataset *d, int most)
{
    size_t slots = 16;
    while (slots < (size_t)most * 2)
        slots *= 2;
    *s = (struct picture_set){d, mem_new(slots, sizeof *s->slot), slots - 1};
}

/* true: the picture of `row` was not in the set before. */
static bool set_add(struct picture_set *s, int row)
{
    size_t size = nn_dataset_picture_size(s->data);
    const uint8_t *px = nn_dataset_picture(s->data, row);
    size_t i = hash_bytes(px, size) & s->mask;
    for (; s->slot[i] != 0; i = (i + 1) & s->mask)
        if (memcmp(px, nn_dataset_picture(s->data, s->slot[i] - 1), size) == 0)
            return false;
    s->slot[i] = row + 1;
    return true;
}

struct nn_duplicates nn_view_drop_duplicates(struct nn_view *v, const struct nn_view *others, int n)
{
    struct nn_duplicates gone = {0};
    struct picture_set elsewhere, seen;
    int most = 0;
    for (int i = 0; i < n; i++)
        most += others[i].count;
    set_init(&elsewhere, v->data, most + v->count);
    set_init(&seen, v->data, v->count);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < others[i].count; j++)
            set_add(&elsewhere, others[i].row[j]);
    int kept = 0;
    for (int i = 0; i < v->count; i++) {
        int row = v->row[i];
        if (!set_add(&seen, row))
            gone.inside++;
        else if (!set_add(&elsewhere, row))
            gone.across++;
        else
            v->row[kept++] = row;
    }
    v->count = kept;
    free(elsewhere.slot);
    free(seen.slot);
    return gone;
}
