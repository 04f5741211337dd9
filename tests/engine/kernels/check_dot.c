/* 8-bit and bfloat16 convolution against scalar. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

uint16_t *input_bf16(size_t n)
{
    uint16_t *p = input_bits(n, sizeof *p);
    float *f = mem_new(n + 1, sizeof *f);
    for (size_t i = 0; i < n; i++)
        f[i] = rng_uniform(&now.rng) * 2 - 1;
    nn_kernels_for(NN_ISA_SCALAR)->f32_to_bf16(f, p, n);
    free(f);
    return p;
}

void compare_bf16(const uint16_t *want, const uint16_t *got, size_t n, double tolerance)
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
    *c = (struct nn_dot16){.x_plane = s.x_plane,
                           .x_row = s.x_row,
                           .ic = s.ic,
                           .ow = s.ow,
                           .kh = s.kh,
                           .kw = s.kw,
                           .stride_h = s.stride_h,
                           .stride_w = s.stride_w,
                           .dilation_h = s.dilation_h,
                           .dilation_w = s.dilation_w,
                           .add_scale = 0.01f,
                           .add_shift = -1,
                           .y_scale = 90,
                           .y_shift = 100};
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
    c.accumulate = out == 0 && pick(0, 1);
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

void check_qconv16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_dot16(DOT_INT8, ref->qconv16, k->qconv16, tol);
}

void check_bconv16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_dot16(DOT_BFLOAT, ref->bconv16, k->bconv16, tol);
}

void check_qdepthwise16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_dot16(DOT_DEPTHWISE, ref->qdepthwise16, k->qdepthwise16, tol);
}

void check_bconv16_dw(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_bconv16_dw c = {.images = pick(0, 3), .ic = 16 * pick(1, 3), .oh = pick(1, 9),
                              .pairs = pick(0, 12), .kh = pick(1, 3), .kw = pick(1, 3),
                              .stride_h = pick(1, 2), .dilation_h = pick(1, 2)};
    int oc_blocks = pick(1, 4), ic_blocks = nn_blocks(c.ic);
    int h = (c.oh - 1) * c.stride_h + (c.kh - 1) * c.dilation_h + 1;
    now.specials = false;
    c.x_row = (size_t)c.pairs * 32;
    c.x_plane = c.x_row * h;
    c.x_tap = c.x_plane * ic_blocks;
    c.x_image = c.x_tap * c.kw;
    c.dy_row = (size_t)c.pairs * 32;
    c.dy_plane = c.dy_row * c.oh;
    c.dy_image = c.dy_plane * oc_blocks;
    c.x = input_bf16(c.x_image * c.images);
    c.dy = input_bf16(c.dy_image * c.images);
    size_t n = (size_t)oc_blocks * ic_blocks * c.kh * c.kw * 256;
    float *want = input(n), *got = twin(want, n);
    struct range o = pick_range(oc_blocks), i = pick_range(ic_blocks);
    SHAPE("images %d ic %d rows %d pairs %d kernel %dx%d", c.images, c.ic, c.oh, c.pairs, c.kh,
          c.kw);
    c.dw = want;
    ref->bconv16_dw(&c, o.begin, o.end, i.begin, i.end);
    c.dw = got;
    k->bconv16_dw(&c, o.begin, o.end, i.begin, i.end);
    compare("dw", want, got, n, tol * (c.images * c.oh * c.pairs * 2 + 1));
}

void check_pairs16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_pairs16 p = {.rows = pick(0, 5), .cols = pick(0, 11), .step = pick(1, 3)};
    int blocks = pick(1, 3);
    now.specials = false;
    p.src_row = (size_t)p.cols * p.step * 16;
    p.src_plane = p.src_row * p.rows;
    p.dst_row = (size_t)(p.cols + 1) / 2 * 32;
    p.dst_plane = p.dst_row * p.rows;
    p.src = input(p.src_plane * blocks);
    size_t n = p.dst_plane * blocks;
    float *want = input(n / 2), *got = twin(want, n / 2);
    struct range b = pick_range(blocks);
    SHAPE("rows %d cols %d step %d", p.rows, p.cols, p.step);
    p.dst = (uint16_t *)want;
    ref->pairs16(&p, b.begin, b.end);
    p.dst = (uint16_t *)got;
    k->pairs16(&p, b.begin, b.end);
    compare_bf16((uint16_t *)want, (uint16_t *)got, n, tol);
}
