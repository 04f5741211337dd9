/* The command list: geometry, text layout, hit areas, dump. */
#include "ui/ui.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct hit {
    struct ui_rect rect;
    int id;
};

struct ui {
    struct ui_metrics metrics;
    float width, height;
    struct ui_command *commands;
    size_t count, cap;
    struct hit *hits;
    size_t hit_count, hit_cap;
    struct str text; /* all texts of the list, each zero-ended */
};

static const char ellipsis[] = "\xe2\x80\xa6";

struct ui *ui_create(struct ui_metrics m)
{
    struct ui *u = mem_new(1, sizeof *u);
    u->metrics = m;
    return u;
}

void ui_destroy(struct ui *u)
{
    if (!u)
        return;
    free(u->commands);
    free(u->hits);
    str_free(&u->text);
    free(u);
}

void ui_begin(struct ui *u, float width, float height)
{
    u->width = width;
    u->height = height;
    u->count = 0;
    u->hit_count = 0;
    str_clear(&u->text);
}

float ui_width(const struct ui *u)
{
    return u->width;
}

float ui_height(const struct ui *u)
{
    return u->height;
}

/* ---- drawing ---- */

static struct ui_command *add(struct ui *u, enum ui_kind kind, struct ui_rect r, enum ui_color c)
{
    u->commands = mem_grow(u->commands, &u->cap, u->count + 1, sizeof *u->commands);
    struct ui_command *at = &u->commands[u->count++];
    *at = (struct ui_command){.kind = kind, .rect = r, .color = c, .alpha = 1.0f};
    return at;
}

static size_t keep_text(struct ui *u, const char *s, size_t n)
{
    size_t at = u->text.len;
    str_add(&u->text, s, n);
    str_add(&u->text, "", 1);
    return at;
}

void ui_fill(struct ui *u, struct ui_rect r, enum ui_color c, float alpha, float radius)
{
    struct ui_command *at = add(u, UI_CMD_FILL, r, c);
    at->alpha = alpha;
    at->radius = fminf(radius, 0.5f * fminf(r.w, r.h));
}

void ui_stroke(struct ui *u, struct ui_rect r, enum ui_color c, float alpha, float radius,
               float thickness)
{
    struct ui_command *at = add(u, UI_CMD_STROKE, r, c);
    at->alpha = alpha;
    at->radius = fminf(radius, 0.5f * fminf(r.w, r.h));
    at->value = thickness;
}

void ui_fade(struct ui *u, struct ui_rect r, enum ui_color c, float alpha_top, float alpha_bottom)
{
    struct ui_command *at = add(u, UI_CMD_FADE, r, c);
    at->alpha = alpha_top;
    at->value = alpha_bottom;
}

void ui_shade(struct ui *u, struct ui_rect r, enum ui_color top, enum ui_color bottom)
{
    add(u, UI_CMD_SHADE, r, top)->color_to = bottom;
}

void ui_ring(struct ui *u, struct ui_rect r, enum ui_color c, float fraction)
{
    add(u, UI_CMD_RING, r, c)->value = fminf(fmaxf(fraction, 0.0f), 1.0f);
}

void ui_panel(struct ui *u, struct ui_rect r)
{
    ui_fill(u, r, UI_PANEL, UI_PANEL_ALPHA, UI_RADIUS);
}

void ui_bar(struct ui *u, struct ui_rect r, float value, enum ui_color c)
{
    float full = fminf(fmaxf(value, 0.0f), 1.0f) * r.w;
    ui_fill(u, r, UI_RAISED, 0.9f, 0.5f * r.h);
    if (full >= 1.0f)
        ui_fill(u, (struct ui_rect){r.x, r.y, fmaxf(full, r.h), r.h}, c, 1.0f, 0.5f * r.h);
}

void ui_video(struct ui *u, struct ui_rect visible, struct ui_rect picture)
{
    add(u, UI_CMD_VIDEO, visible, UI_INK)->picture = picture;
}

/* ---- text ---- */

static float width_n(const struct ui *u, enum ui_font f, const char *s, size_t n)
{
    return n == 0 ? 0.0f : u->metrics.text_width(f, s, n, u->metrics.payload);
}

