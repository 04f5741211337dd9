/* Names and arithmetic of the seven emotions. */
#include "support/testing.h"

#include <math.h>

#include "emotion.h"

static void test_names_round_trip(void **state)
{
    (void)state;
    for (int e = 0; e < EMOTION_COUNT; e++) {
        enum emotion parsed = EMOTION_COUNT;
        assert_true(emotion_parse(emotion_name((enum emotion)e), &parsed));
        assert_int_equal(parsed, e);
    }
    enum emotion e = EMOTION_COUNT;
    assert_true(emotion_parse("Happiness", &e));
    assert_int_equal(e, EMOTION_HAPPY);
    assert_false(emotion_parse("hungry", &e));
    assert_int_equal(e, EMOTION_HAPPY);
}

static void test_top_and_confidence(void **state)
{
    (void)state;
    struct emotion_scores s = {{0.1f, 0.0f, 0.0f, 0.6f, 0.3f, 0.0f, 0.0f}};
    assert_int_equal(emotion_top(&s), EMOTION_HAPPY);
    assert_true(fabsf(emotion_confidence(&s) - 0.3f) < 1e-6f);
}

static void test_blend_and_normalise(void **state)
{
    (void)state;
    struct emotion_scores a = emotion_pure(EMOTION_SAD), b = emotion_pure(EMOTION_HAPPY);
    emotion_blend(&a, &b, 0.25f);
    assert_true(fabsf(a.p[EMOTION_SAD] - 0.75f) < 1e-6f);
    assert_true(fabsf(a.p[EMOTION_HAPPY] - 0.25f) < 1e-6f);
    struct emotion_scores zero = {{0}}, big = {{0}};
    emotion_normalise(&zero);
    assert_int_equal(emotion_top(&zero), EMOTION_NEUTRAL);
    big.p[EMOTION_FEAR] = 3.0f;
    big.p[EMOTION_ANGRY] = 1.0f;
    emotion_normalise(&big);
    assert_true(fabsf(big.p[EMOTION_FEAR] - 0.75f) < 1e-6f);
    zero.p[0] = NAN;
    emotion_normalise(&zero);
    assert_true(zero.p[EMOTION_NEUTRAL] == 1.0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_round_trip),
        cmocka_unit_test(test_top_and_confidence),
        cmocka_unit_test(test_blend_and_normalise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
