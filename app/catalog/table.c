/* Splits lines and cells. See table.h for what a good row is.
 *
 * DESIGN. One buffer that grows to twice TABLE_ROW_MAX when a row needs it; rows are split in place
 * by writing zero bytes over delimiters, quoted cells are unescaped in place. IMDb's files take the
 * short path: memchr for the line end, memchr for each TAB. */
#include "catalog/table.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "catalog/unpack.h"

enum { BUFFER_FIRST = 64 * 1024, BUFFER_MOST = 2 * TABLE_ROW_MAX };

struct table {
    struct unpack *source; /* NULL: the bytes are in memory */
    const char *bytes;
    size_t bytes_left;
    char *path;
    char delimiter[3];
    int delimiter_len;
    bool quoted;

    char *buffer;
    size_t buffer_cap;
    size_t begin, end; /* unread bytes of the buffer */
    bool at_end;       /* the source has no more */

    char **names;
    int columns;
    struct cell *cells; /* columns + 1: one more shows that a row is too wide */
    int found;          /* cells of the row being split */

    int64_t line, lines; /* of the row, ended so far */
    int64_t rows, bad;
    struct table_bad first_bad[TABLE_BAD_KEPT];
};

static int64_t read_bytes(struct table *t, char *to, size_t cap)
{
    size_t n = t->bytes_left < cap ? t->bytes_left : cap;
    memcpy(to, t->bytes, n);
    t->bytes += n;
    t->bytes_left -= n;
    return (int64_t)n;
}

static int fill(struct table *t, struct err *err)
{
    if (t->begin > 0) {
        memmove(t->buffer, t->buffer + t->begin, t->end - t->begin);
        t->end -= t->begin;
        t->begin = 0;
    }
    if (t->end > t->buffer_cap / 2 && t->buffer_cap < BUFFER_MOST) /* a long row */
        t->buffer = mem_grow(t->buffer, &t->buffer_cap, 2 * t->buffer_cap, 1);
    char *to = t->buffer + t->end;
    size_t room = t->buffer_cap - 1 - t->end;
    int64_t n = t->source != NULL ? unpack_read(t->source, to, room, err)
                                  : read_bytes(t, to, room);
    if (n < 0)
        return (int)n;
    t->end += (size_t)n;
    t->at_end = n == 0;
    return ERR_OK;
}

/* Makes sure that a whole physical line, or TABLE_ROW_MAX bytes, or the rest of the file is in the
 * buffer from `from` on. *length: up to and without the newline; -1: no newline within reach. */
static int find_line(struct table *t, size_t from, int64_t *length, struct err *err)
{
    size_t searched = 0;
    for (;;) {
        size_t at = t->begin + from + searched;
        char *newline = memchr(t->buffer + at, '\n', t->end - at);
        if (newline != NULL) {
            *length = newline - (t->buffer + t->begin + from);
            return ERR_OK;
        }
        searched = t->end - t->begin - from;
        if (t->at_end) {
            *length = (int64_t)searched;
            return ERR_OK;
        }
        if (t->end - t->begin >= TABLE_ROW_MAX) {
            *length = -1;
            return ERR_OK;
        }
        int rc = fill(t, err);
        if (rc < 0)
            return rc;
    }
}

static void count_bad(struct table *t, const char *reason)
{
    if (t->bad < TABLE_BAD_KEPT) {
        struct table_bad *b = &t->first_bad[t->bad];
        b->line = t->line;
        snprintf(b->reason, sizeof b->reason, "%s", reason);
    }
    t->bad++;
}

void table_reject(struct table *t, const char *reason)
{
    count_bad(t, reason);
}

/* Drops the physical line that starts at t->begin, however long it is. */
static int skip_line(struct table *t, struct err *err)
{
    for (;;) {
        char *newline = memchr(t->buffer + t->begin, '\n', t->end - t->begin);
        if (newline != NULL) {
            t->begin = (size_t)(newline + 1 - t->buffer);
            t->lines++;
            return ERR_OK;
        }
        t->begin = t->end;
        if (t->at_end)
            return ERR_OK;
        int rc = fill(t, err);
        if (rc < 0)
            return rc;
    }
}

static void add_cell(struct table *t, char *s, size_t len)
{
    if (t->found <= t->columns)
        t->cells[t->found] = (struct cell){s, (int)len};
    t->found++;
}

