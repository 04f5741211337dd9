/* The camera source and the capture thread against a virtual camera with faults. */
#include <errno.h>
#include <linux/videodev2.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/testing.h"
#include "vcam.h"
#include "vision/camera_list.h"
#include "vision/opencv_c.h"
#include "watch.h"

enum { WIDTH = 320, HEIGHT = 240 };

static uint8_t *jpeg; /* left half red, right half blue */
static size_t jpeg_bytes;
static uint8_t *small_jpeg;
static size_t small_bytes;

static void paint_halves(uint8_t *bgr, int width, int height)
{
    for (int i = 0; i < width * height; i++) {
        bool left = i % width < width / 2;
        bgr[3 * i] = left ? 0 : 255;
        bgr[3 * i + 1] = 0;
        bgr[3 * i + 2] = left ? 255 : 0;
    }
}

static void make_jpeg(int width, int height, uint8_t **out, size_t *len)
{
    char why[160];
    uint8_t *bgr = mem_new((size_t)width * (size_t)height, 3);
    paint_halves(bgr, width, height);
    assert_int_equal(
        cvc_image_encode(".jpg", bgr, 3, width, height, width * 3, out, len, why, sizeof why), 0);
    free(bgr);
}

static int setup(void **state)
{
    (void)state;
    cvc_setup();
    make_jpeg(WIDTH, HEIGHT, &jpeg, &jpeg_bytes);
    make_jpeg(WIDTH / 2, HEIGHT / 2, &small_jpeg, &small_bytes);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cvc_free(jpeg);
    cvc_free(small_jpeg);
    return 0;
}

static void plug(const char *path)
{
    struct vcam v = {.path = path,
                     .card = "Test Camera: Test Cam",
                     .bus = "usb-1",
                     .fourcc = "MJPG",
                     .width = WIDTH,
                     .height = HEIGHT,
                     .fps = 100,
                     .picture = jpeg,
                     .bytes = jpeg_bytes};
    vcam_plug(&v);
}

static int unplug(void **state)
{
    (void)state;
    vcam_unplug();
    vcam_refuse_open(0);
    return 0;
}

static void assert_halves(const struct frame *f)
{
    const uint8_t *left = f->bgr + (f->height / 2) * f->stride + 3 * (f->width / 4);
    const uint8_t *right = f->bgr + (f->height / 2) * f->stride + 3 * (3 * f->width / 4);
    assert_true(left[2] > 200 && left[0] < 60);
    assert_true(right[0] > 200 && right[2] < 60);
}

static void expect_frames(struct watch *w, int n)
{
    uint64_t last = 0;
    for (int i = 0; i < n; i++) {
        struct frame *f = watch_frame(w);
        assert_true(f->seq > last);
        assert_halves(f);
        last = f->seq;
        frame_unref(&f);
    }
}

static void streams_mjpeg(void **state)
{
    (void)state;
    plug("/dev/video0");
    struct watch *w = watch_start(NULL, false);
    struct capture_status st = watch_state(w, CAPTURE_LIVE, CAPTURE_FINE);
    assert_string_equal(st.name, "Test Camera");
    assert_true(st.mirror);
    expect_frames(w, 5);
    capture_status(watch_capture(w), &st);
    assert_int_equal(st.width, WIDTH);
    assert_int_equal(st.height, HEIGHT);
    assert_true(st.frames >= 5);
    watch_end(w);
}

static void streams_yuyv(void **state)
{
    (void)state;
    uint8_t *yuyv = mem_new(WIDTH * HEIGHT, 2);
    /* BT.601 studio range of red and blue. */
    for (int i = 0; i < WIDTH * HEIGHT; i += 2) {
        bool left = i % WIDTH < WIDTH / 2;
        const uint8_t red[4] = {82, 90, 82, 240};
        const uint8_t blue[4] = {41, 240, 41, 110};
        memcpy(yuyv + 2 * i, left ? red : blue, 4);
    }
    struct vcam v = {.path = "/dev/video3",
                     .card = "Raw",
                     .bus = "usb-2",
                     .fourcc = "YUYV",
                     .width = WIDTH,
                     .height = HEIGHT,
                     .fps = 100,
                     .picture = yuyv,
                     .bytes = (size_t)WIDTH * HEIGHT * 2};
    vcam_plug(&v);
    struct watch *w = watch_start("camera:3", false);
    expect_frames(w, 3);
    watch_end(w);
    free(yuyv);
}

