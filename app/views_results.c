/* The list of titles beside (or, on upright screens, below) the frozen picture. */
#include "views_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define ROW_HEIGHT 88.0f /* at least; what is left over is shared out */
#define POSTER_WIDTH 54.0f
#define TAB_HEIGHT 34.0f
#define FOOTER_HEIGHT 44.0f

static bool upright(const struct ui *u)
{
    return ui_height(u) > ui_width(u);
}

struct ui_rect results_picture(const struct ui *u)
{
    if (upright(u))
        return (struct ui_rect){0, 0, ui_width(u), roundf(0.36f * ui_height(u))};
    return (struct ui_rect){0, 0, roundf(0.42f * ui_width(u)), ui_height(u)};
}

static struct ui_rect panel_rect(const struct ui *u)
{
    struct ui_rect p = results_picture(u);
    if (upright(u))
        return (struct ui_rect){0, p.h, ui_width(u), ui_height(u) - p.h};
    return (struct ui_rect){p.w, 0, ui_width(u) - p.w, ui_height(u)};
}

static float header_height(void)
{
    return ui_line_height(UI_LARGE) + ui_line_height(UI_SMALL) + TAB_HEIGHT + 3 * UI_GAP;
}

static struct ui_rect list_rect(const struct ui *u)
{
    struct ui_rect r = ui_inset(panel_rect(u), UI_MARGIN);
    r.y += header_height();
    r.h -= header_height() + FOOTER_HEIGHT;
    return r;
}

int views_rows(const struct ui *u)
{
    int rows = (int)(list_rect(u).h / ROW_HEIGHT);
    return rows > 0 ? rows : 1;
}

/* ---- header ---- */

static void chip(struct ui *u, float *x, float y, const char *key, const char *text, bool on,
                 int hit)
{
    float cap = *key ? ui_key_width(u, key, "") + UI_GAP : 0.0f;
    struct ui_rect r = {*x, y, ui_text_width(u, UI_SMALL, text) + cap + 4 * UI_GAP, TAB_HEIGHT};
    ui_fill(u, r, on ? UI_ACCENT : UI_RAISED, on ? 1.0f : 0.55f, 0.5f * TAB_HEIGHT);
    float inside = y + 0.5f * (TAB_HEIGHT - ui_line_height(UI_SMALL));
    ui_label(u, r.x + 2 * UI_GAP, inside, UI_SMALL, on ? UI_NIGHT : UI_INK, text);
    if (*key)
        ui_key(u, r.x + r.w - cap - UI_GAP, y + 0.5f * (TAB_HEIGHT - ui_key_height()), key, "");
    ui_hit(u, r, hit);
    *x += r.w + UI_GAP;
}

static void key_hit(struct ui *u, float *x, float y, const char *key, const char *meaning, int hit)
{
    float w = ui_key(u, *x, y, key, meaning);
    ui_hit(u, (struct ui_rect){*x - 4, y - UI_GAP, w + 8, ui_key_height() + 2 * UI_GAP}, hit);
    *x += w + 2 * UI_GAP;
}

/* "1-5 of 12" and two buttons, at the right end of r. */
static void pages_draw(struct ui *u, const struct session *s, struct ui_rect r)
{
    char text[48];
    int first = session_first_row(s), last = first + s->rows;
    if (s->count <= s->rows)
        return;
    snprintf(text, sizeof text, "%d\xe2\x80\x93%d of %d", first + 1,
             last < s->count ? last : s->count, s->count);
    float w = ui_text_width(u, UI_SMALL, text), cap = ui_key_width(u, "\xe2\x96\xb2", "");
    float x = r.x + r.w - w - 2 * cap - 2 * UI_GAP;
    ui_label(u, x, r.y + 0.25f * UI_GAP, UI_SMALL, UI_DIM, text);
    x += w + UI_GAP;
    key_hit(u, &x, r.y, "\xe2\x96\xb2", "", HIT_PAGE_UP);
    x -= UI_GAP;
    key_hit(u, &x, r.y, "\xe2\x96\xbc", "", HIT_PAGE_DOWN);
}

static void origin_text(const struct view *v, char *out, size_t cap)
{
    char mood[120];
    if (v->session->manual >= 0) {
        snprintf(out, cap, "Chosen by hand%s",
                 v->session->read ? ". 0 goes back to what the picture shows" : "");
        return;
    }
    words_mood(&v->mood, mood, sizeof mood);
    if (!v->mood_sure)
        snprintf(out, cap, "Not sure; nearest are %s", mood);
    else if (v->mood_faces > 1)
        snprintf(out, cap, "The %d faces look %s", v->mood_faces, mood);
    else
        snprintf(out, cap, "The picture looks %s", mood);
}

