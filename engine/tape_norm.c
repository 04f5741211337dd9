/* Batch normalisation of a tape (Ioffe and Szegedy, "Batch Normalization", 2015, algorithm 1), with
 * a clip behind it.
 *
 * DESIGN. Over the M = images x pixels values of a channel, with d = gradient before the clip:
 *     y = clip(x scale + shift),  scale = gamma / sqrt(var + eps),  shift = beta - mean scale
 *     dgamma = (sum d x - mean sum d) / sqrt(var + eps),  dbeta = sum d
 *     dx = scale (d - dbeta / M - xhat dgamma / M) = d A + x B + C
 * so forward and backward are one affine pass each after one pass of sums; all four are done by the
 * operators around it, image by image (tape_norm.h), where those can. Sums are kept by image and
 * added in order, then over the ranks that share the batch. A frozen layer uses its running
 * statistics and has dx = d scale. */
#include "tape_norm.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

struct norm {
    float *sums; /* doubles [batch][blocks][2][16]: forward x, x x; backward d, d x */
    bool frozen;
    float epsilon, keep; /* of the running statistics: running = keep running + (1 - keep) batch */
    double *totals;      /* [channels][2]: the sums of all images */
    double *mean, *inverse;    /* [16 x blocks]; inverse = 1 / sqrt(var + eps) */
    float *scale, *shift;      /* [16 x blocks] */
    float *dx_d, *dx_x, *dx_1; /* A, B, C */
    float *dgamma, *dbeta;
};

static int setup(struct nn_tape *t, struct tape_op *op, struct err *err)
{
    struct norm *m = op->own = arena_alloc(t->arena, sizeof *m);
    const struct tape_tensor *x = op->inputs[0].tensor;
    if (x->rows || x->blocks != op->y->blocks)
        return nn__node_error(op->node, err, ERR_UNSUPPORTED,
                              "only batch norm of images can be trained");
    for (int i = 1; i < 5; i++)
        if (!nn__is_constant(t->graph, op->node->inputs[i]))
            return nn__node_error(op->node, err, ERR_UNSUPPORTED,
                                  "its parameters are not constant");
    m->frozen = !t->params[op->node->inputs[1]].trainable;
    m->epsilon = nn__attr_float(op->node, "epsilon", 1e-5f);
    m->keep = nn__attr_float(op->node, "momentum", 0.9f);
    size_t lanes = (size_t)x->blocks * 16;
    tape__want(t, &m->sums, 2 * 2 * lanes * (size_t)t->batch);
    m->totals = arena_alloc(t->arena, 2 * sizeof *m->totals * lanes);
    m->mean = arena_alloc(t->arena, sizeof *m->mean * lanes);
    m->inverse = arena_alloc(t->arena, sizeof *m->inverse * lanes);
    float **arrays[] = {&m->scale, &m->shift, &m->dx_d, &m->dx_x, &m->dx_1, &m->dgamma, &m->dbeta};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        tape__want(t, arrays[i], lanes);
    t->input_blocked |= x == t->tensors[t->graph->inputs[0]];
    return 0;
}

static double *sums_at(const struct tape_op *op, int image, int block)
{
    const struct norm *m = op->own;
    return (double *)(void *)m->sums + ((size_t)image * (size_t)op->y->blocks + (size_t)block) * 32;
}

void tape__norm_sums(struct nn_tape *t, struct tape_op *norm, int image, int b0, int b1)
{
    const struct norm *m = norm->own;
    const struct tape_tensor *x = norm->inputs[0].tensor;
    for (int b = b0; b < b1 && !m->frozen; b++) {
        double *sums = sums_at(norm, image, b);
        memset(sums, 0, 32 * sizeof *sums);
        for (int r = 0; r < x->h; r++) {
            const float *row =
                tape__image(x, image) + (size_t)b * x->at.plane + (size_t)r * x->at.row;
            t->k->sums16(row, row, (size_t)x->w, sums, sums + 16);
        }
    }
}

