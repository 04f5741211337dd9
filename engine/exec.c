/* The table of inference operators, and what their prepare functions share. */
#include "exec.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

static const struct nn__exec_info table[NN_OP_COUNT] = {
    [NN_OP_CONV] = {nn__prepare_window, nn__prepare_conv16, nn__prepare_qconv16},
    [NN_OP_CONV_TRANSPOSE] = {nn__prepare_window, NULL},
    [NN_OP_GEMM] = {nn__prepare_matmul, NULL, nn__prepare_qconv16},
    [NN_OP_MATMUL] = {nn__prepare_matmul, NULL},
    [NN_OP_BATCHNORM] = {nn__prepare_batchnorm, nn__prepare_batchnorm16},
    [NN_OP_INSTANCE_NORM] = {nn__prepare_instance_norm, NULL},
    [NN_OP_LAYER_NORM] = {nn__prepare_layer_norm, NULL},
    [NN_OP_SOFTMAX] = {nn__prepare_softmax, NULL},
    [NN_OP_LOG_SOFTMAX] = {nn__prepare_softmax, NULL},
    [NN_OP_MAXPOOL] = {nn__prepare_window, nn__prepare_pool16, nn__prepare_pool16},
    [NN_OP_AVGPOOL] = {nn__prepare_window, nn__prepare_pool16, nn__prepare_qavgpool16},
    [NN_OP_GLOBAL_AVGPOOL] = {nn__prepare_reduce, nn__prepare_global_pool16,
                              nn__prepare_qmean16},
    [NN_OP_GLOBAL_MAXPOOL] = {nn__prepare_reduce, nn__prepare_global_pool16},
    [NN_OP_RELU] = {nn__prepare_unary, nn__prepare_unary},
    [NN_OP_CLIP] = {nn__prepare_unary, nn__prepare_unary},
    [NN_OP_LEAKY_RELU] = {nn__prepare_unary, nn__prepare_unary},
    [NN_OP_SIGMOID] = {nn__prepare_unary, nn__prepare_unary},
    [NN_OP_HARD_SIGMOID] = {nn__prepare_unary, nn__prepare_unary},
    [NN_OP_HARD_SWISH] = {nn__prepare_unary, nn__prepare_unary},
    [NN_OP_TANH] = {nn__prepare_unary, nn__prepare_unary},
    [NN_OP_ELU] = {nn__prepare_unary, nn__prepare_unary},
    [NN_OP_GELU] = {nn__prepare_unary, nn__prepare_unary},
    [NN_OP_SWISH] = {nn__prepare_unary, nn__prepare_unary},
    [NN_OP_ERF] = {nn__prepare_unary, NULL},
    [NN_OP_SELU] = {nn__prepare_unary, NULL},
    [NN_OP_CELU] = {nn__prepare_unary, NULL},
    [NN_OP_SOFTSIGN] = {nn__prepare_unary, NULL},
    [NN_OP_THRESHOLDED_RELU] = {nn__prepare_unary, NULL},
    [NN_OP_SIGN] = {nn__prepare_unary, NULL},
    [NN_OP_ROUND] = {nn__prepare_unary, NULL},
    [NN_OP_SIN] = {nn__prepare_unary, NULL},
    [NN_OP_COS] = {nn__prepare_unary, NULL},
    [NN_OP_NOT] = {nn__prepare_unary, NULL},
    [NN_OP_LRN] = {nn__prepare_lrn, NULL},
    [NN_OP_LP_NORM] = {nn__prepare_lp_norm, NULL},
    [NN_OP_SOFTPLUS] = {nn__prepare_unary, NULL},
    [NN_OP_SQRT] = {nn__prepare_unary, NULL},
    [NN_OP_EXP] = {nn__prepare_unary, NULL},
    [NN_OP_LOG] = {nn__prepare_unary, NULL},
    [NN_OP_ABS] = {nn__prepare_unary, NULL},
    [NN_OP_NEG] = {nn__prepare_unary, NULL},
    [NN_OP_FLOOR] = {nn__prepare_unary, NULL},
    [NN_OP_CEIL] = {nn__prepare_unary, NULL},
    [NN_OP_RECIPROCAL] = {nn__prepare_unary, NULL},
    [NN_OP_CAST] = {nn__prepare_unary, NULL},
    [NN_OP_ADD] = {nn__prepare_nary, nn__prepare_nary16, nn__prepare_qadd16},
    [NN_OP_SUB] = {nn__prepare_nary, nn__prepare_nary16},
    [NN_OP_MUL] = {nn__prepare_nary, nn__prepare_nary16, nn__prepare_qmul16},
    [NN_OP_DIV] = {nn__prepare_nary, NULL},
    [NN_OP_POW] = {nn__prepare_nary, NULL},
    [NN_OP_PRELU] = {nn__prepare_nary, NULL},
    [NN_OP_EQUAL] = {nn__prepare_nary, NULL},
    [NN_OP_LESS] = {nn__prepare_nary, NULL},
    [NN_OP_GREATER] = {nn__prepare_nary, NULL},
    [NN_OP_LESS_EQUAL] = {nn__prepare_nary, NULL},
    [NN_OP_GREATER_EQUAL] = {nn__prepare_nary, NULL},
    [NN_OP_AND] = {nn__prepare_nary, NULL},
    [NN_OP_OR] = {nn__prepare_nary, NULL},
    [NN_OP_XOR] = {nn__prepare_nary, NULL},
    [NN_OP_MEAN] = {nn__prepare_nary, NULL},
    [NN_OP_MAX] = {nn__prepare_nary, NULL},
    [NN_OP_MIN] = {nn__prepare_nary, NULL},
    [NN_OP_SUM] = {nn__prepare_nary, NULL},
    [NN_OP_WHERE] = {nn__prepare_nary, NULL},
    [NN_OP_REDUCE_MEAN] = {nn__prepare_reduce, NULL},
    [NN_OP_REDUCE_SUM] = {nn__prepare_reduce, NULL},
    [NN_OP_REDUCE_MAX] = {nn__prepare_reduce, NULL},
    [NN_OP_REDUCE_MIN] = {nn__prepare_reduce, NULL},
    [NN_OP_REDUCE_PROD] = {nn__prepare_reduce, NULL},
    [NN_OP_REDUCE_L1] = {nn__prepare_reduce, NULL},
    [NN_OP_REDUCE_L2] = {nn__prepare_reduce, NULL},
    [NN_OP_REDUCE_SUM_SQUARE] = {nn__prepare_reduce, NULL},
    [NN_OP_REDUCE_LOG_SUM] = {nn__prepare_reduce, NULL},
    [NN_OP_REDUCE_LOG_SUM_EXP] = {nn__prepare_reduce, NULL},
    [NN_OP_ARG_MAX] = {nn__prepare_reduce, NULL},
    [NN_OP_ARG_MIN] = {nn__prepare_reduce, NULL},
    [NN_OP_CONCAT] = {nn__prepare_concat, nn__prepare_concat16, nn__prepare_qconcat16},
    [NN_OP_SPLIT] = {nn__prepare_split, NULL},
    [NN_OP_SLICE] = {nn__prepare_map, NULL},
    [NN_OP_PAD] = {nn__prepare_map, NULL},
    [NN_OP_TRANSPOSE] = {nn__prepare_map, NULL},
    [NN_OP_GATHER] = {nn__prepare_map, NULL},
    [NN_OP_EXPAND] = {nn__prepare_map, NULL},
    [NN_OP_TILE] = {nn__prepare_map, NULL},
    [NN_OP_DEPTH_TO_SPACE] = {nn__prepare_map, NULL},
    [NN_OP_SPACE_TO_DEPTH] = {nn__prepare_map, NULL},
    [NN_OP_RESIZE] = {nn__prepare_resize, NULL},
    [NN_OP_UPSAMPLE] = {nn__prepare_resize, NULL},
    [NN_OP_FLATTEN] = {nn__prepare_map, NULL},
    [NN_OP_RESHAPE] = {nn__prepare_map, NULL},
    [NN_OP_SQUEEZE] = {nn__prepare_map, NULL},
    [NN_OP_UNSQUEEZE] = {nn__prepare_map, NULL},
    [NN_OP_IDENTITY] = {nn__prepare_map, NULL},
    [NN_OP_DROPOUT] = {nn__prepare_map, NULL},
    [NN_OP_CONSTANT_OF_SHAPE] = {nn__prepare_fill, NULL},
    [NN_OP_RANGE] = {nn__prepare_fill, NULL},
    [NN_OP_QUANTIZE] = {nn__prepare_quantize, NULL, nn__prepare_quantize16},
    [NN_OP_DEQUANTIZE] = {nn__prepare_quantize, NULL, nn__prepare_quantize16},
};

