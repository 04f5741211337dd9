/* The graph container: values, nodes, attributes, metadata. Shapes are in shape.c. */
#include "internal.h"

#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernels/kernels.h"

enum { ARENA_BLOCK = 16384 };

static const struct {
    const char *name;
    size_t size;
} dtypes[NN_DTYPE_COUNT] = {{"f32", 4}, {"i64", 8}, {"i32", 4}, {"u8", 1}, {"i8", 1}, {"bool", 1}};

bool nn_bf16_is_fast(void)
{
    return strcmp(nn_kernels()->isa, "avx512bf16") == 0;
}

size_t nn_dtype_size(enum nn_dtype t)
{
    return dtypes[t].size;
}

const char *nn_dtype_name(enum nn_dtype t)
{
    return dtypes[t].name;
}

struct nn_graph *nn_graph_create(const char *name, uint64_t seed)
{
    struct nn_graph *g = mem_new(1, sizeof *g);
    g->arena = arena_create(ARENA_BLOCK);
    g->name = arena_strdup(g->arena, name);
    g->seed = seed;
    g->opset = 13;
    g->room = SIZE_MAX;
    return g;
}

/* Takes bytes off the graph's room. When there is none left the graph has an error; what one call
 * then still allocates is as large as what it copies. */
static bool charge(struct nn_graph *g, size_t bytes)
{
    if (bytes > g->room) {
        g->room = 0;
        if (!g->error.code)
            err_set(&g->error, ERR_RANGE, NN__TOO_MUCH_MEMORY);
        return false;
    }
    g->room -= bytes;
    return true;
}

static void *take(struct nn_graph *g, size_t bytes)
{
    charge(g, bytes + 16);
    return arena_alloc(g->arena, bytes ? bytes : 1);
}

static char *take_string(struct nn_graph *g, const char *s)
{
    return memcpy(take(g, strlen(s) + 1), s, strlen(s) + 1);
}

void nn_graph_destroy(struct nn_graph *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->value_count; i++)
        if (!g->values[i].borrowed)
            mem_free_aligned(g->values[i].data);
    arena_destroy(g->arena);
    free(g->nodes);
    free(g->values);
    free(g->names);
    free(g->inputs);
    free(g->outputs);
    free(g->meta);
    free(g);
}

/* Values */

int64_t nn__shape_elements(const struct nn_shape *s, int64_t batch)
{
    int64_t n = 1;
    for (int i = 0; i < s->rank; i++) {
        int64_t d = s->dims[i] == NN_ANY_BATCH ? batch : s->dims[i];
        if (d < 0 || (d > 0 && n > INT64_MAX / d))
            return -1;
        n *= d;
    }
    return n;
}

bool nn__shape_equal(const struct nn_shape *a, const struct nn_shape *b)
{
    return a->rank == b->rank && !memcmp(a->dims, b->dims, sizeof a->dims[0] * (size_t)a->rank);
}

struct nn_tensor *nn__value(const struct nn_graph *g, nn_value v)
{
    assert(v >= 0 && (size_t)v < g->value_count);
    return &g->values[v];
}

bool nn__is_constant(const struct nn_graph *g, nn_value v)
{
    return v >= 0 && nn__value(g, v)->data;
}

bool nn__one_number(const struct nn_graph *g, nn_value v)
{
    return nn__is_constant(g, v) && nn__shape_elements(nn_graph_shape(g, v), 1) == 1;
}

bool nn__all_constant(const struct nn_graph *g, const struct nn_node *n)
{
    for (int i = 0; i < n->input_count; i++)
        if (n->inputs[i] != NN_NONE && !nn__is_constant(g, n->inputs[i]))
            return false;
    return true;
}

/* FNV-1a (Fowler, Noll, Vo) */
static size_t hash(const char *s)
{
    uint64_t h = 14695981039346656037u;
    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * 1099511628211u;
    return (size_t)(h ^ h >> 32);
}

/* The slot that holds the name, or the free one where it belongs. */
static int32_t *name_slot(const struct nn_graph *g, const char *name)
{
    size_t i = hash(name) & (g->names_cap - 1);
    while (g->names[i] >= 0 && strcmp(g->values[g->names[i]].name, name) != 0)
        i = (i + 1) & (g->names_cap - 1);
    return &g->names[i];
}

/* Enters every value's name into a table with room for one more. */
static void rehash(struct nn_graph *g)
{
    free(g->names);
    g->names_cap = 64;
    while (g->names_cap < 4 * (g->value_count + 1))
        g->names_cap *= 2;
    g->names = mem_new(g->names_cap, sizeof *g->names);
    memset(g->names, 0xff, g->names_cap * sizeof *g->names);
    for (size_t i = 0; i < g->value_count; i++)
        *name_slot(g, g->values[i].name) = (int32_t)i;
}

