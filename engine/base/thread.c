/* Monotonic clock and condition variables, named threads, processor count. */
#define _GNU_SOURCE /* pthread_setname_np, sched_getaffinity */
#include "base/thread.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t clock_us(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t clock_thread_us(void)
{
    return clock_us(CLOCK_THREAD_CPUTIME_ID);
}

int thread_start(pthread_t *out, const char *name, void *(*fn)(void *), void *arg, struct err *err)
{
    int rc = pthread_create(out, NULL, fn, arg);
    if (rc != 0)
        return err_set(err, ERR_IO, "cannot start thread %s: %s", name, strerror(rc));
    char kept[16]; /* the kernel's limit */
    snprintf(kept, sizeof kept, "%s", name);
    pthread_setname_np(*out, kept);
    return ERR_OK;
}

void cond_init_monotonic(pthread_cond_t *c)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
}

bool cond_wait_until(pthread_cond_t *c, pthread_mutex_t *m, int64_t deadline_us)
{
    struct timespec t = {.tv_sec = (time_t)(deadline_us / 1000000),
                         .tv_nsec = (long)(deadline_us % 1000000) * 1000};
    return pthread_cond_timedwait(c, m, &t) != ETIMEDOUT;
}

int cpu_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    return CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
}
