/* Puts the pages together; the live picture with its state line, hints and notes. */
#include "views.h"

#include <math.h>
#include <stdio.h>

#include "views_parts.h"

#define BAR_TOP 96.0f
#define BAR_BOTTOM 72.0f
#define LONELY_US 3000000 /* no face for this long: say what helps */

static struct ui_rect whole(const struct ui *u)
{
    return (struct ui_rect){0, 0, ui_width(u), ui_height(u)};
}

static struct ui_rect picture_draw(struct ui *u, const struct view *v, struct ui_rect where)
{
    struct ui_rect picture = ui_cover(where, (float)v->picture_width, (float)v->picture_height);
    if (v->session->state == SESSION_RESULTS && v->session->read)
        faces_aim(v, where, &picture);
    if (v->picture_width > 0)
        ui_video(u, where, picture);
    else
        ui_shade(u, where, UI_NIGHT, UI_DUSK);
    return picture;
}

/* ---- the live page ---- */

static void state_line(struct ui *u, const struct view *v)
{
    char text[200] = "opening \xe2\x80\xa6", reading[160] = "";
    bool live = v->session->camera == SESSION_CAMERA_LIVE;
    float x = UI_MARGIN, y = 16.0f;
    if (v->detect_hz > 0)
        snprintf(reading, sizeof reading, "  \xc2\xb7  %.0f readings/s  \xc2\xb7  %.0f ms%s%s",
                 (double)v->detect_hz, (double)v->detect_ms,
                 v->model[0] != '\0' ? "  \xc2\xb7  " : "", v->model);
    if (live)
        snprintf(text, sizeof text, "%.0f pictures/s%s", (double)v->capture_fps, reading);
    ui_fill(u, (struct ui_rect){x, y + 7.0f, 10, 10}, live ? UI_GOOD : UI_ACCENT, 1.0f, 5);
    ui_text(u, (struct ui_rect){x + 18, y, 0.5f * ui_width(u), 0}, UI_STRONG, UI_INK, UI_LEFT, 1,
            v->camera);
    ui_label(u, x + 18, y + ui_line_height(UI_STRONG), UI_SMALL, UI_DIM, text);
}

static void policy_chip(struct ui *u, const struct view *v)
{
    float w = ui_key_width(u, "P", v->policy), x = ui_width(u) - UI_MARGIN - w;
    ui_key(u, x, 18.0f, "P", v->policy);
    ui_hit(u, (struct ui_rect){x - UI_GAP, 10.0f, w + 2 * UI_GAP, ui_key_height() + 16.0f},
           HIT_POLICY);
    if (v->session->manual >= 0) {
        char text[64];
        snprintf(text, sizeof text, "mood by hand: %s",
                 words_looks((enum emotion)v->session->manual));
        ui_text(u, (struct ui_rect){ui_width(u) - UI_MARGIN - 300, 22.0f + ui_key_height(), 300, 0},
                UI_SMALL, words_color((enum emotion)v->session->manual), UI_RIGHT, 1, text);
    }
}

static void hints(struct ui *u, const struct view *v)
{
    const struct {
        const char *key, *meaning;
        int hit;
    } keys[] = {
        {"SPACE", v->session->manual >= 0 ? "films for this mood" : "films for this look", HIT_GO},
        {"1 \xe2\x80\xa6 7", "set the mood by hand", -1},
        {"?", "help", HIT_HELP},
    };
    enum { COUNT = 3 };
    float total = 0, gap = 4 * UI_GAP, y = ui_height(u) - 44.0f;
    for (int i = 0; i < COUNT; i++)
        total += ui_key_width(u, keys[i].key, keys[i].meaning) + (i > 0 ? gap : 0);
    float x = 0.5f * (ui_width(u) - total);
    for (int i = 0; i < COUNT; i++) {
        float w = ui_key(u, x, y, keys[i].key, keys[i].meaning);
        if (keys[i].hit >= 0)
            ui_hit(u,
                   (struct ui_rect){x - UI_GAP, y - UI_GAP, w + 2 * UI_GAP,
                                    ui_key_height() + 2 * UI_GAP},
                   keys[i].hit);
        x += w + gap;
    }
}

static const char *note_text(const struct view *v, char *out, size_t cap)
{
    const struct session *s = v->session;
    if (s->note == SESSION_NOTE_NO_FACE)
        return "No face was found in that picture. Face the camera in good light, or set the mood "
               "with 1 \xe2\x80\xa6 7.";
    if (s->note == SESSION_NOTE_MOOD_SET && s->manual >= 0) {
        snprintf(out, cap, "Mood set by hand: %s. SPACE shows films, 0 reads the picture again.",
                 words_looks((enum emotion)s->manual));
        return out;
    }
    if (s->camera == SESSION_CAMERA_LIVE && s->noface_us >= 0 &&
        v->now_us - s->noface_us > LONELY_US && v->picture_width > 0)
        return "Nobody in view. Face the camera, with light on your face, not too far away.";
    return NULL;
}

static void note_draw(struct ui *u, const char *text)
{
    float room = ui_width(u) - 2 * UI_MARGIN;
    float w = fminf(ui_text_width(u, UI_BODY, text) + 1.0f, room - 4 * UI_GAP);
    float h = ui_text_height(u, w, UI_BODY, 0, text);
    struct ui_rect r = {0.5f * (ui_width(u) - w) - 2 * UI_GAP,
                        ui_height(u) - BAR_BOTTOM - h - 3 * UI_GAP, w + 4 * UI_GAP, h + 2 * UI_GAP};
    ui_panel(u, r);
    ui_text(u, (struct ui_rect){r.x + 2 * UI_GAP, r.y + UI_GAP, w, 0}, UI_BODY, UI_INK, UI_CENTER,
            0, text);
}

