/* AVX-512 F/BW/DQ/VL overrides: 32 registers of 16 floats. */
#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) || !defined(__AVX512VL__)
#error "compile this file with the flags of cmake/Kernels.cmake"
#endif

#include <immintrin.h>
#include <math.h>

#include "kernels/kernels.h"

typedef float vf __attribute__((vector_size(64)));
typedef float vf_loose __attribute__((vector_size(64), aligned(4), may_alias));
#define VW 16    /* floats of a vector */
#define PARTS 1  /* vectors of a C16 pixel */
#define LOAD(p) ((vf)(*(const vf_loose *)(p)))
#define STORE(p, v) (*(vf_loose *)(p) = (v))
#define ZERO ((vf){0})
#define SPLAT(x) ((vf)_mm512_set1_ps(x))
#define MAX(a, b) ((vf)_mm512_max_ps((__m512)(a), (__m512)(b))) /* b when either is NaN */
#define MIN(a, b) ((vf)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define CLIP(v, lo, hi) MIN(SPLAT(hi), MAX(SPLAT(lo), v))
#define UNROLL _Pragma("GCC unroll 32")

#include "kernels/burst.inc"

/* 28 sums and 2 to 4 weight vectors. */
#define CONV_BLOCKS 4
#define CONV_14(T, NB, S)                                                                          \
    T(NB, 1, 1, S) T(NB, 1, 2, S) T(NB, 1, 3, S) T(NB, 1, 4, S) T(NB, 1, 5, S) T(NB, 1, 6, S)      \
    T(NB, 1, 7, S) T(NB, 1, 8, S) T(NB, 1, 9, S) T(NB, 1, 10, S) T(NB, 1, 11, S) T(NB, 1, 12, S)   \
    T(NB, 1, 13, S) T(NB, 1, 14, S)
#define CONV_9(T, NB, S)                                                                           \
    T(NB, 1, 1, S) T(NB, 1, 2, S) T(NB, 1, 3, S) T(NB, 1, 4, S) T(NB, 1, 5, S) T(NB, 1, 6, S)      \
    T(NB, 1, 7, S) T(NB, 1, 8, S) T(NB, 1, 9, S)
#define CONV_6(T, NB, S)                                                                           \
    T(NB, 1, 1, S) T(NB, 1, 2, S) T(NB, 1, 3, S) T(NB, 1, 4, S) T(NB, 1, 5, S) T(NB, 1, 6, S)
#define CONV_FLAT_14(T, NB, S)                                                                     \
    T(NB, 2, 1, S) T(NB, 2, 2, S) T(NB, 2, 3, S) T(NB, 2, 4, S) T(NB, 2, 5, S) T(NB, 2, 6, S)      \
    T(NB, 2, 7, S) T(NB, 3, 1, S) T(NB, 3, 2, S) T(NB, 3, 3, S) T(NB, 3, 4, S) T(NB, 4, 1, S)      \
    T(NB, 4, 2, S) T(NB, 4, 3, S)
#define CONV_FLAT_9(T, NB, S)                                                                      \
    T(NB, 2, 1, S) T(NB, 2, 2, S) T(NB, 2, 3, S) T(NB, 2, 4, S) T(NB, 3, 1, S) T(NB, 3, 2, S)      \
    T(NB, 3, 3, S) T(NB, 4, 1, S) T(NB, 4, 2, S)
#define CONV_FLAT_6(T, NB, S)                                                                      \
    T(NB, 2, 1, S) T(NB, 2, 2, S) T(NB, 2, 3, S) T(NB, 3, 1, S) T(NB, 3, 2, S) T(NB, 4, 1, S)
#define CONV_TILES(T, S)                                                                           \
    CONV_14(T, 1, S) CONV_14(T, 2, S) CONV_9(T, 3, S) CONV_6(T, 4, S)                              \
    CONV_FLAT_14(T, 1, S) CONV_FLAT_14(T, 2, S) CONV_FLAT_9(T, 3, S) CONV_FLAT_6(T, 4, S)
#define CONV_ROW_TILES(T, S) CONV_14(T, 1, S) CONV_14(T, 2, S)
#define CONV_ANY_TILES(T) CONV_6(T, 1, 0) CONV_6(T, 2, 0)
#include "kernels/conv16.inc"
#include "kernels/depthwise16.inc"

/* 16 sums, 2 gradient vectors. */
#define DW_BLOCKS 2
#define DW_LANES 8
#include "kernels/dw16.inc"

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
}
