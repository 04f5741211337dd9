/* Video files, at their own frame rate. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "vision/opencv_c.h"
#include "vision/source.h"

/* For files that do not say their rate. */
static const double USUAL_FPS = 25.0;

/* Further behind than this, the clock is set anew instead of racing to catch up. */
enum { LATE_MAX_US = 250000 };

struct video {
    struct source source;
    struct cvc_video *decoder;
    char *path;
    int64_t interval_us;
    int64_t due_us;
    bool once;
    bool pending; /* the picture decoded by open or rewind was not given out yet */
    int width, height;
};

static int video_fd(const struct source *s)
{
    (void)s;
    return -1;
}

static int64_t video_due(const struct source *s)
{
    return ((const struct video *)s)->due_us;
}

static int decode(struct video *v, struct err *err)
{
    char why[160] = "it has no picture that can be decoded";
    int r = cvc_video_next(v->decoder, &v->width, &v->height, why, sizeof why);
    if (r == CVC_FAILED || (r == CVC_END && v->pending))
        return err_set(err, ERR_FORMAT, "%s: %s", v->path, why);
    return r;
}

/* Decodes the first picture, so that a file without any is noticed. */
static int decode_first(struct video *v, struct err *err)
{
    v->pending = true;
    return decode(v, err);
}

static int start_again(struct video *v, struct err *err)
{
    char why[160];
    if (cvc_video_rewind(v->decoder, why, sizeof why) != CVC_OK)
        return err_set(err, ERR_IO, "%s: %s", v->path, why);
    return decode_first(v, err);
}

static void set_next_due(struct video *v)
{
    int64_t now = clock_now_us();
    v->due_us += v->interval_us;
    if (now - v->due_us > LATE_MAX_US)
        v->due_us = now;
}

static enum source_step video_next(struct source *s, int *width, int *height, struct err *err)
{
    struct video *v = (struct video *)s;
    if (!v->pending) {
        int r = decode(v, err);
        if (r == CVC_END && v->once)
            return SOURCE_END;
        if (r == CVC_END)
            r = start_again(v, err);
        if (r < 0)
            return SOURCE_END;
    }
    v->pending = false;
    set_next_due(v);
    *width = v->width;
    *height = v->height;
    return SOURCE_PICTURE;
}

static int video_copy(struct source *s, struct frame *f, struct err *err)
{
    struct video *v = (struct video *)s;
    char why[160];
    f->t_us = clock_now_us();
    if (cvc_video_copy(v->decoder, f->bgr, f->width, f->height, f->stride, why, sizeof why) < 0)
        return err_set(err, ERR_FORMAT, "%s: %s", v->path, why);
    return ERR_OK;
}

static void video_close(struct source *s)
{
    struct video *v = (struct video *)s;
    cvc_video_close(v->decoder);
    free(v->path);
    free(v);
}

static const struct source_ops video_ops = {video_fd, video_due, video_next, video_copy,
                                            video_close};

int source_open_video(struct source **out, const struct source_spec *spec, struct err *err)
{
    struct video *v = mem_new(1, sizeof *v);
    const char *slash = strrchr(spec->text, '/');
    char why[160];
    v->source.ops = &video_ops;
    v->path = mem_strdup(spec->text);
    v->once = spec->once;
    snprintf(v->source.name, sizeof v->source.name, "%s", slash != NULL ? slash + 1 : spec->text);
    int code = ERR_OK;
    if (cvc_video_open(&v->decoder, v->path, why, sizeof why) != CVC_OK)
        code = err_set(err, ERR_FORMAT, "%s: %s", v->path, why);
    else
        code = decode_first(v, err);
    if (code != ERR_OK) {
        video_close(&v->source);
        return code;
    }
    double fps = cvc_video_fps(v->decoder);
    v->interval_us = (int64_t)(1e6 / (fps > 0.0 ? fps : USUAL_FPS));
    v->due_us = clock_now_us();
    *out = &v->source;
    return ERR_OK;
}
