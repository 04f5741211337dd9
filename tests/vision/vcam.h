/* A virtual Video4Linux camera for one test program.
 *
 * DESIGN. vcam.c defines open(), close(), ioctl() and poll() itself; linked into a test program
 * they stand before the C library's, for every library in the process. Calls on a camera's path and
 * its descriptor are served here, all others go through. The descriptor is a memory file, which the
 * client maps like a driver's buffers; poll() is told of a timer instead, so timing is real. One
 * camera, one client. Everything may be changed while a stream runs, from any thread. */
#ifndef TESTS_VCAM_H
#define TESTS_VCAM_H

#include <stddef.h>
#include <stdint.h>

enum vcam_picture {
    VCAM_GOOD,     /* the picture given to vcam_plug() */
    VCAM_EMPTY,    /* zero bytes */
    VCAM_CUT,      /* a third of the bytes */
    VCAM_NOISE,    /* random bytes between the JPEG's markers */
    VCAM_FLAGGED,  /* V4L2_BUF_FLAG_ERROR */
    VCAM_OVERSIZE, /* more bytes claimed than the buffer has */
    VCAM_OTHER,    /* the picture given to vcam_other(), of another size */
    VCAM_STALE     /* good, but with the sequence number and timestamp of the one before */
};

/* A camera as a driver describes it. */
struct vcam {
    const char *path; /* "/dev/video0" */
    const char *card;
    const char *bus;
    const char *fourcc; /* "MJPG", "YUYV" ... */
    int width, height;
    int fps;
    const void *picture; /* one picture in that format; borrowed until the next plug */
    size_t bytes;
};

void vcam_plug(const struct vcam *v); /* appears, with every fault cleared */
void vcam_unplug(void);               /* ENODEV for who has it open, ENOENT for who opens it */
void vcam_freeze(int frozen);         /* sends nothing while set */
void vcam_send(enum vcam_picture p);  /* from now on */
void vcam_other(const void *picture, size_t bytes);
void vcam_refuse_open(int error);                         /* an errno; 0: no more */
void vcam_refuse_ioctl(unsigned long request, int error); /* one request; error 0: no more */

/* What happened since the last plug. */
int vcam_opens(void);    /* successful open() calls */
int vcam_served(void);   /* pictures handed out */
int vcam_dequeues(void); /* VIDIOC_DQBUF calls, successful or not; counts on after an unplug */

#endif
