/* Small networks for the tests, written as the trainer would write them. */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include <stdbool.h>

enum { MODEL_SIDE = 24 };

/* An untrained network with the outputs `logits` and, when asked for, `ferplus`, and its metadata,
 * as an ONNX file. Fails the test when it cannot. */
void model_write(const char *path, bool ferplus);

/* The same with one metadata key changed. */
void model_write_with(const char *path, const char *key, const char *value);

/* The one with two heads in 8 bits. */
void model_write_quantised(const char *path);

#endif
