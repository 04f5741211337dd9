/* The FER+ votes as a teacher: it learns how often votes and labels go together. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "emotion.h"
#include "lab/vote_teacher.h"
#include "nn/zoo.h"

enum { ROWS = 2000 };

/* Votes all for anger: labels seven times in ten angry, else afraid. Votes all for happiness:
 * always happy. The last row, sad, nobody rated. */
static struct nn_dataset *rated(int shares)
{
    struct nn_dataset *d = nn_dataset_create(1, 1, 1, EMOTION_COUNT, shares);
    for (int i = 0; i <= ROWS; i++) {
        float share[NN_FERPLUS_SHARES] = {0};
        bool angry = i % 2 == 0;
        int label = !angry ? EMOTION_HAPPY : i % 20 < 14 ? EMOTION_ANGRY : EMOTION_FEAR;
        if (i < ROWS)
            share[angry ? 4 : 1] = 1;
        uint8_t pixel = 0;
        assert_int_equal(nn_dataset_add(d, &pixel, i < ROWS ? label : EMOTION_SAD, NN_TRAINING,
                                        shares > 0 ? share : NULL, NULL),
                         0);
    }
    return d;
}

static void test_votes_tell_how_often_labels_go_with_them(void **state)
{
    (void)state;
    struct nn_dataset *d = rated(NN_FERPLUS_SHARES);
    struct nn_view all;
    float *soft = calloc((size_t)d->count, EMOTION_COUNT * sizeof *soft);
    nn_view_of_split(&all, d, NN_TRAINING);
    assert_int_equal(vote_teacher_add(&all, 0.5f, soft, NULL), 0);
    const float *angry = soft, *happy = soft + EMOTION_COUNT, *sad = soft + ROWS * EMOTION_COUNT;
    assert_true(fabsf(angry[EMOTION_ANGRY] - 0.5f * 0.7f) < 0.02f);
    assert_true(fabsf(angry[EMOTION_FEAR] - 0.5f * 0.3f) < 0.02f);
    assert_true(happy[EMOTION_HAPPY] > 0.48f);
    assert_true(sad[EMOTION_SAD] == 0.5f);
    for (int i = 0; i < d->count; i++) {
        float sum = 0;
        for (int c = 0; c < EMOTION_COUNT; c++)
            sum += soft[i * EMOTION_COUNT + c];
        assert_true(fabsf(sum - 0.5f) < 1e-5f);
    }
    free(soft);
    nn_view_free(&all);
    nn_dataset_destroy(d);
}

static void test_without_votes_nothing_is_told(void **state)
{
    (void)state;
    struct nn_dataset *d = rated(0);
    struct nn_view all;
    float soft[EMOTION_COUNT];
    struct err err = {0};
    nn_view_of_split(&all, d, NN_TRAINING);
    assert_int_equal(vote_teacher_add(&all, 1, soft, &err), ERR_RANGE);
    assert_non_null(strstr(err.text, "--votes"));
    nn_view_free(&all);
    nn_dataset_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_votes_tell_how_often_labels_go_with_them),
        cmocka_unit_test(test_without_votes_nothing_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
