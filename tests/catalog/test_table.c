/* The table reader: good rows, bad rows, hostile files. */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "catalog/table.h"
#include "support/testing.h"

static char *dir;
static const struct table_format plain = {.delimiter = "\t"};
static const struct table_format quoted = {.quoted = true};

static int make_dir(void **state)
{
    (void)state;
    dir = testing_make_dir();
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    testing_remove_dir(dir);
    return 0;
}

static struct table *open_text(const char *text, size_t len, const struct table_format *format)
{
    struct err err = {0};
    struct table *t = NULL;
    const char *path = testing_path(dir, "t");
    testing_write(path, text, len);
    if (table_open(&t, path, format, &err) < 0)
        fail_msg("%s", err.text);
    return t;
}

#define OPEN(text, format) open_text(text, sizeof text - 1, format)

static void expect_row(struct table *t, int count, const char *const *wanted)
{
    const struct cell *c = NULL;
    struct err err = {0};
    assert_int_equal(table_next(t, &c, &err), 1);
    assert_int_equal(table_columns(t), count);
    for (int i = 0; i < count; i++)
        assert_string_equal(c[i].s, wanted[i]);
}

static void expect_end(struct table *t, int bad)
{
    const struct cell *c = NULL;
    struct err err = {0};
    assert_int_equal(table_next(t, &c, &err), 0);
    assert_int_equal(table_bad_rows(t), bad);
    table_close(t);
}

static void a_quote_is_a_character_in_imdb_files(void **state)
{
    (void)state;
    struct table *t = OPEN("id\ttitle\tgenre\n"
                           "1\t\"Rolling in the Deep Dish\tReality-TV\n"
                           "2\t\"Giliap\"\tDrama\n",
                           &plain);
    expect_row(t, 3, (const char *[]){"1", "\"Rolling in the Deep Dish", "Reality-TV"});
    expect_row(t, 3, (const char *[]){"2", "\"Giliap\"", "Drama"});
    expect_end(t, 0);
}

static void quoted_cells_follow_rfc_4180(void **state)
{
    (void)state;
    struct table *t = OPEN("a,b\r\n\"x, \"\"y\"\"\",\"two\nlines\"\r\n,\r\n", &quoted);
    expect_row(t, 2, (const char *[]){"x, \"y\"", "two\nlines"});
    expect_row(t, 2, (const char *[]){"", ""});
    assert_int_equal(table_line(t), 4);
    expect_end(t, 0);
}

static void bad_rows_are_counted_and_never_shift_others(void **state)
{
    (void)state;
    static const char text[] = "a,b,c\n1,2\n1,2,3,4\nx\0,2,3\n\"open,2,3\n4,\"5\"6,7\n7,8,9\n10,11";
    struct table *t = OPEN(text, &quoted);
    int count = 0;
    expect_row(t, 3, (const char *[]){"7", "8", "9"});
    expect_end(t, 6);
    t = OPEN(text, &quoted);
    expect_row(t, 3, (const char *[]){"7", "8", "9"});
    const struct table_bad *bad = table_first_bad(t, &count);
    assert_int_equal(count, 5);
    assert_int_equal(bad[0].line, 2);
    assert_string_equal(bad[0].reason, "2 cells instead of 3");
    assert_int_equal(bad[2].line, 4);
    assert_int_equal(bad[3].line, 5);
    assert_int_equal(bad[4].line, 6);
    table_close(t);
}

static void a_cut_last_line_is_counted(void **state)
{
    (void)state;
    struct table *t = OPEN("a\tb\n1\t2\n3", &plain);
    expect_row(t, 2, (const char *[]){"1", "2"});
    expect_end(t, 1);
}

static void separators_are_found(void **state)
{
    (void)state;
    static const char *const texts[] = {"a,b\n1,2\n", "a;b\n1;2\n", "a\tb\n1\t2\n", "a|b\n1|2\n"};
    for (int i = 0; i < 4; i++) {
        struct table *t = open_text(texts[i], strlen(texts[i]), &quoted);
        expect_row(t, 2, (const char *[]){"1", "2"});
        expect_end(t, 0);
    }
}

static void two_byte_separators_and_given_names(void **state)
{
    (void)state;
    static const struct table_format format = {.delimiter = "::", .header = "id,title,genres"};
    struct table *t = OPEN("1::Toy: a Story::Comedy\n", &format);
    assert_int_equal(table_column(t, "nothing|TITLE"), 1);
    expect_row(t, 3, (const char *[]){"1", "Toy: a Story", "Comedy"});
    expect_end(t, 0);
}

static void text_of_any_encoding_becomes_utf8(void **state)
{
    (void)state;
    struct table *t = OPEN("\xef\xbb\xbfname,other\nAm\xe9lie \x93x\x94,Am\xc3\xa9lie\n", &quoted);
    const struct cell *c = NULL;
    struct arena *a = arena_create(256);
    assert_int_equal(table_column(t, "name"), 0);
    assert_int_equal(table_next(t, &c, NULL), 1);
    assert_string_equal(table_text(a, c[0]), "Amélie “x”");
    assert_string_equal(table_text(a, c[1]), "Amélie");
    arena_destroy(a);
    expect_end(t, 0);
}

static void a_megabyte_field_is_one_bad_row(void **state)
{
    (void)state;
    struct str text = {0};
    str_addf(&text, "a,b\n1,");
    for (int i = 0; i < TABLE_ROW_MAX / 16 + 10; i++)
        str_addf(&text, "0123456789abcdef");
    str_addf(&text, "\n2,3\n");
    struct table *t = open_text(text.s, text.len, &quoted);
    expect_row(t, 2, (const char *[]){"2", "3"});
    assert_int_equal(table_line(t), 3);
    expect_end(t, 1);
    str_free(&text);
}

