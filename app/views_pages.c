/* Pages without a list: no camera, the kiosk's notice and countdown, help. */
#include "views_parts.h"

#include <math.h>
#include <stdio.h>

#define COLUMN 720.0f /* widest column of running text */

void background_draw(struct ui *u)
{
    ui_shade(u, (struct ui_rect){0, 0, ui_width(u), ui_height(u)}, UI_NIGHT, UI_DUSK);
}

static struct ui_rect column(const struct ui *u, float widest)
{
    float w = fminf(ui_width(u) - 2 * UI_MARGIN, widest);
    return (struct ui_rect){0.5f * (ui_width(u) - w), 0, w, ui_height(u)};
}

/* ---- mood tiles ---- */

/* A disc in the mood's colour, its key inside, and the name. */
static void tile_draw(struct ui *u, struct ui_rect r, enum emotion e, bool chosen, bool keys)
{
    char key[2] = {(char)('1' + (int)e), '\0'};
    enum ui_font font = keys ? UI_SMALL : UI_STRONG;
    float disc = keys ? 20.0f : 16.0f, middle = r.y + 0.5f * r.h;
    float x = r.x + 0.5f * (r.w - disc - UI_GAP - ui_text_width(u, font, words_looks(e)));
    ui_fill(u, r, UI_RAISED, chosen ? 1.0f : 0.82f, UI_RADIUS);
    if (chosen)
        ui_stroke(u, r, UI_ACCENT, 1.0f, UI_RADIUS, 2.0f);
    struct ui_rect dot = {x, middle - 0.5f * disc, disc, disc};
    ui_fill(u, dot, words_color(e), 1.0f, disc);
    dot.y = middle - 0.5f * ui_line_height(UI_TINY);
    if (keys)
        ui_text(u, dot, UI_TINY, UI_NIGHT, UI_CENTER, 1, key);
    ui_label(u, x + disc + UI_GAP, middle - 0.5f * ui_line_height(font), font, UI_INK,
             words_looks(e));
    ui_hit(u, r, HIT_PICK + (int)e);
}

static int tiles_per_row(float width)
{
    return width > 940.0f ? 7 : 4;
}

float mood_tiles_height(float width, float tile)
{
    return tiles_per_row(width) == 7 ? tile : 2 * tile + UI_GAP;
}

void mood_tiles_draw(struct ui *u, struct ui_rect r, float height, int chosen)
{
    int per_row = tiles_per_row(r.w);
    float w = (r.w - UI_GAP * (float)(per_row - 1)) / (float)per_row;
    int rows = (EMOTION_COUNT + per_row - 1) / per_row;
    for (int e = 0; e < EMOTION_COUNT; e++) {
        int column_index = e % per_row, row = e / per_row;
        int in_row = row == rows - 1 ? EMOTION_COUNT - row * per_row : per_row;
        float indent = 0.5f * (float)(per_row - in_row) * (w + UI_GAP);
        tile_draw(u,
                  (struct ui_rect){r.x + indent + (float)column_index * (w + UI_GAP),
                                   r.y + (float)row * (height + UI_GAP), w, height},
                  (enum emotion)e, e == chosen, height < 60.0f);
    }
}

/* ---- no camera ---- */

/* A camera, crossed out. */
static void camera_icon(struct ui *u, float x, float y)
{
    ui_fill(u, (struct ui_rect){x, y + 14, 76, 52}, UI_RAISED, 1.0f, 12);
    ui_fill(u, (struct ui_rect){x + 24, y + 6, 28, 16}, UI_RAISED, 1.0f, 5);
    ui_stroke(u, (struct ui_rect){x + 22, y + 24, 32, 32}, UI_DIM, 1.0f, 16, 4);
    ui_fill(u, (struct ui_rect){x + 60, y + 22, 7, 7}, UI_WARN, 1.0f, 3.5f);
}

static void centred_key(struct ui *u, struct ui_rect r, const char *key, const char *meaning,
                        int hit)
{
    float w = ui_key_width(u, key, meaning), x = r.x + 0.5f * (r.w - w);
    ui_key(u, x, r.y, key, meaning);
    ui_hit(u,
           (struct ui_rect){x - UI_GAP, r.y - UI_GAP, w + 2 * UI_GAP, ui_key_height() + 2 * UI_GAP},
           hit);
}

