/* Convolutions by dot products (struct nn_dot16): in bfloat16, in 8 bits, and what can be seen as
 * one of the latter: Gemm is a convolution with the size of the image, a sum of two images a
 * depthwise 1 x 1 with a residual, a product of an image and one factor a channel a depthwise 1 x 1
 * whose scales are known when it runs, a mean a depthwise one with equal weights, a part of a
 * Concat a depthwise 1 x 1.
 *
 * In bfloat16 images stay floats: what a convolution reads of one is rounded into scratch first.
 *
 * In 8 bits x stands for (byte - zero) * x_scale: x_scale goes into the scale of each output
 * channel, zero into its bias. Results are rounded once, at the end. */
#include "exec.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"

enum kind { BYTES, DEPTHWISE_BYTES, BFLOAT };

struct dot {
    enum kind kind;
    bool y_bytes, add_bytes;
    bool flat;               /* rows follow each other without gaps, in x, y and add */
    struct nn_dot16 c;       /* all but x, y, add */
    struct nn__view x, y, add, factor; /* those without images are not there */
    size_t x_start;          /* of the padded input */
    int oh, blocks;
    struct nn__cut cut;
    int rounded_rows;        /* BFLOAT: of x, as long as c.x_row */
};

struct dot_call {
    const struct dot *c;
    const struct nn__env *e;
    const void *x, *add;
    const float *factor;
    void *y;
    uint16_t *rounded; /* BFLOAT: the image at work */
    int image;         /* its index; else the first of all */
};

/* The pointers of one image. */
static struct nn_dot16 at_image(const struct dot_call *call, size_t image)
{
    const struct dot *c = call->c;
    struct nn_dot16 k = c->c;
    size_t y = c->y.start + image * c->y.image, add = c->add.start + image * c->add.image;
    k.x = c->kind == BFLOAT ? (const void *)call->rounded
                            : (const uint8_t *)call->x + c->x_start + image * c->x.image;
    if (c->y_bytes)
        k.y_u8 = (uint8_t *)call->y + y;
    else
        k.y = (float *)call->y + y;
    if (call->add && c->add_bytes)
        k.add_u8 = (const uint8_t *)call->add + add;
    else if (call->add)
        k.add = (const float *)call->add + add;
    return k;
}

/* Scales and biases of blocks [b0, b1), multiplied by what one image's factors are, in scratch. */
static void take_factors(const struct dot_call *call, struct nn_dot16 *k, struct nn__part p,
                         float *scratch)
{
    const struct nn__view *f = &call->c->factor;
    float *scale = scratch, *bias = scratch + call->c->blocks * 16;
    for (int b = p.b0; b < p.b1; b++)
        for (int i = b * 16; i < b * 16 + 16; i++) {
            float factor = call->factor[f->start + (size_t)(call->image + p.image) * f->image +
                                        (size_t)b * f->plane + (size_t)(i % 16)];
            scale[i] = k->scale[i] * factor;
            bias[i] = k->bias[i] * factor;
        }
    k->scale = scale;
    k->bias = bias;
}

/* A piece: some blocks and rows of one image. */
static void run_pieces(void *arg, int begin, int end, int thread)
{
    const struct dot_call *call = arg;
    const struct dot *c = call->c;
    for (int i = begin; i < end; i++) {
        struct nn__part p = nn__part(&c->cut, i);
        struct nn_dot16 k = at_image(call, (size_t)(call->image + p.image));
        if (call->factor)
            take_factors(call, &k, p, nn__scratch(call->e, thread));
        if (c->kind == BFLOAT)
            call->e->k->bconv16(&k, p.b0, p.b1, p.r0, p.r1);
        else if (c->kind == DEPTHWISE_BYTES)
            call->e->k->qdepthwise16(&k, p.b0, p.b1, p.r0, p.r1);
        else
            call->e->k->qconv16(&k, p.b0, p.b1, p.r0, p.r1);
    }
}

static struct dot_call call_of(const struct nn__step *s, const struct nn__env *e)
{
    const struct dot *c = s->context;
    int add = s->add >= 0 ? s->add : c->add.images > 0 ? s->in[1] : -1;
    return (struct dot_call){.c = c, .e = e, .x = e->at[s->in[0]],
                             .add = add >= 0 ? e->at[add] : NULL,
                             .factor = c->factor.images > 0 ? e->at[s->in[1]] : NULL,
                             .y = e->at[s->out[0]]};
}

