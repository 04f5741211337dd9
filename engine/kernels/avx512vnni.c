/* AVX-512 VNNI: dot products of four bytes. */
#if !defined(__AVX512VNNI__)
#error "compile this file with the flags of cmake/Kernels.cmake"
#endif

#include <immintrin.h>
#include <math.h>

#include "kernels/kernels.h"

#include "kernels/vector512.inc"
#include "kernels/tiles.inc"

#define DOT_U8(sum, group, w)                                                                      \
    sum = (vi)_mm512_dpbusd_epi32((__m512i)(sum), _mm512_set1_epi32(group), (__m512i)(w))
#define DOT_SHAPES(T, S) CONV_TILES(T, S)
#define DOT_ANY_SHAPES(T) CONV_ANY_TILES(T)
#include "kernels/dot16.inc"

void nn_kernels_init_avx512vnni(struct nn_kernels *k)
{
    k->isa = "avx512vnni";
    k->qconv16 = qconv16;
}
