/* The drawn face.
 *
 * DESIGN. Everything is a soft-edged shape in head coordinates: x from -1 (the viewer's left edge
 * of the head) to 1, y from about -1.3 (skull) to 1.3 (chin). A shape is a function from a point to
 * a coverage of 0 .. 1; paint() asks it for each pixel of its bounding box and blends its colour.
 * An expression is a set of numbers (struct pose), one row of a table per emotion; poses blend into
 * each other, so the face moves through everything in between. */
#include "vision/demo_face.h"

#include <math.h>
#include <stddef.h>

/* How the features stand, by action units (Ekman and Friesen, "EMFACS-7", 1984: the prototypes
 * of the basic emotions). 0 is relaxed. */
struct pose {
    float inner_brow; /* AU1 up, AU4 down */
    float outer_brow; /* AU2 up */
    float frown;      /* AU4: brows drawn together */
    float eyes;       /* AU5 wider, AU7 and drooping narrower */
    float cheeks;     /* AU6: lower lids pushed up */
    float nose;       /* AU9: wrinkled */
    float corners;    /* AU12 up, AU15 down */
    float stretch;    /* AU20: lips wider; AU18: narrower */
    float open;       /* AU25, AU26: jaw dropped */
    float upper_lip;  /* AU10: raised */
    float press;      /* AU23, AU24: lips pressed thin */
};

enum { POSE_NUMBERS = sizeof(struct pose) / sizeof(float) };

static const struct pose poses[EMOTION_COUNT] = {
    [EMOTION_ANGRY] = {.inner_brow = -0.28f,
                       .outer_brow = -0.05f,
                       .frown = 1.0f,
                       .eyes = -0.3f,
                       .cheeks = 0.3f,
                       .nose = 0.6f,
                       .corners = -0.6f,
                       .stretch = -0.05f,
                       .press = 1.0f},
    [EMOTION_DISGUST] = {.inner_brow = -0.1f,
                         .frown = 0.6f,
                         .eyes = -0.4f,
                         .cheeks = 0.5f,
                         .nose = 1.0f,
                         .corners = -0.6f,
                         .open = 0.15f,
                         .upper_lip = 1.0f},
    [EMOTION_FEAR] = {.inner_brow = 0.2f,
                      .outer_brow = -0.03f,
                      .frown = 0.8f,
                      .eyes = 0.35f,
                      .nose = 0.2f,
                      .corners = -0.7f,
                      .stretch = 0.5f,
                      .open = 0.3f},
    [EMOTION_HAPPY] = {.outer_brow = 0.03f,
                       .eyes = -0.1f,
                       .cheeks = 0.8f,
                       .corners = 1.0f,
                       .stretch = 0.35f,
                       .open = 0.35f,
                       .upper_lip = 0.2f},
    [EMOTION_SAD] = {.inner_brow = 0.16f,
                     .outer_brow = -0.06f,
                     .frown = 0.4f,
                     .eyes = -0.3f,
                     .corners = -1.0f,
                     .stretch = -0.05f,
                     .press = 0.2f},
    [EMOTION_SURPRISE] =
        {.inner_brow = 0.17f, .outer_brow = 0.17f, .eyes = 0.5f, .stretch = -0.3f, .open = 1.0f},
    [EMOTION_NEUTRAL] = {.press = 0.0f},
};

enum { EMOTION_MS = DEMO_FACE_CYCLE_MS / EMOTION_COUNT, CHANGE_MS = 900 };

/* Neutral first, so that the first picture is a calm one. */
static const enum emotion order[EMOTION_COUNT] = {EMOTION_NEUTRAL, EMOTION_HAPPY, EMOTION_SURPRISE,
                                                  EMOTION_SAD,     EMOTION_ANGRY, EMOTION_FEAR,
                                                  EMOTION_DISGUST};

enum emotion demo_face_emotion(int64_t t_ms)
{
    return order[t_ms / EMOTION_MS % EMOTION_COUNT];
}

static float smoothstep(float from, float to, float x)
{
    float t = (x - from) / (to - from);
    t = t < 0.0f ? 0.0f : t > 1.0f ? 1.0f : t;
    return t * t * (3.0f - 2.0f * t);
}

