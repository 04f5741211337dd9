/* The arithmetic of the engine: one table of function pointers ("slots") for this processor.
 *
 * DESIGN. scalar.c fills every slot with plain C loops: that is the specification. Each further
 * file (avx2.c, avx512.c, neon.c) overrides the slots it does better; cpu.c chooses. The list
 * NN_KERNELS below is the only list of slots: it makes the struct, the checker and the benchmark.
 * No slot allocates, starts a thread or fails; a call does the part of the work that its range
 * arguments name, so a caller splits work over threads as it likes and gets the same bits. Every
 * count may be 0. Pointers need the alignment of their type only; 64 bytes is faster.
 *
 * LAYOUT. "C16": an image of c channels is [blocks][height][width][16] floats, blocks =
 * ceil(c / 16), channel = 16 * block + lane; lanes past the last channel are zero. A "plane" is the
 * distance in floats from one block to the next, a "row" from one row to the next; pixels of a row
 * are 16 floats apart. Because strides are explicit, a kernel can write into the inside of a
 * padded buffer and read from it. Convolutions know no edges: their input carries its padding.
 *
 * WEIGHTS. Dense convolution [oc block][ic block][kh][kw][16 ic][16 oc], planar convolution
 * [oc block][ic][kh][kw][16 oc], depthwise [block][kh][kw][16]; pack.c converts.
 *
 * CLIP. Many slots end with clip(v) = v < lo ? lo : v > hi ? hi : v, which keeps NaN: ReLU is
 * (0, INFINITY), ReLU6 (0, 6), nothing (-INFINITY, INFINITY). */
#ifndef KERNELS_KERNELS_H
#define KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Convolution of one image: conv16, conv16_planar and depthwise16.
 * y = clip(sum over taps of w * x + bias + add + (accumulate ? y : 0)). */
struct nn_conv16 {
    const float *x;          /* padded input: row 0, column 0 is read by tap 0 of output (0, 0) */
    const float *w;          /* packed weights, from oc block 0 */
    const float *bias;       /* [16 * oc blocks], zero in unused lanes, or NULL */
    const float *add;        /* residual of the shape of y, or NULL */
    float *y;
    size_t x_plane, x_row;   /* floats; conv16_planar: a plane a channel, pixels 1 float apart */
    size_t y_plane, y_row;
    size_t y_col;            /* floats from one output pixel to the next: >= 16 (see phases) */
    size_t add_plane, add_row;
    int ic;                  /* input channels (not blocks); depthwise16 ignores it */
    int ow;                  /* output columns */
    int kh, kw;
    int stride_h, stride_w;
    int dilation_h, dilation_w;
    bool accumulate;
    float lo, hi;
};

/* Convolution of one image in 8-bit integers (qconv16) or bfloat16 (bconv16), summed in 32 bits,
 * and depthwise convolution of 8-bit activations with float weights (qdepthwise16):
 *   v = clip(scale * sum + bias + add (or add_u8 * add_scale + add_shift)), stored as float, as
 *   u8 = round(v * y_scale + y_shift) within 0 .. 255, or as bfloat16: whichever of y is not NULL.
 * Strides count elements. x and y are C16 of their element type. Quantised activations stand for
 * (u8 - zero) * x_scale: the caller pads with `zero`, and folds x_scale into `scale` and
 * -zero * x_scale * (sum of the weights) into `bias`. */
struct nn_dot16 {
    const void *x;           /* u8, or bfloat16 as uint16_t */
    const void *w;           /* [oc block][ic block][kh][kw][16 / g][16 oc][g ic]: int8_t, g = 4, or
                              * bfloat16, g = 2; qdepthwise16: float [block][kh][kw][16] */
    const float *scale;      /* [16 * oc blocks], or NULL for 1 */
    const float *bias;       /* [16 * oc blocks], or NULL */
    const float *add;        /* residual, or NULL */
    const uint8_t *add_u8;   /* the same, quantised */
    float add_scale, add_shift;
    float *y;
    uint8_t *y_u8;
    uint16_t *y_bf16;
    float y_scale, y_shift;
    size_t x_plane, x_row, y_plane, y_row, y_col, add_plane, add_row;
    int ic, ow;              /* as in nn_conv16 */
    int kh, kw;
    int stride_h, stride_w;
    int dilation_h, dilation_w;
    bool accumulate;         /* only where y is floats, as in nn_conv16 */
    float lo, hi;
};

