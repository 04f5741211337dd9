/* Shape inference of the operators that only inference knows: most move or reduce elements.
 *
 * Their result often depends on numbers computed from the batch, so while the batch is open they
 * say NN_UNKNOWN; a run binds the batch and asks again (pass_bind.c). */
#include "internal.h"

#include <limits.h>
#include <math.h>
#include <string.h>

static const struct nn_shape *in_shape(const struct nn_graph *g, const struct nn_node *n, int i)
{
    return &nn__value(g, n->inputs[i])->shape;
}

static bool has_input(const struct nn_node *n, int i)
{
    return i < n->input_count && n->inputs[i] != NN_NONE;
}

/* Constants as numbers */

double nn__element(const struct nn_tensor *t, int64_t i)
{
    switch (t->dtype) {
    case NN_F32:
        return ((const float *)t->data)[i];
    case NN_I64:
        return (double)((const int64_t *)t->data)[i];
    case NN_I32:
        return ((const int32_t *)t->data)[i];
    case NN_I8:
        return ((const int8_t *)t->data)[i];
    default:
        return ((const uint8_t *)t->data)[i];
    }
}

static int64_t saturate(double v, int64_t lo, int64_t hi)
{
    if (!(v > (double)lo)) /* NaN too */
        return lo;
    return v >= (double)hi ? hi : (int64_t)v;
}

void nn__set_element(struct nn_tensor *t, int64_t i, double v)
{
    switch (t->dtype) {
    case NN_F32:
        ((float *)t->data)[i] = (float)v;
        break;
    case NN_I64:
        ((int64_t *)t->data)[i] = saturate(v, INT64_MIN, INT64_MAX);
        break;
    case NN_I32:
        ((int32_t *)t->data)[i] = (int32_t)saturate(v, INT32_MIN, INT32_MAX);
        break;
    case NN_I8:
        ((int8_t *)t->data)[i] = (int8_t)saturate(v, INT8_MIN, INT8_MAX);
        break;
    default:
        ((uint8_t *)t->data)[i] = (uint8_t)saturate(v, 0, t->dtype == NN_BOOL ? 1 : UINT8_MAX);
    }
}

int nn__read_ints(const struct nn_graph *g, nn_value v, int64_t *out, int most)
{
    if (!nn__is_constant(g, v))
        return -1;
    const struct nn_tensor *t = nn__value(g, v);
    int64_t n = nn__shape_elements(&t->shape, 1);
    if (t->shape.rank > 1 || n < 0 || n > most)
        return -1;
    for (int64_t i = 0; i < n; i++)
        out[i] = t->dtype == NN_I64 ? ((const int64_t *)t->data)[i]
                                    : saturate(nn__element(t, i), INT64_MIN, INT64_MAX);
    return (int)n;
}

int nn__node_numbers(const struct nn_graph *g, const struct nn_node *n, const char *attr, int i,
                     int64_t *out, int most, struct err *err)
{
    const struct nn_attr *a = nn__attr(n, attr);
    if (a) {
        if (a->kind != NN_ATTR_INTS || a->count > most)
            return nn__node_error(n, err, ERR_FORMAT, "%s is not a list of up to %d numbers", attr,
                                  most);
        memcpy(out, a->ints, sizeof *out * (size_t)a->count);
        return a->count;
    }
    if (!has_input(n, i))
        return 0;
    int count = nn__read_ints(g, n->inputs[i], out, most);
    if (count < 0)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "its %s must be up to %d constants", attr,
                              most);
    return count;
}

static int want_axis(const struct nn_node *n, int64_t axis, int rank, struct err *err)
{
    if (axis < -rank || axis >= rank)
        return nn__node_error(n, err, ERR_RANGE, "axis %lld is outside a tensor of rank %d",
                              (long long)axis, rank);
    return (int)(axis < 0 ? axis + rank : axis);
}

int nn__axes(const struct nn_graph *g, const struct nn_node *n, int rank,
             bool marked[NN_MAX_RANK], struct err *err)
{
    int64_t axes[NN_MAX_RANK];
    memset(marked, 0, sizeof *marked * NN_MAX_RANK);
    int count = nn__node_numbers(g, n, "axes", 1, axes, NN_MAX_RANK, err);
    for (int i = 0; i < count; i++) {
        int axis = want_axis(n, axes[i], rank, err);
        if (axis < 0)
            return axis;
        marked[axis] = true;
    }
    return count;
}

