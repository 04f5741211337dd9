/* Shape inference of the operators that move elements: joining, cutting, bending and scaling.
 *
 * Their result often depends on numbers computed from the batch, so while the batch is open they
 * say NN_UNKNOWN; a run binds the batch and asks again (pass_bind.c). */
#include "shape.h"

#include <limits.h>
#include <math.h>
#include <string.h>

int nn__shape_concat(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_shape out = *nn__in_shape(g, n, 0);
    int axis = nn__want_axis(n, nn__attr_int(n, "axis", 1), out.rank, err);
    if (axis < 0)
        return axis;
    bool open = nn__undecided(g, n, INT_MAX); /* its number may fit what does not fit yet */
    if (out.dims[axis] == NN_ANY_BATCH)
        return nn__set_unknown(g, n);
    for (int i = 1; i < n->input_count; i++) {
        struct nn_shape s = *nn__in_shape(g, n, i);
        int64_t size = axis < s.rank ? s.dims[axis] : 0;
        s.dims[axis] = out.dims[axis];
        bool fits = nn__shape_equal(&s, &out) && size != NN_ANY_BATCH;
        if (!fits && open)
            return nn__set_unknown(g, n);
        if (!fits || size > INT_MAX)
            return nn__node_error(n, err, ERR_FORMAT, "input %d does not fit the first", i);
        out.dims[axis] += size;
    }
    return nn__set_like(g, n, &out, err);
}

int nn__shape_flatten(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *x = nn__in_shape(g, n, 0);
    int64_t wanted = nn__attr_int(n, "axis", 1);
    int axis = wanted == x->rank ? x->rank : nn__want_axis(n, wanted, x->rank, err);
    if (axis < 0)
        return axis;
    struct nn_shape out = {2, {1, 1}};
    for (int i = 0; i < x->rank; i++) {
        bool open = x->dims[i] == NN_ANY_BATCH;
        if (open && axis != 1)
            return nn__node_error(n, err, ERR_UNSUPPORTED, "axis %d would flatten the batch", axis);
        out.dims[i >= axis] = open ? NN_ANY_BATCH : out.dims[i >= axis] * x->dims[i];
    }
    return nn__set_like(g, n, &out, err);
}

/* Fills the dimension given as -1. A batch that stays in front stays open. */
static int resolve_reshape(const struct nn_node *n, const struct nn_shape *x, struct nn_shape *out,
                           struct err *err)
{
    bool open = x->rank > 0 && x->dims[0] == NN_ANY_BATCH;
    int guess = -1;
    int64_t known = 1, total = nn__shape_elements(x, 1);
    for (int i = 0; i < out->rank; i++) {
        if (out->dims[i] == -1 && guess >= 0)
            return nn__node_error(n, err, ERR_FORMAT, "the shape has two open dimensions");
        if (out->dims[i] == -1)
            guess = i;
        else
            known *= out->dims[i];
        if (known < 0 || known > INT_MAX)
            return nn__node_error(n, err, ERR_RANGE, "the shape is too large");
    }
    if (guess >= 0 && (known == 0 || total % known))
        return nn__node_error(n, err, ERR_FORMAT, "the shape does not fit its input");
    if (guess >= 0)
        out->dims[guess] = total / known;
    else if (known != total)
        return nn__node_error(n, err, ERR_FORMAT, "the shape does not fit its input");
    if (open && (out->rank == 0 || out->dims[0] != 1))
        out->rank = NN_UNKNOWN; /* it moves the batch */
    else if (open)
        out->dims[0] = NN_ANY_BATCH;
    return 0;
}

int nn__shape_reshape(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *x = nn__in_shape(g, n, 0);
    const struct nn_tensor *want = nn__value(g, n->inputs[1]);
    if (!want->data && !g->bound)
        return nn__set_like(g, n, &(struct nn_shape){.rank = NN_UNKNOWN}, err);
    if (!want->data || want->dtype != NN_I64 || want->shape.rank != 1 ||
        want->shape.dims[0] > NN_MAX_RANK)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "the new shape must be a constant");
    struct nn_shape out = {.rank = (int)want->shape.dims[0]};
    bool zero_copies = !nn__attr_int(n, "allowzero", 0);
    for (int i = 0; i < out.rank; i++) {
        int64_t d = ((const int64_t *)want->data)[i];
        if (d == 0 && zero_copies && i >= x->rank)
            return nn__node_error(n, err, ERR_FORMAT, "dimension %d has nothing to copy", i);
        out.dims[i] = d == 0 && zero_copies ? x->dims[i] : d;
        if (i == 0 && out.dims[0] == NN_ANY_BATCH && d == 0)
            out.dims[0] = 1; /* the open batch counts as one image here */
        if (out.dims[i] < -1 || out.dims[i] > INT_MAX)
            return nn__node_error(n, err, ERR_RANGE, "dimension %d is %lld", i, (long long)d);
    }
    int code = resolve_reshape(n, x, &out, err);
    return code < 0 ? code : nn__set_like(g, n, &out, err);
}

