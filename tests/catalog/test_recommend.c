/* recommend(): moods, filters, variety, songs, groups and reasons over the fixture catalogue. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/desk.h"
#include "catalog/fixture.h"
#include "catalog/policy.h"
#include "catalog/recommend.h"

static void the_sad_are_lifted_and_the_frightened_spared(void **state)
{
    struct desk *d = *state;
    struct recommend_query q = desk_ask(d->lift, EMOTION_SAD, 3);
    struct title_list l = desk_list(d, NULL, &q);
    assert_non_null(strstr(l.v[0].genres, "Comedy"));
    assert_string_equal(l.v[0].why, "Looks sad, you asked to be lifted: comedies do that; 7.8 from "
                                    "80,000 votes.");
    title_list_free(&l);
    q = desk_ask(d->lift, EMOTION_FEAR, 11);
    l = desk_list(d, NULL, &q);
    assert_false(desk_holds(&l, 107)); /* horror comes last of twelve */
    title_list_free(&l);
}

/* The first reason of a list. free() it. */
static char *why(struct desk *d, const struct policy *p, enum emotion e, bool by_hand)
{
    struct recommend_query q = desk_ask(p, e, 1);
    q.by_hand = by_hand;
    struct title_list l = desk_list(d, NULL, &q);
    char *text = mem_strdup(l.v[0].why);
    title_list_free(&l);
    return text;
}

static void reasons_follow_who_said_the_mood(void **state)
{
    struct desk *d = *state;
    static const struct {
        const char *policy;
        enum emotion mood;
        bool by_hand;
        const char *begin;
    } rows[] = {
        {"lift", EMOTION_SAD, false, "Looks sad, you asked to be lifted: "},
        {"lift", EMOTION_SAD, true, "For a sad mood, to be lifted: "},
        {"lift", EMOTION_ANGRY, true, "For an angry mood, to be lifted: "},
        {"lift", EMOTION_FEAR, false, "Looks afraid, you asked to be lifted: "},
        {"lift", EMOTION_FEAR, true, "For a fearful mood, to be lifted: "},
        {"lift", EMOTION_HAPPY, false, "Looks happy, a good mood to keep going: "},
        {"lift", EMOTION_HAPPY, true, "For a happy mood, to keep it going: "},
        {"lift", EMOTION_NEUTRAL, false, "Looks neutral; "},
        {"lift", EMOTION_NEUTRAL, true, "For a neutral mood; "},
        {"match", EMOTION_SAD, false, "Looks sad, you asked to stay with it: "},
        {"match", EMOTION_SAD, true, "For a sad mood, to stay with it: "},
        {"surprise", EMOTION_NEUTRAL, true, "For a neutral mood, with a surprise: "},
        {"seed-001", EMOTION_SAD, true, "For a sad mood, the table of seed 001 answers: Drama"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct policy *p = fixture_policy(rows[i].policy);
        char *text = why(d, p, rows[i].mood, rows[i].by_hand);
        if (strncmp(text, rows[i].begin, strlen(rows[i].begin)) != 0)
            fail_msg("\"%s\" does not begin \"%s\"", text, rows[i].begin);
        free(text);
        policy_free(p);
    }
}

static void matching_fear_finds_horror(void **state)
{
    struct desk *d = *state;
    struct policy *match = fixture_policy("match");
    struct recommend_query q = desk_ask(match, EMOTION_FEAR, 1);
    struct title_list l = desk_list(d, NULL, &q);
    assert_int_equal(l.v[0].id, 107);
    title_list_free(&l);
    policy_free(match);
}

static void the_whole_vector_counts(void **state)
{
    struct desk *d = *state;
    struct recommend_query q = desk_ask(d->lift, EMOTION_SAD, 12);
    struct title_list sad = desk_list(d, NULL, &q);
    q.mood.p[EMOTION_SAD] = 0.5f;
    q.mood.p[EMOTION_SURPRISE] = 0.5f;
    struct title_list mixed = desk_list(d, NULL, &q);
    float before = 0, after = 0;
    for (int i = 0; i < 12; i++) {
        before = sad.v[i].id == 110 ? sad.v[i].score : before;
        after = mixed.v[i].id == 110 ? mixed.v[i].score : after;
    }
    assert_true(after > before); /* science fiction suits surprise */
    title_list_free(&sad);
    title_list_free(&mixed);
}

/* Two films with one mean rating: the one that is hardly known comes second, by as much as the
 * policy says. */
static void popularity_is_the_policys(void **state)
{
    struct desk *d = *state;
    static const char films[] = "title,year,genres,rating,votes\nKnown,2001,Comedy,7.0,90000\n"
                                "Unknown,1961,Comedy,7.0,10\nOther,1981,Drama,7.0,3000\n";
    static const struct {
        const char *popularity;
        double ratio; /* m is 3,000: (1 + p 10/3010) / (1 + p 90000/93000) */
    } rows[] = {{"0", 1}, {"1", 1.0033223 / 1.9677419}, {"8", 1.0265781 / 8.7419355}};
    struct err err = {0};
    const char *file = testing_path(d->dir, "three.csv");
    struct import_options o = {.kind = IMPORT_MOVIES, .path = file, .replace = true,
                               .catalog = testing_path(d->dir, "three.db")};
    testing_write(file, films, strlen(films));
    fixture_check(import_run(&o, NULL, &err), &err);
    catalog_close(d->c);
    d->c = NULL;
    fixture_check(catalog_open(&d->c, o.catalog, &err), &err);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct policy *p = NULL;
        char text[120];
        int len = snprintf(text, sizeof text, "diversity = no\nsad = Comedy 1, Drama -1\n"
                           "popularity = %s\n",
                           rows[i].popularity);
        fixture_check(policy_parse(&p, "test", text, (size_t)len, &err), &err);
        struct recommend_query q = desk_ask(p, EMOTION_SAD, 3);
        struct title_list l = desk_list(d, NULL, &q);
        assert_string_equal(l.v[0].name, "Known");
        assert_float_equal(l.v[1].score / l.v[0].score, rows[i].ratio, 0.001);
        title_list_free(&l);
        policy_free(p);
    }
}

