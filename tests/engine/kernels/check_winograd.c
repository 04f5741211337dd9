/* The parts of Winograd convolution against scalar. */
#include "check.h"

/* A random chunk of the tiles of one or two images; returns how many images. */
static int pick_winograd(struct nn_winograd *w)
{
    int images = pick(1, 2);
    *w = (struct nn_winograd){.m = 2 * pick(1, 3),
                              .ic = pick(1, 40),
                              .oc = pick(1, 90),
                              .oh = pick(1, 13),
                              .ow = pick(1, 20)};
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
    struct nn_winograd_weights w = {
        .m = 2 * pick(1, 3), .oc_blocks = pick(1, 3), .ic_blocks = pick(1, 3)};
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

void check_winograd_weights(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_win_weights(ref, k, tol, false);
}

void check_winograd_weights_back(const struct nn_kernels *ref, const struct nn_kernels *k,
                                 double tol)
{
    check_win_weights(ref, k, tol, true);
}

void check_winograd_in(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
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

void check_winograd_dy(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
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

void check_winograd_mul(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
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

void check_winograd_dw(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
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

void check_winograd_out(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
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

/* The same in bfloat16. Buffers of `n` elements are floats of half as many. */

static void check_bwin(const struct nn_winograd *w, int channels, struct range b, bool pairs,
                       void (*ref)(const struct nn_winograd *, int, int),
                       void (*fn)(const struct nn_winograd *, int, int), bool dy, double tol)
{
    size_t n = nn_winograd_scratch(w->m, channels, w->tiles + (pairs ? w->tiles % 2 : 0));
    float *want = input(n / 2), *got = twin(want, n / 2);
    struct nn_winograd k = *w;
    *(dy ? &k.bs : &k.bv) = (uint16_t *)want;
    ref(&k, b.begin, b.end);
    *(dy ? &k.bs : &k.bv) = (uint16_t *)got;
    fn(&k, b.begin, b.end);
    compare_bf16((uint16_t *)want, (uint16_t *)got, n, tol);
}

static int pick_bwin(struct nn_winograd *w)
{
    now.specials = false;
    int images = pick_winograd(w);
    if (w->m == 6) { /* not for bfloat16 */
        w->m = 4;
        w->first = 0;
        w->tiles = pick(0, images * nn_winograd_tiles(4, w->oh, w->ow));
    }
    return images;
}

void check_bwinograd_in(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_winograd w;
    int images = pick_bwin(&w);
    w.x = input(w.x_image * images);
    check_bwin(&w, w.ic, pick_range(nn_blocks(w.ic)), false, ref->bwinograd_in, k->bwinograd_in,
               false, tol * 36);
}

void check_bwinograd_in_pairs(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_winograd w;
    int images = pick_bwin(&w);
    w.x = input(w.x_image * images);
    check_bwin(&w, w.ic, pick_range(nn_blocks(w.ic)), true, ref->bwinograd_in_pairs,
               k->bwinograd_in_pairs, false, tol * 36);
}

void check_bwinograd_dy_pairs(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_winograd w;
    int images = pick_bwin(&w);
    w.y = input(w.y_image * images);
    check_bwin(&w, w.oc, pick_range(nn_blocks(w.oc)), true, ref->bwinograd_dy_pairs,
               k->bwinograd_dy_pairs, true, tol);
}

void check_bwinograd_weights(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_winograd_weights w = {
        .m = 2 * pick(1, 2), .oc_blocks = pick(1, 3), .ic_blocks = pick(1, 3)};
    now.specials = false;
    size_t n = nn_winograd_weights_size(w.m, w.oc_blocks * 16, w.ic_blocks * 16);
    w.w = input((size_t)w.oc_blocks * w.ic_blocks * 9 * 256);
    float *want = input(n / 2), *got = twin(want, n / 2);
    struct range b = pick_range(w.oc_blocks);
    SHAPE("m %d blocks %d x %d", w.m, w.oc_blocks, w.ic_blocks);
    w.bu = (uint16_t *)want;
    ref->bwinograd_weights(&w, b.begin, b.end);
    w.bu = (uint16_t *)got;
    k->bwinograd_weights(&w, b.begin, b.end);
    compare_bf16((uint16_t *)want, (uint16_t *)got, n, tol * 9);
}

void check_bwinograd_mul(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_winograd w;
    pick_bwin(&w);
    w.ic = nn_blocks(w.ic) * 16; /* unused lanes of both operands are zero by contract */
    size_t n = nn_winograd_scratch(w.m, w.oc, w.tiles);
    w.bv = input_bf16(nn_winograd_scratch(w.m, w.ic, w.tiles));
    w.bu = input_bf16(nn_winograd_weights_size(w.m, w.oc, w.ic));
    float *want = input(n), *got = twin(want, n);
    struct range p = pick_range((w.m + 2) * (w.m + 2)), b = pick_range(nn_blocks(w.oc));
    w.s = want;
    ref->bwinograd_mul(&w, p.begin, p.end, b.begin, b.end);
    w.s = got;
    k->bwinograd_mul(&w, p.begin, p.end, b.begin, b.end);
    compare("s", want, got, n, tol * (w.ic + 1));
}

void check_bwinograd_dw(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_winograd w;
    pick_bwin(&w);
    w.ic = nn_blocks(w.ic) * 16; /* rows of unused lanes are not specified */
    w.tiles += w.tiles % 2;
    size_t n = nn_winograd_weights_size(w.m, w.oc, w.ic);
    w.bv = input_bf16(nn_winograd_scratch(w.m, w.ic, w.tiles));
    w.bs = input_bf16(nn_winograd_scratch(w.m, w.oc, w.tiles));
    float *want = input(n), *got = twin(want, n);
    struct range p = pick_range((w.m + 2) * (w.m + 2));
    w.u = want;
    ref->bwinograd_dw(&w, p.begin, p.end);
    w.u = got;
    k->bwinograd_dw(&w, p.begin, p.end);
    compare("u", want, got, n, tol * (w.tiles + 1));
}