static struct pose pose_at(int64_t t_ms)
{
    enum emotion now = demo_face_emotion(t_ms);
    enum emotion before = demo_face_emotion(t_ms + DEMO_FACE_CYCLE_MS - EMOTION_MS);
    float k = smoothstep(0.0f, CHANGE_MS, (float)(t_ms % EMOTION_MS));
    struct pose p;
    const float *a = (const float *)&poses[before];
    const float *b = (const float *)&poses[now];
    for (int i = 0; i < POSE_NUMBERS; i++)
        ((float *)&p)[i] = a[i] + k * (b[i] - a[i]);
    return p;
}

/* 1: open; a blink of 160 ms every 3.9 s. */
static float blink_at(int64_t t_ms)
{
    float phase = (float)(t_ms % 3900) - 2600.0f;
    return 0.25f + 0.75f * smoothstep(20.0f, 80.0f, fabsf(phase));
}

struct color {
    float b, g, r;
};

/* Where the head is drawn, and into what. */
struct canvas {
    uint8_t *bgr;
    int width, height, stride;
    float x, y;     /* of the head's centre, pixels */
    float unit;     /* pixels of one head coordinate */
    float cos, sin; /* of the head's tilt */
};

enum shape_kind { ELLIPSE, STROKE, LENS };

/* ELLIPSE: around (x, y) with radii rx, ry. STROKE: a parabola from (x - rx) to (x + rx) through
 * (x, y), its ends higher by `ends`, slanted by `slant`, half as thick as `thick`. LENS: between
 * two parabolas over the same span: ends at y + ends, middles at y - ry and y + low. */
struct shape {
    enum shape_kind kind;
    float x, y, rx, ry;
    float ends, slant, thick, low;
    float soft;                 /* width of the edge, head coordinates */
    float alpha;                /* of the inside */
    const struct shape *within; /* clips; or NULL */
};

static float coverage(const struct shape *s, float x, float y)
{
    float dx = x - s->x;
    float u = dx / s->rx;
    float rise;
    switch (s->kind) {
    case ELLIPSE: {
        float v = (y - s->y) / s->ry;
        float d = (1.0f - sqrtf(u * u + v * v)) * (s->rx < s->ry ? s->rx : s->ry);
        return smoothstep(-s->soft, s->soft, d);
    }
    case STROKE: {
        float end = 1.0f - u * u; /* thinner towards the ends */
        if (end <= 0.0f)
            return 0.0f;
        rise = s->ends * u * u + s->slant * u;
        float d = s->thick * (0.45f + 0.55f * end) - fabsf(y - s->y - rise);
        return smoothstep(-s->soft, s->soft, d) * smoothstep(0.0f, 0.15f, end);
    }
    case LENS: {
        float bow = 1.0f - u * u;
        if (bow <= 0.0f)
            return 0.0f;
        rise = s->ends * u * u + s->slant * u;
        float top = s->y + rise - s->ry * bow;
        float bottom = s->y + rise + s->low * bow;
        float d = y - top < bottom - y ? y - top : bottom - y;
        return smoothstep(-s->soft, s->soft, d);
    }
    }
    return 0.0f;
}

static void bounds(const struct shape *s, float *half_w, float *half_h)
{
    *half_w = s->rx + s->soft;
    *half_h = s->ry + s->low + fabsf(s->ends) + fabsf(s->slant) + s->thick + s->soft;
}

static void blend(uint8_t *px, const struct color *c, float a)
{
    px[0] = (uint8_t)((float)px[0] + a * (c->b - (float)px[0]) + 0.5f);
    px[1] = (uint8_t)((float)px[1] + a * (c->g - (float)px[1]) + 0.5f);
    px[2] = (uint8_t)((float)px[2] + a * (c->r - (float)px[2]) + 0.5f);
}

static int clamp(float v, int max)
{
    return v < 0.0f ? 0 : v > (float)max ? max : (int)v;
}

