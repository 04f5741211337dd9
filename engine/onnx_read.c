/* ONNX bytes -> graph.
 *
 * DESIGN. protobuf-c unpacks into memory of a bounded allocator; then tensors and nodes are copied
 * into the graph, which checks and infers every shape. Nodes keep the meaning they have in the
 * file's operator set (nn_graph.opset). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "half.h"
#include "internal.h"
#include "nn/onnx.h"
#include "onnx.pb-c.h"

enum { OPSET_MIN = 7, OPSET_MAX = 17 };

/* The allocator of what protobuf-c unpacks; the graph has what it leaves. Each block remembers its
 * size, so that the budget can be given back. */

union block {
    size_t size;
    max_align_t align;
};

struct budget {
    size_t left;
    bool spent; /* something did not fit */
};

static void *budget_alloc(void *allocator_data, size_t size)
{
    struct budget *budget = allocator_data;
    if (size > SIZE_MAX - sizeof(union block) || size + sizeof(union block) > budget->left) {
        budget->spent = true;
        return NULL;
    }
    union block *b = malloc(size + sizeof *b);
    if (!b)
        return NULL;
    b->size = size + sizeof *b;
    budget->left -= b->size;
    return b + 1;
}

static void budget_free(void *allocator_data, void *p)
{
    struct budget *budget = allocator_data;
    union block *b = p;
    if (!b)
        return;
    budget->left += b[-1].size;
    free(b - 1);
}

/* Tensors */

/* How one ONNX element type is stored and what it becomes. */
struct element {
    int onnx;
    enum nn_dtype type;
    size_t raw; /* bytes of one element in raw_data */
};

static const struct element *find_element(int onnx)
{
    static const struct element elements[] = {
        {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, NN_F32, 4},
        {ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, NN_U8, 1},
        {ONNX__TENSOR_PROTO__DATA_TYPE__INT8, NN_I8, 1},
        {ONNX__TENSOR_PROTO__DATA_TYPE__INT32, NN_I32, 4},
        {ONNX__TENSOR_PROTO__DATA_TYPE__INT64, NN_I64, 8},
        {ONNX__TENSOR_PROTO__DATA_TYPE__BOOL, NN_BOOL, 1},
        {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, NN_F32, 2},
        {ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16, NN_F32, 2},
        {ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE, NN_F32, 8},
    };
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (elements[i].onnx == onnx)
            return &elements[i];
    return NULL;
}

/* raw_data is little endian, as is every processor the engine has kernels for. */
static void read_raw(const struct element *e, const uint8_t *raw, size_t n, void *out)
{
    float *f = out;
    double d;
    uint16_t h;
    if (e->raw == nn_dtype_size(e->type)) {
        if (n > 0) /* an empty tensor has no bytes to point to */
            memcpy(out, raw, n * e->raw);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (e->onnx == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE) {
            memcpy(&d, raw + i * sizeof d, sizeof d);
            f[i] = (float)d;
            continue;
        }
        memcpy(&h, raw + i * sizeof h, sizeof h);
        bool half = e->onnx == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16;
        f[i] = half ? nn__from_half(h) : nn__float_from_bits((uint32_t)h << 16);
    }
}

/* The typed fields hold what raw_data does not; small integers and halves lie in int32_data. */
static size_t typed_count(const struct element *e, const Onnx__TensorProto *t)
{
    switch (e->onnx) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
        return t->n_float_data;
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
        return t->n_double_data;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
        return t->n_int64_data;
    default:
        return t->n_int32_data;
    }
}

static void read_typed(const struct element *e, const Onnx__TensorProto *t, size_t n, void *out)
{
    if (e->onnx == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT && n)
        memcpy(out, t->float_data, n * sizeof(float));
    else if (e->onnx == ONNX__TENSOR_PROTO__DATA_TYPE__INT64 && n)
        memcpy(out, t->int64_data, n * sizeof(int64_t));
    else if (e->onnx == ONNX__TENSOR_PROTO__DATA_TYPE__INT32 && n)
        memcpy(out, t->int32_data, n * sizeof(int32_t));
    else
        for (size_t i = 0; i < n; i++) {
            if (e->onnx == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE)
                ((float *)out)[i] = (float)t->double_data[i];
            else if (e->onnx == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16)
                ((float *)out)[i] = nn__from_half((uint16_t)t->int32_data[i]);
            else if (e->onnx == ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16)
                ((float *)out)[i] = nn__float_from_bits((uint32_t)t->int32_data[i] << 16);
            else
                ((uint8_t *)out)[i] = (uint8_t)t->int32_data[i];
        }
}

