/* The frame of every import: new file, old content carried over, one transaction, rename. */
#include "catalog/import.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "base/thread.h"
#include "catalog/db.h"
#include "catalog/import_internal.h"
#include "embedded.h"

enum { TELL_EVERY_US = 100 * 1000, TICK_ROWS = 1024, STEPS_A_CALL = 10000 };

static const struct {
    const char *name;
    int (*run)(struct import *im, struct err *err);
} kinds[IMPORT_KIND_COUNT] = {
    [IMPORT_IMDB] = {"imdb", import_imdb},
    [IMPORT_MOVIELENS] = {"movielens", import_movielens},
    [IMPORT_MOVIES] = {"movies", import_movies},
    [IMPORT_SONGS] = {"songs", import_songs},
    [IMPORT_REVIEWS] = {"reviews", import_reviews},
    [IMPORT_STARTER] = {"starter", import_starter},
};

const char *import_kind_name(enum import_kind kind)
{
    return (unsigned)kind < IMPORT_KIND_COUNT ? kinds[kind].name : "?";
}

bool import_kind_parse(const char *name, enum import_kind *out)
{
    for (int i = 0; i < IMPORT_KIND_COUNT; i++)
        if (strcasecmp(name, kinds[i].name) == 0) {
            *out = (enum import_kind)i;
            return true;
        }
    return false;
}

void import_stage(struct import *im, const char *name, int64_t rows)
{
    im->stats.stage = name;
    im->stats.stage_rows = 0;
    im->stats.stage_total = rows;
    im->stats.bytes = im->stats.bytes_total = 0;
    im->stage_began_us = clock_now_us();
    im->told_us = 0; /* the new name is shown at once */
}

static int tell(struct import *im, struct table *t, struct err *err)
{
    int64_t now = clock_now_us();
    if (im->options->progress == NULL || now - im->told_us < TELL_EVERY_US)
        return ERR_OK;
    im->told_us = now;
    im->stats.seconds = (double)(now - im->began_us) / 1e6;
    im->stats.stage_seconds = (double)(now - im->stage_began_us) / 1e6;
    if (t != NULL)
        table_progress(t, &im->stats.bytes, &im->stats.bytes_total);
    if (im->options->progress(&im->stats, im->options->payload))
        return ERR_OK;
    return err_set(err, ERR_STOPPED, "import stopped; the catalogue is unchanged");
}

int import_tick(struct import *im, struct table *t, struct err *err)
{
    im->stats.rows += t != NULL; /* derived tables read no rows of a file */
    im->stats.stage_rows++;
    return im->stats.stage_rows % TICK_ROWS == 0 ? tell(im, t, err) : ERR_OK;
}

int import_share(struct import *im, double share, struct err *err)
{
    im->stats.stage_rows = (int64_t)(fmin(share, 1) * (double)im->stats.stage_total);
    return tell(im, NULL, err);
}

/* A statement under way. */
struct sql_run {
    struct import *im;
    int64_t rows_before, calls;
    int steps_a_row;
    struct err *err;
    int rc;
};

static int count_steps(void *payload)
{
    struct sql_run *run = payload;
    struct import_stats *s = &run->im->stats;
    int64_t rows = run->rows_before + ++run->calls * STEPS_A_CALL / run->steps_a_row;
    s->stage_rows = rows < s->stage_total ? rows : s->stage_total;
    run->rc = tell(run->im, NULL, run->err);
    return run->rc < 0;
}

int import_sql(struct import *im, const char *sql, int64_t parameter, int steps, struct err *err)
{
    struct sql_run run = {im, im->stats.stage_rows, 0, steps, err, ERR_OK};
    struct err why = {0};
    sqlite3_stmt *st = NULL;
    int rc = db_prepare(im->db, sql, &st, err);
    if (rc < 0)
        return rc;
    if (sqlite3_bind_parameter_count(st) > 0)
        sqlite3_bind_int64(st, 1, parameter);
    sqlite3_progress_handler(im->db, STEPS_A_CALL, count_steps, &run);
    rc = db_run(st, &why);
    sqlite3_progress_handler(im->db, 0, NULL, NULL);
    sqlite3_finalize(st);
    if (rc < 0 && run.rc == ERR_OK)
        *err = why;
    return run.rc < 0 ? run.rc : rc;
}

