/* QuantizeLinear and DequantizeLinear on their own. 8-bit numbers are whole floats in plain
 * tensors, bytes in Q16 places. */
#include "exec.h"

#include <math.h>

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

/* Between C16 and Q16. */
struct convert {
    struct nn__view x, y;
    bool back;
    float scale, shift;
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
    s->context = v;
    s->run = run_convert;
    s->info.kernel = v->back ? "dequantise16" : "quantise16";
    return 0;
}
