/* Cameras, straight through Video4Linux.
 *
 * DESIGN. OpenCV's V4L2 backend blocks up to 10 s on a silent camera, hands out the previous
 * picture when one does not decode, and spins when the device is gone; so the few ioctls are made
 * here (kernel documentation "Video for Linux API", 3.2 "Streaming I/O (memory mapping)"). The
 * device is opened non-blocking; the capture thread polls it; every waiting buffer is taken and
 * only the newest one is decoded. A picture counts as new only when the driver's sequence number
 * or timestamp moved. */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "vision/camera_list.h"
#include "vision/opencv_c.h"
#include "vision/source.h"
#include "vision/v4l2.h"

enum { BUFFERS = 4 };

/* Cameras settle exposure and focus before they send anything. */
enum { FIRST_PICTURE_US = 3000000 };

struct mapped_buffer {
    void *start;
    size_t length;
};

struct camera {
    struct source source;
    int fd;
    char path[64];
    char fourcc[5];
    int width, height;
    int stride; /* bytes; 0 for JPEG */
    struct mapped_buffer buffers[BUFFERS];
    int buffer_count;
    struct v4l2_buffer current; /* dequeued and not given back yet */
    bool holding;               /* `current` is one */
    unsigned last_sequence;
    struct timeval last_stamp;
    bool any; /* last_* are of a real picture */
};

/* The sentence for a device that refused, by errno. */
static int refused(const char *path, const char *what, int error, enum capture_reason *reason,
                   struct err *err)
{
    switch (v4l2_access(error)) {
    case CAMERA_IN_USE:
        *reason = CAPTURE_BUSY;
        return err_set(err, ERR_IO,
                       "The camera %s is used by another program. Close that program; the camera "
                       "is taken as soon as it is free.",
                       path);
    case CAMERA_DENIED:
        *reason = CAPTURE_DENIED;
        return err_set(err, ERR_IO,
                       "No permission to use the camera %s. Add yourself to the group video (sudo "
                       "usermod -aG video $USER) and log in again.",
                       path);
    default:
        break;
    }
    bool gone = error == ENOENT || error == ENODEV || error == ENXIO;
    *reason = gone ? CAPTURE_ABSENT : CAPTURE_FAILED;
    if (gone)
        return err_set(err, ERR_NOT_FOUND,
                       "There is no camera %s. Plug it in; it is used as soon as it appears.",
                       path);
    if (error == ENOSPC)
        return err_set(err, ERR_IO,
                       "The camera %s does not get enough of the USB bus. Plug it into another "
                       "port, or unplug other cameras.",
                       path);
    return err_set(err, ERR_IO, "The camera %s failed: %s: %s. Try to plug it in again.", path,
                   what, strerror(error));
}

static int gone(const char *name, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND,
                   "The camera %s is gone. Plug it in again; it is used as soon as it appears.",
                   name);
}

/* The first camera that can be used; when none can, *out is the best reason why. */
static bool any_camera(struct camera_info *out)
{
    struct camera_info list[CAMERA_LIST_MAX];
    int n = camera_list(list, CAMERA_LIST_MAX);
    for (int i = 0; i < n; i++)
        if (list[i].access == CAMERA_FREE && list[i].usable) {
            *out = list[i];
            return true;
        }
    if (n > 0)
        *out = list[0];
    return n > 0;
}

/* Where the wanted camera is now. A name below /dev/v4l is an identity of its own. */
static int locate(const struct source_spec *spec, char path[64], enum capture_reason *reason,
                  struct err *err)
{
    struct camera_info found;
    bool by_name = strncmp(spec->text, "/dev/v4l/", strlen("/dev/v4l/")) == 0;
    bool known = spec->camera_name[0] != '\0' && !by_name;
    if (known && camera_find(spec->camera_name, spec->camera_bus, &found)) {
        snprintf(path, 64, "%s", found.path);
        return ERR_OK;
    }
    if (spec->text[0] == '\0' && any_camera(&found)) {
        snprintf(path, 64, "%s", found.path);
        return ERR_OK;
    }
    *reason = CAPTURE_ABSENT;
    if (known)
        return gone(spec->camera_name, err);
    if (spec->text[0] == '\0')
        return err_set(err, ERR_NOT_FOUND,
                       "There is no camera. Plug one in; it is used as soon as it appears.");
    snprintf(path, 64, "%s", spec->text);
    return ERR_OK;
}

static bool offers(const struct camera_info *info, const char *fourcc)
{
    for (int i = 0; i < info->format_count; i++)
        if (strcmp(info->formats[i].fourcc, fourcc) == 0)
            return true;
    return false;
}

