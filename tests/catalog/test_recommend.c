/* recommend(), search, feedback and policies over the fixture catalogue. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "catalog/ease.h"
#include "catalog/feedback.h"
#include "catalog/fixture.h"
#include "catalog/playlist.h"
#include "catalog/policy.h"
#include "catalog/recommend.h"
#include "catalog/sentiment.h"

struct desk {
    char *dir;
    struct catalog *c;
    struct feedback *f;
    struct policy *lift;
};

static int open_desk(void **state)
{
    static struct desk d;
    struct err err = {0};
    d.dir = testing_make_dir();
    fixture_check(catalog_open(&d.c, fixture_build(d.dir), &err), &err);
    fixture_check(feedback_open(&d.f, testing_path(d.dir, "user.db"), NULL, &err), &err);
    d.lift = fixture_policy("lift");
    *state = &d;
    return 0;
}

static int close_desk(void **state)
{
    struct desk *d = *state;
    policy_free(d->lift);
    feedback_close(d->f);
    catalog_close(d->c);
    testing_remove_dir(d->dir);
    return 0;
}

static struct recommend_query ask(const struct policy *p, enum emotion e, int limit)
{
    struct recommend_query q = recommend_defaults();
    q.mood = emotion_pure(e);
    q.policy = p;
    q.limit = limit;
    return q;
}

static struct title_list get(struct desk *d, struct feedback *f, const struct recommend_query *q)
{
    struct err err = {0};
    struct title_list l = {0};
    fixture_check(recommend(d->c, f, q, &l, &err), &err);
    return l;
}

static bool holds(const struct title_list *l, int64_t id)
{
    for (int i = 0; i < l->count; i++)
        if (l->v[i].id == id)
            return true;
    return false;
}

static void the_sad_are_lifted_and_the_frightened_spared(void **state)
{
    struct desk *d = *state;
    struct recommend_query q = ask(d->lift, EMOTION_SAD, 3);
    struct title_list l = get(d, NULL, &q);
    assert_non_null(strstr(l.v[0].genres, "Comedy"));
    assert_string_equal(l.v[0].why, "Looks sad, you asked to be lifted: comedies do that; 7.8 from "
                                    "80,000 votes.");
    title_list_free(&l);
    q = ask(d->lift, EMOTION_FEAR, 11);
    l = get(d, NULL, &q);
    assert_false(holds(&l, 107)); /* horror comes last of twelve */
    title_list_free(&l);
}

/* The first reason of a list. free() it. */
static char *why(struct desk *d, const struct policy *p, enum emotion e, bool by_hand)
{
    struct recommend_query q = ask(p, e, 1);
    q.by_hand = by_hand;
    struct title_list l = get(d, NULL, &q);
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
    struct recommend_query q = ask(match, EMOTION_FEAR, 1);
    struct title_list l = get(d, NULL, &q);
    assert_int_equal(l.v[0].id, 107);
    title_list_free(&l);
    policy_free(match);
}

static void the_whole_vector_counts(void **state)
{
    struct desk *d = *state;
    struct recommend_query q = ask(d->lift, EMOTION_SAD, 12);
    struct title_list sad = get(d, NULL, &q);
    q.mood.p[EMOTION_SAD] = 0.5f;
    q.mood.p[EMOTION_SURPRISE] = 0.5f;
    struct title_list mixed = get(d, NULL, &q);
    float before = 0, after = 0;
    for (int i = 0; i < 12; i++) {
        before = sad.v[i].id == 110 ? sad.v[i].score : before;
        after = mixed.v[i].id == 110 ? mixed.v[i].score : after;
    }
    assert_true(after > before); /* science fiction suits surprise */
    title_list_free(&sad);
    title_list_free(&mixed);
}

