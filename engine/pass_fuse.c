/* Second pass: what a producer can do on its way out is done there.
 *
 *   conv | gemm  -> batch norm   the weights are scaled, the bias shifted
 *   ...          -> add          the other operand joins as a residual, if it is ready by then
 *   sigmoid      -> mul          x * sigmoid(x) is computed at once
 *   ...          -> clip         Relu and Clip become the limits of the result
 *
 * in this order, each only when nothing else reads the value in between. Then dead nodes go. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "exec.h"

struct fuse {
    struct nn__compiler *c;
    struct nn_graph *g;
    int *uses;     /* of each value, graph outputs included */
    bool *dead;    /* nodes */
};

struct nn__epilogue nn__no_epilogue(void)
{
    return (struct nn__epilogue){.lo = -INFINITY, .hi = INFINITY, .add = NN_NONE};
}

static bool clipped(const struct nn__epilogue *e)
{
    return isfinite(e->lo) || isfinite(e->hi);
}

/* The node that alone hands `v` to its one reader, or -1. */
static int only_producer(const struct fuse *f, nn_value v)
{
    return f->uses[v] == 1 ? nn__value(f->g, v)->producer : -1;
}

/* `node` vanishes: its producer now computes its result. */
static void absorb(struct fuse *f, int producer, int node)
{
    nn_value v = f->g->nodes[node].outputs[0];
    f->g->nodes[producer].outputs[0] = v;
    nn__value(f->g, v)->producer = producer;
    f->dead[node] = true;
}

/* Gemm with a C that is not one row of constants adds it afterwards and cannot fuse. */
static bool plain_gemm(const struct fuse *f, const struct nn_node *n)
{
    if (!nn__has(n, 2))
        return true;
    const struct nn_shape *s = nn__shape_of(f->c, n->inputs[2]);
    int64_t count = nn__shape_elements(s, 1);
    int64_t columns = nn__shape_of(f->c, n->outputs[0])->dims[1];
    return nn__floats_of(f->c, n, 2) && (count == 1 || count == columns);
}

static bool has_channels(const struct fuse *f, const struct nn_node *n)
{
    if (n->op == NN_OP_GEMM)
        return plain_gemm(f, n) && nn__floats_of(f->c, n, 1) &&
               nn__attr_float(n, "beta", 1) == 1;
    return n->op == NN_OP_CONV && nn__floats_of(f->c, n, 1) &&
           (!nn__has(n, 2) || nn__floats_of(f->c, n, 2));
}

static bool fuse_batchnorm(struct fuse *f, int index)
{
    const struct nn_node *n = &f->g->nodes[index];
    int p = only_producer(f, n->inputs[0]);
    if (p < 0 || !has_channels(f, &f->g->nodes[p]))
        return false;
    struct nn__epilogue *e = &f->c->epilogues[p];
    if (e->scale || e->add != NN_NONE || clipped(e))
        return false;
    int64_t channels = nn__shape_of(f->c, n->outputs[0])->dims[1];
    float *scale = nn__context(f->c, sizeof *scale * (size_t)(channels + 16));
    float *shift = nn__context(f->c, sizeof *shift * (size_t)(channels + 16));
    if (nn__batchnorm_affine(f->c, n, scale, shift, NULL) < 0)
        return false;
    const float *bias = nn__floats_of(f->c, &f->g->nodes[p], 2);
    int64_t count = bias ? nn__shape_elements(nn__shape_of(f->c, f->g->nodes[p].inputs[2]), 1) : 0;
    for (int64_t i = 0; i < channels && bias; i++)
        shift[i] += scale[i] * bias[count == 1 ? 0 : i];
    e->scale = scale;
    e->shift = shift;
    absorb(f, p, index);
    return true;
}

/* A convolution takes the other operand as a residual when that is computed before it. */
static bool fuse_add(struct fuse *f, int index)
{
    const struct nn_node *n = &f->g->nodes[index];
    if (!nn__shape_equal(nn__shape_of(f->c, n->inputs[0]), nn__shape_of(f->c, n->inputs[1])))
        return false;
    for (int i = 0; i < 2; i++) {
        nn_value other = n->inputs[!i];
        int p = only_producer(f, n->inputs[i]);
        if (p < 0 || f->g->nodes[p].op != NN_OP_CONV || nn__is_constant(f->g, other) ||
            nn__value(f->g, other)->producer >= p)
            continue;
        struct nn__epilogue *e = &f->c->epilogues[p];
        if (e->add != NN_NONE || clipped(e))
            continue;
        e->add = other;
        absorb(f, p, index);
        return true;
    }
    return false;
}

static bool can_clip(const struct fuse *f, const struct nn_node *n)
{
    switch (n->op) {
    case NN_OP_GEMM:
        return plain_gemm(f, n);
    case NN_OP_CONV:
    case NN_OP_CONV_TRANSPOSE:
    case NN_OP_MATMUL:
    case NN_OP_BATCHNORM:
    case NN_OP_ADD:
    case NN_OP_SUB:
    case NN_OP_MUL:
        return true;
    default:
        return false;
    }
}

