/* Copies of a graph. See graph_copy.h. */
#include "graph_copy.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

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
