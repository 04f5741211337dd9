/* Every instruction set of this processor x every slot, against scalar: sizes 0, 1, odd, tails and
 * big, misaligned buffers, canaries around each, NaN and Inf.
 *
 *   check_kernels [--only SLOT] [--seed N] [--bench]
 *
 * A failing case prints its seed and shape. --bench times the chosen table (env NN_ISA lowers it)
 * on the layers of small vision networks: the median of 15 runs, each beside a burst of
 * multiply-adds that measures the peak at that moment. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/rng.h"
#include "kernels/kernels.h"

/* Buffers of one case: each stands between two canaries and starts `skew` floats off alignment. */
enum { GUARD = 64, MAX_BUFFERS = 32, ROUNDS = 300 };
static const float CANARY = -1234.5f;

struct buffer {
    float *block, *p;
    size_t n;
};

static struct {
    const char *isa, *slot;
    uint64_t seed;
    struct rng rng;
    bool specials; /* inputs contain NaN and Inf */
    struct buffer buffers[MAX_BUFFERS];
    int count, failures;
    char shape[256];
} now;

static int pick(int lo, int hi) /* both ends included */
{
    return lo + (int)rng_below(&now.rng, (uint32_t)(hi - lo + 1));
}

static int pick_of(const int *v, int n)
{
    return v[rng_below(&now.rng, (uint32_t)n)];
}

static float *room(size_t n)
{
    size_t skew = now.specials ? 0 : rng_below(&now.rng, 16);
    struct buffer *b = &now.buffers[now.count++];
    b->block = mem_try_aligned(n + 2 * GUARD + 16, sizeof *b->block);
    if (now.count == MAX_BUFFERS || b->block == NULL)
        abort();
    b->p = b->block + GUARD + skew;
    b->n = n;
    for (size_t i = 0; i < n + 2 * GUARD + 16; i++)
        b->block[i] = CANARY;
    return b->p;
}

static float random_value(void)
{
    static const float special[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f};
    if (now.specials && rng_below(&now.rng, 50) == 0)
        return special[rng_below(&now.rng, 5)];
    return rng_uniform(&now.rng) * 2 - 1;
}

static float *input(size_t n)
{
    float *p = room(n);
    for (size_t i = 0; i < n; i++)
        p[i] = random_value();
    return p;
}

static float *twin(const float *of, size_t n)
{
    float *p = room(n);
    memcpy(p, of, n * sizeof *p);
    return p;
}

static void fail(const char *what, size_t at, double want, double got)
{
    now.failures++;
    if (now.failures <= 20)
        printf("FAIL %s/%s seed %llu%s: %s at %zu: scalar %.9g, got %.9g (%s)\n", now.isa, now.slot,
               (unsigned long long)now.seed, now.specials ? " specials" : "", what, at, want, got,
               now.shape);
}

static bool same(double a, double b, double tolerance)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    return a == b || fabs(a - b) <= tolerance;
}

static void compare(const char *what, const float *want, const float *got, size_t n, double tolerance)
{
    for (size_t i = 0; i < n; i++)
        if (!same(want[i], got[i], tolerance)) {
            fail(what, i, want[i], got[i]);
            return;
        }
}

/* The tolerance grows with values above 1. */
static void compare_relative(const char *what, const float *want, const float *got, size_t n,
                             double tolerance)
{
    for (size_t i = 0; i < n; i++)
        if (!same(want[i], got[i], tolerance * (1 + fabs(want[i])))) {
            fail(what, i, want[i], got[i]);
            return;
        }
}

static void end_case(void)
{
    for (int i = 0; i < now.count; i++) {
        struct buffer *b = &now.buffers[i];
        for (float *p = b->block; p < b->p; p++)
            if (*p != CANARY)
                fail("canary before", (size_t)(b->p - p), CANARY, *p);
        for (float *p = b->p + b->n; p < b->block + b->n + 2 * GUARD + 16; p++)
            if (*p != CANARY)
                fail("canary after", (size_t)(p - b->p - b->n), CANARY, *p);
        mem_free_aligned(b->block);
    }
    now.count = 0;
}

struct range {
    int begin, end;
};

static struct range pick_range(int n)
{
    int a = pick(0, n), b = pick(0, n);
    if (pick(0, 2) > 0)
        return (struct range){0, n};
    return (struct range){a < b ? a : b, a < b ? b : a};
}

#define SHAPE(...) snprintf(now.shape, sizeof now.shape, __VA_ARGS__)

static void pick_clip(float *lo, float *hi)
{
    int kind = pick(0, 2);
    *lo = kind == 0 ? -INFINITY : 0;
    *hi = kind == 2 ? 0.7f : INFINITY;
}

/* --- convolution ------------------------------------------------------------------------- */

static const int kernel_sizes[] = {1, 1, 2, 3, 3, 3, 4, 5, 7};
static const int strides[] = {1, 1, 1, 2, 2, 3};
static const int widths[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 17, 22, 23, 28, 29, 48};

enum conv_kind { DENSE, PLANAR, DEPTHWISE };
struct conv_case {
    enum conv_kind kind;
    int oc_blocks, oh, h, w, planes; /* planes of x */
    size_t pixel, x_size, y_size, w_size;
};

static void pick_conv(struct nn_conv16 *c, struct conv_case *k)
{
    c->kh = pick_of(kernel_sizes, 9);
    c->kw = pick_of(kernel_sizes, 9);
    c->stride_h = pick_of(strides, 6);
    c->stride_w = pick_of(strides, 6);
    c->dilation_h = pick(1, 5) / 5 + 1;
    c->dilation_w = pick(1, 5) / 5 + 1;
    c->ow = pick_of(widths, 21);
    c->ic = k->kind == PLANAR ? pick(1, 4) : pick(1, 40);
    k->oh = c->ow > 20 ? pick(0, 6) : pick(0, 13);
    k->oc_blocks = pick(1, 6);
    k->pixel = k->kind == PLANAR ? 1 : 16;
    k->planes = k->kind == PLANAR ? c->ic : k->kind == DENSE ? nn_blocks(c->ic) : k->oc_blocks;
    k->w = (c->ow > 0 ? c->ow - 1 : 0) * c->stride_w + (c->kw - 1) * c->dilation_w + 1;
    k->h = (k->oh > 0 ? k->oh - 1 : 0) * c->stride_h + (c->kh - 1) * c->dilation_h + 1;
    c->x_row = (size_t)k->w * k->pixel + pick(0, 1) * 16;
    c->x_plane = c->x_row * k->h + pick(0, 1) * 16;
    k->x_size = c->x_plane * k->planes;
    size_t taps = (size_t)c->kh * c->kw;
    k->w_size = taps * k->oc_blocks *
                (k->kind == PLANAR ? c->ic * 16 : k->kind == DENSE ? k->planes * 256 : 16);
}

/* Unused lanes of the last block hold zeros, as the layout demands. */
static void clear_lanes(float *p, size_t n, int channels, size_t plane)
{
    if (channels % 16 == 0)
        return;
    for (size_t i = channels / 16 * plane; i < n; i++)
        if ((i - channels / 16 * plane) % 16 >= (size_t)(channels % 16))
            p[i] = 0;
}

typedef void conv_fn(const struct nn_conv16 *, int, int, int, int);

static void check_conv(enum conv_kind kind, conv_fn *ref, conv_fn *fn, double tolerance)
{
    struct nn_conv16 c = {0};
    struct conv_case k = {.kind = kind};
    pick_conv(&c, &k);
    c.x = input(k.x_size);
    c.w = input(k.w_size);
    c.bias = pick(0, 1) ? input((size_t)k.oc_blocks * 16) : NULL;
    c.y_col = pick(0, 3) ? 16 : 32;
    c.y_row = c.ow * c.y_col + pick(0, 1) * 16;
    c.y_plane = c.y_row * k.oh;
    k.y_size = c.y_plane * k.oc_blocks;
    c.accumulate = pick(0, 2) == 0;
    c.add_row = (size_t)c.ow * 16;
    c.add_plane = c.add_row * k.oh;
    c.add = pick(0, 2) == 0 ? input(c.add_plane * k.oc_blocks) : NULL;
    pick_clip(&c.lo, &c.hi);
    struct range b = pick_range(k.oc_blocks), r = pick_range(k.oh);
    SHAPE("ic %d oc blocks %d of %d rows %d-%d width %d kernel %dx%d stride %dx%d dilation %dx%d", c.ic,
          b.end - b.begin, k.oc_blocks, r.begin, r.end, c.ow, c.kh, c.kw, c.stride_h, c.stride_w,
          c.dilation_h, c.dilation_w);
    float *want = input(k.y_size), *got = twin(want, k.y_size);
    c.y = want;
    ref(&c, b.begin, b.end, r.begin, r.end);
    c.y = got;
    fn(&c, b.begin, b.end, r.begin, r.end);
    compare("y", want, got, k.y_size,
            tolerance * (c.kh * c.kw * (kind == DEPTHWISE ? 1 : c.ic) + 3));
}

