/* The network on crops: the same numbers as by hand, clear refusals of models that do not fit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "nn/onnx.h"
#include "nn/run.h"
#include "support/testing.h"
#include "vision/classifier.h"

enum { WIDTH = 120, HEIGHT = 90 };

static char *dir;
static uint8_t pixels[WIDTH * HEIGHT];
static const struct gray_view picture = {pixels, WIDTH, HEIGHT, WIDTH};
static const struct face_box faces[3] = {
    {20, 20, 40, 40, 0}, {70, 10, 33, 33, 0.2f}, {-10, 60, 50, 50, 0}};

static int setup(void **state)
{
    (void)state;
    dir = testing_make_dir();
    for (int i = 0; i < WIDTH * HEIGHT; i++)
        pixels[i] = (uint8_t)(127.0 + 120.0 * sin(0.11 * (i % WIDTH)) * cos(0.07 * (i / WIDTH)));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    testing_remove_dir(dir);
    return 0;
}

static void assert_close(const struct reading *a, const struct reading *b, float near)
{
    for (int e = 0; e < EMOTION_COUNT; e++)
        assert_true(fabsf(a->scores.p[e] - b->scores.p[e]) < near);
    assert_true(fabsf(a->unknown - b->unknown) < near);
}

/* One view of one face, step by step. */
static void read_by_hand(struct nn_run *run, const struct preprocess *p, const struct face_box *f,
                         float margin, bool mirrored, struct reading *out)
{
    uint8_t crop[MODEL_SIDE * MODEL_SIDE];
    int ferplus = nn_run_find_output(run, "ferplus");
    preprocess_crop(&picture, f, margin, MODEL_SIDE, crop);
    preprocess_normalise(p, crop, mirrored, nn_run_input(run, 0));
    nn_run_forward(run);
    preprocess_reading(p, nn_run_output(run, nn_run_find_output(run, "logits")),
                       ferplus >= 0 ? nn_run_output(run, ferplus) : NULL, out);
}

static void reads_as_by_hand(bool two_heads)
{
    struct classifier *c;
    struct nn_graph *g;
    struct nn_run *run;
    struct err err = {0};
    struct reading got[3];
    const char *path = testing_path(dir, "model.onnx");
    model_write(path, two_heads);
    assert_int_equal(classifier_open(&c, path, NULL, &err), ERR_OK);
    assert_int_equal(nn_onnx_load(&g, path, &err), ERR_OK);
    assert_int_equal(nn_run_create(&run, g, 1, NULL, NULL, &err), ERR_OK);
    const struct preprocess *p = classifier_preprocess(c);
    assert_int_equal(p->side, MODEL_SIDE);
    assert_int_equal(p->ferplus_count, two_heads ? FERPLUS_MAX : 0);
    classifier_read(c, &picture, faces, 3, CLASSIFIER_LIVE, got);
    for (int i = 0; i < 3; i++) {
        struct reading want;
        read_by_hand(run, p, &faces[i], p->margin, false, &want);
        assert_close(&got[i], &want, 1e-4f);
        assert_true((got[i].unknown > 0.0f) == two_heads);
    }
    /* Three margins, each also mirrored, have one mean. */
    static const float margins[] = {-0.06f, 0.0f, 0.06f};
    struct reading mean = {.unknown = 0.0f};
    for (int v = 0; v < 6; v++) {
        struct reading r;
        read_by_hand(run, p, &faces[0], p->margin + margins[v / 2], v % 2 == 1, &r);
        for (int e = 0; e < EMOTION_COUNT; e++)
            mean.scores.p[e] += r.scores.p[e] / 6.0f;
        mean.unknown += r.unknown / 6.0f;
    }
    classifier_read(c, &picture, faces, 1, CLASSIFIER_CAREFUL, got);
    assert_close(&got[0], &mean, 1e-4f);
    nn_run_destroy(run);
    nn_graph_destroy(g);
    classifier_close(c);
}

static void one_head(void **state)
{
    (void)state;
    reads_as_by_hand(false);
}

static void two_heads(void **state)
{
    (void)state;
    reads_as_by_hand(true);
}

/* Also where the processor does not multiply bytes (this program runs as both). */
static void a_network_of_8_bits_reads_alike(void **state)
{
    (void)state;
    const char *files[] = {testing_path(dir, "floats.onnx"), testing_path(dir, "bytes.onnx")};
    struct reading got[2][3];
    model_write(files[0], true);
    model_write_quantised(files[1]);
    for (int i = 0; i < 2; i++) {
        struct classifier *c;
        struct err err = {0};
        assert_int_equal(classifier_open(&c, files[i], NULL, &err), ERR_OK);
        classifier_read(c, &picture, faces, 3, CLASSIFIER_LIVE, got[i]);
        classifier_close(c);
    }
    for (int i = 0; i < 3; i++)
        assert_close(&got[0][i], &got[1][i], 0.01f);
}

static void expect_refused(const char *path, const char *word)
{
    struct classifier *c;
    struct err err = {0};
    assert_true(classifier_open(&c, path, NULL, &err) < 0);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, word));
}

static void models_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    const char *path = testing_path(dir, "bad.onnx");
    expect_refused(testing_path(dir, "missing.onnx"), "missing");
    testing_write(path, "no network at all", 17);
    expect_refused(path, "bad.onnx");
    model_write_with(path, "labels", "angry,happy");
    expect_refused(path, "labels");
    model_write_with(path, "input_size", "48");
    expect_refused(path, "input");
    model_write_with(path, "input_channels", "3");
    expect_refused(path, "input");
    model_write_with(path, "ferplus_labels", "neutral,happiness");
    expect_refused(path, "ferplus");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_head),
        cmocka_unit_test(two_heads),
        cmocka_unit_test(a_network_of_8_bits_reads_alike),
        cmocka_unit_test(models_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
