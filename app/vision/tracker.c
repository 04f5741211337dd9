/* Association, smoothing, hysteresis. */
#include "vision/tracker.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Faces in view and faces that may come back. */
enum { TRACKS = 2 * MAX_FACES };

/* Motion is not guessed further ahead than this. */
static const float PREDICT_MAX_S = 0.4f;

/* A clear smile: this much of one reading makes the smoothing quick. */
static const float HAPPY_CLEAR = 0.5f;

struct track {
    struct face_track face; /* face.id 0: this place is free */
    float vx, vy;           /* of the centre, fractions of the picture a second */
    int64_t label_us;       /* since when face.label is shown */
    enum emotion candidate; /* what leads, and since when */
    int64_t candidate_us;
};

struct tracker {
    struct tracker_params params;
    struct track tracks[TRACKS];
    uint32_t last_id;
    int64_t t_us; /* of the last update */
};

struct tracker_params tracker_defaults(void)
{
    return (struct tracker_params){
        .match_iou = 0.3f,
        .match_distance = 0.7f,
        .half_life_s = 0.5f,
        .happy_half_life_s = 0.25f,
        .enter = {[EMOTION_ANGRY] = 0.50f,
                  [EMOTION_DISGUST] = 0.45f,
                  [EMOTION_FEAR] = 0.45f,
                  [EMOTION_HAPPY] = 0.40f,
                  [EMOTION_SAD] = 0.45f,
                  [EMOTION_SURPRISE] = 0.42f,
                  [EMOTION_NEUTRAL] = 0.35f},
        .leave = 0.10f,
        .switch_margin = 0.08f,
        .unknown_max = 0.5f,
        .dwell_us = 400000,
        .happy_dwell_us = 150000,
        .steady_us = 1000000,
        .confirm_us = 150000,
        .forget_us = 2000000,
        .show_us = 350000,
    };
}

bool tracker_sure(const struct tracker_params *p, const struct reading *r)
{
    enum emotion top = emotion_top(&r->scores);
    return r->scores.p[top] >= p->enter[top] - p->leave && r->unknown <= p->unknown_max;
}

struct tracker *tracker_create(const struct tracker_params *p)
{
    struct tracker *t = mem_new(1, sizeof *t);
    t->params = p != NULL ? *p : tracker_defaults();
    t->t_us = INT64_MIN;
    return t;
}

void tracker_destroy(struct tracker *t)
{
    free(t);
}

void tracker_reset(struct tracker *t)
{
    memset(t->tracks, 0, sizeof t->tracks);
    t->t_us = INT64_MIN;
}

static float area(const struct box *b)
{
    return b->w * b->h;
}

static float overlap(const struct box *a, const struct box *b)
{
    float w = fminf(a->x + a->w, b->x + b->w) - fmaxf(a->x, b->x);
    float h = fminf(a->y + a->h, b->y + b->h) - fmaxf(a->y, b->y);
    if (w <= 0.0f || h <= 0.0f)
        return 0.0f;
    return w * h / (area(a) + area(b) - w * h);
}

/* Distance of the centres in units of the boxes' mean size, per axis: pictures are not square. */
static float distance(const struct box *a, const struct box *b)
{
    float dx = (a->x + 0.5f * a->w - b->x - 0.5f * b->w) / (0.5f * (a->w + b->w));
    float dy = (a->y + 0.5f * a->h - b->y - 0.5f * b->h) / (0.5f * (a->h + b->h));
    return hypotf(dx, dy);
}

static struct box predict(const struct track *t, int64_t t_us)
{
    float dt = fminf((float)(t_us - t->face.seen_us) * 1e-6f, PREDICT_MAX_S);
    struct box b = t->face.box;
    b.x += t->vx * dt;
    b.y += t->vy * dt;
    return b;
}

/* How well a box continues a track: above 0 it may, the best pair goes first. */
static float affinity(const struct tracker *tr, const struct track *t, const struct box *b,
                      int64_t t_us)
{
    struct box expected = predict(t, t_us);
    float iou = overlap(&expected, b);
    float far = distance(&expected, b);
    float ratio = area(b) / area(&expected);
    bool near = far < tr->params.match_distance && ratio > 0.3f && ratio < 3.3f;
    if (iou < tr->params.match_iou && !near)
        return 0.0f;
    return 1.0f + iou - 0.5f * far / tr->params.match_distance;
}

