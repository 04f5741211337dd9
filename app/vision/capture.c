/* The capture thread. */
#include "vision/capture.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "vision/rate.h"
#include "vision/source.h"

#define LOG_MODULE "capture"
#include "base/log.h"

enum {
    DEFAULT_WIDTH = 640,
    DEFAULT_HEIGHT = 480,
    DEFAULT_FPS = 30,
    LOST_AFTER_US = 900000,  /* without a good picture: shown as lost */
    RESET_AFTER_US = 1100000 /* after that: the device is closed and opened again */
};

/* Pauses between attempts to open; the last one repeats. */
static const int64_t retry_us[] = {500000, 1000000, 2000000, 5000000};

struct capture {
    struct capture_params params; /* constant after create; source is not used */
    pthread_t thread;
    bool started;
    int wake[2]; /* a byte in it ends the thread's poll() */

    /* The capture thread's own. */
    struct source_spec spec;
    struct source *source; /* NULL: closed */
    int64_t alive_until;   /* a live source must give a picture before this */
    int64_t retry_at;      /* when to open again; INT64_MAX: never */
    int retries;           /* since the last picture */
    uint64_t seq;

    pthread_mutex_t lock;
    /* Under lock: */
    struct capture_status status; /* fps is filled when it is asked for */
    struct rate rate;
    bool stopping;
    bool switching; /* next_* replace spec and source */
    struct source_spec next_spec;
    struct source *next_source;
};

const char *capture_state_name(enum capture_state s)
{
    static const char *const names[] = {"opening", "live", "lost", "ended"};
    return names[s];
}

const char *capture_reason_name(enum capture_reason r)
{
    static const char *const names[] = {"fine", "absent", "busy", "denied", "stalled", "failed"};
    return names[r];
}

/* Parses the source and opens it when it is a file or the demo; *source stays NULL otherwise. */
static int prepare(const struct capture_params *p, const char *text, struct source_spec *spec,
                   struct source **source, struct err *err)
{
    enum capture_reason reason;
    *source = NULL;
    int code = source_spec_parse(spec, text, err);
    if (code != ERR_OK)
        return code;
    spec->width = p->width;
    spec->height = p->height;
    spec->fps = p->fps;
    spec->once = p->once;
    if (spec->kind == SOURCE_CAMERA || spec->kind == SOURCE_STREAM)
        return ERR_OK;
    code = source_open(source, spec, &reason, err);
    if (code != ERR_OK)
        source_spec_free(spec);
    return code;
}

static int open_wake_pipe(struct capture *c, struct err *err)
{
    if (pipe(c->wake) != 0)
        return err_errno(err, "pipe");
    for (int i = 0; i < 2; i++) {
        fcntl(c->wake[i], F_SETFL, O_NONBLOCK);
        fcntl(c->wake[i], F_SETFD, FD_CLOEXEC);
    }
    return ERR_OK;
}

int capture_create(struct capture **out, const struct capture_params *p, struct err *err)
{
    struct capture *c = mem_new(1, sizeof *c);
    c->params = *p;
    c->params.source = NULL;
    c->params.width = p->width > 0 ? p->width : DEFAULT_WIDTH;
    c->params.height = p->height > 0 ? p->height : DEFAULT_HEIGHT;
    c->params.fps = p->fps > 0 ? p->fps : DEFAULT_FPS;
    int code = prepare(&c->params, p->source, &c->spec, &c->source, err);
    if (code == ERR_OK && (code = open_wake_pipe(c, err)) != ERR_OK) {
        source_close(c->source);
        source_spec_free(&c->spec);
    }
    if (code != ERR_OK) {
        free(c);
        return code;
    }
    pthread_mutex_init(&c->lock, NULL);
    *out = c;
    return ERR_OK;
}

/* Publishes a state; the text is kept while state and reason stay the same. */
static void set_state(struct capture *c, enum capture_state state, enum capture_reason reason,
                      const char *text)
{
    pthread_mutex_lock(&c->lock);
    struct capture_status *st = &c->status;
    bool changed = st->state != state || st->reason != reason;
    st->state = state;
    st->reason = reason;
    if (changed)
        snprintf(st->text, sizeof st->text, "%s", text);
    pthread_mutex_unlock(&c->lock);
    if (!changed)
        return;
    log_info("%s: %s: %s", capture_state_name(state), capture_reason_name(reason), text);
    if (c->params.on_state != NULL)
        c->params.on_state(c->params.payload);
}

