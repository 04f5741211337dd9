/* Winograd convolution: sizes, and the specification of its slots as plain matrix products. */
#include "kernels/kernels.h"

#include <string.h>

enum { SIDE_MAX = 8 }; /* m + 2 of the largest tile */

/* The transforms of F(m, 3) for infinity and the points 0, 1, -1 (m = 2), these and 2, -2, 1/2,
 * -1/2 (6), or 0, 5/8, -5/8, 3/2, -3/2 (4), which round less than half as much as 1 and 2 do. */
struct transforms {
    double in[SIDE_MAX][SIDE_MAX];      /* B' : input tile */
    double weights[SIDE_MAX][SIDE_MAX]; /* G : kernel, 3 columns */
    double out[SIDE_MAX][SIDE_MAX];     /* A' : output tile, m rows */
};

static const struct transforms f2 = {
    .in = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}},
    .weights = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}},
    .out = {{1, 1, 1, 0}, {0, 1, -1, -1}}};

#define A 0.625 /* the points of F(4, 3), with A2 = A * A ... */
#define B 1.5
#define A2 (A * A)
#define B2 (B * B)
#define GA (1 / (2 * A2 * (A2 - B2)))
#define GB (1 / (2 * B2 * (B2 - A2)))
static const struct transforms f4 = {
    .in = {{A2 * B2, 0, -A2 - B2, 0, 1, 0},
           {0, -A * B2, -B2, A, 1, 0},
           {0, A * B2, -B2, -A, 1, 0},
           {0, -B * A2, -A2, B, 1, 0},
           {0, B * A2, -A2, -B, 1, 0},
           {0, A2 * B2, 0, -A2 - B2, 0, 1}},
    .weights = {{1 / (A2 * B2), 0, 0},
                {GA, GA * A, GA * A2},
                {GA, -GA * A, GA * A2},
                {GB, GB * B, GB * B2},
                {GB, -GB * B, GB * B2},
                {0, 0, 1}},
    .out = {{1, 1, 1, 1, 1, 0},
            {0, A, -A, B, -B, 0},
            {0, A2, A2, B2, B2, 0},
            {0, A2 * A, -A2 * A, B2 * B, -B2 * B, 1}}};

static const struct transforms f6 = {.in = {{1, 0, -5.25, 0, 5.25, 0, -1, 0},
                                            {0, 1, 1, -4.25, -4.25, 1, 1, 0},
                                            {0, -1, 1, 4.25, -4.25, -1, 1, 0},
                                            {0, 0.5, 0.25, -2.5, -1.25, 2, 1, 0},
                                            {0, -0.5, 0.25, 2.5, -1.25, -2, 1, 0},
                                            {0, 2, 4, -2.5, -5, 0.5, 1, 0},
                                            {0, -2, 4, 2.5, -5, -0.5, 1, 0},
                                            {0, -1, 0, 5.25, 0, -5.25, 0, 1}},
                                     .weights = {{1, 0, 0},
                                                 {-2 / 9.0, -2 / 9.0, -2 / 9.0},
                                                 {-2 / 9.0, 2 / 9.0, -2 / 9.0},
                                                 {1 / 90.0, 1 / 45.0, 2 / 45.0},
                                                 {1 / 90.0, -1 / 45.0, 2 / 45.0},
                                                 {32 / 45.0, 16 / 45.0, 8 / 45.0},
                                                 {32 / 45.0, -16 / 45.0, 8 / 45.0},
                                                 {0, 0, 1}},
                                     .out = {{1, 1, 1, 1, 1, 1, 1, 0},
                                             {0, 1, -1, 2, -2, 0.5, -0.5, 0},
                                             {0, 1, 1, 4, 4, 0.25, 0.25, 0},
                                             {0, 1, -1, 8, -8, 0.125, -0.125, 0},
                                             {0, 1, 1, 16, 16, 0.0625, 0.0625, 0},
                                             {0, 1, -1, 32, -32, 0.03125, -0.03125, 1}}};

static const struct transforms *transforms_of(int m)
{
    return m == 2 ? &f2 : m == 4 ? &f4 : &f6;
}