/* Weight gradient, summed over `images`: dw += sum of x * dy, in the layout of the weights. */
struct nn_conv16_dw {
    const float *x, *dy;
    float *dw;                         /* from oc block 0, ic block (planar: channel) 0 */
    size_t x_image, x_plane, x_row;    /* x is padded as for the forward pass */
    size_t dy_image, dy_plane, dy_row;
    int images;
    int ic;                            /* input channels; depthwise16_dw ignores it */
    int oh, ow;
    int kh, kw;
    int stride_h, stride_w;
    int dilation_h, dilation_w;
};

/* The same for dense convolutions in bfloat16, summed in floats. x and dy hold pairs of pixels that
 * follow each other along a row of the output, [row][pair][16 lanes][2], as pairs16 makes them; x
 * once for every kernel column. */
struct nn_bconv16_dw {
    const uint16_t *x, *dy;
    float *dw;
    size_t x_image, x_plane, x_row, x_tap; /* x_tap: from one kernel column to the next */
    size_t dy_image, dy_plane, dy_row;
    int images;
    int ic;
    int oh, pairs; /* rows, and pairs in a row */
    int kh, kw;
    int stride_h, dilation_h;
};
/* Pixels 0, step, 2 step, ... of each row of C16 planes -> pairs; a last one alone pairs with 0. */
struct nn_pairs16 {
    const float *src;
    uint16_t *dst;
    size_t src_plane, src_row, dst_plane, dst_row;
    int rows, cols, step; /* cols: pixels that are taken */
};

/* Winograd's minimal filtering for 3 x 3, stride 1 (Lavin and Gray, "Fast algorithms for
 * convolutional neural networks", 2016): an output tile of m x m costs (m + 2)^2 products instead
 * of 9 m^2. Work goes on `tiles` tiles at a time, numbered from `first` row by row and image by
 * image:
 *   winograd_in    v = B' x B         over ic blocks
 *   winograd_mul   s = u v summed over input channels, for each of the (m + 2)^2 positions
 *   winograd_out   y = clip(A' s A + bias + add), over oc blocks
 * Errors against direct convolution, relative to the largest output: about 1e-6 (m = 2), 1e-5 (4),
 * 1e-4 (6). The weight gradient takes the same way back (clear u before the first chunk, add to the
 * gradient after the last; the more tiles in a chunk the better, 100 are good):
 *   winograd_in    v                                          winograd_dy   s = A y A', y holds dy
 *   winograd_dw    u += s v summed over the tiles             winograd_weights_back  w += G' u G
 * The input gradient is a forward pass with the flipped weights.
 *
 * In bfloat16 the operands of the products are rounded, the sums and all else stay floats: the
 * slots bwinograd_* read and write bu, bv and bs in the place of u, v and s. Errors are then about
 * 0.4 % (m = 2) and 1.2 % (4) of the outputs' deviation; m = 6 is not for it. The weight gradient
 * takes its operands in pairs of tiles, [block][pair][16][2], an odd last tile with zero. */