static void run_bytes(const struct nn__step *s, const struct nn__env *e)
{
    struct dot_call call = call_of(s, e);
    pool_for(e->pool, call.c->x.images * nn__pieces(&call.c->cut), 1, run_pieces, &call);
}

/* A step of several: groups of a convolution, or the parts of a Concat, each of its own input. */
struct dot_list {
    int count;
    bool joined; /* part i reads input i */
    struct dot *parts;
};

static void run_list(const struct nn__step *s, const struct nn__env *e)
{
    const struct dot_list *l = s->context;
    for (int i = 0; i < l->count; i++) {
        const struct dot *c = &l->parts[i];
        struct dot_call call = {.c = c,
                                .e = e,
                                .x = e->at[s->in[l->joined ? i : 0]],
                                .add = s->add >= 0 ? e->at[s->add] : NULL,
                                .y = e->at[s->out[0]]};
        pool_for(e->pool, c->x.images * nn__pieces(&c->cut), 1, run_pieces, &call);
    }
}

static struct dot_list *list_of(struct nn__compiler *c, struct nn__step *s, int count,
                                const char *kernel)
{
    struct dot_list *l = nn__context(c, sizeof *l);
    l->count = count;
    l->parts = nn__context(c, sizeof *l->parts * (size_t)count);
    s->context = l;
    s->run = run_list;
    s->info.kernel = kernel;
    return l;
}

/* Planes of the image at work. */
static void round_planes(void *arg, int begin, int end, int thread)
{
    const struct dot_call *call = arg;
    const struct dot *c = call->c;
    (void)thread;
    for (int b = begin; b < end; b++)
        for (int r = 0; r < c->rounded_rows; r++)
            call->e->k->f32_to_bf16((const float *)call->x + c->x_start +
                                        (size_t)call->image * c->x.image +
                                        (size_t)b * c->x.plane + (size_t)r * c->x.row,
                                    call->rounded + (size_t)b * c->c.x_plane +
                                        (size_t)r * c->c.x_row,
                                    c->c.x_row);
}

static void whole_images(void *arg, int begin, int end, int thread)
{
    struct dot_call call = *(const struct dot_call *)arg;
    call.rounded = (uint16_t *)(void *)nn__scratch(call.e, thread);
    for (call.image = begin; call.image < end; call.image++) {
        round_planes(&call, 0, call.c->x.planes, thread);
        run_pieces(&call, 0, nn__pieces(&call.c->cut), thread);
    }
}

/* With many images a thread takes whole ones, with few the threads share each. */
static void run_bfloat(const struct nn__step *s, const struct nn__env *e)
{
    struct dot_call call = call_of(s, e);
    const struct dot *c = call.c;
    int threads = pool_size(e->pool);
    if (threads == 1 || c->x.images >= 2 * threads) {
        pool_for(e->pool, c->x.images, 1, whole_images, &call);
        return;
    }
    call.rounded = (uint16_t *)(void *)nn__scratch(e, 0);
    for (; call.image < c->x.images; call.image++) {
        pool_for(e->pool, c->x.planes, 2, round_planes, &call);
        pool_for(e->pool, nn__pieces(&c->cut), 1, run_pieces, &call);
    }
}

/* Threads divide the rows; the output channels only where rows do not come out even. */
static void choose_pieces(const struct nn__compiler *c, struct dot *v)
{
    enum { SPEED = 2 }; /* beside floats */
    int images = v->x.images, pixels = v->c.ow * v->oh;
    int64_t ic = v->kind == DEPTHWISE_BYTES ? 1 : v->c.ic;
    int64_t macs = ic * v->c.kh * v->c.kw * pixels * v->blocks * 16 * images / SPEED;
    int rows = nn__flat_rows(pixels, nn__cuts(c, macs) / images);
    if (v->flat && v->kind != BFLOAT && rows > 0) {
        v->oh = rows;
        v->c.ow = pixels / rows;
        v->c.x_row = v->c.y_row = v->c.add_row = (size_t)v->c.ow * 16;
    }
    v->cut = nn__cut(c, images, v->blocks, v->oh, macs, !nn__even(c, v->oh));
}

