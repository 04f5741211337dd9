/* Asking Video4Linux. Reference: the kernel's "Video for Linux API", chapters 1.1 (opening
 * devices), 1.2 (querying capabilities) and 7 (VIDIOC_ENUM_FMT, _FRAMESIZES, _FRAMEINTERVALS). */
#include "vision/camera_list.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vision/v4l2.h"

/* Numbers that are tried: cheaper than reading folders, and works where /sys is hidden. */
enum { DEVICE_NUMBERS = 64 };

int v4l2_ioctl(int fd, unsigned long request, void *arg)
{
    int r;
    do
        r = ioctl(fd, request, arg);
    while (r < 0 && errno == EINTR);
    return r;
}

enum camera_access v4l2_access(int error)
{
    switch (error) {
    case 0:
        return CAMERA_FREE;
    case EBUSY:
        return CAMERA_IN_USE;
    case EACCES:
    case EPERM:
        return CAMERA_DENIED;
    default:
        return CAMERA_GONE;
    }
}

void v4l2_format_name(unsigned pixelformat, char out[5])
{
    for (int i = 0; i < 4; i++)
        out[i] = (char)(pixelformat >> (8 * i) & 0x7f);
    out[4] = '\0';
}

const char *v4l2_decoded_format(int rank)
{
    static const char *const known[] = {"MJPG", "JPEG", "YUYV", "NV12", "YU12",
                                        "UYVY", "RGB3", "BGR3", "GREY"};
    return rank < (int)(sizeof known / sizeof known[0]) ? known[rank] : NULL;
}

static bool is_decoded(const char *fourcc)
{
    const char *known;
    for (int rank = 0; (known = v4l2_decoded_format(rank)) != NULL; rank++)
        if (strcmp(fourcc, known) == 0)
            return true;
    return false;
}

/* Drivers that cut "Name: Name" at 31 bytes leave half a repetition: keep the name only. */
static void tidy_name(char *name)
{
    char *colon = strstr(name, ": ");
    if (colon != NULL && strncmp(name, colon + 2, strlen(colon + 2)) == 0)
        *colon = '\0';
}

static int fastest_rate(int fd, unsigned pixelformat, int width, int height)
{
    struct v4l2_frmivalenum interval = {
        .pixel_format = pixelformat, .width = (unsigned)width, .height = (unsigned)height};
    if (v4l2_ioctl(fd, VIDIOC_ENUM_FRAMEINTERVALS, &interval) < 0)
        return 0;
    struct v4l2_fract shortest =
        interval.type == V4L2_FRMIVAL_TYPE_DISCRETE ? interval.discrete : interval.stepwise.min;
    return shortest.numerator > 0 ? (int)(shortest.denominator / shortest.numerator) : 0;
}

static void largest_size(int fd, unsigned pixelformat, struct camera_format *f)
{
    struct v4l2_frmsizeenum size = {.pixel_format = pixelformat};
    for (; v4l2_ioctl(fd, VIDIOC_ENUM_FRAMESIZES, &size) == 0; size.index++) {
        bool discrete = size.type == V4L2_FRMSIZE_TYPE_DISCRETE;
        int w = (int)(discrete ? size.discrete.width : size.stepwise.max_width);
        int h = (int)(discrete ? size.discrete.height : size.stepwise.max_height);
        if ((long)w * h > (long)f->width * f->height) {
            f->width = w;
            f->height = h;
        }
        if (!discrete)
            break;
    }
    f->fps = fastest_rate(fd, pixelformat, f->width, f->height);
}

static void list_formats(int fd, struct camera_info *out)
{
    struct v4l2_fmtdesc desc = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    for (; out->format_count < CAMERA_FORMATS_MAX && v4l2_ioctl(fd, VIDIOC_ENUM_FMT, &desc) == 0;
         desc.index++) {
        struct camera_format *f = &out->formats[out->format_count++];
        v4l2_format_name(desc.pixelformat, f->fourcc);
        largest_size(fd, desc.pixelformat, f);
        out->usable = out->usable || is_decoded(f->fourcc);
    }
}

/* The name of a device that may not be opened. */
static void name_from_sys(const char *path, struct camera_info *out)
{
    char file[128];
    const char *node = strrchr(path, '/');
    snprintf(file, sizeof file, "/sys/class/video4linux/%s/name", node != NULL ? node + 1 : path);
    FILE *f = fopen(file, "r");
    if (f == NULL)
        return;
    if (fgets(out->name, sizeof out->name, f) != NULL)
        out->name[strcspn(out->name, "\n")] = '\0';
    fclose(f);
}

static enum camera_access describe(int fd, struct camera_info *out)
{
    struct v4l2_capability cap = {0};
    if (v4l2_ioctl(fd, VIDIOC_QUERYCAP, &cap) < 0)
        return CAMERA_GONE;
    unsigned caps = cap.capabilities & V4L2_CAP_DEVICE_CAPS ? cap.device_caps : cap.capabilities;
    if ((caps & V4L2_CAP_VIDEO_CAPTURE) == 0 || (caps & V4L2_CAP_STREAMING) == 0)
        return CAMERA_GONE;
    snprintf(out->name, sizeof out->name, "%.32s", (const char *)cap.card);
    snprintf(out->bus, sizeof out->bus, "%.32s", (const char *)cap.bus_info);
    snprintf(out->driver, sizeof out->driver, "%.16s", (const char *)cap.driver);
    tidy_name(out->name);
    list_formats(fd, out);
    return CAMERA_FREE;
}

enum camera_access camera_probe(const char *path, struct camera_info *out)
{
    memset(out, 0, sizeof *out);
    snprintf(out->path, sizeof out->path, "%s", path);
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        out->access = v4l2_access(errno);
        if (out->access != CAMERA_GONE)
            name_from_sys(path, out);
        return out->access;
    }
    out->access = describe(fd, out);
    close(fd);
    return out->access;
}

int camera_list(struct camera_info *out, int max)
{
    int n = 0;
    for (int number = 0; number < DEVICE_NUMBERS && n < max; number++) {
        char path[32];
        snprintf(path, sizeof path, "/dev/video%d", number);
        if (camera_probe(path, &out[n]) != CAMERA_GONE)
            n++;
    }
    return n;
}

bool camera_find(const char *name, const char *bus, struct camera_info *out)
{
    struct camera_info list[CAMERA_LIST_MAX];
    int n = camera_list(list, CAMERA_LIST_MAX);
    int same_name = 0;
    for (int i = 0; i < n; i++) {
        if (!list[i].usable || strcmp(list[i].name, name) != 0)
            continue;
        bool same_bus = strcmp(list[i].bus, bus) == 0;
        if (same_bus || same_name++ == 0)
            *out = list[i];
        if (same_bus)
            return true;
    }
    return same_name == 1;
}
