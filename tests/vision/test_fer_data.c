/* Labelled faces from CSV and folders: what is read, and the sentence for every kind of damage. */
#include "support/testing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "base/rng.h"
#include "base/str.h"
#include "emotion.h"
#include "vision/fer_data.h"
#include "vision/opencv_c.h"

enum { PIXELS = FER_SIDE * FER_SIDE };

static int setup(void **state)
{
    *state = testing_make_dir();
    return 0;
}

static int teardown(void **state)
{
    testing_remove_dir(*state);
    return 0;
}

/* Pixels (i + shift) % 256 as text. */
static void add_pixels(struct str *s, int shift, int count)
{
    for (int i = 0; i < count; i++)
        str_addf(s, "%s%d", i > 0 ? " " : "", (i + shift) % 256);
}

static const char *write_text(const char *dir, const char *name, struct str *s)
{
    const char *path = testing_path(dir, name);
    testing_write(path, s->s, s->len);
    str_free(s);
    return path;
}

static void test_columns_in_any_order(void **state)
{
    struct str s = {0};
    struct nn_dataset *d;
    struct err err = {0};
    str_addf(&s, "\"emotion\", Usage, note, pixels\r\n3,PrivateTest,x,\"");
    add_pixels(&s, 5, PIXELS);
    str_addf(&s, "\"\r\n\nSadness,Training,,");
    add_pixels(&s, 9, PIXELS);
    const char *path = write_text(*state, "faces.csv", &s);
    assert_int_equal(fer_read_csv(&d, path, NULL, &err), 0);
    assert_int_equal(d->count, 2);
    assert_int_equal(d->label[0], EMOTION_HAPPY);
    assert_int_equal(d->split[0], NN_TEST);
    assert_int_equal(d->label[1], EMOTION_SAD);
    assert_int_equal(d->split[1], NN_TRAINING);
    for (int i = 0; i < PIXELS; i++)
        assert_int_equal(nn_dataset_picture(d, 1)[i], (i + 9) % 256);
    nn_dataset_destroy(d);
}

static const char header[] = "emotion,pixels,Usage\n";

