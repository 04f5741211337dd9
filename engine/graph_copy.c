/* Copies of a graph (graph_copy.h), and one graph of several. */
#include "graph_copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "nn/layers.h"

static struct nn__copy copy_of(const struct nn_graph *from, struct nn_graph *to, const char *prefix)
{
    struct nn__copy c = {from, to, prefix, mem_new(from->value_count + 1, sizeof(nn_value))};
    for (size_t i = 0; i < from->value_count; i++)
        c.map[i] = NN_NONE;
    return c;
}

struct nn__copy nn__copy_begin(const struct nn_graph *from)
{
    struct nn__copy c = copy_of(from, nn_graph_create(from->name, 0), "");
    const char *key, *value;
    c.to->opset = from->opset;
    for (int i = 0; i < nn_graph_meta_count(from); i++) {
        nn_graph_meta_at(from, i, &key, &value);
        nn_graph_set_meta(c.to, key, value);
    }
    for (size_t i = 0; i < from->input_count; i++) {
        const struct nn_tensor *t = nn__value(from, from->inputs[i]);
        c.map[from->inputs[i]] = nn__input_add(c.to, t->name, t->dtype, &t->shape);
    }
    return c;
}

struct nn__copy nn__copy_into(struct nn_graph *to, const struct nn_graph *from, const char *prefix)
{
    struct nn__copy c = copy_of(from, to, prefix);
    for (size_t i = 0; i < from->input_count; i++)
        c.map[from->inputs[i]] = to->inputs[i];
    return c;
}

/* A name of `from` as it is in `to`; the caller's to free. */
static struct str named(const struct nn__copy *c, const char *name)
{
    struct str s = {0};
    str_addf(&s, "%s%s", c->prefix, name);
    return s;
}

nn_value nn__copied(struct nn__copy *c, nn_value v)
{
    if (v == NN_NONE || c->map[v] != NN_NONE || !nn__is_constant(c->from, v))
        return v == NN_NONE ? NN_NONE : c->map[v];
    const struct nn_tensor *t = nn__value(c->from, v);
    struct str name = named(c, t->name);
    c->map[v] = nn__constant_add(c->to, name.s, t->dtype, &t->shape);
    str_free(&name);
    if (c->map[v] != NN_NONE)
        memcpy(nn__value(c->to, c->map[v])->data, t->data,
               (size_t)nn__shape_elements(&t->shape, 1) * nn_dtype_size(t->dtype));
    return c->map[v];
}

static void copy_attribute(struct nn__copy *c, struct nn_node *n, const struct nn_attr *a)
{
    switch (a->kind) {
    case NN_ATTR_INT:
        nn__node_int(c->to, n, a->name, a->ints[0]);
        break;
    case NN_ATTR_FLOAT:
        nn__node_float(c->to, n, a->name, a->floats[0]);
        break;
    case NN_ATTR_STRING:
        nn__node_string(c->to, n, a->name, a->string);
        break;
    case NN_ATTR_INTS:
        nn__node_ints(c->to, n, a->name, a->ints, a->count);
        break;
    case NN_ATTR_FLOATS:
        nn__node_floats(c->to, n, a->name, a->floats, a->count);
        break;
    case NN_ATTR_TENSOR:
        nn__node_tensor(c->to, n, a->name, nn__copied(c, a->tensor));
        break;
    }
}

void nn__copy_node(struct nn__copy *c, const struct nn_node *n, const nn_value *inputs, int count)
{
    struct str name = named(c, n->name);
    struct nn_node *to = nn__node_begin(c->to, n->op, name.s);
    struct str *names = mem_new((size_t)n->output_count + 1, sizeof *names);
    const char **outputs = mem_new((size_t)n->output_count + 1, sizeof *outputs);
    for (int i = 0; i < count; i++)
        nn__node_input(c->to, to, inputs[i]);
    for (int i = 0; i < n->attr_count; i++)
        copy_attribute(c, to, &n->attrs[i]);
    for (int i = 0; i < n->output_count; i++) {
        names[i] = named(c, nn__value(c->from, n->outputs[i])->name);
        outputs[i] = names[i].s;
    }
    nn__node_end(c->to, to, n->output_count, outputs);
    for (int i = 0; i < n->output_count; i++) {
        if (!c->to->error.code)
            c->map[n->outputs[i]] = to->outputs[i];
        str_free(&names[i]);
    }
    free(outputs);
    free(names);
    str_free(&name);
}

