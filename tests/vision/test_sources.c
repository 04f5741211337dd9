/* Files, folders, streams and the demo as sources. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "support/testing.h"
#include "vision/opencv_c.h"
#include "watch.h"

enum { WIDTH = 64, HEIGHT = 48, PICTURES = 12 };

static char *dir;

/* A picture of one grey level as image file bytes. */
static void encode_level(const char *type, int level, uint8_t **out, size_t *len)
{
    char why[160];
    uint8_t *bgr = mem_new(WIDTH * HEIGHT, 3);
    memset(bgr, level, WIDTH * HEIGHT * 3);
    assert_int_equal(
        cvc_image_encode(type, bgr, 3, WIDTH, HEIGHT, WIDTH * 3, out, len, why, sizeof why), 0);
    free(bgr);
}

static void write_image(const char *path, int level)
{
    uint8_t *bytes;
    size_t len;
    encode_level(".png", level, &bytes, &len);
    testing_write(path, bytes, len);
    cvc_free(bytes);
}

/* A clip that gets brighter by 10 with each picture: JPEGs one after the other. */
static void write_clip(const char *path)
{
    struct str clip = {0};
    for (int i = 0; i < PICTURES; i++) {
        uint8_t *bytes;
        size_t len;
        encode_level(".jpg", 10 * i, &bytes, &len);
        str_add(&clip, (const char *)bytes, len);
        cvc_free(bytes);
    }
    testing_write(path, clip.s, clip.len);
    str_free(&clip);
}

static int setup(void **state)
{
    (void)state;
    cvc_setup();
    dir = testing_make_dir();
    write_clip(testing_path(dir, "clip.mjpeg"));
    write_image(testing_path(dir, "one.png"), 40);
    testing_write(testing_path(dir, "broken.mp4"), "this is no film", 15);
    testing_write(testing_path(dir, "broken.png"), "this is no picture", 18);
    testing_write(testing_path(dir, "empty.jpg"), "", 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    testing_remove_dir(dir);
    return 0;
}

static int level(const struct frame *f)
{
    return f->bgr[(size_t)f->stride * (size_t)(f->height / 2) + 3 * (size_t)(f->width / 2)];
}

static void video_once_ends(void **state)
{
    (void)state;
    struct watch *w = watch_start(testing_path(dir, "clip.mjpeg"), true);
    struct capture_status st = watch_state(w, CAPTURE_ENDED, CAPTURE_FINE);
    assert_string_equal(st.name, "clip.mjpeg");
    assert_string_equal(st.text, "");
    assert_false(st.mirror);
    assert_int_equal(st.width, WIDTH);
    assert_int_equal(st.frames, PICTURES);
    watch_end(w);
}

static void video_loops(void **state)
{
    (void)state;
    struct watch *w = watch_start(testing_path(dir, "clip.mjpeg"), false);
    bool was_bright = false;
    bool began_again = false;
    while (!began_again) {
        struct frame *f = watch_frame(w);
        began_again = was_bright && level(f) < 40;
        was_bright = was_bright || level(f) > 60;
        frame_unref(&f);
    }
    watch_end(w);
}

static void image_repeats(void **state)
{
    (void)state;
    struct watch *w = watch_start(testing_path(dir, "one.png"), false);
    uint64_t last = 0;
    for (int i = 0; i < 3; i++) {
        struct frame *f = watch_frame(w);
        assert_true(f->seq > last);
        assert_int_equal(f->width, WIDTH);
        assert_int_equal(level(f), 40);
        last = f->seq;
        frame_unref(&f);
    }
    watch_end(w);
}

static void folder_in_order_without_the_broken(void **state)
{
    (void)state;
    struct err err = {0};
    const char *folder = testing_path(dir, "album");
    assert_int_equal(path_make_dirs(folder, &err), ERR_OK);
    write_image(testing_path(folder, "a.png"), 10);
    testing_write(testing_path(folder, "b.png"), "broken", 6);
    write_image(testing_path(folder, "c.png"), 90);
    struct watch *w = watch_start(folder, true);
    struct frame *f = watch_frame(w);
    assert_int_equal(level(f), 10);
    while (level(f) != 90) {
        frame_unref(&f);
        f = watch_frame(w);
    }
    frame_unref(&f);
    watch_state(w, CAPTURE_ENDED, CAPTURE_FINE);
    watch_end(w);
}

static void large_images_are_shrunk(void **state)
{
    (void)state;
    char why[160];
    uint8_t *png;
    size_t len;
    uint8_t *bgr = mem_new(4000 * 500, 3);
    assert_int_equal(cvc_image_encode(".png", bgr, 3, 4000, 500, 12000, &png, &len, why, 160), 0);
    const char *path = testing_path(dir, "wide.png");
    testing_write(path, png, len);
    struct watch *w = watch_start(path, false);
    struct frame *f = watch_frame(w);
    assert_int_equal(f->width, 1920);
    assert_int_equal(f->height, 240);
    frame_unref(&f);
    watch_end(w);
    cvc_free(png);
    free(bgr);
}

static void broken_files_are_named(void **state)
{
    (void)state;
    static const char *const names[] = {"broken.mp4", "broken.png", "empty.jpg", "missing.avi"};
    struct frame_pool *pool = frame_pool_create(1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct capture *c;
        struct err err = {0};
        struct capture_params p = {.source = testing_path(dir, names[i]), .pool = pool};
        assert_true(capture_create(&c, &p, &err) < 0);
        assert_non_null(strstr(err.text, names[i]));
    }
    frame_pool_destroy(pool);
}

static void demo_moves(void **state)
{
    (void)state;
    struct watch *w = watch_start("demo", false);
    struct capture_status st = watch_state(w, CAPTURE_LIVE, CAPTURE_FINE);
    assert_true(st.mirror);
    struct frame *a = watch_frame(w);
    struct frame *b = watch_frame(w);
    assert_int_equal(a->width, 640);
    assert_int_equal(a->height, 480);
    assert_memory_not_equal(a->bgr, b->bgr, (size_t)a->stride * (size_t)a->height);
    frame_unref(&a);
    frame_unref(&b);
    watch_end(w);
}

/* Every frame stays with the consumer: the capture drops pictures and goes on. */
static void hoarded_frames_are_dropped(void **state)
{
    (void)state;
    struct frame *hoard[FRAME_POOL_SIZE];
    struct watch *w = watch_start("demo", false);
    for (int i = 0; i < FRAME_POOL_SIZE; i++)
        hoard[i] = watch_frame(w);
    struct capture_status st;
    do
        capture_status(watch_capture(w), &st);
    while (st.dropped == 0);
    assert_int_equal(st.state, CAPTURE_LIVE);
    for (int i = 0; i < FRAME_POOL_SIZE; i++)
        frame_unref(&hoard[i]);
    struct frame *f = watch_frame(w);
    frame_unref(&f);
    watch_end(w);
}

static void switches_on_the_fly(void **state)
{
    (void)state;
    struct err err = {0};
    struct watch *w = watch_start(testing_path(dir, "one.png"), false);
    for (int i = 0; i < 20; i++) {
        const char *source = i % 2 ? testing_path(dir, "one.png") : "demo";
        assert_int_equal(capture_switch(watch_capture(w), source, &err), ERR_OK);
    }
    struct frame *f = watch_frame(w);
    while (level(f) != 40) { /* the last one wins */
        frame_unref(&f);
        f = watch_frame(w);
    }
    frame_unref(&f);
    watch_end(w);
}

/* ---- network ---- */

/* A server on a free port of this machine; *url gets its address. */
static int serve(char *url, size_t cap)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    snprintf(url, cap, "http://user:secret@127.0.0.1:%d/clip.mjpeg", ntohs(a.sin_port));
    return fd;
}

