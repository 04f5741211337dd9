/* Convolutions of C16 images: dense, grouped (16 channels or more a group), depthwise, and planar
 * (few channels, read from a plain image with a border).
 *
 * With several threads, a depthwise convolution whose only reader is the 1 x 1 convolution after it
 * is joined to that: each thread computes its rows through both, and they meet half as often. */
#include "exec.h"

#include <string.h>

#include "base/mem.h"
#include "base/pool.h"

enum kind { DENSE, PLANAR, DEPTHWISE };

struct conv {
    enum kind kind;
    struct nn_conv16 c;      /* all but x, y, add */
    struct nn__view x, y, add;
    size_t x_start;          /* of the padded input */
    int groups;
    size_t group_x, group_w;  /* floats from one group to the next */
    struct nn__cut cut;       /* of a group of an image */
    const struct conv *first; /* joined: runs before, from place first_in */
    int first_in;
};

struct conv_call {
    const struct conv *c;
    const struct nn__env *e;
    const float *x, *add;
    float *y;
    const struct conv_call *first; /* joined */
};

/* Rows [r0, r1) of an image through both convolutions; k is the second. */
static void run_joined(const struct conv_call *call, const struct nn_conv16 *k, size_t image,
                       int r0, int r1)
{
    const struct conv *c = call->c, *first = c->first;
    struct nn_conv16 d = first->c;
    d.x = call->first->x + first->x_start + image * first->x.image;
    d.y = call->first->y + first->y.start + image * first->y.image;
    call->e->k->depthwise16(&d, 0, first->cut.blocks, r0, r1);
    call->e->k->conv16(k, 0, c->cut.blocks, r0, r1);
}

static void run_pieces(void *arg, int begin, int end, int thread)
{
    const struct conv_call *call = arg;
    const struct conv *c = call->c;
    (void)thread;
    for (int i = begin; i < end; i++) {
        struct nn__part p = nn__part(&c->cut, i);
        size_t group = (size_t)(p.image % c->groups), image = (size_t)(p.image / c->groups);
        size_t first = group * (size_t)c->cut.blocks;
        struct nn_conv16 k = c->c;
        k.x = call->x + c->x_start + image * c->x.image + group * c->group_x;
        k.y = call->y + c->y.start + image * c->y.image + first * c->y.plane;
        k.w += group * c->group_w;
        k.bias += first * 16;
        if (call->add)
            k.add = call->add + c->add.start + image * c->add.image + first * c->add.plane;
        if (c->first)
            run_joined(call, &k, image, p.r0, p.r1);
        else if (c->kind == DENSE)
            call->e->k->conv16(&k, p.b0, p.b1, p.r0, p.r1);
        else if (c->kind == PLANAR)
            call->e->k->conv16_planar(&k, p.b0, p.b1, p.r0, p.r1);
        else
            call->e->k->depthwise16(&k, p.b0, p.b1, p.r0, p.r1);
    }
}

static void run_conv(const struct nn__step *s, const struct nn__env *e)
{
    const struct conv *c = s->context;
    struct conv_call call = {c, e, e->at[s->in[0]], s->add >= 0 ? e->at[s->add] : NULL,
                             e->at[s->out[0]], NULL};
    struct conv_call first = {c->first, e, c->first ? e->at[c->first_in] : NULL, NULL,
                              e->at[s->in[0]], NULL};
    call.first = &first;
    pool_for(e->pool, c->x.images * c->groups * nn__pieces(&c->cut), 1, run_pieces, &call);
}

/* Its work is done by the next step. */
static void run_nothing(const struct nn__step *s, const struct nn__env *e)
{
    (void)s;
    (void)e;
}

float *nn__scaled_weights(const struct nn__compiler *c, const struct nn__job *j, int oc, int groups,
                          int merged, size_t each)
{
    const float *from = nn__floats_of(c, j->node, 1);
    size_t row = each * (size_t)merged;
    float *out = mem_try_aligned(row * (size_t)oc, sizeof *out);
    for (int o = 0; out && o < oc; o++) {
        size_t at = (size_t)(o / (oc / groups) % merged) * each;
        float scale = j->epilogue->scale ? j->epilogue->scale[o] : 1;
        memset(out + (size_t)o * row, 0, sizeof *out * row);
        for (size_t i = 0; i < each; i++)
            out[(size_t)o * row + at + i] = from[(size_t)o * each + i] * scale;
    }
    return out;
}

