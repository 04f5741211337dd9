/* Shapes, text cache, camera texture. */
#include "ui/paint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
    SHAPES_MAX = 64,
    TEXT_BUCKETS = 512,
    TEXT_KEEP = 240, /* frames that an unused line of text is kept */
    RING_DOTS = 60
};

/* A disc (thickness 0) or ring of `radius` pixels, white, anti-aliased, 2 * radius square. */
struct shape {
    int radius, thickness;
    SDL_Texture *texture;
};

struct line {
    struct line *next;
    enum ui_font font;
    char *text;
    SDL_Texture *texture; /* NULL: nothing to draw */
    int width, height, baseline;
    uint32_t used; /* frame that last drew it */
};

struct paint {
    SDL_Renderer *renderer;
    struct fonts *fonts;
    float scale;
    uint32_t frame;
    struct shape shape[SHAPES_MAX];
    int shape_count;
    struct line *bucket[TEXT_BUCKETS];
    SDL_Texture *video;
    int video_width, video_height;
};

struct paint *paint_create(SDL_Renderer *renderer, struct fonts *fonts)
{
    struct paint *p = mem_new(1, sizeof *p);
    p->renderer = renderer;
    p->fonts = fonts;
    return p;
}

static void free_lines(struct paint *p, uint32_t older_than)
{
    for (int b = 0; b < TEXT_BUCKETS; b++) {
        for (struct line **at = &p->bucket[b]; *at;) {
            struct line *l = *at;
            if (p->frame - l->used < older_than) {
                at = &l->next;
                continue;
            }
            *at = l->next;
            if (l->texture)
                SDL_DestroyTexture(l->texture);
            free(l->text);
            free(l);
        }
    }
}

void paint_forget(struct paint *p)
{
    free_lines(p, 0);
    for (int i = 0; i < p->shape_count; i++)
        SDL_DestroyTexture(p->shape[i].texture);
    p->shape_count = 0;
    if (p->video)
        SDL_DestroyTexture(p->video);
    p->video = NULL;
}

void paint_destroy(struct paint *p)
{
    if (!p)
        return;
    paint_forget(p);
    free(p);
}

/* ---- the camera picture ---- */

static void copy_row(const uint8_t *bgr, int width, bool mirror, uint32_t *out)
{
    int step = mirror ? -1 : 1;
    uint32_t *to = mirror ? out + width - 1 : out;
    for (int x = 0; x < width; x++, to += step, bgr += 3)
        *to = 0xFF000000u | (uint32_t)bgr[2] << 16 | (uint32_t)bgr[1] << 8 | bgr[0];
}

int paint_video(struct paint *p, const uint8_t *bgr, int width, int height, int stride, bool mirror,
                struct err *err)
{
    void *pixels;
    int pitch;
    if (!p->video || p->video_width != width || p->video_height != height) {
        if (p->video)
            SDL_DestroyTexture(p->video);
        /* The software renderer stretches this format on its fast path. */
        p->video = SDL_CreateTexture(p->renderer, SDL_PIXELFORMAT_RGB888,
                                     SDL_TEXTUREACCESS_STREAMING, width, height);
        if (!p->video)
            return err_set(err, ERR_IO, "no texture for the picture: %s", SDL_GetError());
        SDL_SetTextureBlendMode(p->video, SDL_BLENDMODE_NONE);
        SDL_SetTextureScaleMode(p->video, SDL_ScaleModeLinear);
        p->video_width = width;
        p->video_height = height;
    }
    if (SDL_LockTexture(p->video, NULL, &pixels, &pitch) < 0)
        return err_set(err, ERR_IO, "cannot fill the picture's texture: %s", SDL_GetError());
    for (int y = 0; y < height; y++)
        copy_row(bgr + (size_t)y * (size_t)stride, width, mirror,
                 (uint32_t *)(void *)((uint8_t *)pixels + (size_t)y * (size_t)pitch));
    SDL_UnlockTexture(p->video);
    return ERR_OK;
}

