/* Runs: compile a graph once, execute it often. See plan.h for the passes. */
#include "nn/run.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/pool.h"
#include "exec.h"

#define DEFAULT_LIMIT ((size_t)1 << 30)

struct nn_run {
    struct nn_plan *plan;
    struct pool *pool;
    float *arena;
    float **at;       /* memory of each place */
    struct nn__env env;
    int64_t *ns;      /* of each step */
};

/* The plan's memory */

float *nn__plan_floats(struct nn_plan *p, int64_t count, struct err *err)
{
    size_t bytes = count > 0 ? (size_t)count * sizeof(float) : sizeof(float);
    float *data = bytes <= p->limit ? mem_try_aligned(bytes + 64, 1) : NULL;
    if (!data) {
        err_set(err, ERR_NO_MEMORY, "no memory for %zu bytes of weights or constants", bytes);
        return NULL;
    }
    p->limit -= bytes;
    p->weight_bytes += bytes;
    struct nn__block *b = arena_alloc(p->arena, sizeof *b);
    *b = (struct nn__block){p->blocks, data};
    p->blocks = b;
    return data;
}

int nn__place_add(struct nn_plan *p, enum nn__layout layout, const struct nn_shape *shape)
{
    p->places = mem_grow(p->places, &p->place_cap, p->place_count + 1, sizeof *p->places);
    p->places[p->place_count] =
        (struct nn__place){.layout = layout, .shape = *shape, .alias = -1, .first = -1};
    return (int)p->place_count++;
}

void nn__plan_clear(struct nn_plan *p)
{
    for (struct nn__block *b = p->blocks; b; b = b->next)
        mem_free_aligned(b->data);
    free(p->places);
    free(p->steps);
    arena_destroy(p->arena);
}

static void plan_release(struct nn_plan *p)
{
    if (atomic_fetch_sub(&p->users, 1) > 1)
        return;
    nn__plan_clear(p);
    free(p);
}

/* Compiling */

/* Multiply-accumulates of the direct algorithm, for the profile. */
static int64_t job_macs(const struct nn__compiler *c, const struct nn__job *j)
{
    const struct nn_node *n = j->node;
    if (!n || (n->op != NN_OP_CONV && n->op != NN_OP_CONV_TRANSPOSE && n->op != NN_OP_GEMM &&
               n->op != NN_OP_MATMUL))
        return 0;
    const struct nn_shape *x = nn__shape_of(c, n->inputs[0]), *y = nn__shape_of(c, n->outputs[0]);
    const struct nn_shape *w = nn__shape_of(c, n->inputs[1]);
    if (n->op == NN_OP_MATMUL)
        return nn__shape_elements(y, 1) * x->dims[x->rank - 1];
    if (n->op == NN_OP_GEMM)
        return y->dims[0] * nn__shape_elements(w, 1);
    int64_t each = w->dims[0] > 0 ? nn__shape_elements(w, 1) / w->dims[0] : 0;
    return nn__shape_elements(n->op == NN_OP_CONV ? y : x, 1) * each;
}

/* A bound of the tables that prepare functions keep: some for each index of each axis (exec_map.c,
 * exec_resize.c: at most 64 bytes), some for each product of a MatMul. */
static size_t table_bytes(const struct nn__compiler *c, const struct nn__job *j)
{
    size_t bytes = 0;
    for (int i = 0; i < j->in_count + j->out_count; i++) {
        int place = i < j->in_count ? j->in[i] : j->out[i - j->in_count];
        const struct nn_shape *s = place >= 0 ? &nn__place(c, place)->shape : NULL;
        for (int a = 0; s && a < s->rank; a++)
            bytes += 64 * (size_t)s->dims[a];
    }
    const struct nn_shape *y = &nn__place(c, j->out[0])->shape;
    size_t products = 1;
    for (int a = 0; a < y->rank - 2; a++)
        products *= (size_t)y->dims[a];
    return j->node && j->node->op == NN_OP_MATMUL ? bytes + 16 * products : bytes;
}

