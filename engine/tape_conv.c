/* Convolution of a tape: forward, input gradient, weight gradient.
 *
 * DESIGN. Three forms: PLANAR reads the network's input (few channels, no input gradient),
 * DEPTHWISE has one input channel a group, DENSE is all others; groups that are not depthwise are
 * packed into dense weights with zeros between the groups. The input gradient is a convolution of
 * dy with flipped weights. With stride s it falls into s x s phases, each with the taps that meet
 * it: input position s i + p gets sum over t of w[first + step t] dy[i + offset - t gap] where step
 * and gap make step * dilation = gap * s. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "tape_conv.h"
#include "tape_norm.h"

enum { SMALL_WEIGHTS = 65536 }; /* floats that stay in the cache over many images */
enum { GOOD_PIXELS = 144 };     /* a weight gradient wants at least so many */
enum { BLOCKS_AT_ONCE = 2 };    /* what the kernels' register tiles share an input value over */

struct slot_work {
    struct nn_tape *tape;
    struct tape_op *op;
    tape_group_fn *fn;
};

static void run_slots(void *arg, int begin, int end, int thread)
{
    const struct slot_work *s = arg;
    const struct tape_conv *c = s->op->own;
    float *scratch = s->tape->scratch + (size_t)thread * s->tape->scratch_floats;
    for (int slot = begin; slot < end; slot++) {
        int from, to;
        tape__slot(s->tape, slot, &from, &to);
        for (int first = from; first < to; first += c->group)
            s->fn(s->tape, s->op, slot, first, to - first < c->group ? to : first + c->group,
                  scratch);
    }
}

void tape__conv_slots(struct nn_tape *t, struct tape_op *op, tape_group_fn *fn)
{
    struct slot_work s = {t, op, fn};
    pool_for(t->pool, TAPE_SLOTS, 1, run_slots, &s);
}

/* Phases of the input gradient along one axis, and the border of dy that they read. */
static void plan_phases(struct nn_tape *t, struct tape_conv *c, int axis, int *before, int *after)
{
    int stride = c->w.stride[axis], dilation = c->w.dilation[axis], kernel = c->w.kernel[axis];
    int a = stride, b = dilation;
    while (b) { /* greatest common divisor */
        int r = a % b;
        a = b;
        b = r;
    }
    c->step[axis] = stride / a;
    c->gap[axis] = dilation / a;
    c->phases[axis] = arena_alloc(t->arena, sizeof(struct tape_phase) * (size_t)stride);
    *before = *after = 0;
    for (int p = 0; p < stride; p++) {
        int first = 0;
        while (first < kernel && (p + c->w.pad[axis] - first * dilation) % stride)
            first++;
        int taps = nn_taps(kernel, first, c->step[axis]);
        int offset = (p + c->w.pad[axis] - first * dilation) / stride;
        int count = (c->w.in[axis] - p + stride - 1) / stride;
        int reach = (taps - 1) * c->gap[axis] - offset,
            end = count - 1 + offset - c->w.out[axis] + 1;
        c->phases[axis][p] = (struct tape_phase){first, taps, offset};
        if (taps && reach > *before)
            *before = reach;
        if (taps && end > *after)
            *after = end;
    }
}

static enum tape_conv_form choose_form(const struct nn_tape *t, const struct tape_op *op,
                                       const struct tape_conv *c)
{
    if (op->inputs[0].tensor == t->tensors[t->graph->inputs[0]] && c->w.groups == 1)
        return TAPE_PLANAR;
    return c->w.groups > 1 && c->w.groups == c->ic && c->oc == c->ic ? TAPE_DEPTHWISE : TAPE_DENSE;
}

/* Images at a time, when it works by slots. */
static int window(const struct tape_op *op)
{
    const struct tape_conv *c = op->own;
    if (c->form == TAPE_PLANAR)
        return 1;
    bool whole_batch = c->fast      ? tape__winograd_large(c)
                       : c->rounded ? tape__bf16_large(c)
                                    : c->slots == 1;
    return whole_batch ? 0 : c->group;
}

