/* Where the faces are in a grey picture: OpenCV's cascades with what they lack around them - a
 * working size, rejection of things that are no face, and in the careful mode a second look.
 * One finder belongs to one thread. */
#ifndef VISION_FACE_FINDER_H
#define VISION_FACE_FINDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "vision/face.h"

enum finder_effort {
    FINDER_LIVE,   /* 640x480 in a few milliseconds: faces from about 1/8 of the picture's height */
    FINDER_CAREFUL /* stills and photographs: smaller, tilted, turned and badly lit faces too */
};

struct face_finder;

/* cascade: "haar", "lbp" or a path; NULL: "haar". Names are looked up where Debian, Fedora, Arch
 * and Homebrew put OpenCV's data. */
int face_finder_open(struct face_finder **out, const char *cascade, struct err *err);
void face_finder_close(struct face_finder *f); /* NULL is allowed */

/* Fills out[0 .. max) with faces, largest first; returns how many, or a negative code. The boxes
 * are the frames in which FER-2013 shows its faces, whichever cascade found them; they may reach
 * over the picture's edge. A live face is upright, or one that was seen upright and
 * tilted since; a careful one may have any roll. */
int face_finder_find(struct face_finder *f, const struct gray_view *gray, enum finder_effort effort,
                     struct face_box *out, int max, struct err *err);

/* Where OpenCV's data has this file, such as "haarcascades/haarcascade_eye.xml". false: nowhere. */
bool face_finder_data(const char *file, char *out, size_t cap);

/* The file behind a cascade name, for `doctor`. false: not installed (out holds the name). */
bool face_finder_path(const char *cascade, char *out, size_t cap);

#endif
