/* Other engines, run beside ours by `moodreel-lab bench --against`. One peer holds one model for a
 * fixed input shape. Nothing is linked: the engine's library is looked up when a peer is opened. */
#ifndef LAB_PEER_H
#define LAB_PEER_H

#include <stdint.h>

#include "base/err.h"

struct peer;

/* Opens `model` (an ONNX file with one input and one output) in the engine `name`:
 *   onnx-runtime   libonnxruntime.so.1 by the loader's path, or the file named by the environment
 *                  variable ONNXRUNTIME_LIBRARY
 * `dims` is the whole input shape, batch first. ERR_NOT_FOUND when the engine is not installed,
 * ERR_UNSUPPORTED when it refuses the model (its own words follow). */
int peer_open(struct peer **out, const char *name, const char *model, const char *input,
              const char *output, const int64_t *dims, int rank, int threads, struct err *err);
float *peer_input(struct peer *p);       /* the caller fills it; owned by p */
int peer_run(struct peer *p, struct err *err);
const float *peer_output(struct peer *p); /* valid until the next run; owned by p */
const char *peer_version(const struct peer *p);
void peer_close(struct peer *p); /* NULL is allowed */

#endif
