/* The private half of nn/tape.h: what the operators of a tape (tape_*.c) see.
 *
 * DESIGN. A tape is a list of operators in execution order. Images are stored in C16
 * (kernels/kernels.h) with a border of zeros as wide as their widest reader needs, so that no
 * convolution ever copies its input; matrices are plain rows. Gradients use the same form in one
 * arena that is shared by lifetimes. A gradient has one or more writers: the first one of a step
 * overwrites, the others add (tape_input.add).
 * Work is cut by image, or by image slot for weight gradients; the cuts depend on the batch only
 * and sums over them run in a fixed order: the bits do not depend on the number of threads. */
#ifndef ENGINE_TAPE_INTERNAL_H
#define ENGINE_TAPE_INTERNAL_H

#include "base/pool.h"
#include "internal.h"
#include "kernels/kernels.h"
#include "nn/ranks.h"
#include "nn/tape.h"

enum { TAPE_SLOTS = 8 }; /* image ranges whose weight gradients are summed apart */

/* Where the numbers of an image lie: channel block b, row r, column c, lane l at
 * origin + b * plane + r * row + c * 16 + l. */
struct tape_geometry {
    int border[4]; /* top, left, bottom, right */
    size_t origin, row, plane, image;
};

struct tape_tensor {
    bool rows;                        /* a matrix: `width` floats an image, no border */
    int channels, blocks, h, w;       /* image form */
    int width;                        /* elements of one image */
    struct tape_geometry at, grad_at; /* of data and of grad */
    float *data;
    float *grad;               /* NULL: no gradient is needed */
    struct tape_tensor *alias; /* its gradient is that one's */
    bool has_grad;
    int consumers;
    int first_writer, last_reader; /* life of the gradient, as steps of the backward pass */
    size_t grad_offset;            /* in the gradient arena */
    /* Nonzero: data (gradient) lives only while a slot works on a few images; image i of slot s
     * lies at place s * window + i % window, counted from the slot's first image. A power of two.
     */
    int window, grad_window;
    const struct nn_tape *tape;
};

struct tape_op;

/* One kind of operator. `prepare` and `collect` run once per step, each in one thread. */
struct tape_kind {
    int (*setup)(struct nn_tape *t, struct tape_op *op, struct err *err); /* sizes, borders */
    int (*window)(const struct tape_op *op); /* images that it reads at a time; NULL or 0: all */
    void (*prepare)(const struct nn_tape *t, struct tape_op *op); /* pack weights */
    void (*forward)(struct nn_tape *t, struct tape_op *op);
    void (*backward)(struct nn_tape *t, struct tape_op *op);
    void (*collect)(struct nn_tape *t, struct tape_op *op); /* finish weight gradients */
};

struct tape_input {
    struct tape_tensor *tensor;
    bool add;              /* the gradient already holds another reader's share */
    struct tape_op *apply; /* a batch norm that this reader applies, see tape_norm.h */
    struct tape_op *sum;   /* a batch norm whose gradient this reader completes and sums */
};

struct tape_op {
    const struct tape_kind *kind;
    const struct nn_node *node;
    int index;
    int input_count;
    struct tape_input *inputs;
    struct tape_tensor *y;
    float lo, hi;         /* clip fused behind it; infinite: none */
    void *own;            /* what only this kind knows */
    struct tape_op *norm; /* of a convolution: the batch norm behind it, if it alone reads it */
    struct tape_op *conv; /* of a batch norm: that convolution */
    struct tape_op *first_reader;             /* of a batch norm */
    bool applied_by_reader, summed_by_reader; /* of a batch norm, by that one */
};

/* A value of the graph that lives in the collated weight vector. */
struct tape_param {
    size_t offset, count;
    bool trainable;
};

struct tape_want { /* memory asked for during setup */
    float **where;
    size_t floats;
};

