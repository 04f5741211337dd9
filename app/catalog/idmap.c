/* Open addressing with linear probing; power-of-two sizes. */
#include "catalog/idmap.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define EMPTY INT64_MIN

static uint64_t mix(uint64_t h)
{
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 33;
}

uint64_t hash_bytes(const void *data, size_t len)
{
    const unsigned char *p = data;
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return mix(h);
}

static size_t slot_of(const struct idmap *m, int64_t key)
{
    size_t mask = m->cap - 1;
    size_t i = mix((uint64_t)key) & mask;
    while (m->keys[i] != EMPTY && m->keys[i] != key)
        i = (i + 1) & mask;
    return i;
}

static void resize(struct idmap *m, size_t cap)
{
    struct idmap old = *m;
    m->cap = cap;
    m->keys = mem_new(cap, sizeof *m->keys);
    m->values = mem_new(cap, sizeof *m->values);
    for (size_t i = 0; i < cap; i++)
        m->keys[i] = EMPTY;
    for (size_t i = 0; i < old.cap; i++) {
        if (old.keys[i] == EMPTY)
            continue;
        size_t s = slot_of(m, old.keys[i]);
        m->keys[s] = old.keys[i];
        m->values[s] = old.values[i];
    }
    free(old.keys);
    free(old.values);
}

void idmap_reserve(struct idmap *m, size_t count)
{
    size_t cap = 16;
    while (cap * 3 / 4 < count)
        cap *= 2;
    if (cap > m->cap)
        resize(m, cap);
}

int32_t *idmap_at(struct idmap *m, int64_t key, int32_t initial)
{
    idmap_reserve(m, m->count + 1);
    size_t s = slot_of(m, key);
    if (m->keys[s] == EMPTY) {
        m->keys[s] = key;
        m->values[s] = initial;
        m->count++;
    }
    return &m->values[s];
}

void idmap_put(struct idmap *m, int64_t key, int32_t value)
{
    *idmap_at(m, key, value) = value;
}

bool idmap_get(const struct idmap *m, int64_t key, int32_t *value)
{
    if (m->count == 0)
        return false;
    size_t s = slot_of(m, key);
    if (m->keys[s] == EMPTY)
        return false;
    if (value != NULL)
        *value = m->values[s];
    return true;
}

void idmap_free(struct idmap *m)
{
    free(m->keys);
    free(m->values);
    *m = (struct idmap){0};
}

void idset_add(struct idset *s, int64_t id)
{
    if (id < 0 || id > IDSET_MAX)
        return;
    size_t word = (size_t)id / 64, old = s->cap;
    s->words = mem_grow(s->words, &s->cap, word + 1, sizeof *s->words);
    if (s->cap > old)
        memset(s->words + old, 0, (s->cap - old) * sizeof *s->words);
    s->words[word] |= (uint64_t)1 << id % 64;
}

bool idset_has(const struct idset *s, int64_t id)
{
    size_t word = (size_t)id / 64;
    return id >= 0 && word < s->cap && s->words[word] >> id % 64 & 1;
}

void idset_free(struct idset *s)
{
    free(s->words);
    *s = (struct idset){0};
}

static int64_t text_key(const char *text)
{
    return (int64_t)(hash_bytes(text, strlen(text)) >> 1);
}

int intern_find(const struct intern *t, const char *text)
{
    int32_t i = -1;
    if (!idmap_get(&t->by_hash, text_key(text), &i))
        return -1;
    while (i >= 0 && strcmp(t->texts[i], text) != 0)
        i = t->next[i];
    return i;
}

int intern_put(struct intern *t, const char *text)
{
    int found = intern_find(t, text);
    if (found >= 0)
        return found;
    size_t need = (size_t)t->count + 1;
    t->texts = mem_grow(t->texts, &t->texts_cap, need, sizeof *t->texts);
    t->next = mem_grow(t->next, &t->next_cap, need, sizeof *t->next);
    int32_t *first = idmap_at(&t->by_hash, text_key(text), -1);
    t->texts[t->count] = mem_strdup(text);
    t->next[t->count] = *first;
    *first = t->count;
    return t->count++;
}

void intern_free(struct intern *t)
{
    for (int i = 0; i < t->count; i++)
        free(t->texts[i]);
    free(t->texts);
    free(t->next);
    idmap_free(&t->by_hash);
    *t = (struct intern){0};
}
