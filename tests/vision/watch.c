/* A capture under observation. */
#include "watch.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/thread.h"
#include "support/testing.h"

struct watch {
    struct frame_pool *pool;
    struct frame_slot *slot;
    struct capture *capture;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned changes; /* under lock */
};

static void on_state(void *payload)
{
    struct watch *w = payload;
    pthread_mutex_lock(&w->lock);
    w->changes++;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

struct watch *watch_start(const char *source, bool once)
{
    struct watch *w = mem_new(1, sizeof *w);
    struct err err = {0};
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    w->pool = frame_pool_create(FRAME_POOL_SIZE);
    w->slot = frame_slot_create(NULL, NULL);
    struct capture_params p = {
        .source = source,
        .once = once,
        .pool = w->pool,
        .sinks = {w->slot, NULL},
        .on_state = on_state,
        .payload = w,
    };
    if (capture_create(&w->capture, &p, &err) != ERR_OK)
        fail_msg("%s", err.text);
    assert_int_equal(capture_start(w->capture, &err), ERR_OK);
    return w;
}

struct capture *watch_capture(struct watch *w)
{
    return w->capture;
}

struct capture_status watch_state(struct watch *w, enum capture_state s, enum capture_reason r)
{
    struct capture_status st;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        unsigned seen = w->changes;
        pthread_mutex_unlock(&w->lock);
        capture_status(w->capture, &st);
        if (st.state == s && st.reason == r)
            return st;
        pthread_mutex_lock(&w->lock);
        while (w->changes == seen)
            pthread_cond_wait(&w->changed, &w->lock);
    }
}

struct frame *watch_frame(struct watch *w)
{
    struct frame *f;
    do
        f = frame_slot_take(w->slot, 1000000);
    while (f == NULL);
    return f;
}

void watch_drain(struct watch *w)
{
    struct frame *f = frame_slot_take(w->slot, 0);
    frame_unref(&f);
}

void watch_end(struct watch *w)
{
    capture_stop(w->capture);
    capture_join(w->capture);
    capture_destroy(w->capture);
    frame_slot_destroy(w->slot);
    assert_int_equal(frame_pool_out(w->pool), 0);
    frame_pool_destroy(w->pool);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