size_t nn_winograd_step(int channels, int tiles)
{
    return ((size_t)nn_blocks(channels) * (size_t)tiles | 1) * 16;
}

size_t nn_winograd_scratch(int m, int channels, int tiles)
{
    return (size_t)(m + 2) * (size_t)(m + 2) * nn_winograd_step(channels, tiles);
}

size_t nn_winograd_weights_size(int m, int oc, int ic)
{
    return (size_t)(m + 2) * (size_t)(m + 2) * nn_conv16_size(oc, ic, 1, 1);
}

int nn_winograd_tiles(int m, int oh, int ow)
{
    return ((oh + m - 1) / m) * ((ow + m - 1) / m);
}

int nn_winograd_chunk(int m, int ic, int oc, int all)
{
    enum { CACHE = 480 * 1024, LEAST = 12, FULL = 14 }; /* bytes; what a register tile takes */
    int bytes = (m + 2) * (m + 2) * 16 * (nn_blocks(ic) + nn_blocks(oc)) * (int)sizeof(float);
    int fit = CACHE / bytes > LEAST ? CACHE / bytes : LEAST;
    int chunks = (all + fit - 1) / fit;
    int even = chunks > 0 ? (all + chunks - 1) / chunks : 0, full = (even + FULL - 1) / FULL * FULL;
    return chunks <= 1 || fit < FULL ? even : full <= fit ? full : fit / FULL * FULL;
}

typedef const double (*matrix)[SIDE_MAX];

/* to = t * from * t' (or with t', `transposed`), from `side` x `side` to `rows` x `rows`. */
static void sandwich(matrix t, bool transposed, int rows, int side, const double *from, double *to)
{
    double half[SIDE_MAX * SIDE_MAX];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < side; j++) {
            half[i * side + j] = 0;
            for (int k = 0; k < side; k++)
                half[i * side + j] += (transposed ? t[k][i] : t[i][k]) * from[k * side + j];
        }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < rows; j++) {
            to[i * rows + j] = 0;
            for (int k = 0; k < side; k++)
                to[i * rows + j] += half[i * side + k] * (transposed ? t[k][j] : t[j][k]);
        }
}

/* count values, `step` floats apart, out of memory. */
static void gather(const float *p, size_t step, int count, double *to)
{
    for (int i = 0; i < count; i++)
        to[i] = (double)p[(size_t)i * step];
}

static void winograd_weights(const struct nn_winograd_weights *w, int b0, int b1)
{
    const size_t pairs = (size_t)w->oc_blocks * w->ic_blocks;
    const int side = w->m + 2;
    double k[9], u[SIDE_MAX * SIDE_MAX];
    for (size_t pair = (size_t)b0 * w->ic_blocks; pair < (size_t)b1 * w->ic_blocks; pair++)
        for (int l = 0; l < 256; l++) {
            gather(w->w + pair * 9 * 256 + l, 256, 9, k);
            sandwich(transforms_of(w->m)->weights, false, side, 3, k, u);
            for (int i = 0; i < side * side; i++)
                w->u[(i * pairs + pair) * 256 + l] = (float)u[i];
        }
}

/* The same rounded, two input channels side by side. */
static void bwinograd_weights(const struct nn_winograd_weights *w, int b0, int b1)
{
    const size_t pairs = (size_t)w->oc_blocks * w->ic_blocks;
    const int side = w->m + 2;
    double k[9], u[SIDE_MAX * SIDE_MAX];
    for (size_t pair = (size_t)b0 * w->ic_blocks; pair < (size_t)b1 * w->ic_blocks; pair++)
        for (int l = 0; l < 256; l++) {
            gather(w->w + pair * 9 * 256 + l, 256, 9, k);
            sandwich(transforms_of(w->m)->weights, false, side, 3, k, u);
            for (int i = 0; i < side * side; i++)
                w->bu[(i * pairs + pair) * 256 + l / 32 * 32 + l % 16 * 2 + l / 16 % 2] =
                    nn_bf16_of((float)u[i]);
        }
}

