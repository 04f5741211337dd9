/* Dense layers of a tape (Gemm, MatMul with constant weights): y = x W + bias, three products of
 * packed matrices, or in bfloat16 those of tape_matrix16.h. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "tape_matrix16.h"

struct dense {
    int in, out;
    bool transposed; /* weights are out x in, else in x out */
    bool has_bias;
    bool rounds; /* to bfloat16 */
};

/* C[m][n] = A[m][k] B[k][n]; element (i, j) of A is a[i * a_row + j * a_col]. */
struct product {
    struct nn_tape *tape;
    int m, n, k;
    const float *a, *b, *bias;
    size_t a_row, a_col, b_row, b_col, c_row;
    float *c;
    bool accumulate;
    float lo, hi;
};

static int panels(int n, int width)
{
    return (n + width - 1) / width;
}

static void pack_a(void *arg, int begin, int end, int thread)
{
    const struct product *p = arg;
    (void)thread;
    struct nn_gemm_pack g = {p->a, p->tape->gemm_a, p->a_row, p->a_col, p->m, p->k};
    p->tape->k->gemm_pack_a(&g, begin, end);
}

static void pack_b(void *arg, int begin, int end, int thread)
{
    const struct product *p = arg;
    (void)thread;
    struct nn_gemm_pack g = {p->b, p->tape->gemm_b, p->b_row, p->b_col, p->k, p->n};
    p->tape->k->gemm_pack_b(&g, begin, end);
}

static void multiply_panels(void *arg, int begin, int end, int thread)
{
    const struct product *p = arg;
    (void)thread;
    struct nn_gemm g = {p->tape->gemm_a, p->tape->gemm_b, p->bias, p->c, p->c_row, p->m, p->n, p->k,
                        p->accumulate,   p->lo,           p->hi};
    p->tape->k->gemm(&g, 0, panels(p->m, NN_GEMM_MR), begin, end);
}

static void multiply(const struct product *p)
{
    struct product copy = *p;
    struct pool *pool = p->tape->pool;
    pool_for(pool, panels(p->m, NN_GEMM_MR), 1, pack_a, &copy);
    pool_for(pool, panels(p->n, NN_GEMM_NR), 4, pack_b, &copy);
    pool_for(pool, panels(p->n, NN_GEMM_NR), 2, multiply_panels, &copy);
}

static void want_product(struct nn_tape *t, int m, int n, int k)
{
    size_t a = (size_t)panels(m, NN_GEMM_MR) * NN_GEMM_MR * (size_t)k;
    size_t b = (size_t)panels(n, NN_GEMM_NR) * NN_GEMM_NR * (size_t)k;
    if (a > t->gemm_a_floats)
        t->gemm_a_floats = a;
    if (b > t->gemm_b_floats)
        t->gemm_b_floats = b;
}