static void filters_hold_together(void **state)
{
    struct desk *d = *state;
    struct recommend_query q = ask(d->lift, EMOTION_HAPPY, 12);
    q.language = "French";
    q.minutes_max = 90;
    struct title_list l = get(d, NULL, &q);
    assert_int_equal(l.count, 1);
    assert_int_equal(l.v[0].id, 105);
    assert_true(l.exhausted);
    assert_string_equal(l.note, "The list is exhausted: only 1 title of the catalogue fits all of "
                                "this.");
    title_list_free(&l);
    q.certificate_max = 12; /* known of none */
    l = get(d, NULL, &q);
    assert_int_equal(l.count, 0);
    assert_non_null(strstr(l.note, "no title of the catalogue fits all of this; certificates"));
    title_list_free(&l);
    q = ask(d->lift, EMOTION_HAPPY, 12);
    q.actor = "bob best";
    q.director = "Anna Able";
    l = get(d, NULL, &q);
    assert_int_equal(l.count, 2);
    assert_true(holds(&l, 101) && holds(&l, 102));
    title_list_free(&l);
    q = ask(d->lift, EMOTION_HAPPY, 12);
    assert_true(recommend_parse_decade("1990s", &q.year_min, &q.year_max));
    l = get(d, NULL, &q);
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
    struct recommend_query q = ask(d->lift, EMOTION_HAPPY, 12);
    struct title_list l = {0};
    struct err err = {0};
    q.actor = "Lea Mor"; /* accents apart */
    l = get(d, NULL, &q);
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
    struct recommend_query q = ask(d->lift, EMOTION_SAD, 3);
    struct title_list l = get(d, NULL, &q), by_score;
    float best[3] = {0};
    q.limit = 12;
    by_score = get(d, NULL, &q);
    for (int i = 0; i < 12; i++) /* 101, 102, 103: comedies of one decade and director */
        if (by_score.v[i].id <= 103)
            best[by_score.v[i].id - 101] = by_score.v[i].score;
    for (int i = 0; i < 12; i++)
        assert_true(by_score.v[i].id <= 103 || (by_score.v[i].score < best[0] &&
                                                by_score.v[i].score < best[1]));
    assert_false(holds(&l, 101) && holds(&l, 102) && holds(&l, 103));
    title_list_free(&l);
    title_list_free(&by_score);
}