static void smooth_box(struct track *t, const struct box *b)
{
    /* A still head stays still, a moving one is followed at once. */
    float k = fminf(0.35f + 4.0f * distance(&t->face.box, b), 1.0f);
    t->face.box.x += k * (b->x - t->face.box.x);
    t->face.box.y += k * (b->y - t->face.box.y);
    t->face.box.w += k * (b->w - t->face.box.w);
    t->face.box.h += k * (b->h - t->face.box.h);
}

static void measure_speed(struct track *t, const struct box *b, float dt)
{
    if (dt <= 0.0f || dt > 2.0f * PREDICT_MAX_S) {
        t->vx = t->vy = 0.0f;
        return;
    }
    float vx = (b->x + 0.5f * b->w - t->face.box.x - 0.5f * t->face.box.w) / dt;
    float vy = (b->y + 0.5f * b->h - t->face.box.y - 0.5f * t->face.box.h) / dt;
    t->vx += 0.5f * (vx - t->vx);
    t->vy += 0.5f * (vy - t->vy);
}

static bool is_smile(const struct reading *r)
{
    return r->scores.p[EMOTION_HAPPY] > HAPPY_CLEAR;
}

/* Exponential smoothing by time: after one half-life the old readings count for half. */
static void smooth_scores(const struct tracker_params *p, struct track *t, const struct reading *r,
                          float dt)
{
    float half_life = is_smile(r) ? p->happy_half_life_s : p->half_life_s;
    float weight = half_life > 0.0f ? 1.0f - exp2f(-dt / half_life) : 1.0f;
    t->face.now = r->scores;
    emotion_blend(&t->face.smooth, &r->scores, weight);
    t->face.unknown += weight * (r->unknown - t->face.unknown);
}

static bool may_show(const struct tracker_params *p, const struct face_track *f, enum emotion e,
                     float slack)
{
    return f->smooth.p[e] >= p->enter[e] - slack && f->unknown <= p->unknown_max + slack;
}

/* Decides what to show: hysteresis by `leave` and `switch_margin`, patience by the dwell times. */
static void update_label(const struct tracker_params *p, struct track *t, int64_t t_us)
{
    struct face_track *f = &t->face;
    enum emotion top = emotion_top(&f->smooth);
    if (top != t->candidate) {
        t->candidate = top;
        t->candidate_us = t_us;
    }
    if (f->sure && !may_show(p, f, f->label, p->leave))
        f->sure = false;
    float margin = f->sure ? p->switch_margin : 0.0f;
    bool leads = top == f->label || f->smooth.p[top] - f->smooth.p[f->label] >= margin;
    bool shown = f->sure && top == f->label;
    if (shown || !leads || !may_show(p, f, top, 0.0f))
        return;
    int64_t dwell = top == EMOTION_HAPPY ? p->happy_dwell_us : p->dwell_us;
    if (t_us - t->candidate_us < dwell)
        return;
    if (top != f->label || !f->sure)
        t->label_us = t_us;
    f->label = top;
    f->sure = true;
}

static void follow(const struct tracker *tr, struct track *t, const struct box *b,
                   const struct reading *r, int64_t t_us)
{
    float dt = (float)(t_us - t->face.seen_us) * 1e-6f;
    measure_speed(t, b, dt);
    smooth_box(t, b);
    smooth_scores(&tr->params, t, r, dt);
    t->face.seen_us = t_us;
    update_label(&tr->params, t, t_us);
    t->face.steady = t->face.sure && t_us - t->label_us >= tr->params.steady_us;
}

/* A free place, else that of the face not seen for longest; NULL when all are in view. */
static struct track *place_for_new(struct tracker *tr, int64_t t_us)
{
    struct track *oldest = &tr->tracks[0];
    for (int i = 0; i < TRACKS; i++) {
        if (tr->tracks[i].face.id == 0)
            return &tr->tracks[i];
        if (tr->tracks[i].face.seen_us < oldest->face.seen_us)
            oldest = &tr->tracks[i];
    }
    return oldest->face.seen_us < t_us ? oldest : NULL;
}

