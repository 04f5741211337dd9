/* Gemm and MatMul. A constant right side is packed once; with one row on the left the product is a
 * matrix times a vector. In bfloat16 the rows on the left are the pixels of a 1 x 1 convolution. */
#include "exec.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"

struct matmul {
    int m, n, k;
    size_t a_row, a_col, b_row, b_col; /* element steps */
    int64_t batches;                   /* products */
    int64_t *a_at, *b_at;              /* first element of each product's operands */
    const float *packed;               /* constant B; NULL: packed on the way */
    const uint16_t *rounded;           /* constant B in bfloat16, as bconv16 wants it, or NULL */
    const float *bias;                 /* [n] (rounded: whole blocks), plan memory, or NULL */
    float lo, hi;
    float alpha;                       /* of a B that is not constant */
    int c_place;                       /* index in the step of a C that is no bias; -1: none */
    float beta;
    size_t c_row, c_col;
    int panels_a_piece;
};

struct matmul_call {
    const struct matmul *m;
    const struct nn__env *e;
    const float *a, *b;
    float *c;
};

static int panels(int n, int width)
{
    return (n + width - 1) / width;
}

static size_t a_floats(const struct matmul *m)
{
    return (size_t)panels(m->m, NN_GEMM_MR) * NN_GEMM_MR * (size_t)m->k;
}

static size_t b_floats(const struct matmul *m)
{
    return (size_t)panels(m->n, NN_GEMM_NR) * NN_GEMM_NR * (size_t)m->k;
}

static void pack_a(const struct matmul *m, const struct nn_kernels *k, const float *a, float *out)
{
    struct nn_gemm_pack p = {.src = a, .dst = out, .row_step = m->a_row, .col_step = m->a_col,
                             .rows = m->m, .cols = m->k};
    k->gemm_pack_a(&p, 0, panels(m->m, NN_GEMM_MR));
}

static void pack_b(const struct matmul *m, const struct nn_kernels *k, const float *b, float *out)
{
    struct nn_gemm_pack p = {.src = b, .dst = out, .row_step = m->b_row, .col_step = m->b_col,
                             .rows = m->k, .cols = m->n};
    k->gemm_pack_b(&p, 0, panels(m->n, NN_GEMM_NR));
}

static void gemv_panels(void *arg, int begin, int end, int thread)
{
    const struct matmul_call *c = arg;
    const struct matmul *m = c->m;
    struct nn_gemv v = {.x = c->a, .b = m->packed, .bias = m->bias, .y = c->c, .n = m->n,
                        .k = m->k, .lo = m->lo, .hi = m->hi};
    (void)thread;
    c->e->k->gemv(&v, begin, end);
}

/* One product: A is packed in `a`, B in `b`. */
static struct nn_gemm product(const struct matmul *m, const float *a, const float *b, float *c)
{
    return (struct nn_gemm){.a = a, .b = b, .bias = m->bias, .c = c, .c_row = (size_t)m->n,
                            .m = m->m, .n = m->n, .k = m->k, .lo = m->lo, .hi = m->hi};
}

/* Constant B, many rows: every thread takes panels of columns; A was packed once before. */
static void gemm_panels(void *arg, int begin, int end, int thread)
{
    const struct matmul_call *c = arg;
    struct nn_gemm g = product(c->m, c->a, c->m->packed, c->c);
    (void)thread;
    c->e->k->gemm(&g, 0, panels(c->m->m, NN_GEMM_MR), begin, end);
}

/* B changes: every thread packs and multiplies whole products in its scratch memory. */
static void whole_products(void *arg, int begin, int end, int thread)
{
    const struct matmul_call *c = arg;
    const struct matmul *m = c->m;
    float *a = nn__scratch(c->e, thread), *b = a + a_floats(m);
    for (int i = begin; i < end; i++) {
        float *out = c->c + (size_t)i * (size_t)m->m * (size_t)m->n;
        pack_a(m, c->e->k, c->a + m->a_at[i], a);
        pack_b(m, c->e->k, c->b + m->b_at[i], b);
        for (size_t k = 0; m->alpha != 1 && k < b_floats(m); k++)
            b[k] *= m->alpha;
        struct nn_gemm g = product(m, a, b, out);
        c->e->k->gemm(&g, 0, panels(m->m, NN_GEMM_MR), 0, panels(m->n, NN_GEMM_NR));
    }
}

