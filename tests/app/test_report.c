/* report: every line is one JSON object with the fields the format names. */
#include "support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "report.h"

static struct observation two_faces(void)
{
    struct observation o = {.frame_seq = 7, .count = 2};
    for (int i = 0; i < 2; i++)
        o.face[i] = (struct face_track){.id = (uint32_t)i + 1,
                                        .box = {0.25f, 0.5f, 0.1f, 0.2f},
                                        .smooth = emotion_pure(EMOTION_HAPPY),
                                        .label = EMOTION_HAPPY,
                                        .sure = i == 0,
                                        .steady = i == 0};
    return o;
}

static void write_all(const char *path)
{
    struct report *r;
    struct err err = {0};
    struct title title = {.id = 34583,
                          .kind = TITLE_FILM,
                          .year = 1942,
                          .imdb_id = "tt0034583",
                          .name = "Casablanca \"x\"\n",
                          .original = "",
                          .genres = "Drama, War",
                          .language = "",
                          .makers = "",
                          .cast = "",
                          .moods = "",
                          .why = "Why.",
                          .certificate = -1,
                          .valence = -1,
                          .energy = -1,
                          .score = 0.5f};
    struct title_list titles = {.v = &title, .count = 1, .note = ""};
    struct capture_status camera = {.state = CAPTURE_LOST, .reason = CAPTURE_BUSY};
    struct observation o = two_faces();
    struct report_stats stats = {30, 29.5, 12, 4, 20, 40};
    struct emotion_scores mood = emotion_pure(EMOTION_SAD);
    assert_int_equal(report_open(&r, path, 1000000, &err), ERR_OK);
    snprintf(camera.name, sizeof camera.name, "C\xc3\xa1mara");
    report_camera(r, &camera);
    report_first_picture(r, 1250000);
    report_state(r, "live");
    report_stats(r, &stats);
    report_faces(r, &o, 640, 480, 1.5);
    report_recommendations(r, &mood, "hand", "lift", &titles, 12.5);
    assert_int_equal(report_close(r, 0, 3000000, &err), ERR_OK);
}

static json_t *find(json_t **lines, size_t count, const char *event)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(json_string_value(json_object_get(lines[i], "event")), event) == 0)
            return lines[i];
    fail_msg("no %s", event);
    return NULL;
}

static size_t read_lines(const char *path, json_t **lines, size_t cap)
{
    void *data;
    size_t len, count = 0;
    assert_int_equal(path_read(path, &data, &len, 1 << 20, NULL), ERR_OK);
    for (char *line = data; *line; count++) {
        char *end = strchr(line, '\n');
        assert_non_null(end);
        *end = '\0';
        assert_true(count < cap);
        lines[count] = json_loads(line, 0, NULL);
        assert_non_null(lines[count]);
        line = end + 1;
    }
    free(data);
    return count;
}

static void test_lines(void **state)
{
    (void)state;
    char *dir = testing_make_dir();
    const char *path = testing_path(dir, "report.jsonl");
    json_t *lines[16];
    write_all(path);
    size_t count = read_lines(path, lines, 16);
    assert_int_equal(count, 7);
    assert_string_equal(json_string_value(json_object_get(find(lines, count, "camera"), "state")),
                        "lost");
    assert_string_equal(json_string_value(json_object_get(find(lines, count, "camera"), "reason")),
                        "busy");
    json_t *first = json_object_get(find(lines, count, "first_picture"), "ms");
    assert_true(json_number_value(first) == 250.0);
    json_t *stats = find(lines, count, "stats");
    assert_true(json_number_value(json_object_get(stats, "capture_fps")) == 29.5);
    assert_int_equal(json_integer_value(json_object_get(stats, "skipped")), 4);
    assert_true(json_number_value(json_object_get(stats, "rss_mb")) > 0.5);
    json_t *exit_line = find(lines, count, "exit");
    assert_true(json_number_value(json_object_get(exit_line, "seconds")) == 2.0);

    json_t *faces = json_object_get(find(lines, count, "faces"), "faces");
    assert_int_equal(json_array_size(faces), 2);
    json_t *one = json_array_get(faces, 0), *two = json_array_get(faces, 1);
    json_t *box = json_object_get(one, "box");
    assert_int_equal(json_integer_value(json_array_get(box, 0)), 160);
    assert_int_equal(json_integer_value(json_array_get(box, 1)), 240);
    assert_int_equal(json_integer_value(json_array_get(box, 2)), 64);
    assert_int_equal(json_integer_value(json_array_get(box, 3)), 96);
    assert_string_equal(json_string_value(json_object_get(one, "label")), "happy");
    assert_string_equal(json_string_value(json_object_get(two, "label")), "not sure");
    assert_true(json_is_true(json_object_get(one, "steady")));
    assert_true(json_is_false(json_object_get(two, "steady")));
    assert_int_equal(json_object_size(json_object_get(one, "scores")), 7);

    json_t *list = find(lines, count, "recommendations");
    json_t *title = json_array_get(json_object_get(list, "titles"), 0);
    assert_string_equal(json_string_value(json_object_get(title, "id")), "tt0034583");
    assert_string_equal(json_string_value(json_object_get(title, "title")), "Casablanca \"x\"\n");
    assert_int_equal(json_array_size(json_object_get(title, "genres")), 2);
    assert_string_equal(json_string_value(json_object_get(list, "policy")), "lift");
    assert_string_equal(json_string_value(json_object_get(list, "source")), "hand");
    for (size_t i = 0; i < count; i++)
        json_decref(lines[i]);
    testing_remove_dir(dir);
}

static void test_a_report_that_cannot_be_written(void **state)
{
    (void)state;
    struct report *r;
    struct err err = {0};
    assert_true(report_open(&r, "/no/such/folder/report", 0, &err) < 0);
    assert_non_null(strstr(err.text, "/no/such/folder/report"));
    assert_null(r);
    if (report_open(&r, "/dev/full", 0, &err) < 0)
        skip();
    report_state(r, "live");
    assert_true(report_close(r, 0, 0, &err) < 0);
    assert_non_null(strstr(err.text, "/dev/full"));
}

static void test_without_a_report_nothing_happens(void **state)
{
    (void)state;
    struct capture_status camera = {0};
    report_camera(NULL, &camera);
    report_state(NULL, "live");
    report_first_picture(NULL, 0);
    assert_int_equal(report_close(NULL, 0, 0, NULL), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_a_report_that_cannot_be_written),
        cmocka_unit_test(test_without_a_report_nothing_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
