/* Identity and labels over time, with a clock that the tests turn. */
#include <math.h>

#include "support/testing.h"
#include "vision/tracker.h"

enum { STEP_US = 50000 }; /* 20 results a second */

static struct reading reading_of(enum emotion e, float p)
{
    struct reading r = {.unknown = 0.0f};
    for (int i = 0; i < EMOTION_COUNT; i++)
        r.scores.p[i] = (1.0f - p) / (EMOTION_COUNT - 1);
    r.scores.p[e] = p;
    return r;
}

static const struct box middle = {0.4f, 0.3f, 0.2f, 0.3f};

/* A tracker with one face and its clock. */
struct scene {
    struct tracker *tracker;
    int64_t t_us;
};

static struct scene begin(void)
{
    return (struct scene){tracker_create(NULL), 1000000};
}

static struct observation see_n(struct scene *s, const struct box *boxes,
                                const struct reading *readings, int n)
{
    struct observation o = {0};
    s->t_us += STEP_US;
    tracker_update(s->tracker, s->t_us, boxes, readings, n);
    tracker_read(s->tracker, &o);
    return o;
}

static struct observation see(struct scene *s, struct reading r)
{
    return see_n(s, &middle, &r, 1);
}

static struct observation see_for(struct scene *s, struct reading r, int64_t us)
{
    struct observation o = {0};
    for (int64_t end = s->t_us + us; s->t_us < end;)
        o = see(s, r);
    return o;
}

static void a_ghost_of_one_picture_is_not_shown(void **state)
{
    (void)state;
    struct scene s = begin();
    struct reading r = reading_of(EMOTION_HAPPY, 0.9f);
    assert_int_equal(see(&s, r).count, 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(see_n(&s, NULL, NULL, 0).count, 0);
    tracker_destroy(s.tracker);
}

static void step_response(void **state)
{
    (void)state;
    struct scene s = begin();
    struct observation o = see_for(&s, reading_of(EMOTION_NEUTRAL, 0.8f), 2000000);
    assert_int_equal(o.count, 1);
    assert_int_equal(o.face[0].label, EMOTION_NEUTRAL);
    assert_true(o.face[0].sure);
    assert_true(o.face[0].steady);
    int64_t change = s.t_us;
    do {
        o = see(&s, reading_of(EMOTION_SAD, 0.8f));
        float sum = 0.0f;
        for (int e = 0; e < EMOTION_COUNT; e++)
            sum += o.face[0].smooth.p[e];
        assert_true(fabsf(sum - 1.0f) < 1e-4f);
        assert_true(s.t_us - change < 2500000);
    } while (o.face[0].label != EMOTION_SAD);
    assert_true(s.t_us - change >= tracker_defaults().dwell_us);
    assert_false(o.face[0].steady);
    tracker_destroy(s.tracker);
}

/* After one half-life the old reading counts for half, whatever the rate. */
static void smoothing_is_by_time(void **state)
{
    (void)state;
    static const int64_t steps[] = {10000, 50000, 250000, 500000};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct tracker_params p = tracker_defaults();
        p.half_life_s = 0.5f;
        struct tracker *t = tracker_create(&p);
        struct reading a = reading_of(EMOTION_SAD, 1.0f);
        struct reading b = reading_of(EMOTION_NEUTRAL, 1.0f);
        int64_t now = 1;
        tracker_update(t, now, &middle, &a, 1);
        for (int64_t end = now + 500000; now < end;)
            tracker_update(t, now += steps[i], &middle, &b, 1);
        struct observation o = {0};
        tracker_read(t, &o);
        assert_int_equal(o.count, 1);
        assert_true(fabsf(o.face[0].smooth.p[EMOTION_SAD] - 0.5f) < 0.01f);
        tracker_destroy(t);
    }
}

static void short_flicker_does_not_show(void **state)
{
    (void)state;
    struct scene s = begin();
    see_for(&s, reading_of(EMOTION_NEUTRAL, 0.6f), 2000000);
    for (int i = 0; i < 200; i++) {
        enum emotion e = i % 5 == 0 ? EMOTION_ANGRY : i % 5 == 2 ? EMOTION_FEAR : EMOTION_NEUTRAL;
        struct observation o = see(&s, reading_of(e, 0.7f));
        assert_int_equal(o.face[0].label, EMOTION_NEUTRAL);
    }
    tracker_destroy(s.tracker);
}