static SDL_Rect to_pixels(const struct paint *p, struct ui_rect r)
{
    int x = (int)lroundf(r.x * p->scale), y = (int)lroundf(r.y * p->scale);
    int right = (int)lroundf((r.x + r.w) * p->scale);
    int bottom = (int)lroundf((r.y + r.h) * p->scale);
    return (SDL_Rect){x, y, right - x, bottom - y};
}

/* Only the visible part is stretched: the source rectangle is cut, not the drawing. */
static void draw_video(struct paint *p, const struct ui_command *c)
{
    SDL_Rect to = to_pixels(p, c->rect);
    if (!p->video || c->picture.w <= 0 || c->picture.h <= 0)
        return;
    float zx = (float)p->video_width / c->picture.w, zy = (float)p->video_height / c->picture.h;
    SDL_Rect from = {(int)lroundf((c->rect.x - c->picture.x) * zx),
                     (int)lroundf((c->rect.y - c->picture.y) * zy), (int)lroundf(c->rect.w * zx),
                     (int)lroundf(c->rect.h * zy)};
    SDL_RenderCopy(p->renderer, p->video, &from, &to);
}

/* ---- shapes ---- */

static uint8_t coverage(float inside)
{
    return (uint8_t)lroundf(255.0f * fminf(fmaxf(inside + 0.5f, 0.0f), 1.0f));
}

static SDL_Texture *make_shape(struct paint *p, int radius, int thickness)
{
    int side = 2 * radius;
    uint32_t *px = mem_new((size_t)side * (size_t)side, sizeof *px);
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
            float d = hypotf((float)(x - radius) + 0.5f, (float)(y - radius) + 0.5f);
            float inside = (float)radius - d;
            if (thickness > 0)
                inside = fminf(inside, d - (float)(radius - thickness));
            px[y * side + x] = (uint32_t)coverage(inside) << 24 | 0xFFFFFFu;
        }
    }
    SDL_Texture *t = SDL_CreateTexture(p->renderer, SDL_PIXELFORMAT_ARGB8888,
                                       SDL_TEXTUREACCESS_STATIC, side, side);
    if (t) {
        SDL_UpdateTexture(t, NULL, px, side * 4);
        SDL_SetTextureBlendMode(t, SDL_BLENDMODE_BLEND);
    }
    free(px);
    return t;
}

static SDL_Texture *find_shape(struct paint *p, int radius, int thickness)
{
    for (int i = 0; i < p->shape_count; i++)
        if (p->shape[i].radius == radius && p->shape[i].thickness == thickness)
            return p->shape[i].texture;
    SDL_Texture *made = make_shape(p, radius, thickness);
    if (!made)
        return NULL;
    if (p->shape_count == SHAPES_MAX) { /* many sizes at once: begin again */
        for (int i = 0; i < p->shape_count; i++)
            SDL_DestroyTexture(p->shape[i].texture);
        p->shape_count = 0;
    }
    p->shape[p->shape_count++] = (struct shape){radius, thickness, made};
    return made;
}

static void set_color(struct paint *p, enum ui_color c, float alpha)
{
    struct ui_rgb rgb = ui_rgb_tokens[c];
    uint8_t a = (uint8_t)lroundf(255.0f * fminf(fmaxf(alpha, 0.0f), 1.0f));
    SDL_SetRenderDrawColor(p->renderer, rgb.r, rgb.g, rgb.b, a);
}

static void tint(SDL_Texture *t, enum ui_color c, float alpha)
{
    struct ui_rgb rgb = ui_rgb_tokens[c];
    SDL_SetTextureColorMod(t, rgb.r, rgb.g, rgb.b);
    SDL_SetTextureAlphaMod(t, (uint8_t)lroundf(255.0f * fminf(fmaxf(alpha, 0.0f), 1.0f)));
}

static void fill(struct paint *p, int x, int y, int w, int h)
{
    SDL_Rect r = {x, y, w, h};
    if (w > 0 && h > 0)
        SDL_RenderFillRect(p->renderer, &r);
}

