/* Window, renderer choice, inputs. */
#include "ui/ui_sdl.h"

#include <SDL.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ui/fonts.h"
#include "ui/paint.h"

#define PAGE_LONG 1280.0f /* the page that is 1 point = 1 pixel */
#define PAGE_SHORT 720.0f
#define ZOOM_MIN 0.75f /* smaller windows cut the page instead of shrinking text further */
#define ZOOM_MAX 3.0f

struct ui_sdl {
    SDL_Window *window;
    SDL_Renderer *renderer;
    SDL_RendererInfo info;
    struct fonts *fonts;
    struct paint *paint;
    float zoom, scale; /* scale: pixels per point */
    int width, height; /* of the output, pixels */
    SDL_Rect windowed; /* where the window was before it filled the screen */
    Uint32 wake_event;
    SDL_atomic_t wake_pending; /* keeps wake-ups from piling up in SDL's queue */
    Uint32 question_ms;        /* when a '?' came as a key: its text is the same press */
};

/* True for an OpenGL that runs on the processor. The renderer's context is current. */
static bool drawn_by_processor(void)
{
    typedef const unsigned char *(*get_string)(unsigned);
    static const char *const names[] = {"llvmpipe", "softpipe", "SwiftShader"};
    enum { GL_RENDERER_NAME = 0x1F01 };
    void *address = SDL_GL_GetProcAddress("glGetString");
    get_string get = NULL;
    memcpy(&get, &address, sizeof get);
    const char *name = get ? (const char *)get(GL_RENDERER_NAME) : NULL;
    for (int i = 0; name && i < 3; i++)
        if (strstr(name, names[i]))
            return true;
    return false;
}

/* Wayland shows what a GL has drawn: there even SDL's software renderer ends in a GL texture, and
 * a GL on the processor is the shorter way. SDL decides about that texture once, at the first
 * software renderer. */
static bool screen_wants_gl(void)
{
    return strcmp(SDL_GetCurrentVideoDriver(), "wayland") == 0;
}

static void open_renderer(struct ui_sdl *s, bool software)
{
    bool gl = screen_wants_gl();
    if (!software && !SDL_GetHint(SDL_HINT_RENDER_DRIVER)) {
        s->renderer =
            SDL_CreateRenderer(s->window, -1, SDL_RENDERER_ACCELERATED | SDL_RENDERER_PRESENTVSYNC);
        if (s->renderer && !gl && SDL_GetRendererInfo(s->renderer, &s->info) == 0 &&
            strncmp(s->info.name, "opengl", 6) == 0 && drawn_by_processor()) {
            SDL_DestroyRenderer(s->renderer);
            s->renderer = NULL;
        }
    }
    if (!s->renderer) {
        if (!gl)
            SDL_SetHint(SDL_HINT_FRAMEBUFFER_ACCELERATION, "0");
        s->renderer = SDL_CreateRenderer(s->window, -1, SDL_RENDERER_SOFTWARE);
    }
    if (s->renderer)
        SDL_GetRendererInfo(s->renderer, &s->info);
}

static void update_scale(struct ui_sdl *s)
{
    int points_w = 0, points_h = 0;
    SDL_GetRendererOutputSize(s->renderer, &s->width, &s->height);
    SDL_GetWindowSize(s->window, &points_w, &points_h);
    float longer = (float)SDL_max(s->width, s->height);
    float shorter = (float)SDL_min(s->width, s->height);
    float density = points_w > 0 ? (float)s->width / (float)points_w : 1.0f;
    float fit = fminf(longer / PAGE_LONG, shorter / PAGE_SHORT) / density;
    s->scale = s->zoom * density * fminf(fmaxf(fit, ZOOM_MIN), ZOOM_MAX);
    fonts_set_scale(s->fonts, s->scale);
}

