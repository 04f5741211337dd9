/* Seeded random streams: xoshiro256** (Blackman and Vigna, "Scrambled linear pseudorandom number
 * generators", 2018), seeded by splitmix64. A copy of the struct is a fork of the stream. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t s[4];
};

/* Different (seed, stream) pairs give independent sequences. */
void rng_seed(struct rng *r, uint64_t seed, uint64_t stream);
uint64_t rng_u64(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n); /* unbiased, n > 0 */
float rng_uniform(struct rng *r);              /* [0, 1) */
float rng_normal(struct rng *r);               /* mean 0, deviation 1 (Box-Muller) */
void rng_shuffle(struct rng *r, int *v, int n);

#endif
