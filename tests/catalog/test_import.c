/* Importers: real layouts in small, sources that add to each other. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/str.h"
#include "catalog/feedback.h"
#include "catalog/importing.h"
#include "catalog/policy.h"
#include "catalog/recommend.h"

static void imdb_files_become_titles_people_and_languages(void **state)
{
    (void)state;
    struct import_stats stats;
    struct err err = {0};
    importing_put_imdb();
    fixture_check(importing_run(IMPORT_IMDB, importing_dir, &stats, &err), &err);
    assert_int_equal(stats.kept, 3);
    assert_int_equal(stats.bad, 2); /* the cut line and the id "broken" */
    assert_int_equal(stats.bad_shown, 2);
    assert_string_equal(stats.first_bad[1].file, "title.basics.tsv");
    assert_int_equal(stats.first_bad[1].line, 9);
    struct catalog *c = importing_open();
    assert_int_equal(catalog_count(c, TITLE_SHORT), 1);
    assert_int_equal(catalog_count(c, TITLE_SERIES), 1);
    struct title_list l = importing_title(c, 1);
    assert_string_equal(l.v->name, "First Film");
    assert_string_equal(l.v->original, "Le Premier");
    assert_string_equal(l.v->genres, "Comedy, Drama");
    assert_string_equal(l.v->makers, "Dina Direct, Second Direct");
    assert_string_equal(l.v->cast, "Ava Actress");
    assert_string_equal(l.v->language, "fr");
    assert_in_range(l.v->certainty, 40, 90);
    assert_int_equal(l.v->votes, 12000);
    title_list_free(&l);
    l = importing_title(c, 10233364);
    assert_string_equal(l.v->name, "\"Rolling Deep");
    assert_string_equal(l.v->imdb_id, "tt10233364");
    title_list_free(&l);
    l = importing_title(c, 6);
    assert_int_equal(l.v->year, 0);
    assert_int_equal(l.v->minutes, 0);
    title_list_free(&l);
    catalog_close(c);
}

static void imdb_filters_apply(void **state)
{
    (void)state;
    struct err err = {0};
    importing_put_imdb();
    struct import_options o = {.kind = IMPORT_IMDB,
                               .path = importing_dir,
                               .replace = true,
                               .adult = true,
                               .types = "movie,short",
                               .year_min = 2000,
                               .year_max = 2018,
                               .catalog = importing_path("catalog.db")};
    fixture_check(import_run(&o, NULL, &err), &err);
    struct catalog *c = importing_open();
    assert_int_equal(catalog_count(c, TITLE_FILM), 2); /* the two adult ones of 2001 */
    assert_int_equal(catalog_count(c, TITLE_SHORT), 0);
    catalog_close(c);
    o.votes_min = 51;
    assert_int_equal(import_run(&o, NULL, &err), ERR_FORMAT);
}

/* Every row of every table, as text; free the string. (The bytes of the file depend on the order in
 * which pages were filled.) */
static struct str dump_database(void)
{
    static const char *const tables[] = {
        "source", "genre_set",  "title",          "person",     "credit",      "title_language",
        "shelf",  "shelf_kind", "shelf_language", "title_mood", "person_rank", "title_rank"};
    struct str out = {0};
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(importing_path("catalog.db"), &db), SQLITE_OK);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        char *sql = sqlite3_mprintf("SELECT * FROM %s ORDER BY 1, 2", tables[i]);
        sqlite3_stmt *st = NULL;
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
        while (sqlite3_step(st) == SQLITE_ROW)
            for (int c = 0; c < sqlite3_column_count(st); c++) {
                const void *value = sqlite3_column_blob(st, c);
                if (value != NULL)
                    str_add(&out, value, (size_t)sqlite3_column_bytes(st, c));
                str_addf(&out, "|");
            }
        sqlite3_finalize(st);
        sqlite3_free(sql);
    }
    sqlite3_close(db);
    return out;
}

static void importing_twice_gives_the_same_catalogue(void **state)
{
    (void)state;
    struct err err = {0};
    importing_put_imdb();
    fixture_check(importing_run(IMPORT_IMDB, importing_dir, NULL, &err), &err);
    struct str first = dump_database();
    fixture_check(importing_run(IMPORT_IMDB, importing_dir, NULL, &err), &err);
    struct str second = dump_database();
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.s, second.s, first.len);
    str_free(&first);
    str_free(&second);
}