/* A 1 x 1 convolution sees an image without gaps as one long row. */
static bool is_flat(const struct dot *v, const struct nn_window *w)
{
    return w->kernel[0] * w->kernel[1] == 1 && w->stride[0] * w->stride[1] == 1 &&
           v->x.row == v->x.width && v->y.row == v->y.width &&
           (v->add.width == 0 || v->add.row == v->add.width);
}

static void set_geometry(struct nn__compiler *c, const struct nn__job *j, struct dot *v,
                         const struct nn_window *w, int add)
{
    v->x = nn__view(nn__place(c, j->in[0]));
    v->y = nn__view(nn__place(c, j->out[0]));
    v->y_bytes = nn__place(c, j->out[0])->layout == NN_Q16;
    if (add >= 0) {
        v->add = nn__view(nn__place(c, add));
        v->add_bytes = nn__place(c, add)->layout == NN_Q16;
    }
    v->x_start = v->x.start - (size_t)w->pad[0] * v->x.row - (size_t)w->pad[1] * 16;
    v->oh = w->out[0];
    v->blocks = v->y.planes;
    v->c = (struct nn_dot16){
        .x_plane = v->x.plane, .x_row = v->x.row, .y_plane = v->y.plane, .y_row = v->y.row,
        .y_col = 16, .add_plane = v->add.plane, .add_row = v->add.row, .ow = w->out[1],
        .kh = w->kernel[0], .kw = w->kernel[1], .stride_h = w->stride[0],
        .stride_w = w->stride[1], .dilation_h = w->dilation[0], .dilation_w = w->dilation[1],
        .lo = j->epilogue->lo, .hi = j->epilogue->hi};
    v->flat = is_flat(v, w);
    if (v->flat) {
        v->c.ow *= v->oh;
        v->oh = 1;
    }
}

static void set_quant(const struct nn__compiler *c, struct dot *v, nn_value y, nn_value add)
{
    if (v->y_bytes) {
        v->c.y_scale = 1 / c->quant[y].scale;
        v->c.y_shift = c->quant[y].zero;
    }
    if (v->add_bytes) {
        v->c.add_scale = c->quant[add].scale;
        v->c.add_shift = -c->quant[add].scale * c->quant[add].zero;
    }
}

static void finish(const struct nn__compiler *c, struct nn__step *s, struct dot *v,
                   const char *kernel)
{
    choose_pieces(c, v);
    s->context = v;
    s->run = v->kind == BFLOAT ? run_bfloat : run_bytes;
    s->info.kernel = kernel;
}

/* Scale and bias of output channel o, whose weights (as stored) sum up to `sum`. */
static void set_channel(const struct nn__compiler *c, const struct nn__job *j, float *scale,
                        float *bias, int o, double weight_scale, double sum)
{
    const struct nn__epilogue *e = j->epilogue;
    const struct nn__quant *x = &c->quant[j->node->inputs[0]];
    const float *given = e->shift ? e->shift : nn__floats_of(c, j->node, 2);
    double s = weight_scale * x->scale * (e->scale ? e->scale[o] : 1);
    scale[o] = (float)s;
    bias[o] = (float)((given ? given[o] : 0) - s * x->zero * sum);
}

/* Packs the s8 weights of output channels [first, first + oc), which are `groups` groups: between
 * them lie zeros. A Gemm's are brought to [oc][ic] first. */
static int pack_codes(struct nn__compiler *c, const struct nn__job *j, struct dot *v, int first,
                      int oc, int groups, float *scale, float *bias, struct err *err)
{
    const struct nn_node *n = j->node;
    const struct nn__coded *w = nn__codes_of(c, n->inputs[1]);
    const int8_t *codes = nn__value(c->g, w->codes)->data;
    const struct nn_tensor *scales = nn__value(c->g, w->scale);
    bool across = n->op == NN_OP_GEMM && !nn__attr_int(n, "transB", 0);
    bool one = nn__shape_elements(&scales->shape, 1) == 1;
    size_t row = (size_t)v->c.ic * (size_t)(v->c.kh * v->c.kw), each = row / (size_t)groups;
    size_t size = nn_dot16_size(oc, v->c.ic, v->c.kh, v->c.kw);
    float *packed = nn__plan_floats(c->plan, (int64_t)(size / sizeof(float)), err);
    int8_t *rows = packed ? mem_try_aligned(row * (size_t)oc, 1) : NULL;
    if (!rows)
        return err_set(err, ERR_NO_MEMORY, "no memory for the weights of %s", n->name);
    memset(rows, 0, row * (size_t)oc);
    for (int o = 0; o < oc; o++) {
        double sum = 0;
        size_t group = (size_t)(o / (oc / groups)), from = (size_t)(first + o);
        int8_t *to = rows + (size_t)o * row + group * each;
        for (size_t i = 0; i < each; i++) {
            to[i] = across ? codes[i * (size_t)oc + from] : codes[from * each + i];
            sum += to[i];
        }
        set_channel(c, j, scale, bias, first + o, nn__element(scales, one ? 0 : first + o), sum);
    }
    nn_qconv16_pack(rows, oc, v->c.ic, v->c.kh, v->c.kw, (int8_t *)packed);
    mem_free_aligned(rows);
    v->c.w = packed;
    return 0;
}

