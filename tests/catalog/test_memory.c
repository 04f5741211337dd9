/* What people say and what was shown to them: used at once, kept, cleared. */
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "catalog/desk.h"
#include "catalog/feedback.h"
#include "catalog/fixture.h"
#include "catalog/recommend.h"

static void nothing_repeats_until_the_list_is_exhausted(void **state)
{
    struct desk *d = *state;
    struct recommend_query q = desk_ask(d->lift, EMOTION_SAD, 5);
    int64_t seen[64];
    int count = 0;
    for (int round = 0; round < 3; round++) {
        struct title_list l = desk_list(d, d->f, &q);
        for (int i = 0; i < l.count; i++) {
            for (int k = 0; k < count; k++)
                assert_int_not_equal(seen[k], l.v[i].id);
            seen[count++] = l.v[i].id;
        }
        assert_int_equal(l.exhausted, round == 2);
        assert_int_equal(l.note[0] != '\0', round == 2);
        title_list_free(&l);
    }
    assert_int_equal(count, 12);
    q.allow_repeats = true;
    struct title_list l = desk_list(d, d->f, &q);
    assert_int_equal(l.count, 5);
    title_list_free(&l);
}

static void shuffle_spends_the_list_before_repeating(void **state)
{
    struct desk *d = *state;
    struct recommend_query q = desk_ask(d->lift, EMOTION_SAD, 0);
    unsigned seen = 0;
    q.shuffle = 3;
    for (int round = 0; round < 4; round++) {
        q.seed = (uint64_t)round;
        struct title_list l = desk_list(d, d->f, &q);
        assert_int_equal(l.count, 3);
        for (int i = 0; i < 3; i++) {
            unsigned bit = 1u << (l.v[i].id - 101);
            assert_int_equal(seen & bit, 0);
            seen |= bit;
        }
        title_list_free(&l);
    }
    struct title_list l = desk_list(d, d->f, &q);
    assert_int_equal(l.count, 0);
    assert_true(l.exhausted);
    title_list_free(&l);
}

static void feedback_is_used_at_once(void **state)
{
    struct desk *d = *state;
    struct err err = {0};
    struct recommend_query q = desk_ask(d->lift, EMOTION_NEUTRAL, 12);
    q.allow_repeats = true;
    struct title_list before = desk_list(d, d->f, &q), l = {0};
    fixture_check(catalog_title(d->c, 108, &l, &err), &err);
    fixture_check(feedback_set_opinion(d->f, l.v, OPINION_LIKE, &err), &err);
    title_list_free(&l);
    fixture_check(catalog_title(d->c, 107, &l, &err), &err);
    fixture_check(feedback_set_opinion(d->f, l.v, OPINION_DISLIKE, &err), &err);
    title_list_free(&l);
    fixture_check(catalog_title(d->c, 105, &l, &err), &err);
    fixture_check(feedback_set_seen(d->f, l.v, true, &err), &err);
    title_list_free(&l);
    struct title_list after = desk_list(d, d->f, &q);
    assert_false(desk_holds(&after, 107));
    assert_false(desk_holds(&after, 105));
    for (int i = 0; i < after.count; i++)
        if (after.v[i].id == 110) /* the director of 108 made it */
            assert_non_null(strstr(after.v[i].why, "with Jon Jarre, whom you like"));
        else if (after.v[i].id == 108) /* is no reason for itself */
            assert_null(strstr(after.v[i].why, "whom you like"));
    assert_true(desk_holds(&before, 107) && desk_holds(&before, 105));
    q.hide_seen = false;
    title_list_free(&after);
    after = desk_list(d, d->f, &q);
    assert_true(desk_holds(&after, 105));
    title_list_free(&before);
    title_list_free(&after);
}

static void count_line(const char *text, void *payload)
{
    assert_non_null(strchr(text, '\t'));
    ++*(int *)payload;
}

static void clear_all_leaves_no_trace(void **state)
{
    struct desk *d = *state;
    struct err err = {0};
    struct title_list l = {0};
    int lines = 0;
    const char *path = testing_path(d->dir, "user.db");
    fixture_check(catalog_title(d->c, 103, &l, &err), &err);
    fixture_check(feedback_set_opinion(d->f, l.v, OPINION_LIKE, &err), &err);
    fixture_check(feedback_set_later(d->f, l.v, true, &err), &err);
    title_list_free(&l);
    assert_true(feedback_is_later(d->f, 103));
    fixture_check(feedback_export(d->f, count_line, &lines, &err), &err);
    assert_int_equal(lines, 1);
    assert_true(fixture_file_holds(path, "The Long Joke"));
    fixture_check(feedback_clear_all(d->f, &err), &err);
    lines = 0;
    fixture_check(feedback_export(d->f, count_line, &lines, &err), &err);
    assert_int_equal(lines, 0);
    assert_int_equal(feedback_opinion(d->f, 103), OPINION_NONE);
    assert_false(fixture_file_holds(path, "The Long Joke"));
}

static void two_programs_share_the_feedback(void **state)
{
    struct desk *d = *state;
    struct err err = {0};
    struct feedback *other = NULL;
    struct title_list l = {0};
    struct recommend_query q = desk_ask(d->lift, EMOTION_SAD, 12);
    q.allow_repeats = true;
    struct title_list first = desk_list(d, d->f, &q);
    fixture_check(feedback_open(&other, testing_path(d->dir, "user.db"), NULL, &err), &err);
    fixture_check(catalog_title(d->c, 101, &l, &err), &err);
    fixture_check(feedback_set_opinion(other, l.v, OPINION_DISLIKE, &err), &err);
    title_list_free(&l);
    l = desk_list(d, d->f, &q);
    assert_true(desk_holds(&first, 101));
    assert_false(desk_holds(&l, 101));
    title_list_free(&l);
    title_list_free(&first);
    feedback_close(other);
}

static void damaged_feedback_is_moved_aside(void **state)
{
    struct desk *d = *state;
    struct err err = {0};
    struct feedback *f = NULL;
    bool moved = false;
    const char *path = testing_path(d->dir, "broken.db");
    testing_write(path, "this is not a database, but long enough to be one .........", 60);
    fixture_check(feedback_open(&f, path, &moved, &err), &err);
    assert_true(moved);
    assert_true(fixture_file_holds(testing_path(d->dir, "broken.db.damaged"), "not a database"));
    feedback_close(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, desk_open, desk_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_repeats_until_the_list_is_exhausted),
        TEST(shuffle_spends_the_list_before_repeating),
        TEST(feedback_is_used_at_once),
        TEST(clear_all_leaves_no_trace),
        TEST(two_programs_share_the_feedback),
        TEST(damaged_feedback_is_moved_aside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