struct nn_winograd {
    int m;                   /* 2, 4 or 6 */
    int ic, oc, oh, ow;
    int first, tiles;        /* of images * nn_winograd_tiles(m, oh, ow) in all */
    const float *x;          /* padded (oh + 2) x (ow + 2); what lies past it counts as zero */
    float *u;                /* [(m + 2)^2][oc blocks][ic blocks][16 ic][16 oc]; dw writes it */
    float *v, *s;            /* scratch: nn_winograd_scratch(m, ic or oc, tiles) floats */
    uint16_t *bu;            /* [(m + 2)^2][oc blocks][ic blocks][16 / 2][16 oc][2 ic] */
    uint16_t *bv, *bs;       /* scratch of as many elements; in pairs: of an even count of tiles */
    const float *bias, *add; /* NULL: none */
    float *y;                /* only out writes it */
    size_t x_image, x_plane, x_row, y_image, y_plane, y_row, add_image, add_plane, add_row;
    float lo, hi;
};
struct nn_winograd_weights {
    int m, oc_blocks, ic_blocks;
    float *w;                /* packed dense 3 x 3 weights; only weights_back writes them */
    float *u;
    uint16_t *bu;
};

/* Packed dense weights -> those of the input gradient: in and out swapped, taps reversed,
 * [ic block][oc block][taps_h][taps_w][16 oc][16 ic]. Only the taps first + i * step are taken:
 * the input gradient of a strided convolution is one small convolution for each phase. */
struct nn_flip16 {
    const float *w;
    float *out;
    int oc_blocks, ic_blocks, kh, kw;
    int first_h, first_w, step_h, step_w; /* 0, 0, 1, 1 takes all */
};

/* C16 <-> C16 with a border, and NCHW <-> C16. */
struct nn_pad16 {
    const float *src;
    float *dst;
    size_t src_plane, src_row, dst_plane, dst_row;
    int h, w;                     /* without the border */
    int top, left, bottom, right; /* border; a crop skips it in src */
    float fill;
    bool accumulate;              /* crop16: dst += */
};
struct nn_nchw {
    float *c16, *nchw;
    size_t c16_plane, c16_row; /* NCHW is dense: [channels][h][w] */
    int channels, h, w;
};

/* C[m][n] = clip(A[m][k] B[k][n] + bias[n] + (accumulate ? C : 0)), row major, from packed A and B.
 * A is packed in panels of NN_GEMM_MR rows [panel][k][MR], B of 16 columns [panel][k][16]; both are
 * padded with zeros to whole panels. */
enum { NN_GEMM_MR = 12, NN_GEMM_NR = 16 };
struct nn_gemm {
    const float *a, *b;
    const float *bias; /* [n] or NULL */
    float *c;
    size_t c_row;
    int m, n, k;
    bool accumulate;
    float lo, hi;
};
/* dst <- panels of the matrix whose element (i, j) is src[i * row_step + j * col_step]:
 * gemm_pack_a takes m x k, gemm_pack_b takes k x n. Transposing is swapping the steps. */
struct nn_gemm_pack {
    const float *src;
    float *dst;
    size_t row_step, col_step;
    int rows, cols;
};
/* y[n] = clip(x[k] B + bias): a dense layer at batch 1, from the same packed B. */
struct nn_gemv {
    const float *x, *b, *bias;
    float *y;
    int n, k;
    float lo, hi;
};

/* Pooling; windows are clipped to the image, so x is not padded. */
struct nn_pool16 {
    const float *x;          /* backward: dy, of the shape of y */
    float *y;                /* backward: dx, of the shape of x, added to */
    uint8_t *arg;            /* max: window position (row * kw + column) that won, laid out as
                              * [blocks][oh][ow][16]; written when not NULL, read by backward */
    size_t x_plane, x_row, y_plane, y_row; /* of the fields x and y, whichever way they go */
    int h, w, oh, ow;        /* image and pooled size */
    int kh, kw, stride_h, stride_w, top, left;
    bool count_pad;          /* average: divide by kh * kw, not by the pixels inside */
};

/* Max pooling of 8-bit C16 images; the fields x, y and arg of `shape` are not used. */
struct nn_qpool16 {
    struct nn_pool16 shape;
    const uint8_t *x;
    uint8_t *y;
};

/* y = clip(a * a_scale + b * b_scale + shift + (accumulate ? y : 0)) over one C16 block: batch norm
 * forward (b NULL), its input gradient (a = dy, b = x), residual additions. */
