/* Metrics against numbers worked out by hand. */
#include "support/testing.h"

#include <math.h>
#include <string.h>

#include "nn/metrics.h"

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

/* truth a: 5 right, 1 as b; truth b: 2 as a, 3 right, 1 as c; truth c: 4 as b. */
static struct nn_confusion example(void)
{
    struct nn_confusion c;
    nn_confusion_init(&c, 3);
    static const int cells[3][3] = {{5, 1, 0}, {2, 3, 1}, {0, 4, 0}};
    for (int t = 0; t < 3; t++)
        for (int g = 0; g < 3; g++)
            for (int i = 0; i < cells[t][g]; i++)
                nn_confusion_add(&c, t, g);
    return c;
}

static void test_accuracy_and_scores(void **state)
{
    (void)state;
    struct nn_confusion c = example();
    assert_int_equal(nn_confusion_total(&c), 16);
    assert_true(near(nn_confusion_accuracy(&c), 8.0 / 16));
    struct nn_score a = nn_confusion_score(&c, 0), b = nn_confusion_score(&c, 1);
    assert_true(near(a.precision, 5.0 / 7) && near(a.recall, 5.0 / 6) && near(a.f1, 10.0 / 13));
    assert_true(near(b.precision, 3.0 / 8) && near(b.recall, 3.0 / 6) && near(b.f1, 6.0 / 14));
    assert_int_equal(b.support, 6);
    assert_true(near(nn_confusion_macro_f1(&c), (10.0 / 13 + 6.0 / 14 + 0) / 3));
}

static void test_empty_matrix_and_absent_class(void **state)
{
    (void)state;
    struct nn_confusion c;
    nn_confusion_init(&c, 3);
    assert_true(near(nn_confusion_accuracy(&c), 0) && near(nn_confusion_macro_f1(&c), 0));
    nn_confusion_add(&c, 0, 0);
    nn_confusion_add(&c, 1, 1);
    assert_true(near(nn_confusion_macro_f1(&c), 1)); /* class 2 never occurs */
}

static void test_csv_has_a_header_and_a_row_per_class(void **state)
{
    (void)state;
    struct nn_confusion c = example();
    struct str out = {0};
    nn_confusion_csv(&c, (const char *const[]){"a", "b", "c"}, &out);
    assert_string_equal(out.s, "truth\\guess,a,b,c\na,5,1,0\nb,2,3,1\nc,0,4,0\n");
    str_free(&out);
}

static void test_softmax_with_temperature(void **state)
{
    (void)state;
    const float logits[3] = {1000, 1000 - 2, 1000 - 4};
    float p[3];
    nn_softmax_row(logits, 3, 2, p); /* weights 1, e^-1, e^-2 */
    double sum = 1 + exp(-1) + exp(-2);
    assert_true(fabs((double)p[0] - 1 / sum) < 1e-6 && fabs((double)p[2] - exp(-2) / sum) < 1e-6);
    assert_int_equal(nn_argmax((const float[]){1, 3, 3, 2}, 4), 1);
}

static void test_log_loss(void **state)
{
    (void)state;
    const float logits[4] = {0, 0, (float)log(3), 0}; /* p: 1/2 1/2, 3/4 1/4 */
    const uint8_t labels[2] = {0, 1};
    assert_true(fabs(nn_log_loss(logits, labels, 2, 2, 1) - (log(2) + log(4)) / 2) < 1e-6);
}

static void test_calibration_error(void **state)
{
    (void)state;
    /* Two pictures at 0.9 (one right), two at 0.6 (both right): 15 bins keep them apart.
     * |0.5 - 0.9| x 2/4 + |1 - 0.6| x 2/4 = 0.4 */
    const float p[8] = {0.9f, 0.1f, 0.1f, 0.9f, 0.6f, 0.4f, 0.4f, 0.6f};
    const uint8_t labels[4] = {0, 0, 0, 1};
    assert_true(fabs(nn_calibration_error(p, labels, 4, 2) - 0.4) < 1e-6);
    const float sure[2] = {1, 0}; /* confidence 1 belongs to the last bin */
    assert_true(near(nn_calibration_error(sure, labels, 1, 2), 0));
}

static void test_temperature_is_recovered(void **state)
{
    (void)state;
    /* 4 pictures with logit gap 3, three right: the best gap is log 3, so T = 3 / log 3. */
    const float logits[8] = {3, 0, 3, 0, 3, 0, 3, 0};
    const uint8_t labels[4] = {0, 0, 0, 1};
    assert_true(fabs(nn_fit_temperature(logits, labels, 4, 2) - 3 / log(3)) < 1e-3);
    assert_true(near(nn_fit_temperature(logits, labels, 0, 2), 1));
}

static void test_majority_follows_barsoum(void **state)
{
    (void)state;
    struct {
        float votes[10];
        int want;
    } cases[] = {
        {{4, 0, 0, 1, 3, 2, 0, 0, 0, 0}, -1},  /* 4 of 9: no majority once the single vote went */
        {{6, 0, 1, 1, 0, 0, 0, 0, 2, 0}, 0},   /* 6 of 8 */
        {{0, 5, 5, 0, 0, 0, 0, 0, 0, 0}, -1},  /* a tie is no majority */
        {{0, 5, 1, 1, 1, 1, 1, 0, 0, 0}, 1},   /* five single votes are outliers */
        {{0, 0, 0, 0, 0, 0, 0, 2, 8, 0}, -1},  /* unknown */
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 10}, -1}, /* not a face */
        {{0, 0, 0, 0, 0, 0, 0, 9, 1, 0}, 7},   /* contempt counts */
        {{0}, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float share[10];
        for (int v = 0; v < 10; v++)
            share[v] = cases[i].votes[v] / 10;
        assert_int_equal(nn_majority(cases[i].votes, 10, 1), cases[i].want);
        assert_int_equal(nn_majority(share, 10, 10), cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accuracy_and_scores),
        cmocka_unit_test(test_empty_matrix_and_absent_class),
        cmocka_unit_test(test_csv_has_a_header_and_a_row_per_class),
        cmocka_unit_test(test_softmax_with_temperature),
        cmocka_unit_test(test_log_loss),
        cmocka_unit_test(test_calibration_error),
        cmocka_unit_test(test_temperature_is_recovered),
        cmocka_unit_test(test_majority_follows_barsoum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
