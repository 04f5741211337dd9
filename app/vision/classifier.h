/* What faces look like: crops, runs the network, combines its heads. One classifier belongs to one
 * thread. */
#ifndef VISION_CLASSIFIER_H
#define VISION_CLASSIFIER_H

#include "base/err.h"
#include "vision/face.h"
#include "vision/preprocess.h"

struct pool;

enum classifier_effort {
    CLASSIFIER_LIVE,   /* one crop of each face */
    CLASSIFIER_CAREFUL /* three margins, each also mirrored, averaged: for stills and photographs */
};

/* How many pictures of each face an effort reads. */
enum { CLASSIFIER_LIVE_VIEWS = 1, CLASSIFIER_CAREFUL_VIEWS = 6 };

struct classifier;

/* Loads an ONNX model and checks its metadata and shapes; the sentence names the file.
 * pool: borrowed, used by the calling thread alone; NULL: no helpers. */
int classifier_open(struct classifier **out, const char *onnx_path, struct pool *pool,
                    struct err *err);
void classifier_close(struct classifier *c); /* NULL is allowed */

/* What one view of a face takes: the least of a few runs, milliseconds. */
float classifier_ms(struct classifier *c);

/* How the model wants its input. Lives as long as c. */
const struct preprocess *classifier_preprocess(const struct classifier *c);

/* Reads n faces of one picture into out[0 .. n). Cannot fail: all checks are in open. */
void classifier_read(struct classifier *c, const struct gray_view *gray,
                     const struct face_box *faces, int n, enum classifier_effort effort,
                     struct reading *out);

#endif