static void sources_add_to_each_other(void **state)
{
    (void)state;
    struct err err = {0};
    importing_put_imdb();
    importing_put("m.csv",
                  "Series_Title;Released_Year;Certificate;Runtime;Genre;IMDB_Rating;Director;Star1;"
                  "Star2;No_of_Votes;language\n"
                  "First Film;1999;PG-13;95 min;\"Comedy, Romance\";7.9;Dina Direct;Ava Actress;"
                  "Ben;2,343,110;French\n"
                  "New One;2005;A;100 min;Science Fiction;6.5;Who;;;900;\n");
    importing_put("s.csv",
                  "track_name,artist_name,valence,arousal\nSong,Singer,2.5,-2.5\nBad,Singer,,\n");
    importing_put("r.csv",
                  "imdb_id,title,year,text,label\n"
                  "tt0000001,,,\"heartwarming, tender and romantic\",fresh\n"
                  ",New One,2006,\"bleak, hopeless and grim\",rotten\n,Nothing,1900,text,\n");
    fixture_check(importing_run(IMPORT_IMDB, importing_dir, NULL, &err), &err);
    fixture_check(importing_run(IMPORT_MOVIES, importing_path("m.csv"), NULL, &err), &err);
    fixture_check(importing_run(IMPORT_SONGS, importing_path("s.csv"), NULL, &err), &err);
    struct import_stats stats;
    fixture_check(importing_run(IMPORT_REVIEWS, importing_path("r.csv"), &stats, &err), &err);
    assert_int_equal(stats.kept, 2);
    assert_int_equal(stats.bad, 1);
    fixture_check(importing_run(IMPORT_IMDB, importing_dir, NULL, &err),
                  &err); /* the others' facts survive */
    struct catalog *c = importing_open();
    struct title_list l = importing_title(c, 1);
    assert_int_equal(l.v->certificate, 13);
    assert_string_equal(l.v->language, "fr");
    assert_int_equal(l.v->certainty, 95);
    assert_non_null(strstr(l.v->moods, "heart-warming"));
    assert_int_equal(l.v->votes, 12000); /* IMDb came last */
    title_list_free(&l);
    struct policy *lift = fixture_policy("lift");
    struct recommend_query q = recommend_defaults();
    q.mood = emotion_pure(EMOTION_SAD);
    q.policy = lift;
    fixture_check(recommend(c, NULL, &q, &l, &err), &err);
    assert_int_equal(l.v[0].id, 1);
    assert_string_equal(l.v[0].why, "Looks sad, you asked to be lifted: romantic comedies do "
                                    "that; 7.5 from 12,000 votes; 1 review, 100 % positive.");
    title_list_free(&l);
    policy_free(lift);
    fixture_check(catalog_search(c, "new one", TITLE_FILM, 5, &l, &err), &err);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.v->genres, "Sci-Fi");
    assert_non_null(strstr(l.v->moods, "bleak"));
    title_list_free(&l);
    fixture_check(catalog_search(c, "song singer", TITLE_SONG, 5, &l, &err), &err);
    assert_int_equal(l.count, 1);
    assert_true(l.v->valence > 0.99f && l.v->energy < 0.01f);
    title_list_free(&l);
    catalog_close(c);
}

static void public_tables_are_understood(void **state)
{
    (void)state;
    struct err err = {0};
    importing_put("tmdb.csv",
                  "budget,genres,id,original_language,original_title,release_date,runtime,title,"
                  "vote_average,vote_count\n"
                  "1,\"[{\"\"id\"\": 28, \"\"name\"\": \"\"Action\"\"}, {\"\"id\"\": 878, "
                  "\"\"name\"\": \"\"Science Fiction\"\"}]\",19995,cn,Orig,2009-12-10,162.0,Tmdb "
                  "Film,7.2,11800\n");
    importing_put("five.csv",
                  "color,director_name,duration,actor_2_name,genres,actor_1_name,movie_title,"
                  "num_voted_users,actor_3_name,movie_imdb_link,language,content_rating,"
                  "title_year,imdb_score\n"
                  "Color,James C,178,Joel M,Action|Fantasy,CCH P,Avatar\xc2\xa0,886204,Wes S,"
                  "http://www.imdb.com/title/tt0499549/?ref_=fn,English,PG-13,2009,7.9\n");
    importing_put("seed.csv", "movieId,title,genres\n5,\"Postino, Il (1994)\",Comedy|Drama\n"
                              "6,Na\xefve (1990),Drama\n");
    fixture_check(importing_run(IMPORT_MOVIES, importing_path("tmdb.csv"), NULL, &err), &err);
    fixture_check(importing_run(IMPORT_MOVIES, importing_path("five.csv"), NULL, &err), &err);
    fixture_check(importing_run(IMPORT_MOVIES, importing_path("seed.csv"), NULL, &err), &err);
    struct catalog *c = importing_open();
    struct title_list l = {0};
    fixture_check(catalog_search(c, "tmdb film", TITLE_FILM, 5, &l, &err), &err);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.v->genres, "Action, Sci-Fi");
    assert_string_equal(l.v->language, "zh");
    assert_int_equal(l.v->year, 2009);
    assert_int_equal(l.v->minutes, 162);
    title_list_free(&l);
    l = importing_title(c, 499549);
    assert_string_equal(l.v->name, "Avatar");
    assert_string_equal(l.v->cast, "CCH P, Joel M, Wes S");
    assert_int_equal(l.v->certificate, 13);
    title_list_free(&l);
    fixture_check(catalog_search(c, "il postino", TITLE_FILM, 5, &l, &err), &err);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.v->name, "Il Postino");
    assert_int_equal(l.v->year, 1994);
    title_list_free(&l);
    fixture_check(catalog_search(c, "naive", TITLE_FILM, 5, &l, &err), &err);
    assert_string_equal(l.v->name, "Naïve");
    title_list_free(&l);
    catalog_close(c);
}