static void header_draw(struct ui *u, const struct view *v, struct ui_rect r)
{
    const struct session *s = v->session;
    char title[96], origin[200];
    enum emotion top = s->manual >= 0 ? (enum emotion)s->manual : emotion_top(&v->mood);
    bool clear = s->manual >= 0 || v->mood_sure;
    snprintf(title, sizeof title, "%s for %s %s", s->songs ? "Songs" : "Films",
             clear ? words_a(top) : "an unclear", s->manual >= 0 ? "mood" : "look");
    origin_text(v, origin, sizeof origin);
    r.y += ui_text(u, r, UI_LARGE, UI_INK, UI_LEFT, 1, title);
    r.y += ui_text(u, r, UI_SMALL, UI_DIM, UI_LEFT, 1, origin) + UI_GAP;
    float x = r.x;
    if (s->params.songs) {
        chip(u, &x, r.y, "", "Films", !s->songs, s->songs ? HIT_TAB : -1);
        chip(u, &x, r.y, "", "Songs", s->songs, s->songs ? -1 : HIT_TAB);
    }
    chip(u, &x, r.y, s->params.kiosk ? "" : "P", v->policy, false, HIT_POLICY);
    pages_draw(u, s, (struct ui_rect){r.x, r.y + 0.5f * (TAB_HEIGHT - ui_key_height()), r.w, 0});
}

/* ---- rows ---- */

/* The first genre gives the tile its colour, so that neighbours differ and kinds are alike. */
static enum ui_color genre_color(const char *genres)
{
    static const struct {
        const char *genre;
        enum ui_color color;
    } table[] = {
        {"Comedy", UI_HAPPY},        {"Drama", UI_SAD},          {"Romance", UI_FEAR},
        {"Action", UI_ANGRY},        {"Adventure", UI_SURPRISE}, {"Crime", UI_ANGRY},
        {"Thriller", UI_NEUTRAL},    {"Horror", UI_ANGRY},       {"Animation", UI_GOOD},
        {"Family", UI_GOOD},         {"Fantasy", UI_FEAR},       {"Biography", UI_SURPRISE},
        {"Documentary", UI_DISGUST}, {"Music", UI_FEAR},         {"Musical", UI_FEAR},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strncmp(genres, table[i].genre, strlen(table[i].genre)) == 0)
            return table[i].color;
    return UI_SAD;
}

static void initial(const char *name, char out[8])
{
    size_t n = 1;
    while (n < 7 && ((unsigned char)name[n] & 0xC0) == 0x80)
        n++;
    memcpy(out, name, n);
    out[n] = '\0';
}

/* A frame of film with the title's first letter. */
static void poster_draw(struct ui *u, struct ui_rect r, const struct title *t)
{
    enum ui_color color = genre_color(t->genres);
    char letter[8];
    initial(*t->name ? t->name : "?", letter);
    ui_fill(u, r, UI_RAISED, 1.0f, UI_RADIUS_SMALL);
    ui_fill(u, r, color, 0.30f, UI_RADIUS_SMALL);
    for (int i = 0; i < 6; i++) {
        float y = r.y + 6.0f + (float)i * (r.h - 17.0f) / 5.0f;
        ui_fill(u, (struct ui_rect){r.x + 4.0f, y, 4.0f, 5.0f}, UI_NIGHT, 0.7f, 1.5f);
        ui_fill(u, (struct ui_rect){r.x + r.w - 8.0f, y, 4.0f, 5.0f}, UI_NIGHT, 0.7f, 1.5f);
    }
    ui_text(u, (struct ui_rect){r.x, r.y + 0.5f * (r.h - ui_line_height(UI_TITLE)), r.w, 0},
            UI_TITLE, color, UI_CENTER, 1, letter);
}

/* A record with a hole. */
static void record_draw(struct ui *u, struct ui_rect r, const struct title *t)
{
    float side = fminf(r.w, r.h);
    struct ui_rect disc = {r.x, r.y + 0.5f * (r.h - side), side, side};
    ui_fill(u, disc, UI_RAISED, 1.0f, 0.5f * side);
    ui_stroke(u, ui_inset(disc, 0.14f * side), UI_NIGHT, 0.6f, 0.36f * side, 1.5f);
    ui_fill(u, ui_inset(disc, 0.3f * side), genre_color(t->genres), 1.0f, 0.2f * side);
    ui_fill(u, ui_inset(disc, 0.45f * side), UI_NIGHT, 1.0f, 0.05f * side);
}

static void add_fact(struct str *line, const char *fact)
{
    if (*fact)
        str_addf(line, "%s%s", line->len > 0 ? "  \xc2\xb7  " : "", fact);
}

static void facts_line(const struct title *t, struct str *line)
{
    char text[32];
    str_addf(line, "%s", "");
    if (t->kind == TITLE_SONG)
        add_fact(line, t->makers);
    add_fact(line, t->genres);
    if (t->minutes > 0) {
        words_runtime(t->minutes, text, sizeof text);
        add_fact(line, text);
    }
    if (t->rating > 0) {
        snprintf(text, sizeof text, "\xe2\x98\x85 %.1f", (double)t->rating);
        add_fact(line, text);
    }
}

static const char *mark_text(const struct view_mark *m)
{
    return m->not_for_me ? "not for me"
           : m->liked    ? "liked"
           : m->seen     ? "seen"
           : m->later    ? "later"
                         : "";
}

