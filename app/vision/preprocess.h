/* From a face in a grey picture to the network's input: the one place where this is done, used by
 * the trainer, the tools and the camera alike. Pure functions; any thread.
 *
 * The numbers travel with the model as ONNX metadata, so a model can not be fed wrongly:
 *   labels           "angry,disgust,fear,happy,sad,surprise,neutral"  order of output `logits`
 *   input_size       side of the square input, pixels
 *   input_channels   1, or 3 (the grey picture three times)
 *   mean, std        x = (px / 255 - mean) / std
 *   crop_margin      share of the face box's side added on every side before cropping
 *   temperature      logits are divided by it before softmax (Guo et al., "On calibration of
 *                    modern neural networks", 2017, section 4.2); absent: 1
 *   ferplus_labels   "neutral,happiness,..,unknown,nf": order of output `ferplus`; absent: one head
 */
#ifndef VISION_PREPROCESS_H
#define VISION_PREPROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "emotion.h"
#include "vision/face.h"

struct nn_graph;

enum { PREPROCESS_SIDE_MAX = 512, FERPLUS_MAX = 10 };

/* How much wider than the cascade's box a FER-2013 picture is, on every side: measured by running
 * the cascade over FER-2013 itself (README.md, "Crop"). */
#define PREPROCESS_MARGIN 0.0f

/* Columns of the FER+ head: an emotion, or one of these. */
enum { FERPLUS_NONE = -1 /* contempt, unknown, not a face: no emotion of ours */ };

struct preprocess {
    int side;
    int channels;
    float mean, std;
    float margin;
    float temperature;
    enum emotion order[EMOTION_COUNT]; /* emotion of each element of `logits` */
    int ferplus_count;                 /* columns of output `ferplus`; 0: there is none */
    int ferplus[FERPLUS_MAX];          /* emotion of each column, or FERPLUS_NONE */
};

/* 48x48 grey, mean 0.5, std 0.5, margin PREPROCESS_MARGIN, temperature 1, FER-2013 order, one head.
 */
struct preprocess preprocess_defaults(void);

/* Reads and checks the metadata of a loaded model; `labels`, `input_size`, `mean` and `std` must be
 * there. The sentence names the key and what is wrong with it. */
int preprocess_from_graph(struct preprocess *out, const struct nn_graph *g, struct err *err);

/* Writes every key above; what a trainer calls before saving. */
void preprocess_to_graph(const struct preprocess *p, struct nn_graph *g);

/* Cuts the face out of the picture with `margin` of its box's side added on every side, turns it
 * upright by face->roll, and scales it to side x side. Square around the box's centre; outside the
 * picture the edge is repeated. Shrinking averages all source pixels (no aliasing), enlarging is
 * bilinear. out: side * side bytes, no padding. */
void preprocess_crop(const struct gray_view *gray, const struct face_box *face, float margin,
                     int side, uint8_t *out);

/* A whole picture (a FER-2013 row, a face already cut out) scaled to side x side. */
void preprocess_resize(const struct gray_view *gray, int side, uint8_t *out);

/* Pixels to the network's input: channels x side x side floats. mirrored: left-right flipped. */
void preprocess_normalise(const struct preprocess *p, const uint8_t *crop, bool mirrored, float *x);

/* Raw outputs of the network to a reading: the one rule for photographs, live pictures and the
 * kiosk. softmax(logits / temperature) and softmax(ferplus), the latter over our seven, are evened
 * out by their classes' shares in training to the powers of 1/2 and 3/4. `ferplus` may be NULL;
 * else the two heads have one mean, the FER+ head weighing 1.5 (1 - unknown), where `unknown` is
 * what went to its other columns. */
void preprocess_reading(const struct preprocess *p, const float *logits, const float *ferplus,
                        struct reading *out);

#endif