struct nn_affine16 {
    const float *a, *b;      /* [pixels][16]; b may be NULL */
    float *y;
    const float *a_scale, *b_scale, *shift; /* [16] each; NULL: ones, ones, zeros */
    size_t pixels;
    bool accumulate;
    float lo, hi;
};

/* Backward batch norm over one C16 block, y = clip(x * scale + shift) being its output: with
 * d = lo < y < hi ? dy : 0, norm_sums16 adds sum d and sum d x to double[16] each, norm_back16
 * writes dx = d * of_dy + x * of_x + of_1 + (accumulate ? dx : 0). */
struct nn_norm16 {
    const float *x, *dy;
    float *dx;
    size_t x_row, dy_row, dx_row;
    int rows, cols;
    const float *scale, *shift, *of_dy, *of_x, *of_1; /* [16] each */
    bool accumulate;
    float lo, hi;
};

enum nn_func {
    NN_FUNC_LEAKY,      /* x < 0 ? alpha x : x */
    NN_FUNC_SIGMOID,    /* 1 / (1 + exp(-x)) */
    NN_FUNC_TANH,
    NN_FUNC_HARDSIGMOID, /* clip(alpha x + beta, 0, 1) */
    NN_FUNC_HARDSWISH,  /* x clip(x / 6 + 1/2, 0, 1) */
    NN_FUNC_ELU,        /* x < 0 ? alpha (exp(x) - 1) : x */
    NN_FUNC_SWISH,      /* x / (1 + exp(-x)) */
    NN_FUNC_GELU,       /* x (1 + erf(x / sqrt 2)) / 2 */
    NN_FUNC_EXP,
    NN_FUNC_ERF,
    NN_FUNC_COUNT
};
struct nn_func_args {
    enum nn_func func;
    float alpha, beta;
    const float *x;
    const float *dy; /* backward only */
    float *y;        /* backward: dx = dy * func'(x); may be x or dy */
    size_t n;
};

/* One optimiser step over n parameters. Weight decay is decoupled (AdamW) except for sgd. */
struct nn_step {
    float *w;           /* parameters */
    const float *g;     /* gradients */
    float *m, *v;       /* first and second moment; sgd uses m (may be NULL), rmsprop v */
    size_t n;
    float lr;
    float momentum;     /* sgd: m = momentum m + g; adam: beta1 */
    float rho;          /* rmsprop: decay of v; adam: beta2 */
    float eps;          /* added to the root */
    float decay;        /* weight decay */
    float g_scale;      /* multiplies g first (1 / batch, clipping) */
    float m_fix, v_fix; /* adam: 1 / (1 - beta1^t), 1 / (1 - beta2^t) */
    bool nesterov;      /* sgd */
};

/* X(result, name, (arguments), tolerance): every slot, once. For inputs in [-1, 1] an overlay may
 * differ from scalar by the tolerance for each term of a sum; 0: must be the same bits. */
