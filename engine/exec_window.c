/* Any convolution, transposed convolution or pool on plain tensors: correct for every attribute,
 * not fast. What a face network spends its time on runs in exec_conv.c and exec_pool.c. */
#include "exec.h"

#include <math.h>
#include <string.h>

#include "base/pool.h"

struct window {
    enum nn_op op;
    struct nn_window w;
    int64_t images, in_channels, out_channels;
    const float *weights, *bias; /* plan memory; bias may be NULL */
    bool count_pad;
    struct nn__epilogue end;
};

struct window_call {
    const struct window *w;
    const float *x, *add;
    float *y;
};

/* The taps of one axis whose pixel lies inside the image: [first, end), from input index `base`. */
struct span {
    int base, first, end;
};

static struct span inside(const struct nn_window *w, int axis, int out)
{
    int step = w->dilation[axis];
    struct span s = {.base = out * w->stride[axis] - w->pad[axis], .end = w->kernel[axis]};
    if (s.base < 0)
        s.first = (-s.base + step - 1) / step;
    int last = w->in[axis] - s.base <= 0 ? 0 : (w->in[axis] - s.base + step - 1) / step;
    s.end = last < s.end ? last : s.end;
    return s;
}

/* The pixels under the window at (row, col) that lie inside the image, as (in_row, in_col). */
#define FOR_TAPS(w, row, col, in_row, in_col)                                                      \
    const struct span down = inside(w, 0, row), across = inside(w, 1, col);                        \
    for (int kh = down.first, in_row = down.base + kh * (w)->dilation[0]; kh < down.end;           \
         kh++, in_row += (w)->dilation[0])                                                         \
        for (int kw = across.first, in_col = across.base + kw * (w)->dilation[1];                  \
             kw < across.end; kw++, in_col += (w)->dilation[1])

static float convolve(const struct window *c, const float *image, int64_t oc, int row, int col)
{
    const struct nn_window *w = &c->w;
    int64_t per_group = c->in_channels / w->groups;
    int64_t first = oc / (c->out_channels / w->groups) * per_group;
    int64_t plane = (int64_t)w->in[0] * w->in[1], taps = (int64_t)w->kernel[0] * w->kernel[1];
    float sum = c->bias ? c->bias[oc] : 0;
    for (int64_t i = 0; i < per_group; i++) {
        const float *x = image + (first + i) * plane;
        const float *k = c->weights + (oc * per_group + i) * taps;
        FOR_TAPS(w, row, col, r, s)
            sum += x[(int64_t)r * w->in[1] + s] * k[kh * w->kernel[1] + kw];
    }
    return sum;
}

static float pool_pixel(const struct window *c, const float *x, int row, int col)
{
    const struct nn_window *w = &c->w;
    bool max = c->op == NN_OP_MAXPOOL;
    float best = -INFINITY;
    double sum = 0;
    int count = 0;
    FOR_TAPS(w, row, col, r, s)
    {
        float v = x[(int64_t)r * w->in[1] + s];
        best = v > best || isnan(v) ? v : best;
        sum += v;
        count++;
    }
    if (max)
        return best;
    return (float)(sum / (c->count_pad ? w->kernel[0] * w->kernel[1] : count > 0 ? count : 1));
}

/* Transposed: the sum over all input pixels whose window covers this output pixel. */
static float convolve_back(const struct window *c, const float *image, int64_t oc, int row,
                           int col)
{
    const struct nn_window *w = &c->w;
    int64_t in_group = c->in_channels / w->groups, out_group = c->out_channels / w->groups;
    int64_t group = oc / out_group, plane = (int64_t)w->in[0] * w->in[1];
    int64_t taps = (int64_t)w->kernel[0] * w->kernel[1];
    float sum = c->bias ? c->bias[oc] : 0;
    for (int kh = 0; kh < w->kernel[0]; kh++)
        for (int kw = 0; kw < w->kernel[1]; kw++) {
            int r = row + w->pad[0] - kh * w->dilation[0];
            int s = col + w->pad[1] - kw * w->dilation[1];
            if (r < 0 || s < 0 || r % w->stride[0] || s % w->stride[1] ||
                r / w->stride[0] >= w->in[0] || s / w->stride[1] >= w->in[1])
                continue;
            int64_t at = (int64_t)(r / w->stride[0]) * w->in[1] + s / w->stride[1];
            for (int64_t i = group * in_group; i < (group + 1) * in_group; i++)
                sum += image[i * plane + at] *
                       c->weights[(i * out_group + oc % out_group) * taps + kh * w->kernel[1] + kw];
        }
    return sum;
}

