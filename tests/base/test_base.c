/* err, mem, rng, str, path, clocks. */
#include "support/testing.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/thread.h"

static void test_err_prefix_keeps_the_cause(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(err_set(&err, ERR_FORMAT, "row %d: no label", 3), ERR_FORMAT);
    assert_int_equal(err_prefix(&err, "%s", "faces.csv"), ERR_FORMAT);
    assert_string_equal(err.text, "faces.csv: row 3: no label");
    assert_string_equal(err_name(err.code), "ERR_FORMAT");
    assert_int_equal(err_set(NULL, ERR_RANGE, "unread"), ERR_RANGE);
    err_set(&err, ERR_FORMAT, "name %s", "a\n\033[2Jb");
    assert_string_equal(err.text, "name a??[2Jb"); /* one line, no escapes */
}

static void test_err_prefix_survives_long_sentences(void **state)
{
    (void)state;
    struct err err = {0};
    char cause[1000];
    memset(cause, 'x', sizeof cause - 1);
    cause[sizeof cause - 1] = '\0';
    err_set(&err, ERR_IO, "%s", cause);
    err_prefix(&err, "%s", cause);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static void test_parse_numbers_is_strict(void **state)
{
    (void)state;
    int64_t i = -1;
    double d = -1;
    assert_true(parse_i64("42", 0, 100, &i));
    assert_int_equal(i, 42);
    assert_false(parse_i64("", 0, 100, &i));
    assert_false(parse_i64(" 4", 0, 100, &i));
    assert_false(parse_i64("4x", 0, 100, &i));
    assert_false(parse_i64("101", 0, 100, &i));
    assert_false(parse_i64("99999999999999999999", 0, INT64_MAX, &i));
    assert_int_equal(i, 42);
    assert_true(parse_f64("-0.25", -1, 1, &d));
    assert_true(d == -0.25);
    assert_false(parse_f64("nan", -1, 1, &d));
    assert_false(parse_f64("1,5", -9, 9, &d));
    assert_false(parse_f64("2", -1, 1, &d));
}

static void test_utf8(void **state)
{
    (void)state;
    assert_int_equal(utf8_trim("a\xc3\xa9z", 2), 1);
    assert_int_equal(utf8_trim("a\xc3\xa9z", 3), 3);
    assert_int_equal(utf8_trim("abc", 10), 3);
    assert_true(utf8_valid("\xe3\x81\x82", 3));
    assert_false(utf8_valid("\xe3\x81", 2));
    assert_false(utf8_valid("\xc0\x80", 2));
    assert_false(utf8_valid("\xed\xa0\x80", 3));
    assert_false(utf8_valid("\xf5\x80\x80\x80", 4));
}

static void test_str_grows(void **state)
{
    (void)state;
    struct str s = {0};
    for (int i = 0; i < 1000; i++)
        str_addf(&s, "%d,", i % 10);
    assert_int_equal(s.len, 2000);
    assert_memory_equal(s.s + 1990, "5,6,7,8,9,", 10);
    str_clear(&s);
    assert_string_equal(s.s, "");
    str_free(&s);
}

static void test_arena_pieces_do_not_overlap(void **state)
{
    (void)state;
    struct arena *a = arena_create(256);
    unsigned char *piece[100];
    for (int i = 0; i < 100; i++) {
        piece[i] = arena_alloc(a, (size_t)i * 7 + 1);
        assert_int_equal((uintptr_t)piece[i] % 16, 0);
        memset(piece[i], i, (size_t)i * 7 + 1);
    }
    for (int i = 0; i < 100; i++)
        for (int k = 0; k < i * 7 + 1; k++)
            assert_int_equal(piece[i][k], i);
    assert_null(arena_strdup(a, NULL));
    assert_string_equal(arena_strndup(a, "film", 2), "fi");
    arena_destroy(a);
}

static void test_aligned_request_refuses_overflow(void **state)
{
    (void)state;
    assert_null(mem_try_aligned(SIZE_MAX / 2, 4));
    void *p = mem_try_aligned(3, 5);
    assert_int_equal((uintptr_t)p % 64, 0);
    mem_free_aligned(p);
}

static void test_rng_streams(void **state)
{
    (void)state;
    struct rng a, b, c;
    rng_seed(&a, 7, 0);
    rng_seed(&b, 7, 0);
    rng_seed(&c, 7, 1);
    uint64_t first = rng_u64(&a);
    assert_int_equal(first, rng_u64(&b));
    assert_int_not_equal(first, rng_u64(&c));
    double sum = 0, squares = 0;
    for (int i = 0; i < 20000; i++) {
        float x = rng_normal(&a);
        sum += x;
        squares += x * x;
        assert_true(rng_below(&a, 3) < 3);
        float u = rng_uniform(&a);
        assert_true(u >= 0.0f && u < 1.0f);
    }
    assert_true(fabs(sum / 20000) < 0.05);
    assert_true(fabs(squares / 20000 - 1) < 0.05);
}

static void test_shuffle_is_a_permutation(void **state)
{
    (void)state;
    struct rng r;
    int v[50], seen[50] = {0}, moved = 0;
    rng_seed(&r, 1, 2);
    for (int i = 0; i < 50; i++)
        v[i] = i;
    rng_shuffle(&r, v, 50);
    for (int i = 0; i < 50; i++) {
        seen[v[i]]++;
        moved += v[i] != i;
    }
    for (int i = 0; i < 50; i++)
        assert_int_equal(seen[i], 1);
    assert_true(moved > 25);
}

static void test_atomic_write_replaces_and_keeps(void **state)
{
    (void)state;
    char *dir = testing_make_dir();
    const char *path = testing_path(dir, "model.onnx");
    struct err err = {0};
    void *data;
    size_t len;
    assert_int_equal(path_write_atomic(path, "old", 3, &err), ERR_OK);
    assert_int_equal(path_write_atomic(path, "newer", 5, &err), ERR_OK);
    assert_int_equal(path_read(path, &data, &len, 100, &err), ERR_OK);
    assert_int_equal(len, 5);
    assert_string_equal(data, "newer");
    free(data);
    assert_int_equal(path_read(path, &data, &len, 4, &err), ERR_RANGE);
    assert_non_null(strstr(err.text, "model.onnx"));
    assert_int_equal(path_read(dir, &data, &len, 4, &err), ERR_IO);
    const char *nowhere = testing_path(dir, "missing/model.onnx");
    assert_int_equal(path_write_atomic(nowhere, "x", 1, &err), ERR_IO);
    assert_non_null(strstr(err.text, "missing"));
    testing_remove_dir(dir);
}

static void test_make_dirs(void **state)
{
    (void)state;
    char *dir = testing_make_dir();
    const char *deep = testing_path(dir, "a/b/c");
    struct stat st;
    assert_int_equal(path_make_dirs(deep, NULL), ERR_OK);
    assert_int_equal(path_make_dirs(deep, NULL), ERR_OK);
    assert_int_equal(stat(deep, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    testing_remove_dir(dir);
}

static void test_thread_clock_stands_still_in_a_wait(void **state)
{
    (void)state;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t never;
    cond_init_monotonic(&never);
    int64_t began = clock_now_us(), computed = clock_thread_us();
    pthread_mutex_lock(&mutex);
    while (cond_wait_until(&never, &mutex, began + 200000))
        ;
    pthread_mutex_unlock(&mutex);
    assert_true(clock_now_us() - began >= 200000);
    assert_true(clock_thread_us() - computed < 100000);
    for (began = clock_thread_us(); clock_thread_us() - began < 1000;)
        ; /* ends only if computing moves it */
    pthread_cond_destroy(&never);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_err_prefix_keeps_the_cause),
        cmocka_unit_test(test_err_prefix_survives_long_sentences),
        cmocka_unit_test(test_parse_numbers_is_strict),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_str_grows),
        cmocka_unit_test(test_arena_pieces_do_not_overlap),
        cmocka_unit_test(test_aligned_request_refuses_overflow),
        cmocka_unit_test(test_rng_streams),
        cmocka_unit_test(test_shuffle_is_a_permutation),
        cmocka_unit_test(test_atomic_write_replaces_and_keeps),
        cmocka_unit_test(test_make_dirs),
        cmocka_unit_test(test_thread_clock_stands_still_in_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
