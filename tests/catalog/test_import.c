/* Importers: real layouts in small, faults in the middle, hostile databases. */
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "catalog/feedback.h"
#include "catalog/fixture.h"
#include "catalog/policy.h"
#include "catalog/recommend.h"

static char *dir;

static int make_dir(void **state)
{
    (void)state;
    dir = testing_make_dir();
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    testing_remove_dir(dir);
    return 0;
}

static void put(const char *name, const char *text)
{
    testing_write(testing_path(dir, name), text, strlen(text));
}

static int import(enum import_kind kind, const char *path, struct import_stats *stats,
                  struct err *err)
{
    const char *target = testing_path(dir, "catalog.db");
    struct import_options o = {.kind = kind, .path = path, .catalog = target,
                               .replace = access(target, F_OK) != 0}; /* no starter below */
    return import_run(&o, stats, err);
}

static struct catalog *reopen(void)
{
    struct catalog *c = NULL;
    struct err err = {0};
    fixture_check(catalog_open(&c, testing_path(dir, "catalog.db"), &err), &err);
    fixture_check(catalog_check(c, &err), &err);
    return c;
}

static struct title_list title(struct catalog *c, int64_t id)
{
    struct title_list l = {0};
    struct err err = {0};
    fixture_check(catalog_title(c, id, &l, &err), &err);
    return l;
}

/* The whole file as a string of bytes; free() it. */
static void *bytes_of(const char *name, size_t *len)
{
    void *data = NULL;
    struct err err = {0};
    fixture_check(path_read(testing_path(dir, name), &data, len, 1 << 26, &err), &err);
    return data;
}

static const char basics[] =
    "tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\truntimeMinutes\t"
    "genres\n"
    "tt0000001\tmovie\tFirst Film\tLe Premier\t0\t1999\t\\N\t90\tComedy,Drama\n"
    "tt0000002\ttvEpisode\tAn Episode\tAn Episode\t0\t2001\t\\N\t42\tDrama\n"
    "tt0000003\tmovie\tAdult Film\tAdult Film\t1\t2001\t\\N\t80\tDrama\n"
    "tt0000004\tmovie\tOther Adult\tOther Adult\t0\t2001\t\\N\t80\tAdult,Drama\n"
    "tt10233364\tshort\t\"Rolling Deep\t\"Rolling Deep\t0\t2019\t\\N\t\\N\tComedy\n"
    "tt0000005\tmovie\tUnrated\tUnrated\t0\t2001\t\\N\t80\tDrama\n"
    "tt0000006\ttvSeries\tLong One\tLong One\t0\t2115\t\\N\t51420\t\\N\n"
    "tt0000007\tmovie\tCut";
static const char ratings[] = "tconst\taverageRating\tnumVotes\n"
                              "tt0000001\t7.5\t12000\ntt0000002\t8.0\t500\ntt0000003\t6.0\t50\n"
                              "tt0000004\t6.0\t50\ntt10233364\t8.1\t40\ntt0000006\t5.5\t10\n"
                              "tt0000007\t5.5\t10\nbroken\t1\t2\n";

static void put_imdb(void)
{
    put("title.basics.tsv", basics);
    put("title.ratings.tsv", ratings);
    put("title.crew.tsv", "tconst\tdirectors\twriters\ntt0000001\tnm0000010,nm0000011\t\\N\n");
    put("title.principals.tsv",
        "tconst\tordering\tnconst\tcategory\tjob\tcharacters\n"
        "tt0000001\t1\tnm0000012\tactress\t\\N\t[\"Mary\"]\n"
        "tt0000001\t2\tnm0000099\tactor\t\\N\t\\N\n"
        "tt0000002\t1\tnm0000013\tactor\t\\N\t\\N\n");
    put("name.basics.tsv", "nconst\tprimaryName\tbirthYear\tdeathYear\tprimaryProfession\t"
                           "knownForTitles\n"
                           "nm0000010\tDina Direct\t\\N\t\\N\t\\N\t\\N\n"
                           "nm0000011\tSecond Direct\t\\N\t\\N\t\\N\t\\N\n"
                           "nm0000012\tAva Actress\t\\N\t\\N\t\\N\t\\N\n");
    put("title.akas.tsv",
        "titleId\tordering\ttitle\tregion\tlanguage\ttypes\tattributes\tisOriginalTitle\n"
        "tt0000001\t1\tLe Premier\t\\N\t\\N\toriginal\t\\N\t1\n"
        "tt0000001\t2\tLe Premier\tFR\t\\N\timdbDisplay\t\\N\t0\n"
        "tt0000001\t3\tFirst Film\tUS\t\\N\timdbDisplay\t\\N\t0\n");
}