static char *find_delimiter(const struct table *t, char *s, char *end)
{
    while (s < end) {
        s = memchr(s, t->delimiter[0], (size_t)(end - s));
        if (s == NULL || t->delimiter_len == 1)
            return s;
        if (s + 1 < end && s[1] == t->delimiter[1])
            return s;
        s++;
    }
    return NULL;
}

static bool at_delimiter(const struct table *t, const char *s, const char *end)
{
    return end - s >= t->delimiter_len && memcmp(s, t->delimiter, (size_t)t->delimiter_len) == 0;
}

/* A row without quotes: the line is the row. */
static void split_plain(struct table *t, char *s, char *end)
{
    t->found = 0;
    for (;;) {
        char *delimiter = find_delimiter(t, s, end);
        char *stop = delimiter != NULL ? delimiter : end;
        *stop = '\0';
        add_cell(t, s, (size_t)(stop - s));
        if (delimiter == NULL)
            return;
        s = delimiter + t->delimiter_len;
    }
}

/* Reads one quoted cell; *s stands behind the opening quote and is moved behind the closing one,
 * which scan_quotes() has seen. */
static void unquote(struct table *t, char **s)
{
    char *from = *s;
    char *to = *s;
    char *start = *s;
    while (*from != '"' || from[1] == '"') {
        from += *from == '"'; /* the first of a doubled quote */
        *to++ = *from++;
    }
    *s = from + 1;
    add_cell(t, start, (size_t)(to - start));
}

/* Splits [s, end) by RFC 4180. Cells are ended afterwards: their delimiters are still needed. */
static void split_quoted(struct table *t, char *s, char *end)
{
    t->found = 0;
    for (;;) {
        if (s < end && *s == '"') {
            s++;
            unquote(t, &s);
        } else {
            char *delimiter = find_delimiter(t, s, end);
            char *stop = delimiter != NULL ? delimiter : end;
            add_cell(t, s, (size_t)(stop - s));
            s = stop;
        }
        if (s >= end)
            break;
        s += t->delimiter_len;
    }
    for (int i = 0; i < t->found && i <= t->columns; i++)
        t->buffer[t->cells[i].s - t->buffer + t->cells[i].len] = '\0';
}

enum quotes { QUOTES_CLOSED, QUOTES_OPEN, QUOTES_STRAY };

/* Follows the quotes of one more line of a row, without changing it: is the row whole, does it go
 * on in the next line, or does text stand behind a closing quote? */
static enum quotes scan_quotes(const struct table *t, bool open, const char *s, const char *end)
{
    bool cell_start = !open;
    while (s < end) {
        if (open && *s == '"') {
            if (s + 1 < end && s[1] == '"') {
                s += 2;
                continue;
            }
            open = false;
            s++;
            if (s < end && !at_delimiter(t, s, end))
                return QUOTES_STRAY;
        } else if (open) {
            s++;
        } else if (cell_start && *s == '"') {
            open = true;
            cell_start = false;
            s++;
        } else {
            cell_start = at_delimiter(t, s, end);
            s += cell_start ? t->delimiter_len : 1;
        }
    }
    return open ? QUOTES_OPEN : QUOTES_CLOSED;
}

static size_t without_return(const char *s, size_t len)
{
    return len > 0 && s[len - 1] == '\r' ? len - 1 : len;
}

/* The row that starts at t->begin, over several lines when a quote stays open. Sets its length and
 * lines; returns NULL or why it is bad, then only its first line is to be dropped. */
static const char *find_row(struct table *t, size_t *length, int *lines, int *rc, struct err *err)
{
    enum quotes quotes = QUOTES_CLOSED;
    *length = 0;
    for (*lines = 1;; ++*lines) {
        int64_t line = 0;
        *rc = find_line(t, *length, &line, err);
        if (*rc < 0)
            return "unreadable";
        if (line < 0 || *length + (size_t)line > TABLE_ROW_MAX)
            return "longer than 1 MiB, or a quote that is never closed";
        if (!t->quoted) {
            *length = (size_t)line;
            return NULL;
        }
        const char *s = t->buffer + t->begin + *length;
        quotes = scan_quotes(t, quotes == QUOTES_OPEN, s,
                             s + without_return(s, (size_t)line));
        *length += (size_t)line;
        if (quotes == QUOTES_CLOSED)
            return NULL;
        if (quotes == QUOTES_STRAY)
            return "text behind a closing quote";
        if (t->begin + *length >= t->end)
            return "a quote that is never closed";
        ++*length; /* the newline inside the quotes */
    }
}

