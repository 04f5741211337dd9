/* 3 x 3 convolutions with stride 1 by Winograd's method (kernels.h, struct nn_winograd), and the
 * choice between it and direct convolution.
 *
 * DESIGN. The image is cut into groups of tiles. With more groups than threads each thread takes
 * whole groups: transform, multiply, transform back, all in its own scratch memory, which stays in
 * its second-level cache. With few groups, as in the last layers of a network, the threads share
 * one group: first they divide the input blocks, then the output blocks and with them the weights.
 * A sum is computed in the same order either way. */
#include "exec.h"

#include <math.h>

#include "base/mem.h"
#include "base/pool.h"

struct winograd {
    struct nn_winograd w;    /* all but pointers into places, scratch, first, tiles */
    struct nn__view x, y, add;
    size_t x_start;
    int tiles, group, groups; /* tiles of all images; of a group at most */
    size_t v_floats;         /* scratch: v, then s */
    bool share;              /* threads share a group: blocks in a piece */
    int in_piece, out_piece;
};

struct winograd_call {
    const struct winograd *c;
    const struct nn__env *e;
    const float *x, *add;
    float *y;
    struct nn_winograd shared; /* when threads share a group */
};

/* Group i with the scratch memory of `thread`. */
static struct nn_winograd group_at(const struct winograd_call *call, int i, int thread)
{
    const struct winograd *c = call->c;
    struct nn_winograd w = c->w;
    w.first = i * c->group;
    w.tiles = c->tiles - w.first < c->group ? c->tiles - w.first : c->group;
    w.x = call->x + c->x_start;
    w.y = call->y + c->y.start;
    if (call->add)
        w.add = call->add + c->add.start;
    w.v = nn__scratch(call->e, thread);
    w.bv = (uint16_t *)(void *)w.v;
    w.s = w.v + c->v_floats;
    return w;
}

static void transform_in(const struct nn_kernels *k, const struct nn_winograd *w, int b0, int b1)
{
    (w->bu ? k->bwinograd_in : k->winograd_in)(w, b0, b1);
}

static void multiply(const struct nn_kernels *k, const struct nn_winograd *w, int b0, int b1)
{
    int positions = (w->m + 2) * (w->m + 2);
    (w->bu ? k->bwinograd_mul : k->winograd_mul)(w, 0, positions, b0, b1);
}

static void run_groups(void *arg, int begin, int end, int thread)
{
    const struct winograd_call *call = arg;
    const struct nn_kernels *k = call->e->k;
    for (int i = begin; i < end; i++) {
        struct nn_winograd w = group_at(call, i, thread);
        transform_in(k, &w, 0, nn_blocks(w.ic));
        multiply(k, &w, 0, nn_blocks(w.oc));
        k->winograd_out(&w, 0, nn_blocks(w.oc));
    }
}

static void share_in(void *arg, int begin, int end, int thread)
{
    const struct winograd_call *call = arg;
    (void)thread;
    transform_in(call->e->k, &call->shared, begin, end);
}

static void share_out(void *arg, int begin, int end, int thread)
{
    const struct winograd_call *call = arg;
    (void)thread;
    multiply(call->e->k, &call->shared, begin, end);
    call->e->k->winograd_out(&call->shared, begin, end);
}

static void run_winograd(const struct nn__step *s, const struct nn__env *e)
{
    const struct winograd *c = s->context;
    struct winograd_call call = {c, e, e->at[s->in[0]], s->add >= 0 ? e->at[s->add] : NULL,
                                 e->at[s->out[0]], {0}};
    if (!c->share) {
        pool_for(e->pool, c->groups, 1, run_groups, &call);
        return;
    }
    for (int i = 0; i < c->groups; i++) {
        call.shared = group_at(&call, i, 0);
        pool_for(e->pool, nn_blocks(c->w.ic), c->in_piece, share_in, &call);
        pool_for(e->pool, nn_blocks(c->w.oc), c->out_piece, share_out, &call);
    }
}

/* The choice */

static size_t weight_floats(int m, int oc, int ic)
{
    return m == 0 ? nn_conv16_size(oc, ic, 3, 3) : nn_winograd_weights_size(m, oc, ic);
}

