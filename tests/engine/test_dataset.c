/* Storage, folds, exact duplicates; the loader that reads them. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "nn/dataset.h"
#include "nn/loader.h"

enum { CLASSES = 3 };

/* A picture of 2 x 2 whose four bytes are `value`. */
static void add(struct nn_dataset *d, int value, int label, enum nn_split split)
{
    uint8_t px[4] = {(uint8_t)value, (uint8_t)value, (uint8_t)value, (uint8_t)value};
    assert_int_equal(nn_dataset_add(d, px, label, split, NULL, NULL), 0);
}

static void test_rows_keep_their_bytes(void **state)
{
    (void)state;
    struct nn_dataset *d = nn_dataset_create(1, 1, 2, CLASSES, 2);
    float share[2] = {0.25f, 0.75f};
    for (int i = 0; i < 3000; i++) {
        uint8_t px[2] = {(uint8_t)i, (uint8_t)(i >> 8)};
        enum nn_split split = (enum nn_split)(i % 2);
        assert_int_equal(nn_dataset_add(d, px, i % CLASSES, split, share, NULL), 0);
    }
    assert_int_equal(d->count, 3000);
    for (int i = 0; i < 3000; i++) {
        const uint8_t *px = nn_dataset_picture(d, i);
        assert_int_equal(px[0] + 256 * px[1], i);
        assert_int_equal(d->label[i], i % CLASSES);
        assert_true(d->share[2 * i + 1] == 0.75f);
    }
    struct nn_view v;
    nn_view_of_split(&v, d, NN_VALIDATION);
    assert_int_equal(v.count, 1500);
    assert_int_equal(v.row[10], 21);
    nn_view_free(&v);
    nn_dataset_destroy(d);
}

static void test_duplicates_inside_and_across(void **state)
{
    (void)state;
    struct nn_dataset *d = nn_dataset_create(1, 2, 2, CLASSES, 0);
    static const int training[] = {1, 2, 1, 3, 4, 1, 5, 4};
    for (size_t i = 0; i < sizeof training / sizeof *training; i++)
        add(d, training[i], (int)i % CLASSES, NN_TRAINING);
    add(d, 3, 0, NN_VALIDATION);
    add(d, 4, 0, NN_TEST);
    add(d, 9, 0, NN_TEST);
    struct nn_view v[NN_SPLIT_COUNT];
    for (int s = 0; s < NN_SPLIT_COUNT; s++)
        nn_view_of_split(&v[s], d, (enum nn_split)s);
    struct nn_duplicates gone = nn_view_drop_duplicates(&v[NN_TRAINING], &v[NN_VALIDATION], 2);
    /* rows: 1 2 (1) 3* 4* (1) 5 (4): three repeats, two rows that occur in the other splits */
    assert_int_equal(gone.inside, 3);
    assert_int_equal(gone.across, 2);
    assert_int_equal(v[NN_TRAINING].count, 3);
    assert_int_equal(v[NN_TRAINING].row[0], 0);
    assert_int_equal(v[NN_TRAINING].row[1], 1);
    assert_int_equal(v[NN_TRAINING].row[2], 6);
    for (int s = 0; s < NN_SPLIT_COUNT; s++)
        nn_view_free(&v[s]);
    nn_dataset_destroy(d);
}

static void test_pictures_that_differ_in_one_byte_stay(void **state)
{
    (void)state;
    struct nn_dataset *d = nn_dataset_create(1, 2, 2, CLASSES, 0);
    for (int i = 0; i < 500; i++) {
        uint8_t px[4] = {7, 7, (uint8_t)i, (uint8_t)(i >> 8)};
        assert_int_equal(nn_dataset_add(d, px, 0, NN_TRAINING, NULL, NULL), 0);
    }
    struct nn_view v;
    nn_view_of_split(&v, d, NN_TRAINING);
    struct nn_duplicates gone = nn_view_drop_duplicates(&v, NULL, 0);
    assert_int_equal(gone.inside + gone.across, 0);
    assert_int_equal(v.count, 500);
    nn_view_free(&v);
    nn_dataset_destroy(d);
}

static struct nn_dataset *make_unbalanced(void)
{
    struct nn_dataset *d = nn_dataset_create(1, 2, 2, CLASSES, 0);
    for (int i = 0; i < 103; i++)
        add(d, i, i < 70 ? 0 : i < 98 ? 1 : 2, NN_TRAINING);
    return d;
}