#define NN_KERNELS(X)                                                                              \
    /* Convolution: output blocks [b0, b1), output rows [r0, r1). */                               \
    X(void, conv16, (const struct nn_conv16 *c, int b0, int b1, int r0, int r1), 2e-7)             \
    X(void, conv16_planar, (const struct nn_conv16 *c, int b0, int b1, int r0, int r1), 2e-7)      \
    X(void, depthwise16, (const struct nn_conv16 *c, int b0, int b1, int r0, int r1), 2e-7)        \
    /* The same in 8 bits and bfloat16; u8 results may differ by 1. */                             \
    X(void, qconv16, (const struct nn_dot16 *c, int b0, int b1, int r0, int r1), 2e-7)             \
    X(void, bconv16, (const struct nn_dot16 *c, int b0, int b1, int r0, int r1), 1e-6)             \
    X(void, qdepthwise16, (const struct nn_dot16 *c, int b0, int b1, int r0, int r1), 2e-7)        \
    X(void, qmaxpool16, (const struct nn_qpool16 *p, int b0, int b1), 0)                           \
    /* Gradients: oc blocks [o0, o1), ic blocks (planar: channels) [i0, i1). */                    \
    X(void, conv16_dw, (const struct nn_conv16_dw *c, int o0, int o1, int i0, int i1), 2e-7)       \
    X(void, conv16_planar_dw, (const struct nn_conv16_dw *c, int o0, int o1, int i0, int i1), 2e-7)\
    X(void, depthwise16_dw, (const struct nn_conv16_dw *c, int b0, int b1), 2e-7)                  \
    X(void, bconv16_dw, (const struct nn_bconv16_dw *c, int o0, int o1, int i0, int i1), 1e-6)     \
    X(void, pairs16, (const struct nn_pairs16 *p, int b0, int b1), 1e-6)                           \
    X(void, flip16, (const struct nn_flip16 *f, int i0, int i1), 0)                                \
    /* Winograd: positions [p0, p1) of (m + 2)^2; the oc blocks of winograd_weights. */            \
    X(void, winograd_weights, (const struct nn_winograd_weights *w, int b0, int b1), 4e-7)         \
    X(void, winograd_weights_back, (const struct nn_winograd_weights *w, int b0, int b1), 2e-6)    \
    X(void, winograd_in, (const struct nn_winograd *w, int b0, int b1), 2e-6)                      \
    X(void, winograd_mul, (const struct nn_winograd *w, int p0, int p1, int b0, int b1), 2e-7)     \
    X(void, winograd_out, (const struct nn_winograd *w, int b0, int b1), 1e-4)                     \
    X(void, winograd_dy, (const struct nn_winograd *w, int b0, int b1), 1e-4)                      \
    X(void, winograd_dw, (const struct nn_winograd *w, int p0, int p1), 2e-7)                      \
    /* The same in bfloat16. */                                                                    \
    X(void, bwinograd_weights, (const struct nn_winograd_weights *w, int b0, int b1), 4e-7)        \
    X(void, bwinograd_in, (const struct nn_winograd *w, int b0, int b1), 2e-6)                     \
    X(void, bwinograd_mul, (const struct nn_winograd *w, int p0, int p1, int b0, int b1), 1e-6)    \
    X(void, bwinograd_in_pairs, (const struct nn_winograd *w, int b0, int b1), 2e-6)               \
    X(void, bwinograd_dy_pairs, (const struct nn_winograd *w, int b0, int b1), 1e-4)               \
    X(void, bwinograd_dw, (const struct nn_winograd *w, int p0, int p1), 1e-6)                     \
    /* Layout: blocks [b0, b1). */                                                                 \
    X(void, pad16, (const struct nn_pad16 *p, int b0, int b1), 0)                                  \
    X(void, crop16, (const struct nn_pad16 *p, int b0, int b1), 0)                                 \
    X(void, c16_from_nchw, (const struct nn_nchw *p, int b0, int b1), 0)                           \
    X(void, c16_to_nchw, (const struct nn_nchw *p, int b0, int b1), 0)                             \
    /* Matrices: panels of A [p0, p1), of B [q0, q1). */                                           \
    X(void, gemm_pack_a, (const struct nn_gemm_pack *p, int p0, int p1), 0)                        \
    X(void, gemm_pack_b, (const struct nn_gemm_pack *p, int q0, int q1), 0)                        \
    X(void, gemm, (const struct nn_gemm *g, int p0, int p1, int q0, int q1), 2e-7)                 \
    X(void, gemv, (const struct nn_gemv *g, int q0, int q1), 2e-7)                                 \
    /* Pools: blocks [b0, b1). */                                                                  \
    X(void, maxpool16, (const struct nn_pool16 *p, int b0, int b1), 0)                             \
    X(void, maxpool16_back, (const struct nn_pool16 *p, int b0, int b1), 2e-6)                     \
    X(void, avgpool16, (const struct nn_pool16 *p, int b0, int b1), 2e-6)                          \
    X(void, avgpool16_back, (const struct nn_pool16 *p, int b0, int b1), 2e-6)                     \
    /* Elementwise. */                                                                             \
    X(void, affine16, (const struct nn_affine16 *a), 1e-6)                                         \
    X(void, norm_sums16, (const struct nn_norm16 *n, double *sd, double *sdx), 4e-6)               \
    X(void, norm_back16, (const struct nn_norm16 *n), 1e-6)                                        \
    X(void, func, (const struct nn_func_args *a), 2e-6)                                            \
    X(void, func_back, (const struct nn_func_args *a), 4e-6)                                       \
    /* dx = lo < y < hi ? dy : 0, from the clipped output y; dx may be dy. */                      \
    X(void, clip_back, (const float *y, const float *dy, float *dx, size_t n, float lo,            \
                       float hi), 0)                                                               \
    X(void, mul, (const float *a, const float *b, float *y, size_t n), 0)                          \
    X(void, axpby, (float a, const float *x, float b, float *y, size_t n), 1e-6)                   \
    /* (axpby with b = 0 does not read y.) */                                                      \
    X(void, u8_to_f32, (const uint8_t *x, float scale, float shift, float *y, size_t n), 1e-6)     \
    X(void, f32_to_u8, (const float *x, float scale, float shift, uint8_t *y, size_t n), 1)        \
    X(void, f32_to_bf16, (const float *x, uint16_t *y, size_t n), 0) /* to nearest even */         \
    X(void, bf16_to_f32, (const uint16_t *x, float *y, size_t n), 0)                               \
    /* Reductions. */                                                                              \
    X(double, dot, (const float *x, const float *y, size_t n), 2e-6)                               \
    X(float, max, (const float *x, size_t n), 0) /* -INFINITY for n = 0; NaN is skipped */         \
    X(double, exp_sum, (const float *x, float shift, float *y, size_t n), 4e-6)                    \
    /* (exp_sum: y = exp(x - shift).) */                                                           \
    /* Over one C16 block [pixels][16], added to double[16]: sum x, sum x y. */                    \
    X(void, sums16, (const float *x, const float *y, size_t pixels, double *sx, double *sxy),      \
      4e-6)                                                                                        \
    /* Optimisers. */                                                                              \
    X(void, step_sgd, (const struct nn_step *s), 1e-6)                                             \
    X(void, step_rmsprop, (const struct nn_step *s), 4e-6)                                         \
    X(void, step_adam, (const struct nn_step *s), 4e-6)                                            \
    /* n rounds of independent multiply-adds in registers: the processor's peak. Returns the       \
     * number of floating-point operations. */                                                     \
    X(double, fma_burst, (size_t n), 0)                                                            \
    X(double, bf16_burst, (size_t n), 0) /* the same with products of bfloat16 */