static void check_dw(enum conv_kind kind, const struct nn_kernels *ref, const struct nn_kernels *fn,
                     double tolerance)
{
    struct nn_conv16 s = {0};
    struct conv_case k = {.kind = kind};
    pick_conv(&s, &k);
    struct nn_conv16_dw c = {
        .x_plane = s.x_plane, .x_row = s.x_row, .x_image = k.x_size, .images = pick(0, 9) / 3,
        .ic = s.ic, .oh = k.oh, .ow = s.ow, .kh = s.kh, .kw = s.kw, .stride_h = s.stride_h,
        .stride_w = s.stride_w, .dilation_h = s.dilation_h, .dilation_w = s.dilation_w};
    c.dy_row = (size_t)c.ow * 16;
    c.dy_plane = c.dy_row * c.oh;
    c.dy_image = c.dy_plane * k.oc_blocks;
    float *x = input(c.x_image * c.images);
    for (int i = 0; i < c.images && kind == DENSE; i++)
        clear_lanes(x + i * c.x_image, c.x_image, c.ic, c.x_plane);
    c.x = x;
    c.dy = input(c.dy_image * c.images);
    struct range o = pick_range(k.oc_blocks), i = pick_range(k.planes);
    SHAPE("images %d ic %d oc blocks %d of %d out %dx%d kernel %dx%d stride %dx%d dilation %dx%d",
          c.images, c.ic, o.end - o.begin, k.oc_blocks, c.oh, c.ow, c.kh, c.kw, c.stride_h,
          c.stride_w, c.dilation_h, c.dilation_w);
    float *want = input(k.w_size), *got = twin(want, k.w_size);
    for (int side = 0; side < 2; side++) {
        const struct nn_kernels *t = side == 0 ? ref : fn;
        c.dw = side == 0 ? want : got;
        if (kind == DENSE)
            t->conv16_dw(&c, o.begin, o.end, i.begin, i.end);
        else if (kind == PLANAR)
            t->conv16_planar_dw(&c, o.begin, o.end, i.begin, i.end);
        else
            t->depthwise16_dw(&c, o.begin, o.end);
    }
    if (kind == DENSE && now.specials) { /* 0 * NaN: unused rows are not specified */
        size_t pair = (size_t)c.kh * c.kw * 256;
        for (size_t at = 0; at < k.w_size; at++)
            if (at / pair % k.planes * 16 + at % 256 / 16 >= (size_t)c.ic)
                want[at] = got[at] = 0;
    }
    compare("dw", want, got, k.w_size, tolerance * (c.images * c.oh * c.ow + 1));
}

static void check_conv16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_conv(DENSE, ref->conv16, k->conv16, tol);
}

static void check_conv16_planar(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_conv(PLANAR, ref->conv16_planar, k->conv16_planar, tol);
}

static void check_depthwise16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_conv(DEPTHWISE, ref->depthwise16, k->depthwise16, tol);
}

static void check_conv16_dw(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_dw(DENSE, ref, k, tol);
}

static void check_conv16_planar_dw(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_dw(PLANAR, ref, k, tol);
}

static void check_depthwise16_dw(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_dw(DEPTHWISE, ref, k, tol);
}

/* A random chunk of the tiles of one or two images; returns how many images. */
static int pick_winograd(struct nn_winograd *w)
{
    int images = pick(1, 2);
    *w = (struct nn_winograd){.m = 2 * pick(1, 3), .ic = pick(1, 40), .oc = pick(1, 90),
                              .oh = pick(1, 13), .ow = pick(1, 20)};
    int all = images * nn_winograd_tiles(w->m, w->oh, w->ow);
    w->first = pick(0, all - 1);
    w->tiles = pick(0, all - w->first);
    w->x_row = (size_t)(w->ow + 2) * 16;
    w->x_plane = w->x_row * (w->oh + 2);
    w->x_image = w->x_plane * nn_blocks(w->ic);
    w->y_row = w->add_row = (size_t)w->ow * 16;
    w->y_plane = w->add_plane = w->y_row * w->oh;
    w->y_image = w->add_image = w->y_plane * nn_blocks(w->oc);
    pick_clip(&w->lo, &w->hi);
    SHAPE("m %d ic %d oc %d out %dx%d tiles %d+%d", w->m, w->ic, w->oc, w->oh, w->ow, w->first,
          w->tiles);
    return images;
}

/* Transforms are compared without NaN: 0 * NaN differs where a matrix holds 0. */
static void compare_transform(const char *what, const float *want, const float *got, size_t n,
                              double tolerance)
{
    if (!now.specials)
        compare(what, want, got, n, tolerance);
}

static void check_win_weights(const struct nn_kernels *ref, const struct nn_kernels *k, double tol,
                              bool back)
{
    struct nn_winograd_weights w = {.m = 2 * pick(1, 3), .oc_blocks = pick(1, 3), .ic_blocks = pick(1, 3)};
    size_t nw = (size_t)w.oc_blocks * w.ic_blocks * 9 * 256;
    size_t nu = nn_winograd_weights_size(w.m, w.oc_blocks * 16, w.ic_blocks * 16);
    w.w = input(nw);
    w.u = input(nu);
    float *want = back ? w.w : w.u, *got = twin(want, back ? nw : nu);
    struct range b = pick_range(w.oc_blocks);
    (back ? ref->winograd_weights_back : ref->winograd_weights)(&w, b.begin, b.end);
    *(back ? &w.w : &w.u) = got;
    (back ? k->winograd_weights_back : k->winograd_weights)(&w, b.begin, b.end);
    compare_transform("weights", want, got, back ? nw : nu, tol * 9);
}

static void check_winograd_weights(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_win_weights(ref, k, tol, false);
}

static void check_winograd_weights_back(const struct nn_kernels *ref, const struct nn_kernels *k,
                                        double tol)
{
    check_win_weights(ref, k, tol, true);
}

static void check_winograd_in(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_winograd w;
    int images = pick_winograd(&w);
    size_t n = nn_winograd_scratch(w.m, w.ic, w.tiles);
    w.x = input(w.x_image * images);
    float *want = input(n), *got = twin(want, n);
    struct range b = pick_range(nn_blocks(w.ic));
    w.v = want;
    ref->winograd_in(&w, b.begin, b.end);
    w.v = got;
    k->winograd_in(&w, b.begin, b.end);
    compare_transform("v", want, got, n, tol * 36);
}

static void check_winograd_dy(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_winograd w;
    int images = pick_winograd(&w);
    size_t n = nn_winograd_scratch(w.m, w.oc, w.tiles);
    w.y = input(w.y_image * images);
    float *want = input(n), *got = twin(want, n);
    struct range b = pick_range(nn_blocks(w.oc));
    w.s = want;
    ref->winograd_dy(&w, b.begin, b.end);
    w.s = got;
    k->winograd_dy(&w, b.begin, b.end);
    compare_transform("s", want, got, n, tol * (w.m == 6 ? 16 : 1));
}

static void check_winograd_mul(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_winograd w;
    pick_winograd(&w);
    size_t n = nn_winograd_scratch(w.m, w.oc, w.tiles);
    int positions = (w.m + 2) * (w.m + 2);
    w.v = input(nn_winograd_scratch(w.m, w.ic, w.tiles));
    w.u = input(nn_winograd_weights_size(w.m, w.oc, w.ic));
    float *want = input(n), *got = twin(want, n);
    struct range p = pick_range(positions), b = pick_range(nn_blocks(w.oc));
    w.s = want;
    ref->winograd_mul(&w, p.begin, p.end, b.begin, b.end);
    w.s = got;
    k->winograd_mul(&w, p.begin, p.end, b.begin, b.end);
    compare("s", want, got, n, tol * (w.ic + 1));
}

