/* Winograd convolution: sizes, and the specification of its slots as plain matrix products. */
#include "kernels/kernels.h"

#include <string.h>

enum { SIDE_MAX = 8 }; /* m + 2 of the largest tile */

/* The transforms of F(m, 3) for the points 0, 1, -1 (, 2, -2 (, 1/2, -1/2)) and infinity. */
struct transforms {
    double in[SIDE_MAX][SIDE_MAX];  /* B' : input tile */
    double weights[SIDE_MAX][3];    /* G : kernel */
    double out[SIDE_MAX][SIDE_MAX]; /* A' : output tile, m rows */
};

static const struct transforms f2 = {
    .in = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}},
    .weights = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}},
    .out = {{1, 1, 1, 0}, {0, 1, -1, -1}}};

static const struct transforms f4 = {
    .in = {{4, 0, -5, 0, 1, 0},
           {0, -4, -4, 1, 1, 0},
           {0, 4, -4, -1, 1, 0},
           {0, -2, -1, 2, 1, 0},
           {0, 2, -1, -2, 1, 0},
           {0, 4, 0, -5, 0, 1}},
    .weights = {{1 / 4.0, 0, 0},
                {-1 / 6.0, -1 / 6.0, -1 / 6.0},
                {-1 / 6.0, 1 / 6.0, -1 / 6.0},
                {1 / 24.0, 1 / 12.0, 1 / 6.0},
                {1 / 24.0, -1 / 12.0, 1 / 6.0},
                {0, 0, 1}},
    .out = {{1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 1}}};

static const struct transforms f6 = {
    .in = {{1, 0, -5.25, 0, 5.25, 0, -1, 0},
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

/* to = left * from * right' for matrices of at most SIDE_MAX rows and columns. */
static void sandwich(const double left[][SIDE_MAX], int rows, const double *from, int side, double *to)
{
    double half[SIDE_MAX * SIDE_MAX];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < side; j++) {
            half[i * side + j] = 0;
            for (int k = 0; k < side; k++)
                half[i * side + j] += left[i][k] * from[k * side + j];
        }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < rows; j++) {
            to[i * rows + j] = 0;
            for (int k = 0; k < side; k++)
                to[i * rows + j] += half[i * side + k] * left[j][k];
        }
}

/* One kernel (9 values, 256 floats apart) -> (m + 2)^2 values, `step` floats apart. */
static void weights_one(int m, const float *w, float *u, size_t step)
{
    const struct transforms *t = transforms_of(m);
    for (int i = 0; i < m + 2; i++)
        for (int j = 0; j < m + 2; j++) {
            double sum = 0;
            for (int a = 0; a < 3; a++)
                for (int b = 0; b < 3; b++)
                    sum += t->weights[i][a] * (double)w[(a * 3 + b) * 256] * t->weights[j][b];
            u[(size_t)(i * (m + 2) + j) * step] = (float)sum;
        }
}

static void winograd_weights(const struct nn_winograd_weights *w, int b0, int b1)
{
    const size_t pairs = (size_t)w->oc_blocks * w->ic_blocks;
    for (size_t pair = (size_t)b0 * w->ic_blocks; pair < (size_t)b1 * w->ic_blocks; pair++)
        for (int i = 0; i < 256; i++)
            weights_one(w->m, w->w + pair * 9 * 256 + i, w->u + pair * 256 + i, pairs * 256);
}

/* Where tile t of the image starts. */
static void tile_at(const struct nn_winograd *w, int t, int *row, int *col)
{
    int across = (w->ow + w->m - 1) / w->m;
    *row = (w->first + t) / across * w->m;
    *col = (w->first + t) % across * w->m;
}

static void in_one(const struct nn_winograd *w, int b, int t, int l)
{
    const int side = w->m + 2;
    double d[SIDE_MAX * SIDE_MAX] = {0}, v[SIDE_MAX * SIDE_MAX];
    int row, col;
    tile_at(w, t, &row, &col);
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++)
            d[i * side + j] = row + i < w->oh + 2 && col + j < w->ow + 2
                                  ? (double)w->x[b * w->x_plane + (size_t)(row + i) * w->x_row +
                                                 (size_t)(col + j) * 16 + l]
                                  : 0;
    sandwich(transforms_of(w->m)->in, side, d, side, v);
    for (int i = 0; i < side * side; i++)
        w->v[i * nn_winograd_step(w->ic, w->tiles) + ((size_t)b * w->tiles + t) * 16 + l] =
            (float)v[i];
}

static void winograd_in(const struct nn_winograd *w, int b0, int b1)
{
    for (int b = b0; b < b1; b++)
        for (int t = 0; t < w->tiles; t++)
            for (int l = 0; l < 16; l++)
                in_one(w, b, t, l);
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

static void winograd_mul(const struct nn_winograd *w, int p0, int p1, int b0, int b1)
{
    for (int p = p0; p < p1; p++)
        for (int b = b0; b < b1; b++)
            for (int t = 0; t < w->tiles; t++)
                for (int l = 0; l < 16; l++)
                    w->s[p * nn_winograd_step(w->oc, w->tiles) + ((size_t)b * w->tiles + t) * 16 +
                         l] = mul_one(w, p, b, t, l);
}

static void out_one(const struct nn_winograd *w, int b, int t, int l)
{
    const int side = w->m + 2;
    double s[SIDE_MAX * SIDE_MAX], y[SIDE_MAX * SIDE_MAX];
    int row, col;
    tile_at(w, t, &row, &col);
    for (int i = 0; i < side * side; i++)
        s[i] = (double)w->s[i * nn_winograd_step(w->oc, w->tiles) +
                            ((size_t)b * w->tiles + t) * 16 + l];
    sandwich(transforms_of(w->m)->out, w->m, s, side, y);
    for (int i = 0; i < w->m && row + i < w->oh; i++)
        for (int j = 0; j < w->m && col + j < w->ow; j++) {
            float v = (float)y[i * w->m + j];
            if (w->bias != NULL)
                v += w->bias[b * 16 + l];
            if (w->add != NULL)
                v += w->add[b * w->add_plane + (size_t)(row + i) * w->add_row +
                            (size_t)(col + j) * 16 + l];
            w->y[b * w->y_plane + (size_t)(row + i) * w->y_row + (size_t)(col + j) * 16 + l] =
                v < w->lo ? w->lo : v > w->hi ? w->hi : v;
        }
}

static void winograd_out(const struct nn_winograd *w, int b0, int b1)
{
    for (int b = b0; b < b1; b++)
        for (int t = 0; t < w->tiles; t++)
            for (int l = 0; l < 16; l++)
                out_one(w, b, t, l);
}

void nn_kernels_init_scalar_winograd(struct nn_kernels *k)
{
    k->winograd_weights = winograd_weights;
    k->winograd_in = winograd_in;
    k->winograd_mul = winograd_mul;
    k->winograd_out = winograd_out;
}
