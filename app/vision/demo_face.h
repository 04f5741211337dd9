/* A face drawn by our own code, for machines without a camera: the source "demo".
 *
 * A shaded head before a plain wall, with hair, ears, eyes, brows, nose and mouth as filled and
 * blurred shapes, moving gently and going through the seven emotions. The shapes follow the action
 * units of Ekman and Friesen's FACS as listed per emotion in demo_face.c. Pure: the picture depends
 * on the time alone. Good enough that OpenCV's frontal face cascade finds it in nearly every frame.
 */
#ifndef VISION_DEMO_FACE_H
#define VISION_DEMO_FACE_H

#include <stdint.h>

#include "emotion.h"

/* One trip through the seven emotions. */
enum { DEMO_FACE_CYCLE_MS = 28000 };

/* Which emotion the face shows at a time (any >= 0), for captions and tests. */
enum emotion demo_face_emotion(int64_t t_ms);

/* Draws the face at a time into height rows of `stride` bytes of BGR. */
void demo_face_draw(int64_t t_ms, uint8_t *bgr, int width, int height, int stride);

#endif
