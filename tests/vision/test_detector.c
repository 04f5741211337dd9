/* The detector thread from frames to observations, on drawn faces and, where the optional data is,
 * on a real clip with the shipped model. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/thread.h"
#include "model.h"
#include "support/testing.h"
#include "vision/demo_face.h"
#include "vision/detector.h"
#include "vision/face_reader.h"
#include "vision/opencv_c.h"

enum { WIDTH = 640, HEIGHT = 480 };

static char *dir;
static const char *model;

static int setup(void **state)
{
    (void)state;
    cvc_setup();
    dir = testing_make_dir();
    model = mem_strdup(testing_path(dir, "model.onnx"));
    model_write(model, true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    testing_remove_dir(dir);
    return 0;
}

/* A detector with its frames, and a count of its results to wait for. */
struct bench {
    struct frame_pool *pool;
    struct frame_slot *slot;
    struct detector *detector;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int results; /* under lock */
    uint64_t seq;
    int64_t t_us; /* of the last frame: the tests' own clock */
};

static void on_result(void *payload)
{
    struct bench *b = payload;
    pthread_mutex_lock(&b->lock);
    b->results++;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

static struct bench *bench_start_with(const char *better, float max_hz)
{
    struct bench *b = mem_new(1, sizeof *b);
    struct err err = {0};
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
    b->pool = frame_pool_create(FRAME_POOL_SIZE);
    b->slot = frame_slot_create(NULL, NULL);
    struct detector_params p = {.model = model,
                                .better = better,
                                .source = b->slot,
                                .tracking = tracker_defaults(),
                                .max_hz = max_hz,
                                .on_result = on_result,
                                .payload = b};
    if (detector_create(&b->detector, &p, &err) != ERR_OK)
        fail_msg("%s", err.text);
    assert_int_equal(detector_start(b->detector, &err), ERR_OK);
    b->t_us = 1000000;
    return b;
}

static struct bench *bench_start(void)
{
    return bench_start_with(NULL, 1000.0f);
}

static void bench_end(struct bench *b)
{
    detector_stop(b->detector);
    frame_slot_interrupt(b->slot);
    detector_join(b->detector);
    detector_destroy(b->detector);
    frame_slot_destroy(b->slot);
    frame_pool_destroy(b->pool); /* asserts that every frame came back */
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static struct frame *drawn(struct bench *b, int64_t face_ms)
{
    struct frame *f = frame_pool_get(b->pool, WIDTH, HEIGHT);
    assert_non_null(f);
    f->seq = ++b->seq;
    f->t_us = b->t_us += 100000;
    demo_face_draw(face_ms, f->bgr, f->width, f->height, f->stride);
    return f;
}

static struct frame *blank(struct bench *b)
{
    struct frame *f = drawn(b, 0);
    memset(f->bgr, 128, (size_t)f->stride * (size_t)f->height);
    return f;
}

/* Gives a frame and waits for its observation. */
static struct observation show(struct bench *b, struct frame *f)
{
    struct observation o = {0};
    uint64_t seq = f->seq;
    frame_slot_put(b->slot, f);
    pthread_mutex_lock(&b->lock);
    while (!detector_latest(b->detector, seq - 1, &o) || o.frame_seq != seq)
        pthread_cond_wait(&b->changed, &b->lock);
    pthread_mutex_unlock(&b->lock);
    return o;
}

static void follows_a_face(void **state)
{
    (void)state;
    struct bench *b = bench_start();
    struct observation o;
    assert_false(detector_latest(b->detector, 0, &o));
    uint32_t id = 0;
    for (int i = 0; i < 12; i++) {
        o = show(b, drawn(b, 100 * i));
        assert_int_equal(o.t_us, b->t_us);
        if (i < 3) /* the tracker confirms a face before it shows it */
            continue;
        assert_int_equal(o.count, 1);
        const struct face_track *f = &o.face[0];
        assert_true(id == 0 || f->id == id);
        id = f->id;
        assert_true(f->box.x < 0.5f && f->box.x + f->box.w > 0.5f);
        assert_true(f->box.y < 0.5f && f->box.y + f->box.h > 0.5f);
    }
    assert_false(detector_latest(b->detector, o.frame_seq, &o));
    for (int i = 0; i < 8; i++)
        o = show(b, blank(b));
    assert_int_equal(o.count, 0);
    struct detector_stats stats;
    detector_stats(b->detector, &stats);
    assert_int_equal(stats.results, 20);
    assert_true(stats.detect_ms > 0.0f);
    bench_end(b);
}

static struct observation wait_still(struct bench *b, uint64_t seq)
{
    struct observation o;
    pthread_mutex_lock(&b->lock);
    while (!detector_still_result(b->detector, seq, &o))
        pthread_cond_wait(&b->changed, &b->lock);
    pthread_mutex_unlock(&b->lock);
    return o;
}

static void a_still_is_served_by_its_number(void **state)
{
    (void)state;
    struct bench *b = bench_start();
    struct observation live = {0};
    for (int i = 0; i < 6; i++)
        live = show(b, drawn(b, 100 * i));
    assert_int_equal(live.count, 1);
    struct frame *f = drawn(b, 600);
    uint64_t seq = f->seq;
    struct observation o;
    assert_false(detector_still_result(b->detector, seq, &o));
    detector_still(b->detector, f);
    o = wait_still(b, seq);
    assert_int_equal(o.frame_seq, seq);
    assert_int_equal(o.count, 1);
    assert_int_equal(o.face[0].id, live.face[0].id);
    assert_true(o.face[0].steady);
    assert_false(detector_still_result(b->detector, seq + 1, &o));
    f = blank(b);
    seq = f->seq;
    detector_still(b->detector, f);
    assert_int_equal(wait_still(b, seq).count, 0);
    bench_end(b);
}

static void only_the_last_of_many_stills_counts(void **state)
{
    (void)state;
    struct bench *b = bench_start();
    uint64_t seq = 0;
    for (int i = 0; i < 3; i++) {
        struct frame *f = drawn(b, 100 * i);
        seq = f->seq;
        detector_still(b->detector, f);
    }
    assert_int_equal(wait_still(b, seq).frame_seq, seq);
    bench_end(b);
}

static void reset_forgets(void **state)
{
    (void)state;
    struct bench *b = bench_start();
    struct observation o = {0};
    for (int i = 0; i < 6; i++)
        o = show(b, drawn(b, 100 * i));
    uint32_t id = o.face[0].id;
    detector_reset(b->detector);
    for (int i = 0; i < 6; i++)
        o = show(b, drawn(b, 100 * i));
    assert_int_equal(o.count, 1);
    assert_true(o.face[0].id > id);
    bench_end(b);
}

static void stops_at_any_moment(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        struct bench *b = bench_start();
        for (int k = 0; k < i; k++)
            frame_slot_put(b->slot, drawn(b, 0));
        if (i % 2 == 1)
            detector_still(b->detector, drawn(b, 0));
        bench_end(b);
    }
}

static void read_by(const char *better, const char *name)
{
    struct bench *b = bench_start_with(better, 20.0f);
    struct detector_stats stats;
    show(b, drawn(b, 0));
    detector_stats(b->detector, &stats);
    assert_string_equal(stats.model, name);
    bench_end(b);
}

/* The tiny networks of these tests fit any budget. */
static void the_better_model_reads_where_there_is_one(void **state)
{
    (void)state;
    const char *better = testing_path(dir, "better.onnx");
    read_by(NULL, "model");
    model_write(better, false);
    read_by(better, "better");
    read_by("/no/such/better.onnx", "model");
    testing_write(better, "no network", 10);
    read_by(better, "model");
}

static void missing_parts_are_named(void **state)
{
    (void)state;
    struct detector *d;
    struct err err = {0};
    struct detector_params p = {.model = "/no/such/model.onnx", .tracking = tracker_defaults()};
    assert_true(detector_create(&d, &p, &err) < 0);
    assert_non_null(strstr(err.text, "/no/such/model.onnx"));
    p.model = model;
    p.cascade = "/no/such/cascade.xml";
    assert_true(detector_create(&d, &p, &err) < 0);
    assert_non_null(strstr(err.text, "/no/such/cascade.xml"));
    p.cascade = model; /* a file, but no cascade */
    assert_true(detector_create(&d, &p, &err) < 0);
    assert_non_null(strstr(err.text, model));
}

/* Every fourth picture of a clip through the detector; the share of time its face is `e`. */
static double share_of(const char *clip, const char *shipped, double from_s, double to_s,
                       enum emotion e)
{
    struct face_reader *reader;
    struct tracker *tracker = tracker_create(NULL);
    struct cvc_video *v;
    struct err err = {0};
    char why[160];
    int w;
    int h;
    int in = 0;
    int hits = 0;
    assert_int_equal(face_reader_open(&reader, NULL, shipped, NULL, &err), ERR_OK);
    assert_int_equal(cvc_video_open(&v, clip, why, sizeof why), 0);
    double fps = cvc_video_fps(v);
    for (int i = 0; cvc_video_next(v, &w, &h, why, sizeof why) == CVC_OK; i++) {
        double t = i / fps;
        if (i % 2 != 0 || t > to_s)
            continue;
        uint8_t *bgr = mem_new((size_t)w * (size_t)h, 3);
        assert_int_equal(cvc_video_copy(v, bgr, w, h, w * 3, why, sizeof why), 0);
        struct read_result r;
        assert_int_equal(face_reader_read(reader, bgr, w, h, w * 3, READER_LIVE, 1, &r, &err), 0);
        struct box box = {r.face[0].box.x / (float)w, r.face[0].box.y / (float)h,
                          r.face[0].box.w / (float)w, r.face[0].box.h / (float)h};
        tracker_update(tracker, (int64_t)(t * 1e6) + 1, &box, &r.face[0].reading, r.count);
        struct observation o = {0};
        tracker_read(tracker, &o);
        in += t >= from_s;
        hits += t >= from_s && o.count == 1 && o.face[0].sure && o.face[0].label == e;
        free(bgr);
    }
    cvc_video_close(v);
    face_reader_close(reader);
    tracker_destroy(tracker);
    return (double)hits / in;
}

static void laughing_reads_as_happy(void **state)
{
    (void)state;
    char shipped[512];
    const char *clip = testing_data("clips/pyfeat_WolfgangLanger_Pexels.mp4");
    if (clip == NULL || !path_find_data("models/moodreel-fast.onnx", shipped, sizeof shipped)) {
        print_message("skipped: no clip or no model\n");
        skip();
    }
    assert_true(share_of(clip, shipped, 14.0, 19.0, EMOTION_HAPPY) > 0.8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_a_face),
        cmocka_unit_test(a_still_is_served_by_its_number),
        cmocka_unit_test(only_the_last_of_many_stills_counts),
        cmocka_unit_test(reset_forgets),
        cmocka_unit_test(stops_at_any_moment),
        cmocka_unit_test(the_better_model_reads_where_there_is_one),
        cmocka_unit_test(missing_parts_are_named),
        cmocka_unit_test(laughing_reads_as_happy),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
