/* Softmax, and normalisations that were not folded into a neighbour. */
#include "exec.h"

#include <math.h>
#include <string.h>

#include "base/pool.h"

/* A tensor as outer x size x inner; the middle is normalised. */
struct norm {
    enum nn_op op;
    void (*line)(const struct norm *n, const float *x, float *y); /* one middle, or NULL */
    int64_t outer, size, inner;
    int channels; /* of instance norm: outer = N * channels */
    bool log;
    bool first; /* LpNormalization: p is 1, else 2 */
    float epsilon;
    const float *scale, *shift; /* owned by the plan; NULL: ones, zeros */
};

struct norm_call {
    const struct norm *n;
    const struct nn__env *e;
    const float *x;
    float *y;
};

static void softmax_one(const struct norm *n, const float *x, float *y)
{
    float max = -INFINITY;
    double sum = 0;
    for (int64_t i = 0; i < n->size; i++)
        max = x[i * n->inner] > max ? x[i * n->inner] : max;
    for (int64_t i = 0; i < n->size; i++)
        sum += expf(x[i * n->inner] - max);
    for (int64_t i = 0; i < n->size; i++) {
        float v = x[i * n->inner] - max;
        y[i * n->inner] = n->log ? v - (float)log(sum) : expf(v) / (float)sum;
    }
}

/* LpNormalization: x / |x|. */
static void lp_one(const struct norm *n, const float *x, float *y)
{
    double sum = 0;
    for (int64_t i = 0; i < n->size; i++) {
        double v = (double)x[i * n->inner];
        sum += n->first ? fabs(v) : v * v;
    }
    double length = n->first ? sum : sqrt(sum);
    for (int64_t i = 0; i < n->size; i++)
        y[i * n->inner] = length > 0 ? (float)((double)x[i * n->inner] / length) : 0;
}

static void run_line_range(void *arg, int begin, int end, int thread)
{
    const struct norm_call *c = arg;
    (void)thread;
    for (int i = begin; i < end; i++) {
        int64_t at = i / c->n->inner * c->n->size * c->n->inner + i % c->n->inner;
        c->n->line(c->n, c->x + at, c->y + at);
    }
}

static void run_lines(const struct nn__step *s, const struct nn__env *e)
{
    const struct norm *n = s->context;
    struct norm_call c = {n, e, e->at[s->in[0]], e->at[s->out[0]]};
    pool_for(e->pool, (int)(n->outer * n->inner), (int)(NN_GRAIN / 8 / (n->size + 1)) + 1,
             run_line_range, &c);
}

/* What is done along one axis; `rest`: along it and all that follow. */
static struct norm *make_lines(struct nn__compiler *c, const struct nn_node *node, int64_t axis,
                               bool rest, struct nn__step *s, struct err *err)
{
    const struct nn_shape *x = nn__shape_of(c, node->inputs[0]);
    if (axis < -x->rank || axis >= x->rank) {
        nn__node_error(node, err, ERR_RANGE, "axis %lld is outside rank %d", (long long)axis,
                       x->rank);
        return NULL;
    }
    axis = axis < 0 ? axis + x->rank : axis;
    struct norm *n = nn__context(c, sizeof *n);
    *n = (struct norm){.op = node->op, .outer = 1, .size = 1, .inner = 1};
    for (int a = 0; a < x->rank; a++) {
        int64_t *part = a < axis ? &n->outer : a == axis || rest ? &n->size : &n->inner;
        *part *= x->dims[a];
    }
    s->context = n;
    s->run = run_lines;
    return n;
}

/* Softmax and LogSoftmax. Before opset 13 everything from the axis on is one row. */
int nn__prepare_softmax(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                        struct err *err)
{
    bool rows = c->g->opset < 13;
    int64_t axis = nn__attr_int(j->node, "axis", rows ? 1 : -1);
    struct norm *n = make_lines(c, j->node, axis, rows, s, err);
    if (!n)
        return ERR_RANGE;
    n->line = softmax_one;
    n->log = j->node->op == NN_OP_LOG_SOFTMAX;
    s->info.kernel = "softmax";
    return 0;
}

int nn__prepare_lp_norm(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                        struct err *err)
{
    int64_t p = nn__attr_int(j->node, "p", 2);
    if (p != 1 && p != 2)
        return nn__node_error(j->node, err, ERR_UNSUPPORTED, "p is %lld", (long long)p);
    struct norm *n = make_lines(c, j->node, nn__attr_int(j->node, "axis", -1), false, s, err);
    if (!n)
        return ERR_RANGE;
    n->line = lp_one;
    n->first = p == 1;
    s->info.kernel = "normalisation";
    return 0;
}

static void normalise(const float *x, float *y, int64_t n, float epsilon, double *mean,
                      double *factor)
{
    double sum = 0, square = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    *mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++)
        square += (x[i] - *mean) * (x[i] - *mean);
    *factor = 1 / sqrt(square / (double)n + epsilon);
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)((x[i] - *mean) * *factor);
}