void no_camera_draw(struct ui *u, const struct view *v)
{
    struct ui_rect r = column(u, COLUMN);
    float text = ui_text_height(u, r.w, UI_BODY, 0, v->camera_text);
    float tiles = mood_tiles_height(r.w, 48.0f);
    float height = 84.0f + ui_line_height(UI_LARGE) + text + 3 * ui_line_height(UI_SMALL) + tiles +
                   ui_key_height() + 9 * UI_GAP;
    r.y = fmaxf(0.5f * (ui_height(u) - height), UI_GAP);
    camera_icon(u, r.x + 0.5f * r.w - 38.0f, r.y);
    r.y += 84.0f;
    r.y += ui_text(u, r, UI_LARGE, UI_INK, UI_CENTER, 1, v->camera_title) + UI_GAP;
    r.y += ui_text(u, r, UI_BODY, UI_DIM, UI_CENTER, 0, v->camera_text) + 0.5f * UI_GAP;
    r.y += ui_text(u, r, UI_SMALL, UI_DIM, UI_CENTER, 2,
                   "It is looked for again every few seconds and opens by itself.") +
           3 * UI_GAP;
    centred_key(u, r, "D", "show a drawn demo face instead", HIT_DEMO);
    r.y += ui_key_height() + 4 * UI_GAP;
    r.y += ui_text(u, r, UI_SMALL, UI_INK, UI_CENTER, 2,
                   "Or go without a camera: choose the mood by hand.") +
           UI_GAP;
    mood_tiles_draw(u, r, 48.0f, v->session->manual);
}

/* ---- kiosk ---- */

/* Soft circles that wander: something moves, and nothing stays in one place for hours. */
static void wandering_circles(struct ui *u, double seconds)
{
    float side = fmaxf(ui_width(u), ui_height(u));
    for (int i = 0; i < 5; i++) {
        double turn = seconds * (0.05 + 0.013 * i) + 1.9 * i;
        float d = side * (0.16f + 0.07f * (float)i);
        float x = (float)(0.5 + 0.46 * sin(turn)) * ui_width(u) - 0.5f * d;
        float y = (float)(0.5 + 0.44 * cos(1.31 * turn + i)) * ui_height(u) - 0.5f * d;
        ui_fill(u, (struct ui_rect){x, y, d, d}, words_color((enum emotion)(i + 1)), 0.07f, d);
    }
}

static const char *const notice_lines[] = {
    "This screen has a camera. If you step in front of it, it reads the expression of your face "
    "once and suggests films for it.",
    "Nothing is stored and nothing is sent: the picture is gone when the list closes.",
    "Rather not? Choose your mood below. The camera is then not used at all.",
};
enum { NOTICE_LINES = sizeof notice_lines / sizeof notice_lines[0] };

static float notice_height(struct ui *u, enum ui_font font, float width)
{
    float height = 0.0f;
    for (int i = 0; i < NOTICE_LINES; i++)
        height += ui_text_height(u, width, font, 0, notice_lines[i]) + 1.5f * UI_GAP;
    return height;
}

static void notice_draw(struct ui *u, struct ui_rect r, enum ui_font font)
{
    for (int i = 0; i < NOTICE_LINES; i++)
        r.y += ui_text(u, r, font, i == 0 ? UI_INK : UI_DIM, UI_CENTER, 0, notice_lines[i]) +
               1.5f * UI_GAP;
}

/* The attract page in two sizes: the large one where it fits. */
struct attract {
    enum ui_font heading, text;
    float tile; /* height of a mood tile, for fingers */
    float heading_height, notice_height, tiles_height, gap, height;
};

static const char question[] = "Which film suits your face today?";

static struct attract attract_measure(struct ui *u, float width, bool large)
{
    struct attract a = {large ? UI_HUGE : UI_TITLE,
                        large ? UI_LEAD : UI_SMALL,
                        large ? 76.0f : 62.0f,
                        0,
                        0,
                        0,
                        0,
                        0};
    a.heading_height = ui_text_height(u, width, a.heading, 2, question);
    a.notice_height = notice_height(u, a.text, width);
    a.tiles_height = mood_tiles_height(width, a.tile);
    a.height = a.heading_height + a.notice_height + a.tiles_height + ui_line_height(UI_TITLE);
    a.gap = fminf(fmaxf((ui_height(u) - a.height) / 6.0f, 0.5f * UI_GAP), 56.0f);
    a.height += 3 * a.gap;
    return a;
}

static const char *invitation(const struct view *v)
{
    const struct session *s = v->session;
    if (s->note == SESSION_NOTE_NO_FACE)
        return "No face was found. Stand in the light, face the camera and touch the screen.";
    if (s->camera != SESSION_CAMERA_LIVE)
        return "The camera is away just now. Choose your mood by hand.";
    if (s->face_us >= 0 && v->now_us >= s->since_us + s->params.notice_us)
        return "Hello! Stay like this for a moment \xe2\x80\xa6";
    return "Step closer, or touch the screen to begin";
}