/* Splits the row of `length` bytes. NULL: done, else the reason why not. */
static const char *split_row(struct table *t, size_t length)
{
    char *s = t->buffer + t->begin;
    length = without_return(s, length);
    if (memchr(s, '\0', length) != NULL)
        return "a NUL byte in the row";
    s[length] = '\0';
    if (t->quoted)
        split_quoted(t, s, s + length);
    else
        split_plain(t, s, s + length);
    return NULL;
}

enum row { ROW_END, ROW_SPLIT, ROW_BAD };

/* Reads and splits the next row; an enum row, or < 0. */
static int next_row(struct table *t, struct err *err)
{
    size_t length = 0;
    int lines = 0;
    int rc = ERR_OK;
    const char *why = find_row(t, &length, &lines, &rc, err);
    if (rc < 0)
        return rc;
    if (t->begin == t->end && t->at_end)
        return ROW_END;
    t->line = t->lines + 1;
    t->rows++;
    if (why != NULL) {
        count_bad(t, why);
        rc = skip_line(t, err);
        return rc < 0 ? rc : ROW_BAD;
    }
    why = split_row(t, length);
    t->begin += length + (t->begin + length < t->end);
    t->lines += lines;
    if (why != NULL)
        count_bad(t, why);
    return why != NULL ? ROW_BAD : ROW_SPLIT;
}

int table_next(struct table *t, const struct cell **cells, struct err *err)
{
    for (;;) {
        int rc = next_row(t, err);
        if (rc < 0 || rc == ROW_END)
            return rc;
        if (rc == ROW_BAD)
            continue;
        if (t->found == t->columns) {
            *cells = t->cells;
            return 1;
        }
        if (t->found == 1 && t->cells[0].len == 0) {
            t->rows--; /* an empty line is no row */
            continue;
        }
        char reason[64];
        snprintf(reason, sizeof reason, "%d cells instead of %d", t->found, t->columns);
        count_bad(t, reason);
    }
}

static void detect_delimiter(struct table *t, const char *line, size_t len)
{
    static const char candidates[] = {'\t', ',', ';', '|'};
    int best = -1;
    for (size_t c = 0; c < sizeof candidates; c++) {
        int count = 0;
        bool open = false;
        for (size_t i = 0; i < len; i++) {
            open ^= t->quoted && line[i] == '"';
            count += !open && line[i] == candidates[c];
        }
        if (count > best) {
            best = count;
            t->delimiter[0] = candidates[c];
        }
    }
    t->delimiter_len = 1;
}

static int refuse_binary(struct table *t, struct err *err)
{
    const unsigned char *s = (const unsigned char *)t->buffer;
    if (t->end >= 2 && ((s[0] == 0xff && s[1] == 0xfe) || (s[0] == 0xfe && s[1] == 0xff)))
        return err_set(err, ERR_UNSUPPORTED, "%s: UTF-16 text; save it as UTF-8", t->path);
    if (t->end >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0)
        t->begin = 3;
    return ERR_OK;
}

static void add_name(struct table *t, struct cell c)
{
    char name[200];
    table_copy_text(c, name, sizeof name);
    t->names[t->columns++] = mem_strdup(name);
}

/* The caller gave the names, comma-separated: the file has no header. */
static void use_names(struct table *t, const char *names)
{
    for (;;) {
        size_t len = strcspn(names, ",");
        add_name(t, (struct cell){names, (int)len});
        if (names[len] == '\0')
            return;
        names += len + 1;
    }
}

static int read_names(struct table *t, struct err *err)
{
    t->columns = TABLE_COLUMNS_MAX; /* of the header row, as many as there is room for */
    int rc = next_row(t, err);
    t->columns = 0;
    if (rc < 0)
        return rc;
    if (rc != ROW_SPLIT || (t->found == 1 && t->cells[0].len == 0))
        return err_set(err, ERR_FORMAT, "%s: no header line, this is not a table", t->path);
    if (t->found > TABLE_COLUMNS_MAX)
        return err_set(err, ERR_FORMAT, "%s: %d columns, at most %d are read", t->path, t->found,
                       TABLE_COLUMNS_MAX);
    for (int i = 0; i < t->found; i++)
        add_name(t, t->cells[i]);
    t->rows = 0;
    return ERR_OK;
}

