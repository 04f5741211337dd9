/* Networks for tests. */
#include "model.h"

#include "nn/layers.h"
#include "nn/onnx.h"
#include "support/testing.h"
#include "vision/preprocess.h"

static void write_model(const char *path, bool ferplus, const char *key, const char *value)
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
    if (nn_graph_finish(g, &err) < 0 || nn_onnx_save(g, path, &err) < 0)
        fail_msg("%s", err.text);
    nn_graph_destroy(g);
}

void model_write(const char *path, bool ferplus)
{
    write_model(path, ferplus, NULL, NULL);
}

void model_write_with(const char *path, const char *key, const char *value)
{
    write_model(path, false, key, value);
}