int nn__shape_split(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    int64_t sizes[64];
    const struct nn_shape *x = nn__in_shape(g, n, 0);
    if (nn__undecided(g, n, 1))
        return nn__set_unknown(g, n);
    int axis = nn__want_axis(n, nn__attr_int(n, "axis", 0), x->rank, err);
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
        int code = nn__set_output(g, n, i, nn__value(g, n->inputs[0])->dtype, &out, err);
        if (code < 0)
            return code;
    }
    if (total != x->dims[axis])
        return nn__node_error(n, err, ERR_FORMAT, "the parts do not add up to %lld",
                              (long long)x->dims[axis]);
    return 0;
}

/* One axis of numpy's x[start:end:step], as ONNX Slice defines it. */
static void slice_axis(struct nn_slice *s, int axis, int64_t size, int64_t start, int64_t end,
                       int64_t step)
{
    if (step > 0) {
        start = nn__clamp(start < 0 ? start + size : start, 0, size);
        end = nn__clamp(end < 0 ? end + size : end, 0, size);
    } else {
        start = nn__clamp(start < 0 ? start + size : start, -1, size - 1);
        end = nn__clamp(end < 0 ? end + size : end, -1, size - 1);
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
    const struct nn_shape *x = nn__in_shape(g, n, 0);
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
        int axis = nn__want_axis(n, axis_count ? axes[i] : i, x->rank, err);
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
    if (nn__undecided(g, n, 1))
        return nn__set_unknown(g, n);
    int code = nn__slice(g, n, &s, err);
    if (code < 0)
        return code;
    struct nn_shape out = *nn__in_shape(g, n, 0);
    for (int i = 0; i < out.rank; i++)
        out.dims[i] = s.count[i];
    return nn__set_like(g, n, &out, err);
}

int nn__pads(const struct nn_graph *g, const struct nn_node *n, int64_t before[NN_MAX_RANK],
             int64_t after[NN_MAX_RANK], struct err *err)
{
    int64_t pads[2 * NN_MAX_RANK];
    int rank = nn__in_shape(g, n, 0)->rank;
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
    if (nn__undecided(g, n, 1))
        return nn__set_unknown(g, n);
    int code = nn__pads(g, n, before, after, err);
    if (code < 0)
        return code;
    struct nn_shape out = *nn__in_shape(g, n, 0);
    const char *mode = nn__attr_string(n, "mode", "constant");
    for (int i = 0; i < out.rank; i++) {
        int64_t size = out.dims[i];
        bool mirror = !strcmp(mode, "reflect") && (before[i] >= size || after[i] >= size);
        bool empty = size == 0 && strcmp(mode, "constant");
        bool huge = before[i] != nn__clamp(before[i], -INT_MAX, INT_MAX) ||
                    after[i] != nn__clamp(after[i], -INT_MAX, INT_MAX);
        if (huge || mirror || empty || size + before[i] + after[i] < 0)
            return nn__node_error(n, err, ERR_RANGE, "pads of axis %d do not fit its %lld", i,
                                  (long long)size);
        out.dims[i] = size + before[i] + after[i];
    }
    return nn__set_like(g, n, &out, err);
}

int nn__shape_transpose(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *x = nn__in_shape(g, n, 0);
    const struct nn_attr *perm = nn__attr(n, "perm");
    if (nn__undecided(g, n, INT_MAX))
        return nn__set_unknown(g, n);
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
    return nn__set_like(g, n, &out, err);
}

int nn__shape_squeeze(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    bool marked[NN_MAX_RANK];
    const struct nn_shape *x = nn__in_shape(g, n, 0);
    if (nn__undecided(g, n, 1))
        return nn__set_unknown(g, n);
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
    return nn__set_like(g, n, &out, err);
}

int nn__shape_unsqueeze(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    bool marked[NN_MAX_RANK];
    int64_t axes[NN_MAX_RANK];
    const struct nn_shape *x = nn__in_shape(g, n, 0);
    if (nn__undecided(g, n, 1))
        return nn__set_unknown(g, n);
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
    return nn__set_like(g, n, &out, err);
}

int nn__shape_gather(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *x = nn__in_shape(g, n, 0), *index = nn__in_shape(g, n, 1);
    if (nn__undecided(g, n, 1))
        return nn__set_unknown(g, n);
    if (!nn__is_constant(g, n->inputs[1]))
        return nn__node_error(n, err, ERR_UNSUPPORTED, "its indices must be constant");
    int axis = nn__want_axis(n, nn__attr_int(n, "axis", 0), x->rank, err);
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
    return nn__set_like(g, n, &out, err);
}

int nn__shape_expand(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_shape out;
    if (nn__undecided(g, n, 1))
        return nn__set_unknown(g, n);
    int code = nn__read_shape(g, n, 1, &out, err);
    if (code == 0)
        code = nn__broadcast_into(n, &out, nn__in_shape(g, n, 0), err);
    return code < 0 ? code : nn__set_like(g, n, &out, err);
}

int nn__shape_tile(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_shape repeats = {0};
    if (nn__undecided(g, n, 1))
        return nn__set_unknown(g, n);
    int code = nn__read_shape(g, n, 1, &repeats, err);
    if (code < 0)
        return code;
    struct nn_shape out = *nn__in_shape(g, n, 0);
    if (repeats.rank != out.rank)
        return nn__node_error(n, err, ERR_FORMAT, "wants %d repeats", out.rank);
    for (int i = 0; i < out.rank; i++)
        out.dims[i] *= repeats.dims[i];
    return nn__set_like(g, n, &out, err);
}

int nn__shape_depth_to_space(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *x = nn__in_shape(g, n, 0);
    if (nn__undecided(g, n, INT_MAX))
        return nn__set_unknown(g, n);
    int64_t b = nn__attr_int(n, "blocksize", 0);
    if (x->rank != 4 || b < 1 || b > SHRT_MAX || x->dims[1] % (b * b))
        return nn__node_error(n, err, ERR_FORMAT, "its blocksize does not fit the channels");
    struct nn_shape out = {4, {x->dims[0], x->dims[1] / (b * b), x->dims[2] * b, x->dims[3] * b}};
    return nn__set_like(g, n, &out, err);
}

int nn__shape_space_to_depth(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *x = nn__in_shape(g, n, 0);
    if (nn__undecided(g, n, INT_MAX))
        return nn__set_unknown(g, n);
    int64_t b = nn__attr_int(n, "blocksize", 0);
    if (x->rank != 4 || b < 1 || b > SHRT_MAX || x->dims[2] % b || x->dims[3] % b)
        return nn__node_error(n, err, ERR_FORMAT, "its blocksize does not fit the sides");
    struct nn_shape out = {4, {x->dims[0], x->dims[1] * b * b, x->dims[2] / b, x->dims[3] / b}};
    return nn__set_like(g, n, &out, err);
}

/* Scales are input 1 (Upsample, Resize of opset 10) or 2; sizes are input 3. */
int nn__scales(const struct nn_graph *g, const struct nn_node *n, double scale[NN_MAX_RANK],
               struct err *err)
{
    const struct nn_shape *x = nn__in_shape(g, n, 0);
    int64_t sizes[NN_MAX_RANK];
    const struct nn_attr *a = nn__attr(n, "scales");
    int from = n->input_count == 2 ? 1 : 2;
    int count = nn__has_input(n, 3) ? nn__read_ints(g, n->inputs[3], sizes, NN_MAX_RANK) : 0;
    if (count != 0) {
        for (int i = 0; i < x->rank; i++)
            scale[i] = count == x->rank && x->dims[i] ? (double)sizes[i] / (double)x->dims[i] : 0;
    } else if (a && a->kind == NN_ATTR_FLOATS) {
        count = a->count;
        for (int i = 0; i < x->rank && count == x->rank; i++)
            scale[i] = a->floats[i];
    } else if (nn__has_input(n, from) && nn__is_constant(g, n->inputs[from])) {
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
    if (nn__undecided(g, n, 1))
        return nn__set_unknown(g, n);
    int code = nn__scales(g, n, scale, err);
    if (code < 0)
        return code;
    struct nn_shape out = *nn__in_shape(g, n, 0);
    bool by_size =
        nn__has_input(n, 3) && nn__read_ints(g, n->inputs[3], sizes, NN_MAX_RANK) == out.rank;
    for (int i = 0; i < out.rank; i++)
        out.dims[i] = by_size ? sizes[i] : (int64_t)floor((double)out.dims[i] * scale[i]);
    return nn__set_like(g, n, &out, err);
}