/* What the status says of a source that was just opened. */
static void show_source(struct capture *c)
{
    pthread_mutex_lock(&c->lock);
    snprintf(c->status.name, sizeof c->status.name, "%s", c->source->name);
    c->status.mirror = c->spec.kind == SOURCE_CAMERA || c->spec.kind == SOURCE_DEMO;
    pthread_mutex_unlock(&c->lock);
}

static void opened(struct capture *c)
{
    c->retry_at = INT64_MAX;
    c->alive_until =
        c->source->patience_us > 0 ? clock_now_us() + c->source->patience_us : INT64_MAX;
    show_source(c);
}

/* Lets the source go and plans the next attempt. */
static void lose(struct capture *c, enum capture_reason reason, const char *text)
{
    int last = (int)(sizeof retry_us / sizeof retry_us[0]) - 1;
    source_close(c->source);
    c->source = NULL;
    c->retry_at = clock_now_us() + retry_us[c->retries < last ? c->retries : last];
    c->retries++;
    set_state(c, CAPTURE_LOST, reason, text);
}

static void end(struct capture *c, const struct err *err)
{
    source_close(c->source);
    c->source = NULL;
    c->retry_at = INT64_MAX;
    set_state(c, CAPTURE_ENDED, err->code == ERR_OK ? CAPTURE_FINE : CAPTURE_FAILED, err->text);
}

static void try_open(struct capture *c)
{
    struct err err = {0};
    enum capture_reason reason;
    if (source_open(&c->source, &c->spec, &reason, &err) == ERR_OK)
        opened(c);
    else
        lose(c, reason, err.text);
}

/* Why reading failed, in the words of opening: only that tells absent, busy and denied apart. */
static void lose_broken(struct capture *c, const struct err *err)
{
    lose(c, err->code == ERR_NOT_FOUND ? CAPTURE_ABSENT : CAPTURE_FAILED, err->text);
}

/* Takes over what capture_switch() left. */
static void do_switch(struct capture *c)
{
    source_close(c->source);
    source_spec_free(&c->spec);
    pthread_mutex_lock(&c->lock);
    c->spec = c->next_spec;
    c->source = c->next_source;
    c->next_source = NULL;
    c->switching = false;
    c->status.name[0] = '\0';
    c->status.mirror = false;
    c->rate = (struct rate){0};
    pthread_mutex_unlock(&c->lock);
    c->retries = 0;
    c->retry_at = 0;
    set_state(c, CAPTURE_OPENING, CAPTURE_FINE, "");
    if (c->source != NULL)
        opened(c);
}

/* false: stop. */
static bool take_orders(struct capture *c)
{
    pthread_mutex_lock(&c->lock);
    bool stopping = c->stopping;
    bool switching = c->switching;
    pthread_mutex_unlock(&c->lock);
    if (switching && !stopping)
        do_switch(c);
    return !stopping;
}