static void movielens_ratings_become_taste(void **state)
{
    (void)state;
    struct err err = {0};
    struct str rows = {0};
    importing_put("movies.csv", "movieId,title,genres\n1,\"Matrix, The (1999)\",Action|Sci-Fi\n"
                                "2,Alien (1979),Horror|Sci-Fi\n3,Emma (1996),Comedy|Romance\n"
                                "4,Clueless (1995),Comedy|Romance\n");
    importing_put("links.csv", "movieId,imdbId,tmdbId\n1,0133093,603\n2,0078748,\n3,0116191,1\n");
    importing_put("tags.csv", "userId,movieId,tag,timestamp\n1,3,feel-good,1\n");
    str_addf(&rows, "userId,movieId,rating,timestamp\n");
    for (int u = 0; u < 400; u++) /* two tastes: 1 with 2, 3 with 4 */
        str_addf(&rows, "%d,%d,4.0,1\n%d,%d,5.0,2\n", u, u % 2 ? 1 : 3, u, u % 2 ? 2 : 4);
    importing_put("ratings.csv", rows.s);
    str_free(&rows);
    fixture_check(importing_run(IMPORT_MOVIELENS, importing_dir, NULL, &err), &err);
    struct catalog *c = importing_open();
    struct title_list l = importing_title(c, 133093);
    assert_string_equal(l.v->name, "The Matrix");
    struct feedback *f = NULL;
    fixture_check(feedback_open(&f, ":memory:", NULL, &err), &err);
    fixture_check(feedback_set_opinion(f, l.v, OPINION_LIKE, &err), &err);
    title_list_free(&l);
    struct policy *p = fixture_policy("lift");
    struct recommend_query q = recommend_defaults();
    q.mood = emotion_pure(EMOTION_NEUTRAL);
    q.policy = p;
    q.allow_repeats = true;
    float before = 0, after = 0;
    fixture_check(recommend(c, NULL, &q, &l, &err), &err);
    for (int i = 0; i < l.count; i++)
        before = l.v[i].id == 78748 ? l.v[i].score : before;
    title_list_free(&l);
    fixture_check(recommend(c, f, &q, &l, &err), &err);
    for (int i = 0; i < l.count; i++)
        if (l.v[i].id == 78748) {
            assert_non_null(strstr(l.v[i].why, "people who like The Matrix like it too"));
            after = l.v[i].score;
        }
    assert_true(l.v[0].id == 78748 || l.v[1].id == 78748);
    assert_true(after > 1.05f * before && after < 1.35f * before); /* it is one like only */
    title_list_free(&l);
    l = importing_title(c, 116191);
    assert_string_equal(l.v->moods, "feel-good");
    title_list_free(&l);
    policy_free(p);
    feedback_close(f);
    catalog_close(c);
}

