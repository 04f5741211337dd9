/* AVX2 + FMA overrides: 16 registers of 8 floats. */
#if !defined(__AVX2__) || !defined(__FMA__)
#error "compile this file with the flags of cmake/Kernels.cmake"
#endif

#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"

#include "kernels/vector256.inc"

#define DEPTHWISE3_ROWS 1

/* 8 sums, 2 gradient vectors. */
#define DW_BLOCKS 1
#define DW_LANES 4

/* 12 sums. */
#define GEMM_BLOCKS 1
#define GEMM_ROWS 6
#define GEMM_STEP 2
#define GEMM_TILES                                                                                 \
    GEMM_TILE(1, 2) GEMM_TILE(1, 4) GEMM_TILE(1, 6)                                                \
    static gemm_tile_fn *const gemm_tiles[1][4] = {{NULL, gemm_1_2, gemm_1_4, gemm_1_6}};
#define GEMV_BLOCKS 2

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

#include "kernels/overlay.inc"

void nn_kernels_init_avx2(struct nn_kernels *k)
{
    k->isa = "avx2";
    overlay(k);
}
