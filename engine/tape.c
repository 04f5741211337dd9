/* nn/tape.h: the steps of training. What is planned once is in tape_plan.c. */
#include "tape_norm.h"

#include <assert.h>
#include <string.h>

/* Work over the pool */

struct job {
    struct nn_tape *tape;
    struct tape_op *op;
    tape_job_fn *fn;
};

static void run_jobs(void *arg, int begin, int end, int thread)
{
    const struct job *j = arg;
    (void)thread;
    for (int i = begin; i < end; i++)
        j->fn(j->tape, j->op, i);
}

void tape__each(struct nn_tape *t, struct tape_op *op, int n, tape_job_fn *fn)
{
    struct job j = {t, op, fn};
    pool_for(t->pool, n, 1, run_jobs, &j);
}

void tape__each_image(struct nn_tape *t, struct tape_op *op, tape_job_fn *fn)
{
    tape__each(t, op, t->count, fn);
}

void tape__slot(const struct nn_tape *t, int s, int *begin, int *end)
{
    *begin = t->count * s / TAPE_SLOTS;
    *end = t->count * (s + 1) / TAPE_SLOTS;
}

static void run_forward(void *arg, int begin, int end, int thread)
{
    const struct job *j = arg;
    int from, to, unused;
    (void)thread;
    tape__slot(j->tape, begin, &from, &unused);
    tape__slot(j->tape, end - 1, &unused, &to);
    for (int i = from; i < to; i++) {
        tape__begin_image(j->tape, j->op, i);
        j->fn(j->tape, j->op, i);
    }
}

static void run_backward(void *arg, int begin, int end, int thread)
{
    const struct job *j = arg;
    int from, to, unused;
    (void)thread;
    tape__slot(j->tape, begin, &from, &unused);
    tape__slot(j->tape, end - 1, &unused, &to);
    for (int i = from; i < to; i++) {
        j->fn(j->tape, j->op, i);
        tape__end_image(j->tape, j->op, i);
    }
}

void tape__forward_images(struct nn_tape *t, struct tape_op *op, tape_job_fn *fn)
{
    struct job j = {t, op, fn};
    pool_for(t->pool, TAPE_SLOTS, 1, run_forward, &j);
}

void tape__backward_images(struct nn_tape *t, struct tape_op *op, tape_job_fn *fn)
{
    struct job j = {t, op, fn};
    pool_for(t->pool, TAPE_SLOTS, 1, run_backward, &j);
}

void tape__begin_image(struct nn_tape *t, struct tape_op *op, int image)
{
    for (int i = 0; i < op->input_count; i++)
        if (op->inputs[i].apply)
            tape__norm_apply(t, op->inputs[i].apply, image);
}

void tape__end_image(struct nn_tape *t, struct tape_op *op, int image)
{
    for (int i = 0; i < op->input_count; i++)
        if (op->inputs[i].sum)
            tape__norm_gradient_sums(t, op->inputs[i].sum, image);
}

/* Gradient memory */

static void zero(float *p, size_t floats)
{
    memset(p, 0, floats * sizeof *p);
}

void tape__clear_border(const struct tape_tensor *x, int image)
{
    const struct tape_geometry *at = &x->grad_at;
    const int *b = at->border;
    if (!(b[0] | b[1] | b[2] | b[3]))
        return;
    float *image0 = x->grad + tape__place(x, x->grad_window, image) * at->image;
    for (int block = 0; block < x->blocks; block++) {
        float *p = image0 + (size_t)block * at->plane;
        size_t left = (size_t)b[1] * 16, right = (size_t)b[3] * 16;
        zero(p, (size_t)b[0] * at->row);
        for (int r = 0; r < x->h; r++) {
            float *row = p + (size_t)(b[0] + r) * at->row;
            zero(row, left);
            zero(row + at->row - right, right);
        }
        zero(p + (size_t)(b[0] + x->h) * at->row, (size_t)b[2] * at->row);
    }
}

void tape__clear_grad(const struct tape_tensor *x, int image)
{
    zero(x->grad + tape__place(x, x->grad_window, image) * x->grad_at.image, x->grad_at.image);
}

/* Forward */

