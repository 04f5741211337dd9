/* Eye pairs. */
#include "vision/eye_finder.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "vision/face_finder.h"
#include "vision/opencv_c.h"
#include "vision/preprocess.h"

/* The face is scaled to SIDE; eyes are looked for in its upper rows. */
enum { SIDE = 192, ROWS = SIDE * 65 / 100, EYES_MAX = 32 };
enum { EYE_MIN = SIDE / 8, EYE_MAX = SIDE / 3, NEIGHBOURS = 4 };
static const double SCALE = 1.05;

/* What makes two hits a pair: of the median face of FER-2013 the eyes are 0.38 of its side apart,
 * of nine in ten 0.29 to 0.46. */
static const float APART_MIN = 0.22f * SIDE;
static const float APART_MAX = 0.60f * SIDE;
static const float SLOPE_MAX = 0.5f;
static const float SIZE_RATIO_MIN = 0.6f;

struct eye_finder {
    struct cvc_cascade *cascade; /* NULL: not loaded yet, or not installed */
    bool tried;
    uint8_t face[SIDE * SIDE];
};

struct eye_finder *eye_finder_create(void)
{
    return mem_new(1, sizeof(struct eye_finder));
}

void eye_finder_destroy(struct eye_finder *f)
{
    if (f == NULL)
        return;
    cvc_cascade_close(f->cascade);
    free(f);
}

static bool load(struct eye_finder *f)
{
    char path[256];
    char why[160];
    if (!f->tried && face_finder_data("haarcascades/haarcascade_eye.xml", path, sizeof path))
        cvc_cascade_open(&f->cascade, path, why, sizeof why);
    f->tried = true;
    return f->cascade != NULL;
}

/* Whether `right` can be the other eye of `left`, and the slope of the line from it. */
static bool is_pair(const struct cvc_rect *left, const struct cvc_rect *right, float *angle)
{
    float dx = (float)(right->x - left->x) + 0.5f * (float)(right->w - left->w);
    float dy = (float)(right->y - left->y) + 0.5f * (float)(right->h - left->h);
    float ratio = fminf((float)left->w, (float)right->w) / fmaxf((float)left->w, (float)right->w);
    *angle = atan2f(dy, dx);
    return dx > APART_MIN && dx < APART_MAX && fabsf(dy) < SLOPE_MAX * dx && ratio > SIZE_RATIO_MIN;
}

bool eye_finder_align(struct eye_finder *f, const struct gray_view *gray, struct face_box *face)
{
    struct cvc_rect eyes[EYES_MAX];
    int support[EYES_MAX];
    char why[160];
    int best = 0;
    float roll = 0.0f;
    if (!load(f))
        return false;
    preprocess_crop(gray, face, 0.0f, SIDE, f->face);
    int n = cvc_cascade_detect(f->cascade, f->face, SIDE, ROWS, SIDE, SCALE, NEIGHBOURS, EYE_MIN,
                               EYE_MAX, eyes, support, EYES_MAX, why, sizeof why);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++) {
            float angle;
            if (support[i] + support[k] > best && is_pair(&eyes[i], &eyes[k], &angle)) {
                best = support[i] + support[k];
                roll = angle;
            }
        }
    face->roll += roll;
    return best > 0;
}