struct nn_kernels {
    const char *isa; /* the last overlay that was applied: "scalar", "avx2", ... */
#define NN_SLOT(result, name, args, tolerance) result(*name) args;
    NN_KERNELS(NN_SLOT)
#undef NN_SLOT
};

/* In the order in which they build on each other; see cpu.c. */
enum nn_isa {
    NN_ISA_SCALAR,
    NN_ISA_AVX2,       /* with FMA */
    NN_ISA_AVXVNNI,    /* 8-bit dot products of 256 bits */
    NN_ISA_AVX512,     /* F, BW, DQ, VL */
    NN_ISA_AVX512VNNI, /* 8-bit dot products */
    NN_ISA_AVX512BF16, /* bfloat16 dot products */
    NN_ISA_NEON,
    NN_ISA_COUNT
};

/* The table for this processor: the best instruction set that processor and operating system
 * allow, capped by the environment variable NN_ISA (scalar, avx2, avxvnni, avx512, avx512vnni,
 * avx512bf16, neon). Chosen at the
 * first call; thread safe; never NULL. */
const struct nn_kernels *nn_kernels(void);
/* The table up to `isa`; NULL when the processor or the build lacks it. */
const struct nn_kernels *nn_kernels_for(enum nn_isa isa);

/* Overlays, called by cpu.c in this order. */
void nn_kernels_init_scalar(struct nn_kernels *k);
void nn_kernels_init_scalar_simple(struct nn_kernels *k); /* these three are part of init_scalar */
void nn_kernels_init_scalar_winograd(struct nn_kernels *k);
void nn_kernels_init_scalar_dot(struct nn_kernels *k);
void nn_kernels_init_avx2(struct nn_kernels *k);
void nn_kernels_init_avxvnni(struct nn_kernels *k);
void nn_kernels_init_avx512(struct nn_kernels *k);
void nn_kernels_init_avx512vnni(struct nn_kernels *k);
void nn_kernels_init_avx512bf16(struct nn_kernels *k);
void nn_kernels_init_neon(struct nn_kernels *k);