/* Weights in the layout of the kernel. */
static int pack_weights(struct nn__compiler *c, const struct nn__job *j, struct conv *v,
                        const struct nn_window *w, struct nn__step *s, struct err *err)
{
    const struct nn_shape *k = nn__shape_of(c, j->node->inputs[1]);
    int oc = (int)k->dims[0], ic = v->c.ic, kh = w->kernel[0], kw = w->kernel[1];
    int merged = v->kind == DENSE ? w->groups / v->groups : 1;
    size_t taps = (size_t)(kh * kw), group = (size_t)ic * taps * (size_t)(oc / v->groups);
    size_t size = v->kind == DEPTHWISE ? nn_depthwise16_size(oc, kh, kw)
                  : v->kind == PLANAR  ? nn_planar_size(oc, ic, kh, kw)
                                       : nn_conv16_size(oc / v->groups, ic, kh, kw);
    float *packed = nn__plan_floats(c->plan, (int64_t)(size * (size_t)v->groups), err);
    float *scaled = packed ? nn__scaled_weights(c, j, oc, merged > 1 ? w->groups : 1, merged,
                                                (size_t)k->dims[1] * taps)
                           : NULL;
    if (!scaled)
        return err_set(err, ERR_NO_MEMORY, "no memory for the weights of %s", j->node->name);
    if (v->kind == DEPTHWISE)
        nn_depthwise16_pack(scaled, oc, kh, kw, packed);
    else if (v->kind == PLANAR)
        nn_planar_pack(scaled, oc, ic, kh, kw, packed);
    for (int g = 0; g < v->groups && v->kind == DENSE; g++)
        nn_conv16_pack(scaled + (size_t)g * group, oc / v->groups, ic, kh, kw,
                       packed + (size_t)g * size);
    mem_free_aligned(scaled);
    v->c.w = packed;
    v->group_w = size;
    s->info.weight_bytes = size * (size_t)v->groups * sizeof *packed;
    return 0;
}

/* Is it a 1 x 1 convolution of an image without gaps? Then rows may be of any length. */
static bool is_flat(const struct conv *v, const struct nn_window *w)
{
    return w->kernel[0] * w->kernel[1] == 1 && w->stride[0] * w->stride[1] == 1 &&
           v->x.row == v->x.width && v->y.row == v->y.width &&
           (v->add.width == 0 || v->add.row == v->add.width);
}

/* Threads divide the rows, so that each finds in its own cache what it wrote in the step before;
 * the output channels only where rows do not come out even or weights exceed the cache. */
static bool divide_channels(const struct nn__compiler *c, int rows, int64_t weights)
{
    enum { CACHE = 160 * 1024 }; /* floats */
    return weights > CACHE || !nn__even(c, rows);
}

static bool is_depthwise(const struct nn_shape *k, int groups)
{
    return groups > 1 && k->dims[1] == 1 && k->dims[0] == groups;
}

/* Does row i of its result come of row i alone? */
static bool is_pointwise(const struct nn_window *w)
{
    return w->groups == 1 && w->kernel[0] * w->kernel[1] == 1 &&
           w->stride[0] * w->stride[1] == 1 && !(w->pad[0] | w->pad[1] | w->pad[2] | w->pad[3]);
}

static int readers(const struct nn__compiler *c, int place)
{
    int n = 0;
    for (size_t i = 0; i < c->job_count; i++) {
        n += c->jobs[i].add == place;
        for (int k = 0; k < c->jobs[i].in_count; k++)
            n += c->jobs[i].in[k] == place;
    }
    return n;
}

bool nn__joins_next(const struct nn__compiler *c, const struct nn__job *j)
{
    if (c->threads <= 1 || c->job_count == 0 || j + 1 >= c->jobs + c->job_count)
        return false;
    const struct nn__job *next = j + 1;
    const struct nn_node *n = j->node, *m = next->node;
    struct nn_window w, point;
    if (!n || !m || n->op != NN_OP_CONV || m->op != NN_OP_CONV || j->mode != NN_C16 ||
        next->mode != NN_C16 || next->in[0] != j->out[0] || j->add >= 0 ||
        nn__window(c->g, n, &w, NULL) < 0 || nn__window(c->g, m, &point, NULL) < 0)
        return false;
    const struct nn_shape *k = nn__shape_of(c, m->inputs[1]);
    return is_depthwise(nn__shape_of(c, n->inputs[1]), w.groups) && is_pointwise(&point) &&
           !nn__is_planar_conv(c, m) && !nn__rounds(c, m) && readers(c, j->out[0]) == 1 &&
           !nn__place(c, j->out[0])->keep &&
           !divide_channels(c, point.out[0], nn__shape_elements(k, 1));
}

