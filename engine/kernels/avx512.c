/* AVX-512 F/BW/DQ/VL overrides: 32 registers of 16 floats. */
#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) || !defined(__AVX512VL__)
#error "compile this file with the flags of cmake/Kernels.cmake"
#endif

#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"

typedef float vf __attribute__((vector_size(64)));
typedef int32_t vi __attribute__((vector_size(64)));
typedef float vf_loose __attribute__((vector_size(64), aligned(4), may_alias));
#define VW 16    /* floats of a vector */
#define PARTS 1  /* vectors of a C16 pixel */
#define MAX(a, b) ((vf)_mm512_max_ps((__m512)(a), (__m512)(b))) /* b when either is NaN */
#define MIN(a, b) ((vf)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define LESS(a, b, x, y)                                                                            \
    ((vf)_mm512_mask_blend_ps(_mm512_cmp_ps_mask((__m512)(a), (__m512)(b), _CMP_LT_OQ),             \
                              (__m512)(y), (__m512)(x)))
#define SQRT(a) ((vf)_mm512_sqrt_ps((__m512)(a)))
#include "kernels/vector.inc"
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
}
