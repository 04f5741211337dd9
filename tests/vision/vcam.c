/* The virtual camera: state, faults, and the four calls of the C library. */
#undef _FORTIFY_SOURCE /* its inline open() can not be defined anew */
#define _GNU_SOURCE    /* RTLD_NEXT, memfd_create */
#include "vcam.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { BUFFERS = 4, ERROR_TICK_NS = 1000000 };

static struct {
    pthread_mutex_t lock;
    struct vcam camera;
    bool plugged;
    bool frozen;
    enum vcam_picture sends;
    const void *other;
    size_t other_bytes;
    int open_error;
    unsigned long refused_request;
    int refused_error;
    int fd;    /* the client's descriptor: the memory that it maps; -1: nobody has it open */
    int timer; /* what it is polled for */
    bool gone; /* the client's camera was unplugged under it */
    bool streaming;
    uint8_t *map;
    size_t buffer_bytes;
    int buffers;
    int queue[BUFFERS];
    int queued;
    unsigned sequence;
    struct timeval stamp;
    int opens, served, dequeues;
} cam = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

/* Puts the C library's own function into *function, a pointer to it. */
static void find_real(void *function, const char *name)
{
    void *address = dlsym(RTLD_NEXT, name);
    memcpy(function, &address, sizeof address);
}

static int fail(int error)
{
    errno = error;
    return -1;
}

/* ---- control ---- */

static void set_timer(long interval_ns)
{
    struct itimerspec t = {{0, interval_ns}, {0, interval_ns}};
    if (cam.fd >= 0)
        timerfd_settime(cam.timer, 0, &t, NULL);
}

static void run_timer(void)
{
    set_timer(cam.streaming && !cam.frozen ? 1000000000L / cam.camera.fps : 0);
}

void vcam_plug(const struct vcam *v)
{
    pthread_mutex_lock(&cam.lock);
    cam.camera = *v;
    cam.plugged = true;
    cam.frozen = false;
    cam.sends = VCAM_GOOD;
    cam.open_error = cam.refused_error = 0;
    cam.opens = cam.served = cam.dequeues = 0;
    pthread_mutex_unlock(&cam.lock);
}

void vcam_unplug(void)
{
    pthread_mutex_lock(&cam.lock);
    cam.plugged = false;
    cam.gone = cam.fd >= 0;
    set_timer(ERROR_TICK_NS); /* a lost device is always readable: the read fails */
    pthread_mutex_unlock(&cam.lock);
}

void vcam_freeze(int frozen)
{
    pthread_mutex_lock(&cam.lock);
    cam.frozen = frozen != 0;
    run_timer();
    pthread_mutex_unlock(&cam.lock);
}

void vcam_send(enum vcam_picture p)
{
    pthread_mutex_lock(&cam.lock);
    cam.sends = p;
    pthread_mutex_unlock(&cam.lock);
}

void vcam_other(const void *picture, size_t bytes)
{
    pthread_mutex_lock(&cam.lock);
    cam.other = picture;
    cam.other_bytes = bytes;
    pthread_mutex_unlock(&cam.lock);
}

void vcam_refuse_open(int error)
{
    pthread_mutex_lock(&cam.lock);
    cam.open_error = error;
    pthread_mutex_unlock(&cam.lock);
}

void vcam_refuse_ioctl(unsigned long request, int error)
{
    pthread_mutex_lock(&cam.lock);
    cam.refused_request = request;
    cam.refused_error = error;
    pthread_mutex_unlock(&cam.lock);
}

static int read_counter(const int *counter)
{
    pthread_mutex_lock(&cam.lock);
    int value = *counter;
    pthread_mutex_unlock(&cam.lock);
    return value;
}

int vcam_opens(void)
{
    return read_counter(&cam.opens);
}

int vcam_served(void)
{
    return read_counter(&cam.served);
}

int vcam_dequeues(void)
{
    return read_counter(&cam.dequeues);
}

/* ---- requests ---- */

static unsigned pixel_format(void)
{
    const char *c = cam.camera.fourcc;
    return v4l2_fourcc(c[0], c[1], c[2], c[3]);
}

static int query_capabilities(struct v4l2_capability *c)
{
    memset(c, 0, sizeof *c);
    memcpy(c->driver, "vcam", 5);
    snprintf((char *)c->card, sizeof c->card, "%s", cam.camera.card);
    snprintf((char *)c->bus_info, sizeof c->bus_info, "%s", cam.camera.bus);
    c->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
    c->capabilities = c->device_caps | V4L2_CAP_DEVICE_CAPS;
    return 0;
}

