/* Faces that are tilted, turned, small or cut off tightly, and the tilt of a head by its eyes. The
 * faces are the drawn ones and, where the optional data is, photographs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/testing.h"
#include "vision/demo_face.h"
#include "vision/eye_finder.h"
#include "vision/face_finder.h"
#include "vision/opencv_c.h"
#include "vision/preprocess.h"

enum { WIDTH = 640, HEIGHT = 480, SIDE = 400 };

static uint8_t scene[WIDTH * HEIGHT]; /* the drawn face, upright */
static uint8_t turned[SIDE * SIDE];   /* the same, as another picture */
static const struct gray_view upright = {scene, WIDTH, HEIGHT, WIDTH};
static const struct gray_view tilted = {turned, SIDE, SIDE, SIDE};
static struct face_finder *finder;

static int setup(void **state)
{
    (void)state;
    struct err err = {0};
    char why[160];
    uint8_t *bgr = mem_new(WIDTH * HEIGHT, 3);
    demo_face_draw(0, bgr, WIDTH, HEIGHT, WIDTH * 3);
    assert_int_equal(cvc_bgr_to_gray(bgr, WIDTH, HEIGHT, WIDTH * 3, scene, WIDTH, why, sizeof why),
                     CVC_OK);
    free(bgr);
    return face_finder_open(&finder, NULL, &err);
}

static int teardown(void **state)
{
    (void)state;
    face_finder_close(finder);
    return 0;
}

static int find(const struct gray_view *g, enum finder_effort effort, struct face_box *face)
{
    struct err err = {0};
    int n = face_finder_find(finder, g, effort, face, 1, &err);
    assert_true(n >= 0);
    return n;
}

/* `turned` shows the middle of a picture with the head tilted clockwise by `roll`. */
static void tilt(const struct gray_view *g, float roll)
{
    float side = (float)(g->height < g->width ? g->height : g->width);
    struct face_box middle = {0.5f * ((float)g->width - side), 0.5f * ((float)g->height - side),
                              side, side, -roll};
    preprocess_crop(g, &middle, 0.0f, SIDE, turned);
}

static void assert_inside(const struct face_box *face, float x, float y)
{
    assert_true(x > face->x && x < face->x + face->w);
    assert_true(y > face->y && y < face->y + face->h);
}

static void tilted_heads_are_found_and_their_tilt_is_told(void **state)
{
    (void)state;
    static const float rolls[] = {0.0f, 0.3f, -0.3f, 0.5f, -0.6f, 0.75f, 1.57f, -1.57f};
    for (size_t i = 0; i < sizeof rolls / sizeof rolls[0]; i++) {
        struct face_box face;
        tilt(&upright, rolls[i]);
        assert_int_equal(find(&tilted, FINDER_CAREFUL, &face), 1);
        assert_inside(&face, SIDE / 2, SIDE / 2);
        assert_true(fabsf(face.roll - rolls[i]) < 0.4f);
        assert_true(face.w > 0.3f * SIDE && face.w < 0.9f * SIDE);
    }
}

/* A head that tilts while it is watched is not lost, and forgotten when it is gone. */
static void a_head_may_tilt_while_it_is_watched(void **state)
{
    (void)state;
    struct face_box face;
    int seen = 0, told = 0, frames = 0;
    for (float t = 0.0f; t < 6.3f; t += 0.1f, frames++) {
        float roll = 0.55f * sinf(t);
        tilt(&upright, roll);
        int n = find(&tilted, FINDER_LIVE, &face);
        seen += n == 1 && fabsf(face.roll - roll) < 0.5f;
        told += n == 1 && fabsf(face.roll) > 0.3f;
    }
    assert_true(seen * 100 >= frames * 95);
    assert_true(told > 5);
    memset(turned, 128, sizeof turned);
    assert_int_equal(find(&tilted, FINDER_LIVE, &face), 0);
    tilt(&upright, 0.7f); /* nobody was watched: the live search does not look for it */
    assert_int_equal(find(&tilted, FINDER_LIVE, &face), 0);
}

static void faces_cut_off_tightly_are_found(void **state)
{
    (void)state;
    struct face_box face;
    uint8_t tight[48 * 48]; /* a FER-2013 picture is like this */
    struct gray_view view = {tight, 48, 48, 48};
    assert_int_equal(find(&upright, FINDER_LIVE, &face), 1);
    preprocess_crop(&upright, &face, 0.0f, 48, tight);
    assert_int_equal(find(&view, FINDER_CAREFUL, &face), 1);
    assert_inside(&face, 24, 24);
    assert_true(face.w > 30 && face.w < 70);
}