/* The end of every shape function */

static int set_output(struct nn_graph *g, const struct nn_node *n, int i, enum nn_dtype type,
                      const struct nn_shape *s, struct err *err)
{
    int64_t count = nn__shape_elements(s, 1);
    if (count < 0 || count > INT_MAX)
        return nn__node_error(n, err, ERR_RANGE, "its output is too large");
    struct nn_tensor *out = nn__value(g, n->outputs[i]);
    out->dtype = type;
    out->shape = *s;
    return 0;
}

static int set_like(struct nn_graph *g, const struct nn_node *n, const struct nn_shape *s,
                    struct err *err)
{
    return set_output(g, n, 0, nn__value(g, n->inputs[0])->dtype, s, err);
}

static int set_unknown(struct nn_graph *g, const struct nn_node *n)
{
    for (int i = 0; i < n->output_count; i++)
        nn__value(g, n->outputs[i])->shape = (struct nn_shape){.rank = NN_UNKNOWN};
    return 0;
}

static bool open_shape(const struct nn_shape *s)
{
    return s->rank == NN_UNKNOWN || (s->rank > 0 && s->dims[0] == NN_ANY_BATCH);
}

/* True while the shape of the result cannot be told: an input is open, or a number that the
 * operator needs (inputs `first_constant` and later) is still to be computed. */
static bool undecided(const struct nn_graph *g, const struct nn_node *n, int first_constant)
{
    if (g->bound)
        return false;
    for (int i = 0; i < n->input_count; i++) {
        if (!has_input(n, i))
            continue;
        if (open_shape(in_shape(g, n, i)) ||
            (i >= first_constant && !nn__is_constant(g, n->inputs[i])))
            return true;
    }
    return false;
}

/* Arithmetic */

static int broadcast_into(const struct nn_node *n, struct nn_shape *out, const struct nn_shape *s,
                          struct err *err)
{
    struct nn_shape a = *out;
    out->rank = a.rank > s->rank ? a.rank : s->rank;
    for (int i = 1; i <= out->rank; i++) {
        int64_t da = i <= a.rank ? a.dims[a.rank - i] : 1;
        int64_t db = i <= s->rank ? s->dims[s->rank - i] : 1;
        if (da != db && da != 1 && db != 1)
            return nn__node_error(n, err, ERR_FORMAT, "dimensions %lld and %lld do not broadcast",
                                  (long long)da, (long long)db);
        out->dims[out->rank - i] = da == 1 ? db : da;
    }
    return 0;
}

static int broadcast_typed(struct nn_graph *g, const struct nn_node *n, enum nn_dtype type,
                           struct err *err)
{
    struct nn_shape out = {0};
    if (undecided(g, n, INT_MAX))
        return set_unknown(g, n);
    for (int i = 0; i < n->input_count; i++) {
        int code = broadcast_into(n, &out, in_shape(g, n, i), err);
        if (code < 0)
            return code;
    }
    return set_output(g, n, 0, type, &out, err);
}

int nn__shape_broadcast_all(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    int last = n->input_count - 1; /* Where's first input is the condition */
    return broadcast_typed(g, n, nn__value(g, n->inputs[last])->dtype, err);
}

int nn__shape_compare(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    return broadcast_typed(g, n, NN_BOOL, err);
}

int nn__shape_layer_norm(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *x = in_shape(g, n, 0);
    if (undecided(g, n, INT_MAX))
        return set_unknown(g, n);
    int axis = want_axis(n, nn__attr_int(n, "axis", -1), x->rank, err);
    if (axis < 0)
        return axis;
    int64_t inner = 1;
    for (int i = axis; i < x->rank; i++)
        inner *= x->dims[i];
    for (int i = 1; i < n->input_count; i++)
        if (has_input(n, i) && nn__shape_elements(in_shape(g, n, i), 1) != inner)
            return nn__node_error(n, err, ERR_FORMAT, "input %d has not %lld elements", i,
                                  (long long)inner);
    if (n->output_count > 1)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "only its first output is implemented");
    return set_like(g, n, x, err);
}