static int read_dims(struct nn_shape *s, size_t count, const int64_t *dims, const char *name,
                     struct err *err)
{
    if (count > NN_MAX_RANK)
        return err_set(err, ERR_UNSUPPORTED, "tensor \"%.80s\" has %zu dimensions, the most is %d",
                       name, count, NN_MAX_RANK);
    s->rank = (int)count;
    for (size_t i = 0; i < count; i++) {
        s->dims[i] = dims[i];
        if (dims[i] < 0 || dims[i] > INT32_MAX)
            return err_set(err, ERR_RANGE, "tensor \"%.80s\" has a dimension of %lld", name,
                           (long long)dims[i]);
    }
    return 0;
}

/* Adds a tensor as a constant named `name` (NULL: its own name). NN_NONE sets g->error. */
static nn_value read_tensor(struct nn_graph *g, const Onnx__TensorProto *t, const char *name)
{
    const char *shown = name ? name : t->name ? t->name : "";
    const struct element *e = find_element(t->data_type);
    struct nn_shape shape = {0};
    if (!e) {
        err_set(&g->error, ERR_UNSUPPORTED, "tensor \"%.80s\" has element type %d", shown,
                t->data_type);
        return NN_NONE;
    }
    if (t->data_location != 0) {
        err_set(&g->error, ERR_UNSUPPORTED,
                "tensor \"%.80s\" lies in another file; store the weights inside the model", shown);
        return NN_NONE;
    }
    if (read_dims(&shape, t->n_dims, t->dims, shown, &g->error) < 0)
        return NN_NONE;
    int64_t n = nn__shape_elements(&shape, -1);
    size_t have = t->has_raw_data ? t->raw_data.len / e->raw : typed_count(e, t);
    if (n < 0 || (uint64_t)n != have || (t->has_raw_data && t->raw_data.len % e->raw)) {
        err_set(&g->error, ERR_FORMAT, "tensor \"%.80s\" has %zu elements, its shape wants %lld",
                shown, have, (long long)n);
        return NN_NONE;
    }
    nn_value v = nn__constant_add(g, *shown ? shown : NULL, e->type, &shape);
    if (v == NN_NONE)
        return v;
    if (t->has_raw_data)
        read_raw(e, t->raw_data.data, have, nn__value(g, v)->data);
    else
        read_typed(e, t, have, nn__value(g, v)->data);
    return v;
}

/* Nodes */

static void read_attribute(struct nn_graph *g, struct nn_node *n, const Onnx__AttributeProto *a)
{
    const char *name = a->name ? a->name : "";
    char *s;
    switch (a->type) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        nn__node_float(g, n, name, a->f);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        nn__node_int(g, n, name, a->i);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        s = mem_strndup(a->s.len ? (const char *)a->s.data : "", a->s.len);
        nn__node_string(g, n, name, s);
        free(s);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        nn__node_floats(g, n, name, a->floats, (int)a->n_floats);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        nn__node_ints(g, n, name, a->ints, (int)a->n_ints);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        if (a->t)
            nn__node_tensor(g, n, name, read_tensor(g, a->t, NULL));
        break;
    default:
        nn__node_error(n, &g->error, ERR_UNSUPPORTED, "attribute %.60s has type %d", name, a->type);
    }
}