void nn__copy_inputs(struct nn__copy *c, const struct nn_node *n, nn_value inputs[NN_VARIADIC])
{
    for (int i = 0; i < n->input_count; i++)
        inputs[i] = nn__copied(c, n->inputs[i]);
}

void nn__copy_outputs(struct nn__copy *c)
{
    for (size_t i = 0; i < c->from->output_count; i++) {
        nn_value v = c->from->outputs[i];
        nn_graph_output(c->to, nn__copied(c, v), nn__value(c->from, v)->name);
    }
}

void nn__copy_leave(struct nn__copy *c)
{
    free(c->map);
}

int nn__copy_end(struct nn__copy *c, struct nn_graph **out, struct err *err)
{
    nn__copy_leave(c);
    int code = nn_graph_finish(c->to, err);
    if (code < 0)
        nn_graph_destroy(c->to);
    else
        *out = c->to;
    return code;
}

/* Joining */

static bool same_kind(const struct nn_tensor *a, const struct nn_tensor *b)
{
    return a->dtype == b->dtype && nn__shape_equal(&a->shape, &b->shape);
}

static bool joinable(const struct nn_graph *a, const struct nn_graph *b)
{
    bool same = a->opset == b->opset && a->input_count == b->input_count &&
                a->output_count == b->output_count;
    for (size_t i = 0; same && i < a->input_count; i++)
        same = same_kind(nn__value(a, a->inputs[i]), nn__value(b, b->inputs[i]));
    for (size_t i = 0; same && i < a->output_count; i++) {
        const struct nn_tensor *x = nn__value(a, a->outputs[i]), *y = nn__value(b, b->outputs[i]);
        same = same_kind(x, y) && !strcmp(x->name, y->name);
    }
    return same;
}

/* Copies part `index`; outputs: of each part, one row a part. */
static void copy_part(struct nn_graph *to, const struct nn_graph *part, int index,
                      nn_value *outputs)
{
    char prefix[16];
    snprintf(prefix, sizeof prefix, "part%d.", index + 1);
    struct nn__copy c = nn__copy_into(to, part, prefix);
    for (size_t i = 0; i < part->node_count && !to->error.code; i++) {
        nn_value inputs[NN_VARIADIC];
        nn__copy_inputs(&c, &part->nodes[i], inputs);
        nn__copy_node(&c, &part->nodes[i], inputs, part->nodes[i].input_count);
    }
    for (size_t i = 0; i < part->output_count; i++)
        outputs[i] = nn__copied(&c, part->outputs[i]);
    nn__copy_leave(&c);
}

/* The mean of `count` values that lie `step` apart. Sums and a product, not the operator Mean: that
 * one OpenCV 4.6 cannot read. */
static nn_value mean(struct nn_graph *g, const nn_value *values, size_t step, int count)
{
    nn_value sum = values[0], share = nn__constant_add(g, NULL, NN_F32, &(struct nn_shape){1, {1}});
    for (int i = 1; i < count; i++)
        sum = nn_add(g, sum, values[(size_t)i * step]);
    if (share != NN_NONE)
        *(float *)nn__value(g, share)->data = 1.0f / (float)count;
    return nn_mul(g, sum, share);
}

int nn_graph_join(struct nn_graph **out, struct nn_graph *const *part, int count, struct err *err)
{
    const struct nn_graph *first = part[0];
    for (int i = 1; i < count; i++)
        if (!joinable(first, part[i]))
            return err_set(err, ERR_FORMAT,
                           "network %d has other inputs, outputs or operators than network 1",
                           i + 1);
    struct nn__copy c = nn__copy_begin(first);
    nn_value *outputs = mem_new((size_t)count * first->output_count, sizeof *outputs);
    for (int i = 0; i < count; i++)
        copy_part(c.to, part[i], i, outputs + (size_t)i * first->output_count);
    for (size_t o = 0; o < first->output_count; o++)
        nn_graph_output(c.to, mean(c.to, outputs + o, first->output_count, count),
                        nn__value(first, first->outputs[o])->name);
    free(outputs);
    return nn__copy_end(&c, out, err);
}
