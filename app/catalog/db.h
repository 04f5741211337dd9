/* Thin names over SQLite, private to app/catalog: error sentences, statements, hardening. */
#ifndef CATALOG_DB_H
#define CATALOG_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Opens with these SQLITE_OPEN_* flags and sets the limits of README.md's hardening list. */
int db_open(sqlite3 **out, const char *path, int flags, struct err *err);
/* Opens a file that nobody changes while it is open (ours are only ever replaced by rename), for
 * reading: without locks. */
int db_open_immutable(sqlite3 **out, const char *path, struct err *err);
/* "file:<path, escaped>?<query>" for ATTACH; free() it. */
char *db_uri(const char *path, const char *query);
void db_close(sqlite3 *db); /* NULL is allowed */

/* For files that may be hostile and are only read: no triggers, no views, no writes, no statement
 * but SELECT, nothing that computes longer than a second. Call before any other SQL. */
int db_make_read_only(sqlite3 *db, struct err *err);
/* The second of computing starts anew; call before each piece of work on a read-only connection. */
void db_restart_clock(void);

/* The last failure of db as code and sentence "<file>: <what>: <SQLite's words>". */
int db_fail(sqlite3 *db, const char *what, struct err *err);

/* Runs one or more statements without results. */
int db_exec(sqlite3 *db, const char *sql, struct err *err);
/* The same with the formats of sqlite3_mprintf(): %Q quotes a text. */
int db_execf(sqlite3 *db, struct err *err, const char *fmt, ...);
int db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out, struct err *err);

/* 1: a row, 0: done, < 0: failed. */
int db_step(sqlite3_stmt *st, struct err *err);
/* Runs a statement without rows to its end and resets it, also after a failure. */
int db_run(sqlite3_stmt *st, struct err *err);

/* The first column of the first row; *out is left alone when there is no row. */
int db_value(sqlite3 *db, const char *sql, int64_t *out, struct err *err);
bool db_has_table(sqlite3 *db, const char *schema, const char *name);

/* Column as text, never NULL. */
const char *db_text(sqlite3_stmt *st, int column);

/* Marks a new file as ours, or brings an older one up to date: applies steps[user_version ..] in
 * one transaction. ERR_UNSUPPORTED: another program's file, or a newer version of ours. */
int db_migrate(sqlite3 *db, int file_id, const char *const *steps, int count, struct err *err);
/* The check alone: the file carries this id, and version `version`. */
int db_check_identity(sqlite3 *db, int file_id, int version, struct err *err);

#endif