static void alternating_readings_hold_still(void **state)
{
    (void)state;
    struct scene s = begin();
    int changes = 0;
    struct observation o = see_for(&s, reading_of(EMOTION_NEUTRAL, 0.6f), 2000000);
    enum emotion last = o.face[0].label;
    for (int i = 0; i < 400; i++) {
        o = see(&s, reading_of(i % 2 ? EMOTION_SAD : EMOTION_NEUTRAL, 0.7f));
        changes += o.face[0].label != last;
        last = o.face[0].label;
    }
    assert_int_equal(changes, 0);
    tracker_destroy(s.tracker);
}

static void a_label_does_not_stick(void **state)
{
    (void)state;
    struct scene s = begin();
    see_for(&s, reading_of(EMOTION_HAPPY, 0.9f), 3000000);
    struct observation o = see_for(&s, reading_of(EMOTION_NEUTRAL, 0.9f), 3000000);
    assert_int_equal(o.face[0].label, EMOTION_NEUTRAL);
    assert_true(o.face[0].sure);
    tracker_destroy(s.tracker);
}

static void nothing_stands_out_means_not_sure(void **state)
{
    (void)state;
    struct scene s = begin();
    struct observation o = see_for(&s, reading_of(EMOTION_SAD, 0.2f), 2000000);
    assert_int_equal(o.count, 1);
    assert_false(o.face[0].sure);
    o = see_for(&s, reading_of(EMOTION_SAD, 0.9f), 2000000);
    assert_true(o.face[0].sure);
    o = see_for(&s, reading_of(EMOTION_SAD, 0.2f), 2000000);
    assert_false(o.face[0].sure);
    tracker_destroy(s.tracker);
}

static void unknown_faces_are_not_sure(void **state)
{
    (void)state;
    struct scene s = begin();
    struct reading r = reading_of(EMOTION_HAPPY, 0.9f);
    r.unknown = 0.9f;
    struct observation o = see_for(&s, r, 2000000);
    assert_false(o.face[0].sure);
    assert_true(o.face[0].unknown > 0.8f);
    r.unknown = 0.0f;
    assert_true(see_for(&s, r, 2000000).face[0].sure);
    tracker_destroy(s.tracker);
}

static int64_t time_to_show(enum emotion e)
{
    struct scene s = begin();
    see_for(&s, reading_of(EMOTION_NEUTRAL, 0.8f), 2000000);
    int64_t change = s.t_us;
    while (see(&s, reading_of(e, 0.8f)).face[0].label != e)
        assert_true(s.t_us - change < 10000000);
    tracker_destroy(s.tracker);
    return s.t_us - change;
}

static void a_smile_is_let_in_faster(void **state)
{
    (void)state;
    assert_true(time_to_show(EMOTION_HAPPY) * 3 < time_to_show(EMOTION_SAD) * 2);
    assert_true(time_to_show(EMOTION_ANGRY) >= time_to_show(EMOTION_SAD));
}

static struct box at(float x)
{
    return (struct box){x, 0.3f, 0.12f, 0.16f};
}

static uint32_t id_near(const struct observation *o, float x)
{
    for (int i = 0; i < o->count; i++)
        if (fabsf(o->face[i].box.x - x) < 0.06f)
            return o->face[i].id;
    fail_msg("no face near x = %g", (double)x);
    return 0;
}

static void ids_follow_moving_faces(void **state)
{
    (void)state;
    struct scene s = begin();
    struct reading r[2] = {reading_of(EMOTION_HAPPY, 0.9f), reading_of(EMOTION_SAD, 0.9f)};
    struct observation o = {0};
    for (int i = 0; i < 10; i++) {
        struct box b[2] = {at(0.1f), at(0.7f)};
        o = see_n(&s, b, r, 2);
    }
    uint32_t left = id_near(&o, 0.1f);
    uint32_t right = id_near(&o, 0.7f);
    assert_int_not_equal(left, right);
    for (int i = 0; i <= 20; i++) { /* in the other order, moving together */
        struct box b[2] = {at(0.7f - 0.005f * (float)i), at(0.1f + 0.01f * (float)i)};
        struct reading swapped[2] = {r[1], r[0]};
        o = see_n(&s, b, swapped, 2);
    }
    assert_int_equal(id_near(&o, 0.3f), left);
    assert_int_equal(id_near(&o, 0.6f), right);
    tracker_destroy(s.tracker);
}