static void image_sums(struct nn_tape *t, struct tape_op *op, int image)
{
    tape__norm_sums(t, op, image, 0, op->y->blocks);
}

/* Adds the sums of all images of each channel in order. */
static void add_images(const struct nn_tape *t, const struct tape_op *op)
{
    const struct norm *m = op->own;
    memset(m->totals, 0, 2 * sizeof *m->totals * (size_t)op->y->channels);
    for (int c = 0; c < op->y->channels; c++)
        for (int i = 0; i < t->count; i++) {
            const double *s = sums_at(op, i, c / 16) + c % 16;
            m->totals[2 * c] += s[0];
            m->totals[2 * c + 1] += s[16];
        }
}

static void add_ranks(struct nn_tape *t, const struct tape_op *op)
{
    const struct norm *m = op->own;
    nn_ranks_sum(t->ranks, m->totals, 2 * (size_t)op->y->channels);
}

/* Values of a channel in the whole batch. */
static double values(const struct nn_tape *t, const struct tape_op *op)
{
    return (double)t->count * nn_ranks_count(t->ranks) * op->y->h * op->y->w;
}

static void set_affine(struct nn_tape *t, struct tape_op *op, int channel, double mean, double var)
{
    struct norm *m = op->own;
    double gamma = tape__weights(t, op, 1)[channel], beta = tape__weights(t, op, 2)[channel];
    m->mean[channel] = mean;
    m->inverse[channel] = 1 / sqrt(var + m->epsilon);
    m->scale[channel] = (float)(gamma * m->inverse[channel]);
    m->shift[channel] = (float)(beta - mean * gamma * m->inverse[channel]);
}

/* Statistics of the batch; the running variance is the unbiased one, as PyTorch keeps it. */
static void batch_statistics(struct nn_tape *t, struct tape_op *op)
{
    const struct norm *m = op->own;
    float *running_mean = t->weights + t->params[op->node->inputs[3]].offset;
    float *running_var = t->weights + t->params[op->node->inputs[4]].offset;
    double n = values(t, op);
    add_images(t, op);
    add_ranks(t, op);
    for (int c = 0; c < op->y->channels; c++) {
        const double *s = m->totals + 2 * c;
        double mean = s[0] / n, var = s[1] / n - mean * mean;
        var = var > 0 ? var : 0;
        set_affine(t, op, c, mean, var);
        double unbiased = n > 1 ? var * n / (n - 1) : var;
        running_mean[c] = (float)(m->keep * running_mean[c] + (1 - m->keep) * mean);
        running_var[c] = (float)(m->keep * running_var[c] + (1 - m->keep) * unbiased);
    }
}

static void running_statistics(struct nn_tape *t, struct tape_op *op)
{
    for (int c = 0; c < op->y->channels; c++)
        set_affine(t, op, c, tape__weights(t, op, 3)[c], tape__weights(t, op, 4)[c]);
}

void tape__norm_apply(struct nn_tape *t, struct tape_op *norm, int image)
{
    const struct norm *m = norm->own;
    const struct tape_tensor *x = norm->inputs[0].tensor, *y = norm->y;
    for (int b = 0; b < y->blocks; b++)
        for (int r = 0; r < y->h; r++) {
            struct nn_affine16 a = {
                .a = tape__image(x, image) + (size_t)b * x->at.plane + (size_t)r * x->at.row,
                .y = tape__image(y, image) + (size_t)b * y->at.plane + (size_t)r * y->at.row,
                .a_scale = m->scale + b * 16,
                .shift = m->shift + b * 16,
                .pixels = (size_t)y->w,
                .lo = norm->lo,
                .hi = norm->hi,
            };
            t->k->affine16(&a);
        }
}

static void forward(struct nn_tape *t, struct tape_op *op)
{
    const struct norm *m = op->own;
    if (t->mode == NN_EVAL || m->frozen) {
        running_statistics(t, op);
    } else {
        if (!op->conv)
            tape__each_image(t, op, image_sums);
        batch_statistics(t, op);
    }
    if (!op->applied_by_reader)
        tape__each_image(t, op, tape__norm_apply);
}

