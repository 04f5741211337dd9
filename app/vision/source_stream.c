/* Network streams (http, rtsp).
 *
 * DESIGN. Opening and reading a stream can block for seconds inside FFmpeg and can not be
 * interrupted, so a thread of its own does both and passes the newest picture over under a lock,
 * with a byte in a pipe for the capture thread's poll(). Neither waits for the other: close() only
 * asks, and the worker, which is detached and shares the state by reference count, goes away when
 * FFmpeg lets it. Streams come at their own pace; a file behind a URL is slowed to its rate. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "vision/opencv_c.h"
#include "vision/source.h"

/* More than the time FFmpeg is given for opening. */
enum { FIRST_PICTURE_US = 6000000 };

struct stream {
    struct source source;
    char *url;
    int pipe[2]; /* worker -> capture thread, non-blocking */
    pthread_mutex_t lock;
    /* under lock: */
    int owners; /* 2 while both the capture thread and the worker hold it */
    bool closing;
    bool fresh; /* the picture was not taken yet */
    char failure[200];
    uint8_t *bgr;
    size_t bytes;
    int width, height;
    int64_t t_us;
};

static void let_go(struct stream *s)
{
    pthread_mutex_lock(&s->lock);
    bool last = --s->owners == 0;
    pthread_mutex_unlock(&s->lock);
    if (!last)
        return;
    close(s->pipe[0]);
    close(s->pipe[1]);
    pthread_mutex_destroy(&s->lock);
    mem_free_aligned(s->bgr);
    free(s->url);
    free(s);
}

/* A full pipe already says that there is something to see. */
static void ring(struct stream *s)
{
    ssize_t n = write(s->pipe[1], "", 1);
    (void)n;
}

static void report_failure(struct stream *s, const char *why)
{
    pthread_mutex_lock(&s->lock);
    snprintf(s->failure, sizeof s->failure, "%s", why);
    pthread_mutex_unlock(&s->lock);
    ring(s);
}

/* Moves the decoder's picture into s->bgr. false: stop, s was closed or memory is short. */
static bool publish(struct stream *s, struct cvc_video *v, int width, int height)
{
    char why[160];
    size_t bytes = (size_t)width * 3 * (size_t)height;
    pthread_mutex_lock(&s->lock);
    if (s->bytes < bytes) {
        mem_free_aligned(s->bgr);
        s->bgr = mem_try_aligned(bytes, 1);
        s->bytes = s->bgr != NULL ? bytes : 0;
    }
    bool ok = !s->closing && s->bgr != NULL &&
              cvc_video_copy(v, s->bgr, width, height, width * 3, why, sizeof why) == CVC_OK;
    s->fresh = ok;
    s->width = width;
    s->height = height;
    s->t_us = clock_now_us();
    pthread_mutex_unlock(&s->lock);
    if (ok)
        ring(s);
    return ok;
}

static void sleep_until(int64_t t_us)
{
    struct timespec t = {.tv_sec = t_us / 1000000, .tv_nsec = t_us % 1000000 * 1000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void read_pictures(struct stream *s, struct cvc_video *v)
{
    char why[160] = "the stream ended";
    int width;
    int height;
    double fps = cvc_video_fps(v);
    bool recorded = cvc_video_length(v) > 0 && fps > 0.0;
    int64_t due = clock_now_us();
    while (cvc_video_next(v, &width, &height, why, sizeof why) == CVC_OK) {
        if (recorded)
            sleep_until(due += (int64_t)(1e6 / fps));
        if (!publish(s, v, width, height))
            return;
    }
    report_failure(s, why);
}

static void *worker(void *arg)
{
    struct stream *s = arg;
    struct cvc_video *v;
    char why[160];
    if (cvc_video_open(&v, s->url, why, sizeof why) == CVC_OK) {
        read_pictures(s, v);
        cvc_video_close(v);
    } else {
        report_failure(s, "it can not be opened");
    }
    let_go(s);
    return NULL;
}

static int stream_fd(const struct source *s)
{
    return ((const struct stream *)s)->pipe[0];
}

static int64_t stream_due(const struct source *s)
{
    (void)s;
    return 0;
}

static enum source_step stream_next(struct source *source, int *width, int *height, struct err *err)
{
    struct stream *s = (struct stream *)source;
    char drain[64];
    while (read(s->pipe[0], drain, sizeof drain) == (ssize_t)sizeof drain)
        ;
    pthread_mutex_lock(&s->lock);
    enum source_step step = s->fresh ? SOURCE_PICTURE : SOURCE_NOTHING;
    if (step == SOURCE_NOTHING && s->failure[0] != '\0') {
        err_set(err, ERR_IO, "%s: %s. It is tried again.", s->source.name, s->failure);
        step = SOURCE_GONE;
    }
    *width = s->width;
    *height = s->height;
    pthread_mutex_unlock(&s->lock);
    return step;
}

static int stream_copy(struct source *source, struct frame *f, struct err *err)
{
    struct stream *s = (struct stream *)source;
    int code = ERR_OK;
    pthread_mutex_lock(&s->lock);
    if (s->width == f->width && s->height == f->height)
        memcpy(f->bgr, s->bgr, (size_t)f->stride * (size_t)f->height);
    else
        code = err_set(err, ERR_FORMAT, "%s: the picture changed its size", s->source.name);
    f->t_us = s->t_us;
    s->fresh = false;
    pthread_mutex_unlock(&s->lock);
    return code;
}

static void stream_close(struct source *source)
{
    struct stream *s = (struct stream *)source;
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    pthread_mutex_unlock(&s->lock);
    let_go(s);
}

static const struct source_ops stream_ops = {stream_fd, stream_due, stream_next, stream_copy,
                                             stream_close};

/* The part of a URL that may be shown: without user name and password. */
static void show_url(char *out, size_t cap, const char *url)
{
    const char *host = strstr(url, "://") + 3;
    const char *slash = strchr(host, '/');
    const char *at = strchr(host, '@');
    if (at != NULL && (slash == NULL || at < slash))
        host = at + 1;
    snprintf(out, cap, "%s", host);
}

int source_open_stream(struct source **out, const struct source_spec *spec, struct err *err)
{
    struct stream *s = mem_new(1, sizeof *s);
    pthread_t thread;
    s->source.ops = &stream_ops;
    s->source.patience_us = FIRST_PICTURE_US;
    show_url(s->source.name, sizeof s->source.name, spec->text);
    s->url = mem_strdup(spec->text);
    s->owners = 1;
    pthread_mutex_init(&s->lock, NULL);
    if (pipe(s->pipe) != 0) {
        err_errno(err, "pipe");
        free(s->url);
        free(s);
        return ERR_IO;
    }
    for (int i = 0; i < 2; i++) {
        fcntl(s->pipe[i], F_SETFL, O_NONBLOCK);
        fcntl(s->pipe[i], F_SETFD, FD_CLOEXEC);
    }
    s->owners++;
    if (thread_start(&thread, "stream", worker, s, err) != ERR_OK) {
        s->owners--;
        let_go(s);
        return ERR_IO;
    }
    pthread_detach(thread);
    *out = &s->source;
    return ERR_OK;
}