int nn__shape_reduce(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    bool marked[NN_MAX_RANK];
    const struct nn_shape *x = in_shape(g, n, 0);
    if (undecided(g, n, 1))
        return set_unknown(g, n);
    int count = nn__axes(g, n, x->rank, marked, err);
    if (count < 0)
        return count;
    if (count == 0 && nn__attr_int(n, "noop_with_empty_axes", 0))
        return set_like(g, n, x, err);
    bool keep = nn__attr_int(n, "keepdims", 1) != 0;
    struct nn_shape out = {0};
    for (int i = 0; i < x->rank; i++) {
        if (count > 0 && !marked[i])
            out.dims[out.rank++] = x->dims[i];
        else if (keep)
            out.dims[out.rank++] = 1;
    }
    return set_like(g, n, &out, err);
}

/* Moving elements */

int nn__shape_split(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    int64_t sizes[64];
    const struct nn_shape *x = in_shape(g, n, 0);
    if (undecided(g, n, 1))
        return set_unknown(g, n);
    int axis = want_axis(n, nn__attr_int(n, "axis", 0), x->rank, err);
    if (axis < 0)
        return axis;
    int count = nn__node_numbers(g, n, "split", 1, sizes, 64, err);
    if (count < 0)
        return count;
    if (count == 0 && (n->output_count > 64 || x->dims[axis] % n->output_count))
        return nn__node_error(n, err, ERR_FORMAT, "%lld does not split into %d equal parts",
                              (long long)x->dims[axis], n->output_count);
    int64_t total = 0;
    for (int i = 0; i < n->output_count; i++) {
        struct nn_shape out = *x;
        out.dims[axis] = count ? (i < count ? sizes[i] : -1) : x->dims[axis] / n->output_count;
        if (out.dims[axis] < 0 || out.dims[axis] > x->dims[axis])
            return nn__node_error(n, err, ERR_FORMAT, "part %d has no proper size", i);
        total += out.dims[axis];
        int code = set_output(g, n, i, nn__value(g, n->inputs[0])->dtype, &out, err);
        if (code < 0)
            return code;
    }
    if (total != x->dims[axis])
        return nn__node_error(n, err, ERR_FORMAT, "the parts do not add up to %lld",
                              (long long)x->dims[axis]);
    return 0;
}

