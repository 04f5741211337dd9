/* Graph -> ONNX bytes. The protobuf-c structures borrow names and weights from the graph; only the
 * structures themselves live in an arena. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "half.h"
#include "internal.h"
#include "nn/onnx.h"
#include "onnx.pb-c.h"

enum { IR_VERSION = 8, ARENA_BLOCK = 65536 };

struct writer {
    const struct nn_graph *g;
    struct arena *arena;
};

static char *text(const char *s)
{
    union {
        const char *from;
        char *to;
    } u = {s}; /* protobuf-c's fields are not const; it does not write to them */
    return u.to;
}

static void *list(struct writer *w, size_t count)
{
    return arena_alloc(w->arena, (count ? count : 1) * sizeof(void *));
}

static const int onnx_types[NN_DTYPE_COUNT] = {
    [NN_F32] = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
    [NN_I64] = ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
    [NN_I32] = ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
    [NN_U8] = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8,
    [NN_I8] = ONNX__TENSOR_PROTO__DATA_TYPE__INT8,
    [NN_BOOL] = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL,
};

/* A weight of 16 bits is stored beside its name; a Cast gives it that (write_widening()). */
static char *half_name(struct writer *w, const char *name)
{
    struct str s = {0};
    str_addf(&s, "%s", name);
    do
        str_addf(&s, ".half");
    while (nn_graph_find(w->g, s.s) != NN_NONE);
    char *copy = arena_strdup(w->arena, s.s);
    str_free(&s);
    return copy;
}

static uint8_t *halves(struct writer *w, const float *from, size_t n)
{
    uint16_t *to = arena_alloc(w->arena, (n + 1) * sizeof *to);
    for (size_t i = 0; i < n; i++)
        to[i] = nn__to_half(from[i]);
    return (uint8_t *)to;
}

static Onnx__TensorProto *write_tensor(struct writer *w, nn_value v)
{
    struct nn_tensor *t = nn__value(w->g, v);
    Onnx__TensorProto *p = arena_alloc(w->arena, sizeof *p);
    size_t n = (size_t)nn__shape_elements(&t->shape, 1);
    onnx__tensor_proto__init(p);
    p->name = t->half ? half_name(w, t->name) : text(t->name);
    p->n_dims = (size_t)t->shape.rank;
    p->dims = t->shape.dims;
    p->has_data_type = true;
    p->data_type = t->half ? ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16 : onnx_types[t->dtype];
    p->has_raw_data = true;
    p->raw_data.len = n * (t->half ? sizeof(uint16_t) : nn_dtype_size(t->dtype));
    p->raw_data.data = t->half ? halves(w, t->data, n) : t->data;
    return p;
}

static Onnx__ValueInfoProto *write_value_info(struct writer *w, nn_value v)
{
    const struct nn_tensor *t = nn__value(w->g, v);
    Onnx__ValueInfoProto *p = arena_alloc(w->arena, sizeof *p);
    onnx__value_info_proto__init(p);
    p->name = text(t->name);
    p->type = arena_alloc(w->arena, sizeof *p->type);
    onnx__type_proto__init(p->type);
    Onnx__TypeProto__Tensor *type = p->type->tensor_type = arena_alloc(w->arena, sizeof *type);
    onnx__type_proto__tensor__init(type);
    type->has_elem_type = true;
    type->elem_type = onnx_types[t->dtype];
    if (t->shape.rank == NN_UNKNOWN)
        return p;
    Onnx__TensorShapeProto *shape = type->shape = arena_alloc(w->arena, sizeof *shape);
    onnx__tensor_shape_proto__init(shape);
    shape->n_dim = (size_t)t->shape.rank;
    shape->dim = list(w, shape->n_dim);
    for (size_t i = 0; i < shape->n_dim; i++) {
        shape->dim[i] = arena_alloc(w->arena, sizeof *shape->dim[i]);
        onnx__tensor_shape_proto__dimension__init(shape->dim[i]);
        if (t->shape.dims[i] == NN_ANY_BATCH) {
            shape->dim[i]->dim_param = text("N");
        } else {
            shape->dim[i]->has_dim_value = true;
            shape->dim[i]->dim_value = t->shape.dims[i];
        }
    }
    return p;
}

static Onnx__AttributeProto *write_attribute(struct writer *w, struct nn_attr *a)
{
    Onnx__AttributeProto *p = arena_alloc(w->arena, sizeof *p);
    onnx__attribute_proto__init(p);
    p->name = text(a->name);
    p->has_type = true;
    switch (a->kind) {
    case NN_ATTR_INT:
        p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
        p->has_i = true;
        p->i = a->ints[0];
        break;
    case NN_ATTR_FLOAT:
        p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
        p->has_f = true;
        p->f = a->floats[0];
        break;
    case NN_ATTR_STRING:
        p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
        p->has_s = true;
        p->s.len = strlen(a->string);
        p->s.data = (uint8_t *)text(a->string);
        break;
    case NN_ATTR_INTS:
        p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
        p->n_ints = (size_t)a->count;
        p->ints = a->ints;
        break;
    case NN_ATTR_FLOATS:
        p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
        p->n_floats = (size_t)a->count;
        p->floats = a->floats;
        break;
    case NN_ATTR_TENSOR:
        p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
        p->t = write_tensor(w, a->tensor);
        break;
    }
    return p;
}

