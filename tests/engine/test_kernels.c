/* What the kernels mean together: Winograd equals direct convolution forward and back, phases of
 * the flipped weights are the input gradient, packing loses nothing. check_kernels compares the
 * overlays with scalar slot by slot. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "kernels/kernels.h"

static struct rng rng;

static float *room(size_t n)
{
    return mem_new(n + 1, sizeof(float));
}

static float *random_room(size_t n)
{
    float *p = room(n);
    for (size_t i = 0; i < n; i++)
        p[i] = rng_uniform(&rng) * 2 - 1;
    return p;
}

/* The largest |a - b| as a share of the largest |a|. */
static double relative_error(const float *a, const float *b, size_t n)
{
    double worst = 0, largest = 1e-30;
    for (size_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
        largest = fmax(largest, fabs((double)a[i]));
    }
    return worst / largest;
}

/* A 3 x 3 convolution of `images` padded images, its gradient and buffers for both ways. */
struct problem {
    int ic, oc, oh, ow, images;
    size_t x_size, y_size, w_size;
    float *x, *w, *y, *dy, *dw;
    struct nn_conv16 conv;
    struct nn_conv16_dw grad;
};

static struct problem problem_create(int ic, int oc, int oh, int ow, int images)
{
    struct problem p = {.ic = ic, .oc = oc, .oh = oh, .ow = ow, .images = images};
    size_t x_row = (size_t)(ow + 2) * 16, x_plane = x_row * (oh + 2), y_row = (size_t)ow * 16;
    p.x_size = x_plane * nn_blocks(ic);
    p.y_size = y_row * oh * nn_blocks(oc);
    p.w_size = nn_conv16_size(oc, ic, 3, 3);
    p.x = random_room(p.x_size * images);
    p.w = random_room(p.w_size);
    p.y = room(p.y_size * images);
    p.dy = random_room(p.y_size * images);
    p.dw = room(p.w_size);
    p.conv = (struct nn_conv16){.x = p.x,
                                .w = p.w,
                                .y = p.y,
                                .x_plane = x_plane,
                                .x_row = x_row,
                                .y_plane = y_row * oh,
                                .y_row = y_row,
                                .y_col = 16,
                                .ic = ic,
                                .ow = ow,
                                .kh = 3,
                                .kw = 3,
                                .stride_h = 1,
                                .stride_w = 1,
                                .dilation_h = 1,
                                .dilation_w = 1,
                                .lo = -INFINITY,
                                .hi = INFINITY};
    p.grad = (struct nn_conv16_dw){.x = p.x,
                                   .dy = p.dy,
                                   .dw = p.dw,
                                   .x_image = p.x_size,
                                   .x_plane = x_plane,
                                   .x_row = x_row,
                                   .dy_image = p.y_size,
                                   .dy_plane = y_row * oh,
                                   .dy_row = y_row,
                                   .images = images,
                                   .ic = ic,
                                   .oh = oh,
                                   .ow = ow,
                                   .kh = 3,
                                   .kw = 3,
                                   .stride_h = 1,
                                   .stride_w = 1,
                                   .dilation_h = 1,
                                   .dilation_w = 1};
    return p;
}

static void problem_free(struct problem *p)
{
    free(p->x);
    free(p->w);
    free(p->y);
    free(p->dy);
    free(p->dw);
}

