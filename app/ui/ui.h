/* Immediate-mode drawing into a command list. No SDL here: what a view draws can be tested as text.
 *
 * Every frame: ui_begin(), calls below in painter's order, then a back-end replays ui_commands().
 * All lengths are points; one point is `scale` pixels. Text is wrapped and cut here, by the metrics
 * of whoever owns the fonts, so that a dump shows the lines as they will appear.
 * Single threaded. */
#ifndef UI_UI_H
#define UI_UI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "ui/tokens.h"

struct ui_rect {
    float x, y, w, h;
};

enum ui_align { UI_LEFT, UI_CENTER, UI_RIGHT };

enum ui_kind {
    UI_CMD_FILL,   /* filled rectangle with round corners */
    UI_CMD_STROKE, /* its outline, `value` points thick, drawn inside the rectangle */
    UI_CMD_FADE,   /* vertical fade of one colour from alpha to `value`; slow over large areas */
    UI_CMD_SHADE,  /* opaque vertical shade from `color` to `color_to`; fast */
    UI_CMD_RING,   /* circle of dots in the rectangle, the fraction `value` of them lit */
    UI_CMD_TEXT,   /* one line, its box at x, y; w is the measured width */
    UI_CMD_VIDEO   /* the camera picture stretched over `picture`, cut to the rectangle */
};

struct ui_command {
    enum ui_kind kind;
    struct ui_rect rect, picture;
    enum ui_color color, color_to;
    enum ui_font font;
    float alpha, radius, value;
    size_t text; /* offset for ui_command_text() */
};

/* Who owns the fonts measures them. Widths and heights in points. */
struct ui_metrics {
    float (*text_width)(enum ui_font f, const char *s, size_t n, void *payload);
    void *payload;
};

struct ui;
struct ui *ui_create(struct ui_metrics m); /* m.payload must outlive it */
void ui_destroy(struct ui *u);             /* NULL is allowed */

/* Empties the list. width and height are points. */
void ui_begin(struct ui *u, float width, float height);
float ui_width(const struct ui *u);
float ui_height(const struct ui *u);

/* ---- drawing ---- */
void ui_fill(struct ui *u, struct ui_rect r, enum ui_color c, float alpha, float radius);
void ui_stroke(struct ui *u, struct ui_rect r, enum ui_color c, float alpha, float radius,
               float thickness);
void ui_fade(struct ui *u, struct ui_rect r, enum ui_color c, float alpha_top, float alpha_bottom);
void ui_shade(struct ui *u, struct ui_rect r, enum ui_color top, enum ui_color bottom);
void ui_ring(struct ui *u, struct ui_rect r, enum ui_color c, float fraction);
/* A soft panel behind text over the picture. */
void ui_panel(struct ui *u, struct ui_rect r);
/* A track with its first part filled; value is cut to 0 .. 1. */
void ui_bar(struct ui *u, struct ui_rect r, float value, enum ui_color c);
void ui_video(struct ui *u, struct ui_rect visible, struct ui_rect picture);

/* ---- text ---- */
float ui_text_width(const struct ui *u, enum ui_font f, const char *s);
float ui_line_height(enum ui_font f);
/* Wraps `s` into r, at most max_lines (0: as many as needed); what does not fit ends in an
 * ellipsis. Only the width of r counts. Returns the height used. '\n' begins a new line. */
float ui_text(struct ui *u, struct ui_rect r, enum ui_font f, enum ui_color c, enum ui_align a,
              int max_lines, const char *s);
/* The height that ui_text() would use, without drawing. */
float ui_text_height(struct ui *u, float width, enum ui_font f, int max_lines, const char *s);
/* One line at x, y; returns its width. */
float ui_label(struct ui *u, float x, float y, enum ui_font f, enum ui_color c, const char *s);
/* A key cap with its meaning beside it, x, y the top left corner; returns the width. */
float ui_key(struct ui *u, float x, float y, const char *key, const char *meaning);
float ui_key_width(const struct ui *u, const char *key, const char *meaning);
float ui_key_height(void);

/* ---- pointing: mouse and touch ---- */
/* Makes r answer with `id` (>= 0). Later ones lie on top. */
void ui_hit(struct ui *u, struct ui_rect r, int id);
/* The id under a point, -1: nothing. */
int ui_pick(const struct ui *u, float x, float y);

/* ---- geometry ---- */
struct ui_rect ui_inset(struct ui_rect r, float by);
/* The rectangle in which a w x h picture covers r completely, centred, keeping its shape. */
struct ui_rect ui_cover(struct ui_rect r, float w, float h);

/* ---- reading the list ---- */
const struct ui_command *ui_commands(const struct ui *u, size_t *count);
const char *ui_command_text(const struct ui *u, const struct ui_command *c);
/* One line per command and per hit area, for golden tests. */
void ui_dump(const struct ui *u, FILE *to);

#endif
