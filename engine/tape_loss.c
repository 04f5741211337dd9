/* Outputs of a tape as plain rows, and their softmax cross-entropy. */
#include <math.h>
#include <string.h>

#include "tape_internal.h"

static void copy_row(struct nn_tape *t, struct tape_op *op, int image)
{
    (void)op;
    for (size_t i = 0; i < t->graph->output_count; i++) {
        const struct tape_output *o = &t->outputs[i];
        const struct tape_tensor *x = o->tensor;
        float *row = o->rows + (size_t)image * (size_t)x->width;
        const float *from = tape__image(x, image);
        for (int c = 0; c < x->width; c++) /* blocks of one pixel */
            row[c] = x->rows ? from[c] : from[(size_t)(c / 16) * x->at.plane + c % 16];
    }
}

void tape__collect_outputs(struct nn_tape *t)
{
    tape__each_image(t, NULL, copy_row);
}

static void spread_row(struct nn_tape *t, struct tape_op *op, int image)
{
    (void)op;
    for (size_t i = 0; i < t->graph->output_count; i++) {
        const struct tape_output *o = &t->outputs[i];
        const struct tape_tensor *x = o->tensor;
        if (!x->has_grad)
            continue;
        tape__clear_grad(x, image);
        const float *row = o->gradient + (size_t)image * (size_t)x->width;
        float *to = tape__grad_image(x, image);
        for (int c = 0; c < x->width; c++)
            to[x->rows ? (size_t)c : (size_t)(c / 16) * x->grad_at.plane + c % 16] = row[c];
    }
}

void tape__spread_gradients(struct nn_tape *t)
{
    tape__each_image(t, NULL, spread_row);
}

static float share(const struct nn_target *g, int classes, int image, int c)
{
    if (g->shares)
        return g->shares[(size_t)image * (size_t)classes + (size_t)c];
    return g->labels[image] == c ? 1.0f : 0.0f;
}

static float class_weight(const struct nn_target *g, int c)
{
    return g->class_weights ? g->class_weights[c] : 1.0f;
}

/* The part of an image in the loss: its class weights by share. */
static double image_weight(const struct nn_target *g, int classes, int image)
{
    double sum = 0;
    for (int c = 0; c < classes; c++)
        sum += (double)share(g, classes, image, c) * class_weight(g, c);
    return sum;
}

/* One image: its loss times `norm`, and the gradient of that. With Q = sum of w_c q_c:
 * d loss / d x_c = Q softmax(x)_c - w_c q_c. */
static double image_loss(const struct nn_target *g, int classes, int image, const float *x,
                         float *dx, double norm)
{
    double top = x[0], sum = 0, loss = 0, total = 0;
    for (int c = 1; c < classes; c++)
        top = x[c] > top ? x[c] : top;
    for (int c = 0; c < classes; c++)
        sum += exp(x[c] - top);
    for (int c = 0; c < classes; c++) {
        double q = (1 - g->smoothing) * share(g, classes, image, c) + g->smoothing / classes;
        q *= class_weight(g, c);
        loss -= q * (x[c] - top - log(sum));
        total += q;
        dx[c] = (float)(-norm * q);
    }
    for (int c = 0; c < classes; c++)
        dx[c] += (float)(norm * total * exp(x[c] - top) / sum);
    return norm * loss;
}

static double output_loss(struct nn_tape *t, struct tape_output *o, const struct nn_target *g)
{
    int classes = o->tensor->width;
    double weights = 0, loss = 0;
    memset(o->gradient, 0, sizeof *o->gradient * (size_t)t->count * (size_t)classes);
    for (int i = 0; i < t->count && g->weight != 0; i++)
        weights += image_weight(g, classes, i);
    nn_ranks_sum(t->ranks, &weights, 1);
    for (int i = 0; i < t->count && weights > 0; i++) {
        size_t at = (size_t)i * (size_t)classes;
        if (image_weight(g, classes, i) > 0)
            loss += image_loss(g, classes, i, o->rows + at, o->gradient + at, g->weight / weights);
    }
    return loss;
}

float nn_tape_loss(struct nn_tape *t, const struct nn_target *targets)
{
    double loss = 0;
    for (size_t i = 0; i < t->graph->output_count; i++)
        loss += output_loss(t, &t->outputs[i], &targets[i]);
    nn_ranks_sum(t->ranks, &loss, 1);
    return (float)loss;
}
