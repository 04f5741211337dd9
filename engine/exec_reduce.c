/* Reductions over any axes, and global pools of plain tensors. Sums are kept in double. */
#include "exec.h"

#include <math.h>
#include <string.h>

#include "base/pool.h"

/* Both groups of axes as (size, stride) in the input. */
struct axes {
    int count;
    int64_t size[NN_MAX_RANK], stride[NN_MAX_RANK];
};

struct reduce {
    enum nn_op op;
    struct axes kept, gone;
    int64_t results, terms;
    bool last; /* ArgMax, ArgMin: of equal ones */
};

struct reduce_call {
    const struct reduce *r;
    const float *x;
    float *y;
};

static int64_t offset_of(const struct axes *a, int64_t index)
{
    int64_t offset = 0;
    for (int i = a->count - 1; i >= 0; i--) {
        offset += index % a->size[i] * a->stride[i];
        index /= a->size[i];
    }
    return offset;
}

static double first_sum(enum nn_op op)
{
    bool most = op == NN_OP_REDUCE_MAX || op == NN_OP_GLOBAL_MAXPOOL;
    return op == NN_OP_REDUCE_MIN ? INFINITY : most ? -INFINITY : op == NN_OP_REDUCE_PROD ? 1 : 0;
}

static double add_term(enum nn_op op, double sum, double v)
{
    switch (op) {
    case NN_OP_REDUCE_MIN:
        return isnan(v) || v < sum ? v : sum;
    case NN_OP_REDUCE_MAX:
    case NN_OP_GLOBAL_MAXPOOL:
        return isnan(v) || v > sum ? v : sum;
    case NN_OP_REDUCE_PROD:
        return sum * v;
    case NN_OP_REDUCE_L1:
        return sum + fabs(v);
    case NN_OP_REDUCE_L2:
    case NN_OP_REDUCE_SUM_SQUARE:
        return sum + v * v;
    default:
        return sum + v;
    }
}

static double finish_sum(const struct reduce *r, double sum)
{
    switch (r->op) {
    case NN_OP_REDUCE_MEAN:
    case NN_OP_GLOBAL_AVGPOOL:
        return sum / (double)r->terms;
    case NN_OP_REDUCE_L2:
        return sqrt(sum);
    case NN_OP_REDUCE_LOG_SUM:
        return log(sum);
    default:
        return sum;
    }
}

static float sum_one(const struct reduce *r, const float *x)
{
    double sum = first_sum(r->op);
    for (int64_t i = 0; i < r->terms; i++)
        sum = add_term(r->op, sum, (double)x[offset_of(&r->gone, i)]);
    return (float)finish_sum(r, sum);
}

/* log(sum of exp(x)) without overflow. */
static float log_sum_exp(const struct reduce *r, const float *x)
{
    double top = -INFINITY, sum = 0;
    for (int64_t i = 0; i < r->terms; i++)
        top = fmax(top, (double)x[offset_of(&r->gone, i)]);
    for (int64_t i = 0; i < r->terms && isfinite(top); i++)
        sum += exp((double)x[offset_of(&r->gone, i)] - top);
    return (float)(isfinite(top) ? top + log(sum) : top);
}

/* The index of the largest, or smallest, of one axis; of several the first or the last. */
static float extreme_at(const struct reduce *r, const float *x)
{
    int64_t best = 0;
    float sign = r->op == NN_OP_ARG_MIN ? -1.0f : 1.0f;
    for (int64_t i = 1; i < r->terms; i++) {
        float v = sign * x[offset_of(&r->gone, i)], top = sign * x[offset_of(&r->gone, best)];
        if (v > top || (r->last && v == top))
            best = i;
    }
    return (float)best;
}

static float reduce_one(const struct reduce *r, const float *x)
{
    if (r->op == NN_OP_ARG_MAX || r->op == NN_OP_ARG_MIN)
        return extreme_at(r, x);
    return r->op == NN_OP_REDUCE_LOG_SUM_EXP ? log_sum_exp(r, x) : sum_one(r, x);
}

static void run_range(void *arg, int begin, int end, int thread)
{
    const struct reduce_call *c = arg;
    (void)thread;
    for (int i = begin; i < end; i++)
        c->y[i] = reduce_one(c->r, c->x + offset_of(&c->r->kept, i));
}

static void run_reduce(const struct nn__step *s, const struct nn__env *e)
{
    const struct reduce *r = s->context;
    struct reduce_call c = {r, e->at[s->in[0]], e->at[s->out[0]]};
    int grain = r->terms < NN_GRAIN / 4 ? (int)(NN_GRAIN / 4 / (r->terms + 1)) + 1 : 1;
    pool_for(e->pool, (int)r->results, grain, run_range, &c);
}

static void add_axis(struct axes *a, int64_t size, int64_t stride)
{
    if (a->count > 0 && a->stride[a->count - 1] == size * stride) { /* continues the last one */
        a->size[a->count - 1] *= size;
        a->stride[a->count - 1] = stride;
        return;
    }
    a->size[a->count] = size;
    a->stride[a->count++] = stride;
}

/* The axes that go: an attribute, an input, or one `axis`. Returns how many, 0: all of them. */
static int marked_axes(const struct nn__compiler *c, const struct nn_node *n, int rank,
                       bool marked[NN_MAX_RANK], struct err *err)
{
    if (n->op != NN_OP_ARG_MAX && n->op != NN_OP_ARG_MIN)
        return nn__axes(c->g, n, rank, marked, err);
    int64_t axis = nn__attr_int(n, "axis", 0);
    memset(marked, 0, sizeof *marked * NN_MAX_RANK);
    marked[axis < 0 ? axis + rank : axis] = true;
    return 1;
}

int nn__prepare_reduce(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                       struct err *err)
{
    const struct nn_node *n = j->node;
    const struct nn_shape *x = nn__shape_of(c, n->inputs[0]);
    bool pool = n->op == NN_OP_GLOBAL_AVGPOOL || n->op == NN_OP_GLOBAL_MAXPOOL;
    bool marked[NN_MAX_RANK];
    int64_t own[NN_MAX_RANK];
    int count = pool ? 0 : marked_axes(c, n, x->rank, marked, err);
    if (count < 0)
        return count;
    bool all = !pool && count == 0 && !nn__attr_int(n, "noop_with_empty_axes", 0);
    struct reduce *r = nn__context(c, sizeof *r);
    *r = (struct reduce){.op = n->op,
                         .results = 1,
                         .terms = 1,
                         .last = nn__attr_int(n, "select_last_index", 0) != 0};
    nn__strides(x, own);
    for (int a = 0; a < x->rank; a++) {
        bool gone = pool ? a >= 2 : all || (count > 0 && marked[a]);
        add_axis(gone ? &r->gone : &r->kept, x->dims[a], own[a]);
        *(gone ? &r->terms : &r->results) *= x->dims[a];
    }
    s->context = r;
    s->run = run_reduce;
    s->info.kernel = "reduction";
    return 0;
}