static void absent_then_plugged_in(void **state)
{
    (void)state;
    struct watch *w = watch_start(NULL, false);
    struct capture_status st = watch_state(w, CAPTURE_LOST, CAPTURE_ABSENT);
    assert_non_null(strstr(st.text, "no camera"));
    plug("/dev/video0");
    watch_state(w, CAPTURE_LIVE, CAPTURE_FINE);
    watch_end(w);
}

static void denied_busy_and_absent_differ(void **state)
{
    (void)state;
    plug("/dev/video0");
    vcam_refuse_open(EACCES);
    struct watch *w = watch_start("camera:0", false);
    struct capture_status st = watch_state(w, CAPTURE_LOST, CAPTURE_DENIED);
    assert_non_null(strstr(st.text, "group video"));
    vcam_refuse_open(EBUSY);
    st = watch_state(w, CAPTURE_LOST, CAPTURE_BUSY);
    assert_non_null(strstr(st.text, "another program"));
    vcam_refuse_open(ENOENT);
    st = watch_state(w, CAPTURE_LOST, CAPTURE_ABSENT);
    assert_non_null(strstr(st.text, "/dev/video0"));
    vcam_refuse_open(0);
    watch_state(w, CAPTURE_LIVE, CAPTURE_FINE);
    watch_end(w);
}

/* Most drivers let a second program open the device and refuse only the format. */
static void busy_at_the_format(void **state)
{
    (void)state;
    plug("/dev/video0");
    vcam_refuse_ioctl(VIDIOC_S_FMT, EBUSY);
    struct watch *w = watch_start(NULL, false);
    watch_state(w, CAPTURE_LOST, CAPTURE_BUSY);
    vcam_refuse_ioctl(VIDIOC_STREAMON, ENOSPC);
    struct capture_status st = watch_state(w, CAPTURE_LOST, CAPTURE_FAILED);
    assert_non_null(strstr(st.text, "USB"));
    watch_end(w);
}

static void unplugged_and_back_under_another_number(void **state)
{
    (void)state;
    plug("/dev/video0");
    struct watch *w = watch_start("camera:0", false);
    expect_frames(w, 3);
    vcam_unplug();
    struct capture_status st = watch_state(w, CAPTURE_LOST, CAPTURE_ABSENT);
    assert_non_null(strstr(st.text, "Test Camera"));
    /* One failed read ends it: the dead descriptor is not read in a loop. */
    int dequeues = vcam_dequeues();
    watch_drain(w);
    plug("/dev/video1");
    st = watch_state(w, CAPTURE_LIVE, CAPTURE_FINE);
    assert_string_equal(st.name, "Test Camera");
    expect_frames(w, 3);
    assert_true(dequeues <= 2 * (int)st.frames + 8);
    watch_end(w);
}

static void frozen_camera_is_lost_and_comes_back(void **state)
{
    (void)state;
    plug("/dev/video0");
    struct watch *w = watch_start(NULL, false);
    expect_frames(w, 3);
    vcam_freeze(1);
    watch_state(w, CAPTURE_LOST, CAPTURE_STALLED);
    vcam_freeze(0);
    watch_state(w, CAPTURE_LIVE, CAPTURE_FINE);
    watch_drain(w);
    expect_frames(w, 3);
    watch_end(w);
}

static void stops_while_frozen(void **state)
{
    (void)state;
    plug("/dev/video0");
    struct watch *w = watch_start(NULL, false);
    expect_frames(w, 1);
    vcam_freeze(1);
    watch_end(w); /* returns, or the program runs into its time limit */
}