static void filters_hold_together(void **state)
{
    struct desk *d = *state;
    struct recommend_query q = desk_ask(d->lift, EMOTION_HAPPY, 12);
    q.language = "French";
    q.minutes_max = 90;
    struct title_list l = desk_list(d, NULL, &q);
    assert_int_equal(l.count, 1);
    assert_int_equal(l.v[0].id, 105);
    assert_true(l.exhausted);
    assert_string_equal(l.note, "The list is exhausted: only 1 title of the catalogue fits all of "
                                "this.");
    title_list_free(&l);
    q.certificate_max = 12; /* known of none */
    l = desk_list(d, NULL, &q);
    assert_int_equal(l.count, 0);
    assert_non_null(strstr(l.note, "no title of the catalogue fits all of this; certificates"));
    title_list_free(&l);
    q = desk_ask(d->lift, EMOTION_HAPPY, 12);
    q.actor = "bob best";
    q.director = "Anna Able";
    l = desk_list(d, NULL, &q);
    assert_int_equal(l.count, 2);
    assert_true(desk_holds(&l, 101) && desk_holds(&l, 102));
    title_list_free(&l);
    q = desk_ask(d->lift, EMOTION_HAPPY, 12);
    assert_true(recommend_parse_decade("1990s", &q.year_min, &q.year_max));
    l = desk_list(d, NULL, &q);
    assert_int_equal(l.count, 3);
    title_list_free(&l);
}

static void decades_in_every_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        int from, to;
    } cases[] = {{"1990s", true, 1990, 1999}, {"90s", true, 1990, 1999},
                 {"1990", true, 1990, 1999},  {"20s", true, 2020, 2029},
                 {"1985-1999", true, 1985, 1999}, {"1999-1985", false, 0, 0},
                 {"1995s", false, 0, 0},      {"soon", false, 0, 0}, {"", false, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int from = 0, to = 0;
        assert_int_equal(recommend_parse_decade(cases[i].text, &from, &to), cases[i].good);
        assert_int_equal(from, cases[i].from);
        assert_int_equal(to, cases[i].to);
    }
}

static void a_name_is_completed_or_names_are_offered(void **state)
{
    struct desk *d = *state;
    struct recommend_query q = desk_ask(d->lift, EMOTION_HAPPY, 12);
    struct title_list l = {0};
    struct err err = {0};
    q.actor = "Lea Mor"; /* accents apart */
    l = desk_list(d, NULL, &q);
    assert_int_equal(l.count, 1);
    title_list_free(&l);
    q.actor = "Nobody";
    assert_int_equal(recommend(d->c, NULL, &q, &l, &err), ERR_NOT_FOUND);
    q.actor = NULL;
    q.language = "klingon";
    assert_int_equal(recommend(d->c, NULL, &q, &l, &err), ERR_NOT_FOUND);
}

static void variety_moves_a_second_genre_forward(void **state)
{
    struct desk *d = *state;
    struct recommend_query q = desk_ask(d->lift, EMOTION_SAD, 3);
    struct title_list l = desk_list(d, NULL, &q), by_score;
    float best[3] = {0};
    q.limit = 12;
    by_score = desk_list(d, NULL, &q);
    for (int i = 0; i < 12; i++) /* 101, 102, 103: comedies of one decade and director */
        if (by_score.v[i].id <= 103)
            best[by_score.v[i].id - 101] = by_score.v[i].score;
    for (int i = 0; i < 12; i++)
        assert_true(by_score.v[i].id <= 103 || (by_score.v[i].score < best[0] &&
                                                by_score.v[i].score < best[1]));
    assert_false(desk_holds(&l, 101) && desk_holds(&l, 102) && desk_holds(&l, 103));
    title_list_free(&l);
    title_list_free(&by_score);
}