/* Asks for one format after the other, best first, until the driver keeps what was asked for.
 * Sizes are the driver's choice: the nearest it has. 0 or an errno. */
static int choose_format(struct camera *c, const struct source_spec *spec,
                         const struct camera_info *info)
{
    const char *cc;
    for (int rank = 0; (cc = v4l2_decoded_format(rank)) != NULL; rank++) {
        if (!offers(info, cc))
            continue;
        struct v4l2_format f = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
        f.fmt.pix.width = (unsigned)spec->width;
        f.fmt.pix.height = (unsigned)spec->height;
        f.fmt.pix.pixelformat = v4l2_fourcc(cc[0], cc[1], cc[2], cc[3]);
        f.fmt.pix.field = V4L2_FIELD_ANY;
        if (v4l2_ioctl(c->fd, VIDIOC_S_FMT, &f) < 0)
            return errno;
        v4l2_format_name(f.fmt.pix.pixelformat, c->fourcc);
        c->width = (int)f.fmt.pix.width;
        c->height = (int)f.fmt.pix.height;
        c->stride = (int)f.fmt.pix.bytesperline;
        if (strcmp(c->fourcc, cc) == 0)
            return 0;
    }
    return EINVAL;
}

/* Many drivers can not choose a rate: whatever comes is fine. */
static void ask_rate(const struct camera *c, int fps)
{
    struct v4l2_streamparm p = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    p.parm.capture.timeperframe.numerator = 1;
    p.parm.capture.timeperframe.denominator = (unsigned)fps;
    v4l2_ioctl(c->fd, VIDIOC_S_PARM, &p);
}

static struct v4l2_buffer buffer_at(int index)
{
    struct v4l2_buffer b = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    b.index = (unsigned)index;
    return b;
}

