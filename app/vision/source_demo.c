/* The drawn face as a source. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/thread.h"
#include "vision/demo_face.h"
#include "vision/source.h"

struct demo {
    struct source source;
    int width, height;
    int64_t start_us;
    int64_t interval_us;
    int64_t due_us;
};

static int demo_fd(const struct source *s)
{
    (void)s;
    return -1;
}

static int64_t demo_due(const struct source *s)
{
    return ((const struct demo *)s)->due_us;
}

static enum source_step demo_next(struct source *s, int *width, int *height, struct err *err)
{
    (void)err;
    struct demo *d = (struct demo *)s;
    int64_t now = clock_now_us();
    d->due_us += d->interval_us;
    if (d->due_us < now)
        d->due_us = now + d->interval_us;
    *width = d->width;
    *height = d->height;
    return SOURCE_PICTURE;
}

static int demo_copy(struct source *s, struct frame *f, struct err *err)
{
    (void)err;
    struct demo *d = (struct demo *)s;
    f->t_us = clock_now_us();
    demo_face_draw((f->t_us - d->start_us) / 1000, f->bgr, f->width, f->height, f->stride);
    return ERR_OK;
}

static void demo_close(struct source *s)
{
    free(s);
}

static const struct source_ops demo_ops = {demo_fd, demo_due, demo_next, demo_copy, demo_close};

int source_open_demo(struct source **out, const struct source_spec *spec, struct err *err)
{
    (void)err;
    struct demo *d = mem_new(1, sizeof *d);
    d->source.ops = &demo_ops;
    snprintf(d->source.name, sizeof d->source.name, "demo");
    d->width = spec->width;
    d->height = spec->height;
    d->interval_us = 1000000 / spec->fps;
    d->start_us = d->due_us = clock_now_us();
    *out = &d->source;
    return ERR_OK;
}
