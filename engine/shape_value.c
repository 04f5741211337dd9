/* Constants as numbers, and shape inference of the operators that make, count, compare and convert
 * numbers. While the batch is open they say NN_UNKNOWN, as those of shape_move.c do. */
#include "shape.h"

#include <limits.h>
#include <math.h>
#include <string.h>

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
    if (!nn__has_input(n, i))
        return 0;
    int count = nn__read_ints(g, n->inputs[i], out, most);
    if (count < 0)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "its %s must be up to %d constants", attr,
                              most);
    return count;
}

int nn__axes(const struct nn_graph *g, const struct nn_node *n, int rank, bool marked[NN_MAX_RANK],
             struct err *err)
{
    int64_t axes[NN_MAX_RANK];
    memset(marked, 0, sizeof *marked * NN_MAX_RANK);
    int count = nn__node_numbers(g, n, "axes", 1, axes, NN_MAX_RANK, err);
    for (int i = 0; i < count; i++) {
        int axis = nn__want_axis(n, axes[i], rank, err);
        if (axis < 0)
            return axis;
        marked[axis] = true;
    }
    return count;
}

int nn__read_shape(const struct nn_graph *g, const struct nn_node *n, int i, struct nn_shape *out,
                   struct err *err)
{
    int64_t dims[NN_MAX_RANK];
    int rank = nn__read_ints(g, n->inputs[i], dims, NN_MAX_RANK);
    if (rank < 0)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "its shape must be up to %d constants",
                              NN_MAX_RANK);
    out->rank = rank;
    for (int k = 0; k < rank; k++) {
        if (dims[k] < 0 || dims[k] > INT_MAX)
            return nn__node_error(n, err, ERR_RANGE, "dimension %d is %lld", k, (long long)dims[k]);
        out->dims[k] = dims[k];
    }
    return 0;
}

static float scalar_input(const struct nn_graph *g, const struct nn_node *n, int i, float absent)
{
    bool given = nn__has_input(n, i) && nn__is_constant(g, n->inputs[i]) &&
                 nn__shape_elements(nn__in_shape(g, n, i), 1) == 1;
    return given ? (float)nn__element(nn__value(g, n->inputs[i]), 0) : absent;
}

void nn__clip_limits(const struct nn_graph *g, const struct nn_node *n, float *lo, float *hi)
{
    *lo = scalar_input(g, n, 1, nn__attr_float(n, "min", -INFINITY));
    *hi = scalar_input(g, n, 2, nn__attr_float(n, "max", INFINITY));
}

/* Arithmetic */

static int broadcast_typed(struct nn_graph *g, const struct nn_node *n, enum nn_dtype type,
                           struct err *err)
{
    struct nn_shape out = {0};
    if (nn__undecided(g, n, INT_MAX))
        return nn__set_unknown(g, n);
    for (int i = 0; i < n->input_count; i++) {
        int code = nn__broadcast_into(n, &out, nn__in_shape(g, n, i), err);
        if (code < 0)
            return code;
    }
    return nn__set_output(g, n, 0, type, &out, err);
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
    const struct nn_shape *x = nn__in_shape(g, n, 0);
    if (nn__undecided(g, n, INT_MAX))
        return nn__set_unknown(g, n);
    int axis = nn__want_axis(n, nn__attr_int(n, "axis", -1), x->rank, err);
    if (axis < 0)
        return axis;
    int64_t inner = 1;
    for (int i = axis; i < x->rank; i++)
        inner *= x->dims[i];
    for (int i = 1; i < n->input_count; i++)
        if (nn__has_input(n, i) && nn__shape_elements(nn__in_shape(g, n, i), 1) != inner)
            return nn__node_error(n, err, ERR_FORMAT, "input %d has not %lld elements", i,
                                  (long long)inner);
    if (n->output_count > 1)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "only its first output is supported");
    return nn__set_like(g, n, x, err);
}

int nn__shape_reduce(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    bool marked[NN_MAX_RANK];
    const struct nn_shape *x = nn__in_shape(g, n, 0);
    if (nn__undecided(g, n, 1))
        return nn__set_unknown(g, n);
    int count = nn__axes(g, n, x->rank, marked, err);
    if (count < 0)
        return count;
    if (count == 0 && nn__attr_int(n, "noop_with_empty_axes", 0))
        return nn__set_like(g, n, x, err);
    bool keep = nn__attr_int(n, "keepdims", 1) != 0;
    struct nn_shape out = {0};
    for (int i = 0; i < x->rank; i++) {
        if (count > 0 && !marked[i])
            out.dims[out.rank++] = x->dims[i];
        else if (keep)
            out.dims[out.rank++] = 1;
    }
    return nn__set_like(g, n, &out, err);
}

