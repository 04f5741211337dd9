/* Third pass: which parts of a quantised network compute in 8 bits.
 *
 * A quantised file says "QDQ": QuantizeLinear and DequantizeLinear around operators on floats. A
 * tensor of u8 that only DequantizeLinear nodes read can be stored as Q16 bytes. An operator on
 * such tensors that has an 8-bit kernel reads the bytes themselves; a QuantizeLinear that alone
 * reads its result becomes the end of the kernel. Where an operator has none, the two nodes stay
 * and convert: everything else runs on floats as before.
 *
 *   Conv, Gemm           s8 weights (depthwise: any), zero point 0, a scale or one a channel
 *   Add, GlobalAveragePool    on images
 *   Mul                  of an image and one computed factor a channel (squeeze and excitation)
 *   AveragePool          without borders
 *   Concat               along the channels, in whole blocks
 *   MaxPool              between equal scales
 *
 * Batch norm, residuals and clips have joined their producer before. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "exec.h"

struct quantise {
    struct nn__compiler *c;
    struct nn_graph *g;
    bool *fits;     /* values that may be stored as bytes */
    int *uses;      /* of each value; outputs of the graph included */
    int *reader;    /* a node that reads it */
    bool *dead;     /* nodes */
};

/* The scale and zero point of a QuantizeLinear or DequantizeLinear; false: not one for all. */
static bool read_quant(const struct quantise *q, const struct nn_node *n, struct nn__quant *out)
{
    if (!nn__one_number(q->g, n->inputs[1]) ||
        (nn__has(n, 2) && !nn__one_number(q->g, n->inputs[2])))
        return false;
    double zero = nn__has(n, 2) ? nn__element(nn__value(q->g, n->inputs[2]), 0) : 0;
    if (!(zero >= 0 && zero <= 255))
        return false;
    *out = (struct nn__quant){.scale = (float)nn__element(nn__value(q->g, n->inputs[1]), 0),
                              .zero = (uint8_t)zero};
    return out->scale > 0 && isfinite(out->scale);
}

static bool same_quant(const struct nn__quant *a, const struct nn__quant *b)
{
    return a->scale == b->scale && a->zero == b->zero;
}

/* An image or a matrix of u8, not empty. */
static bool fits_shape(const struct nn_tensor *t)
{
    return t->dtype == NN_U8 && (t->shape.rank == 2 || t->shape.rank == 4) &&
           nn__shape_elements(&t->shape, 1) > 0;
}

static void find_candidates(struct quantise *q)
{
    for (size_t i = 0; i < q->g->node_count; i++) {
        const struct nn_node *n = &q->g->nodes[i];
        nn_value y = n->outputs[0];
        if (n->op == NN_OP_QUANTIZE)
            q->fits[y] = fits_shape(nn__value(q->g, y)) && read_quant(q, n, &q->c->quant[y]);
    }
    for (size_t i = 0; i < q->g->node_count; i++) {
        const struct nn_node *n = &q->g->nodes[i];
        for (int k = 0; k < n->input_count; k++) {
            struct nn__quant own;
            nn_value x = n->inputs[k];
            if (!nn__has(n, k) || !q->fits[x])
                continue;
            q->fits[x] = n->op == NN_OP_DEQUANTIZE && k == 0 && read_quant(q, n, &own) &&
                         same_quant(&own, &q->c->quant[x]);
        }
    }
    for (size_t i = 0; i < q->g->output_count; i++)
        q->fits[q->g->outputs[i]] = false;
}

static void count_uses(struct quantise *q)
{
    for (size_t i = 0; i < q->g->node_count; i++) {
        const struct nn_node *n = &q->g->nodes[i];
        for (int k = 0; k < n->input_count; k++)
            if (nn__has(n, k)) {
                q->uses[n->inputs[k]]++;
                q->reader[n->inputs[k]] = (int)i;
            }
        if (q->c->epilogues[i].add != NN_NONE)
            q->uses[q->c->epilogues[i].add]++;
    }
    for (size_t i = 0; i < q->g->output_count; i++)
        q->uses[q->g->outputs[i]]++;
}

/* The node that computes v, if it is of this kind; else NULL. */
static const struct nn_node *made_by(const struct quantise *q, nn_value v, enum nn_op op)
{
    int p = v == NN_NONE ? -1 : nn__value(q->g, v)->producer;
    return p >= 0 && q->g->nodes[p].op == op ? &q->g->nodes[p] : NULL;
}

/* The bytes that the float value v stands for, or NN_NONE. */
static nn_value bytes_of(const struct quantise *q, nn_value v)
{
    const struct nn_node *n = made_by(q, v, NN_OP_DEQUANTIZE);
    return n != NULL && q->fits[n->inputs[0]] ? n->inputs[0] : NN_NONE;
}

/* The same for the rows of a matrix: flattening an image changes no byte, nor does quantising the
 * flat image once more as it was. */
