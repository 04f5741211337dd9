/* AVX2 + FMA overrides: 16 registers of 8 floats. */
#if !defined(__AVX2__) || !defined(__FMA__)
#error "compile this file with the flags of cmake/Kernels.cmake"
#endif

#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"

#include "kernels/vector256.inc"
#include "kernels/burst.inc"
#include "kernels/tiles.inc"
#include "kernels/conv16.inc"
#define DEPTHWISE3_ROWS 1
#include "kernels/depthwise16.inc"

/* 8 sums, 2 gradient vectors. */
#define DW_BLOCKS 1
#define DW_LANES 4
#include "kernels/dw16.inc"
#include "kernels/winograd.inc"

/* 12 sums. */
#define GEMM_BLOCKS 1
#define GEMM_ROWS 6
#define GEMM_STEP 2
#define GEMM_TILES                                                                                 \
    GEMM_TILE(1, 2) GEMM_TILE(1, 4) GEMM_TILE(1, 6)                                                \
    static gemm_tile_fn *const gemm_tiles[1][4] = {{NULL, gemm_1_2, gemm_1_4, gemm_1_6}};
#define GEMV_BLOCKS 2
#include "kernels/gemm.inc"

#include "kernels/pool16.inc"
#include "kernels/elementwise.inc"
#include "kernels/norm16.inc"
#include "kernels/func.inc"

/* Exact without VNNI: even and odd bytes as 16 bits, so that no sum of two products saturates. */
static inline vi dot_u8(vi sum, int32_t group, vi w)
{
    const __m256i x = _mm256_set1_epi32(group);
    __m256i even = _mm256_madd_epi16(_mm256_and_si256(x, _mm256_set1_epi16(0xff)),
                                     _mm256_srai_epi16(_mm256_slli_epi16((__m256i)w, 8), 8));
    __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(x, 8), _mm256_srai_epi16((__m256i)w, 8));
    return sum + (vi)even + (vi)odd;
}
#define DOT_U8(sum, group, w) sum = dot_u8(sum, group, w)
#define DOT_BF16 DOT_BF16_BY_FMA
#define DOT_SHAPES(T, S) T(1, 1, 1, S) T(1, 1, 2, S) T(1, 1, 3, S) T(1, 1, 4, S)
#define DOT_ANY_SHAPES(T) DOT_SHAPES(T, 0)
#include "kernels/dot16.inc"
#include "kernels/quant.inc"

void nn_kernels_init_avx2(struct nn_kernels *k)
{
    k->isa = "avx2";
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
