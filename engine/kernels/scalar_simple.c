/* The specification, continued: pools, elementwise slots, reductions, optimisers. */
#include "kernels/kernels.h"

#include <math.h>

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

/* The part of the window of output (row, col) that lies inside the image. */
struct window {
    int top, left, h0, h1, w0, w1; /* window position; taps [h0, h1) x [w0, w1) */
};

static struct window window_of(const struct nn_pool16 *p, int row, int col)
{
    int top = row * p->stride_h - p->top, left = col * p->stride_w - p->left;
    return (struct window){top,
                           left,
                           max_int(0, -top),
                           min_int(p->kh, p->h - top),
                           max_int(0, -left),
                           min_int(p->kw, p->w - left)};
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

static double bf16_burst(size_t n)
{
    volatile float start = 0.5f;
    float sum[4] = {start, start, start, start};
    uint16_t by = nn_bf16_of(start);
    for (size_t i = 0; i < n; i++)
        for (int l = 0; l < 4; l++)
            sum[l] += nn_f32_of_bf16(by) * nn_f32_of_bf16(by);
    start = sum[0] + sum[1] + sum[2] + sum[3];
    return (double)n * 4 * 2;
}

void nn_kernels_init_scalar_simple(struct nn_kernels *k)
{
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
    k->bf16_burst = bf16_burst;
}
