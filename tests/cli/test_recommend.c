/* `moodreel recommend` and `moodreel catalog` as a person types them, each a process of its own,
 * over the starter catalogue and a fresh data folder. */
#include "support/testing.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"

static char *dir;

static int make_dir(void **state)
{
    (void)state;
    dir = testing_make_dir();
    setenv("XDG_DATA_HOME", dir, 1);
    setenv("XDG_CONFIG_HOME", dir, 1);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    testing_remove_dir(dir);
    return 0;
}

/* The output of "moodreel WORDS REDIRECTION", and its exit status; free() it. */
static char *say_to(const char *words, const char *redirection, int *status)
{
    struct str command = {0}, text = {0};
    char part[4096];
    size_t n;
    str_addf(&command, "%s %s %s", MOODREEL_PROGRAM, words, redirection);
    FILE *f = popen(command.s, "r");
    assert_non_null(f);
    str_add(&text, "", 0);
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        str_add(&text, part, n);
    int ended = pclose(f);
    *status = ended < 0 ? -1 : ended >> 8;
    str_free(&command);
    return text.s;
}

static char *say(const char *words, int *status)
{
    return say_to(words, "2>&1", status);
}

static char *said(const char *words)
{
    int status = 0;
    char *text = say(words, &status);
    if (status != 0)
        fail_msg("%s: status %d: %s", words, status, text);
    return text;
}

static json_t *list(const char *words)
{
    char *text = said(words);
    json_error_t error;
    json_t *o = json_loads(text, 0, &error);
    if (o == NULL)
        fail_msg("%s: %s: %.200s", words, error.text, text);
    free(text);
    return o;
}

static json_t *titles(json_t *o)
{
    return json_object_get(o, "titles");
}

static const char *text_of(json_t *title, const char *key)
{
    const char *text = json_string_value(json_object_get(title, key));
    return text != NULL ? text : "";
}

/* Twenty draws of three from a list of fifty: seventeen draws spend it, then it says so. */
static void shuffling_in_many_processes_repeats_nothing(void **state)
{
    (void)state;
    json_t *seen = json_object();
    for (int i = 0; i < 20; i++) {
        size_t k;
        json_t *t, *o = list("recommend -e happy --shuffle 3 --json");
        json_array_foreach (titles(o), k, t) {
            assert_null(json_object_get(seen, text_of(t, "id")));
            json_object_set(seen, text_of(t, "id"), json_true());
        }
        assert_int_equal(json_is_true(json_object_get(o, "exhausted")),
                         json_array_size(titles(o)) < 3);
        json_decref(o);
    }
    assert_int_equal(json_object_size(seen), 50);
    json_decref(seen);
}

static void twenty_lists_repeat_nothing(void **state)
{
    (void)state;
    json_t *seen = json_object();
    for (int i = 0; i < 20; i++) {
        size_t k;
        json_t *t, *o = list("recommend -e sad -n 10 --json");
        assert_int_equal(json_array_size(titles(o)), 10);
        json_array_foreach (titles(o), k, t)
            json_object_set(seen, text_of(t, "id"), json_true());
        json_decref(o);
    }
    assert_int_equal(json_object_size(seen), 200);
    json_decref(seen);
}

static size_t lines_with(const char *text, const char *start)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, start)) != NULL; at++)
        count += at == text || at[-1] == '\n';
    return count;
}

static void every_mood_has_a_playlist_of_ten_songs(void **state)
{
    (void)state;
    static const char *const moods[] = {"angry", "disgust", "fear", "happy", "sad", "surprise",
                                        "neutral"};
    for (size_t i = 0; i < sizeof moods / sizeof moods[0]; i++) {
        char words[512];
        void *m3u = NULL;
        size_t len = 0;
        struct err err = {0};
        json_error_t error;
        snprintf(words, sizeof words, "recommend -k song -e %s --repeat --playlist %s", moods[i],
                 testing_path(dir, "list.m3u"));
        free(said(words));
        assert_int_equal(path_read(testing_path(dir, "list.m3u"), &m3u, &len, 1 << 20, &err),
                         ERR_OK);
        assert_int_equal(lines_with(m3u, "#EXTM3U\n"), 1);
        assert_int_equal(lines_with(m3u, "#EXTINF:"), 10);
        free(m3u);
        snprintf(words, sizeof words, "recommend -k song -e %s --repeat --playlist %s", moods[i],
                 testing_path(dir, "list.json"));
        free(said(words));
        json_t *o = json_load_file(testing_path(dir, "list.json"), 0, &error);
        assert_int_equal(json_array_size(titles(o)), 10);
        assert_string_equal(text_of(json_array_get(titles(o), 0), "kind"), "song");
        json_decref(o);
    }
}

static void filters_and_names_as_typed(void **state)
{
    (void)state;
    int status = 0;
    json_t *o = list("recommend -e sad --repeat --json --director kuros --decade 1950s");
    assert_true(json_array_size(titles(o)) > 0);
    json_decref(o);
    char *text = say("recommend -e sad --actor al", &status);
    assert_int_equal(status, 1);
    assert_non_null(strstr(text, "did you mean"));
    free(text);
    o = list("recommend --kind song --language Xhosa --repeat --json");
    assert_string_equal(text_of(json_array_get(titles(o), 0), "language"), "xh");
    json_decref(o);
    o = list("recommend --kind video --json"); /* the starter has none, and says so */
    assert_true(json_is_true(json_object_get(o, "exhausted")));
    json_decref(o);
}

