/* The arithmetic ceiling of the processor, measured. */
#include <time.h>

#include "base/pool.h"
#include "kernels/kernels.h"
#include "nn/run.h"

enum { BURST = 1 << 16, BURSTS = 8 }; /* about a millisecond each */

enum { MOST = 256 };

struct peak {
    double (*burst)(size_t n);
    double done[MOST]; /* operations of each thread */
};

static void burst(void *arg, int begin, int end, int thread)
{
    struct peak *p = arg;
    (void)thread;
    for (int i = begin; i < end; i++)
        p->done[i] = p->burst(BURST);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double nn_peak_gflops(struct pool *pool, enum nn_precision precision)
{
    const struct nn_kernels *k = nn_kernels();
    struct peak p = {.burst = precision == NN_BF16 ? k->bf16_burst : k->fma_burst};
    double best = 0;
    int threads = pool_size(pool) < MOST ? pool_size(pool) : MOST;
    for (int b = 0; b < BURSTS; b++) { /* the best of a few: noise only slows down */
        double start = now_s(), sum = 0;
        pool_for(pool, threads, 1, burst, &p);
        double seconds = now_s() - start;
        for (int i = 0; i < threads; i++)
            sum += p.done[i];
        best = sum / seconds > best ? sum / seconds : best;
    }
    return best * 1e-9;
}
