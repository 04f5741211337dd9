/* Events a second. */
#include "vision/rate.h"

enum { WINDOW_US = 1000000 };

void rate_add(struct rate *r, int64_t now_us)
{
    int64_t elapsed = now_us - r->start_us;
    if (elapsed > 2 * WINDOW_US) { /* the first, or after a pause */
        *r = (struct rate){.start_us = now_us};
        return;
    }
    r->count++;
    if (elapsed >= WINDOW_US || (r->hz == 0.0f && elapsed >= WINDOW_US / 4))
        r->hz = elapsed > 0 ? (float)r->count * 1e6f / (float)elapsed : 0.0f;
    if (elapsed >= WINDOW_US) {
        r->start_us = now_us;
        r->count = 0;
    }
}

float rate_hz(const struct rate *r, int64_t now_us)
{
    return now_us - r->start_us > 2 * WINDOW_US ? 0.0f : r->hz;
}