static void paint(const struct canvas *cv, const struct shape *s, struct color color)
{
    float half_w;
    float half_h;
    bounds(s, &half_w, &half_h);
    /* The box of the shape, turned with the head. */
    float cx = cv->x + cv->unit * (cv->cos * s->x - cv->sin * s->y);
    float cy = cv->y + cv->unit * (cv->sin * s->x + cv->cos * s->y);
    float ex = cv->unit * (cv->cos * half_w + fabsf(cv->sin) * half_h) + 1.0f;
    float ey = cv->unit * (cv->cos * half_h + fabsf(cv->sin) * half_w) + 1.0f;
    int x0 = clamp(cx - ex, cv->width);
    int x1 = clamp(cx + ex + 1.0f, cv->width);
    int y0 = clamp(cy - ey, cv->height);
    int y1 = clamp(cy + ey + 1.0f, cv->height);
    for (int py = y0; py < y1; py++) {
        uint8_t *row = cv->bgr + (size_t)py * (size_t)cv->stride;
        for (int px = x0; px < x1; px++) {
            float dx = ((float)px - cv->x) / cv->unit;
            float dy = ((float)py - cv->y) / cv->unit;
            float x = cv->cos * dx + cv->sin * dy;
            float y = cv->cos * dy - cv->sin * dx;
            float a = s->alpha * coverage(s, x, y);
            if (a > 0.0f && s->within != NULL)
                a *= coverage(s->within, x, y);
            if (a > 0.004f)
                blend(row + 3 * px, &color, a);
        }
    }
}

static void ellipse(const struct canvas *cv, float x, float y, float rx, float ry, float soft,
                    float alpha, struct color c)
{
    struct shape s = {
        .kind = ELLIPSE, .x = x, .y = y, .rx = rx, .ry = ry, .soft = soft, .alpha = alpha};
    paint(cv, &s, c);
}

static const struct color skin = {142, 172, 224};
static const struct color skin_light = {178, 206, 246};
static const struct color skin_dark = {86, 112, 164};
static const struct color hair = {30, 42, 62};
static const struct color shirt = {122, 92, 62};
static const struct color ink = {34, 36, 52};
static const struct color eye_white = {232, 234, 238};
static const struct color iris = {92, 78, 52};
static const struct color lips = {96, 98, 178};
static const struct color mouth_dark = {40, 30, 66};
static const struct color teeth = {226, 232, 238};

/* A wall, lighter towards the upper left. */
static void draw_wall(const struct canvas *cv)
{
    for (int y = 0; y < cv->height; y++) {
        uint8_t *px = cv->bgr + (size_t)y * (size_t)cv->stride;
        int down = 26 * y / cv->height;
        for (int x = 0; x < cv->width; x++, px += 3) {
            int v = 14 * x / cv->width + down;
            px[0] = (uint8_t)(176 - v);
            px[1] = (uint8_t)(170 - v);
            px[2] = (uint8_t)(158 - v);
        }
    }
}

static void draw_head(const struct canvas *cv)
{
    ellipse(cv, 0.0f, 2.55f, 1.75f, 1.05f, 0.04f, 1.0f, shirt);
    ellipse(cv, 0.0f, 1.3f, 0.52f, 0.75f, 0.05f, 1.0f, skin_dark); /* neck */
    ellipse(cv, 0.0f, -0.38f, 1.1f, 1.12f, 0.04f, 1.0f, hair);
    ellipse(cv, -0.98f, 0.08f, 0.13f, 0.26f, 0.04f, 1.0f, skin_dark); /* ears */
    ellipse(cv, 0.98f, 0.08f, 0.13f, 0.26f, 0.04f, 1.0f, skin_dark);
    ellipse(cv, 0.0f, 0.05f, 0.95f, 1.25f, 0.03f, 1.0f, skin_dark); /* edge of the face */
    ellipse(cv, -0.03f, 0.03f, 0.86f, 1.17f, 0.14f, 1.0f, skin);
    ellipse(cv, -0.05f, -0.62f, 0.55f, 0.28f, 0.22f, 0.75f, skin_light); /* forehead */
    ellipse(cv, -0.45f, 0.38f, 0.26f, 0.24f, 0.2f, 0.8f, skin_light);    /* cheeks */
    ellipse(cv, 0.42f, 0.38f, 0.26f, 0.24f, 0.2f, 0.7f, skin_light);
    ellipse(cv, -0.02f, 1.0f, 0.26f, 0.14f, 0.12f, 0.6f, skin_light); /* chin */
    struct shape fringe = {.kind = LENS,
                           .y = -0.92f,
                           .rx = 0.93f,
                           .ry = 0.5f,
                           .low = -0.1f,
                           .ends = 0.5f,
                           .soft = 0.05f,
                           .alpha = 1.0f};
    paint(cv, &fringe, hair);
}