static void live_draw(struct ui *u, const struct view *v)
{
    struct ui_rect all = whole(u);
    char buffer[120];
    struct ui_rect picture = picture_draw(u, v, all);
    ui_fade(u, (struct ui_rect){0, 0, all.w, BAR_TOP + 24.0f}, UI_NIGHT, 0.78f, 0.0f);
    ui_fade(u, (struct ui_rect){0, all.h - BAR_BOTTOM - 24.0f, all.w, BAR_BOTTOM + 24.0f}, UI_NIGHT,
            0.0f, 0.85f);
    faces_draw(u, v,
               (struct ui_rect){UI_MARGIN, BAR_TOP - 16.0f, all.w - 2 * UI_MARGIN,
                                all.h - BAR_TOP - BAR_BOTTOM + 16.0f},
               picture);
    state_line(u, v);
    policy_chip(u, v);
    hints(u, v);
    const char *note = note_text(v, buffer, sizeof buffer);
    if (note)
        note_draw(u, note);
}

/* ---- the other pages over the picture ---- */

static void reading_draw(struct ui *u, const struct view *v)
{
    struct ui_rect all = whole(u);
    struct ui_rect picture = picture_draw(u, v, all);
    faces_draw(u, v, ui_inset(all, UI_MARGIN), picture);
    note_draw(u, "Reading the picture \xe2\x80\xa6");
}

/* Stands where the picture would be. */
static void mood_disc_draw(struct ui *u, struct ui_rect area, enum emotion e)
{
    float side = 0.55f * fminf(area.w, area.h);
    struct ui_rect disc = {area.x + 0.5f * (area.w - side), area.y + 0.5f * (area.h - side), side,
                           side};
    ui_fill(u, disc, words_color(e), 0.14f, side);
    ui_fill(u, ui_inset(disc, 0.1f * side), words_color(e), 0.22f, side);
    disc.y += 0.5f * (side - ui_line_height(UI_LARGE));
    ui_text(u, disc, UI_LARGE, words_color(e), UI_CENTER, 1, words_looks(e));
}

static void frozen_draw(struct ui *u, const struct view *v)
{
    struct ui_rect where = results_picture(u), area = ui_inset(where, UI_MARGIN);
    float low = mood_tiles_height(area.w, 36.0f) + ui_line_height(UI_SMALL) + UI_GAP;
    struct ui_rect picture = picture_draw(u, v, where);
    area.h -= low + UI_GAP;
    if (v->session->read)
        faces_draw(u, v, area, picture);
    else if (v->picture_width == 0)
        mood_disc_draw(u, area, (enum emotion)v->session->manual);
    ui_fade(u, (struct ui_rect){0, where.h - low - 96.0f, where.w, low + 96.0f}, UI_NIGHT, 0.0f,
            0.92f);
    struct ui_rect r = {area.x, where.h - UI_MARGIN - low + UI_GAP, area.w, 0};
    r.y += ui_text(u, r, UI_SMALL, UI_INK, UI_LEFT, 1,
                   v->session->read ? "Not right? Choose the mood:" : "Another mood:") +
           4.0f;
    mood_tiles_draw(u, r, 36.0f, v->session->manual);
    results_draw(u, v);
}

static void countdown_page(struct ui *u, const struct view *v)
{
    picture_draw(u, v, whole(u));
    countdown_draw(u, v);
}

static void no_camera_page(struct ui *u, const struct view *v)
{
    background_draw(u);
    no_camera_draw(u, v);
}

void views_draw(struct ui *u, const struct view *v)
{
    static void (*const pages[SESSION_STATE_COUNT])(struct ui *, const struct view *) = {
        [SESSION_LIVE] = live_draw,       [SESSION_NO_CAMERA] = no_camera_page,
        [SESSION_ATTRACT] = attract_draw, [SESSION_COUNTDOWN] = countdown_page,
        [SESSION_READING] = reading_draw, [SESSION_RESULTS] = frozen_draw,
    };
    pages[v->session->state](u, v);
    if (v->session->help)
        help_draw(u);
}

bool views_event(int hit, enum session_event *e, int *arg)
{
    static const struct {
        enum session_event event;
        int arg;
    } table[] = {
        [HIT_GO] = {SESSION_GO, 0},         [HIT_BACK] = {SESSION_BACK, 0},
        [HIT_HELP] = {SESSION_HELP, 0},     [HIT_POLICY] = {SESSION_POLICY, 0},
        [HIT_DEMO] = {SESSION_DEMO, 0},     [HIT_TAB] = {SESSION_TAB, 0},
        [HIT_PAGE_UP] = {SESSION_PAGE, -1}, [HIT_PAGE_DOWN] = {SESSION_PAGE, 1},
    };
    if (hit < 0)
        return false;
    if (hit >= HIT_ROW) {
        *e = SESSION_SELECT;
        *arg = hit - HIT_ROW;
    } else if (hit >= HIT_PICK) {
        *e = SESSION_PICK;
        *arg = hit - HIT_PICK;
    } else if (hit >= HIT_OPINION) {
        *e = SESSION_OPINION;
        *arg = hit - HIT_OPINION;
    } else {
        *e = table[hit].event;
        *arg = table[hit].arg;
    }
    return true;
}
