/* From many candidates to a varied list. Private to app/catalog. */
#ifndef CATALOG_PICK_H
#define CATALOG_PICK_H

#include <stdint.h>

#include "catalog/shelf.h"

struct catalog;

struct candidate {
    struct shelf_entry entry;
    float score, fit, taste;
};

/* The `cap` best candidates seen, as a heap whose root is the worst. */
struct pool {
    struct candidate *v;
    int count, cap;
    bool by_id; /* the lower id is better, whatever the score */
};

void pool_init(struct pool *p, int cap, bool by_id);
void pool_offer(struct pool *p, const struct candidate *c);
/* A score that a newcomer must exceed; < 0 while there is room. */
float pool_floor(const struct pool *p);
void pool_sort(struct pool *p); /* best first; ends the heap */
void pool_free(struct pool *p);

/* Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): moves the chosen `count`
 * candidates of a sorted pool to its front, in order of
 *     lambda * score / best score - (1 - lambda) * greatest similarity to those chosen before,
 * similarity = 0.5 * Jaccard of genres + 0.2 * same decade + 0.3 * same director or artist. */
void pick_varied(struct pool *p, const struct catalog *c, int count, float lambda);

#endif