static void check_winograd_dw(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_winograd w;
    pick_winograd(&w);
    w.ic = nn_blocks(w.ic) * 16; /* rows of unused lanes are not specified */
    size_t n = nn_winograd_weights_size(w.m, w.oc, w.ic);
    w.v = input(nn_winograd_scratch(w.m, w.ic, w.tiles));
    w.s = input(nn_winograd_scratch(w.m, w.oc, w.tiles));
    float *want = input(n), *got = twin(want, n);
    struct range p = pick_range((w.m + 2) * (w.m + 2));
    w.u = want;
    ref->winograd_dw(&w, p.begin, p.end);
    w.u = got;
    k->winograd_dw(&w, p.begin, p.end);
    compare("u", want, got, n, tol * (w.tiles + 1));
}

static void check_winograd_out(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_winograd w;
    int images = pick_winograd(&w);
    size_t n = w.y_image * images;
    w.s = input(nn_winograd_scratch(w.m, w.oc, w.tiles));
    w.bias = pick(0, 1) ? input((size_t)nn_blocks(w.oc) * 16) : NULL;
    w.add = pick(0, 1) ? input(n) : NULL;
    float *want = input(n), *got = twin(want, n);
    struct range b = pick_range(nn_blocks(w.oc));
    w.y = want;
    ref->winograd_out(&w, b.begin, b.end);
    w.y = got;
    k->winograd_out(&w, b.begin, b.end);
    compare_transform("y", want, got, n, tol * (w.m == 6 ? 16 : 1));
}

/* --- 8 bits and bfloat16 ----------------------------------------------------------------- */

/* Bytes live in float buffers, so that canaries guard them; `count` elements of `size` bytes. */
static void *input_bits(size_t count, size_t size)
{
    size_t n = count * size / sizeof(float) + 1;
    float *p = room(n);
    uint8_t *bytes = (uint8_t *)p;
    for (size_t i = 0; i < n * sizeof(float); i++)
        bytes[i] = (uint8_t)pick(0, 255);
    return p;
}

/* bfloat16 values in [-1, 1]. */
static uint16_t *input_bf16(size_t n)
{
    uint16_t *p = input_bits(n, sizeof *p);
    float *f = mem_new(n + 1, sizeof *f);
    for (size_t i = 0; i < n; i++)
        f[i] = rng_uniform(&now.rng) * 2 - 1;
    nn_kernels_for(NN_ISA_SCALAR)->f32_to_bf16(f, p, n);
    free(f);
    return p;
}

static void compare_bytes(const uint8_t *want, const uint8_t *got, size_t n, int tolerance)
{
    for (size_t i = 0; i < n; i++)
        if (abs(want[i] - got[i]) > tolerance) {
            fail("u8", i, want[i], got[i]);
            return;
        }
}

/* bfloat16 results may land on the two sides of a rounding boundary. */
static void compare_bf16(const uint16_t *want, const uint16_t *got, size_t n, double tolerance)
{
    const struct nn_kernels *ref = nn_kernels_for(NN_ISA_SCALAR);
    for (size_t i = 0; i < n; i++) {
        float a, b;
        ref->bf16_to_f32(want + i, &a, 1);
        ref->bf16_to_f32(got + i, &b, 1);
        if (!same(a, b, tolerance + fabs(a) / 128)) {
            fail("bf16", i, a, b);
            return;
        }
    }
}

/* Weights of unused input lanes are zero, as the layout demands: element e of a 256-element tap
 * belongs to lane e / (16 * group) * group + e % group. */
static void clear_dot_lanes(void *w, const struct nn_dot16 *c, const struct conv_case *k, int group)
{
    uint8_t *bytes = w;
    size_t size = group == 4 ? 1 : 2, taps = (size_t)c->kh * c->kw;
    for (size_t i = 0; i < k->w_size; i++) {
        size_t lane = i % 256 / (16 * group) * group + i % group;
        if (i / 256 / taps % k->planes * 16 + lane >= (size_t)c->ic)
            memset(bytes + i * size, 0, size);
    }
}

typedef void dot_fn(const struct nn_dot16 *, int, int, int, int);
enum dot_kind { DOT_INT8, DOT_BFLOAT, DOT_DEPTHWISE };

static void pick_dot(struct nn_dot16 *c, struct conv_case *k, enum dot_kind kind)
{
    struct nn_conv16 s = {0};
    k->kind = kind == DOT_DEPTHWISE ? DEPTHWISE : DENSE;
    pick_conv(&s, k);
    *c = (struct nn_dot16){.x_plane = s.x_plane, .x_row = s.x_row, .ic = s.ic, .ow = s.ow, .kh = s.kh,
                           .kw = s.kw, .stride_h = s.stride_h, .stride_w = s.stride_w,
                           .dilation_h = s.dilation_h, .dilation_w = s.dilation_w,
                           .add_scale = 0.01f, .add_shift = -1, .y_scale = 90, .y_shift = 100};
    c->x = kind == DOT_BFLOAT ? (const void *)input_bf16(k->x_size) : input_bits(k->x_size, 1);
    c->w = kind == DOT_BFLOAT      ? (const void *)input_bf16(k->w_size)
           : kind == DOT_DEPTHWISE ? (const void *)input(k->w_size)
                                   : input_bits(k->w_size, 1);
    if (kind != DOT_DEPTHWISE)
        clear_dot_lanes((void *)(uintptr_t)c->w, c, k, kind == DOT_INT8 ? 4 : 2);
    size_t lanes = (size_t)k->oc_blocks * 16;
    float *scale = input(lanes);
    double largest = kind == DOT_BFLOAT ? 1 : kind == DOT_INT8 ? 255 * 127 : 255;
    for (size_t i = 0; i < lanes; i++)
        scale[i] /= (float)largest;
    c->scale = kind == DOT_BFLOAT && pick(0, 1) ? NULL : scale;
    c->bias = pick(0, 1) ? input(lanes) : NULL;
    c->y_col = pick(0, 3) ? 16 : 32;
    c->y_row = c->ow * c->y_col;
    c->y_plane = c->y_row * k->oh;
    k->y_size = c->y_plane * k->oc_blocks;
    c->add_row = (size_t)c->ow * 16;
    c->add_plane = c->add_row * k->oh;
    c->add = pick(0, 2) == 0 ? input(c->add_plane * k->oc_blocks) : NULL;
    c->add_u8 = pick(0, 2) == 0 ? input_bits(c->add_plane * k->oc_blocks, 1) : NULL;
    pick_clip(&c->lo, &c->hi);
}

static void check_dot16(enum dot_kind kind, dot_fn *ref, dot_fn *fn, double tol)
{
    struct nn_dot16 c;
    struct conv_case k = {0};
    now.specials = false; /* integers have none */
    pick_dot(&c, &k, kind);
    struct range b = pick_range(k.oc_blocks), r = pick_range(k.oh);
    SHAPE("ic %d oc blocks %d of %d rows %d-%d width %d kernel %dx%d stride %dx%d", c.ic,
          b.end - b.begin, k.oc_blocks, r.begin, r.end, c.ow, c.kh, c.kw, c.stride_h, c.stride_w);
    double slack = tol * (c.kh * c.kw * (kind == DOT_DEPTHWISE ? 1 : c.ic) + 3);
    int out = pick(0, 2);
    size_t floats = out == 0 ? k.y_size : k.y_size / 2 + 1;
    float *want = input(floats), *got = twin(want, floats);
    for (int side = 0; side < 2; side++) {
        float *y = side == 0 ? want : got;
        c.y = out == 0 ? y : NULL;
        c.y_u8 = out == 1 ? (uint8_t *)y : NULL;
        c.y_bf16 = out == 2 ? (uint16_t *)y : NULL;
        (side == 0 ? ref : fn)(&c, b.begin, b.end, r.begin, r.end);
    }
    if (out == 0)
        compare("y", want, got, k.y_size, slack);
    else if (out == 1)
        compare_bytes((uint8_t *)want, (uint8_t *)got, k.y_size, 1);
    else
        compare_bf16((uint16_t *)want, (uint16_t *)got, k.y_size, slack);
}

static void check_qconv16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_dot16(DOT_INT8, ref->qconv16, k->qconv16, tol);
}

static void check_bconv16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_dot16(DOT_BFLOAT, ref->bconv16, k->bconv16, tol);
}

static void check_qdepthwise16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_dot16(DOT_DEPTHWISE, ref->qdepthwise16, k->qdepthwise16, tol);
}

/* --- layout and weights ------------------------------------------------------------------ */