/* Before anything is made for it: do a result alone or the job's tables exceed the memory limit? */
static int check_size(const struct nn__compiler *c, const struct nn__job *j, struct err *err)
{
    const char *name = j->node ? j->node->name : "";
    for (int i = 0; i < j->out_count; i++) {
        size_t floats = nn__place_floats(nn__place(c, j->out[i]));
        if (floats > c->plan->limit / sizeof(float))
            return err_set(err, ERR_RANGE, "node %.80s gives %zu numbers, more than the memory "
                           "limit allows", name, floats);
    }
    size_t tables = table_bytes(c, j);
    if (tables > c->plan->limit)
        return err_set(err, ERR_RANGE, "node %.80s wants %zu MB of tables, more than the memory "
                       "limit leaves", name, tables >> 20);
    c->plan->limit -= tables;
    return 0;
}

/* No step is made for empty results: their other dimensions may be anything. */
static bool is_empty(const struct nn__compiler *c, const struct nn__job *j)
{
    size_t floats = 0;
    for (int i = 0; i < j->out_count; i++)
        floats += nn__place_floats(nn__place(c, j->out[i]));
    return floats == 0;
}

static int prepare_job(struct nn__compiler *c, const struct nn__job *j, struct err *err)
{
    struct nn_plan *p = c->plan;
    const struct nn_node *n = j->node;
    struct nn__step s = {.in = j->in, .out = j->out, .out_count = j->out_count, .add = j->add};
    s.info.node = arena_strdup(p->arena, n ? n->name : "");
    s.info.op = n ? nn__op_info(n->op)->name : "layout";
    s.info.shape = nn__place(c, j->out[0])->shape;
    s.info.macs = job_macs(c, j);
    nn__prepare_fn *prepare = n ? nn__exec_info(n->op)->plain : nn__prepare_layout;
    if (n && j->mode != NN_PLAIN)
        prepare = j->mode == NN_C16 ? nn__exec_info(n->op)->c16 : nn__exec_info(n->op)->q16;
    if (!prepare)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "inference does not implement it");
    if (is_empty(c, j))
        return 0;
    int code = check_size(c, j, err);
    if (code < 0)
        return code;
    code = prepare(c, j, &s, err);
    if (code < 0)
        return code;
    p->steps = mem_grow(p->steps, &p->step_cap, p->step_count + 1, sizeof *p->steps);
    p->steps[p->step_count++] = s;
    return 0;
}

static int compile(struct nn__compiler *c, const struct nn_graph *g, int batch, struct err *err)
{
    int code = nn__bind(c, g, batch, err);
    if (code == 0)
        code = nn__fuse(c, err);
    if (code == 0)
        nn__quantise(c);
    if (code == 0)
        code = nn__choose_layouts(c, g, err);
    for (size_t i = 0; i < c->job_count && code == 0; i++)
        code = prepare_job(c, &c->jobs[i], err);
    if (code == 0)
        code = nn__plan_memory(c, err);
    return code;
}

static int plan_create(struct nn_plan **out, const struct nn_graph *g, int batch, int threads,
                       const struct nn_run_options *options, struct err *err)
{
    struct nn_plan *p = mem_new(1, sizeof *p);
    atomic_init(&p->users, 1);
    p->arena = arena_create(16384);
    p->limit = options && options->memory_limit ? options->memory_limit : DEFAULT_LIMIT;
    p->precision = options ? options->precision : NN_FP32;
    p->k = nn_kernels();
    struct nn__compiler c = {.plan = p, .threads = threads};
    int code = compile(&c, g, batch, err);
    nn_graph_destroy(c.g);
    free(c.jobs);
    free(c.coded);
    if (code < 0) {
        plan_release(p);
        return code;
    }
    *out = p;
    return 0;
}

/* A run of a plan; takes over one of its users. */
static int run_of_plan(struct nn_run **out, struct nn_plan *p, struct pool *pool, struct err *err)
{
    struct nn_run *r = mem_new(1, sizeof *r);
    size_t threads = (size_t)pool_size(pool);
    *r = (struct nn_run){.plan = p, .pool = pool};
    r->at = mem_new(p->place_count + 1, sizeof *r->at);
    r->ns = mem_new(p->step_count + 1, sizeof *r->ns);
    size_t floats = p->arena_floats + p->scratch * threads;
    if (floats <= p->limit / sizeof *r->arena)
        r->arena = mem_try_aligned(floats + 64, sizeof *r->arena);
    if (!r->arena) {
        nn_run_destroy(r);
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu MB of activations",
                       floats >> 18);
    }
    memset(r->arena, 0, sizeof *r->arena * p->arena_floats);
    for (size_t i = 0; i < p->place_count; i++) {
        const struct nn__place *root = &p->places[nn__place_root(p, (int)i)];
        /* steps never write to a constant place */
        r->at[i] = root->data ? (float *)(uintptr_t)root->data : r->arena + root->offset;
    }
    r->env = (struct nn__env){r->at, pool, r->arena + p->arena_floats, p->scratch, p->k};
    *out = r;
    return 0;
}

