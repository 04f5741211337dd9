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

/* A worker that finds no piece looks on: first without pause, for steps follow each other within
 * microseconds, then offering its processor to others, and then it sleeps. */
enum { SPIN_US = 10, LINGER_US = 100 };

/* The pieces first .. first + count - 1 of a job; one share a thread, in cache lines of its own. */
struct share {
    _Atomic int left; /* how many of them nobody has taken */
    int first, count;
    char apart[116];
};

struct worker {
    struct pool *pool;
    pthread_t thread;
    int index; /* 1 .. size - 1; the caller is 0 */
};

/* Whoever takes a piece out of a share may read the job: it stays until its last piece is done. So
 * nobody announces himself or leaves, and a worker that sleeps or has lost its processor delays
 * nobody. */
struct pool {
    int size;
    struct worker *workers;
    struct share *shares;
    pthread_mutex_t lock; /* leaf; protects going to sleep */
    pthread_cond_t wake;
    _Atomic int sleepers;
    _Atomic bool quit;
    /* The job. */
    _Atomic int unfinished; /* pieces that are not done */
    int n, grain;
    pool_fn *fn;
    void *arg;
};

/* Runs pieces of a share until none is left; returns their number. */
static int work_share(struct pool *p, struct share *s, int thread)
{
    int done = 0, left = atomic_load(&s->left);
    while (left > 0) {
        if (!atomic_compare_exchange_weak(&s->left, &left, left - 1))
            continue;
        int begin = (s->first + s->count - left) * p->grain;
        int end = p->n - begin < p->grain ? p->n : begin + p->grain;
        p->fn(p->arg, begin, end, thread);
        done++;
        left = atomic_load(&s->left);
    }
    return done;
}

/* First the thread's own share, then what others have left. */
static void work(struct pool *p, int thread)
{
    int done = 0;
    for (int i = 0; i < p->size; i++)
        done += work_share(p, &p->shares[(thread + i) % p->size], thread);
    if (done > 0)
        atomic_fetch_sub(&p->unfinished, done);
}

static bool has_news(struct worker *w)
{
    struct pool *p = w->pool;
    return atomic_load(&p->shares[w->index].left) > 0 || atomic_load(&p->quit);
}

static void await_news(struct worker *w)
{
    struct pool *p = w->pool;
    int64_t start = clock_now_us();
    for (int64_t waited = 0; !has_news(w) && waited < LINGER_US; waited = clock_now_us() - start)
        if (waited > SPIN_US)
            sched_yield();
    if (has_news(w))
        return;
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleepers, 1);
    while (!has_news(w))
        pthread_cond_wait(&p->wake, &p->lock);
    atomic_fetch_sub(&p->sleepers, 1);
    pthread_mutex_unlock(&p->lock);
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    while (!atomic_load(&w->pool->quit)) {
        await_news(w);
        work(w->pool, w->index);
    }
    return NULL;
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
    p->shares = mem_new((size_t)wanted, sizeof *p->shares);
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
    int pieces = (n - 1) / grain + 1;
    p->fn = fn;
    p->arg = arg;
    p->n = n;
    p->grain = grain;
    atomic_store(&p->unfinished, pieces);
    for (int t = p->size - 1; t >= 0; t--) {
        struct share *s = &p->shares[t];
        s->first = (int)((int64_t)pieces * t / p->size);
        s->count = (int)((int64_t)pieces * (t + 1) / p->size) - s->first;
        atomic_store(&s->left, s->count);
    }
    wake_sleepers(p);
    work(p, 0);
    for (int spins = 0; atomic_load(&p->unfinished) > 0; spins++)
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
    free(p->shares);
    free(p->workers);
    free(p);
}