static int pack_depthwise(struct nn__compiler *c, const struct nn__job *j, struct dot *v,
                          int channels, float *scale, float *bias, struct err *err)
{
    const float *w = nn__floats_of(c, j->node, 1);
    int taps = v->c.kh * v->c.kw;
    float *packed = nn__plan_floats(
        c->plan, (int64_t)nn_depthwise16_size(channels, v->c.kh, v->c.kw), err);
    if (!packed)
        return ERR_NO_MEMORY;
    for (int o = 0; o < channels; o++) {
        double sum = 0;
        for (int i = 0; i < taps; i++)
            sum += w[o * taps + i];
        set_channel(c, j, scale, bias, o, 1, sum);
    }
    nn_depthwise16_pack(w, channels, v->c.kh, v->c.kw, packed);
    v->c.w = packed;
    return 0;
}

/* A Gemm reads its image, or the row of a matrix, through a window of that size. */
static int window_of(const struct nn__compiler *c, const struct nn_node *n, struct nn_window *w,
                     struct err *err)
{
    const struct nn_shape *x = nn__shape_of(c, n->inputs[0]);
    int h = nn__height(x), width = nn__width(x);
    if (n->op == NN_OP_CONV)
        return nn__window(c->g, n, w, err);
    *w = (struct nn_window){.kernel = {h, width}, .stride = {1, 1}, .dilation = {1, 1},
                            .in = {h, width}, .out = {1, 1}, .groups = 1};
    return 0;
}

static int prepare_depthwise(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                             const struct nn_window *w, float *scale, float *bias, struct err *err)
{
    struct dot *v = nn__context(c, sizeof *v);
    int oc = (int)nn__shape_of(c, j->node->outputs[0])->dims[1];
    v->kind = DEPTHWISE_BYTES;
    set_geometry(c, j, v, w, j->add);
    set_quant(c, v, j->node->outputs[0], j->epilogue->add);
    v->c.scale = scale;
    v->c.bias = bias;
    s->info.weight_bytes = sizeof(float) * nn_depthwise16_size(oc, v->c.kh, v->c.kw);
    finish(c, s, v, "qdepthwise16");
    return pack_depthwise(c, j, v, oc, scale, bias, err);
}

/* Step `v` reads, and writes, from these channel blocks on. */
static void start_at(struct dot *v, size_t x_block, size_t y_block)
{
    v->x_start += x_block * v->x.plane;
    v->y.start += y_block * v->y.plane;
    v->add.start += y_block * v->add.plane;
}

/* Groups are computed as few dense convolutions (nn__merged_groups). */
static int prepare_groups(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                          const struct nn_window *w, float *scale, float *bias, struct err *err)
{
    const struct nn_node *n = j->node;
    int merged = w->groups > 1 ? nn__merged_groups(nn__shape_of(c, n->inputs[1]), w->groups) : 1;
    int count = w->groups / merged, code = 0;
    int ic = (int)nn__shape_of(c, n->inputs[0])->dims[1] / count;
    int oc = (int)nn__shape_of(c, n->outputs[0])->dims[1] / count;
    struct dot_list *l = list_of(c, s, count, "qconv16");
    for (int i = 0; i < count && code == 0; i++) {
        struct dot *v = &l->parts[i];
        set_geometry(c, j, v, w, j->add);
        set_quant(c, v, n->outputs[0], j->epilogue->add);
        start_at(v, (size_t)(i * ic / 16), (size_t)(i * oc / 16));
        v->blocks = nn_blocks(oc);
        v->c.ic = ic;
        v->c.scale = scale + i * oc;
        v->c.bias = bias + i * oc;
        choose_pieces(c, v);
        code = pack_codes(c, j, v, i * oc, oc, merged, scale, bias, err);
        s->info.weight_bytes += nn_dot16_size(oc, ic, v->c.kh, v->c.kw);
    }
    return code;
}

