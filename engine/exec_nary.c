/* Arithmetic of two or more tensors with numpy's broadcasting. */
#include "exec.h"

#include <math.h>

#include "base/pool.h"

enum { MAX_INPUTS = 64 };

struct nary {
    enum nn_op op;
    bool integer;                          /* Div truncates */
    int inputs, rank;
    int64_t dims[NN_MAX_RANK];             /* of the result; axes that no input stretches joined */
    int64_t (*stride)[NN_MAX_RANK];        /* of each input, 0 along stretched axes */
    bool clip;
    float lo, hi;
};

struct nary_call {
    const struct nary *n;
    const struct nn__step *s;
    const struct nn__env *e;
};

/* y[i] = f(y[i], b[i]) where y already holds the first operand. */
static void combine(const struct nary *n, float *y, const float *b, int64_t step, int64_t count)
{
#define EACH(value)                                                                                \
    do {                                                                                           \
        for (int64_t i = 0; i < count; i++) {                                                      \
            float p = y[i], q = b[i * step];                                                       \
            y[i] = (value);                                                                        \
        }                                                                                          \
        return;                                                                                    \
    } while (0)
    switch (n->op) {
    case NN_OP_ADD:
    case NN_OP_SUM:
    case NN_OP_MEAN:
        EACH(p + q);
    case NN_OP_SUB:
        EACH(p - q);
    case NN_OP_MUL:
        EACH(p * q);
    case NN_OP_DIV:
        if (n->integer)
            EACH(truncf(p / q));
        EACH(p / q);
    case NN_OP_POW:
        if (step == 0 && *b == 2) {
            combine(&(struct nary){.op = NN_OP_MUL}, y, y, 1, count);
            return;
        }
        EACH(powf(p, q));
    case NN_OP_MAX:
        EACH(p > q || isnan(p) ? p : q);
    case NN_OP_MIN:
        EACH(p < q || isnan(p) ? p : q);
    case NN_OP_EQUAL:
        EACH((float)(p == q));
    case NN_OP_LESS:
        EACH((float)(p < q));
    case NN_OP_GREATER:
        EACH((float)(p > q));
    case NN_OP_LESS_EQUAL:
        EACH((float)(p <= q));
    case NN_OP_GREATER_EQUAL:
        EACH((float)(p >= q));
    case NN_OP_AND:
        EACH((float)(p != 0 && q != 0));
    case NN_OP_OR:
        EACH((float)(p != 0 || q != 0));
    case NN_OP_XOR:
        EACH((float)((p != 0) != (q != 0)));
    default: /* PRelu */
        EACH(p < 0 ? p * q : p);
    }
#undef EACH
}

static void copy_row(float *y, const float *x, int64_t step, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        y[i] = x[i * step];
}

static void run_row(const struct nary *n, const float *const *x, float *y)
{
    int last = n->rank - 1;
    int64_t count = n->dims[last];
    if (n->op == NN_OP_WHERE) {
        for (int64_t i = 0; i < count; i++)
            y[i] = x[0][i * n->stride[0][last]] != 0 ? x[1][i * n->stride[1][last]]
                                                     : x[2][i * n->stride[2][last]];
        return;
    }
    copy_row(y, x[0], n->stride[0][last], count);
    for (int k = 1; k < n->inputs; k++)
        combine(n, y, x[k], n->stride[k][last], count);
    for (int64_t i = 0; n->op == NN_OP_MEAN && i < count; i++)
        y[i] /= (float)n->inputs;
    for (int64_t i = 0; n->clip && i < count; i++)
        y[i] = y[i] < n->lo ? n->lo : y[i] > n->hi ? n->hi : y[i];
}

static void run_rows(void *arg, int begin, int end, int thread)
{
    const struct nary_call *c = arg;
    const struct nary *n = c->n;
    (void)thread;
    for (int r = begin; r < end; r++) {
        const float *x[MAX_INPUTS];
        for (int k = 0; k < n->inputs; k++) {
            int64_t rest = r;
            x[k] = c->e->at[c->s->in[k]];
            for (int a = n->rank - 2; a >= 0; a--) {
                x[k] += rest % n->dims[a] * n->stride[k][a];
                rest /= n->dims[a];
            }
        }
        run_row(n, x, c->e->at[c->s->out[0]] + r * n->dims[n->rank - 1]);
    }
}

static void run_nary(const struct nn__step *s, const struct nn__env *e)
{
    const struct nary *n = s->context;
    struct nary_call c = {n, s, e};
    int64_t rows = 1, width = n->dims[n->rank - 1];
    for (int i = 0; i < n->rank - 1; i++)
        rows *= n->dims[i];
    if (width > 0)
        pool_for(e->pool, (int)rows, (int)(NN_GRAIN / width + 1), run_rows, &c);
}

/* Axis a of the result continues axis a - 1 for every input: both move as one. */
static bool joinable(const struct nary *n, int a)
{
    for (int k = 0; k < n->inputs; k++)
        if (n->stride[k][a - 1] != n->stride[k][a] * n->dims[a])
            return false;
    return true;
}

static void join_axes(struct nary *n)
{
    for (int a = n->rank - 1; a > 0; a--) {
        if (!joinable(n, a))
            continue;
        n->dims[a - 1] *= n->dims[a];
        for (int k = 0; k < n->inputs; k++)
            n->stride[k][a - 1] = n->stride[k][a];
        for (int b = a; b < n->rank - 1; b++) {
            n->dims[b] = n->dims[b + 1];
            for (int k = 0; k < n->inputs; k++)
                n->stride[k][b] = n->stride[k][b + 1];
        }
        n->rank--;
    }
}