static void check_flip16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_flip16 f = {.oc_blocks = pick(1, 3), .ic_blocks = pick(1, 3), .kh = pick(1, 5),
                          .kw = pick(1, 5), .step_h = pick(1, 3), .step_w = pick(1, 3)};
    f.first_h = pick(0, f.step_h);
    f.first_w = pick(0, f.step_w);
    size_t pairs = (size_t)f.oc_blocks * f.ic_blocks * 256;
    size_t n = pairs * nn_taps(f.kh, f.first_h, f.step_h) * nn_taps(f.kw, f.first_w, f.step_w);
    f.w = input(pairs * f.kh * f.kw);
    float *want = input(n), *got = twin(want, n);
    struct range i = pick_range(f.ic_blocks);
    f.out = want;
    ref->flip16(&f, i.begin, i.end);
    f.out = got;
    k->flip16(&f, i.begin, i.end);
    compare("out", want, got, n, tol);
}

static void check_border(const struct nn_kernels *ref, const struct nn_kernels *k, double tol, bool pad)
{
    int blocks = pick(1, 3);
    struct nn_pad16 p = {.h = pick(0, 7), .w = pick(0, 9), .top = pick(0, 2), .left = pick(0, 2),
                         .bottom = pick(0, 2), .right = pick(0, 2), .fill = pick(0, 1) ? 0 : -INFINITY,
                         .accumulate = pick(0, 1)};
    size_t inner_row = (size_t)p.w * 16, outer_row = (size_t)(p.left + p.w + p.right) * 16;
    size_t inner = inner_row * p.h, outer = outer_row * (p.top + p.h + p.bottom);
    p.src_row = pad ? inner_row : outer_row;
    p.dst_row = pad ? outer_row : inner_row;
    p.src_plane = pad ? inner : outer;
    p.dst_plane = pad ? outer : inner;
    p.src = input(p.src_plane * blocks);
    float *want = input(p.dst_plane * blocks), *got = twin(want, p.dst_plane * blocks);
    struct range b = pick_range(blocks);
    SHAPE("%dx%d border %d %d %d %d", p.h, p.w, p.top, p.left, p.bottom, p.right);
    p.dst = want;
    (pad ? ref->pad16 : ref->crop16)(&p, b.begin, b.end);
    p.dst = got;
    (pad ? k->pad16 : k->crop16)(&p, b.begin, b.end);
    compare("dst", want, got, p.dst_plane * blocks, tol);
}

static void check_pad16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_border(ref, k, tol, true);
}

static void check_crop16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_border(ref, k, tol, false);
}

static void check_nchw(const struct nn_kernels *ref, const struct nn_kernels *k, double tol, bool from)
{
    struct nn_nchw p = {.channels = pick(0, 50), .h = pick(0, 9), .w = pick(0, 40)};
    int blocks = nn_blocks(p.channels);
    p.c16_row = (size_t)p.w * 16 + pick(0, 1) * 16;
    p.c16_plane = p.c16_row * p.h;
    size_t c16 = p.c16_plane * blocks, nchw = (size_t)p.channels * p.h * p.w;
    struct range b = pick_range(blocks);
    SHAPE("%d channels %dx%d blocks %d-%d", p.channels, p.h, p.w, b.begin, b.end);
    p.nchw = input(nchw);
    p.c16 = input(c16);
    float *want = from ? p.c16 : p.nchw;
    float *got = twin(want, from ? c16 : nchw);
    (from ? ref->c16_from_nchw : ref->c16_to_nchw)(&p, b.begin, b.end);
    *(from ? &p.c16 : &p.nchw) = got;
    (from ? k->c16_from_nchw : k->c16_to_nchw)(&p, b.begin, b.end);
    compare("out", want, got, from ? c16 : nchw, tol);
}

static void check_c16_from_nchw(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_nchw(ref, k, tol, true);
}

static void check_c16_to_nchw(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_nchw(ref, k, tol, false);
}

/* --- matrices ---------------------------------------------------------------------------- */

static int ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

static void check_pack(const struct nn_kernels *ref, const struct nn_kernels *k, double tol, bool a)
{
    struct nn_gemm_pack p = {.rows = pick(0, 40), .cols = pick(0, 40)};
    bool transposed = pick(0, 1);
    p.row_step = transposed ? 1 : (size_t)p.cols;
    p.col_step = transposed ? (size_t)p.rows : 1;
    int panels = a ? ceil_div(p.rows, NN_GEMM_MR) : ceil_div(p.cols, NN_GEMM_NR);
    size_t n = (size_t)panels * (a ? NN_GEMM_MR * p.cols : NN_GEMM_NR * p.rows);
    p.src = input((size_t)p.rows * p.cols);
    float *want = input(n), *got = twin(want, n);
    struct range r = pick_range(panels);
    p.dst = want;
    (a ? ref->gemm_pack_a : ref->gemm_pack_b)(&p, r.begin, r.end);
    p.dst = got;
    (a ? k->gemm_pack_a : k->gemm_pack_b)(&p, r.begin, r.end);
    compare("dst", want, got, n, tol);
}

static void check_gemm_pack_a(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_pack(ref, k, tol, true);
}

static void check_gemm_pack_b(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_pack(ref, k, tol, false);
}

static void check_gemm(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_gemm g = {.m = pick(0, 50), .n = pick(0, 90), .k = pick(0, 3) ? pick(0, 70) : pick(300, 700),
                        .accumulate = pick(0, 1)};
    int mp = ceil_div(g.m, NN_GEMM_MR), np = ceil_div(g.n, NN_GEMM_NR);
    g.a = input((size_t)mp * NN_GEMM_MR * g.k);
    g.b = input((size_t)np * NN_GEMM_NR * g.k);
    g.bias = pick(0, 1) ? input((size_t)g.n) : NULL;
    g.c_row = g.n + pick(0, 3);
    pick_clip(&g.lo, &g.hi);
    size_t n = g.c_row * g.m;
    float *want = input(n), *got = twin(want, n);
    struct range p = pick_range(mp), q = pick_range(np);
    SHAPE("m %d n %d k %d panels %d-%d x %d-%d", g.m, g.n, g.k, p.begin, p.end, q.begin, q.end);
    g.c = want;
    ref->gemm(&g, p.begin, p.end, q.begin, q.end);
    g.c = got;
    k->gemm(&g, p.begin, p.end, q.begin, q.end);
    compare("c", want, got, n, tol * (g.k + 3));
}

static void check_gemv(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_gemv g = {.n = pick(0, 200), .k = pick(0, 3) ? pick(0, 70) : pick(300, 700)};
    int np = ceil_div(g.n, NN_GEMM_NR);
    g.x = input((size_t)g.k);
    g.b = input((size_t)np * NN_GEMM_NR * g.k);
    g.bias = pick(0, 1) ? input((size_t)g.n) : NULL;
    pick_clip(&g.lo, &g.hi);
    float *want = input((size_t)g.n), *got = twin(want, (size_t)g.n);
    struct range q = pick_range(np);
    SHAPE("n %d k %d panels %d-%d", g.n, g.k, q.begin, q.end);
    g.y = want;
    ref->gemv(&g, q.begin, q.end);
    g.y = got;
    k->gemv(&g, q.begin, q.end);
    compare("y", want, got, (size_t)g.n, tol * (g.k + 3));
}

/* --- pools ------------------------------------------------------------------------------- */

typedef void pool16_fn(const struct nn_pool16 *, int, int);

static void pick_pool(struct nn_pool16 *p)
{
    p->kh = pick(1, 4);
    p->kw = pick(1, 4);
    p->stride_h = pick(1, 3);
    p->stride_w = pick(1, 3);
    p->top = pick(0, p->kh / 2);
    p->left = pick(0, p->kw / 2);
    p->oh = pick(0, 9);
    p->ow = pick(0, 25);
    p->count_pad = pick(0, 1);
    int bottom = pick(0, p->kh / 2), right = pick(0, p->kw / 2);
    p->h = (p->oh > 0 ? p->oh - 1 : 0) * p->stride_h + p->kh - p->top - bottom;
    p->w = (p->ow > 0 ? p->ow - 1 : 0) * p->stride_w + p->kw - p->left - right;
    p->h = p->h < 1 ? 1 : p->h;
    p->w = p->w < 1 ? 1 : p->w;
}

/* A window with no pixel inside does not occur in a network. */
static bool windows_inside(const struct nn_pool16 *p)
{
    return (p->oh - 1) * p->stride_h - p->top < p->h && (p->ow - 1) * p->stride_w - p->left < p->w &&
           p->top < p->kh && p->left < p->kw;
}

