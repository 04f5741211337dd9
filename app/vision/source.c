/* From the user's words to an open source. */
#include "vision/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"

static bool starts_with(const char *s, const char *prefix)
{
    return strncasecmp(s, prefix, strlen(prefix)) == 0;
}

static bool is_url(const char *text)
{
    static const char *const schemes[] = {"http://", "https://", "rtsp://", "rtsps://"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (starts_with(text, schemes[i]))
            return true;
    return false;
}

static bool is_image_name(const char *path)
{
    static const char *const endings[] = {".png",  ".jpg", ".jpeg", ".bmp", ".webp",
                                          ".tiff", ".tif", ".pgm",  ".ppm"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof endings / sizeof endings[0]; i++)
        if (strcasecmp(dot, endings[i]) == 0)
            return true;
    return false;
}

static int parse_camera(struct source_spec *out, const char *device, struct err *err)
{
    int64_t number;
    out->kind = SOURCE_CAMERA;
    if (device[0] == '\0' || device[0] == '/') {
        out->text = mem_strdup(device);
        return ERR_OK;
    }
    if (!parse_i64(device, 0, 255, &number))
        return err_set(err, ERR_RANGE,
                       "camera:%s: a camera is camera:N with N from 0 to 255, or camera:/dev/...",
                       device);
    char path[32];
    snprintf(path, sizeof path, "/dev/video%d", (int)number);
    out->text = mem_strdup(path);
    return ERR_OK;
}

static int parse_path(struct source_spec *out, const char *path, struct err *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return err_set(err, ERR_NOT_FOUND,
                       "%s: there is no such file (other sources: camera:N, demo, http://...)",
                       path);
    if (S_ISCHR(st.st_mode))
        return parse_camera(out, path, err);
    out->kind = S_ISDIR(st.st_mode) || is_image_name(path) ? SOURCE_IMAGES : SOURCE_VIDEO;
    out->text = mem_strdup(path);
    return ERR_OK;
}

int source_spec_parse(struct source_spec *out, const char *text, struct err *err)
{
    memset(out, 0, sizeof *out);
    if (text == NULL || text[0] == '\0' || strcmp(text, "camera") == 0)
        return parse_camera(out, "", err);
    if (starts_with(text, "camera:"))
        return parse_camera(out, text + strlen("camera:"), err);
    if (strcmp(text, "demo") == 0 || is_url(text)) {
        out->kind = is_url(text) ? SOURCE_STREAM : SOURCE_DEMO;
        out->text = mem_strdup(text);
        return ERR_OK;
    }
    return parse_path(out, text, err);
}

void source_spec_free(struct source_spec *s)
{
    free(s->text);
    s->text = NULL;
}

int source_open(struct source **out, struct source_spec *spec, enum capture_reason *reason,
                struct err *err)
{
    *out = NULL;
    *reason = CAPTURE_FAILED;
    switch (spec->kind) {
    case SOURCE_CAMERA:
        return source_open_camera(out, spec, reason, err);
    case SOURCE_STREAM:
        return source_open_stream(out, spec, err);
    case SOURCE_VIDEO:
        return source_open_video(out, spec, err);
    case SOURCE_IMAGES:
        return source_open_images(out, spec, err);
    case SOURCE_DEMO:
        return source_open_demo(out, spec, err);
    }
    return err_set(err, ERR_UNSUPPORTED, "%s: unknown kind of source", spec->text);
}

void source_close(struct source *s)
{
    if (s != NULL)
        s->ops->close(s);
}