void import_end_table(struct import *im, struct table *t, const char *name)
{
    int count = 0;
    const struct table_bad *bad = table_first_bad(t, &count);
    for (int i = 0; i < count && im->stats.bad_shown < IMPORT_SHOWN_BAD; i++) {
        struct import_bad *to = &im->stats.first_bad[im->stats.bad_shown++];
        to->line = bad[i].line;
        snprintf(to->file, sizeof to->file, "%s", name);
        snprintf(to->reason, sizeof to->reason, "%s", bad[i].reason);
    }
    im->stats.bad += table_bad_rows(t);
}

bool import_find_file(const char *folder, const char *name, char *out)
{
    static const char *const endings[] = {"", ".gz", "/data.tsv", ".gz/data.tsv"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        struct stat st;
        struct str path = {0};
        str_addf(&path, "%s/%s%s", folder, name, endings[i]);
        bool found = path.len < 4096 && stat(path.s, &st) == 0 && !S_ISDIR(st.st_mode);
        if (found)
            memcpy(out, path.s, path.len + 1);
        str_free(&path);
        if (found)
            return true;
    }
    return false;
}

/* What an import keeps of the old catalogue. ?1 is the bit of the source that is imported anew:
 * titles only it knew are left out (0: nothing is left out). Order: titles first. */
static const struct {
    const char *stage, *table, *sql;
    int steps; /* of SQLite's machine for each row, at the most */
} carry_over[] = {
    {"old sources", "source", "INSERT INTO source SELECT * FROM old.source WHERE bit <> ?1", 20},
    {"old genres", "genre_set", "INSERT INTO genre_set SELECT * FROM old.genre_set", 20},
    {"old titles", "title", "INSERT INTO title SELECT * FROM old.title WHERE sources & ~?1", 34},
    {"old people", "person",
     "INSERT INTO person SELECT * FROM old.person WHERE ?1 = 0 OR EXISTS (SELECT 1"
     " FROM old.credit JOIN title ON title.id = credit.title WHERE credit.person = person.id)", 28},
    {"old credits", "credit",
     "INSERT INTO credit SELECT c.* FROM old.credit c WHERE ?1 = 0 OR c.title IN"
     " (SELECT id FROM title)", 28},
    {"old languages", "title_language",
     "INSERT INTO title_language SELECT l.* FROM old.title_language l WHERE ?1 = 0 OR"
     " l.title IN (SELECT id FROM title)", 25},
    {"old tags", "tag", "INSERT INTO tag SELECT t.* FROM old.tag t", 20},
    {"old reviews", "review", "INSERT INTO review SELECT r.* FROM old.review r", 20},
    {"old likings", "similar", "INSERT INTO similar SELECT s.* FROM old.similar s", 20},
};

static int copy_tables(struct import *im, int64_t dropped, struct err *err)
{
    int rc = ERR_OK;
    for (size_t i = 0; i < sizeof carry_over / sizeof carry_over[0] && rc == ERR_OK; i++) {
        int64_t rows = 0;
        char count[64];
        snprintf(count, sizeof count, "SELECT count(*) FROM old.%s", carry_over[i].table);
        rc = db_value(im->db, count, &rows, err);
        import_stage(im, carry_over[i].stage, rows);
        if (rc == ERR_OK)
            rc = import_sql(im, carry_over[i].sql, dropped, carry_over[i].steps, err);
    }
    return rc;
}

/* Where the content that stays comes from: the old catalogue, or the starter one for a first
 * import. "" for none. */
static int find_base(const struct import_options *o, const char *target, char *base, size_t cap,
                     struct err *err)
{
    struct catalog *old = NULL;
    base[0] = '\0';
    if (o->replace)
        return ERR_OK;
    if (access(target, F_OK) == 0)
        snprintf(base, cap, "%s", target);
    else if (o->kind == IMPORT_STARTER || !path_find_data("starter.db", base, cap))
        base[0] = '\0';
    if (base[0] == '\0')
        return ERR_OK;
    int rc = catalog_open(&old, base, err); /* refuses what is damaged or not ours */
    catalog_close(old);
    return rc < 0 ? err_prefix(err, "the catalogue that is there cannot be extended") : ERR_OK;
}

/* For reading only: names that the new file lacks would otherwise be looked up, and changed, in the
 * old one. */
