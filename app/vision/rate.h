/* How often something happens a second, over windows of one second. Not thread safe. */
#ifndef VISION_RATE_H
#define VISION_RATE_H

#include <stdint.h>

struct rate { /* {0} is a valid start */
    int64_t start_us;
    int count;
    float hz;
};

void rate_add(struct rate *r, int64_t now_us);       /* it happened */
float rate_hz(const struct rate *r, int64_t now_us); /* 0 when nothing happened for 2 s */

#endif
