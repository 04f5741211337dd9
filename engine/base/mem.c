/* Aborting small allocations, fallible aligned ones, the arena. */
#define _DEFAULT_SOURCE /* madvise */
#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Of x86-64; elsewhere a block is only aligned more than it needs. */
#define HUGE_PAGE ((size_t)2 << 20)

static void *must(void *p, size_t bytes)
{
    if (p == NULL) {
        fprintf(stderr, "out of memory: %zu bytes\n", bytes);
        abort();
    }
    return p;
}

static size_t checked_product(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        must(NULL, SIZE_MAX);
    return count * size;
}

void *mem_new(size_t count, size_t size)
{
    size_t bytes = checked_product(count, size);
    return must(calloc(1, bytes != 0 ? bytes : 1), bytes);
}

void *mem_grow(void *p, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return p;
    size_t next = *cap + *cap / 2 + 8;
    if (next < need)
        next = need;
    size_t bytes = checked_product(next, size);
    p = must(realloc(p, bytes), bytes);
    *cap = next;
    return p;
}

char *mem_strndup(const char *s, size_t n)
{
    char *copy = mem_new(n + 1, 1);
    memcpy(copy, s, n);
    return copy;
}

char *mem_strdup(const char *s)
{
    return mem_strndup(s, strlen(s));
}

/* Large blocks ask for huge pages: walking through the weights of a network then costs no page
 * walks (4 % of a run). Only whole ones, so that no memory is wasted. */
void *mem_try_aligned(size_t count, size_t size)
{
    void *p = NULL;
    if (size != 0 && count > (SIZE_MAX - 64) / size)
        return NULL;
    size_t bytes = (count * size + 63) & ~(size_t)63;
    bool huge = bytes >= HUGE_PAGE;
    if (posix_memalign(&p, huge ? HUGE_PAGE : 64, bytes != 0 ? bytes : 64) != 0)
        return NULL;
#ifdef MADV_HUGEPAGE
    if (huge)
        (void)madvise(p, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE); /* a hint */
#endif
    return p;
}

void mem_free_aligned(void *p)
{
    free(p);
}

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(16) unsigned char bytes[];
};

struct arena {
    size_t block;
    struct arena_block *head; /* the block that is being filled */
};

struct arena *arena_create(size_t block)
{
    struct arena *a = mem_new(1, sizeof *a);
    a->block = block;
    return a;
}

static struct arena_block *arena_block_create(size_t size)
{
    struct arena_block *b = mem_new(1, sizeof *b + size);
    b->size = size;
    return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (a->head == NULL || a->head->size - a->head->used < size) {
        struct arena_block *b = arena_block_create(size > a->block ? size : a->block);
        b->next = a->head;
        a->head = b;
    }
    void *p = a->head->bytes + a->head->used;
    a->head->used += size;
    return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    char *copy = arena_alloc(a, n + 1);
    memcpy(copy, s, n);
    return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return s != NULL ? arena_strndup(a, s, strlen(s)) : NULL;
}

void arena_destroy(struct arena *a)
{
    if (a == NULL)
        return;
    for (struct arena_block *b = a->head; b != NULL;) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
    free(a);
}