static int64_t clamp(int64_t v, int64_t lo, int64_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* One axis of numpy's x[start:end:step], as ONNX Slice defines it. */
static void slice_axis(struct nn_slice *s, int axis, int64_t size, int64_t start, int64_t end,
                       int64_t step)
{
    if (step > 0) {
        start = clamp(start < 0 ? start + size : start, 0, size);
        end = clamp(end < 0 ? end + size : end, 0, size);
    } else {
        start = clamp(start < 0 ? start + size : start, -1, size - 1);
        end = clamp(end < 0 ? end + size : end, -1, size - 1);
    }
    int64_t span = step > 0 ? end - start : start - end;
    int64_t stride = step > 0 ? step : -step;
    s->start[axis] = start;
    s->step[axis] = step;
    s->count[axis] = span <= 0 ? 0 : (span + stride - 1) / stride;
}

int nn__slice(const struct nn_graph *g, const struct nn_node *n, struct nn_slice *s,
              struct err *err)
{
    const struct nn_shape *x = in_shape(g, n, 0);
    int64_t starts[NN_MAX_RANK], ends[NN_MAX_RANK], axes[NN_MAX_RANK], steps[NN_MAX_RANK];
    int count = nn__node_numbers(g, n, "starts", 1, starts, NN_MAX_RANK, err);
    int end_count = nn__node_numbers(g, n, "ends", 2, ends, NN_MAX_RANK, err);
    int axis_count = nn__node_numbers(g, n, "axes", 3, axes, NN_MAX_RANK, err);
    int step_count = nn__node_numbers(g, n, "steps", 4, steps, NN_MAX_RANK, err);
    if (count < 0 || end_count < 0 || axis_count < 0 || step_count < 0)
        return ERR_UNSUPPORTED;
    if (count != end_count || (axis_count && axis_count != count) ||
        (step_count && step_count != count) || count > x->rank)
        return nn__node_error(n, err, ERR_FORMAT, "its lists have different lengths");
    for (int i = 0; i < x->rank; i++)
        slice_axis(s, i, x->dims[i], 0, x->dims[i], 1);
    for (int i = 0; i < count; i++) {
        int axis = want_axis(n, axis_count ? axes[i] : i, x->rank, err);
        if (axis < 0)
            return axis;
        int64_t step = step_count ? steps[i] : 1;
        if (step == 0 || step == INT64_MIN)
            return nn__node_error(n, err, ERR_RANGE, "a step is %lld", (long long)step);
        slice_axis(s, axis, x->dims[axis], starts[i], ends[i], step);
    }
    return 0;
}

int nn__shape_slice(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_slice s;
    if (undecided(g, n, 1))
        return set_unknown(g, n);
    int code = nn__slice(g, n, &s, err);
    if (code < 0)
        return code;
    struct nn_shape out = *in_shape(g, n, 0);
    for (int i = 0; i < out.rank; i++)
        out.dims[i] = s.count[i];
    return set_like(g, n, &out, err);
}

int nn__pads(const struct nn_graph *g, const struct nn_node *n, int64_t before[NN_MAX_RANK],
             int64_t after[NN_MAX_RANK], struct err *err)
{
    int64_t pads[2 * NN_MAX_RANK];
    int rank = in_shape(g, n, 0)->rank;
    int count = nn__node_numbers(g, n, nn__attr(n, "paddings") ? "paddings" : "pads", 1, pads,
                                 2 * NN_MAX_RANK, err);
    if (count < 0)
        return count;
    if (count != 2 * rank)
        return nn__node_error(n, err, ERR_FORMAT, "wants %d pads, has %d", 2 * rank, count);
    for (int i = 0; i < rank; i++) {
        before[i] = pads[i];
        after[i] = pads[rank + i];
    }
    return 0;
}

int nn__shape_pad(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    int64_t before[NN_MAX_RANK], after[NN_MAX_RANK];
    if (undecided(g, n, 1))
        return set_unknown(g, n);
    int code = nn__pads(g, n, before, after, err);
    if (code < 0)
        return code;
    struct nn_shape out = *in_shape(g, n, 0);
    const char *mode = nn__attr_string(n, "mode", "constant");
    for (int i = 0; i < out.rank; i++) {
        int64_t size = out.dims[i];
        bool mirror = !strcmp(mode, "reflect") && (before[i] >= size || after[i] >= size);
        bool empty = size == 0 && strcmp(mode, "constant");
        bool huge = before[i] != clamp(before[i], -INT_MAX, INT_MAX) ||
                    after[i] != clamp(after[i], -INT_MAX, INT_MAX);
        if (huge || mirror || empty || size + before[i] + after[i] < 0)
            return nn__node_error(n, err, ERR_RANGE, "pads of axis %d do not fit its %lld", i,
                                  (long long)size);
        out.dims[i] = size + before[i] + after[i];
    }
    return set_like(g, n, &out, err);
}

int nn__shape_transpose(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *x = in_shape(g, n, 0);
    const struct nn_attr *perm = nn__attr(n, "perm");
    if (undecided(g, n, INT_MAX))
        return set_unknown(g, n);
    if (perm && (perm->kind != NN_ATTR_INTS || perm->count != x->rank))
        return nn__node_error(n, err, ERR_FORMAT, "perm does not fit rank %d", x->rank);
    struct nn_shape out = {.rank = x->rank};
    bool used[NN_MAX_RANK] = {false};
    for (int i = 0; i < x->rank; i++) {
        int64_t from = perm ? perm->ints[i] : x->rank - 1 - i;
        if (from < 0 || from >= x->rank || used[from])
            return nn__node_error(n, err, ERR_FORMAT, "perm is no permutation");
        used[from] = true;
        out.dims[i] = x->dims[from];
    }
    return set_like(g, n, &out, err);
}

int nn__shape_squeeze(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    bool marked[NN_MAX_RANK];
    const struct nn_shape *x = in_shape(g, n, 0);
    if (undecided(g, n, 1))
        return set_unknown(g, n);
    int count = nn__axes(g, n, x->rank, marked, err);
    if (count < 0)
        return count;
    struct nn_shape out = {0};
    for (int i = 0; i < x->rank; i++) {
        if (marked[i] && x->dims[i] != 1)
            return nn__node_error(n, err, ERR_FORMAT, "axis %d has %lld elements", i,
                                  (long long)x->dims[i]);
        if (count ? !marked[i] : x->dims[i] != 1)
            out.dims[out.rank++] = x->dims[i];
    }
    return set_like(g, n, &out, err);
}

int nn__shape_unsqueeze(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    bool marked[NN_MAX_RANK];
    int64_t axes[NN_MAX_RANK];
    const struct nn_shape *x = in_shape(g, n, 0);
    if (undecided(g, n, 1))
        return set_unknown(g, n);
    int count = nn__node_numbers(g, n, "axes", 1, axes, NN_MAX_RANK, err);
    if (count < 0)
        return count;
    struct nn_shape out = {.rank = x->rank + count};
    if (out.rank > NN_MAX_RANK)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "gives rank %d, more than %d", out.rank,
                              NN_MAX_RANK);
    count = nn__axes(g, n, out.rank, marked, err);
    if (count < 0)
        return count;
    int from = 0;
    for (int i = 0; i < out.rank; i++)
        out.dims[i] = marked[i] || from >= x->rank ? 1 : x->dims[from++];
    if (from != x->rank)
        return nn__node_error(n, err, ERR_FORMAT, "an axis is named twice");
    return set_like(g, n, &out, err);
}

