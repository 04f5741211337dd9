/* The trainer on a network of a few hundred weights: learning, stopping, checkpoints. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "nn/layers.h"
#include "nn/train.h"

enum { SIDE = 8, CLASSES = 3, ROWS = 48 };

static void normalise(const uint8_t *picture, float *x, void *payload)
{
    (void)payload;
    for (int i = 0; i < SIDE * SIDE; i++)
        x[i] = (float)picture[i] / 128 - 1;
}

/* Class 0: bright left half, 1: bright right half, 2: bright middle. Each row is unlike the
 * others; every fourth is for validation. */
static struct nn_dataset *make_data(int shares)
{
    struct nn_dataset *d = nn_dataset_create(1, SIDE, SIDE, CLASSES, shares);
    for (int i = 0; i < ROWS; i++) {
        uint8_t px[SIDE * SIDE];
        float share[2] = {i % 2 == 0 ? 1.0f : 0.0f, i % 2 == 0 ? 0.0f : 1.0f};
        int label = i / 4 % CLASSES;
        for (int p = 0; p < SIDE * SIDE; p++) {
            int x = p % SIDE;
            bool lit = label == 0 ? x < 4 : label == 1 ? x >= 4 : x >= 2 && x < 6;
            px[p] = (uint8_t)((lit ? 180 : 60) + (i * 31 + p * 17) % 40);
        }
        enum nn_split split = i % 4 == 0 ? NN_VALIDATION : NN_TRAINING;
        assert_int_equal(nn_dataset_add(d, px, label, split, share, NULL), 0);
    }
    return d;
}

static struct nn_graph *make_graph(int width, int heads)
{
    struct nn_graph *g = nn_graph_create("tiny", 3);
    struct err err = {0};
    nn_value x = nn_input(g, "input", 1, SIDE, SIDE);
    x = nn_conv2d(g, x, (struct nn_conv){.out = width, .kernel = 3, .pads = {.same = true}});
    x = nn_activation(g, nn_batchnorm(g, x), NN_ACT_RELU);
    x = nn_maxpool(g, x, (struct nn_pool){.kernel = 2});
    x = nn_dropout(g, nn_flatten(g, x), 0.2f);
    nn_graph_output(g, nn_dense(g, x, CLASSES), "logits");
    if (heads > 1)
        nn_graph_output(g, nn_dense(g, x, 2), "votes");
    if (nn_graph_finish(g, &err) < 0)
        fail_msg("%s", err.text);
    return g;
}

static struct nn_train_config config_of(int epochs)
{
    struct nn_train_config c = {.epochs = epochs,
                                .batch = 6,
                                .seed = 1,
                                .rate = 0.01f,
                                .schedule = NN_COSINE,
                                .warmup = 0.1f,
                                .share_weight = 0.5f,
                                .mixup = 0.2f,
                                .mixup_share = 0.3f,
                                .normalise = normalise};
    c.optim = nn_optim_defaults(NN_ADAMW);
    c.optim.ema = 0.9f;
    c.augment.shift = 0.05f;
    return c;
}

/* A trainer with all that it borrows. */
struct rig {
    struct nn_dataset *data;
    struct nn_view train, val;
    struct nn_graph *graph;
    struct nn_trainer *trainer;
};

static void make_rig(struct rig *r, int width, int heads, const struct nn_train_config *c)
{
    struct err err = {0};
    r->data = make_data(heads > 1 ? 2 : 0);
    r->graph = make_graph(width, heads);
    nn_view_of_split(&r->train, r->data, NN_TRAINING);
    nn_view_of_split(&r->val, r->data, NN_VALIDATION);
    if (nn_trainer_create(&r->trainer, r->graph, c, &r->train, &r->val, NULL, &err) < 0)
        fail_msg("%s", err.text);
}

static void free_rig(struct rig *r)
{
    nn_trainer_destroy(r->trainer);
    nn_graph_destroy(r->graph);
    nn_view_free(&r->train);
    nn_view_free(&r->val);
    nn_dataset_destroy(r->data);
}

static void learn(struct nn_trainer *t, int epochs)
{
    struct err err = {0};
    for (int i = 0; i < epochs; i++)
        if (nn_trainer_epoch(t, NULL, NULL, &err) < 0)
            fail_msg("%s", err.text);
}

static void assert_same_history(struct nn_trainer *a, struct nn_trainer *b)
{
    int n, m;
    const struct nn_epoch *x = nn_trainer_history(a, &n), *y = nn_trainer_history(b, &m);
    assert_int_equal(n, m);
    for (int i = 0; i < n; i++) {
        assert_true(x[i].train_loss == y[i].train_loss && x[i].val_loss == y[i].val_loss);
        assert_true(x[i].averaged_loss == y[i].averaged_loss && x[i].rate == y[i].rate);
        assert_true(x[i].best == y[i].best && x[i].averaged == y[i].averaged);
    }
}

