/* Cutting a step's work into pieces for the threads. Kernels give the same bits however they are
 * cut, so the number of threads may decide. */
#include "exec.h"

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

static int ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

int nn__cuts(const struct nn__compiler *c, int64_t macs)
{
    enum { LEAST = 60000, FEW = 1000000, SOME = 8000000 }; /* half a microsecond, 8 and 60 */
    if (c->threads <= 1 || macs < LEAST)
        return 1;
    return c->threads * (macs / c->threads < FEW ? 1 : macs / c->threads < SOME ? 2 : 4);
}

int nn__piece(const struct nn__compiler *c, int all, int cuts, int unit)
{
    if (cuts <= 1 || all <= 1)
        return all > 0 ? all : 1;
    int most = ceil_div(all, c->threads), size = ceil_div(all, cuts);
    for (int up = ceil_div(size, unit) * unit; up <= most; up += unit)
        if (ceil_div(all, up) % c->threads == 0)
            return up;
    return min_int(size, most);
}

bool nn__even(const struct nn__compiler *c, int rows)
{
    int threads = c->threads > 1 ? c->threads : 1;
    return ceil_div(rows, threads) * threads * 10 <= rows * 11;
}

int nn__flat_rows(int pixels, int cuts)
{
    enum { MOST = 64 }; /* shorter rows cost more than uneven shares */
    for (int rows = cuts > 1 ? cuts : 1; rows <= MOST && rows <= pixels; rows++)
        if (pixels % rows == 0)
            return rows;
    return 0;
}

struct nn__cut nn__cut(const struct nn__compiler *c, int images, int blocks, int rows, int64_t macs,
                       bool by_block)
{
    enum { PAIR = 2 }; /* blocks that share what a kernel loads */
    int cuts = images > 0 ? ceil_div(nn__cuts(c, macs), images) : 1;
    struct nn__cut p = {.blocks = blocks, .rows = rows};
    p.blocks_a_piece = nn__piece(c, blocks, by_block ? cuts : 1, PAIR);
    p.block_pieces = ceil_div(blocks, p.blocks_a_piece);
    cuts = p.block_pieces > 0 ? ceil_div(cuts, p.block_pieces) : 1;
    p.rows_a_piece = nn__piece(c, rows, cuts, 1);
    p.row_pieces = ceil_div(rows, p.rows_a_piece);
    return p;
}

struct nn__part nn__part(const struct nn__cut *c, int piece)
{
    int row = piece % c->row_pieces * c->rows_a_piece;
    int block = piece / c->row_pieces % c->block_pieces * c->blocks_a_piece;
    return (struct nn__part){.image = piece / nn__pieces(c),
                             .b0 = block,
                             .b1 = min_int(block + c->blocks_a_piece, c->blocks),
                             .r0 = row,
                             .r1 = min_int(row + c->rows_a_piece, c->rows)};
}
