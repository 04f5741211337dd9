/* Pool, references, latest-frame slot. */
#include <string.h>

#include "base/thread.h"
#include "support/testing.h"
#include "vision/frame.h"

static void pool_gives_and_takes_back(void **state)
{
    (void)state;
    struct frame_pool *p = frame_pool_create(2);
    struct frame *a = frame_pool_get(p, 64, 48);
    struct frame *b = frame_pool_get(p, 64, 48);
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a->bgr, b->bgr);
    assert_int_equal(a->width, 64);
    assert_int_equal(a->height, 48);
    assert_true(a->stride >= 64 * 3);
    assert_null(frame_pool_get(p, 64, 48)); /* all out: drop, never wait */
    struct frame *again = frame_ref(a);
    frame_unref(&a);
    assert_null(a);
    assert_int_equal(frame_pool_out(p), 2); /* one reference is left */
    frame_unref(&again);
    assert_int_equal(frame_pool_out(p), 1);
    a = frame_pool_get(p, 64, 48);
    assert_non_null(a);
    frame_unref(&a);
    frame_unref(&b);
    frame_unref(&b); /* NULL is fine */
    frame_pool_destroy(p);
}

static void pool_follows_the_size(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {1920, 1080}, {320, 240}, {4096, 2160}, {17, 3}};
    struct frame_pool *p = frame_pool_create(1);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct frame *f = frame_pool_get(p, sizes[i][0], sizes[i][1]);
        assert_non_null(f);
        memset(f->bgr, 7, (size_t)f->stride * (size_t)f->height);
        assert_int_equal(f->bgr[(size_t)f->stride * (size_t)f->height - 1], 7);
        frame_wipe(f);
        assert_int_equal(f->bgr[(size_t)f->stride * (size_t)f->height - 1], 0);
        frame_unref(&f);
    }
    assert_null(frame_pool_get(p, 0, 10));
    assert_null(frame_pool_get(p, 10, -1));
    assert_null(frame_pool_get(p, FRAME_SIDE_MAX + 1, 10));
    assert_int_equal(frame_pool_out(p), 0);
    frame_pool_destroy(p);
}

static struct frame *numbered(struct frame_pool *p, uint64_t seq)
{
    struct frame *f = frame_pool_get(p, 8, 8);
    assert_non_null(f);
    f->seq = seq;
    return f;
}

static void count_call(void *payload)
{
    ++*(int *)payload;
}

static void slot_keeps_the_newest(void **state)
{
    (void)state;
    int wakeups = 0;
    struct frame_pool *p = frame_pool_create(3);
    struct frame_slot *s = frame_slot_create(count_call, &wakeups);
    assert_null(frame_slot_take(s, 0));
    for (uint64_t seq = 1; seq <= 3; seq++)
        frame_slot_put(s, numbered(p, seq));
    assert_int_equal(wakeups, 1); /* only an empty slot wakes */
    assert_int_equal(frame_slot_skipped(s), 2);
    assert_int_equal(frame_pool_out(p), 1);
    struct frame *f = frame_slot_take(s, 0);
    assert_int_equal(f->seq, 3);
    assert_null(frame_slot_take(s, 1000));
    frame_unref(&f);
    frame_slot_put(s, numbered(p, 4));
    assert_int_equal(wakeups, 2);
    frame_slot_nudge(s);
    f = frame_slot_take(s, 0);
    assert_int_equal(f->seq, 4);
    frame_unref(&f);
    frame_slot_put(s, numbered(p, 5));
    frame_slot_interrupt(s);
    assert_null(frame_slot_take(s, 0));
    frame_slot_destroy(s); /* lets go of 5 */
    frame_pool_destroy(p);
}

/* A producer as fast as it can and a consumer that checks what it gets. */
struct flood {
    struct frame_pool *pool;
    struct frame_slot *slot;
};

enum { FLOOD = 20000 };

static void *flood_slot(void *arg)
{
    struct flood *fl = arg;
    for (uint64_t seq = 1; seq <= FLOOD; seq++) {
        struct frame *f = frame_pool_get(fl->pool, 16, 16);
        if (f == NULL && seq == FLOOD) /* the consumer waits for the last one */
            seq--;
        if (f == NULL)
            continue;
        f->seq = seq;
        memset(f->bgr, (int)(seq % 251), (size_t)f->stride * 16);
        frame_slot_put(fl->slot, f);
    }
    return NULL;
}

static void slot_between_threads(void **state)
{
    (void)state;
    struct flood fl = {frame_pool_create(4), frame_slot_create(NULL, NULL)};
    pthread_t producer;
    struct err err = {0};
    assert_int_equal(thread_start(&producer, "producer", flood_slot, &fl, &err), 0);
    uint64_t last = 0;
    while (last < FLOOD) {
        struct frame *f = frame_slot_take(fl.slot, 1000000);
        if (f == NULL)
            continue;
        assert_true(f->seq > last);
        last = f->seq;
        for (int i = 0; i < 16 * 3; i++)
            assert_int_equal(f->bgr[i], (int)(last % 251));
        frame_unref(&f);
    }
    pthread_join(producer, NULL);
    frame_slot_destroy(fl.slot);
    frame_pool_destroy(fl.pool);
}

static void *interrupt_slot(void *arg)
{
    frame_slot_interrupt(arg);
    return NULL;
}

static void *nudge_slot(void *arg)
{
    frame_slot_nudge(arg);
    return NULL;
}

static void waiting_ends(void **state)
{
    (void)state;
    static const int64_t hour_us = 3600000000;
    pthread_t other;
    struct err err = {0};
    struct frame_slot *s = frame_slot_create(NULL, NULL);
    assert_int_equal(thread_start(&other, "nudge", nudge_slot, s, &err), 0);
    assert_null(frame_slot_take(s, hour_us));
    pthread_join(other, NULL);
    assert_int_equal(thread_start(&other, "nudge", nudge_slot, s, &err), 0);
    frame_slot_pause(s, hour_us);
    pthread_join(other, NULL);
    assert_int_equal(thread_start(&other, "interrupt", interrupt_slot, s, &err), 0);
    assert_null(frame_slot_take(s, hour_us));
    pthread_join(other, NULL);
    frame_slot_pause(s, hour_us);
    frame_slot_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool_gives_and_takes_back),
        cmocka_unit_test(pool_follows_the_size),
        cmocka_unit_test(slot_keeps_the_newest),
        cmocka_unit_test(slot_between_threads),
        cmocka_unit_test(waiting_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
