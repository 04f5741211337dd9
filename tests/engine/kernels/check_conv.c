/* Convolution and weight gradients against scalar. */
#include "check.h"

#include <math.h>

static const int kernel_sizes[] = {1, 1, 2, 3, 3, 3, 4, 5, 7};
static const int strides[] = {1, 1, 1, 2, 2, 3};
static const int widths[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  10, 11,
                             12, 13, 14, 15, 17, 22, 23, 28, 29, 48};

void pick_conv(struct nn_conv16 *c, struct conv_case *k)
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
                (k->kind == PLANAR  ? c->ic * 16
                 : k->kind == DENSE ? k->planes * 256
                                    : 16);
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
    SHAPE("ic %d oc blocks %d of %d rows %d-%d width %d kernel %dx%d stride %dx%d dilation %dx%d",
          c.ic, b.end - b.begin, k.oc_blocks, r.begin, r.end, c.ow, c.kh, c.kw, c.stride_h,
          c.stride_w, c.dilation_h, c.dilation_w);
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
    struct nn_conv16_dw c = {.x_plane = s.x_plane,
                             .x_row = s.x_row,
                             .x_image = k.x_size,
                             .images = pick(0, 9) / 3,
                             .ic = s.ic,
                             .oh = k.oh,
                             .ow = s.ow,
                             .kh = s.kh,
                             .kw = s.kw,
                             .stride_h = s.stride_h,
                             .stride_w = s.stride_w,
                             .dilation_h = s.dilation_h,
                             .dilation_w = s.dilation_w};
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

void check_conv16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_conv(DENSE, ref->conv16, k->conv16, tol);
}

void check_conv16_planar(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_conv(PLANAR, ref->conv16_planar, k->conv16_planar, tol);
}

void check_depthwise16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_conv(DEPTHWISE, ref->depthwise16, k->depthwise16, tol);
}

void check_conv16_dw(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_dw(DENSE, ref, k, tol);
}

void check_conv16_planar_dw(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_dw(PLANAR, ref, k, tol);
}

void check_depthwise16_dw(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_dw(DEPTHWISE, ref, k, tol);
}