static int attach_base(sqlite3 *db, const char *base, struct err *err)
{
    char *uri = db_uri(base, "mode=ro");
    int rc = db_execf(db, err, "ATTACH %Q AS old", uri);
    free(uri);
    return rc;
}

static int prepare_file(struct import *im, const char *base, int64_t dropped, struct err *err)
{
    int rc = db_exec(im->db,
                     "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA trusted_schema=OFF;"
                     "PRAGMA cache_size=-12000; PRAGMA locking_mode=EXCLUSIVE;",
                     err);
    if (rc == ERR_OK && base[0] != '\0')
        rc = attach_base(im->db, base, err);
    if (rc == ERR_OK)
        rc = db_exec(im->db, "BEGIN", err);
    if (rc == ERR_OK)
        rc = db_exec(im->db, sql_content_001, err);
    if (rc == ERR_OK && base[0] != '\0')
        rc = copy_tables(im, dropped, err);
    return rc;
}

static int note_source(struct import *im, int64_t bit, struct err *err)
{
    return db_execf(im->db, err,
                    "INSERT OR REPLACE INTO source(bit, name, detail) VALUES(%lld, %Q,"
                    " '%lld rows read, %lld kept, %lld left out as unreadable')",
                    (long long)bit, import_kind_name(im->options->kind),
                    (long long)im->stats.rows, (long long)im->stats.kept,
                    (long long)im->stats.bad);
}

static int nothing_kept(const struct import *im, struct err *err)
{
    bool bad = im->stats.bad_shown > 0;
    return err_set(err, ERR_FORMAT, "%s: nothing in it could be used (%lld rows read, %lld "
                   "unreadable%s%s); the catalogue is unchanged", im->options->path,
                   (long long)im->stats.rows, (long long)im->stats.bad, bad ? ", the first: " : "",
                   bad ? im->stats.first_bad[0].reason : "");
}

/* Everything between BEGIN and COMMIT. */
static int fill_file(struct import *im, int64_t bit, struct err *err)
{
    int rc = writer_create(&im->writer, im->db, (unsigned)bit, err);
    if (rc < 0)
        return rc;
    rc = kinds[im->options->kind].run(im, err);
    if (rc == ERR_OK)
        rc = writer_failed(im->writer, err);
    writer_destroy(im->writer);
    if (rc == ERR_OK && im->stats.kept == 0)
        rc = nothing_kept(im, err);
    if (rc == ERR_OK)
        rc = note_source(im, bit, err);
    if (rc == ERR_OK)
        rc = derive_tables(im, err);
    if (rc == ERR_OK)
        rc = db_execf(im->db, err, "PRAGMA application_id=%d; PRAGMA user_version=%d",
                      CATALOG_FILE_ID, CATALOG_VERSION);
    return rc == ERR_OK ? db_exec(im->db, "COMMIT", err) : rc;
}

/* SQLite does not say why a file cannot be made. */
static int begin_file(const char *aside, struct err *err)
{
    FILE *f = fopen(aside, "wb");
    if (f == NULL)
        return err_errno(err, aside);
    fclose(f);
    return ERR_OK;
}

/* Messages speak of the file that people know. */
static void name_target(struct err *err, const char *aside, const char *target)
{
    const char *ending = aside + strlen(target);
    char *at = err != NULL ? strstr(err->text, ending) : NULL;
    if (at != NULL)
        memmove(at, at + strlen(ending), strlen(at + strlen(ending)) + 1);
}

static int build_aside(struct import *im, const char *aside, const char *base, struct err *err)
{
    int64_t bit = (int64_t)1 << im->options->kind;
    /* Only IMDb's own files are complete enough to forget what is no longer in them. */
    int64_t dropped = im->options->kind == IMPORT_IMDB ? bit : 0;
    int rc = begin_file(aside, err);
    if (rc == ERR_OK)
        rc = db_open(&im->db, aside, SQLITE_OPEN_READWRITE, err);
    if (rc < 0)
        return rc;
    rc = prepare_file(im, base, dropped, err);
    if (rc == ERR_OK)
        rc = fill_file(im, bit, err);
    if (sqlite3_close(im->db) != SQLITE_OK && rc == ERR_OK)
        rc = err_set(err, ERR_IO, "%s: cannot be finished", aside);
    return rc;
}