/* The four quarters of a shape at the corners of r. */
static void corners(struct paint *p, SDL_Texture *t, SDL_Rect r, int radius)
{
    for (int i = 0; i < 4; i++) {
        int right = i & 1, low = i >> 1;
        SDL_Rect from = {right * radius, low * radius, radius, radius};
        SDL_Rect to = {right ? r.x + r.w - radius : r.x, low ? r.y + r.h - radius : r.y, radius,
                       radius};
        SDL_RenderCopy(p->renderer, t, &from, &to);
    }
}

static int radius_pixels(const struct paint *p, float radius, SDL_Rect r)
{
    int wanted = (int)lroundf(radius * p->scale);
    return SDL_min(wanted, SDL_min(r.w, r.h) / 2);
}

static void draw_fill(struct paint *p, const struct ui_command *c)
{
    SDL_Rect r = to_pixels(p, c->rect);
    int radius = radius_pixels(p, c->radius, r);
    SDL_Texture *disc = radius > 0 ? find_shape(p, radius, 0) : NULL;
    set_color(p, c->color, c->alpha);
    if (!disc) {
        fill(p, r.x, r.y, r.w, r.h);
        return;
    }
    fill(p, r.x + radius, r.y, r.w - 2 * radius, radius);
    fill(p, r.x, r.y + radius, r.w, r.h - 2 * radius);
    fill(p, r.x + radius, r.y + r.h - radius, r.w - 2 * radius, radius);
    tint(disc, c->color, c->alpha);
    corners(p, disc, r, radius);
}

static void draw_stroke(struct paint *p, const struct ui_command *c)
{
    SDL_Rect r = to_pixels(p, c->rect);
    int radius = radius_pixels(p, c->radius, r);
    int t = SDL_max(1, (int)lroundf(c->value * p->scale));
    SDL_Texture *ring = radius > t ? find_shape(p, radius, t) : NULL;
    if (!ring)
        radius = t;
    set_color(p, c->color, c->alpha);
    fill(p, r.x + radius, r.y, r.w - 2 * radius, t);
    fill(p, r.x + radius, r.y + r.h - t, r.w - 2 * radius, t);
    fill(p, r.x, r.y + radius, t, r.h - 2 * radius);
    fill(p, r.x + r.w - t, r.y + radius, t, r.h - 2 * radius);
    if (ring) {
        tint(ring, c->color, c->alpha);
        corners(p, ring, r, radius);
    }
}

static void draw_fade(struct paint *p, const struct ui_command *c)
{
    SDL_Rect r = to_pixels(p, c->rect);
    int step = SDL_max(1, r.h / 128);
    for (int y = 0; y < r.h; y += step) {
        float at = (float)y / (float)r.h;
        set_color(p, c->color, c->alpha + at * (c->value - c->alpha));
        fill(p, r.x, r.y + y, r.w, SDL_min(step, r.h - y));
    }
}

static uint8_t between(uint8_t a, uint8_t b, float at)
{
    return (uint8_t)lroundf((float)a + at * ((float)b - (float)a));
}

static void draw_shade(struct paint *p, const struct ui_command *c)
{
    SDL_Rect r = to_pixels(p, c->rect);
    struct ui_rgb top = ui_rgb_tokens[c->color], low = ui_rgb_tokens[c->color_to];
    int step = SDL_max(1, r.h / 64); /* the colours are close: more steps would look the same */
    for (int y = 0; y < r.h; y += step) {
        float at = (float)y / (float)r.h;
        SDL_SetRenderDrawColor(p->renderer, between(top.r, low.r, at), between(top.g, low.g, at),
                               between(top.b, low.b, at), 255);
        fill(p, r.x, r.y + y, r.w, SDL_min(step, r.h - y));
    }
}

