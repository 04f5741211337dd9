/* The training that test_ranks and test_ranks_mpi do alone and shared. */
#include "engine/ranks_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "nn/layers.h"
#include "nn/tape.h"
#include "support/testing.h"

enum { SIDE = 12, CLASSES = 3, SHARES = 4, ROWS = 120, EPOCHS = 3, BATCH = 16 };

static void normalise(const uint8_t *picture, float *x, void *payload)
{
    (void)payload;
    for (int i = 0; i < SIDE * SIDE; i++)
        x[i] = (float)picture[i] / 128 - 1;
}

/* Noise that is brighter on the rows of its class; every fifth row is for validation. */
static struct nn_dataset *make_data(void)
{
    struct nn_dataset *d = nn_dataset_create(1, SIDE, SIDE, CLASSES, SHARES);
    struct rng rng;
    rng_seed(&rng, 4, 0);
    for (int i = 0; i < ROWS; i++) {
        uint8_t px[SIDE * SIDE];
        float share[SHARES] = {0.5f, 0.25f, 0.25f, 0};
        int label = (int)rng_below(&rng, CLASSES);
        for (int p = 0; p < SIDE * SIDE; p++)
            px[p] = (uint8_t)(rng_below(&rng, 150) + (p / SIDE / 4 == label ? 100 : 0));
        nn_dataset_add(d, px, label, i % 5 == 0 ? NN_VALIDATION : NN_TRAINING, share, NULL);
    }
    return d;
}

static struct nn_graph *make_graph(void)
{
    struct nn_graph *g = nn_graph_create("shared", 3);
    struct nn_pads one = {1, 1, 1, 1, false};
    nn_value x = nn_input(g, "input", 1, SIDE, SIDE);
    x = nn_conv2d(g, x, (struct nn_conv){.out = 8, .kernel = 3, .pads = one});
    x = nn_activation(g, nn_batchnorm(g, x), NN_ACT_RELU);
    nn_value y = nn_conv2d(g, x, (struct nn_conv){.out = 8, .kernel = 3, .pads = one});
    x = nn_activation(g, nn_add(g, nn_batchnorm(g, y), x), NN_ACT_RELU);
    x = nn_batchnorm(g,
                     nn_maxpool(g, x, (struct nn_pool){.kernel = 2})); /* behind no convolution */
    x = nn_dropout(g, nn_flatten(g, x), 0.3f);
    nn_graph_output(g, nn_dense(g, x, CLASSES), "logits");
    nn_graph_output(g, nn_dense(g, x, SHARES), "votes");
    nn_graph_finish(g, NULL);
    return g;
}

static struct nn_train_config config_of(struct nn_ranks *ranks)
{
    struct nn_train_config c = {.epochs = EPOCHS,
                                .batch = BATCH,
                                .seed = 1,
                                .optim = nn_optim_defaults(NN_SGD),
                                .rate = 0.05f,
                                .share_weight = 0.5f,
                                .smoothing = 0.1f,
                                .class_weights = NN_WEIGHTS_BALANCED,
                                .mixup = 0.4f,
                                .mixup_share = 0.5f,
                                .ranks = ranks,
                                .normalise = normalise};
    c.optim.clip_norm = 0.5f;
    c.optim.ema = 0.9f;
    c.augment.shift = 0.1f;
    c.augment.flip = 0.5f;
    return c;
}

float *ranks_case_train(struct nn_ranks *ranks, size_t *count, struct nn_epoch *last)
{
    struct nn_train_config c = config_of(ranks);
    struct nn_dataset *d = make_data();
    struct nn_graph *g = make_graph();
    struct nn_view train, val;
    struct nn_trainer *t = NULL;
    struct err err = {0};
    nn_view_of_split(&train, d, NN_TRAINING);
    nn_view_of_split(&val, d, NN_VALIDATION);
    int rc = nn_trainer_create(&t, g, &c, &train, &val, NULL, &err), epochs;
    for (int i = 0; i < EPOCHS && rc == 0; i++)
        rc = nn_trainer_epoch(t, NULL, NULL, &err);
    if (rc < 0)
        fail_msg("%s", err.text);
    *last = nn_trainer_history(t, &epochs)[EPOCHS - 1];
    nn_trainer_store(t, false);
    nn_trainer_destroy(t);
    struct nn_tape *tape = NULL; /* reads the graph's weights in their order */
    if (nn_tape_create(&tape, g, 1, NN_FP32, NULL, &err) < 0)
        fail_msg("%s", err.text);
    *count = nn_tape_total(tape);
    float *weights = mem_new(*count, sizeof *weights);
    memcpy(weights, nn_tape_weights(tape), *count * sizeof *weights);
    nn_tape_destroy(tape);
    nn_view_free(&train);
    nn_view_free(&val);
    nn_graph_destroy(g);
    nn_dataset_destroy(d);
    return weights;
}

void ranks_case_compare(const float *alone, const float *shared, size_t count,
                        const struct nn_epoch *a, const struct nn_epoch *b)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(alone[i] - shared[i]) <= 2e-5f + 2e-4f * fabsf(alone[i])))
            fail_msg("weight %zu is %.7g alone, %.7g shared", i, (double)alone[i],
                     (double)shared[i]);
    assert_true(fabsf(a->train_loss - b->train_loss) < 1e-4f * a->train_loss);
    assert_true(fabsf(a->val_loss - b->val_loss) < 1e-3f * a->val_loss);
    assert_true(fabsf(a->averaged_loss - b->averaged_loss) < 1e-3f * a->averaged_loss);
    assert_true(fabsf(a->train_accuracy - b->train_accuracy) < 1e-6f);
}
