/* The detector thread. */
#include "vision/detector.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "vision/face_reader.h"
#include "vision/rate.h"

#define LOG_MODULE "detector"
#include "base/log.h"

enum {
    DEFAULT_HZ = 20,
    IDLE_HZ = 8,              /* nobody there: looked for less often */
    IDLE_AFTER_US = 3000000,  /* without a face */
    TAKE_TIMEOUT_US = 200000, /* how late a stop is noticed when nothing nudges the slot */
    NAME_CAP = 32,
    STILL_MS = 150 /* what reading the faces of a still may take: SPACE waits for it */
};

/* Share of the time between two results that reading the faces may take; finding them and drawing
 * need theirs. */
static const float READ_SHARE = 0.5f;

struct detector {
    struct detector_params params; /* constant after create */
    pthread_t thread;
    bool started;

    /* The detector thread's own. */
    struct face_reader *reader;
    struct tracker *tracker;
    int64_t next_us;        /* not before this time, for max_hz */
    int64_t face_us;        /* when a face was last seen */
    bool failing;           /* reading failed last time: logged once */
    char *better;           /* the path of params.better, owned; NULL: there is none */
    char name[2][NAME_CAP]; /* of the models, for people */

    pthread_mutex_t lock;
    /* Under lock: */
    struct observation latest;
    struct observation still;    /* of the last still that was finished */
    struct frame *still_request; /* not begun yet */
    struct rate rate;
    struct detector_stats stats; /* hz is filled when it is asked for */
    bool stopping;
    bool resetting;
};

/* "models/moodreel-fast.onnx" is called "moodreel-fast". */
static void model_name(const char *path, char out[NAME_CAP])
{
    const char *slash = strrchr(path, '/');
    snprintf(out, NAME_CAP, "%s", slash != NULL ? slash + 1 : path);
    out[strcspn(out, ".")] = '\0';
}

int detector_create(struct detector **out, const struct detector_params *p, struct err *err)
{
    struct detector *d = mem_new(1, sizeof *d);
    d->params = *p;
    if (d->params.max_hz <= 0.0f)
        d->params.max_hz = DEFAULT_HZ;
    int code = face_reader_open(&d->reader, p->cascade, p->model, p->pool, err);
    if (code != ERR_OK) {
        free(d);
        return code;
    }
    model_name(p->model, d->name[0]);
    if (p->better != NULL) {
        d->better = mem_strdup(p->better);
        model_name(p->better, d->name[1]);
    }
    d->tracker = tracker_create(&p->tracking);
    pthread_mutex_init(&d->lock, NULL);
    *out = d;
    return ERR_OK;
}

static float live_budget_ms(const struct detector *d)
{
    return READ_SHARE * 1000.0f / d->params.max_hz;
}

static void add_better(struct detector *d)
{
    struct err err = {0};
    if (d->better == NULL || face_reader_add(d->reader, d->better, d->params.pool,
                                             live_budget_ms(d), STILL_MS, &err) == ERR_OK)
        return;
    log_warn("%s", err.text);
    free(d->better);
    d->better = NULL;
}

/* Of a picture with faces only: without them no model read. */
static void describe_model(struct detector *d, const struct read_result *r)
{
    bool best = d->better == NULL || r->model == 1;
    if (r->count == 0)
        return;
    if (best)
        snprintf(d->stats.model, sizeof d->stats.model, "%s", d->name[r->model]);
    else
        snprintf(d->stats.model, sizeof d->stats.model, "%s (%s would take %.0f of %.0f ms)",
                 d->name[0], d->name[1], (double)(face_reader_ms(d->reader, 1) * (float)r->count),
                 (double)live_budget_ms(d));
}

static struct box as_fraction(const struct face_box *b, const struct read_result *r)
{
    float w = (float)r->width;
    float h = (float)r->height;
    return (struct box){b->x / w, b->y / h, b->w / w, b->h / h};
}

/* Reads a frame; false: it failed, and the log says why. */
static bool read_frame(struct detector *d, const struct frame *f, enum reader_effort effort,
                       struct read_result *out)
{
    struct err err = {0};
    int code = face_reader_read(d->reader, f->bgr, f->width, f->height, f->stride, effort,
                                MAX_FACES, out, &err);
    if (code != ERR_OK && !d->failing)
        log_error("%s", err.text);
    d->failing = code != ERR_OK;
    return code == ERR_OK;
}

static void notify(struct detector *d)
{
    if (d->params.on_result != NULL)
        d->params.on_result(d->params.payload);
}

static void begin_observation(struct observation *o, const struct frame *f,
                              const struct read_result *r)
{
    memset(o, 0, sizeof *o);
    o->frame_seq = f->seq;
    o->t_us = f->t_us;
    o->done_us = clock_now_us();
    o->detect_ms = r->detect_ms;
    o->infer_ms = r->infer_ms;
}

/* Running means over about ten results. */
static void count_result(struct detector *d, const struct observation *o)
{
    float weight = d->stats.results == 0 ? 1.0f : 0.1f;
    rate_add(&d->rate, o->done_us);
    d->stats.results++;
    d->stats.detect_ms += weight * (o->detect_ms - d->stats.detect_ms);
    d->stats.infer_ms += weight * (o->infer_ms - d->stats.infer_ms);
}

static void serve_live(struct detector *d, struct frame *f)
{
    struct read_result r;
    struct box boxes[MAX_FACES];
    struct reading readings[MAX_FACES];
    struct observation o;
    if (!read_frame(d, f, READER_LIVE, &r))
        return;
    for (int i = 0; i < r.count; i++) {
        boxes[i] = as_fraction(&r.face[i].box, &r);
        readings[i] = r.face[i].reading;
    }
    tracker_update(d->tracker, f->t_us, boxes, readings, r.count);
    begin_observation(&o, f, &r);
    tracker_read(d->tracker, &o);
    o.t_us = f->t_us;
    if (r.count > 0)
        d->face_us = o.done_us;
    pthread_mutex_lock(&d->lock);
    d->latest = o;
    count_result(d, &o);
    describe_model(d, &r);
    pthread_mutex_unlock(&d->lock);
    notify(d);
}