static void draw_ring(struct paint *p, const struct ui_command *c)
{
    SDL_Rect r = to_pixels(p, c->rect);
    float outer = 0.5f * (float)SDL_min(r.w, r.h);
    int dot = SDL_max(2, (int)lroundf(outer * 0.035f));
    SDL_Texture *disc = find_shape(p, dot, 0);
    for (int i = 0; disc && i < RING_DOTS; i++) {
        float turn = (float)i / RING_DOTS, angle = 6.2831853f * turn - 1.5707963f;
        bool lit = turn < c->value;
        SDL_Rect to = {r.x + (int)lroundf(outer + (outer - (float)dot) * cosf(angle)) - dot,
                       r.y + (int)lroundf(outer + (outer - (float)dot) * sinf(angle)) - dot,
                       2 * dot, 2 * dot};
        tint(disc, lit ? c->color : UI_RAISED, lit ? 1.0f : 0.6f);
        SDL_RenderCopy(p->renderer, disc, NULL, &to);
    }
}

/* ---- text ---- */

static uint32_t hash_text(const char *s, enum ui_font font)
{
    uint32_t h = 2166136261u ^ (uint32_t)font; /* FNV-1a */
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 16777619u;
    return h;
}

static void render_line(struct paint *p, struct line *l)
{
    SDL_Surface *made = fonts_render(p->fonts, l->font, l->text, &l->baseline);
    if (!made)
        return;
    l->texture = SDL_CreateTextureFromSurface(p->renderer, made);
    l->width = made->w;
    l->height = made->h;
    if (l->texture)
        SDL_SetTextureBlendMode(l->texture, SDL_BLENDMODE_BLEND);
    SDL_FreeSurface(made);
}

static struct line *find_line(struct paint *p, enum ui_font font, const char *text)
{
    struct line **bucket = &p->bucket[hash_text(text, font) % TEXT_BUCKETS];
    for (struct line *l = *bucket; l; l = l->next)
        if (l->font == font && strcmp(l->text, text) == 0)
            return l;
    struct line *made = mem_new(1, sizeof *made);
    made->font = font;
    made->text = mem_strdup(text);
    made->next = *bucket;
    *bucket = made;
    render_line(p, made);
    return made;
}

static void draw_text(struct paint *p, const struct ui *u, const struct ui_command *c)
{
    struct line *l = find_line(p, c->font, ui_command_text(u, c));
    l->used = p->frame;
    if (!l->texture)
        return;
    SDL_Rect to = {(int)lroundf(c->rect.x * p->scale),
                   (int)lroundf(c->rect.y * p->scale) + fonts_baseline(p->fonts, c->font) -
                       l->baseline,
                   l->width, l->height};
    tint(l->texture, c->color, c->alpha);
    SDL_RenderCopy(p->renderer, l->texture, NULL, &to);
}

static void draw(struct paint *p, const struct ui *u, const struct ui_command *c)
{
    switch (c->kind) {
    case UI_CMD_FILL:
        draw_fill(p, c);
        break;
    case UI_CMD_STROKE:
        draw_stroke(p, c);
        break;
    case UI_CMD_FADE:
        draw_fade(p, c);
        break;
    case UI_CMD_SHADE:
        draw_shade(p, c);
        break;
    case UI_CMD_RING:
        draw_ring(p, c);
        break;
    case UI_CMD_TEXT:
        draw_text(p, u, c);
        break;
    case UI_CMD_VIDEO:
        draw_video(p, c);
        break;
    }
}

void paint_draw(struct paint *p, const struct ui *u, float scale)
{
    size_t count;
    const struct ui_command *commands = ui_commands(u, &count);
    if (scale != p->scale)
        free_lines(p, 0);
    p->scale = scale;
    p->frame++;
    SDL_SetRenderDrawBlendMode(p->renderer, SDL_BLENDMODE_BLEND);
    set_color(p, UI_NIGHT, 1.0f);
    SDL_RenderClear(p->renderer);
    for (size_t i = 0; i < count; i++)
        draw(p, u, &commands[i]);
    if (p->frame % TEXT_KEEP == 0)
        free_lines(p, TEXT_KEEP);
}
