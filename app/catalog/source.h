/* The bytes of a plain or gzip file, read ahead by a thread of its own: unpacking and parsing run
 * side by side. Memory is constant. Private to app/catalog. */
#ifndef CATALOG_SOURCE_H
#define CATALOG_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct source;

int source_open(struct source **out, const char *path, struct err *err);
/* Copies up to cap bytes. 0: end; < 0: damaged or unreadable, with a sentence. Blocks. */
int64_t source_read(struct source *s, char *to, size_t cap, struct err *err);
/* How far the file has been read, and its size, in stored (packed) bytes. */
int64_t source_position(struct source *s);
int64_t source_size(const struct source *s);
void source_close(struct source *s); /* at any time; NULL is allowed */

#endif