static int open_window(struct ui_sdl *s, const struct ui_sdl_params *p, struct err *err)
{
    Uint32 flags =
        SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI | (p->hidden ? SDL_WINDOW_HIDDEN : 0u);
    SDL_Rect at = {SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED, p->width, p->height};
    if (p->fullscreen)
        SDL_GetDisplayBounds(0, &at); /* born at full size: see ui_sdl_fullscreen() */
    s->window = SDL_CreateWindow(p->title, at.x, at.y, at.w, at.h, flags);
    if (!s->window)
        return err_set(err, ERR_IO, "no window: %s", SDL_GetError());
    s->windowed = (SDL_Rect){SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED, p->width, p->height};
    if (p->fullscreen)
        SDL_SetWindowFullscreen(s->window, SDL_WINDOW_FULLSCREEN_DESKTOP);
    open_renderer(s, p->software);
    if (!s->renderer)
        return err_set(err, ERR_IO, "no renderer: %s", SDL_GetError());
    SDL_SetWindowMinimumSize(s->window, 480, 320);
    SDL_ShowCursor(p->hide_cursor ? SDL_DISABLE : SDL_ENABLE);
    SDL_StartTextInput(); /* '?' lies elsewhere on every keyboard */
    return ERR_OK;
}

static void show_page_color(struct ui_sdl *s)
{
    struct ui_rgb night = ui_rgb_tokens[UI_NIGHT];
    SDL_SetRenderDrawColor(s->renderer, night.r, night.g, night.b, 255);
    SDL_RenderClear(s->renderer);
    SDL_RenderPresent(s->renderer);
}

int ui_sdl_create(struct ui_sdl **out, const struct ui_sdl_params *p, struct err *err)
{
    *out = NULL;
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1"); /* the program has its own */
    SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "0");
    SDL_SetHint(SDL_HINT_APP_NAME, p->title);
    setenv("SDL_VIDEO_X11_WMCLASS", p->title, 0); /* else the name of the program's file */
    if (SDL_Init(SDL_INIT_VIDEO) < 0)
        return err_set(err, ERR_IO, "no screen to draw on: %s", SDL_GetError());
    struct ui_sdl *s = mem_new(1, sizeof *s);
    s->zoom = p->zoom;
    s->wake_event = SDL_RegisterEvents(1);
    int code = open_window(s, p, err);
    if (code == ERR_OK) {
        show_page_color(s);
        code = fonts_create(&s->fonts, p->font, err);
    }
    if (code < 0) {
        ui_sdl_destroy(s);
        return code;
    }
    s->paint = paint_create(s->renderer, s->fonts);
    update_scale(s);
    *out = s;
    return ERR_OK;
}

void ui_sdl_destroy(struct ui_sdl *s)
{
    if (!s)
        return;
    paint_destroy(s->paint);
    fonts_destroy(s->fonts);
    if (s->renderer)
        SDL_DestroyRenderer(s->renderer);
    if (s->window)
        SDL_DestroyWindow(s->window);
    SDL_Quit();
    free(s);
}

static float measure(enum ui_font f, const char *s, size_t n, void *payload)
{
    struct ui_sdl *self = payload;
    return fonts_width(self->fonts, f, s, n);
}

struct ui_metrics ui_sdl_metrics(struct ui_sdl *s)
{
    return (struct ui_metrics){measure, s};
}

void ui_sdl_size(struct ui_sdl *s, float *width, float *height)
{
    *width = (float)s->width / s->scale;
    *height = (float)s->height / s->scale;
}

const char *ui_sdl_renderer(const struct ui_sdl *s)
{
    return s->info.name;
}

bool ui_sdl_accelerated(const struct ui_sdl *s)
{
    return (s->info.flags & SDL_RENDERER_ACCELERATED) != 0;
}

const char *ui_sdl_font_file(const struct ui_sdl *s)
{
    return fonts_file(s->fonts);
}

int ui_sdl_video(struct ui_sdl *s, const uint8_t *bgr, int width, int height, int stride,
                 bool mirror, struct err *err)
{
    return paint_video(s->paint, bgr, width, height, stride, mirror, err);
}

void ui_sdl_present(struct ui_sdl *s, const struct ui *u)
{
    paint_draw(s->paint, u, s->scale);
    SDL_RenderPresent(s->renderer);
}