static void nothing_repeats_until_the_list_is_exhausted(void **state)
{
    struct desk *d = *state;
    struct recommend_query q = ask(d->lift, EMOTION_SAD, 5);
    int64_t seen[64];
    int count = 0;
    for (int round = 0; round < 3; round++) {
        struct title_list l = get(d, d->f, &q);
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
    struct title_list l = get(d, d->f, &q);
    assert_int_equal(l.count, 5);
    title_list_free(&l);
}

static void shuffle_spends_the_list_before_repeating(void **state)
{
    struct desk *d = *state;
    struct recommend_query q = ask(d->lift, EMOTION_SAD, 0);
    unsigned seen = 0;
    q.shuffle = 3;
    for (int round = 0; round < 4; round++) {
        q.seed = (uint64_t)round;
        struct title_list l = get(d, d->f, &q);
        assert_int_equal(l.count, 3);
        for (int i = 0; i < 3; i++) {
            unsigned bit = 1u << (l.v[i].id - 101);
            assert_int_equal(seen & bit, 0);
            seen |= bit;
        }
        title_list_free(&l);
    }
    struct title_list l = get(d, d->f, &q);
    assert_int_equal(l.count, 0);
    assert_true(l.exhausted);
    title_list_free(&l);
}

static void feedback_is_used_at_once(void **state)
{
    struct desk *d = *state;
    struct err err = {0};
    struct recommend_query q = ask(d->lift, EMOTION_NEUTRAL, 12);
    q.allow_repeats = true;
    struct title_list before = get(d, d->f, &q), l = {0};
    fixture_check(catalog_title(d->c, 108, &l, &err), &err);
    fixture_check(feedback_set_opinion(d->f, l.v, OPINION_LIKE, &err), &err);
    title_list_free(&l);
    fixture_check(catalog_title(d->c, 107, &l, &err), &err);
    fixture_check(feedback_set_opinion(d->f, l.v, OPINION_DISLIKE, &err), &err);
    title_list_free(&l);
    fixture_check(catalog_title(d->c, 105, &l, &err), &err);
    fixture_check(feedback_set_seen(d->f, l.v, true, &err), &err);
    title_list_free(&l);
    struct title_list after = get(d, d->f, &q);
    assert_false(holds(&after, 107));
    assert_false(holds(&after, 105));
    for (int i = 0; i < after.count; i++)
        if (after.v[i].id == 110) /* the director of 108 made it */
            assert_non_null(strstr(after.v[i].why, "with Jon Jarre, whom you like"));
        else if (after.v[i].id == 108) /* is no reason for itself */
            assert_null(strstr(after.v[i].why, "whom you like"));
    assert_true(holds(&before, 107) && holds(&before, 105));
    q.hide_seen = false;
    title_list_free(&after);
    after = get(d, d->f, &q);
    assert_true(holds(&after, 105));
    title_list_free(&before);
    title_list_free(&after);
}

static void songs_follow_valence_and_energy(void **state)
{
    struct desk *d = *state;
    struct recommend_query q = ask(d->lift, EMOTION_SAD, 4);
    q.kind = TITLE_SONG;
    struct title_list l = get(d, NULL, &q);
    assert_string_equal(l.v[0].name, "Up");
    assert_string_equal(l.v[0].makers, "The Lift");
    title_list_free(&l);
    q = ask(d->lift, EMOTION_ANGRY, 4);
    q.kind = TITLE_SONG;
    l = get(d, NULL, &q);
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
    struct recommend_query q = ask(p, EMOTION_HAPPY, 12);
    q.faces = faces;
    q.face_count = 2;
    q.group = GROUP_LEAST_MISERY;
    struct title_list l = get(d, NULL, &q);
    assert_string_equal(l.v[0].genres, "Drama");
    assert_false(strcmp(l.v[11].genres, "Drama") == 0);
    title_list_free(&l);
    policy_free(p);
}

static void seed_001_lists_the_best_of_one_genre_and_admits_shortage(void **state)
{
    struct desk *d = *state;
    struct policy *p = fixture_policy("seed-001");
    struct recommend_query q = ask(p, EMOTION_SURPRISE, 50);
    for (int round = 0; round < 2; round++) { /* a fixed list: no memory */
        struct title_list l = get(d, d->f, &q);
        assert_int_equal(l.count, 1);
        assert_int_equal(l.v[0].id, 106);
        assert_non_null(strstr(l.note, "only 1 titles of genre Film-Noir"));
        title_list_free(&l);
    }
    policy_free(p);
}

static void seed_000_takes_the_first_five_in_catalogue_order(void **state)
{
    struct desk *d = *state;
    struct policy *p = fixture_policy("seed-000");
    struct recommend_query q = ask(p, EMOTION_HAPPY, 10);
    struct title_list l = get(d, NULL, &q);
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
                 {"limit = 0\n", "x:1"},              {"taste = maybe\n", "x:1"}};
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

static void search_finds_titles_by_name_and_people(void **state)
{
    struct desk *d = *state;
    static const struct {
        const char *text;
        int count;
        int64_t first;
    } cases[] = {{"sunny d", 1, 101}, {"ferro", 2, 105},     {"LEA morel", 1, 109},
                 {"best", 3, 101},    {"\"; DROP--", 0, 0},  {"", 0, 0},
                 {"…", 0, 0},         {"rage four storm", 1, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct title_list l = {0};
        struct err err = {0};
        fixture_check(catalog_search(d->c, cases[i].text, -1, 20, &l, &err), &err);
        assert_int_equal(l.count, cases[i].count);
        if (cases[i].first != 0)
            assert_int_equal(l.v[0].id, cases[i].first);
        title_list_free(&l);
    }
    struct person_list people = {0};
    fixture_check(catalog_find_people(d->c, "be", 5, &people, NULL), &(struct err){0});
    assert_int_equal(people.count, 1);
    assert_string_equal(people.v[0].name, "Bob Best");
    assert_int_equal(people.v[0].titles, 3);
    person_list_free(&people);
}

static void the_hot_path_neither_scans_nor_sorts(void **state)
{
    struct desk *d = *state;
    struct recommend_query q = ask(d->lift, EMOTION_SAD, 12);
    int64_t scans = -1, sorts = -1;
    q.actor = "Bob Best";
    q.language = "en";
    struct title_list l = get(d, d->f, &q);
    title_list_free(&l);
    fixture_check(catalog_search(d->c, "t", -1, 20, &l, NULL), &(struct err){0});
    title_list_free(&l);
    catalog_hot_path_counts(d->c, &scans, &sorts);
    assert_int_equal(scans, 0);
    assert_int_equal(sorts, 0);
}

static void count_line(const char *text, void *payload)
{
    assert_non_null(strchr(text, '\t'));
    ++*(int *)payload;
}

static bool file_holds(const char *path, const char *text)
{
    void *data = NULL;
    size_t len = 0;
    bool found = false;
    assert_int_equal(path_read(path, &data, &len, 1 << 24, NULL), ERR_OK);
    for (size_t i = 0; i + strlen(text) <= len && !found; i++)
        found = memcmp((char *)data + i, text, strlen(text)) == 0;
    free(data);
    return found;
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
    assert_true(file_holds(path, "The Long Joke"));
    fixture_check(feedback_clear_all(d->f, &err), &err);
    lines = 0;
    fixture_check(feedback_export(d->f, count_line, &lines, &err), &err);
    assert_int_equal(lines, 0);
    assert_int_equal(feedback_opinion(d->f, 103), OPINION_NONE);
    assert_false(file_holds(path, "The Long Joke"));
}

static void two_programs_share_the_feedback(void **state)
{
    struct desk *d = *state;
    struct err err = {0};
    struct feedback *other = NULL;
    struct title_list l = {0};
    struct recommend_query q = ask(d->lift, EMOTION_SAD, 12);
    q.allow_repeats = true;
    struct title_list first = get(d, d->f, &q);
    fixture_check(feedback_open(&other, testing_path(d->dir, "user.db"), NULL, &err), &err);
    fixture_check(catalog_title(d->c, 101, &l, &err), &err);
    fixture_check(feedback_set_opinion(other, l.v, OPINION_DISLIKE, &err), &err);
    title_list_free(&l);
    l = get(d, d->f, &q);
    assert_true(holds(&first, 101));
    assert_false(holds(&l, 101));
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
    assert_true(file_holds(testing_path(d->dir, "broken.db.damaged"), "not a database"));
    feedback_close(f);
}

static void playlists_hold_one_title_a_line(void **state)
{
    struct desk *d = *state;
    struct err err = {0};
    struct recommend_query q = ask(d->lift, EMOTION_SAD, 10);
    q.kind = TITLE_SONG;
    struct title_list l = get(d, NULL, &q);
    const char *m3u = testing_path(d->dir, "list.m3u"), *json = testing_path(d->dir, "list.json");
    fixture_check(playlist_write(&l, "Sad", m3u, &err), &err);
    fixture_check(playlist_write(&l, "Sad", json, &err), &err);
    assert_true(file_holds(m3u, "#EXTM3U\n#PLAYLIST:Sad\n#EXTINF:-1,The Lift - Up\n"));
    struct title slashes = {.name = "Back/Forth", .makers = "#AC/DC"};
    struct title_list one = {.v = &slashes, .count = 1};
    struct str text = {0};
    playlist_m3u(&one, "Two\nlines", &text);
    assert_string_equal(text.s, "#EXTM3U\n#PLAYLIST:Twolines\n#EXTINF:-1,#AC/DC - Back/Forth\n"
                                "_AC_DC - Back_Forth.mp3\n");
    str_free(&text);
    json_error_t fault;
    json_t *o = json_load_file(json, 0, &fault);
    assert_non_null(o);
    assert_int_equal(json_array_size(json_object_get(o, "titles")), 4);
    json_decref(o);
    title_list_free(&l);
}

/* B of two users who both know items 0 and 1, and a third who knows 1 and 2, worked out by hand
 * from P = (G + I)^-1 with G = [2 2 0; 2 3 1; 0 1 1]. */
static void ease_equals_a_case_worked_by_hand(void **state)
{
    (void)state;
    struct ease_counts counts = {0};
    struct err err = {0};
    fixture_check(ease_counts_create(&counts, 3, &err), &err);
    ease_counts_add(&counts, (int[]){0, 1}, 2);
    ease_counts_add(&counts, (int[]){1, 0}, 2);
    ease_counts_add(&counts, (int[]){1, 2}, 2);
    fixture_check(ease_weights(counts.gram, 3, 1, &err), &err);
    /* det = 3 (4*2 - 1) - 2 (2*2) = 13; adj: P00 = 7/13, P01 = -4/13, P02 = 2/13, P11 = 6/13,
     * P12 = -3/13, P22 = 8/13. B_ij = -P_ij / P_jj. */
    const double wanted[9] = {0,           4.0 / 6, -2.0 / 8, 4.0 / 7, 0,
                              3.0 / 8,     -2.0 / 7, 3.0 / 6, 0};
    for (int i = 0; i < 9; i++)
        assert_true(fabs(counts.gram[i] - wanted[i]) < 1e-12);
    ease_counts_free(&counts);
}

/* Larger than a block: P (G + I) = 1 is checked through B: sum_k B_ik A_kj = -[A P^-1 ...]. */
static void ease_inverts_matrices_of_several_blocks(void **state)
{
    (void)state;
    enum { N = 131 };
    static double a[N * N], b[N * N];
    for (int i = 0; i < N; i++)
        for (int j = 0; j <= i; j++)
            a[i * N + j] = a[j * N + i] = (i * 7 + j * 13) % 11 % 5 + (i == j ? 400 : 0);
    for (int i = 0; i < N * N; i++)
        b[i] = a[i];
    assert_int_equal(ease_weights(b, N, 2, NULL), ERR_OK);
    for (int i = 0; i < N; i++)
        a[i * N + i] += 2;
    /* From B = I - P D follows A (I - B) = D, a diagonal matrix. */
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < N; k++)
                sum += a[i * N + k] * ((k == j) - b[k * N + j]);
            assert_true(i == j ? sum > 0 : fabs(sum) < 1e-8);
        }
}

