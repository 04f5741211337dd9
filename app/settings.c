/* The option table. */
#include "settings.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/path.h"

enum { LIVE = SETTINGS_LIVE, PHOTO = SETTINGS_PHOTO, DOCTOR = SETTINGS_DOCTOR };

#define AT(field) offsetof(struct app_options, field)
static const struct option_spec specs[] = {
    {"Camera", "source", 's', OPTION_STRING, AT(source), 0, 0, "SOURCE", NULL, "camera", LIVE,
     false,
     "Where pictures come from: camera (the first one), camera:N, camera:/dev/v4l/by-id/..., demo "
     "(a drawn face), a video or image file, a folder of images, an http or rtsp address."},
    {"Camera", "camera-size", 0, OPTION_SIZE, AT(camera_size), 16, 8192, "WxH", NULL, "640x480",
     LIVE, false, "Picture asked of the camera; it chooses the nearest it has."},
    {"Camera", "camera-fps", 0, OPTION_INT, AT(camera_fps), 1, 240, "N", NULL, "30", LIVE, false,
     "Pictures a second asked of the camera."},
    {"Camera", "once", 0, OPTION_FLAG, AT(once), 0, 0, NULL, NULL, NULL, LIVE, true,
     "Play a file once; otherwise it begins again at its end."},
    {"Camera", "mirror", 0, OPTION_FLAG, AT(mirror), 0, 0, NULL, NULL, "yes", LIVE, false,
     "Show a camera's picture as it is instead of like a mirror."},

    {"Reading faces", "model", 'm', OPTION_STRING, AT(model), 0, 0, "MODEL", NULL, "auto",
     LIVE | PHOTO | DOCTOR, false,
     "The network: a name below models/ or an ONNX file; auto: moodreel-best while it is fast "
     "enough for the faces in view, else moodreel-fast."},
    {"Reading faces", "cascade", 0, OPTION_STRING, AT(cascade), 0, 0, "NAME", NULL, "haar",
     LIVE | PHOTO | DOCTOR, false, "The face detector: haar, lbp, or a cascade's XML file."},
    {"Reading faces", "readings", 0, OPTION_NUMBER, AT(readings), 0.5, 120, "N", NULL, "20", LIVE,
     false, "Readings a second at most."},
    {"Reading faces", "threads", 0, OPTION_INT, AT(threads), 1, 64, "N", NULL, "1", LIVE | PHOTO,
     false, "Threads of the network; one is enough for the shipped ones."},

    {"Films", "catalog", 'c', OPTION_STRING, AT(catalog), 0, 0, "FILE", NULL, NULL,
     LIVE | PHOTO | DOCTOR, false,
     "The catalogue; without it the one you imported, else the starter."},
    {"Films", "policy", 'p', OPTION_STRING, AT(policy), 0, 0, "NAME", NULL, NULL, LIVE | PHOTO,
     false, "How a mood is answered: lift, match, surprise, seed-000, seed-001, or a file."},
    {"Films", "language", 0, OPTION_STRING, AT(language), 0, 0, "CODE", NULL, NULL, LIVE | PHOTO,
     false, "Only titles in this language, as en, fr, hi, ja."},
    {"Films", "top", 'n', OPTION_INT, AT(top), 1, 200, "N", NULL, "10", LIVE | PHOTO, false,
     "Titles in a list."},
    {"Films", "memory", 0, OPTION_FLAG, AT(memory), 0, 0, NULL, NULL, "yes", LIVE, false,
     "Keep nothing on disk of what was liked, seen or shown. The kiosk never does."},

    {"Window", "size", 0, OPTION_SIZE, AT(size), 160, 16384, "WxH", NULL, "1280x720", LIVE, false,
     "Size of the window."},
    {"Window", "fullscreen", 'f', OPTION_FLAG, AT(fullscreen), 0, 0, NULL, NULL, NULL, LIVE, false,
     "Fill the screen."},
    {"Window", "kiosk", 'k', OPTION_FLAG, AT(kiosk), 0, 0, NULL, NULL, NULL, LIVE, false,
     "For public places: full screen, a notice before anything is read, back to it by itself; "
     "ends only by Ctrl+Alt+Q or SIGTERM."},
    {"Window", "results", 0, OPTION_NUMBER, AT(results_s), 3, 3600, "SECONDS", NULL, "30", LIVE,
     false, "How long the kiosk shows a list after the last touch."},
    {"Window", "zoom", 0, OPTION_NUMBER, AT(zoom), 0.5, 4, "FACTOR", NULL, "1", LIVE, false,
     "Size of everything drawn, text above all."},
    {"Window", "font", 0, OPTION_STRING, AT(font), 0, 0, "FONT", NULL, NULL, LIVE | DOCTOR, false,
     "A font's family name or file."},
    {"Window", "renderer", 0, OPTION_CHOICE, AT(renderer), 0, 0, NULL, "auto|software", "auto",
     LIVE, false, "How the window is drawn."},

    {"For machines", "report", 0, OPTION_STRING, AT(report), 0, 0, "FILE", NULL, NULL, LIVE, true,
     "Write what happens as JSON lines, never pixels; - is standard output."},
    {"For machines", "exit-after", 0, OPTION_NUMBER, AT(exit_after), 0, 1e9, "SECONDS", NULL, NULL,
     LIVE, true, "End by itself."},
    {"For machines", "screenshot", 0, OPTION_STRING, AT(screenshot), 0, 0, "FILE.png", NULL, NULL,
     LIVE, true, "At the end write the window as it was last shown."},
    {"For machines", "json", 'j', OPTION_FLAG, AT(json), 0, 0, NULL, NULL, NULL, PHOTO, true,
     "Print one JSON object a picture."},
    {"For machines", "log", 0, OPTION_CHOICE, AT(log), 0, 0, "LEVEL", "error|warn|info|debug",
     "warn", 0, false, "What is told on standard error."},
};

const struct option_set app_option_set = {"moodreel", specs, sizeof specs / sizeof specs[0],
                                          "moodreel.conf"};

static int find_model(const char *model, char *out, size_t cap, struct err *err)
{
    char name[256];
    size_t n = strlen(model);
    if (strchr(model, '/') || (n > 5 && strcmp(model + n - 5, ".onnx") == 0)) {
        snprintf(out, cap, "%s", model);
        return ERR_OK;
    }
    snprintf(name, sizeof name, "models/%s.onnx", model);
    if (path_find_data(name, out, cap))
        return ERR_OK;
    return err_set(err, ERR_NOT_FOUND,
                   "%s: no such model; `moodreel doctor` shows where it is "
                   "looked for",
                   out);
}

int settings_models(const char *model, struct settings_models *out, struct err *err)
{
    bool pick = strcmp(model, "auto") == 0;
    struct err none = {0};
    out->better[0] = '\0';
    int code = find_model(pick ? "moodreel-fast" : model, out->usual, sizeof out->usual, err);
    if (code == ERR_OK && pick &&
        find_model("moodreel-best", out->better, sizeof out->better, &none) < 0)
        out->better[0] = '\0';
    return code;
}

const char *settings_best_model(const struct settings_models *m)
{
    return m->better[0] != '\0' ? m->better : m->usual;
}