static int enumerate_format(struct v4l2_fmtdesc *f)
{
    if (f->index > 0 || f->type != V4L2_BUF_TYPE_VIDEO_CAPTURE)
        return fail(EINVAL);
    f->pixelformat = pixel_format();
    return 0;
}

static int enumerate_size(struct v4l2_frmsizeenum *f)
{
    if (f->index > 0 || f->pixel_format != pixel_format())
        return fail(EINVAL);
    f->type = V4L2_FRMSIZE_TYPE_DISCRETE;
    f->discrete.width = (unsigned)cam.camera.width;
    f->discrete.height = (unsigned)cam.camera.height;
    return 0;
}

static int enumerate_interval(struct v4l2_frmivalenum *f)
{
    if (f->index > 0 || f->pixel_format != pixel_format())
        return fail(EINVAL);
    f->type = V4L2_FRMIVAL_TYPE_DISCRETE;
    f->discrete.numerator = 1;
    f->discrete.denominator = (unsigned)cam.camera.fps;
    return 0;
}

static int set_format(struct v4l2_format *f)
{
    memset(&f->fmt, 0, sizeof f->fmt);
    f->fmt.pix.width = (unsigned)cam.camera.width;
    f->fmt.pix.height = (unsigned)cam.camera.height;
    f->fmt.pix.pixelformat = pixel_format();
    f->fmt.pix.bytesperline =
        f->fmt.pix.pixelformat == V4L2_PIX_FMT_YUYV ? (unsigned)cam.camera.width * 2 : 0;
    return 0;
}

static void drop_buffers(void)
{
    if (cam.map != NULL)
        munmap(cam.map, cam.buffer_bytes * BUFFERS);
    cam.map = NULL;
    cam.buffers = cam.queued = 0;
}

static int request_buffers(struct v4l2_requestbuffers *r)
{
    size_t page = 4096;
    drop_buffers();
    cam.buffer_bytes =
        ((size_t)cam.camera.width * (size_t)cam.camera.height * 2 + page) / page * page;
    if (ftruncate(cam.fd, (off_t)(cam.buffer_bytes * BUFFERS)) != 0)
        return fail(ENOMEM);
    cam.map = mmap(NULL, cam.buffer_bytes * BUFFERS, PROT_READ | PROT_WRITE, MAP_SHARED, cam.fd, 0);
    cam.buffers = BUFFERS;
    r->count = BUFFERS;
    return 0;
}

static int query_buffer(struct v4l2_buffer *b)
{
    if ((int)b->index >= cam.buffers)
        return fail(EINVAL);
    b->length = (unsigned)cam.buffer_bytes;
    b->m.offset = (unsigned)(b->index * cam.buffer_bytes);
    return 0;
}

static int queue_buffer(const struct v4l2_buffer *b)
{
    if ((int)b->index >= cam.buffers || cam.queued == BUFFERS)
        return fail(EINVAL);
    cam.queue[cam.queued++] = (int)b->index;
    return 0;
}

/* Copies the picture that is to be sent, damaged as asked for. */
static void fill_buffer(struct v4l2_buffer *b, uint8_t *to)
{
    bool other = cam.sends == VCAM_OTHER;
    size_t n = other ? cam.other_bytes : cam.camera.bytes;
    memcpy(to, other ? cam.other : cam.camera.picture, n);
    if (cam.sends == VCAM_NOISE)
        for (size_t i = 2; i + 2 < n; i++)
            to[i] = (uint8_t)rand();
    if (cam.sends == VCAM_EMPTY)
        n = 0;
    if (cam.sends == VCAM_CUT)
        n /= 3;
    if (cam.sends == VCAM_OVERSIZE)
        n = cam.buffer_bytes * 4;
    if (cam.sends == VCAM_FLAGGED)
        b->flags |= V4L2_BUF_FLAG_ERROR;
    b->bytesused = (unsigned)n;
}

static int dequeue_buffer(struct v4l2_buffer *b)
{
    uint64_t ticks;
    cam.dequeues++;
    if (read(cam.timer, &ticks, sizeof ticks) != (ssize_t)sizeof ticks || cam.queued == 0)
        return fail(EAGAIN);
    int index = cam.queue[0];
    memmove(cam.queue, cam.queue + 1, sizeof cam.queue[0] * (size_t)--cam.queued);
    memset(b, 0, sizeof *b);
    b->index = (unsigned)index;
    b->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    b->memory = V4L2_MEMORY_MMAP;
    b->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    fill_buffer(b, cam.map + (size_t)index * cam.buffer_bytes);
    if (cam.sends != VCAM_STALE) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        cam.stamp = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
        cam.sequence++;
    }
    b->sequence = cam.sequence;
    b->timestamp = cam.stamp;
    cam.served++;
    return 0;
}

