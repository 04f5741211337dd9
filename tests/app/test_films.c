/* films: whatever is wrong with the file of likes, there are films, and the file is not harmed. */
#include "support/testing.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_MODULE "test"
#include "base/log.h"
#include "base/path.h"
#include "catalog/feedback.h"
#include "films.h"

static char *dir;
static char user_db[1024], warning[1024];
static int warnings;

static void take_warning(enum log_level level, const char *module, const char *line, void *payload)
{
    (void)level, (void)module, (void)payload;
    warnings++;
    snprintf(warning, sizeof warning, "%s", line);
}

static int set_up(void **state)
{
    struct err err = {0};
    (void)state;
    dir = testing_make_dir();
    setenv("XDG_DATA_HOME", dir, 1);
    assert_int_equal(path_make_dirs(testing_path(dir, "moodreel"), &err), ERR_OK);
    snprintf(user_db, sizeof user_db, "%s", testing_path(dir, "moodreel/user.db"));
    warnings = 0;
    log_set_sink(take_warning, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_set_sink(NULL, NULL);
    testing_remove_dir(dir);
    return 0;
}

/* Opens, gets a list, likes its first title; says whether the next run still knows. */
static bool remembers(void)
{
    struct films_params p = {.top = 5, .memory = true};
    struct emotion_scores sad = emotion_pure(EMOTION_SAD);
    bool again;
    int64_t id = 0;
    for (int run = 0; run < 2; run++) {
        struct films *f = NULL;
        struct err err = {0};
        if (films_open(&f, &p, &err) < 0 || films_fetch(f, &sad, NULL, 0, false, &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(films_titles(f)->count, 5);
        again = films_titles(f)->v[0].id != id; /* what was shown gives way to others */
        id = films_titles(f)->v[0].id;
        assert_int_equal(films_opinion(f, 0, SESSION_LIKE, &err), ERR_OK);
        assert_true(films_marks(f)[0].liked);
        films_close(f);
    }
    return again;
}

static void test_likes_are_kept(void **state)
{
    (void)state;
    assert_true(remembers());
    assert_int_equal(warnings, 0);
}

static void check_memory_only(const char *says)
{
    assert_false(remembers());
    assert_int_equal(warnings, 2); /* once a run */
    if (!strstr(warning, says))
        fail_msg("\"%s\" does not say \"%s\"", warning, says);
}

static void test_no_home(void **state)
{
    (void)state;
    char *home = strdup(getenv("HOME") ? getenv("HOME") : "/");
    unsetenv("XDG_DATA_HOME");
    unsetenv("HOME");
    check_memory_only("no home folder");
    setenv("HOME", home, 1);
    free(home);
}

static void test_folder_that_cannot_be_made(void **state)
{
    (void)state;
    setenv("XDG_DATA_HOME", "/dev/null", 1);
    check_memory_only("/dev/null");
}

static void check_unchanged(const char *path, const void *data, size_t len)
{
    void *now;
    size_t now_len;
    struct err err = {0};
    assert_int_equal(path_read(path, &now, &now_len, 1 << 24, &err), ERR_OK);
    assert_int_equal(now_len, len);
    assert_memory_equal(now, data, len);
    free(now);
}

static void test_newer_file_is_left_alone(void **state)
{
    (void)state;
    struct feedback *f = NULL;
    struct err err = {0};
    sqlite3 *db;
    void *before;
    size_t len;
    assert_int_equal(feedback_open(&f, user_db, NULL, &err), ERR_OK);
    feedback_close(f);
    assert_int_equal(sqlite3_open(user_db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(path_read(user_db, &before, &len, 1 << 24, &err), ERR_OK);
    check_memory_only("a newer version of moodreel");
    check_unchanged(user_db, before, len);
    free(before);
}

static void test_damaged_files_are_all_kept(void **state)
{
    (void)state;
    static const char first[] = "not a database, the first one, long enough to be read as one";
    static const char second[] = "not a database, the second one, long enough to be read as one";
    testing_write(user_db, first, sizeof first);
    assert_true(remembers());
    testing_write(user_db, second, sizeof second);
    assert_true(remembers());
    assert_int_equal(warnings, 2);
    check_unchanged(testing_path(dir, "moodreel/user.db.damaged"), first, sizeof first);
    check_unchanged(testing_path(dir, "moodreel/user.db.damaged-2"), second, sizeof second);
}

static void test_the_check_only_looks(void **state)
{
    (void)state;
    char path[1024];
    struct err err = {0};
    static const char junk[] = "not a database at all, but somebody may want to rescue it";
    assert_int_equal(feedback_check(path, sizeof path, &err), ERR_OK);
    assert_string_equal(path, user_db);
    assert_int_not_equal(access(user_db, F_OK), 0);
    testing_write(user_db, junk, sizeof junk);
    assert_int_equal(feedback_check(path, sizeof path, &err), ERR_FORMAT);
    check_unchanged(user_db, junk, sizeof junk);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_likes_are_kept),
        TEST(test_no_home),
        TEST(test_folder_that_cannot_be_made),
        TEST(test_newer_file_is_left_alone),
        TEST(test_damaged_files_are_all_kept),
        TEST(test_the_check_only_looks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