static void run_norm_range(void *arg, int begin, int end, int thread)
{
    const struct norm_call *c = arg;
    const struct norm *n = c->n;
    double mean, factor;
    (void)thread;
    for (int i = begin; i < end; i++) {
        float *y = c->y + i * n->size;
        normalise(c->x + i * n->size, y, n->size, n->epsilon, &mean, &factor);
        for (int64_t k = 0; k < n->size; k++) {
            int64_t at = n->op == NN_OP_LAYER_NORM ? k : i % n->channels;
            y[k] = y[k] * n->scale[at] + (n->shift ? n->shift[at] : 0);
        }
    }
}

static void run_norm(const struct nn__step *s, const struct nn__env *e)
{
    const struct norm *n = s->context;
    struct norm_call c = {n, e, e->at[s->in[0]], e->at[s->out[0]]};
    pool_for(e->pool, (int)n->outer, (int)(NN_GRAIN / 4 / (n->size + 1)) + 1, run_norm_range, &c);
}

/* A copy of a constant input in plan memory. */
static int keep_floats(struct nn__compiler *c, const struct nn_node *n, int i, const float **out,
                       struct err *err)
{
    const float *from = nn__floats_of(c, n, i);
    if (!from)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "its parameters must be constant");
    int64_t count = nn__shape_elements(nn__shape_of(c, n->inputs[i]), 1);
    float *copy = nn__plan_floats(c->plan, count, err);
    if (!copy)
        return ERR_NO_MEMORY;
    memcpy(copy, from, sizeof *copy * (size_t)count);
    *out = copy;
    return 0;
}

static int prepare_norm(struct nn__compiler *c, const struct nn_node *node, struct norm *n,
                        struct nn__step *s, struct err *err)
{
    int code = keep_floats(c, node, 1, &n->scale, err);
    if (code == 0 && nn__has(node, 2))
        code = keep_floats(c, node, 2, &n->shift, err);
    s->context = n;
    s->run = run_norm;
    s->info.kernel = "normalisation";
    return code;
}

int nn__prepare_layer_norm(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                           struct err *err)
{
    const struct nn_shape *x = nn__shape_of(c, j->node->inputs[0]);
    int64_t axis = nn__attr_int(j->node, "axis", -1);
    axis = axis < 0 ? axis + x->rank : axis;
    struct norm *n = nn__context(c, sizeof *n);
    *n = (struct norm){.op = NN_OP_LAYER_NORM,
                       .outer = 1,
                       .size = 1,
                       .epsilon = nn__attr_float(j->node, "epsilon", 1e-5f)};
    for (int a = 0; a < x->rank; a++)
        *(a < axis ? &n->outer : &n->size) *= x->dims[a];
    return prepare_norm(c, j->node, n, s, err);
}

int nn__prepare_instance_norm(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                              struct err *err)
{
    const struct nn_shape *x = nn__shape_of(c, j->node->inputs[0]);
    struct norm *n = nn__context(c, sizeof *n);
    *n = (struct norm){.op = NN_OP_INSTANCE_NORM,
                       .outer = 1,
                       .size = 1,
                       .epsilon = nn__attr_float(j->node, "epsilon", 1e-5f)};
    if (x->rank < 3)
        return nn__node_error(j->node, err, ERR_FORMAT, "wants at least rank 3");
    for (int a = 0; a < x->rank; a++)
        *(a < 2 ? &n->outer : &n->size) *= x->dims[a];
    n->channels = (int)x->dims[1];
    for (int i = 1; i < 3; i++)
        if (nn__shape_elements(nn__shape_of(c, j->node->inputs[i]), 1) != x->dims[1])
            return nn__node_error(j->node, err, ERR_FORMAT, "input %d does not fit", i);
    return prepare_norm(c, j->node, n, s, err);
}

/* LRN (Krizhevsky et al. 2012, section 3.3): each number is divided by a power of the squares of
 * its neighbours in other channels. */
struct lrn {
    int channels, before, after; /* neighbours */
    int pixels;                  /* of all images */
    int64_t inner;
    double alpha, beta, bias; /* alpha: divided by the size already */
};

struct lrn_call {
    const struct lrn *l;
    const float *x;
    float *y;
};

static void run_lrn_range(void *arg, int begin, int end, int thread)
{
    const struct lrn_call *c = arg;
    const struct lrn *l = c->l;
    (void)thread;
    for (int i = begin; i < end; i++) { /* one pixel of one image */
        int64_t at = i / l->inner * l->channels * l->inner + i % l->inner;
        for (int ch = 0; ch < l->channels; ch++) {
            double sum = 0;
            for (int k = ch - l->before; k <= ch + l->after; k++) {
                double v = k >= 0 && k < l->channels ? c->x[at + k * l->inner] : 0;
                sum += v * v;
            }
            double factor = pow(l->bias + l->alpha * sum, -l->beta);
            c->y[at + ch * l->inner] = (float)(c->x[at + ch * l->inner] * factor);
        }
    }
}

