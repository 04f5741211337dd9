/* What nn_tape_create() plans: operators, fused clips, shared gradients, borders, memory. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tape_internal.h"

enum { ARENA_BLOCK = 16384 };

static const struct tape_kind *find_kind(enum nn_op op)
{
    switch (op) {
    case NN_OP_CONV:
        return &tape__conv;
    case NN_OP_GEMM:
    case NN_OP_MATMUL:
        return &tape__dense;
    case NN_OP_BATCHNORM:
        return &tape__norm;
    case NN_OP_MAXPOOL:
    case NN_OP_AVGPOOL:
    case NN_OP_GLOBAL_AVGPOOL:
    case NN_OP_GLOBAL_MAXPOOL:
        return &tape__pool;
    case NN_OP_ADD:
        return &tape__add;
    case NN_OP_MUL:
        return &tape__mul;
    case NN_OP_RELU:
    case NN_OP_CLIP:
        return &tape__clip;
    case NN_OP_LEAKY_RELU:
    case NN_OP_SIGMOID:
    case NN_OP_HARD_SIGMOID:
    case NN_OP_HARD_SWISH:
    case NN_OP_TANH:
        return &tape__func;
    case NN_OP_DROPOUT:
        return &tape__dropout;
    case NN_OP_FLATTEN:
    case NN_OP_RESHAPE:
        return &tape__flatten;
    case NN_OP_CONCAT:
        return &tape__concat;
    default:
        return NULL;
    }
}

/* Geometry */

void tape__geometry(struct tape_geometry *at, int blocks, int h, int w)
{
    const int *b = at->border;
    at->row = (size_t)(b[1] + w + b[3]) * 16;
    at->plane = (size_t)(b[0] + h + b[2]) * at->row;
    at->image = (size_t)blocks * at->plane;
    at->origin = (size_t)b[0] * at->row + (size_t)b[1] * 16;
}

void tape__want_border(int border[4], int top, int left, int bottom, int right)
{
    int want[4] = {top, left, bottom, right};
    for (int i = 0; i < 4; i++)
        if (want[i] > border[i])
            border[i] = want[i];
}

void tape__want(struct nn_tape *t, float **where, size_t floats)
{
    t->wants = mem_grow(t->wants, &t->want_cap, t->want_count + 1, sizeof *t->wants);
    t->wants[t->want_count++] = (struct tape_want){where, (floats + 15) / 16 * 16};
}

static struct tape_tensor *new_tensor(struct nn_tape *t, const struct nn_shape *s)
{
    struct tape_tensor *x = arena_alloc(t->arena, sizeof *x);
    x->tape = t;
    x->width = (int)nn__shape_elements(s, 1);
    x->rows = s->rank == 2;
    if (x->rows) { /* one line of whole vectors, so that elementwise code sees an image */
        x->channels = 16;
        x->blocks = x->h = 1;
        x->w = (x->width + 15) / 16;
    } else {
        x->channels = (int)s->dims[1];
        x->blocks = nn_blocks(x->channels);
        x->h = (int)s->dims[2];
        x->w = (int)s->dims[3];
    }
    return x;
}

/* Weights */

/* Gives every float constant of rank > 0 its place: trained ones first. */
static void place_weights(struct nn_tape *t)
{
    const struct nn_graph *g = t->graph;
    t->params = arena_alloc(t->arena, g->value_count * sizeof *t->params);
    t->spans = arena_alloc(t->arena, g->value_count * sizeof *t->spans);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t v = 0; v < g->value_count; v++) {
            const struct nn_tensor *c = &g->values[v];
            if (!c->data || c->dtype != NN_F32 || c->shape.rank == 0 || c->trainable == pass)
                continue;
            size_t n = (size_t)nn__shape_elements(&c->shape, 1);
            t->params[v] = (struct tape_param){t->total, n, c->trainable};
            t->spans[t->span_count++] = (struct nn_tape_span){c->name, t->total, n, c->trainable,
                                                              c->trainable && c->shape.rank > 1};
            t->total += n;
        }
        if (pass == 0)
            t->trainable = t->total;
    }
    tape__want(t, &t->weights, t->total);
    tape__want(t, &t->gradients, t->trainable);
}

