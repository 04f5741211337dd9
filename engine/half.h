/* IEEE 754 binary16, the 16-bit floats that files may hold weights in. */
#ifndef ENGINE_HALF_H
#define ENGINE_HALF_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define NN__HALF_MAX 65504.0f

static inline float nn__float_from_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Subnormals are scaled, infinities and NaN keep their payload. */
static inline float nn__from_half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 1023;
    if (exponent == 0)
        return nn__float_from_bits(sign | 0x3f800000) * (float)mantissa * 0x1p-24f;
    return nn__float_from_bits(sign | (exponent == 31 ? 255 : exponent + 112) << 23 |
                               mantissa << 13);
}

/* The nearest half of a number of at most NN__HALF_MAX, ties to even. */
static inline uint16_t nn__to_half(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
    if (fabsf(f) < 0x1p-14f)
        return (uint16_t)(sign | (uint32_t)lrintf(fabsf(f) * 0x1p24f));
    return (uint16_t)(sign | (((size + 0xfff + (size >> 13 & 1)) >> 13) - (112u << 10)));
}

#endif