/* Runs all tiles in chunks; `back`: collects the weight gradient instead of writing y. */
static void run_winograd(const struct nn_kernels *k, const struct problem *p, int m, float *y,
                         float *dw)
{
    int all = p->images * nn_winograd_tiles(m, p->oh, p->ow), chunk = 7;
    struct nn_winograd w = {.m = m,
                            .ic = p->ic,
                            .oc = p->oc,
                            .oh = p->oh,
                            .ow = p->ow,
                            .x = p->x,
                            .u = room(nn_winograd_weights_size(m, p->oc, p->ic)),
                            .v = room(nn_winograd_scratch(m, p->ic, chunk)),
                            .s = room(nn_winograd_scratch(m, p->oc, chunk)),
                            .y = dw != NULL ? p->dy : y,
                            .x_image = p->x_size,
                            .x_plane = p->conv.x_plane,
                            .x_row = p->conv.x_row,
                            .y_image = p->y_size,
                            .y_plane = p->conv.y_plane,
                            .y_row = p->conv.y_row,
                            .lo = -INFINITY,
                            .hi = INFINITY};
    int positions = (m + 2) * (m + 2), ob = nn_blocks(p->oc), ib = nn_blocks(p->ic);
    struct nn_winograd_weights weights = {m, ob, ib, dw != NULL ? dw : p->w, w.u,
                                          NULL};
    if (dw == NULL)
        k->winograd_weights(&weights, 0, ob);
    for (w.first = 0; w.first < all; w.first += chunk) {
        w.tiles = all - w.first < chunk ? all - w.first : chunk;
        k->winograd_in(&w, 0, ib);
        if (dw != NULL) {
            k->winograd_dy(&w, 0, ob);
            k->winograd_dw(&w, 0, positions);
        } else {
            k->winograd_mul(&w, 0, positions, 0, ob);
            k->winograd_out(&w, 0, ob);
        }
    }
    if (dw != NULL)
        k->winograd_weights_back(&weights, 0, ob);
    free(w.u);
    free(w.v);
    free(w.s);
}

static void check_winograd(const struct nn_kernels *k, int m, double tolerance)
{
    struct problem p = problem_create(32, 48, 11, 13, 2);
    for (int i = 0; i < p.images; i++) {
        struct nn_conv16 c = p.conv;
        c.x += i * p.x_size;
        c.y += i * p.y_size;
        k->conv16(&c, 0, nn_blocks(p.oc), 0, p.oh);
    }
    k->conv16_dw(&p.grad, 0, nn_blocks(p.oc), 0, nn_blocks(p.ic));
    float *y = room(p.y_size * p.images), *dw = room(p.w_size);
    run_winograd(k, &p, m, y, NULL);
    run_winograd(k, &p, m, NULL, dw);
    assert_true(relative_error(p.y, y, p.y_size * p.images) < tolerance);
    assert_true(relative_error(p.dw, dw, p.w_size) < tolerance);
    free(y);
    free(dw);
    problem_free(&p);
}

static void test_winograd_equals_direct(void **state)
{
    (void)state;
    for (int isa = 0; isa < NN_ISA_COUNT; isa++) {
        const struct nn_kernels *k = nn_kernels_for((enum nn_isa)isa);
        if (k == NULL)
            continue;
        check_winograd(k, 2, 3e-6);
        check_winograd(k, 4, 3e-5);
        check_winograd(k, 6, 3e-4);
    }
}

/* The sum over rows and columns that defines the input gradient, for one image and dense lanes. */
static double dx_reference(const float *oihw, const float *dy, int oc, int ic, int kernel,
                           int stride, int pad, int out, int i, int row, int col)
{
    double sum = 0;
    for (int o = 0; o < oc; o++)
        for (int a = 0; a < kernel; a++)
            for (int b = 0; b < kernel; b++) {
                int h = row + pad - a, w = col + pad - b;
                if (h < 0 || w < 0 || h % stride || w % stride || h / stride >= out ||
                    w / stride >= out)
                    continue;
                sum += (double)oihw[((o * ic + i) * kernel + a) * kernel + b] *
                       (double)dy[((o / 16 * out + h / stride) * out + w / stride) * 16 + o % 16];
            }
    return sum;
}