static void draw_nose(const struct canvas *cv, const struct pose *p)
{
    ellipse(cv, -0.02f, 0.12f, 0.075f, 0.34f, 0.06f, 0.9f, skin_light);
    ellipse(cv, 0.0f, 0.38f, 0.14f, 0.09f, 0.07f, 0.6f, skin_light);
    ellipse(cv, -0.11f, 0.45f, 0.06f, 0.035f, 0.025f, 0.75f, skin_dark);
    ellipse(cv, 0.11f, 0.45f, 0.06f, 0.035f, 0.025f, 0.75f, skin_dark);
    for (int i = 0; i < 2 && p->nose > 0.05f; i++) { /* wrinkles */
        struct shape s = {.kind = STROKE,
                          .y = 0.02f + 0.1f * (float)i,
                          .rx = 0.17f,
                          .ends = 0.06f,
                          .thick = 0.016f,
                          .soft = 0.02f,
                          .alpha = 0.7f * p->nose};
        paint(cv, &s, skin_dark);
    }
    for (int side = -1; side <= 1; side += 2) { /* the fold from nose to mouth */
        float deep = 0.25f + 0.55f * fmaxf(p->nose, fmaxf(p->corners, p->cheeks));
        struct shape s = {.kind = STROKE,
                          .x = 0.33f * (float)side,
                          .y = 0.56f,
                          .rx = 0.12f,
                          .slant = 0.16f * (float)side,
                          .thick = 0.02f,
                          .soft = 0.03f,
                          .alpha = 0.6f * deep};
        paint(cv, &s, skin_dark);
    }
}

static void draw_eye(const struct canvas *cv, const struct pose *p, int side, float lid, float gaze)
{
    float x = 0.4f * (float)side;
    float up = (0.105f + 0.1f * p->eyes) * lid;
    float low = (0.075f + 0.05f * p->eyes - 0.05f * p->cheeks) * lid;
    ellipse(cv, x, -0.16f, 0.3f, 0.22f, 0.16f, 0.62f, skin_dark); /* socket */
    struct shape opening = {.kind = LENS,
                            .x = x,
                            .y = -0.13f,
                            .rx = 0.21f,
                            .ry = up,
                            .low = low,
                            .soft = 0.014f,
                            .alpha = 1.0f};
    paint(cv, &opening, eye_white);
    struct shape disc = {.kind = ELLIPSE,
                         .x = x + gaze,
                         .y = -0.145f,
                         .rx = 0.105f,
                         .ry = 0.105f,
                         .soft = 0.015f,
                         .alpha = 1.0f,
                         .within = &opening};
    paint(cv, &disc, iris);
    disc.rx = disc.ry = 0.055f;
    paint(cv, &disc, ink);
    disc = (struct shape){.kind = ELLIPSE,
                          .x = x + gaze - 0.035f,
                          .y = -0.18f,
                          .rx = 0.02f,
                          .ry = 0.02f,
                          .soft = 0.01f,
                          .alpha = 0.9f,
                          .within = &opening};
    paint(cv, &disc, eye_white);
    struct shape upper = {.kind = STROKE,
                          .x = x,
                          .y = -0.13f - up,
                          .rx = 0.23f,
                          .ends = up,
                          .thick = 0.03f,
                          .soft = 0.015f,
                          .alpha = 0.95f};
    paint(cv, &upper, ink);
    struct shape lower = {.kind = STROKE,
                          .x = x,
                          .y = -0.13f + low,
                          .rx = 0.2f,
                          .ends = -low,
                          .thick = 0.012f,
                          .soft = 0.02f,
                          .alpha = 0.6f};
    paint(cv, &lower, skin_dark);
    struct shape bag = {.kind = STROKE,
                        .x = x,
                        .y = 0.07f - 0.05f * p->cheeks,
                        .rx = 0.22f,
                        .ends = -0.05f,
                        .thick = 0.016f,
                        .soft = 0.03f,
                        .alpha = 0.25f + 0.45f * p->cheeks};
    paint(cv, &bag, skin_dark);
}

