/* What passes between finder, classifier and tracker: a grey picture, a face in it, what the face
 * looks like. Plain values, no functions, no threads. */
#ifndef VISION_FACE_H
#define VISION_FACE_H

#include <stdint.h>

#include "emotion.h"

/* A borrowed 8-bit grey picture; row y starts at px + y * stride. */
struct gray_view {
    const uint8_t *px;
    int width;  /* pixels */
    int height; /* pixels */
    int stride; /* bytes from one row to the next, >= width */
};

/* A face in pixels of the picture it was found in. The box is the part of a head that a FER-2013
 * picture shows: forehead to chin. */
struct face_box {
    float x, y; /* upper left corner */
    float w, h;
    float roll; /* radians the head is tilted, clockwise on the screen; 0: upright or unknown */
};

/* The same place as fractions of the picture's width and height: what windows and reports use. */
struct box {
    float x, y, w, h;
};

/* What a face looks like. `unknown` is the share of the network's belief that went to "none of
 * the seven" (FER+ columns contempt, unknown and not-a-face), 0 for a network without that head;
 * scores sum to 1 whatever `unknown` is. */
struct reading {
    struct emotion_scores scores;
    float unknown;
};

#endif
