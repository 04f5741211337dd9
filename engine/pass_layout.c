/* Fourth pass: the layout each node works in, and the places that tensors live in.
 *
 * What nn__quantise() chose works on bytes. Convolutions work on C16; pools and elementwise
 * operators stay in C16 when their input is there; everything else is plain. A tensor gets one
 * place in the layout of its producer, and another one for each further layout that a reader wants,
 * filled by a conversion in between. Operators that only rename dimensions share the place of their
 * input. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "exec.h"

enum { BORDERED = NN_LAYOUT_COUNT, KINDS }; /* plain with a border: a place of its own */

struct layouts {
    struct nn__compiler *c;
    int (*place)[KINDS]; /* of each value; -1: none yet */
};

static struct nn__job *job_add(struct nn__compiler *c, const struct nn_node *node, int ins,
                               int outs)
{
    c->jobs = mem_grow(c->jobs, &c->job_cap, c->job_count + 1, sizeof *c->jobs);
    struct nn__job *j = &c->jobs[c->job_count++];
    *j = (struct nn__job){.node = node, .in_count = ins, .out_count = outs, .add = -1};
    j->in = nn__context(c, sizeof *j->in * (size_t)(ins + 1));
    j->out = nn__context(c, sizeof *j->out * (size_t)(outs + 1));
    for (int i = 0; i < ins; i++)
        j->in[i] = -1;
    return j;
}

static int new_place(struct layouts *l, nn_value v, int kind)
{
    enum nn__layout layout = kind == BORDERED ? NN_PLAIN : (enum nn__layout)kind;
    l->place[v][kind] = nn__place_add(l->c->plan, layout, nn__shape_of(l->c, v));
    l->c->plan->places[l->place[v][kind]].zero = l->c->quant[v].zero;
    return l->place[v][kind];
}

/* A constant that steps read at run time: floats in plan memory. */
static int constant_place(struct layouts *l, nn_value v, struct err *err)
{
    const struct nn_tensor *t = nn__value(l->c->g, v);
    int64_t count = nn__shape_elements(&t->shape, 1);
    float *data = nn__plan_floats(l->c->plan, count, err);
    if (!data)
        return ERR_NO_MEMORY;
    for (int64_t i = 0; i < count; i++)
        data[i] = (float)nn__element(t, i);
    int place = new_place(l, v, NN_PLAIN);
    l->c->plan->places[place].data = data;
    return place;
}

/* The place of v in the wanted kind, converted if need be. Negative: an error. */
static int want(struct layouts *l, nn_value v, int kind, struct err *err)
{
    if (l->place[v][kind] >= 0)
        return l->place[v][kind];
    if (nn__is_constant(l->c->g, v) && l->place[v][NN_PLAIN] < 0) {
        int code = constant_place(l, v, err);
        if (code < 0 || kind == NN_PLAIN)
            return code;
    }
    if (kind == BORDERED && l->place[v][NN_PLAIN] < 0) { /* C16 is unblocked without a border */
        int code = want(l, v, NN_PLAIN, err);
        if (code < 0)
            return code;
    }
    int from = l->place[v][NN_PLAIN] >= 0 ? l->place[v][NN_PLAIN] : l->place[v][NN_C16];
    struct nn__job *j = job_add(l->c, NULL, 1, 1);
    j->in[0] = from;
    j->out[0] = new_place(l, v, kind);
    return j->out[0];
}

static void widen_border(struct nn__place *p, const int pad[4])
{
    for (int i = 0; i < 4; i++)
        p->pad[i] = pad[i] > p->pad[i] ? pad[i] : p->pad[i];
}

static bool renames(const struct nn_node *n)
{
    return n->op == NN_OP_RESHAPE || n->op == NN_OP_FLATTEN || n->op == NN_OP_SQUEEZE ||
           n->op == NN_OP_UNSQUEEZE;
}

static int share_place(struct layouts *l, const struct nn_node *n, struct err *err)
{
    int from = want(l, n->inputs[0], NN_PLAIN, err);
    if (from < 0)
        return from;
    int place = new_place(l, n->outputs[0], NN_PLAIN);
    l->c->plan->places[place].alias = from;
    l->c->plan->places[place].data = l->c->plan->places[from].data;
    return 0;
}

/* Does the step read input i from memory, or did its prepare function take it? */
static bool read_at_run_time(const struct nn__compiler *c, const struct nn_node *n, int i)
{
    if (!nn__has(n, i))
        return false;
    if (i == 0 || !nn__is_constant(c->g, n->inputs[i]))
        return true;
    bool matrix = n->op == NN_OP_GEMM || n->op == NN_OP_MATMUL;
    if (matrix && i == 1)
        return !nn__floats_of(c, n, 1) || nn__shape_of(c, n->inputs[1])->rank > 2;
    return matrix || n->op == NN_OP_CONCAT ||
           nn__exec_info(n->op)->plain == nn__prepare_nary;
}

