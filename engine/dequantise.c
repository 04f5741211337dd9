/* From 8 bits back to floats (nn/quantise.h): a copy whose weights are what their codes stand for,
 * and whose values are no longer rounded. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "graph_copy.h"
#include "internal.h"
#include "kernels/kernels.h"
#include "nn/quantise.h"

struct widening {
    struct nn__copy copy;
    const struct nn_graph *g;
    bool *codes;    /* values that must stay codes: somebody wants them themselves */
    nn_value *wide; /* of each value that was quantised: its float in the copy, or NN_NONE */
};

bool nn_int8_is_fast(void)
{
    return strstr(nn_kernels()->isa, "vnni") != NULL || nn_bf16_is_fast();
}

bool nn_is_quantised(const struct nn_graph *g)
{
    for (size_t i = 0; i < g->node_count; i++)
        if (g->nodes[i].op == NN_OP_DEQUANTIZE)
            return true;
    return false;
}

static double number(const struct nn_graph *g, const struct nn_node *n, int i, double absent)
{
    bool there = i < n->input_count && n->inputs[i] != NN_NONE;
    return there ? nn__element(nn__value(g, n->inputs[i]), 0) : absent;
}

/* One scale and zero point for all. */
static bool plain(const struct nn_graph *g, const struct nn_node *n)
{
    return nn__one_number(g, n->inputs[1]) &&
           (n->input_count < 3 || n->inputs[2] == NN_NONE || nn__one_number(g, n->inputs[2]));
}

/* Undoes n what this QuantizeLinear did? */
static bool undoes(const struct nn_graph *g, const struct nn_node *n, const struct nn_node *made)
{
    return n->op == NN_OP_DEQUANTIZE && plain(g, n) && plain(g, made) &&
           number(g, n, 1, 1) == number(g, made, 1, 1) &&
           number(g, n, 2, 0) == number(g, made, 2, 0);
}

static void find_codes(struct widening *w)
{
    const struct nn_graph *g = w->g;
    for (size_t i = 0; i < g->output_count; i++)
        w->codes[g->outputs[i]] = true;
    for (size_t i = 0; i < g->node_count; i++) {
        const struct nn_node *n = &g->nodes[i];
        if (n->op == NN_OP_QUANTIZE && !plain(g, n))
            w->codes[n->outputs[0]] = true;
        for (int k = 0; k < n->input_count; k++) {
            int p = n->inputs[k] == NN_NONE ? -1 : nn__value(g, n->inputs[k])->producer;
            bool made = p >= 0 && g->nodes[p].op == NN_OP_QUANTIZE;
            if (made && (k > 0 || !undoes(g, n, &g->nodes[p])))
                w->codes[n->inputs[k]] = true;
        }
    }
}

/* Names after the codes that the values stand for. */
static struct str named(const struct widening *w, const struct nn_node *n, const char *ending)
{
    struct str s = {0};
    str_addf(&s, "%s_%s", nn__value(w->g, n->outputs[0])->name, ending);
    return s;
}

static nn_value limit(struct widening *w, const struct nn_node *n, const char *ending, double x)
{
    struct str name = named(w, n, ending);
    nn_value v = nn__constant_add(w->copy.to, name.s, NN_F32, &(struct nn_shape){0});
    if (v != NN_NONE)
        nn__set_element(nn__value(w->copy.to, v), 0, x);
    str_free(&name);
    return v;
}

/* Whether v comes from a ReLU, perhaps by way of pools. */
static bool from_relu(const struct nn_graph *g, nn_value v)
{
    for (;;) {
        int p = nn__value(g, v)->producer;
        if (p < 0)
            return false;
        switch (g->nodes[p].op) {
        case NN_OP_RELU:
            return true;
        case NN_OP_MAXPOOL:
        case NN_OP_AVGPOOL:
        case NN_OP_GLOBAL_AVGPOOL:
        case NN_OP_FLATTEN:
        case NN_OP_QUANTIZE:
        case NN_OP_DEQUANTIZE:
            v = g->nodes[p].inputs[0];
            break;
        default:
            return false;
        }
    }
}

/* Codes saturate. Where they begin at nothing a network may have its ReLU from that. */
static bool hides_relu(const struct widening *w, const struct nn_node *n)
{
    double first = nn__value(w->g, n->outputs[0])->dtype == NN_I8 ? -128 : 0;
    return number(w->g, n, 2, 0) == first && !from_relu(w->g, n->inputs[0]);
}

