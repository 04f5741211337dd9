/* Warps, tone tables and crops against numbers worked out by hand. */
#include "support/testing.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "nn/augment.h"

enum { SIDE = 8 };

static void make_picture(uint8_t px[SIDE * SIDE])
{
    for (int i = 0; i < SIDE * SIDE; i++)
        px[i] = (uint8_t)(i * 37 % 251);
}

static void test_whole_picture_of_equal_size_is_a_copy(void **state)
{
    (void)state;
    uint8_t src[SIDE * SIDE], dst[SIDE * SIDE];
    make_picture(src);
    struct nn_warp w = nn_crop_warp(NN_SINGLE_CROP, 0, 0, SIDE, SIDE, SIDE, SIDE);
    nn_warp_apply(&w, NULL, src, 1, SIDE, SIDE, dst, SIDE, SIDE);
    assert_memory_equal(src, dst, sizeof src);
}

static void test_second_crop_is_the_mirror_image(void **state)
{
    (void)state;
    uint8_t src[SIDE * SIDE], dst[SIDE * SIDE];
    make_picture(src);
    struct nn_warp w = nn_crop_warp(NN_FLIP, 1, 0, SIDE, SIDE, SIDE, SIDE);
    nn_warp_apply(&w, NULL, src, 1, SIDE, SIDE, dst, SIDE, SIDE);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            assert_int_equal(dst[y * SIDE + x], src[y * SIDE + SIDE - 1 - x]);
}

static void test_no_augmentation_changes_nothing(void **state)
{
    (void)state;
    uint8_t src[SIDE * SIDE], dst[SIDE * SIDE];
    struct nn_augment none = {0};
    struct nn_variation v;
    struct rng rng;
    make_picture(src);
    rng_seed(&rng, 1, 1);
    nn_augment_draw(&v, &none, &rng, SIDE, SIDE, SIDE, SIDE);
    nn_augment_apply(&v, src, 1, SIDE, SIDE, dst, SIDE, SIDE);
    assert_memory_equal(src, dst, sizeof src);
}

static void test_enlarging_interpolates(void **state)
{
    (void)state;
    const uint8_t src[4] = {0, 100, 200, 100};
    uint8_t dst[16];
    struct nn_warp w = nn_warp_part(2, 2, 4, 4, 0.5f, 0.5f, 1, false);
    nn_warp_apply(&w, NULL, src, 1, 2, 2, dst, 4, 4);
    /* Target centres lie at source -0.25, 0.25, 0.75, 1.25; outside the edge is repeated. */
    const uint8_t want[16] = {0,   25,  75,  100, 50,  63,  88,  100,
                              150, 138, 113, 100, 200, 175, 125, 100};
    assert_memory_equal(dst, want, sizeof want);
}

static void test_ten_crops_are_corners_and_centre(void **state)
{
    (void)state;
    static const float origin[5][2] = {{2, 2}, {0, 0}, {4, 0}, {0, 4}, {4, 4}};
    for (int i = 0; i < 10; i++) {
        struct nn_warp w = nn_crop_warp(NN_TEN_CROP, i, 0, 48, 48, 44, 44);
        float left = i % 2 == 0 ? w.c : w.c + w.a * 43;
        assert_true(fabsf(fabsf(w.a) - 1) < 1e-5f && (w.a < 0) == (i % 2 == 1));
        assert_true(fabsf(left - origin[i / 2][0]) < 1e-4f);
        assert_true(fabsf(w.f - origin[i / 2][1]) < 1e-4f);
    }
}

static void test_a_margin_cuts_away_or_adds(void **state)
{
    (void)state;
    struct nn_warp w = nn_crop_warp(NN_SINGLE_CROP, 0, -0.25f, 48, 48, 24, 24);
    assert_true(fabsf(w.a - 1) < 1e-5f && fabsf(w.c - 12) < 1e-4f && fabsf(w.f - 12) < 1e-4f);
    w = nn_crop_warp(NN_SINGLE_CROP, 0, 0.5f, 48, 48, 96, 96);
    assert_true(fabsf(w.a - 1) < 1e-5f && fabsf(w.c + 24) < 1e-4f);
    w = nn_crop_warp(NN_TEN_CROP, 9, -0.25f, 48, 48, 24, 24); /* the lower right, mirrored */
    assert_true(fabsf(w.c - 47) < 1e-4f && fabsf(w.f - 24) < 1e-4f);
}

static void test_variations_are_about_the_margin(void **state)
{
    (void)state;
    struct nn_augment a = {.margin = -0.25f};
    struct nn_variation v;
    struct rng rng;
    rng_seed(&rng, 1, 1);
    nn_augment_draw(&v, &a, &rng, 48, 48, 24, 24);
    assert_true(fabsf(v.warp.a - 1) < 1e-5f && fabsf(v.warp.c - 12) < 1e-4f);
}

static void test_rotation_keeps_the_centre_and_lengths(void **state)
{
    (void)state;
    struct nn_augment a = {.rotate = 90};
    struct rng rng;
    rng_seed(&rng, 7, 0);
    for (int i = 0; i < 100; i++) {
        struct nn_variation v;
        nn_augment_draw(&v, &a, &rng, SIDE, SIDE, SIDE, SIDE);
        const struct nn_warp *w = &v.warp;
        float mid = (SIDE - 1) / 2.0f;
        assert_true(fabsf(w->a * mid + w->b * mid + w->c - mid) < 1e-4f);
        assert_true(fabsf(w->d * mid + w->e * mid + w->f - mid) < 1e-4f);
        assert_true(fabsf(w->a * w->a + w->d * w->d - 1) < 1e-5f);
        assert_true(fabsf(w->a * w->b + w->d * w->e) < 1e-5f);
    }
}