static void begin(struct tracker *tr, const struct box *b, const struct reading *r, int64_t t_us)
{
    struct track *t = place_for_new(tr, t_us);
    if (t == NULL)
        return;
    enum emotion top = emotion_top(&r->scores);
    *t = (struct track){
        .face = {.id = ++tr->last_id,
                 .box = *b,
                 .now = r->scores,
                 .smooth = r->scores,
                 .unknown = r->unknown,
                 .label = top,
                 .first_us = t_us,
                 .seen_us = t_us},
        .candidate = top,
        .candidate_us = t_us,
    };
}

static void forget(struct tracker *tr, int64_t t_us)
{
    for (int i = 0; i < TRACKS; i++)
        if (tr->tracks[i].face.id != 0 && t_us - tr->tracks[i].face.seen_us > tr->params.forget_us)
            tr->tracks[i] = (struct track){0};
}

/* The indices of the largest boxes, at most MAX_FACES; returns how many. */
static int largest(const struct box *boxes, int n, int index[MAX_FACES])
{
    int count = 0;
    for (int i = 0; i < n; i++) {
        int at = count < MAX_FACES ? count++ : MAX_FACES;
        for (; at > 0 && area(&boxes[index[at - 1]]) < area(&boxes[i]); at--)
            if (at < MAX_FACES)
                index[at] = index[at - 1];
        if (at < MAX_FACES)
            index[at] = i;
    }
    return count;
}

/* Greedy: the best pair of all first, then the best of the rest. Clears used entries of index. */
static void match(struct tracker *tr, int64_t t_us, const struct box *boxes,
                  const struct reading *readings, int *index, int count)
{
    for (;;) {
        float best = 0.0f;
        struct track *track = NULL;
        int *used = NULL;
        for (int i = 0; i < TRACKS; i++) {
            struct track *t = &tr->tracks[i];
            if (t->face.id == 0 || t->face.seen_us == t_us)
                continue;
            for (int k = 0; k < count; k++) {
                if (index[k] < 0)
                    continue;
                float a = affinity(tr, t, &boxes[index[k]], t_us);
                if (a > best) {
                    best = a;
                    track = t;
                    used = &index[k];
                }
            }
        }
        if (track == NULL)
            return;
        follow(tr, track, &boxes[*used], &readings[*used], t_us);
        *used = -1;
    }
}

void tracker_update(struct tracker *t, int64_t t_us, const struct box *boxes,
                    const struct reading *readings, int n)
{
    int index[MAX_FACES];
    if (t_us <= t->t_us)
        return;
    t->t_us = t_us;
    forget(t, t_us);
    int count = largest(boxes, n, index);
    match(t, t_us, boxes, readings, index, count);
    for (int k = 0; k < count; k++)
        if (index[k] >= 0)
            begin(t, &boxes[index[k]], &readings[index[k]], t_us);
}

static bool is_shown(const struct tracker *t, const struct face_track *f)
{
    return f->id != 0 && f->seen_us - f->first_us >= t->params.confirm_us &&
           t->t_us - f->seen_us <= t->params.show_us;
}

static int by_area(const void *a, const void *b)
{
    float d =
        area(&((const struct face_track *)b)->box) - area(&((const struct face_track *)a)->box);
    return (d > 0.0f) - (d < 0.0f);
}

void tracker_read(const struct tracker *t, struct observation *out)
{
    struct face_track shown[TRACKS];
    int n = 0;
    for (int i = 0; i < TRACKS; i++)
        if (is_shown(t, &t->tracks[i].face))
            shown[n++] = t->tracks[i].face;
    qsort(shown, (size_t)n, sizeof shown[0], by_area);
    out->t_us = t->t_us;
    out->count = n < MAX_FACES ? n : MAX_FACES;
    memcpy(out->face, shown, sizeof shown[0] * (size_t)out->count);
}
