/* Layout, packing, matrices and pools against scalar. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void check_flip16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_flip16 f = {.oc_blocks = pick(1, 3),
                          .ic_blocks = pick(1, 3),
                          .kh = pick(1, 5),
                          .kw = pick(1, 5),
                          .step_h = pick(1, 3),
                          .step_w = pick(1, 3)};
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

static void check_border(const struct nn_kernels *ref, const struct nn_kernels *k, double tol,
                         bool pad)
{
    int blocks = pick(1, 3);
    struct nn_pad16 p = {.h = pick(0, 7),
                         .w = pick(0, 9),
                         .top = pick(0, 2),
                         .left = pick(0, 2),
                         .bottom = pick(0, 2),
                         .right = pick(0, 2),
                         .fill = pick(0, 1) ? 0 : -INFINITY,
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

void check_pad16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_border(ref, k, tol, true);
}

void check_crop16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_border(ref, k, tol, false);
}

static void check_nchw(const struct nn_kernels *ref, const struct nn_kernels *k, double tol,
                       bool from)
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

void check_c16_from_nchw(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_nchw(ref, k, tol, true);
}

void check_c16_to_nchw(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_nchw(ref, k, tol, false);
}

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

void check_gemm_pack_a(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_pack(ref, k, tol, true);
}

void check_gemm_pack_b(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_pack(ref, k, tol, false);
}

void check_gemm(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    struct nn_gemm g = {.m = pick(0, 50),
                        .n = pick(0, 90),
                        .k = pick(0, 3) ? pick(0, 70) : pick(300, 700),
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

void check_gemv(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
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
    return (p->oh - 1) * p->stride_h - p->top < p->h &&
           (p->ow - 1) * p->stride_w - p->left < p->w && p->top < p->kh && p->left < p->kw;
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

void check_maxpool16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_pool(ref, ref->maxpool16, k->maxpool16, tol, false, pick(0, 1));
}

void check_maxpool16_back(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_pool(ref, ref->maxpool16_back, k->maxpool16_back, tol, true, true);
}

void check_avgpool16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_pool(ref, ref->avgpool16, k->avgpool16, tol, false, false);
}

void check_avgpool16_back(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
{
    check_pool(ref, ref->avgpool16_back, k->avgpool16_back, tol, true, false);
}

void check_qmaxpool16(const struct nn_kernels *ref, const struct nn_kernels *k, double tol)
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