static void winograd_weights_back(const struct nn_winograd_weights *w, int b0, int b1)
{
    const size_t pairs = (size_t)w->oc_blocks * w->ic_blocks;
    const int side = w->m + 2;
    double k[9], u[SIDE_MAX * SIDE_MAX];
    for (size_t pair = (size_t)b0 * w->ic_blocks; pair < (size_t)b1 * w->ic_blocks; pair++)
        for (int l = 0; l < 256; l++) {
            gather(w->u + pair * 256 + l, pairs * 256, side * side, u);
            sandwich(transforms_of(w->m)->weights, true, 3, side, u, k);
            for (int i = 0; i < 9; i++)
                w->w[(pair * 9 + i) * 256 + l] += (float)k[i];
        }
}

/* Tile t: its image and where its outputs start. */
struct place {
    int image, row, col;
};

static struct place place_of(const struct nn_winograd *w, int t)
{
    int across = (w->ow + w->m - 1) / w->m, all = nn_winograd_tiles(w->m, w->oh, w->ow);
    int at = (w->first + t) % all;
    return (struct place){(w->first + t) / all, at / across * w->m, at % across * w->m};
}

/* A side x side piece of one channel of a h x w image; zero past its end. */
static void piece(const float *plane, size_t row_step, int h, int width, struct place p, int side,
                  double *to)
{
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++)
            to[i * side + j] =
                p.row + i < h && p.col + j < width
                    ? (double)plane[(size_t)(p.row + i) * row_step + (size_t)(p.col + j) * 16]
                    : 0;
}

/* One channel of one tile, transformed. */
static void in_tile(const struct nn_winograd *w, int b, int t, int l, double *v)
{
    const int side = w->m + 2;
    struct place p = place_of(w, t);
    double d[SIDE_MAX * SIDE_MAX];
    piece(w->x + p.image * w->x_image + b * w->x_plane + l, w->x_row, w->oh + 2, w->ow + 2, p, side,
          d);
    sandwich(transforms_of(w->m)->in, false, side, side, d, v);
}

static void dy_tile(const struct nn_winograd *w, int b, int t, int l, double *s)
{
    struct place p = place_of(w, t);
    double d[SIDE_MAX * SIDE_MAX];
    piece(w->y + p.image * w->y_image + b * w->y_plane + l, w->y_row, w->oh, w->ow, p, w->m, d);
    sandwich(transforms_of(w->m)->out, true, w->m + 2, w->m, d, s);
}

static void in_one(const struct nn_winograd *w, int b, int t, int l)
{
    double v[SIDE_MAX * SIDE_MAX];
    in_tile(w, b, t, l, v);
    for (int i = 0; i < (w->m + 2) * (w->m + 2); i++)
        w->v[i * nn_winograd_step(w->ic, w->tiles) + ((size_t)b * w->tiles + t) * 16 + l] =
            (float)v[i];
}

static void dy_one(const struct nn_winograd *w, int b, int t, int l)
{
    double s[SIDE_MAX * SIDE_MAX];
    dy_tile(w, b, t, l, s);
    for (int i = 0; i < (w->m + 2) * (w->m + 2); i++)
        w->s[i * nn_winograd_step(w->oc, w->tiles) + ((size_t)b * w->tiles + t) * 16 + l] =
            (float)s[i];
}

static void bin_one(const struct nn_winograd *w, int b, int t, int l)
{
    double v[SIDE_MAX * SIDE_MAX];
    in_tile(w, b, t, l, v);
    for (int i = 0; i < (w->m + 2) * (w->m + 2); i++)
        w->bv[i * nn_winograd_step(w->ic, w->tiles) + ((size_t)b * w->tiles + t) * 16 + l] =
            nn_bf16_of((float)v[i]);
}

/* Lane l of tile t as a half of its pair; the partner of an odd last tile is zero. */
static void put_pair(const struct nn_winograd *w, uint16_t *to, int channels, int b, int t, int l,
                     const double *v)
{
    const int even = w->tiles + w->tiles % 2;
    const size_t step = nn_winograd_step(channels, even);
    for (int i = 0; i < (w->m + 2) * (w->m + 2); i++) {
        uint16_t *pair = to + i * step + ((size_t)b * even + t / 2 * 2) * 16 + l * 2;
        pair[t % 2] = nn_bf16_of((float)v[i]);
        if (t % 2 == 0 && t + 1 == w->tiles)
            pair[1] = 0;
    }
}

