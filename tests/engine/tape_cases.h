/* The small networks that the training tests run, with weights, pictures and targets that
 * tests/golden/make_golden.py makes alike (CASES, fill(), losses()). */
#ifndef ENGINE_TAPE_CASES_H
#define ENGINE_TAPE_CASES_H

#include "support/testing.h"

#include "internal.h"
#include "nn/tape.h"

enum {
    TAPE_CASES = 18,
    CASE_IMAGES = 2,
    CASE_INPUT = 3 * 9 * 7, /* floats of one picture */
    CASE_CLASSES = 4,
    CASE_SHARES = 10 /* width of the second head */
};

struct tape_case {
    const char *name; /* as in tape.bin */
    nn_value (*body)(struct nn_graph *g, nn_value x);
    float smoothing;
    const float *weights;
    bool soft; /* a second head with soft shares that counts half */
};
extern const struct tape_case tape_cases[TAPE_CASES];

/* Bodies for build and for other tests; conv has no bias. */
nn_value case_conv(struct nn_graph *g, nn_value x, int out, int kernel, int pad);
nn_value case_plain(struct nn_graph *g, nn_value x);
nn_value case_batchnorm(struct nn_graph *g, nn_value x);
nn_value case_dropped(struct nn_graph *g, nn_value x); /* dropout, seeded by the step */

/* A finished network of 3 x 9 x 7 pictures with a dense head of CASE_CLASSES, and a tape of any
 * graph; both fail the test with the engine's sentence. */
struct nn_graph *tape_build(nn_value (*body)(struct nn_graph *, nn_value), bool two_heads);
struct nn_tape *tape_of(struct nn_graph *g, int batch, struct pool *pool);
struct nn_tape *tape_in(enum nn_precision precision, struct nn_graph *g, int batch,
                        struct pool *pool);

/* Numbers in [-1, 1), the same for everyone who asks with the same index and seed. */
float tape_pattern(uint32_t i, uint32_t seed);
void tape_fill_weights(const struct nn_graph *g, struct nn_tape *t);
void tape_fill_input(struct nn_tape *t, size_t floats);

/* Targets of up to 64 images; c NULL: no smoothing, no class weights. of[1] is the soft head. */
struct tape_targets {
    int labels[64];
    float shares[64 * CASE_SHARES];
    struct nn_target of[2];
};
void tape_set_targets(struct tape_targets *s, const struct tape_case *c, int images, int classes);

bool tape_ends_with(const char *s, const char *end);

#endif