const struct nn__exec_info *nn__exec_info(enum nn_op op)
{
    return &table[op];
}

void *nn__context(struct nn__compiler *c, size_t size)
{
    return arena_alloc(c->plan->arena, size > 0 ? size : 1);
}

void nn__want_scratch(struct nn__compiler *c, size_t floats)
{
    if (floats > c->plan->scratch)
        c->plan->scratch = floats;
}

const float *nn__floats_of(const struct nn__compiler *c, const struct nn_node *n, int i)
{
    if (!nn__has(n, i) || !nn__is_constant(c->g, n->inputs[i]))
        return NULL;
    const struct nn_tensor *t = nn__value(c->g, n->inputs[i]);
    return t->dtype == NN_F32 ? t->data : NULL;
}

const struct nn__coded *nn__codes_of(const struct nn__compiler *c, nn_value v)
{
    for (size_t i = 0; i < c->coded_count; i++)
        if (c->coded[i].value == v)
            return &c->coded[i];
    return NULL;
}

int nn__conv_bias(struct nn__compiler *c, const struct nn__job *j, float *bias, const float **out,
                  struct err *err)
{
    const float *from = j->epilogue->shift ? j->epilogue->shift : nn__floats_of(c, j->node, 2);
    if (!from && nn__has(j->node, 2))
        return nn__node_error(j->node, err, ERR_UNSUPPORTED, "its bias must be constant");
    if (from)
        memcpy(bias, from, sizeof *bias * (size_t)nn__shape_of(c, j->node->outputs[0])->dims[1]);
    *out = bias;
    return 0;
}

