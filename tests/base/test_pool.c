/* The fork-join pool: every index once, any number of threads, many rounds. */
#include "support/testing.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "base/pool.h"

enum { COUNT = 1000 };

static _Atomic int hits[COUNT];
static _Atomic int outside, finished;

static void count_hits(void *arg, int begin, int end, int thread)
{
    int size = *(const int *)arg;
    if (thread < 0 || thread >= size)
        outside++;
    for (int i = begin; i < end; i++)
        hits[i]++;
}

static void run_rounds(int threads, int grain)
{
    struct pool *p = pool_create(threads);
    int size = pool_size(p);
    for (int i = 0; i < COUNT; i++)
        hits[i] = 0;
    for (int round = 0; round < 200; round++)
        pool_for(p, COUNT, grain, count_hits, &size);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(hits[i], 200);
    assert_int_equal(outside, 0);
    pool_destroy(p);
}

static void test_every_index_once_a_round(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 5; threads++) {
        run_rounds(threads, 1);
        run_rounds(threads, 64);
        run_rounds(threads, COUNT * 2);
    }
}

/* One piece ends when all others have: whoever runs it, the rest of its share is taken over. */
static void wait_for_others(void *arg, int begin, int end, int thread)
{
    (void)arg;
    (void)thread;
    for (int i = begin; i < end; i++) {
        while (i == 0 && finished < COUNT - 1)
            sched_yield();
        finished++;
    }
}

static void test_shares_are_taken_over(void **state)
{
    (void)state;
    for (int threads = 2; threads <= 4; threads++) {
        struct pool *p = pool_create(threads);
        if (pool_size(p) == threads) {
            finished = 0;
            pool_for(p, COUNT, 1, wait_for_others, NULL);
            assert_int_equal(finished, COUNT);
        }
        pool_destroy(p);
    }
}

/* Jobs so far apart that the workers sleep in between. */
static void test_sleeping_workers_are_woken(void **state)
{
    (void)state;
    const struct timespec nap = {.tv_nsec = 1000000};
    struct pool *p = pool_create(3);
    for (int round = 0; round < 20 && pool_size(p) == 3; round++) {
        nanosleep(&nap, NULL);
        finished = 0;
        pool_for(p, COUNT, 1, wait_for_others, NULL);
        assert_int_equal(finished, COUNT);
    }
    pool_destroy(p);
}

static void test_no_pool_runs_in_the_caller(void **state)
{
    (void)state;
    int size = 1;
    hits[0] = 0;
    pool_for(NULL, 1, 1, count_hits, &size);
    pool_for(NULL, 0, 1, count_hits, &size);
    assert_int_equal(hits[0], 1);
    assert_int_equal(pool_size(NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_index_once_a_round),
        cmocka_unit_test(test_shares_are_taken_over),
        cmocka_unit_test(test_sleeping_workers_are_woken),
        cmocka_unit_test(test_no_pool_runs_in_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