static void in_pair_one(const struct nn_winograd *w, int b, int t, int l)
{
    double v[SIDE_MAX * SIDE_MAX];
    in_tile(w, b, t, l, v);
    put_pair(w, w->bv, w->ic, b, t, l, v);
}

static void dy_pair_one(const struct nn_winograd *w, int b, int t, int l)
{
    double s[SIDE_MAX * SIDE_MAX];
    dy_tile(w, b, t, l, s);
    put_pair(w, w->bs, w->oc, b, t, l, s);
}

typedef void lane_fn(const struct nn_winograd *w, int b, int t, int l);

static void each_lane(const struct nn_winograd *w, int b0, int b1, lane_fn *fn)
{
    for (int b = b0; b < b1; b++)
        for (int t = 0; t < w->tiles; t++)
            for (int l = 0; l < 16; l++)
                fn(w, b, t, l);
}

static void winograd_in(const struct nn_winograd *w, int b0, int b1)
{
    each_lane(w, b0, b1, in_one);
}

static void winograd_dy(const struct nn_winograd *w, int b0, int b1)
{
    each_lane(w, b0, b1, dy_one);
}

static void bwinograd_in(const struct nn_winograd *w, int b0, int b1)
{
    each_lane(w, b0, b1, bin_one);
}

static void bwinograd_in_pairs(const struct nn_winograd *w, int b0, int b1)
{
    each_lane(w, b0, b1, in_pair_one);
}

static void bwinograd_dy_pairs(const struct nn_winograd *w, int b0, int b1)
{
    each_lane(w, b0, b1, dy_pair_one);
}

static float mul_one(const struct nn_winograd *w, int position, int b, int t, int l)
{
    const int blocks = nn_blocks(w->ic);
    const float *v = w->v + position * nn_winograd_step(w->ic, w->tiles) + (size_t)t * 16;
    const float *u = w->u + ((size_t)position * nn_blocks(w->oc) + b) * blocks * 256 + l;
    float sum = 0;
    for (int i = 0; i < w->ic; i++)
        sum += v[(size_t)(i / 16) * w->tiles * 16 + i % 16] * u[i * 16];
    return sum;
}

typedef float mul_fn(const struct nn_winograd *w, int position, int b, int t, int l);

static void mul_each(const struct nn_winograd *w, int p0, int p1, int b0, int b1, mul_fn *one)
{
    for (int p = p0; p < p1; p++)
        for (int b = b0; b < b1; b++)
            for (int t = 0; t < w->tiles; t++)
                for (int l = 0; l < 16; l++)
                    w->s[p * nn_winograd_step(w->oc, w->tiles) + ((size_t)b * w->tiles + t) * 16 +
                         l] = one(w, p, b, t, l);
}

static void winograd_mul(const struct nn_winograd *w, int p0, int p1, int b0, int b1)
{
    mul_each(w, p0, p1, b0, b1, mul_one);
}

static float bmul_one(const struct nn_winograd *w, int position, int b, int t, int l)
{
    const int blocks = nn_blocks(w->ic);
    const uint16_t *v = w->bv + position * nn_winograd_step(w->ic, w->tiles) + (size_t)t * 16;
    const uint16_t *u = w->bu + ((size_t)position * nn_blocks(w->oc) + b) * blocks * 256 + l * 2;
    float sum = 0;
    for (int i = 0; i < w->ic; i++)
        sum += nn_f32_of_bf16(v[(size_t)(i / 16) * w->tiles * 16 + i % 16]) *
               nn_f32_of_bf16(u[i / 2 * 32 + i % 2]);
    return sum;
}

static void bwinograd_mul(const struct nn_winograd *w, int p0, int p1, int b0, int b1)
{
    mul_each(w, p0, p1, b0, b1, bmul_one);
}

