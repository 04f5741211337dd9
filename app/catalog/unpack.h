/* The bytes of a plain or gzip file, read ahead by a thread of its own: unpacking and parsing run
 * side by side. Memory is constant. Private to app/catalog. */
#ifndef CATALOG_UNPACK_H
#define CATALOG_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct unpack;

int unpack_open(struct unpack **out, const char *path, struct err *err);
/* Copies up to cap bytes. 0: end; < 0: damaged or unreadable, with a sentence. Blocks. */
int64_t unpack_read(struct unpack *s, char *to, size_t cap, struct err *err);
/* How far the file has been read, and its size, in stored (packed) bytes. */
int64_t unpack_position(struct unpack *s);
int64_t unpack_size(const struct unpack *s);
void unpack_close(struct unpack *s); /* at any time; NULL is allowed */

#endif