int nn__shape_arg(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *x = nn__in_shape(g, n, 0);
    if (nn__undecided(g, n, INT_MAX))
        return nn__set_unknown(g, n);
    int axis = nn__want_axis(n, nn__attr_int(n, "axis", 0), x->rank, err);
    if (axis < 0)
        return axis;
    if (x->dims[axis] == 0)
        return nn__node_error(n, err, ERR_RANGE, "axis %d has no elements", axis);
    bool keep = nn__attr_int(n, "keepdims", 1) != 0;
    struct nn_shape out = {0};
    for (int i = 0; i < x->rank; i++)
        if (i != axis || keep)
            out.dims[out.rank++] = i == axis ? 1 : x->dims[i];
    return nn__set_output(g, n, 0, NN_I64, &out, err);
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
        return nn__node_error(n, err, ERR_UNSUPPORTED,
                              "data type %lld is not supported: a cast gives float, u8, i8, i32, "
                              "i64 or bool",
                              (long long)to);
    return nn__set_output(g, n, 0, type, nn__in_shape(g, n, 0), err);
}

int nn__shape_shape(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    if (nn__undecided(g, n, INT_MAX))
        return nn__set_unknown(g, n);
    int64_t rank = nn__in_shape(g, n, 0)->rank;
    int64_t start = nn__attr_int(n, "start", 0), end = nn__attr_int(n, "end", rank);
    start = nn__clamp(start < 0 ? start + rank : start, 0, rank);
    end = nn__clamp(end < 0 ? end + rank : end, 0, rank);
    struct nn_shape out = {1, {end > start ? end - start : 0}};
    return nn__set_output(g, n, 0, NN_I64, &out, err);
}

int nn__shape_size(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    return nn__set_output(g, n, 0, NN_I64, &(struct nn_shape){0}, err);
}

int nn__shape_constant_of_shape(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    struct nn_shape out;
    if (nn__undecided(g, n, 0))
        return nn__set_unknown(g, n);
    int code = nn__read_shape(g, n, 0, &out, err);
    if (code < 0)
        return code;
    const struct nn_attr *value = nn__attr(n, "value");
    if (value && (value->kind != NN_ATTR_TENSOR ||
                  nn__shape_elements(&nn__value(g, value->tensor)->shape, 1) != 1))
        return nn__node_error(n, err, ERR_FORMAT, "its value is not one number");
    return nn__set_output(g, n, 0, value ? nn__value(g, value->tensor)->dtype : NN_F32, &out, err);
}

int nn__shape_range(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    if (nn__undecided(g, n, 0))
        return nn__set_unknown(g, n);
    double v[3];
    for (int i = 0; i < 3; i++) {
        if (!nn__is_constant(g, n->inputs[i]) || nn__shape_elements(nn__in_shape(g, n, i), 1) != 1)
            return nn__node_error(n, err, ERR_UNSUPPORTED, "its limits must be constant");
        v[i] = nn__element(nn__value(g, n->inputs[i]), 0);
    }
    double count = ceil((v[1] - v[0]) / v[2]);
    if (!(count <= INT_MAX)) /* NaN too */
        return nn__node_error(n, err, ERR_RANGE, "gives %g numbers", count);
    return nn__set_like(g, n, &(struct nn_shape){1, {count > 0 ? (int64_t)count : 0}}, err);
}

/* Scale and zero point: one number, or one for each element of `axis`. */
static int check_scale(const struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    const struct nn_shape *x = nn__in_shape(g, n, 0);
    int64_t count = nn__shape_elements(nn__in_shape(g, n, 1), 1);
    if (!nn__is_constant(g, n->inputs[1]) ||
        (nn__has_input(n, 2) && !nn__is_constant(g, n->inputs[2])))
        return nn__node_error(n, err, ERR_UNSUPPORTED, "its scale must be constant");
    if (nn__has_input(n, 2) && nn__shape_elements(nn__in_shape(g, n, 2), 1) != count)
        return nn__node_error(n, err, ERR_FORMAT, "scale and zero point differ in size");
    if (count == 1)
        return 0;
    int axis = nn__want_axis(n, nn__attr_int(n, "axis", 1), x->rank, err);
    if (axis < 0)
        return axis;
    if (count != x->dims[axis])
        return nn__node_error(n, err, ERR_FORMAT, "wants %lld scales, has %lld",
                              (long long)x->dims[axis], (long long)count);
    return 0;
}

int nn__shape_quantize(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    if (nn__in_shape(g, n, 0)->rank == NN_UNKNOWN)
        return nn__set_unknown(g, n);
    int code = check_scale(g, n, err);
    if (code < 0)
        return code;
    enum nn_dtype type = nn__has_input(n, 2) ? nn__value(g, n->inputs[2])->dtype : NN_U8;
    if (type != NN_U8 && type != NN_I8)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "only 8-bit results are implemented");
    return nn__set_output(g, n, 0, type, nn__in_shape(g, n, 0), err);
}

int nn__shape_dequantize(struct nn_graph *g, const struct nn_node *n, struct err *err)
{
    if (nn__in_shape(g, n, 0)->rank == NN_UNKNOWN)
        return nn__set_unknown(g, n);
    int code = check_scale(g, n, err);
    return code < 0 ? code : nn__set_output(g, n, 0, NN_F32, nn__in_shape(g, n, 0), err);
}
