/* The window: SDL2 behind a small interface. Replays a command list (ui.h), owns the camera
 * texture, the fonts and the text cache, and turns SDL's events into a few plain inputs.
 *
 * DESIGN. Accelerated renderer with vsync when there is a real graphics processor, else SDL's
 * software renderer (a GL that runs on the processor, such as llvmpipe, is slower than that one
 * and would take the detector's cores). All sizes come from the renderer's output, so text is
 * sharp on HiDPI. A point is `scale` pixels: the window is laid out like a 1280x720 (or 720x1280)
 * page that grows and shrinks with it within limits. The camera texture is mirrored while it is
 * filled; nothing else is ever flipped. When the graphics driver loses textures, UI_INPUT_RESET
 * asks for the picture again; everything else is rebuilt here.
 * Main thread only, except ui_sdl_wake(). */
#ifndef UI_UI_SDL_H
#define UI_UI_SDL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "ui/ui.h"

enum ui_key_code {
    UI_KEY_CHAR, /* a letter, digit or '?': in `letter`, letters in lower case */
    UI_KEY_SPACE,
    UI_KEY_ESCAPE,
    UI_KEY_ENTER,
    UI_KEY_TAB,
    UI_KEY_UP,
    UI_KEY_DOWN,
    UI_KEY_PAGE_UP,
    UI_KEY_PAGE_DOWN,
    UI_KEY_HOME,
    UI_KEY_END,
    UI_KEY_F1,
    UI_KEY_F11
};

enum ui_input_kind {
    UI_INPUT_NONE,    /* the time was up */
    UI_INPUT_WAKE,    /* ui_sdl_wake() was called */
    UI_INPUT_KEY,     /* key, letter, ctrl, alt, repeat */
    UI_INPUT_POINTER, /* pressed at x, y points, by mouse or touch */
    UI_INPUT_WHEEL,   /* `wheel` notches, up is positive */
    UI_INPUT_REDRAW,  /* size or exposure changed */
    UI_INPUT_RESET,   /* textures are gone: give the picture again */
    UI_INPUT_CLOSE    /* the window's close button */
};

struct ui_input {
    enum ui_input_kind kind;
    enum ui_key_code key;
    char letter;
    bool ctrl, alt, repeat, touch;
    float x, y;
    int wheel;
};

struct ui_sdl_params {
    const char *title;
    const char *font;  /* see fonts_create(); borrowed during create */
    int width, height; /* of the window, in the desktop's units */
    float zoom;        /* of everything drawn, 1: normal */
    bool fullscreen, hide_cursor, software;
    bool hidden; /* never shown: to see whether a window could be opened */
};

struct ui_sdl;

/* Opens the window; it shows the page colour at once. */
int ui_sdl_create(struct ui_sdl **out, const struct ui_sdl_params *p, struct err *err);
void ui_sdl_destroy(struct ui_sdl *s); /* NULL is allowed */

struct ui_metrics ui_sdl_metrics(struct ui_sdl *s); /* lives with s */

/* The page in points. */
void ui_sdl_size(struct ui_sdl *s, float *width, float *height);
const char *ui_sdl_renderer(const struct ui_sdl *s); /* "opengl", "software" */
bool ui_sdl_accelerated(const struct ui_sdl *s);
const char *ui_sdl_font_file(const struct ui_sdl *s);

/* Copies a BGR picture into the camera texture. */
int ui_sdl_video(struct ui_sdl *s, const uint8_t *bgr, int width, int height, int stride,
                 bool mirror, struct err *err);

void ui_sdl_present(struct ui_sdl *s, const struct ui *u);

/* What ui_sdl_present() would show, as BGR rows without gaps. *bgr is freed with free(). */
int ui_sdl_screenshot(struct ui_sdl *s, const struct ui *u, uint8_t **bgr, int *width, int *height,
                      struct err *err);

void ui_sdl_fullscreen(struct ui_sdl *s, bool on);

/* Waits for one input, at most timeout_ms (0: polls). Several wake-ups in a row may come as one. */
void ui_sdl_wait(struct ui_sdl *s, int timeout_ms, struct ui_input *out);

/* Makes ui_sdl_wait() return. Any thread; the only call that others may make, between create and
 * destroy. Fits wakeup_fn of vision/frame.h with s as payload. */
void ui_sdl_wake(void *s);

#endif
