/* Image files as a source: one, or every one of a folder in alphabetical order. Each is shown for a
 * second as a slow video, so that whatever watches the frames has time to settle. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/thread.h"
#include "vision/opencv_c.h"
#include "vision/source.h"

#define LOG_MODULE "images"
#include "base/log.h"

/* Larger pictures are shrunk when they are read, since they are copied again and again. */
enum { SHOWN_WIDTH_MAX = 1920, SHOWN_HEIGHT_MAX = 1080 };
enum { INTERVAL_US = 1000000 / 15, REPEATS = 15 };

struct images {
    struct source source;
    char **paths;
    int count;
    int at;    /* the picture shown */
    int shown; /* how often */
    bool once;
    uint8_t *bgr; /* cvc_free() */
    int width, height;
    int64_t due_us;
};

static int images_fd(const struct source *s)
{
    (void)s;
    return -1;
}

static int64_t images_due(const struct source *s)
{
    return ((const struct images *)s)->due_us;
}

/* The size that fits the limits in the picture's own proportions. */
static void fit(int *width, int *height)
{
    double shrink = 1.0;
    if (*width > SHOWN_WIDTH_MAX)
        shrink = (double)SHOWN_WIDTH_MAX / *width;
    if (*height * shrink > SHOWN_HEIGHT_MAX)
        shrink = (double)SHOWN_HEIGHT_MAX / *height;
    *width = *width * shrink < 1.0 ? 1 : (int)(*width * shrink);
    *height = *height * shrink < 1.0 ? 1 : (int)(*height * shrink);
}

/* Reads paths[at] into bgr; the old picture stays when it fails. */
static int load(struct images *im, struct err *err)
{
    const char *path = im->paths[im->at];
    uint8_t *px;
    int w;
    int h;
    char why[160];
    if (cvc_image_read(path, 3, &px, &w, &h, why, sizeof why) != CVC_OK)
        return err_set(err, ERR_FORMAT, "%s: %s", path, why);
    int fw = w;
    int fh = h;
    fit(&fw, &fh);
    /* Shrinking in place would read what was written already, so only the kept size is decided
     * here: a smaller picture gets memory of its own. */
    if (fw != w || fh != h) {
        uint8_t *small = mem_new((size_t)fw * 3, (size_t)fh);
        int r = cvc_resize(px, w, h, w * 3, small, fw, fh, fw * 3, 3, why, sizeof why);
        cvc_free(px);
        px = small;
        if (r != CVC_OK) {
            cvc_free(small);
            return err_set(err, ERR_FORMAT, "%s: %s", path, why);
        }
    }
    cvc_free(im->bgr);
    im->bgr = px;
    im->width = fw;
    im->height = fh;
    im->shown = 0;
    return ERR_OK;
}

/* Goes to the next picture that can be read. false: the end (once), or none is left. */
static bool advance(struct images *im, struct err *err)
{
    for (int tries = 0; tries < im->count; tries++) {
        im->at++;
        if (im->at == im->count && im->once)
            return false;
        im->at %= im->count;
        if (load(im, err) == ERR_OK)
            return true;
        log_warn("%s", err->text);
    }
    return false;
}

static enum source_step images_next(struct source *s, int *width, int *height, struct err *err)
{
    struct images *im = (struct images *)s;
    bool turn = im->shown == REPEATS && (im->count > 1 || im->once);
    if (turn && !advance(im, err))
        return SOURCE_END;
    if (im->shown < REPEATS)
        im->shown++;
    im->due_us = clock_now_us() + INTERVAL_US;
    *width = im->width;
    *height = im->height;
    return SOURCE_PICTURE;
}

static int images_copy(struct source *s, struct frame *f, struct err *err)
{
    (void)err;
    const struct images *im = (const struct images *)s;
    size_t row = (size_t)im->width * 3;
    for (int y = 0; y < im->height; y++)
        memcpy(f->bgr + (size_t)y * (size_t)f->stride, im->bgr + (size_t)y * row, row);
    f->t_us = clock_now_us();
    return ERR_OK;
}

static void images_close(struct source *s)
{
    struct images *im = (struct images *)s;
    for (int i = 0; i < im->count; i++)
        free(im->paths[i]);
    free(im->paths);
    cvc_free(im->bgr);
    free(im);
}

static const struct source_ops images_ops = {images_fd, images_due, images_next, images_copy,
                                             images_close};

static int not_hidden(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static int list_folder(struct images *im, const char *dir, struct err *err)
{
    struct dirent **entries;
    int n = scandir(dir, &entries, not_hidden, alphasort);
    if (n < 0)
        return err_errno(err, dir);
    im->paths = mem_new((size_t)n + 1, sizeof *im->paths);
    for (int i = 0; i < n; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, entries[i]->d_name);
        im->paths[im->count++] = mem_strdup(path);
        free(entries[i]);
    }
    free(entries);
    return n > 0 ? ERR_OK : err_set(err, ERR_NOT_FOUND, "%s: the folder is empty", dir);
}

static int list_paths(struct images *im, const char *path, struct err *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return err_errno(err, path);
    if (S_ISDIR(st.st_mode))
        return list_folder(im, path, err);
    im->paths = mem_new(1, sizeof *im->paths);
    im->paths[im->count++] = mem_strdup(path);
    return ERR_OK;
}

int source_open_images(struct source **out, const struct source_spec *spec, struct err *err)
{
    struct images *im = mem_new(1, sizeof *im);
    struct err first = {0};
    const char *slash = strrchr(spec->text, '/');
    im->source.ops = &images_ops;
    im->once = spec->once;
    snprintf(im->source.name, sizeof im->source.name, "%s",
             slash != NULL && slash[1] != '\0' ? slash + 1 : spec->text);
    int code = list_paths(im, spec->text, err);
    for (im->at = 0; code == ERR_OK && im->at < im->count; im->at++)
        if (load(im, &first) == ERR_OK)
            break;
    if (code == ERR_OK && im->bgr == NULL)
        code = err_set(err, ERR_FORMAT, "%s", first.text);
    if (code != ERR_OK) {
        images_close(&im->source);
        return code;
    }
    im->due_us = clock_now_us();
    *out = &im->source;
    return ERR_OK;
}
