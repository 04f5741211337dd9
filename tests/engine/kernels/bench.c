/* The layers of small vision networks, timed: see check.c. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

enum dot_kind { DOT_INT8, DOT_BFLOAT, DOT_DEPTHWISE };

static int ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

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
    bool bfloat; /* winograd: rounded operands */
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

/* Times it under the name of its shape. */
static void bench_layer(const char *slot, struct layer l, const struct bench *b)
{
    char shape[64];
    snprintf(shape, sizeof shape, "%d->%d %dx%d k%d s%d", l.ic, l.oc, l.out, l.out, l.kernel,
             l.stride);
    bench_print(slot, shape, b);
}

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
    float *x = bench_room(image * images), *weights = bench_room(w),
          *y = bench_room(y_image * images);
    struct nn_conv16 c = {.x = x,
                          .w = weights,
                          .y = y,
                          .x_plane = plane,
                          .x_row = row,
                          .y_plane = y_plane,
                          .y_row = y_row,
                          .y_col = 16,
                          .ic = l.ic,
                          .ow = l.out,
                          .kh = l.kernel,
                          .kw = l.kernel,
                          .stride_h = l.stride,
                          .stride_w = l.stride,
                          .dilation_h = 1,
                          .dilation_w = 1,
                          .lo = 0,
                          .hi = INFINITY};
    struct nn_conv16_dw g = {.x = x,
                             .dy = y,
                             .dw = weights,
                             .x_image = image,
                             .x_plane = plane,
                             .x_row = row,
                             .dy_image = y_image,
                             .dy_plane = y_plane,
                             .dy_row = y_row,
                             .images = images,
                             .ic = l.ic,
                             .oh = l.out,
                             .ow = l.out,
                             .kh = l.kernel,
                             .kw = l.kernel,
                             .stride_h = l.stride,
                             .stride_w = l.stride,
                             .dilation_h = 1,
                             .dilation_w = 1};
    struct bench b = {.k = k,
                      .args = gradient ? (const void *)&g : (const void *)&c,
                      .blocks = blocks,
                      .planes = planes,
                      .rows = l.out,
                      .flops = 2.0 * l.oc * (kind == DEPTHWISE ? 1 : l.ic) * l.out * l.out *
                               (double)taps * images};
    b.run = kind == DENSE    ? gradient ? run_dw : run_conv16
            : kind == PLANAR ? gradient ? run_planar_dw : run_planar
            : gradient       ? run_depthwise_dw
                             : run_depthwise;
    bench_layer(slot, l, &b);
    mem_free_aligned(x);
    mem_free_aligned(weights);
    mem_free_aligned(y);
}

/* The next chunk of tiles; false after the last. `w` starts with no tiles. */
static bool next_chunk(struct nn_winograd *w, int all, int chunk)
{
    w->first += w->tiles;
    w->tiles = all - w->first < chunk ? all - w->first : chunk;
    return w->tiles > 0;
}

/* Input, product and output for all tiles, a chunk at a time. */
static void run_winograd(const struct bench *b)
{
    struct nn_winograd w = *(const struct nn_winograd *)b->args;
    int chunk = w.tiles, positions = (w.m + 2) * (w.m + 2);
    w.tiles = 0;
    while (next_chunk(&w, b->rows, chunk)) {
        (b->bfloat ? b->k->bwinograd_in : b->k->winograd_in)(&w, 0, b->planes);
        (b->bfloat ? b->k->bwinograd_mul : b->k->winograd_mul)(&w, 0, positions, 0, b->blocks);
        b->k->winograd_out(&w, 0, b->blocks);
    }
}

/* The whole weight gradient, clearing and collecting included. */
static void run_winograd_dw(const struct bench *b)
{
    struct nn_winograd w = *(const struct nn_winograd *)b->args;
    int chunk = w.tiles, positions = (w.m + 2) * (w.m + 2);
    struct nn_winograd_weights collect = {w.m, b->blocks, b->planes, NULL, w.u, NULL};
    collect.w = w.u + nn_winograd_weights_size(w.m, w.oc, w.ic);
    memset(w.u, 0, nn_winograd_weights_size(w.m, w.oc, w.ic) * sizeof *w.u);
    w.tiles = 0;
    while (next_chunk(&w, b->rows, chunk)) {
        (b->bfloat ? b->k->bwinograd_in_pairs : b->k->winograd_in)(&w, 0, b->planes);
        (b->bfloat ? b->k->bwinograd_dy_pairs : b->k->winograd_dy)(&w, 0, b->blocks);
        (b->bfloat ? b->k->bwinograd_dw : b->k->winograd_dw)(&w, 0, positions);
    }
    b->k->winograd_weights_back(&collect, 0, b->blocks);
}