static void a_group_is_served_in_two_ways(void **state)
{
    (void)state;
    json_t *mean = list("recommend -e happy,fear --group mean --repeat --json");
    json_t *least = list("recommend -e happy,fear --group least-misery --repeat --json");
    assert_false(json_equal(titles(mean), titles(least)));
    json_decref(mean);
    json_decref(least);
}

static void what_was_said_is_kept_used_and_cleared(void **state)
{
    (void)state;
    free(said("recommend -e sad --seen tt0068646 --like tt0071562 --json"));
    char *text = said("catalog export");
    assert_non_null(strstr(text, "seen\ttt0068646\tThe Godfather\t"));
    assert_non_null(strstr(text, "like\ttt0071562\t"));
    free(text);
    for (int shown = 0; shown < 2; shown++) {
        bool found = false;
        size_t k;
        json_t *t, *o = list(shown ? "recommend -e sad --actor 'al pac' --repeat --json --show-seen"
                                   : "recommend -e sad --actor 'al pac' --repeat --json");
        json_array_foreach (titles(o), k, t)
            found |= strcmp(text_of(t, "title"), "The Godfather") == 0;
        assert_int_equal(found, shown);
        json_decref(o);
    }
    free(said("catalog clear-data"));
    text = said("catalog export");
    assert_string_equal(text, "");
    free(text);
}

/* The rows an import reports are those of the file, not those of the tables made from them; the
 * starter catalogue stays below what is imported, and its facts stay. */
static void imports_report_the_rows_of_the_file(void **state)
{
    (void)state;
    static const char csv[] = "title,year,genres,rating,votes\nNobody Knows This,2020,Comedy,9,5\n"
                              "The Godfather,1972,Crime,9.9,100\n";
    char words[512];
    testing_write(testing_path(dir, "m.csv"), csv, strlen(csv));
    snprintf(words, sizeof words, "catalog import movies %s", testing_path(dir, "m.csv"));
    char *text = said(words);
    assert_int_equal(strncmp(text, "2 rows read", 11), 0);
    free(text);
    text = said("catalog info");
    assert_non_null(strstr(text, "source: movies, 2 rows read, 2 kept"));
    assert_non_null(strstr(text, "source: starter"));
    free(text);
    text = said("catalog search godfather");
    assert_non_null(strstr(text, "tt0068646  The Godfather (1972), film, Francis Ford Coppola, "
                                 "9.9\n"));
    free(text);
    free(said("catalog check"));
}

/* The shell's limit of file sizes would end the program by a signal; the old catalogue stays and
 * nothing is left beside it. */
static void title_types_are_checked(void **state)
{
    (void)state;
    int status = 0;
    char *text = say("catalog import imdb . --types movie,film", &status);
    assert_int_equal(status, 2);
    assert_non_null(strstr(text, "--types: \"film\" is none of movie, tvMovie"));
    free(text);
}

static void output_that_does_not_arrive_is_a_failure(void **state)
{
    (void)state;
    int status = 0;
    char *text = say_to("recommend --emotion sad --repeat", "2>&1 >/dev/full", &status);
    assert_int_equal(status, 1);
    assert_string_equal(text, "moodreel: standard output: No space left on device\n");
    free(text);
}

static void a_full_disk_is_a_sentence(void **state)
{
    (void)state;
    static const char csv[] = "title,year,genres\nOne,2020,Comedy\n";
    struct str command = {0};
    char text[1000] = "";
    testing_write(testing_path(dir, "m.csv"), csv, strlen(csv));
    str_addf(&command, "ulimit -f 40; %s catalog import movies %s -c %s 2>&1; echo \"status $?\"",
             MOODREEL_PROGRAM, testing_path(dir, "m.csv"), testing_path(dir, "c.db"));
    FILE *f = popen(command.s, "r");
    assert_non_null(f);
    size_t len = fread(text, 1, sizeof text - 1, f);
    text[len] = '\0';
    pclose(f);
    assert_int_equal(strncmp(text, "moodreel: ", 10), 0);
    assert_non_null(strstr(text, "c.db"));
    assert_non_null(strstr(text, "\nstatus 1\n"));
    str_free(&command);
    str_addf(&command, "ls %s", dir);
    f = popen(command.s, "r");
    assert_non_null(f);
    len = fread(text, 1, sizeof text - 1, f);
    text[len] = '\0';
    pclose(f);
    assert_string_equal(text, "m.csv\n");
    str_free(&command);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(shuffling_in_many_processes_repeats_nothing),
        TEST(twenty_lists_repeat_nothing),
        TEST(every_mood_has_a_playlist_of_ten_songs),
        TEST(filters_and_names_as_typed),
        TEST(a_group_is_served_in_two_ways),
        TEST(what_was_said_is_kept_used_and_cleared),
        TEST(imports_report_the_rows_of_the_file),
        TEST(a_full_disk_is_a_sentence),
        TEST(title_types_are_checked),
        TEST(output_that_does_not_arrive_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
