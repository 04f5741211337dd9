/* The arithmetic ceiling of the processor, measured. */
#include <time.h>

#include "base/pool.h"
#include "kernels/kernels.h"
#include "nn/run.h"

enum { BURST = 1 << 16, BURSTS = 8 }; /* about a millisecond each */

static void burst(void *arg, int begin, int end, int thread)
{
    double *done = arg;
    (void)thread;
    for (int i = begin; i < end; i++)
        done[i] = nn_kernels()->fma_burst(BURST);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double nn_peak_gflops(struct pool *pool)
{
    enum { MOST = 256 };
    double best = 0, done[MOST];
    int threads = pool_size(pool) < MOST ? pool_size(pool) : MOST;
    for (int k = 0; k < BURSTS; k++) { /* the best of a few: noise only slows down */
        double start = now_s(), sum = 0;
        pool_for(pool, threads, 1, burst, done);
        double seconds = now_s() - start;
        for (int i = 0; i < threads; i++)
            sum += done[i];
        best = sum / seconds > best ? sum / seconds : best;
    }
    return best * 1e-9;
}