int nn__shape_gather(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *x = in_shape(g, n, 0), *index = in_shape(g, n, 1);
    if (undecided(g, n, 1))
        return set_unknown(g, n);
    if (!nn__is_constant(g, n->inputs[1]))
        return nn__node_error(n, err, ERR_UNSUPPORTED, "its indices must be constant");
    int axis = want_axis(n, nn__attr_int(n, "axis", 0), x->rank, err);
    if (axis < 0)
        return axis;
    struct nn_shape out = {.rank = x->rank - 1 + index->rank};
    if (out.rank > NN_MAX_RANK)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "gives rank %d", out.rank);
    int k = 0;
    for (int i = 0; i < axis; i++)
        out.dims[k++] = x->dims[i];
    for (int i = 0; i < index->rank; i++)
        out.dims[k++] = index->dims[i];
    for (int i = axis + 1; i < x->rank; i++)
        out.dims[k++] = x->dims[i];
    int64_t count = nn__shape_elements(index, 1);
    for (int64_t i = 0; i < count; i++) {
        double v = nn__element(nn__value(g, n->inputs[1]), i);
        if (v < (double)-x->dims[axis] || v >= (double)x->dims[axis])
            return nn__node_error(n, err, ERR_RANGE, "index %g is outside an axis of %lld", v,
                                  (long long)x->dims[axis]);
    }
    return set_like(g, n, &out, err);
}

/* Reads a shape given as a constant input. */
static int read_shape(const struct nn_graph *g, const struct nn_node *n, int i,
                      struct nn_shape *out, struct err *err)
{
    int64_t dims[NN_MAX_RANK];
    int rank = nn__read_ints(g, n->inputs[i], dims, NN_MAX_RANK);
    if (rank < 0)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "its shape must be up to %d constants",
                              NN_MAX_RANK);
    out->rank = rank;
    for (int k = 0; k < rank; k++) {
        if (dims[k] < 0 || dims[k] > INT_MAX)
            return nn__node_error(n, err, ERR_RANGE, "dimension %d is %lld", k,
                                  (long long)dims[k]);
        out->dims[k] = dims[k];
    }
    return 0;
}

int nn__shape_expand(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_shape out;
    if (undecided(g, n, 1))
        return set_unknown(g, n);
    int code = read_shape(g, n, 1, &out, err);
    if (code == 0)
        code = broadcast_into(n, &out, in_shape(g, n, 0), err);
    return code < 0 ? code : set_like(g, n, &out, err);
}

