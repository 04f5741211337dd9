/* QuantizeLinear and DequantizeLinear on their own. 8-bit numbers are whole floats in plain
 * tensors, bytes in Q16 places. */
#include "exec.h"

#include <math.h>
#include <string.h>

#include "base/pool.h"

struct quantize {
    bool back;              /* DequantizeLinear */
    int64_t elements;
    int64_t inner, count;   /* elements that share a scale; scales */
    const float *scale, *zero;
    float lo, hi;
};

struct quantize_call {
    const struct quantize *q;
    const float *x;
    float *y;
};

static void run_range(void *arg, int begin, int end, int thread)
{
    const struct quantize_call *c = arg;
    const struct quantize *q = c->q;
    (void)thread;
    for (int i = begin; i < end; i++) {
        int64_t k = i / q->inner % q->count;
        if (q->back) {
            c->y[i] = (c->x[i] - q->zero[k]) * q->scale[k];
        } else {
            float v = rintf(c->x[i] / q->scale[k]) + q->zero[k]; /* halves to even */
            c->y[i] = v < q->lo ? q->lo : v > q->hi ? q->hi : v;
        }
    }
}

static void run_quantize(const struct nn__step *s, const struct nn__env *e)
{
    const struct quantize *q = s->context;
    struct quantize_call c = {q, e->at[s->in[0]], e->at[s->out[0]]};
    pool_for(e->pool, (int)q->elements, NN_GRAIN, run_range, &c);
}

int nn__prepare_quantize(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                         struct err *err)
{
    const struct nn_node *n = j->node;
    const struct nn_shape *x = nn__shape_of(c, n->inputs[0]);
    const struct nn_tensor *scale = nn__value(c->g, n->inputs[1]);
    struct quantize *q = nn__context(c, sizeof *q);
    (void)err;
    q->back = n->op == NN_OP_DEQUANTIZE;
    q->elements = nn__shape_elements(x, 1);
    q->count = nn__shape_elements(&scale->shape, 1);
    q->inner = 1;
    int64_t axis = nn__attr_int(n, "axis", 1);
    axis = axis < 0 ? axis + x->rank : axis;
    for (int a = x->rank - 1; q->count > 1 && a > axis; a--)
        q->inner *= x->dims[a];
    float *numbers = nn__context(c, sizeof *numbers * 2 * (size_t)q->count);
    for (int64_t i = 0; i < q->count; i++) {
        numbers[i] = (float)nn__element(scale, i);
        if (nn__has(n, 2))
            numbers[q->count + i] = (float)nn__element(nn__value(c->g, n->inputs[2]), i);
    }
    q->scale = numbers;
    q->zero = numbers + q->count;
    bool is_signed = nn__value(c->g, n->outputs[0])->dtype == NN_I8;
    q->lo = is_signed ? -128 : 0;
    q->hi = is_signed ? 127 : 255;
    s->context = q;
    s->run = run_quantize;
    s->info.kernel = q->back ? "dequantise" : "quantise";
    return 0;
}

/* Between C16 and Q16, or from plain images to Q16. */
struct convert {
    struct nn__view x, y;
    bool back;
    float scale, shift;
    int channels, h, w; /* from plain images */
};

struct convert_call {
    const struct convert *c;
    const struct nn__env *e;
    const void *x;
    void *y;
};

/* Rows of all planes, counted from the first image on. */
static void convert_rows(void *arg, int begin, int end, int thread)
{
    const struct convert_call *call = arg;
    const struct convert *c = call->c;
    const struct nn_kernels *k = call->e->k;
    (void)thread;
    for (int i = begin; i < end; i++) {
        size_t plane = (size_t)(i / c->x.rows), row = (size_t)(i % c->x.rows);
        size_t x = c->x.start + plane * c->x.plane + row * c->x.row;
        size_t y = c->y.start + plane * c->y.plane + row * c->y.row;
        if (c->back)
            k->u8_to_f32((const uint8_t *)call->x + x, c->scale, c->shift, (float *)call->y + y,
                         c->x.width);
        else
            k->f32_to_u8((const float *)call->x + x, c->scale, c->shift, (uint8_t *)call->y + y,
                         c->x.width);
    }
}

