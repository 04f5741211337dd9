/* Other engines compute from our files what we do: every network of the zoo, exported after a few
 * steps of batch norm, and two joined to one, is run by OpenCV's dnn module and, where
 * ONNXRUNTIME_LIBRARY names its library, by ONNX Runtime. (OpenCV 4.6 knows Clip in its old form
 * only: it is spared mobilenet. It does not read weights of 16 bits either.) */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"
#include "lab/peer.h"
#include "nn/onnx.h"
#include "nn/quantise.h"
#include "nn/run.h"
#include "nn/tape.h"
#include "nn/zoo.h"

/* RUN: OpenCV 4.6 takes one image where the batch of a file is open. */
enum { BATCH = 2, RUN = 1 };

static void noise(float *x, size_t n, uint64_t seed)
{
    struct rng rng;
    rng_seed(&rng, seed, 0);
    for (size_t i = 0; i < n; i++)
        x[i] = rng_normal(&rng);
}

static size_t input_size(const struct nn_zoo_entry *e, int images)
{
    return (size_t)images * (size_t)e->channels * (size_t)e->height * (size_t)e->width;
}

/* A network whose batch norms have seen pictures: their running statistics are not 0 and 1. */
static struct nn_graph *used_network(const struct nn_zoo_entry *e)
{
    struct nn_zoo_options options = {.seed = 7};
    struct nn_graph *g = NULL;
    struct nn_tape *t = NULL;
    struct err err = {0};
    if (nn_zoo_build(&g, e->name, &options, &err) < 0 ||
        nn_tape_create(&t, g, BATCH, NN_FP32, NULL, &err) < 0)
        fail_msg("%s", err.text);
    for (uint64_t step = 0; step < 3; step++) {
        noise(nn_tape_input(t), input_size(e, BATCH), step);
        nn_tape_forward(t, BATCH, NN_TRAIN, step);
    }
    nn_tape_store(t, NULL);
    nn_tape_destroy(t);
    return g;
}

static void compare(const char *peer, const struct nn_zoo_entry *e, struct nn_run *run, int output,
                    const char *path)
{
    const int64_t dims[] = {RUN, e->channels, e->height, e->width};
    struct peer_model m = {.path = path,
                           .input = "input",
                           .output = nn_run_output_name(run, output),
                           .dims = dims,
                           .rank = 4,
                           .threads = 1};
    struct peer *p;
    struct err err = {0};
    int code = peer_open(&p, peer, &m, &err);
    if (code < 0 && strcmp(peer, "opencv") == 0 && strstr(err.text, "[Clip@")) {
        print_message("%s: this OpenCV reads no Clip of operator set 11 and later\n", e->name);
        return;
    }
    if (code < 0)
        fail_msg("%s: %s", e->name, err.text);
    noise(peer_input(p), input_size(e, RUN), 99);
    if (peer_run(p, &err) < 0)
        fail_msg("%s: %s", e->name, err.text);
    const float *ours = nn_run_output(run, output), *theirs = peer_output(p);
    int64_t count = RUN * nn_run_output_shape(run, output)->dims[1];
    for (int64_t i = 0; i < count; i++)
        if (!(fabsf(ours[i] - theirs[i]) <= 1e-4f * fmaxf(1, fabsf(theirs[i]))))
            fail_msg("%s, %s[%lld]: ours %g, %s %g", e->name, m.output, (long long)i,
                     (double)ours[i], peer, (double)theirs[i]);
    peer_close(p);
}

/* `g`, as a file; destroys it. */
static void check_graph(const char *peer, const struct nn_zoo_entry *e, struct nn_graph *g)
{
    char *dir = testing_make_dir();
    const char *path = testing_path(dir, "exported.onnx");
    struct nn_graph *read = NULL;
    struct nn_run *run = NULL;
    struct err err = {0};
    if (nn_onnx_save(g, path, &err) < 0 || nn_onnx_load(&read, path, &err) < 0 ||
        nn_run_create(&run, read, RUN, NULL, NULL, &err) < 0)
        fail_msg("%s: %s", e->name, err.text);
    noise(nn_run_input(run, 0), input_size(e, RUN), 99);
    nn_run_forward(run);
    for (int i = 0; i < nn_run_output_count(run); i++)
        compare(peer, e, run, i, path);
    nn_run_destroy(run);
    nn_graph_destroy(read);
    nn_graph_destroy(g);
    testing_remove_dir(dir);
}

static void check_joined(const char *peer, bool halves)
{
    const struct nn_zoo_entry *e = nn_zoo_find("moodreel-fast");
    struct nn_graph *a = used_network(e), *b = used_network(e), *joined = NULL;
    struct nn_graph *const parts[] = {a, b};
    assert_int_equal(nn_graph_join(&joined, parts, 2, NULL), 0);
    nn_graph_store_halves(joined, halves);
    nn_graph_destroy(a);
    nn_graph_destroy(b);
    check_graph(peer, e, joined);
}

/* 8 bits and back. */
static void check_widened(const char *peer)
{
    const struct nn_zoo_entry *e = nn_zoo_find("moodreel-fast");
    struct nn_graph *g = used_network(e), *made = NULL;
    struct nn_quantiser *q = NULL;
    assert_int_equal(nn_quantiser_create(&q, g, RUN, NULL, NULL), 0);
    noise(nn_quantiser_input(q), input_size(e, RUN), 7);
    nn_quantiser_observe(q, RUN);
    assert_int_equal(nn_quantiser_finish(q, &made, NULL), 0);
    assert_int_equal(nn_dequantise(&made, NULL), 0);
    nn_quantiser_destroy(q);
    nn_graph_destroy(g);
    check_graph(peer, e, made);
}

static void check_zoo(const char *peer)
{
    size_t count;
    const struct nn_zoo_entry *e = nn_zoo_list(&count);
    assert_true(count >= 6);
    for (size_t i = 0; i < count; i++)
        check_graph(peer, &e[i], used_network(&e[i]));
}

static void test_opencv_computes_the_same(void **state)
{
    (void)state;
    check_zoo("opencv");
    check_joined("opencv", false);
    check_widened("opencv");
}

static void test_onnx_runtime_computes_the_same(void **state)
{
    (void)state;
    if (getenv("ONNXRUNTIME_LIBRARY") == NULL) {
        print_message("skipped: ONNXRUNTIME_LIBRARY does not name its library\n");
        skip();
    }
    check_zoo("onnx-runtime");
    check_joined("onnx-runtime", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opencv_computes_the_same),
        cmocka_unit_test(test_onnx_runtime_computes_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
