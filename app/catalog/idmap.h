/* Small hash tables: number -> number, text -> number. Private to app/catalog. */
#ifndef CATALOG_IDMAP_H
#define CATALOG_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* int64 -> int32 by open addressing. {0} is a valid empty map. Keys may be anything but
 * INT64_MIN. 12 bytes a slot, at most three quarters full. */
struct idmap {
    int64_t *keys;
    int32_t *values;
    size_t cap, count;
};

void idmap_reserve(struct idmap *m, size_t count);
void idmap_put(struct idmap *m, int64_t key, int32_t value); /* replaces */
/* The value's place, made with `initial` when the key is new; until the next put. */
int32_t *idmap_at(struct idmap *m, int64_t key, int32_t initial);
bool idmap_get(const struct idmap *m, int64_t key, int32_t *value); /* value may be NULL */
void idmap_free(struct idmap *m);

/* A set of small numbers, one bit each: 0 .. IDSET_MAX. {0} is a valid empty set. Numbers beyond
 * are neither kept nor found. */
enum { IDSET_MAX = (1 << 28) - 1 };

struct idset {
    uint64_t *words;
    size_t cap;
};

void idset_add(struct idset *s, int64_t id);
bool idset_has(const struct idset *s, int64_t id);
void idset_free(struct idset *s);

/* Texts numbered 0, 1, 2 ... in order of arrival. {0} is a valid empty table. */
struct intern {
    struct idmap by_hash; /* hash -> index of the first text with it */
    char **texts;
    int *next; /* index of the next text with the same hash, -1: none */
    int count;
    size_t texts_cap, next_cap;
};

int intern_put(struct intern *t, const char *text);
int intern_find(const struct intern *t, const char *text); /* -1: not there */
void intern_free(struct intern *t);

/* 64-bit hash of bytes (FNV-1a, Fowler/Noll/Vo, then the finaliser of MurmurHash3). The same on
 * every machine: ids of titles without an IMDb id are made of it. */
uint64_t hash_bytes(const void *data, size_t len);

#endif