int nn__merged_groups(const struct nn_shape *weights, int64_t groups)
{
    enum { MOST = 16 }; /* zeros cost as much as numbers */
    int64_t in = weights->dims[1], out = weights->dims[0] / groups;
    for (int64_t m = 1; m <= groups && m <= MOST; m++)
        if (groups % m == 0 && ((in * m % 16 == 0 && out * m % 16 == 0) || m == groups))
            return (int)m;
    return 0;
}

/* Dense, depthwise and grouped convolutions. */
static bool conv_fits(const struct nn__compiler *c, const struct nn_node *n)
{
    const struct nn_shape *x = nn__shape_of(c, n->inputs[0]), *k = nn__shape_of(c, n->inputs[1]);
    int64_t groups = nn__attr_int(n, "group", 1);
    if (x->rank != 4 || !nn__floats_of(c, n, 1) || (nn__has(n, 2) && !nn__floats_of(c, n, 2)))
        return false;
    bool depthwise = k->dims[1] == 1 && groups == k->dims[0] && groups == x->dims[1];
    return depthwise || nn__merged_groups(k, groups) > 0;
}

static bool pool_fits(const struct nn__compiler *c, const struct nn_node *n)
{
    struct nn_window w;
    return nn__window(c->g, n, &w, NULL) == 0 && w.dilation[0] == 1 && w.dilation[1] == 1 &&
           !(nn__attr_int(n, "count_include_pad", 0) && nn__attr_int(n, "ceil_mode", 0));
}

/* Tensors of one shape, or the second one pixel an image. */
static bool nary_fits(const struct nn__compiler *c, const struct nn_node *n)
{
    const struct nn_shape *a = nn__shape_of(c, n->inputs[0]), *b = nn__shape_of(c, n->inputs[1]);
    bool pixel = a->rank == 4 && b->rank == 4 && a->dims[0] == b->dims[0] &&
                 a->dims[1] == b->dims[1] && b->dims[2] == 1 && b->dims[3] == 1;
    return (nn__shape_equal(a, b) || pixel) && !nn__is_constant(c->g, n->inputs[0]) &&
           !nn__is_constant(c->g, n->inputs[1]);
}

/* Along the channels, each part but the last in whole blocks. */
static bool concat_fits(const struct nn__compiler *c, const struct nn_node *n)
{
    int64_t axis = nn__attr_int(n, "axis", 1);
    for (int i = 0; i < n->input_count; i++)
        if (nn__is_constant(c->g, n->inputs[i]) ||
            (i + 1 < n->input_count && nn__shape_of(c, n->inputs[i])->dims[1] % 16))
            return false;
    return axis == 1 || axis == -3;
}

bool nn__fits_c16(const struct nn__compiler *c, const struct nn_node *n)
{
    if (!table[n->op].c16 || nn__shape_of(c, n->outputs[0])->rank != 4 ||
        nn__shape_of(c, n->inputs[0])->rank != 4)
        return false;
    for (int i = 0; i < 4; i++) /* empty images run in plain loops that do nothing */
        if (nn__shape_of(c, n->inputs[0])->dims[i] == 0)
            return false;
    if (n->op == NN_OP_CONV)
        return conv_fits(c, n);
    if (n->op == NN_OP_CONCAT)
        return concat_fits(c, n);
    if (n->op == NN_OP_MAXPOOL || n->op == NN_OP_AVGPOOL)
        return pool_fits(c, n);
    if (n->op == NN_OP_ADD || n->op == NN_OP_SUB || n->op == NN_OP_MUL)
        return nary_fits(c, n);
    return true;
}

bool nn__is_planar_conv(const struct nn__compiler *c, const struct nn_node *n)
{
    return n->op == NN_OP_CONV && nn__attr_int(n, "group", 1) == 1 &&
           nn__shape_of(c, n->inputs[1])->dims[1] <= 4;
}

void nn__wanted_border(const struct nn__compiler *c, const struct nn_node *n, int pad[4])
{
    struct nn_window w;
    memset(pad, 0, sizeof *pad * 4);
    if (n->op == NN_OP_CONV && nn__window(c->g, n, &w, NULL) == 0)
        memcpy(pad, w.pad, sizeof w.pad);
}

int nn__batchnorm_affine(const struct nn__compiler *c, const struct nn_node *n, float *scale,
                         float *shift, struct err *err)
{
    const float *p[5] = {NULL};
    for (int i = 1; i < 5; i++)
        if (!(p[i] = nn__floats_of(c, n, i)))
            return nn__node_error(n, err, ERR_UNSUPPORTED, "its parameters must be constant");
    float epsilon = nn__attr_float(n, "epsilon", 1e-5f);
    int64_t channels = nn__shape_of(c, n->inputs[0])->dims[1];
    for (int64_t i = 0; i < channels; i++) {
        double s = p[1][i] / sqrt((double)p[4][i] + epsilon);
        scale[i] = (float)s;
        shift[i] = (float)(p[2][i] - p[3][i] * s);
    }
    return 0;
}
