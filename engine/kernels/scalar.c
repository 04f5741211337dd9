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

static int max_int(int a, int b)
{
    return a > b ? a : b;
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
            const float *s = x + (size_t)row * c->stride_h * c->x_row +
                             (size_t)col * c->stride_w * pixel;
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
                dw_tap(c, x + image * c->x_image + (size_t)kh * c->dilation_h * c->x_row +
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
                    size_t tap = (size_t)(f->first_h + a * f->step_h) * f->kw + f->first_w +
                                 b * f->step_w;
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
            const float *src = p->src + b * p->src_plane + (row + p->top) * p->src_row +
                               (size_t)p->left * 16;
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

/* The part of the window of output (row, col) that lies inside the image. */
struct window {
    int top, left, h0, h1, w0, w1; /* window position; taps [h0, h1) x [w0, w1) */
};

static struct window window_of(const struct nn_pool16 *p, int row, int col)
{
    int top = row * p->stride_h - p->top, left = col * p->stride_w - p->left;
    return (struct window){top, left, max_int(0, -top), min_int(p->kh, p->h - top),
                           max_int(0, -left), min_int(p->kw, p->w - left)};
}

static size_t arg_at(const struct nn_pool16 *p, int b, int row, int col)
{
    return (((size_t)b * p->oh + row) * p->ow + col) * 16;
}

static void maxpool_pixel(const struct nn_pool16 *p, int b, int row, int col)
{
    struct window w = window_of(p, row, col);
    float *y = p->y + b * p->y_plane + row * p->y_row + (size_t)col * 16;
    for (int l = 0; l < 16; l++) {
        float best = -INFINITY;
        int arg = w.h0 * p->kw + w.w0;
        for (int kh = w.h0; kh < w.h1; kh++)
            for (int kw = w.w0; kw < w.w1; kw++) {
                float v = p->x[b * p->x_plane + (size_t)(w.top + kh) * p->x_row +
                               (size_t)(w.left + kw) * 16 + l];
                if (v > best) {
                    best = v;
                    arg = kh * p->kw + kw;
                }
            }
        y[l] = best;
        if (p->arg != NULL)
            p->arg[arg_at(p, b, row, col) + l] = (uint8_t)arg;
    }
}

static void maxpool_pixel_back(const struct nn_pool16 *p, int b, int row, int col)
{
    struct window w = window_of(p, row, col);
    const float *dy = p->x + b * p->x_plane + row * p->x_row + (size_t)col * 16;
    for (int l = 0; l < 16; l++) {
        int arg = p->arg[arg_at(p, b, row, col) + l];
        p->y[b * p->y_plane + (size_t)(w.top + arg / p->kw) * p->y_row +
             (size_t)(w.left + arg % p->kw) * 16 + l] += dy[l];
    }
}

static float avgpool_weight(const struct nn_pool16 *p, const struct window *w)
{
    int inside = max_int(0, w->h1 - w->h0) * max_int(0, w->w1 - w->w0);
    int count = p->count_pad ? p->kh * p->kw : inside;
    return count > 0 ? 1 / (float)count : 0;
}

static void avgpool_pixel(const struct nn_pool16 *p, int b, int row, int col)
{
    struct window w = window_of(p, row, col);
    float *y = p->y + b * p->y_plane + row * p->y_row + (size_t)col * 16;
    for (int l = 0; l < 16; l++) {
        float sum = 0;
        for (int kh = w.h0; kh < w.h1; kh++)
            for (int kw = w.w0; kw < w.w1; kw++)
                sum += p->x[b * p->x_plane + (size_t)(w.top + kh) * p->x_row +
                            (size_t)(w.left + kw) * 16 + l];
        y[l] = sum * avgpool_weight(p, &w);
    }
}

static void avgpool_pixel_back(const struct nn_pool16 *p, int b, int row, int col)
{
    struct window w = window_of(p, row, col);
    const float *dy = p->x + b * p->x_plane + row * p->x_row + (size_t)col * 16;
    float share = avgpool_weight(p, &w);
    for (int kh = w.h0; kh < w.h1; kh++)
        for (int kw = w.w0; kw < w.w1; kw++) {
            float *dx = p->y + b * p->y_plane + (size_t)(w.top + kh) * p->y_row +
                        (size_t)(w.left + kw) * 16;
            for (int l = 0; l < 16; l++)
                dx[l] += dy[l] * share;
        }
}

typedef void pool_pixel_fn(const struct nn_pool16 *p, int b, int row, int col);

static void each_pixel(const struct nn_pool16 *p, int b0, int b1, pool_pixel_fn *fn)
{
    for (int b = b0; b < b1; b++)
        for (int row = 0; row < p->oh; row++)
            for (int col = 0; col < p->ow; col++)
                fn(p, b, row, col);
}

static void maxpool16(const struct nn_pool16 *p, int b0, int b1)
{
    each_pixel(p, b0, b1, maxpool_pixel);
}

static void maxpool16_back(const struct nn_pool16 *p, int b0, int b1)
{
    each_pixel(p, b0, b1, maxpool_pixel_back);
}

static void avgpool16(const struct nn_pool16 *p, int b0, int b1)
{
    each_pixel(p, b0, b1, avgpool_pixel);
}

static void avgpool16_back(const struct nn_pool16 *p, int b0, int b1)
{
    each_pixel(p, b0, b1, avgpool_pixel_back);
}

static void affine16(const struct nn_affine16 *a)
{
    for (size_t i = 0; i < a->pixels * 16; i++) {
        size_t l = i % 16;
        float v = a->a_scale != NULL ? a->a[i] * a->a_scale[l] : a->a[i];
        if (a->b != NULL)
            v += a->b_scale != NULL ? a->b[i] * a->b_scale[l] : a->b[i];
        if (a->shift != NULL)
            v += a->shift[l];
        if (a->accumulate)
            v += a->y[i];
        a->y[i] = clip(v, a->lo, a->hi);
    }
}

static float norm_inside(const struct nn_norm16 *n, int l, float x, float dy)
{
    float y = x * n->scale[l] + n->shift[l];
    return n->lo < y && y < n->hi ? dy : 0;
}

static void norm_sums16(const struct nn_norm16 *n, double *sd, double *sdx)
{
    for (int row = 0; row < n->rows; row++)
        for (int i = 0; i < n->cols * 16; i++) {
            float x = n->x[row * n->x_row + i];
            float d = norm_inside(n, i % 16, x, n->dy[row * n->dy_row + i]);
            sd[i % 16] += d;
            sdx[i % 16] += (double)d * x;
        }
}

static void norm_back16(const struct nn_norm16 *n)
{
    for (int row = 0; row < n->rows; row++)
        for (int i = 0; i < n->cols * 16; i++) {
            float x = n->x[row * n->x_row + i], *dx = &n->dx[row * n->dx_row + i];
            float d = norm_inside(n, i % 16, x, n->dy[row * n->dy_row + i]);
            float v = d * n->of_dy[i % 16] + x * n->of_x[i % 16] + n->of_1[i % 16];
            *dx = n->accumulate ? *dx + v : v;
        }
}

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

static float func_one(const struct nn_func_args *a, float x)
{
    switch (a->func) {
    case NN_FUNC_LEAKY:
        return x < 0 ? a->alpha * x : x;
    case NN_FUNC_SIGMOID:
        return sigmoid(x);
    case NN_FUNC_TANH:
        return tanhf(x);
    case NN_FUNC_HARDSIGMOID:
        return clip(a->alpha * x + a->beta, 0, 1);
    case NN_FUNC_HARDSWISH:
        return x * clip(x / 6 + 0.5f, 0, 1);
    case NN_FUNC_ELU:
        return x < 0 ? a->alpha * expm1f(x) : x;
    case NN_FUNC_SWISH:
        return x * sigmoid(x);
    case NN_FUNC_GELU:
        return 0.5f * x * (1 + erff(x * 0.70710678f));
    case NN_FUNC_EXP:
        return expf(x);
    case NN_FUNC_ERF:
    case NN_FUNC_COUNT:
        break;
    }
    return erff(x);
}

/* func'(x) */
static float func_slope(const struct nn_func_args *a, float x)
{
    float s;
    switch (a->func) {
    case NN_FUNC_LEAKY:
        return x < 0 ? a->alpha : 1;
    case NN_FUNC_SIGMOID:
        s = sigmoid(x);
        return s * (1 - s);
    case NN_FUNC_TANH:
        s = tanhf(x);
        return 1 - s * s;
    case NN_FUNC_HARDSIGMOID:
        s = a->alpha * x + a->beta;
        return s > 0 && s < 1 ? a->alpha : 0;
    case NN_FUNC_HARDSWISH:
        return x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 0.5f;
    case NN_FUNC_ELU:
        return x < 0 ? a->alpha * expf(x) : 1;
    case NN_FUNC_SWISH:
        s = sigmoid(x);
        return s * (1 + x * (1 - s));
    case NN_FUNC_GELU: /* Phi(x) + x phi(x) */
        return 0.5f * (1 + erff(x * 0.70710678f)) + x * 0.39894228f * expf(-0.5f * x * x);
    case NN_FUNC_EXP:
        return expf(x);
    case NN_FUNC_ERF:
    case NN_FUNC_COUNT:
        break;
    }
    return 1.12837917f * expf(-x * x);
}

static void func(const struct nn_func_args *a)
{
    for (size_t i = 0; i < a->n; i++)
        a->y[i] = func_one(a, a->x[i]);
}

static void func_back(const struct nn_func_args *a)
{
    for (size_t i = 0; i < a->n; i++)
        a->y[i] = a->dy[i] * func_slope(a, a->x[i]);
}

static void clip_back(const float *y, const float *dy, float *dx, size_t n, float lo, float hi)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = y[i] > lo && y[i] < hi ? dy[i] : 0;
}

static void mul(const float *a, const float *b, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] * b[i];
}

