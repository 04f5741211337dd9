/* First pass: a private copy of the graph with the batch fixed. While a node is copied its shapes
 * are inferred again, now with numbers, and a node whose inputs are all constant is computed at
 * once, so that shape arithmetic (Shape, Gather, Concat ...) is gone before the next node needs it.
 *
 * The copy borrows weights, names and attributes of the original, which outlives the compiler. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "exec.h"

struct binding {
    struct nn__compiler *c;
    const struct nn_graph *from;
    nn_value *map; /* value of `from` -> value of c->g, or NN_NONE */
};

/* The copy of a value; constants are copied when first asked for. */
static nn_value bound(struct binding *b, nn_value v)
{
    if (v == NN_NONE || b->map[v] != NN_NONE || !nn__is_constant(b->from, v))
        return v == NN_NONE ? NN_NONE : b->map[v];
    const struct nn_tensor *t = nn__value(b->from, v);
    b->map[v] = nn__value_add(b->c->g, t->name, t->dtype, &t->shape);
    if (b->map[v] != NN_NONE) {
        nn__value(b->c->g, b->map[v])->data = t->data;
        nn__value(b->c->g, b->map[v])->borrowed = true;
    }
    return b->map[v];
}

static void copy_attributes(struct binding *b, struct nn_node *to, const struct nn_node *from)
{
    size_t size = sizeof *to->attrs * (size_t)from->attr_count;
    to->attr_count = from->attr_count;
    to->attrs = arena_alloc(b->c->g->arena, size + 1);
    if (size > 0)
        memcpy(to->attrs, from->attrs, size);
    for (int i = 0; i < to->attr_count; i++)
        if (to->attrs[i].kind == NN_ATTR_TENSOR)
            to->attrs[i].tensor = bound(b, to->attrs[i].tensor);
}

/* Shape and Size look at the shape of their input only. */
static bool fold_shape(struct nn__compiler *c, const struct nn_node *n)
{
    if (n->op != NN_OP_SHAPE && n->op != NN_OP_SIZE)
        return false;
    const struct nn_shape *x = &nn__value(c->g, n->inputs[0])->shape;
    struct nn_tensor *out = nn__value(c->g, n->outputs[0]);
    int64_t start = nn__attr_int(n, "start", 0);
    start = start < 0 ? start + x->rank : start;
    int64_t *data = mem_try_aligned(NN_MAX_RANK, sizeof *data);
    out->data = data;
    if (data && n->op == NN_OP_SIZE)
        data[0] = nn__shape_elements(x, 1);
    else if (data)
        for (int64_t i = 0; i < out->shape.dims[0]; i++)
            data[i] = x->dims[(start < 0 ? 0 : start) + i];
    return data != NULL;
}

/* Results of a computed node are constants: they have no producer. */
static void become_constant(struct nn_graph *g, const struct nn_node *n)
{
    for (int i = 0; i < n->output_count; i++)
        nn__value(g, n->outputs[i])->producer = -1;
    g->node_count--;
}

static bool pads_nothing(const struct nn_graph *g, const struct nn_node *n)
{
    int64_t before[NN_MAX_RANK], after[NN_MAX_RANK];
    if (nn__pads(g, n, before, after, NULL) < 0)
        return false;
    for (int i = 0; i < nn__value(g, n->inputs[0])->shape.rank; i++)
        if (before[i] != 0 || after[i] != 0)
            return false;
    return true;
}

/* A node that changes nothing once its numbers are known: a Pad of nothing, an Expand to the same
 * shape, a Cast to the same type. */
static bool changes_nothing(const struct nn_graph *g, const struct nn_node *n)
{
    const struct nn_tensor *x = nn__value(g, n->inputs[0]), *y = nn__value(g, n->outputs[0]);
    if (n->op != NN_OP_PAD && n->op != NN_OP_EXPAND && n->op != NN_OP_CAST)
        return false;
    return x->dtype == y->dtype && nn__shape_equal(&x->shape, &y->shape) &&
           (n->op != NN_OP_PAD || pads_nothing(g, n));
}

/* The 8-bit path wants the integers behind a weight, not the floats that folding makes of them. */
static void remember_codes(struct nn__compiler *c, const struct nn_node *n)
{
    if (n->op != NN_OP_DEQUANTIZE)
        return;
    c->coded = mem_grow(c->coded, &c->coded_cap, c->coded_count + 1, sizeof *c->coded);
    c->coded[c->coded_count++] = (struct nn__coded){
        n->outputs[0], n->inputs[0], n->inputs[1], n->input_count > 2 ? n->inputs[2] : NN_NONE,
        nn__attr_int(n, "axis", 1)};
}