int nn__prepare_qconv16(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                        struct err *err)
{
    const struct nn_node *n = j->node;
    struct nn_window w;
    int code = window_of(c, n, &w, err);
    if (code < 0)
        return code;
    size_t lanes = (size_t)nn_blocks((int)nn__shape_of(c, n->outputs[0])->dims[1]) * 16;
    float *scale = nn__context(c, sizeof *scale * lanes);
    float *bias = nn__context(c, sizeof *bias * lanes);
    bool depthwise = w.groups > 1 && nn__is_depthwise(nn__shape_of(c, n->inputs[1]), w.groups);
    return (depthwise ? prepare_depthwise : prepare_groups)(c, j, s, &w, scale, bias, err);
}

/* The weights of a depthwise window: ones, whose sums are multiplied by `factor`. */
static int set_ones(struct nn__compiler *c, struct dot *v, const struct nn__quant *x,
                    double factor, struct err *err)
{
    int taps = v->c.kh * v->c.kw, lanes = v->blocks * 16;
    float *ones = nn__plan_floats(c->plan, (int64_t)lanes * (taps + 2), err);
    if (!ones)
        return ERR_NO_MEMORY;
    float *scale = ones + (size_t)lanes * (size_t)taps, *bias = scale + lanes;
    for (int i = 0; i < lanes * taps; i++)
        ones[i] = 1;
    for (int i = 0; i < lanes; i++) {
        scale[i] = (float)(factor * x->scale);
        bias[i] = (float)(-factor * x->scale * x->zero * taps);
    }
    v->kind = DEPTHWISE_BYTES;
    v->c.w = ones;
    v->c.scale = scale;
    v->c.bias = bias;
    return 0;
}

/* Sums of windows, or of two images, multiplied by `factor`. */
static int set_sums(struct nn__compiler *c, const struct nn__job *j, struct dot *v,
                    const struct nn_window *w, int add, double factor, struct err *err)
{
    const struct nn_node *n = j->node;
    set_geometry(c, j, v, w, add);
    set_quant(c, v, n->outputs[0], add >= 0 ? n->inputs[1] : NN_NONE);
    return set_ones(c, v, &c->quant[n->inputs[0]], factor, err);
}

static int sum_windows(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                       const struct nn_window *w, int add, double factor, const char *kernel,
                       struct err *err)
{
    struct dot *v = nn__context(c, sizeof *v);
    int code = set_sums(c, j, v, w, add, factor, err);
    finish(c, s, v, kernel);
    return code;
}

/* A window of one pixel. */
static struct nn_window pixel(const struct nn_shape *x)
{
    int h = nn__height(x), width = nn__width(x);
    return (struct nn_window){.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1},
                              .in = {h, width}, .out = {h, width}};
}

/* Concat along the channels: each part is brought to the scale of the result. */
int nn__prepare_qconcat16(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                          struct err *err)
{
    const struct nn_node *n = j->node;
    struct dot_list *l = list_of(c, s, j->in_count, "qconcat16");
    size_t block = 0;
    l->joined = true;
    for (int i = 0; i < j->in_count; i++) {
        struct dot *v = &l->parts[i];
        struct nn__job part = *j;
        struct nn_window w = pixel(nn__shape_of(c, n->inputs[i]));
        part.in = &j->in[i];
        set_geometry(c, &part, v, &w, -1);
        set_quant(c, v, n->outputs[0], NN_NONE);
        v->blocks = v->x.planes;
        start_at(v, 0, block);
        block += (size_t)v->blocks;
        if (set_ones(c, v, &c->quant[n->inputs[i]], 1, err) < 0)
            return ERR_NO_MEMORY;
        choose_pieces(c, v);
    }
    return 0;
}

int nn__prepare_qavgpool16(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                           struct err *err)
{
    struct nn_window w;
    int code = nn__window(c->g, j->node, &w, err);
    return code < 0 ? code
                    : sum_windows(c, j, s, &w, -1, 1.0 / (w.kernel[0] * w.kernel[1]),
                                  "qavgpool16", err);
}

