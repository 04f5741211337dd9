/* AVX-512 F/BW/DQ/VL overrides: 32 registers of 16 floats. qconv16 and bconv16 stay those of AVX2
 * until VNNI and BF16 bring instructions for them. */
#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) ||                   \
    !defined(__AVX512VL__)
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

#include "kernels/overlay.inc"

void nn_kernels_init_avx512(struct nn_kernels *k)
{
    k->isa = "avx512";
    overlay(k);
}
