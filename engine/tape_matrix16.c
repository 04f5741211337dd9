/* The products of a dense layer in bfloat16, by the kernels of convolutions.
 *
 * DESIGN. The matrix M of rows x cols lies row by row, as the graph has it; only contiguous pieces
 * of it are read. Summed over its columns, M is an image of one pixel a row, and the batch makes
 * the weights; summed over its rows, M makes the weights and the batch the pixels. Its gradient is
 * that of a 1 x 1 convolution whose pixels are the batch. */
#include "tape_matrix16.h"

#include <string.h>

enum { ROWS_A_PIECE = 64 };

struct call {
    const struct tape_matrix16 *m;
    const struct nn_kernels *k;
    struct tape_rows in, out; /* gradient: u and v */
    const float *bias;
    float *gradient, lo, hi;
    bool add;
    uint16_t *matrix, *batch;
    float *sums;
};

static int pieces(int n, int size)
{
    return (n + size - 1) / size;
}

size_t tape__matrix16_matrix(const struct tape_matrix16 *m)
{
    return (size_t)nn_blocks(m->rows) * 16 * (size_t)m->cols / 2;
}

/* Both operands of the gradient, or one and the sums over columns, or the sums of the gradient. */
size_t tape__matrix16_batch(const struct tape_matrix16 *m, int batch)
{
    size_t lanes = (size_t)nn_blocks(m->rows) * 16 + (size_t)m->cols;
    return lanes * (size_t)(nn_blocks(batch) * 16);
}

size_t tape__matrix16_sums(const struct tape_matrix16 *m)
{
    return (size_t)nn_blocks(m->rows) * 256;
}

static struct call call_of(const struct nn_tape *t, const struct tape_matrix16 *m,
                           struct tape_rows in, struct tape_rows out)
{
    return (struct call){.m = m,
                         .k = t->k,
                         .in = in,
                         .out = out,
                         .matrix = (uint16_t *)(void *)t->gemm_b,
                         .batch = (uint16_t *)(void *)t->gemm_a};
}

/* Summed over columns */

static void round_rows(void *arg, int begin, int end, int thread)
{
    const struct call *c = arg;
    size_t cols = (size_t)c->m->cols, from = (size_t)begin * cols;
    (void)thread;
    c->k->f32_to_bf16(c->m->at + from, c->matrix + from, (size_t)(end - begin) * cols);
}

/* Columns of 16 images as weights: [image block][column block][8][16 images][2]. */
static void pack_images(void *arg, int begin, int end, int thread)
{
    const struct call *c = arg;
    int blocks = c->m->cols / 16;
    (void)thread;
    for (int b = begin; b < end; b++)
        for (int i = 0; i < nn_blocks(c->in.count) * 16; i++) {
            uint16_t row[16] = {0};
            uint16_t *to =
                c->batch + ((size_t)(i / 16) * (size_t)blocks + (size_t)b) * 256 + i % 16 * 2;
            if (i < c->in.count)
                c->k->f32_to_bf16(c->in.at + (size_t)i * c->in.step + (size_t)b * 16, row, 16);
            for (int k = 0; k < 8; k++)
                memcpy(to + k * 32, row + k * 2, 2 * sizeof *row);
        }
}

/* Sums of rows [begin, end) for all images -> their places in the batch. */
static void multiply_rows(void *arg, int begin, int end, int thread)
{
    const struct call *c = arg;
    const struct tape_matrix16 *m = c->m;
    size_t plane = (size_t)m->rows * 16;
    struct nn_dot16 d = {.x = c->matrix, .w = c->batch, .y = c->sums, .x_plane = 16,
                         .x_row = (size_t)m->cols, .y_plane = plane, .y_row = 16, .y_col = 16,
                         .ic = m->cols, .ow = 1, .kh = 1, .kw = 1, .stride_h = 1, .stride_w = 1,
                         .dilation_h = 1, .dilation_w = 1, .lo = -INFINITY, .hi = INFINITY};
    (void)thread;
    int r0 = begin * ROWS_A_PIECE;
    int r1 = end * ROWS_A_PIECE < m->rows ? end * ROWS_A_PIECE : m->rows;
    c->k->bconv16(&d, 0, nn_blocks(c->in.count), r0, r1);
    for (int i = 0; i < c->in.count; i++) {
        const float *from = c->sums + (size_t)(i / 16) * plane + i % 16;
        float *to = c->out.at + (size_t)i * c->out.step;
        for (int r = r0; r < r1; r++) {
            float v = from[(size_t)r * 16] + (c->bias ? c->bias[r] : 0) + (c->add ? to[r] : 0);
            to[r] = v < c->lo ? c->lo : v > c->hi ? c->hi : v;
        }
    }
}

void tape__matrix16_times(struct nn_tape *t, const struct tape_matrix16 *m, struct tape_rows in,
                          struct tape_rows out, const struct tape_finish *f)
{
    struct call c = call_of(t, m, in, out);
    c.bias = f->bias;
    c.add = f->add;
    c.lo = f->lo;
    c.hi = f->hi;
    c.sums = t->gemm_a + (size_t)(nn_blocks(in.count) * 16) * (size_t)m->cols / 2;
    pool_for(t->pool, m->rows, ROWS_A_PIECE, round_rows, &c);
    pool_for(t->pool, m->cols / 16, 16, pack_images, &c);
    pool_for(t->pool, pieces(m->rows, ROWS_A_PIECE), 1, multiply_rows, &c);
}