/* One lane of a row: bytes 16 apart. */
static void quantise_lane(const struct convert_call *call, const float *x, uint8_t *y)
{
    enum { CHUNK = 64 };
    const struct convert *c = call->c;
    uint8_t bytes[CHUNK];
    for (int at = 0; at < c->w; at += CHUNK) {
        int n = c->w - at < CHUNK ? c->w - at : CHUNK;
        call->e->k->f32_to_u8(x + at, c->scale, c->shift, bytes, (size_t)n);
        for (int i = 0; i < n; i++)
            y[(at + i) * 16] = bytes[i];
    }
}

/* Rows of all blocks, counted from the first image on. Images of one pixel are in order already. */
static void block_rows(void *arg, int begin, int end, int thread)
{
    const struct convert_call *call = arg;
    const struct convert *c = call->c;
    size_t plane = (size_t)c->h * (size_t)c->w;
    (void)thread;
    for (int i = begin; i < end; i++) {
        int row = i % c->h, block = i / c->h % c->y.planes, image = i / c->h / c->y.planes;
        int lanes = c->channels - block * 16 < 16 ? c->channels - block * 16 : 16;
        const float *x = (const float *)call->x + (size_t)row * (size_t)c->w +
                         ((size_t)image * (size_t)c->channels + (size_t)block * 16) * plane;
        uint8_t *y = (uint8_t *)call->y + c->y.start + (size_t)(i / c->h) * c->y.plane +
                     (size_t)row * c->y.row;
        memset(y, (int)c->shift, c->y.width);
        if (plane == 1)
            call->e->k->f32_to_u8(x, c->scale, c->shift, y, (size_t)lanes);
        for (int lane = 0; lane < lanes && plane > 1; lane++)
            quantise_lane(call, x + (size_t)lane * plane, y + lane);
    }
}

static void run_block(const struct nn__step *s, const struct nn__env *e)
{
    const struct convert *c = s->context;
    struct convert_call call = {c, e, e->at[s->in[0]], e->at[s->out[0]]};
    int rows = c->y.images * c->y.planes * c->h;
    pool_for(e->pool, rows, NN_GRAIN / (int)c->y.width + 1, block_rows, &call);
}

static void run_convert(const struct nn__step *s, const struct nn__env *e)
{
    const struct convert *c = s->context;
    struct convert_call call = {c, e, e->at[s->in[0]], e->at[s->out[0]]};
    int rows = c->x.images * c->x.planes * c->x.rows;
    pool_for(e->pool, rows, NN_GRAIN / (int)c->x.width + 1, convert_rows, &call);
}

int nn__prepare_quantize16(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                           struct err *err)
{
    const struct nn_node *n = j->node;
    struct convert *v = nn__context(c, sizeof *v);
    (void)err;
    v->back = n->op == NN_OP_DEQUANTIZE;
    v->x = nn__view(nn__place(c, j->in[0]));
    v->y = nn__view(nn__place(c, j->out[0]));
    const struct nn__quant *q = &c->quant[v->back ? n->inputs[0] : n->outputs[0]];
    v->scale = v->back ? q->scale : 1 / q->scale;
    v->shift = v->back ? -q->scale * q->zero : q->zero;
    v->channels = (int)nn__shape_of(c, n->inputs[0])->dims[1];
    v->h = nn__height(nn__shape_of(c, n->inputs[0]));
    v->w = nn__width(nn__shape_of(c, n->inputs[0]));
    s->context = v;
    s->run = nn__place(c, j->in[0])->layout == NN_PLAIN ? run_block : run_convert;
    s->info.kernel = v->back ? "dequantise16" : "quantise16";
    return 0;
}
