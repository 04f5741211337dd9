/* Post-training quantisation: copy and fold, choose values, observe, write. See quantise.h.
 *
 * Two copies are made of the network. The first has its batch norms folded, and hands out every
 * value that shall be quantised as a further output: its runs are observed. The second has those
 * values quantised behind their producer and all their readers reading what comes back. */
#include "nn/quantise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "graph_copy.h"
#include "internal.h"
#include "nn/run.h"

struct range {
    bool chosen;
    nn_value like; /* has the scale of this value; NN_NONE: its own */
    float lo, hi;  /* sums over the images of the least and largest of their batch */
};

struct nn_quantiser {
    struct nn_graph *g;   /* folded; chosen values are outputs behind its own */
    int own_outputs;
    struct range *ranges; /* of each value of g */
    struct nn_run *run;
    int batch, observed;
};

/* A new constant, under a name that neither graph has. */
static nn_value constant(struct nn__copy *c, enum nn_dtype type, struct nn_shape shape)
{
    char name[40];
    size_t i = c->to->value_count;
    do
        snprintf(name, sizeof name, "constant_%zu", i++);
    while (nn_graph_find(c->to, name) != NN_NONE || nn_graph_find(c->from, name) != NN_NONE);
    return nn__constant_add(c->to, name, type, &shape);
}

/* Folding */

static int *count_uses(const struct nn_graph *g)
{
    int *uses = mem_new(g->value_count + 1, sizeof *uses);
    for (size_t i = 0; i < g->node_count; i++)
        for (int k = 0; k < g->nodes[i].input_count; k++)
            if (g->nodes[i].inputs[k] != NN_NONE)
                uses[g->nodes[i].inputs[k]]++;
    for (size_t i = 0; i < g->output_count; i++)
        uses[g->outputs[i]]++;
    return uses;
}

static bool is_float_constant(const struct nn_graph *g, const struct nn_node *n, int i)
{
    return i < n->input_count && n->inputs[i] != NN_NONE && nn__is_constant(g, n->inputs[i]) &&
           nn__value(g, n->inputs[i])->dtype == NN_F32;
}

/* The batch norm that alone reads this convolution, or NULL. */
static const struct nn_node *norm_behind(const struct nn_graph *g, const struct nn_node *n,
                                         const int *uses)
{
    if (n->op != NN_OP_CONV || uses[n->outputs[0]] != 1 || !is_float_constant(g, n, 1) ||
        (n->input_count > 2 && !is_float_constant(g, n, 2)))
        return NULL;
    for (size_t i = 0; i < g->node_count; i++) {
        const struct nn_node *b = &g->nodes[i];
        if (b->op != NN_OP_BATCHNORM || b->inputs[0] != n->outputs[0])
            continue;
        for (int k = 1; k < 5; k++)
            if (!is_float_constant(g, b, k))
                return NULL;
        return b;
    }
    return NULL;
}

/* Weights and bias of a convolution with its batch norm: input 1 and 2 of the copy. */
static void fold_norm(struct nn__copy *c, const struct nn_node *n, const struct nn_node *b,
                      nn_value *inputs)
{
    const struct nn_tensor *w = nn__value(c->from, n->inputs[1]);
    const struct nn_shape channels = {.rank = 1, .dims = {w->shape.dims[0]}};
    const float *old = w->data, *p[5] = {NULL}, *bias = NULL;
    inputs[1] = constant(c, NN_F32, w->shape);
    inputs[2] = constant(c, NN_F32, channels);
    if (inputs[1] == NN_NONE || inputs[2] == NN_NONE)
        return;
    float *weights = nn__value(c->to, inputs[1])->data, *shift = nn__value(c->to, inputs[2])->data;
    int64_t each = nn__shape_elements(&w->shape, 1) / channels.dims[0];
    for (int k = 1; k < 5; k++)
        p[k] = nn__value(c->from, b->inputs[k])->data;
    if (n->input_count > 2)
        bias = nn__value(c->from, n->inputs[2])->data;
    for (int64_t o = 0; o < channels.dims[0]; o++) {
        double s = p[1][o] / sqrt((double)p[4][o] + nn__attr_float(b, "epsilon", 1e-5f));
        shift[o] = (float)(p[2][o] + ((bias ? bias[o] : 0.0) - p[3][o]) * s);
        for (int64_t i = o * each; i < (o + 1) * each; i++)
            weights[i] = (float)(old[i] * s);
    }
}

