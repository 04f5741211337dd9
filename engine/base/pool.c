/* Fork-join pool: see base/pool.h for the design. */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/thread.h"

/* Longer than the gap between two kernels, shorter than a wake-up is worth. */
enum { SPIN_US = 20 };

struct worker {
    struct pool *pool;
    pthread_t thread;
    int index; /* 1 .. size - 1; the caller is 0 */
};

/* `state` is one word so that joining a job and closing it cannot pass each other: the number of
 * the job, whether it is open, and how many workers are inside. Only those are waited for: a
 * worker that sleeps or has lost its processor delays nobody. */
enum { OPEN = 1 << 16, WORKERS = OPEN - 1 };
#define ROUND ((uint64_t)1 << 17)

struct pool {
    int size;
    struct worker *workers;
    pthread_mutex_t lock; /* leaf; protects going to sleep */
    pthread_cond_t wake;
    _Atomic int sleepers;
    _Atomic bool quit;
    /* The job: written by the caller while the state is closed and nobody inside. */
    pool_fn *fn;
    void *arg;
    int n, grain;
    _Atomic uint64_t state;
    _Atomic int next; /* first index that nobody has taken */
};

static void take_pieces(struct pool *p, int thread)
{
    for (;;) {
        int begin = atomic_fetch_add_explicit(&p->next, p->grain, memory_order_relaxed);
        if (begin >= p->n)
            return;
        int end = p->n - begin < p->grain ? p->n : begin + p->grain;
        p->fn(p->arg, begin, end, thread);
    }
}

/* Is there an open job that this worker has not seen, or the end? */
static bool has_news(struct pool *p, uint64_t seen)
{
    uint64_t state = atomic_load(&p->state);
    return (state & OPEN && state / ROUND != seen) || atomic_load(&p->quit);
}

/* A short spin, then sleep. */
static void await_news(struct pool *p, uint64_t seen)
{
    int64_t until = clock_now_us() + SPIN_US;
    while (!has_news(p, seen))
        if (clock_now_us() > until)
            break;
    if (has_news(p, seen))
        return;
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleepers, 1);
    while (!has_news(p, seen))
        pthread_cond_wait(&p->wake, &p->lock);
    atomic_fetch_sub(&p->sleepers, 1);
    pthread_mutex_unlock(&p->lock);
}

/* Enters the open job; false when it was closed meanwhile. */
static bool join_job(struct pool *p, uint64_t *seen)
{
    uint64_t state = atomic_load(&p->state);
    while (state & OPEN)
        if (atomic_compare_exchange_weak(&p->state, &state, state + 1)) {
            *seen = state / ROUND;
            return true;
        }
    return false;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct pool *p = w->pool;
    for (uint64_t seen = 0;;) {
        await_news(p, seen);
        if (atomic_load(&p->quit))
            return NULL;
        if (!join_job(p, &seen))
            continue;
        take_pieces(p, w->index);
        atomic_fetch_sub(&p->state, 1);
    }
}

static void wake_sleepers(struct pool *p)
{
    if (atomic_load(&p->sleepers) == 0)
        return;
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

struct pool *pool_create(int threads)
{
    struct pool *p = mem_new(1, sizeof *p);
    p->size = 1;
    int wanted = threads > 0 ? threads : cpu_count();
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    p->workers = mem_new((size_t)wanted, sizeof *p->workers);
    for (int i = 1; i < wanted; i++) {
        struct worker *w = &p->workers[i];
        *w = (struct worker){.pool = p, .index = i};
        if (thread_start(&w->thread, "pool", worker_main, w, NULL) != ERR_OK)
            break; /* fewer threads give the same results */
        p->size++;
    }
    return p;
}

void pool_for(struct pool *p, int n, int grain, pool_fn *fn, void *arg)
{
    if (n <= 0)
        return;
    if (grain < 1)
        grain = 1;
    if (p == NULL || p->size == 1 || n <= grain) {
        for (int begin = 0; begin < n; begin += grain)
            fn(arg, begin, n - begin < grain ? n : begin + grain, 0);
        return;
    }
    p->fn = fn;
    p->arg = arg;
    p->n = n;
    p->grain = grain;
    atomic_store(&p->next, 0);
    atomic_fetch_add(&p->state, ROUND + OPEN);
    wake_sleepers(p);
    take_pieces(p, 0);
    atomic_fetch_sub(&p->state, OPEN); /* nobody enters any more */
    for (int spins = 0; atomic_load(&p->state) & WORKERS; spins++)
        if (spins > 1000)
            sched_yield(); /* the worker lost its processor: let it have ours */
}

int pool_size(const struct pool *p)
{
    return p != NULL ? p->size : 1;
}

void pool_destroy(struct pool *p)
{
    if (p == NULL)
        return;
    atomic_store(&p->quit, true);
    wake_sleepers(p);
    for (int i = 1; i < p->size; i++)
        pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p->workers);
    free(p);
}
