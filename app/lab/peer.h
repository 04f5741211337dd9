/* Other engines, run beside ours by `moodreel-lab bench --against`. One peer holds one model for a
 * fixed input shape.
 *   onnx-runtime   peer_ort.c: its library is looked up when a peer is opened: libonnxruntime.so.1
 *                  by the loader's path, or the file named by ONNXRUNTIME_LIBRARY
 *   opencv         peer_opencv.c: the dnn module of the OpenCV that the program is linked with
 * A new engine: a file with a struct peer_engine, and its line in the table of peer.c. */
#ifndef LAB_PEER_H
#define LAB_PEER_H

#include <stdint.h>

#include "base/err.h"

/* What to run: an ONNX file with one input and one output. */
struct peer_model {
    const char *path, *input, *output; /* the file, names of its tensors */
    const int64_t *dims;               /* of the input, batch first */
    int rank, threads;
};

/* The functions of an engine; `self` is what open() made. */
struct peer_engine {
    const char *name;
    int (*open)(void **self, const struct peer_model *m, struct err *err);
    float *(*input)(void *self);
    int (*run)(void *self, struct err *err);
    const float *(*output)(void *self);
    void (*close)(void *self);
};
extern const struct peer_engine peer_ort, peer_opencv;

struct peer;

/* ERR_NOT_FOUND when no engine has this name or it is not installed, ERR_UNSUPPORTED when it
 * refuses the model (its own words follow). */
int peer_open(struct peer **out, const char *name, const struct peer_model *m, struct err *err);
float *peer_input(struct peer *p);        /* the caller fills it; owned by p */
int peer_run(struct peer *p, struct err *err);
const float *peer_output(struct peer *p); /* valid until the next run; owned by p */
void peer_close(struct peer *p);          /* NULL is allowed */

#endif