static void other_movielens_layouts_are_read(void **state)
{
    (void)state;
    struct err err = {0};
    importing_put("u.item",
                  "1|Toy Story (1995)|01-Jan-1995||http://x|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
                  "2|Caf\xe9 (1990)|01-Jan-1995||http://x|0|0|0|0|0|0|0|0|1|0|0|0|0|0|0|0|0|0|0\n");
    importing_put("u.data", "1\t1\t5\t10\n2\t1\t4\t10\n1\t2\t3\t11\n");
    fixture_check(importing_run(IMPORT_MOVIELENS, importing_dir, NULL, &err), &err);
    struct catalog *c = importing_open();
    struct title_list l = {0};
    fixture_check(catalog_search(c, "cafe", -1, 5, &l, &err), &err);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.v->name, "Café");
    assert_string_equal(l.v->genres, "Drama");
    assert_true(l.v->rating == 6.0f);
    title_list_free(&l);
    catalog_close(c);
    importing_put("u.item", "");
    remove(importing_path("u.item"));
    importing_put("movies.dat", "1::Heat (1995)::Action|Crime\n");
    importing_put("ratings.dat", "1::1::5::978300760\n");
    fixture_check(importing_run(IMPORT_MOVIELENS, importing_dir, NULL, &err), &err);
}

/* The starter catalogue is the base of a first import; it was once changed by it. */
static void a_first_import_builds_on_the_starter_and_leaves_it_alone(void **state)
{
    (void)state;
    struct err err = {0};
    size_t len = 0, now = 0;
    fixture_build(importing_dir);
    rename(importing_path("catalog.db"), importing_path("starter.db"));
    void *before = importing_bytes("starter.db", &len);
    importing_put("m.csv", "title,year\nOne More,2020\n");
    struct import_options o = {.kind = IMPORT_MOVIES,
                               .path = importing_path("m.csv"),
                               .catalog = importing_path("catalog.db")};
    setenv("MOODREEL_DATA_DIR", importing_dir, 1);
    fixture_check(import_run(&o, NULL, &err), &err);
    unsetenv("MOODREEL_DATA_DIR");
    void *after = importing_bytes("starter.db", &now);
    assert_int_equal(now, len);
    assert_memory_equal(before, after, len);
    struct catalog *c = importing_open();
    assert_int_equal(catalog_count(c, TITLE_FILM), 13);
    assert_int_equal(catalog_count(c, TITLE_SONG), 4);
    catalog_close(c);
    free(before);
    free(after);
}

/* Lists name films in their own language: the same director, year and length is the same film. */
static void films_under_another_name_are_one_film(void **state)
{
    (void)state;
    struct err err = {0};
    fixture_build(importing_dir); /* has "Rain" by Fay Ferro, 1950, 88 minutes */
    importing_put("m.csv",
                  "title,year,runtime,director,rating,votes\nPluie,1950,88 min,Fay Ferro,8.4,100\n"
                  "One of Two,1950,88 min,Gus Gold,7,50\nTwo of Two,1950,88 min,Gus Gold,7,50\n");
    for (int twice = 0; twice < 2; twice++) {
        fixture_check(importing_run(IMPORT_MOVIES, importing_path("m.csv"), NULL, &err), &err);
        struct catalog *c = importing_open();
        struct title_list l = importing_title(c, 105);
        assert_string_equal(l.v->name, "Rain");
        assert_int_equal(l.v->votes, 100);
        title_list_free(&l);
        fixture_check(catalog_search(c, "pluie", TITLE_FILM, 5, &l, &err), &err);
        assert_int_equal(l.count, 1);
        assert_int_equal(l.v->id, 105);
        title_list_free(&l);
        assert_int_equal(catalog_count(c, TITLE_FILM), 14);
        catalog_close(c);
    }
}

static void accents_and_headers_vary(void **state)
{
    (void)state;
    struct err err = {0};
    importing_put("a.csv", "title,year,rating,votes\nAmélie,2001,8.3,900\nŁódź Straße,1990,7,10\n"
                           "七人の侍,1954,8.6,20\n");
    importing_put("b.csv",
                  "original_title,year,genre\nAMELIE,2001,Comedy\nLodz Strasse,1990,Drama\n"
                  "七人の侍,1954,Action\nAme\xcc\x81lie,2001,Romance\n");
    fixture_check(importing_run(IMPORT_MOVIES, importing_path("a.csv"), NULL, &err), &err);
    fixture_check(importing_run(IMPORT_MOVIES, importing_path("b.csv"), NULL, &err), &err);
    struct catalog *c = importing_open();
    struct title_list l = {0};
    assert_int_equal(catalog_count(c, TITLE_FILM), 3);
    fixture_check(catalog_search(c, "amelie", TITLE_FILM, 5, &l, &err), &err);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.v->genres, "Romance");
    assert_int_equal(l.v->votes, 900);
    title_list_free(&l);
    catalog_close(c);
}