nn_value nn_graph_find(const struct nn_graph *g, const char *value_name)
{
    return g->names_cap ? *name_slot(g, value_name) : NN_NONE;
}

nn_value nn__value_add(struct nn_graph *g, const char *name, enum nn_dtype type,
                       const struct nn_shape *shape)
{
    char made[32];
    if (!name) {
        snprintf(made, sizeof made, "v%zu", g->value_count);
        name = made;
    }
    if (g->error.code)
        return NN_NONE;
    if (nn_graph_find(g, name) != NN_NONE) {
        err_set(&g->error, ERR_FORMAT, "two tensors are both named \"%s\"", name);
        return NN_NONE;
    }
    charge(g, 2 * sizeof *g->values + 8 * sizeof *g->names); /* the tables, as they grow */
    g->values = mem_grow(g->values, &g->value_cap, g->value_count + 1, sizeof *g->values);
    g->values[g->value_count] = (struct nn_tensor){
        .name = take_string(g, name), .dtype = type, .shape = *shape, .producer = -1};
    if (2 * (g->value_count + 1) > g->names_cap)
        rehash(g);
    *name_slot(g, name) = (int32_t)g->value_count;
    return (nn_value)g->value_count++;
}

nn_value nn__constant_add(struct nn_graph *g, const char *name, enum nn_dtype type,
                          const struct nn_shape *shape)
{
    nn_value v = nn__value_add(g, name, type, shape);
    if (v == NN_NONE)
        return v;
    int64_t n = nn__shape_elements(shape, -1);
    /* one element at least, so that an empty constant still has data */
    size_t size = nn_dtype_size(type);
    bool fits = n >= 0 && (size_t)n <= SIZE_MAX / size && charge(g, (size_t)n * size);
    void *data = fits ? mem_try_aligned(n ? (size_t)n : 1, size) : NULL;
    if (!data) {
        if (!g->error.code)
            err_set(&g->error, ERR_NO_MEMORY, "no memory for tensor \"%s\"", nn__value(g, v)->name);
        return NN_NONE;
    }
    nn__value(g, v)->data = data;
    return v;
}

static void list_add(nn_value **list, size_t *count, size_t *cap, nn_value v)
{
    *list = mem_grow(*list, cap, *count + 1, sizeof **list);
    (*list)[(*count)++] = v;
}

nn_value nn__input_add(struct nn_graph *g, const char *name, enum nn_dtype type,
                       const struct nn_shape *shape)
{
    nn_value v = nn__value_add(g, name, type, shape);
    if (v != NN_NONE)
        list_add(&g->inputs, &g->input_count, &g->input_cap, v);
    return v;
}

void nn_graph_output(struct nn_graph *g, nn_value v, const char *name)
{
    if (g->error.code)
        return;
    nn_value taken = nn_graph_find(g, name);
    if (taken != NN_NONE && taken != v) {
        err_set(&g->error, ERR_FORMAT, "two tensors are both named \"%s\"", name);
        return;
    }
    if (taken == NN_NONE) {
        nn__value(g, v)->name = take_string(g, name);
        rehash(g);
    }
    list_add(&g->outputs, &g->output_count, &g->output_cap, v);
}

int nn_graph_finish(struct nn_graph *g, struct err *err)
{
    if (g->error.code)
        return err_set(err, g->error.code, "%s", g->error.text);
    if (!g->output_count)
        return err_set(err, ERR_FORMAT, "the network has no output");
    g->finished = true;
    return 0;
}

/* Nodes */

static void *copy(struct nn_graph *g, const void *data, size_t size)
{
    void *p = take(g, size);
    if (size)
        memcpy(p, data, size);
    return p;
}

struct nn_node *nn__node_begin(struct nn_graph *g, enum nn_op op, const char *name)
{
    char made[64];
    if (!name || !*name) {
        snprintf(made, sizeof made, "%s_%zu", nn__op_info(op)->name, g->node_count);
        name = made;
    }
    charge(g, 2 * sizeof *g->nodes);
    g->nodes = mem_grow(g->nodes, &g->node_cap, g->node_count + 1, sizeof *g->nodes);
    struct nn_node *n = &g->nodes[g->node_count]; /* counted when it ends */
    *n = (struct nn_node){.op = op, .name = take_string(g, name)};
    return n;
}

/* Arrays in an arena cannot grow in place: they double into a new piece. */
static void *arena_push(struct nn_graph *g, void *array, int count, size_t size)
{
    if (count & (count - 1)) /* room up to the next power of two is there */
        return array;
    void *bigger = take(g, (count ? (size_t)count * 2 : 1) * size);
    if (count)
        memcpy(bigger, array, (size_t)count * size);
    return bigger;
}