int nn__shape_tile(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_shape repeats = {0};
    if (undecided(g, n, 1))
        return set_unknown(g, n);
    int code = read_shape(g, n, 1, &repeats, err);
    if (code < 0)
        return code;
    struct nn_shape out = *in_shape(g, n, 0);
    if (repeats.rank != out.rank)
        return nn__node_error(n, err, ERR_FORMAT, "wants %d repeats", out.rank);
    for (int i = 0; i < out.rank; i++)
        out.dims[i] *= repeats.dims[i];
    return set_like(g, n, &out, err);
}

int nn__shape_depth_to_space(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *x = in_shape(g, n, 0);
    if (undecided(g, n, INT_MAX))
        return set_unknown(g, n);
    int64_t b = nn__attr_int(n, "blocksize", 0);
    if (x->rank != 4 || b < 1 || b > SHRT_MAX || x->dims[1] % (b * b))
        return nn__node_error(n, err, ERR_FORMAT, "its blocksize does not fit the channels");
    struct nn_shape out = {4, {x->dims[0], x->dims[1] / (b * b), x->dims[2] * b, x->dims[3] * b}};
    return set_like(g, n, &out, err);
}

/* Scales are input 1 (Upsample, Resize of opset 10) or 2; sizes are input 3. */
int nn__scales(const struct nn_graph *g, const struct nn_node *n, double scale[NN_MAX_RANK],
               struct err *err)
{
    const struct nn_shape *x = in_shape(g, n, 0);
    int64_t sizes[NN_MAX_RANK];
    const struct nn_attr *a = nn__attr(n, "scales");
    int from = n->input_count == 2 ? 1 : 2;
    int count = has_input(n, 3) ? nn__read_ints(g, n->inputs[3], sizes, NN_MAX_RANK) : 0;
    if (count != 0) {
        for (int i = 0; i < x->rank; i++)
            scale[i] = count == x->rank && x->dims[i] ? (double)sizes[i] / (double)x->dims[i] : 0;
    } else if (a && a->kind == NN_ATTR_FLOATS) {
        count = a->count;
        for (int i = 0; i < x->rank && count == x->rank; i++)
            scale[i] = a->floats[i];
    } else if (has_input(n, from) && nn__is_constant(g, n->inputs[from])) {
        const struct nn_tensor *t = nn__value(g, n->inputs[from]);
        count = (int)nn__shape_elements(&t->shape, 1);
        for (int i = 0; i < x->rank && count == x->rank; i++)
            scale[i] = nn__element(t, i);
    }
    if (count != x->rank)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "wants %d constant scales or sizes",
                              x->rank);
    for (int i = 0; i < x->rank; i++)
        if (!(scale[i] > 0) || scale[i] > SHRT_MAX)
            return nn__node_error(n, err, ERR_RANGE, "the scale of axis %d is %g", i, scale[i]);
    return 0;
}

int nn__shape_resize(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    double scale[NN_MAX_RANK];
    int64_t sizes[NN_MAX_RANK];
    if (undecided(g, n, 1))
        return set_unknown(g, n);
    int code = nn__scales(g, n, scale, err);
    if (code < 0)
        return code;
    struct nn_shape out = *in_shape(g, n, 0);
    bool by_size = has_input(n, 3) &&
                   nn__read_ints(g, n->inputs[3], sizes, NN_MAX_RANK) == out.rank;
    for (int i = 0; i < out.rank; i++)
        out.dims[i] = by_size ? sizes[i] : (int64_t)floor((double)out.dims[i] * scale[i]);
    return set_like(g, n, &out, err);
}

/* Types and shapes as values */

/* ONNX TensorProto.DataType. */
static int cast_type(int64_t onnx, enum nn_dtype *out)
{
    switch (onnx) {
    case 1:
    case 10: /* float16 */
    case 11: /* double */
        *out = NN_F32;
        return 0;
    case 2:
        *out = NN_U8;
        return 0;
    case 3:
        *out = NN_I8;
        return 0;
    case 6:
        *out = NN_I32;
        return 0;
    case 7:
        *out = NN_I64;
        return 0;
    case 9:
        *out = NN_BOOL;
        return 0;
    default:
        return ERR_UNSUPPORTED;
    }
}