static nn_value rows_of(const struct quantise *q, nn_value v)
{
    static const enum nn_op flat[] = {NN_OP_FLATTEN, NN_OP_RESHAPE, NN_OP_SQUEEZE};
    for (size_t i = 0; i < sizeof flat / sizeof *flat; i++) {
        const struct nn_node *n = made_by(q, v, flat[i]);
        nn_value x = n != NULL ? bytes_of(q, n->inputs[0]) : NN_NONE;
        if (x != NN_NONE && nn__shape_of(q->c, x)->dims[0] == nn__shape_of(q->c, v)->dims[0])
            return x;
    }
    nn_value x = bytes_of(q, v);
    const struct nn_node *again = made_by(q, x, NN_OP_QUANTIZE);
    const nn_value before = again != NULL && made_by(q, again->inputs[0], NN_OP_DEQUANTIZE) == NULL
                                ? rows_of(q, again->inputs[0])
                                : NN_NONE;
    return before != NN_NONE && same_quant(&q->c->quant[before], &q->c->quant[x]) ? before : x;
}

enum { MOST_TERMS = 65536 }; /* products of 255 and 128 whose sum fits 32 bits */

/* Weights as the kernels want them: s8 around zero, scales along the output channels. */
static bool fits_weights(const struct quantise *q, const struct nn_node *n, int64_t axis)
{
    const struct nn__coded *w = nn__codes_of(q->c, n->inputs[1]);
    if (w == NULL || nn__value(q->g, w->codes)->dtype != NN_I8)
        return false;
    const struct nn_shape *shape = nn__shape_of(q->c, w->codes);
    int64_t scales = nn__shape_elements(nn__shape_of(q->c, w->scale), 1);
    if (nn__shape_elements(shape, 1) / shape->dims[axis] > MOST_TERMS)
        return false;
    int64_t own = w->axis < 0 ? w->axis + shape->rank : w->axis;
    for (int64_t i = 0; w->zero != NN_NONE && i < scales; i++)
        if (nn__element(nn__value(q->g, w->zero), i) != 0)
            return false;
    return scales == 1 || own == axis;
}

static bool fits_bias(const struct quantise *q, const struct nn_node *n, int64_t channels)
{
    return !nn__has(n, 2) ||
           (nn__floats_of(q->c, n, 2) &&
            nn__shape_elements(nn__shape_of(q->c, n->inputs[2]), 1) == channels);
}

static bool fits_conv(const struct quantise *q, const struct nn_node *n)
{
    const struct nn_shape *x = nn__shape_of(q->c, n->inputs[0]);
    const struct nn_shape *k = nn__shape_of(q->c, n->inputs[1]);
    int64_t groups = nn__attr_int(n, "group", 1);
    if (x->rank != 4 || nn__shape_elements(nn__shape_of(q->c, n->outputs[0]), 1) == 0 ||
        !fits_bias(q, n, k->dims[0]))
        return false;
    if (groups > 1 && nn__is_depthwise(k, groups))
        return nn__floats_of(q->c, n, 1) != NULL;
    return fits_weights(q, n, 0) && (groups == 1 || nn__merged_groups(k, groups) > 0);
}

static bool fits_gemm(const struct quantise *q, const struct nn_node *n)
{
    return nn__attr_float(n, "alpha", 1) == 1 && nn__attr_float(n, "beta", 1) == 1 &&
           !nn__attr_int(n, "transA", 0) &&
           nn__shape_elements(nn__shape_of(q->c, n->outputs[0]), 1) > 0 &&
           fits_bias(q, n, nn__shape_of(q->c, n->outputs[0])->dims[1]) &&
           fits_weights(q, n, nn__attr_int(n, "transB", 0) ? 0 : 1);
}

/* The QuantizeLinear that alone reads the node's result, or -1. */
static int quantised_by(const struct quantise *q, const struct nn_node *n)
{
    nn_value y = n->outputs[0];
    int r = q->uses[y] == 1 ? q->reader[y] : -1;
    bool good = r >= 0 && q->g->nodes[r].op == NN_OP_QUANTIZE && q->g->nodes[r].inputs[0] == y &&
                q->fits[q->g->nodes[r].outputs[0]];
    return good ? r : -1;
}

static bool fits_maxpool(const struct quantise *q, const struct nn_node *n, nn_value x)
{
    int r = quantised_by(q, n);
    return r >= 0 && x != NN_NONE && nn__fits_c16(q->c, n) &&
           same_quant(&q->c->quant[x], &q->c->quant[q->g->nodes[r].outputs[0]]);
}

static bool fits_add(const struct quantise *q, const struct nn_node *n, nn_value x)
{
    nn_value other = bytes_of(q, n->inputs[1]);
    return x != NN_NONE && other != NN_NONE && nn__shape_of(q->c, x)->rank == 4 &&
           nn__shape_equal(nn__shape_of(q->c, x), nn__shape_of(q->c, other));
}

