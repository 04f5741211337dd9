/* moodreel photo: the faces of picture files, and films for each picture. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "settings.h"
#include "base/log.h"
#include "base/pool.h"
#include "catalog/playlist.h"
#include "catalog/recommend.h"
#include "cli/commands.h"
#include "films.h"
#include "report.h"
#include "vision/face_reader.h"
#include "vision/opencv_c.h"
#include "vision/tracker.h"

static const char *face_label(const struct reading *r)
{
    struct tracker_params p = tracker_defaults();
    return tracker_sure(&p, r) ? emotion_name(emotion_top(&r->scores)) : "not sure";
}

static json_t *faces_json(const struct read_result *r)
{
    json_t *faces = json_array();
    for (int i = 0; i < r->count; i++) {
        const struct face_box *b = &r->face[i].box;
        struct box box = {b->x / (float)r->width, b->y / (float)r->height, b->w / (float)r->width,
                          b->h / (float)r->height};
        const struct reading *reading = &r->face[i].reading;
        json_array_append_new(faces, report_face((uint32_t)i + 1, &box, r->width, r->height,
                                                 face_label(reading), true, &reading->scores));
    }
    return faces;
}

static void print_json(const char *path, const struct read_result *r,
                       const struct emotion_scores *mood, const struct films *films)
{
    json_t *o = json_pack("{s:s, s:i, s:i, s:o}", "image", path, "width", r->width, "height",
                          r->height, "faces", faces_json(r));
    if (r->count > 0)
        json_object_set_new(o, "mood", mood_json(mood));
    json_object_set_new(o, "policy", json_string(films_policy_name(films)));
    json_object_set_new(o, "titles", title_list_json(films_titles(films)));
    json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(5));
    putchar('\n');
    json_decref(o);
}

static void print_text(const char *path, const struct read_result *r, const struct films *films)
{
    const struct title_list *titles = films_titles(films);
    char mood[160];
    printf("%s\n", path);
    if (r->count == 0)
        printf("  no face was found\n");
    for (int i = 0; i < r->count; i++) {
        const struct face_box *b = &r->face[i].box;
        recommend_mood_text(&r->face[i].reading.scores, mood, sizeof mood);
        printf("  face %d at %d,%d, %d x %d: looks %s\n", i + 1, (int)b->x, (int)b->y, (int)b->w,
               (int)b->h, mood);
    }
    if (titles->count > 0)
        printf("  films (%s):\n", films_policy_title(films));
    for (int i = 0; i < titles->count; i++) {
        const struct title *t = &titles->v[i];
        printf("  %3d. %s (%d)  %s  %.1f\n       %s\n", i + 1, t->name, t->year, t->genres,
               (double)t->rating, t->why);
    }
}

static int read_picture(const struct app_options *o, struct face_reader *reader,
                        struct films *films, const char *path, struct err *err)
{
    struct read_result r;
    struct emotion_scores faces[READER_FACES_MAX], mood;
    float areas[READER_FACES_MAX];
    int code = face_reader_photo(reader, path, &r, err);
    if (code < 0)
        return code;
    for (int i = 0; i < r.count; i++) {
        faces[i] = r.face[i].reading.scores;
        areas[i] = r.face[i].box.w * r.face[i].box.h;
    }
    mood = films_mood(faces, areas, r.count);
    films_clear(films);
    if (r.count > 0)
        code = films_fetch(films, &mood, faces, r.count, false, err);
    if (code < 0)
        return code;
    if (o->json)
        print_json(path, &r, &mood, films);
    else
        print_text(path, &r, films);
    return ERR_OK;
}

/* A picture that cannot be read does not stop the others; the first failure is the sentence. */
static int read_pictures(const struct app_options *o, char *const *paths, int count,
                         struct err *err)
{
    struct face_reader *reader = NULL;
    struct films *films = NULL;
    struct settings_models models;
    struct films_params p = {o->catalog, o->policy, o->language, o->top, false};
    struct pool *pool = o->threads > 1 ? pool_create(o->threads) : NULL;
    int code = settings_models(o->model, &models, err);
    if (code == ERR_OK)
        code = face_reader_open(&reader, o->cascade, settings_best_model(&models), pool, err);
    if (code == ERR_OK)
        code = films_open(&films, &p, err);
    for (int i = 0; i < count && reader && films; i++) {
        struct err one = {0};
        if (read_picture(o, reader, films, paths[i], &one) < 0 && code == ERR_OK) {
            *err = one;
            code = one.code;
        } else if (one.code != ERR_OK) {
            fprintf(stderr, "moodreel: %s\n", one.text);
        }
    }
    films_close(films);
    face_reader_close(reader);
    pool_destroy(pool);
    return code;
}

int cli_photo(int argc, char **argv, struct err *err)
{
    struct app_options o;
    struct options *options;
    int count, status;
    status = options_begin(&options, &app_option_set, app_command("photo"), &o, argc, argv, err);
    if (status != OPTIONS_GO)
        return status;
    char *const *paths = options_words(options, &count);
    log_set_level((enum log_level)o.log);
    cvc_setup();
    if (count == 0) {
        err_set(err, ERR_RANGE, "no picture is named (see moodreel photo --help)");
        status = STATUS_USAGE;
    } else {
        status = read_pictures(&o, paths, count, err) < 0 ? STATUS_FAILED : STATUS_OK;
    }
    options_free(options);
    return status;
}
