/* Operators of one tensor, element by element, in either layout. */
#include "exec.h"

#include <math.h>
#include <string.h>

#include "base/pool.h"

struct unary {
    enum nn_op op;
    int slot;           /* enum nn_func of the kernel that computes it, or -1 */
    float alpha, beta, gamma; /* gamma: Celu divides by it */
    bool truncate;      /* Cast to an integer */
    float lo, hi;       /* Clip and integer ranges */
    struct nn__view in, out;
};

static float evaluate(const struct unary *u, float x)
{
    switch (u->op) {
    case NN_OP_SQRT:
        return sqrtf(x);
    case NN_OP_LOG:
        return logf(x);
    case NN_OP_ABS:
        return fabsf(x);
    case NN_OP_NEG:
        return -x;
    case NN_OP_FLOOR:
        return floorf(x);
    case NN_OP_CEIL:
        return ceilf(x);
    case NN_OP_RECIPROCAL:
        return 1 / x;
    case NN_OP_SELU:
    case NN_OP_CELU:
        return x > 0 ? u->beta * x : u->beta * u->alpha * expm1f(x / u->gamma);
    case NN_OP_SOFTSIGN:
        return x / (1 + fabsf(x));
    case NN_OP_THRESHOLDED_RELU:
        return x > u->alpha ? x : 0;
    case NN_OP_SIGN:
        return (float)((x > 0) - (x < 0));
    case NN_OP_ROUND: /* halves to even, the default direction of the processor */
        return nearbyintf(x);
    case NN_OP_SIN:
        return sinf(x);
    case NN_OP_COS:
        return cosf(x);
    case NN_OP_NOT:
        return (float)(x == 0);
    case NN_OP_SOFTPLUS: /* log(1 + exp(x)) without overflow */
        return fmaxf(x, 0) + log1pf(expf(-fabsf(x)));
    default:
        return u->truncate ? truncf(x) : x;
    }
}

static void run_row(const struct unary *u, const struct nn__env *e, const float *x, float *y,
                    size_t n)
{
    if (u->slot >= 0) {
        struct nn_func_args a = {.func = (enum nn_func)u->slot, .alpha = u->alpha, .beta = u->beta,
                                .x = x, .y = y, .n = n};
        e->k->func(&a);
    } else if ((u->op == NN_OP_RELU || u->op == NN_OP_CLIP) && n % 16 == 0) {
        struct nn_affine16 f = {.a = x, .y = y, .pixels = n / 16, .lo = u->lo, .hi = u->hi};
        e->k->affine16(&f);
    } else if (u->op == NN_OP_RELU || u->op == NN_OP_CLIP) {
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] < u->lo ? u->lo : x[i] > u->hi ? u->hi : x[i];
    } else {
        for (size_t i = 0; i < n; i++) {
            float v = evaluate(u, x[i]);
            y[i] = v < u->lo ? u->lo : v > u->hi ? u->hi : v;
        }
    }
}

struct unary_call {
    const struct unary *u;
    const struct nn__env *e;
    const float *x;
    float *y;
};

static void run_planes(void *arg, int begin, int end, int thread)
{
    const struct unary_call *c = arg;
    const struct nn__view *in = &c->u->in, *out = &c->u->out;
    (void)thread;
    for (int i = begin; i < end; i++) {
        const float *x = c->x + in->start + i / in->planes * in->image + i % in->planes * in->plane;
        float *y = c->y + out->start + i / in->planes * out->image + i % in->planes * out->plane;
        for (int r = 0; r < in->rows; r++)
            run_row(c->u, c->e, x + r * in->row, y + r * out->row, in->width);
    }
}

static void run_flat(void *arg, int begin, int end, int thread)
{
    const struct unary_call *c = arg;
    (void)thread;
    run_row(c->u, c->e, c->x + begin, c->y + begin, (size_t)(end - begin));
}