static int read_header(struct table *t, const struct table_format *format, struct err *err)
{
    int64_t length = 0;
    int rc = find_line(t, 0, &length, err);
    if (rc == ERR_OK)
        rc = refuse_binary(t, err);
    if (rc < 0)
        return rc;
    if (format->delimiter != NULL) {
        snprintf(t->delimiter, sizeof t->delimiter, "%s", format->delimiter);
        t->delimiter_len = (int)strlen(t->delimiter);
    } else {
        size_t reach = length >= 0 ? (size_t)length : t->end;
        detect_delimiter(t, t->buffer + t->begin, reach - t->begin);
    }
    t->names = mem_new(TABLE_COLUMNS_MAX, sizeof *t->names);
    t->cells = mem_new(TABLE_COLUMNS_MAX + 1, sizeof *t->cells);
    if (format->header == NULL)
        return read_names(t, err);
    use_names(t, format->header);
    return ERR_OK;
}

static struct table *new_table(const char *path, const struct table_format *format)
{
    struct table *t = mem_new(1, sizeof *t);
    t->path = mem_strdup(path);
    t->quoted = format->quoted;
    t->buffer = mem_new(1, BUFFER_FIRST);
    t->buffer_cap = BUFFER_FIRST;
    return t;
}

/* Ends table_open() and table_open_bytes(): reads the header, or closes. */
static int begin_table(struct table **out, struct table *t, const struct table_format *format,
                       struct err *err)
{
    int rc = read_header(t, format, err);
    if (rc < 0)
        table_close(t);
    else
        *out = t;
    return rc;
}

int table_open(struct table **out, const char *path, const struct table_format *format,
               struct err *err)
{
    struct table *t = new_table(path, format);
    int rc = unpack_open(&t->source, path, err);
    if (rc < 0) {
        table_close(t);
        return rc;
    }
    return begin_table(out, t, format, err);
}

int table_open_bytes(struct table **out, const char *name, const void *bytes, size_t len,
                     const struct table_format *format, struct err *err)
{
    struct table *t = new_table(name, format);
    t->bytes = bytes;
    t->bytes_left = len;
    return begin_table(out, t, format, err);
}

void table_close(struct table *t)
{
    if (t == NULL)
        return;
    unpack_close(t->source);
    for (int i = 0; t->names != NULL && i < t->columns; i++)
        free(t->names[i]);
    free(t->names);
    free(t->cells);
    free(t->buffer);
    free(t->path);
    free(t);
}

int table_columns(const struct table *t)
{
    return t->columns;
}

const char *table_column_name(const struct table *t, int column)
{
    return t->names[column];
}

static int column_named(const struct table *t, const char *name, size_t len)
{
    for (int i = 0; i < t->columns; i++)
        if (strlen(t->names[i]) == len && strncasecmp(t->names[i], name, len) == 0)
            return i;
    return -1;
}

int table_column(const struct table *t, const char *names)
{
    for (;;) {
        size_t len = strcspn(names, "|");
        int column = column_named(t, names, len);
        if (column >= 0 || names[len] == '\0')
            return column;
        names += len + 1;
    }
}

int table_need_column(const struct table *t, const char *names, int *out, struct err *err)
{
    *out = table_column(t, names);
    if (*out >= 0)
        return ERR_OK;
    struct str found = {0};
    for (int i = 0; i < t->columns && found.len < 150; i++)
        str_addf(&found, "%s%s", i > 0 ? ", " : "", t->names[i]);
    int rc = err_set(err, ERR_FORMAT, "%s: no column \"%.*s\" (the header has: %s)", t->path,
                     (int)strcspn(names, "|"), names, found.s);
    str_free(&found);
    return rc;
}

int64_t table_line(const struct table *t)
{
    return t->line;
}

int64_t table_rows(const struct table *t)
{
    return t->rows;
}

int64_t table_bad_rows(const struct table *t)
{
    return t->bad;
}

const struct table_bad *table_first_bad(const struct table *t, int *count)
{
    *count = t->bad < TABLE_BAD_KEPT ? (int)t->bad : TABLE_BAD_KEPT;
    return t->first_bad;
}

void table_progress(struct table *t, int64_t *position, int64_t *size)
{
    *position = t->source != NULL ? unpack_position(t->source) : 0;
    *size = t->source != NULL ? unpack_size(t->source) : 0;
}
