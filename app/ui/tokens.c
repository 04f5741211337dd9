/* Values of the design tokens. */
#include "ui/tokens.h"

const struct ui_font_token ui_font_tokens[UI_FONT_COUNT] = {
    [UI_TINY] = {12.0f, 0, 1.25f},  [UI_SMALL] = {14.5f, 0, 1.38f}, [UI_BODY] = {17.0f, 0, 1.42f},
    [UI_STRONG] = {17.0f, 1, 1.3f}, [UI_LEAD] = {22.0f, 0, 1.36f},  [UI_TITLE] = {23.0f, 1, 1.26f},
    [UI_LARGE] = {34.0f, 1, 1.2f},  [UI_HUGE] = {54.0f, 1, 1.12f},  [UI_GIANT] = {110.0f, 1, 1.0f},
};

const struct ui_rgb ui_rgb_tokens[UI_COLOR_COUNT] = {
    [UI_INK] = {0xF6, 0xF7, 0xF9},      [UI_DIM] = {0xBF, 0xC7, 0xD3},
    [UI_ACCENT] = {0xFF, 0xC8, 0x57},   [UI_PANEL] = {0x0D, 0x11, 0x1A},
    [UI_RAISED] = {0x2A, 0x33, 0x44},   [UI_WARN] = {0xFF, 0x8A, 0x5C},
    [UI_GOOD] = {0x4F, 0xD1, 0xA5},     [UI_NIGHT] = {0x0B, 0x0F, 0x1A},
    [UI_DUSK] = {0x1C, 0x25, 0x3D},     [UI_ANGRY] = {0xE8, 0x6A, 0x33},
    [UI_DISGUST] = {0x2F, 0xB5, 0x8C},  [UI_FEAR] = {0xD6, 0x8A, 0xB8},
    [UI_HAPPY] = {0xF5, 0xE6, 0x4A},    [UI_SAD] = {0x5A, 0xB4, 0xEC},
    [UI_SURPRISE] = {0xF2, 0xAE, 0x2E}, [UI_NEUTRAL] = {0xC9, 0xCF, 0xD8},
};

const char *ui_font_name(enum ui_font f)
{
    static const char *const names[UI_FONT_COUNT] = {"tiny",  "small", "body", "strong", "lead",
                                                     "title", "large", "huge", "giant"};
    return names[f];
}

const char *ui_color_name(enum ui_color c)
{
    static const char *const names[UI_COLOR_COUNT] = {
        "ink",  "dim",   "accent",  "panel", "raised", "warn", "good",     "night",
        "dusk", "angry", "disgust", "fear",  "happy",  "sad",  "surprise", "neutral"};
    return names[c];
}
