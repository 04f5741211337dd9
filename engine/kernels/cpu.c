/* Which kernels this processor runs: CPUID says what it can do, XGETBV what the system saves. */
#include "kernels/kernels.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

struct leaf {
    uint32_t a, b, c, d;
};

/* All zeros when the processor does not have the leaf. */
static struct leaf leaf(uint32_t number, uint32_t part)
{
    struct leaf l = {0, 0, 0, 0};
    if (!__get_cpuid_count(number, part, &l.a, &l.b, &l.c, &l.d))
        return (struct leaf){0, 0, 0, 0};
    return l;
}

/* XCR0: the register state that the operating system keeps over a task switch. */
static bool system_saves(uint32_t state)
{
    uint32_t low, high;
    if ((leaf(1, 0).c & bit_OSXSAVE) == 0)
        return false;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & state) == state;
}

enum { STATE_AVX = 0x6, STATE_AVX512 = 0xe6 };

static bool has_avx2(void)
{
    return system_saves(STATE_AVX) && (leaf(1, 0).c & bit_FMA) != 0 &&
           (leaf(7, 0).b & bit_AVX2) != 0;
}

static bool has_avxvnni(void)
{
    return has_avx2() && (leaf(7, 1).a & bit_AVXVNNI) != 0;
}

static bool has_avx512(void)
{
    const uint32_t wanted = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    return has_avx2() && system_saves(STATE_AVX512) && (leaf(7, 0).b & wanted) == wanted;
}

static bool has_avx512vnni(void)
{
    return has_avx512() && (leaf(7, 0).c & bit_AVX512VNNI) != 0;
}

static bool has_avx512bf16(void)
{
    return has_avx512() && (leaf(7, 1).a & bit_AVX512BF16) != 0;
}
#endif

static bool always(void)
{
    return true;
}

/* The overlays of this build. A table is what is present up to its own row. */
static const struct overlay {
    const char *name;
    bool (*present)(void);
    void (*init)(struct nn_kernels *k);
} overlays[NN_ISA_COUNT] = {
    [NN_ISA_SCALAR] = {"scalar", always, nn_kernels_init_scalar},
#ifdef NN_HAVE_AVX2
    [NN_ISA_AVX2] = {"avx2", has_avx2, nn_kernels_init_avx2},
#endif
#ifdef NN_HAVE_AVXVNNI
    [NN_ISA_AVXVNNI] = {"avxvnni", has_avxvnni, nn_kernels_init_avxvnni},
#endif
#ifdef NN_HAVE_AVX512
    [NN_ISA_AVX512] = {"avx512", has_avx512, nn_kernels_init_avx512},
#endif
#ifdef NN_HAVE_AVX512VNNI
    [NN_ISA_AVX512VNNI] = {"avx512vnni", has_avx512vnni, nn_kernels_init_avx512vnni},
#endif
#ifdef NN_HAVE_AVX512BF16
    [NN_ISA_AVX512BF16] = {"avx512bf16", has_avx512bf16, nn_kernels_init_avx512bf16},
#endif
#ifdef NN_HAVE_NEON
    [NN_ISA_NEON] = {"neon", always, nn_kernels_init_neon}, /* part of every AArch64 */
#endif
};

static struct nn_kernels tables[NN_ISA_COUNT];
static const struct nn_kernels *chosen;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The row that NN_ISA names; the last row without it. */
static int cap_of_environment(void)
{
    const char *wanted = getenv("NN_ISA");
    for (int i = 0; wanted != NULL && i < NN_ISA_COUNT; i++)
        if (overlays[i].name != NULL && strcmp(wanted, overlays[i].name) == 0)
            return i;
    return NN_ISA_COUNT - 1;
}

static void choose(void)
{
    struct nn_kernels k;
    int cap = cap_of_environment();
    for (int i = 0; i < NN_ISA_COUNT; i++) {
        if (overlays[i].present == NULL || !overlays[i].present())
            continue;
        overlays[i].init(&k);
        tables[i] = k;
        if (i <= cap)
            chosen = &tables[i];
    }
}

const struct nn_kernels *nn_kernels(void)
{
    pthread_once(&once, choose);
    return chosen;
}

const struct nn_kernels *nn_kernels_for(enum nn_isa isa)
{
    pthread_once(&once, choose);
    return tables[isa].isa != NULL ? &tables[isa] : NULL;
}