/* Bfloat16: [k blocks][m][16] of A, then [n blocks][m][16] floats of C, in scratch. */

static size_t rounded_a(const struct matmul *m)
{
    return (size_t)nn_blocks(m->k) * 16 * (size_t)m->m;
}

static void round_a(const struct matmul *m, const struct nn_kernels *k, const float *a,
                    uint16_t *out)
{
    for (int b = 0; b < nn_blocks(m->k); b++)
        for (int i = 0; i < m->m; i++, out += 16) {
            size_t count = m->k - b * 16 < 16 ? (size_t)(m->k - b * 16) : 16;
            memset(out, 0, 16 * sizeof *out);
            k->f32_to_bf16(a + (size_t)i * m->a_row + (size_t)b * 16, out, count);
        }
}

static void rounded_blocks(void *arg, int begin, int end, int thread)
{
    const struct matmul_call *c = arg;
    const struct matmul *m = c->m;
    float *y = nn__scratch(c->e, 0) + (rounded_a(m) + 1) / 2;
    struct nn_dot16 d = {.x = c->a, .w = m->rounded, .bias = m->bias, .y = y,
                         .x_plane = (size_t)m->m * 16, .y_plane = (size_t)m->m * 16, .y_col = 16,
                         .ic = m->k, .ow = m->m, .kh = 1, .kw = 1, .stride_h = 1, .stride_w = 1,
                         .dilation_h = 1, .dilation_w = 1, .lo = m->lo, .hi = m->hi};
    (void)thread;
    c->e->k->bconv16(&d, begin, end, 0, 1);
    for (int b = begin; b < end; b++)
        for (int i = 0; i < m->m; i++)
            memcpy(c->c + (size_t)i * (size_t)m->n + (size_t)b * 16,
                   y + (size_t)b * d.y_plane + (size_t)i * 16,
                   sizeof *y * (m->n - b * 16 < 16 ? (size_t)(m->n - b * 16) : 16));
}

static void add_c(const struct matmul *m, const float *c, float *y)
{
    for (int i = 0; i < m->m; i++)
        for (int j = 0; j < m->n; j++)
            y[(size_t)i * (size_t)m->n + (size_t)j] +=
                m->beta * c[(size_t)i * m->c_row + (size_t)j * m->c_col];
}

static void run_matmul(const struct nn__step *s, const struct nn__env *e)
{
    const struct matmul *m = s->context;
    struct matmul_call c = {m, e, e->at[s->in[0]], NULL, e->at[s->out[0]]};
    if (m->rounded) {
        uint16_t *a = (uint16_t *)(void *)nn__scratch(e, 0);
        round_a(m, e->k, c.a, a);
        c.a = (const float *)(const void *)a;
        pool_for(e->pool, nn_blocks(m->n), m->panels_a_piece, rounded_blocks, &c);
    } else if (!m->packed) {
        c.b = e->at[s->in[1]];
        pool_for(e->pool, (int)m->batches, 1, whole_products, &c);
    } else if (m->m == 1 && m->a_col == 1) {
        pool_for(e->pool, panels(m->n, NN_GEMM_NR), m->panels_a_piece, gemv_panels, &c);
    } else {
        float *a = nn__scratch(e, 0);
        pack_a(m, e->k, c.a, a);
        c.a = a;
        pool_for(e->pool, panels(m->n, NN_GEMM_NR), m->panels_a_piece, gemm_panels, &c);
    }
    if (m->c_place >= 0)
        add_c(m, e->at[s->in[m->c_place]], c.c);
}

static int pack_constant_b(struct nn__compiler *c, const struct nn__job *j, struct matmul *m,
                           float alpha, struct nn__step *s, struct err *err)
{
    const float *b = nn__floats_of(c, j->node, 1);
    float *packed = nn__plan_floats(c->plan, (int64_t)b_floats(m), err);
    if (!packed)
        return err_prefix(err, "node %s", j->node->name);
    pack_b(m, c->plan->k, b, packed);
    const float *scale = j->epilogue->scale;
    for (size_t i = 0; (scale || alpha != 1) && i < b_floats(m); i++) {
        size_t column = i / ((size_t)m->k * NN_GEMM_NR) * NN_GEMM_NR + i % NN_GEMM_NR;
        packed[i] *= alpha * (scale && column < (size_t)m->n ? scale[column] : 1);
    }
    m->packed = packed;
    s->info.weight_bytes = b_floats(m) * sizeof *packed;
    return 0;
}

