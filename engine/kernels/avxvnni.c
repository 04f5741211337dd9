/* AVX-VNNI: dot products of four bytes in 256 bits. */
#if !defined(__AVXVNNI__)
#error "compile this file with the flags of cmake/Kernels.cmake"
#endif

#include <immintrin.h>
#include <math.h>

#include "kernels/kernels.h"

#include "kernels/vector256.inc"
#include "kernels/tiles.inc"

#define DOT_U8(sum, group, w)                                                                      \
    sum = (vi)_mm256_dpbusd_avx_epi32((__m256i)(sum), _mm256_set1_epi32(group), (__m256i)(w))
#define DOT_SHAPES(T, S) CONV_TILES(T, S)
#define DOT_ANY_SHAPES(T) CONV_ANY_TILES(T)
#include "kernels/dot16.inc"

void nn_kernels_init_avxvnni(struct nn_kernels *k)
{
    k->isa = "avxvnni";
    k->qconv16 = qconv16;
}
