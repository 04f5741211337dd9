/* The user's own database. See feedback.h for what it promises. */
#include "catalog/feedback.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "catalog/catalog.h"
#include "catalog/db.h"
#include "embedded.h"

enum { USER_FILE_ID = 0x4d6f5265 + 1, BUSY_MS = 5000, DAY_S = 24 * 60 * 60 };

static const char *const steps[] = {sql_user_001};
enum { STEP_COUNT = sizeof steps / sizeof steps[0] };

#define FAULTS "SELECT count(*) FROM pragma_quick_check WHERE quick_check <> 'ok'"

struct feedback {
    sqlite3 *db;
    int64_t changes; /* made through this connection */
};

static int open_database(sqlite3 **out, const char *path, struct err *err)
{
    sqlite3 *db = NULL;
    int64_t fault = 0;
    int rc = db_open(&db, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
    if (rc < 0)
        return rc;
    sqlite3_busy_timeout(db, BUSY_MS);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    rc = db_exec(db, "PRAGMA cell_size_check=ON; PRAGMA synchronous=FULL;"
                     "PRAGMA secure_delete=ON; PRAGMA journal_mode=DELETE;",
                 err);
    if (rc == ERR_OK)
        rc = db_migrate(db, USER_FILE_ID, steps, STEP_COUNT, err);
    if (rc == ERR_OK) /* small file: the whole check takes a millisecond */
        rc = db_value(db, FAULTS, &fault, err);
    if (rc == ERR_OK && fault != 0)
        rc = err_set(err, ERR_FORMAT, "%s: damaged", path);
    if (rc < 0)
        db_close(db);
    else
        *out = db;
    return rc;
}

/* "<path>.damaged", or the first of "<path>.damaged-2", ... that is not there yet. */
static void name_aside(struct str *out, const char *path)
{
    str_addf(out, "%s.damaged", path);
    for (int i = 2; access(out->s, F_OK) == 0; i++) {
        str_clear(out);
        str_addf(out, "%s.damaged-%d", path, i);
    }
}

/* Keeps the damaged file for whoever wants to rescue it, and begins a fresh one. */
static int replace_damaged(sqlite3 **out, const char *path, struct err *err)
{
    struct str aside = {0};
    name_aside(&aside, path);
    int rc = rename(path, aside.s) == 0 ? ERR_OK : err_errno(err, path);
    str_free(&aside);
    if (rc < 0)
        return rc;
    err_clear(err);
    return open_database(out, path, err);
}

static int user_folder(char *out, size_t cap, struct err *err)
{
    return path_user_dir("data", out, cap)
               ? ERR_OK
               : err_set(err, ERR_NOT_FOUND, "no home folder to remember likes in");
}

static int user_path(char *out, size_t cap, struct err *err)
{
    char folder[4000];
    int rc = user_folder(folder, sizeof folder, err);
    if (rc == ERR_OK)
        rc = path_make_dirs(folder, err);
    snprintf(out, cap, "%s/user.db", rc == ERR_OK ? folder : "");
    return rc;
}

/* Can the folder be written, or made in the nearest one above that exists? */
static int check_folder(const char *folder, struct err *err)
{
    char path[4000];
    snprintf(path, sizeof path, "%s", folder);
    while (access(path, F_OK) != 0 && strrchr(path, '/') > path)
        *strrchr(path, '/') = '\0';
    return access(path, W_OK | X_OK) == 0 ? ERR_OK : err_errno(err, path);
}

static int check_database(const char *path, struct err *err)
{
    sqlite3 *db = NULL;
    int64_t fault = 0;
    int rc = db_open(&db, path, SQLITE_OPEN_READONLY, err);
    if (rc == ERR_OK)
        rc = db_make_read_only(db, err);
    if (rc == ERR_OK)
        rc = db_check_identity(db, USER_FILE_ID, STEP_COUNT, err);
    if (rc == ERR_OK)
        rc = db_value(db, FAULTS, &fault, err);
    if (rc == ERR_OK && fault != 0)
        rc = err_set(err, ERR_FORMAT, "%s: damaged", path);
    db_close(db);
    return rc;
}

int feedback_check(char *path, size_t cap, struct err *err)
{
    char folder[4000];
    path[0] = '\0';
    int rc = user_folder(folder, sizeof folder, err);
    if (rc < 0)
        return rc;
    snprintf(path, cap, "%s/user.db", folder);
    rc = check_folder(folder, err);
    if (rc < 0 || access(path, F_OK) != 0)
        return rc;
    return access(path, W_OK) == 0 ? check_database(path, err) : err_errno(err, path);
}

int feedback_open(struct feedback **out, const char *path, bool *moved, struct err *err)
{
    char own[4096];
    struct err first = {0};
    sqlite3 *db = NULL;
    if (moved != NULL)
        *moved = false;
    if (path == NULL) {
        int rc = user_path(own, sizeof own, err);
        if (rc < 0)
            return rc;
        path = own;
    }
    int rc = open_database(&db, path, &first);
    if (rc == ERR_FORMAT && strcmp(path, ":memory:") != 0) {
        rc = replace_damaged(&db, path, &first);
        if (moved != NULL)
            *moved = rc == ERR_OK;
    }
    if (rc < 0)
        return err_set(err, rc, "%s", first.text);
    struct feedback *f = mem_new(1, sizeof *f);
    f->db = db;
    *out = f;
    return ERR_OK;
}

void feedback_close(struct feedback *f)
{
    if (f == NULL)
        return;
    db_close(f->db);
    free(f);
}

static int set_column(struct feedback *f, const struct title *t, const char *column, int value,
                      struct err *err)
{
    f->changes++;
    return db_execf(f->db, err,
                    "INSERT INTO title(id, name, %s, changed) VALUES(%lld, %Q, %d, %lld)"
                    " ON CONFLICT(id) DO UPDATE SET name=excluded.name, %s=excluded.%s,"
                    " changed=excluded.changed",
                    column, (long long)t->id, t->name, value, (long long)time(NULL), column,
                    column);
}

int feedback_set_opinion(struct feedback *f, const struct title *t, enum opinion o,
                         struct err *err)
{
    return set_column(f, t, "opinion", (int)o, err);
}

int feedback_set_seen(struct feedback *f, const struct title *t, bool seen, struct err *err)
{
    return set_column(f, t, "seen", seen, err);
}

int feedback_set_later(struct feedback *f, const struct title *t, bool later, struct err *err)
{
    return set_column(f, t, "later", later, err);
}

static int column_of(struct feedback *f, int64_t title, const char *column)
{
    char query[100];
    int64_t value = 0;
    snprintf(query, sizeof query, "SELECT %s FROM title WHERE id=%lld", column,
             (long long)title);
    return db_value(f->db, query, &value, NULL) == ERR_OK ? (int)value : 0;
}

enum opinion feedback_opinion(struct feedback *f, int64_t title)
{
    int value = column_of(f, title, "opinion");
    return value > 0 && value < OPINION_COUNT ? (enum opinion)value : OPINION_NONE;
}

bool feedback_is_seen(struct feedback *f, int64_t title)
{
    return column_of(f, title, "seen") != 0;
}

bool feedback_is_later(struct feedback *f, int64_t title)
{
    return column_of(f, title, "later") != 0;
}

int feedback_add_shown(struct feedback *f, const int64_t *titles, int count, struct err *err)
{
    sqlite3_stmt *put = NULL;
    if (count == 0)
        return ERR_OK;
    f->changes++;
    int rc = db_prepare(f->db, "INSERT OR REPLACE INTO shown(title, at) VALUES(?, ?)", &put, err);
    if (rc == ERR_OK)
        rc = db_exec(f->db, "BEGIN IMMEDIATE", err);
    for (int i = 0; i < count && rc == ERR_OK; i++) {
        sqlite3_bind_int64(put, 1, titles[i]);
        sqlite3_bind_int64(put, 2, time(NULL));
        rc = db_run(put, err);
    }
    sqlite3_finalize(put);
    if (rc == ERR_OK)
        rc = db_exec(f->db, "COMMIT", err);
    if (rc < 0)
        sqlite3_exec(f->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

int feedback_forget_shown(struct feedback *f, struct err *err)
{
    f->changes++;
    return db_exec(f->db, "DELETE FROM shown", err);
}

typedef void line_fn(const char *text, void *payload);

static void export_row(sqlite3_stmt *st, line_fn *line, void *payload)
{
    static const char *const opinions[] = {"", "like", "not for me"};
    struct str text = {0};
    char at[32] = "";
    time_t when = (time_t)sqlite3_column_int64(st, 5);
    struct tm tm;
    int opinion = sqlite3_column_int(st, 2);
    char imdb[24];
    title_imdb_id(sqlite3_column_int64(st, 0), imdb, sizeof imdb);
    if (gmtime_r(&when, &tm) != NULL)
        strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &tm);
    str_addf(&text, "%s%s%s%s\t%s\t%s\t%s", opinion > 0 && opinion < 3 ? opinions[opinion] : "",
             sqlite3_column_int(st, 3) ? " seen" : "", sqlite3_column_int(st, 4) ? " later" : "",
             sqlite3_column_int(st, 6) ? " shown" : "", imdb[0] != '\0' ? imdb : db_text(st, 0),
             db_text(st, 1), at);
    line(text.s + (text.s[0] == ' '), payload);
    str_free(&text);
}

int feedback_export(struct feedback *f, line_fn *line, void *payload, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = db_prepare(f->db,
                        "SELECT id, name, opinion, seen, later, changed AS at, 0 FROM title"
                        " UNION ALL SELECT title, '', 0, 0, 0, at, 1 FROM shown ORDER BY at",
                        &st, err);
    if (rc < 0)
        return rc;
    while ((rc = db_step(st, err)) == 1)
        export_row(st, line, payload);
    sqlite3_finalize(st);
    return rc;
}

int feedback_clear_all(struct feedback *f, struct err *err)
{
    f->changes++;
    int rc = db_exec(f->db, "BEGIN IMMEDIATE; DELETE FROM title; DELETE FROM shown; COMMIT;", err);
    if (rc < 0)
        sqlite3_exec(f->db, "ROLLBACK", NULL, NULL, NULL);
    return rc == ERR_OK ? db_exec(f->db, "VACUUM", err) : rc;
}

int64_t feedback_revision(struct feedback *f)
{
    int64_t others = 0;
    db_value(f->db, "PRAGMA data_version", &others, NULL);
    return (others << 32) + f->changes;
}

static int each_entry(sqlite3_stmt *st, feedback_entry_fn *fn, void *payload, struct err *err)
{
    int rc;
    while ((rc = db_step(st, err)) == 1) {
        struct feedback_entry e = {.title = sqlite3_column_int64(st, 0),
                                   .opinion = (enum opinion)sqlite3_column_int(st, 1),
                                   .seen = sqlite3_column_int(st, 2) != 0,
                                   .later = sqlite3_column_int(st, 3) != 0,
                                   .shown = sqlite3_column_int(st, 4) != 0};
        fn(&e, payload);
    }
    return rc;
}

int feedback_each(struct feedback *f, int shown_days, feedback_entry_fn *fn, void *payload,
                  struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = db_prepare(f->db,
                        "SELECT * FROM (SELECT id, opinion, seen, later, 0 FROM title"
                        " ORDER BY changed DESC, id)"
                        " UNION ALL SELECT title, 0, 0, 0, 1 FROM shown WHERE at >= ?",
                        &st, err);
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(st, 1, time(NULL) - (int64_t)shown_days * DAY_S);
    rc = each_entry(st, fn, payload, err);
    sqlite3_finalize(st);
    return rc;
}