static void run_unary(const struct nn__step *s, const struct nn__env *e)
{
    const struct unary *u = s->context;
    struct unary_call c = {u, e, e->at[s->in[0]], e->at[s->out[0]]};
    if (u->in.images * u->in.planes * u->in.rows == 1)
        pool_for(e->pool, (int)u->in.width, NN_GRAIN, run_flat, &c);
    else
        pool_for(e->pool, u->in.images * u->in.planes, 1, run_planes, &c);
}

static void set_range(struct unary *u, enum nn_dtype type)
{
    static const float limits[NN_DTYPE_COUNT][2] = {
        [NN_U8] = {0, 255}, [NN_I8] = {-128, 127}, [NN_BOOL] = {0, 1}};
    u->truncate = type != NN_F32 && type != NN_BOOL;
    if (limits[type][1] > 0) {
        u->lo = limits[type][0];
        u->hi = limits[type][1];
    }
}

static void read_attributes(const struct nn__compiler *c, const struct nn_node *n, struct unary *u)
{
    switch (n->op) {
    case NN_OP_LEAKY_RELU:
        u->slot = NN_FUNC_LEAKY;
        u->alpha = nn__attr_float(n, "alpha", 0.01f);
        break;
    case NN_OP_SIGMOID:
        u->slot = NN_FUNC_SIGMOID;
        break;
    case NN_OP_TANH:
        u->slot = NN_FUNC_TANH;
        break;
    case NN_OP_HARD_SIGMOID:
        u->slot = NN_FUNC_HARDSIGMOID;
        u->alpha = nn__attr_float(n, "alpha", 0.2f);
        u->beta = nn__attr_float(n, "beta", 0.5f);
        break;
    case NN_OP_HARD_SWISH:
        u->slot = NN_FUNC_HARDSWISH;
        break;
    case NN_OP_ELU:
        u->slot = NN_FUNC_ELU;
        u->alpha = nn__attr_float(n, "alpha", 1);
        break;
    case NN_OP_SELU: /* Klambauer et al. 2017; the numbers are ONNX's defaults */
        u->alpha = nn__attr_float(n, "alpha", 1.67326319f);
        u->beta = nn__attr_float(n, "gamma", 1.05070102f);
        break;
    case NN_OP_CELU:
        u->alpha = u->gamma = nn__attr_float(n, "alpha", 1);
        break;
    case NN_OP_THRESHOLDED_RELU:
        u->alpha = nn__attr_float(n, "alpha", 1);
        break;
    case NN_OP_SWISH:
        u->slot = NN_FUNC_SWISH;
        break;
    case NN_OP_GELU:
        u->slot = NN_FUNC_GELU;
        break;
    case NN_OP_EXP:
        u->slot = NN_FUNC_EXP;
        break;
    case NN_OP_ERF:
        u->slot = NN_FUNC_ERF;
        break;
    case NN_OP_RELU:
        u->lo = 0;
        break;
    case NN_OP_CLIP:
        nn__clip_limits(c->g, n, &u->lo, &u->hi);
        break;
    case NN_OP_CAST:
        set_range(u, nn__value(c->g, n->outputs[0])->dtype);
        break;
    default:
        break;
    }
}

int nn__prepare_unary(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                      struct err *err)
{
    const struct nn_node *n = j->node;
    struct unary *u = nn__context(c, sizeof *u);
    *u = (struct unary){.op = n->op, .slot = -1, .beta = 1, .gamma = 1,
                        .lo = -INFINITY, .hi = INFINITY};
    if (n->op == NN_OP_GELU && strcmp(nn__attr_string(n, "approximate", "none"), "none"))
        return nn__node_error(n, err, ERR_UNSUPPORTED, "the approximation is not supported");
    for (int i = 1; i < n->input_count && n->op == NN_OP_CLIP; i++)
        if (nn__has(n, i) && !nn__is_constant(c->g, n->inputs[i]))
            return nn__node_error(n, err, ERR_UNSUPPORTED, "its limits must be constant");
    read_attributes(c, n, u);
    u->in = nn__view(nn__place(c, j->in[0]));
    u->out = nn__view(nn__place(c, j->out[0]));
    s->context = u;
    s->run = run_unary;
    s->info.kernel = u->slot >= 0 ? "elementwise kernel" : "elementwise";
    return 0;
}
