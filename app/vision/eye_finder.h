/* How far a head is tilted, from its eyes: OpenCV's eye cascade on the upper part of a face. Used
 * by the careful pass only: it takes milliseconds a face. One finder belongs to one thread. */
#ifndef VISION_EYE_FINDER_H
#define VISION_EYE_FINDER_H

#include <stdbool.h>

#include "vision/face.h"

struct eye_finder;

/* The cascade is loaded by the first face. */
struct eye_finder *eye_finder_create(void);
void eye_finder_destroy(struct eye_finder *f); /* NULL is allowed */

/* Looks for a pair of eyes in the face (turned upright by face->roll before) and adds the slope of
 * the line through them to face->roll. false: no pair was found, or the
 * cascade is not installed; the face is left alone. */
bool eye_finder_align(struct eye_finder *f, const struct gray_view *gray, struct face_box *face);

#endif
