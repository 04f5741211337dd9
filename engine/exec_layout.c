/* Conversions between plain and C16 tensors, with or without a border; and borders themselves.
 *
 * A border is written once for each forward by the step that produces the place, in
 * nn__clear_border(), because other places may use the same memory in between. */
#include "exec.h"

#include <string.h>

#include "base/pool.h"

struct layout {
    struct nn__view in, out;
    int channels, h, w;
    bool to_c16;
    bool same; /* plain to plain: only the border differs */
    int planes, piece;
};

struct layout_call {
    const struct layout *l;
    const struct nn__env *e;
    float *x, *y;
};

static void copy_plane(const struct layout *l, const float *x, float *y)
{
    for (int r = 0; r < l->in.rows; r++)
        memcpy(y + (size_t)r * l->out.row, x + (size_t)r * l->in.row, sizeof *y * l->in.width);
}

static void run_planes(void *arg, int begin, int end, int thread)
{
    const struct layout_call *c = arg;
    const struct layout *l = c->l;
    (void)thread;
    for (int i = begin; i < end; i++) {
        int image = i / l->planes, plane = i % l->planes;
        float *x = c->x + l->in.start + (size_t)image * l->in.image;
        float *y = c->y + l->out.start + (size_t)image * l->out.image;
        const struct nn__view *blocked = l->to_c16 ? &l->out : &l->in;
        struct nn_nchw n = {.c16 = l->to_c16 ? y : x, .nchw = l->to_c16 ? x : y,
                            .c16_plane = blocked->plane, .c16_row = blocked->row,
                            .channels = l->channels, .h = l->h, .w = l->w};
        if (l->same)
            copy_plane(l, x + (size_t)plane * l->in.plane, y + (size_t)plane * l->out.plane);
        else if (l->to_c16)
            c->e->k->c16_from_nchw(&n, plane, plane + 1);
        else
            c->e->k->c16_to_nchw(&n, plane, plane + 1);
    }
}

static void run_layout(const struct nn__step *s, const struct nn__env *e)
{
    const struct layout *l = s->context;
    struct layout_call c = {l, e, e->at[s->in[0]], e->at[s->out[0]]};
    pool_for(e->pool, l->in.images * l->planes, l->piece, run_planes, &c);
}

static void choose_piece(const struct nn__compiler *c, struct layout *l)
{
    l->planes = l->same ? l->in.planes : nn_blocks(l->channels);
    int64_t floats = (int64_t)l->in.images * (int64_t)l->in.image;
    l->piece = nn__piece(c, l->in.images * l->planes, nn__cuts(c, floats * 4), 1);
}

/* A plain matrix as images of one pixel. */
static struct nn__view image_view(const struct nn__place *p)
{
    struct nn__view v = nn__view(p);
    if (p->layout == NN_PLAIN && p->shape.rank == 2) {
        v.images = (int)p->shape.dims[0];
        v.image = (size_t)p->shape.dims[1];
    }
    return v;
}

int nn__prepare_layout(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                       struct err *err)
{
    const struct nn__place *in = nn__place(c, j->in[0]), *out = nn__place(c, j->out[0]);
    struct layout *l = nn__context(c, sizeof *l);
    (void)err;
    l->in = image_view(in);
    l->out = image_view(out);
    l->channels = (int)in->shape.dims[1];
    l->h = nn__height(&in->shape);
    l->w = nn__width(&in->shape);
    l->same = in->layout == out->layout;
    l->to_c16 = out->layout == NN_C16 && !l->same;
    choose_piece(c, l);
    s->context = l;
    s->run = run_layout;
    s->info.kernel = l->same ? "border" : l->to_c16 ? "to C16" : "to NCHW";
    return 0;
}

/* Concat of C16 images along the channels: every part but the last fills whole blocks. */
struct join16 {
    int count;
    struct layout *parts; /* `out` starts at the part's first block */
};

static void run_join16(const struct nn__step *s, const struct nn__env *e)
{
    const struct join16 *c = s->context;
    for (int i = 0; i < c->count; i++) {
        struct layout_call call = {&c->parts[i], e, e->at[s->in[i]], e->at[s->out[0]]};
        pool_for(e->pool, c->parts[i].in.images * c->parts[i].planes, c->parts[i].piece, run_planes,
                 &call);
    }
}

