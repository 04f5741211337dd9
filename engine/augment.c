/* Affine sampling, tone tables and random rectangles. */
#include "nn/augment.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>

#include "base/rng.h"

struct nn_warp nn_warp_part(int sw, int sh, int dw, int dh, float cx, float cy, float size,
                            bool mirrored)
{
    /* Pixel i covers [i, i + 1): centres map to centres, so equal sizes give integers. */
    float sx = (float)sw * size / (float)dw, sy = (float)sh * size / (float)dh;
    float left = (float)sw * (cx - size / 2), top = (float)sh * (cy - size / 2);
    struct nn_warp w = {.a = sx, .c = left + sx * 0.5f - 0.5f, .e = sy};
    w.f = top + sy * 0.5f - 0.5f;
    if (mirrored) {
        w.c += sx * (float)(dw - 1);
        w.a = -sx;
    }
    return w;
}

static float clampf(float v, float low, float high)
{
    return v < low ? low : v > high ? high : v;
}

static float tone_of(const float *tone, uint8_t v)
{
    return tone != NULL ? tone[v] : (float)v;
}

static float sample(const uint8_t *src, const float *tone, int sh, int sw, float x, float y)
{
    x = clampf(x, 0, (float)(sw - 1));
    y = clampf(y, 0, (float)(sh - 1));
    int x0 = (int)x, y0 = (int)y;
    int x1 = x0 + 1 < sw ? x0 + 1 : x0, y1 = y0 + 1 < sh ? y0 + 1 : y0;
    float fx = x - (float)x0, fy = y - (float)y0;
    const uint8_t *upper = src + (size_t)y0 * (size_t)sw, *lower = src + (size_t)y1 * (size_t)sw;
    float u = tone_of(tone, upper[x0]) * (1 - fx) + tone_of(tone, upper[x1]) * fx;
    float l = tone_of(tone, lower[x0]) * (1 - fx) + tone_of(tone, lower[x1]) * fx;
    return u * (1 - fy) + l * fy;
}

void nn_warp_apply(const struct nn_warp *w, const float *tone, const uint8_t *src, int channels,
                   int sh, int sw, uint8_t *dst, int dh, int dw)
{
    for (int c = 0; c < channels; c++, src += (size_t)sh * (size_t)sw)
        for (int y = 0; y < dh; y++) {
            float x0 = w->b * (float)y + w->c, y0 = w->e * (float)y + w->f;
            for (int x = 0; x < dw; x++)
                *dst++ = (uint8_t)(0.5f + sample(src, tone, sh, sw, w->a * (float)x + x0,
                                                 w->d * (float)x + y0));
        }
}

static float between(struct rng *r, float low, float high)
{
    return low + (high - low) * rng_uniform(r);
}

/* Uniform in the logarithm, so that enlarging and shrinking are equally likely. */
static float factor(struct rng *r, float range)
{
    return expf(between(r, -1, 1) * logf(1 + range));
}

/* The target is turned, sheared and scaled about its centre, then moved. */
static struct nn_warp draw_warp(const struct nn_augment *a, struct rng *r, int sh, int sw, int dh,
                                int dw)
{
    bool mirrored = rng_uniform(r) < a->flip;
    float dx = between(r, -a->shift, a->shift), dy = between(r, -a->shift, a->shift);
    float angle = between(r, -a->rotate, a->rotate) * 3.14159265f / 180;
    float scale = 1 / factor(r, a->zoom), shear = between(r, -a->shear, a->shear);
    struct nn_warp base = nn_warp_part(sw, sh, dw, dh, 0.5f, 0.5f, 1 + 2 * a->margin, mirrored);
    float c = cosf(angle) * scale, s = sinf(angle) * scale;
    struct nn_warp w = {.a = base.a * c,
                        .b = base.a * (c * shear - s),
                        .d = base.e * s,
                        .e = base.e * (s * shear + c)};
    float tx = (float)(dw - 1) / 2, ty = (float)(dh - 1) / 2;
    w.c = (float)(sw - 1) / 2 + dx * (float)sw - w.a * tx - w.b * ty;
    w.f = (float)(sh - 1) / 2 + dy * (float)sh - w.d * tx - w.e * ty;
    return w;
}

static void draw_tone(float tone[256], const struct nn_augment *a, struct rng *r)
{
    float bright = between(r, -a->brightness, a->brightness);
    float contrast = 1 + between(r, -a->contrast, a->contrast);
    float gamma = factor(r, a->gamma);
    for (int i = 0; i < 256; i++) {
        float v = (float)i / 255;
        if (a->gamma > 0)
            v = powf(v, gamma);
        v = (v - 0.5f) * contrast + 0.5f + bright;
        tone[i] = a->brightness + a->contrast + a->gamma > 0 ? clampf(v, 0, 1) * 255 : (float)i;
    }
}

/* Area between 2 % and erase_area, sides between 1:3 and 3:1 (Zhong et al. 2017, section 3.2). */
static void draw_erase(struct nn_variation *v, const struct nn_augment *a, struct rng *r, int dh,
                       int dw)
{
    bool wanted = rng_uniform(r) < a->erase;
    float area = between(r, 0.02f, a->erase_area > 0.02f ? a->erase_area : 0.02f);
    float side = sqrtf(factor(r, 2)), x = rng_uniform(r), y = rng_uniform(r);
    v->erase_value = (uint8_t)rng_below(r, 256);
    v->erase_w = (int)clampf(sqrtf(area) * side * (float)dw, 1, (float)dw);
    v->erase_h = (int)clampf(sqrtf(area) / side * (float)dh, 1, (float)dh);
    v->erase_x = (int)(x * (float)(dw - v->erase_w + 1));
    v->erase_y = (int)(y * (float)(dh - v->erase_h + 1));
    if (!wanted)
        v->erase_w = 0;
}

void nn_augment_draw(struct nn_variation *out, const struct nn_augment *a, struct rng *r, int sh,
                     int sw, int dh, int dw)
{
    out->warp = draw_warp(a, r, sh, sw, dh, dw);
    draw_tone(out->tone, a, r);
    draw_erase(out, a, r, dh, dw);
}

void nn_augment_apply(const struct nn_variation *v, const uint8_t *src, int channels, int sh,
                      int sw, uint8_t *dst, int dh, int dw)
{
    nn_warp_apply(&v->warp, v->tone, src, channels, sh, sw, dst, dh, dw);
    if (v->erase_w == 0)
        return;
    for (int c = 0; c < channels; c++)
        for (int y = v->erase_y; y < v->erase_y + v->erase_h; y++)
            for (int x = v->erase_x; x < v->erase_x + v->erase_w; x++)
                dst[((size_t)c * (size_t)dh + (size_t)y) * (size_t)dw + (size_t)x] = v->erase_value;
}

struct nn_warp nn_crop_warp(enum nn_crops crops, int i, float margin, int sh, int sw, int dh,
                            int dw)
{
    assert(i >= 0 && i < (int)crops);
    static const float shift[5][2] = {{0, 0}, {-1, -1}, {1, -1}, {-1, 1}, {1, 1}};
    float size = 1 + 2 * margin;
    if (crops == NN_TEN_CROP && size > NN_CROP_SIZE)
        size = NN_CROP_SIZE;
    float room = (1 - size) / 2;
    const float *s = shift[crops == NN_TEN_CROP ? i / 2 : 0];
    return nn_warp_part(sw, sh, dw, dh, 0.5f + room * s[0], 0.5f + room * s[1], size, i % 2 == 1);
}