static void out_one(const struct nn_winograd *w, int b, int t, int l)
{
    const int side = w->m + 2;
    struct place p = place_of(w, t);
    double s[SIDE_MAX * SIDE_MAX], y[SIDE_MAX * SIDE_MAX];
    gather(w->s + ((size_t)b * w->tiles + t) * 16 + l, nn_winograd_step(w->oc, w->tiles),
           side * side, s);
    sandwich(transforms_of(w->m)->out, false, w->m, side, s, y);
    for (int i = 0; i < w->m && p.row + i < w->oh; i++)
        for (int j = 0; j < w->m && p.col + j < w->ow; j++) {
            size_t row = (size_t)(p.row + i), col = (size_t)(p.col + j) * 16 + l;
            float v = (float)y[i * w->m + j];
            if (w->bias != NULL)
                v += w->bias[b * 16 + l];
            if (w->add != NULL)
                v += w->add[p.image * w->add_image + b * w->add_plane + row * w->add_row + col];
            w->y[p.image * w->y_image + b * w->y_plane + row * w->y_row + col] = v < w->lo   ? w->lo
                                                                                 : v > w->hi ? w->hi
                                                                                             : v;
        }
}

static void winograd_out(const struct nn_winograd *w, int b0, int b1)
{
    each_lane(w, b0, b1, out_one);
}

/* One 16 x 16 block of one position. */
static void dw_block(const struct nn_winograd *w, const float *v, const float *s, int rows,
                     float *u)
{
    for (int t = 0; t < w->tiles; t++)
        for (int i = 0; i < rows; i++)
            for (int l = 0; l < 16; l++)
                u[i * 16 + l] += v[(size_t)t * 16 + i] * s[(size_t)t * 16 + l];
}

static void winograd_dw(const struct nn_winograd *w, int p0, int p1)
{
    const int ob = nn_blocks(w->oc), ib = nn_blocks(w->ic);
    for (int p = p0; p < p1; p++)
        for (int o = 0; o < ob; o++)
            for (int i = 0; i < ib; i++)
                dw_block(w,
                         w->v + p * nn_winograd_step(w->ic, w->tiles) + (size_t)i * w->tiles * 16,
                         w->s + p * nn_winograd_step(w->oc, w->tiles) + (size_t)o * w->tiles * 16,
                         w->ic - i * 16 < 16 ? w->ic - i * 16 : 16,
                         w->u + (((size_t)p * ob + o) * ib + i) * 256);
}

static void bdw_block(int tiles, const uint16_t *v, const uint16_t *s, int rows, float *u)
{
    for (int t = 0; t < tiles; t++)
        for (int i = 0; i < rows; i++)
            for (int l = 0; l < 16; l++)
                u[i * 16 + l] += nn_f32_of_bf16(v[t / 2 * 32 + i * 2 + t % 2]) *
                                 nn_f32_of_bf16(s[t / 2 * 32 + l * 2 + t % 2]);
}

static void bwinograd_dw(const struct nn_winograd *w, int p0, int p1)
{
    const int ob = nn_blocks(w->oc), ib = nn_blocks(w->ic), even = w->tiles + w->tiles % 2;
    for (int p = p0; p < p1; p++)
        for (int o = 0; o < ob; o++)
            for (int i = 0; i < ib; i++)
                bdw_block(w->tiles,
                          w->bv + p * nn_winograd_step(w->ic, even) + (size_t)i * even * 16,
                          w->bs + p * nn_winograd_step(w->oc, even) + (size_t)o * even * 16,
                          w->ic - i * 16 < 16 ? w->ic - i * 16 : 16,
                          w->u + (((size_t)p * ob + o) * ib + i) * 256);
}

void nn_kernels_init_scalar_winograd(struct nn_kernels *k)
{
    k->winograd_weights = winograd_weights;
    k->winograd_in = winograd_in;
    k->winograd_mul = winograd_mul;
    k->winograd_out = winograd_out;
    k->winograd_dy = winograd_dy;
    k->winograd_dw = winograd_dw;
    k->winograd_weights_back = winograd_weights_back;
    k->bwinograd_weights = bwinograd_weights;
    k->bwinograd_in = bwinograd_in;
    k->bwinograd_mul = bwinograd_mul;
    k->bwinograd_in_pairs = bwinograd_in_pairs;
    k->bwinograd_dy_pairs = bwinograd_dy_pairs;
    k->bwinograd_dw = bwinograd_dw;
}
