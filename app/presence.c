/* The presence thread. */
#include "presence.h"

#include <stdatomic.h>
#include <stdlib.h>

#define LOG_MODULE "presence"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "vision/face_finder.h"
#include "vision/opencv_c.h"

enum { FACES_MAX = 4 };
#define LOOK_EVERY_US 150000
#define TAKE_US 500000

struct presence {
    struct presence_params params;
    struct face_finder *finder;
    pthread_t thread;
    bool started;
    atomic_bool stopping;
    atomic_int faces; /* of the last look; -1: nothing new */
    uint8_t *gray;    /* the thread's own */
    size_t gray_size;
};

int presence_create(struct presence **out, const struct presence_params *p, struct err *err)
{
    struct presence *made = mem_new(1, sizeof *made);
    *out = NULL;
    made->params = *p;
    atomic_init(&made->stopping, false);
    atomic_init(&made->faces, -1);
    int code = face_finder_open(&made->finder, p->cascade, err);
    if (code < 0) {
        free(made);
        return code;
    }
    *out = made;
    return ERR_OK;
}

static bool make_gray(struct presence *p, const struct frame *f)
{
    char why[120];
    size_t need = (size_t)f->width * (size_t)f->height;
    if (need > p->gray_size) {
        mem_free_aligned(p->gray);
        p->gray = mem_try_aligned(need, 1);
        p->gray_size = p->gray ? need : 0;
    }
    return p->gray && cvc_bgr_to_gray(f->bgr, f->width, f->height, f->stride, p->gray, f->width,
                                      why, sizeof why) == CVC_OK;
}

static void look(struct presence *p, const struct frame *f)
{
    struct face_box boxes[FACES_MAX];
    struct err err = {0};
    if (!make_gray(p, f))
        return;
    struct gray_view gray = {p->gray, f->width, f->height, f->width};
    int found = face_finder_find(p->finder, &gray, FINDER_LIVE, boxes, FACES_MAX, &err);
    if (found < 0) {
        log_warn("%s", err.text);
        return;
    }
    atomic_store(&p->faces, found);
    p->params.on_result(p->params.payload);
}

static void *run(void *arg)
{
    struct presence *p = arg;
    int64_t next_us = 0;
    while (!atomic_load(&p->stopping)) {
        struct frame *f = frame_slot_take(p->params.source, TAKE_US);
        if (f && clock_now_us() >= next_us) {
            next_us = clock_now_us() + LOOK_EVERY_US;
            look(p, f);
        }
        frame_unref(&f);
    }
    return NULL;
}

int presence_start(struct presence *p, struct err *err)
{
    int code = thread_start(&p->thread, "presence", run, p, err);
    p->started = code == ERR_OK;
    return code;
}

bool presence_latest(struct presence *p, int *faces)
{
    int found = atomic_exchange(&p->faces, -1);
    if (found >= 0)
        *faces = found;
    return found >= 0;
}

void presence_stop(struct presence *p)
{
    if (p)
        atomic_store(&p->stopping, true);
}

void presence_join(struct presence *p)
{
    if (p && p->started)
        pthread_join(p->thread, NULL);
}

void presence_destroy(struct presence *p)
{
    if (!p)
        return;
    face_finder_close(p->finder);
    mem_free_aligned(p->gray);
    free(p);
}