static void test_learns_and_keeps_the_best(void **state)
{
    (void)state;
    struct nn_train_config c = config_of(30);
    struct rig r;
    make_rig(&r, 4, 1, &c);
    learn(r.trainer, 30);
    int count;
    const struct nn_epoch *h = nn_trainer_history(r.trainer, &count);
    const struct nn_epoch *best = nn_trainer_best(r.trainer);
    float most = 0;
    assert_int_equal(count, 30);
    assert_true(nn_trainer_done(r.trainer));
    assert_true(h[29].train_loss < 0.5f * h[0].train_loss);
    for (int i = 0; i < count; i++)
        most = fmaxf(most, fmaxf(h[i].val_accuracy, h[i].averaged_accuracy));
    assert_true(fmaxf(best->val_accuracy, best->averaged_accuracy) == most);
    assert_true(most == 1.0f);
    free_rig(&r);
}

static void test_two_heads_learn_both(void **state)
{
    (void)state;
    struct nn_train_config c = config_of(40);
    c.mixup = 0;
    struct rig r;
    make_rig(&r, 6, 2, &c);
    learn(r.trainer, 40);
    int count;
    const struct nn_epoch *h = nn_trainer_history(r.trainer, &count);
    /* Both losses together: ln 3 + ln 2 / 2 = 1.45 at the start, when nothing is known. */
    assert_true(h[0].train_loss > 1.0f && h[39].train_loss < 0.6f);
    free_rig(&r);
}

static void test_resumed_equals_uninterrupted(void **state)
{
    char *dir = testing_make_dir();
    const char *path = testing_path(dir, "checkpoint");
    static const struct {
        enum nn_schedule schedule;
        enum nn_precision precision;
        int width;
    } cases[] = {{NN_COSINE, NN_FP32, 4},
                 {NN_STEP, NN_FP32, 4},
                 {NN_PLATEAU, NN_FP32, 4},
                 {NN_COSINE, NN_BF16, 16}};
    (void)state;
    for (int s = 0; s < 4; s++) {
        struct nn_train_config c = config_of(7);
        c.schedule = cases[s].schedule;
        c.precision = cases[s].precision;
        c.step_every = 2;
        c.step_factor = 0.5f;
        struct rig whole, first, second;
        make_rig(&whole, cases[s].width, 1, &c);
        make_rig(&first, cases[s].width, 1, &c);
        learn(whole.trainer, 7);
        learn(first.trainer, 3);
        assert_int_equal(nn_trainer_save(first.trainer, path, NULL), 0);
        make_rig(&second, cases[s].width, 1, &c);
        assert_int_equal(nn_trainer_load(second.trainer, path, NULL), 0);
        assert_false(nn_trainer_done(second.trainer));
        learn(second.trainer, 4);
        assert_same_history(whole.trainer, second.trainer);
        free_rig(&whole);
        free_rig(&first);
        free_rig(&second);
    }
    testing_remove_dir(dir);
}

static void test_patience_stops(void **state)
{
    (void)state;
    struct nn_train_config c = config_of(50);
    c.rate = 0;
    c.optim.ema = 0;
    c.patience = 4;
    c.schedule = NN_CONSTANT;
    struct rig r;
    make_rig(&r, 4, 1, &c);
    int epochs = 0;
    while (!nn_trainer_done(r.trainer)) {
        learn(r.trainer, 1);
        epochs++;
    }
    /* Weights stand still, but running statistics settle: the best may come late, never the end. */
    assert_int_equal(epochs, nn_trainer_best(r.trainer)->number + 4);
    assert_true(epochs < 50);
    free_rig(&r);
}

static bool stop_at_second(const struct nn_progress *s, void *payload)
{
    (*(int *)payload)++;
    return s->batch < 2;
}

static void test_the_step_function_may_stop(void **state)
{
    (void)state;
    struct nn_train_config c = config_of(5);
    struct rig r;
    make_rig(&r, 4, 1, &c);
    int calls = 0;
    assert_int_equal(nn_trainer_epoch(r.trainer, stop_at_second, &calls, NULL), ERR_STOPPED);
    assert_int_equal(calls, 2);
    free_rig(&r);
}