static void check_pool(const struct nn_kernels *forward, pool16_fn *ref, pool16_fn *fn, double tol,
                       bool back, bool arg)
{
    int blocks = pick(1, 3);
    struct nn_pool16 p = {0};
    do
        pick_pool(&p);
    while (!windows_inside(&p));
    size_t image = (size_t)p.h * p.w * 16, pooled = (size_t)p.oh * p.ow * 16;
    uint8_t *arg_want = mem_new(pooled * blocks + 1, 1), *arg_got = mem_new(pooled * blocks + 1, 1);
    p.x_row = (size_t)p.w * 16;
    p.x_plane = image;
    p.y_row = (size_t)p.ow * 16;
    p.y_plane = pooled;
    SHAPE("%dx%d -> %dx%d window %dx%d stride %dx%d pad %d %d", p.h, p.w, p.oh, p.ow, p.kh, p.kw,
          p.stride_h, p.stride_w, p.top, p.left);
    if (back && arg) { /* positions come from a forward pass */
        p.x = input(image * blocks);
        p.y = input(pooled * blocks);
        p.arg = arg_want;
        forward->maxpool16(&p, 0, blocks);
        memcpy(arg_got, arg_want, pooled * blocks);
    }
    if (back) {
        p.x_row = (size_t)p.ow * 16;
        p.x_plane = pooled;
        p.y_row = (size_t)p.w * 16;
        p.y_plane = image;
    }
    size_t n = p.y_plane * blocks;
    p.x = input(p.x_plane * blocks);
    float *want = input(n), *got = twin(want, n);
    struct range b = pick_range(blocks);
    p.y = want;
    p.arg = arg ? arg_want : NULL;
    ref(&p, b.begin, b.end);
    p.y = got;
    p.arg = arg ? arg_got : NULL;
    fn(&p, b.begin, b.end);
    compare("y", want, got, n, tol * (p.kh * p.kw + 1));
    for (size_t i = 0; i < pooled * blocks; i++)
        if (arg_want[i] != arg_got[i]) {
            fail("arg", i, arg_want[i], arg_got[i]);
            break;
        }
    free(arg_want);
    free(arg_got);
}

static void check_maxpool16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_pool(ref, ref->maxpool16, k->maxpool16, tol, false, pick(0, 1));
}

static void check_maxpool16_back(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_pool(ref, ref->maxpool16_back, k->maxpool16_back, tol, true, true);
}

static void check_avgpool16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_pool(ref, ref->avgpool16, k->avgpool16, tol, false, false);
}

static void check_avgpool16_back(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_pool(ref, ref->avgpool16_back, k->avgpool16_back, tol, true, false);
}

static void check_qmaxpool16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    int blocks = pick(1, 3);
    struct nn_qpool16 q = {0};
    struct nn_pool16 *p = &q.shape;
    do
        pick_pool(p);
    while (!windows_inside(p));
    p->x_row = (size_t)p->w * 16;
    p->x_plane = p->x_row * p->h;
    p->y_row = (size_t)p->ow * 16;
    p->y_plane = p->y_row * p->oh;
    q.x = input_bits(p->x_plane * blocks, 1);
    uint8_t *want = input_bits(p->y_plane * blocks, 1);
    uint8_t *got = (uint8_t *)twin((float *)want, p->y_plane * blocks / sizeof(float) + 1);
    struct range b = pick_range(blocks);
    q.y = want;
    ref->qmaxpool16(&q, b.begin, b.end);
    q.y = got;
    k->qmaxpool16(&q, b.begin, b.end);
    compare_bytes(want, got, p->y_plane * blocks, (int)tol);
}

/* --- elementwise and reductions ---------------------------------------------------------- */

static size_t pick_length(void)
{
    return (size_t)(pick(0, 4) ? pick(0, 70) : pick(71, 3000));
}

static void check_affine16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_affine16 a = {.pixels = pick_length() / 4, .accumulate = pick(0, 1)};
    size_t n = a.pixels * 16;
    a.a = input(n);
    a.b = pick(0, 1) ? input(n) : NULL;
    a.a_scale = pick(0, 1) ? input(16) : NULL;
    a.b_scale = pick(0, 1) ? input(16) : NULL;
    a.shift = pick(0, 1) ? input(16) : NULL;
    pick_clip(&a.lo, &a.hi);
    SHAPE("pixels %zu b %d scales %d %d shift %d", a.pixels, a.b != NULL, a.a_scale != NULL,
          a.b_scale != NULL, a.shift != NULL);
    float *want = input(n), *got = twin(want, n);
    a.y = want;
    ref->affine16(&a);
    a.y = got;
    k->affine16(&a);
    compare("y", want, got, n, tol * 4);
}

/* Functions are checked over [-12, 12] and at the specials. */
static float *wide_input(size_t n)
{
    float *p = input(n);
    float range = pick(0, 1) ? 12 : 2;
    for (size_t i = 0; i < n; i++)
        p[i] *= range;
    return p;
}

static void check_function(const struct nn_kernels *ref, const struct nn_kernels *k, double tol, bool back)
{
    struct nn_func_args a = {.func = (enum nn_func)pick(0, NN_FUNC_COUNT - 1), .alpha = 0.2f,
                             .beta = 0.5f, .n = pick_length()};
    a.x = wide_input(a.n);
    a.dy = input(a.n);
    SHAPE("function %d n %zu", a.func, a.n);
    float *want = input(a.n), *got = twin(want, a.n);
    a.y = want;
    (back ? ref->func_back : ref->func)(&a);
    a.y = got;
    (back ? k->func_back : k->func)(&a);
    compare_relative("y", want, got, a.n, tol);
}

static void check_func(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_function(ref, k, tol, false);
}

static void check_func_back(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_function(ref, k, tol, true);
}

static void check_clip_back(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t n = pick_length();
    float *y = input(n), *dy = input(n), *want = input(n), *got = twin(want, n), lo, hi;
    pick_clip(&lo, &hi);
    for (size_t i = 0; i < n; i++)
        y[i] = y[i] < lo ? lo : y[i] > hi ? hi : y[i];
    ref->clip_back(y, dy, want, n, lo, hi);
    k->clip_back(y, dy, got, n, lo, hi);
    compare("dx", want, got, n, tol);
}

static void check_mul(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t n = pick_length();
    float *a = input(n), *b = input(n), *want = input(n), *got = twin(want, n);
    ref->mul(a, b, want, n);
    k->mul(a, b, got, n);
    compare("y", want, got, n, tol);
}

static void check_axpby(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t n = pick_length();
    float a = random_value(), b = pick(0, 1) ? 0 : random_value();
    float *x = input(n), *want = input(n), *got = twin(want, n);
    ref->axpby(a, x, b, want, n);
    k->axpby(a, x, b, got, n);
    compare("y", want, got, n, tol);
}

static void check_u8_to_f32(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t n = pick_length();
    uint8_t *x = mem_new(n + 1, 1);
    for (size_t i = 0; i < n; i++)
        x[i] = (uint8_t)pick(0, 255);
    float *want = input(n), *got = twin(want, n);
    ref->u8_to_f32(x, 1 / 127.5f, -1, want, n);
    k->u8_to_f32(x, 1 / 127.5f, -1, got, n);
    compare("y", want, got, n, tol);
    free(x);
}

static void check_f32_to_u8(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t n = pick_length();
    float *x = input(n);
    uint8_t *want = input_bits(n, 1);
    uint8_t *got = (uint8_t *)twin((float *)want, n / sizeof(float) + 1);
    ref->f32_to_u8(x, 150, 120, want, n);
    k->f32_to_u8(x, 150, 120, got, n);
    compare_bytes(want, got, n, (int)tol);
}

static void check_f32_to_bf16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t n = pick_length();
    float *x = input(n);
    uint16_t *want = input_bits(n, sizeof *want);
    uint16_t *got = (uint16_t *)twin((float *)want, n * sizeof *want / sizeof(float) + 1);
    ref->f32_to_bf16(x, want, n);
    k->f32_to_bf16(x, got, n);
    compare_bytes((uint8_t *)want, (uint8_t *)got, n * sizeof *want, (int)tol);
}

static void check_bf16_to_f32(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t n = pick_length();
    const uint16_t *x = input_bits(n, sizeof *x);
    float *want = input(n), *got = twin(want, n);
    ref->bf16_to_f32(x, want, n);
    k->bf16_to_f32(x, got, n);
    compare("y", want, got, n, tol);
}

