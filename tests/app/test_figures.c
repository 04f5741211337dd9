/* figures: rates and percentiles. */
#include "support/testing.h"

#include "figures.h"

static void test_percentiles(void **state)
{
    (void)state;
    struct figures f;
    figures_begin(&f, 1000000);
    assert_true(figures_latency_ms(&f, 0.5) == 0.0);
    for (int i = 100; i >= 0; i--)
        figures_add_latency(&f, i * 1000);
    assert_true(figures_latency_ms(&f, 0.5) == 50.0);
    assert_true(figures_latency_ms(&f, 0.95) == 95.0);
    assert_true(figures_latency_ms(&f, 1.0) == 100.0);
    for (int i = 0; i < 1000; i++)
        figures_add_latency(&f, 0);
    assert_int_equal(f.count, FIGURES_LATENCIES);
    figures_begin(&f, 2000000);
    assert_true(figures_latency_ms(&f, 0.5) == 0.0);
}

static void test_rate(void **state)
{
    (void)state;
    struct figures f;
    figures_begin(&f, 1000000);
    f.presents = 30;
    assert_true(figures_fps(&f, 2000000) == 30.0);
    assert_true(figures_fps(&f, 3000000) == 15.0);
    assert_true(figures_fps(&f, 1000000) == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percentiles),
        cmocka_unit_test(test_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
