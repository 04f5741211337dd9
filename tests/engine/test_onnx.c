/* ONNX files: what is written comes back equal, damaged bytes give a sentence and nothing worse. */
#include "support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "half.h"
#include "internal.h"
#include "nn/layers.h"
#include "nn/onnx.h"

static struct nn_graph *small(void)
{
    struct nn_graph *g = nn_graph_create("small", 3);
    nn_value x = nn_input(g, "input", 1, 6, 6);
    x = nn_conv2d(g, x, (struct nn_conv){.out = 2, .kernel = 3, .pads = {.same = true}});
    x = nn_activation(g, nn_batchnorm(g, x), NN_ACT_RELU6);
    x = nn_maxpool(g, x, (struct nn_pool){.kernel = 2});
    nn_value gate = nn_activation(g, nn_global_avgpool(g, x), NN_ACT_HARD_SIGMOID);
    x = nn_flatten(g, nn_dropout(g, nn_mul(g, x, gate), 0.25f));
    nn_graph_output(g, nn_dense(g, x, 3), "logits");
    nn_graph_output(g, nn_dense(g, x, 2), "second");
    nn_graph_set_meta(g, "labels", "a,b,c");
    assert_int_equal(nn_graph_finish(g, NULL), 0);
    return g;
}

static void *small_bytes(size_t *len)
{
    char *dir = testing_make_dir();
    struct nn_graph *g = small();
    void *data = NULL;
    assert_int_equal(nn_onnx_save(g, testing_path(dir, "x.onnx"), NULL), 0);
    assert_int_equal(path_read(testing_path(dir, "x.onnx"), &data, len, 1 << 20, NULL), 0);
    nn_graph_destroy(g);
    testing_remove_dir(dir);
    return data;
}

static void assert_same_attr(const struct nn_attr *a, const struct nn_attr *b)
{
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->count, b->count);
    if (a->ints)
        assert_memory_equal(a->ints, b->ints, sizeof *a->ints * (size_t)a->count);
    if (a->floats)
        assert_memory_equal(a->floats, b->floats, sizeof *a->floats * (size_t)a->count);
}

static void assert_same_value(const struct nn_graph *a, const struct nn_graph *b, const char *name)
{
    const struct nn_tensor *s = nn__value(a, nn_graph_find(a, name));
    nn_value v = nn_graph_find(b, name);
    assert_int_not_equal(v, NN_NONE);
    const struct nn_tensor *t = nn__value(b, v);
    assert_int_equal(s->dtype, t->dtype);
    assert_true(nn__shape_equal(&s->shape, &t->shape));
    assert_int_equal(s->trainable, t->trainable);
    assert_int_equal(!s->data, !t->data);
    if (s->data)
        assert_memory_equal(s->data, t->data,
                            (size_t)nn__shape_elements(&s->shape, 1) * nn_dtype_size(s->dtype));
}

static void test_round_trip(void **state)
{
    (void)state;
    size_t len;
    void *data = small_bytes(&len);
    struct nn_graph *a = small(), *b = NULL;
    assert_int_equal(nn_onnx_read(&b, data, len, NULL), 0);
    assert_int_equal(a->node_count, b->node_count);
    for (size_t i = 0; i < a->node_count; i++) {
        const struct nn_node *m = &a->nodes[i], *n = &b->nodes[i];
        assert_int_equal(m->op, n->op);
        assert_string_equal(m->name, n->name);
        assert_int_equal(m->attr_count, n->attr_count);
        for (int k = 0; k < m->attr_count; k++)
            assert_same_attr(&m->attrs[k], &n->attrs[k]);
    }
    assert_int_equal(a->value_count, b->value_count);
    for (size_t i = 0; i < a->value_count; i++)
        assert_same_value(a, b, a->values[i].name);
    assert_int_equal(nn_graph_output_count(b), 2);
    assert_string_equal(nn_graph_value_name(b, nn_graph_output_at(b, 1)), "second");
    assert_string_equal(nn_graph_meta(b, "labels"), "a,b,c");
    nn_graph_destroy(a);
    nn_graph_destroy(b);
    free(data);
}

/* Reads bytes that may be damaged: either a graph or an error with a sentence. */
static bool read_damaged(const void *data, size_t len)
{
    struct nn_graph *g = NULL;
    struct err err = {0};
    int code = nn_onnx_read(&g, data, len, &err);
    if (code < 0) {
        assert_int_equal(err.code, code);
        assert_true(err.text[0] != '\0');
    }
    nn_graph_destroy(g);
    return code == 0;
}