static void check_number(const char *what, double want, double got, double tolerance)
{
    if (!same(want, got, tolerance))
        fail(what, 0, want, got);
}

static void check_dot(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t n = pick_length();
    float *x = input(n), *y = input(n);
    SHAPE("n %zu", n);
    check_number("dot", ref->dot(x, y, n), k->dot(x, y, n), tol * (double)(n + 1));
}

static void check_max(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t n = pick_length();
    float *x = input(n);
    SHAPE("n %zu", n);
    check_number("max", ref->max(x, n), k->max(x, n), tol);
}

static void check_exp_sum(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t n = pick_length();
    float *x = wide_input(n), *want = input(n), *got = twin(want, n), shift = 1;
    SHAPE("n %zu", n);
    double a = ref->exp_sum(x, shift, want, n), b = k->exp_sum(x, shift, got, n);
    check_number("sum", a, b, tol * (1 + fabs(a)));
    compare_relative("y", want, got, n, tol);
}

static void check_sums16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    size_t pixels = pick_length() / 2;
    float *x = input(pixels * 16), *y = input(pixels * 16);
    double want[2][16] = {{0}}, got[2][16] = {{0}};
    SHAPE("pixels %zu", pixels);
    ref->sums16(x, y, pixels, want[0], want[1]);
    k->sums16(x, y, pixels, got[0], got[1]);
    for (int i = 0; i < 32; i++)
        check_number("sum", want[i / 16][i % 16], got[i / 16][i % 16], tol * (double)(pixels + 1));
}

static struct nn_norm16 pick_norm(void)
{
    struct nn_norm16 n = {.rows = pick(0, 5), .cols = pick(0, 40), .accumulate = pick(0, 1)};
    n.x_row = n.dy_row = n.dx_row = (size_t)n.cols * 16;
    n.x = input((size_t)n.rows * n.x_row);
    n.dy = input((size_t)n.rows * n.dy_row);
    const float **lanes[] = {&n.scale, &n.shift, &n.of_dy, &n.of_x, &n.of_1};
    for (size_t i = 0; i < sizeof lanes / sizeof *lanes; i++)
        *lanes[i] = input(16);
    pick_clip(&n.lo, &n.hi);
    return n;
}

static void check_norm_sums16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_norm16 n = pick_norm();
    double want[2][16] = {{0}}, got[2][16] = {{0}};
    SHAPE("%d x %d", n.rows, n.cols);
    ref->norm_sums16(&n, want[0], want[1]);
    k->norm_sums16(&n, got[0], got[1]);
    for (int i = 0; i < 32; i++)
        check_number("sum", want[i / 16][i % 16], got[i / 16][i % 16],
                     tol * (n.rows * n.cols + 1));
}

static void check_norm_back16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_norm16 n = pick_norm();
    size_t floats = (size_t)n.rows * n.dx_row;
    float *want = input(floats), *got = twin(want, floats);
    SHAPE("%d x %d", n.rows, n.cols);
    n.dx = want;
    ref->norm_back16(&n);
    n.dx = got;
    k->norm_back16(&n);
    compare("dx", want, got, floats, tol * 4);
}

static void check_step(const struct nn_kernels *ref, const struct nn_kernels *k, double tol,
                       void (*run)(const struct nn_kernels *, const struct nn_step *))
{
    struct nn_step s = {.n = pick_length(), .lr = 0.1f, .momentum = 0.9f, .rho = 0.99f, .eps = 1e-3f,
                        .decay = pick(0, 1) ? 0.01f : 0, .g_scale = 0.5f, .m_fix = 1.5f, .v_fix = 2,
                        .nesterov = pick(0, 1)};
    float *g = input(s.n);
    float *w[2], *m[2], *v[2];
    bool has_m = pick(0, 1);
    w[0] = input(s.n);
    m[0] = input(s.n);
    v[0] = input(s.n);
    for (size_t i = 0; i < s.n; i++)
        v[0][i] = v[0][i] < 0 ? -v[0][i] : v[0][i];
    w[1] = twin(w[0], s.n);
    m[1] = twin(m[0], s.n);
    v[1] = twin(v[0], s.n);
    SHAPE("n %zu", s.n);
    for (int side = 0; side < 2; side++) {
        s.g = g;
        s.w = w[side];
        s.m = has_m || run != NULL ? m[side] : NULL;
        s.v = v[side];
        if (run != NULL)
            run(side == 0 ? ref : k, &s);
        else
            (side == 0 ? ref : k)->step_sgd(&s);
    }
    compare_relative("w", w[0], w[1], s.n, tol);
    compare_relative("m", m[0], m[1], s.n, tol);
    compare_relative("v", v[0], v[1], s.n, tol);
}

static void run_rmsprop(const struct nn_kernels *k, const struct nn_step *s)
{
    k->step_rmsprop(s);
}

static void run_adam(const struct nn_kernels *k, const struct nn_step *s)
{
    k->step_adam(s);
}

static void check_step_sgd(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_step(ref, k, tol, NULL);
}

static void check_step_rmsprop(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_step(ref, k, tol, run_rmsprop);
}

static void check_step_adam(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_step(ref, k, tol, run_adam);
}

static void check_fma_burst(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_number("operations of none", ref->fma_burst(0), k->fma_burst(0), tol);
    if (!(k->fma_burst(3) >= ref->fma_burst(3)))
        fail("operations", 3, ref->fma_burst(3), k->fma_burst(3));
}

/* --- the list ---------------------------------------------------------------------------- */

typedef void check_fn(const struct nn_kernels *ref, const struct nn_kernels *k, double tolerance);

static const struct {
    const char *name;
    check_fn *check;
    double tolerance;
} slots[] = {
#define SLOT_ROW(result, name, args, tolerance) {#name, check_##name, tolerance},
    NN_KERNELS(SLOT_ROW)};
enum { SLOTS = sizeof slots / sizeof *slots };

static void check_slot(int slot, const struct nn_kernels *k, uint64_t seed)
{
    const struct nn_kernels *ref = nn_kernels_for(NN_ISA_SCALAR);
    now.isa = k->isa;
    now.slot = slots[slot].name;
    for (int round = 0; round < ROUNDS; round++) {
        now.seed = seed + (uint64_t)round;
        rng_seed(&now.rng, now.seed, (uint64_t)slot);
        now.specials = round % 4 == 3;
        now.shape[0] = 0;
        slots[slot].check(ref, k, slots[slot].tolerance);
        end_case();
    }
}

/* --- benchmark --------------------------------------------------------------------------- */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One kernel call to time, and its floating-point operations (0: count `bytes` instead). */
struct bench {
    const struct nn_kernels *k;
    void (*run)(const struct bench *b);
    const void *args;
    int blocks, planes, rows;
    double flops, bytes;
};

static double peak_rate(const struct nn_kernels *k)
{
    double start = seconds(), flops = k->fma_burst(20000);
    return flops / (seconds() - start);
}

static void bench_print(const char *slot, const char *shape, const struct bench *b)
{
    enum { RUNS = 15 };
    double times[RUNS], shares[RUNS];
    for (int i = -2; i < RUNS; i++) {
        double peak = peak_rate(b->k), start = seconds();
        int calls = 0;
        do
            b->run(b);
        while (++calls, seconds() - start < 1e-3);
        if (i < 0)
            continue;
        times[i] = (seconds() - start) / calls;
        shares[i] = b->flops / times[i] / peak;
    }
    qsort(times, RUNS, sizeof *times, by_value);
    qsort(shares, RUNS, sizeof *shares, by_value);
    double t = times[RUNS / 2];
    printf("%-16s %-34s %11.0f ns", slot, shape, t * 1e9);
    if (b->flops > 0)
        printf(" %7.1f GFLOP/s %5.1f %% of peak", b->flops / t * 1e-9, 100 * shares[RUNS / 2]);
    if (b->bytes > 0)
        printf(" %7.1f GB/s", b->bytes / t * 1e-9);
    printf("\n");
}

static void run_conv16(const struct bench *b)
{
    b->k->conv16(b->args, 0, b->blocks, 0, b->rows);
}

static void run_planar(const struct bench *b)
{
    b->k->conv16_planar(b->args, 0, b->blocks, 0, b->rows);
}

static void run_depthwise(const struct bench *b)
{
    b->k->depthwise16(b->args, 0, b->blocks, 0, b->rows);
}