/* Two jobs that overlap in part. */
static double together(double a, double b)
{
    return cbrt(a * a * a + b * b * b);
}

/* Nanoseconds of one image by direct convolution (m = 0) or Winograd with m x m tiles: products,
 * fetching the weights meanwhile (for each chunk of tiles when they do not fit the second-level
 * cache), and transforms. The constants fit measurements of these kernels with AVX-512; on other
 * processors all terms grow alike, so that the order of the choices stays. */
static double estimate(int m, const struct nn_shape *k, const struct nn_shape *y, bool cached,
                       bool rounds)
{
    static const double last_level = 75, memory = 36; /* bytes a nanosecond */
    static const double in[] = {0, 12, 40, 75}, out[] = {0, 10, 28, 70}; /* ns of 16 channels */
    enum { CACHE = 512 * 1024 };
    double flops = rounds ? 440 : 240; /* a nanosecond */
    int ic = (int)k->dims[1], oc = (int)k->dims[0], oh = (int)y->dims[2], ow = (int)y->dims[3];
    double bytes = (double)weight_floats(m, oc, ic) * (rounds ? sizeof(uint16_t) : sizeof(float));
    double fetch = bytes / (cached ? last_level : memory);
    double products = (m == 0 ? ic : nn_blocks(ic) * 16) * 32.0 * nn_blocks(oc);
    if (m == 0)
        return together(9.0 * oh * ow * products / flops, fetch);
    int tiles = nn_winograd_tiles(m, oh, ow), chunk = nn_winograd_chunk(m, ic, oc, tiles);
    if (bytes > CACHE)
        fetch += bytes / last_level * ((tiles - 1) / chunk);
    return together((m + 2) * (m + 2) * tiles * products / flops, fetch) +
           tiles * (nn_blocks(ic) * in[m / 2] + nn_blocks(oc) * out[m / 2]);
}

/* Do the weights of the whole network stay in the last-level cache from one run to the next? */
static bool weights_stay(const struct nn__compiler *c)
{
    enum { CACHE_FLOATS = 4 << 20 };
    return nn_graph_parameters(c->g, false) < CACHE_FLOATS;
}

int nn__winograd_size(const struct nn__compiler *c, const struct nn_node *n)
{
    const struct nn_shape *k = nn__shape_of(c, n->inputs[1]), *y = nn__shape_of(c, n->outputs[0]);
    struct nn_window w;
    if (nn__window(c->g, n, &w, NULL) < 0 || w.groups != 1 || w.kernel[0] != 3 ||
        w.kernel[1] != 3 || w.stride[0] * w.stride[1] * w.dilation[0] * w.dilation[1] != 1 ||
        nn__is_planar_conv(c, n))
        return 0;
    bool cached = weights_stay(c), rounds = nn__rounds(c, n);
    int best = 0;
    double least = estimate(0, k, y, cached, rounds);
    for (int m = 2; m <= (rounds ? 4 : 6); m += 2) {
        double t = estimate(m, k, y, cached, rounds);
        if (m == 6)
            t *= 1.05; /* the largest tiles cost a digit of accuracy: they must be worth it */
        if (t < least) {
            least = t;
            best = m;
        }
    }
    return best;
}

/* Compiling */

static int pack(struct nn__compiler *c, const struct nn__job *j, struct winograd *v,
                struct nn__step *s, struct err *err)
{
    const float *from = nn__floats_of(c, j->node, 1), *scale = j->epilogue->scale;
    int oc = v->w.oc, ic = v->w.ic;
    size_t each = (size_t)ic * 9, size = nn_winograd_weights_size(v->w.m, oc, ic);
    bool rounds = nn__rounds(c, j->node);
    size = rounds ? size / 2 : size; /* in floats */
    float *u = nn__plan_floats(c->plan, (int64_t)size, err);
    float *scaled = mem_try_aligned(each * (size_t)oc, sizeof *scaled);
    float *direct = mem_try_aligned(nn_conv16_size(oc, ic, 3, 3), sizeof *direct);
    if (u && scaled && direct) {
        for (size_t i = 0; i < each * (size_t)oc; i++)
            scaled[i] = from[i] * (scale ? scale[i / each] : 1);
        nn_conv16_pack(scaled, oc, ic, 3, 3, direct);
        struct nn_winograd_weights w = {v->w.m, nn_blocks(oc), nn_blocks(ic), direct, u,
                                        (uint16_t *)(void *)u};
        (rounds ? c->plan->k->bwinograd_weights
                : c->plan->k->winograd_weights)(&w, 0, nn_blocks(oc));
    }
    mem_free_aligned(direct);
    mem_free_aligned(scaled);
    v->w.u = u;
    v->w.bu = rounds ? (uint16_t *)(void *)u : NULL;
    s->info.weight_bytes = size * sizeof *u;
    return u && scaled && direct
               ? 0
               : err_set(err, ERR_NO_MEMORY, "no memory for the weights of %s", j->node->name);
}

