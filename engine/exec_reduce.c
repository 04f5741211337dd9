/* Reductions over any axes, and global pools of plain tensors. Sums are kept in double. */
#include "exec.h"

#include <math.h>

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

static float reduce_one(const struct reduce *r, const float *x)
{
    bool smallest = r->op == NN_OP_REDUCE_MIN;
    bool extreme = smallest || r->op == NN_OP_REDUCE_MAX || r->op == NN_OP_GLOBAL_MAXPOOL;
    double sum = extreme ? (smallest ? INFINITY : -INFINITY) : 0;
    for (int64_t i = 0; i < r->terms; i++) {
        double v = x[offset_of(&r->gone, i)];
        if (!extreme)
            sum += v;
        else if (isnan(v) || (smallest ? v < sum : v > sum))
            sum = v;
    }
    bool mean = r->op == NN_OP_REDUCE_MEAN || r->op == NN_OP_GLOBAL_AVGPOOL;
    return (float)(mean ? sum / (double)r->terms : sum);
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

int nn__prepare_reduce(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                       struct err *err)
{
    const struct nn_node *n = j->node;
    const struct nn_shape *x = nn__shape_of(c, n->inputs[0]);
    bool pool = n->op == NN_OP_GLOBAL_AVGPOOL || n->op == NN_OP_GLOBAL_MAXPOOL;
    bool marked[NN_MAX_RANK];
    int64_t own[NN_MAX_RANK];
    int count = pool ? 0 : nn__axes(c->g, n, x->rank, marked, err);
    if (count < 0)
        return count;
    bool all = !pool && count == 0 && !nn__attr_int(n, "noop_with_empty_axes", 0);
    struct reduce *r = nn__context(c, sizeof *r);
    *r = (struct reduce){.op = n->op, .results = 1, .terms = 1};
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