static void choose_pieces(const struct nn__compiler *c, struct conv *v, const struct nn_window *w,
                          int blocks)
{
    int units = v->x.images * v->groups, oh = w->out[0];
    int64_t ic = v->kind == DEPTHWISE ? 1 : v->c.ic;
    int64_t weights = ic * w->kernel[0] * w->kernel[1] * blocks * 16;
    int64_t macs = units * weights * oh * w->out[1];
    bool by_block = !v->first && divide_channels(c, oh, weights);
    int pixels = oh * w->out[1];
    int rows = nn__flat_rows(pixels, by_block ? 1 : nn__cuts(c, macs) / units);
    if (v->kind == DENSE && !v->first && is_flat(v, w) && rows > 0) {
        oh = rows;
        v->c.ow = pixels / rows;
        v->c.x_row = v->c.y_row = v->c.add_row = (size_t)v->c.ow * 16;
    }
    v->cut = nn__cut(c, units, blocks, oh, macs, by_block);
}

static void set_geometry(struct nn__compiler *c, const struct nn__job *j, struct conv *v,
                         const struct nn_window *w)
{
    const struct nn__place *in = nn__place(c, j->in[0]);
    v->x = nn__view(in);
    v->y = nn__view(nn__place(c, j->out[0]));
    if (j->add >= 0)
        v->add = nn__view(nn__place(c, j->add));
    size_t pixel = v->kind == PLANAR ? 1 : 16;
    v->x_start = v->x.start - (size_t)w->pad[0] * v->x.row - (size_t)w->pad[1] * pixel;
    v->c.x_plane = v->x.plane;
    v->c.x_row = v->x.row;
    v->c.y_plane = v->y.plane;
    v->c.y_row = v->y.row;
    v->c.y_col = 16;
    v->c.add_plane = v->add.plane;
    v->c.add_row = v->add.row;
    v->c.ow = w->out[1];
    v->c.kh = w->kernel[0];
    v->c.kw = w->kernel[1];
    v->c.stride_h = w->stride[0];
    v->c.stride_w = w->stride[1];
    v->c.dilation_h = w->dilation[0];
    v->c.dilation_w = w->dilation[1];
    v->c.lo = j->epilogue->lo;
    v->c.hi = j->epilogue->hi;
}

/* Takes the depthwise convolution before it along. */
static void join(struct nn__compiler *c, struct conv *v)
{
    const struct nn__step *before = &c->plan->steps[c->plan->step_count - 1];
    v->first = before->context;
    v->first_in = before->in[0];
}

int nn__prepare_conv16(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                       struct err *err)
{
    const struct nn_node *n = j->node;
    const struct nn_shape *k = nn__shape_of(c, n->inputs[1]);
    if (nn__winograd_size(c, n) > 0)
        return nn__prepare_winograd(c, j, s, err);
    if (nn__rounds(c, n))
        return nn__prepare_bconv16(c, j, s, err);
    struct conv *v = nn__context(c, sizeof *v);
    struct nn_window w;
    int code = nn__window(c->g, n, &w, err);
    if (code < 0)
        return code;
    int oc = (int)k->dims[0], ic = (int)k->dims[1];
    bool joined = c->job_count > 0 && j > c->jobs && nn__joins_next(c, j - 1);
    v->kind = is_depthwise(k, w.groups) ? DEPTHWISE : nn__is_planar_conv(c, n) ? PLANAR : DENSE;
    v->groups = 1;
    if (v->kind == DENSE) {
        int merged = nn__merged_groups(k, w.groups);
        v->groups = w.groups / merged;
        ic *= merged;
    }
    v->c.ic = ic;
    set_geometry(c, j, v, &w);
    v->group_x = (size_t)nn_blocks(ic) * v->x.plane;
    float *bias = nn__context(c, sizeof *bias * (size_t)(oc + 16));
    code = pack_weights(c, j, v, &w, s, err);
    if (code == 0)
        code = nn__conv_bias(c, j, bias, &v->c.bias, err);
    v->c.bias = bias;
    if (joined)
        join(c, v);
    choose_pieces(c, v, &w, nn_blocks(oc / v->groups));
    bool joins = nn__joins_next(c, j);
    s->context = v;
    s->run = joins ? run_nothing : run_conv;
    static const char *const names[] = {"conv16", "conv16 planar", "depthwise16"};
    s->info.kernel = joins ? "joined to next" : joined ? "depthwise, conv16" : names[v->kind];
    return code;
}