int ui_sdl_screenshot(struct ui_sdl *s, const struct ui *u, uint8_t **bgr, int *width, int *height,
                      struct err *err)
{
    *bgr = malloc((size_t)s->width * (size_t)s->height * 3);
    if (!*bgr)
        return err_set(err, ERR_NO_MEMORY, "no memory for a screenshot");
    *width = s->width;
    *height = s->height;
    paint_draw(s->paint, u, s->scale);
    if (SDL_RenderReadPixels(s->renderer, NULL, SDL_PIXELFORMAT_BGR24, *bgr, s->width * 3) == 0)
        return ERR_OK;
    free(*bgr);
    *bgr = NULL;
    return err_set(err, ERR_IO, "cannot read the window: %s", SDL_GetError());
}

/* Full screen is a wish that the window manager grants. Where none runs (a bare kiosk's X server)
 * the window covers the screen all the same, because it has been given its size before. */
void ui_sdl_fullscreen(struct ui_sdl *s, bool on)
{
    SDL_Rect screen;
    int display = SDL_GetWindowDisplayIndex(s->window);
    if (on && SDL_GetDisplayBounds(display < 0 ? 0 : display, &screen) == 0) {
        SDL_GetWindowPosition(s->window, &s->windowed.x, &s->windowed.y);
        SDL_GetWindowSize(s->window, &s->windowed.w, &s->windowed.h);
        SDL_SetWindowPosition(s->window, screen.x, screen.y);
        SDL_SetWindowSize(s->window, screen.w, screen.h);
    }
    SDL_SetWindowFullscreen(s->window, on ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
    if (!on) {
        SDL_SetWindowSize(s->window, s->windowed.w, s->windowed.h);
        SDL_SetWindowPosition(s->window, s->windowed.x, s->windowed.y);
    }
}

/* ---- inputs ---- */

static bool named_key(SDL_Keycode sym, enum ui_key_code *out)
{
    static const struct {
        SDL_Keycode sym;
        enum ui_key_code key;
    } table[] = {
        {SDLK_SPACE, UI_KEY_SPACE},
        {SDLK_ESCAPE, UI_KEY_ESCAPE},
        {SDLK_RETURN, UI_KEY_ENTER},
        {SDLK_KP_ENTER, UI_KEY_ENTER},
        {SDLK_TAB, UI_KEY_TAB},
        {SDLK_UP, UI_KEY_UP},
        {SDLK_DOWN, UI_KEY_DOWN},
        {SDLK_LEFT, UI_KEY_PAGE_UP},
        {SDLK_RIGHT, UI_KEY_PAGE_DOWN},
        {SDLK_PAGEUP, UI_KEY_PAGE_UP},
        {SDLK_PAGEDOWN, UI_KEY_PAGE_DOWN},
        {SDLK_HOME, UI_KEY_HOME},
        {SDLK_END, UI_KEY_END},
        {SDLK_F1, UI_KEY_F1},
        {SDLK_F11, UI_KEY_F11},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].sym == sym) {
            *out = table[i].key;
            return true;
        }
    }
    return false;
}

/* Digits by place, because some layouts have them behind Shift; letters by what is on the key. */
static char key_letter(const SDL_Keysym *k)
{
    if (k->scancode >= SDL_SCANCODE_1 && k->scancode <= SDL_SCANCODE_9)
        return (char)('1' + (k->scancode - SDL_SCANCODE_1));
    if (k->scancode >= SDL_SCANCODE_KP_1 && k->scancode <= SDL_SCANCODE_KP_9)
        return (char)('1' + (k->scancode - SDL_SCANCODE_KP_1));
    if (k->scancode == SDL_SCANCODE_0 || k->scancode == SDL_SCANCODE_KP_0)
        return '0';
    if (k->sym == SDLK_QUESTION || (k->sym == SDLK_SLASH && (k->mod & KMOD_SHIFT)))
        return '?';
    return k->sym >= 'a' && k->sym <= 'z' ? (char)k->sym : '\0';
}

