/* What the catalogue and the user's file make of writes and allocations that fail, and of damaged
 * bytes: every loop lets the n-th fail, once or from then on, for growing n. Whatever happens, the
 * answer is the right one or a sentence, and what was on the disk before is there after. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "catalog/feedback.h"
#include "catalog/fixture.h"
#include "catalog/policy.h"
#include "catalog/recommend.h"

static char *dir;
static struct policy *lift;

static int make_dir(void **state)
{
    (void)state;
    dir = testing_make_dir();
    lift = fixture_policy("lift");
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    policy_free(lift);
    testing_remove_dir(dir);
    return 0;
}

/* --- the faults ------------------------------------------------------------------------------ */

enum mode { ONCE, FROM_THEN_ON };

/* One kind of call that can be made to fail. */
struct fault {
    int calls_left; /* before the failure; < 0: none */
    enum mode mode;
    bool happened;
};

static struct fault disk = {.calls_left = -1}, memory = {.calls_left = -1};

static void arm(struct fault *f, int calls, enum mode mode)
{
    *f = (struct fault){calls, mode, false};
}

static void disarm(struct fault *f)
{
    f->calls_left = -1;
}

static bool fails(struct fault *f)
{
    if (f->calls_left < 0)
        return false;
    if (f->calls_left > 0) {
        f->calls_left--;
        return false;
    }
    f->happened = true;
    if (f->mode == ONCE)
        f->calls_left = -1;
    return true;
}

static sqlite3_vfs shim;
/* SQLite's own tables of methods, with and without locks, and ours instead of them. Their writing
 * methods are the same. */
static struct {
    const sqlite3_io_methods *real;
    sqlite3_io_methods shim;
} methods[8];

static int shim_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
    return fails(&disk) ? SQLITE_IOERR_WRITE : methods[0].real->xWrite(f, data, n, at);
}

static int shim_sync(sqlite3_file *f, int flags)
{
    return fails(&disk) ? SQLITE_IOERR_FSYNC : methods[0].real->xSync(f, flags);
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return fails(&disk) ? SQLITE_IOERR_TRUNCATE : methods[0].real->xTruncate(f, size);
}

static const sqlite3_io_methods *shim_of(const sqlite3_io_methods *real)
{
    int i = 0;
    while (methods[i].real != NULL && methods[i].real != real)
        i++;
    methods[i].real = real;
    methods[i].shim = *real;
    methods[i].shim.xWrite = shim_write;
    methods[i].shim.xSync = shim_sync;
    methods[i].shim.xTruncate = shim_truncate;
    return &methods[i].shim;
}

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    sqlite3_vfs *real = vfs->pAppData;
    int rc = real->xOpen(real, name, f, flags, out);
    if (rc == SQLITE_OK && f->pMethods != NULL && (flags & SQLITE_OPEN_READWRITE))
        f->pMethods = shim_of(f->pMethods);
    return rc;
}

static void install_disk(void)
{
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    shim = *real;
    shim.zName = "failing";
    shim.pAppData = real;
    shim.xOpen = shim_open;
    sqlite3_vfs_register(&shim, 1);
}

static sqlite3_mem_methods real_memory;

static void *failing_malloc(int n)
{
    return fails(&memory) ? NULL : real_memory.xMalloc(n);
}

static void *failing_realloc(void *p, int n)
{
    return fails(&memory) ? NULL : real_memory.xRealloc(p, n);
}

/* Before SQLite's first use. */
static void install_memory(void)
{
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory);
    sqlite3_mem_methods m = real_memory;
    m.xMalloc = failing_malloc;
    m.xRealloc = failing_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &m);
}

/* --- importing ------------------------------------------------------------------------------- */

/* The whole file; free() it. */
static void *bytes_of(const char *name, size_t *len)
{
    void *data = NULL;
    struct err err = {0};
    fixture_check(path_read(testing_path(dir, name), &data, len, 1 << 26, &err), &err);
    return data;
}

static void expect_bytes(const char *name, const void *wanted, size_t len)
{
    size_t now = 0;
    void *found = bytes_of(name, &now);
    assert_int_equal(now, len);
    assert_memory_equal(found, wanted, len);
    free(found);
}