/* ---- bytes by hand ---- */

static void add_varint(struct str *s, uint64_t v)
{
    for (; v > 127; v >>= 7)
        str_add(s, &(char){(char)(v | 128)}, 1);
    str_add(s, &(char){(char)v}, 1);
}

/* A field of protobuf: a number, or bytes (wire type 2). */
static void add_number(struct str *s, unsigned field, uint64_t v)
{
    add_varint(s, field << 3);
    add_varint(s, v);
}

static void add_bytes(struct str *s, unsigned field, const char *data, size_t n)
{
    add_varint(s, field << 3 | 2);
    add_varint(s, n);
    str_add(s, data, n);
}

/* Halves of one byte each in the file, four when unpacked, four in the graph. */
static struct str swelling_model(size_t halves)
{
    struct str tensor = {0}, graph = {0}, opset = {0}, model = {0};
    char *zeros = mem_new(halves, 1);
    add_number(&tensor, 1, halves);
    add_number(&tensor, 2, 10); /* FLOAT16 */
    add_bytes(&tensor, 5, zeros, halves);
    add_bytes(&tensor, 8, "w", 1);
    add_bytes(&graph, 5, tensor.s, tensor.len);
    add_number(&opset, 2, 13);
    add_bytes(&model, 7, graph.s, graph.len);
    add_bytes(&model, 8, opset.s, opset.len);
    free(zeros);
    str_free(&tensor);
    str_free(&graph);
    str_free(&opset);
    return model;
}

