/* Every option of moodreel: the struct that holds the values, the table that describes them. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "options.h"

/* The commands that read this table, as bits of option_spec.commands. */
enum { SETTINGS_LIVE = 1, SETTINGS_PHOTO = 2, SETTINGS_DOCTOR = 4 };

/* The values; strings live with the struct options. */
struct app_options {
    /* camera */
    const char *source;
    struct option_size camera_size;
    int camera_fps;
    bool once, mirror;
    /* reading */
    const char *model; /* "auto", a name below models/ or a path */
    const char *cascade;
    double readings; /* a second at most */
    int threads;
    /* films */
    const char *catalog; /* NULL: the user's own, else the starter */
    const char *policy, *language;
    int top;
    bool memory; /* keep likes, seen marks and what was shown */
    /* window */
    struct option_size size;
    bool fullscreen, kiosk;
    double zoom, results_s;
    const char *font;
    int renderer; /* enum app_renderer */
    /* machines and developers */
    const char *report, *screenshot;
    double exit_after;
    int log; /* enum log_level */
    bool json;
};

enum app_renderer { APP_RENDERER_AUTO, APP_RENDERER_SOFTWARE };

extern const struct option_set app_option_set;

/* The files behind --model. "auto": the quick network, and beside it the accurate one where it is
 * installed. Else one: a path as it is, a name as models/<name>.onnx. */
struct settings_models {
    char usual[4096];
    char better[4096]; /* "": there is none */
};

/* ERR_NOT_FOUND names what was looked for. */
int settings_models(const char *model, struct settings_models *out, struct err *err);

/* The most accurate of them, for photographs: nobody waits for the next picture. */
const char *settings_best_model(const struct settings_models *m);

#endif