static struct tape_matrix16 matrix(const struct nn_tape *t, const struct tape_op *op)
{
    const struct dense *d = op->own;
    int rows = d->transposed ? d->out : d->in, cols = d->transposed ? d->in : d->out;
    return (struct tape_matrix16){t->weights ? tape__weights(t, op, 1) : NULL, rows, cols};
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Small matrices are not worth the rounding. */
static void plan_rounding(struct nn_tape *t, const struct tape_op *op)
{
    enum { LEAST = 32 };
    struct dense *d = op->own;
    struct tape_matrix16 m = matrix(t, op);
    d->rounds = t->precision == NN_BF16 && m.cols % 16 == 0 && m.cols >= LEAST && m.rows >= LEAST;
    if (!d->rounds)
        return;
    size_t sums = tape__matrix16_sums(&m) * (size_t)pool_size(t->pool);
    t->gemm_a_floats = most(t->gemm_a_floats, tape__matrix16_batch(&m, t->batch));
    t->gemm_b_floats = most(t->gemm_b_floats, most(tape__matrix16_matrix(&m), sums));
}

static struct tape_rows data_of(const struct nn_tape *t, const struct tape_tensor *x)
{
    return (struct tape_rows){x->data, x->at.image, t->count};
}

static struct tape_rows gradient_of(const struct nn_tape *t, const struct tape_tensor *x)
{
    return (struct tape_rows){x->grad, x->grad_at.image, t->count};
}

static int setup(struct nn_tape *t, struct tape_op *op, struct err *err)
{
    struct dense *d = op->own = arena_alloc(t->arena, sizeof *d);
    const struct nn_node *n = op->node;
    const struct tape_tensor *x = op->inputs[0].tensor;
    if (nn__attr_float(n, "alpha", 1) != 1 || nn__attr_float(n, "beta", 1) != 1 ||
        nn__attr_int(n, "transA", 0) || !nn__is_constant(t->graph, n->inputs[1]) || !x->rows ||
        op->input_count != 1)
        return nn__node_error(n, err, ERR_UNSUPPORTED,
                              "only x W + b with constant W and b can be trained");
    d->in = x->width;
    d->out = op->y->width;
    d->transposed = nn__attr_int(n, "transB", 0) != 0;
    d->has_bias = n->input_count > 2 && n->inputs[2] != NN_NONE;
    if (d->has_bias && nn__shape_elements(&nn__value(t->graph, n->inputs[2])->shape, 1) != d->out)
        return nn__node_error(n, err, ERR_UNSUPPORTED,
                              "only a bias for each output can be trained");
    want_product(t, t->batch, d->out, d->in);
    want_product(t, t->batch, d->in, d->out);
    want_product(t, d->out, d->in, t->batch);
    want_product(t, d->in, d->out, t->batch);
    plan_rounding(t, op);
    t->input_blocked |= x == t->tensors[t->graph->inputs[0]];
    return 0;
}

static void forward_rounded(struct nn_tape *t, struct tape_op *op)
{
    const struct dense *d = op->own;
    const struct tape_finish f = {
        .bias = d->has_bias ? tape__weights(t, op, 2) : NULL, .lo = op->lo, .hi = op->hi};
    struct tape_matrix16 m = matrix(t, op);
    (d->transposed ? tape__matrix16_times : tape__matrix16_transposed_times)(
        t, &m, data_of(t, op->inputs[0].tensor), data_of(t, op->y), &f);
}

static void backward_rounded(struct nn_tape *t, struct tape_op *op, float *dw)
{
    const struct dense *d = op->own;
    const struct tape_finish f = {.add = op->inputs[0].add, .lo = -INFINITY, .hi = INFINITY};
    struct tape_rows x = data_of(t, op->inputs[0].tensor), dy = gradient_of(t, op->y);
    struct tape_matrix16 m = matrix(t, op);
    if (dw)
        tape__matrix16_gradient(t, &m, d->transposed ? dy : x, d->transposed ? x : dy, dw);
    if (op->inputs[0].tensor->has_grad)
        (d->transposed ? tape__matrix16_transposed_times : tape__matrix16_times)(
            t, &m, dy, gradient_of(t, op->inputs[0].tensor), &f);
}

static void forward(struct nn_tape *t, struct tape_op *op)
{
    const struct dense *d = op->own;
    if (d->rounds) {
        forward_rounded(t, op);
        return;
    }
    const struct tape_tensor *x = op->inputs[0].tensor;
    struct product p = {
        .tape = t,
        .m = t->count,
        .n = d->out,
        .k = d->in,
        .a = x->data,
        .a_row = x->at.image,
        .a_col = 1,
        .b = tape__weights(t, op, 1),
        .b_row = d->transposed ? 1 : (size_t)d->out,
        .b_col = d->transposed ? (size_t)d->in : 1,
        .bias = d->has_bias ? tape__weights(t, op, 2) : NULL,
        .c = op->y->data,
        .c_row = op->y->at.image,
        .lo = op->lo,
        .hi = op->hi,
    };
    multiply(&p);
}

static void unclip_image(struct nn_tape *t, struct tape_op *op, int image)
{
    float *d = tape__grad_image(op->y, image);
    t->k->clip_back(tape__image(op->y, image), d, d, (size_t)op->y->width, op->lo, op->hi);
}

static void input_gradient(struct nn_tape *t, struct tape_op *op)
{
    const struct dense *d = op->own;
    const struct tape_tensor *x = op->inputs[0].tensor, *y = op->y;
    struct product p = {
        .tape = t,
        .m = t->count,
        .n = d->in,
        .k = d->out,
        .a = y->grad,
        .a_row = y->grad_at.image,
        .a_col = 1,
        .b = tape__weights(t, op, 1),
        .b_row = d->transposed ? (size_t)d->in : 1,
        .b_col = d->transposed ? 1 : (size_t)d->out,
        .c = x->grad,
        .c_row = x->grad_at.image,
        .accumulate = op->inputs[0].add,
        .lo = -INFINITY,
        .hi = INFINITY,
    };
    multiply(&p);
}

/* Straight into the gradient vector: dy^T x, or x^T dy when the weights are in x out. */
static void weight_gradient(struct nn_tape *t, struct tape_op *op, float *dw)
{
    const struct dense *d = op->own;
    const struct tape_tensor *x = op->inputs[0].tensor, *y = op->y;
    struct product p = {
        .tape = t,
        .m = d->transposed ? d->out : d->in,
        .n = d->transposed ? d->in : d->out,
        .k = t->count,
        .a = d->transposed ? y->grad : x->data,
        .a_row = 1,
        .a_col = d->transposed ? y->grad_at.image : x->at.image,
        .b = d->transposed ? x->data : y->grad,
        .b_row = d->transposed ? x->at.image : y->grad_at.image,
        .b_col = 1,
        .c = dw,
        .c_row = (size_t)(d->transposed ? d->in : d->out),
        .lo = -INFINITY,
        .hi = INFINITY,
    };
    multiply(&p);
}

static void backward(struct nn_tape *t, struct tape_op *op)
{
    const struct dense *d = op->own;
    float *dw = tape__gradients(t, op, 1), *db = tape__gradients(t, op, 2);
    if (op->lo > -INFINITY || op->hi < INFINITY)
        tape__each_image(t, op, unclip_image);
    for (int i = 0; db && i < t->count; i++)
        t->k->axpby(1, tape__grad_image(op->y, i), 1, db, (size_t)d->out);
    if (d->rounds) {
        backward_rounded(t, op, dw);
        return;
    }
    if (dw)
        weight_gradient(t, op, dw);
    if (op->inputs[0].tensor->has_grad)
        input_gradient(t, op);
}

const struct tape_kind tape__dense = {setup, NULL, NULL, forward, backward, NULL};