float ui_text_width(const struct ui *u, enum ui_font f, const char *s)
{
    return width_n(u, f, s, strlen(s));
}

float ui_line_height(enum ui_font f)
{
    return ui_font_tokens[f].size * ui_font_tokens[f].leading;
}

static void add_line(struct ui *u, struct ui_rect r, enum ui_font f, enum ui_color c,
                     enum ui_align a, const char *s, size_t n)
{
    float w = width_n(u, f, s, n);
    float slack = a == UI_LEFT ? 0.0f : a == UI_CENTER ? 0.5f * (r.w - w) : r.w - w;
    size_t text = keep_text(u, s, n);
    struct ui_command *at =
        add(u, UI_CMD_TEXT, (struct ui_rect){r.x + slack, r.y, w, ui_line_height(f)}, c);
    at->font = f;
    at->text = text;
}

/* The longest prefix of s[0..n) that is at most `room` wide, cut between characters. */
static size_t fitting(const struct ui *u, enum ui_font f, const char *s, size_t n, float room)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = utf8_trim(s, (low + high + 1) / 2);
        if (middle <= low) /* one character spans the rest of the interval */
            middle = high;
        if (width_n(u, f, s, middle) <= room)
            low = middle;
        else
            high = utf8_trim(s, middle - 1);
    }
    return low;
}

/* How many bytes of s[0..n) make the next line: up to the last space that fits, or, in a word
 * without one (Japanese is written so), up to the last character that fits. At least one. */
static size_t line_length(const struct ui *u, enum ui_font f, const char *s, size_t n, float room)
{
    if (width_n(u, f, s, n) <= room)
        return n;
    size_t fit = fitting(u, f, s, n, room);
    for (size_t i = fit; i > 0; i--)
        if (s[i] == ' ')
            return i;
    if (fit > 0)
        return fit;
    for (fit = 1; fit < n && ((unsigned char)s[fit] & 0xC0) == 0x80;)
        fit++;
    return fit;
}

static void add_cut_line(struct ui *u, struct ui_rect r, enum ui_font f, enum ui_color c,
                         enum ui_align a, const char *s, size_t n)
{
    size_t fit = fitting(u, f, s, n, r.w - ui_text_width(u, f, ellipsis));
    while (fit > 0 && (s[fit - 1] == ' ' || s[fit - 1] == ','))
        fit--;
    struct str line = {0};
    str_add(&line, s, fit);
    str_add(&line, ellipsis, strlen(ellipsis));
    add_line(u, r, f, c, a, line.s, line.len);
    str_free(&line);
}

float ui_text(struct ui *u, struct ui_rect r, enum ui_font f, enum ui_color c, enum ui_align a,
              int max_lines, const char *s)
{
    float top = r.y;
    for (int line = 1; *s; line++) {
        size_t paragraph = strcspn(s, "\n");
        size_t n = line_length(u, f, s, paragraph, r.w);
        if (line == max_lines && (n < paragraph || s[n] != '\0')) {
            if (n == paragraph || width_n(u, f, s, paragraph) > r.w)
                n = paragraph;
            add_cut_line(u, r, f, c, a, s, n);
            r.y += ui_line_height(f);
            break;
        }
        add_line(u, r, f, c, a, s, n);
        r.y += ui_line_height(f);
        s += n;
        if (*s == ' ' || *s == '\n')
            s++;
    }
    return r.y - top;
}

float ui_text_height(struct ui *u, float width, enum ui_font f, int max_lines, const char *s)
{
    size_t count = u->count, len = u->text.len;
    float height = ui_text(u, (struct ui_rect){0, 0, width, 0}, f, UI_INK, UI_LEFT, max_lines, s);
    u->count = count;
    u->text.len = len;
    return height;
}

float ui_label(struct ui *u, float x, float y, enum ui_font f, enum ui_color c, const char *s)
{
    float w = ui_text_width(u, f, s);
    add_line(u, (struct ui_rect){x, y, w, 0}, f, c, UI_LEFT, s, strlen(s));
    return w;
}

static float cap_width(const struct ui *u, const char *key)
{
    return fmaxf(ui_text_width(u, UI_SMALL, key) + 2 * UI_GAP, ui_key_height());
}