/* `turned` shows the drawn head turned by `yaw` radians: what was drawn is wrapped around a
 * cylinder as wide as the head, before a plain wall. */
static void turn_head(const struct face_box *face, float yaw)
{
    float radius = 0.5f * face->w;
    for (int i = 0; i < SIDE * SIDE; i++) {
        float across = ((float)(i % SIDE) - SIDE / 2) / radius;
        float angle = asinf(fmaxf(-1.0f, fminf(across, 1.0f))) - yaw;
        float x = face->x + radius * (1.0f + sinf(angle));
        float y = face->y + radius + (float)(i / SIDE) - SIDE / 2;
        bool seen = fabsf(across) < 1.0f && fabsf(angle) < 1.57f && y >= 0.0f && y < HEIGHT;
        turned[i] = seen ? scene[(int)y * WIDTH + (int)x] : 90;
    }
}

static void heads_turned_to_the_side_are_found(void **state)
{
    (void)state;
    struct face_box front, face;
    assert_int_equal(find(&upright, FINDER_LIVE, &front), 1);
    for (float yaw = -1.2f; yaw < 1.3f; yaw += 0.6f) {
        turn_head(&front, yaw);
        assert_int_equal(find(&tilted, FINDER_CAREFUL, &face), 1);
        assert_inside(&face, SIDE / 2 + 0.3f * front.w * sinf(yaw), SIDE / 2);
        assert_true(face.w > 0.6f * front.w && face.w < 1.1f * front.w);
    }
}

static void nothing_is_found_in_nothing(void **state)
{
    (void)state;
    struct face_box face;
    for (int i = 0; i < SIDE * SIDE; i++)
        turned[i] = (uint8_t)(127.0 + 60.0 * sin(0.05 * (i % SIDE)) * cos(0.07 * (i / SIDE)));
    assert_int_equal(find(&tilted, FINDER_CAREFUL, &face), 0);
    memset(turned, 200, sizeof turned);
    assert_int_equal(find(&tilted, FINDER_CAREFUL, &face), 0);
}

static void a_picture_without_eyes_is_left_alone(void **state)
{
    (void)state;
    struct eye_finder *eyes = eye_finder_create();
    struct face_box face = {10, 10, 300, 300, 0.25f};
    memset(turned, 128, sizeof turned);
    assert_false(eye_finder_align(eyes, &tilted, &face));
    assert_true(face.roll == 0.25f);
    eye_finder_destroy(eyes);
}

/* Video frames turned by a known angle: the eyes tell it to a few degrees. */
static void eyes_tell_the_tilt(void **state)
{
    (void)state;
    static const float rolls[] = {0.0f, -0.25f, 0.2f, 0.45f};
    float own = 0.0f; /* the head's, before it is turned */
    const char *path = testing_data("clips/liveportrait_src_s18.mp4");
    if (path == NULL)
        skip();
    struct cvc_video *video;
    char why[160];
    int width, height;
    assert_int_equal(cvc_video_open(&video, path, why, sizeof why), CVC_OK);
    assert_int_equal(cvc_video_next(video, &width, &height, why, sizeof why), CVC_OK);
    uint8_t *bgr = mem_new((size_t)width * (size_t)height, 3);
    uint8_t *gray = mem_new((size_t)width, (size_t)height);
    assert_int_equal(cvc_video_copy(video, bgr, width, height, width * 3, why, sizeof why), CVC_OK);
    cvc_bgr_to_gray(bgr, width, height, width * 3, gray, width, why, sizeof why);
    struct gray_view frame = {gray, width, height, width};
    struct eye_finder *eyes = eye_finder_create();
    for (size_t i = 0; i < sizeof rolls / sizeof rolls[0]; i++) {
        struct face_box face;
        tilt(&frame, rolls[i]);
        assert_int_equal(find(&tilted, FINDER_CAREFUL, &face), 1);
        assert_true(eye_finder_align(eyes, &tilted, &face));
        if (i == 0)
            own = face.roll;
        assert_true(fabsf(face.roll - own - rolls[i]) < 0.1f);
    }
    eye_finder_destroy(eyes);
    cvc_video_close(video);
    free(bgr);
    free(gray);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tilted_heads_are_found_and_their_tilt_is_told),
        cmocka_unit_test(a_head_may_tilt_while_it_is_watched),
        cmocka_unit_test(faces_cut_off_tightly_are_found),
        cmocka_unit_test(heads_turned_to_the_side_are_found),
        cmocka_unit_test(nothing_is_found_in_nothing),
        cmocka_unit_test(a_picture_without_eyes_is_left_alone),
        cmocka_unit_test(eyes_tell_the_tilt),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
