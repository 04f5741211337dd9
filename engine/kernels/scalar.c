/* The specification: every slot in plain C. Compiled without contraction, so that a * b + c rounds
 * twice and these loops mean the same on every machine. */
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

static float clip(float v, float lo, float hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

/* The end shared by all convolutions: sum[16] -> one output pixel. */
static void finish_pixel(const struct nn_conv16 *c, const float *sum, int b, int row, int col)
{
    float *y = c->y + b * c->y_plane + row * c->y_row + col * c->y_col;
    for (int l = 0; l < 16; l++) {
        float v = sum[l];
        if (c->accumulate)
            v += y[l];
        if (c->bias != NULL)
            v += c->bias[b * 16 + l];
        if (c->add != NULL)
            v += c->add[b * c->add_plane + row * c->add_row + (size_t)col * 16 + l];
        y[l] = clip(v, c->lo, c->hi);
    }
}

/* sum[16] += one tap: `n` input channels, `step` floats apart in x. */
static void tap16(const float *x, size_t step, int n, const float *w, float *sum)
{
    for (int i = 0; i < n; i++)
        for (int l = 0; l < 16; l++)
            sum[l] += x[i * step] * w[i * 16 + l];
}

static void conv16_pixel(const struct nn_conv16 *c, int b, int row, int col)
{
    int blocks = nn_blocks(c->ic);
    const float *w = c->w + (size_t)b * blocks * c->kh * c->kw * 256;
    float sum[16] = {0};
    for (int ib = 0; ib < blocks; ib++)
        for (int kh = 0; kh < c->kh; kh++)
            for (int kw = 0; kw < c->kw; kw++, w += 256) {
                const float *x = c->x + ib * c->x_plane +
                                 (size_t)(row * c->stride_h + kh * c->dilation_h) * c->x_row +
                                 (size_t)(col * c->stride_w + kw * c->dilation_w) * 16;
                tap16(x, 1, min_int(16, c->ic - ib * 16), w, sum);
            }
    finish_pixel(c, sum, b, row, col);
}

static void conv16(const struct nn_conv16 *c, int b0, int b1, int r0, int r1)
{
    for (int b = b0; b < b1; b++)
        for (int row = r0; row < r1; row++)
            for (int col = 0; col < c->ow; col++)
                conv16_pixel(c, b, row, col);
}

static void planar_pixel(const struct nn_conv16 *c, int b, int row, int col)
{
    size_t taps = (size_t)c->kh * c->kw;
    float sum[16] = {0};
    for (int i = 0; i < c->ic; i++)
        for (int kh = 0; kh < c->kh; kh++)
            for (int kw = 0; kw < c->kw; kw++) {
                const float *x = c->x + i * c->x_plane +
                                 (size_t)(row * c->stride_h + kh * c->dilation_h) * c->x_row +
                                 (size_t)(col * c->stride_w + kw * c->dilation_w);
                const float *w = c->w + (((size_t)b * c->ic + i) * taps + kh * c->kw + kw) * 16;
                tap16(x, 0, 1, w, sum);
            }
    finish_pixel(c, sum, b, row, col);
}

static void conv16_planar(const struct nn_conv16 *c, int b0, int b1, int r0, int r1)
{
    for (int b = b0; b < b1; b++)
        for (int row = r0; row < r1; row++)
            for (int col = 0; col < c->ow; col++)
                planar_pixel(c, b, row, col);
}

static void depthwise_pixel(const struct nn_conv16 *c, int b, int row, int col)
{
    const float *w = c->w + (size_t)b * c->kh * c->kw * 16;
    float sum[16] = {0};
    for (int kh = 0; kh < c->kh; kh++)
        for (int kw = 0; kw < c->kw; kw++, w += 16) {
            const float *x = c->x + b * c->x_plane +
                             (size_t)(row * c->stride_h + kh * c->dilation_h) * c->x_row +
                             (size_t)(col * c->stride_w + kw * c->dilation_w) * 16;
            for (int l = 0; l < 16; l++)
                sum[l] += x[l] * w[l];
        }
    finish_pixel(c, sum, b, row, col);
}

static void depthwise16(const struct nn_conv16 *c, int b0, int b1, int r0, int r1)
{
    for (int b = b0; b < b1; b++)
        for (int row = r0; row < r1; row++)
            for (int col = 0; col < c->ow; col++)
                depthwise_pixel(c, b, row, col);
}

/* The pixels of one image that tap (kh, kw) joins: dw[i][l] += x[i] dy[l], `n` rows of dw;
 * x moves `pixel` floats a column. n = 0: the lanes of x and dy pair up (depthwise). */
static void dw_tap(const struct nn_conv16_dw *c, const float *x, size_t pixel, int n,
                   const float *dy, float *dw)
{
    for (int row = 0; row < c->oh; row++)
        for (int col = 0; col < c->ow; col++) {
            const float *d = dy + row * c->dy_row + (size_t)col * 16;
            const float *s =
                x + (size_t)row * c->stride_h * c->x_row + (size_t)col * c->stride_w * pixel;
            for (int l = 0; n == 0 && l < 16; l++)
                dw[l] += s[l] * d[l];
            for (int i = 0; i < n; i++)
                for (int l = 0; l < 16; l++)
                    dw[i * 16 + l] += s[i] * d[l];
        }
}

/* All taps and images of one pair (output block, input plane); dw moves `step` floats a tap. */
static void dw_taps(const struct nn_conv16_dw *c, const float *x, size_t pixel, int n,
                    const float *dy, float *dw, size_t step)
{
    for (int image = 0; image < c->images; image++)
        for (int kh = 0; kh < c->kh; kh++)
            for (int kw = 0; kw < c->kw; kw++)
                dw_tap(c,
                       x + image * c->x_image + (size_t)kh * c->dilation_h * c->x_row +
                           (size_t)kw * c->dilation_w * pixel,
                       pixel, n, dy + image * c->dy_image, dw + (kh * c->kw + kw) * step);
}

static void conv16_dw(const struct nn_conv16_dw *c, int o0, int o1, int i0, int i1)
{
    size_t pair = (size_t)c->kh * c->kw * 256;
    for (int o = o0; o < o1; o++)
        for (int i = i0; i < i1; i++)
            dw_taps(c, c->x + i * c->x_plane, 16, min_int(16, c->ic - i * 16),
                    c->dy + o * c->dy_plane, c->dw + ((size_t)o * nn_blocks(c->ic) + i) * pair,
                    256);
}

static void conv16_planar_dw(const struct nn_conv16_dw *c, int o0, int o1, int i0, int i1)
{
    size_t pair = (size_t)c->kh * c->kw * 16;
    for (int o = o0; o < o1; o++)
        for (int i = i0; i < i1; i++)
            dw_taps(c, c->x + i * c->x_plane, 1, 1, c->dy + o * c->dy_plane,
                    c->dw + ((size_t)o * c->ic + i) * pair, 16);
}

static void depthwise16_dw(const struct nn_conv16_dw *c, int b0, int b1)
{
    for (int b = b0; b < b1; b++)
        dw_taps(c, c->x + b * c->x_plane, 16, 0, c->dy + b * c->dy_plane,
                c->dw + (size_t)b * c->kh * c->kw * 16, 16);
}

static void transpose16(const float *w, float *out)
{
    for (int i = 0; i < 16; i++)
        for (int o = 0; o < 16; o++)
            out[o * 16 + i] = w[i * 16 + o];
}

static void flip16(const struct nn_flip16 *f, int i0, int i1)
{
    int th = nn_taps(f->kh, f->first_h, f->step_h), tw = nn_taps(f->kw, f->first_w, f->step_w);
    float *out = f->out + (size_t)i0 * f->oc_blocks * th * tw * 256;
    for (int i = i0; i < i1; i++)
        for (int o = 0; o < f->oc_blocks; o++)
            for (int a = th - 1; a >= 0; a--)
                for (int b = tw - 1; b >= 0; b--, out += 256) {
                    size_t tap =
                        (size_t)(f->first_h + a * f->step_h) * f->kw + f->first_w + b * f->step_w;
                    size_t pair = (size_t)o * f->ic_blocks + i;
                    transpose16(f->w + (pair * f->kh * f->kw + tap) * 256, out);
                }
}

static void fill(float *dst, int pixels, float v)
{
    for (int i = 0; i < pixels * 16; i++)
        dst[i] = v;
}

static void pad16(const struct nn_pad16 *p, int b0, int b1)
{
    int width = p->left + p->w + p->right;
    for (int b = b0; b < b1; b++)
        for (int row = 0; row < p->top + p->h + p->bottom; row++) {
            float *dst = p->dst + b * p->dst_plane + row * p->dst_row;
            if (row < p->top || row >= p->top + p->h) {
                fill(dst, width, p->fill);
                continue;
            }
            fill(dst, p->left, p->fill);
            memcpy(dst + p->left * 16, p->src + b * p->src_plane + (row - p->top) * p->src_row,
                   (size_t)p->w * 16 * sizeof *dst);
            fill(dst + (p->left + p->w) * 16, p->right, p->fill);
        }
}

static void crop16(const struct nn_pad16 *p, int b0, int b1)
{
    for (int b = b0; b < b1; b++)
        for (int row = 0; row < p->h; row++) {
            float *dst = p->dst + b * p->dst_plane + row * p->dst_row;
            const float *src =
                p->src + b * p->src_plane + (row + p->top) * p->src_row + (size_t)p->left * 16;
            for (int i = 0; i < p->w * 16; i++)
                dst[i] = p->accumulate ? dst[i] + src[i] : src[i];
        }
}

static void c16_from_nchw(const struct nn_nchw *p, int b0, int b1)
{
    for (int b = b0; b < b1; b++)
        for (int row = 0; row < p->h; row++)
            for (int col = 0; col < p->w; col++)
                for (int l = 0; l < 16; l++) {
                    int c = b * 16 + l;
                    size_t from = ((size_t)c * p->h + row) * p->w + col;
                    p->c16[b * p->c16_plane + row * p->c16_row + col * 16 + l] =
                        c < p->channels ? p->nchw[from] : 0;
                }
}

static void c16_to_nchw(const struct nn_nchw *p, int b0, int b1)
{
    for (int c = b0 * 16; c < min_int(b1 * 16, p->channels); c++)
        for (int row = 0; row < p->h; row++)
            for (int col = 0; col < p->w; col++)
                p->nchw[((size_t)c * p->h + row) * p->w + col] =
                    p->c16[c / 16 * p->c16_plane + row * p->c16_row + col * 16 + c % 16];
}

static void gemm_pack_a(const struct nn_gemm_pack *p, int p0, int p1)
{
    float *dst = p->dst + (size_t)p0 * p->cols * NN_GEMM_MR;
    for (int panel = p0; panel < p1; panel++)
        for (int k = 0; k < p->cols; k++)
            for (int i = 0; i < NN_GEMM_MR; i++) {
                int row = panel * NN_GEMM_MR + i;
                *dst++ = row < p->rows ? p->src[row * p->row_step + k * p->col_step] : 0;
            }
}

static void gemm_pack_b(const struct nn_gemm_pack *p, int q0, int q1)
{
    float *dst = p->dst + (size_t)q0 * p->rows * NN_GEMM_NR;
    for (int panel = q0; panel < q1; panel++)
        for (int k = 0; k < p->rows; k++)
            for (int j = 0; j < NN_GEMM_NR; j++) {
                int col = panel * NN_GEMM_NR + j;
                *dst++ = col < p->cols ? p->src[k * p->row_step + col * p->col_step] : 0;
            }
}

static void gemm_element(const struct nn_gemm *g, int i, int j)
{
    const float *a = g->a + (size_t)(i / NN_GEMM_MR) * g->k * NN_GEMM_MR + i % NN_GEMM_MR;
    const float *b = g->b + (size_t)(j / NN_GEMM_NR) * g->k * NN_GEMM_NR + j % NN_GEMM_NR;
    float *c = g->c + i * g->c_row + j;
    float sum = 0;
    for (int k = 0; k < g->k; k++)
        sum += a[(size_t)k * NN_GEMM_MR] * b[(size_t)k * NN_GEMM_NR];
    if (g->accumulate)
        sum += *c;
    if (g->bias != NULL)
        sum += g->bias[j];
    *c = clip(sum, g->lo, g->hi);
}

static void gemm(const struct nn_gemm *g, int p0, int p1, int q0, int q1)
{
    for (int i = p0 * NN_GEMM_MR; i < min_int(p1 * NN_GEMM_MR, g->m); i++)
        for (int j = q0 * NN_GEMM_NR; j < min_int(q1 * NN_GEMM_NR, g->n); j++)
            gemm_element(g, i, j);
}

static void gemv(const struct nn_gemv *g, int q0, int q1)
{
    for (int j = q0 * NN_GEMM_NR; j < min_int(q1 * NN_GEMM_NR, g->n); j++) {
        const float *b = g->b + (size_t)(j / NN_GEMM_NR) * g->k * NN_GEMM_NR + j % NN_GEMM_NR;
        float sum = 0;
        for (int k = 0; k < g->k; k++)
            sum += g->x[k] * b[(size_t)k * NN_GEMM_NR];
        if (g->bias != NULL)
            sum += g->bias[j];
        g->y[j] = clip(sum, g->lo, g->hi);
    }
}

void nn_kernels_init_scalar(struct nn_kernels *k)
{
    k->isa = "scalar";
    k->conv16 = conv16;
    k->conv16_planar = conv16_planar;
    k->depthwise16 = depthwise16;
    k->conv16_dw = conv16_dw;
    k->conv16_planar_dw = conv16_planar_dw;
    k->depthwise16_dw = depthwise16_dw;
    k->flip16 = flip16;
    k->pad16 = pad16;
    k->crop16 = crop16;
    k->c16_from_nchw = c16_from_nchw;
    k->c16_to_nchw = c16_to_nchw;
    k->gemm_pack_a = gemm_pack_a;
    k->gemm_pack_b = gemm_pack_b;
    k->gemm = gemm;
    k->gemv = gemv;
    nn_kernels_init_scalar_simple(k);
    nn_kernels_init_scalar_winograd(k);
    nn_kernels_init_scalar_dot(k);
}
