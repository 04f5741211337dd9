/* Operators that move elements: Transpose, Slice, Expand, Tile, Pad, Gather, DepthToSpace,
 * SpaceToDepth, Resize to the nearest pixel, Split, Concat, and copies.
 *
 * DESIGN. All of them are one loop: the result at index (i, j, ...) is the input's element at
 * offset[0][i] + offset[1][j] + ..., where a negative offset stands for a constant. Each operator
 * only fills these tables. */
#include "exec.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"

enum { MAP_RANK = NN_MAX_RANK, FILL = -1 };

struct map {
    int in, out;                 /* index of the place in the step */
    int rank;
    int64_t dims[MAP_RANK];      /* of what is written */
    int64_t *offset[MAP_RANK];   /* into the input; FILL: the constant */
    int64_t start, stride[MAP_RANK]; /* into the output */
    bool dense;                  /* the last axis is contiguous in the input */
    float fill;
};

struct map_list {
    int count;
    struct map *maps;
};

struct map_call {
    const struct map *m;
    const float *x;
    float *y;
};

static void run_row(const struct map *m, const float *x, bool filled, float *y)
{
    int last = m->rank - 1;
    int64_t count = m->dims[last];
    const int64_t *offset = m->offset[last];
    if (!filled && m->dense && count > 0) {
        memcpy(y, x + offset[0], sizeof *y * (size_t)count);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        y[i] = filled || offset[i] < 0 ? m->fill : x[offset[i]];
}

static void run_rows(void *arg, int begin, int end, int thread)
{
    const struct map_call *c = arg;
    const struct map *m = c->m;
    (void)thread;
    for (int r = begin; r < end; r++) {
        int64_t rest = r, from = 0, to = m->start;
        bool filled = false;
        for (int a = m->rank - 2; a >= 0; a--) {
            int64_t i = rest % m->dims[a], offset = m->offset[a][i];
            rest /= m->dims[a];
            filled |= offset < 0;
            from += offset;
            to += i * m->stride[a];
        }
        run_row(m, filled ? NULL : c->x + from, filled, c->y + to);
    }
}

static void run_maps(const struct nn__step *s, const struct nn__env *e)
{
    const struct map_list *l = s->context;
    for (int i = 0; i < l->count; i++) {
        const struct map *m = &l->maps[i];
        struct map_call c = {m, e->at[s->in[m->in]], e->at[s->out[m->out]]};
        int64_t rows = 1, width = m->dims[m->rank - 1];
        for (int a = 0; a < m->rank - 1; a++)
            rows *= m->dims[a];
        if (width > 0)
            pool_for(e->pool, (int)rows, (int)(NN_GRAIN / width + 1), run_rows, &c);
    }
}

/* A map of the given result dimensions, read with `stride`, written densely. */
static void map_init(struct nn__compiler *c, struct map *m, int rank, const int64_t *dims,
                     const int64_t *stride)
{
    struct nn_shape shape = {.rank = rank > 0 ? rank : 1, .dims = {1}};
    int64_t scalar = 0;
    for (int a = 0; a < rank; a++)
        shape.dims[a] = dims[a];
    m->rank = shape.rank;
    for (int a = 0; a < m->rank; a++) {
        m->dims[a] = shape.dims[a];
        m->offset[a] = nn__context(c, sizeof(int64_t) * (size_t)(m->dims[a] + 1));
        for (int64_t i = 0; i < m->dims[a]; i++)
            m->offset[a][i] = i * (rank > 0 ? stride[a] : scalar);
    }
    nn__strides(&shape, m->stride);
}

static struct map *list_init(struct nn__compiler *c, struct nn__step *s, int count)
{
    struct map_list *l = nn__context(c, sizeof *l);
    l->count = count;
    l->maps = nn__context(c, sizeof *l->maps * (size_t)count);
    s->context = l;
    s->run = run_maps;
    s->info.kernel = "copy";
    return l->maps;
}

/* Is the last axis of the input read as it lies? Then rows are copied whole. */
static void find_dense(struct map *m)
{
    const int64_t *offset = m->offset[m->rank - 1];
    m->dense = true;
    for (int64_t i = 0; i < m->dims[m->rank - 1]; i++)
        m->dense &= offset[i] >= 0 && offset[i] == offset[0] + i;
}

static void map_transpose(struct nn__compiler *c, const struct nn_node *n, struct map *m)
{
    const struct nn_shape *x = nn__shape_of(c, n->inputs[0]);
    const struct nn_attr *perm = nn__attr(n, "perm");
    int64_t own[NN_MAX_RANK], dims[NN_MAX_RANK], stride[NN_MAX_RANK];
    nn__strides(x, own);
    for (int a = 0; a < x->rank; a++) {
        int64_t from = perm ? perm->ints[a] : x->rank - 1 - a;
        dims[a] = x->dims[from];
        stride[a] = own[from];
    }
    map_init(c, m, x->rank, dims, stride);
}

static int map_slice(struct nn__compiler *c, const struct nn_node *n, struct map *m,
                     struct err *err)
{
    struct nn_slice slice;
    int64_t own[NN_MAX_RANK];
    int code = nn__slice(c->g, n, &slice, err);
    if (code < 0)
        return code;
    const struct nn_shape *x = nn__shape_of(c, n->inputs[0]);
    nn__strides(x, own);
    map_init(c, m, x->rank, slice.count, own);
    for (int a = 0; a < x->rank; a++)
        for (int64_t i = 0; i < slice.count[a]; i++)
            m->offset[a][i] = (slice.start[a] + i * slice.step[a]) * own[a];
    return 0;
}

/* Expand and Tile: axes repeat. */
static void map_repeat(struct nn__compiler *c, const struct nn_node *n, struct map *m)
{
    const struct nn_shape *x = nn__shape_of(c, n->inputs[0]);
    const struct nn_shape *y = nn__shape_of(c, n->outputs[0]);
    int64_t own[NN_MAX_RANK];
    nn__strides(x, own);
    map_init(c, m, y->rank, y->dims, y->dims);
    for (int a = 0; a < y->rank; a++) {
        int from = a - (y->rank - x->rank);
        for (int64_t i = 0; i < y->dims[a]; i++)
            m->offset[a][i] = from < 0 ? 0 : i % x->dims[from] * own[from];
    }
}

/* The input index that Pad puts at position i, or FILL. */
static int64_t padded_index(const char *mode, int64_t i, int64_t size)
{
    if (i >= 0 && i < size)
        return i;
    if (!strcmp(mode, "edge"))
        return i < 0 ? 0 : size - 1;
    if (!strcmp(mode, "reflect"))
        return i < 0 ? -i : 2 * size - 2 - i;
    return FILL;
}

static int map_pad(struct nn__compiler *c, const struct nn_node *n, struct map *m, struct err *err)
{
    int64_t before[NN_MAX_RANK], after[NN_MAX_RANK], own[NN_MAX_RANK];
    const char *mode = nn__attr_string(n, "mode", "constant");
    int code = nn__pads(c->g, n, before, after, err);
    if (code < 0)
        return code;
    if (strcmp(mode, "constant") && strcmp(mode, "edge") && strcmp(mode, "reflect"))
        return nn__node_error(n, err, ERR_UNSUPPORTED, "mode %s is not supported", mode);
    const struct nn_shape *x = nn__shape_of(c, n->inputs[0]);
    const struct nn_shape *y = nn__shape_of(c, n->outputs[0]);
    nn__strides(x, own);
    map_init(c, m, y->rank, y->dims, own);
    for (int a = 0; a < y->rank; a++)
        for (int64_t i = 0; i < y->dims[a]; i++) {
            int64_t from = padded_index(mode, i - before[a], x->dims[a]);
            m->offset[a][i] = from == FILL ? FILL : from * own[a];
        }
    m->fill = nn__attr_float(n, "value", 0);
    if (nn__has(n, 2)) {
        if (!nn__is_constant(c->g, n->inputs[2]) ||
            nn__shape_elements(nn__shape_of(c, n->inputs[2]), 1) != 1)
            return nn__node_error(n, err, ERR_UNSUPPORTED, "its value must be one constant");
        m->fill = (float)nn__element(nn__value(c->g, n->inputs[2]), 0);
    }
    return 0;
}

/* The axis is replaced by the axes of the indices, which are walked as one. */
static void map_gather(struct nn__compiler *c, const struct nn_node *n, struct map *m)
{
    const struct nn_shape *x = nn__shape_of(c, n->inputs[0]);
    const struct nn_tensor *index = nn__value(c->g, n->inputs[1]);
    int64_t dims[NN_MAX_RANK], own[NN_MAX_RANK];
    int64_t axis = nn__attr_int(n, "axis", 0);
    axis = axis < 0 ? axis + x->rank : axis;
    nn__strides(x, own);
    for (int a = 0; a < x->rank; a++)
        dims[a] = a == axis ? nn__shape_elements(&index->shape, 1) : x->dims[a];
    map_init(c, m, x->rank, dims, own);
    for (int64_t i = 0; i < dims[axis]; i++) {
        int64_t from = (int64_t)nn__element(index, i);
        m->offset[axis][i] = (from < 0 ? from + x->dims[axis] : from) * own[axis];
    }
}

/* [N, b, b, C, H, W] (DCR) or [N, C, b, b, H, W] (CRD) becomes [N, C, H, b, W, b]. */
static void map_depth_to_space(struct nn__compiler *c, const struct nn_node *n, struct map *m)
{
    const struct nn_shape *x = nn__shape_of(c, n->inputs[0]);
    int64_t b = nn__attr_int(n, "blocksize", 1), h = x->dims[2], w = x->dims[3];
    int64_t channels = x->dims[1] / (b * b), plane = h * w;
    bool crd = !strcmp(nn__attr_string(n, "mode", "DCR"), "CRD");
    int64_t dims[] = {x->dims[0], channels, h, b, w, b};
    int64_t dcr_stride[] = {x->dims[1] * plane, plane, w, b * channels * plane, 1,
                            channels * plane};
    int64_t crd_stride[] = {x->dims[1] * plane, b * b * plane, w, b * plane, 1, plane};
    map_init(c, m, 6, dims, crd ? crd_stride : dcr_stride);
}

/* [N, C, H, b, W, b] becomes [N, b, b, C, H, W]. */
static void map_space_to_depth(struct nn__compiler *c, const struct nn_node *n, struct map *m)
{
    const struct nn_shape *x = nn__shape_of(c, n->inputs[0]);
    int64_t b = nn__attr_int(n, "blocksize", 1), w = x->dims[3], plane = x->dims[2] * w;
    int64_t dims[] = {x->dims[0], b, b, x->dims[1], x->dims[2] / b, w / b};
    int64_t stride[] = {x->dims[1] * plane, w, 1, plane, b * w, b};
    map_init(c, m, 6, dims, stride);
}

/* Where Resize reads result pixel i (ONNX operator Resize, coordinate_transformation_mode). */
double nn__resize_source(const struct nn_node *n, int64_t index, double scale, int64_t in,
                         int64_t out)
{
    /* in float, as ONNX Runtime and PyTorch compute it: positions on an edge must round alike */
    float i = (float)index, s = (float)scale;
    bool old = n->op == NN_OP_UPSAMPLE || n->input_count == 2; /* opset 10 and before */
    const char *mode = nn__attr_string(n, "coordinate_transformation_mode",
                                       old ? "asymmetric" : "half_pixel");
    if (!strcmp(mode, "asymmetric"))
        return (double)(i / s);
    if (!strcmp(mode, "align_corners"))
        return out > 1 ? (double)(i * (float)(in - 1) / (float)(out - 1)) : 0;
    if (!strcmp(mode, "pytorch_half_pixel") && out <= 1)
        return 0;
    return (double)((i + 0.5f) / s - 0.5f);
}

static double round_nearest(const struct nn_node *n, double x)
{
    bool old = n->op == NN_OP_UPSAMPLE || n->input_count == 2;
    const char *mode = nn__attr_string(n, "nearest_mode", old ? "floor" : "round_prefer_floor");
    if (!strcmp(mode, "floor"))
        return floor(x);
    if (!strcmp(mode, "ceil"))
        return ceil(x);
    return !strcmp(mode, "round_prefer_ceil") ? floor(x + 0.5) : ceil(x - 0.5);
}

static int map_nearest(struct nn__compiler *c, const struct nn_node *n, struct map *m,
                       struct err *err)
{
    const struct nn_shape *x = nn__shape_of(c, n->inputs[0]);
    const struct nn_shape *y = nn__shape_of(c, n->outputs[0]);
    double scale[NN_MAX_RANK];
    int64_t own[NN_MAX_RANK];
    int code = nn__scales(c->g, n, scale, err);
    if (code < 0)
        return code;
    nn__strides(x, own);
    map_init(c, m, y->rank, y->dims, own);
    for (int a = 0; a < y->rank; a++)
        for (int64_t i = 0; i < y->dims[a] && x->dims[a] > 0; i++) {
            double at = round_nearest(
                n, nn__resize_source(n, i, scale[a], x->dims[a], y->dims[a]));
            int64_t last = x->dims[a] - 1;
            m->offset[a][i] = (at < 0 ? 0 : at > (double)last ? last : (int64_t)at) * own[a];
        }
    return 0;
}

int nn__prepare_map(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                    struct err *err)
{
    const struct nn_node *n = j->node;
    struct map *m = list_init(c, s, 1);
    int64_t count = nn__shape_elements(nn__shape_of(c, n->inputs[0]), 1), one = 1;
    int code = 0;
    if (n->op == NN_OP_TRANSPOSE)
        map_transpose(c, n, m);
    else if (n->op == NN_OP_SLICE)
        code = map_slice(c, n, m, err);
    else if (n->op == NN_OP_EXPAND || n->op == NN_OP_TILE)
        map_repeat(c, n, m);
    else if (n->op == NN_OP_PAD)
        code = map_pad(c, n, m, err);
    else if (n->op == NN_OP_GATHER)
        map_gather(c, n, m);
    else if (n->op == NN_OP_DEPTH_TO_SPACE)
        map_depth_to_space(c, n, m);
    else if (n->op == NN_OP_SPACE_TO_DEPTH)
        map_space_to_depth(c, n, m);
    else if (n->op == NN_OP_RESIZE || n->op == NN_OP_UPSAMPLE)
        code = map_nearest(c, n, m, err);
    else
        map_init(c, m, 1, &count, &one); /* a copy: Reshape, Identity, ... */
    if (code == 0)
        find_dense(m);
    return code;
}

/* One map for each part along `axis`: part k reads or writes from `at` on. */
int nn__prepare_split(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                      struct err *err)
{
    const struct nn_node *n = j->node;
    const struct nn_shape *x = nn__shape_of(c, n->inputs[0]);
    struct map *maps = list_init(c, s, n->output_count);
    int64_t own[NN_MAX_RANK], axis = nn__attr_int(n, "axis", 0), at = 0;
    (void)err;
    axis = axis < 0 ? axis + x->rank : axis;
    nn__strides(x, own);
    for (int k = 0; k < n->output_count; k++) {
        const struct nn_shape *y = nn__shape_of(c, n->outputs[k]);
        map_init(c, &maps[k], y->rank, y->dims, own);
        maps[k].out = k;
        for (int64_t i = 0; i < y->dims[axis]; i++)
            maps[k].offset[axis][i] = (at + i) * own[axis];
        at += y->dims[axis];
        find_dense(&maps[k]);
    }
    return 0;
}

int nn__prepare_concat(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                       struct err *err)
{
    const struct nn_node *n = j->node;
    const struct nn_shape *y = nn__shape_of(c, n->outputs[0]);
    struct map *maps = list_init(c, s, n->input_count);
    int64_t own[NN_MAX_RANK], axis = nn__attr_int(n, "axis", 1), at = 0;
    (void)err;
    axis = axis < 0 ? axis + y->rank : axis;
    for (int k = 0; k < n->input_count; k++) {
        const struct nn_shape *x = nn__shape_of(c, n->inputs[k]);
        nn__strides(x, own);
        map_init(c, &maps[k], x->rank, x->dims, own);
        maps[k].in = k;
        nn__strides(y, maps[k].stride);
        maps[k].start = at * maps[k].stride[axis];
        at += x->dims[axis];
        find_dense(&maps[k]);
    }
    return 0;
}