static bool trains(const struct nn_tape *t, const struct nn_node *n)
{
    for (int i = 0; i < n->input_count; i++)
        if (n->inputs[i] != NN_NONE && t->params[n->inputs[i]].trainable)
            return true;
    return false;
}

/* Operators */

static int *count_readers(const struct nn_graph *g)
{
    int *readers = mem_new(g->value_count, sizeof *readers);
    for (size_t i = 0; i < g->node_count; i++)
        for (int k = 0; k < g->nodes[i].input_count; k++)
            if (g->nodes[i].inputs[k] != NN_NONE)
                readers[g->nodes[i].inputs[k]]++;
    for (size_t i = 0; i < g->output_count; i++)
        readers[g->outputs[i]] += 2; /* an output is never fused away */
    return readers;
}

static struct tape_op *writer_of(const struct nn_tape *t, const struct tape_tensor *x)
{
    for (int i = t->op_count - 1; i >= 0; i--)
        if (t->ops[i].y == x)
            return &t->ops[i];
    return NULL;
}

static bool clips(const struct tape_op *op)
{
    return op->lo > -INFINITY || op->hi < INFINITY;
}

static void clip_limits(const struct nn_graph *g, const struct nn_node *n, float *lo, float *hi)
{
    *lo = 0;
    *hi = INFINITY;
    if (n->op == NN_OP_CLIP)
        nn__clip_limits(g, n, lo, hi);
}

/* A Relu or Clip becomes the last step of the operator before it, if nobody else reads that. */
static bool fuse_clip(struct nn_tape *t, const struct nn_node *n, const int *readers)
{
    struct tape_tensor *x = t->tensors[n->inputs[0]];
    struct tape_op *before = x ? writer_of(t, x) : NULL;
    if ((n->op != NN_OP_RELU && n->op != NN_OP_CLIP) || readers[n->inputs[0]] != 1 || !before ||
        clips(before))
        return false;
    if (before->kind != &tape__conv && before->kind != &tape__norm && before->kind != &tape__add &&
        before->kind != &tape__dense)
        return false;
    clip_limits(t->graph, n, &before->lo, &before->hi);
    t->tensors[n->outputs[0]] = x;
    return true;
}

/* A batch norm and the convolution before it work together image by image. */
static void join_norm(struct nn_tape *t, struct tape_op *norm, const int *readers)
{
    struct tape_op *conv = writer_of(t, norm->inputs[0].tensor);
    if (norm->kind == &tape__norm && conv && conv->kind == &tape__conv && !clips(conv) &&
        readers[norm->node->inputs[0]] == 1) {
        conv->norm = norm;
        norm->conv = conv;
    }
}

static int add_op(struct nn_tape *t, const struct nn_node *n, const int *readers, struct err *err)
{
    const struct tape_kind *kind = find_kind(n->op);
    const struct nn_shape *s = &nn__value(t->graph, n->outputs[0])->shape;
    if (!kind || (s->rank != 4 && s->rank != 2) || s->dims[0] != NN_ANY_BATCH)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "it cannot be trained");
    struct tape_op *op = &t->ops[t->op_count];
    *op = (struct tape_op){.kind = kind, .node = n, .lo = -INFINITY, .hi = INFINITY};
    op->inputs = arena_alloc(t->arena, sizeof *op->inputs * (size_t)n->input_count);
    bool grad = trains(t, n);
    for (int i = 0; i < n->input_count; i++) {
        struct tape_tensor *x = n->inputs[i] == NN_NONE ? NULL : t->tensors[n->inputs[i]];
        if (!x)
            continue;
        op->inputs[op->input_count++].tensor = x;
        x->consumers++;
        grad |= x->has_grad;
    }
    if (!op->input_count)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "it does not depend on the input");
    if (kind == &tape__clip)
        clip_limits(t->graph, n, &op->lo, &op->hi);
    op->y = new_tensor(t, s);
    op->y->has_grad = grad;
    t->tensors[n->outputs[0]] = op->y;
    op->index = t->op_count++;
    join_norm(t, op, readers);
    return 0;
}

