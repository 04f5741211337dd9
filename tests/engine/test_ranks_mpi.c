/* mpirun -n 2 test_ranks_mpi: what ranks learn together over MPI is what one learns alone. Every
 * rank runs all of this and judges itself; skipped where no mpirun started it. */
#include "engine/ranks_case.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "nn/ranks_mpi.h"
#include "support/testing.h"

static struct nn_ranks *ranks; /* NULL: alone */

static void test_ranks_equal_one(void **state)
{
    (void)state;
    if (ranks == NULL) {
        print_message("skipped: this build is without MPI, or mpirun did not start it\n");
        skip();
    }
    size_t count, same;
    struct nn_epoch a, b;
    float *alone = ranks_case_train(NULL, &count, &a);
    float *shared = ranks_case_train(ranks, &same, &b);
    assert_int_equal(count, same);
    ranks_case_compare(alone, shared, count, &a, &b);
    free(alone);
    free(shared);
}

/* More numbers than ranks, fewer, and none. */
static void test_sums_are_exact(void **state)
{
    enum { MOST = 1001 };
    float *v = mem_new(MOST, sizeof *v);
    (void)state;
    for (size_t n = 0; n <= MOST && ranks != NULL; n = n * 10 + 1) {
        for (size_t i = 0; i < n; i++)
            v[i] = (float)(i + 1) * (float)(ranks->index + 1);
        nn_ranks_sum_floats(ranks, v, n);
        int all = ranks->count * (ranks->count + 1) / 2;
        for (size_t i = 0; i < n; i++)
            assert_true(v[i] == (float)(i + 1) * (float)all);
    }
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranks_equal_one),
        cmocka_unit_test(test_sums_are_exact),
    };
    struct err err = {0};
    if (nn_ranks_mpi_start(&ranks, &err) < 0) {
        print_error("%s\n", err.text);
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed == 0) /* after a failure mpirun ends the ranks that wait */
        nn_ranks_mpi_stop(ranks);
    return failed;
}