/* The nearest number of 11 binary digits, ties to even; below 2^-14 steps of 2^-24. */
static void test_halves_are_nearest(void **state)
{
    (void)state;
    static const struct {
        float from, to;
    } cases[] = {{1.0f / 3, 1365 * 0x1p-12f}, {2049, 2048},      {2051, 2052},
                 {-2049.5f, -2050},           {65504, 65504},    {65503, 65504},
                 {0x1.8p-25f, 0x1p-24f},      {0x1p-26f, 0},     {0x1.ffp-15f, 0x1.ffp-15f},
                 {0x1.fffp-15f, 0x1p-14f},    {-0x1p-14f, -0x1p-14f}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(nn__from_half(nn__to_half(cases[i].from)) == cases[i].to);
    for (uint32_t h = 0; h < 0x10000; h++)
        if ((h & 0x7c00) != 0x7c00)
            assert_int_equal(nn__to_half(nn__from_half((uint16_t)h)), h);
}

/* Half of the weights' bytes; what was rounded comes back as it is and is stored so again. */
static void test_halves_come_back(void **state)
{
    (void)state;
    char *dir = testing_make_dir();
    const char *path[] = {testing_path(dir, "floats"), testing_path(dir, "halves"),
                          testing_path(dir, "again"), testing_path(dir, "wide")};
    void *data[4];
    size_t len[4];
    struct nn_graph *a = small(), *b = NULL;
    struct nn_tensor *large = nn__value(a, nn_graph_find(a, "Gemm_9.weight"));
    ((float *)large->data)[0] = 1e6f; /* no half is as large: this tensor stays */
    assert_int_equal(nn_onnx_save(a, path[0], NULL), 0);
    nn_graph_store_halves(a, true);
    assert_int_equal(nn_onnx_save(a, path[1], NULL), 0);
    assert_int_equal(nn_onnx_load(&b, path[1], NULL), 0);
    assert_int_equal(a->node_count, b->node_count);
    assert_int_equal(nn_graph_parameters(a, true), nn_graph_parameters(b, true));
    for (size_t i = 0; i < a->value_count; i++)
        assert_same_value(a, b, a->values[i].name);
    assert_true(((float *)large->data)[0] == 1e6f);
    assert_int_equal(nn_onnx_save(b, path[2], NULL), 0);
    nn_graph_store_halves(b, false);
    assert_int_equal(nn_onnx_save(b, path[3], NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(path_read(path[i], &data[i], &len[i], 1 << 20, NULL), 0);
    assert_int_equal(len[1], len[2]);
    assert_memory_equal(data[1], data[2], len[1]);
    assert_int_equal(len[0], len[3]);
    assert_memory_not_equal(data[0], data[3], len[0]);
    for (int i = 0; i < 4; i++)
        free(data[i]);
    nn_graph_destroy(a);
    nn_graph_destroy(b);
    testing_remove_dir(dir);
}

static void test_memory_is_bounded_by_the_file(void **state)
{
    static const size_t sizes[] = {2 << 20, 8 << 20}; /* too much for the graph, for the reader */
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct nn_graph *g = NULL;
        struct err err = {0};
        struct str model = swelling_model(sizes[i]);
        assert_int_equal(nn_onnx_read(&g, model.s, model.len, &err), ERR_RANGE);
        assert_non_null(strstr(err.text, "more memory"));
        str_free(&model);
    }
    struct nn_graph *g = NULL;
    struct err err = {0};
    struct str model = swelling_model(1 << 16); /* its only fault: it has no output */
    assert_int_equal(nn_onnx_read(&g, model.s, model.len, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "no output"));
    str_free(&model);
}

static void test_truncated_bytes(void **state)
{
    (void)state;
    size_t len;
    char *data = small_bytes(&len);
    for (size_t cut = 0; cut < len; cut++) {
        char *exact = malloc(cut ? cut : 1); /* so that a sanitizer sees any byte too far */
        memcpy(exact, data, cut);
        read_damaged(exact, cut);
        free(exact);
    }
    assert_false(read_damaged(data, len / 2));
    free(data);
}

static void test_flipped_bytes(void **state)
{
    (void)state;
    size_t len;
    unsigned char *data = small_bytes(&len);
    static const unsigned char patterns[] = {0x01, 0x80, 0xff};
    int refused = 0;
    for (size_t i = 0; i < len; i++)
        for (size_t k = 0; k < sizeof patterns; k++) {
            data[i] ^= patterns[k];
            refused += !read_damaged(data, len);
            data[i] ^= patterns[k];
        }
    assert_true(refused > 0);
    free(data);
}

static void test_missing_file_is_named(void **state)
{
    (void)state;
    struct nn_graph *g;
    struct err err = {0};
    assert_int_equal(nn_onnx_load(&g, "/nonexistent/x.onnx", &err), ERR_IO);
    assert_non_null(strstr(err.text, "/nonexistent/x.onnx"));
}

/* Replaces the first occurrence of a string of the same length. */
static void patch(char *data, size_t len, const char *from, const char *to)
{
    for (size_t i = 0; i + strlen(from) <= len; i++)
        if (!memcmp(data + i, from, strlen(from))) {
            memcpy(data + i, to, strlen(to));
            return;
        }
    fail_msg("\"%s\" is not in the file", from);
}

static void assert_refused(const char *from, const char *to, int code, const char *says)
{
    size_t len;
    char *data = small_bytes(&len);
    struct nn_graph *g = NULL;
    struct err err = {0};
    patch(data, len, from, to);
    assert_int_equal(nn_onnx_read(&g, data, len, &err), code);
    if (!strstr(err.text, says))
        fail_msg("\"%s\" does not say \"%s\"", err.text, says);
    free(data);
}

static void test_errors_name_node_and_operator(void **state)
{
    (void)state;
    /* the bytes before a string are its field and its length */
    assert_refused("\x22\x07MaxPool", "\x22\x07MaxPoll", ERR_UNSUPPORTED,
                   "operator MaxPoll is not supported");
    assert_refused("\x0a\x05input", "\x0a\x05nnput", ERR_FORMAT, "Conv_0");
}

static void test_supports(void **state)
{
    (void)state;
    assert_true(nn_onnx_supports("Conv"));
    assert_true(nn_onnx_supports("Constant"));
    assert_false(nn_onnx_supports("Loop"));
}

/* The operators of the table stand in the README, in quotes of code. */
static void test_readme_lists_every_operator(void **state)
{
    (void)state;
    char *text;
    size_t len;
    assert_int_equal(
        path_read(MOODREEL_SOURCE_DIR "/engine/README.md", (void **)&text, &len, 1 << 20, NULL), 0);
    for (int op = 0; op < NN_OP_COUNT; op++) {
        char quoted[64];
        snprintf(quoted, sizeof quoted, "`%s`", nn__op_info(op)->name);
        if (!strstr(text, quoted))
            fail_msg("engine/README.md does not list %s", quoted);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_halves_are_nearest),
        cmocka_unit_test(test_halves_come_back),
        cmocka_unit_test(test_memory_is_bounded_by_the_file),
        cmocka_unit_test(test_truncated_bytes),
        cmocka_unit_test(test_flipped_bytes),
        cmocka_unit_test(test_missing_file_is_named),
        cmocka_unit_test(test_errors_name_node_and_operator),
        cmocka_unit_test(test_supports),
        cmocka_unit_test(test_readme_lists_every_operator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