static int add_ops(struct nn_tape *t, struct err *err)
{
    const struct nn_graph *g = t->graph;
    int *readers = count_readers(g), code = 0;
    t->ops = arena_alloc(t->arena, (g->node_count + 1) * sizeof *t->ops);
    for (size_t i = 0; i < g->node_count && code == 0; i++) {
        const struct nn_node *n = &g->nodes[i];
        if (n->op == NN_OP_IDENTITY && t->tensors[n->inputs[0]])
            t->tensors[n->outputs[0]] = t->tensors[n->inputs[0]];
        else if (!fuse_clip(t, n, readers))
            code = add_op(t, n, readers, err);
    }
    free(readers);
    return code;
}

static int add_outputs(struct nn_tape *t, struct err *err)
{
    const struct nn_graph *g = t->graph;
    t->outputs = arena_alloc(t->arena, g->output_count * sizeof *t->outputs);
    for (size_t i = 0; i < g->output_count; i++) {
        struct tape_output *o = &t->outputs[i];
        o->tensor = t->tensors[g->outputs[i]];
        if (!o->tensor || (!o->tensor->rows && o->tensor->h * o->tensor->w != 1))
            return err_set(err, ERR_UNSUPPORTED, "output \"%.80s\" is not one row an image",
                           nn_graph_value_name(g, g->outputs[i]));
        o->tensor->consumers += 2;
        tape__want(t, &o->rows, (size_t)t->batch * (size_t)o->tensor->width);
        tape__want(t, &o->gradient, (size_t)t->batch * (size_t)o->tensor->width);
    }
    return 0;
}

/* Gradients */

/* True when the backward pass of op works inside the gradient of its output. */
static bool changes_gradient(const struct tape_op *op)
{
    return (clips(op) && op->kind != &tape__norm) || op->kind == &tape__func;
}

/* The inputs of a sum share its gradient, unless something would change it for one of them. */
static void share_gradients(struct nn_tape *t)
{
    for (int i = t->op_count - 1; i >= 0; i--) {
        struct tape_op *op = &t->ops[i];
        if (op->kind != &tape__add)
            continue;
        for (int k = 0; k < op->input_count; k++) {
            struct tape_tensor *x = op->inputs[k].tensor;
            const struct tape_op *writer = writer_of(t, x);
            if (x->consumers == 1 && x->has_grad && writer && !changes_gradient(writer) &&
                x->width == op->y->width)
                x->alias = op->y->alias ? op->y->alias : op->y;
        }
    }
}

static void extend_life(struct tape_tensor *x, int step)
{
    struct tape_tensor *r = tape__grad_root(x);
    if (step < r->first_writer)
        r->first_writer = step;
    if (step > r->last_reader)
        r->last_reader = step;
}

/* Lives, and who is the first to write each gradient, in the order of the backward pass. */
static void plan_writers(struct nn_tape *t)
{
    for (int i = 0; i < t->op_count; i++) {
        t->ops[i].y->first_writer = t->op_count;
        t->ops[i].y->last_reader = -1;
    }
    bool *written = mem_new((size_t)t->op_count, sizeof *written); /* by writer of the root */
    for (size_t i = 0; i < t->graph->output_count; i++) {
        extend_life(t->outputs[i].tensor, -1);
        written[writer_of(t, tape__grad_root(t->outputs[i].tensor))->index] = true;
    }
    for (int i = t->op_count - 1; i >= 0; i--) {
        struct tape_op *op = &t->ops[i];
        int step = t->op_count - 1 - i;
        extend_life(op->y, step);
        if (op->norm) /* whose backward pass is part of this one's */
            extend_life(op->norm->y, step);
        for (int k = 0; k < op->input_count; k++) {
            struct tape_tensor *x = op->inputs[k].tensor;
            if (!x->has_grad)
                continue;
            extend_life(x, step);
            struct tape_op *writer = writer_of(t, tape__grad_root(x));
            op->inputs[k].add = written[writer->index];
            written[writer->index] = true;
        }
    }
    free(written);
}

/* The first operator that reads a batch norm applies it, and as the last writer of its gradient
 * sums it; dense layers go by batch and cannot. */
static void share_norms(struct nn_tape *t)
{
    for (int i = 0; i < t->op_count; i++)
        for (int k = 0; k < t->ops[i].input_count; k++) {
            struct tape_input *in = &t->ops[i].inputs[k];
            struct tape_op *norm = writer_of(t, in->tensor);
            if (!norm || norm->kind != &tape__norm || norm->first_reader ||
                t->ops[i].kind == &tape__dense || t->ops[i].kind == &tape__norm)
                continue;
            norm->first_reader = &t->ops[i];
            in->apply = norm;
            norm->applied_by_reader = true;
            if (in->tensor->has_grad && !in->tensor->alias)
                in->sum = norm;
            norm->summed_by_reader = in->sum != NULL;
        }
}