struct nn_tape {
    struct nn_graph *graph;
    struct pool *pool;
    struct nn_ranks *ranks; /* that share the batch; NULL: alone */
    const struct nn_kernels *k;
    struct arena *arena;
    int batch, count; /* planned; of the running step */
    enum nn_precision precision;
    enum nn_tape_mode mode;
    uint64_t step;
    struct tape_tensor **tensors; /* by graph value; NULL: constants, fused or unused */
    struct tape_op *ops;
    int op_count;
    float *input;  /* batch x C x H x W */
    float *planar; /* the same with the border of the first convolution; may be `input` */
    struct tape_geometry planar_at;
    bool input_blocked; /* someone reads the input in C16 */
    struct tape_output *outputs;
    float *weights, *gradients;
    size_t trainable, total;
    struct nn_tape_span *spans;
    int span_count;
    struct tape_param *params; /* by graph value */
    struct tape_want *wants;
    size_t want_count, want_cap;
    float *memory, *grad_memory;
    size_t memory_floats, grad_floats;
    float *gemm_a, *gemm_b; /* packed matrices of the dense layer that is running */
    size_t gemm_a_floats, gemm_b_floats;
    /* Of the Winograd convolution that is running: by thread, by slot, of the batch. */
    float *scratch, *sums, *large_scratch;
    size_t scratch_floats, sum_floats, large_scratch_floats;
};

struct tape_output {
    struct tape_tensor *tensor;
    float *rows;     /* batch x width */
    float *gradient; /* batch x width, of the loss */
};

/* tape_plan.c */
void tape__geometry(struct tape_geometry *at, int blocks, int h, int w);
void tape__want_border(int border[4], int top, int left, int bottom, int right); /* widens */
void tape__want(struct nn_tape *t, float **where, size_t floats); /* zeroed, 64-byte aligned */

/* Weights of a node's input in the collated vector; NULL when the input is absent. */
const float *tape__weights(const struct nn_tape *t, const struct tape_op *op, int input);
float *tape__gradients(struct nn_tape *t, const struct tape_op *op, int input); /* NULL: frozen */

/* Runs fn once for each image of the step, or each of n jobs, over the pool. */
typedef void tape_job_fn(struct nn_tape *t, struct tape_op *op, int job);
void tape__each_image(struct nn_tape *t, struct tape_op *op, tape_job_fn *fn);
void tape__each(struct nn_tape *t, struct tape_op *op, int n, tape_job_fn *fn);

/* Forward and backward passes of an operator go through these two, slot by slot, which also do what
 * the batch norms around it left to it. begin: before the forward pass of an image reads its
 * inputs; end: after the backward pass of an image has written their gradients. */
void tape__begin_image(struct nn_tape *t, struct tape_op *op, int image);
void tape__end_image(struct nn_tape *t, struct tape_op *op, int image);
void tape__forward_images(struct nn_tape *t, struct tape_op *op, tape_job_fn *fn);
void tape__backward_images(struct nn_tape *t, struct tape_op *op, tape_job_fn *fn);

/* The images [*begin, *end) of slot s. */
void tape__slot(const struct nn_tape *t, int s, int *begin, int *end);

/* Where image i lies in memory with this window; the inverse of tape__slot() finds its slot. */
static inline size_t tape__place(const struct tape_tensor *x, int window, int image)
{
    if (window == 0)
        return (size_t)image;
    int count = x->tape->count, slot = ((image + 1) * TAPE_SLOTS - 1) / count;
    int within = image - count * slot / TAPE_SLOTS;
    return (size_t)(slot * window + within % window);
}

static inline float *tape__image(const struct tape_tensor *x, int image)
{
    return x->data + tape__place(x, x->window, image) * x->at.image + x->at.origin;
}

static inline float *tape__grad_image(const struct tape_tensor *x, int image)
{
    return x->grad + tape__place(x, x->grad_window, image) * x->grad_at.image + x->grad_at.origin;
}

/* The tensor whose gradient memory x uses. */
static inline struct tape_tensor *tape__grad_root(struct tape_tensor *x)
{
    return x->alias ? x->alias : x;
}

/* Sets the border of one gradient image to zero: gradient memory is shared. */
void tape__clear_border(const struct tape_tensor *x, int image);
/* Sets one whole gradient image to zero. */
void tape__clear_grad(const struct tape_tensor *x, int image);

/* Kinds, one table entry for each operator that can be trained (tape.c: find_kind). */
extern const struct tape_kind tape__conv, tape__dense, tape__norm, tape__pool, tape__add, tape__mul,
    tape__func, tape__clip, tape__dropout, tape__flatten, tape__concat;

/* tape_loss.c */
void tape__collect_outputs(struct nn_tape *t);
void tape__spread_gradients(struct nn_tape *t);

#endif