/* Strides of `s` seen as a tensor of the result's shape. */
static void stretch(const struct nn_shape *s, const struct nn_shape *out,
                    int64_t stride[NN_MAX_RANK])
{
    int64_t own[NN_MAX_RANK];
    nn__strides(s, own);
    for (int i = 0; i < out->rank; i++) {
        int from = i - (out->rank - s->rank);
        stride[i] = from < 0 || s->dims[from] == 1 ? 0 : own[from];
    }
}

int nn__prepare_nary(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                     struct err *err)
{
    const struct nn_node *node = j->node;
    const struct nn_shape *out = nn__shape_of(c, node->outputs[0]);
    struct nary *n = nn__context(c, sizeof *n);
    n->op = node->op;
    n->integer = nn__value(c->g, node->inputs[0])->dtype != NN_F32;
    n->inputs = node->input_count;
    n->stride = nn__context(c, sizeof *n->stride * (size_t)n->inputs);
    n->rank = out->rank;
    for (int i = 0; i < out->rank; i++)
        n->dims[i] = out->dims[i];
    for (int k = 0; k < n->inputs; k++) {
        const struct nn_shape *in = nn__shape_of(c, node->inputs[k]);
        for (int i = 1; i <= in->rank; i++) /* PRelu's slope may not be larger than x */
            if (in->rank > out->rank || (in->dims[in->rank - i] != 1 &&
                                         in->dims[in->rank - i] != out->dims[out->rank - i]))
                return nn__node_error(node, err, ERR_FORMAT, "input %d does not broadcast", k);
        stretch(in, out, n->stride[k]);
    }
    if (n->rank == 0) {
        n->rank = 1;
        n->dims[0] = 1;
        for (int k = 0; k < n->inputs; k++)
            n->stride[k][0] = 0;
    }
    join_axes(n);
    n->lo = j->epilogue->lo;
    n->hi = j->epilogue->hi;
    n->clip = isfinite(n->lo) || isfinite(n->hi);
    s->context = n;
    s->run = run_nary;
    s->info.kernel = "broadcast";
    return 0;
}

/* Two C16 tensors of one shape, or the second one pixel an image (N x C x 1 x 1). */
struct nary16 {
    enum nn_op op;
    struct nn__view a, b, y;
    bool pixel;
    float lo, hi;
};

struct nary16_call {
    const struct nary16 *n;
    const struct nn_kernels *k;
    const float *a, *b;
    float *y;
};

/* One row, or a whole plane without gaps. `b` is one pixel when n->pixel. */
static void row16(const struct nary16 *n, const struct nn_kernels *k, const float *a,
                  const float *b, float *y, size_t width)
{
    static const float minus[16] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                    -1, -1, -1, -1, -1, -1, -1, -1};
    struct nn_affine16 f = {.a = a, .y = y, .pixels = width / 16, .lo = n->lo, .hi = n->hi};
    float negated[16];
    if (n->op == NN_OP_MUL && !n->pixel) {
        k->mul(a, b, y, width);
        f.a = y;
    } else if (n->op == NN_OP_MUL) {
        f.a_scale = b;
    } else if (!n->pixel) {
        f.b = b;
        f.b_scale = n->op == NN_OP_SUB ? minus : NULL;
    } else {
        for (int i = 0; i < 16; i++)
            negated[i] = n->op == NN_OP_SUB ? -b[i] : b[i];
        f.shift = negated;
    }
    if (f.a != y || isfinite(n->lo) || isfinite(n->hi))
        k->affine16(&f);
}

static void run_planes16(void *arg, int begin, int end, int thread)
{
    const struct nary16_call *c = arg;
    const struct nary16 *n = c->n;
    (void)thread;
    for (int i = begin; i < end; i++) {
        size_t image = (size_t)(i / n->a.planes), plane = (size_t)(i % n->a.planes);
        const float *a = c->a + n->a.start + image * n->a.image + plane * n->a.plane;
        const float *b = c->b + n->b.start + image * n->b.image + plane * n->b.plane;
        float *y = c->y + n->y.start + image * n->y.image + plane * n->y.plane;
        for (int r = 0; r < n->a.rows; r++)
            row16(n, c->k, a + r * n->a.row, n->pixel ? b : b + r * n->b.row, y + r * n->y.row,
                  n->a.width);
    }
}

static void run_nary16(const struct nn__step *s, const struct nn__env *e)
{
    const struct nary16 *n = s->context;
    struct nary16_call c = {n, e->k, e->at[s->in[0]], e->at[s->in[1]], e->at[s->out[0]]};
    pool_for(e->pool, n->a.images * n->a.planes, 1, run_planes16, &c);
}

int nn__prepare_nary16(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                       struct err *err)
{
    struct nary16 *n = nn__context(c, sizeof *n);
    (void)err;
    n->op = j->node->op;
    n->a = nn__view(nn__place(c, j->in[0]));
    n->b = nn__view(nn__place(c, j->in[1]));
    n->y = nn__view(nn__place(c, j->out[0]));
    n->pixel = n->a.rows * n->a.width != n->b.rows * n->b.width;
    n->lo = j->epilogue->lo;
    n->hi = j->epilogue->hi;
    s->context = n;
    s->run = run_nary16;
    s->info.kernel = "elementwise C16";
    return 0;
}