static int map_buffers(struct camera *c)
{
    struct v4l2_requestbuffers request = {
        .count = BUFFERS, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    if (v4l2_ioctl(c->fd, VIDIOC_REQBUFS, &request) < 0)
        return errno;
    int count = request.count < BUFFERS ? (int)request.count : BUFFERS;
    for (int i = 0; i < count; i++) {
        struct v4l2_buffer b = buffer_at(i);
        if (v4l2_ioctl(c->fd, VIDIOC_QUERYBUF, &b) < 0)
            return errno;
        void *start = mmap(NULL, b.length, PROT_READ, MAP_SHARED, c->fd, (off_t)b.m.offset);
        if (start == MAP_FAILED)
            return errno;
        c->buffers[i] = (struct mapped_buffer){start, b.length};
        c->buffer_count = i + 1;
    }
    return c->buffer_count > 0 ? 0 : ENOMEM;
}

static int start_stream(struct camera *c)
{
    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    for (int i = 0; i < c->buffer_count; i++) {
        struct v4l2_buffer b = buffer_at(i);
        if (v4l2_ioctl(c->fd, VIDIOC_QBUF, &b) < 0)
            return errno;
    }
    return v4l2_ioctl(c->fd, VIDIOC_STREAMON, &type) < 0 ? errno : 0;
}

static int camera_fd(const struct source *s)
{
    return ((const struct camera *)s)->fd;
}

static int64_t camera_due(const struct source *s)
{
    (void)s;
    return 0;
}

static void give_back(struct camera *c)
{
    if (c->holding)
        v4l2_ioctl(c->fd, VIDIOC_QBUF, &c->current);
    c->holding = false;
}

/* Takes every waiting buffer and keeps the newest. 0, EAGAIN when there was none, or an errno. */
static int take_newest(struct camera *c)
{
    int error = 0;
    give_back(c);
    do {
        struct v4l2_buffer b = buffer_at(0);
        if (v4l2_ioctl(c->fd, VIDIOC_DQBUF, &b) < 0) {
            error = errno;
        } else {
            give_back(c);
            c->current = b;
            c->holding = true;
        }
    } while (error == 0);
    return error == EAGAIN && c->holding ? 0 : error;
}

/* Remembers the driver's numbers; false: they did not move, so this is the old picture again. */
static bool is_new(struct camera *c)
{
    const struct v4l2_buffer *b = &c->current;
    bool moved = !c->any || b->sequence != c->last_sequence ||
                 b->timestamp.tv_sec != c->last_stamp.tv_sec ||
                 b->timestamp.tv_usec != c->last_stamp.tv_usec;
    c->any = true;
    c->last_sequence = b->sequence;
    c->last_stamp = b->timestamp;
    return moved;
}

static enum source_step camera_next(struct source *s, int *width, int *height, struct err *err)
{
    struct camera *c = (struct camera *)s;
    int error = take_newest(c);
    if (error == EAGAIN)
        return SOURCE_NOTHING;
    if (error == ENODEV) {
        gone(s->name, err);
        return SOURCE_GONE;
    }
    if (error != 0) {
        enum capture_reason reason;
        refused(c->path, "reading a picture", error, &reason, err);
        return SOURCE_GONE;
    }
    if (!is_new(c))
        return SOURCE_NOTHING;
    const struct mapped_buffer *buffer = &c->buffers[c->current.index % BUFFERS];
    if (c->current.flags & V4L2_BUF_FLAG_ERROR || c->current.bytesused == 0 ||
        c->current.bytesused > buffer->length)
        return SOURCE_DAMAGED;
    *width = c->width;
    *height = c->height;
    return SOURCE_PICTURE;
}

/* The driver's timestamp when it is a monotonic one of the last second, else now. */
static int64_t taken_at(const struct v4l2_buffer *b)
{
    int64_t now = clock_now_us();
    int64_t stamp = (int64_t)b->timestamp.tv_sec * 1000000 + b->timestamp.tv_usec;
    bool monotonic = (b->flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) == V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    return monotonic && stamp <= now && now - stamp < 1000000 ? stamp : now;
}

static int camera_copy(struct source *s, struct frame *f, struct err *err)
{
    struct camera *c = (struct camera *)s;
    const void *data = c->buffers[c->current.index % BUFFERS].start;
    size_t bytes = c->current.bytesused;
    char why[160];
    bool jpeg = strcmp(c->fourcc, "MJPG") == 0 || strcmp(c->fourcc, "JPEG") == 0;
    int r = jpeg ? cvc_image_decode_into(data, bytes, f->bgr, f->width, f->height, f->stride, why,
                                         sizeof why)
                 : cvc_raw_to_bgr(c->fourcc, data, bytes, c->stride, f->width, f->height, f->bgr,
                                  f->stride, why, sizeof why);
    f->t_us = taken_at(&c->current);
    return r == CVC_OK ? ERR_OK : err_set(err, ERR_FORMAT, "%s: %s", c->path, why);
}

static void camera_close(struct source *s)
{
    struct camera *c = (struct camera *)s;
    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    if (c->buffer_count > 0)
        v4l2_ioctl(c->fd, VIDIOC_STREAMOFF, &type);
    for (int i = 0; i < c->buffer_count; i++)
        munmap(c->buffers[i].start, c->buffers[i].length);
    if (c->fd >= 0)
        close(c->fd);
    free(c);
}

static const struct source_ops camera_ops = {camera_fd, camera_due, camera_next, camera_copy,
                                             camera_close};

/* The steps from a path to a stream, in order; the first that fails names itself in *what. */
static int start_camera(struct camera *c, const struct source_spec *spec,
                        const struct camera_info *info, const char **what)
{
    int error;
    *what = "opening";
    c->fd = open(c->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (c->fd < 0)
        return errno;
    *what = "choosing a picture format";
    if ((error = choose_format(c, spec, info)) != 0)
        return error;
    ask_rate(c, spec->fps);
    *what = "reserving picture buffers";
    if ((error = map_buffers(c)) != 0)
        return error;
    *what = "starting the stream";
    return start_stream(c);
}

int source_open_camera(struct source **out, struct source_spec *spec, enum capture_reason *reason,
                       struct err *err)
{
    struct camera_info info;
    char path[64];
    int code = locate(spec, path, reason, err);
    if (code != ERR_OK)
        return code;
    if (camera_probe(path, &info) == CAMERA_FREE && !info.usable) {
        *reason = CAPTURE_FAILED;
        return err_set(err, ERR_UNSUPPORTED,
                       "%s (%s) gives no picture format that can be read here. Choose another "
                       "camera.",
                       path, info.name);
    }
    struct camera *c = mem_new(1, sizeof *c);
    c->source.ops = &camera_ops;
    c->source.patience_us = FIRST_PICTURE_US;
    c->fd = -1;
    snprintf(c->path, sizeof c->path, "%s", path);
    snprintf(c->source.name, sizeof c->source.name, "%s", info.name);
    const char *what;
    int error = start_camera(c, spec, &info, &what);
    if (error != 0) {
        code = refused(path, what, error, reason, err);
        camera_close(&c->source);
        return code;
    }
    snprintf(spec->camera_name, sizeof spec->camera_name, "%s", info.name);
    snprintf(spec->camera_bus, sizeof spec->camera_bus, "%s", info.bus);
    *out = &c->source;
    return ERR_OK;
}