/* The network without batch norms behind convolutions, dropout and identities. */
static int fold(struct nn_graph **out, const struct nn_graph *g, struct err *err)
{
    struct nn__copy c = nn__copy_begin(g);
    int *uses = count_uses(g);
    for (size_t i = 0; i < g->node_count && !c.to->error.code; i++) {
        const struct nn_node *n = &g->nodes[i], *norm = norm_behind(g, n, uses);
        nn_value inputs[64];
        if (c.map[n->outputs[0]] != NN_NONE)
            continue; /* a folded batch norm */
        nn__copy_inputs(&c, n, inputs);
        if (n->op == NN_OP_DROPOUT || n->op == NN_OP_IDENTITY) {
            c.map[n->outputs[0]] = inputs[0];
        } else if (norm) {
            fold_norm(&c, n, norm, inputs);
            nn__copy_node(&c, n, inputs, 3);
            c.map[norm->outputs[0]] = c.map[n->outputs[0]];
        } else {
            nn__copy_node(&c, n, inputs, n->input_count);
        }
    }
    free(uses);
    nn__copy_outputs(&c);
    return nn__copy_end(&c, out, err);
}

/* Choosing */

static void choose(struct nn_quantiser *q, nn_value v)
{
    const struct nn_tensor *t = nn__value(q->g, v);
    bool fits = t->dtype == NN_F32 && (t->shape.rank == 2 || t->shape.rank == 4);
    if (fits && !nn__is_constant(q->g, v))
        q->ranges[v].chosen = true;
}

/* Convolutions and dense layers with weights that can be quantised. */
static bool has_weights(const struct nn_graph *g, const struct nn_node *n)
{
    if ((n->op != NN_OP_CONV && n->op != NN_OP_GEMM) || !is_float_constant(g, n, 1) ||
        (n->input_count > 2 && !is_float_constant(g, n, 2)))
        return false;
    const struct nn_shape *w = nn_graph_shape(g, n->inputs[1]);
    if (n->op == NN_OP_CONV)
        return w->rank == 4;
    return !nn__attr_int(n, "transA", 0) && nn__attr_float(n, "alpha", 1) == 1 &&
           nn__attr_float(n, "beta", 1) == 1;
}

/* A result that is rearranged or picked from its input: both have one scale. */
static void choose_alike(struct nn_quantiser *q, const struct nn_node *n)
{
    choose(q, n->inputs[0]);
    choose(q, n->outputs[0]);
    q->ranges[n->outputs[0]].like = n->inputs[0];
}

/* What a convolution or dense layer reads; a flat image before and after it is flattened. */
static void choose_input(struct nn_quantiser *q, nn_value v)
{
    int p = nn__value(q->g, v)->producer;
    choose(q, v);
    if (p >= 0 && q->g->nodes[p].op == NN_OP_FLATTEN &&
        nn_graph_shape(q->g, q->g->nodes[p].inputs[0])->rank == 4)
        choose_alike(q, &q->g->nodes[p]);
}

/* A convolution that a sum alone reads adds the other operand itself, in floats, when that one is
 * ready by then. */
static bool joins(const struct nn_graph *g, const int *uses, nn_value v, nn_value other)
{
    int p = nn__value(g, v)->producer;
    return p >= 0 && g->nodes[p].op == NN_OP_CONV && uses[v] == 1 &&
           nn__value(g, other)->producer < p;
}

static void choose_for(struct nn_quantiser *q, const struct nn_node *n, const int *uses)
{
    const struct nn_graph *g = q->g;
    const nn_value *in = n->inputs;
    if (has_weights(g, n)) {
        choose_input(q, in[0]);
    } else if (n->op == NN_OP_MAXPOOL) {
        choose_alike(q, n);
    } else if (n->op == NN_OP_GLOBAL_AVGPOOL || n->op == NN_OP_AVGPOOL) {
        choose(q, in[0]);
    } else if (n->op == NN_OP_CONCAT && nn_graph_shape(g, in[0])->rank == 4) {
        for (int i = 0; i < n->input_count; i++)
            choose(q, in[i]);
    } else if (n->op == NN_OP_ADD &&
               nn__shape_equal(nn_graph_shape(g, in[0]), nn_graph_shape(g, in[1]))) {
        bool first = joins(g, uses, in[0], in[1]), second = joins(g, uses, in[1], in[0]);
        if (!first)
            choose(q, in[0]);
        if (first || !second)
            choose(q, in[1]);
    }
}

static void choose_values(struct nn_quantiser *q)
{
    int *uses = count_uses(q->g);
    q->ranges = mem_new(q->g->value_count + 1, sizeof *q->ranges);
    for (size_t v = 0; v < q->g->value_count; v++)
        q->ranges[v] = (struct range){.like = NN_NONE};
    for (size_t i = 0; i < q->g->node_count; i++)
        choose_for(q, &q->g->nodes[i], uses);
    free(uses);
    q->own_outputs = (int)q->g->output_count;
    for (size_t v = 0; v < q->g->value_count; v++)
        if (q->ranges[v].chosen)
            nn_graph_output(q->g, (nn_value)v, nn__value(q->g, (nn_value)v)->name);
}