static void draw_brow(const struct canvas *cv, const struct pose *p, int side)
{
    float inner = p->inner_brow - 0.16f * p->frown;
    float outer = p->outer_brow;
    float toward = 0.05f * p->frown;
    struct shape s = {.kind = STROKE,
                      .x = (0.41f - toward) * (float)side,
                      .y = -0.42f - 0.5f * (inner + outer),
                      .rx = 0.29f,
                      .ends = 0.07f,
                      .slant = 0.5f * (inner - outer) * (float)side,
                      .thick = 0.052f,
                      .soft = 0.02f,
                      .alpha = 0.95f};
    paint(cv, &s, hair);
    if (p->frown > 0.05f) {
        ellipse(cv, 0.07f * (float)side, -0.36f, 0.018f, 0.1f, 0.02f, 0.6f * p->frown, skin_dark);
    }
}

static void draw_mouth(const struct canvas *cv, const struct pose *p)
{
    float half = 0.33f * (1.0f + 0.45f * p->stretch);
    float y = 0.74f - 0.03f * p->upper_lip;
    float bend = 0.16f * p->corners; /* ends above or below the middle */
    float gap = 0.26f * p->open + 0.02f * p->upper_lip;
    float top = 0.045f * (1.0f - 0.75f * p->press) + 0.06f * p->upper_lip + 0.25f * gap;
    float bottom = 0.075f * (1.0f - 0.75f * p->press) + gap;
    struct shape lip = {.kind = LENS,
                        .y = y + 0.35f * bend,
                        .rx = half,
                        .ry = top,
                        .low = bottom,
                        .ends = -bend,
                        .soft = 0.02f,
                        .alpha = 0.95f};
    paint(cv, &lip, lips);
    if (gap > 0.01f) {
        struct shape inside = lip;
        inside.rx = 0.9f * half;
        inside.ry = 0.25f * gap + 0.03f * p->upper_lip;
        inside.low = 0.85f * gap;
        paint(cv, &inside, mouth_dark);
        struct shape row = {.kind = ELLIPSE,
                            .y = lip.y - 0.25f * gap,
                            .rx = 0.75f * half,
                            .ry = 0.1f,
                            .soft = 0.015f,
                            .alpha = smoothstep(0.0f, 0.5f, fmaxf(p->corners, p->upper_lip)),
                            .within = &inside};
        paint(cv, &row, teeth);
    } else {
        struct shape line = {.kind = STROKE,
                             .y = lip.y,
                             .rx = half,
                             .ends = -bend,
                             .thick = 0.018f,
                             .soft = 0.012f,
                             .alpha = 0.9f};
        paint(cv, &line, mouth_dark);
    }
    ellipse(cv, 0.0f, y + bottom + 0.1f, 0.2f, 0.035f, 0.04f, 0.45f, skin_dark);
}

void demo_face_draw(int64_t t_ms, uint8_t *bgr, int width, int height, int stride)
{
    float t = (float)(t_ms % (DEMO_FACE_CYCLE_MS * 10)) * 1e-3f;
    float unit =
        0.27f * (float)(height < width ? height : width) * (1.0f + 0.03f * sinf(0.41f * t));
    float tilt = 0.045f * sinf(0.7f * t);
    struct pose p = pose_at(t_ms);
    struct canvas cv = {
        .bgr = bgr,
        .width = width,
        .height = height,
        .stride = stride,
        .x = (float)width * (0.5f + 0.02f * sinf(0.53f * t)),
        .y = (float)height * (0.47f + 0.012f * sinf(0.9f * t)),
        .unit = unit,
        .cos = cosf(tilt),
        .sin = sinf(tilt),
    };
    float lid = blink_at(t_ms);
    float gaze = 0.03f * sinf(0.37f * t);
    draw_wall(&cv);
    draw_head(&cv);
    draw_eye(&cv, &p, -1, lid, gaze);
    draw_eye(&cv, &p, 1, lid, gaze);
    draw_brow(&cv, &p, -1);
    draw_brow(&cv, &p, 1);
    draw_nose(&cv, &p);
    draw_mouth(&cv, &p);
}