static void expect_sound(const char *name)
{
    struct catalog *c = NULL;
    struct err err = {0};
    fixture_check(catalog_open(&c, testing_path(dir, name), &err), &err);
    fixture_check(catalog_check(c, &err), &err);
    catalog_close(c);
}

/* A hundred films of ten genre sets, with people and languages. */
static void put_films(void)
{
    static const char *const genres[] = {"Comedy", "Drama", "War", "Crime", "Horror"};
    struct str rows = {0};
    str_addf(&rows, "title,year,genres,rating,votes,language,director,actors\n");
    for (int i = 0; i < 100; i++)
        str_addf(&rows, "Film %d,%d,\"%s%s\",7.1,%d,French,Dora %d,\"Al %d, Bo %d\"\n", i,
                 1950 + i % 70, genres[i % 5], i % 2 ? ", Family" : "", i + 10, i % 9, i % 13,
                 i % 17);
    testing_write(testing_path(dir, "films.csv"), rows.s, rows.len);
    str_free(&rows);
}

static int import_films(const char *catalog, struct err *err)
{
    struct import_options o = {.kind = IMPORT_MOVIES, .path = testing_path(dir, "films.csv"),
                               .catalog = testing_path(dir, catalog)};
    return import_run(&o, NULL, err);
}

/* Every import with one fault leaves the old catalogue, or makes the one it should make. Returns
 * how many faults there were. `faster` skips more and more calls: allocations are many. */
static int import_with_faults(struct fault *f, enum mode mode, bool faster)
{
    size_t before_len = 0, wanted_len = 0;
    int faults = 0;
    struct err first = {0};
    fixture_build(dir);
    put_films();
    void *before = bytes_of("catalog.db", &before_len);
    fixture_check(import_films("catalog.db", &first), &first);
    void *wanted = bytes_of("catalog.db", &wanted_len);
    for (int n = 0;; n += faster ? 1 + n / 24 : 1) {
        struct err err = {0};
        testing_write(testing_path(dir, "catalog.db"), before, before_len);
        arm(f, n, mode);
        int rc = import_films("catalog.db", &err);
        disarm(f);
        if (rc < 0)
            assert_true(err.text[0] != '\0');
        expect_bytes("catalog.db", rc < 0 ? before : wanted, rc < 0 ? before_len : wanted_len);
        if (!f->happened)
            break;
        faults++;
    }
    free(before);
    free(wanted);
    return faults;
}

static void writes_that_fail_during_an_import_change_nothing(void **state)
{
    (void)state;
    assert_true(import_with_faults(&disk, ONCE, false) > 20);
    assert_true(import_with_faults(&disk, FROM_THEN_ON, false) > 20);
}

static void allocations_that_fail_during_an_import_change_nothing(void **state)
{
    (void)state;
    assert_true(import_with_faults(&memory, ONCE, true) > 50);
    assert_true(import_with_faults(&memory, FROM_THEN_ON, true) > 50);
}

/* --- recommending ---------------------------------------------------------------------------- */

/* Titles and reasons of a list with all that needs the database, one a line; NULL: refused. */
static char *answer(struct err *err)
{
    struct catalog *c = NULL;
    struct feedback *f = NULL;
    struct title_list l = {0};
    struct str text = {0};
    struct recommend_query q = recommend_defaults();
    q.mood = emotion_pure(EMOTION_SAD);
    q.policy = lift;
    q.actor = "Bob Best";
    q.language = "en";
    q.allow_repeats = true;
    int rc = catalog_open(&c, testing_path(dir, "catalog.db"), err);
    if (rc == ERR_OK)
        rc = feedback_open(&f, testing_path(dir, "user.db"), NULL, err);
    if (rc == ERR_OK)
        rc = recommend(c, f, &q, &l, err);
    for (int i = 0; i < l.count && rc == ERR_OK; i++)
        str_addf(&text, "%s: %s\n", l.v[i].name, l.v[i].why);
    title_list_free(&l);
    if (rc == ERR_OK)
        rc = catalog_search(c, "sun", -1, 5, &l, err);
    for (int i = 0; i < l.count && rc == ERR_OK; i++)
        str_addf(&text, "%s\n", l.v[i].name);
    title_list_free(&l);
    feedback_close(f);
    catalog_close(c);
    if (rc < 0)
        str_free(&text);
    return rc < 0 ? NULL : text.s;
}