static int stream(bool on)
{
    cam.streaming = on;
    if (!on)
        cam.queued = 0;
    run_timer();
    return 0;
}

static int serve(unsigned long request, void *arg)
{
    if (cam.gone) {
        cam.dequeues += request == VIDIOC_DQBUF;
        return fail(ENODEV);
    }
    if (cam.refused_error != 0 && request == cam.refused_request)
        return fail(cam.refused_error);
    switch (request) {
    case VIDIOC_QUERYCAP:
        return query_capabilities(arg);
    case VIDIOC_ENUM_FMT:
        return enumerate_format(arg);
    case VIDIOC_ENUM_FRAMESIZES:
        return enumerate_size(arg);
    case VIDIOC_ENUM_FRAMEINTERVALS:
        return enumerate_interval(arg);
    case VIDIOC_S_FMT:
        return set_format(arg);
    case VIDIOC_S_PARM:
        return 0;
    case VIDIOC_REQBUFS:
        return request_buffers(arg);
    case VIDIOC_QUERYBUF:
        return query_buffer(arg);
    case VIDIOC_QBUF:
        return queue_buffer(arg);
    case VIDIOC_DQBUF:
        return dequeue_buffer(arg);
    case VIDIOC_STREAMON:
        return stream(true);
    case VIDIOC_STREAMOFF:
        return stream(false);
    default:
        return fail(ENOTTY);
    }
}

static int open_camera(void)
{
    if (cam.open_error != 0)
        return fail(cam.open_error);
    if (cam.fd >= 0)
        return fail(EBUSY);
    cam.fd = memfd_create("vcam", MFD_CLOEXEC);
    cam.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    cam.gone = false;
    cam.streaming = false;
    cam.opens++;
    return cam.fd;
}

/* Any /dev/videoN belongs to the test: the machine's own cameras stay out of it. */
static bool serves(const char *path, int *result)
{
    if (strncmp(path, "/dev/video", 10) != 0)
        return false;
    pthread_mutex_lock(&cam.lock);
    bool here = cam.plugged && strcmp(path, cam.camera.path) == 0;
    *result = here ? open_camera() : fail(ENOENT);
    int error = errno;
    pthread_mutex_unlock(&cam.lock);
    errno = error;
    return true;
}

/* ---- the C library's calls ---- */

int open(const char *path, int flags, ...)
{
    int (*real)(const char *, int, ...);
    mode_t mode = 0;
    int result;
    find_real(&real, "open");
    if ((flags & O_CREAT) != 0) {
        va_list args;
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    return serves(path, &result) ? result : real(path, flags, mode);
}

int close(int fd)
{
    int (*real)(int);
    find_real(&real, "close");
    pthread_mutex_lock(&cam.lock);
    if (fd >= 0 && fd == cam.fd) {
        drop_buffers();
        real(cam.timer);
        cam.fd = -1;
        cam.streaming = cam.gone = false;
    }
    pthread_mutex_unlock(&cam.lock);
    return real(fd);
}

int ioctl(int fd, unsigned long request, ...)
{
    int (*real)(int, unsigned long, ...);
    va_list args;
    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    find_real(&real, "ioctl");
    pthread_mutex_lock(&cam.lock);
    bool ours = fd >= 0 && fd == cam.fd;
    int result = ours ? serve(request & 0xffffffffu, arg) : 0;
    int error = errno;
    pthread_mutex_unlock(&cam.lock);
    if (!ours)
        return real(fd, request, arg);
    errno = error;
    return result;
}

int poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    int (*real)(struct pollfd *, nfds_t, int);
    find_real(&real, "poll");
    pthread_mutex_lock(&cam.lock);
    int fd = cam.fd;
    int timer = cam.timer;
    pthread_mutex_unlock(&cam.lock);
    for (nfds_t i = 0; i < n; i++)
        if (fd >= 0 && fds[i].fd == fd)
            fds[i].fd = timer;
    int result = real(fds, n, timeout_ms);
    for (nfds_t i = 0; i < n; i++)
        if (fd >= 0 && fds[i].fd == timer)
            fds[i].fd = fd;
    return result;
}