static void bad_pictures_are_never_shown(void **state)
{
    static const enum vcam_picture bad[] = {VCAM_EMPTY,    VCAM_CUT,   VCAM_NOISE, VCAM_FLAGGED,
                                            VCAM_OVERSIZE, VCAM_OTHER, VCAM_STALE};
    (void)state;
    vcam_other(small_jpeg, small_bytes);
    plug("/dev/video0");
    struct watch *w = watch_start(NULL, false);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        expect_frames(w, 3);
        vcam_send(bad[i]);
        struct capture_status before = watch_state(w, CAPTURE_LOST, CAPTURE_STALLED);
        watch_drain(w);
        vcam_send(VCAM_GOOD);
        watch_state(w, CAPTURE_LIVE, CAPTURE_FINE);
        if (bad[i] != VCAM_STALE)
            assert_true(before.damaged > 0);
    }
    expect_frames(w, 3);
    watch_end(w);
}

static void switches_to_the_demo(void **state)
{
    (void)state;
    struct err err = {0};
    struct watch *w = watch_start(NULL, false);
    watch_state(w, CAPTURE_LOST, CAPTURE_ABSENT);
    assert_int_equal(capture_switch(watch_capture(w), "/no/such/file", &err), ERR_NOT_FOUND);
    assert_int_equal(capture_switch(watch_capture(w), "demo", &err), ERR_OK);
    struct capture_status st = watch_state(w, CAPTURE_LIVE, CAPTURE_FINE);
    assert_string_equal(st.name, "demo");
    struct frame *f = watch_frame(w);
    frame_unref(&f);
    watch_end(w);
}

static void lists_cameras(void **state)
{
    (void)state;
    struct camera_info list[CAMERA_LIST_MAX];
    assert_int_equal(camera_list(list, CAMERA_LIST_MAX), 0);
    plug("/dev/video5");
    assert_int_equal(camera_list(list, CAMERA_LIST_MAX), 1);
    assert_string_equal(list[0].path, "/dev/video5");
    assert_string_equal(list[0].name, "Test Camera");
    assert_int_equal(list[0].access, CAMERA_FREE);
    assert_true(list[0].usable);
    assert_int_equal(list[0].format_count, 1);
    assert_string_equal(list[0].formats[0].fourcc, "MJPG");
    assert_int_equal(list[0].formats[0].width, WIDTH);
    assert_int_equal(list[0].formats[0].fps, 100);
    struct camera_info found;
    assert_true(camera_find("Test Camera", "elsewhere", &found)); /* the only one of its name */
    assert_false(camera_find("Another", "usb-1", &found));
    vcam_refuse_open(EACCES);
    assert_int_equal(camera_list(list, CAMERA_LIST_MAX), 1);
    assert_int_equal(list[0].access, CAMERA_DENIED);
}

static void refuses_nonsense(void **state)
{
    (void)state;
    static const char *const wrong[] = {"camera:x", "camera:-1", "camera:256", "/no/such/file"};
    struct frame_pool *pool = frame_pool_create(1);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct capture *c;
        struct err err = {0};
        struct capture_params p = {.source = wrong[i], .pool = pool};
        assert_true(capture_create(&c, &p, &err) < 0);
        assert_non_null(strstr(err.text, wrong[i]));
    }
    frame_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(streams_mjpeg, unplug),
        cmocka_unit_test_teardown(streams_yuyv, unplug),
        cmocka_unit_test_teardown(absent_then_plugged_in, unplug),
        cmocka_unit_test_teardown(denied_busy_and_absent_differ, unplug),
        cmocka_unit_test_teardown(busy_at_the_format, unplug),
        cmocka_unit_test_teardown(unplugged_and_back_under_another_number, unplug),
        cmocka_unit_test_teardown(frozen_camera_is_lost_and_comes_back, unplug),
        cmocka_unit_test_teardown(stops_while_frozen, unplug),
        cmocka_unit_test_teardown(bad_pictures_are_never_shown, unplug),
        cmocka_unit_test_teardown(switches_to_the_demo, unplug),
        cmocka_unit_test_teardown(lists_cameras, unplug),
        cmocka_unit_test(refuses_nonsense),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