/* Each thread gets as many groups as the others, or a part of every group. */
static void choose_groups(const struct nn__compiler *c, struct winograd *v)
{
    enum { LEAST = 12 }; /* tiles that are worth reading all weights for */
    int threads = c->threads > 1 ? c->threads : 1;
    int ic_blocks = nn_blocks(v->w.ic), oc_blocks = nn_blocks(v->w.oc);
    v->group = nn_winograd_chunk(v->w.m, v->w.ic, v->w.oc, v->tiles);
    v->share = threads > 1 && v->tiles < LEAST * threads;
    if (threads > 1 && !v->share) {
        int rounds = (v->tiles - 1) / (v->group * threads) + 1;
        v->group = (v->tiles - 1) / (rounds * threads) + 1;
    }
    v->groups = (v->tiles + v->group - 1) / v->group;
    v->in_piece = nn__piece(c, ic_blocks, threads, 1);
    v->out_piece = nn__piece(c, oc_blocks, oc_blocks < 8 * threads ? threads : 2 * threads, 2);
}

int nn__prepare_winograd(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                         struct err *err)
{
    static const char *const names[] = {NULL, "winograd 2x2", "winograd 4x4", "winograd 6x6",
                                        "bwinograd 2x2", "bwinograd 4x4"};
    const struct nn_shape *k = nn__shape_of(c, j->node->inputs[1]);
    const struct nn_shape *y = nn__shape_of(c, j->node->outputs[0]);
    struct winograd *v = nn__context(c, sizeof *v);
    struct nn_window w;
    int code = nn__window(c->g, j->node, &w, err);
    if (code < 0)
        return code;
    v->x = nn__view(nn__place(c, j->in[0]));
    v->y = nn__view(nn__place(c, j->out[0]));
    if (j->add >= 0)
        v->add = nn__view(nn__place(c, j->add));
    v->x_start = v->x.start - (size_t)w.pad[0] * v->x.row - (size_t)w.pad[1] * 16;
    v->w = (struct nn_winograd){
        .m = nn__winograd_size(c, j->node), .ic = (int)k->dims[1], .oc = (int)k->dims[0],
        .oh = (int)y->dims[2], .ow = (int)y->dims[3], .x_image = v->x.image, .x_plane = v->x.plane,
        .x_row = v->x.row, .y_image = v->y.image, .y_plane = v->y.plane, .y_row = v->y.row,
        .add_image = v->add.image, .add_plane = v->add.plane, .add_row = v->add.row,
        .lo = j->epilogue->lo, .hi = j->epilogue->hi};
    v->tiles = v->x.images * nn_winograd_tiles(v->w.m, v->w.oh, v->w.ow);
    choose_groups(c, v);
    v->v_floats = (nn_winograd_scratch(v->w.m, v->w.ic, v->group) + 15) / 16 * 16;
    nn__want_scratch(c, v->v_floats + nn_winograd_scratch(v->w.m, v->w.oc, v->group));
    float *bias = nn__context(c, sizeof *bias * (size_t)(v->w.oc + 16));
    code = pack(c, j, v, s, err);
    if (code == 0)
        code = nn__conv_bias(c, j, bias, &v->w.bias, err);
    s->context = v;
    s->run = run_winograd;
    s->info.kernel = names[v->w.m / 2 + (v->w.bu ? 3 : 0)];
    return code;
}