static void test_folds_are_a_stratified_partition(void **state)
{
    (void)state;
    enum { K = 5 };
    struct nn_dataset *d = make_unbalanced();
    struct nn_view all;
    int held[103] = {0};
    nn_view_of_split(&all, d, NN_TRAINING);
    for (int f = 0; f < K; f++) {
        struct nn_view in, out;
        int counts[CLASSES];
        nn_view_fold(&in, &all, K, f, false, 11);
        nn_view_fold(&out, &all, K, f, true, 11);
        assert_int_equal(in.count + out.count, all.count);
        assert_true(out.count == 20 || out.count == 21);
        nn_view_class_counts(&out, counts);
        assert_int_equal(counts[0], 14);               /* 70 / 5 */
        assert_true(counts[1] == 5 || counts[1] == 6); /* 28 / 5 */
        assert_int_equal(counts[2], 1);                /* 5 / 5 */
        for (int i = 0; i < out.count; i++)
            held[out.row[i]]++;
        for (int i = 0; i < in.count; i++)
            for (int j = 0; j < out.count; j++)
                assert_int_not_equal(in.row[i], out.row[j]);
        nn_view_free(&in);
        nn_view_free(&out);
    }
    for (int i = 0; i < 103; i++)
        assert_int_equal(held[i], 1);
    nn_view_free(&all);
    nn_dataset_destroy(d);
}

static void test_folds_follow_the_seed(void **state)
{
    (void)state;
    struct nn_dataset *d = make_unbalanced();
    struct nn_view all, a, b, c;
    nn_view_of_split(&all, d, NN_TRAINING);
    nn_view_fold(&a, &all, 4, 1, true, 3);
    nn_view_fold(&b, &all, 4, 1, true, 3);
    nn_view_fold(&c, &all, 4, 1, true, 4);
    assert_int_equal(a.count, b.count);
    assert_memory_equal(a.row, b.row, (size_t)a.count * sizeof *a.row);
    assert_true(a.count != c.count || memcmp(a.row, c.row, (size_t)a.count * sizeof *a.row) != 0);
    nn_view_free(&a);
    nn_view_free(&b);
    nn_view_free(&c);
    nn_view_free(&all);
    nn_dataset_destroy(d);
}

/* ---- loader ---- */

static void divide(const uint8_t *picture, float *x, void *payload)
{
    for (int i = 0; i < 4; i++)
        x[i] = (float)picture[i] / *(const float *)payload;
}

static float divisor = 2;

static struct nn_loader_config config_of(const struct nn_view *v)
{
    return (struct nn_loader_config){.view = v,
                                     .batch = 8,
                                     .height = 2,
                                     .width = 2,
                                     .input_size = 4,
                                     .normalise = divide,
                                     .payload = &divisor,
                                     .seed = 5};
}

/* The epoch's inputs and labels behind each other. */
static size_t read_epoch(const struct nn_loader_config *c, int epoch, float *x, float *label)
{
    struct nn_loader *l;
    const struct nn_batch *b;
    size_t n = 0;
    assert_int_equal(nn_loader_start(&l, c, epoch, NULL), 0);
    while ((b = nn_loader_next(l)) != NULL) {
        memcpy(x + n * 4, b->x, (size_t)b->count * 4 * sizeof *x);
        memcpy(label + n * CLASSES, b->label, (size_t)b->count * CLASSES * sizeof *label);
        n += (size_t)b->count;
    }
    assert_null(nn_loader_next(l));
    nn_loader_stop(l);
    return n;
}

static void test_loader_shows_every_row_once(void **state)
{
    (void)state;
    struct nn_dataset *d = make_unbalanced();
    struct nn_view v;
    float x[412], label[309];
    int seen[103] = {0}, total = 0;
    nn_view_of_split(&v, d, NN_TRAINING);
    struct nn_loader_config c = config_of(&v);
    assert_int_equal(read_epoch(&c, 0, x, label), 96); /* 12 batches of 8; 7 are left out */
    for (int i = 0; i < 96; i++) {
        int row = (int)(x[4 * i] * 2);
        seen[row]++;
        assert_true(label[i * CLASSES + d->label[row]] == 1.0f);
    }
    for (int i = 0; i < 103; i++) {
        assert_in_range(seen[i], 0, 1);
        total += seen[i];
    }
    assert_int_equal(total, 96);
    nn_view_free(&v);
    nn_dataset_destroy(d);
}