/* One image of the caller's input into the forms that its readers want. */
static void place_input(struct nn_tape *t, struct tape_op *op, int image)
{
    (void)op;
    const struct tape_tensor *x = t->tensors[t->graph->inputs[0]];
    const struct tape_geometry *at = &t->planar_at;
    float *from = t->input + (size_t)image * (size_t)x->width;
    if (t->planar != t->input)
        for (int c = 0; c < x->channels; c++)
            for (int r = 0; r < x->h; r++)
                memcpy(t->planar + (size_t)image * at->image + at->origin + (size_t)c * at->plane +
                           (size_t)r * at->row,
                       from + ((size_t)c * (size_t)x->h + (size_t)r) * (size_t)x->w,
                       (size_t)x->w * sizeof *from);
    if (!t->input_blocked)
        return;
    if (x->rows) {
        memcpy(tape__image(x, image), from, (size_t)x->width * sizeof *from);
        return;
    }
    struct nn_nchw p = {tape__image(x, image), from, x->at.plane, x->at.row,
                        x->channels,           x->h, x->w};
    t->k->c16_from_nchw(&p, 0, x->blocks);
}

static void prepare(struct nn_tape *t, struct tape_op *op, int job)
{
    (void)op;
    if (t->ops[job].kind->prepare)
        t->ops[job].kind->prepare(t, &t->ops[job]);
}

void nn_tape_forward(struct nn_tape *t, int count, enum nn_tape_mode mode, uint64_t step)
{
    assert(count >= 1 && count <= t->batch);
    t->count = count;
    t->mode = mode;
    t->step = step;
    tape__each_image(t, NULL, place_input);
    tape__each(t, NULL, t->op_count, prepare);
    for (int i = 0; i < t->op_count; i++)
        t->ops[i].kind->forward(t, &t->ops[i]);
    tape__collect_outputs(t);
}

/* Backward */

static void collect(struct nn_tape *t, struct tape_op *op, int job)
{
    (void)op;
    if (t->ops[job].kind->collect)
        t->ops[job].kind->collect(t, &t->ops[job]);
}

void nn_tape_backward(struct nn_tape *t)
{
    assert(t->mode == NN_TRAIN);
    zero(t->gradients, t->trainable);
    tape__spread_gradients(t);
    for (int i = t->op_count - 1; i >= 0; i--)
        if (t->ops[i].y->has_grad)
            t->ops[i].kind->backward(t, &t->ops[i]);
    tape__each(t, NULL, t->op_count, collect);
    nn_ranks_sum_floats(t->ranks, t->gradients, t->trainable);
}

/* Weights */

const float *tape__weights(const struct nn_tape *t, const struct tape_op *op, int input)
{
    if (input >= op->node->input_count || op->node->inputs[input] == NN_NONE)
        return NULL;
    return t->weights + t->params[op->node->inputs[input]].offset;
}

float *tape__gradients(struct nn_tape *t, const struct tape_op *op, int input)
{
    if (input >= op->node->input_count || op->node->inputs[input] == NN_NONE)
        return NULL;
    const struct tape_param *p = &t->params[op->node->inputs[input]];
    return p->trainable ? t->gradients + p->offset : NULL;
}

void nn_tape_store(struct nn_tape *t, const float *weights)
{
    const float *from = weights ? weights : t->weights;
    for (size_t v = 0; v < t->graph->value_count; v++)
        if (t->params[v].count)
            memcpy(t->graph->values[v].data, from + t->params[v].offset,
                   t->params[v].count * sizeof *from);
}

void nn_tape_load(struct nn_tape *t)
{
    for (size_t v = 0; v < t->graph->value_count; v++)
        if (t->params[v].count)
            memcpy(t->weights + t->params[v].offset, t->graph->values[v].data,
                   t->params[v].count * sizeof *t->weights);
}

/* Questions */

int nn_tape_batch(const struct nn_tape *t)
{
    return t->batch;
}

size_t nn_tape_memory(const struct nn_tape *t)
{
    return (t->memory_floats + t->grad_floats) * sizeof(float);
}

float *nn_tape_input(struct nn_tape *t)
{
    return t->input;
}

const float *nn_tape_output(const struct nn_tape *t, int index)
{
    return t->outputs[index].rows;
}

int nn_tape_output_width(const struct nn_tape *t, int index)
{
    return t->outputs[index].tensor->width;
}

float *nn_tape_weights(struct nn_tape *t)
{
    return t->weights;
}

float *nn_tape_gradients(struct nn_tape *t)
{
    return t->gradients;
}

size_t nn_tape_trainable(const struct nn_tape *t)
{
    return t->trainable;
}

size_t nn_tape_total(const struct nn_tape *t)
{
    return t->total;
}

const struct nn_tape_span *nn_tape_spans(const struct nn_tape *t, int *count)
{
    *count = t->span_count;
    return t->spans;
}

void nn_tape_join(struct nn_tape *t, struct nn_ranks *ranks)
{
    t->ranks = ranks;
}

struct pool *nn_tape_pool(const struct nn_tape *t)
{
    return t->pool;
}
