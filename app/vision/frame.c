/* Pool, reference counts, latest-frame slot. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, madvise */
#include "vision/frame.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "base/thread.h"

struct pooled_frame {
    struct frame frame; /* first: a frame is its pooled_frame */
    struct frame_pool *pool;
    atomic_int refs;
    size_t bytes; /* mapped at frame.bgr */
    bool out;     /* under pool->lock */
};

struct frame_pool {
    pthread_mutex_t lock;
    int count;
    int out;
    struct pooled_frame *frames;
};

struct frame_pool *frame_pool_create(int max_frames)
{
    struct frame_pool *p = mem_new(1, sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
    p->count = max_frames;
    p->frames = mem_new((size_t)max_frames, sizeof *p->frames);
    for (int i = 0; i < max_frames; i++)
        p->frames[i].pool = p;
    return p;
}

static void release_memory(struct pooled_frame *f)
{
    if (f->frame.bgr != NULL)
        munmap(f->frame.bgr, f->bytes);
    f->frame.bgr = NULL;
    f->bytes = 0;
}

/* Pages of their own, so that they can be kept out of core dumps. */
static bool reserve_memory(struct pooled_frame *f, size_t bytes)
{
    if (f->bytes >= bytes && f->bytes <= 4 * bytes)
        return true;
    release_memory(f);
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return false;
    madvise(p, bytes, MADV_DONTDUMP);
    f->frame.bgr = p;
    f->bytes = bytes;
    return true;
}

static struct pooled_frame *take_free(struct frame_pool *p)
{
    struct pooled_frame *free_frame = NULL;
    pthread_mutex_lock(&p->lock);
    for (int i = 0; i < p->count && free_frame == NULL; i++)
        if (!p->frames[i].out)
            free_frame = &p->frames[i];
    if (free_frame != NULL) {
        free_frame->out = true;
        p->out++;
    }
    pthread_mutex_unlock(&p->lock);
    return free_frame;
}

static void give_back(struct pooled_frame *f)
{
    struct frame_pool *p = f->pool;
    pthread_mutex_lock(&p->lock);
    f->out = false;
    p->out--;
    pthread_mutex_unlock(&p->lock);
}

struct frame *frame_pool_get(struct frame_pool *p, int width, int height)
{
    if (width < 1 || height < 1 || width > FRAME_SIDE_MAX || height > FRAME_SIDE_MAX)
        return NULL;
    struct pooled_frame *f = take_free(p);
    if (f == NULL)
        return NULL;
    if (!reserve_memory(f, (size_t)width * 3 * (size_t)height)) {
        give_back(f);
        return NULL;
    }
    f->frame.seq = 0;
    f->frame.t_us = 0;
    f->frame.width = width;
    f->frame.height = height;
    f->frame.stride = width * 3;
    atomic_store(&f->refs, 1);
    return &f->frame;
}

int frame_pool_out(struct frame_pool *p)
{
    pthread_mutex_lock(&p->lock);
    int out = p->out;
    pthread_mutex_unlock(&p->lock);
    return out;
}

void frame_pool_destroy(struct frame_pool *p)
{
    if (p == NULL)
        return;
    assert(frame_pool_out(p) == 0);
    for (int i = 0; i < p->count; i++)
        release_memory(&p->frames[i]);
    pthread_mutex_destroy(&p->lock);
    free(p->frames);
    free(p);
}

struct frame *frame_ref(struct frame *f)
{
    struct pooled_frame *pooled = (struct pooled_frame *)f;
    atomic_fetch_add_explicit(&pooled->refs, 1, memory_order_relaxed);
    return f;
}

void frame_unref(struct frame **f)
{
    if (*f == NULL)
        return;
    struct pooled_frame *pooled = (struct pooled_frame *)*f;
    *f = NULL;
    if (atomic_fetch_sub_explicit(&pooled->refs, 1, memory_order_acq_rel) == 1)
        give_back(pooled);
}

void frame_wipe(struct frame *f)
{
    memset(f->bgr, 0, (size_t)f->stride * (size_t)f->height);
}

struct frame_slot {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct frame *newest; /* under lock, like all below */
    uint64_t skipped;
    bool nudged;
    bool interrupted;
    wakeup_fn *wakeup; /* constant */
    void *payload;     /* constant */
};

struct frame_slot *frame_slot_create(wakeup_fn *wakeup, void *payload)
{
    struct frame_slot *s = mem_new(1, sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    cond_init_monotonic(&s->filled);
    s->wakeup = wakeup;
    s->payload = payload;
    return s;
}

void frame_slot_put(struct frame_slot *s, struct frame *f)
{
    pthread_mutex_lock(&s->lock);
    struct frame *old = s->newest;
    s->newest = f;
    if (old != NULL)
        s->skipped++;
    pthread_cond_signal(&s->filled);
    pthread_mutex_unlock(&s->lock);

    bool was_empty = old == NULL;
    frame_unref(&old);
    if (was_empty && s->wakeup != NULL)
        s->wakeup(s->payload);
}

struct frame *frame_slot_take(struct frame_slot *s, int64_t timeout_us)
{
    int64_t deadline = timeout_us > 0 ? clock_now_us() + timeout_us : 0;
    pthread_mutex_lock(&s->lock);
    while (timeout_us > 0 && s->newest == NULL && !s->nudged && !s->interrupted)
        if (!cond_wait_until(&s->filled, &s->lock, deadline))
            break;
    struct frame *f = s->interrupted ? NULL : s->newest;
    if (f != NULL)
        s->newest = NULL;
    s->nudged = false;
    pthread_mutex_unlock(&s->lock);
    return f;
}

void frame_slot_pause(struct frame_slot *s, int64_t timeout_us)
{
    int64_t deadline = clock_now_us() + timeout_us;
    pthread_mutex_lock(&s->lock);
    while (!s->nudged && !s->interrupted)
        if (!cond_wait_until(&s->filled, &s->lock, deadline))
            break;
    s->nudged = false;
    pthread_mutex_unlock(&s->lock);
}

void frame_slot_nudge(struct frame_slot *s)
{
    pthread_mutex_lock(&s->lock);
    s->nudged = true;
    pthread_cond_signal(&s->filled);
    pthread_mutex_unlock(&s->lock);
}

uint64_t frame_slot_skipped(struct frame_slot *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t skipped = s->skipped;
    pthread_mutex_unlock(&s->lock);
    return skipped;
}

void frame_slot_interrupt(struct frame_slot *s)
{
    pthread_mutex_lock(&s->lock);
    s->interrupted = true;
    pthread_cond_broadcast(&s->filled);
    pthread_mutex_unlock(&s->lock);
}

void frame_slot_destroy(struct frame_slot *s)
{
    if (s == NULL)
        return;
    frame_unref(&s->newest);
    pthread_cond_destroy(&s->filled);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
