/* Fork-join pool for kernels.
 *
 * DESIGN. pool_for() cuts [0, n) into pieces of `grain` and lets the caller and the workers take
 * pieces until none is left. A worker that finds none looks on for a tenth of a millisecond, so
 * that it is there for the next step of a network or the next network, and then sleeps on a
 * condition variable: an idle pool costs nothing.
 * Which thread runs a piece is not fixed, the pieces are: work that writes disjoint outputs per
 * piece gives the same bits for any number of threads. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

struct pool;

/* Runs pieces [begin, end); may not call back into the pool. `thread` is 0 .. pool_size() - 1. */
typedef void pool_fn(void *arg, int begin, int end, int thread);

struct pool *pool_create(int threads); /* threads in all, the caller included; 0: cpu_count() */
/* One caller at a time. Returns when every piece is done. p may be NULL: runs in the caller. */
void pool_for(struct pool *p, int n, int grain, pool_fn *fn, void *arg);
int pool_size(const struct pool *p); /* NULL: 1 */
void pool_destroy(struct pool *p);   /* NULL is allowed */

#endif