/* Observing */

int nn_quantiser_create(struct nn_quantiser **out, const struct nn_graph *g, int batch,
                        struct pool *pool, struct err *err)
{
    *out = NULL;
    if (g->opset < 13 || g->input_count != 1)
        return err_set(err, ERR_UNSUPPORTED, "only networks with one input and operator set 13 or "
                       "later can be quantised, this one has %d and %d", (int)g->input_count,
                       (int)g->opset);
    struct nn_quantiser *q = mem_new(1, sizeof *q);
    q->batch = batch;
    int code = fold(&q->g, g, err);
    if (code == 0) {
        choose_values(q);
        code = nn_run_create(&q->run, q->g, batch, pool, NULL, err);
    }
    if (code < 0)
        nn_quantiser_destroy(q);
    else
        *out = q;
    return code;
}

void nn_quantiser_destroy(struct nn_quantiser *q)
{
    if (!q)
        return;
    nn_run_destroy(q->run);
    nn_graph_destroy(q->g);
    free(q->ranges);
    free(q);
}

float *nn_quantiser_input(struct nn_quantiser *q)
{
    return nn_run_input(q->run, 0);
}

void nn_quantiser_observe(struct nn_quantiser *q, int images)
{
    nn_run_forward(q->run);
    for (int i = q->own_outputs; i < nn_run_output_count(q->run); i++) {
        struct range *r = &q->ranges[q->g->outputs[i]];
        const float *x = nn_run_output(q->run, i);
        int64_t n = nn__shape_elements(nn_run_output_shape(q->run, i), 1) / q->batch * images;
        float lo = 0, hi = 0;
        for (int64_t k = 0; k < n; k++) {
            lo = x[k] < lo ? x[k] : lo;
            hi = x[k] > hi ? x[k] : hi;
        }
        r->lo += lo * (float)images;
        r->hi += hi * (float)images;
    }
    q->observed += images;
}

/* Writing */

struct code {
    float scale;
    int zero;
};

static struct code code_of(const struct nn_quantiser *q, nn_value v)
{
    const struct range *r = &q->ranges[v];
    while (r->like != NN_NONE)
        r = &q->ranges[r->like];
    float scale = (r->hi - r->lo) / (255 * (float)q->observed);
    if (!(scale > 0 && isfinite(scale)))
        return (struct code){1, 0};
    return (struct code){scale, (int)rintf(-r->lo / (float)q->observed / scale)};
}

static void set(struct nn_graph *g, nn_value v, int64_t i, double value)
{
    if (v != NN_NONE)
        nn__set_element(nn__value(g, v), i, value);
}

/* QuantizeLinear or DequantizeLinear; its result is named `of` + `ending`. */
static nn_value linear(struct nn_graph *g, enum nn_op op, nn_value x, nn_value scale,
                       nn_value zero, int axis, const char *of, const char *ending)
{
    struct str name = {0};
    str_addf(&name, "%s_%s", of, ending);
    struct nn_node *n = nn__node_begin(g, op, NULL);
    nn__node_input(g, n, x);
    nn__node_input(g, n, scale);
    nn__node_input(g, n, zero);
    if (axis >= 0)
        nn__node_int(g, n, "axis", axis);
    nn_value y = nn__node_end(g, n, 1, (const char *const[]){name.s});
    str_free(&name);
    return y;
}

/* Value v of the folded graph, whose copy exists, quantised and back. */
static void quantise_value(const struct nn_quantiser *q, struct nn__copy *c, nn_value v,
                           nn_value *back)
{
    struct code code = code_of(q, v);
    const char *name = nn__value(c->from, v)->name;
    nn_value scale = constant(c, NN_F32, (struct nn_shape){0});
    nn_value zero = constant(c, NN_U8, (struct nn_shape){0});
    set(c->to, scale, 0, code.scale);
    set(c->to, zero, 0, code.zero);
    nn_value bytes =
        linear(c->to, NN_OP_QUANTIZE, c->map[v], scale, zero, -1, name, "quantised");
    back[v] = linear(c->to, NN_OP_DEQUANTIZE, bytes, scale, zero, -1, name, "dequantised");
}

/* Where the weights of one output channel lie: `first` + i * `step`, i < each. */
struct channel {
    int64_t first, step, each;
};