static void imdb_files_become_titles_people_and_languages(void **state)
{
    (void)state;
    struct import_stats stats;
    struct err err = {0};
    put_imdb();
    fixture_check(import(IMPORT_IMDB, dir, &stats, &err), &err);
    assert_int_equal(stats.kept, 3);
    assert_int_equal(stats.bad, 2); /* the cut line and the id "broken" */
    assert_int_equal(stats.bad_shown, 2);
    assert_string_equal(stats.first_bad[1].file, "title.basics.tsv");
    assert_int_equal(stats.first_bad[1].line, 9);
    struct catalog *c = reopen();
    assert_int_equal(catalog_count(c, TITLE_SHORT), 1);
    assert_int_equal(catalog_count(c, TITLE_SERIES), 1);
    struct title_list l = title(c, 1);
    assert_string_equal(l.v->name, "First Film");
    assert_string_equal(l.v->original, "Le Premier");
    assert_string_equal(l.v->genres, "Comedy, Drama");
    assert_string_equal(l.v->makers, "Dina Direct, Second Direct");
    assert_string_equal(l.v->cast, "Ava Actress");
    assert_string_equal(l.v->language, "fr");
    assert_in_range(l.v->certainty, 40, 90);
    assert_int_equal(l.v->votes, 12000);
    title_list_free(&l);
    l = title(c, 10233364);
    assert_string_equal(l.v->name, "\"Rolling Deep");
    assert_string_equal(l.v->imdb_id, "tt10233364");
    title_list_free(&l);
    l = title(c, 6);
    assert_int_equal(l.v->year, 0);
    assert_int_equal(l.v->minutes, 0);
    title_list_free(&l);
    catalog_close(c);
}

