/* Imports that end early, bad files, hostile databases: the old catalogue stays. */
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "catalog/importing.h"

static void bad_files_leave_the_old_catalogue(void **state)
{
    (void)state;
    struct err err = {0};
    size_t len = 0;
    importing_put_imdb();
    fixture_check(importing_run(IMPORT_IMDB, importing_dir, NULL, &err), &err);
    void *before = importing_bytes("catalog.db", &len);
    importing_put("title.basics.tsv", "wrong\theader\n1\t2\n");
    assert_int_equal(importing_run(IMPORT_IMDB, importing_dir, NULL, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "title.basics.tsv"));
    assert_non_null(strstr(err.text, "tconst"));
    importing_unchanged(before, len);
    remove(importing_path("title.basics.tsv"));
    assert_int_equal(importing_run(IMPORT_IMDB, importing_dir, NULL, &err), ERR_NOT_FOUND);
    importing_unchanged(before, len);
    assert_true(importing_run(IMPORT_MOVIES, importing_path("absent.csv"), NULL, &err) < 0);
    assert_true(importing_run(IMPORT_MOVIELENS, importing_dir, NULL, &err) < 0);
    importing_put("empty.csv", "title,year\n");
    assert_int_equal(importing_run(IMPORT_MOVIES, importing_path("empty.csv"), NULL, &err),
                     ERR_FORMAT);
    importing_unchanged(before, len);
    free(before);
}

static bool stop_at_once(const struct import_stats *s, void *payload)
{
    (void)s;
    ++*(int *)payload;
    return false;
}

static void an_import_can_be_stopped(void **state)
{
    (void)state;
    struct err err = {0};
    int calls = 0;
    size_t len = 0;
    fixture_build(importing_dir);
    void *before = importing_bytes("catalog.db", &len);
    importing_put_many(40000);
    struct import_options o = {.kind = IMPORT_MOVIES,
                               .path = importing_path("many.csv"),
                               .catalog = importing_path("catalog.db"),
                               .progress = stop_at_once,
                               .payload = &calls};
    assert_int_equal(import_run(&o, NULL, &err), ERR_STOPPED);
    assert_int_equal(calls, 1);
    importing_unchanged(before, len);
    free(before);
}

/* As if by another process: the other one's catalogue takes the place of the old one. */
static bool replace_meanwhile(const struct import_stats *s, void *payload)
{
    int *calls = payload;
    (void)s;
    if ((*calls)++ == 0)
        rename(importing_path("other.db"), importing_path("catalog.db"));
    return true;
}

static void of_two_imports_at_once_none_is_lost(void **state)
{
    (void)state;
    struct err err = {0};
    int calls = 0;
    size_t len = 0;
    importing_put_many(4000);
    fixture_build(importing_dir);
    importing_put("m.csv", "title,year\nThe Other One,2020\n");
    struct import_options other = {.kind = IMPORT_MOVIES,
                                   .path = importing_path("m.csv"),
                                   .catalog = importing_path("other.db"),
                                   .replace = true};
    fixture_check(import_run(&other, NULL, &err), &err);
    void *wanted = importing_bytes("other.db", &len);
    struct import_options o = {.kind = IMPORT_MOVIES,
                               .path = importing_path("many.csv"),
                               .catalog = importing_path("catalog.db"),
                               .progress = replace_meanwhile,
                               .payload = &calls};
    assert_int_equal(import_run(&o, NULL, &err), ERR_IO);
    assert_non_null(strstr(err.text, "another import"));
    importing_unchanged(wanted, len);
    free(wanted);
}

/* Kills the importing process at growing moments; the old catalogue always opens and is sound. */
static void a_killed_import_changes_nothing(void **state)
{
    (void)state;
    size_t len = 0;
    fixture_build(importing_dir);
    void *before = importing_bytes("catalog.db", &len);
    importing_put_many(20000);
    for (int i = 0; i < 12; i++) {
        struct timespec wait = {0, 3 * 1000 * 1000 * i};
        pid_t child = fork();
        if (child == 0) {
            importing_run(IMPORT_MOVIES, importing_path("many.csv"), NULL, NULL);
            _exit(0);
        }
        nanosleep(&wait, NULL); /* not a synchronisation: any moment will do */
        kill(child, SIGKILL);
        int status = 0;
        waitpid(child, &status, 0);
        if (WIFSIGNALED(status))
            importing_unchanged(before, len);
        else
            i = 12; /* it got through: from here on there is nothing left to kill */
        catalog_close(importing_open());
    }
    free(before);
}

