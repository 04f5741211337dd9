/* A box around each face, and beside it a card: what it looks like and seven bars. */
#include "views_parts.h"

#include <math.h>
#include <stdio.h>

#define CARD_WIDTH 204.0f
#define CARD_ROW 17.5f
#define COMPACT_WIDTH 136.0f
#define COMPACT_BARS 34.0f
#define BAR_HEIGHT 7.0f
#define LABEL_WIDTH 74.0f

/* What a card may not cover: faces, and cards placed before. */
struct taken {
    struct ui_rect rect[2 * MAX_FACES];
    int count;
};

static struct ui_rect face_rect(const struct view *v, const struct face_track *f,
                                struct ui_rect picture)
{
    float x = v->mirror ? 1.0f - f->box.x - f->box.w : f->box.x;
    return (struct ui_rect){picture.x + x * picture.w, picture.y + f->box.y * picture.h,
                            f->box.w * picture.w, f->box.h * picture.h};
}

static float overlap(struct ui_rect a, struct ui_rect b)
{
    float w = fminf(a.x + a.w, b.x + b.w) - fmaxf(a.x, b.x);
    float h = fminf(a.y + a.h, b.y + b.h) - fmaxf(a.y, b.y);
    return w > 0 && h > 0 ? w * h : 0.0f;
}

static struct ui_rect keep_inside(struct ui_rect r, struct ui_rect area)
{
    r.x = fmaxf(fminf(r.x, area.x + area.w - r.w), area.x);
    r.y = fmaxf(fminf(r.y, area.y + area.h - r.h), area.y);
    return r;
}

/* Right, left, below or above the face: where it covers least. Returns what it covers. */
static float place(struct ui_rect *card, struct ui_rect face, struct ui_rect area,
                   const struct taken *taken)
{
    const float gap = 1.5f * UI_GAP, w = card->w, h = card->h;
    float middle = face.y + 0.5f * (face.h - h), best = INFINITY;
    const struct ui_rect tries[] = {
        {face.x + face.w + gap, middle, w, h},
        {face.x - gap - w, middle, w, h},
        {face.x + 0.5f * (face.w - w), face.y + face.h + gap, w, h},
        {face.x + 0.5f * (face.w - w), face.y - gap - h, w, h},
    };
    for (int i = 0; i < 4; i++) {
        struct ui_rect at = keep_inside(tries[i], area);
        float covered = 0.0f;
        for (int k = 0; k < taken->count; k++)
            covered += overlap(at, taken->rect[k]);
        if (covered < best - 1.0f) {
            best = covered;
            *card = at;
        }
    }
    return best;
}

static void headline(struct ui *u, struct ui_rect r, enum ui_font font, const struct face_track *f)
{
    char text[64];
    snprintf(text, sizeof text, f->sure ? "looks %s" : "not sure", words_looks(f->label));
    ui_text(u, r, font, f->sure ? UI_INK : UI_DIM, UI_LEFT, 1, text);
}

static float card_height(void)
{
    return 2.5f * UI_GAP + ui_line_height(UI_STRONG) + EMOTION_COUNT * CARD_ROW;
}

static void card_draw(struct ui *u, struct ui_rect card, const struct face_track *f)
{
    struct ui_rect in = ui_inset(card, 1.5f * UI_GAP);
    enum emotion top = emotion_top(&f->smooth);
    ui_panel(u, card);
    in.y -= 0.5f * UI_GAP;
    headline(u, in, UI_STRONG, f);
    in.y += ui_line_height(UI_STRONG) + 0.5f * UI_GAP;
    for (int e = 0; e < EMOTION_COUNT; e++) {
        ui_label(u, in.x, in.y, UI_TINY, e == (int)top ? UI_INK : UI_DIM,
                 words_looks((enum emotion)e));
        ui_bar(u,
               (struct ui_rect){in.x + LABEL_WIDTH,
                                in.y + 0.5f * (ui_line_height(UI_TINY) - BAR_HEIGHT),
                                in.w - LABEL_WIDTH, BAR_HEIGHT},
               f->smooth.p[e], words_color((enum emotion)e));
        in.y += CARD_ROW;
    }
}

static float compact_height(void)
{
    return 1.5f * UI_GAP + ui_line_height(UI_SMALL) + COMPACT_BARS;
}

/* Seven upright bars: for many faces or little room. */
static void compact_draw(struct ui *u, struct ui_rect card, const struct face_track *f)
{
    struct ui_rect in = ui_inset(card, UI_GAP);
    float step = in.w / EMOTION_COUNT, floor = card.y + card.h - UI_GAP;
    ui_panel(u, card);
    in.y -= 0.5f * UI_GAP;
    headline(u, in, UI_SMALL, f);
    for (int e = 0; e < EMOTION_COUNT; e++) {
        float h = fmaxf(COMPACT_BARS * fminf(f->smooth.p[e], 1.0f), 2.0f);
        struct ui_rect track = {in.x + step * (float)e + 2.0f, floor - COMPACT_BARS, step - 4.0f,
                                COMPACT_BARS};
        ui_fill(u, track, UI_RAISED, 0.9f, 3.0f);
        ui_fill(u, (struct ui_rect){track.x, floor - h, track.w, h}, words_color((enum emotion)e),
                1.0f, 3.0f);
    }
}

static void card_place_and_draw(struct ui *u, struct ui_rect face, struct ui_rect area,
                                struct taken *taken, const struct face_track *f)
{
    struct ui_rect card = {0, 0, CARD_WIDTH, card_height()};
    struct ui_rect small = {0, 0, COMPACT_WIDTH, compact_height()};
    bool roomy = taken->count <= 3 && card.h <= area.h;
    if (roomy && place(&card, face, area, taken) <= 0.12f * card.w * card.h) {
        card_draw(u, card, f);
    } else {
        place(&small, face, area, taken);
        compact_draw(u, small, f);
        card = small;
    }
    taken->rect[taken->count++] = card;
}

void faces_draw(struct ui *u, const struct view *v, struct ui_rect area, struct ui_rect picture)
{
    struct taken taken = {.count = 0};
    for (int i = 0; i < v->faces->count; i++)
        taken.rect[taken.count++] = face_rect(v, &v->faces->face[i], picture);
    for (int i = 0; i < v->faces->count; i++) {
        const struct face_track *f = &v->faces->face[i];
        enum ui_color color = f->sure ? words_color(f->label) : UI_DIM;
        struct ui_rect face = taken.rect[i];
        ui_stroke(u, face, color, f->steady ? 1.0f : 0.8f, 2 * UI_RADIUS, f->steady ? 4.0f : 2.5f);
        card_place_and_draw(u, face, area, &taken, f);
    }
}

static float slide(float at, float length, float middle, float size)
{
    float start = at + 0.5f * length - middle * size;
    return fminf(at, fmaxf(at + length - size, start));
}

void faces_aim(const struct view *v, struct ui_rect where, struct ui_rect *picture)
{
    float left = 1.0f, top = 1.0f, right = 0.0f, bottom = 0.0f;
    for (int i = 0; i < v->faces->count; i++) {
        const struct box *b = &v->faces->face[i].box;
        left = fminf(left, b->x);
        top = fminf(top, b->y);
        right = fmaxf(right, b->x + b->w);
        bottom = fmaxf(bottom, b->y + b->h);
    }
    if (v->faces->count == 0)
        return;
    float x = 0.5f * (left + right), y = 0.5f * (top + bottom);
    picture->x = slide(where.x, where.w, v->mirror ? 1.0f - x : x, picture->w);
    picture->y = slide(where.y, where.h, y, picture->h);
}