static struct channel channel_at(const struct nn_node *n, const struct nn_shape *w, int64_t o)
{
    int64_t count = nn__shape_elements(w, 1);
    if (n->op == NN_OP_GEMM && !nn__attr_int(n, "transB", 0))
        return (struct channel){o, w->dims[1], w->dims[0]};
    int64_t each = count / w->dims[0];
    return (struct channel){o * each, 1, each};
}

/* Inputs 1 and 2 of a node: s8 weights and s32 bias, dequantised. `x`: the code of its input. */
static void quantise_weights(struct nn__copy *c, const struct nn_node *n, float x, nn_value *inputs)
{
    struct nn_graph *g = c->to;
    const struct nn_tensor *w = nn__value(c->from, n->inputs[1]);
    int axis = n->op == NN_OP_GEMM && !nn__attr_int(n, "transB", 0) ? 1 : 0;
    int64_t channels = w->shape.dims[axis];
    const struct nn_shape row = {.rank = 1, .dims = {channels}};
    const bool biased = n->input_count > 2 && n->inputs[2] != NN_NONE;
    nn_value codes = constant(c, NN_I8, w->shape), zero = constant(c, NN_I8, row);
    nn_value scale = constant(c, NN_F32, row), both = constant(c, NN_F32, row);
    nn_value bias = biased ? constant(c, NN_I32, row) : NN_NONE;
    nn_value bias_zero = biased ? constant(c, NN_I32, row) : NN_NONE;
    const struct nn_tensor *given = biased ? nn__value(c->from, n->inputs[2]) : NULL;
    int64_t bias_count = biased ? nn__shape_elements(&given->shape, 1) : 0;
    for (int64_t o = 0; o < channels; o++) {
        struct channel at = channel_at(n, &w->shape, o);
        double most = 0;
        for (int64_t i = 0; i < at.each; i++)
            most = fmax(most, fabs(nn__element(w, at.first + i * at.step)));
        float s = most > 0 ? (float)(most / 127) : 1;
        for (int64_t i = 0; i < at.each; i++)
            set(g, codes, at.first + i * at.step, rint(nn__element(w, at.first + i * at.step) / s));
        set(g, scale, o, s);
        set(g, both, o, s * x);
        set(g, zero, o, 0);
        set(g, bias_zero, o, 0);
        set(g, bias, o, biased ? rint(nn__element(given, bias_count == 1 ? 0 : o) / (s * x)) : 0);
    }
    inputs[1] = linear(g, NN_OP_DEQUANTIZE, codes, scale, zero, axis, n->name,
                       "weight_dequantised");
    if (biased)
        inputs[2] = linear(g, NN_OP_DEQUANTIZE, bias, both, bias_zero, 0, n->name,
                           "bias_dequantised");
}

static void write_node(const struct nn_quantiser *q, struct nn__copy *c, const struct nn_node *n,
                       nn_value *back)
{
    nn_value inputs[64];
    bool weights = has_weights(q->g, n) && q->ranges[n->inputs[0]].chosen;
    for (int i = 0; i < (weights ? 1 : n->input_count); i++) {
        nn_value v = n->inputs[i];
        inputs[i] = v != NN_NONE && back[v] != NN_NONE ? back[v] : nn__copied(c, v);
    }
    for (int i = 1; weights && i < n->input_count; i++)
        inputs[i] = NN_NONE;
    if (weights)
        quantise_weights(c, n, code_of(q, n->inputs[0]).scale, inputs);
    nn__copy_node(c, n, inputs, n->input_count);
    for (int i = 0; i < n->output_count && !c->to->error.code; i++)
        if (q->ranges[n->outputs[i]].chosen)
            quantise_value(q, c, n->outputs[i], back);
}

int nn_quantiser_finish(const struct nn_quantiser *q, struct nn_graph **out, struct err *err)
{
    *out = NULL;
    if (q->observed == 0)
        return err_set(err, ERR_RANGE, "quantisation needs pictures to observe");
    struct nn__copy c = nn__copy_begin(q->g);
    nn_value *back = mem_new(q->g->value_count + 1, sizeof *back);
    for (size_t v = 0; v < q->g->value_count; v++)
        back[v] = NN_NONE;
    if (q->ranges[q->g->inputs[0]].chosen)
        quantise_value(q, &c, q->g->inputs[0], back);
    for (size_t i = 0; i < q->g->node_count && !c.to->error.code; i++)
        write_node(q, &c, &q->g->nodes[i], back);
    for (int i = 0; i < q->own_outputs; i++) {
        nn_value v = q->g->outputs[i];
        nn_graph_output(c.to, nn__copied(&c, v), nn__value(q->g, v)->name);
    }
    free(back);
    return nn__copy_end(&c, out, err);
}