static void plan_memory(struct nn_tape *t, struct tape_op *op, struct tape_conv *c)
{
    const struct tape_tensor *x = op->inputs[0].tensor;
    int kh = c->w.kernel[0], kw = c->w.kernel[1];
    c->size = c->form == TAPE_PLANAR  ? nn_planar_size(c->oc, c->ic, kh, kw)
              : c->form == TAPE_DENSE ? nn_conv16_size(c->oc, c->ic, kh, kw)
                                      : nn_depthwise16_size(c->oc, kh, kw);
    c->slots = c->size > SMALL_WEIGHTS ? 1 : TAPE_SLOTS;
    while (c->group * op->y->h * op->y->w < GOOD_PIXELS)
        c->group *= 2;
    c->fast = tape__winograd_plan(t, op);
    if (!c->fast)
        c->rounded = tape__bf16_plan(t, op);
    if (op->norm && window(op) && TAPE_SLOTS * c->group < t->batch)
        op->y->grad_window = c->group; /* behind a batch norm nobody else sees dy */
    tape__want(t, &c->packed, c->size);
    tape__want(t, &c->dw, c->size * (size_t)c->slots);
    tape__want(t, &c->bias, (size_t)c->out_blocks * 16);
    if (x->has_grad)
        tape__want(t, &c->flipped, c->size);
    if (c->grouped)
        tape__want(t, &c->dense, (size_t)c->oc * (size_t)c->ic * (size_t)(kh * kw));
    c->has_bias = op->node->input_count > 2 && op->node->inputs[2] != NN_NONE;
    if (c->has_bias)
        tape__want(t, &c->db, 2 * 16 * (size_t)t->batch * (size_t)c->out_blocks);
}

static int setup(struct nn_tape *t, struct tape_op *op, struct err *err)
{
    struct tape_conv *c = op->own = arena_alloc(t->arena, sizeof *c);
    int code = nn__window(t->graph, op->node, &c->w, err);
    if (code < 0)
        return code;
    if (!nn__is_constant(t->graph, op->node->inputs[1]))
        return nn__node_error(op->node, err, ERR_UNSUPPORTED, "its weights are not constant");
    struct tape_tensor *x = op->inputs[0].tensor, *dy = tape__grad_root(op->y);
    c->group = 1;
    c->oc = op->y->channels;
    c->ic = x->channels;
    c->out_blocks = op->y->blocks;
    c->in_blocks = x->blocks;
    c->form = choose_form(t, op, c);
    c->grouped = c->form == TAPE_DENSE && c->w.groups > 1;
    const int *p = c->w.pad;
    if (c->form == TAPE_PLANAR) {
        tape__want_border(t->planar_at.border, p[0], p[1], p[2], p[3]);
    } else {
        tape__want_border(x->at.border, p[0], p[1], p[2], p[3]);
        t->input_blocked |= x == t->tensors[t->graph->inputs[0]];
    }
    if (x->has_grad) {
        const int *before = c->dy_before, *after = c->dy_after;
        for (int axis = 0; axis < 2; axis++)
            plan_phases(t, c, axis, &c->dy_before[axis], &c->dy_after[axis]);
        tape__want_border(dy->grad_at.border, before[0], before[1], after[0], after[1]);
    }
    plan_memory(t, op, c);
    return 0;
}

/* Grouped weights [oc][ic / groups][taps] <-> dense [oc][ic][taps] with zeros. */
static void copy_groups(const struct tape_conv *c, float *dense, const float *in, float *out)
{
    int taps = c->w.kernel[0] * c->w.kernel[1], per_in = c->ic / c->w.groups;
    size_t run = (size_t)per_in * (size_t)taps;
    for (int o = 0; o < c->oc; o++) {
        int group = o / (c->oc / c->w.groups);
        float *at = dense + ((size_t)o * (size_t)c->ic + (size_t)(group * per_in)) * (size_t)taps;
        if (in)
            memcpy(at, in + (size_t)o * run, run * sizeof *at);
        else
            memcpy(out + (size_t)o * run, at, run * sizeof *at);
    }
}