/* What n quantises, as it is or clipped as the codes clip it. */
static nn_value unrounded(struct widening *w, const struct nn_node *n)
{
    struct nn_graph *to = w->copy.to;
    if (!hides_relu(w, n))
        return nn__copied(&w->copy, n->inputs[0]);
    nn_value lo = limit(w, n, "least", 0);
    nn_value hi = limit(w, n, "most", 255 * number(w->g, n, 1, 1));
    struct str name = named(w, n, "clipped");
    struct nn_node *c = nn__node_begin(to, NN_OP_CLIP, NULL);
    nn__node_input(to, c, nn__copied(&w->copy, n->inputs[0]));
    nn__node_input(to, c, lo);
    nn__node_input(to, c, hi);
    nn_value y = nn__node_end(to, c, 1, (const char *const[]){name.s});
    str_free(&name);
    return y;
}

/* Weights: (code - zero) * scale, along the node's axis where there are several scales. */
static nn_value widen(struct widening *w, const struct nn_node *n)
{
    const struct nn_tensor *codes = nn__value(w->g, n->inputs[0]);
    const struct nn_tensor *scale = nn__value(w->g, n->inputs[1]);
    const struct nn_tensor *zero =
        n->input_count > 2 && n->inputs[2] != NN_NONE ? nn__value(w->g, n->inputs[2]) : NULL;
    int64_t count = nn__shape_elements(&codes->shape, 1), inner = 1;
    int64_t scales = nn__shape_elements(&scale->shape, 1);
    int axis = (int)nn__attr_int(n, "axis", 1);
    axis += axis < 0 ? codes->shape.rank : 0;
    for (int a = axis + 1; a < codes->shape.rank; a++)
        inner *= codes->shape.dims[a];
    nn_value v =
        nn__constant_add(w->copy.to, nn__value(w->g, n->outputs[0])->name, NN_F32, &codes->shape);
    for (int64_t i = 0; v != NN_NONE && i < count; i++) {
        int64_t s = scales == 1 ? 0 : i / inner % scales;
        double x = nn__element(codes, i) - (zero != NULL ? nn__element(zero, s) : 0);
        nn__set_element(nn__value(w->copy.to, v), i, x * nn__element(scale, s));
    }
    return v;
}

static void copy(struct widening *w, const struct nn_node *n)
{
    nn_value inputs[NN_VARIADIC], y = n->outputs[0];
    if (n->op == NN_OP_QUANTIZE && !w->codes[y]) {
        w->wide[y] = unrounded(w, n);
    } else if (n->op == NN_OP_DEQUANTIZE && w->wide[n->inputs[0]] != NN_NONE) {
        w->copy.map[y] = w->wide[n->inputs[0]];
    } else if (n->op == NN_OP_DEQUANTIZE && nn__all_constant(w->g, n)) {
        w->copy.map[y] = widen(w, n);
    } else {
        nn__copy_inputs(&w->copy, n, inputs);
        nn__copy_node(&w->copy, n, inputs, n->input_count);
    }
}

static int widened(struct nn_graph **out, const struct nn_graph *g, struct err *err)
{
    size_t values = g->value_count + 1;
    struct widening w = {nn__copy_begin(g), g, mem_new(values, sizeof *w.codes),
                         mem_new(values, sizeof *w.wide)};
    find_codes(&w);
    for (size_t v = 0; v < g->value_count; v++)
        w.wide[v] = NN_NONE;
    for (size_t i = 0; i < g->node_count && !w.copy.to->error.code; i++)
        copy(&w, &g->nodes[i]);
    nn__copy_outputs(&w.copy);
    free(w.codes);
    free(w.wide);
    return nn__copy_end(&w.copy, out, err);
}

int nn_dequantise(struct nn_graph **g, struct err *err)
{
    struct nn_graph *wide;
    if ((*g)->opset < 11)
        return err_set(err, ERR_UNSUPPORTED,
                       "networks of operator set %d cannot be widened, only those of 11 or later",
                       (*g)->opset);
    int code = widened(&wide, *g, err);
    if (code < 0)
        return code;
    nn_graph_destroy(*g);
    *g = wide;
    return code;
}
