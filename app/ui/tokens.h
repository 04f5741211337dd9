/* Design tokens: the one place for sizes, colours, spacing and radii of the window.
 *
 * All lengths are points: one pixel at scale 1 (see ui_begin). The seven emotion colours follow
 * Okabe and Ito, "Color Universal Design" (2008), whose palette is told apart by colour-blind
 * people; black and dark blue are lightened because panels are dark. Colour is never the only
 * sign: a word stands beside it. Text colours keep a contrast of 4.5:1 on UI_PANEL at
 * UI_PANEL_ALPHA over a white picture. */
#ifndef UI_TOKENS_H
#define UI_TOKENS_H

#include <stdint.h>

enum ui_font {
    UI_TINY,  /* captions of bars */
    UI_SMALL, /* second lines, hints */
    UI_BODY,
    UI_STRONG, /* body, semibold: names, titles of films */
    UI_LEAD,   /* running text to be read from afar */
    UI_TITLE,
    UI_LARGE, /* headings of a page */
    UI_HUGE,  /* the attract page */
    UI_GIANT, /* the countdown */
    UI_FONT_COUNT
};

enum ui_color {
    UI_INK,    /* text */
    UI_DIM,    /* second text */
    UI_ACCENT, /* the selected thing, stars */
    UI_PANEL,  /* behind text over the picture */
    UI_RAISED, /* key caps, tracks of bars, rows */
    UI_WARN,
    UI_GOOD,
    UI_NIGHT, /* the page behind everything, top */
    UI_DUSK,  /* the page behind everything, bottom */
    UI_ANGRY, /* the emotions, in the order of emotion.h */
    UI_DISGUST,
    UI_FEAR,
    UI_HAPPY,
    UI_SAD,
    UI_SURPRISE,
    UI_NEUTRAL,
    UI_COLOR_COUNT
};

struct ui_font_token {
    float size; /* points */
    int semibold;
    float leading; /* line height as a multiple of size */
};

struct ui_rgb {
    uint8_t r, g, b;
};

extern const struct ui_font_token ui_font_tokens[UI_FONT_COUNT];
extern const struct ui_rgb ui_rgb_tokens[UI_COLOR_COUNT];
const char *ui_font_name(enum ui_font f);   /* for dumps; static */
const char *ui_color_name(enum ui_color c); /* for dumps; static */

#define UI_GAP 8.0f /* the unit of spacing: multiples of it everywhere */
#define UI_MARGIN 24.0f
#define UI_RADIUS 14.0f
#define UI_RADIUS_SMALL 6.0f
#define UI_PANEL_ALPHA 0.84f

#endif
