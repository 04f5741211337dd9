/* Ranks that learn together do what one process does alone: here the ranks are threads, which meet
 * at a barrier; test_ranks_mpi does the same over MPI. */
#include "engine/ranks_case.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/testing.h"

enum { RANKS_MAX = 4, ROOM = 1 << 16 };

/* Where the threads meet: every rank lays down its numbers, then everybody adds all of them. */
struct meeting {
    pthread_barrier_t barrier;
    int count;
    double numbers[RANKS_MAX][ROOM];
};

struct member {
    struct nn_ranks ranks; /* first: the callbacks get its address */
    struct meeting *meeting;
    pthread_t thread;
    float *weights;
    size_t count;
    struct nn_epoch last;
    uint64_t number;
    bool agreed;
};

static void sum(struct nn_ranks *r, double *v, size_t n)
{
    struct meeting *m = ((struct member *)(void *)r)->meeting;
    assert_true(n <= ROOM);
    memcpy(m->numbers[r->index], v, n * sizeof *v);
    pthread_barrier_wait(&m->barrier);
    memset(v, 0, n * sizeof *v);
    for (int i = 0; i < m->count; i++)
        for (size_t k = 0; k < n; k++)
            v[k] += m->numbers[i][k];
    pthread_barrier_wait(&m->barrier);
}

static void sum_floats(struct nn_ranks *r, float *v, size_t n)
{
    double *wide = mem_new(n, sizeof *wide);
    for (size_t i = 0; i < n; i++)
        wide[i] = (double)v[i];
    sum(r, wide, n);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)wide[i];
    free(wide);
}

/* Runs `fn` in `count` threads that are ranks of each other. */
static void meet(struct member *members, int count, void *(*fn)(void *))
{
    struct meeting *m = mem_new(1, sizeof *m);
    m->count = count;
    pthread_barrier_init(&m->barrier, NULL, (unsigned)count);
    for (int i = 0; i < count; i++) {
        members[i].ranks = (struct nn_ranks){i, count, sum, sum_floats};
        members[i].meeting = m;
        assert_int_equal(pthread_create(&members[i].thread, NULL, fn, &members[i]), 0);
    }
    for (int i = 0; i < count; i++)
        pthread_join(members[i].thread, NULL);
    pthread_barrier_destroy(&m->barrier);
    free(m);
}

static void *learn(void *arg)
{
    struct member *m = arg;
    m->weights = ranks_case_train(&m->ranks, &m->count, &m->last);
    return NULL;
}

static void check_ranks(int count)
{
    struct member members[RANKS_MAX] = {0};
    struct nn_epoch last;
    size_t weights;
    float *alone = ranks_case_train(NULL, &weights, &last);
    meet(members, count, learn);
    for (int i = 0; i < count; i++) {
        assert_int_equal(members[i].count, weights);
        assert_memory_equal(members[i].weights, members[0].weights, weights * sizeof *alone);
        ranks_case_compare(alone, members[i].weights, weights, &last, &members[i].last);
    }
    for (int i = 0; i < count; i++)
        free(members[i].weights);
    free(alone);
}

static void test_two_ranks_equal_one(void **state)
{
    (void)state;
    check_ranks(2);
}

static void test_four_ranks_equal_one(void **state)
{
    (void)state;
    check_ranks(4);
}

/* Every picture of a batch has one rank, and the partner of each pair is there too. */
static void test_places_cover_the_batch(void **state)
{
    enum { COUNT = 6, RANKS = 3 };
    (void)state;
    int seen[COUNT * RANKS] = {0};
    for (int r = 0; r < RANKS; r++) {
        struct nn_ranks ranks = {.index = r, .count = RANKS};
        for (int i = 0; i < COUNT; i++) {
            int place = nn_ranks_place(&ranks, i, COUNT);
            int partner = nn_ranks_place(&ranks, COUNT - 1 - i, COUNT);
            assert_in_range(place, 0, COUNT * RANKS - 1);
            seen[place]++;
            assert_int_equal(place + partner, COUNT * RANKS - 1);
        }
    }
    for (int i = 0; i < COUNT * RANKS; i++)
        assert_int_equal(seen[i], 1);
    for (int i = 0; i < 7; i++)
        assert_int_equal(nn_ranks_place(NULL, i, 7), i);
}

static void *agree(void *arg)
{
    struct member *m = arg;
    m->agreed = nn_ranks_agree(&m->ranks, m->number);
    return NULL;
}

static void test_a_difference_is_noticed_by_all(void **state)
{
    static const uint64_t numbers[][3] = {{~0ull, ~0ull, ~0ull}, {1, 2, 3}, {1ull << 63, 0, 0}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct member members[RANKS_MAX] = {0};
        for (int r = 0; r < 3; r++)
            members[r].number = numbers[i][r];
        meet(members, 3, agree);
        for (int r = 0; r < 3; r++)
            assert_int_equal(members[r].agreed, i == 0);
    }
    assert_true(nn_ranks_agree(NULL, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_ranks_equal_one),
        cmocka_unit_test(test_four_ranks_equal_one),
        cmocka_unit_test(test_places_cover_the_batch),
        cmocka_unit_test(test_a_difference_is_noticed_by_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
