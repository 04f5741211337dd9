/* Operators of a tape that only move numbers: flatten (image to row) and concat. */
#include <string.h>

#include "base/mem.h"
#include "tape_internal.h"

/* Flatten; Reshape to a matrix is the same */

static int setup_flatten(struct nn_tape *t, struct tape_op *op, struct err *err)
{
    const struct tape_tensor *x = op->inputs[0].tensor;
    if (!op->y->rows)
        return nn__node_error(op->node, err, ERR_UNSUPPORTED,
                              "only a reshape to a matrix can be trained");
    t->input_blocked |= x == t->tensors[t->graph->inputs[0]];
    return 0;
}

static void flatten_image(struct nn_tape *t, struct tape_op *op, int image)
{
    const struct tape_tensor *x = op->inputs[0].tensor;
    if (x->rows) {
        memcpy(tape__image(op->y, image), tape__image(x, image), sizeof(float) * (size_t)x->width);
        return;
    }
    struct nn_nchw p = {tape__image(x, image),
                        tape__image(op->y, image),
                        x->at.plane,
                        x->at.row,
                        x->channels,
                        x->h,
                        x->w};
    t->k->c16_to_nchw(&p, 0, x->blocks);
}

static void flatten_forward(struct nn_tape *t, struct tape_op *op)
{
    tape__forward_images(t, op, flatten_image);
}

static void flatten_back_image(struct nn_tape *t, struct tape_op *op, int image)
{
    (void)t;
    const struct tape_tensor *x = op->inputs[0].tensor;
    const float *d = tape__grad_image(op->y, image);
    if (!op->inputs[0].add)
        tape__clear_grad(x, image);
    float *dx = tape__grad_image(x, image);
    if (x->rows) {
        for (int i = 0; i < x->width; i++)
            dx[i] += d[i];
        return;
    }
    for (int c = 0; c < x->channels; c++)
        for (int r = 0; r < x->h; r++) {
            float *row =
                dx + (size_t)(c / 16) * x->grad_at.plane + (size_t)r * x->grad_at.row + c % 16;
            for (int i = 0; i < x->w; i++)
                row[i * 16] += *d++;
        }
}

static void flatten_backward(struct nn_tape *t, struct tape_op *op)
{
    if (op->inputs[0].tensor->has_grad)
        tape__backward_images(t, op, flatten_back_image);
}

/* Concat along the channels */

static int setup_concat(struct nn_tape *t, struct tape_op *op, struct err *err)
{
    int64_t axis = nn__attr_int(op->node, "axis", 1);
    if (axis != 1 && axis != (op->y->rows ? -1 : -3))
        return nn__node_error(op->node, err, ERR_UNSUPPORTED,
                              "only joining along the channels can be trained");
    if (op->input_count != op->node->input_count)
        return nn__node_error(op->node, err, ERR_UNSUPPORTED,
                              "with a constant it cannot be trained");
    for (int i = 0; i < op->input_count; i++)
        t->input_blocked |= op->inputs[i].tensor == t->tensors[t->graph->inputs[0]];
    return 0;
}

/* Channel c of an image, or number c of a row, as a strided picture. */
static float *channel(float *image, const struct tape_tensor *x, const struct tape_geometry *at,
                      int c)
{
    return x->rows ? image + c : image + (size_t)(c / 16) * at->plane + c % 16;
}

static int channels(const struct tape_tensor *x)
{
    return x->rows ? x->width : x->channels;
}

static void copy_channel(const float *from, size_t from_row, float *to, size_t to_row, int h, int w,
                         bool add)
{
    for (int r = 0; r < h; r++)
        for (int i = 0; i < w; i++) {
            float v = from[(size_t)r * from_row + (size_t)i * 16];
            float *out = &to[(size_t)r * to_row + (size_t)i * 16];
            *out = add ? *out + v : v;
        }
}

static void concat_image(struct nn_tape *t, struct tape_op *op, int image)
{
    (void)t;
    const struct tape_tensor *y = op->y;
    int h = y->h, w = y->rows ? 1 : y->w, at = 0;
    for (int i = 0; i < op->input_count; i++) {
        const struct tape_tensor *x = op->inputs[i].tensor;
        for (int c = 0; c < channels(x); c++, at++)
            copy_channel(channel(tape__image(x, image), x, &x->at, c), x->at.row,
                         channel(tape__image(y, image), y, &y->at, at), y->at.row, h, w, false);
    }
}

static void concat_forward(struct nn_tape *t, struct tape_op *op)
{
    tape__forward_images(t, op, concat_image);
}

static void concat_back_image(struct nn_tape *t, struct tape_op *op, int image)
{
    (void)t;
    const struct tape_tensor *y = op->y;
    int h = y->h, w = y->rows ? 1 : y->w, at = 0;
    for (int i = 0; i < op->input_count; i++) {
        const struct tape_tensor *x = op->inputs[i].tensor;
        if (x->has_grad && !op->inputs[i].add)
            tape__clear_grad(x, image);
        for (int c = 0; c < channels(x); c++, at++)
            if (x->has_grad)
                copy_channel(channel(tape__grad_image(y, image), y, &y->grad_at, at),
                             y->grad_at.row, channel(tape__grad_image(x, image), x, &x->grad_at, c),
                             x->grad_at.row, h, w, true);
    }
}

static void concat_backward(struct nn_tape *t, struct tape_op *op)
{
    tape__backward_images(t, op, concat_back_image);
}

const struct tape_kind tape__flatten = {setup_flatten,    NULL, NULL, flatten_forward,
                                        flatten_backward, NULL};
const struct tape_kind tape__concat = {setup_concat,    NULL, NULL, concat_forward,
                                       concat_backward, NULL};