static bool fits_mul(const struct quantise *q, const struct nn_node *n, nn_value x)
{
    const struct nn_shape *image = nn__shape_of(q->c, n->outputs[0]);
    const struct nn_shape *factor = nn__shape_of(q->c, n->inputs[1]);
    return x != NN_NONE && image->rank == 4 && factor->rank == 4 &&
           nn__shape_equal(nn__shape_of(q->c, x), image) && factor->dims[0] == image->dims[0] &&
           factor->dims[1] == image->dims[1] && factor->dims[2] * factor->dims[3] == 1 &&
           !nn__is_constant(q->g, n->inputs[1]);
}

/* A product has its image first. */
static void order_factors(const struct quantise *q, struct nn_node *n)
{
    if (n->op != NN_OP_MUL || bytes_of(q, n->inputs[1]) == NN_NONE ||
        !nn__shape_equal(nn__shape_of(q->c, n->inputs[1]), nn__shape_of(q->c, n->outputs[0])))
        return;
    nn_value first = n->inputs[0];
    n->inputs[0] = n->inputs[1];
    n->inputs[1] = first;
}

static bool fits_avgpool(const struct quantise *q, const struct nn_node *n)
{
    struct nn_window w;
    return nn__fits_c16(q->c, n) && nn__window(q->g, n, &w, NULL) == 0 &&
           !(w.pad[0] | w.pad[1] | w.pad[2] | w.pad[3]);
}

static bool fits_concat(const struct quantise *q, const struct nn_node *n)
{
    for (int i = 0; i < n->input_count; i++)
        if (bytes_of(q, n->inputs[i]) == NN_NONE)
            return false;
    return nn__fits_c16(q->c, n);
}

/* Can the node read the bytes x in the place of its first input? */
static bool fits_node(const struct quantise *q, const struct nn_node *n, nn_value x)
{
    switch (n->op) {
    case NN_OP_CONV:
        return fits_conv(q, n);
    case NN_OP_GEMM:
        return fits_gemm(q, n);
    case NN_OP_MAXPOOL:
        return fits_maxpool(q, n, x);
    case NN_OP_ADD:
        return fits_add(q, n, x);
    case NN_OP_MUL:
        return fits_mul(q, n, x);
    case NN_OP_AVGPOOL:
        return fits_avgpool(q, n);
    case NN_OP_CONCAT:
        return fits_concat(q, n);
    case NN_OP_GLOBAL_AVGPOOL:
        return nn__shape_of(q->c, x)->rank == 4;
    default:
        return false;
    }
}

static void read_bytes(struct quantise *q, nn_value *input, nn_value bytes)
{
    *input = bytes;
    q->c->quant[bytes].stored = true;
}

static void convert_node(struct quantise *q, int index)
{
    struct nn_node *n = &q->g->nodes[index];
    struct nn__epilogue *e = &q->c->epilogues[index];
    order_factors(q, n);
    nn_value x = n->op == NN_OP_GEMM ? rows_of(q, n->inputs[0]) : bytes_of(q, n->inputs[0]);
    if (x == NN_NONE || !fits_node(q, n, x))
        return;
    int r = quantised_by(q, n);
    e->bytes = true;
    read_bytes(q, &n->inputs[0], x);
    for (int i = 1; i < n->input_count && (n->op == NN_OP_ADD || n->op == NN_OP_CONCAT); i++)
        read_bytes(q, &n->inputs[i], bytes_of(q, n->inputs[i]));
    if (e->add != NN_NONE && bytes_of(q, e->add) != NN_NONE)
        read_bytes(q, &e->add, bytes_of(q, e->add));
    if (r < 0)
        return;
    q->dead[r] = true;
    read_bytes(q, &n->outputs[0], q->g->nodes[r].outputs[0]);
    nn__value(q->g, n->outputs[0])->producer = index;
}

/* The nodes that stay between bytes and floats. */
static void convert_ends(struct quantise *q)
{
    for (size_t i = 0; i < q->g->node_count; i++) {
        const struct nn_node *n = &q->g->nodes[i];
        bool to = n->op == NN_OP_QUANTIZE && q->c->quant[n->outputs[0]].stored;
        bool from = n->op == NN_OP_DEQUANTIZE && q->c->quant[n->inputs[0]].stored;
        if (to || from)
            q->c->epilogues[i].bytes = true;
    }
}

void nn__quantise(struct nn__compiler *c)
{
    size_t values = c->g->value_count + 1, nodes = c->g->node_count + 1;
    struct quantise q = {c, c->g, mem_new(values, sizeof(bool)), mem_new(values, sizeof(int)),
                         mem_new(values, sizeof(int)), mem_new(nodes, sizeof(bool))};
    c->quant = nn__context(c, sizeof *c->quant * values);
    find_candidates(&q);
    count_uses(&q);
    for (size_t i = 0; i < c->g->node_count; i++)
        convert_node(&q, (int)i);
    convert_ends(&q);
    nn__sweep(c, q.dead);
    free(q.fits);
    free(q.uses);
    free(q.reader);
    free(q.dead);
}
