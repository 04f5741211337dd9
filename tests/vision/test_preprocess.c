/* Crop geometry, scaling, normalisation, metadata, outputs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "nn/graph.h"
#include "support/testing.h"
#include "vision/preprocess.h"

static uint8_t *ramp(int width, int height) /* value = x */
{
    uint8_t *px = mem_new((size_t)width, (size_t)height);
    for (int i = 0; i < width * height; i++)
        px[i] = (uint8_t)(i % width);
    return px;
}

static void same_size_is_identity(void **state)
{
    (void)state;
    uint8_t px[16 * 16];
    uint8_t out[16 * 16];
    for (int i = 0; i < 256; i++)
        px[i] = (uint8_t)(i * 37);
    struct gray_view g = {px, 16, 16, 16};
    preprocess_resize(&g, 16, out);
    assert_memory_equal(px, out, sizeof out);
    struct face_box whole = {0, 0, 16, 16, 0};
    preprocess_crop(&g, &whole, 0.0f, 16, out);
    assert_memory_equal(px, out, sizeof out);
}

static void shrinking_averages_everything(void **state)
{
    (void)state;
    enum { SIDE = 96 };
    uint8_t *px = mem_new(SIDE, SIDE);
    uint8_t out[48 * 48];
    for (int i = 0; i < SIDE * SIDE;
         i++) /* a fine chessboard: sampling would give black or white */
        px[i] = (i % SIDE + i / SIDE) % 2 ? 255 : 0;
    struct gray_view g = {px, SIDE, SIDE, SIDE};
    preprocess_resize(&g, 48, out);
    for (int i = 0; i < 48 * 48; i++)
        assert_in_range(out[i], 126, 129);
    free(px);
}

static void margin_widens_around_the_centre(void **state)
{
    (void)state;
    uint8_t *px = ramp(200, 200);
    uint8_t out[20 * 20];
    struct gray_view g = {px, 200, 200, 200};
    struct face_box face = {80, 80, 40, 40, 0};
    preprocess_crop(&g, &face, 0.0f, 20, out); /* columns 80 .. 119, two each */
    assert_in_range(out[0], 80, 81);
    assert_in_range(out[19], 118, 119);
    preprocess_crop(&g, &face, 0.5f, 20, out); /* columns 60 .. 139, four each */
    assert_in_range(out[0], 61, 62);
    assert_in_range(out[19], 137, 138);
    struct face_box tall = {90, 80, 20, 40, 0}; /* square around the centre, by the longer side */
    uint8_t other[20 * 20];
    preprocess_crop(&g, &face, 0.0f, 20, out);
    preprocess_crop(&g, &tall, 0.0f, 20, other);
    assert_memory_equal(out, other, sizeof out);
    free(px);
}

static void edges_are_repeated(void **state)
{
    (void)state;
    uint8_t *px = ramp(100, 100);
    uint8_t out[10 * 10];
    struct gray_view g = {px, 100, 100, 100};
    struct face_box face = {-50, -50, 100, 100, 0};
    preprocess_crop(&g, &face, 0.0f, 10, out);
    for (int i = 0; i < 5; i++)
        assert_int_equal(out[i], 0);
    assert_in_range(out[99], 43, 46);
    struct face_box outside = {500, 500, 50, 50, 0};
    preprocess_crop(&g, &outside, 0.0f, 10, out);
    assert_int_equal(out[55], 99);
    free(px);
}

static void roll_turns_the_face_upright(void **state)
{
    (void)state;
    enum { SIDE = 101 };
    uint8_t *px = mem_new(SIDE, SIDE);
    uint8_t out[21 * 21];
    /* A bright spot at the chin of a head tilted by a quarter turn clockwise: the chin points left.
     */
    for (int y = 45; y < 56; y++)
        memset(px + y * SIDE + 5, 200, 20);
    struct gray_view g = {px, SIDE, SIDE, SIDE};
    struct face_box face = {0, 0, SIDE, SIDE, 1.5707963f};
    preprocess_crop(&g, &face, 0.0f, 21, out);
    assert_true(out[18 * 21 + 10] > 150); /* below the middle, as a chin should be */
    assert_int_equal(out[10 * 21 + 2], 0);
    free(px);
}

static void stride_is_respected(void **state)
{
    (void)state;
    uint8_t px[8 * 20];
    uint8_t out[8 * 8];
    memset(px, 99, sizeof px);
    for (int y = 0; y < 8; y++)
        memset(px + y * 20, 10 * y, 8);
    struct gray_view g = {px, 8, 8, 20};
    preprocess_resize(&g, 8, out);
    for (int y = 0; y < 8; y++)
        assert_int_equal(out[8 * y + 7], 10 * y);
}