static void axpby(float a, const float *x, float b, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = b != 0 ? a * x[i] + b * y[i] : a * x[i];
}

static void u8_to_f32(const uint8_t *x, float scale, float shift, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * scale + shift;
}

static double dot(const float *x, const float *y, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * y[i];
    return sum;
}

static float max(const float *x, size_t n)
{
    float best = -INFINITY;
    for (size_t i = 0; i < n; i++)
        best = x[i] > best ? x[i] : best;
    return best;
}

static double exp_sum(const float *x, float shift, float *y, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        y[i] = expf(x[i] - shift);
        sum += y[i];
    }
    return sum;
}

static void sums16(const float *x, const float *y, size_t pixels, double *sx, double *sxy)
{
    for (size_t i = 0; i < pixels * 16; i++) {
        sx[i % 16] += x[i];
        sxy[i % 16] += (double)x[i] * y[i];
    }
}

static void step_sgd(const struct nn_step *s)
{
    for (size_t i = 0; i < s->n; i++) {
        float g = s->g[i] * s->g_scale + s->decay * s->w[i];
        if (s->m != NULL) {
            s->m[i] = s->momentum * s->m[i] + g;
            g = s->nesterov ? g + s->momentum * s->m[i] : s->m[i];
        }
        s->w[i] -= s->lr * g;
    }
}