static void refused(const char *text, size_t len, const char *words)
{
    struct err err = {0};
    struct table *t = NULL;
    testing_write(testing_path(dir, "t"), text, len);
    assert_true(table_open(&t, testing_path(dir, "t"), &quoted, &err) < 0);
    assert_non_null(strstr(err.text, words));
    assert_null(t);
}

static void what_is_no_table_is_refused(void **state)
{
    (void)state;
    struct str wide = {0};
    for (int i = 0; i < 100000; i++)
        str_addf(&wide, "c%d,", i);
    refused("", 0, "no header");
    refused("\xff\xfe" "a\0b\0", 6, "UTF-16");
    refused("a\0b\n", 4, "no header");
    refused(wide.s, wide.len, "at most");
    str_free(&wide);
}

static void folders_and_absent_files_are_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct table *t = NULL;
    assert_int_equal(table_open(&t, dir, &plain, &err), ERR_IO);
    assert_non_null(strstr(err.text, "folder"));
    assert_int_equal(table_open(&t, testing_path(dir, "absent"), &plain, &err), ERR_IO);
    assert_non_null(strstr(err.text, "absent"));
}

static void write_gz(const char *path, int rows)
{
    gzFile f = gzopen(path, "wb");
    gzputs(f, "a\tb\n");
    for (int i = 0; i < rows; i++)
        gzprintf(f, "%d\t%d\n", i, i % 10007);
    gzclose(f);
}

static void gzip_reads_like_plain_text(void **state)
{
    (void)state;
    const char *path = testing_path(dir, "t.gz");
    struct table *t = NULL;
    const struct cell *c = NULL;
    int64_t position = 0, size = 0;
    int rows = 0;
    write_gz(path, 300000);
    assert_int_equal(table_open(&t, path, &plain, NULL), ERR_OK);
    while (table_next(t, &c, NULL) == 1) {
        int64_t n = 0;
        assert_true(cell_int(c[0], 0, 1000000, &n));
        assert_int_equal(n, rows++);
    }
    table_progress(t, &position, &size);
    assert_int_equal(rows, 300000);
    assert_int_equal(position, size);
    table_close(t);
}

static void a_truncated_gzip_file_is_an_error(void **state)
{
    (void)state;
    struct err err = {0};
    struct table *t = NULL;
    const struct cell *c = NULL;
    static char bytes[1 << 20];
    write_gz(testing_path(dir, "t.gz"), 50000);
    FILE *f = fopen(testing_path(dir, "t.gz"), "rb");
    size_t len = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    testing_write(testing_path(dir, "cut.gz"), bytes, len / 2);
    int rc = table_open(&t, testing_path(dir, "cut.gz"), &plain, &err);
    while (rc >= 0 && (rc = table_next(t, &c, &err)) == 1)
        ;
    assert_int_equal(rc, ERR_FORMAT);
    assert_non_null(strstr(err.text, "cut short"));
    table_close(t);
}

static void closing_early_does_not_hang(void **state)
{
    (void)state;
    const struct cell *c = NULL;
    struct table *t = NULL;
    write_gz(testing_path(dir, "t.gz"), 500000);
    assert_int_equal(table_open(&t, testing_path(dir, "t.gz"), &plain, NULL), ERR_OK);
    assert_int_equal(table_next(t, &c, NULL), 1);
    table_close(t);
}

static void numbers_in_any_dress(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        double value;
    } cases[] = {{"142 min", true, 142}, {"2,343,110", true, 2343110}, {" 8.1 ", true, 8.1},
                 {"1.", true, 1},        {"-3", true, -3},             {"PG", false, 0},
                 {"", false, 0},         {"\\N", false, 0},            {"1,", true, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double v = -99;
        struct cell c = {cases[i].text, (int)strlen(cases[i].text)};
        assert_int_equal(cell_number(c, &v), cases[i].good);
        if (cases[i].good)
            assert_true(v == cases[i].value);
    }
}

static void genuine_imdb_slices_lose_only_their_cut_line(void **state)
{
    (void)state;
    const char *path = testing_data("catalog/imdb-tsv-mini/head.title.ratings.tsv");
    struct table *t = NULL;
    const struct cell *c = NULL;
    int rows = 0;
    if (path == NULL)
        skip();
    assert_int_equal(table_open(&t, path, &plain, NULL), ERR_OK);
    while (table_next(t, &c, NULL) == 1)
        rows++;
    assert_int_equal(rows, 132011);
    assert_int_equal(table_bad_rows(t), 1);
    table_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_quote_is_a_character_in_imdb_files, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(quoted_cells_follow_rfc_4180, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(bad_rows_are_counted_and_never_shift_others, make_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(a_cut_last_line_is_counted, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(separators_are_found, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(two_byte_separators_and_given_names, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(text_of_any_encoding_becomes_utf8, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_megabyte_field_is_one_bad_row, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(what_is_no_table_is_refused, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(folders_and_absent_files_are_refused, make_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(gzip_reads_like_plain_text, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_truncated_gzip_file_is_an_error, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(closing_early_does_not_hang, make_dir, remove_dir),
        cmocka_unit_test(numbers_in_any_dress),
        cmocka_unit_test_setup_teardown(genuine_imdb_slices_lose_only_their_cut_line, make_dir,
                                        remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