static int bind_node(struct binding *b, const struct nn_node *n, struct err *err)
{
    struct nn_graph *g = b->c->g;
    if (n->op == NN_OP_IDENTITY || n->op == NN_OP_DROPOUT) {
        b->map[n->outputs[0]] = bound(b, n->inputs[0]);
        return 0;
    }
    struct nn_node *copy = nn__node_begin(g, n->op, n->name);
    for (int i = 0; i < n->input_count; i++) {
        nn_value v = bound(b, n->inputs[i]);
        if (n->inputs[i] != NN_NONE && v == NN_NONE && !g->error.code)
            return nn__node_error(n, err, ERR_UNSUPPORTED, "input %d is an output that inference "
                                  "does not compute", i);
        nn__node_input(g, copy, v);
    }
    copy_attributes(b, copy, n);
    const char **names = mem_new((size_t)n->output_count + 1, sizeof *names);
    for (int i = 0; i < n->output_count; i++)
        names[i] = nn__value(b->from, n->outputs[i])->name;
    nn__node_end(g, copy, n->output_count, names);
    free(names);
    if (g->error.code)
        return err_set(err, g->error.code, "%s", g->error.text);
    copy = &g->nodes[g->node_count - 1];
    for (int i = 0; i < n->output_count; i++)
        b->map[n->outputs[i]] = copy->outputs[i];
    if (n->op == NN_OP_BATCHNORM || n->op == NN_OP_MAXPOOL)
        for (int i = 1; i < n->output_count; i++)
            b->map[n->outputs[i]] = NN_NONE;
    int code = 0;
    if (changes_nothing(g, copy)) {
        b->map[n->outputs[0]] = copy->inputs[0];
        g->node_count--;
    } else if (fold_shape(b->c, copy))
        become_constant(g, copy);
    else if (nn__all_constant(g, copy) && (code = nn__fold(b->c, copy, err)) == 0) {
        remember_codes(b->c, copy);
        become_constant(g, copy);
    }
    return code;
}

static int bind_inputs(struct binding *b, int batch, struct err *err)
{
    for (size_t i = 0; i < b->from->input_count; i++) {
        const struct nn_tensor *t = nn__value(b->from, b->from->inputs[i]);
        struct nn_shape s = t->shape;
        if (s.rank > 0 && s.dims[0] == NN_ANY_BATCH)
            s.dims[0] = batch;
        int64_t count = nn__shape_elements(&s, 1);
        if (count < 0 || count > INT_MAX)
            return err_set(err, ERR_RANGE, "input \"%.80s\" is too large", t->name);
        b->map[b->from->inputs[i]] = nn__input_add(b->c->g, t->name, t->dtype, &s);
        if (b->c->g->error.code)
            return err_set(err, b->c->g->error.code, "%s", b->c->g->error.text);
    }
    return 0;
}

static int bind_outputs(struct binding *b, struct err *err)
{
    struct nn_graph *g = b->c->g;
    for (size_t i = 0; i < b->from->output_count; i++) {
        nn_value v = bound(b, b->from->outputs[i]);
        if (v == NN_NONE)
            return err_set(err, ERR_UNSUPPORTED, "output \"%.80s\" is not computed by inference",
                           nn__value(b->from, b->from->outputs[i])->name);
        g->outputs = mem_grow(g->outputs, &g->output_cap, i + 1, sizeof *g->outputs);
        g->outputs[g->output_count++] = v;
    }
    return 0;
}

int nn__bind(struct nn__compiler *c, const struct nn_graph *from, int batch, struct err *err)
{
    if (batch < 1)
        return err_set(err, ERR_RANGE, "the batch is %d", batch);
    c->g = nn_graph_create(from->name, 0);
    c->g->bound = true;
    c->g->opset = from->opset;
    c->g->room = c->plan->limit;
    struct binding b = {c, from, mem_new(from->value_count + 1, sizeof(nn_value))};
    for (size_t i = 0; i < from->value_count; i++)
        b.map[i] = NN_NONE;
    int code = bind_inputs(&b, batch, err);
    for (size_t i = 0; i < from->node_count && code == 0; i++)
        code = bind_node(&b, &from->nodes[i], err);
    if (code == 0)
        code = bind_outputs(&b, err);
    free(b.map);
    return code;
}