static int64_t min_time(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The next time at which the thread has something to do by itself. */
static int64_t next_time(const struct capture *c, int64_t now)
{
    if (c->source == NULL)
        return c->retry_at;
    int64_t due = c->source->ops->due_us(c->source);
    int64_t stall = c->alive_until;
    if (stall != INT64_MAX && now > stall)
        stall += RESET_AFTER_US;
    return due > 0 ? min_time(due, stall) : stall;
}

static int poll_timeout_ms(int64_t until, int64_t now)
{
    if (until == INT64_MAX)
        return -1;
    int64_t ms = (until - now + 999) / 1000;
    return ms < 0 ? 0 : ms > 60000 ? 60000 : (int)ms;
}

/* Sleeps until there is something to do. Returns the source descriptor's poll() events. */
static short wait_for_work(struct capture *c)
{
    int64_t now = clock_now_us();
    struct pollfd fds[2] = {{.fd = c->wake[0], .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    char drain[16];
    if (c->source != NULL)
        fds[1].fd = c->source->ops->fd(c->source); /* negative ones are ignored by poll() */
    poll(fds, 2, poll_timeout_ms(next_time(c, now), now));
    while (read(c->wake[0], drain, sizeof drain) > 0)
        ;
    return fds[1].revents;
}

static void send_to_sinks(struct capture *c, struct frame *f)
{
    for (int i = 0; i < 2; i++)
        if (c->params.sinks[i] != NULL)
            frame_slot_put(c->params.sinks[i], frame_ref(f));
    frame_unref(&f);
}

static void count_frame(struct capture *c, const struct frame *f)
{
    pthread_mutex_lock(&c->lock);
    rate_add(&c->rate, clock_now_us());
    c->status.frames++;
    c->status.width = f->width;
    c->status.height = f->height;
    pthread_mutex_unlock(&c->lock);
}

static void count(struct capture *c, uint64_t *counter)
{
    pthread_mutex_lock(&c->lock);
    (*counter)++;
    pthread_mutex_unlock(&c->lock);
}

static void picture_came(struct capture *c)
{
    c->retries = 0;
    if (c->source->patience_us > 0)
        c->alive_until = clock_now_us() + LOST_AFTER_US;
    set_state(c, CAPTURE_LIVE, CAPTURE_FINE, "");
}

static void publish(struct capture *c, int width, int height)
{
    struct err err = {0};
    struct frame *f = frame_pool_get(c->params.pool, width, height);
    if (f == NULL) { /* all in use: a slow consumer, not a lost camera */
        count(c, &c->status.dropped);
        picture_came(c);
        return;
    }
    if (c->source->ops->copy(c->source, f, &err) != ERR_OK) {
        frame_unref(&f);
        count(c, &c->status.damaged);
        return;
    }
    f->seq = ++c->seq;
    count_frame(c, f);
    picture_came(c);
    send_to_sinks(c, f);
}

static void fetch(struct capture *c, short events)
{
    struct err err = {0};
    int width;
    int height;
    switch (c->source->ops->next(c->source, &width, &height, &err)) {
    case SOURCE_PICTURE:
        publish(c, width, height);
        break;
    case SOURCE_NOTHING:
        /* poll() would return at once for ever. */
        if (events & (POLLERR | POLLHUP | POLLNVAL))
            lose(c, CAPTURE_FAILED, "The camera reports an error. It is opened again.");
        break;
    case SOURCE_DAMAGED:
        count(c, &c->status.damaged);
        break;
    case SOURCE_END:
        end(c, &err);
        break;
    case SOURCE_GONE:
        lose_broken(c, &err);
        break;
    }
}

/* A live source that gives no good picture: first shown as lost, then closed. */
static void check_stall(struct capture *c)
{
    static const char text[] = "The camera sends no picture. It is started again; if that does "
                               "not help, unplug it and plug it in again.";
    int64_t now = clock_now_us();
    if (c->source == NULL || now <= c->alive_until)
        return;
    if (now > c->alive_until + RESET_AFTER_US)
        lose(c, CAPTURE_STALLED, text);
    else
        set_state(c, CAPTURE_LOST, CAPTURE_STALLED, text);
}

static void work(struct capture *c, short events)
{
    int64_t now = clock_now_us();
    if (c->source == NULL) {
        if (now >= c->retry_at)
            try_open(c);
        return;
    }
    int64_t due = c->source->ops->due_us(c->source);
    if (events != 0 || (due > 0 && now >= due))
        fetch(c, events);
    check_stall(c);
}

static void *run(void *arg)
{
    struct capture *c = arg;
    if (c->source != NULL)
        opened(c);
    while (take_orders(c)) {
        short events = wait_for_work(c);
        work(c, events);
    }
    source_close(c->source);
    c->source = NULL;
    return NULL;
}

int capture_start(struct capture *c, struct err *err)
{
    int code = thread_start(&c->thread, "capture", run, c, err);
    c->started = code == ERR_OK;
    return code;
}

static void wake(struct capture *c)
{
    ssize_t n = write(c->wake[1], "", 1); /* a full pipe wakes as well */
    (void)n;
}

int capture_switch(struct capture *c, const char *source, struct err *err)
{
    struct source_spec spec;
    struct source *opened_source;
    int code = prepare(&c->params, source, &spec, &opened_source, err);
    if (code != ERR_OK)
        return code;
    pthread_mutex_lock(&c->lock);
    struct source *unused = c->next_source;
    if (c->switching)
        source_spec_free(&c->next_spec);
    c->next_spec = spec;
    c->next_source = opened_source;
    c->switching = true;
    pthread_mutex_unlock(&c->lock);
    source_close(unused);
    wake(c);
    return ERR_OK;
}

void capture_status(struct capture *c, struct capture_status *out)
{
    pthread_mutex_lock(&c->lock);
    *out = c->status;
    out->fps = rate_hz(&c->rate, clock_now_us());
    pthread_mutex_unlock(&c->lock);
}

void capture_stop(struct capture *c)
{
    if (c == NULL)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_mutex_unlock(&c->lock);
    wake(c);
}

void capture_join(struct capture *c)
{
    if (c == NULL || !c->started)
        return;
    pthread_join(c->thread, NULL);
    c->started = false;
}

void capture_destroy(struct capture *c)
{
    if (c == NULL)
        return;
    assert(!c->started);
    source_close(c->source);
    source_spec_free(&c->spec);
    source_close(c->next_source);
    if (c->switching)
        source_spec_free(&c->next_spec);
    close(c->wake[0]);
    close(c->wake[1]);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