/* dx of one phase by a stride-1 convolution of dy, with the flipped weights. */
static void run_phase(const float *packed, const float *dy, int oc, int ic, int kernel, int stride,
                      int pad, int out, int in, int ph, int pw, float *dx)
{
    const struct nn_kernels *k = nn_kernels();
    struct nn_phase h = nn_conv_phase(kernel, stride, pad, ph),
                    w = nn_conv_phase(kernel, stride, pad, pw);
    if (h.taps == 0 || w.taps == 0)
        return;
    enum { BORDER = 8 };
    int side = out + 2 * BORDER, rows = (in - ph + stride - 1) / stride,
        cols = (in - pw + stride - 1) / stride;
    float *flipped = room(nn_conv16_size(ic, oc, h.taps, w.taps));
    struct nn_flip16 flip = {packed, flipped, nn_blocks(oc), nn_blocks(ic), kernel,
                             kernel, h.first, w.first,       stride,        stride};
    k->flip16(&flip, 0, nn_blocks(ic));
    float *padded = room((size_t)nn_blocks(oc) * side * side * 16);
    struct nn_pad16 border = {.src = dy,
                              .dst = padded,
                              .src_plane = (size_t)out * out * 16,
                              .src_row = (size_t)out * 16,
                              .dst_plane = (size_t)side * side * 16,
                              .dst_row = (size_t)side * 16,
                              .h = out,
                              .w = out,
                              .top = BORDER,
                              .left = BORDER,
                              .bottom = BORDER,
                              .right = BORDER};
    k->pad16(&border, 0, nn_blocks(oc));
    int top = BORDER + h.offset - (h.taps - 1), left = BORDER + w.offset - (w.taps - 1);
    struct nn_conv16 c = {.x = padded + ((size_t)top * side + left) * 16,
                          .w = flipped,
                          .y = dx + ((size_t)ph * in + pw) * 16,
                          .x_plane = border.dst_plane,
                          .x_row = border.dst_row,
                          .y_plane = (size_t)in * in * 16,
                          .y_row = (size_t)in * 16 * stride,
                          .y_col = (size_t)16 * stride,
                          .ic = oc,
                          .ow = cols,
                          .kh = h.taps,
                          .kw = w.taps,
                          .stride_h = 1,
                          .stride_w = 1,
                          .dilation_h = 1,
                          .dilation_w = 1,
                          .lo = -INFINITY,
                          .hi = INFINITY};
    k->conv16(&c, 0, nn_blocks(ic), 0, rows);
    free(flipped);
    free(padded);
}

static void check_phases(int kernel, int stride, int pad)
{
    enum { IC = 20, OC = 18, IN = 9 };
    int out = (IN + 2 * pad - kernel) / stride + 1;
    float *oihw = random_room((size_t)OC * IC * kernel * kernel);
    float *packed = room(nn_conv16_size(OC, IC, kernel, kernel));
    nn_conv16_pack(oihw, OC, IC, kernel, kernel, packed);
    float *dy = random_room((size_t)nn_blocks(OC) * out * out * 16);
    float *dx = room((size_t)nn_blocks(IC) * IN * IN * 16);
    for (int ph = 0; ph < stride; ph++)
        for (int pw = 0; pw < stride; pw++)
            run_phase(packed, dy, OC, IC, kernel, stride, pad, out, IN, ph, pw, dx);
    for (int i = 0; i < IC; i++)
        for (int row = 0; row < IN; row++)
            for (int col = 0; col < IN; col++) {
                double want = dx_reference(oihw, dy, OC, IC, kernel, stride, pad, out, i, row, col);
                double got = (double)dx[((i / 16 * IN + row) * IN + col) * 16 + i % 16];
                assert_true(fabs(want - got) < 1e-4);
            }
    free(oihw);
    free(packed);
    free(dy);
    free(dx);
}

static void test_phases_are_the_input_gradient(void **state)
{
    (void)state;
    for (int kernel = 1; kernel <= 5; kernel++)
        for (int stride = 1; stride <= 3; stride++)
            for (int pad = 0; pad <= kernel / 2; pad++)
                check_phases(kernel, stride, pad);
}

static void test_packing_round_trips(void **state)
{
    (void)state;
    enum { OC = 19, IC = 21, KH = 3, KW = 2, N = OC * IC * KH * KW };
    float *w = random_room(N), *back = room(N);
    float *packed = room(nn_conv16_size(OC, IC, KH, KW));
    nn_conv16_pack(w, OC, IC, KH, KW, packed);
    nn_conv16_unpack(packed, OC, IC, KH, KW, back);
    assert_memory_equal(w, back, N * sizeof *w);
    memset(back, 0, N * sizeof *w);
    nn_planar_pack(w, OC, IC, KH, KW, packed);
    nn_planar_unpack(packed, OC, IC, KH, KW, back);
    assert_memory_equal(w, back, N * sizeof *w);
    memset(back, 0, N * sizeof *w);
    nn_depthwise16_pack(w, OC, KH, KW, packed);
    nn_depthwise16_unpack(packed, OC, KH, KW, back);
    assert_memory_equal(w, back, OC * KH * KW * sizeof *w);
    free(w);
    free(back);
    free(packed);
}

int main(void)
{
    rng_seed(&rng, 7, 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_winograd_equals_direct),
        cmocka_unit_test(test_phases_are_the_input_gradient),
        cmocka_unit_test(test_packing_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
