/* NEON overrides: 32 registers of 4 floats. */
#ifndef __aarch64__
#error "NEON kernels are written for AArch64"
#endif

#include <arm_neon.h>
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"

#include "kernels/vector128.inc"

#define DEPTHWISE3_ROWS 1

/* 16 sums, 4 gradient vectors. */
#define DW_BLOCKS 1
#define DW_LANES 4

/* 24 sums. */
#define GEMM_BLOCKS 1
#define GEMM_ROWS 6
#define GEMM_STEP 2
#define GEMM_TILES                                                                                 \
    GEMM_TILE(1, 2) GEMM_TILE(1, 4) GEMM_TILE(1, 6)                                                \
    static gemm_tile_fn *const gemm_tiles[1][4] = {{NULL, gemm_1_2, gemm_1_4, gemm_1_6}};
#define GEMV_BLOCKS 1

/* Products in 16 bits do not fit, so both sides are widened and pairs added in 32 bits. */
static inline vi dot_u8(vi sum, int32_t group, vi w)
{
    int16x4_t x = vget_low_s16(vreinterpretq_s16_u16(vmovl_u8(vcreate_u8((uint32_t)group))));
    int16x8_t low = vmovl_s8(vget_low_s8((int8x16_t)w)), high = vmovl_high_s8((int8x16_t)w);
    int32x4_t a = vpaddq_s32(vmull_s16(vget_low_s16(low), x), vmull_s16(vget_high_s16(low), x));
    int32x4_t b = vpaddq_s32(vmull_s16(vget_low_s16(high), x), vmull_s16(vget_high_s16(high), x));
    return sum + (vi)vpaddq_s32(a, b);
}
#define DOT_U8(sum, group, w) sum = dot_u8(sum, group, w)
#define DOT_BF16 DOT_BF16_BY_FMA
#define DOT_SHAPES(T, S) T(1, 1, 1, S) T(1, 1, 2, S) T(1, 1, 3, S) T(1, 1, 4, S)
#define DOT_ANY_SHAPES(T) DOT_SHAPES(T, 0)

#include "kernels/overlay.inc"

void nn_kernels_init_neon(struct nn_kernels *k)
{
    k->isa = "neon";
    overlay(k);
}