/* The flipped weights of every phase, behind each other. */
static void flip(const struct nn_tape *t, const struct tape_conv *c)
{
    float *out = c->flipped;
    for (int i = 0; i < c->w.stride[0]; i++)
        for (int j = 0; j < c->w.stride[1]; j++) {
            const struct tape_phase *r = &c->phases[0][i], *q = &c->phases[1][j];
            struct nn_flip16 f = {
                c->packed,      out,      c->out_blocks, c->in_blocks, c->w.kernel[0],
                c->w.kernel[1], r->first, q->first,      c->step[0],   c->step[1]};
            if (c->form == TAPE_DEPTHWISE)
                nn_depthwise16_flip(&f);
            else
                t->k->flip16(&f, 0, c->in_blocks);
            out +=
                c->size / (size_t)(c->w.kernel[0] * c->w.kernel[1]) * (size_t)(r->taps * q->taps);
        }
}

static void prepare(const struct nn_tape *t, struct tape_op *op)
{
    struct tape_conv *c = op->own;
    const float *w = tape__weights(t, op, 1), *bias = tape__weights(t, op, 2);
    int kh = c->w.kernel[0], kw = c->w.kernel[1];
    if (c->grouped) {
        memset(c->dense, 0, sizeof *w * (size_t)c->oc * (size_t)c->ic * (size_t)(kh * kw));
        copy_groups(c, c->dense, w, NULL);
    }
    if (c->form == TAPE_PLANAR)
        nn_planar_pack(w, c->oc, c->ic, kh, kw, c->packed);
    else if (c->form == TAPE_DENSE)
        nn_conv16_pack(c->grouped ? c->dense : w, c->oc, c->ic, kh, kw, c->packed);
    else
        nn_depthwise16_pack(w, c->oc, kh, kw, c->packed);
    if (bias)
        memcpy(c->bias, bias, sizeof *bias * (size_t)c->oc);
    if (t->mode == NN_TRAIN && op->inputs[0].tensor->has_grad && op->y->has_grad)
        flip(t, c);
    if (c->fast)
        tape__winograd_prepare(t, op);
    if (c->rounded)
        tape__bf16_prepare(t, op);
}

const float *tape__conv_input(const struct nn_tape *t, const struct tape_op *op, int image)
{
    const struct tape_conv *c = op->own;
    const struct tape_tensor *x = op->inputs[0].tensor;
    const int *p = c->w.pad;
    if (c->form == TAPE_PLANAR)
        return t->planar + (size_t)image * t->planar_at.image + t->planar_at.origin -
               (size_t)p[0] * t->planar_at.row - (size_t)p[1];
    return tape__image(x, image) - (size_t)p[0] * x->at.row - (size_t)p[1] * 16;
}

static const struct tape_geometry *input_geometry(const struct nn_tape *t, const struct tape_op *op)
{
    const struct tape_conv *c = op->own;
    return c->form == TAPE_PLANAR ? &t->planar_at : &op->inputs[0].tensor->at;
}

typedef void conv_fn(const struct nn_conv16 *c, int b0, int b1, int r0, int r1);

static void forward_block(struct nn_tape *t, struct tape_op *op, int image, int b0, int b1)
{
    const struct tape_conv *c = op->own;
    const struct tape_tensor *y = op->y;
    const struct tape_geometry *at = input_geometry(t, op);
    struct nn_conv16 k = {
        .x = tape__conv_input(t, op, image),
        .w = c->packed,
        .bias = c->has_bias ? c->bias : NULL,
        .y = tape__image(y, image),
        .x_plane = at->plane,
        .x_row = at->row,
        .y_plane = y->at.plane,
        .y_row = y->at.row,
        .y_col = 16,
        .ic = c->ic,
        .ow = y->w,
        .kh = c->w.kernel[0],
        .kw = c->w.kernel[1],
        .stride_h = c->w.stride[0],
        .stride_w = c->w.stride[1],
        .dilation_h = c->w.dilation[0],
        .dilation_w = c->w.dilation[1],
        .lo = op->lo,
        .hi = op->hi,
    };
    conv_fn *fn = c->form == TAPE_PLANAR  ? t->k->conv16_planar
                  : c->form == TAPE_DENSE ? t->k->conv16
                                          : t->k->depthwise16;
    fn(&k, b0, b1, 0, y->h);
    if (op->norm && t->mode == NN_TRAIN)
        tape__norm_sums(t, op->norm, image, b0, b1);
}