static void imdb_filters_apply(void **state)
{
    (void)state;
    struct err err = {0};
    put_imdb();
    struct import_options o = {.kind = IMPORT_IMDB, .path = dir, .replace = true, .adult = true,
                               .types = "movie,short", .year_min = 2000, .year_max = 2018,
                               .catalog = testing_path(dir, "catalog.db")};
    fixture_check(import_run(&o, NULL, &err), &err);
    struct catalog *c = reopen();
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
        "source", "genre_set", "title", "person", "credit", "title_language", "shelf",
        "shelf_kind", "shelf_language", "title_mood", "person_rank", "title_rank"};
    struct str out = {0};
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(testing_path(dir, "catalog.db"), &db), SQLITE_OK);
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
    put_imdb();
    fixture_check(import(IMPORT_IMDB, dir, NULL, &err), &err);
    struct str first = dump_database();
    fixture_check(import(IMPORT_IMDB, dir, NULL, &err), &err);
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
    put_imdb();
    put("m.csv", "Series_Title;Released_Year;Certificate;Runtime;Genre;IMDB_Rating;Director;Star1;"
                 "Star2;No_of_Votes;language\n"
                 "First Film;1999;PG-13;95 min;\"Comedy, Romance\";7.9;Dina Direct;Ava Actress;"
                 "Ben;2,343,110;French\n"
                 "New One;2005;A;100 min;Science Fiction;6.5;Who;;;900;\n");
    put("s.csv", "track_name,artist_name,valence,arousal\nSong,Singer,2.5,-2.5\nBad,Singer,,\n");
    put("r.csv", "imdb_id,title,year,text,label\n"
                 "tt0000001,,,\"heartwarming, tender and romantic\",fresh\n"
                 ",New One,2006,\"bleak, hopeless and grim\",rotten\n,Nothing,1900,text,\n");
    fixture_check(import(IMPORT_IMDB, dir, NULL, &err), &err);
    fixture_check(import(IMPORT_MOVIES, testing_path(dir, "m.csv"), NULL, &err), &err);
    fixture_check(import(IMPORT_SONGS, testing_path(dir, "s.csv"), NULL, &err), &err);
    struct import_stats stats;
    fixture_check(import(IMPORT_REVIEWS, testing_path(dir, "r.csv"), &stats, &err), &err);
    assert_int_equal(stats.kept, 2);
    assert_int_equal(stats.bad, 1);
    fixture_check(import(IMPORT_IMDB, dir, NULL, &err), &err); /* the others' facts survive */
    struct catalog *c = reopen();
    struct title_list l = title(c, 1);
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
    assert_string_equal(l.v[0].why, "Looks sad, you asked to be lifted: heart-warming comedies do "
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
    put("tmdb.csv", "budget,genres,id,original_language,original_title,release_date,runtime,title,"
                    "vote_average,vote_count\n"
                    "1,\"[{\"\"id\"\": 28, \"\"name\"\": \"\"Action\"\"}, {\"\"id\"\": 878, "
                    "\"\"name\"\": \"\"Science Fiction\"\"}]\",19995,cn,Orig,2009-12-10,162.0,Tmdb "
                    "Film,7.2,11800\n");
    put("five.csv", "color,director_name,duration,actor_2_name,genres,actor_1_name,movie_title,"
                    "num_voted_users,actor_3_name,movie_imdb_link,language,content_rating,"
                    "title_year,imdb_score\n"
                    "Color,James C,178,Joel M,Action|Fantasy,CCH P,Avatar\xc2\xa0,886204,Wes S,"
                    "http://www.imdb.com/title/tt0499549/?ref_=fn,English,PG-13,2009,7.9\n");
    put("seed.csv", "movieId,title,genres\n5,\"Postino, Il (1994)\",Comedy|Drama\n"
                    "6,Na\xefve (1990),Drama\n");
    fixture_check(import(IMPORT_MOVIES, testing_path(dir, "tmdb.csv"), NULL, &err), &err);
    fixture_check(import(IMPORT_MOVIES, testing_path(dir, "five.csv"), NULL, &err), &err);
    fixture_check(import(IMPORT_MOVIES, testing_path(dir, "seed.csv"), NULL, &err), &err);
    struct catalog *c = reopen();
    struct title_list l = {0};
    fixture_check(catalog_search(c, "tmdb film", TITLE_FILM, 5, &l, &err), &err);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.v->genres, "Action, Sci-Fi");
    assert_string_equal(l.v->language, "zh");
    assert_int_equal(l.v->year, 2009);
    assert_int_equal(l.v->minutes, 162);
    title_list_free(&l);
    l = title(c, 499549);
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
    put("movies.csv", "movieId,title,genres\n1,\"Matrix, The (1999)\",Action|Sci-Fi\n"
                      "2,Alien (1979),Horror|Sci-Fi\n3,Emma (1996),Comedy|Romance\n"
                      "4,Clueless (1995),Comedy|Romance\n");
    put("links.csv", "movieId,imdbId,tmdbId\n1,0133093,603\n2,0078748,\n3,0116191,1\n");
    put("tags.csv", "userId,movieId,tag,timestamp\n1,3,feel-good,1\n");
    str_addf(&rows, "userId,movieId,rating,timestamp\n");
    for (int u = 0; u < 400; u++) /* two tastes: 1 with 2, 3 with 4 */
        str_addf(&rows, "%d,%d,4.0,1\n%d,%d,5.0,2\n", u, u % 2 ? 1 : 3, u, u % 2 ? 2 : 4);
    put("ratings.csv", rows.s);
    str_free(&rows);
    fixture_check(import(IMPORT_MOVIELENS, dir, NULL, &err), &err);
    struct catalog *c = reopen();
    struct title_list l = title(c, 133093);
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
    fixture_check(recommend(c, f, &q, &l, &err), &err);
    for (int i = 0; i < l.count; i++)
        if (l.v[i].id == 78748)
            assert_non_null(strstr(l.v[i].why, "people who like The Matrix like it too"));
    assert_true(l.v[0].id == 78748 || l.v[1].id == 78748);
    title_list_free(&l);
    l = title(c, 116191);
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
    put("u.item", "1|Toy Story (1995)|01-Jan-1995||http://x|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
                  "2|Caf\xe9 (1990)|01-Jan-1995||http://x|0|0|0|0|0|0|0|0|1|0|0|0|0|0|0|0|0|0|0\n");
    put("u.data", "1\t1\t5\t10\n2\t1\t4\t10\n1\t2\t3\t11\n");
    fixture_check(import(IMPORT_MOVIELENS, dir, NULL, &err), &err);
    struct catalog *c = reopen();
    struct title_list l = {0};
    fixture_check(catalog_search(c, "cafe", -1, 5, &l, &err), &err);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.v->name, "Café");
    assert_string_equal(l.v->genres, "Drama");
    assert_true(l.v->rating == 6.0f);
    title_list_free(&l);
    catalog_close(c);
    put("u.item", "");
    remove(testing_path(dir, "u.item"));
    put("movies.dat", "1::Heat (1995)::Action|Crime\n");
    put("ratings.dat", "1::1::5::978300760\n");
    fixture_check(import(IMPORT_MOVIELENS, dir, NULL, &err), &err);
}