static void normalises_and_mirrors(void **state)
{
    (void)state;
    struct preprocess p = preprocess_defaults();
    p.side = 8;
    p.channels = 3;
    p.mean = 0.25f;
    p.std = 0.5f;
    uint8_t crop[64];
    float x[3 * 64];
    float mirrored[3 * 64];
    for (int i = 0; i < 64; i++)
        crop[i] = (uint8_t)(4 * i);
    preprocess_normalise(&p, crop, false, x);
    preprocess_normalise(&p, crop, true, mirrored);
    for (int i = 0; i < 3 * 64; i++) {
        int row = i % 64 / 8;
        int col = i % 8;
        assert_true(fabsf(x[i] - ((float)crop[i % 64] / 255.0f - 0.25f) / 0.5f) < 1e-5f);
        assert_true(mirrored[i] == x[i / 64 * 64 + row * 8 + 7 - col]);
    }
}

static void metadata_round_trip(void **state)
{
    (void)state;
    struct preprocess p = preprocess_defaults();
    struct preprocess back;
    struct err err = {0};
    struct nn_graph *g = nn_graph_create("test", 1);
    p.side = 64;
    p.channels = 3;
    p.mean = 0.507f;
    p.std = 0.255f;
    p.margin = 0.1f;
    p.temperature = 1.37f;
    p.order[0] = EMOTION_SAD;
    p.order[EMOTION_SAD] = EMOTION_ANGRY;
    preprocess_to_graph(&p, g);
    assert_string_equal(nn_graph_meta(g, "labels"),
                        "sad,disgust,fear,happy,angry,surprise,neutral");
    assert_int_equal(preprocess_from_graph(&back, g, &err), ERR_OK);
    assert_memory_equal(&p, &back, sizeof p);
    nn_graph_set_meta(g, "ferplus_labels",
                      "neutral,happiness,surprise,sadness,anger,disgust,fear,"
                      "contempt,unknown,nf");
    assert_int_equal(preprocess_from_graph(&back, g, &err), ERR_OK);
    assert_int_equal(back.ferplus_count, 10);
    assert_int_equal(back.ferplus[1], EMOTION_HAPPY);
    assert_int_equal(back.ferplus[7], FERPLUS_NONE);
    nn_graph_destroy(g);
}

static void bad_metadata_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
    } bad[] = {
        {"labels", "angry,disgust"},
        {"labels", "angry,angry,fear,happy,sad,surprise,neutral"},
        {"labels", "angry,disgust,fear,happy,sad,surprise,bored"},
        {"labels", "angry,disgust,fear,happy,sad,surprise,neutral,happy"},
        {"input_size", "big"},
        {"input_size", "100000"},
        {"input_size", "48.5"},
        {"input_channels", "2"},
        {"std", "0"},
        {"mean", "nan"},
        {"crop_margin", "-3"},
        {"temperature", "0"},
        {"ferplus_labels", "neutral,whatever"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct preprocess p = preprocess_defaults();
        struct preprocess out;
        struct err err = {0};
        struct nn_graph *g = nn_graph_create("test", 1);
        preprocess_to_graph(&p, g);
        nn_graph_set_meta(g, bad[i].key, bad[i].value);
        assert_true(preprocess_from_graph(&out, g, &err) < 0);
        assert_non_null(strstr(err.text, bad[i].key));
        nn_graph_destroy(g);
    }
    struct preprocess out;
    struct err err = {0};
    struct nn_graph *g = nn_graph_create("empty", 1);
    assert_true(preprocess_from_graph(&out, g, &err) < 0);
    assert_non_null(strstr(err.text, "labels"));
    nn_graph_destroy(g);
}

static float sum_of(const struct reading *r)
{
    float sum = 0.0f;
    for (int e = 0; e < EMOTION_COUNT; e++)
        sum += r->scores.p[e];
    return sum;
}

/* The same belief in two classes means more of the rarer one; a clear belief is not overruled. */
static void rare_classes_are_evened_out(void **state)
{
    (void)state;
    struct preprocess p = preprocess_defaults();
    struct reading r;
    float logits[EMOTION_COUNT] = {0};
    preprocess_reading(&p, logits, NULL, &r);
    assert_true(r.scores.p[EMOTION_DISGUST] > 2.0f * r.scores.p[EMOTION_ANGRY]);
    assert_true(r.scores.p[EMOTION_SURPRISE] > r.scores.p[EMOTION_HAPPY]);
    /* Odds change by the square root of 0.251 / 0.139. */
    float odds = r.scores.p[EMOTION_ANGRY] / r.scores.p[EMOTION_HAPPY];
    assert_true(fabsf(odds - sqrtf(0.251f / 0.139f)) < 1e-4f);
    assert_true(fabsf(sum_of(&r) - 1.0f) < 1e-5f);
    logits[EMOTION_HAPPY] = 4.0f;
    preprocess_reading(&p, logits, NULL, &r);
    assert_int_equal(emotion_top(&r.scores), EMOTION_HAPPY);
}

