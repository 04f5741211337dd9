/* A sheet of small grey pictures in rows, each with two lines of text under it, as a PNG. */
#ifndef LAB_SHEET_H
#define LAB_SHEET_H

#include <stdint.h>

#include "base/err.h"

enum sheet_ink { SHEET_PLAIN, SHEET_GOOD, SHEET_BAD };

struct sheet;
struct sheet *sheet_create(int count, int columns); /* pictures in all, and a row */
/* Picture `index` of width x height grey bytes; `first` and `second` may be "". */
int sheet_put(struct sheet *s, int index, const uint8_t *px, int width, int height,
              const char *first, const char *second, enum sheet_ink ink, struct err *err);
/* Replaces `path` as a whole. */
int sheet_write(const struct sheet *s, const char *path, struct err *err);
void sheet_destroy(struct sheet *s);

#endif