/* Images that a tensor has room for. */
static size_t images(const struct nn_tape *t, int window)
{
    return window ? (size_t)(window * TAPE_SLOTS) : (size_t)t->batch;
}

/* A batch norm whose readers all work on a few images at a time is not stored: each reader makes
 * it anew, forward and backward. */
static void window_norm(struct nn_tape *t, struct tape_op *norm)
{
    int most = 0, readers = 0;
    for (int i = norm->index + 1; i < t->op_count; i++)
        for (int k = 0; k < t->ops[i].input_count; k++) {
            const struct tape_op *op = &t->ops[i];
            if (op->inputs[k].tensor != norm->y)
                continue;
            int window = op->kind->window ? op->kind->window(op) : 0;
            if (window == 0)
                return;
            most = window > most ? window : most;
            readers++;
        }
    if (readers != norm->y->consumers || most * TAPE_SLOTS >= t->batch)
        return; /* also an output of the network */
    norm->y->window = most;
    for (int i = norm->index + 1; i < t->op_count; i++)
        for (int k = 0; k < t->ops[i].input_count; k++)
            if (t->ops[i].inputs[k].tensor == norm->y)
                t->ops[i].inputs[k].apply = norm;
}

static void window_norms(struct nn_tape *t)
{
    for (int i = 0; i < t->op_count; i++)
        if (t->ops[i].kind == &tape__norm && t->ops[i].first_reader)
            window_norm(t, &t->ops[i]);
}

static bool lives_meet(const struct tape_tensor *a, const struct tape_tensor *b)
{
    return a->first_writer <= b->last_reader && b->first_writer <= a->last_reader;
}

/* First fit: each gradient takes the lowest place that is free for its whole life. */
static void place_gradient(struct nn_tape *t, struct tape_tensor **placed, int count,
                           struct tape_tensor *x, size_t floats)
{
    size_t at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < count; i++) {
            const struct tape_tensor *p = placed[i];
            size_t size = p->grad_at.image * images(t, p->grad_window);
            if (lives_meet(p, x) && at < p->grad_offset + size && p->grad_offset < at + floats) {
                at = p->grad_offset + size;
                moved = true;
            }
        }
    }
    x->grad_offset = at;
    if (at + floats > t->grad_floats)
        t->grad_floats = at + floats;
}

static void place_gradients(struct nn_tape *t)
{
    struct tape_tensor **placed = mem_new((size_t)t->op_count + 1, sizeof *placed);
    int count = 0;
    for (int i = 0; i < t->op_count; i++) {
        struct tape_tensor *y = t->ops[i].y;
        if (!y->has_grad || y->alias)
            continue;
        place_gradient(t, placed, count, y, y->grad_at.image * images(t, y->grad_window));
        placed[count++] = y;
    }
    free(placed);
}

/* Memory */

static void plan_tensor(struct nn_tape *t, struct tape_tensor *x)
{
    tape__geometry(&x->at, x->blocks, x->h, x->w);
    tape__want(t, &x->data, x->at.image * images(t, x->window));
    if (!x->alias)
        tape__geometry(&x->grad_at, x->blocks, x->h, x->w);
}

static void plan_input(struct nn_tape *t)
{
    const struct tape_tensor *x = t->tensors[t->graph->inputs[0]];
    struct tape_geometry *at = &t->planar_at;
    tape__want(t, &t->input, (size_t)t->batch * (size_t)x->width);
    const int *b = at->border;
    at->row = (size_t)(b[1] + x->w + b[3]); /* planes hold one channel: pixels are 1 apart */
    at->plane = (size_t)(b[0] + x->h + b[2]) * at->row;
    at->image = (size_t)x->channels * at->plane;
    at->origin = (size_t)b[0] * at->row + (size_t)b[1];
    if (b[0] | b[1] | b[2] | b[3])
        tape__want(t, &t->planar, (size_t)t->batch * at->image);
}