/* Summed over rows */

/* Rows of the matrix in pairs: [column block][row pair][16 columns][2]. */
static void pair_rows(void *arg, int begin, int end, int thread)
{
    const struct call *c = arg;
    const struct tape_matrix16 *m = c->m;
    (void)thread;
    for (int b = begin; b < end; b++) {
        struct nn_pairs16 p = {.src = m->at + (size_t)b * 16,
                               .dst = c->matrix + (size_t)b * (size_t)nn_blocks(m->rows) * 256,
                               .rows = 1,
                               .cols = m->rows,
                               .step = m->cols / 16};
        c->k->pairs16(&p, 0, 1);
    }
}

/* Images as pixels: [row block][image][16], zeros past the last row. */
static void round_images(void *arg, int begin, int end, int thread)
{
    const struct call *c = arg;
    (void)thread;
    for (int b = begin; b < end; b++)
        for (int i = 0; i < c->in.count; i++) {
            int left = c->m->rows - b * 16;
            uint16_t *to = c->batch + ((size_t)b * (size_t)c->in.count + (size_t)i) * 16;
            memset(to, 0, 16 * sizeof *to);
            c->k->f32_to_bf16(c->in.at + (size_t)i * c->in.step + (size_t)b * 16, to,
                              left < 16 ? (size_t)left : 16);
        }
}

static void multiply_cols(void *arg, int begin, int end, int thread)
{
    const struct call *c = arg;
    struct nn_dot16 d = {.x = c->batch, .w = c->matrix, .bias = c->bias, .y = c->out.at,
                         .x_plane = (size_t)c->in.count * 16, .y_plane = 16,
                         .y_col = c->out.step, .ic = c->m->rows, .ow = c->in.count, .kh = 1,
                         .kw = 1, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1,
                         .accumulate = c->add, .lo = c->lo, .hi = c->hi};
    (void)thread;
    c->k->bconv16(&d, begin, end, 0, 1);
}

void tape__matrix16_transposed_times(struct nn_tape *t, const struct tape_matrix16 *m,
                                     struct tape_rows in, struct tape_rows out,
                                     const struct tape_finish *f)
{
    struct call c = call_of(t, m, in, out);
    c.bias = f->bias;
    c.add = f->add;
    c.lo = f->lo;
    c.hi = f->hi;
    pool_for(t->pool, m->cols / 16, 8, pair_rows, &c);
    pool_for(t->pool, nn_blocks(m->rows), 8, round_images, &c);
    pool_for(t->pool, m->cols / 16, 8, multiply_cols, &c);
}

/* Gradient */

/* Images in pairs, [block][image pair][16][2]; lanes past the last are of the row's padding. */
static void pair_images(const struct call *c, struct tape_rows r, int b0, int b1, uint16_t *to)
{
    size_t plane = (size_t)((r.count + 1) / 2) * 32;
    for (int b = b0; b < b1; b++) {
        struct nn_pairs16 p = {.src = r.at + (size_t)b * 16,
                               .dst = to + (size_t)b * plane,
                               .rows = 1,
                               .cols = r.count,
                               .step = (int)(r.step / 16)};
        c->k->pairs16(&p, 0, 1);
    }
}

static void pair_u(void *arg, int begin, int end, int thread)
{
    const struct call *c = arg;
    (void)thread;
    pair_images(c, c->in, begin, end, c->batch);
}

/* Blocks of columns: the sums of one after the other in the thread's own memory. */
static void gradient_cols(void *arg, int begin, int end, int thread)
{
    const struct call *c = arg;
    const struct tape_matrix16 *m = c->m;
    int pairs = (c->in.count + 1) / 2, blocks = nn_blocks(m->rows);
    size_t plane = (size_t)pairs * 32, size = tape__matrix16_sums(m);
    float *sums = c->sums + (size_t)thread * size;
    uint16_t *v = c->batch + (size_t)blocks * plane;
    struct nn_bconv16_dw d = {.x = c->batch, .dw = sums, .x_plane = plane, .images = 1,
                              .ic = m->rows, .oh = 1, .pairs = pairs, .kh = 1, .kw = 1,
                              .stride_h = 1, .dilation_h = 1};
    for (int b = begin; b < end; b++) {
        pair_images(c, c->out, b, b + 1, v);
        memset(sums, 0, size * sizeof *sums);
        d.dy = v + (size_t)b * plane;
        c->k->bconv16_dw(&d, 0, 1, 0, blocks);
        for (int r = 0; r < m->rows; r++)
            memcpy(c->gradient + (size_t)r * (size_t)m->cols + (size_t)b * 16,
                   sums + (size_t)r * 16, 16 * sizeof *sums);
    }
}

void tape__matrix16_gradient(struct nn_tape *t, const struct tape_matrix16 *m, struct tape_rows u,
                             struct tape_rows v, float *gradient)
{
    struct call c = call_of(t, m, u, v);
    c.gradient = gradient;
    c.sums = t->gemm_b; /* of every thread */
    pool_for(t->pool, nn_blocks(m->rows), 8, pair_u, &c);
    pool_for(t->pool, m->cols / 16, 2, gradient_cols, &c);
}
