/* AVX-512 F/BW/DQ/VL overrides: 32 registers of 16 floats. */
#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) || !defined(__AVX512VL__)
#error "compile this file with the flags of cmake/Kernels.cmake"
#endif

#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"

#include "kernels/vector512.inc"
#include "kernels/burst.inc"
#include "kernels/tiles.inc"
#include "kernels/conv16.inc"
#define DEPTHWISE3_ROWS 2
#include "kernels/depthwise16.inc"

/* 16 sums, 2 gradient vectors. */
#define DW_BLOCKS 2
#define DW_LANES 8
#include "kernels/dw16.inc"
#include "kernels/winograd.inc"

/* 24 sums. */
#define GEMM_BLOCKS 2
#define GEMM_ROWS 12
#define GEMM_STEP 4
#define GEMM_TILES                                                                                 \
    GEMM_TILE(1, 4) GEMM_TILE(1, 8) GEMM_TILE(1, 12) GEMM_TILE(2, 4) GEMM_TILE(2, 8)               \
    GEMM_TILE(2, 12)                                                                               \
    static gemm_tile_fn *const gemm_tiles[2][4] = {{NULL, gemm_1_4, gemm_1_8, gemm_1_12},          \
                                                   {NULL, gemm_2_4, gemm_2_8, gemm_2_12}};
#define GEMV_BLOCKS 4
#include "kernels/gemm.inc"

#include "kernels/pool16.inc"
#include "kernels/elementwise.inc"
#include "kernels/norm16.inc"
#include "kernels/func.inc"

/* Exact without VNNI: even and odd bytes as 16 bits, so that no sum of two products saturates. */
static inline vi dot_u8(vi sum, int32_t group, vi w)
{
    const __m512i x = _mm512_set1_epi32(group);
    __m512i even = _mm512_madd_epi16(_mm512_and_si512(x, _mm512_set1_epi16(0xff)),
                                     _mm512_srai_epi16(_mm512_slli_epi16((__m512i)w, 8), 8));
    __m512i odd = _mm512_madd_epi16(_mm512_srli_epi16(x, 8), _mm512_srai_epi16((__m512i)w, 8));
    return sum + (vi)even + (vi)odd;
}
#define DOT_U8(sum, group, w) sum = dot_u8(sum, group, w)
#define DOT_BF16 DOT_BF16_BY_FMA
#define DOT_SHAPES(T, S) CONV_6(T, 1, S) CONV_6(T, 2, S)
#define DOT_ANY_SHAPES(T) CONV_6(T, 1, 0)
#include "kernels/dot16.inc"
#include "kernels/quant.inc"

void nn_kernels_init_avx512(struct nn_kernels *k)
{
    k->isa = "avx512";
    k->conv16 = conv16;
    k->conv16_planar = conv16_planar;
    k->depthwise16 = depthwise16;
    k->conv16_dw = conv16_dw;
    k->conv16_planar_dw = conv16_planar_dw;
    k->depthwise16_dw = depthwise16_dw;
    k->fma_burst = fma_burst;
    k->gemm_pack_a = gemm_pack_a;
    k->gemm_pack_b = gemm_pack_b;
    k->gemm = gemm;
    k->gemv = gemv;
    k->maxpool16 = maxpool16;
    k->maxpool16_back = maxpool16_back;
    k->avgpool16 = avgpool16;
    k->avgpool16_back = avgpool16_back;
    k->affine16 = affine16;
    k->clip_back = clip_back;
    k->mul = mul;
    k->axpby = axpby;
    k->u8_to_f32 = u8_to_f32;
    k->dot = dot;
    k->max = max;
    k->sums16 = sums16;
    k->norm_sums16 = norm_sums16;
    k->norm_back16 = norm_back16;
    k->step_sgd = step_sgd;
    k->step_rmsprop = step_rmsprop;
    k->step_adam = step_adam;
    k->func = func;
    k->func_back = func_back;
    k->exp_sum = exp_sum;
    k->winograd_weights = winograd_weights;
    k->winograd_in = winograd_in;
    k->winograd_mul = winograd_mul;
    k->winograd_out = winograd_out;
    k->winograd_dy = winograd_dy;
    k->winograd_dw = winograd_dw;
    k->winograd_weights_back = winograd_weights_back;
    k->qconv16 = qconv16;
    k->bconv16 = bconv16;
    k->qdepthwise16 = qdepthwise16;
    k->qmaxpool16 = qmaxpool16;
    k->f32_to_u8 = f32_to_u8;
    k->f32_to_bf16 = f32_to_bf16;
    k->bf16_to_f32 = bf16_to_f32;
}