static int next_blocks(int b, int blocks)
{
    return blocks - b < BLOCKS_AT_ONCE ? blocks : b + BLOCKS_AT_ONCE;
}

/* Weights that do not fit the cache go block by block over a slot of images. */
static void forward_slot(struct nn_tape *t, struct tape_op *op, int slot)
{
    const struct tape_conv *c = op->own;
    int begin, end;
    tape__slot(t, slot, &begin, &end);
    for (int i = begin; i < end; i++)
        tape__begin_image(t, op, i);
    for (int b = 0; b < c->out_blocks; b += BLOCKS_AT_ONCE)
        for (int i = begin; i < end; i++)
            forward_block(t, op, i, b, next_blocks(b, c->out_blocks));
}

static void forward_image(struct nn_tape *t, struct tape_op *op, int image)
{
    const struct tape_conv *c = op->own;
    forward_block(t, op, image, 0, c->out_blocks);
}

static void forward(struct nn_tape *t, struct tape_op *op)
{
    const struct tape_conv *c = op->own;
    if (c->fast)
        tape__winograd_forward(t, op);
    else if (c->rounded)
        tape__bf16_forward(t, op);
    else if (c->slots == 1)
        tape__each(t, op, TAPE_SLOTS, forward_slot);
    else
        tape__forward_images(t, op, forward_image);
}

static double *bias_sums(const struct tape_conv *c, int image)
{
    return (double *)(void *)c->db + (size_t)image * (size_t)c->out_blocks * 16;
}

/* dy before the clip, and the bias gradient of one image. */
static void unclip_image(struct nn_tape *t, struct tape_op *op, int image)
{
    struct tape_conv *c = op->own;
    const struct tape_tensor *y = op->y;
    double unused[16] = {0}, *db = c->has_bias ? bias_sums(c, image) : unused;
    bool clips = op->lo > -INFINITY || op->hi < INFINITY;
    if (c->has_bias)
        memset(db, 0, sizeof *db * 16 * (size_t)c->out_blocks);
    for (int b = 0; b < c->out_blocks; b++)
        for (int r = 0; r < y->h; r++) {
            const float *out =
                tape__image(y, image) + (size_t)b * y->at.plane + (size_t)r * y->at.row;
            float *dy = tape__grad_image(y, image) + (size_t)b * y->grad_at.plane +
                        (size_t)r * y->grad_at.row;
            if (clips)
                t->k->clip_back(out, dy, dy, (size_t)y->w * 16, op->lo, op->hi);
            if (c->has_bias)
                t->k->sums16(dy, dy, (size_t)y->w, db + b * 16, unused);
        }
}

const float *tape__conv_output_gradient_at(const struct tape_op *op, int image)
{
    const struct tape_conv *c = op->own;
    const struct tape_geometry *at = &op->y->grad_at;
    ptrdiff_t top = c->phases[0][0].offset - (c->phases[0][0].taps - 1);
    ptrdiff_t left = c->phases[1][0].offset - (c->phases[1][0].taps - 1);
    return tape__grad_image(op->y, image) + top * (ptrdiff_t)at->row + left * 16;
}

int tape__conv_phase_rows(const struct tape_op *op, int p)
{
    const struct tape_conv *c = op->own;
    return (op->inputs[0].tensor->h - p + c->w.stride[0] - 1) / c->w.stride[0];
}

struct nn_conv16 tape__conv_phase(const struct tape_op *op, int image, int p, int q)
{
    const struct tape_conv *c = op->own;
    const struct tape_tensor *x = op->inputs[0].tensor, *y = op->y;
    const struct tape_phase *pr = &c->phases[0][p], *pc = &c->phases[1][q];
    ptrdiff_t top = pr->offset - (pr->taps - 1) * c->gap[0];
    ptrdiff_t left = pc->offset - (pc->taps - 1) * c->gap[1];
    return (struct nn_conv16){
        .x = tape__grad_image(y, image) + top * (ptrdiff_t)y->grad_at.row + left * 16,
        .y = tape__grad_image(x, image) + (size_t)p * x->grad_at.row + (size_t)q * 16,
        .x_plane = y->grad_at.plane,
        .x_row = y->grad_at.row,
        .y_plane = x->grad_at.plane,
        .y_row = x->grad_at.row * (size_t)c->w.stride[0],
        .y_col = 16 * (size_t)c->w.stride[1],
        .ic = c->oc,
        .ow = (x->w - q + c->w.stride[1] - 1) / c->w.stride[1],
        .kh = pr->taps,
        .kw = pc->taps,
        .stride_h = 1,
        .stride_w = 1,
        .dilation_h = c->gap[0],
        .dilation_w = c->gap[1],
        .accumulate = op->inputs[0].add,
        .lo = -INFINITY,
        .hi = INFINITY,
    };
}

