/* Every instruction set of this processor x every slot, against scalar: sizes 0, 1, odd, tails and
 * big, misaligned buffers, canaries around each, NaN and Inf.
 *
 *   check_kernels [--only SLOT] [--seed N] [--bench]
 *
 * A failing case prints its seed and shape. --bench times the chosen table (env NN_ISA lowers it)
 * on the layers of small vision networks: the median of 15 runs, each beside a burst of
 * multiply-adds that measures the peak at that moment. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { GUARD = 64, ROUNDS = 300 };
static const float CANARY = -1234.5f;

struct now now;

int pick(int lo, int hi) /* both ends included */
{
    return lo + (int)rng_below(&now.rng, (uint32_t)(hi - lo + 1));
}

int pick_of(const int *v, int n)
{
    return v[rng_below(&now.rng, (uint32_t)n)];
}

float *room(size_t n)
{
    size_t skew = now.specials ? 0 : rng_below(&now.rng, 16);
    struct buffer *b = &now.buffers[now.count++];
    b->block = mem_try_aligned(n + 2 * GUARD + 16, sizeof *b->block);
    if (now.count == MAX_BUFFERS || b->block == NULL)
        abort();
    b->p = b->block + GUARD + skew;
    b->n = n;
    for (size_t i = 0; i < n + 2 * GUARD + 16; i++)
        b->block[i] = CANARY;
    return b->p;
}

float random_value(void)
{
    static const float special[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f};
    if (now.specials && rng_below(&now.rng, 50) == 0)
        return special[rng_below(&now.rng, 5)];
    return rng_uniform(&now.rng) * 2 - 1;
}

float *input(size_t n)
{
    float *p = room(n);
    for (size_t i = 0; i < n; i++)
        p[i] = random_value();
    return p;
}

float *twin(const float *of, size_t n)
{
    float *p = room(n);
    memcpy(p, of, n * sizeof *p);
    return p;
}

void fail(const char *what, size_t at, double want, double got)
{
    now.failures++;
    if (now.failures <= 20)
        printf("FAIL %s/%s seed %llu%s: %s at %zu: scalar %.9g, got %.9g (%s)\n", now.isa, now.slot,
               (unsigned long long)now.seed, now.specials ? " specials" : "", what, at, want, got,
               now.shape);
}

bool same(double a, double b, double tolerance)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    return a == b || fabs(a - b) <= tolerance;
}

void compare(const char *what, const float *want, const float *got, size_t n, double tolerance)
{
    for (size_t i = 0; i < n; i++)
        if (!same(want[i], got[i], tolerance)) {
            fail(what, i, want[i], got[i]);
            return;
        }
}

/* The tolerance grows with values above 1. */
void compare_relative(const char *what, const float *want, const float *got, size_t n,
                      double tolerance)
{
    for (size_t i = 0; i < n; i++)
        if (!same(want[i], got[i], tolerance * (1 + fabs(want[i])))) {
            fail(what, i, want[i], got[i]);
            return;
        }
}

static void end_case(void)
{
    for (int i = 0; i < now.count; i++) {
        struct buffer *b = &now.buffers[i];
        for (float *p = b->block; p < b->p; p++)
            if (*p != CANARY)
                fail("canary before", (size_t)(b->p - p), CANARY, *p);
        for (float *p = b->p + b->n; p < b->block + b->n + 2 * GUARD + 16; p++)
            if (*p != CANARY)
                fail("canary after", (size_t)(p - b->p - b->n), CANARY, *p);
        mem_free_aligned(b->block);
    }
    now.count = 0;
}

struct range pick_range(int n)
{
    int a = pick(0, n), b = pick(0, n);
    if (pick(0, 2) > 0)
        return (struct range){0, n};
    return (struct range){a < b ? a : b, a < b ? b : a};
}

void pick_clip(float *lo, float *hi)
{
    int kind = pick(0, 2);
    *lo = kind == 0 ? -INFINITY : 0;
    *hi = kind == 2 ? 0.7f : INFINITY;
}

/* Bytes live in float buffers, so that canaries guard them; `count` elements of `size` bytes. */
void *input_bits(size_t count, size_t size)
{
    size_t n = count * size / sizeof(float) + 1;
    float *p = room(n);
    uint8_t *bytes = (uint8_t *)p;
    for (size_t i = 0; i < n * sizeof(float); i++)
        bytes[i] = (uint8_t)pick(0, 255);
    return p;
}

void compare_bytes(const uint8_t *want, const uint8_t *got, size_t n, int tolerance)
{
    for (size_t i = 0; i < n; i++)
        if (abs(want[i] - got[i]) > tolerance) {
            fail("u8", i, want[i], got[i]);
            return;
        }
}

typedef void check_fn(const struct nn_kernels *ref, const struct nn_kernels *k, double tolerance);

static const struct {
    const char *name;
    check_fn *check;
    double tolerance;
} slots[] = {
#define SLOT_ROW(result, name, args, tolerance) {#name, check_##name, tolerance},
    NN_KERNELS(SLOT_ROW)};
enum { SLOTS = sizeof slots / sizeof *slots };

static void check_slot(int slot, const struct nn_kernels *k, uint64_t seed)
{
    const struct nn_kernels *ref = nn_kernels_for(NN_ISA_SCALAR);
    now.isa = k->isa;
    now.slot = slots[slot].name;
    for (int round = 0; round < ROUNDS; round++) {
        now.seed = seed + (uint64_t)round;
        rng_seed(&now.rng, now.seed, (uint64_t)slot);
        now.specials = round % 4 == 3;
        now.shape[0] = 0;
        slots[slot].check(ref, k, slots[slot].tolerance);
        end_case();
    }
}

int main(int argc, char **argv)
{
    const char *only = NULL;
    uint64_t seed = 1;
    bool bench = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--bench") == 0)
            bench = true;
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            only = argv[++i];
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else {
            fprintf(stderr, "usage: check_kernels [--only SLOT] [--seed N] [--bench]\n");
            return 2;
        }
    }
    if (bench) {
        bench_all(nn_kernels(), only);
        return 0;
    }
    for (int isa = 0; isa < NN_ISA_COUNT; isa++) {
        const struct nn_kernels *k = nn_kernels_for((enum nn_isa)isa);
        if (k == NULL)
            continue;
        int before = now.failures;
        for (int i = 0; i < SLOTS; i++)
            if (only == NULL || strcmp(only, slots[i].name) == 0)
                check_slot(i, k, seed);
        printf("%s: %s\n", k->isa, now.failures == before ? "ok" : "FAILED");
    }
    return now.failures > 0;
}