static void like(int64_t id)
{
    struct feedback *f = NULL;
    struct title t = {.id = id, .name = "A film"};
    struct err err = {0};
    fixture_check(feedback_open(&f, testing_path(dir, "user.db"), NULL, &err), &err);
    fixture_check(feedback_set_opinion(f, &t, OPINION_LIKE, &err), &err);
    feedback_close(f);
}

static void allocations_that_fail_never_change_an_answer(void **state)
{
    (void)state;
    int refused = 0;
    fixture_build(dir);
    like(101);
    struct err first = {0};
    char *wanted = answer(&first);
    fixture_check(wanted != NULL ? ERR_OK : ERR_IO, &first);
    for (int mode = ONCE; mode <= FROM_THEN_ON; mode++) {
        for (int n = 0;; n++) {
            struct err err = {0};
            arm(&memory, n, (enum mode)mode);
            char *text = answer(&err);
            disarm(&memory);
            if (text != NULL)
                assert_string_equal(text, wanted);
            else
                assert_true(err.text[0] != '\0');
            refused += text == NULL;
            free(text);
            if (!memory.happened)
                break;
        }
    }
    assert_true(refused > 50);
    free(wanted);
    expect_sound("catalog.db");
}

/* --- the user's file ------------------------------------------------------------------------- */

static bool likes(int64_t id)
{
    struct feedback *f = NULL;
    struct err err = {0};
    bool moved = true;
    fixture_check(feedback_open(&f, testing_path(dir, "user.db"), &moved, &err), &err);
    bool liked = feedback_opinion(f, id) == OPINION_LIKE;
    feedback_close(f);
    assert_false(moved);
    return liked;
}

/* What was said before is never lost, and what was confirmed is there. */
static void feedback_with_faults(struct fault *fault, enum mode mode)
{
    like(1);
    for (int n = 0;; n++) {
        struct feedback *f = NULL;
        struct title t = {.id = 1000 + n, .name = "Another"};
        struct err err = {0};
        arm(fault, n, mode);
        int rc = feedback_open(&f, testing_path(dir, "user.db"), NULL, &err);
        if (rc == ERR_OK)
            rc = feedback_set_opinion(f, &t, OPINION_LIKE, &err);
        feedback_close(f);
        disarm(fault);
        if (rc < 0)
            assert_true(err.text[0] != '\0');
        assert_true(likes(1));
        if (rc == ERR_OK)
            assert_true(likes(t.id));
        if (!fault->happened)
            break;
    }
}

static void faults_never_lose_an_opinion(void **state)
{
    (void)state;
    feedback_with_faults(&disk, ONCE);
    feedback_with_faults(&disk, FROM_THEN_ON);
    feedback_with_faults(&memory, ONCE);
    feedback_with_faults(&memory, FROM_THEN_ON);
}

/* --- damaged bytes --------------------------------------------------------------------------- */

/* Uses everything the catalogue offers; results do not matter, coming back does. */
static void use(const char *path)
{
    struct catalog *c = NULL;
    struct title_list l = {0};
    struct recommend_query q = recommend_defaults();
    if (catalog_open(&c, path, NULL) < 0)
        return;
    q.mood = emotion_pure(EMOTION_SAD);
    q.policy = lift;
    for (int k = 0; k < TITLE_KIND_COUNT; k++) {
        q.kind = (enum title_kind)k;
        if (recommend(c, NULL, &q, &l, NULL) == ERR_OK)
            title_list_free(&l);
    }
    q.actor = "Bob Best";
    if (recommend(c, NULL, &q, &l, NULL) == ERR_OK)
        title_list_free(&l);
    if (catalog_search(c, "sun", -1, 5, &l, NULL) == ERR_OK)
        title_list_free(&l);
    catalog_check(c, NULL);
    catalog_close(c);
}