static bool has_empty_phase(const struct tape_conv *c)
{
    return c->w.stride[0] > c->w.kernel[0] || c->w.stride[1] > c->w.kernel[1] ||
           c->gap[0] < c->w.dilation[0] || c->gap[1] < c->w.dilation[1];
}

void tape__conv_begin_input_gradient(struct tape_op *op, int image)
{
    if (op->inputs[0].add)
        return;
    if (has_empty_phase(op->own))
        tape__clear_grad(op->inputs[0].tensor, image);
    else
        tape__clear_border(op->inputs[0].tensor, image);
}

static void input_gradient_blocks(struct nn_tape *t, struct tape_op *op, int image, int b0, int b1)
{
    const struct tape_conv *c = op->own;
    const float *w = c->flipped;
    conv_fn *fn = c->form == TAPE_DEPTHWISE ? t->k->depthwise16 : t->k->conv16;
    for (int p = 0; p < c->w.stride[0]; p++)
        for (int q = 0; q < c->w.stride[1]; q++) {
            struct nn_conv16 k = tape__conv_phase(op, image, p, q);
            size_t taps = (size_t)(k.kh * k.kw);
            k.w = w;
            if (taps)
                fn(&k, b0, b1, 0, tape__conv_phase_rows(op, p));
            w += c->size / (size_t)(c->w.kernel[0] * c->w.kernel[1]) * taps;
        }
}

static void input_gradient_slot(struct nn_tape *t, struct tape_op *op, int slot)
{
    const struct tape_conv *c = op->own;
    int begin, end;
    tape__slot(t, slot, &begin, &end);
    for (int i = begin; i < end; i++)
        tape__conv_begin_input_gradient(op, i);
    for (int b = 0; b < c->in_blocks; b += BLOCKS_AT_ONCE)
        for (int i = begin; i < end; i++)
            input_gradient_blocks(t, op, i, b, next_blocks(b, c->in_blocks));
    for (int i = begin; i < end; i++)
        tape__end_image(t, op, i);
}

/* Adds the weight gradient of some images and blocks to a slot's sum. */
static void weight_gradient(struct nn_tape *t, struct tape_op *op, int slot, int begin, int end,
                            int o0, int o1)
{
    const struct tape_conv *c = op->own;
    const struct tape_tensor *y = op->y;
    const struct tape_geometry *at = input_geometry(t, op);
    struct nn_conv16_dw k = {
        .x = tape__conv_input(t, op, begin),
        .dy = tape__grad_image(y, begin),
        .dw = c->dw + (size_t)slot * c->size,
        .x_image = at->image,
        .x_plane = at->plane,
        .x_row = at->row,
        .dy_image = y->grad_at.image,
        .dy_plane = y->grad_at.plane,
        .dy_row = y->grad_at.row,
        .images = end - begin,
        .ic = c->ic,
        .oh = y->h,
        .ow = y->w,
        .kh = c->w.kernel[0],
        .kw = c->w.kernel[1],
        .stride_h = c->w.stride[0],
        .stride_w = c->w.stride[1],
        .dilation_h = c->w.dilation[0],
        .dilation_w = c->w.dilation[1],
    };
    if (c->form == TAPE_PLANAR)
        t->k->conv16_planar_dw(&k, o0, o1, 0, c->ic);
    else if (c->form == TAPE_DENSE)
        t->k->conv16_dw(&k, o0, o1, 0, c->in_blocks);
    else
        t->k->depthwise16_dw(&k, o0, o1);
}

void tape__conv_output_gradient(struct nn_tape *t, struct tape_op *op, int image)
{
    const struct tape_conv *c = op->own;
    if (op->norm)
        tape__norm_gradient(t, op->norm, image);
    if (c->has_bias || op->lo > -INFINITY || op->hi < INFINITY)
        unclip_image(t, op, image);
}