int nn__shape_cast(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    enum nn_dtype type;
    int64_t to = nn__attr_int(n, "to", 0);
    if (cast_type(to, &type) < 0)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "data type %lld is not implemented",
                              (long long)to);
    return set_output(g, n, 0, type, in_shape(g, n, 0), err);
}

int nn__shape_shape(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    if (undecided(g, n, INT_MAX))
        return set_unknown(g, n);
    int64_t rank = in_shape(g, n, 0)->rank;
    int64_t start = nn__attr_int(n, "start", 0), end = nn__attr_int(n, "end", rank);
    start = clamp(start < 0 ? start + rank : start, 0, rank);
    end = clamp(end < 0 ? end + rank : end, 0, rank);
    struct nn_shape out = {1, {end > start ? end - start : 0}};
    return set_output(g, n, 0, NN_I64, &out, err);
}

int nn__shape_size(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    return set_output(g, n, 0, NN_I64, &(struct nn_shape){0}, err);
}

int nn__shape_constant_of_shape(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_shape out;
    if (undecided(g, n, 0))
        return set_unknown(g, n);
    int code = read_shape(g, n, 0, &out, err);
    if (code < 0)
        return code;
    const struct nn_attr *value = nn__attr(n, "value");
    if (value && (value->kind != NN_ATTR_TENSOR ||
                  nn__shape_elements(&nn__value(g, value->tensor)->shape, 1) != 1))
        return nn__node_error(n, err, ERR_FORMAT, "its value is not one number");
    return set_output(g, n, 0, value ? nn__value(g, value->tensor)->dtype : NN_F32, &out, err);
}

int nn__shape_range(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    if (undecided(g, n, 0))
        return set_unknown(g, n);
    double v[3];
    for (int i = 0; i < 3; i++) {
        if (!nn__is_constant(g, n->inputs[i]) || nn__shape_elements(in_shape(g, n, i), 1) != 1)
            return nn__node_error(n, err, ERR_UNSUPPORTED, "its limits must be constant");
        v[i] = nn__element(nn__value(g, n->inputs[i]), 0);
    }
    double count = ceil((v[1] - v[0]) / v[2]);
    if (!(count <= INT_MAX)) /* NaN too */
        return nn__node_error(n, err, ERR_RANGE, "gives %g numbers", count);
    return set_like(g, n, &(struct nn_shape){1, {count > 0 ? (int64_t)count : 0}}, err);
}

/* Scale and zero point: one number, or one for each element of `axis`. */
static int check_scale(const struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *x = in_shape(g, n, 0);
    int64_t count = nn__shape_elements(in_shape(g, n, 1), 1);
    if (!nn__is_constant(g, n->inputs[1]) || (has_input(n, 2) && !nn__is_constant(g, n->inputs[2])))
        return nn__node_error(n, err, ERR_UNSUPPORTED, "its scale must be constant");
    if (has_input(n, 2) && nn__shape_elements(in_shape(g, n, 2), 1) != count)
        return nn__node_error(n, err, ERR_FORMAT, "scale and zero point differ in size");
    if (count == 1)
        return 0;
    int axis = want_axis(n, nn__attr_int(n, "axis", 1), x->rank, err);
    if (axis < 0)
        return axis;
    if (count != x->dims[axis])
        return nn__node_error(n, err, ERR_FORMAT, "wants %lld scales, has %lld",
                              (long long)x->dims[axis], (long long)count);
    return 0;
}

int nn__shape_quantize(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    if (in_shape(g, n, 0)->rank == NN_UNKNOWN)
        return set_unknown(g, n);
    int code = check_scale(g, n, err);
    if (code < 0)
        return code;
    enum nn_dtype type = has_input(n, 2) ? nn__value(g, n->inputs[2])->dtype : NN_U8;
    if (type != NN_U8 && type != NN_I8)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "only 8-bit results are implemented");
    return set_output(g, n, 0, type, in_shape(g, n, 0), err);
}

int nn__shape_dequantize(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    if (in_shape(g, n, 0)->rank == NN_UNKNOWN)
        return set_unknown(g, n);
    int code = check_scale(g, n, err);
    return code < 0 ? code : set_output(g, n, 0, NN_F32, in_shape(g, n, 0), err);
}