static void outputs_become_readings(void **state)
{
    (void)state;
    struct preprocess p = preprocess_defaults();
    struct reading r, cooler;
    float logits[EMOTION_COUNT] = {0, 0, 0, 4, 0, 0, 0};
    preprocess_reading(&p, logits, NULL, &r);
    assert_true(r.unknown == 0.0f);
    p.temperature = 2.0f;
    preprocess_reading(&p, logits, NULL, &cooler);
    assert_true(cooler.scores.p[EMOTION_HAPPY] < r.scores.p[EMOTION_HAPPY]);
    p.temperature = 1.0f;
    p.order[3] = EMOTION_FEAR;
    p.order[2] = EMOTION_HAPPY;
    preprocess_reading(&p, logits, NULL, &r);
    assert_int_equal(emotion_top(&r.scores), EMOTION_FEAR);
}

static void the_second_head_weighs_what_it_knows(void **state)
{
    (void)state;
    struct preprocess p = preprocess_defaults();
    struct reading one, sure, unsure;
    float logits[EMOTION_COUNT] = {2, 0, 0, 1, 0, 0, 0};
    float happy[3] = {20, 0, 0}, shrug[3] = {logf(1), logf(2), logf(1)};
    p.ferplus_count = 3;
    p.ferplus[0] = EMOTION_HAPPY;
    p.ferplus[1] = p.ferplus[2] = FERPLUS_NONE;
    preprocess_reading(&p, logits, NULL, &one);
    preprocess_reading(&p, logits, happy, &sure);
    preprocess_reading(&p, logits, shrug, &unsure);
    assert_true(sure.unknown < 1e-5f);
    assert_true(fabsf(unsure.unknown - 0.75f) < 1e-5f);
    float alone = one.scores.p[EMOTION_HAPPY];
    assert_true(fabsf(sure.scores.p[EMOTION_HAPPY] - (alone + 1.5f) / 2.5f) < 1e-4f);
    assert_true(fabsf(unsure.scores.p[EMOTION_HAPPY] - (alone + 0.375f) / 1.375f) < 1e-4f);
    assert_true(fabsf(sum_of(&unsure) - 1.0f) < 1e-5f);
    p.temperature = 2.0f; /* fitted to the labels, not to the votes */
    preprocess_reading(&p, logits, shrug, &unsure);
    assert_true(fabsf(unsure.unknown - 0.75f) < 1e-5f);
}

/* Votes are evened out further than labels: by the power of 3/4 of 0.275 / 0.084. */
static void votes_are_evened_out(void **state)
{
    (void)state;
    struct preprocess p = preprocess_defaults();
    struct reading label, both;
    float logits[EMOTION_COUNT] = {0}, even[2] = {0, 0};
    p.ferplus_count = 2;
    p.ferplus[0] = EMOTION_HAPPY;
    p.ferplus[1] = EMOTION_ANGRY;
    preprocess_reading(&p, logits, NULL, &label);
    preprocess_reading(&p, logits, even, &both);
    float angry = 2.5f * both.scores.p[EMOTION_ANGRY] - label.scores.p[EMOTION_ANGRY];
    float happy = 2.5f * both.scores.p[EMOTION_HAPPY] - label.scores.p[EMOTION_HAPPY];
    assert_true(fabsf(angry / happy - powf(0.275f / 0.084f, 0.75f)) < 1e-3f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_size_is_identity),
        cmocka_unit_test(shrinking_averages_everything),
        cmocka_unit_test(margin_widens_around_the_centre),
        cmocka_unit_test(edges_are_repeated),
        cmocka_unit_test(roll_turns_the_face_upright),
        cmocka_unit_test(stride_is_respected),
        cmocka_unit_test(normalises_and_mirrors),
        cmocka_unit_test(metadata_round_trip),
        cmocka_unit_test(bad_metadata_is_named),
        cmocka_unit_test(rare_classes_are_evened_out),
        cmocka_unit_test(outputs_become_readings),
        cmocka_unit_test(the_second_head_weighs_what_it_knows),
        cmocka_unit_test(votes_are_evened_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
