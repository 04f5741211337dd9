/* SQLite with our error sentences, our limits and our way of versioning files. */
#include "catalog/db.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"

enum { QUERY_LIMIT_US = 1000 * 1000, PROGRESS_STEPS = 20000 };

static const struct {
    int id, value;
} limits[] = {
    /* The list of "Defense against the dark arts" (sqlite.org/security.html), with LENGTH and
     * VDBE_OP raised to what shelf blocks and the import's statements need. */
    {SQLITE_LIMIT_LENGTH, 4 << 20},
    {SQLITE_LIMIT_SQL_LENGTH, 100000},
    {SQLITE_LIMIT_COLUMN, 100},
    {SQLITE_LIMIT_EXPR_DEPTH, 50},
    {SQLITE_LIMIT_COMPOUND_SELECT, 3},
    {SQLITE_LIMIT_VDBE_OP, 25000},
    {SQLITE_LIMIT_FUNCTION_ARG, 8},
    {SQLITE_LIMIT_ATTACHED, 1},
    {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50},
    {SQLITE_LIMIT_VARIABLE_NUMBER, 20},
    {SQLITE_LIMIT_TRIGGER_DEPTH, 10},
};

static int code_of(int sqlite_code)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_FORMAT;
    case SQLITE_NOMEM:
        return ERR_NO_MEMORY;
    case SQLITE_TOOBIG:
        return ERR_RANGE;
    default:
        return ERR_IO;
    }
}

/* What people can do something with, for the faults that they meet; else NULL. */
static const char *plain_words(int sqlite_code)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_NOTADB:
        return "this is not a database";
    case SQLITE_CORRUPT:
        return "the file is damaged";
    case SQLITE_FULL:
        return "the disk is full";
    case SQLITE_READONLY:
        return "it may not be written to";
    default:
        return NULL;
    }
}

int db_fail(sqlite3 *db, const char *what, struct err *err)
{
    int code = sqlite3_errcode(db);
    const char *file = sqlite3_db_filename(db, "main"), *plain = plain_words(code);
    bool named = file != NULL && file[0] != '\0';
    return err_set(err, code_of(code), "%s%s%s%s%s", named ? file : "", named ? ": " : "",
                   plain != NULL ? plain : what, plain != NULL ? "" : ": ",
                   plain != NULL ? "" : sqlite3_errmsg(db));
}

char *db_uri(const char *path, const char *query)
{
    struct str uri = {0};
    str_addf(&uri, path[0] == '/' ? "file://" : "file:");
    for (const char *s = path; *s != '\0'; s++)
        str_addf(&uri, strchr("%?#", *s) != NULL ? "%%%02X" : "%c", (unsigned char)*s);
    str_addf(&uri, "?%s", query);
    return uri.s;
}

/* `name` is what SQLite gets, `path` what people see. */
static int open_named(sqlite3 **out, const char *name, const char *path, int flags,
                      struct err *err)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(name, &db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        const char *why = db != NULL ? sqlite3_errmsg(db) : "out of memory";
        if (db != NULL && sqlite3_system_errno(db) != 0)
            why = strerror(sqlite3_system_errno(db));
        int rc = err_set(err, ERR_IO, "%s: %s", path, why);
        sqlite3_close(db);
        return rc;
    }
    sqlite3_extended_result_codes(db, 1);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        sqlite3_limit(db, limits[i].id, limits[i].value);
    *out = db;
    return ERR_OK;
}

int db_open(sqlite3 **out, const char *path, int flags, struct err *err)
{
    bool memory = strcmp(path, ":memory:") == 0;
    char *uri = memory ? mem_strdup(path) : db_uri(path, "");
    int rc = open_named(out, uri, path, flags | SQLITE_OPEN_URI, err);
    free(uri);
    return rc;
}