/* What the two passes over a gradient have in common. */
static struct nn_norm16 describe(const struct tape_op *op, int image, int block)
{
    const struct norm *m = op->own;
    const struct tape_tensor *x = op->inputs[0].tensor, *y = op->y;
    return (struct nn_norm16){
        .x = tape__image(x, image) + (size_t)block * x->at.plane,
        .dy = tape__grad_image(y, image) + (size_t)block * y->grad_at.plane,
        .x_row = x->at.row,
        .dy_row = y->grad_at.row,
        .rows = y->h,
        .cols = y->w,
        .scale = m->scale + block * 16,
        .shift = m->shift + block * 16,
        .lo = op->lo,
        .hi = op->hi,
    };
}

void tape__norm_gradient_sums(struct nn_tape *t, struct tape_op *norm, int image)
{
    for (int b = 0; b < norm->y->blocks; b++) {
        struct nn_norm16 n = describe(norm, image, b);
        double *sums = sums_at(norm, image, b);
        memset(sums, 0, 32 * sizeof *sums);
        t->k->norm_sums16(&n, sums, sums + 16);
    }
}

static double gamma_gradient(const struct norm *m, int c)
{
    return (m->totals[2 * c + 1] - m->mean[c] * m->totals[2 * c]) * m->inverse[c];
}

/* dgamma and dbeta are this rank's part, as all gradients are before they are summed; dx follows
 * from those of the whole batch. */
static void set_gradients(struct nn_tape *t, struct tape_op *op)
{
    struct norm *m = op->own;
    double n = values(t, op);
    add_images(t, op);
    for (int c = 0; c < op->y->channels; c++) {
        m->dgamma[c] = (float)gamma_gradient(m, c);
        m->dbeta[c] = (float)m->totals[2 * c];
    }
    if (!m->frozen)
        add_ranks(t, op);
    for (int c = 0; c < op->y->channels; c++) {
        double scale = m->scale[c], sum = m->totals[2 * c];
        double slope = m->frozen ? 0 : -scale * gamma_gradient(m, c) * m->inverse[c] / n;
        m->dx_d[c] = (float)scale;
        m->dx_x[c] = (float)slope;
        m->dx_1[c] = m->frozen ? 0 : (float)(-scale * sum / n - slope * m->mean[c]);
    }
}

void tape__norm_gradient(struct nn_tape *t, struct tape_op *norm, int image)
{
    const struct norm *m = norm->own;
    const struct tape_tensor *x = norm->inputs[0].tensor;
    if (!norm->inputs[0].add)
        tape__clear_border(x, image);
    for (int b = 0; b < x->blocks; b++) {
        struct nn_norm16 n = describe(norm, image, b);
        n.dx = tape__grad_image(x, image) + (size_t)b * x->grad_at.plane;
        n.dx_row = x->grad_at.row;
        n.of_dy = m->dx_d + b * 16;
        n.of_x = m->dx_x + b * 16;
        n.of_1 = m->dx_1 + b * 16;
        n.accumulate = norm->inputs[0].add;
        t->k->norm_back16(&n);
    }
}

static void backward(struct nn_tape *t, struct tape_op *op)
{
    if (!op->summed_by_reader)
        tape__each_image(t, op, tape__norm_gradient_sums);
    set_gradients(t, op);
    if (op->inputs[0].tensor->has_grad && !op->conv)
        tape__each_image(t, op, tape__norm_gradient);
}

static void collect(struct nn_tape *t, struct tape_op *op)
{
    const struct norm *m = op->own;
    float *dgamma = tape__gradients(t, op, 1), *dbeta = tape__gradients(t, op, 2);
    size_t bytes = sizeof(float) * (size_t)op->y->channels;
    if (dgamma && op->y->has_grad)
        memcpy(dgamma, m->dgamma, bytes);
    if (dbeta && op->y->has_grad)
        memcpy(dbeta, m->dbeta, bytes);
}

const struct tape_kind tape__norm = {setup, NULL, NULL, forward, backward, collect};