/* Two faces pass in front of each other; while they overlap only one of them is found. */
static void ids_survive_a_crossing(void **state)
{
    (void)state;
    struct scene s = begin();
    struct reading r[2] = {reading_of(EMOTION_HAPPY, 0.9f), reading_of(EMOTION_SAD, 0.9f)};
    struct observation o = {0};
    uint32_t from_left = 0;
    uint32_t from_right = 0;
    for (int i = 0; i <= 40; i++) {
        float x = 0.015f * (float)i;
        struct box b[2] = {at(0.1f + x), at(0.7f - x)};
        bool hidden = fabsf(b[0].x - b[1].x) < 0.03f;
        o = see_n(&s, b, r, hidden ? 1 : 2);
        if (i == 10) {
            from_left = id_near(&o, 0.25f);
            from_right = id_near(&o, 0.55f);
        }
    }
    assert_int_equal(id_near(&o, 0.7f), from_left);
    assert_int_equal(id_near(&o, 0.1f), from_right);
    tracker_destroy(s.tracker);
}

static void a_face_that_returns_keeps_its_id(void **state)
{
    (void)state;
    struct scene s = begin();
    struct reading r = reading_of(EMOTION_HAPPY, 0.9f);
    uint32_t id = see_for(&s, r, 1000000).face[0].id;
    struct observation o = see_n(&s, NULL, NULL, 0);
    assert_int_equal(o.count, 1); /* one missed picture does not hide a face */
    for (int i = 0; i < 20; i++)
        o = see_n(&s, NULL, NULL, 0);
    assert_int_equal(o.count, 0);
    o = see_for(&s, r, 200000);
    assert_int_equal(o.face[0].id, id);
    for (int i = 0; i < 80; i++)
        o = see_n(&s, NULL, NULL, 0);
    o = see_for(&s, r, 1000000);
    assert_int_equal(o.count, 1);
    assert_true(o.face[0].id > id); /* too long away: somebody new */
    tracker_destroy(s.tracker);
}

static void eight_faces_largest_first(void **state)
{
    (void)state;
    struct scene s = begin();
    struct box b[10];
    struct reading r[10];
    struct observation o = {0};
    for (int i = 0; i < 10; i++) {
        float side = 0.04f + 0.003f * (float)i;
        b[i] = (struct box){0.09f * (float)i, 0.1f, side, side};
        r[i] = reading_of((enum emotion)(i % EMOTION_COUNT), 0.9f);
    }
    for (int i = 0; i < 40; i++)
        o = see_n(&s, b, r, 10);
    assert_int_equal(o.count, MAX_FACES);
    for (int i = 0; i < MAX_FACES; i++) {
        assert_true(fabsf(o.face[i].box.x - b[9 - i].x) < 0.01f);
        assert_int_equal(o.face[i].label, (9 - i) % EMOTION_COUNT);
        for (int k = 0; k < i; k++)
            assert_int_not_equal(o.face[i].id, o.face[k].id);
    }
    tracker_destroy(s.tracker);
}

static void time_never_goes_back(void **state)
{
    (void)state;
    struct scene s = begin();
    struct reading r = reading_of(EMOTION_HAPPY, 0.9f);
    struct observation before = see_for(&s, r, 1000000);
    struct reading other = reading_of(EMOTION_SAD, 1.0f);
    struct observation after = {0};
    tracker_update(s.tracker, s.t_us - 500000, &middle, &other, 1);
    tracker_read(s.tracker, &after);
    assert_memory_equal(&before.face[0].smooth, &after.face[0].smooth, sizeof after.face[0].smooth);
    tracker_reset(s.tracker);
    tracker_read(s.tracker, &after);
    assert_int_equal(after.count, 0);
    tracker_destroy(s.tracker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ghost_of_one_picture_is_not_shown),
        cmocka_unit_test(step_response),
        cmocka_unit_test(smoothing_is_by_time),
        cmocka_unit_test(short_flicker_does_not_show),
        cmocka_unit_test(alternating_readings_hold_still),
        cmocka_unit_test(a_label_does_not_stick),
        cmocka_unit_test(nothing_stands_out_means_not_sure),
        cmocka_unit_test(unknown_faces_are_not_sure),
        cmocka_unit_test(a_smile_is_let_in_faster),
        cmocka_unit_test(ids_follow_moving_faces),
        cmocka_unit_test(ids_survive_a_crossing),
        cmocka_unit_test(a_face_that_returns_keeps_its_id),
        cmocka_unit_test(eight_faces_largest_first),
        cmocka_unit_test(time_never_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
