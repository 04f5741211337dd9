/* Frames a second and percentiles. */
#include "figures.h"

#include <stdlib.h>

void figures_begin(struct figures *f, int64_t now_us)
{
    f->since_us = now_us;
    f->presents = 0;
    f->count = 0;
}

void figures_add_latency(struct figures *f, int64_t latency_us)
{
    if (f->count < FIGURES_LATENCIES)
        f->latency_ms[f->count++] = (float)latency_us / 1000.0f;
}

double figures_fps(const struct figures *f, int64_t now_us)
{
    double seconds = (double)(now_us - f->since_us) * 1e-6;
    return seconds > 0 ? f->presents / seconds : 0.0;
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

double figures_latency_ms(struct figures *f, double p)
{
    if (f->count == 0)
        return 0.0;
    qsort(f->latency_ms, (size_t)f->count, sizeof f->latency_ms[0], compare_floats);
    return (double)f->latency_ms[(int)(p * (f->count - 1) + 0.5)];
}