static int pack_rounded_b(struct nn__compiler *c, const struct nn__job *j, struct matmul *m,
                          float alpha, struct nn__step *s, struct err *err)
{
    const float *b = nn__floats_of(c, j->node, 1), *scale = j->epilogue->scale;
    size_t size = nn_dot16_size(m->n, m->k, 1, 1);
    float *packed = nn__plan_floats(c->plan, (int64_t)size / 2, err);
    float *blocks = packed ? mem_try_aligned(size, sizeof *blocks) : NULL;
    if (!blocks)
        return err_set(err, ERR_NO_MEMORY, "no memory for the weights of %s", j->node->name);
    memset(blocks, 0, size * sizeof *blocks);
    for (int i = 0; i < m->k; i++)
        for (int o = 0; o < m->n; o++) {
            size_t pair = (size_t)(o / 16) * (size_t)nn_blocks(m->k) + (size_t)(i / 16);
            blocks[pair * 256 + (size_t)(i % 16 * 16 + o % 16)] =
                b[(size_t)i * m->b_row + (size_t)o * m->b_col] * alpha * (scale ? scale[o] : 1);
        }
    nn_bconv16_pack(blocks, m->n, m->k, 1, 1, (uint16_t *)(void *)packed);
    mem_free_aligned(blocks);
    m->rounded = (const uint16_t *)(const void *)packed;
    if (m->bias) {
        float *bias = nn__context(c, sizeof *bias * (size_t)nn_blocks(m->n) * 16);
        memcpy(bias, m->bias, sizeof *bias * (size_t)m->n);
        m->bias = bias;
    }
    nn__want_scratch(c, (rounded_a(m) + 1) / 2 + (size_t)nn_blocks(m->n) * 16 * (size_t)m->m);
    s->info.weight_bytes = size * sizeof(uint16_t);
    s->info.kernel = "bconv16";
    return 0;
}

/* Few outputs, or few inputs, are not worth the rounding. */
static bool rounds(const struct nn__compiler *c, const struct matmul *m)
{
    return c->plan->precision == NN_BF16 && m->a_col == 1 && m->n >= 16 && m->k >= 16;
}

/* C of Gemm: a constant row becomes the bias, anything else is added afterwards. */
static void choose_bias(struct nn__compiler *c, const struct nn__job *j, struct matmul *m)
{
    const struct nn_node *n = j->node;
    m->c_place = -1;
    if (j->epilogue->shift) {
        m->bias = j->epilogue->shift;
        return;
    }
    if (!nn__has(n, 2))
        return;
    float beta = nn__attr_float(n, "beta", 1);
    const struct nn_shape *shape = nn__shape_of(c, n->inputs[2]);
    const float *from = nn__floats_of(c, n, 2);
    int64_t count = nn__shape_elements(shape, 1), stride[NN_MAX_RANK];
    if (from && (count == 1 || (count == m->n && shape->dims[shape->rank - 1] == m->n))) {
        float *bias = nn__context(c, sizeof *bias * (size_t)m->n);
        for (int i = 0; i < m->n; i++)
            bias[i] = beta * from[count == 1 ? 0 : i];
        m->bias = bias;
        return;
    }
    nn__strides(shape, stride);
    m->c_place = 2;
    m->beta = beta;
    int last = shape->rank - 1;
    m->c_col = last >= 0 && shape->dims[last] > 1 ? 1 : 0;
    m->c_row = last >= 1 && shape->dims[last - 1] > 1 ? (size_t)stride[last - 1] : 0;
}

/* Operands of each product: leading axes broadcast. */
static void set_batches(struct nn__compiler *c, struct matmul *m, const struct nn_shape *a,
                        const struct nn_shape *b, const struct nn_shape *y)
{
    int64_t a_stride[NN_MAX_RANK], b_stride[NN_MAX_RANK];
    nn__strides(a, a_stride);
    nn__strides(b, b_stride);
    m->batches = 1;
    for (int i = 0; i < y->rank - 2; i++)
        m->batches *= y->dims[i];
    m->a_at = nn__context(c, sizeof *m->a_at * (size_t)m->batches);
    m->b_at = nn__context(c, sizeof *m->b_at * (size_t)m->batches);
    for (int64_t p = 0; p < m->batches; p++) {
        int64_t rest = p;
        for (int i = y->rank - 3; i >= 0; i--) {
            int64_t index = rest % y->dims[i];
            int ia = i - (y->rank - a->rank), ib = i - (y->rank - b->rank);
            rest /= y->dims[i];
            m->a_at[p] += ia >= 0 && a->dims[ia] > 1 ? index * a_stride[ia] : 0;
            m->b_at[p] += ib >= 0 && b->dims[ib] > 1 ? index * b_stride[ib] : 0;
        }
    }
}