void nn__node_input(struct nn_graph *g, struct nn_node *n, nn_value v)
{
    n->inputs = arena_push(g, n->inputs, n->input_count, sizeof *n->inputs);
    n->inputs[n->input_count++] = v;
}

static struct nn_attr *attr_add(struct nn_graph *g, struct nn_node *n, const char *name,
                                enum nn_attr_kind kind, int count)
{
    n->attrs = arena_push(g, n->attrs, n->attr_count, sizeof *n->attrs);
    struct nn_attr *a = &n->attrs[n->attr_count++];
    *a = (struct nn_attr){.name = take_string(g, name), .kind = kind, .count = count};
    return a;
}

void nn__node_int(struct nn_graph *g, struct nn_node *n, const char *attr, int64_t value)
{
    attr_add(g, n, attr, NN_ATTR_INT, 1)->ints = copy(g, &value, sizeof value);
}

void nn__node_float(struct nn_graph *g, struct nn_node *n, const char *attr, float value)
{
    attr_add(g, n, attr, NN_ATTR_FLOAT, 1)->floats = copy(g, &value, sizeof value);
}

void nn__node_string(struct nn_graph *g, struct nn_node *n, const char *attr, const char *value)
{
    attr_add(g, n, attr, NN_ATTR_STRING, 1)->string = take_string(g, value);
}

void nn__node_ints(struct nn_graph *g, struct nn_node *n, const char *attr, const int64_t *values,
                   int count)
{
    attr_add(g, n, attr, NN_ATTR_INTS, count)->ints =
        copy(g, values, sizeof *values * (size_t)count);
}

void nn__node_floats(struct nn_graph *g, struct nn_node *n, const char *attr, const float *values,
                     int count)
{
    attr_add(g, n, attr, NN_ATTR_FLOATS, count)->floats =
        copy(g, values, sizeof *values * (size_t)count);
}

void nn__node_tensor(struct nn_graph *g, struct nn_node *n, const char *attr, nn_value constant)
{
    attr_add(g, n, attr, NN_ATTR_TENSOR, 1)->tensor = constant;
}

void nn__attr_remove(struct nn_node *n, const char *name)
{
    for (int i = 0; i < n->attr_count; i++)
        if (!strcmp(n->attrs[i].name, name)) {
            n->attrs[i] = n->attrs[--n->attr_count];
            return;
        }
}

/* Marks constant inputs that the operator table calls parameters. */
static void mark_trainable(struct nn_graph *g, const struct nn_node *n)
{
    unsigned parameters = nn__op_info(n->op)->parameters;
    for (int i = 0; i < n->input_count; i++)
        if (parameters >> i & 1 && nn__is_constant(g, n->inputs[i]) &&
            nn__value(g, n->inputs[i])->dtype == NN_F32)
            nn__value(g, n->inputs[i])->trainable = true;
}

/* Dropout's mask, MaxPool's indices, the training outputs of BatchNormalization. */
static bool is_optional_output(const struct nn_graph *g, nn_value v)
{
    int producer = nn__value(g, v)->producer;
    if (producer < 0)
        return false;
    const struct nn_node *n = &g->nodes[producer];
    return (n->op == NN_OP_DROPOUT || n->op == NN_OP_MAXPOOL || n->op == NN_OP_BATCHNORM) &&
           n->outputs[0] != v;
}

static int check_node(const struct nn_graph *g, const struct nn_node *n, int outputs,
                      struct err *err)
{
    const struct nn_op_info *info = nn__op_info(n->op);
    if (outputs < 1)
        return nn__node_error(n, err, ERR_FORMAT, "has no output");
    if (n->input_count < info->min_inputs || n->input_count > info->max_inputs)
        return nn__node_error(n, err, ERR_FORMAT, "wants %d to %d inputs, has %d", info->min_inputs,
                              info->max_inputs, n->input_count);
    int required = info->max_inputs == NN_VARIADIC ? n->input_count : info->min_inputs;
    for (int i = 0; i < n->input_count; i++) {
        if (n->inputs[i] == NN_NONE ? i < required : (size_t)n->inputs[i] >= g->value_count)
            return nn__node_error(n, err, ERR_FORMAT, "input %d is missing", i);
        if (n->inputs[i] != NN_NONE && is_optional_output(g, n->inputs[i]))
            return nn__node_error(n, err, ERR_UNSUPPORTED, "it uses an optional output \"%.80s\"",
                                  nn__value(g, n->inputs[i])->name);
    }
    return 0;
}

static bool has_unknown_input(const struct nn_graph *g, const struct nn_node *n)
{
    for (int i = 0; i < n->input_count; i++)
        if (n->inputs[i] != NN_NONE && nn__value(g, n->inputs[i])->shape.rank == NN_UNKNOWN)
            return true;
    return false;
}