static bool fuse_clip(struct fuse *f, int index)
{
    const struct nn_node *n = &f->g->nodes[index];
    int p = only_producer(f, n->inputs[0]);
    if (p < 0 || !can_clip(f, &f->g->nodes[p]) || clipped(&f->c->epilogues[p]))
        return false;
    for (int i = 1; i < n->input_count; i++)
        if (nn__has(n, i) && !nn__is_constant(f->g, n->inputs[i]))
            return false;
    float lo = 0, hi = INFINITY;
    if (n->op == NN_OP_CLIP)
        nn__clip_limits(f->g, n, &lo, &hi);
    f->c->epilogues[p].lo = lo;
    f->c->epilogues[p].hi = hi;
    absorb(f, p, index);
    return true;
}

/* x * sigmoid(x) is one function. The sigmoid's node takes the product's place. */
static bool fuse_swish(struct fuse *f, int index)
{
    const struct nn_node *n = &f->g->nodes[index];
    for (int i = 0; i < 2; i++) {
        int p = only_producer(f, n->inputs[i]);
        if (p < 0 || f->g->nodes[p].op != NN_OP_SIGMOID ||
            f->g->nodes[p].inputs[0] != n->inputs[!i])
            continue;
        f->uses[n->inputs[!i]]--;
        f->g->nodes[p].op = NN_OP_SWISH;
        absorb(f, p, index);
        return true;
    }
    return false;
}

/* Add and Mul: the larger operand first, where layouts expect it. */
static void larger_first(struct fuse *f, struct nn_node *n)
{
    nn_value a = n->inputs[0], b = n->inputs[1];
    if (nn__shape_elements(nn__shape_of(f->c, a), 1) >=
        nn__shape_elements(nn__shape_of(f->c, b), 1))
        return;
    n->inputs[0] = b;
    n->inputs[1] = a;
}

static void count_uses(struct fuse *f)
{
    for (size_t i = 0; i < f->g->node_count; i++)
        for (int k = 0; k < f->g->nodes[i].input_count; k++)
            if (nn__has(&f->g->nodes[i], k))
                f->uses[f->g->nodes[i].inputs[k]]++;
    for (size_t i = 0; i < f->g->output_count; i++)
        f->uses[f->g->outputs[i]] += 2; /* nothing may vanish into a producer behind it */
}

/* Marks what no output needs; nodes are in execution order. */
static void find_dead(struct nn__compiler *c, bool *dead)
{
    struct nn_graph *g = c->g;
    bool *needed = mem_new(g->value_count + 1, sizeof *needed);
    for (size_t i = 0; i < g->output_count; i++)
        needed[g->outputs[i]] = true;
    for (size_t i = g->node_count; i-- > 0;) {
        const struct nn_node *n = &g->nodes[i];
        bool used = false;
        for (int k = 0; k < n->output_count; k++)
            used |= needed[n->outputs[k]];
        if (dead[i] || !used) {
            dead[i] = true;
            continue;
        }
        for (int k = 0; k < n->input_count; k++)
            if (nn__has(n, k))
                needed[n->inputs[k]] = true;
        if (c->epilogues[i].add != NN_NONE)
            needed[c->epilogues[i].add] = true;
    }
    free(needed);
}

void nn__sweep(struct nn__compiler *c, bool *dead)
{
    struct nn_graph *g = c->g;
    size_t kept = 0;
    find_dead(c, dead);
    for (size_t i = 0; i < g->node_count; i++) {
        if (dead[i])
            continue;
        g->nodes[kept] = g->nodes[i];
        c->epilogues[kept] = c->epilogues[i];
        for (int k = 0; k < g->nodes[kept].output_count; k++)
            nn__value(g, g->nodes[kept].outputs[k])->producer = (int)kept;
        kept++;
    }
    g->node_count = kept;
}

int nn__fuse(struct nn__compiler *c, struct err *err)
{
    struct fuse f = {c, c->g, mem_new(c->g->value_count + 1, sizeof(int)),
                     mem_new(c->g->node_count + 1, sizeof(bool))};
    (void)err;
    c->epilogues = nn__context(c, sizeof *c->epilogues * (c->g->node_count + 1));
    for (size_t i = 0; i < c->g->node_count; i++)
        c->epilogues[i] = nn__no_epilogue();
    count_uses(&f);
    for (int i = 0; i < (int)c->g->node_count; i++) {
        enum nn_op op = c->g->nodes[i].op;
        if (op == NN_OP_ADD || op == NN_OP_MUL)
            larger_first(&f, &c->g->nodes[i]);
        if (op == NN_OP_BATCHNORM)
            fuse_batchnorm(&f, i);
        else if (op == NN_OP_ADD)
            fuse_add(&f, i);
        else if (op == NN_OP_MUL)
            fuse_swish(&f, i);
        else if (op == NN_OP_RELU || op == NN_OP_CLIP)
            fuse_clip(&f, i);
    }
    nn__sweep(c, f.dead);
    free(f.uses);
    free(f.dead);
    return 0;
}