static void a_reissue_does_not_make_a_song_younger(void **state)
{
    (void)state;
    struct err err = {0};
    struct title_list l = {0};
    fixture_build(importing_dir);
    importing_put("s.csv",
                  "title,artist,year,mood\nUp,The Lift,2015,happy\nDown,The Lift,1990,sad\n");
    fixture_check(importing_run(IMPORT_SONGS, importing_path("s.csv"), NULL, &err), &err);
    struct catalog *c = importing_open();
    fixture_check(catalog_search(c, "up lift", TITLE_SONG, 5, &l, &err), &err);
    assert_int_equal(l.v[0].year, 1999);
    title_list_free(&l);
    fixture_check(catalog_search(c, "down lift", TITLE_SONG, 5, &l, &err), &err);
    assert_int_equal(l.v[0].year, 1990);
    title_list_free(&l);
    catalog_close(c);
}

/* --- databases from elsewhere ---------------------------------------------------------------- */

static void the_flatiron_films_import_whole(void **state)
{
    (void)state;
    struct err err = {0};
    struct import_stats stats;
    const char *path = testing_data("catalog/imdb-flatiron/derived_tsv");
    if (path == NULL)
        skip();
    fixture_check(importing_run(IMPORT_IMDB, path, &stats, &err), &err);
    assert_in_range(stats.kept, 73800, 73856);
    assert_int_equal(stats.bad, 0);
    catalog_close(importing_open());
}

/* The stages that were told of, each once. */
struct told {
    struct str stages;
    int calls;
};

static bool note_stage(const struct import_stats *s, void *payload)
{
    struct told *told = payload;
    char name[64];
    told->calls++;
    if (s->bytes_total == 0 && (s->stage_total <= 0 || s->stage_rows > s->stage_total))
        fail_msg("%s: row %lld of %lld", s->stage, (long long)s->stage_rows,
                 (long long)s->stage_total);
    snprintf(name, sizeof name, "%s;", s->stage);
    if (strstr(told->stages.s, name) == NULL)
        str_addf(&told->stages, "%s", name);
    return true;
}

static void import_telling(enum import_kind kind, const char *path, struct told *told)
{
    struct err err = {0};
    struct import_options o = {.kind = kind,
                               .path = path,
                               .progress = note_stage,
                               .payload = told,
                               .catalog = importing_path("catalog.db")};
    fixture_check(import_run(&o, NULL, &err), &err);
}

/* So that a rate and the rest of the time can be shown all along. */
static void every_stage_tells_how_far_it_is(void **state)
{
    (void)state;
    static const char *const wanted[] = {
        "films;",       "old titles;",   "old people;",    "old credits;",  "shelf;",
        "credits;",     "people;",       "person search;", "person index;", "title search;",
        "title index;", "film weights;", "nearest films;", "ratings.csv;"};
    struct told told = {.calls = 0};
    struct str films = {0}, ratings = {0};
    str_addf(&told.stages, ";");
    str_addf(&films, "movieId,title,genres\n");
    str_addf(&ratings, "userId,movieId,rating,timestamp\n");
    for (int i = 1; i <= 3000; i++) {
        str_addf(&films, "%d,Film %d (1999),Comedy\n", i, i);
        str_addf(&ratings, "%d,%d,4.0,%d\n%d,%d,3.0,%d\n", i / 20, i % 60 + 1, i, i / 20,
                 (i + 7) % 60 + 1, i);
    }
    importing_put("movies.csv", films.s);
    importing_put("ratings.csv", ratings.s);
    importing_put_many(4000);
    import_telling(IMPORT_MOVIES, importing_path("many.csv"), &told);
    import_telling(IMPORT_MOVIELENS, importing_dir, &told);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (strstr(told.stages.s, wanted[i]) == NULL)
            fail_msg("nothing was told of %s only of %s", wanted[i], told.stages.s);
    str_free(&films);
    str_free(&ratings);
    str_free(&told.stages);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, importing_begin, importing_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(imdb_files_become_titles_people_and_languages),
        TEST(imdb_filters_apply),
        TEST(importing_twice_gives_the_same_catalogue),
        TEST(sources_add_to_each_other),
        TEST(public_tables_are_understood),
        TEST(movielens_ratings_become_taste),
        TEST(other_movielens_layouts_are_read),
        TEST(a_first_import_builds_on_the_starter_and_leaves_it_alone),
        TEST(films_under_another_name_are_one_film),
        TEST(accents_and_headers_vary),
        TEST(a_reissue_does_not_make_a_song_younger),
        TEST(every_stage_tells_how_far_it_is),
        TEST(the_flatiron_films_import_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
