/* Pools of C16 images. Each piece pools some blocks and rows of one image. */
#include "exec.h"

#include "base/pool.h"

struct pool16 {
    struct nn_pool16 p; /* all but the pointers */
    struct nn__view x, y;
    bool max, bytes;
    struct nn__cut cut;
};

struct pool16_call {
    const struct pool16 *c;
    const struct nn__env *e;
    const float *x;
    float *y;
};

/* Rows [r0, r1) of some blocks: a pool of fewer rows whose image begins further up. */
static void run_rows(const struct pool16_call *call, size_t image, int b0, int b1, int r0, int r1)
{
    const struct pool16 *c = call->c;
    struct nn_pool16 p = c->p;
    size_t x = c->x.start + image * c->x.image;
    size_t y = c->y.start + image * c->y.image + (size_t)r0 * p.y_row;
    p.top -= r0 * p.stride_h;
    p.oh = r1 - r0;
    if (c->bytes) {
        struct nn_qpool16 q = {p, (const uint8_t *)call->x + x, (uint8_t *)call->y + y};
        call->e->k->qmaxpool16(&q, b0, b1);
        return;
    }
    p.x = call->x + x;
    p.y = call->y + y;
    if (c->max)
        call->e->k->maxpool16(&p, b0, b1);
    else
        call->e->k->avgpool16(&p, b0, b1);
}

static void run_pieces(void *arg, int begin, int end, int thread)
{
    const struct pool16_call *call = arg;
    const struct pool16 *c = call->c;
    (void)thread;
    for (int i = begin; i < end; i++) {
        struct nn__part p = nn__part(&c->cut, i);
        run_rows(call, (size_t)p.image, p.b0, p.b1, p.r0, p.r1);
    }
}

static void run_pool(const struct nn__step *s, const struct nn__env *e)
{
    const struct pool16 *c = s->context;
    struct pool16_call call = {c, e, e->at[s->in[0]], e->at[s->out[0]]};
    pool_for(e->pool, c->x.images * nn__pieces(&c->cut), 1, run_pieces, &call);
}

static void finish(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                   const struct nn_window *w, bool max, bool count_pad)
{
    struct pool16 *p = nn__context(c, sizeof *p);
    p->x = nn__view(nn__place(c, j->in[0]));
    p->y = nn__view(nn__place(c, j->out[0]));
    p->max = max;
    p->bytes = j->mode == NN_Q16;
    p->p = (struct nn_pool16){
        .x_plane = p->x.plane, .x_row = p->x.row, .y_plane = p->y.plane, .y_row = p->y.row,
        .h = w->in[0], .w = w->in[1], .oh = w->out[0], .ow = w->out[1],
        .kh = w->kernel[0], .kw = w->kernel[1], .stride_h = w->stride[0],
        .stride_w = w->stride[1], .top = w->pad[0], .left = w->pad[1], .count_pad = count_pad};
    int64_t floats = (int64_t)p->x.images * p->x.planes * w->in[0] * w->in[1] * 16;
    p->cut = nn__cut(c, p->x.images, p->x.planes, w->out[0], floats * 4, !nn__even(c, w->out[0]));
    s->context = p;
    s->run = run_pool;
    s->info.kernel = p->bytes ? "qmaxpool16" : max ? "maxpool16" : "avgpool16";
}

int nn__prepare_pool16(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                       struct err *err)
{
    struct nn_window w;
    int code = nn__window(c->g, j->node, &w, err);
    if (code == 0)
        finish(c, j, s, &w, j->node->op == NN_OP_MAXPOOL,
               nn__attr_int(j->node, "count_include_pad", 0) != 0);
    return code;
}

/* A global pool is a pool whose window is the image. */
int nn__prepare_global_pool16(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                              struct err *err)
{
    const struct nn_shape *x = nn__shape_of(c, j->node->inputs[0]);
    int h = (int)x->dims[2], w = (int)x->dims[3];
    struct nn_window window = {.kernel = {h, w}, .stride = {1, 1}, .in = {h, w}, .out = {1, 1}};
    (void)err;
    finish(c, j, s, &window, j->node->op == NN_OP_GLOBAL_MAXPOOL, false);
    return 0;
}