static void test_every_damage_has_file_and_line(void **state)
{
    static const struct {
        const char *start;
        int pixels;
        const char *end, *want;
    } cases[] = {
        {"emotion,Usage\n0,Training\n", 0, "", "bad.csv:1: there is no column 'pixels'"},
        {"emotion,pixels\n0,", PIXELS, "\n", "bad.csv:1: there is no column 'Usage'"},
        {"emotion,pixels,Usage\n7,", PIXELS, ",Training\n", "bad.csv:2: label '7'"},
        {"emotion,pixels,Usage\nbored,", PIXELS, ",Training\n", "bad.csv:2: label 'bored'"},
        {"emotion,pixels,Usage\n0,", PIXELS, ",Testing\n", "bad.csv:2: Usage 'Testing'"},
        {"emotion,pixels,Usage\n0,", PIXELS - 1, ",Training\n", "2303 pixels instead of 2304"},
        {"emotion,pixels,Usage\n0,", PIXELS + 1, ",Training\n", "2305 pixels instead of 2304"},
        {"emotion,pixels,Usage\n0,", 0, ",Training\n", "0 pixels instead of 2304"},
        {"emotion,pixels,Usage\n0,7 256 ", PIXELS - 2, ",Training\n", "pixel 2 is '256', not 0 to"},
        {"emotion,pixels,Usage\n0,-1 ", PIXELS - 1, ",Training\n", "pixel 1 is '-1', not 0 to 255"},
        {"emotion,pixels,Usage\n0,1 2.5 ", PIXELS - 2, ",Training\n", "pixel 2 is '2.5'"},
        {"emotion,pixels,Usage\n0,", PIXELS, "\n", "bad.csv:2: the line has 2 fields and no Usage"},
        {"emotion,pixels,Usage\n\n\n0\n", 0, "", "bad.csv:4: the line has 1 fields and no pixels"},
        {"emotion,pixels,Usage\n", 0, "", "bad.csv: there is no picture in it"},
        {"", 0, "", "bad.csv: the file is empty"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str s = {0};
        struct nn_dataset *d = NULL;
        struct err err = {0};
        str_addf(&s, "%s", cases[i].start);
        add_pixels(&s, 0, cases[i].pixels);
        str_addf(&s, "%s", cases[i].end);
        const char *path = write_text(*state, "bad.csv", &s);
        assert_true(fer_read_csv(&d, path, NULL, &err) < 0);
        assert_null(d);
        if (strstr(err.text, cases[i].want) == NULL)
            fail_msg("'%s' does not say '%s'", err.text, cases[i].want);
        assert_non_null(strstr(err.text, path));
    }
}

static const char *write_faces(const char *dir, int rows)
{
    struct str s = {0};
    str_addf(&s, "%s", header);
    for (int i = 0; i < rows; i++) {
        str_addf(&s, "%d,", i % EMOTION_COUNT);
        add_pixels(&s, i, PIXELS);
        str_addf(&s, ",Training\n");
    }
    return write_text(dir, "faces.csv", &s);
}

#define VOTE_HEADER                                                                                \
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"

static void test_votes_become_shares(void **state)
{
    struct str s = {0};
    struct nn_dataset *d;
    str_addf(&s, VOTE_HEADER "Training,a.png,4,0,0,1,3,2,0,0,0,0\nTraining,,0,0,0,0,0,0,0,0,0,0\n");
    const char *votes = write_text(*state, "votes.csv", &s);
    assert_int_equal(fer_read_csv(&d, write_faces(*state, 2), votes, NULL), 0);
    assert_int_equal(d->shares, FERPLUS_COUNT);
    assert_true(d->share[0] > 0.399f && d->share[0] < 0.401f);
    assert_true(d->share[3] > 0.099f && d->share[3] < 0.101f);
    for (int i = 0; i < FERPLUS_COUNT; i++)
        assert_true(d->share[FERPLUS_COUNT + i] == 0);
    nn_dataset_destroy(d);
}

static void test_votes_must_fit_the_pictures(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {VOTE_HEADER "Training,a.png,4,0,0,1,3,2,0,0,0,0\n", "votes.csv: has fewer rows"},
        {VOTE_HEADER "T,a,1,0,0,0,0,0,0,0,0,0\nT,a,1,0,0,0,0,0,0,0,0,0\nT,a,1,0,0,0,0,0,0,0,0,0\n",
         "votes.csv:4: has more rows"},
        {VOTE_HEADER "T,a,1,x,0,0,0,0,0,0,0,0\n", "votes.csv:2: 'x' is no number of votes"},
        {VOTE_HEADER "T,a,1,-1,0,0,0,0,0,0,0,0\n", "votes.csv:2: '-1' is no number of votes"},
        {"Usage,neutral,happiness\n", "votes.csv:1: there is no column 'surprise'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct nn_dataset *d = NULL;
        struct err err = {0};
        const char *votes = testing_path(*state, "votes.csv");
        testing_write(votes, cases[i].text, strlen(cases[i].text));
        assert_true(fer_read_csv(&d, write_faces(*state, 2), votes, &err) < 0);
        if (strstr(err.text, cases[i].want) == NULL)
            fail_msg("'%s' does not say '%s'", err.text, cases[i].want);
    }
}

static void write_picture(const char *path, int value)
{
    uint8_t px[60 * 60], *png;
    size_t len;
    char why[200];
    memset(px, value, sizeof px);
    assert_int_equal(cvc_image_encode(".png", px, 1, 60, 60, 60, &png, &len, why, sizeof why), 0);
    testing_write(path, png, len);
    cvc_free(png);
}

static void make_dirs(const char *dir, const char *below)
{
    assert_int_equal(path_make_dirs(testing_path(dir, below), NULL), 0);
}

static void test_folders_with_and_without_splits(void **state)
{
    struct nn_dataset *d;
    make_dirs(*state, "plain/happy");
    make_dirs(*state, "plain/Sadness");
    write_picture(testing_path(*state, "plain/happy/b.png"), 20);
    write_picture(testing_path(*state, "plain/happy/a.png"), 10);
    write_picture(testing_path(*state, "plain/Sadness/c.png"), 30);
    assert_int_equal(fer_read(&d, testing_path(*state, "plain"), NULL, NULL), 0);
    assert_int_equal(d->count, 3);
    assert_int_equal(d->width, FER_SIDE);
    assert_int_equal(d->label[0], EMOTION_SAD);
    assert_int_equal(nn_dataset_picture(d, 1)[100], 10);
    assert_int_equal(nn_dataset_picture(d, 2)[100], 20);
    nn_dataset_destroy(d);
    make_dirs(*state, "split/train/fear");
    make_dirs(*state, "split/test/fear");
    write_picture(testing_path(*state, "split/train/fear/a.png"), 1);
    write_picture(testing_path(*state, "split/test/fear/a.png"), 2);
    assert_int_equal(fer_read(&d, testing_path(*state, "split"), NULL, NULL), 0);
    assert_int_equal(d->count, 2);
    assert_int_equal(d->split[0], NN_TEST);
    assert_int_equal(d->split[1], NN_TRAINING);
    nn_dataset_destroy(d);
}

static void test_bad_folders(void **state)
{
    struct nn_dataset *d = NULL;
    struct err err = {0};
    make_dirs(*state, "one/bored");
    assert_true(fer_read(&d, testing_path(*state, "one"), NULL, &err) < 0);
    assert_non_null(strstr(err.text, "one/bored: the folder's name is no emotion"));
    make_dirs(*state, "two/happy");
    assert_true(fer_read(&d, testing_path(*state, "two"), NULL, &err) < 0);
    assert_non_null(strstr(err.text, "two/happy: there is no picture in it"));
    testing_write(testing_path(*state, "two/happy/note.txt"), "hello", 5);
    assert_true(fer_read(&d, testing_path(*state, "two"), NULL, &err) < 0);
    assert_non_null(strstr(err.text, "two/happy/note.txt: "));
    make_dirs(*state, "three");
    assert_true(fer_read(&d, testing_path(*state, "three"), NULL, &err) < 0);
    assert_non_null(strstr(err.text, "three: there is no folder of pictures in it"));
    assert_true(fer_read(&d, testing_path(*state, "none"), NULL, &err) < 0);
    assert_non_null(strstr(err.text, "none: No such file or directory"));
}

/* Two good rows with a few bytes overwritten, cut out or repeated: read or refused by a sentence
 * that names the file, never worse. */
static void test_damaged_bytes_are_read_or_refused(void **state)
{
    struct bytes {
        void *data;
        size_t len;
    } good;
    struct rng rng;
    int refused = 0;
    const char *path = testing_path(*state, "noise.csv"), *faces = write_faces(*state, 2);
    assert_int_equal(path_read(faces, &good.data, &good.len, 1 << 20, NULL), 0);
    rng_seed(&rng, 1, 0);
    for (int round = 0; round < 400; round++) {
        struct nn_dataset *d = NULL;
        struct err err = {0};
        struct str s = {0};
        size_t from = rng_below(&rng, (uint32_t)good.len), to = rng_below(&rng, (uint32_t)good.len);
        str_add(&s, good.data, from);
        for (int i = 0; i < 4; i++)
            str_add(&s, &"\n,\"\0-9 x\xff"[rng_below(&rng, 9)], 1);
        str_add(&s, (char *)good.data + to, good.len - to);
        testing_write(path, s.s, s.len);
        if (fer_read_csv(&d, path, NULL, &err) < 0) {
            refused++;
            assert_non_null(strstr(err.text, "noise.csv"));
        }
        nn_dataset_destroy(d);
        str_free(&s);
    }
    assert_true(refused > 200);
    free(good.data);
}

/* The published rows, read whole: class counts of the challenge's three splits. */
static void test_fer2013_itself(void **state)
{
    static const int want[NN_SPLIT_COUNT][EMOTION_COUNT] = {
        {3995, 436, 4097, 7215, 4830, 3171, 4965},
        {467, 56, 496, 895, 653, 415, 607},
        {491, 55, 528, 879, 594, 416, 626}};
    const char *csv = getenv("MOODREEL_FER2013");
    struct nn_dataset *d;
    struct nn_view v[NN_SPLIT_COUNT];
    (void)state;
    if (csv == NULL) {
        print_message("skipped: MOODREEL_FER2013 does not name fer2013.csv\n");
        skip();
    }
    assert_int_equal(fer_read_csv(&d, csv, NULL, NULL), 0);
    for (int s = 0; s < NN_SPLIT_COUNT; s++) {
        int counts[EMOTION_COUNT];
        nn_view_of_split(&v[s], d, (enum nn_split)s);
        nn_view_class_counts(&v[s], counts);
        assert_memory_equal(counts, want[s], sizeof counts);
    }
    nn_view_drop_duplicates(&v[0], v + 1, 2);
    assert_int_equal(v[0].count, 26942);
    for (int s = 0; s < NN_SPLIT_COUNT; s++)
        nn_view_free(&v[s]);
    nn_dataset_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_columns_in_any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_damage_has_file_and_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_votes_become_shares, setup, teardown),
        cmocka_unit_test_setup_teardown(test_votes_must_fit_the_pictures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folders_with_and_without_splits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_folders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_bytes_are_read_or_refused, setup, teardown),
        cmocka_unit_test(test_fer2013_itself),
    };
    cvc_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
