/* The choice between a quick and an accurate network, with made-up times. */
#include <math.h>

#include "support/testing.h"
#include "vision/model_pick.h"

enum { QUICK, ACCURATE };

static struct model_pick pair(float quick_ms, float accurate_ms)
{
    struct model_pick p;
    model_pick_begin(&p, quick_ms);
    model_pick_add(&p, accurate_ms);
    return p;
}

static void one_model_is_always_chosen(void **state)
{
    (void)state;
    struct model_pick p;
    model_pick_begin(&p, 500.0f);
    assert_int_equal(model_pick_choose(&p, 8, 1.0f), QUICK);
}

static void the_number_of_faces_decides(void **state)
{
    (void)state;
    struct model_pick p = pair(1.0f, 8.0f);
    assert_int_equal(model_pick_choose(&p, 1, 25.0f), ACCURATE);
    assert_int_equal(model_pick_choose(&p, 3, 25.0f), ACCURATE);
    assert_int_equal(model_pick_choose(&p, 4, 25.0f), QUICK);
    assert_int_equal(model_pick_choose(&p, 8, 25.0f), QUICK);
    assert_int_equal(model_pick_choose(&p, 1, 25.0f), ACCURATE);
    assert_int_equal(model_pick_choose(&p, 0, 25.0f), ACCURATE);
}

/* Between three quarters and the whole of the budget whatever is used stays. */
static void the_choice_is_steady(void **state)
{
    (void)state;
    struct model_pick p = pair(1.0f, 8.0f);
    assert_int_equal(model_pick_choose(&p, 3, 25.0f), QUICK); /* 24 > 18.75: not taken up */
    assert_int_equal(model_pick_choose(&p, 2, 25.0f), ACCURATE);
    assert_int_equal(model_pick_choose(&p, 3, 25.0f), ACCURATE); /* 24 <= 25: kept */
    assert_int_equal(model_pick_choose(&p, 4, 25.0f), QUICK);
}

/* A machine that becomes busy slows the quick model too, so its times tell when it is over. */
static void a_busy_machine_is_noticed_and_forgotten(void **state)
{
    (void)state;
    struct model_pick p = pair(1.0f, 8.0f);
    assert_int_equal(model_pick_choose(&p, 2, 25.0f), ACCURATE);
    for (int i = 0; i < 40; i++) { /* everything takes four times as long */
        model_pick_measured(&p, 2, (p.current == ACCURATE ? 16.0f : 2.0f) * 4.0f);
        model_pick_choose(&p, 2, 25.0f);
    }
    assert_int_equal(p.current, QUICK);
    assert_true(fabsf(model_pick_ms(&p, ACCURATE, 2) - 64.0f) < 2.0f);
    for (int i = 0; i < 40; i++) {
        model_pick_measured(&p, 2, p.current == ACCURATE ? 16.0f : 2.0f);
        model_pick_choose(&p, 2, 25.0f);
    }
    assert_int_equal(p.current, ACCURATE);
}

static void one_outlier_changes_nothing(void **state)
{
    (void)state;
    struct model_pick p = pair(1.0f, 8.0f);
    assert_int_equal(model_pick_choose(&p, 1, 25.0f), ACCURATE);
    model_pick_measured(&p, 1, 5000.0f);
    assert_int_equal(model_pick_choose(&p, 1, 25.0f), ACCURATE);
    model_pick_measured(&p, 0, 3.0f); /* a picture without a face says nothing */
    assert_int_equal(model_pick_choose(&p, 1, 25.0f), ACCURATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_model_is_always_chosen),
        cmocka_unit_test(the_number_of_faces_decides),
        cmocka_unit_test(the_choice_is_steady),
        cmocka_unit_test(a_busy_machine_is_noticed_and_forgotten),
        cmocka_unit_test(one_outlier_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