static void take_key(struct ui_sdl *s, const SDL_KeyboardEvent *e, struct ui_input *out)
{
    out->ctrl = (e->keysym.mod & KMOD_CTRL) != 0;
    out->alt = (e->keysym.mod & KMOD_ALT) != 0;
    out->repeat = e->repeat != 0;
    out->letter = key_letter(&e->keysym);
    out->key = UI_KEY_CHAR;
    if (out->letter == '?')
        s->question_ms = e->timestamp;
    if (out->letter || named_key(e->keysym.sym, &out->key))
        out->kind = UI_INPUT_KEY;
}

static void take_text(struct ui_sdl *s, const SDL_TextInputEvent *e, struct ui_input *out)
{
    enum { SAME_PRESS_MS = 100 };
    if (strcmp(e->text, "?") != 0 ||
        (s->question_ms && e->timestamp - s->question_ms < SAME_PRESS_MS))
        return;
    *out = (struct ui_input){.kind = UI_INPUT_KEY, .key = UI_KEY_CHAR, .letter = '?'};
}

static void take_pointer(struct ui_sdl *s, const SDL_MouseButtonEvent *e, struct ui_input *out)
{
    int w = 1, h = 1;
    if (e->button != SDL_BUTTON_LEFT)
        return;
    SDL_GetWindowSize(s->window, &w, &h);
    out->kind = UI_INPUT_POINTER;
    out->touch = e->which == SDL_TOUCH_MOUSEID; /* SDL makes a click of each touch */
    out->x = (float)e->x * (float)s->width / (float)w / s->scale;
    out->y = (float)e->y * (float)s->height / (float)h / s->scale;
}

static void take_window(struct ui_sdl *s, const SDL_WindowEvent *e, struct ui_input *out)
{
    if (e->event == SDL_WINDOWEVENT_SIZE_CHANGED || e->event == SDL_WINDOWEVENT_DISPLAY_CHANGED)
        update_scale(s);
    else if (e->event != SDL_WINDOWEVENT_EXPOSED && e->event != SDL_WINDOWEVENT_SHOWN)
        return;
    out->kind = UI_INPUT_REDRAW;
}

static void translate(struct ui_sdl *s, const SDL_Event *e, struct ui_input *out)
{
    if (e->type == s->wake_event) {
        SDL_AtomicSet(&s->wake_pending, 0);
        out->kind = UI_INPUT_WAKE;
        return;
    }
    switch (e->type) {
    case SDL_QUIT:
        out->kind = UI_INPUT_CLOSE;
        break;
    case SDL_KEYDOWN:
        take_key(s, &e->key, out);
        break;
    case SDL_TEXTINPUT:
        take_text(s, &e->text, out);
        break;
    case SDL_MOUSEBUTTONDOWN:
        take_pointer(s, &e->button, out);
        break;
    case SDL_MOUSEWHEEL:
        out->kind = UI_INPUT_WHEEL;
        out->wheel = e->wheel.y;
        break;
    case SDL_WINDOWEVENT:
        take_window(s, &e->window, out);
        break;
    case SDL_RENDER_TARGETS_RESET:
    case SDL_RENDER_DEVICE_RESET:
        paint_forget(s->paint);
        out->kind = UI_INPUT_RESET;
        break;
    default:
        break;
    }
}

void ui_sdl_wait(struct ui_sdl *s, int timeout_ms, struct ui_input *out)
{
    SDL_Event e;
    *out = (struct ui_input){.kind = UI_INPUT_NONE};
    if (SDL_WaitEventTimeout(&e, timeout_ms))
        translate(s, &e, out);
}

void ui_sdl_wake(void *payload)
{
    struct ui_sdl *s = payload;
    SDL_Event e = {0};
    e.type = s->wake_event;
    if (SDL_AtomicCAS(&s->wake_pending, 0, 1) && SDL_PushEvent(&e) != 1)
        SDL_AtomicSet(&s->wake_pending, 0);
}
