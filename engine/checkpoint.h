/* A file of named byte sections that is either whole or refused.
 *
 * FORMAT, in this machine's byte order: "NNCK" and version (u32); signature (u64); section count
 * (u64); for each section name (16 bytes), size (u64), bytes; last the CRC-32 of all before it
 * (u32). Private to engine/. */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct checkpoint_section {
    const char *name; /* up to 15 bytes */
    void *data;
    size_t size;      /* bytes; read: how many there were */
    size_t capacity;  /* read: most bytes that fit; = size: exactly so many must be there */
};

/* Replaces the file atomically. */
int checkpoint_write(const char *path, uint64_t signature, const struct checkpoint_section *s,
                     int count, struct err *err);

/* Fills the sections only when the whole file is sound: right kind, checksum, signature, names,
 * sizes. `owner` is what a wrong signature is not of ("this network"). */
int checkpoint_read(const char *path, uint64_t signature, const char *owner,
                    struct checkpoint_section *s, int count, struct err *err);

#endif