static void run_dw(const struct bench *b)
{
    b->k->conv16_dw(b->args, 0, b->blocks, 0, b->planes);
}

static void run_planar_dw(const struct bench *b)
{
    b->k->conv16_planar_dw(b->args, 0, b->blocks, 0, b->planes);
}

static void run_depthwise_dw(const struct bench *b)
{
    b->k->depthwise16_dw(b->args, 0, b->blocks);
}

static float *bench_room(size_t n)
{
    float *p = mem_try_aligned(n + 16, sizeof *p);
    if (p == NULL)
        abort();
    memset(p, 0, (n + 16) * sizeof *p);
    return p;
}

struct layer {
    int ic, oc, out, kernel, stride; /* out: height and width */
};

static void bench_conv_layer(const struct nn_kernels *k, const char *slot, enum conv_kind kind,
                             bool gradient, struct layer l)
{
    enum { IMAGES = 4 };
    int side = (l.out - 1) * l.stride + l.kernel, blocks = nn_blocks(l.oc);
    int planes = kind == PLANAR ? l.ic : kind == DENSE ? nn_blocks(l.ic) : blocks;
    size_t pixel = kind == PLANAR ? 1 : 16, taps = (size_t)l.kernel * l.kernel;
    size_t row = side * pixel, plane = row * side, image = plane * planes;
    size_t y_row = (size_t)l.out * 16, y_plane = y_row * l.out, y_image = y_plane * blocks;
    size_t w = taps * blocks * (kind == PLANAR ? l.ic * 16 : kind == DENSE ? planes * 256 : 16);
    int images = gradient ? IMAGES : 1;
    float *x = bench_room(image * images), *weights = bench_room(w), *y = bench_room(y_image * images);
    struct nn_conv16 c = {.x = x, .w = weights, .y = y, .x_plane = plane, .x_row = row,
                          .y_plane = y_plane, .y_row = y_row, .y_col = 16, .ic = l.ic, .ow = l.out,
                          .kh = l.kernel, .kw = l.kernel, .stride_h = l.stride, .stride_w = l.stride,
                          .dilation_h = 1, .dilation_w = 1, .lo = 0, .hi = INFINITY};
    struct nn_conv16_dw g = {.x = x, .dy = y, .dw = weights, .x_image = image, .x_plane = plane,
                             .x_row = row, .dy_image = y_image, .dy_plane = y_plane, .dy_row = y_row,
                             .images = images, .ic = l.ic, .oh = l.out, .ow = l.out, .kh = l.kernel,
                             .kw = l.kernel, .stride_h = l.stride, .stride_w = l.stride,
                             .dilation_h = 1, .dilation_w = 1};
    struct bench b = {.k = k, .args = gradient ? (const void *)&g : (const void *)&c,
                      .blocks = blocks, .planes = planes, .rows = l.out,
                      .flops = 2.0 * l.oc * (kind == DEPTHWISE ? 1 : l.ic) * l.out * l.out *
                               (double)taps * images};
    b.run = kind == DENSE    ? gradient ? run_dw : run_conv16
            : kind == PLANAR ? gradient ? run_planar_dw : run_planar
                             : gradient ? run_depthwise_dw : run_depthwise;
    char shape[64];
    snprintf(shape, sizeof shape, "%d->%d %dx%d k%d s%d", l.ic, l.oc, l.out, l.out, l.kernel, l.stride);
    bench_print(slot, shape, &b);
    mem_free_aligned(x);
    mem_free_aligned(weights);
    mem_free_aligned(y);
}

/* Input, product and output for all tiles, a chunk at a time. */
static void run_winograd(const struct bench *b)
{
    struct nn_winograd w = *(const struct nn_winograd *)b->args;
    int chunk = w.tiles;
    for (w.first = 0; w.first < b->rows; w.first += chunk) {
        w.tiles = b->rows - w.first < chunk ? b->rows - w.first : chunk;
        b->k->winograd_in(&w, 0, b->planes);
        b->k->winograd_mul(&w, 0, (w.m + 2) * (w.m + 2), 0, b->blocks);
        b->k->winograd_out(&w, 0, b->blocks);
    }
}

/* The whole weight gradient, clearing and collecting included. */
static void run_winograd_dw(const struct bench *b)
{
    struct nn_winograd w = *(const struct nn_winograd *)b->args;
    int chunk = w.tiles, positions = (w.m + 2) * (w.m + 2);
    struct nn_winograd_weights collect = {w.m, b->blocks, b->planes, NULL, w.u};
    collect.w = w.u + nn_winograd_weights_size(w.m, w.oc, w.ic);
    memset(w.u, 0, nn_winograd_weights_size(w.m, w.oc, w.ic) * sizeof *w.u);
    for (w.first = 0; w.first < b->rows; w.first += chunk) {
        w.tiles = b->rows - w.first < chunk ? b->rows - w.first : chunk;
        b->k->winograd_in(&w, 0, b->planes);
        b->k->winograd_dy(&w, 0, b->blocks);
        b->k->winograd_dw(&w, 0, positions);
    }
    b->k->winograd_weights_back(&collect, 0, b->blocks);
}

static void bench_winograd(const struct nn_kernels *k, int m, struct layer l, bool gradient)
{
    enum { IMAGES = 16, CHUNK = 144 };
    struct nn_winograd w = {.m = m, .ic = l.ic, .oc = l.oc, .oh = l.out, .ow = l.out, .hi = INFINITY};
    int images = gradient ? IMAGES : 1, all = images * nn_winograd_tiles(m, l.out, l.out);
    w.tiles = gradient ? (all < CHUNK ? all : CHUNK) : nn_winograd_chunk(m, l.ic, l.oc, all);
    w.x_row = (size_t)(l.out + 2) * 16;
    w.x_plane = w.x_row * (l.out + 2);
    w.x_image = w.x_plane * nn_blocks(l.ic);
    w.y_row = (size_t)l.out * 16;
    w.y_plane = w.y_row * l.out;
    w.y_image = w.y_plane * nn_blocks(l.oc);
    float *x = bench_room(w.x_image * images);
    w.x = x;
    w.y = bench_room(w.y_image * images);
    w.u = bench_room(nn_winograd_weights_size(m, l.oc, l.ic) + nn_conv16_size(l.oc, l.ic, 3, 3));
    w.v = bench_room(nn_winograd_scratch(m, l.ic, w.tiles));
    w.s = bench_room(nn_winograd_scratch(m, l.oc, w.tiles));
    struct bench b = {.k = k, .run = gradient ? run_winograd_dw : run_winograd, .args = &w,
                      .blocks = nn_blocks(l.oc), .planes = nn_blocks(l.ic), .rows = all,
                      .flops = 2.0 * 9 * l.ic * l.oc * l.out * l.out * images};
    char shape[64];
    snprintf(shape, sizeof shape, "F(%d,3) %d->%d %dx%d, %d tiles", m, l.ic, l.oc, l.out, l.out, w.tiles);
    bench_print(gradient ? "winograd_dw" : "winograd", shape, &b);
    mem_free_aligned(x);
    mem_free_aligned(w.y);
    mem_free_aligned(w.u);
    mem_free_aligned(w.v);
    mem_free_aligned(w.s);
}

static void run_gemm(const struct bench *b)
{
    b->k->gemm(b->args, 0, b->blocks, 0, b->planes);
}

static void run_gemv(const struct bench *b)
{
    b->k->gemv(b->args, 0, b->planes);
}

static void bench_matrix(const struct nn_kernels *k, int m, int n, int depth)
{
    int mp = ceil_div(m, NN_GEMM_MR), np = ceil_div(n, NN_GEMM_NR);
    float *x = bench_room((size_t)mp * NN_GEMM_MR * depth), *y = bench_room((size_t)m * n);
    float *b = bench_room((size_t)np * NN_GEMM_NR * depth);
    struct nn_gemm g = {.a = x, .b = b, .c = y, .c_row = n, .m = m, .n = n, .k = depth, .hi = 1};
    struct nn_gemv v = {.x = x, .b = b, .y = y, .n = n, .k = depth, .hi = 1};
    struct bench run = {.k = k, .args = m > 1 ? (const void *)&g : (const void *)&v,
                        .run = m > 1 ? run_gemm : run_gemv, .blocks = mp, .planes = np,
                        .flops = 2.0 * m * n * depth, .bytes = 4.0 * n * depth};
    char shape[64];
    snprintf(shape, sizeof shape, "%d x %d x %d", m, n, depth);
    bench_print(m > 1 ? "gemm" : "gemv", shape, &run);
    mem_free_aligned(x);
    mem_free_aligned(y);
    mem_free_aligned(b);
}

