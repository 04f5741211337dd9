/* Thin names over pthreads: monotonic clock, named threads, deadlines. Microseconds everywhere. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

int64_t clock_now_us(void);    /* CLOCK_MONOTONIC */
int64_t clock_thread_us(void); /* what this thread has computed: CLOCK_THREAD_CPUTIME_ID */

/* Starts a joinable thread; `name` (<= 15 bytes are kept) shows in debuggers. */
int thread_start(pthread_t *out, const char *name, void *(*fn)(void *), void *arg, struct err *err);

/* A condition variable that waits on CLOCK_MONOTONIC. */
void cond_init_monotonic(pthread_cond_t *c);
/* Call with m held. false: the deadline passed. Wakes spuriously like any condition variable. */
bool cond_wait_until(pthread_cond_t *c, pthread_mutex_t *m, int64_t deadline_us);

/* The processors this process may run on, at least 1. */
int cpu_count(void);

#endif