/* Returns how much room it takes on the right. */
static float mark_draw(struct ui *u, struct ui_rect row, const struct view_mark *m)
{
    const char *text = mark_text(m);
    if (!*text)
        return 0.0f;
    float w = ui_text_width(u, UI_SMALL, text) + 2 * UI_GAP, h = ui_key_height();
    struct ui_rect r = {row.x + row.w - w - 1.5f * UI_GAP, row.y + 1.5f * UI_GAP, w, h};
    ui_fill(u, r, m->not_for_me ? UI_WARN : UI_GOOD, 1.0f, 0.5f * h);
    ui_text(u, (struct ui_rect){r.x, r.y + 0.25f * UI_GAP, w, 0}, UI_SMALL, UI_NIGHT, UI_CENTER, 1,
            text);
    return w + 1.5f * UI_GAP;
}

static void name_draw(struct ui *u, struct ui_rect r, const struct title *t)
{
    char year[16] = "";
    if (t->year > 0)
        snprintf(year, sizeof year, "%d", t->year);
    float year_width = ui_text_width(u, UI_SMALL, year) + UI_GAP;
    float width = fminf(ui_text_width(u, UI_STRONG, t->name) + 1.0f, r.w - year_width);
    ui_text(u, (struct ui_rect){r.x, r.y, width, 0}, UI_STRONG, UI_INK, UI_LEFT, 1, t->name);
    ui_label(u, r.x + width + UI_GAP, r.y + 1.5f, UI_SMALL, UI_DIM, year);
}

static void row_draw(struct ui *u, const struct view *v, int index, struct ui_rect row)
{
    const struct title *t = &v->titles->v[index];
    bool selected = index == v->session->selected;
    struct str facts = {0};
    struct ui_rect in = ui_inset(row, UI_GAP);
    if (selected) {
        ui_fill(u, row, UI_RAISED, 0.85f, UI_RADIUS);
        ui_stroke(u, row, UI_ACCENT, 0.9f, UI_RADIUS, 2.0f);
    }
    struct ui_rect poster = {in.x + 0.5f * UI_GAP, in.y, POSTER_WIDTH, in.h};
    if (t->kind == TITLE_SONG)
        record_draw(u, poster, t);
    else
        poster_draw(u, poster, t);
    in.x += POSTER_WIDTH + 2.5f * UI_GAP;
    in.w -= POSTER_WIDTH + 3.0f * UI_GAP;
    float mark = mark_draw(u, row, &v->marks[index]);
    in.y += 0.25f * UI_GAP;
    name_draw(u, (struct ui_rect){in.x, in.y, in.w - mark, 0}, t);
    in.y += ui_line_height(UI_STRONG) + 2.0f;
    facts_line(t, &facts);
    in.y += ui_text(u, in, UI_SMALL, UI_DIM, UI_LEFT, 1, facts.s) + 2.0f;
    ui_text(u, in, UI_SMALL, selected ? UI_ACCENT : UI_INK, UI_LEFT, 1, t->why);
    ui_hit(u, row, HIT_ROW + index);
    str_free(&facts);
}

static void empty_draw(struct ui *u, const struct view *v, struct ui_rect r)
{
    const char *text = v->problem && *v->problem ? v->problem
                       : v->titles->note && *v->titles->note
                           ? v->titles->note
                           : "Nothing is left to show for this mood.";
    r.y += 2 * UI_GAP;
    ui_text(u, r, UI_BODY, UI_DIM, UI_LEFT, 0, text);
}

/* ---- footer ---- */

static void footer_draw(struct ui *u, const struct view *v, struct ui_rect r)
{
    static const struct {
        const char *key, *meaning;
        int hit;
    } keys[] = {
        {"SPACE", "back", HIT_BACK},
        {"L", "like", HIT_OPINION + SESSION_LIKE},
        {"N", "not for me", HIT_OPINION + SESSION_NOT_FOR_ME},
        {"S", "seen", HIT_OPINION + SESSION_SEEN},
        {"W", "later", HIT_OPINION + SESSION_LATER},
    };
    float x = r.x;
    if (v->session->params.kiosk) {
        chip(u, &x, r.y - 4.0f, "", "Done", true, HIT_BACK);
    } else {
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
            if (x + ui_key_width(u, keys[i].key, keys[i].meaning) <= r.x + r.w)
                key_hit(u, &x, r.y, keys[i].key, keys[i].meaning, keys[i].hit);
    }
}

void results_draw(struct ui *u, const struct view *v)
{
    struct ui_rect panel = panel_rect(u), in = ui_inset(panel, UI_MARGIN), list = list_rect(u);
    int rows = v->session->rows, first = session_first_row(v->session);
    ui_shade(u, panel, UI_NIGHT, UI_DUSK);
    header_draw(u, v, in);
    float row = fminf(list.h / (float)rows, 1.3f * ROW_HEIGHT);
    for (int i = first; i < first + rows && i < v->session->count; i++, list.y += row)
        row_draw(u, v, i,
                 (struct ui_rect){list.x - UI_GAP, list.y, list.w + 2 * UI_GAP, row - 4.0f});
    if (v->session->count == 0 && (v->titles->note || *v->problem))
        empty_draw(u, v, list);
    in.y += in.h - ui_key_height();
    footer_draw(u, v, in);
}
