/* The compiler of nn/run.h: what its passes hand to each other.
 *
 * DESIGN. nn_run_create() takes a graph through six passes:
 *   pass_bind.c    a private copy with the batch fixed; constants are folded while it is copied
 *   pass_fuse.c    dead nodes go; batch norm, clips and residual additions join their producer
 *   pass_quant.c   8-bit tensors stay bytes where the operators around them can work on bytes
 *   pass_layout.c  every node gets a mode (plain or C16); conversions appear between them: "jobs"
 *   exec_*.c       each job is prepared: weights are packed, sizes become a context: "steps"
 *   pass_memory.c  places get offsets in one arena by their lifetimes
 * The result, struct nn_plan, is read-only and shared by runs; a run adds an arena and pointers. */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include <stdatomic.h>

#include "internal.h"
#include "kernels/kernels.h"
#include "nn/run.h"

struct arena;
struct pool;

/* PLAIN: dense row major; a 4-D one may carry a zero border around each H x W plane.
 * C16: [N][ceil(C / 16)][H][W][16] with zero lanes past C, and possibly a zero border.
 * Q16: C16 of bytes, for quantised tensors; its border and the lanes past C stand for zero or have
 * no weight. A matrix N x C is blocked as an image of one pixel. */
enum nn__layout { NN_PLAIN, NN_C16, NN_Q16, NN_LAYOUT_COUNT };

/* Where a tensor lives. */
struct nn__place {
    enum nn__layout layout;
    struct nn_shape shape;
    int pad[4];           /* border: top, left, bottom, right, in pixels */
    uint8_t zero;         /* Q16: what its border is filled with */
    const float *data;    /* constants: owned by the plan; else NULL */
    int alias;            /* shares the memory of this place; -1: its own */
    bool keep;            /* an input or output of the run: never reused */
    int first, last;      /* steps that touch it */
    size_t offset, count; /* floats in the arena */
};

/* What a producer does to its result before it stores it. */
struct nn__epilogue {
    float lo, hi;       /* clip */
    nn_value add;       /* residual of the same shape, or NN_NONE */
    float *scale;       /* per output channel: multiplies the weights; NULL: ones */
    float *shift;       /* per output channel: replaces the bias; NULL: input 2 as it is */
    bool bytes;         /* the node works in 8 bits: mode Q16 */
};

/* One node, or a conversion (node NULL), with its places. */
struct nn__job {
    const struct nn_node *node;
    const struct nn__epilogue *epilogue;
    enum nn__layout mode;
    int *in, *out;      /* places; -1: absent */
    int in_count, out_count;
    int add;            /* place of the residual, or -1 */
};

struct nn__env {
    float *const *at; /* memory of each place */
    struct pool *pool;
    float *scratch;   /* plan->scratch floats for each thread of the pool */
    size_t scratch_stride;
    const struct nn_kernels *k;
};

struct nn__step;
typedef void nn__exec_fn(const struct nn__step *s, const struct nn__env *e);

struct nn__step {
    nn__exec_fn *run;
    const void *context; /* in plan->arena */
    const int *in, *out; /* places; -1: absent */
    int out_count;
    int add;             /* place of the residual, or -1 */
    struct nn_run_step info;
};

struct nn__port {
    const char *name;
    int place;
};

struct nn__block {
    struct nn__block *next;
    float *data;
};

struct nn_plan {
    atomic_int users;
    struct arena *arena;       /* contexts, names, arrays */
    struct nn__block *blocks;  /* packed weights and constants */
    struct nn__place *places;
    size_t place_count, place_cap;
    struct nn__step *steps;
    size_t step_count, step_cap;
    struct nn__port *inputs, *outputs;
    int input_count, output_count;
    size_t arena_floats;       /* of a run */
    size_t scratch;            /* floats a thread */
    size_t weight_bytes;
    size_t limit;              /* bytes that may still be asked for */
    enum nn_precision precision;
    const struct nn_kernels *k;
};

/* A byte b of a quantised tensor stands for (b - zero) * scale. */
struct nn__quant {
    float scale;
    uint8_t zero;
    bool stored; /* its places are Q16 */
};

/* A constant that DequantizeLinear made of integers. */
struct nn__coded {
    nn_value value;      /* the floats */
    nn_value codes, scale, zero; /* zero may be NN_NONE */
    int64_t axis;
};

/* While compiling. */
struct nn__compiler {
    struct nn_plan *plan;
    int threads;                     /* that will probably run it: work is cut for them */
    struct nn_graph *g;              /* bound copy */
    struct nn__epilogue *epilogues;  /* one a node */
    struct nn__coded *coded;         /* found by nn__bind */
    size_t coded_count, coded_cap;
    struct nn__quant *quant;         /* one a value */
    struct nn__job *jobs;
    size_t job_count, job_cap;
};

/* Passes, in order. */
int nn__bind(struct nn__compiler *c, const struct nn_graph *g, int batch, struct err *err);
int nn__fuse(struct nn__compiler *c, struct err *err);
void nn__quantise(struct nn__compiler *c);
/* `names`: the original graph, for the names of inputs and outputs. */
int nn__choose_layouts(struct nn__compiler *c, const struct nn_graph *names, struct err *err);
int nn__plan_memory(struct nn__compiler *c, struct err *err);

/* Memory of the plan: counted against the limit, 64-byte aligned, not zeroed. NULL sets err. */
float *nn__plan_floats(struct nn_plan *p, int64_t count, struct err *err);
int nn__place_add(struct nn_plan *p, enum nn__layout layout, const struct nn_shape *shape);
/* The place that owns the memory of `place`. */
int nn__place_root(const struct nn_plan *p, int place);

/* Frees what the plan owns, not the struct. */
void nn__plan_clear(struct nn_plan *p);
struct nn__epilogue nn__no_epilogue(void);
/* Removes the nodes marked dead (one flag a node) and those whose results nothing needs. */
void nn__sweep(struct nn__compiler *c, bool *dead);

/* Executes one node whose inputs are constants; its outputs become constants. */
int nn__fold(struct nn__compiler *c, const struct nn_node *n, struct err *err);

#endif
