/* AVX2 + FMA overrides: 16 registers of 8 floats. */
#if !defined(__AVX2__) || !defined(__FMA__)
#error "compile this file with the flags of cmake/Kernels.cmake"
#endif

#include <immintrin.h>
#include <math.h>

#include "kernels/kernels.h"

typedef float vf __attribute__((vector_size(32)));
typedef float vf_loose __attribute__((vector_size(32), aligned(4), may_alias));
#define VW 8     /* floats of a vector */
#define PARTS 2  /* vectors of a C16 pixel */
#define LOAD(p) ((vf)(*(const vf_loose *)(p)))
#define STORE(p, v) (*(vf_loose *)(p) = (v))
#define ZERO ((vf){0})
#define SPLAT(x) ((vf)_mm256_set1_ps(x))
#define MAX(a, b) ((vf)_mm256_max_ps((__m256)(a), (__m256)(b))) /* b when either is NaN */
#define MIN(a, b) ((vf)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define CLIP(v, lo, hi) MIN(SPLAT(hi), MAX(SPLAT(lo), v))
#define UNROLL _Pragma("GCC unroll 32")

#include "kernels/burst.inc"

/* 12 sums, 2 weight vectors. */
#define CONV_BLOCKS 1
#define CONV_ROW_TILES(T, S)                                                                       \
    T(1, 1, 1, S) T(1, 1, 2, S) T(1, 1, 3, S) T(1, 1, 4, S) T(1, 1, 5, S) T(1, 1, 6, S)
#define CONV_TILES(T, S)                                                                           \
    CONV_ROW_TILES(T, S)                                                                           \
    T(1, 2, 1, S) T(1, 2, 2, S) T(1, 2, 3, S) T(1, 3, 1, S) T(1, 3, 2, S) T(1, 4, 1, S)
#define CONV_ANY_TILES(T) CONV_ROW_TILES(T, 0)
#include "kernels/conv16.inc"
#include "kernels/depthwise16.inc"

/* 8 sums, 2 gradient vectors. */
#define DW_BLOCKS 1
#define DW_LANES 4
#include "kernels/dw16.inc"

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
}