static float pixel(const struct window *c, const float *image, int64_t channel, int row, int col)
{
    int64_t plane = (int64_t)c->w.in[0] * c->w.in[1];
    if (c->op == NN_OP_CONV)
        return convolve(c, image, channel, row, col);
    if (c->op == NN_OP_CONV_TRANSPOSE)
        return convolve_back(c, image, channel, row, col);
    return pool_pixel(c, image + channel * plane, row, col);
}

static void run_planes(void *arg, int begin, int end, int thread)
{
    const struct window_call *call = arg;
    const struct window *c = call->w;
    int64_t in_image = c->in_channels * c->w.in[0] * c->w.in[1];
    int64_t plane = (int64_t)c->w.out[0] * c->w.out[1];
    (void)thread;
    for (int i = begin; i < end; i++) {
        const float *image = call->x + i / c->out_channels * in_image;
        for (int64_t p = 0; p < plane; p++) {
            int row = (int)(p / c->w.out[1]), col = (int)(p % c->w.out[1]);
            float v = pixel(c, image, i % c->out_channels, row, col);
            if (call->add)
                v += call->add[i * plane + p];
            call->y[i * plane + p] = v < c->end.lo ? c->end.lo : v > c->end.hi ? c->end.hi : v;
        }
    }
}

static void run_window(const struct nn__step *s, const struct nn__env *e)
{
    const struct window *c = s->context;
    struct window_call call = {c, e->at[s->in[0]], s->add >= 0 ? e->at[s->add] : NULL,
                               e->at[s->out[0]]};
    pool_for(e->pool, (int)(c->images * c->out_channels), 1, run_planes, &call);
}

/* Weights with the batch norm's scale, and the bias, in plan memory. */
static int keep_weights(struct nn__compiler *c, const struct nn__job *j, struct window *w,
                        struct err *err)
{
    const struct nn_node *n = j->node;
    const float *from = nn__floats_of(c, n, 1);
    if (!from)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "its weights must be constant");
    int64_t count = nn__shape_elements(nn__shape_of(c, n->inputs[1]), 1);
    int64_t rows = n->op == NN_OP_CONV ? w->out_channels : 1;
    float *weights = nn__plan_floats(c->plan, count, err);
    float *bias = nn__context(c, sizeof *bias * (size_t)w->out_channels);
    if (!weights)
        return ERR_NO_MEMORY;
    for (int64_t i = 0; i < count; i++)
        weights[i] = from[i] * (j->epilogue->scale ? j->epilogue->scale[i / (count / rows)] : 1);
    w->weights = weights;
    return nn__conv_bias(c, j, bias, &w->bias, err);
}

int nn__prepare_window(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                       struct err *err)
{
    const struct nn_node *n = j->node;
    struct window *w = nn__context(c, sizeof *w);
    w->op = n->op;
    w->end = *j->epilogue;
    w->images = nn__shape_of(c, n->inputs[0])->dims[0];
    w->in_channels = nn__shape_of(c, n->inputs[0])->dims[1];
    w->out_channels = nn__shape_of(c, n->outputs[0])->dims[1];
    w->count_pad = nn__attr_int(n, "count_include_pad", 0) != 0;
    bool transposed = n->op == NN_OP_CONV_TRANSPOSE;
    int code = transposed ? nn__window_transposed(c->g, n, &w->w, err)
                          : nn__window(c->g, n, &w->w, err);
    if (code == 0 && (transposed || n->op == NN_OP_CONV))
        code = keep_weights(c, j, w, err);
    s->context = w;
    s->run = run_window;
    s->info.kernel = "plain loops";
    return code;
}
