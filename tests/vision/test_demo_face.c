/* The drawn face: seen by the detector, different for each emotion, never outside its memory. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/testing.h"
#include "vision/demo_face.h"
#include "vision/face_finder.h"
#include "vision/opencv_c.h"

enum { WIDTH = 640, HEIGHT = 480 };

static void found_in_nearly_every_frame(void **state)
{
    (void)state;
    struct face_finder *finder;
    struct err err = {0};
    char why[160];
    uint8_t *bgr = mem_new(WIDTH * HEIGHT, 3);
    uint8_t *gray = mem_new(WIDTH, HEIGHT);
    struct gray_view view = {gray, WIDTH, HEIGHT, WIDTH};
    int frames = 0;
    int found = 0;
    assert_int_equal(face_finder_open(&finder, "haar", &err), ERR_OK);
    for (int64_t t = 0; t < DEMO_FACE_CYCLE_MS; t += 130, frames++) {
        struct face_box face;
        demo_face_draw(t, bgr, WIDTH, HEIGHT, WIDTH * 3);
        assert_int_equal(
            cvc_bgr_to_gray(bgr, WIDTH, HEIGHT, WIDTH * 3, gray, WIDTH, why, sizeof why), 0);
        int n = face_finder_find(finder, &view, FINDER_LIVE, &face, 1, &err);
        found += n == 1 && face.x < WIDTH / 2 && face.x + face.w > WIDTH / 2;
    }
    assert_true(found * 100 >= frames * 95);
    face_finder_close(finder);
    free(bgr);
    free(gray);
}

static void shows_all_seven(void **state)
{
    (void)state;
    unsigned seen = 0;
    for (int64_t t = 0; t < DEMO_FACE_CYCLE_MS; t += 100)
        seen |= 1u << demo_face_emotion(t);
    assert_int_equal(seen, (1 << EMOTION_COUNT) - 1);
    assert_int_equal(demo_face_emotion(0), demo_face_emotion(DEMO_FACE_CYCLE_MS));
}

static void depends_on_time_alone(void **state)
{
    (void)state;
    uint8_t *a = mem_new(WIDTH * HEIGHT, 3);
    uint8_t *b = mem_new(WIDTH * HEIGHT, 3);
    demo_face_draw(5000, a, WIDTH, HEIGHT, WIDTH * 3);
    demo_face_draw(9000, b, WIDTH, HEIGHT, WIDTH * 3);
    assert_memory_not_equal(a, b, WIDTH * HEIGHT * 3);
    demo_face_draw(5000, b, WIDTH, HEIGHT, WIDTH * 3);
    assert_memory_equal(a, b, WIDTH * HEIGHT * 3);
    free(a);
    free(b);
}

static void fits_any_size(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {7, 90}, {160, 120}, {500, 100}, {1280, 720}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int w = sizes[i][0];
        int h = sizes[i][1];
        size_t stride = (size_t)w * 3 + 5;
        uint8_t *px = mem_new(stride, (size_t)h + 1);
        memset(px, 0x5a, stride * ((size_t)h + 1));
        demo_face_draw(12345, px, w, h, (int)stride);
        for (int y = 0; y < h; y++) /* between the rows, and after the last one */
            for (size_t k = (size_t)w * 3; k < stride; k++)
                assert_int_equal(px[(size_t)y * stride + k], 0x5a);
        assert_int_equal(px[stride * (size_t)h], 0x5a);
        free(px);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_in_nearly_every_frame),
        cmocka_unit_test(shows_all_seven),
        cmocka_unit_test(depends_on_time_alone),
        cmocka_unit_test(fits_any_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