/* Flips one bit of the file at `copy`, whose sound bytes are given; the next call undoes it. */
static void write_flipped(const char *copy, unsigned char *bytes, size_t len, unsigned *random)
{
    *random = *random * 1103515245u + 12345u;
    size_t at = (*random >> 8) % len;
    bytes[at] ^= (unsigned char)(1u << (*random & 7));
    testing_write(copy, bytes, len);
    bytes[at] ^= (unsigned char)(1u << (*random & 7));
}

static void damaged_catalogues_never_crash(void **state)
{
    (void)state;
    size_t len = 0;
    unsigned random = 12345;
    fixture_build(dir);
    unsigned char *bytes = bytes_of("catalog.db", &len);
    for (int i = 0; i < 400; i++) {
        write_flipped(testing_path(dir, "flipped.db"), bytes, len, &random);
        use(testing_path(dir, "flipped.db"));
    }
    for (size_t cut = 512; cut < len; cut += len / 9) {
        testing_write(testing_path(dir, "cut.db"), bytes, cut);
        use(testing_path(dir, "cut.db"));
    }
    free(bytes);
}

/* A page whose head is gone is found when the catalogue is opened, whichever page it is. */
static void damaged_pages_are_found_at_opening(void **state)
{
    (void)state;
    size_t len = 0;
    fixture_build(dir);
    unsigned char *bytes = bytes_of("catalog.db", &len);
    size_t page = (size_t)bytes[16] << 8 | bytes[17]; /* SQLite file format, section 1.3.2 */
    const char *path = testing_path(dir, "damaged.db");
    for (size_t at = page; at < len; at += page) {
        unsigned char head[16];
        struct catalog *c = NULL;
        struct err err = {0};
        memcpy(head, bytes + at, sizeof head);
        memset(bytes + at, 0xff, sizeof head);
        testing_write(path, bytes, len);
        memcpy(bytes + at, head, sizeof head);
        assert_true(catalog_open(&c, path, &err) < 0);
        assert_non_null(strstr(err.text, "damaged.db"));
    }
    free(bytes);
}

/* An import onto a damaged catalogue is refused and leaves it, or makes a sound one. */
static void imports_onto_damaged_catalogues_never_spread_the_damage(void **state)
{
    (void)state;
    size_t len = 0;
    unsigned random = 54321;
    fixture_build(dir);
    put_films();
    unsigned char *bytes = bytes_of("catalog.db", &len);
    for (int i = 0; i < 150; i++) {
        size_t flipped_len = 0;
        write_flipped(testing_path(dir, "flipped.db"), bytes, len, &random);
        void *flipped = bytes_of("flipped.db", &flipped_len);
        if (import_films("flipped.db", NULL) < 0)
            expect_bytes("flipped.db", flipped, flipped_len);
        else
            expect_sound("flipped.db");
        free(flipped);
    }
    free(bytes);
}

static void damaged_user_files_never_crash(void **state)
{
    (void)state;
    size_t len = 0;
    unsigned random = 777;
    for (int i = 1; i < 30; i++)
        like(i);
    unsigned char *bytes = bytes_of("user.db", &len);
    for (int i = 0; i < 200; i++) {
        struct feedback *f = NULL;
        struct err err = {0};
        struct title t = {.id = 5000, .name = "New"};
        write_flipped(testing_path(dir, "flipped.db"), bytes, len, &random);
        if (feedback_open(&f, testing_path(dir, "flipped.db"), NULL, &err) < 0)
            assert_true(err.text[0] != '\0');
        else if (feedback_set_opinion(f, &t, OPINION_LIKE, &err) == ERR_OK)
            assert_int_equal(feedback_opinion(f, t.id), OPINION_LIKE);
        feedback_close(f);
    }
    free(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

int main(void)
{
    install_memory();
    install_disk();
    const struct CMUnitTest tests[] = {
        TEST(writes_that_fail_during_an_import_change_nothing),
        TEST(allocations_that_fail_during_an_import_change_nothing),
        TEST(allocations_that_fail_never_change_an_answer),
        TEST(faults_never_lose_an_opinion),
        TEST(damaged_catalogues_never_crash),
        TEST(damaged_pages_are_found_at_opening),
        TEST(imports_onto_damaged_catalogues_never_spread_the_damage),
        TEST(damaged_user_files_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
