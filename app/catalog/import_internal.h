/* What the importers share. Private to app/catalog. */
#ifndef CATALOG_IMPORT_INTERNAL_H
#define CATALOG_IMPORT_INTERNAL_H

#include <sqlite3.h>

#include "catalog/import.h"
#include "catalog/table.h"
#include "catalog/writer.h"

/* One import under way. */
struct import {
    const struct import_options *options;
    sqlite3 *db;
    struct writer *writer;
    struct import_stats stats;
    int64_t began_us, stage_began_us, told_us;
    int64_t rows_before; /* of earlier tables */
};

/* One file at a time: begins a stage of the progress, `name` is static. */
void import_stage(struct import *im, const char *name);
/* Call once per row (cheap); ERR_STOPPED when the user wants out. t may be NULL. */
int import_tick(struct import *im, struct table *t, struct err *err);
/* Adds the table's bad rows to the statistics; `name` is shown with their lines. */
void import_end_table(struct import *im, struct table *t, const char *name);

/* "<folder>/<name>", "<folder>/<name>.gz" or "<folder>/<name>/data.tsv", whichever exists; out of
 * 4096 bytes. false: none. */
bool import_find_file(const char *folder, const char *name, char *out);

int import_imdb(struct import *im, struct err *err);
int import_movielens(struct import *im, struct err *err);
int import_movies(struct import *im, struct err *err);
int import_songs(struct import *im, struct err *err);
int import_reviews(struct import *im, struct err *err);
int import_starter(struct import *im, struct err *err);

/* derive.c: makes every derived table of a db that has only content. im: for progress. */
int derive_tables(sqlite3 *db, struct import *im, struct err *err);

/* The starter catalogue built in memory, for programs run without their installed files. The
 * caller closes *out. */
int import_starter_in_memory(sqlite3 **out, const char *folder, struct err *err);

#endif