static void a_kind_that_is_not_there_is_named(void **state)
{
    struct desk *d = *state;
    struct recommend_query q = desk_ask(d->lift, EMOTION_SAD, 3);
    q.kind = TITLE_SERIES;
    struct title_list l = desk_list(d, d->f, &q);
    assert_int_equal(l.count, 0);
    assert_non_null(strstr(l.note, "The catalogue holds no series at all"));
    title_list_free(&l);
}

/* Where a policy does not aim at a tone, the tone is no reason. */
static void reasons_name_only_what_decided(void **state)
{
    struct desk *d = *state;
    static const char text[] = "sad = Comedy 1\naim = with a surprise\n";
    struct policy *p = NULL;
    struct err err = {0};
    fixture_check(policy_parse(&p, "test", text, strlen(text), &err), &err);
    struct recommend_query q = desk_ask(p, EMOTION_SAD, 1);
    q.by_hand = true;
    q.kind = TITLE_SONG;
    struct title_list l = desk_list(d, NULL, &q);
    assert_string_equal(l.v[0].why, "For a sad mood, with a surprise.");
    title_list_free(&l);
    policy_free(p);
}

static void a_group_is_spoken_of_as_one(void **state)
{
    struct desk *d = *state;
    struct emotion_scores faces[] = {emotion_pure(EMOTION_SAD), emotion_pure(EMOTION_SAD)};
    struct recommend_query q = desk_ask(d->lift, EMOTION_SAD, 1);
    q.faces = faces;
    q.face_count = 2;
    struct title_list l = desk_list(d, NULL, &q);
    assert_int_equal(strncmp(l.v[0].why, "The group looks sad, you asked", 30), 0);
    title_list_free(&l);
}

static void songs_follow_valence_and_energy(void **state)
{
    struct desk *d = *state;
    struct recommend_query q = desk_ask(d->lift, EMOTION_SAD, 4);
    q.kind = TITLE_SONG;
    struct title_list l = desk_list(d, NULL, &q);
    assert_string_equal(l.v[0].name, "Up");
    assert_string_equal(l.v[0].makers, "The Lift");
    title_list_free(&l);
    q = desk_ask(d->lift, EMOTION_ANGRY, 4);
    q.kind = TITLE_SONG;
    l = desk_list(d, NULL, &q);
    assert_string_equal(l.v[0].name, "Still");
    title_list_free(&l);
}

static void a_group_can_spare_its_unhappiest_member(void **state)
{
    struct desk *d = *state;
    struct policy *p = NULL;
    struct err err = {0};
    static const char text[] = "happy = Comedy 1, Drama 0.1, Horror 0.9\n"
                               "fear = Comedy -0.9, Drama 0.1, Horror -0.9\n"
                               "quality = no\n";
    struct emotion_scores faces[2] = {emotion_pure(EMOTION_HAPPY), emotion_pure(EMOTION_FEAR)};
    fixture_check(policy_parse(&p, "group", text, sizeof text - 1, &err), &err);
    struct recommend_query q = desk_ask(p, EMOTION_HAPPY, 12);
    q.faces = faces;
    q.face_count = 2;
    q.group = GROUP_LEAST_MISERY;
    struct title_list l = desk_list(d, NULL, &q);
    assert_string_equal(l.v[0].genres, "Drama");
    assert_false(strcmp(l.v[11].genres, "Drama") == 0);
    title_list_free(&l);
    policy_free(p);
}

static void the_hot_path_neither_scans_nor_sorts(void **state)
{
    struct desk *d = *state;
    struct recommend_query q = desk_ask(d->lift, EMOTION_SAD, 12);
    int64_t scans = -1, sorts = -1;
    q.actor = "Bob Best";
    q.language = "en";
    struct title_list l = desk_list(d, d->f, &q);
    title_list_free(&l);
    fixture_check(catalog_search(d->c, "t", -1, 20, &l, NULL), &(struct err){0});
    title_list_free(&l);
    catalog_hot_path_counts(d->c, &scans, &sorts);
    assert_int_equal(scans, 0);
    assert_int_equal(sorts, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, desk_open, desk_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_sad_are_lifted_and_the_frightened_spared),
        TEST(reasons_follow_who_said_the_mood),
        TEST(matching_fear_finds_horror),
        TEST(the_whole_vector_counts),
        TEST(popularity_is_the_policys),
        TEST(filters_hold_together),
        cmocka_unit_test(decades_in_every_form),
        TEST(a_name_is_completed_or_names_are_offered),
        TEST(variety_moves_a_second_genre_forward),
        TEST(a_kind_that_is_not_there_is_named),
        TEST(reasons_name_only_what_decided),
        TEST(a_group_is_spoken_of_as_one),
        TEST(songs_follow_valence_and_energy),
        TEST(a_group_can_spare_its_unhappiest_member),
        TEST(the_hot_path_neither_scans_nor_sorts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
