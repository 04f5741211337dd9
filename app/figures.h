/* What the live app measures of itself between two lines of the report: pictures drawn, and the
 * latency from taking a picture to showing it. Main thread only. */
#ifndef FIGURES_H
#define FIGURES_H

#include <stdint.h>

enum { FIGURES_LATENCIES = 256 }; /* kept per period; more are left out */

struct figures {
    int64_t since_us; /* when the period began */
    int presents;
    int count;
    float latency_ms[FIGURES_LATENCIES];
};

void figures_begin(struct figures *f, int64_t now_us); /* a new period */
void figures_add_latency(struct figures *f, int64_t latency_us);

/* Over the period so far; 0 when nothing was shown. p in 0 .. 1; sorts what it has. */
double figures_fps(const struct figures *f, int64_t now_us);
double figures_latency_ms(struct figures *f, double p);

#endif
