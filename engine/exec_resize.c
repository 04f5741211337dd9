/* Resize by linear and cubic interpolation: each axis has a few taps (ONNX operator Resize). */
#include "exec.h"

#include <math.h>
#include <string.h>

#include "base/pool.h"

enum { TAPS = 4 };

struct taps {
    int64_t offset[TAPS]; /* into the input */
    float weight[TAPS];
};

struct resize {
    int rank, taps;
    int64_t dims[NN_MAX_RANK];
    struct taps *axis[NN_MAX_RANK];
};

struct resize_call {
    const struct resize *r;
    const float *x;
    float *y;
};

/* Sum over the taps of axis a and, within, of all later axes. */
static float blend(const struct resize *r, const float *x, const int64_t *index, int a)
{
    if (a == r->rank)
        return *x;
    const struct taps *t = &r->axis[a][index[a]];
    float sum = 0;
    for (int k = 0; k < r->taps; k++)
        if (t->weight[k] != 0)
            sum += t->weight[k] * blend(r, x + t->offset[k], index, a + 1);
    return sum;
}

static void run_range(void *arg, int begin, int end, int thread)
{
    const struct resize_call *c = arg;
    const struct resize *r = c->r;
    (void)thread;
    for (int i = begin; i < end; i++) {
        int64_t index[NN_MAX_RANK], rest = i;
        for (int a = r->rank - 1; a >= 0; a--) {
            index[a] = rest % r->dims[a];
            rest /= r->dims[a];
        }
        c->y[i] = blend(r, c->x, index, 0);
    }
}

static void run_resize(const struct nn__step *s, const struct nn__env *e)
{
    const struct resize *r = s->context;
    struct resize_call c = {r, e->at[s->in[0]], e->at[s->out[0]]};
    int64_t count = 1;
    for (int a = 0; a < r->rank; a++)
        count *= r->dims[a];
    pool_for(e->pool, (int)count, NN_GRAIN / 4, run_range, &c);
}

/* Keys, "Cubic convolution interpolation for digital image processing" (1981), equation 4. */
static double cubic(double a, double d)
{
    d = fabs(d);
    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

struct filter {
    bool cubic, exclude_outside;
    double a;
    int taps;
};

/* The taps around position `at` of an axis of `size` elements. */
static void fill_taps(struct taps *t, const struct filter *f, double at, int64_t size,
                      int64_t stride)
{
    int64_t base = (int64_t)floor(at) - (f->cubic ? 1 : 0);
    double weight[TAPS] = {0}, sum = 0;
    for (int k = 0; k < f->taps; k++) {
        double d = at - (double)(base + k);
        weight[k] = f->cubic ? cubic(f->a, d) : 1 - fabs(d);
        if (f->exclude_outside && (base + k < 0 || base + k >= size))
            weight[k] = 0;
        sum += weight[k];
    }
    for (int k = 0; k < f->taps; k++) {
        int64_t from = base + k < 0 ? 0 : base + k >= size ? size - 1 : base + k;
        t->offset[k] = from * stride;
        t->weight[k] = (float)(f->exclude_outside ? weight[k] / sum : weight[k]);
    }
}

static int check_mode(const struct nn_node *n, struct err *err)
{
    const char *mode = nn__attr_string(n, "coordinate_transformation_mode", "half_pixel");
    if (!strcmp(mode, "tf_crop_and_resize"))
        return nn__node_error(n, err, ERR_UNSUPPORTED, "%s is not supported", mode);
    return 0;
}

int nn__prepare_resize(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                       struct err *err)
{
    const struct nn_node *n = j->node;
    const char *mode = nn__attr_string(n, "mode", "nearest");
    double scale[NN_MAX_RANK];
    int64_t own[NN_MAX_RANK];
    int code = check_mode(n, err);
    if (code < 0)
        return code;
    if (!strcmp(mode, "nearest"))
        return nn__prepare_map(c, j, s, err);
    if (strcmp(mode, "linear") && strcmp(mode, "cubic"))
        return nn__node_error(n, err, ERR_UNSUPPORTED, "mode %s is not supported", mode);
    code = nn__scales(c->g, n, scale, err);
    if (code < 0)
        return code;
    struct filter f = {!strcmp(mode, "cubic"), nn__attr_int(n, "exclude_outside", 0) != 0,
                       nn__attr_float(n, "cubic_coeff_a", -0.75f), 2};
    f.taps = f.cubic ? 4 : 2;
    const struct nn_shape *x = nn__shape_of(c, n->inputs[0]);
    const struct nn_shape *y = nn__shape_of(c, n->outputs[0]);
    struct resize *r = nn__context(c, sizeof *r);
    r->rank = y->rank;
    r->taps = f.taps;
    nn__strides(x, own);
    for (int a = 0; a < y->rank; a++) {
        r->dims[a] = y->dims[a];
        r->axis[a] = nn__context(c, sizeof(struct taps) * (size_t)(y->dims[a] + 1));
        for (int64_t i = 0; i < y->dims[a]; i++) {
            double at = x->dims[a] == y->dims[a] ? (double)i
                                                 : nn__resize_source(n, i, scale[a],
                                                                     x->dims[a], y->dims[a]);
            fill_taps(&r->axis[a][i], &f, at, x->dims[a], own[a]);
        }
    }
    s->context = r;
    s->run = run_resize;
    s->info.kernel = "interpolation";
    return 0;
}
