/* AVX-512 BF16: dot products of two bfloat16, and rounding to them (denormals become zero). */
#if !defined(__AVX512BF16__)
#error "compile this file with the flags of cmake/Kernels.cmake"
#endif

#include <immintrin.h>
#include <math.h>

#include "kernels/kernels.h"

#include "kernels/vector512.inc"
#include "kernels/tiles.inc"

#define DOT_BF16(sum, group, w)                                                                    \
    sum = (vf)_mm512_dpbf16_ps((__m512)(sum), (__m512bh)_mm512_set1_epi32(group), (__m512bh)(w))
#define DOT_SHAPES(T, S) CONV_TILES(T, S)
#define DOT_ANY_SHAPES(T) CONV_ANY_TILES(T)
#include "kernels/dot16.inc"

#undef STORE_BF16
#define STORE_BF16(p, v)                                                                           \
    _mm256_storeu_si256((__m256i *)(p), (__m256i)_mm512_cvtneps_pbh((__m512)(v)))
#define STORE_PAIRS(p, a, b) _mm512_storeu_si512((p), pairs_of((__m512)(a), (__m512)(b)))

static inline __m512i pairs_of(__m512 a, __m512 b)
{
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9,
                                           24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1,
                                           16, 0);
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(b, a));
}

#include "kernels/bdw16.inc"
#include "kernels/winograd_tile.inc"
#include "kernels/bwinograd.inc"

/* See burst.inc. */
static double bf16_burst(size_t n)
{
    enum { SUMS = 24 };
    volatile int32_t start = 0x3f003f00; /* two halves */
    const vi by = start - (vi){0};
    vf sum[SUMS];
    UNROLL for (int i = 0; i < SUMS; i++)
        sum[i] = ZERO;
    for (size_t k = 0; k < n; k++)
        UNROLL for (int i = 0; i < SUMS; i++) {
            sum[i] = (vf)_mm512_dpbf16_ps((__m512)sum[i], (__m512bh)by, (__m512bh)by);
            __asm__("" : IN_REGISTER(sum[i]));
        }
    UNROLL for (int i = 1; i < SUMS; i++)
        sum[0] += sum[i];
    start = (int32_t)sum[0][0];
    return (double)n * SUMS * VW * 4;
}

static void f32_to_bf16(const float *x, uint16_t *y, size_t n)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        STORE_BF16(y + i, LOAD(x + i));
    for (; i < n; i++)
        y[i] = nn_bf16_of(x[i]);
}

void nn_kernels_init_avx512bf16(struct nn_kernels *k)
{
    k->isa = "avx512bf16";
    k->bconv16 = bconv16;
    k->bf16_burst = bf16_burst;
    k->f32_to_bf16 = f32_to_bf16;
    k->bconv16_dw = bconv16_dw;
    k->pairs16 = pairs16;
    k->bwinograd_weights = bwinograd_weights;
    k->bwinograd_in = bwinograd_in;
    k->bwinograd_mul = bwinograd_mul;
    k->bwinograd_in_pairs = bwinograd_in_pairs;
    k->bwinograd_dy_pairs = bwinograd_dy_pairs;
    k->bwinograd_dw = bwinograd_dw;
}