/* The kind of place of a value that a node reads or writes in this mode. */
static int value_kind(const struct layouts *l, nn_value v, enum nn__layout mode)
{
    if (mode != NN_Q16)
        return mode;
    return l->c->quant[v].stored ? NN_Q16 : NN_C16;
}

/* The kind of place in which this node reads input i. */
static int input_kind(const struct layouts *l, const struct nn_node *n, int i,
                      enum nn__layout mode, const int border[4])
{
    if (mode == NN_Q16 && n->op == NN_OP_QUANTIZE && l->place[n->inputs[i]][NN_C16] < 0)
        return NN_PLAIN; /* an input: quantised while it is blocked */
    if (mode != NN_C16)
        return value_kind(l, n->inputs[i], mode);
    if (i > 0 || !nn__is_planar_conv(l->c, n))
        return NN_C16;
    return border[0] | border[1] | border[2] | border[3] ? BORDERED : NN_PLAIN;
}

static enum nn__layout choose_mode(const struct layouts *l, const struct nn_node *n, bool bytes)
{
    if (bytes)
        return NN_Q16;
    if (!nn__fits_c16(l->c, n))
        return NN_PLAIN;
    return n->op == NN_OP_CONV || l->place[n->inputs[0]][NN_C16] >= 0 ? NN_C16 : NN_PLAIN;
}

static int place_node(struct layouts *l, int index, struct err *err)
{
    struct nn__compiler *c = l->c;
    const struct nn_node *n = &c->g->nodes[index];
    const struct nn__epilogue *e = &c->epilogues[index];
    int border[4], in[64], add = -1;
    enum nn__layout mode = choose_mode(l, n, e->bytes);
    nn__wanted_border(c, n, border);
    for (int i = 0; i < n->input_count; i++) {
        in[i] = -1;
        if (e->bytes ? nn__is_constant(c->g, n->inputs[i]) : !read_at_run_time(c, n, i))
            continue;
        int kind = input_kind(l, n, i, mode, border);
        in[i] = want(l, n->inputs[i], kind, err);
        if (in[i] < 0)
            return in[i];
        if (kind != NN_PLAIN && i == 0)
            widen_border(&c->plan->places[in[i]], border);
    }
    if (e->add != NN_NONE && (add = want(l, e->add, value_kind(l, e->add, mode), err)) < 0)
        return add;
    struct nn__job *j = job_add(c, n, n->input_count, n->output_count);
    memcpy(j->in, in, sizeof *in * (size_t)n->input_count);
    j->epilogue = e;
    j->mode = mode;
    j->add = add;
    for (int i = 0; i < n->output_count; i++)
        j->out[i] = new_place(l, n->outputs[i], value_kind(l, n->outputs[i], mode));
    return 0;
}

static void add_ports(struct layouts *l, const struct nn_graph *names)
{
    struct nn_plan *p = l->c->plan;
    p->input_count = (int)l->c->g->input_count;
    p->output_count = (int)l->c->g->output_count;
    p->inputs = nn__context(l->c, sizeof *p->inputs * (size_t)(p->input_count + 1));
    p->outputs = nn__context(l->c, sizeof *p->outputs * (size_t)(p->output_count + 1));
    for (int i = 0; i < p->input_count; i++) {
        p->inputs[i].name = arena_strdup(p->arena, nn__value(names, names->inputs[i])->name);
        p->inputs[i].place = new_place(l, l->c->g->inputs[i], NN_PLAIN);
        p->places[p->inputs[i].place].keep = true;
    }
    for (int i = 0; i < p->output_count; i++)
        p->outputs[i].name = arena_strdup(p->arena, nn__value(names, names->outputs[i])->name);
}

static int place_outputs(struct layouts *l, struct err *err)
{
    struct nn_plan *p = l->c->plan;
    for (int i = 0; i < p->output_count; i++) {
        int place = want(l, l->c->g->outputs[i], NN_PLAIN, err);
        if (place < 0)
            return place;
        p->outputs[i].place = place;
        p->places[nn__place_root(p, place)].keep = true;
    }
    return 0;
}

int nn__choose_layouts(struct nn__compiler *c, const struct nn_graph *names, struct err *err)
{
    size_t values = c->g->value_count;
    struct layouts l = {c, mem_new(values + 1, sizeof *l.place)};
    for (size_t v = 0; v < values; v++)
        for (int k = 0; k < KINDS; k++)
            l.place[v][k] = -1;
    int code = 0;
    add_ports(&l, names);
    for (int i = 0; i < (int)c->g->node_count && code >= 0; i++)
        code = renames(&c->g->nodes[i]) ? share_place(&l, &c->g->nodes[i], err)
                                        : place_node(&l, i, err);
    if (code >= 0)
        code = place_outputs(&l, err);
    free(l.place);
    return code < 0 ? code : 0;
}