int db_open_immutable(sqlite3 **out, const char *path, struct err *err)
{
    char *uri = db_uri(path, "immutable=1");
    int rc = open_named(out, uri, path, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
    free(uri);
    return rc;
}

void db_close(sqlite3 *db)
{
    sqlite3_close(db);
}

static int refuse_all_but_reading(void *unused, int action, const char *a, const char *b,
                                  const char *c, const char *d)
{
    (void)unused, (void)b, (void)c, (void)d;
    switch (action) {
    case SQLITE_UPDATE: /* FTS5 declares its columns so; the file itself is open for reading only */
        return strcmp(a, "sqlite_master") == 0 ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_FUNCTION:
        return SQLITE_OK;
    case SQLITE_PRAGMA: /* FTS5 asks for data_version, `catalog check` for quick_check */
        return strcmp(a, "data_version") == 0 || strcmp(a, "integrity_check") == 0 ||
                       strcmp(a, "application_id") == 0 || strcmp(a, "user_version") == 0 ||
                       strcmp(a, "quick_check") == 0
                   ? SQLITE_OK
                   : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

/* One clock for all connections of a thread: each query begins by restarting it. It stands still
 * while the thread waits for a processor or the disk, so a busy machine ends no honest query. */
static _Thread_local int64_t query_began_us;

static int out_of_time(void *unused)
{
    (void)unused;
    return clock_thread_us() - query_began_us > QUERY_LIMIT_US;
}

void db_restart_clock(void)
{
    query_began_us = clock_thread_us();
}

int db_make_read_only(sqlite3 *db, struct err *err)
{
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    /* A small cache: the walk reads many pages once, and the system keeps them as well. */
    int rc = db_exec(db, "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA query_only=ON;"
                         "PRAGMA cache_size=-2000;",
                     err);
    sqlite3_set_authorizer(db, refuse_all_but_reading, NULL);
    sqlite3_progress_handler(db, PROGRESS_STEPS, out_of_time, NULL);
    db_restart_clock();
    return rc;
}

int db_exec(sqlite3 *db, const char *sql, struct err *err)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return db_fail(db, "cannot read or write", err);
    return ERR_OK;
}

int db_execf(sqlite3 *db, struct err *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *sql = sqlite3_vmprintf(fmt, args);
    va_end(args);
    if (sql == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for a statement");
    int rc = db_exec(db, sql, err);
    sqlite3_free(sql);
    return rc;
}

int db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out, struct err *err)
{
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) != SQLITE_OK)
        return db_fail(db, "cannot read the tables", err);
    return ERR_OK;
}

int db_step(sqlite3_stmt *st, struct err *err)
{
    switch (sqlite3_step(st)) {
    case SQLITE_ROW:
        return 1;
    case SQLITE_DONE:
        return 0;
    default:
        return db_fail(sqlite3_db_handle(st), "cannot read or write", err);
    }
}

int db_run(sqlite3_stmt *st, struct err *err)
{
    int rc = db_step(st, err);
    sqlite3_reset(st);
    return rc < 0 ? rc : ERR_OK;
}

int db_value(sqlite3 *db, const char *sql, int64_t *out, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = db_prepare(db, sql, &st, err);
    if (rc < 0)
        return rc;
    rc = db_step(st, err);
    if (rc == 1)
        *out = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return rc < 0 ? rc : ERR_OK;
}

bool db_has_table(sqlite3 *db, const char *schema, const char *name)
{
    return sqlite3_table_column_metadata(db, schema, name, NULL, NULL, NULL, NULL, NULL, NULL) ==
           SQLITE_OK;
}

const char *db_text(sqlite3_stmt *st, int column)
{
    const unsigned char *s = sqlite3_column_text(st, column);
    return s != NULL ? (const char *)s : "";
}

static int read_identity(sqlite3 *db, int64_t *file_id, int64_t *version, struct err *err)
{
    int rc = db_value(db, "PRAGMA application_id", file_id, err);
    return rc < 0 ? rc : db_value(db, "PRAGMA user_version", version, err);
}

static int refuse_foreign(sqlite3 *db, struct err *err)
{
    return err_set(err, ERR_UNSUPPORTED, "%s: this is the database of another program",
                   sqlite3_db_filename(db, "main"));
}

int db_check_identity(sqlite3 *db, int file_id, int version, struct err *err)
{
    int64_t found_id = 0, found = 0;
    int rc = read_identity(db, &found_id, &found, err);
    if (rc < 0)
        return rc;
    if (found_id != file_id)
        return refuse_foreign(db, err);
    if (found == version)
        return ERR_OK;
    return err_set(err, ERR_UNSUPPORTED, "%s: written by %s version of moodreel (format %d, this "
                   "one reads %d); %s", sqlite3_db_filename(db, "main"),
                   found > version ? "a newer" : "an older", (int)found, version,
                   found > version ? "update moodreel" : "import the lists again");
}

static int apply_steps(sqlite3 *db, int file_id, int from, const char *const *steps, int count,
                       struct err *err)
{
    int rc = ERR_OK;
    for (int i = from; i < count && rc == ERR_OK; i++)
        rc = db_exec(db, steps[i], err);
    if (rc == ERR_OK)
        rc = db_execf(db, err, "PRAGMA application_id=%d; PRAGMA user_version=%d", file_id, count);
    return rc;
}

int db_migrate(sqlite3 *db, int file_id, const char *const *steps, int count, struct err *err)
{
    int64_t found_id = 0, version = 0, tables = 0;
    int rc = db_exec(db, "BEGIN IMMEDIATE", err); /* two programs may start at once */
    if (rc < 0)
        return rc;
    rc = read_identity(db, &found_id, &version, err);
    if (rc == ERR_OK)
        rc = db_value(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (rc == ERR_OK && found_id != file_id && (found_id != 0 || version != 0 || tables != 0))
        rc = refuse_foreign(db, err);
    if (rc == ERR_OK && (version < 0 || version > count))
        rc = db_check_identity(db, file_id, count, err);
    if (rc == ERR_OK && version < count)
        rc = apply_steps(db, file_id, (int)version, steps, count, err);
    if (rc == ERR_OK)
        rc = db_exec(db, "COMMIT", err);
    if (rc < 0)
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}