/* Folding: the node's own step, executed once on float copies of its inputs. */

static int load_inputs(struct nn__compiler *t, const struct nn_node *n, struct nn__job *j,
                       float **at, struct err *err)
{
    for (int i = 0; i < n->input_count; i++) {
        j->in[i] = -1;
        if (!nn__has(n, i))
            continue;
        const struct nn_tensor *v = nn__value(t->g, n->inputs[i]);
        int64_t count = nn__shape_elements(&v->shape, 1);
        j->in[i] = nn__place_add(t->plan, NN_PLAIN, &v->shape);
        float *data = nn__plan_floats(t->plan, count, err);
        if (!data)
            return ERR_NO_MEMORY;
        for (int64_t k = 0; k < count; k++)
            data[k] = (float)nn__element(v, k);
        at[j->in[i]] = data;
    }
    return 0;
}

static int make_outputs(struct nn__compiler *t, const struct nn_node *n, struct nn__job *j,
                        float **at, struct err *err)
{
    for (int i = 0; i < n->output_count; i++) {
        const struct nn_shape *s = nn__shape_of(t, n->outputs[i]);
        j->out[i] = nn__place_add(t->plan, NN_PLAIN, s);
        at[j->out[i]] = nn__plan_floats(t->plan, nn__shape_elements(s, 1), err);
        if (!at[j->out[i]])
            return ERR_NO_MEMORY;
    }
    return 0;
}

static int store_outputs(struct nn__compiler *c, const struct nn_node *n, const struct nn__job *j,
                         float *const *at, struct err *err)
{
    for (int i = 0; i < n->output_count; i++) {
        struct nn_tensor *v = nn__value(c->g, n->outputs[i]);
        int64_t count = nn__shape_elements(&v->shape, 1);
        size_t bytes = (size_t)(count > 0 ? count : 1) * nn_dtype_size(v->dtype);
        v->data = bytes <= c->plan->limit ? mem_try_aligned(bytes, 1) : NULL;
        if (!v->data)
            return nn__node_error(n, err, ERR_NO_MEMORY, "no memory for a constant of %zu bytes",
                                  bytes);
        c->plan->limit -= bytes;
        for (int64_t k = 0; k < count; k++)
            nn__set_element(v, k, at[j->out[i]][k]);
    }
    return 0;
}

static bool all_empty(const struct nn__compiler *t, const struct nn_node *n)
{
    int64_t count = 0;
    for (int i = 0; i < n->output_count; i++)
        count += nn__shape_elements(nn__shape_of(t, n->outputs[i]), 1);
    return count == 0;
}

static int fold_with(struct nn__compiler *c, struct nn__compiler *t, const struct nn_node *n,
                     struct nn__job *j, float **at, struct err *err)
{
    struct nn__step s = {.in = j->in, .out = j->out, .add = -1};
    int code = load_inputs(t, n, j, at, err);
    if (code == 0)
        code = make_outputs(t, n, j, at, err);
    if (code < 0)
        return code;
    if (all_empty(t, n))
        return store_outputs(c, n, j, at, err);
    code = nn__exec_info(n->op)->plain(t, j, &s, err);
    if (code < 0)
        return code;
    float *scratch = nn__plan_floats(t->plan, (int64_t)t->plan->scratch, err);
    if (!scratch)
        return ERR_NO_MEMORY;
    struct nn__env e = {at, NULL, scratch, t->plan->scratch, t->plan->k};
    s.run(&s, &e);
    return store_outputs(c, n, j, at, err);
}

int nn__fold(struct nn__compiler *c, const struct nn_node *n, struct err *err)
{
    if (!nn__exec_info(n->op)->plain)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "it cannot be computed");
    struct nn_plan plan = {.arena = arena_create(4096), .limit = c->plan->limit, .k = c->plan->k};
    struct nn__compiler t = {.plan = &plan, .g = c->g};
    struct nn__epilogue none = nn__no_epilogue();
    int in[64] = {0}, *out = mem_new((size_t)n->output_count + 1, sizeof *out);
    float **at = mem_new((size_t)(n->input_count + n->output_count) + 1, sizeof *at);
    struct nn__job j = {.node = n, .epilogue = &none, .in = in, .out = out, .add = -1,
                        .in_count = n->input_count, .out_count = n->output_count};
    int code = fold_with(c, &t, n, &j, at, err);
    free(at);
    free(out);
    nn__plan_clear(&plan);
    return code;
}
