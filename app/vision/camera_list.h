/* The cameras of this machine, asked of Video4Linux itself: names, identities, formats and what
 * hinders their use. Opens each device for a moment and never starts a stream. No shared state. */
#ifndef VISION_CAMERA_LIST_H
#define VISION_CAMERA_LIST_H

#include <stdbool.h>

enum { CAMERA_LIST_MAX = 16, CAMERA_FORMATS_MAX = 12 };

enum camera_access {
    CAMERA_FREE,   /* can be opened */
    CAMERA_IN_USE, /* EBUSY */
    CAMERA_DENIED, /* EACCES, EPERM */
    CAMERA_GONE    /* ENOENT, ENODEV, ENXIO, or not a capture device */
};

struct camera_format {
    char fourcc[5];    /* "MJPG" */
    int width, height; /* the largest picture of this format */
    int fps;           /* at that size; 0: the driver does not say */
};

struct camera_info {
    char path[64];   /* "/dev/video0" */
    char name[33];   /* card: "HD Pro Webcam C920: HD Pro Webc" */
    char bus[33];    /* bus_info: "usb-0000:00:14.0-2" */
    char driver[17]; /* "uvcvideo" */
    enum camera_access access;
    bool usable; /* streams single-planar video in a format we decode */
    int format_count;
    struct camera_format formats[CAMERA_FORMATS_MAX];
};

/* Fills out[0 .. max) with the capture devices in order of their number (metadata nodes, codecs
 * and radios are left out; a device that may not be opened is listed with the name /sys gives it).
 * Returns how many. */
int camera_list(struct camera_info *out, int max);

/* One device by path; symbolic links are followed by the system. Returns its access; *out is
 * filled as far as known. */
enum camera_access camera_probe(const char *path, struct camera_info *out);

/* The device that is this camera now: same name on the same bus, else the only one of that name.
 * false: it is not here. */
bool camera_find(const char *name, const char *bus, struct camera_info *out);

#endif