void attract_draw(struct ui *u, const struct view *v)
{
    double seconds = (double)v->now_us * 1e-6;
    struct ui_rect r = column(u, 1000.0f), all = {0, 0, ui_width(u), ui_height(u)};
    struct attract a = attract_measure(u, r.w, true);
    if (a.height > all.h - 2 * UI_GAP)
        a = attract_measure(u, r.w, false);
    background_draw(u);
    wandering_circles(u, seconds);
    ui_hit(u, all, HIT_GO);
    r.x += 10.0f * (float)sin(seconds * 0.1); /* spares the screen */
    r.y = 0.5f * (all.h - a.height) + 0.4f * UI_GAP * (float)cos(seconds * 0.13);
    r.y += ui_text(u, r, a.heading, UI_INK, UI_CENTER, 2, question) + a.gap;
    notice_draw(u, r, a.text);
    r.y += a.notice_height + a.gap;
    mood_tiles_draw(u, r, a.tile, -1);
    r.y += a.tiles_height + a.gap;
    ui_text(u, r, UI_TITLE, sin(seconds * 2.5) > -0.5 ? UI_ACCENT : UI_INK, UI_CENTER, 1,
            invitation(v));
}

void countdown_draw(struct ui *u, const struct view *v)
{
    float done, side = 0.24f * fminf(ui_width(u), ui_height(u));
    char number[12];
    snprintf(number, sizeof number, "%d", session_countdown(v->session, v->now_us, &done));
    struct ui_rect ring = {0.5f * (ui_width(u) - side), ui_height(u) - side - 84.0f, side, side};
    struct ui_rect all = {0, 0, ui_width(u), ui_height(u)};
    ui_fade(u, (struct ui_rect){0, 0.4f * all.h, all.w, 0.6f * all.h}, UI_NIGHT, 0.0f, 0.85f);
    ui_fill(u, ring, UI_PANEL, 0.6f, side);
    ui_ring(u, ui_inset(ring, 6.0f), UI_ACCENT, done);
    ui_text(u, (struct ui_rect){ring.x, ring.y + 0.5f * (side - ui_line_height(UI_GIANT)), side, 0},
            UI_GIANT, UI_INK, UI_CENTER, 1, number);
    ui_text(u, (struct ui_rect){0, all.h - 76.0f, all.w, 0}, UI_TITLE, UI_INK, UI_CENTER, 1,
            "Look at the camera as you feel");
    ui_text(u, (struct ui_rect){0, all.h - 42.0f, all.w, 0}, UI_SMALL, UI_DIM, UI_CENTER, 1,
            "Touch to stop");
    ui_hit(u, all, HIT_BACK);
}

/* ---- help ---- */

void help_draw(struct ui *u)
{
    static const struct {
        const char *key, *meaning;
    } keys[] = {
        {"SPACE", "freeze the picture and show films; back again"},
        {"\xe2\x86\x91 \xe2\x86\x93 PgUp PgDn", "move in the list"},
        {"Tab", "films or songs"},
        {"1 \xe2\x80\xa6 7", "set the mood by hand: angry, disgusted, afraid, happy, sad, "
                             "surprised, neutral; 0 reads the picture"},
        {"P", "next way to answer a mood: lift, match, surprise, published tables"},
        {"L N S W", "like, not for me, seen, later"},
        {"F", "full screen"},
        {"M", "mirror the picture"},
        {"?", "this page"},
        {"Q", "quit"},
    };
    static const char about[] =
        "The words say how a face looks to a small network, which is often wrong: a face turned to "
        "a screen looks angrier than it is. \"Not sure\" is shown when the evidence is thin. "
        "Pictures stay in this program's memory and are never stored or sent.";
    struct ui_rect all = {0, 0, ui_width(u), ui_height(u)}, r = column(u, 820.0f);
    float caps = 150.0f, row = ui_key_height() + UI_GAP;
    ui_fill(u, all, UI_NIGHT, 0.6f, 0);
    float height = 2 * UI_MARGIN + ui_line_height(UI_LARGE) + 11 * row + UI_GAP +
                   ui_text_height(u, r.w - 2 * UI_MARGIN, UI_SMALL, 0, about);
    r.h = fminf(height, all.h);
    r.y = 0.5f * (all.h - r.h);
    ui_fill(u, r, UI_PANEL, 0.97f, UI_RADIUS);
    ui_stroke(u, r, UI_RAISED, 1.0f, UI_RADIUS, 1.5f);
    float bottom = r.y + r.h;
    r = ui_inset(r, UI_MARGIN);
    r.y += ui_text(u, r, UI_LARGE, UI_INK, UI_LEFT, 1, "Keys") + UI_GAP;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct ui_rect meaning = {r.x + caps, r.y + 0.25f * UI_GAP, r.w - caps, 0};
        ui_key(u, r.x, r.y, keys[i].key, "");
        float used = ui_text(u, meaning, UI_SMALL, UI_INK, UI_LEFT, 2, keys[i].meaning);
        r.y += fmaxf(used, ui_key_height()) + UI_GAP;
    }
    if (r.y + ui_text_height(u, r.w, UI_SMALL, 0, about) <= bottom) /* keys come first */
        ui_text(u, r, UI_SMALL, UI_DIM, UI_LEFT, 0, about);
    ui_hit(u, all, HIT_HELP);
}