static void bench_winograd(const struct nn_kernels *k, int m, struct layer l, bool gradient)
{
    enum { IMAGES = 16, CHUNK = 144 };
    struct nn_winograd w = {
        .m = m, .ic = l.ic, .oc = l.oc, .oh = l.out, .ow = l.out, .hi = INFINITY};
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
    w.v = bench_room(nn_winograd_scratch(m, l.ic, w.tiles + 1));
    w.s = bench_room(nn_winograd_scratch(m, l.oc, w.tiles + 1));
    w.bu = (uint16_t *)w.u; /* the operands of bfloat16 lie in the same memory */
    w.bv = (uint16_t *)w.v;
    w.bs = (uint16_t *)w.s;
    struct bench b = {.k = k,
                      .run = gradient ? run_winograd_dw : run_winograd,
                      .args = &w,
                      .blocks = nn_blocks(l.oc),
                      .planes = nn_blocks(l.ic),
                      .rows = all,
                      .flops = 2.0 * 9 * l.ic * l.oc * l.out * l.out * images};
    char shape[64];
    snprintf(shape, sizeof shape, "F(%d,3) %d->%d %dx%d, %d tiles", m, l.ic, l.oc, l.out, l.out,
             w.tiles);
    bench_print(gradient ? "winograd_dw" : "winograd", shape, &b);
    b.bfloat = true;
    if (m < 6)
        bench_print(gradient ? "bwinograd_dw" : "bwinograd", shape, &b);
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
    struct bench run = {.k = k,
                        .args = m > 1 ? (const void *)&g : (const void *)&v,
                        .run = m > 1 ? run_gemm : run_gemv,
                        .blocks = mp,
                        .planes = np,
                        .flops = 2.0 * m * n * depth,
                        .bytes = 4.0 * n * depth};
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

static void bench_dot_layer(const struct nn_kernels *k, const char *slot, enum dot_kind kind,
                            struct layer l)
{
    int side = (l.out - 1) * l.stride + l.kernel, blocks = nn_blocks(l.oc),
        planes = nn_blocks(l.ic);
    struct nn_dot16 c = {.x_row = (size_t)side * 16,
                         .x_plane = (size_t)side * side * 16,
                         .y_row = (size_t)l.out * 16,
                         .y_plane = (size_t)l.out * l.out * 16,
                         .y_col = 16,
                         .ic = l.ic,
                         .ow = l.out,
                         .kh = l.kernel,
                         .kw = l.kernel,
                         .stride_h = l.stride,
                         .stride_w = l.stride,
                         .dilation_h = 1,
                         .dilation_w = 1,
                         .hi = 100,
                         .y_scale = 1};
    float *x = bench_room(c.x_plane * planes), *y = bench_room(c.y_plane * blocks);
    float *w = bench_room(nn_conv16_size(l.oc, l.ic, l.kernel, l.kernel));
    float *lanes = bench_room((size_t)blocks * 16);
    c.x = x;
    c.w = w;
    c.scale = c.bias = lanes;
    c.y_u8 = kind == DOT_BFLOAT ? NULL : (uint8_t *)y;
    c.y_bf16 = kind == DOT_BFLOAT ? (uint16_t *)y : NULL;
    struct bench b = {.k = k,
                      .args = &c,
                      .blocks = blocks,
                      .rows = l.out,
                      .run = kind == DOT_INT8     ? run_qconv
                             : kind == DOT_BFLOAT ? run_bconv
                                                  : run_qdepthwise,
                      .flops = 2.0 * l.oc * (kind == DOT_DEPTHWISE ? 1 : l.ic) * l.out * l.out *
                               l.kernel * l.kernel};
    bench_layer(slot, l, &b);
    mem_free_aligned(x);
    mem_free_aligned(y);
    mem_free_aligned(w);
    mem_free_aligned(lanes);
}

#define BENCH_DOT(k, only, slot, kind, layers)                                                     \
    for (size_t i = 0;                                                                             \
         (only == NULL || strcmp(only, slot) == 0) && i < sizeof layers / sizeof *layers; i++)     \
        bench_dot_layer(k, slot, kind, layers[i]);

static const struct layer dense_layers[] = {
    {8, 8, 44, 3, 1},     {32, 32, 48, 3, 1},    {64, 64, 48, 3, 1},  {64, 64, 24, 3, 1},
    {128, 128, 12, 3, 1}, {128, 128, 24, 3, 1},  {256, 256, 6, 3, 1}, {256, 256, 12, 3, 1},
    {512, 512, 3, 3, 1},  {512, 512, 6, 3, 1},   {64, 128, 22, 3, 2}, {256, 512, 6, 3, 2},
    {64, 64, 44, 3, 1},   {64, 128, 56, 1, 1},   {32, 64, 112, 1, 1}, {256, 256, 14, 1, 1},
    {512, 512, 7, 1, 1},  {1024, 1024, 7, 1, 1}, {32, 64, 11, 1, 1},  {64, 128, 22, 1, 2}};
static const struct layer planar_layers[] = {
    {1, 32, 48, 3, 1}, {1, 64, 44, 3, 1}, {1, 8, 46, 3, 1}, {3, 32, 112, 3, 2}};
static const struct layer depthwise_layers[] = {
    {16, 16, 44, 3, 1},   {32, 32, 112, 3, 1},  {128, 128, 56, 3, 1},  {128, 128, 28, 3, 2},
    {256, 256, 28, 3, 1}, {512, 512, 14, 3, 1}, {1024, 1024, 7, 3, 1}, {64, 64, 6, 3, 1}};

static const struct layer winograd_layers[] = {
    {32, 32, 48, 3, 1},  {64, 64, 48, 3, 1},   {32, 64, 44, 3, 1},  {64, 64, 24, 3, 1},
    {64, 128, 20, 3, 1}, {128, 128, 12, 3, 1}, {128, 128, 8, 3, 1}, {128, 128, 24, 3, 1},
    {256, 256, 6, 3, 1}, {256, 256, 12, 3, 1}, {512, 512, 3, 3, 1}, {512, 512, 6, 3, 1}};
static const int matrices[][3] = {
    {1, 1000, 4608},  {1, 1024, 2048},  {1, 7, 1000},  {1, 128, 128},   {64, 1000, 4608},
    {64, 4608, 1000}, {1000, 4608, 64}, {64, 7, 1000}, {256, 256, 256}, {1024, 1024, 1024}};

#define BENCH_LAYERS(k, only, slot, kind, gradient, layers)                                        \
    for (size_t i = 0;                                                                             \
         (only == NULL || strcmp(only, slot) == 0) && i < sizeof layers / sizeof *layers; i++)     \
        bench_conv_layer(k, slot, kind, gradient, layers[i]);

void bench_all(const struct nn_kernels *k, const char *only)
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
