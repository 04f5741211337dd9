/* Where pictures come from: one thread that reads a source and puts frames into slots.
 *
 * Sources, as given by the user:
 *   NULL, "" or "camera"    the first camera found
 *   "camera:N"              /dev/videoN
 *   "camera:/dev/..."       that device; /dev/v4l/by-id/... names survive a replug
 *   "demo"                  a drawn face that goes through the seven emotions (demo_face.h)
 *   "http://..." "https://..." "rtsp://..."   a network stream, through OpenCV and FFmpeg
 *   a path                  a video file, an image file, or a folder of images
 *
 * DESIGN. A camera counts as LIVE only while new pictures come, judged by the driver's sequence
 * numbers and by whether they decode; never by the return value of a call. When pictures stop for
 * LOST_AFTER or the device goes away, the state becomes LOST, the device is closed, no frame is
 * published and opening is tried again after 0.5, 1, 2, 5, 5 .. s (waiting, not polling). After a
 * first success a camera is looked for by its identity (card and bus), because a replugged one
 * often comes back under another number. Video files play at their own frame rate and never ahead
 * of it; they loop unless `once`. Folders of images show each one for a second. */
#ifndef VISION_CAPTURE_H
#define VISION_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "vision/frame.h"

enum capture_state {
    CAPTURE_OPENING, /* trying for the first time */
    CAPTURE_LIVE,    /* new pictures are coming */
    CAPTURE_LOST,    /* no pictures; reason and text say why; it is tried again by itself */
    CAPTURE_ENDED    /* a file played `once` is over, or a file broke: nothing more will come */
};

/* Why the state is LOST or ENDED. The first three ask different things of the viewer. */
enum capture_reason {
    CAPTURE_FINE,
    CAPTURE_ABSENT,  /* no such camera: plug one in */
    CAPTURE_BUSY,    /* another program has it: close that */
    CAPTURE_DENIED,  /* no permission: join the group video */
    CAPTURE_STALLED, /* open, but no usable picture for a second */
    CAPTURE_FAILED   /* anything else; the text has the system's words */
};

struct capture_params {
    const char *source;          /* see above; copied */
    int width, height;           /* wanted camera picture; 0: 640x480. Cameras choose the nearest */
    int fps;                     /* wanted camera rate; 0: 30 */
    bool once;                   /* play files once instead of looping */
    struct frame_pool *pool;     /* borrowed; must outlive the capture and every frame */
    struct frame_slot *sinks[2]; /* borrowed; each gets every frame; NULL entries are skipped */
    wakeup_fn *on_state; /* called after each change of state, on the capture thread; or NULL */
    void *payload;       /* for on_state */
};

/* A copy of what the capture thread last knew. */
struct capture_status {
    enum capture_state state;
    enum capture_reason reason;
    char name[128]; /* for people: "HD Pro Webcam C920", "clip.mp4", "demo" */
    char text[240]; /* LOST and ENDED: one sentence saying what is wrong and what to do; else "" */
    bool mirror;    /* a camera facing its viewer (or the demo): show the picture mirrored */
    int width, height; /* of the newest frame; 0 before the first */
    float fps;         /* new pictures a second over the last second or two */
    uint64_t frames;   /* published so far */
    uint64_t damaged;  /* camera pictures thrown away: empty, flagged or undecodable */
    uint64_t dropped;  /* pictures thrown away because no frame was free */
};

struct capture;

/* Checks the source. A file is opened here, so a missing or damaged one is an error naming it;
 * a missing camera is none (its state says so). */
int capture_create(struct capture **out, const struct capture_params *p, struct err *err);
int capture_start(struct capture *c, struct err *err); /* once */

/* Lets go of the current source and goes on with another: the key that offers the demo. Frames
 * keep counting up. An error leaves the current source alone. Any thread. */
int capture_switch(struct capture *c, const char *source, struct err *err);

/* Any thread. */
void capture_status(struct capture *c, struct capture_status *out);

/* "live", "lost", ...; "absent", "busy", ...: for reports. Static. */
const char *capture_state_name(enum capture_state s);
const char *capture_reason_name(enum capture_reason r);

void capture_stop(struct capture *c); /* asks; returns at once. NULL is allowed */
void capture_join(struct capture *c); /* returns within a second of capture_stop() */
void capture_destroy(
    struct capture *c); /* after capture_join(), or never started; NULL is allowed */

#endif