/* The live track at the same place, 0 when there is none. */
static uint32_t live_id(const struct observation *live, const struct box *b)
{
    for (int i = 0; i < live->count; i++) {
        const struct box *t = &live->face[i].box;
        float cx = b->x + 0.5f * b->w;
        float cy = b->y + 0.5f * b->h;
        if (cx > t->x && cx < t->x + t->w && cy > t->y && cy < t->y + t->h)
            return live->face[i].id;
    }
    return 0;
}

static void serve_still(struct detector *d, struct frame *f)
{
    struct read_result r = {0};
    struct observation o;
    read_frame(d, f, READER_CAREFUL, &r);
    begin_observation(&o, f, &r);
    o.count = r.count;
    pthread_mutex_lock(&d->lock);
    for (int i = 0; i < r.count; i++) {
        const struct reading *reading = &r.face[i].reading;
        struct face_track *t = &o.face[i];
        t->box = as_fraction(&r.face[i].box, &r);
        t->id = live_id(&d->latest, &t->box);
        t->now = t->smooth = reading->scores;
        t->unknown = reading->unknown;
        t->label = emotion_top(&reading->scores);
        t->sure = tracker_sure(&d->params.tracking, reading);
        t->steady = true;
        t->first_us = t->seen_us = f->t_us;
    }
    d->still = o;
    pthread_mutex_unlock(&d->lock);
    notify(d);
}

/* Takes what others asked for. false: stop. *still is a frame to read carefully, or NULL. */
static bool take_orders(struct detector *d, struct frame **still)
{
    pthread_mutex_lock(&d->lock);
    bool stopping = d->stopping;
    bool resetting = d->resetting;
    *still = d->still_request;
    d->still_request = NULL;
    d->resetting = false;
    pthread_mutex_unlock(&d->lock);
    if (resetting)
        tracker_reset(d->tracker);
    return !stopping;
}

/* When the next live frame may be read. Missed turns are not caught up. */
static void plan_next(struct detector *d, int64_t begun_us)
{
    bool idle = begun_us - d->face_us > IDLE_AFTER_US;
    float hz = idle && d->params.max_hz > IDLE_HZ ? IDLE_HZ : d->params.max_hz;
    d->next_us = begun_us + (int64_t)(1e6f / hz);
}

/* Waits out the pause between two results; a still or a stop nudges the slot and ends it. */
static bool paused(struct detector *d)
{
    int64_t now = clock_now_us();
    if (now >= d->next_us)
        return false;
    frame_slot_pause(d->params.source, d->next_us - now);
    return true;
}

static void *run(void *arg)
{
    struct detector *d = arg;
    struct frame *f;
    add_better(d);
    d->face_us = clock_now_us();
    while (take_orders(d, &f)) {
        if (f != NULL) {
            serve_still(d, f);
        } else if (!paused(d)) {
            f = frame_slot_take(d->params.source, TAKE_TIMEOUT_US);
            if (f != NULL) {
                plan_next(d, clock_now_us());
                serve_live(d, f);
            }
        }
        frame_unref(&f);
    }
    frame_unref(&f);
    return NULL;
}

int detector_start(struct detector *d, struct err *err)
{
    int code = thread_start(&d->thread, "detector", run, d, err);
    d->started = code == ERR_OK;
    return code;
}

bool detector_latest(struct detector *d, uint64_t after_seq, struct observation *out)
{
    pthread_mutex_lock(&d->lock);
    bool newer = d->latest.frame_seq != 0 && d->latest.frame_seq != after_seq;
    if (newer)
        *out = d->latest;
    pthread_mutex_unlock(&d->lock);
    return newer;
}

void detector_still(struct detector *d, struct frame *f)
{
    pthread_mutex_lock(&d->lock);
    struct frame *replaced = d->still_request;
    d->still_request = f;
    pthread_mutex_unlock(&d->lock);
    frame_unref(&replaced);
    frame_slot_nudge(d->params.source);
}

bool detector_still_result(struct detector *d, uint64_t seq, struct observation *out)
{
    pthread_mutex_lock(&d->lock);
    bool done = d->still.frame_seq == seq && seq != 0;
    if (done)
        *out = d->still;
    pthread_mutex_unlock(&d->lock);
    return done;
}

void detector_reset(struct detector *d)
{
    pthread_mutex_lock(&d->lock);
    d->resetting = true;
    d->latest.count = 0;
    pthread_mutex_unlock(&d->lock);
}

void detector_stats(struct detector *d, struct detector_stats *out)
{
    pthread_mutex_lock(&d->lock);
    *out = d->stats;
    out->hz = rate_hz(&d->rate, clock_now_us());
    pthread_mutex_unlock(&d->lock);
}

void detector_stop(struct detector *d)
{
    if (d == NULL)
        return;
    pthread_mutex_lock(&d->lock);
    d->stopping = true;
    pthread_mutex_unlock(&d->lock);
    frame_slot_nudge(d->params.source);
}

void detector_join(struct detector *d)
{
    if (d == NULL || !d->started)
        return;
    pthread_join(d->thread, NULL);
    d->started = false;
}

void detector_destroy(struct detector *d)
{
    if (d == NULL)
        return;
    assert(!d->started);
    frame_unref(&d->still_request);
    face_reader_close(d->reader);
    free(d->better);
    tracker_destroy(d->tracker);
    pthread_mutex_destroy(&d->lock);
    free(d);
}