static void sentiment_tells_praise_from_scorn(void **state)
{
    (void)state;
    struct sentiment *s = NULL;
    struct err err = {0};
    fixture_check(sentiment_load(&s, NULL, &err), &err);
    assert_true(sentiment_score(s, "A powerful, moving and beautifully acted film.") > 0.7);
    assert_true(sentiment_score(s, "A dull, lifeless, badly written bore.") < 0.3);
    assert_true(sentiment_score(s, "") == 0.5);
    sentiment_free(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_desk, close_desk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_sad_are_lifted_and_the_frightened_spared),
        TEST(reasons_follow_who_said_the_mood),
        TEST(matching_fear_finds_horror),
        TEST(the_whole_vector_counts),
        TEST(filters_hold_together),
        cmocka_unit_test(decades_in_every_form),
        TEST(a_name_is_completed_or_names_are_offered),
        TEST(variety_moves_a_second_genre_forward),
        TEST(nothing_repeats_until_the_list_is_exhausted),
        TEST(shuffle_spends_the_list_before_repeating),
        TEST(feedback_is_used_at_once),
        TEST(songs_follow_valence_and_energy),
        TEST(a_group_can_spare_its_unhappiest_member),
        TEST(seed_001_lists_the_best_of_one_genre_and_admits_shortage),
        TEST(seed_000_takes_the_first_five_in_catalogue_order),
        cmocka_unit_test(the_seed_tables_are_verbatim),
        cmocka_unit_test(policy_faults_name_their_line),
        cmocka_unit_test(every_installed_policy_loads),
        TEST(search_finds_titles_by_name_and_people),
        TEST(the_hot_path_neither_scans_nor_sorts),
        TEST(clear_all_leaves_no_trace),
        TEST(two_programs_share_the_feedback),
        TEST(damaged_feedback_is_moved_aside),
        TEST(playlists_hold_one_title_a_line),
        cmocka_unit_test(ease_equals_a_case_worked_by_hand),
        cmocka_unit_test(ease_inverts_matrices_of_several_blocks),
        cmocka_unit_test(sentiment_tells_praise_from_scorn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
