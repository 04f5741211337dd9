/* One open source of pictures, seen by the capture thread. Private to app/vision.
 *
 * DESIGN. The capture thread does all the waiting, in one poll() that a stop can end: until the
 * source's descriptor is readable (cameras, streams) or its next picture is due (files, demo). Then
 * next() fetches without waiting, and copy() fills a frame. Each kind is a struct that begins with
 * struct source and a table of functions, as SDL's and mpv's back-ends are. */
#ifndef VISION_SOURCE_H
#define VISION_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "vision/capture.h"
#include "vision/frame.h"

enum source_step {
    SOURCE_PICTURE, /* copy() may be called; width and height are set */
    SOURCE_NOTHING, /* not yet */
    SOURCE_DAMAGED, /* a picture came and was no good */
    SOURCE_END,     /* over for good */
    SOURCE_GONE     /* broken: close it and open it again later; err says why */
};

struct source;

struct source_ops {
    int (*fd)(const struct source *s);         /* readable when next() has work; -1: none */
    int64_t (*due_us)(const struct source *s); /* when to call next(); 0: when fd is readable */
    enum source_step (*next)(struct source *s, int *width, int *height, struct err *err);
    int (*copy)(struct source *s, struct frame *f, struct err *err); /* pixels and t_us */
    void (*close)(struct source *s);
};

struct source {
    const struct source_ops *ops;
    char name[128]; /* for people */
    /* For cameras and streams, which can stall and come back: how long the first picture may take
     * after opening. 0: a source that can not be lost. */
    int64_t patience_us;
};

enum source_kind { SOURCE_CAMERA, SOURCE_STREAM, SOURCE_VIDEO, SOURCE_IMAGES, SOURCE_DEMO };

/* What to open, and for cameras what is remembered from one opening to the next. */
struct source_spec {
    enum source_kind kind;
    char *text;        /* device path ("" for any camera), URL or file path */
    int width, height; /* wanted */
    int fps;           /* wanted */
    bool once;
    char camera_name[33]; /* identity of the camera after the first success; "" before */
    char camera_bus[33];
};

/* Sorts out the user's words. A path must exist. End with source_spec_free(). */
int source_spec_parse(struct source_spec *out, const char *text, struct err *err);
void source_spec_free(struct source_spec *s);

/* Opens what the spec names. On failure *reason says in which of the ways. */
int source_open(struct source **out, struct source_spec *spec, enum capture_reason *reason,
                struct err *err);
void source_close(struct source *s); /* NULL is allowed */

/* One per kind; called by source_open(). */
int source_open_camera(struct source **out, struct source_spec *spec, enum capture_reason *reason,
                       struct err *err);
int source_open_stream(struct source **out, const struct source_spec *spec, struct err *err);
int source_open_video(struct source **out, const struct source_spec *spec, struct err *err);
int source_open_images(struct source **out, const struct source_spec *spec, struct err *err);
int source_open_demo(struct source **out, const struct source_spec *spec, struct err *err);

#endif
