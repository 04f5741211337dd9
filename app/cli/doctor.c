/* moodreel doctor: what works, what is missing, and what to do about it, in plain words. */
#include <stdio.h>
#include <string.h>

#include "settings.h"
#include "base/log.h"
#include "catalog/catalog.h"
#include "catalog/feedback.h"
#include "catalog/policy.h"
#include "cli/commands.h"
#include "ui/ui_sdl.h"
#include "vision/camera_list.h"
#include "vision/classifier.h"
#include "vision/face_finder.h"
#include "vision/opencv_c.h"

static void good(const char *what, const char *text)
{
    printf("  ok    %-10s %s\n", what, text);
}

static void bad(const char *what, const char *text, const char *remedy)
{
    printf("  FAIL  %-10s %s\n", what, text);
    if (remedy)
        printf("        %-10s -> %s\n", "", remedy);
}

static void print_camera(const struct camera_info *c)
{
    char text[160];
    snprintf(text, sizeof text, "%s (%s)", c->name[0] ? c->name : "unnamed", c->path);
    switch (c->access) {
    case CAMERA_IN_USE:
        bad("camera", text, "another program uses it: close that program");
        return;
    case CAMERA_DENIED:
        bad("camera", text,
            "it may not be opened: run `sudo usermod -aG video $USER` and log in again");
        return;
    case CAMERA_GONE:
        bad("camera", text, "it does not answer: unplug it and plug it in again");
        return;
    case CAMERA_FREE:
        break;
    }
    if (c->usable)
        good("camera", text);
    else
        bad("camera", text, "it offers no picture format that moodreel reads");
    for (int i = 0; i < c->format_count; i++) {
        const struct camera_format *f = &c->formats[i];
        printf("        %-10s %s up to %dx%d", "", f->fourcc, f->width, f->height);
        printf(f->fps > 0 ? " at %d/s\n" : "\n", f->fps);
    }
}

/* A machine without a camera is no fault: demo, files and moods by hand work. */
static void check_cameras(void)
{
    struct camera_info cameras[CAMERA_LIST_MAX];
    int count = camera_list(cameras, CAMERA_LIST_MAX);
    for (int i = 0; i < count; i++)
        print_camera(&cameras[i]);
    if (count == 0)
        printf("  note  %-10s none found: plug one in, or start with --source demo\n", "camera");
}

static const char model_remedy[] =
    "run `sh cmake/start.sh` from the source, or name a file by --model";

static bool check_model(const char *path)
{
    char text[4400];
    struct classifier *c = NULL;
    struct err err = {0};
    if (classifier_open(&c, path, NULL, &err) < 0) {
        bad("model", err.text, model_remedy);
        return false;
    }
    const struct preprocess *p = classifier_preprocess(c);
    snprintf(text, sizeof text, "%s (%d x %d), %.1f ms a face", path, p->side, p->side,
             (double)classifier_ms(c));
    good("model", text);
    classifier_close(c);
    return true;
}

static bool check_models(const struct app_options *o)
{
    struct settings_models m;
    struct err err = {0};
    if (settings_models(o->model, &m, &err) < 0) {
        bad("model", err.text, model_remedy);
        return false;
    }
    bool fine = check_model(m.usual);
    if (m.better[0] != '\0') {
        fine &= check_model(m.better);
        printf("        %-10s the second reads while the faces in view take it at most half of the "
               "time between two readings\n",
               "");
    }
    return fine;
}

static bool check_cascade(const struct app_options *o)
{
    char path[4096];
    struct face_finder *f = NULL;
    struct err err = {0};
    if (face_finder_open(&f, o->cascade, &err) < 0) {
        bad("faces", err.text, "install the package opencv-data");
        return false;
    }
    face_finder_close(f);
    good("faces", face_finder_path(o->cascade, path, sizeof path) ? path : o->cascade);
    return true;
}

static bool check_catalog(const struct app_options *o)
{
    char text[4400];
    struct catalog *c = NULL;
    struct err err = {0};
    if (catalog_open(&c, o->catalog, &err) < 0) {
        bad("catalogue", err.text, "move that file away: the starter catalogue is then used");
        return false;
    }
    snprintf(text, sizeof text, "%s: %lld films, %lld songs", catalog_path(c),
             (long long)catalog_count(c, TITLE_FILM), (long long)catalog_count(c, TITLE_SONG));
    good("catalogue", text);
    catalog_close(c);
    return true;
}

/* Without its file there is no memory, but there are films. */
static void check_memory(void)
{
    char path[4096];
    struct err err = {0};
    if (feedback_check(path, sizeof path, &err) == ERR_OK)
        good("likes", path);
    else
        printf("  note  %-10s remembered only until the end of each run: %s\n", "likes", err.text);
}

static bool check_policies(void)
{
    bool all = true;
    for (size_t i = 0; policy_builtin(i); i++) {
        struct policy *p = NULL;
        struct err err = {0};
        if (policy_load(&p, policy_builtin(i), &err) < 0) {
            bad("policy", err.text, "build or install moodreel again");
            all = false;
        }
        policy_free(p);
    }
    if (all)
        good("policies", "all of them load");
    return all;
}

static bool check_window(const struct app_options *o)
{
    char text[200];
    struct ui_sdl *window = NULL;
    struct err err = {0};
    struct ui_sdl_params p = {.title = "moodreel",
                              .font = o->font,
                              .width = 320,
                              .height = 240,
                              .zoom = 1.0f,
                              .hidden = true};
    if (ui_sdl_create(&window, &p, &err) < 0) {
        bad("window", err.text,
            "start it on a desktop; photo, recommend and catalog work without one");
        return false;
    }
    snprintf(text, sizeof text, "%s renderer%s", ui_sdl_renderer(window),
             ui_sdl_accelerated(window) ? "" : " (drawn by the processor: slower, but complete)");
    good("window", text);
    good("font", ui_sdl_font_file(window));
    ui_sdl_destroy(window);
    return true;
}

static bool check_all(const struct app_options *o)
{
    bool fine = true;
    printf("moodreel %s, OpenCV %s\n", MOODREEL_VERSION, cvc_version());
    check_cameras();
    fine &= check_models(o);
    fine &= check_cascade(o);
    fine &= check_catalog(o);
    check_memory();
    fine &= check_policies();
    fine &= check_window(o);
    printf(fine ? "Everything that is needed works.\n"
                : "Something is missing: see the lines that begin with FAIL.\n");
    return fine;
}

int cli_doctor(int argc, char **argv, struct err *err)
{
    struct app_options o;
    struct options *options;
    int status =
        options_begin(&options, &app_option_set, app_command("doctor"), &o, argc, argv, err);
    if (status != OPTIONS_GO)
        return status;
    log_set_level((enum log_level)o.log);
    cvc_setup();
    status = check_all(&o) ? STATUS_OK : STATUS_FAILED;
    options_free(options);
    return status;
}