static void run_qconv(const struct bench *b)
{
    b->k->qconv16(b->args, 0, b->blocks, 0, b->rows);
}

static void run_bconv(const struct bench *b)
{
    b->k->bconv16(b->args, 0, b->blocks, 0, b->rows);
}

static void run_qdepthwise(const struct bench *b)
{
    b->k->qdepthwise16(b->args, 0, b->blocks, 0, b->rows);
}

static void bench_dot_layer(const struct nn_kernels *k, const char *slot, enum dot_kind kind, struct layer l)
{
    int side = (l.out - 1) * l.stride + l.kernel, blocks = nn_blocks(l.oc), planes = nn_blocks(l.ic);
    struct nn_dot16 c = {.x_row = (size_t)side * 16, .x_plane = (size_t)side * side * 16,
                         .y_row = (size_t)l.out * 16, .y_plane = (size_t)l.out * l.out * 16,
                         .y_col = 16, .ic = l.ic, .ow = l.out, .kh = l.kernel, .kw = l.kernel,
                         .stride_h = l.stride, .stride_w = l.stride, .dilation_h = 1,
                         .dilation_w = 1, .hi = 100, .y_scale = 1};
    float *x = bench_room(c.x_plane * planes), *y = bench_room(c.y_plane * blocks);
    float *w = bench_room(nn_conv16_size(l.oc, l.ic, l.kernel, l.kernel));
    float *lanes = bench_room((size_t)blocks * 16);
    c.x = x;
    c.w = w;
    c.scale = c.bias = lanes;
    c.y_u8 = kind == DOT_BFLOAT ? NULL : (uint8_t *)y;
    c.y_bf16 = kind == DOT_BFLOAT ? (uint16_t *)y : NULL;
    struct bench b = {.k = k, .args = &c, .blocks = blocks, .rows = l.out,
                      .run = kind == DOT_INT8 ? run_qconv : kind == DOT_BFLOAT ? run_bconv : run_qdepthwise,
                      .flops = 2.0 * l.oc * (kind == DOT_DEPTHWISE ? 1 : l.ic) * l.out * l.out *
                               l.kernel * l.kernel};
    char shape[64];
    snprintf(shape, sizeof shape, "%d->%d %dx%d k%d s%d", l.ic, l.oc, l.out, l.out, l.kernel, l.stride);
    bench_print(slot, shape, &b);
    mem_free_aligned(x);
    mem_free_aligned(y);
    mem_free_aligned(w);
    mem_free_aligned(lanes);
}

#define BENCH_DOT(k, only, slot, kind, layers)                                                     \
    for (size_t i = 0; (only == NULL || strcmp(only, slot) == 0) &&                                \
                       i < sizeof layers / sizeof *layers; i++)                                    \
        bench_dot_layer(k, slot, kind, layers[i]);

static const struct layer dense_layers[] = {
    {8, 8, 44, 3, 1},     {32, 32, 48, 3, 1},   {64, 64, 48, 3, 1},   {64, 64, 24, 3, 1},
    {128, 128, 12, 3, 1}, {128, 128, 24, 3, 1}, {256, 256, 6, 3, 1},  {256, 256, 12, 3, 1},
    {512, 512, 3, 3, 1},  {512, 512, 6, 3, 1},  {64, 128, 22, 3, 2},  {256, 512, 6, 3, 2},
    {64, 64, 44, 3, 1},   {64, 128, 56, 1, 1},  {32, 64, 112, 1, 1},  {256, 256, 14, 1, 1},
    {512, 512, 7, 1, 1},  {1024, 1024, 7, 1, 1}, {32, 64, 11, 1, 1},  {64, 128, 22, 1, 2}};
static const struct layer planar_layers[] = {
    {1, 32, 48, 3, 1}, {1, 64, 44, 3, 1}, {1, 8, 46, 3, 1}, {3, 32, 112, 3, 2}};
static const struct layer depthwise_layers[] = {
    {16, 16, 44, 3, 1}, {32, 32, 112, 3, 1}, {128, 128, 56, 3, 1}, {128, 128, 28, 3, 2},
    {256, 256, 28, 3, 1}, {512, 512, 14, 3, 1}, {1024, 1024, 7, 3, 1}, {64, 64, 6, 3, 1}};

static const struct layer winograd_layers[] = {
    {32, 32, 48, 3, 1},   {64, 64, 48, 3, 1},   {32, 64, 44, 3, 1},   {64, 64, 24, 3, 1},
    {64, 128, 20, 3, 1},  {128, 128, 12, 3, 1}, {128, 128, 8, 3, 1},  {128, 128, 24, 3, 1},
    {256, 256, 6, 3, 1},  {256, 256, 12, 3, 1}, {512, 512, 3, 3, 1},  {512, 512, 6, 3, 1}};
static const int matrices[][3] = {{1, 1000, 4608}, {1, 1024, 2048}, {1, 7, 1000}, {1, 128, 128},
                                  {64, 1000, 4608}, {64, 4608, 1000}, {1000, 4608, 64}, {64, 7, 1000},
                                  {256, 256, 256}, {1024, 1024, 1024}};

#define BENCH_LAYERS(k, only, slot, kind, gradient, layers)                                        \
    for (size_t i = 0; (only == NULL || strcmp(only, slot) == 0) &&                                \
                       i < sizeof layers / sizeof *layers; i++)                                    \
        bench_conv_layer(k, slot, kind, gradient, layers[i]);

static void bench_all(const struct nn_kernels *k, const char *only)
{
    printf("%s, peak %.1f GFLOP/s\n", k->isa, peak_rate(k) * 1e-9);
    BENCH_LAYERS(k, only, "conv16", DENSE, false, dense_layers)
    BENCH_LAYERS(k, only, "conv16_planar", PLANAR, false, planar_layers)
    BENCH_LAYERS(k, only, "depthwise16", DEPTHWISE, false, depthwise_layers)
    BENCH_LAYERS(k, only, "conv16_dw", DENSE, true, dense_layers)
    BENCH_LAYERS(k, only, "conv16_planar_dw", PLANAR, true, planar_layers)
    BENCH_LAYERS(k, only, "depthwise16_dw", DEPTHWISE, true, depthwise_layers)
    BENCH_DOT(k, only, "qconv16", DOT_INT8, dense_layers)
    BENCH_DOT(k, only, "bconv16", DOT_BFLOAT, dense_layers)
    BENCH_DOT(k, only, "qdepthwise16", DOT_DEPTHWISE, depthwise_layers)
    for (size_t i = 0; i < sizeof winograd_layers / sizeof *winograd_layers * 3; i++)
        if (only == NULL || strcmp(only, "winograd") == 0)
            bench_winograd(k, (int)(i % 3 + 1) * 2, winograd_layers[i / 3], false);
    for (size_t i = 0; i < sizeof winograd_layers / sizeof *winograd_layers * 2; i++)
        if (only == NULL || strcmp(only, "winograd_dw") == 0)
            bench_winograd(k, (int)(i % 2 + 1) * 2, winograd_layers[i / 2], true);
    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++)
        if (only == NULL || strcmp(only, matrices[i][0] > 1 ? "gemm" : "gemv") == 0)
            bench_matrix(k, matrices[i][0], matrices[i][1], matrices[i][2]);
}

int main(int argc, char **argv)
{
    const char *only = NULL;
    uint64_t seed = 1;
    bool bench = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--bench") == 0)
            bench = true;
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            only = argv[++i];
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else {
            fprintf(stderr, "usage: check_kernels [--only SLOT] [--seed N] [--bench]\n");
            return 2;
        }
    }
    if (bench) {
        bench_all(nn_kernels(), only);
        return 0;
    }
    for (int isa = 0; isa < NN_ISA_COUNT; isa++) {
        const struct nn_kernels *k = nn_kernels_for((enum nn_isa)isa);
        if (k == NULL)
            continue;
        int before = now.failures;
        for (int i = 0; i < SLOTS; i++)
            if (only == NULL || strcmp(only, slots[i].name) == 0)
                check_slot(i, k, seed);
        printf("%s: %s\n", k->isa, now.failures == before ? "ok" : "FAILED");
    }
    return now.failures > 0;
}
