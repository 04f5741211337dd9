/* What the files of check_kernels share: random shapes, guarded buffers, comparison with scalar. */
#ifndef KERNELS_CHECK_H
#define KERNELS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/rng.h"
#include "kernels/kernels.h"

/* Buffers of one case: each stands between two canaries and starts `skew` floats off alignment. */
enum { MAX_BUFFERS = 32 };

struct buffer {
    float *block, *p;
    size_t n;
};

/* The case that runs. */
struct now {
    const char *isa, *slot;
    uint64_t seed;
    struct rng rng;
    bool specials; /* inputs contain NaN and Inf */
    struct buffer buffers[MAX_BUFFERS];
    int count, failures;
    char shape[256]; /* for the message of a failure */
};
extern struct now now;
#define SHAPE(...) snprintf(now.shape, sizeof now.shape, __VA_ARGS__)

int pick(int lo, int hi); /* both ends included */
int pick_of(const int *v, int n);
struct range {
    int begin, end;
};
struct range pick_range(int n); /* within [0, n), often all of it */
void pick_clip(float *lo, float *hi);

/* Buffers live until the end of the case. */
float *room(size_t n);
float *input(size_t n); /* in [-1, 1], with specials when the case has them */
float *twin(const float *of, size_t n);
/* Random bytes in a guarded buffer: `count` elements of `size` bytes. */
void *input_bits(size_t count, size_t size);
uint16_t *input_bf16(size_t n); /* in [-1, 1] */
float random_value(void);

/* The first difference fails the case. NaN equals NaN. */
void fail(const char *what, size_t at, double want, double got);
bool same(double a, double b, double tolerance);
void compare(const char *what, const float *want, const float *got, size_t n, double tolerance);
/* The tolerance grows with values above 1. */
void compare_relative(const char *what, const float *want, const float *got, size_t n,
                      double tolerance);
/* bfloat16 results may land on the two sides of a rounding boundary. */
void compare_bf16(const uint16_t *want, const uint16_t *got, size_t n, double tolerance);
void compare_bytes(const uint8_t *want, const uint8_t *got, size_t n, int tolerance);

/* Shapes of convolutions, for floats and for bytes. */
enum conv_kind { DENSE, PLANAR, DEPTHWISE };
struct conv_case {
    enum conv_kind kind;
    int oc_blocks, oh, h, w, planes; /* planes of x */
    size_t pixel, x_size, y_size, w_size;
};
void pick_conv(struct nn_conv16 *c, struct conv_case *k);

/* One for each slot: a random case against `ref`. */
#define CHECK_SLOT(result, name, args, tolerance)                                                  \
    void check_##name(const struct nn_kernels *ref, const struct nn_kernels *k, double tol);
NN_KERNELS(CHECK_SLOT)
#undef CHECK_SLOT

/* bench.c: times the slots, or `only` one family. */
void bench_all(const struct nn_kernels *k, const char *only);

#endif