/* Of the matrices, with the row and column that vectors are left as. */
static struct nn_shape result_shape(const struct nn__compiler *c, const struct nn_node *n)
{
    struct nn_shape y = *nn__shape_of(c, n->outputs[0]);
    if (nn__shape_of(c, n->inputs[1])->rank == 1)
        y.dims[y.rank++] = 1;
    if (nn__shape_of(c, n->inputs[0])->rank == 1) {
        y.dims[y.rank] = y.dims[y.rank - 1];
        y.dims[y.rank++ - 1] = 1;
    }
    return y;
}

static int set_sizes(struct nn__compiler *c, const struct nn_node *n, struct matmul *m,
                     struct err *err)
{
    struct nn_shape a = nn__as_matrix(nn__shape_of(c, n->inputs[0]), true);
    struct nn_shape b = nn__as_matrix(nn__shape_of(c, n->inputs[1]), false);
    struct nn_shape y = result_shape(c, n);
    bool ta = n->op == NN_OP_GEMM && nn__attr_int(n, "transA", 0);
    bool tb = n->op == NN_OP_GEMM && nn__attr_int(n, "transB", 0);
    int64_t rows = y.dims[y.rank - 2], cols = y.dims[y.rank - 1];
    int64_t inner = ta ? a.dims[0] : a.dims[a.rank - 1];
    bool constant = nn__floats_of(c, n, 1) && b.rank == 2;
    if (constant) /* all rows of a batch at once */
        rows = cols > 0 ? nn__shape_elements(&y, 1) / cols : 0;
    if (rows < 1 || cols < 1 || inner < 1)
        return nn__node_error(n, err, ERR_UNSUPPORTED, "an empty matrix is not supported");
    m->m = (int)rows;
    m->n = (int)cols;
    m->k = (int)inner;
    m->a_row = ta ? 1 : (size_t)inner;
    m->a_col = ta ? (size_t)rows : 1;
    m->b_row = tb ? 1 : (size_t)cols;
    m->b_col = tb ? (size_t)inner : 1;
    if (!constant)
        set_batches(c, m, &a, &b, &y);
    return 0;
}

int nn__prepare_matmul(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                       struct err *err)
{
    const struct nn_node *n = j->node;
    struct matmul *m = nn__context(c, sizeof *m);
    int code = set_sizes(c, n, m, err);
    if (code < 0)
        return code;
    float alpha = n->op == NN_OP_GEMM ? nn__attr_float(n, "alpha", 1) : 1;
    m->alpha = alpha;
    m->lo = j->epilogue->lo;
    m->hi = j->epilogue->hi;
    choose_bias(c, j, m);
    if (m->c_place >= 0 && (isfinite(m->lo) || isfinite(m->hi)))
        return nn__node_error(n, err, ERR_UNSUPPORTED, "a clip after a full C is not fused");
    if (m->a_at) {
        nn__want_scratch(c, a_floats(m) + b_floats(m));
        s->info.kernel = "gemm";
    } else if (rounds(c, m)) {
        code = pack_rounded_b(c, j, m, alpha, s, err);
        m->panels_a_piece = 1 + (int)(400000 / ((int64_t)m->m * m->k * 16));
    } else {
        code = pack_constant_b(c, j, m, alpha, s, err);
        bool vector = m->m == 1 && m->a_col == 1;
        if (!vector)
            nn__want_scratch(c, a_floats(m));
        s->info.kernel = vector ? "gemv packed" : "gemm packed";
        enum { SIDE_BY_SIDE = 4 }; /* panels that the kernels take at once */
        int64_t macs = (int64_t)m->m * m->k * m->n;
        m->panels_a_piece = nn__piece(c, panels(m->n, NN_GEMM_NR), nn__cuts(c, macs), SIDE_BY_SIDE);
    }
    s->context = m;
    s->run = run_matmul;
    return code;
}