int nn__prepare_qadd16(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                       struct err *err)
{
    struct nn_window w = pixel(nn__shape_of(c, j->node->inputs[0]));
    return sum_windows(c, j, s, &w, j->in[1], 1, "qadd16", err);
}

int nn__prepare_qmul16(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                       struct err *err)
{
    struct nn_window w = pixel(nn__shape_of(c, j->node->inputs[0]));
    struct dot *v = nn__context(c, sizeof *v);
    int code = set_sums(c, j, v, &w, -1, 1, err);
    v->factor = nn__view(nn__place(c, j->in[1]));
    nn__want_scratch(c, (size_t)v->blocks * 32);
    finish(c, s, v, "qmul16");
    return code;
}

int nn__prepare_qmean16(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                        struct err *err)
{
    const struct nn_shape *x = nn__shape_of(c, j->node->inputs[0]);
    int h = nn__height(x), width = nn__width(x);
    struct nn_window w = {.kernel = {h, width}, .stride = {1, 1}, .dilation = {1, 1},
                          .in = {h, width}, .out = {1, 1}};
    return sum_windows(c, j, s, &w, -1, 1.0 / (h * width), "qmean16", err);
}

/* bfloat16 */

bool nn__rounds(const struct nn__compiler *c, const struct nn_node *n)
{
    enum { LEAST_CHANNELS = 16 }; /* fewer are not worth the rounding */
    const struct nn_shape *w = nn__shape_of(c, n->inputs[1]);
    return c->plan->precision == NN_BF16 && nn__attr_int(n, "group", 1) == 1 &&
           w->dims[1] >= LEAST_CHANNELS;
}

/* x is read from a copy that holds what the windows cover and nothing else. */
static void set_rounded(struct nn__compiler *c, struct dot *v)
{
    int cols = (v->c.ow - 1) * v->c.stride_w + (v->c.kw - 1) * v->c.dilation_w + 1;
    v->rounded_rows = (v->oh - 1) * v->c.stride_h + (v->c.kh - 1) * v->c.dilation_h + 1;
    v->c.x_row = (size_t)cols * 16;
    v->c.x_plane = v->c.x_row * (size_t)v->rounded_rows;
    nn__want_scratch(c, (v->c.x_plane * (size_t)v->x.planes + 1) / 2);
}

static int pack_rounded(struct nn__compiler *c, const struct nn__job *j, struct dot *v, int oc,
                        struct err *err)
{
    int ic = v->c.ic, kh = v->c.kh, kw = v->c.kw;
    size_t size = nn_dot16_size(oc, ic, kh, kw);
    float *packed = nn__plan_floats(c->plan, (int64_t)size / 2, err);
    float *scaled = nn__scaled_weights(c, j, oc, 1, 1, (size_t)ic * (size_t)(kh * kw));
    float *blocks = mem_try_aligned(size, sizeof *blocks);
    if (packed && scaled && blocks) {
        nn_conv16_pack(scaled, oc, ic, kh, kw, blocks);
        nn_bconv16_pack(blocks, oc, ic, kh, kw, (uint16_t *)(void *)packed);
    }
    v->c.w = packed;
    bool done = packed && scaled && blocks;
    mem_free_aligned(scaled);
    mem_free_aligned(blocks);
    return done ? 0
                : err_set(err, ERR_NO_MEMORY, "no memory for the weights of %s", j->node->name);
}

int nn__prepare_bconv16(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                        struct err *err)
{
    struct dot *v = nn__context(c, sizeof *v);
    struct nn_window w;
    int code = nn__window(c->g, j->node, &w, err);
    if (code < 0)
        return code;
    int oc = (int)nn__shape_of(c, j->node->outputs[0])->dims[1];
    float *bias = nn__context(c, sizeof *bias * (size_t)(oc + 16));
    v->kind = BFLOAT;
    set_geometry(c, j, v, &w, j->add);
    set_rounded(c, v);
    v->c.ic = (int)nn__shape_of(c, j->node->inputs[0])->dims[1];
    code = pack_rounded(c, j, v, oc, err);
    if (code == 0)
        code = nn__conv_bias(c, j, bias, &v->c.bias, err);
    s->info.weight_bytes = nn_dot16_size(oc, v->c.ic, v->c.kh, v->c.kw) * sizeof(uint16_t);
    finish(c, s, v, "bconv16");
    return code;
}