static void test_shift_and_zoom_stay_in_their_limits(void **state)
{
    (void)state;
    struct nn_augment a = {.shift = 0.25f, .zoom = 0.5f};
    struct rng rng;
    float least = 9, most = 0, far = 0;
    rng_seed(&rng, 3, 0);
    for (int i = 0; i < 2000; i++) {
        struct nn_variation v;
        nn_augment_draw(&v, &a, &rng, SIDE, SIDE, SIDE, SIDE);
        float mid = (SIDE - 1) / 2.0f, moved = v.warp.a * mid + v.warp.c - mid;
        least = fminf(least, v.warp.a);
        most = fmaxf(most, v.warp.a);
        far = fmaxf(far, fabsf(moved));
    }
    assert_true(least >= 1 / 1.5f - 1e-4f && least < 0.70f);
    assert_true(most <= 1.5f + 1e-4f && most > 1.45f);
    assert_true(far <= 0.25f * SIDE + 1e-3f && far > 0.24f * SIDE);
}

static void test_brightness_moves_and_clips(void **state)
{
    (void)state;
    struct nn_augment a = {.brightness = 0.4f};
    struct rng rng;
    rng_seed(&rng, 9, 0);
    for (int i = 0; i < 200; i++) {
        struct nn_variation v;
        nn_augment_draw(&v, &a, &rng, SIDE, SIDE, SIDE, SIDE);
        float moved = v.tone[128] - 128;
        assert_true(fabsf(moved) <= 102.1f);
        for (int b = 0; b < 256; b++) {
            float want = fminf(fmaxf((float)b + moved, 0), 255);
            assert_true(fabsf(v.tone[b] - want) < 0.01f);
        }
    }
}

static void test_gamma_keeps_black_and_white(void **state)
{
    (void)state;
    struct nn_augment a = {.gamma = 1};
    struct rng rng;
    bool darker = false, brighter = false;
    rng_seed(&rng, 2, 0);
    for (int i = 0; i < 100; i++) {
        struct nn_variation v;
        nn_augment_draw(&v, &a, &rng, SIDE, SIDE, SIDE, SIDE);
        assert_true(fabsf(v.tone[0]) < 1e-3f && fabsf(v.tone[255] - 255) < 1e-3f);
        /* 128/255 to the powers 2 and 1/2, the ends of the range */
        assert_true(v.tone[128] > 64.2f && v.tone[128] < 180.7f);
        darker |= v.tone[128] < 90;
        brighter |= v.tone[128] > 160;
    }
    assert_true(darker && brighter);
}

static void test_erase_covers_its_rectangle_only(void **state)
{
    (void)state;
    enum { BIG = 32 };
    struct nn_augment a = {.erase = 1, .erase_area = 0.3f};
    struct rng rng;
    uint8_t src[BIG * BIG], dst[BIG * BIG];
    memset(src, 50, sizeof src);
    rng_seed(&rng, 4, 0);
    for (int i = 0; i < 200; i++) {
        struct nn_variation v;
        nn_augment_draw(&v, &a, &rng, BIG, BIG, BIG, BIG);
        assert_in_range(v.erase_w, 1, BIG);
        assert_in_range(v.erase_x, 0, BIG - v.erase_w);
        assert_in_range(v.erase_y, 0, BIG - v.erase_h);
        assert_true(v.erase_w * v.erase_h <= (int)(0.3f * BIG * BIG) + 1);
        nn_augment_apply(&v, src, 1, BIG, BIG, dst, BIG, BIG);
        for (int p = 0; p < BIG * BIG; p++) {
            int x = p % BIG - v.erase_x, y = p / BIG - v.erase_y;
            bool inside = x >= 0 && x < v.erase_w && y >= 0 && y < v.erase_h;
            assert_int_equal(dst[p], inside ? v.erase_value : 50);
        }
    }
}

static void test_flip_comes_as_often_as_asked(void **state)
{
    (void)state;
    struct nn_augment a = {.flip = 0.25f};
    struct rng rng;
    int flips = 0;
    rng_seed(&rng, 8, 0);
    for (int i = 0; i < 4000; i++) {
        struct nn_variation v;
        nn_augment_draw(&v, &a, &rng, SIDE, SIDE, SIDE, SIDE);
        flips += v.warp.a < 0;
    }
    assert_in_range(flips, 890, 1110); /* 4 deviations about 1000 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_picture_of_equal_size_is_a_copy),
        cmocka_unit_test(test_second_crop_is_the_mirror_image),
        cmocka_unit_test(test_no_augmentation_changes_nothing),
        cmocka_unit_test(test_enlarging_interpolates),
        cmocka_unit_test(test_ten_crops_are_corners_and_centre),
        cmocka_unit_test(test_a_margin_cuts_away_or_adds),
        cmocka_unit_test(test_variations_are_about_the_margin),
        cmocka_unit_test(test_rotation_keeps_the_centre_and_lengths),
        cmocka_unit_test(test_shift_and_zoom_stay_in_their_limits),
        cmocka_unit_test(test_brightness_moves_and_clips),
        cmocka_unit_test(test_gamma_keeps_black_and_white),
        cmocka_unit_test(test_erase_covers_its_rectangle_only),
        cmocka_unit_test(test_flip_comes_as_often_as_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