static void what_killed_imports_left_is_removed(void **state)
{
    (void)state;
    char name[64];
    struct err err = {0};
    fixture_build(importing_dir);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    snprintf(name, sizeof name, "catalog.db.%ld.tmp", (long)child);
    importing_put(name, "half a catalogue");
    importing_put("catalog.db.1.tmp", "of a process that lives");
    importing_put("catalog.db.copy.tmp", "not ours");
    importing_put_many(10);
    fixture_check(importing_run(IMPORT_MOVIES, importing_path("many.csv"), NULL, &err), &err);
    assert_int_not_equal(access(importing_path(name), F_OK), 0);
    assert_int_equal(access(importing_path("catalog.db.1.tmp"), F_OK), 0);
    assert_int_equal(access(importing_path("catalog.db.copy.tmp"), F_OK), 0);
}

/* A disk that takes no more than `limit` bytes of a file: the write fails wherever that is. */
static void a_full_disk_changes_nothing(void **state)
{
    (void)state;
    size_t len = 0;
    fixture_build(importing_dir);
    void *before = importing_bytes("catalog.db", &len);
    importing_put_many(3000);
    for (rlim_t limit = 4096; limit < 400 * 1024; limit += 45 * 1024) {
        pid_t child = fork();
        if (child == 0) {
            struct rlimit r = {limit, limit};
            struct err err = {0};
            signal(SIGXFSZ, SIG_IGN);
            setrlimit(RLIMIT_FSIZE, &r);
            int rc = importing_run(IMPORT_MOVIES, importing_path("many.csv"), NULL, &err);
            bool named = strstr(err.text, "catalog.db") != NULL && strstr(err.text, ".tmp") == NULL;
            _exit(rc == ERR_IO && named ? 0 : 1);
        }
        int status = 0;
        waitpid(child, &status, 0);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        importing_unchanged(before, len);
    }
    free(before);
}

static void make_database(const char *name, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(importing_path(name), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void open_refused(const char *name, const char *words)
{
    struct catalog *c = NULL;
    struct err err = {0};
    assert_true(catalog_open(&c, importing_path(name), &err) < 0);
    if (strstr(err.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static void foreign_newer_and_broken_databases_are_refused(void **state)
{
    (void)state;
    fixture_build(importing_dir);
    make_database("foreign.db", "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
    make_database("newer.db", "CREATE TABLE t(x); PRAGMA application_id=1299141221;"
                              "PRAGMA user_version=99");
    importing_put("text.db",
                  "just some text that is not a database at all, long enough to be looked at");
    importing_put("empty.db", "");
    open_refused("foreign.db", "another program");
    open_refused("newer.db", "newer version");
    open_refused("text.db", "not a database");
    open_refused("empty.db", "empty");
    open_refused("absent.db", "absent.db");
    open_refused(".", "not a catalogue file");
    make_database("catalog.db", "CREATE TRIGGER t AFTER INSERT ON title BEGIN SELECT 1; END");
    open_refused("catalog.db", "triggers or views");
    struct err err = {0};
    struct import_options o = {
        .kind = IMPORT_STARTER, .path = importing_dir, .catalog = importing_path("foreign.db")};
    assert_true(import_run(&o, NULL, &err) < 0); /* another program's file is not overwritten */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, importing_begin, importing_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bad_files_leave_the_old_catalogue),
        TEST(an_import_can_be_stopped),
        TEST(of_two_imports_at_once_none_is_lost),
        TEST(a_killed_import_changes_nothing),
        TEST(what_killed_imports_left_is_removed),
        TEST(a_full_disk_changes_nothing),
        TEST(foreign_newer_and_broken_databases_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
