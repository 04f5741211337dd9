/* A folder of lists and the catalogue imported from them, for tests of the importers. */
#ifndef TESTS_CATALOG_IMPORTING_H
#define TESTS_CATALOG_IMPORTING_H

#include "catalog/fixture.h"

/* cmocka's setup and teardown: a fresh folder. */
int importing_begin(void **state);
int importing_end(void **state);
extern char *importing_dir;
const char *importing_path(const char *name); /* in it, as testing_path() */

void importing_put(const char *name, const char *text);
/* IMDb's six files in small: see importing.c. */
void importing_put_imdb(void);
/* many.csv: "Film 0", "Film 1" ... */
void importing_put_many(int count);

/* Imports into catalog.db of the folder, which at first is empty. */
int importing_run(enum import_kind kind, const char *path, struct import_stats *stats,
                  struct err *err);
/* Opens and checks it. */
struct catalog *importing_open(void);
struct title_list importing_title(struct catalog *c, int64_t id);

/* A whole file of the folder; free() it. */
void *importing_bytes(const char *name, size_t *len);
/* catalog.db is there as it was, byte for byte. */
void importing_unchanged(const void *before, size_t len);

#endif