int nn__prepare_concat16(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                         struct err *err)
{
    struct join16 *join = nn__context(c, sizeof *join);
    size_t plane = 0;
    (void)err;
    join->count = j->in_count;
    join->parts = nn__context(c, sizeof *join->parts * (size_t)j->in_count);
    for (int i = 0; i < j->in_count; i++) {
        struct layout *l = &join->parts[i];
        l->in = nn__view(nn__place(c, j->in[i]));
        l->out = nn__view(nn__place(c, j->out[0]));
        l->out.start += plane * l->out.plane;
        l->same = true;
        choose_piece(c, l);
        plane += (size_t)l->in.planes;
    }
    s->context = join;
    s->run = run_join16;
    s->info.kernel = "copy C16";
    return 0;
}

/* How many, with border and lanes. */
static size_t place_elements(const struct nn__place *p)
{
    const struct nn_shape *s = &p->shape;
    if (s->rank != 4 && p->layout == NN_PLAIN)
        return (size_t)nn__shape_elements(s, 1);
    size_t h = (size_t)(nn__height(s) + p->pad[0] + p->pad[2]);
    size_t w = (size_t)(nn__width(s) + p->pad[1] + p->pad[3]);
    size_t c = p->layout == NN_PLAIN ? (size_t)s->dims[1] : (size_t)nn_blocks((int)s->dims[1]) * 16;
    return (size_t)s->dims[0] * c * h * w;
}

size_t nn__place_floats(const struct nn__place *p)
{
    size_t n = place_elements(p);
    return p->layout == NN_Q16 ? (n + sizeof(float) - 1) / sizeof(float) : n;
}

struct nn__view nn__view(const struct nn__place *p)
{
    const struct nn_shape *s = &p->shape;
    size_t count = place_elements(p);
    if (p->layout == NN_PLAIN && s->rank != 4)
        return (struct nn__view){1, 1, 1, count, 0, count, count, count};
    size_t pixel = p->layout == NN_PLAIN ? 1 : 16;
    int h = nn__height(s) + p->pad[0] + p->pad[2];
    struct nn__view v = {.images = (int)s->dims[0], .rows = nn__height(s)};
    v.planes = p->layout == NN_PLAIN ? (int)s->dims[1] : nn_blocks((int)s->dims[1]);
    v.width = (size_t)nn__width(s) * pixel;
    v.row = v.width + (size_t)(p->pad[1] + p->pad[3]) * pixel;
    v.plane = v.row * (size_t)h;
    v.image = v.plane * (size_t)v.planes;
    v.start = (size_t)p->pad[0] * v.row + (size_t)p->pad[1] * pixel;
    return v;
}

/* A few pixels, or, plain, a few floats: too little for a call of memset(). */
static void clear(char *p, int fill, size_t size)
{
    enum { CHUNK = 64 };
    for (; size >= CHUNK; size -= CHUNK, p += CHUNK)
        memset(p, fill, CHUNK);
    for (; size > 0; size--)
        *p++ = (char)fill;
}

void nn__clear_border(const struct nn__place *p, float *data)
{
    struct nn__view v = nn__view(p);
    bool bytes = p->layout == NN_Q16;
    size_t size = bytes ? 1 : sizeof *data, pixel = p->layout == NN_PLAIN ? 1 : 16;
    int fill = bytes ? p->zero : 0;
    size_t side = v.row - v.width;
    size_t top = (size_t)p->pad[0] * v.row + (size_t)p->pad[1] * pixel;
    size_t bottom = (size_t)p->pad[2] * v.row + (size_t)p->pad[3] * pixel;
    for (int i = 0; i < v.images * v.planes; i++) {
        char *plane = (char *)data + (size_t)i * v.plane * size;
        clear(plane, fill, size * top);
        for (int r = 0; r + 1 < v.rows; r++) /* right of this row and left of the next */
            clear(plane + (v.start + (size_t)r * v.row + v.width) * size, fill, size * side);
        clear(plane + (v.plane - bottom) * size, fill, size * bottom);
    }
}

void nn__strides(const struct nn_shape *s, int64_t stride[NN_MAX_RANK])
{
    int64_t step = 1;
    for (int a = s->rank - 1; a >= 0; a--) {
        stride[a] = step;
        step *= s->dims[a];
    }
}