static int take_memory(struct nn_tape *t, struct err *err)
{
    for (size_t i = 0; i < t->want_count; i++)
        t->memory_floats += t->wants[i].floats;
    t->memory = mem_try_aligned(t->memory_floats, sizeof *t->memory);
    t->grad_memory = mem_try_aligned(t->grad_floats + 16, sizeof *t->grad_memory);
    if (!t->memory || !t->grad_memory)
        return err_set(err, ERR_NO_MEMORY,
                       "training at batch %d needs %zu MB of memory; use a smaller batch", t->batch,
                       nn_tape_memory(t) >> 20);
    memset(t->memory, 0, t->memory_floats * sizeof *t->memory);
    memset(t->grad_memory, 0, t->grad_floats * sizeof *t->grad_memory);
    float *next = t->memory;
    for (size_t i = 0; i < t->want_count; i++) {
        *t->wants[i].where = next;
        next += t->wants[i].floats;
    }
    if (!t->planar)
        t->planar = t->input;
    return 0;
}

static void hand_out_gradients(struct nn_tape *t)
{
    for (int i = 0; i < t->op_count; i++) {
        struct tape_tensor *y = t->ops[i].y;
        if (!y->has_grad)
            continue;
        y->grad = t->grad_memory + tape__grad_root(y)->grad_offset;
        y->grad_at = tape__grad_root(y)->grad_at;
    }
}

static int plan(struct nn_tape *t, struct err *err)
{
    struct nn_graph *g = t->graph;
    place_weights(t);
    t->tensors = arena_alloc(t->arena, g->value_count * sizeof *t->tensors);
    struct tape_tensor *input = new_tensor(t, &g->values[g->inputs[0]].shape);
    t->tensors[g->inputs[0]] = input;
    int code = add_ops(t, err);
    if (code < 0 || (code = add_outputs(t, err)) < 0)
        return code;
    share_gradients(t);
    plan_writers(t);
    share_norms(t);
    for (int i = 0; i < t->op_count; i++)
        if ((code = t->ops[i].kind->setup(t, &t->ops[i], err)) < 0)
            return code;
    window_norms(t);
    if (t->input_blocked)
        plan_tensor(t, input);
    for (int i = 0; i < t->op_count; i++)
        plan_tensor(t, t->ops[i].y);
    plan_input(t);
    tape__want(t, &t->gemm_a, t->gemm_a_floats);
    tape__want(t, &t->gemm_b, t->gemm_b_floats);
    tape__want(t, &t->scratch, t->scratch_floats * (size_t)pool_size(t->pool));
    tape__want(t, &t->sums, t->sum_floats);
    tape__want(t, &t->large_scratch, t->large_scratch_floats);
    place_gradients(t);
    if ((code = take_memory(t, err)) < 0)
        return code;
    hand_out_gradients(t);
    nn_tape_load(t);
    return 0;
}

static int check_graph(const struct nn_graph *g, int batch, struct err *err)
{
    const struct nn_tensor *x = g->input_count == 1 ? &g->values[g->inputs[0]] : NULL;
    if (!x || x->dtype != NN_F32 || (x->shape.rank != 4 && x->shape.rank != 2) ||
        x->shape.dims[0] != NN_ANY_BATCH)
        return err_set(err, ERR_UNSUPPORTED,
                       "only a network with one float32 input of open batch can be trained");
    if (batch < 1 || batch > 65536)
        return err_set(err, ERR_RANGE, "a batch of %d is outside 1 to 65536", batch);
    return 0;
}

int nn_tape_create(struct nn_tape **out, struct nn_graph *g, int batch,
                   enum nn_precision precision, struct pool *pool, struct err *err)
{
    int code = check_graph(g, batch, err);
    if (code < 0)
        return code;
    struct nn_tape *t = mem_new(1, sizeof *t);
    t->graph = g;
    t->pool = pool;
    t->batch = batch;
    t->precision = precision;
    t->k = nn_kernels();
    t->arena = arena_create(ARENA_BLOCK);
    code = plan(t, err);
    if (code < 0) {
        nn_tape_destroy(t);
        return code;
    }
    *out = t;
    return 0;
}

void nn_tape_destroy(struct nn_tape *t)
{
    if (!t)
        return;
    mem_free_aligned(t->memory);
    mem_free_aligned(t->grad_memory);
    free(t->wants);
    arena_destroy(t->arena);
    free(t);
}