static void run_lrn(const struct nn__step *s, const struct nn__env *e)
{
    const struct lrn *l = s->context;
    struct lrn_call c = {l, e->at[s->in[0]], e->at[s->out[0]]};
    pool_for(e->pool, l->pixels, NN_GRAIN / 64, run_lrn_range, &c);
}

int nn__prepare_lrn(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                    struct err *err)
{
    const struct nn_node *node = j->node;
    const struct nn_shape *x = nn__shape_of(c, node->inputs[0]);
    int64_t size = nn__attr_int(node, "size", 0);
    if (x->rank < 3 || size < 1 || size > INT16_MAX)
        return nn__node_error(node, err, ERR_RANGE, "a size of %lld does not fit rank %d",
                              (long long)size, x->rank);
    struct lrn *l = nn__context(c, sizeof *l);
    *l = (struct lrn){.channels = (int)x->dims[1],
                      .pixels = (int)x->dims[0],
                      .before = (int)(size - 1) / 2,
                      .after = (int)size / 2,
                      .inner = 1,
                      .alpha = nn__attr_float(node, "alpha", 1e-4f) / (double)size,
                      .beta = nn__attr_float(node, "beta", 0.75f),
                      .bias = nn__attr_float(node, "bias", 1)};
    for (int a = 2; a < x->rank; a++)
        l->inner *= x->dims[a];
    l->pixels *= (int)l->inner;
    s->context = l;
    s->run = run_lrn;
    s->info.kernel = "normalisation";
    return 0;
}

/* Batch norm on its own: y = scale x + shift for each channel. */
struct affine {
    struct nn__view x, y;
    int per_plane; /* channels in a plane: 1, or 16 lanes */
    const float *scale, *shift;
    float lo, hi;
};

struct affine_call {
    const struct affine *a;
    const struct nn__env *e;
    const float *x;
    float *y;
};

static void run_affine_planes(void *arg, int begin, int end, int thread)
{
    const struct affine_call *c = arg;
    const struct affine *a = c->a;
    (void)thread;
    for (int i = begin; i < end; i++) {
        size_t image = (size_t)(i / a->x.planes), plane = (size_t)(i % a->x.planes);
        const float *x = c->x + a->x.start + image * a->x.image + plane * a->x.plane;
        float *y = c->y + a->y.start + image * a->y.image + plane * a->y.plane;
        const float *scale = a->scale + plane * a->per_plane;
        const float *shift = a->shift + plane * a->per_plane;
        for (int r = 0; r < a->x.rows && a->per_plane == 16; r++) {
            struct nn_affine16 f = {.a = x + r * a->x.row,
                                    .y = y + r * a->y.row,
                                    .a_scale = scale,
                                    .shift = shift,
                                    .pixels = a->x.width / 16,
                                    .lo = a->lo,
                                    .hi = a->hi};
            c->e->k->affine16(&f);
        }
        for (int r = 0; r < a->x.rows && a->per_plane == 1; r++)
            for (size_t k = 0; k < a->x.width; k++) {
                float v = x[r * a->x.row + k] * *scale + *shift;
                y[r * a->y.row + k] = v < a->lo ? a->lo : v > a->hi ? a->hi : v;
            }
    }
}

static void run_affine(const struct nn__step *s, const struct nn__env *e)
{
    const struct affine *a = s->context;
    struct affine_call c = {a, e, e->at[s->in[0]], e->at[s->out[0]]};
    pool_for(e->pool, a->x.images * a->x.planes, 1, run_affine_planes, &c);
}

static int prepare_affine(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                          int per_plane, struct err *err)
{
    const struct nn_shape *x = nn__shape_of(c, j->node->inputs[0]);
    struct affine *a = nn__context(c, sizeof *a);
    int channels = (int)x->dims[1];
    float *scale = nn__context(c, sizeof *scale * (size_t)(channels + 16));
    float *shift = nn__context(c, sizeof *shift * (size_t)(channels + 16));
    int code = nn__batchnorm_affine(c, j->node, scale, shift, err);
    if (code < 0)
        return code;
    *a = (struct affine){.per_plane = per_plane,
                         .scale = scale,
                         .shift = shift,
                         .lo = j->epilogue->lo,
                         .hi = j->epilogue->hi};
    a->x = nn__view(nn__place(c, j->in[0]));
    a->y = nn__view(nn__place(c, j->out[0]));
    if (per_plane == 1) { /* any rank: planes of the channels */
        int64_t inner = 1;
        for (int i = 2; i < x->rank; i++)
            inner *= x->dims[i];
        a->x = a->y = (struct nn__view){.images = (int)x->dims[0],
                                        .planes = channels,
                                        .rows = 1,
                                        .width = (size_t)inner,
                                        .plane = (size_t)inner,
                                        .image = (size_t)(inner * channels)};
    }
    s->context = a;
    s->run = run_affine;
    s->info.kernel = "scale and shift";
    return 0;
}

int nn__prepare_batchnorm(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                          struct err *err)
{
    return prepare_affine(c, j, s, 1, err);
}

int nn__prepare_batchnorm16(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                            struct err *err)
{
    return prepare_affine(c, j, s, 16, err);
}
