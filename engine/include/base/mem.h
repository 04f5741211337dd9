/* Memory. Two kinds of request, by where the size comes from. Thread safe. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* Small, bounded requests: never return NULL; abort with a message on exhaustion. free() them. */
void *mem_new(size_t count, size_t size); /* zeroed; count * size is checked */
/* Grows an array to hold at least `need` elements; *cap is updated, new room is not zeroed. */
void *mem_grow(void *p, size_t *cap, size_t need, size_t size);
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n);

/* Requests whose size comes from a file, a camera or the user: may return NULL, also when
 * count * size overflows. 64-byte aligned, not zeroed; end with mem_free_aligned(). */
void *mem_try_aligned(size_t count, size_t size);
void mem_free_aligned(void *p); /* NULL is allowed */

/* Bump allocator: many small pieces freed as one. Pieces are 16-byte aligned and zeroed. */
struct arena;
struct arena *arena_create(size_t block); /* bytes a block; larger pieces get their own */
void *arena_alloc(struct arena *a, size_t size);
char *arena_strdup(struct arena *a, const char *s); /* NULL gives NULL */
char *arena_strndup(struct arena *a, const char *s, size_t n);
void arena_destroy(struct arena *a); /* NULL is allowed */

#endif
