/* The weights of a graph: how many, what they cost, which are trained, those of another graph, how
 * files hold them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "half.h"
#include "internal.h"

size_t nn_graph_parameters(const struct nn_graph *g, bool trainable_only)
{
    size_t total = 0;
    for (size_t i = 0; i < g->value_count; i++) {
        const struct nn_tensor *t = &g->values[i];
        bool weight = t->data && t->dtype == NN_F32 && t->shape.rank > 0;
        if (weight && (t->trainable || !trainable_only))
            total += (size_t)nn__shape_elements(&t->shape, 1);
    }
    for (size_t i = 0; i < g->node_count && !trainable_only; i++)
        if (g->nodes[i].op == NN_OP_DEQUANTIZE && nn__is_constant(g, g->nodes[i].inputs[0]))
            total += (size_t)nn__shape_elements(nn_graph_shape(g, g->nodes[i].inputs[0]), 1);
    return total;
}

/* Each output element of a layer with weights costs one row of the weight matrix. */
static int64_t node_macs(const struct nn_graph *g, const struct nn_node *n)
{
    if (n->op != NN_OP_CONV && n->op != NN_OP_GEMM && n->op != NN_OP_MATMUL)
        return 0;
    const struct nn_shape *out = &nn__value(g, n->outputs[0])->shape;
    const struct nn_shape *w = &nn__value(g, n->inputs[1])->shape;
    int64_t row = 1;
    if (n->op == NN_OP_CONV)
        row = w->dims[1] * w->dims[2] * w->dims[3];
    else
        row = n->op == NN_OP_GEMM && nn__attr_int(n, "transB", 0) ? w->dims[1] : w->dims[0];
    return nn__shape_elements(out, 1) * row;
}

int64_t nn_graph_macs(const struct nn_graph *g)
{
    int64_t total = 0;
    for (size_t i = 0; i < g->node_count; i++)
        total += node_macs(g, &g->nodes[i]);
    return total;
}

/* Transfer learning */

void nn_graph_freeze(struct nn_graph *g, nn_value upto)
{
    if (upto == NN_NONE)
        return;
    nn__value(g, upto)->trainable = false;
    int producer = nn__value(g, upto)->producer;
    if (producer < 0)
        return;
    bool *needed = mem_new(g->value_count, sizeof *needed);
    needed[upto] = true;
    for (int i = producer; i >= 0; i--) { /* nodes are in execution order */
        const struct nn_node *n = &g->nodes[i];
        bool used = false;
        for (int k = 0; k < n->output_count; k++)
            used |= needed[n->outputs[k]];
        for (int k = 0; used && k < n->input_count; k++)
            if (n->inputs[k] != NN_NONE) {
                needed[n->inputs[k]] = true;
                nn__value(g, n->inputs[k])->trainable = false;
            }
    }
    free(needed);
}

int nn_graph_adopt(struct nn_graph *g, const struct nn_graph *from, bool frozen_only)
{
    int copied = 0;
    for (size_t i = 0; i < g->value_count; i++) {
        struct nn_tensor *t = &g->values[i];
        nn_value v = t->data ? nn_graph_find(from, t->name) : NN_NONE;
        if (!nn__is_constant(from, v) || (frozen_only && t->trainable))
            continue;
        const struct nn_tensor *s = nn__value(from, v);
        if (s->dtype != t->dtype || !nn__shape_equal(&s->shape, &t->shape))
            continue;
        memcpy(t->data, s->data,
               (size_t)nn__shape_elements(&t->shape, 1) * nn_dtype_size(t->dtype));
        copied++;
    }
    return copied;
}

/* Files */

static bool fits_halves(const struct nn_tensor *t, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabsf(((const float *)t->data)[i]) <= NN__HALF_MAX))
            return false;
    return true;
}

void nn_graph_store_halves(struct nn_graph *g, bool halves)
{
    for (size_t v = 0; v < g->value_count; v++) {
        struct nn_tensor *t = &g->values[v];
        int64_t n = nn__shape_elements(&t->shape, 1);
        t->half = halves && t->data && t->dtype == NN_F32 && t->shape.rank > 1 && fits_halves(t, n);
        for (int64_t i = 0; t->half && i < n; i++)
            ((float *)t->data)[i] = nn__from_half(nn__to_half(((float *)t->data)[i]));
    }
}