static void set_unknown_outputs(struct nn_graph *g, const struct nn_node *n)
{
    for (int i = 0; i < n->output_count; i++)
        nn__value(g, n->outputs[i])->shape = (struct nn_shape){.rank = NN_UNKNOWN};
}

nn_value nn__node_end(struct nn_graph *g, struct nn_node *n, int outputs,
                      const char *const *output_names)
{
    if (g->error.code || check_node(g, n, outputs, &g->error) < 0)
        return NN_NONE;
    if (outputs < 1) {
        nn__node_error(n, &g->error, ERR_FORMAT, "it has no output");
        return NN_NONE;
    }
    n->outputs = take(g, sizeof *n->outputs * (size_t)outputs);
    n->output_count = outputs;
    for (int i = 0; i < outputs; i++) {
        n->outputs[i] =
            nn__value_add(g, output_names ? output_names[i] : NULL, NN_F32, &(struct nn_shape){0});
        if (n->outputs[i] == NN_NONE)
            return NN_NONE;
        nn__value(g, n->outputs[i])->producer = (int)g->node_count;
    }
    g->node_count++;
    mark_trainable(g, n);
    if (has_unknown_input(g, n))
        set_unknown_outputs(g, n);
    else if (nn__op_info(n->op)->shape(g, n, &g->error) < 0)
        return NN_NONE;
    return n->outputs[0];
}

const struct nn_attr *nn__attr(const struct nn_node *n, const char *name)
{
    for (int i = 0; i < n->attr_count; i++)
        if (!strcmp(n->attrs[i].name, name))
            return &n->attrs[i];
    return NULL;
}

int64_t nn__attr_int(const struct nn_node *n, const char *name, int64_t absent)
{
    const struct nn_attr *a = nn__attr(n, name);
    return a && a->kind == NN_ATTR_INT ? a->ints[0] : absent;
}

float nn__attr_float(const struct nn_node *n, const char *name, float absent)
{
    const struct nn_attr *a = nn__attr(n, name);
    return a && a->kind == NN_ATTR_FLOAT ? a->floats[0] : absent;
}

const char *nn__attr_string(const struct nn_node *n, const char *name, const char *absent)
{
    const struct nn_attr *a = nn__attr(n, name);
    return a && a->kind == NN_ATTR_STRING ? a->string : absent;
}

int nn__node_error(const struct nn_node *n, struct err *err, int code, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return err_set(err, code, "node %.80s (%s): %s", n->name, nn__op_info(n->op)->name, text);
}

/* Questions */

const char *nn_graph_name(const struct nn_graph *g)
{
    return g->name;
}

int nn_graph_input_count(const struct nn_graph *g)
{
    return (int)g->input_count;
}

nn_value nn_graph_input(const struct nn_graph *g, int index)
{
    assert(index >= 0 && (size_t)index < g->input_count);
    return g->inputs[index];
}

int nn_graph_output_count(const struct nn_graph *g)
{
    return (int)g->output_count;
}

nn_value nn_graph_output_at(const struct nn_graph *g, int index)
{
    assert(index >= 0 && (size_t)index < g->output_count);
    return g->outputs[index];
}

const char *nn_graph_value_name(const struct nn_graph *g, nn_value v)
{
    return nn__value(g, v)->name;
}

const struct nn_shape *nn_graph_shape(const struct nn_graph *g, nn_value v)
{
    return &nn__value(g, v)->shape;
}

enum nn_dtype nn_graph_dtype(const struct nn_graph *g, nn_value v)
{
    return nn__value(g, v)->dtype;
}

/* Metadata */

static struct nn_meta *find_meta(const struct nn_graph *g, const char *key)
{
    for (size_t i = 0; i < g->meta_count; i++)
        if (!strcmp(g->meta[i].key, key))
            return &g->meta[i];
    return NULL;
}

const char *nn_graph_meta(const struct nn_graph *g, const char *key)
{
    const struct nn_meta *m = find_meta(g, key);
    return m ? m->value : NULL;
}

void nn_graph_set_meta(struct nn_graph *g, const char *key, const char *value)
{
    struct nn_meta *m = find_meta(g, key);
    if (!m) {
        g->meta = mem_grow(g->meta, &g->meta_cap, g->meta_count + 1, sizeof *g->meta);
        m = &g->meta[g->meta_count++];
        m->key = arena_strdup(g->arena, key);
    }
    m->value = arena_strdup(g->arena, value);
}

int nn_graph_meta_count(const struct nn_graph *g)
{
    return (int)g->meta_count;
}

void nn_graph_meta_at(const struct nn_graph *g, int index, const char **key, const char **value)
{
    assert(index >= 0 && (size_t)index < g->meta_count);
    *key = g->meta[index].key;
    *value = g->meta[index].value;
}
