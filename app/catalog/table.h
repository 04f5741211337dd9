/* Rows out of .tsv and .csv files, plain or .gz, in constant memory.
 *
 * A row is good when it has as many cells as the header. Every other row (cut short, too long,
 * NUL bytes, stray quotes) is left out, counted, and the first few are kept with their line; the
 * reader goes on with the next physical line, so that one bad row never shifts the others. */
#ifndef CATALOG_TABLE_H
#define CATALOG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct table;
struct arena;

enum {
    TABLE_ROW_MAX = 1 << 20,  /* bytes of a row with its line ends; longer rows are bad */
    TABLE_COLUMNS_MAX = 1000, /* more in the header: refused */
    TABLE_BAD_KEPT = 5
};

/* `s` is ended by a zero byte and lives until the next table_next(). The bytes are as in the file:
 * table_text() makes them UTF-8. */
struct cell {
    const char *s;
    int len;
};

struct table_format {
    const char *delimiter; /* one or two bytes; NULL: found from the first line (, ; TAB |) */
    bool quoted;           /* RFC 4180 quotes; false: a quote is a character like any other */
    const char *header;    /* NULL: the first line; else the names, comma-separated, and the file
                            * has none */
};

struct table_bad {
    int64_t line;
    char reason[120];
};

/* Borrows nothing. ERR_FORMAT: no header line, UTF-16, not a text file. */
int table_open(struct table **out, const char *path, const struct table_format *format,
               struct err *err);
/* The same over bytes in memory, which must outlive the table; `name` stands in messages. */
int table_open_bytes(struct table **out, const char *name, const void *bytes, size_t len,
                     const struct table_format *format, struct err *err);
void table_close(struct table *t); /* NULL is allowed */

/* Index of a column by name, case and surrounding blanks apart; -1: none. `names` may offer
 * several, separated by '|', first match wins: "title|name|series_title". */
int table_column(const struct table *t, const char *names);
/* The same, but absence is ERR_FORMAT and a sentence that lists the columns found. */
int table_need_column(const struct table *t, const char *names, int *out, struct err *err);
int table_columns(const struct table *t);
const char *table_column_name(const struct table *t, int column);

/* 1: *cells has table_columns() cells; 0: end; < 0: the file cannot be read on. */
int table_next(struct table *t, const struct cell **cells, struct err *err);
/* The caller found the row of the last table_next() unusable: counts it as bad. */
void table_reject(struct table *t, const char *reason);

int64_t table_line(const struct table *t); /* first physical line of the last row, from 1 */
int64_t table_rows(const struct table *t); /* good and bad */
int64_t table_bad_rows(const struct table *t);
const struct table_bad *table_first_bad(const struct table *t, int *count);
/* How far the file has been read, and its size, in stored bytes; 0 of 0 for bytes in memory. */
void table_progress(struct table *t, int64_t *position, int64_t *size);

/* The cell as UTF-8 without leading and trailing blanks and control characters: bytes that are not
 * UTF-8 are taken as Windows-1252, the superset of ISO-8859-1. In the arena. */
const char *table_text(struct arena *a, struct cell c);
/* The same into a buffer, cut at a character. */
void table_copy_text(struct cell c, char *out, int cap);

/* Number in a cell such as "142 min", "2,343,110", "8.1": digits with separators, then anything.
 * false: none, *out is left alone. */
bool cell_number(struct cell c, double *out);
bool cell_int(struct cell c, int64_t min, int64_t max, int64_t *out);
bool cell_is(struct cell c, const char *text);

#endif