static void test_loader_repeats_an_epoch_bit_for_bit(void **state)
{
    (void)state;
    struct nn_dataset *d = make_unbalanced();
    struct nn_view v;
    float x[3][412], label[3][309];
    nn_view_of_split(&v, d, NN_TRAINING);
    struct nn_loader_config c = config_of(&v);
    c.augment = (struct nn_augment){.flip = 0.5f,
                                    .shift = 0.3f,
                                    .rotate = 20,
                                    .brightness = 0.3f,
                                    .gamma = 0.5f,
                                    .erase = 0.5f,
                                    .erase_area = 0.5f};
    c.mixup = 0.3f;
    c.mixup_share = 0.5f;
    read_epoch(&c, 3, x[0], label[0]);
    read_epoch(&c, 4, x[2], label[2]);
    read_epoch(&c, 3, x[1], label[1]);
    assert_memory_equal(x[0], x[1], 96 * 4 * sizeof(float));
    assert_memory_equal(label[0], label[1], 96 * CLASSES * sizeof(float));
    assert_memory_not_equal(x[0], x[2], 96 * 4 * sizeof(float));
    nn_view_free(&v);
    nn_dataset_destroy(d);
}

static void test_mixup_mixes_pictures_and_labels_alike(void **state)
{
    (void)state;
    struct nn_dataset *d = nn_dataset_create(1, 2, 2, CLASSES, 0);
    struct nn_view v;
    float x[64], label[48];
    int mixed = 0;
    for (int i = 0; i < 16; i++)
        add(d, i % 2 == 0 ? 0 : 200, i % 2, NN_TRAINING); /* class 0 black, class 1 white */
    nn_view_of_split(&v, d, NN_TRAINING);
    struct nn_loader_config c = config_of(&v);
    c.mixup = 1;
    c.mixup_share = 1;
    read_epoch(&c, 0, x, label);
    for (int i = 0; i < 16; i++) {
        assert_true(fabsf(label[3 * i] + label[3 * i + 1] - 1) < 1e-5f);
        assert_true(fabsf(x[4 * i] - 100 * label[3 * i + 1]) < 1e-3f);
        mixed += label[3 * i] > 0.01f && label[3 * i] < 0.99f;
    }
    assert_true(mixed > 0);
    nn_view_free(&v);
    nn_dataset_destroy(d);
}

static void test_teacher_blends_into_the_label(void **state)
{
    (void)state;
    struct nn_dataset *d = nn_dataset_create(1, 2, 2, CLASSES, 0);
    struct nn_view v;
    float soft[8 * CLASSES], x[32], label[24];
    for (int i = 0; i < 8; i++) {
        add(d, i, 2, NN_TRAINING);
        soft[3 * i] = 0.5f, soft[3 * i + 1] = 0.3f, soft[3 * i + 2] = 0.2f;
    }
    nn_view_of_split(&v, d, NN_TRAINING);
    struct nn_loader_config c = config_of(&v);
    c.soft = soft;
    c.soft_weight = 0.5f;
    read_epoch(&c, 0, x, label);
    assert_true(fabsf(label[0] - 0.25f) < 1e-6f);
    assert_true(fabsf(label[1] - 0.15f) < 1e-6f);
    assert_true(fabsf(label[2] - 0.60f) < 1e-6f);
    nn_view_free(&v);
    nn_dataset_destroy(d);
}

static void test_loader_stops_in_the_middle(void **state)
{
    (void)state;
    struct nn_dataset *d = make_unbalanced();
    struct nn_view v;
    nn_view_of_split(&v, d, NN_TRAINING);
    struct nn_loader_config c = config_of(&v);
    for (int batches = 0; batches < 4; batches++) {
        struct nn_loader *l;
        assert_int_equal(nn_loader_start(&l, &c, 0, NULL), 0);
        for (int i = 0; i < batches; i++)
            assert_non_null(nn_loader_next(l));
        nn_loader_stop(l);
    }
    nn_view_free(&v);
    nn_dataset_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_keep_their_bytes),
        cmocka_unit_test(test_duplicates_inside_and_across),
        cmocka_unit_test(test_pictures_that_differ_in_one_byte_stay),
        cmocka_unit_test(test_folds_are_a_stratified_partition),
        cmocka_unit_test(test_folds_follow_the_seed),
        cmocka_unit_test(test_loader_shows_every_row_once),
        cmocka_unit_test(test_loader_repeats_an_epoch_bit_for_bit),
        cmocka_unit_test(test_mixup_mixes_pictures_and_labels_alike),
        cmocka_unit_test(test_teacher_blends_into_the_label),
        cmocka_unit_test(test_loader_stops_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