static char **write_names(struct writer *w, const nn_value *values, int count)
{
    char **names = list(w, (size_t)count);
    for (int i = 0; i < count; i++)
        names[i] = text(values[i] == NN_NONE ? "" : nn__value(w->g, values[i])->name);
    return names;
}

static Onnx__NodeProto *write_node(struct writer *w, const struct nn_node *n)
{
    Onnx__NodeProto *p = arena_alloc(w->arena, sizeof *p);
    onnx__node_proto__init(p);
    p->name = text(n->name);
    p->op_type = text(nn__op_info(n->op)->name);
    p->n_input = (size_t)n->input_count;
    p->input = write_names(w, n->inputs, n->input_count);
    p->n_output = (size_t)n->output_count;
    p->output = write_names(w, n->outputs, n->output_count);
    p->n_attribute = (size_t)n->attr_count;
    p->attribute = list(w, p->n_attribute);
    for (int i = 0; i < n->attr_count; i++)
        p->attribute[i] = write_attribute(w, &n->attrs[i]);
    return p;
}

/* The Cast that makes a float of a weight of 16 bits. */
static Onnx__NodeProto *write_widening(struct writer *w, const struct nn_tensor *t)
{
    int64_t type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    struct nn_attr to = {.name = "to", .kind = NN_ATTR_INT, .count = 1, .ints = &type};
    Onnx__NodeProto *p = arena_alloc(w->arena, sizeof *p);
    onnx__node_proto__init(p);
    p->op_type = text("Cast");
    p->n_input = p->n_output = p->n_attribute = 1;
    p->input = list(w, 1);
    p->output = list(w, 1);
    p->attribute = list(w, 1);
    p->input[0] = half_name(w, t->name);
    p->output[0] = p->name = text(t->name);
    p->attribute[0] = write_attribute(w, &to);
    return p;
}

static Onnx__GraphProto *write_graph(struct writer *w)
{
    const struct nn_graph *g = w->g;
    Onnx__GraphProto *p = arena_alloc(w->arena, sizeof *p);
    onnx__graph_proto__init(p);
    p->name = text(g->name);
    p->initializer = list(w, g->value_count);
    p->node = list(w, g->node_count + g->value_count);
    for (size_t i = 0; i < g->value_count; i++) {
        const struct nn_tensor *t = &g->values[i];
        if (t->data)
            p->initializer[p->n_initializer++] = write_tensor(w, (nn_value)i);
        if (t->data && t->half)
            p->node[p->n_node++] = write_widening(w, t);
    }
    for (size_t i = 0; i < g->node_count; i++)
        p->node[p->n_node++] = write_node(w, &g->nodes[i]);
    p->input = list(w, g->input_count);
    for (size_t i = 0; i < g->input_count; i++)
        p->input[p->n_input++] = write_value_info(w, g->inputs[i]);
    p->output = list(w, g->output_count);
    for (size_t i = 0; i < g->output_count; i++)
        p->output[p->n_output++] = write_value_info(w, g->outputs[i]);
    return p;
}

static void write_meta(struct writer *w, Onnx__ModelProto *m)
{
    m->metadata_props = list(w, w->g->meta_count);
    for (size_t i = 0; i < w->g->meta_count; i++) {
        Onnx__StringStringEntryProto *e = arena_alloc(w->arena, sizeof *e);
        onnx__string_string_entry_proto__init(e);
        e->key = text(w->g->meta[i].key);
        e->value = text(w->g->meta[i].value);
        m->metadata_props[m->n_metadata_props++] = e;
    }
}

static int write_file(const Onnx__ModelProto *m, const char *path, struct err *err)
{
    size_t len = onnx__model_proto__get_packed_size(m);
    uint8_t *bytes = mem_try_aligned(len, 1);
    if (!bytes)
        return err_set(err, ERR_NO_MEMORY, "%s: no memory for %zu bytes", path, len);
    onnx__model_proto__pack(m, bytes);
    int code = path_write_atomic(path, bytes, len, err);
    mem_free_aligned(bytes);
    return code;
}

int nn_onnx_save(const struct nn_graph *g, const char *path, struct err *err)
{
    struct writer w = {g, arena_create(ARENA_BLOCK)};
    Onnx__ModelProto m = ONNX__MODEL_PROTO__INIT;
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT, *opsets = &opset;
    opset.domain = text("");
    opset.has_version = true;
    opset.version = g->opset;
    m.has_ir_version = true;
    m.ir_version = IR_VERSION;
    m.producer_name = text("moodreel");
    m.n_opset_import = 1;
    m.opset_import = &opsets;
    m.graph = write_graph(&w);
    write_meta(&w, &m);
    int code = write_file(&m, path, err);
    arena_destroy(w.arena);
    return code;
}
