/* QuantizeLinear and DequantizeLinear on their own. 8-bit numbers are kept as whole floats. */
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
