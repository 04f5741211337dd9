/* A catalogue without a mood: search, playlists, and the models that imports use. */
#include <math.h>

#include "base/str.h"
#include "catalog/desk.h"
#include "catalog/ease.h"
#include "catalog/fixture.h"
#include "catalog/playlist.h"
#include "catalog/recommend.h"
#include "catalog/sentiment.h"

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

static void playlists_hold_one_title_a_line(void **state)
{
    struct desk *d = *state;
    struct err err = {0};
    struct recommend_query q = desk_ask(d->lift, EMOTION_SAD, 10);
    q.kind = TITLE_SONG;
    struct title_list l = desk_list(d, NULL, &q);
    const char *m3u = testing_path(d->dir, "list.m3u"), *json = testing_path(d->dir, "list.json");
    fixture_check(playlist_write(&l, "Sad", m3u, &err), &err);
    fixture_check(playlist_write(&l, "Sad", json, &err), &err);
    assert_true(fixture_file_holds(m3u, "#EXTM3U\n#PLAYLIST:Sad\n#EXTINF:-1,The Lift - Up\n"));
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
    fixture_check(ease_weights(counts.gram, 3, 1, NULL, NULL, &err), &err);
    /* det = 3 (4*2 - 1) - 2 (2*2) = 13; adj: P00 = 7/13, P01 = -4/13, P02 = 2/13, P11 = 6/13,
     * P12 = -3/13, P22 = 8/13. B_ij = -P_ij / P_jj. */
    const double wanted[9] = {0,           4.0 / 6, -2.0 / 8, 4.0 / 7, 0,
                              3.0 / 8,     -2.0 / 7, 3.0 / 6, 0};
    for (int i = 0; i < 9; i++)
        assert_true(fabs(counts.gram[i] - wanted[i]) < 1e-12);
    ease_counts_free(&counts);
}

/* Larger than a block: P (G + I) = 1 is checked through B: sum_k B_ik A_kj = -[A P^-1 ...]. */
static bool count_up(double share, void *payload)
{
    double *before = payload;
    assert_true(share > *before && share <= 1);
    *before = share;
    return true;
}

static bool stop_there(double share, void *payload)
{
    (void)payload;
    return share < 0.5;
}

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
    double share = 0;
    assert_int_equal(ease_weights(b, N, 2, stop_there, NULL, NULL), ERR_STOPPED);
    for (int i = 0; i < N * N; i++)
        b[i] = a[i];
    assert_int_equal(ease_weights(b, N, 2, count_up, &share, NULL), ERR_OK);
    assert_true(share == 1);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, desk_open, desk_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(search_finds_titles_by_name_and_people),
        TEST(playlists_hold_one_title_a_line),
        cmocka_unit_test(ease_equals_a_case_worked_by_hand),
        cmocka_unit_test(ease_inverts_matrices_of_several_blocks),
        cmocka_unit_test(sentiment_tells_praise_from_scorn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