float ui_key_height(void)
{
    return ui_line_height(UI_SMALL) + 0.5f * UI_GAP;
}

float ui_key_width(const struct ui *u, const char *key, const char *meaning)
{
    return cap_width(u, key) + (*meaning ? UI_GAP + ui_text_width(u, UI_SMALL, meaning) : 0.0f);
}

float ui_key(struct ui *u, float x, float y, const char *key, const char *meaning)
{
    struct ui_rect cap = {x, y, cap_width(u, key), ui_key_height()};
    float inside = y + 0.25f * UI_GAP;
    ui_fill(u, cap, UI_RAISED, 1.0f, UI_RADIUS_SMALL);
    ui_text(u, (struct ui_rect){x, inside, cap.w, 0}, UI_SMALL, UI_INK, UI_CENTER, 1, key);
    if (*meaning)
        ui_label(u, x + cap.w + UI_GAP, inside, UI_SMALL, UI_DIM, meaning);
    return ui_key_width(u, key, meaning);
}

/* ---- pointing ---- */

void ui_hit(struct ui *u, struct ui_rect r, int id)
{
    u->hits = mem_grow(u->hits, &u->hit_cap, u->hit_count + 1, sizeof *u->hits);
    u->hits[u->hit_count++] = (struct hit){r, id};
}

int ui_pick(const struct ui *u, float x, float y)
{
    for (size_t i = u->hit_count; i > 0; i--) {
        const struct ui_rect *r = &u->hits[i - 1].rect;
        if (x >= r->x && x < r->x + r->w && y >= r->y && y < r->y + r->h)
            return u->hits[i - 1].id;
    }
    return -1;
}

/* ---- geometry ---- */

struct ui_rect ui_inset(struct ui_rect r, float by)
{
    return (struct ui_rect){r.x + by, r.y + by, r.w - 2 * by, r.h - 2 * by};
}

struct ui_rect ui_cover(struct ui_rect r, float w, float h)
{
    if (!(w > 0.0f && h > 0.0f))
        return r;
    float zoom = fmaxf(r.w / w, r.h / h);
    return (struct ui_rect){r.x + 0.5f * (r.w - zoom * w), r.y + 0.5f * (r.h - zoom * h), zoom * w,
                            zoom * h};
}

/* ---- reading the list ---- */

const struct ui_command *ui_commands(const struct ui *u, size_t *count)
{
    *count = u->count;
    return u->commands;
}

const char *ui_command_text(const struct ui *u, const struct ui_command *c)
{
    return u->text.s + c->text;
}

static void dump_command(const struct ui *u, const struct ui_command *c, FILE *to)
{
    static const char *const names[] = {"fill", "stroke", "fade", "shade", "ring", "text", "video"};
    fprintf(to, "%-6s %6.1f %6.1f %6.1f %6.1f", names[c->kind], (double)c->rect.x,
            (double)c->rect.y, (double)c->rect.w, (double)c->rect.h);
    if (c->kind == UI_CMD_VIDEO)
        fprintf(to, "  picture %.1f %.1f %.1f %.1f", (double)c->picture.x, (double)c->picture.y,
                (double)c->picture.w, (double)c->picture.h);
    else if (c->kind == UI_CMD_TEXT)
        fprintf(to, "  %s %s \"%s\"", ui_font_name(c->font), ui_color_name(c->color),
                ui_command_text(u, c));
    else if (c->kind == UI_CMD_SHADE)
        fprintf(to, "  %s to %s", ui_color_name(c->color), ui_color_name(c->color_to));
    else
        fprintf(to, "  %s a=%.2f r=%.1f v=%.2f", ui_color_name(c->color), (double)c->alpha,
                (double)c->radius, (double)c->value);
    fputc('\n', to);
}

void ui_dump(const struct ui *u, FILE *to)
{
    for (size_t i = 0; i < u->count; i++)
        dump_command(u, &u->commands[i], to);
    for (size_t i = 0; i < u->hit_count; i++)
        fprintf(to, "hit    %6.1f %6.1f %6.1f %6.1f  %d\n", (double)u->hits[i].rect.x,
                (double)u->hits[i].rect.y, (double)u->hits[i].rect.w, (double)u->hits[i].rect.h,
                u->hits[i].id);
}