/* A Constant node is a constant value. Its kinds: value, value_float(s), value_int(s). */
static void read_constant(struct nn_graph *g, const Onnx__NodeProto *p)
{
    const Onnx__AttributeProto *a = p->n_attribute == 1 ? p->attribute[0] : NULL;
    const char *name = p->n_output == 1 ? p->output[0] : NULL;
    bool reals = a && (a->n_floats || a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    bool list = a && (a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS ||
                      a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    if (!a || !name || (a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING)) {
        err_set(&g->error, ERR_UNSUPPORTED, "node %.80s (Constant): its value is not numbers",
                p->name ? p->name : "");
        return;
    }
    if (a->t) {
        read_tensor(g, a->t, name);
        return;
    }
    size_t count = !list ? 1 : reals ? a->n_floats : a->n_ints;
    struct nn_shape shape = {list, {(int64_t)count}};
    nn_value v = nn__constant_add(g, name, reals ? NN_F32 : NN_I64, &shape);
    if (v == NN_NONE || !count)
        return;
    const void *from = reals ? (list ? a->floats : &a->f) : (const void *)(list ? a->ints : &a->i);
    memcpy(nn__value(g, v)->data, from, count * (reals ? sizeof(float) : sizeof(int64_t)));
}

static void read_inputs(struct nn_graph *g, struct nn_node *n, const Onnx__NodeProto *p)
{
    for (size_t i = 0; i < p->n_input; i++) {
        nn_value v = *p->input[i] ? nn_graph_find(g, p->input[i]) : NN_NONE;
        if (*p->input[i] && v == NN_NONE) {
            nn__node_error(n, &g->error, ERR_FORMAT, "nothing before it computes \"%.80s\"",
                           p->input[i]);
            return;
        }
        nn__node_input(g, n, v);
    }
}

static void read_node(struct nn_graph *g, const Onnx__NodeProto *p)
{
    const char *type = p->op_type ? p->op_type : "";
    bool standard = !p->domain || !*p->domain || !strcmp(p->domain, "ai.onnx");
    if (standard && !strcmp(type, "Constant")) {
        read_constant(g, p);
        return;
    }
    int op = standard ? nn__op_find(type) : -1;
    if (op < 0) {
        err_set(&g->error, ERR_UNSUPPORTED, "node %.80s: operator %.60s%s%.60s is not supported",
                p->name && *p->name ? p->name : "without a name", standard ? "" : p->domain,
                standard ? "" : ".", type);
        return;
    }
    struct nn_node *n = nn__node_begin(g, op, p->name);
    read_inputs(g, n, p);
    for (size_t i = 0; i < p->n_attribute && !g->error.code; i++)
        read_attribute(g, n, p->attribute[i]);
    if (g->error.code)
        return;
    const char **names = mem_new(p->n_output ? p->n_output : 1, sizeof *names);
    for (size_t i = 0; i < p->n_output; i++)
        names[i] = *p->output[i] ? p->output[i] : NULL;
    nn__node_end(g, n, (int)p->n_output, names);
    free(names);
}

/* The graph */

static void read_input(struct nn_graph *g, const Onnx__ValueInfoProto *p)
{
    const char *name = p->name ? p->name : "";
    if (nn_graph_find(g, name) != NN_NONE)
        return; /* old files list weights as inputs too */
    const Onnx__TypeProto__Tensor *t = p->type ? p->type->tensor_type : NULL;
    const struct element *e = t ? find_element(t->elem_type) : NULL;
    if (!e || !t->shape || t->shape->n_dim > NN_MAX_RANK) {
        err_set(&g->error, ERR_UNSUPPORTED, "input \"%.80s\" has no known type and shape", name);
        return;
    }
    struct nn_shape s = {.rank = (int)t->shape->n_dim};
    for (int i = 0; i < s.rank; i++) {
        const Onnx__TensorShapeProto__Dimension *d = t->shape->dim[i];
        s.dims[i] = d->has_dim_value && d->dim_value > 0 ? d->dim_value : NN_ANY_BATCH;
        if (s.dims[i] > INT32_MAX || (i > 0 && s.dims[i] == NN_ANY_BATCH)) {
            err_set(&g->error, ERR_UNSUPPORTED,
                    "input \"%.80s\": dimension %d must be a number (only the batch may be open)",
                    name, i);
            return;
        }
    }
    nn__input_add(g, name, e->type, &s);
}

static void read_output(struct nn_graph *g, const Onnx__ValueInfoProto *p)
{
    const char *name = p->name ? p->name : "";
    nn_value v = nn_graph_find(g, name);
    if (v == NN_NONE)
        err_set(&g->error, ERR_FORMAT, "no node computes the output \"%.80s\"", name);
    else
        nn_graph_output(g, v, name);
}

/* Weights of nn_graph_store_halves(), as onnx_write.c stores them: the first nodes of the file
 * widen them, one after the other. They are read as what they were. Other files' halves become
 * floats as well, with a Cast that does nothing behind them. */
static bool widens(const Onnx__NodeProto *node, const Onnx__TensorProto *t)
{
    const Onnx__AttributeProto *to = node->n_attribute == 1 ? node->attribute[0] : NULL;
    return t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16 && t->name && *t->name &&
           node->op_type && !strcmp(node->op_type, "Cast") && node->n_input == 1 &&
           !strcmp(node->input[0], t->name) && node->n_output == 1 && *node->output[0] && to &&
           to->i == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
}

/* Returns how many nodes are done with. */
static size_t read_initializers(struct nn_graph *g, const Onnx__GraphProto *p)
{
    size_t widened = 0;
    for (size_t i = 0; i < p->n_initializer && !g->error.code; i++) {
        const Onnx__TensorProto *t = p->initializer[i];
        const Onnx__NodeProto *node = widened < p->n_node ? p->node[widened] : NULL;
        bool half = node && widens(node, t);
        nn_value v = read_tensor(g, t, half ? node->output[0] : NULL);
        if (half && v != NN_NONE)
            nn__value(g, v)->half = true;
        widened += half;
    }
    return widened;
}

static void read_graph(struct nn_graph *g, const Onnx__GraphProto *p)
{
    size_t widened = read_initializers(g, p);
    for (size_t i = 0; i < p->n_input && !g->error.code; i++)
        read_input(g, p->input[i]);
    for (size_t i = widened; i < p->n_node && !g->error.code; i++)
        read_node(g, p->node[i]);
    for (size_t i = 0; i < p->n_output && !g->error.code; i++)
        read_output(g, p->output[i]);
}

static int find_opset(const Onnx__ModelProto *m, struct err *err)
{
    int64_t version = 0;
    for (size_t i = 0; i < m->n_opset_import; i++)
        if (!m->opset_import[i]->domain || !*m->opset_import[i]->domain ||
            !strcmp(m->opset_import[i]->domain, "ai.onnx"))
            version = m->opset_import[i]->version;
    if (version < OPSET_MIN || version > OPSET_MAX)
        return err_set(err, ERR_UNSUPPORTED, "it uses operator set %lld, %d to %d are supported",
                       (long long)version, OPSET_MIN, OPSET_MAX);
    return (int)version;
}

static int read_model(struct nn_graph **out, const Onnx__ModelProto *m, size_t room,
                      struct err *err)
{
    if (!m->graph)
        return err_set(err, ERR_FORMAT, "it holds no network");
    int opset = find_opset(m, err);
    if (opset < 0)
        return opset;
    struct nn_graph *g = nn_graph_create(m->graph->name ? m->graph->name : "", 0);
    g->opset = opset;
    g->room = room;
    read_graph(g, m->graph);
    for (size_t i = 0; i < m->n_metadata_props; i++)
        if (m->metadata_props[i]->key && m->metadata_props[i]->value)
            nn_graph_set_meta(g, m->metadata_props[i]->key, m->metadata_props[i]->value);
    int code = nn_graph_finish(g, err);
    if (code < 0) {
        nn_graph_destroy(g);
        return code;
    }
    g->room = SIZE_MAX;
    *out = g;
    return 0;
}

int nn_onnx_read(struct nn_graph **out, const void *data, size_t len, struct err *err)
{
    struct budget budget = {(NN_ONNX_MEMORY_FACTOR - 1) * len + NN_ONNX_MEMORY_FIXED, false};
    ProtobufCAllocator memory = {budget_alloc, budget_free, &budget};
    Onnx__ModelProto *m = onnx__model_proto__unpack(&memory, len, data);
    if (!m && budget.spent)
        return err_set(err, ERR_RANGE, NN__TOO_MUCH_MEMORY);
    if (!m)
        return err_set(err, ERR_FORMAT, "it is not an ONNX file, or it is damaged");
    int code = read_model(out, m, budget.left, err);
    onnx__model_proto__free_unpacked(m, &memory);
    return code;
}

int nn_onnx_load(struct nn_graph **out, const char *path, struct err *err)
{
    void *data;
    size_t len;
    int code = path_read(path, &data, &len, NN_ONNX_MAX_FILE, err);
    if (code < 0)
        return code;
    code = nn_onnx_read(out, data, len, err);
    free(data);
    return code < 0 ? err_prefix(err, "%s", path) : 0;
}

bool nn_onnx_supports(const char *op_type)
{
    return !strcmp(op_type, "Constant") || nn__op_find(op_type) >= 0;
}