/* true: `file` is what path_aside() of `name` was in a process that is gone. */
static bool is_orphan(const char *file, const char *name)
{
    size_t len = strlen(name);
    int64_t process = 0;
    char digits[24] = "";
    if (strncmp(file, name, len) != 0 || file[len] != '.')
        return false;
    size_t count = strspn(file + len + 1, "0123456789");
    if (count >= sizeof digits || strcmp(file + len + 1 + count, ".tmp") != 0)
        return false;
    memcpy(digits, file + len + 1, count);
    return parse_i64(digits, 1, INT32_MAX, &process) && kill((pid_t)process, 0) != 0 &&
           errno == ESRCH;
}

/* An import that was killed leaves its file, which may be large. */
static void remove_orphans(const char *target)
{
    const char *slash = strrchr(target, '/');
    const char *name = slash != NULL ? slash + 1 : target;
    char *folder = slash != NULL ? mem_strndup(target, (size_t)(name - target)) : mem_strdup("./");
    DIR *d = opendir(folder);
    struct dirent *entry;
    while (d != NULL && (entry = readdir(d)) != NULL)
        if (is_orphan(entry->d_name, name)) {
            struct str path = {0};
            str_addf(&path, "%s%s", folder, entry->d_name);
            unlink(path.s);
            str_free(&path);
        }
    if (d != NULL)
        closedir(d);
    free(folder);
}

static int make_folder_of(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return ERR_OK;
    char *folder = mem_strndup(path, (size_t)(slash - path));
    int rc = path_make_dirs(folder, err);
    free(folder);
    return rc;
}

static int find_target(const struct import_options *o, char *target, int cap, struct err *err)
{
    if (o->catalog != NULL)
        snprintf(target, (size_t)cap, "%s", o->catalog);
    else if (!catalog_user_path(target, cap))
        return err_set(err, ERR_NOT_FOUND, "no home folder to keep a catalogue in; name a file "
                       "with --catalog");
    return make_folder_of(target, err);
}

/* Which file is there; all zero: none. */
static struct stat look_at(const char *target)
{
    struct stat st;
    memset(&st, 0, sizeof st);
    if (stat(target, &st) != 0)
        memset(&st, 0, sizeof st);
    return st;
}

/* What another import put there since would be lost by the rename. */
static int still_there(const char *target, const struct stat *before, struct err *err)
{
    struct stat now = look_at(target);
    if (now.st_ino == before->st_ino && now.st_dev == before->st_dev &&
        now.st_mtim.tv_sec == before->st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == before->st_mtim.tv_nsec)
        return ERR_OK;
    return err_set(err, ERR_IO, "%s: another import has replaced it meanwhile; import again",
                   target);
}

int import_run(const struct import_options *o, struct import_stats *stats, struct err *err)
{
    struct import im = {.options = o, .began_us = clock_now_us()};
    char target[4096];
    char base[4096];
    int rc = find_target(o, target, sizeof target, err);
    if (rc < 0)
        return rc;
    struct stat before = look_at(target);
    rc = find_base(o, target, base, sizeof base, err);
    if (rc < 0)
        return rc;
    char *aside = path_aside(target);
    unlink(aside); /* of an earlier process with our number that was killed */
    remove_orphans(target);
    rc = build_aside(&im, aside, base, err);
    if (rc == ERR_OK)
        rc = still_there(target, &before, err);
    if (rc == ERR_OK)
        rc = path_commit(aside, target, err);
    else
        unlink(aside);
    if (rc < 0)
        name_target(err, aside, target);
    free(aside);
    im.stats.seconds = (double)(clock_now_us() - im.began_us) / 1e6;
    if (stats != NULL)
        *stats = im.stats;
    return rc;
}

int import_starter_in_memory(sqlite3 **out, const char *folder, struct err *err)
{
    const struct import_options options = {.kind = IMPORT_STARTER, .path = folder};
    struct import im = {.options = &options, .began_us = clock_now_us()};
    int rc = db_open(&im.db, ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
    if (rc < 0)
        return rc;
    rc = prepare_file(&im, "", 0, err);
    if (rc == ERR_OK)
        rc = fill_file(&im, 1 << IMPORT_STARTER, err);
    if (rc < 0)
        db_close(im.db);
    else
        *out = im.db;
    return rc;
}
