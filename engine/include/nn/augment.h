/* Random variations of a training picture, and the fixed crops of evaluation.
 *
 * DESIGN. Everything geometric (flip, shift, rotation, zoom, shear, crop, resize) is one affine
 * map from target to source pixels, sampled once with bilinear weights and replicated borders;
 * everything photometric (brightness, contrast, gamma) is one table of 256 values. So a picture
 * is read once, whatever is switched on, and nothing is blurred twice. Drawing and applying are
 * apart: the draw is a small struct that tests can look at. Pure functions. */
#ifndef NN_AUGMENT_H
#define NN_AUGMENT_H

#include <stdbool.h>
#include <stdint.h>

struct rng;

/* How far pictures may vary. All zero: not at all. */
struct nn_augment {
    float flip;       /* probability of mirroring, 0 .. 1 */
    float shift;      /* +- fraction of the side */
    float rotate;     /* +- degrees */
    float zoom;       /* scale between 1 / (1 + zoom) and 1 + zoom, uniform in its logarithm */
    float shear;      /* +- tangent of the shear angle, horizontal */
    float brightness; /* +- added to a value range of 0 .. 1 */
    float contrast;   /* factor 1 +- contrast about mid grey */
    float gamma;      /* exponent between 1 / (1 + gamma) and 1 + gamma */
    float erase;      /* probability of one random grey rectangle (Zhong et al. 2017) */
    float erase_area; /* largest area of the rectangle as a fraction of the picture */
    float margin;     /* fraction of the side added on every side; below 0: cut away */
};

/* Target pixel centre (x, y) reads the source at (a x + b y + c, d x + e y + f). */
struct nn_warp {
    float a, b, c, d, e, f;
};

/* One drawn variation, for a target of the size it was drawn for. */
struct nn_variation {
    struct nn_warp warp;
    float tone[256];                        /* value 0 .. 255 for each source byte */
    int erase_x, erase_y, erase_w, erase_h; /* target pixels; erase_w 0: none */
    uint8_t erase_value;
};

/* Shows the part of a source of sw x sh pixels that is centred at (cx, cy) (fractions of the
 * sides) and `size` (fraction) wide and high, on a target of dw x dh pixels. The whole picture is
 * (0.5, 0.5, 1): an exact copy when the sizes agree. */
struct nn_warp nn_warp_part(int sw, int sh, int dw, int dh, float cx, float cy, float size,
                            bool mirrored);

/* dst: channels x dh x dw bytes. src: channels x sh x sw bytes. tone NULL: identity. */
void nn_warp_apply(const struct nn_warp *w, const float *tone, const uint8_t *src, int channels,
                   int sh, int sw, uint8_t *dst, int dh, int dw);

/* Draws a variation: the same state of r gives the same one. */
void nn_augment_draw(struct nn_variation *out, const struct nn_augment *a, struct rng *r, int sh,
                     int sw, int dh, int dw);

/* dst as in nn_warp_apply(). */
void nn_augment_apply(const struct nn_variation *v, const uint8_t *src, int channels, int sh,
                      int sw, uint8_t *dst, int dh, int dw);

/* The views that evaluation averages over. `margin` as in struct nn_augment. NN_TEN_CROP: four
 * corners and centre, each with its mirror image; a crop shows NN_CROP_SIZE of the side (44 of 48
 * pixels, as usual for FER-2013), or less with a margin that cuts more away. */
enum nn_crops { NN_SINGLE_CROP = 1, NN_FLIP = 2, NN_TEN_CROP = 10 };
#define NN_CROP_SIZE (44.0f / 48.0f)

/* The warp of crop i, 0 <= i < crops. */
struct nn_warp nn_crop_warp(enum nn_crops crops, int i, float margin, int sh, int sw, int dh,
                            int dw);

#endif
