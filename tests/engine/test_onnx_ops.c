/* Every operator against the ONNX backend node tests and networks exported by PyTorch: see
 * tests/golden/make_onnx_ops.py for where the numbers come from and the file format. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "base/pool.h"
#include "nn/onnx.h"
#include "nn/run.h"
#include "support/testing.h"

struct tensor {
    struct nn_shape shape;
    size_t count;
    float *v;
};

struct pair {
    char *name;
    void *model;
    uint32_t model_size;
    uint32_t inputs, outputs;
    struct tensor in[8], out[8];
};

static uint32_t read_u32(gzFile f)
{
    uint8_t b[4];
    assert_int_equal(gzread(f, b, 4), 4);
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void *read_blob(gzFile f, uint32_t *size)
{
    *size = read_u32(f);
    char *p = mem_new(*size + 1, 1);
    assert_int_equal(gzread(f, p, *size), *size);
    return p;
}

static void read_tensors(gzFile f, uint32_t *count, struct tensor *t)
{
    *count = read_u32(f);
    assert_in_range(*count, 0, 8);
    for (uint32_t i = 0; i < *count; i++) {
        t[i].shape.rank = (int)read_u32(f);
        t[i].count = 1;
        for (int k = 0; k < t[i].shape.rank; k++)
            t[i].count *= (size_t)(t[i].shape.dims[k] = read_u32(f));
        t[i].v = mem_new(t[i].count + 1, sizeof(float));
        assert_int_equal(gzread(f, t[i].v, (unsigned)(t[i].count * 4)), t[i].count * 4);
    }
}

static bool read_pair(gzFile f, struct pair *p)
{
    uint32_t size;
    if (gzeof(f) || gzungetc(gzgetc(f), f) < 0)
        return false;
    p->name = read_blob(f, &size);
    p->model = read_blob(f, &p->model_size);
    read_tensors(f, &p->inputs, p->in);
    read_tensors(f, &p->outputs, p->out);
    return true;
}

static void free_pair(struct pair *p)
{
    free(p->name);
    free(p->model);
    for (uint32_t i = 0; i < p->inputs; i++)
        free(p->in[i].v);
    for (uint32_t i = 0; i < p->outputs; i++)
        free(p->out[i].v);
}

static gzFile open_pack(const char *name)
{
    char magic[8];
    gzFile f = gzopen(testing_path(MOODREEL_SOURCE_DIR "/tests/golden", name), "rb");
    assert_non_null(f);
    assert_int_equal(gzread(f, magic, 8), 8);
    assert_memory_equal(magic, "NNGOLD1\n", 8);
    return f;
}

/* What is well formed but outside the engine, with a word of the sentence that says so. */
static const char *const outside[][2] = {
    {"test_convtranspose_3d", "rank 5"},
    {"test_resize_tf_crop_and_resize", "tf_crop_and_resize"},
};

static const char *expected_sentence(const char *name)
{
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        if (!strcmp(outside[i][0], name))
            return outside[i][1];
    return NULL;
}

static bool close_to(float a, float b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    return a == b || fabsf(a - b) <= 1e-4f + 1e-4f * fabsf(b);
}

/* 0: as expected. Everything else is printed. */
static int compare(const struct pair *p, struct nn_run *r)
{
    for (uint32_t i = 0; i < p->outputs; i++) {
        const struct nn_shape *s = nn_run_output_shape(r, (int)i);
        bool same = s->rank == p->out[i].shape.rank;
        for (int k = 0; k < s->rank && same; k++)
            same = s->dims[k] == p->out[i].shape.dims[k];
        if (!same) {
            print_error("%s: output %u has another shape\n", p->name, i);
            return 1;
        }
        for (size_t k = 0; k < p->out[i].count; k++)
            if (!close_to(nn_run_output(r, (int)i)[k], p->out[i].v[k])) {
                print_error("%s: output %u [%zu] is %g, should be %g\n", p->name, i, k,
                            nn_run_output(r, (int)i)[k], p->out[i].v[k]);
                return 1;
            }
    }
    return 0;
}

static int check_pair(const struct pair *p, struct pool *pool)
{
    struct nn_graph *g = NULL;
    struct nn_run *r = NULL;
    struct err err = {0};
    int batch = p->inputs > 0 && p->in[0].shape.rank > 0 ? (int)p->in[0].shape.dims[0] : 1;
    int code = nn_onnx_read(&g, p->model, p->model_size, &err);
    if (code == 0)
        code = nn_run_create(&r, g, batch > 0 ? batch : 1, pool, NULL, &err);
    nn_graph_destroy(g);
    const char *sentence = expected_sentence(p->name);
    if (code < 0 || sentence) {
        bool fine = code < 0 && sentence && strstr(err.text, sentence);
        if (!fine)
            print_error("%s: %s\n", p->name, code < 0 ? err.text : "it should not load");
        nn_run_destroy(r);
        return !fine;
    }
    for (uint32_t i = 0; i < p->inputs; i++)
        memcpy(nn_run_input(r, (int)i), p->in[i].v, p->in[i].count * sizeof(float));
    nn_run_forward(r);
    int wrong = compare(p, r);
    nn_run_forward(r); /* memory is reused: the second result must be the first */
    wrong |= compare(p, r);
    nn_run_destroy(r);
    return wrong;
}

static void check_pack(const char *name, int least)
{
    gzFile f = open_pack(name);
    struct pool *pool = pool_create(2);
    struct pair p;
    int wrong = 0, count = 0;
    while (read_pair(f, &p)) {
        wrong += check_pair(&p, pool);
        count++;
        free_pair(&p);
    }
    gzclose(f);
    pool_destroy(pool);
    print_message("%s: %d pairs, %d wrong\n", name, count, wrong);
    assert_int_equal(wrong, 0);
    assert_true(count >= least);
}

static void test_node_tests(void **state)
{
    (void)state;
    check_pack("onnx_node.gz", 400);
}

static void test_hand_made(void **state)
{
    (void)state;
    check_pack("onnx_hand.gz", 19);
}

static void test_torch_exports(void **state)
{
    (void)state;
    check_pack("onnx_torch.gz", 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_node_tests),
        cmocka_unit_test(test_hand_made),
        cmocka_unit_test(test_torch_exports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
