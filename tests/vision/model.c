/* Networks for tests. */
#include "model.h"

#include <math.h>

#include "nn/layers.h"
#include "nn/onnx.h"
#include "nn/quantise.h"
#include "support/testing.h"
#include "vision/preprocess.h"

static struct nn_graph *build(bool ferplus, const char *key, const char *value)
{
    struct err err = {0};
    struct nn_graph *g = nn_graph_create("tiny", 7);
    nn_value x = nn_input(g, "input", 1, MODEL_SIDE, MODEL_SIDE);
    x = nn_conv2d(g, x, (struct nn_conv){.out = 8, .kernel = 5, .stride = 3, .bias = true});
    x = nn_flatten(g, nn_activation(g, x, NN_ACT_RELU));
    nn_graph_output(g, nn_dense(g, x, EMOTION_COUNT), "logits");
    struct preprocess p = preprocess_defaults();
    p.side = MODEL_SIDE;
    p.temperature = 1.5f;
    if (ferplus) {
        nn_graph_output(g, nn_dense(g, x, FERPLUS_MAX), "ferplus");
        p.ferplus_count = FERPLUS_MAX;
    }
    preprocess_to_graph(&p, g);
    if (key != NULL)
        nn_graph_set_meta(g, key, value);
    if (nn_graph_finish(g, &err) < 0)
        fail_msg("%s", err.text);
    return g;
}

/* Destroys the graph. */
static void save(struct nn_graph *g, const char *path)
{
    struct err err = {0};
    if (nn_onnx_save(g, path, &err) < 0)
        fail_msg("%s", err.text);
    nn_graph_destroy(g);
}

void model_write(const char *path, bool ferplus)
{
    save(build(ferplus, NULL, NULL), path);
}

void model_write_with(const char *path, const char *key, const char *value)
{
    save(build(false, key, value), path);
}

void model_write_quantised(const char *path)
{
    struct err err = {0};
    struct nn_graph *g = build(true, NULL, NULL), *bytes;
    struct nn_quantiser *q;
    if (nn_quantiser_create(&q, g, 1, NULL, &err) < 0)
        fail_msg("%s", err.text);
    for (int i = 0; i < MODEL_SIDE * MODEL_SIDE; i++)
        nn_quantiser_input(q)[i] = 2 * sinf((float)i);
    nn_quantiser_observe(q, 1);
    if (nn_quantiser_finish(q, &bytes, &err) < 0)
        fail_msg("%s", err.text);
    nn_quantiser_destroy(q);
    nn_graph_destroy(g);
    save(bytes, path);
}