static void step_rmsprop(const struct nn_step *s)
{
    for (size_t i = 0; i < s->n; i++) {
        float g = s->g[i] * s->g_scale;
        s->v[i] = s->rho * s->v[i] + (1 - s->rho) * g * g;
        s->w[i] -= s->lr * (g / (sqrtf(s->v[i]) + s->eps) + s->decay * s->w[i]);
    }
}

static void step_adam(const struct nn_step *s)
{
    for (size_t i = 0; i < s->n; i++) {
        float g = s->g[i] * s->g_scale;
        s->m[i] = s->momentum * s->m[i] + (1 - s->momentum) * g;
        s->v[i] = s->rho * s->v[i] + (1 - s->rho) * g * g;
        float step = s->m[i] * s->m_fix / (sqrtf(s->v[i] * s->v_fix) + s->eps);
        s->w[i] -= s->lr * (step + s->decay * s->w[i]);
    }
}

static double fma_burst(size_t n)
{
    volatile float start = 0.5f;
    float sum[4] = {start, start, start, start}, by = start;
    for (size_t i = 0; i < n; i++)
        for (int l = 0; l < 4; l++)
            sum[l] = sum[l] * by + by;
    start = sum[0] + sum[1] + sum[2] + sum[3];
    return (double)n * 4 * 2;
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
    k->maxpool16 = maxpool16;
    k->maxpool16_back = maxpool16_back;
    k->avgpool16 = avgpool16;
    k->avgpool16_back = avgpool16_back;
    k->affine16 = affine16;
    k->func = func;
    k->func_back = func_back;
    k->clip_back = clip_back;
    k->mul = mul;
    k->axpby = axpby;
    k->u8_to_f32 = u8_to_f32;
    k->dot = dot;
    k->max = max;
    k->exp_sum = exp_sum;
    k->sums16 = sums16;
    k->norm_sums16 = norm_sums16;
    k->norm_back16 = norm_back16;
    k->step_sgd = step_sgd;
    k->step_rmsprop = step_rmsprop;
    k->step_adam = step_adam;
    k->fma_burst = fma_burst;
    nn_kernels_init_scalar_winograd(k);
    nn_kernels_init_scalar_dot(k);
}
