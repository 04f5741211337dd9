/* Which kernels this processor runs: CPUID says what it can do, XGETBV what the system saves. */
#include "kernels/kernels.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* XCR0: the register state that the operating system keeps over a task switch. */
static uint64_t xcr0(void)
{
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_OSXSAVE) == 0)
        return 0;
    __asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return (uint64_t)d << 32 | a;
}

static bool has_avx2(void)
{
    uint32_t a, b, c, d;
    if ((xcr0() & 0x6) != 0x6 || !__get_cpuid(1, &a, &b, &c, &d) || (c & bit_FMA) == 0)
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2) != 0;
}

static bool has_avx512(void)
{
    const uint32_t wanted = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    uint32_t a, b, c, d;
    return has_avx2() && (xcr0() & 0xe6) == 0xe6 && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
           (b & wanted) == wanted;
}
#endif

static bool isa_present(enum nn_isa isa)
{
    switch (isa) {
    case NN_ISA_SCALAR:
        return true;
#ifdef NN_HAVE_AVX2
    case NN_ISA_AVX2:
        return has_avx2();
#endif
#ifdef NN_HAVE_AVX512
    case NN_ISA_AVX512:
        return has_avx512();
#endif
#ifdef NN_HAVE_NEON
    case NN_ISA_NEON:
        return true; /* part of every AArch64 */
#endif
    default:
        return false;
    }
}

static struct nn_kernels tables[NN_ISA_COUNT];
static const struct nn_kernels *chosen;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill_table(struct nn_kernels *k, enum nn_isa isa)
{
    nn_kernels_init_scalar(k);
#ifdef NN_HAVE_AVX2
    if (isa == NN_ISA_AVX2 || isa == NN_ISA_AVX512)
        nn_kernels_init_avx2(k);
#endif
#ifdef NN_HAVE_AVX512
    if (isa == NN_ISA_AVX512)
        nn_kernels_init_avx512(k);
#endif
#ifdef NN_HAVE_NEON
    if (isa == NN_ISA_NEON)
        nn_kernels_init_neon(k);
#endif
}

/* NN_ISA lowers the choice; a name that is not present caps at the scalar table. */
static enum nn_isa cap_of_environment(void)
{
    static const char *const names[NN_ISA_COUNT] = {"scalar", "avx2", "avx512", "neon"};
    const char *wanted = getenv("NN_ISA");
    for (int i = 0; wanted != NULL && i < NN_ISA_COUNT; i++)
        if (strcmp(wanted, names[i]) == 0)
            return (enum nn_isa)i;
    return NN_ISA_NEON;
}

static void choose(void)
{
    enum nn_isa cap = cap_of_environment();
    for (int i = 0; i < NN_ISA_COUNT; i++) {
        if (!isa_present((enum nn_isa)i))
            continue;
        fill_table(&tables[i], (enum nn_isa)i);
        if (i <= (int)cap)
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