/* pack.c: ONNX weight layouts [oc][ic][kh][kw] <-> packed. Sizes of the packed forms in floats. */
size_t nn_conv16_size(int oc, int ic, int kh, int kw);
size_t nn_planar_size(int oc, int ic, int kh, int kw);
size_t nn_depthwise16_size(int c, int kh, int kw);
void nn_conv16_pack(const float *oihw, int oc, int ic, int kh, int kw, float *packed);
void nn_conv16_unpack(const float *packed, int oc, int ic, int kh, int kw, float *oihw);
void nn_planar_pack(const float *oihw, int oc, int ic, int kh, int kw, float *packed);
void nn_planar_unpack(const float *packed, int oc, int ic, int kh, int kw, float *oihw);
void nn_depthwise16_pack(const float *chw, int c, int kh, int kw, float *packed);
void nn_depthwise16_unpack(const float *packed, int c, int kh, int kw, float *chw);
size_t nn_dot16_size(int oc, int ic, int kh, int kw); /* elements of qconv16 and bconv16 weights */
void nn_qconv16_pack(const int8_t *oihw, int oc, int ic, int kh, int kw, int8_t *packed);
void nn_bconv16_pack(const float *conv16_packed, int oc, int ic, int kh, int kw, uint16_t *packed);
void nn_depthwise16_flip(const struct nn_flip16 *f); /* oc_blocks blocks; ic_blocks is not used */

/* winograd.c: sizes. The scratch of one position is an odd number of cache lines. */
size_t nn_winograd_scratch(int m, int channels, int tiles);
size_t nn_winograd_step(int channels, int tiles); /* floats from one position to the next */
size_t nn_winograd_weights_size(int m, int oc, int ic);
int nn_winograd_tiles(int m, int oh, int ow); /* of one image */
/* How many of `all` tiles to take at a time so that the scratch of a forward pass stays in the
 * second-level cache; chunks come out even. */
int nn_winograd_chunk(int m, int ic, int oc, int all);

/* One axis of the input gradient of a convolution with `kernel` taps, `stride` s and left padding
 * `pad` (dilation 1). Input positions s * i + phase depend on the taps first + s * t, t < taps:
 *   dx[s * i + phase] = sum over t of w[first + s * t] dy[i + offset - t]
 * which is a stride-1 convolution of dy with the flipped taps (flip16 with first and step = s)
 * whose padded input starts at dy index offset - (taps - 1). taps may be 0: that dx is zero.
 * With stride 1 there is one phase and all taps. */
struct nn_phase {
    int first, taps, offset;
};
int nn_taps(int kernel, int first, int step); /* how many of first, first + step, ... < kernel */
struct nn_phase nn_conv_phase(int kernel, int stride, int pad, int phase);

/* Nearest bfloat16, ties to even; NaN stays NaN. (Processors may round denormals to zero.) */
static inline uint16_t nn_bf16_of(float v)
{
    uint32_t u;
    memcpy(&u, &v, sizeof u);
    if (v != v)
        return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static inline float nn_f32_of_bf16(uint16_t b)
{
    uint32_t u = (uint32_t)b << 16;
    float v;
    memcpy(&v, &u, sizeof v);
    return v;
}

static inline int nn_blocks(int channels)
{
    return (channels + 15) / 16;
}

#endif