int nn_run_create(struct nn_run **out, const struct nn_graph *g, int batch, struct pool *pool,
                  const struct nn_run_options *options, struct err *err)
{
    struct nn_plan *p;
    *out = NULL;
    int code = plan_create(&p, g, batch, pool_size(pool), options, err);
    return code < 0 ? code : run_of_plan(out, p, pool, err);
}

int nn_run_clone(struct nn_run **out, const struct nn_run *r, struct pool *pool, struct err *err)
{
    *out = NULL;
    atomic_fetch_add(&r->plan->users, 1);
    return run_of_plan(out, r->plan, pool, err);
}

void nn_run_destroy(struct nn_run *r)
{
    if (!r)
        return;
    mem_free_aligned(r->arena);
    free(r->at);
    free(r->ns);
    plan_release(r->plan);
    free(r);
}

/* Executing */

static void run_step(const struct nn_run *r, const struct nn__step *s)
{
    for (int i = 0; i < s->out_count; i++) {
        const struct nn__place *p = &r->plan->places[s->out[i]];
        if (p->pad[0] | p->pad[1] | p->pad[2] | p->pad[3])
            nn__clear_border(p, r->at[s->out[i]]);
    }
    s->run(s, &r->env);
}

void nn_run_forward(struct nn_run *r)
{
    for (size_t i = 0; i < r->plan->step_count; i++)
        run_step(r, &r->plan->steps[i]);
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void nn_run_forward_profiled(struct nn_run *r)
{
    for (size_t i = 0; i < r->plan->step_count; i++) {
        int64_t start = now_ns();
        run_step(r, &r->plan->steps[i]);
        int64_t ns = now_ns() - start;
        r->ns[i] = r->ns[i] == 0 || ns < r->ns[i] ? ns : r->ns[i];
    }
}

/* Questions */

int nn_run_input_count(const struct nn_run *r)
{
    return r->plan->input_count;
}

int nn_run_output_count(const struct nn_run *r)
{
    return r->plan->output_count;
}

static int find_port(const struct nn__port *ports, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(ports[i].name, name))
            return i;
    return -1;
}

int nn_run_find_input(const struct nn_run *r, const char *name)
{
    return find_port(r->plan->inputs, r->plan->input_count, name);
}

int nn_run_find_output(const struct nn_run *r, const char *name)
{
    return find_port(r->plan->outputs, r->plan->output_count, name);
}

static const struct nn__port *input_port(const struct nn_run *r, int index)
{
    assert(index >= 0 && index < r->plan->input_count);
    return &r->plan->inputs[index];
}

static const struct nn__port *output_port(const struct nn_run *r, int index)
{
    assert(index >= 0 && index < r->plan->output_count);
    return &r->plan->outputs[index];
}

const char *nn_run_input_name(const struct nn_run *r, int index)
{
    return input_port(r, index)->name;
}

const char *nn_run_output_name(const struct nn_run *r, int index)
{
    return output_port(r, index)->name;
}

const struct nn_shape *nn_run_input_shape(const struct nn_run *r, int index)
{
    return &r->plan->places[input_port(r, index)->place].shape;
}

const struct nn_shape *nn_run_output_shape(const struct nn_run *r, int index)
{
    return &r->plan->places[output_port(r, index)->place].shape;
}

float *nn_run_input(struct nn_run *r, int index)
{
    return r->at[input_port(r, index)->place];
}

const float *nn_run_output(const struct nn_run *r, int index)
{
    return r->at[output_port(r, index)->place];
}

int nn_run_step_count(const struct nn_run *r)
{
    return (int)r->plan->step_count;
}

void nn_run_step_at(const struct nn_run *r, int index, struct nn_run_step *out)
{
    assert(index >= 0 && (size_t)index < r->plan->step_count);
    *out = r->plan->steps[index].info;
    out->ns = r->ns[index];
}

size_t nn_run_weight_bytes(const struct nn_run *r)
{
    return r->plan->weight_bytes;
}

size_t nn_run_activation_bytes(const struct nn_run *r)
{
    return (r->plan->arena_floats + r->plan->scratch * (size_t)pool_size(r->pool)) * sizeof(float);
}
