/* AVX-512 F/BW/DQ/VL overrides: 32 registers of 16 floats. */
#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) || !defined(__AVX512VL__)
#error "compile this file with the flags of cmake/Kernels.cmake"
#endif

#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"

#include "kernels/vector512.inc"

#define DEPTHWISE3_ROWS 2

/* 16 sums, 2 gradient vectors. */
#define DW_BLOCKS 2
#define DW_LANES 8

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

#include "kernels/overlay.inc"

void nn_kernels_init_avx512(struct nn_kernels *k)
{
    k->isa = "avx512";
    overlay(k);
}