static void stream_that_never_answers(void **state)
{
    (void)state;
    char url[80];
    int server = serve(url, sizeof url);
    struct watch *w = watch_start(url, false);
    int client = accept(server, NULL, NULL); /* now the opening blocks */
    assert_true(client >= 0);
    watch_end(w); /* returns, or the program runs into its time limit */
    close(client);
    close(server);
}

/* To its empty line: closing a connection with unread bytes would take back what was sent. */
static void read_request(int client)
{
    char last[4] = "";
    while (memcmp(last, "\r\n\r\n", 4) != 0) {
        memmove(last, last + 1, 3);
        assert_int_equal(read(client, last + 3, 1), 1);
    }
}

static void send_clips(int client, const void *clip, size_t len, int times)
{
    struct str head = {0};
    str_addf(&head, "HTTP/1.0 200 OK\r\nContent-Type: video/x-mjpeg\r\nContent-Length: %zu\r\n\r\n",
             len * (size_t)times);
    assert_int_equal(write(client, head.s, head.len), (ssize_t)head.len);
    for (int i = 0; i < times; i++)
        assert_int_equal(write(client, clip, len), (ssize_t)len);
    str_free(&head);
}

static void stream_plays_and_ends(void **state)
{
    (void)state;
    char url[80];
    void *clip;
    size_t len;
    struct err err = {0};
    assert_int_equal(path_read(testing_path(dir, "clip.mjpeg"), &clip, &len, 1 << 20, &err), 0);
    int server = serve(url, sizeof url);
    struct watch *w = watch_start(url, false);
    int client = accept(server, NULL, NULL);
    close(server); /* nobody answers the second time */
    read_request(client);
    send_clips(client, clip, len, 20);
    shutdown(client, SHUT_WR);
    struct frame *f = watch_frame(w);
    assert_int_equal(f->width, WIDTH);
    frame_unref(&f);
    struct capture_status st = watch_state(w, CAPTURE_LOST, CAPTURE_FAILED);
    assert_null(strstr(st.text, "secret"));
    assert_null(strstr(st.name, "secret"));
    watch_end(w);
    close(client);
    free(clip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(video_once_ends),
        cmocka_unit_test(video_loops),
        cmocka_unit_test(image_repeats),
        cmocka_unit_test(folder_in_order_without_the_broken),
        cmocka_unit_test(large_images_are_shrunk),
        cmocka_unit_test(broken_files_are_named),
        cmocka_unit_test(demo_moves),
        cmocka_unit_test(hoarded_frames_are_dropped),
        cmocka_unit_test(switches_on_the_fly),
        cmocka_unit_test(stream_that_never_answers),
        cmocka_unit_test(stream_plays_and_ends),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
