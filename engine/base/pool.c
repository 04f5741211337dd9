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

struct pool {
    int size;
    struct worker *workers;
    pthread_mutex_t lock; /* leaf; protects sleeping workers' wake-up */
    pthread_cond_t wake;
    _Atomic bool quit;
    /* The job: written by the caller before `round` moves on, read by workers after. */
    pool_fn *fn;
    void *arg;
    int n, grain;
    _Atomic uint64_t round; /* increases once a job */
    _Atomic int next;       /* first index that nobody has taken */
    _Atomic int busy;       /* workers that have not finished this round */
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

/* Waits until the round differs from `seen`: a short spin, then sleep. */
static void await_round(struct pool *p, uint64_t seen)
{
    int64_t until = clock_now_us() + SPIN_US;
    while (atomic_load(&p->round) == seen && clock_now_us() < until)
        ;
    if (atomic_load(&p->round) != seen)
        return;
    pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->round) == seen)
        pthread_cond_wait(&p->wake, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct pool *p = w->pool;
    for (uint64_t seen = 0;; seen++) {
        await_round(p, seen);
        if (atomic_load(&p->quit))
            return NULL;
        take_pieces(p, w->index);
        atomic_fetch_sub(&p->busy, 1);
    }
}

static void start_round(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->round, 1);
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
    atomic_store(&p->busy, p->size - 1);
    start_round(p);
    take_pieces(p, 0);
    for (int spins = 0; atomic_load(&p->busy) > 0; spins++)
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
    start_round(p);
    for (int i = 1; i < p->size; i++)
        pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p->workers);
    free(p);
}
