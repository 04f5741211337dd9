/* Convolutions in 8 bits (struct nn_dot16), and what can be seen as one: Gemm is a convolution with
 * the size of the image, a sum of two images a depthwise 1 x 1 with a residual, a global mean a
 * depthwise one with the size of the image.
 *
 * x stands for (byte - zero) * x_scale: x_scale goes into the scale of each output channel, zero
 * into its bias. Results are rounded once, at the end. */
#include "exec.h"

#include <math.h>

#include "base/mem.h"
#include "base/pool.h"

struct qconv {
    bool depthwise;
    bool y_bytes, add_bytes;
    struct nn_dot16 c;       /* all but x, y, add */
    struct nn__view x, y, add;
    size_t x_start;          /* of the padded input */
    int oh, blocks;
    int blocks_a_piece, rows_a_piece, block_pieces, row_pieces;
};

struct qconv_call {
    const struct qconv *c;
    const struct nn__env *e;
    const void *x, *add;
    void *y;
};

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

/* The pointers of one image. */
static struct nn_dot16 at_image(const struct qconv_call *call, size_t image)
{
    const struct qconv *c = call->c;
    struct nn_dot16 k = c->c;
    size_t y = c->y.start + image * c->y.image, add = c->add.start + image * c->add.image;
    k.x = (const uint8_t *)call->x + c->x_start + image * c->x.image;
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

/* A piece: some blocks and rows of one image. */
static void run_pieces(void *arg, int begin, int end, int thread)
{
    const struct qconv_call *call = arg;
    const struct qconv *c = call->c;
    (void)thread;
    for (int i = begin; i < end; i++) {
        struct nn_dot16 k = at_image(call, (size_t)(i / (c->row_pieces * c->block_pieces)));
        int r0 = i % c->row_pieces * c->rows_a_piece;
        int b0 = i / c->row_pieces % c->block_pieces * c->blocks_a_piece;
        int r1 = min_int(r0 + c->rows_a_piece, c->oh);
        int b1 = min_int(b0 + c->blocks_a_piece, c->blocks);
        if (c->depthwise)
            call->e->k->qdepthwise16(&k, b0, b1, r0, r1);
        else
            call->e->k->qconv16(&k, b0, b1, r0, r1);
    }
}

static void run_qconv(const struct nn__step *s, const struct nn__env *e)
{
    const struct qconv *c = s->context;
    int add = s->add >= 0 ? s->add : c->add.images > 0 ? s->in[1] : -1;
    struct qconv_call call = {c, e, e->at[s->in[0]], add >= 0 ? e->at[add] : NULL,
                              e->at[s->out[0]]};
    pool_for(e->pool, c->x.images * c->block_pieces * c->row_pieces, 1, run_pieces, &call);
}

/* Some ten microseconds of a few blocks. */
static void choose_pieces(struct qconv *v)
{
    enum { MACS = 1000000, BLOCKS = 4 };
    int64_t ic = v->depthwise ? 1 : v->c.ic;
    v->blocks_a_piece = min_int(v->depthwise ? 1 : BLOCKS, v->blocks);
    int64_t row = v->c.ow * ic * v->c.kh * v->c.kw * 16 * v->blocks_a_piece;
    int64_t rows = MACS / (row > 0 ? row : 1);
    v->rows_a_piece = rows < 1 ? 1 : rows > v->oh ? v->oh : (int)rows;
    v->row_pieces = (v->oh + v->rows_a_piece - 1) / v->rows_a_piece;
    v->rows_a_piece = (v->oh + v->row_pieces - 1) / v->row_pieces;
    v->block_pieces = (v->blocks + v->blocks_a_piece - 1) / v->blocks_a_piece;
}

/* A 1 x 1 convolution sees an image without gaps as one long row. */
static bool is_flat(const struct qconv *v, const struct nn_window *w)
{
    return w->kernel[0] * w->kernel[1] == 1 && w->stride[0] * w->stride[1] == 1 &&
           v->x.row == v->x.width && v->y.row == v->y.width &&
           (v->add.width == 0 || v->add.row == v->add.width);
}

static void set_geometry(struct nn__compiler *c, const struct nn__job *j, struct qconv *v,
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
    if (is_flat(v, w)) {
        v->c.ow *= v->oh;
        v->oh = 1;
    }
}

static void set_quant(const struct nn__compiler *c, struct qconv *v, nn_value y, nn_value add)
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

static void finish(struct nn__step *s, struct qconv *v, const char *kernel)
{
    choose_pieces(v);
    s->context = v;
    s->run = run_qconv;
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

/* Packs s8 weights; a Gemm's are brought to [oc][ic] first. */
static int pack_codes(struct nn__compiler *c, const struct nn__job *j, struct qconv *v, int oc,
                      float *scale, float *bias, struct err *err)
{
    const struct nn_node *n = j->node;
    const struct nn__coded *w = nn__codes_of(c, n->inputs[1]);
    const int8_t *codes = nn__value(c->g, w->codes)->data;
    const struct nn_tensor *scales = nn__value(c->g, w->scale);
    bool across = n->op == NN_OP_GEMM && !nn__attr_int(n, "transB", 0);
    bool one = nn__shape_elements(&scales->shape, 1) == 1;
    size_t each = (size_t)v->c.ic * (size_t)(v->c.kh * v->c.kw);
    size_t size = nn_dot16_size(oc, v->c.ic, v->c.kh, v->c.kw);
    float *packed = nn__plan_floats(c->plan, (int64_t)(size / sizeof(float)), err);
    int8_t *rows = packed ? mem_try_aligned(each * (size_t)oc, 1) : NULL;
    if (!rows)
        return err_set(err, ERR_NO_MEMORY, "no memory for the weights of %s", n->name);
    for (int o = 0; o < oc; o++) {
        double sum = 0;
        for (size_t i = 0; i < each; i++) {
            int8_t code = across ? codes[i * (size_t)oc + (size_t)o] : codes[(size_t)o * each + i];
            rows[(size_t)o * each + i] = code;
            sum += code;
        }
        set_channel(c, j, scale, bias, o, nn__element(scales, one ? 0 : o), sum);
    }
    nn_qconv16_pack(rows, oc, v->c.ic, v->c.kh, v->c.kw, (int8_t *)packed);
    mem_free_aligned(rows);
    v->c.w = packed;
    return 0;
}

static int pack_depthwise(struct nn__compiler *c, const struct nn__job *j, struct qconv *v,
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

int nn__prepare_qconv16(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                        struct err *err)
{
    const struct nn_node *n = j->node;
    struct qconv *v = nn__context(c, sizeof *v);
    struct nn_window w;
    int code = window_of(c, n, &w, err);
    if (code < 0)
        return code;
    int oc = (int)nn__shape_of(c, n->outputs[0])->dims[1];
    size_t lanes = (size_t)nn_blocks(oc) * 16;
    float *scale = nn__context(c, sizeof *scale * lanes);
    float *bias = nn__context(c, sizeof *bias * lanes);
    v->depthwise = w.groups > 1;
    set_geometry(c, j, v, &w, j->add);
    set_quant(c, v, n->outputs[0], j->epilogue->add);
    v->c.ic = (int)nn__shape_of(c, n->inputs[0])->dims[1];
    v->c.scale = scale;
    v->c.bias = bias;
    code = v->depthwise ? pack_depthwise(c, j, v, oc, scale, bias, err)
                        : pack_codes(c, j, v, oc, scale, bias, err);
    s->info.weight_bytes = v->depthwise
                               ? sizeof(float) * nn_depthwise16_size(oc, v->c.kh, v->c.kw)
                               : nn_dot16_size(oc, v->c.ic, v->c.kh, v->c.kw);
    finish(s, v, v->depthwise ? "qdepthwise16" : "qconv16");
    return code;
}

/* A depthwise window whose weights are all 1; its sums are multiplied by `factor`. */
static int sum_windows(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                       const struct nn_window *w, int add, double factor, const char *kernel,
                       struct err *err)
{
    struct qconv *v = nn__context(c, sizeof *v);
    const struct nn_node *n = j->node;
    const struct nn__quant *x = &c->quant[n->inputs[0]];
    set_geometry(c, j, v, w, add);
    set_quant(c, v, n->outputs[0], add >= 0 ? n->inputs[1] : NN_NONE);
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
    v->depthwise = true;
    v->c.w = ones;
    v->c.scale = scale;
    v->c.bias = bias;
    finish(s, v, kernel);
    return 0;
}

int nn__prepare_qadd16(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                       struct err *err)
{
    const struct nn_shape *x = nn__shape_of(c, j->node->inputs[0]);
    int h = nn__height(x), width = nn__width(x);
    struct nn_window w = {.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1},
                          .in = {h, width}, .out = {h, width}};
    return sum_windows(c, j, s, &w, j->in[1], 1, "qadd16", err);
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
