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

/* Begins a stage of the progress, `name` is static. rows: how many it has; 0: as many as the file
 * that it reads (one at a time). */
void import_stage(struct import *im, const char *name, int64_t rows);
/* Runs a statement of a long stage; ?1 in it is `parameter`. SQLite tells nothing of rows in
 * between, so the progress is counted in steps of its machine, about `steps` for each row of the
 * stage. */
int import_sql(struct import *im, const char *sql, int64_t parameter, int steps, struct err *err);
/* Sets the progress of a stage that is not counted in rows, 0 .. 1. ERR_STOPPED as below. */
int import_share(struct import *im, double share, struct err *err);
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

/* derive.c: makes every derived table of im->db, which has only content. */
int derive_tables(struct import *im, struct err *err);

/* The starter catalogue built in memory, for programs run without their installed files. The
 * caller closes *out. */
int import_starter_in_memory(sqlite3 **out, const char *folder, struct err *err);

#endif
