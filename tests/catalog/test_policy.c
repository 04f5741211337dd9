/* Policy files: what they may say, the installed ones, the tables of the seeds. */
#include <string.h>

#include "base/str.h"
#include "catalog/desk.h"
#include "catalog/fixture.h"
#include "catalog/policy.h"
#include "catalog/recommend.h"

static void seed_001_lists_the_best_of_one_genre_and_admits_shortage(void **state)
{
    struct desk *d = *state;
    struct policy *p = fixture_policy("seed-001");
    struct recommend_query q = desk_ask(p, EMOTION_SURPRISE, 50);
    for (int round = 0; round < 2; round++) { /* a fixed list: no memory */
        struct title_list l = desk_list(d, d->f, &q);
        assert_int_equal(l.count, 1);
        assert_int_equal(l.v[0].id, 106);
        assert_non_null(strstr(l.note, "only 1 title of genre Film-Noir that fits"));
        title_list_free(&l);
    }
    policy_free(p);
}

static void seed_000_takes_the_first_five_in_catalogue_order(void **state)
{
    struct desk *d = *state;
    struct policy *p = fixture_policy("seed-000");
    struct recommend_query q = desk_ask(p, EMOTION_HAPPY, 10);
    struct title_list l = desk_list(d, NULL, &q);
    static const int64_t wanted[] = {101, 102, 103, 104};
    assert_int_equal(l.count, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(l.v[i].id, wanted[i]);
    title_list_free(&l);
    policy_free(p);
}

static void the_seed_tables_are_verbatim(void **state)
{
    (void)state;
    static const char *const seed_000[EMOTION_COUNT] = {
        "Action|Thriller", "Horror", "Horror|Thriller", "Comedy|Family", "Drama",
        "Adventure|Sci-Fi", "Documentary"};
    static const char *const seed_001[EMOTION_COUNT] = {"Family", "Musical", "Sport", "Thriller",
                                                        "Drama", "Film-Noir", "Western"};
    struct policy *a = fixture_policy("seed-000"), *b = fixture_policy("seed-001");
    for (int e = 0; e < EMOTION_COUNT; e++) {
        const char *genres[4];
        struct str joined = {0};
        int count = policy_genres(a, (enum emotion)e, genres, 4);
        for (int i = 0; i < count; i++)
            str_addf(&joined, "%s%s", i > 0 ? "|" : "", genres[i]);
        assert_string_equal(joined.s, seed_000[e]);
        str_free(&joined);
        assert_int_equal(policy_genres(b, (enum emotion)e, genres, 4), 1);
        assert_string_equal(genres[0], seed_001[e]);
    }
    assert_int_equal(policy_limit(a), 5);
    assert_int_equal(policy_limit(b), 50);
    policy_free(a);
    policy_free(b);
}

static void policy_faults_name_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {{"sad = Comedy 2\n", "x:1"},         {"\nnonsense\n", "x:2"},
                 {"kind = best\n", "x:1"},            {"target sad = 0.5\n", "x:1"},
                 {"title = only\n", "no emotion"},    {"sad =\n", "x:1"},
                 {"joyless = Comedy\n", "x:1"},       {"sad = Comedy,,Drama\n", "x:1"},
                 {"limit = 0\n", "x:1"},              {"taste = maybe\n", "x:1"},
                 {"popularity = -1\n", "x:1"},       {"popularity = much\n", "x:1"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct policy *p = NULL;
        struct err err = {0};
        assert_int_equal(policy_parse(&p, "x", cases[i].text, strlen(cases[i].text), &err),
                         ERR_FORMAT);
        assert_non_null(strstr(err.text, cases[i].words));
    }
    struct policy *p = NULL;
    struct err err = {0};
    assert_int_equal(policy_load(&p, "no-such", &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "lift, match, surprise, seed-000, seed-001"));
}

static void every_installed_policy_loads(void **state)
{
    (void)state;
    for (size_t i = 0; policy_builtin(i) != NULL; i++) {
        struct policy *p = fixture_policy(policy_builtin(i));
        assert_string_equal(policy_name(p), policy_builtin(i));
        policy_free(p);
    }
    assert_string_equal(policy_builtin(0), "lift");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, desk_open, desk_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(seed_001_lists_the_best_of_one_genre_and_admits_shortage),
        TEST(seed_000_takes_the_first_five_in_catalogue_order),
        cmocka_unit_test(the_seed_tables_are_verbatim),
        cmocka_unit_test(policy_faults_name_their_line),
        cmocka_unit_test(every_installed_policy_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