/* After a failed import the old file is there, byte for byte, and nothing beside it. */
static void expect_unchanged(const void *before, size_t len)
{
    size_t now = 0;
    void *after = bytes_of("catalog.db", &now);
    assert_int_equal(now, len);
    assert_memory_equal(before, after, len);
    free(after);
}

static void bad_files_leave_the_old_catalogue(void **state)
{
    (void)state;
    struct err err = {0};
    size_t len = 0;
    put_imdb();
    fixture_check(import(IMPORT_IMDB, dir, NULL, &err), &err);
    void *before = bytes_of("catalog.db", &len);
    put("title.basics.tsv", "wrong\theader\n1\t2\n");
    assert_int_equal(import(IMPORT_IMDB, dir, NULL, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "title.basics.tsv"));
    assert_non_null(strstr(err.text, "tconst"));
    expect_unchanged(before, len);
    remove(testing_path(dir, "title.basics.tsv"));
    assert_int_equal(import(IMPORT_IMDB, dir, NULL, &err), ERR_NOT_FOUND);
    expect_unchanged(before, len);
    assert_true(import(IMPORT_MOVIES, testing_path(dir, "absent.csv"), NULL, &err) < 0);
    assert_true(import(IMPORT_MOVIELENS, dir, NULL, &err) < 0);
    put("empty.csv", "title,year\n");
    assert_int_equal(import(IMPORT_MOVIES, testing_path(dir, "empty.csv"), NULL, &err),
                     ERR_FORMAT);
    expect_unchanged(before, len);
    free(before);
}

