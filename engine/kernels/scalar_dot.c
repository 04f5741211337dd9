/* The specification, continued: 8-bit and bfloat16 slots. */
#include "kernels/kernels.h"

#include <math.h>

/* NaN becomes 0. */
static uint8_t u8_of_f32(float v)
{
    return (uint8_t)(v > 0 ? rintf(v < 255 ? v : 255) : 0);
}

/* The end of a convolution: sum[16] -> one output pixel. */
static void finish_pixel(const struct nn_dot16 *c, const float *sum, int b, int row, int col)
{
    size_t y = b * c->y_plane + row * c->y_row + col * c->y_col;
    size_t add = b * c->add_plane + row * c->add_row + (size_t)col * 16;
    for (int l = 0; l < 16; l++) {
        float v = c->scale != NULL ? sum[l] * c->scale[b * 16 + l] : sum[l];
        if (c->accumulate)
            v += c->y[y + l];
        if (c->bias != NULL)
            v += c->bias[b * 16 + l];
        if (c->add != NULL)
            v += c->add[add + l];
        if (c->add_u8 != NULL)
            v += c->add_u8[add + l] * c->add_scale + c->add_shift;
        v = v < c->lo ? c->lo : v > c->hi ? c->hi : v;
        if (c->y != NULL)
            c->y[y + l] = v;
        else if (c->y_u8 != NULL)
            c->y_u8[y + l] = u8_of_f32(v * c->y_scale + c->y_shift);
        else
            c->y_bf16[y + l] = nn_bf16_of(v);
    }
}

/* Where tap (kh, kw) of output (row, col) reads, in elements. */
static size_t tap_at(const struct nn_dot16 *c, int row, int col, int kh, int kw)
{
    return (size_t)(row * c->stride_h + kh * c->dilation_h) * c->x_row +
           (size_t)(col * c->stride_w + kw * c->dilation_w) * 16;
}

static void qconv_pixel(const struct nn_dot16 *c, int b, int row, int col)
{
    int blocks = nn_blocks(c->ic);
    const int8_t *w = (const int8_t *)c->w + (size_t)b * blocks * c->kh * c->kw * 256;
    int32_t sum[16] = {0};
    float v[16];
    for (int ib = 0; ib < blocks; ib++)
        for (int kh = 0; kh < c->kh; kh++)
            for (int kw = 0; kw < c->kw; kw++, w += 256) {
                const uint8_t *x =
                    (const uint8_t *)c->x + ib * c->x_plane + tap_at(c, row, col, kh, kw);
                for (int i = 0; i < 16 && i < c->ic - ib * 16; i++)
                    for (int l = 0; l < 16; l++)
                        sum[l] += x[i] * w[i / 4 * 64 + l * 4 + i % 4];
            }
    for (int l = 0; l < 16; l++)
        v[l] = (float)sum[l];
    finish_pixel(c, v, b, row, col);
}

static void bconv_pixel(const struct nn_dot16 *c, int b, int row, int col)
{
    int blocks = nn_blocks(c->ic);
    const uint16_t *w = (const uint16_t *)c->w + (size_t)b * blocks * c->kh * c->kw * 256;
    float sum[16] = {0};
    for (int ib = 0; ib < blocks; ib++)
        for (int kh = 0; kh < c->kh; kh++)
            for (int kw = 0; kw < c->kw; kw++, w += 256) {
                const uint16_t *x =
                    (const uint16_t *)c->x + ib * c->x_plane + tap_at(c, row, col, kh, kw);
                for (int i = 0; i < 16 && i < c->ic - ib * 16; i++)
                    for (int l = 0; l < 16; l++)
                        sum[l] += nn_f32_of_bf16(x[i]) *
                                  nn_f32_of_bf16(w[i / 2 * 32 + l * 2 + i % 2]);
            }
    finish_pixel(c, sum, b, row, col);
}

static void qdepthwise_pixel(const struct nn_dot16 *c, int b, int row, int col)
{
    const float *w = (const float *)c->w + (size_t)b * c->kh * c->kw * 16;
    float sum[16] = {0};
    for (int kh = 0; kh < c->kh; kh++)
        for (int kw = 0; kw < c->kw; kw++, w += 16) {
            const uint8_t *x = (const uint8_t *)c->x + b * c->x_plane + tap_at(c, row, col, kh, kw);
            for (int l = 0; l < 16; l++)
                sum[l] += x[l] * w[l];
        }
    finish_pixel(c, sum, b, row, col);
}

typedef void pixel_fn(const struct nn_dot16 *c, int b, int row, int col);

static void each_pixel(const struct nn_dot16 *c, int b0, int b1, int r0, int r1, pixel_fn *fn)
{
    for (int b = b0; b < b1; b++)
        for (int row = r0; row < r1; row++)
            for (int col = 0; col < c->ow; col++)
                fn(c, b, row, col);
}

