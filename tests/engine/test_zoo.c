/* The zoo: sizes that the documents give, limits that the project set itself, one step of each. */
#include "support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/onnx.h"
#include "nn/tape.h"
#include "nn/zoo.h"

static struct nn_graph *build(const char *name, const struct nn_zoo_options *o)
{
    struct nn_graph *g = NULL;
    struct err err = {0};
    if (nn_zoo_build(&g, name, o, &err) < 0)
        fail_msg("%s", err.text);
    return g;
}

static void test_documented_sizes(void **state)
{
    (void)state;
    struct nn_graph *g = build("xception38", NULL);
    assert_int_equal(nn_graph_parameters(g, false), 58423); /* document 004 */
    assert_int_equal(nn_graph_parameters(g, true), 56951);
    nn_graph_destroy(g);
    g = build("vgg6", NULL);
    assert_int_equal(nn_graph_parameters(g, true), 4902439);
    nn_graph_destroy(g);
    g = build("emoflix4", NULL);
    assert_int_equal(nn_graph_parameters(g, true), 2345607);
    nn_graph_destroy(g);
    struct nn_zoo_options half = {.channels = 1, .height = 96, .width = 96, .width_factor = 0.5f};
    g = build("mobilenet", &half);
    assert_int_equal(nn_graph_parameters(g, true), 821895);
    assert_int_equal(nn_graph_macs(g), 26704640);
    nn_graph_destroy(g);
}

static void test_own_limits(void **state)
{
    (void)state;
    struct nn_graph *g = build("moodreel-fast", NULL);
    assert_true(nn_graph_parameters(g, false) <= 300000);
    assert_true(nn_graph_macs(g) <= 15000000);
    nn_graph_destroy(g);
    g = build("moodreel-best", NULL);
    assert_true(nn_graph_parameters(g, false) <= 3000000); /* a file of 12 MB */
    assert_true(nn_graph_macs(g) <= 340000000);
    nn_graph_destroy(g);
}

static void check_step(const struct nn_zoo_entry *e, struct nn_graph *g)
{
    struct nn_tape *t = NULL;
    struct err err = {0};
    int labels[2] = {1, 2};
    struct nn_target targets[2] = {{.labels = labels, .weight = 1},
                                   {.labels = labels, .weight = 1}};
    if (nn_tape_create(&t, g, 2, NN_FP32, NULL, &err) < 0)
        fail_msg("%s: %s", e->name, err.text);
    const struct nn_shape *s = nn_graph_shape(g, nn_graph_input(g, 0));
    for (int64_t i = 0; i < 2 * s->dims[1] * s->dims[2] * s->dims[3]; i++)
        nn_tape_input(t)[i] = (float)(i * 7919 % 1000) / 500 - 1;
    nn_tape_forward(t, 2, NN_TRAIN, 0);
    float loss = nn_tape_loss(t, targets);
    assert_true(isfinite(loss) && loss > 0);
    nn_tape_backward(t);
    int spans;
    const struct nn_tape_span *span = nn_tape_spans(t, &spans);
    for (int i = 0; i < spans && span[i].trainable; i++) { /* every tensor learns */
        double sum = 0;
        for (size_t k = 0; k < span[i].count; k++)
            sum += fabs((double)nn_tape_gradients(t)[span[i].offset + k]);
        if (!(sum > 0 && isfinite(sum)))
            fail_msg("%s: the gradient of %s is %g", e->name, span[i].name, sum);
    }
    nn_tape_destroy(t);
}

static void test_every_network_trains_and_saves(void **state)
{
    (void)state;
    size_t count;
    const struct nn_zoo_entry *e = nn_zoo_list(&count);
    char *dir = testing_make_dir();
    for (size_t i = 0; i < count; i++) {
        struct nn_zoo_options o = {.classes = 5, .seed = 1};
        if (e[i].height > 100) { /* MobileNet: small enough for a test */
            o.height = o.width = 64;
            o.width_factor = 0.25f;
        }
        struct nn_graph *g = build(e[i].name, &o), *back = NULL;
        assert_int_equal(nn_graph_output_count(g), 1 + e[i].two_heads);
        assert_string_equal(nn_graph_value_name(g, nn_graph_output_at(g, 0)), "logits");
        assert_int_equal(nn_graph_shape(g, nn_graph_output_at(g, 0))->dims[1], 5);
        check_step(&e[i], g);
        const char *path = testing_path(dir, "net.onnx");
        assert_int_equal(nn_onnx_save(g, path, NULL), 0);
        assert_int_equal(nn_onnx_load(&back, path, NULL), 0);
        assert_int_equal(nn_graph_parameters(back, true), nn_graph_parameters(g, true));
        nn_graph_destroy(back);
        nn_graph_destroy(g);
    }
    testing_remove_dir(dir);
}

static void test_unknown_network(void **state)
{
    (void)state;
    struct nn_graph *g = NULL;
    struct err err = {0};
    assert_int_equal(nn_zoo_build(&g, "alexnet", NULL, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "xception38"));
    assert_null(nn_zoo_find("alexnet"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documented_sizes),
        cmocka_unit_test(test_own_limits),
        cmocka_unit_test(test_every_network_trains_and_saves),
        cmocka_unit_test(test_unknown_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