/* The starter catalogue is the base of a first import; it was once changed by it. */
static void a_first_import_builds_on_the_starter_and_leaves_it_alone(void **state)
{
    (void)state;
    struct err err = {0};
    size_t len = 0, now = 0;
    fixture_build(dir);
    rename(testing_path(dir, "catalog.db"), testing_path(dir, "starter.db"));
    void *before = bytes_of("starter.db", &len);
    put("m.csv", "title,year\nOne More,2020\n");
    struct import_options o = {.kind = IMPORT_MOVIES, .path = testing_path(dir, "m.csv"),
                               .catalog = testing_path(dir, "catalog.db")};
    setenv("MOODREEL_DATA_DIR", dir, 1);
    fixture_check(import_run(&o, NULL, &err), &err);
    unsetenv("MOODREEL_DATA_DIR");
    void *after = bytes_of("starter.db", &now);
    assert_int_equal(now, len);
    assert_memory_equal(before, after, len);
    struct catalog *c = reopen();
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
    fixture_build(dir); /* has "Rain" by Fay Ferro, 1950, 88 minutes */
    put("m.csv", "title,year,runtime,director,rating,votes\nPluie,1950,88 min,Fay Ferro,8.4,100\n"
                 "One of Two,1950,88 min,Gus Gold,7,50\nTwo of Two,1950,88 min,Gus Gold,7,50\n");
    for (int twice = 0; twice < 2; twice++) {
        fixture_check(import(IMPORT_MOVIES, testing_path(dir, "m.csv"), NULL, &err), &err);
        struct catalog *c = reopen();
        struct title_list l = title(c, 105);
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

static void a_reissue_does_not_make_a_song_younger(void **state)
{
    (void)state;
    struct err err = {0};
    struct title_list l = {0};
    fixture_build(dir);
    put("s.csv", "title,artist,year,mood\nUp,The Lift,2015,happy\nDown,The Lift,1990,sad\n");
    fixture_check(import(IMPORT_SONGS, testing_path(dir, "s.csv"), NULL, &err), &err);
    struct catalog *c = reopen();
    fixture_check(catalog_search(c, "up lift", TITLE_SONG, 5, &l, &err), &err);
    assert_int_equal(l.v[0].year, 1999);
    title_list_free(&l);
    fixture_check(catalog_search(c, "down lift", TITLE_SONG, 5, &l, &err), &err);
    assert_int_equal(l.v[0].year, 1990);
    title_list_free(&l);
    catalog_close(c);
}

static bool stop_at_once(const struct import_stats *s, void *payload)
{
    (void)s;
    ++*(int *)payload;
    return false;
}

static void put_many_films(int count)
{
    struct str rows = {0};
    str_addf(&rows, "title,year,genres,rating,votes\n");
    for (int i = 0; i < count; i++)
        str_addf(&rows, "Film %d,%d,Comedy,7.1,%d\n", i, 1950 + i % 70, i + 10);
    put("many.csv", rows.s);
    str_free(&rows);
}

static void an_import_can_be_stopped(void **state)
{
    (void)state;
    struct err err = {0};
    int calls = 0;
    size_t len = 0;
    fixture_build(dir);
    void *before = bytes_of("catalog.db", &len);
    put_many_films(40000);
    struct import_options o = {.kind = IMPORT_MOVIES, .path = testing_path(dir, "many.csv"),
                               .catalog = testing_path(dir, "catalog.db"),
                               .progress = stop_at_once, .payload = &calls};
    assert_int_equal(import_run(&o, NULL, &err), ERR_STOPPED);
    assert_int_equal(calls, 1);
    expect_unchanged(before, len);
    free(before);
}

/* As if by another process: the other one's catalogue takes the place of the old one. */
static bool replace_meanwhile(const struct import_stats *s, void *payload)
{
    int *calls = payload;
    (void)s;
    if ((*calls)++ == 0)
        rename(testing_path(dir, "other.db"), testing_path(dir, "catalog.db"));
    return true;
}

static void of_two_imports_at_once_none_is_lost(void **state)
{
    (void)state;
    struct err err = {0};
    int calls = 0;
    size_t len = 0;
    put_many_films(4000);
    fixture_build(dir);
    put("m.csv", "title,year\nThe Other One,2020\n");
    struct import_options other = {.kind = IMPORT_MOVIES, .path = testing_path(dir, "m.csv"),
                                   .catalog = testing_path(dir, "other.db"), .replace = true};
    fixture_check(import_run(&other, NULL, &err), &err);
    void *wanted = bytes_of("other.db", &len);
    struct import_options o = {.kind = IMPORT_MOVIES, .path = testing_path(dir, "many.csv"),
                               .catalog = testing_path(dir, "catalog.db"),
                               .progress = replace_meanwhile, .payload = &calls};
    assert_int_equal(import_run(&o, NULL, &err), ERR_IO);
    assert_non_null(strstr(err.text, "another import"));
    expect_unchanged(wanted, len);
    free(wanted);
}

/* Kills the importing process at growing moments; the old catalogue always opens and is sound. */
static void a_killed_import_changes_nothing(void **state)
{
    (void)state;
    size_t len = 0;
    fixture_build(dir);
    void *before = bytes_of("catalog.db", &len);
    put_many_films(20000);
    for (int i = 0; i < 12; i++) {
        struct timespec wait = {0, 3 * 1000 * 1000 * i};
        pid_t child = fork();
        if (child == 0) {
            import(IMPORT_MOVIES, testing_path(dir, "many.csv"), NULL, NULL);
            _exit(0);
        }
        nanosleep(&wait, NULL); /* not a synchronisation: any moment will do */
        kill(child, SIGKILL);
        int status = 0;
        waitpid(child, &status, 0);
        if (WIFSIGNALED(status))
            expect_unchanged(before, len);
        else
            i = 12; /* it got through: from here on there is nothing left to kill */
        catalog_close(reopen());
    }
    free(before);
}

static void what_killed_imports_left_is_removed(void **state)
{
    (void)state;
    char name[64];
    struct err err = {0};
    fixture_build(dir);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    snprintf(name, sizeof name, "catalog.db.%ld.tmp", (long)child);
    put(name, "half a catalogue");
    put("catalog.db.1.tmp", "of a process that lives");
    put("catalog.db.copy.tmp", "not ours");
    put_many_films(10);
    fixture_check(import(IMPORT_MOVIES, testing_path(dir, "many.csv"), NULL, &err), &err);
    assert_int_not_equal(access(testing_path(dir, name), F_OK), 0);
    assert_int_equal(access(testing_path(dir, "catalog.db.1.tmp"), F_OK), 0);
    assert_int_equal(access(testing_path(dir, "catalog.db.copy.tmp"), F_OK), 0);
}

/* A disk that takes no more than `limit` bytes of a file: the write fails wherever that is. */
static void a_full_disk_changes_nothing(void **state)
{
    (void)state;
    size_t len = 0;
    fixture_build(dir);
    void *before = bytes_of("catalog.db", &len);
    put_many_films(3000);
    for (rlim_t limit = 4096; limit < 400 * 1024; limit += 45 * 1024) {
        pid_t child = fork();
        if (child == 0) {
            struct rlimit r = {limit, limit};
            struct err err = {0};
            signal(SIGXFSZ, SIG_IGN);
            setrlimit(RLIMIT_FSIZE, &r);
            int rc = import(IMPORT_MOVIES, testing_path(dir, "many.csv"), NULL, &err);
            _exit(rc == ERR_IO && err.text[0] != '\0' ? 0 : 1);
        }
        int status = 0;
        waitpid(child, &status, 0);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        expect_unchanged(before, len);
    }
    free(before);
}

/* --- databases from elsewhere ---------------------------------------------------------------- */

static void make_database(const char *name, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(testing_path(dir, name), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void open_refused(const char *name, const char *words)
{
    struct catalog *c = NULL;
    struct err err = {0};
    assert_true(catalog_open(&c, testing_path(dir, name), &err) < 0);
    if (strstr(err.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static void foreign_newer_and_broken_databases_are_refused(void **state)
{
    (void)state;
    fixture_build(dir);
    make_database("foreign.db", "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
    make_database("newer.db", "CREATE TABLE t(x); PRAGMA application_id=1299141221;"
                              "PRAGMA user_version=99");
    put("text.db", "just some text that is not a database at all, long enough to be looked at");
    put("empty.db", "");
    open_refused("foreign.db", "another program");
    open_refused("newer.db", "newer version");
    open_refused("text.db", "not a database");
    open_refused("empty.db", "empty");
    open_refused("absent.db", "absent.db");
    open_refused(".", "not a catalogue file");
    make_database("catalog.db", "CREATE TRIGGER t AFTER INSERT ON title BEGIN SELECT 1; END");
    open_refused("catalog.db", "triggers or views");
    struct err err = {0};
    struct import_options o = {.kind = IMPORT_STARTER, .path = dir,
                               .catalog = testing_path(dir, "foreign.db")};
    assert_true(import_run(&o, NULL, &err) < 0); /* another program's file is not overwritten */
}

static void the_flatiron_films_import_whole(void **state)
{
    (void)state;
    struct err err = {0};
    struct import_stats stats;
    const char *path = testing_data("catalog/imdb-flatiron/derived_tsv");
    if (path == NULL)
        skip();
    fixture_check(import(IMPORT_IMDB, path, &stats, &err), &err);
    assert_in_range(stats.kept, 73800, 73856);
    assert_int_equal(stats.bad, 0);
    catalog_close(reopen());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

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
        TEST(bad_files_leave_the_old_catalogue),
        TEST(a_first_import_builds_on_the_starter_and_leaves_it_alone),
        TEST(films_under_another_name_are_one_film),
        TEST(a_reissue_does_not_make_a_song_younger),
        TEST(an_import_can_be_stopped),
        TEST(of_two_imports_at_once_none_is_lost),
        TEST(a_killed_import_changes_nothing),
        TEST(what_killed_imports_left_is_removed),
        TEST(a_full_disk_changes_nothing),
        TEST(foreign_newer_and_broken_databases_are_refused),
        TEST(the_flatiron_films_import_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