static void qconv16(const struct nn_dot16 *c, int b0, int b1, int r0, int r1)
{
    each_pixel(c, b0, b1, r0, r1, qconv_pixel);
}

static void bconv16(const struct nn_dot16 *c, int b0, int b1, int r0, int r1)
{
    each_pixel(c, b0, b1, r0, r1, bconv_pixel);
}

static void qdepthwise16(const struct nn_dot16 *c, int b0, int b1, int r0, int r1)
{
    each_pixel(c, b0, b1, r0, r1, qdepthwise_pixel);
}

static uint8_t qmax_window(const struct nn_pool16 *p, const uint8_t *plane, int row, int col)
{
    int top = row * p->stride_h - p->top, left = col * p->stride_w - p->left;
    uint8_t best = 0;
    for (int h = top < 0 ? 0 : top; h < top + p->kh && h < p->h; h++)
        for (int w = left < 0 ? 0 : left; w < left + p->kw && w < p->w; w++) {
            uint8_t v = plane[h * p->x_row + (size_t)w * 16];
            best = v > best ? v : best;
        }
    return best;
}

static void qmaxpool16(const struct nn_qpool16 *q, int b0, int b1)
{
    const struct nn_pool16 *p = &q->shape;
    for (int b = b0; b < b1; b++)
        for (int row = 0; row < p->oh; row++)
            for (int col = 0; col < p->ow * 16; col++)
                q->y[b * p->y_plane + row * p->y_row + col] =
                    qmax_window(p, q->x + b * p->x_plane + col % 16, row, col / 16);
}

static void f32_to_u8(const float *x, float scale, float shift, uint8_t *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = u8_of_f32(x[i] * scale + shift);
}

static void f32_to_bf16(const float *x, uint16_t *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = nn_bf16_of(x[i]);
}

static void bf16_to_f32(const uint16_t *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = nn_f32_of_bf16(x[i]);
}

/* One tap of one pair of blocks: 16 rows of dw. */
static void bconv_dw_tap(const struct nn_bconv16_dw *c, const uint16_t *x, const uint16_t *dy,
                         float *dw, int ic)
{
    for (int n = 0; n < c->images; n++)
        for (int row = 0; row < c->oh; row++)
            for (int q = 0; q < c->pairs * 2; q++) {
                const uint16_t *xp = x + n * c->x_image + row * c->stride_h * c->x_row;
                const uint16_t *dp = dy + n * c->dy_image + row * c->dy_row;
                size_t at = (size_t)(q / 2) * 32 + q % 2;
                for (int i = 0; i < ic; i++)
                    for (int l = 0; l < 16; l++)
                        dw[i * 16 + l] +=
                            nn_f32_of_bf16(xp[at + i * 2]) * nn_f32_of_bf16(dp[at + l * 2]);
            }
}

static void bconv16_dw(const struct nn_bconv16_dw *c, int o0, int o1, int i0, int i1)
{
    const int blocks = nn_blocks(c->ic);
    for (int o = o0; o < o1; o++)
        for (int i = i0; i < i1; i++)
            for (int tap = 0; tap < c->kh * c->kw; tap++)
                bconv_dw_tap(c,
                             c->x + i * c->x_plane + tap % c->kw * c->x_tap +
                                 tap / c->kw * c->dilation_h * c->x_row,
                             c->dy + o * c->dy_plane,
                             c->dw + (((size_t)o * blocks + i) * c->kh * c->kw + tap) * 256,
                             c->ic - i * 16 < 16 ? c->ic - i * 16 : 16);
}

static void pairs16(const struct nn_pairs16 *p, int b0, int b1)
{
    for (int b = b0; b < b1; b++)
        for (int row = 0; row < p->rows; row++)
            for (int q = 0; q < (p->cols + 1) / 2 * 2; q++) {
                const float *src =
                    p->src + b * p->src_plane + row * p->src_row + (size_t)q * p->step * 16;
                uint16_t *dst = p->dst + b * p->dst_plane + row * p->dst_row + q / 2 * 32 + q % 2;
                for (int l = 0; l < 16; l++)
                    dst[l * 2] = q < p->cols ? nn_bf16_of(src[l]) : 0;
            }
}

void nn_kernels_init_scalar_dot(struct nn_kernels *k)
{
    k->qconv16 = qconv16;
    k->bconv16 = bconv16;
    k->bconv16_dw = bconv16_dw;
    k->pairs16 = pairs16;
    k->qdepthwise16 = qdepthwise16;
    k->qmaxpool16 = qmaxpool16;
    k->f32_to_u8 = f32_to_u8;
    k->f32_to_bf16 = f32_to_bf16;
    k->bf16_to_f32 = bf16_to_f32;
}