/* Small weights: everything for a few images while they are in the cache. Small images go several
 * at a time, which the weight gradient likes. */
static void backward_group(struct nn_tape *t, struct tape_op *op, int slot, int first, int last)
{
    const struct tape_conv *c = op->own;
    const struct tape_tensor *x = op->inputs[0].tensor;
    for (int i = first; i < last; i++)
        tape__conv_output_gradient(t, op, i);
    for (int i = first; i < last && x->window; i++)
        tape__begin_image(t, op, i);
    if (tape__gradients(t, op, 1))
        weight_gradient(t, op, slot, first, last, 0, c->out_blocks);
    for (int i = first; i < last && x->has_grad; i++) {
        tape__conv_begin_input_gradient(op, i);
        input_gradient_blocks(t, op, i, 0, c->in_blocks);
        tape__end_image(t, op, i);
    }
}

static void backward_slot(struct nn_tape *t, struct tape_op *op, int slot)
{
    const struct tape_conv *c = op->own;
    int begin, end;
    tape__slot(t, slot, &begin, &end);
    memset(c->dw + (size_t)slot * c->size, 0, c->size * sizeof *c->dw);
    for (int i = begin; i < end; i += c->group)
        backward_group(t, op, slot, i, end - i < c->group ? end : i + c->group);
}

/* Large weights: some output blocks over all images, so that their sums stay in the cache. */
static void weight_gradient_blocks(struct nn_tape *t, struct tape_op *op, int job)
{
    const struct tape_conv *c = op->own;
    size_t part = c->size / (size_t)c->out_blocks;
    int b0 = job * BLOCKS_AT_ONCE, b1 = next_blocks(b0, c->out_blocks);
    memset(c->dw + (size_t)b0 * part, 0, (size_t)(b1 - b0) * part * sizeof *c->dw);
    weight_gradient(t, op, 0, 0, t->count, b0, b1);
}

static void backward(struct nn_tape *t, struct tape_op *op)
{
    const struct tape_conv *c = op->own;
    if (c->fast) {
        tape__winograd_backward(t, op);
        return;
    }
    if (c->rounded) {
        tape__bf16_backward(t, op);
        return;
    }
    if (c->slots > 1) {
        tape__each(t, op, TAPE_SLOTS, backward_slot);
        return;
    }
    tape__each_image(t, op, tape__conv_output_gradient);
    if (tape__gradients(t, op, 1))
        tape__each(t, op, (c->out_blocks + BLOCKS_AT_ONCE - 1) / BLOCKS_AT_ONCE,
                   weight_gradient_blocks);
    if (op->inputs[0].tensor->has_grad)
        tape__each(t, op, TAPE_SLOTS, input_gradient_slot);
}

static void unpack(const struct tape_conv *c, float *dw)
{
    int kh = c->w.kernel[0], kw = c->w.kernel[1];
    if (c->form == TAPE_PLANAR)
        nn_planar_unpack(c->dw, c->oc, c->ic, kh, kw, dw);
    else if (c->form == TAPE_DEPTHWISE)
        nn_depthwise16_unpack(c->dw, c->oc, kh, kw, dw);
    else
        nn_conv16_unpack(c->dw, c->oc, c->ic, kh, kw, c->grouped ? c->dense : dw);
    if (c->grouped)
        copy_groups(c, c->dense, NULL, dw);
}

static void collect(struct nn_tape *t, struct tape_op *op)
{
    const struct tape_conv *c = op->own;
    float *dw = tape__gradients(t, op, 1), *db = tape__gradients(t, op, 2);
    if (dw && op->y->has_grad) {
        for (int s = 1; s < c->slots; s++)
            t->k->axpby(1, c->dw + (size_t)s * c->size, 1, c->dw, c->size);
        unpack(c, dw);
    }
    for (int o = 0; db && o < c->oc; o++) {
        double sum = 0;
        for (int i = 0; i < t->count; i++)
            sum += bias_sums(c, i)[o];
        db[o] = (float)sum;
    }
}

const struct tape_kind tape__conv = {setup, window, prepare, forward, backward, collect};
