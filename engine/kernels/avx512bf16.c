/* AVX-512 BF16: dot products of two bfloat16. */
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

void nn_kernels_init_avx512bf16(struct nn_kernels *k)
{
    k->isa = "avx512bf16";
    k->bconv16 = bconv16;
}