static void test_a_loss_that_is_no_number_stops(void **state)
{
    (void)state;
    struct nn_train_config c = config_of(50);
    struct err err = {0};
    c.optim = nn_optim_defaults(NN_SGD);
    c.rate = 1e20f;
    c.schedule = NN_CONSTANT;
    struct rig r;
    make_rig(&r, 4, 1, &c);
    int rc = 0;
    for (int i = 0; i < 50 && rc == 0; i++)
        rc = nn_trainer_epoch(r.trainer, NULL, NULL, &err);
    assert_int_equal(rc, ERR_RANGE);
    assert_non_null(strstr(err.text, "not a number any more"));
    free_rig(&r);
}

static void test_checkpoints_that_do_not_fit_change_nothing(void **state)
{
    char *dir = testing_make_dir();
    const char *path = testing_path(dir, "checkpoint");
    struct nn_train_config c = config_of(5);
    struct rig r, wide, same, fewer;
    struct err err = {0};
    (void)state;
    make_rig(&r, 4, 1, &c);
    make_rig(&wide, 5, 1, &c);
    make_rig(&same, 4, 1, &c);
    learn(r.trainer, 2);
    assert_int_equal(nn_trainer_save(r.trainer, path, NULL), 0);
    assert_int_equal(nn_trainer_load(wide.trainer, path, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "does not belong to this network"));
    void *bytes;
    size_t len;
    assert_int_equal(path_read(path, &bytes, &len, 1 << 24, NULL), 0);
    for (size_t cut = 0; cut < len; cut += 1 + len / 50) {
        testing_write(path, bytes, cut);
        assert_int_equal(nn_trainer_load(same.trainer, path, NULL), ERR_FORMAT);
    }
    for (size_t at = 0; at < len; at += 1 + len / 50) {
        ((uint8_t *)bytes)[at] ^= 0x10;
        testing_write(path, bytes, len);
        assert_true(nn_trainer_load(same.trainer, path, NULL) < 0);
        ((uint8_t *)bytes)[at] ^= 0x10;
    }
    testing_write(path, bytes, len);
    make_rig(&fewer, 4, 1, &c);
    nn_trainer_destroy(fewer.trainer);
    fewer.train.count -= 3;
    assert_int_equal(
        nn_trainer_create(&fewer.trainer, fewer.graph, &c, &fewer.train, &fewer.val, NULL, NULL),
        0);
    assert_int_equal(nn_trainer_load(fewer.trainer, path, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "other training pictures"));
    int count;
    nn_trainer_history(same.trainer, &count);
    assert_int_equal(count, 0);
    assert_int_equal(nn_trainer_load(same.trainer, path, NULL), 0);
    assert_same_history(r.trainer, same.trainer);
    free(bytes);
    free_rig(&r);
    free_rig(&wide);
    free_rig(&same);
    free_rig(&fewer);
    testing_remove_dir(dir);
}

static void test_views_and_outputs_must_fit(void **state)
{
    (void)state;
    struct nn_dataset *d = make_data(0);
    struct nn_view train, val;
    struct nn_train_config c = config_of(2);
    struct nn_trainer *t = NULL;
    struct err err = {0};
    struct nn_graph *one = make_graph(4, 1), *two = make_graph(4, 2);
    nn_view_of_split(&train, d, NN_TRAINING);
    nn_view_of_split(&val, d, NN_VALIDATION);
    assert_int_equal(nn_trainer_create(&t, two, &c, &train, &val, NULL, &err), ERR_RANGE);
    assert_non_null(strstr(err.text, "the data no votes"));
    train.count = 5;
    assert_int_equal(nn_trainer_create(&t, one, &c, &train, &val, NULL, &err), ERR_RANGE);
    assert_non_null(strstr(err.text, "class 2 has no picture"));
    train.count = 9;
    c.batch = 10;
    assert_int_equal(nn_trainer_create(&t, one, &c, &train, &val, NULL, &err), ERR_RANGE);
    assert_non_null(strstr(err.text, "9 pictures are fewer than one batch of 10"));
    assert_null(t);
    nn_view_free(&train);
    nn_view_free(&val);
    nn_graph_destroy(one);
    nn_graph_destroy(two);
    nn_dataset_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns_and_keeps_the_best),
        cmocka_unit_test(test_two_heads_learn_both),
        cmocka_unit_test(test_resumed_equals_uninterrupted),
        cmocka_unit_test(test_patience_stops),
        cmocka_unit_test(test_the_step_function_may_stop),
        cmocka_unit_test(test_a_loss_that_is_no_number_stops),
        cmocka_unit_test(test_checkpoints_that_do_not_fit_change_nothing),
        cmocka_unit_test(test_views_and_outputs_must_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
