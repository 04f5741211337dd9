/* The network on face crops. */
#include "vision/classifier.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "nn/graph.h"
#include "nn/onnx.h"
#include "nn/quantise.h"
#include "nn/run.h"

/* Views of one face in the careful pass: every margin, plain and mirrored. They are added to the
 * model's own margin: the cascade's box is often a little too small or too large. */
static const float careful_margins[] = {-0.06f, 0.0f, 0.06f};
enum { VIEWS_MAX = CLASSIFIER_CAREFUL_VIEWS, TIMED_RUNS = 3 };

struct classifier {
    struct preprocess pre;
    struct nn_run *run; /* one picture at a time: faces differ in number from frame to frame */
    int logits;         /* outputs of the run; ferplus -1: there is none */
    int ferplus;
    uint8_t *crop;
};

const struct preprocess *classifier_preprocess(const struct classifier *c)
{
    return &c->pre;
}

float classifier_ms(struct classifier *c)
{
    int64_t least = INT64_MAX;
    memset(nn_run_input(c->run, 0), 0,
           sizeof(float) * (size_t)(c->pre.channels * c->pre.side * c->pre.side));
    for (int i = 0; i < TIMED_RUNS; i++) {
        int64_t start = clock_now_us();
        nn_run_forward(c->run);
        int64_t took = clock_now_us() - start;
        least = took < least ? took : least;
    }
    return (float)least * 1e-3f;
}

static int columns(const struct nn_run *r, int output)
{
    const struct nn_shape *s = nn_run_output_shape(r, output);
    int64_t n = 1;
    for (int i = 1; i < s->rank; i++)
        n *= s->dims[i];
    return (int)n;
}

/* The shapes must be those that the metadata promises. */
static int check_shapes(struct classifier *c, struct err *err)
{
    const struct preprocess *p = &c->pre;
    const struct nn_shape *in = nn_run_input_shape(c->run, 0);
    if (nn_run_input_count(c->run) != 1 || in->rank != 4 || in->dims[1] != p->channels ||
        in->dims[2] != p->side || in->dims[3] != p->side)
        return err_set(err, ERR_FORMAT,
                       "the network's input is not 1 x %d x %d x %d as its metadata says",
                       p->channels, p->side, p->side);
    c->logits = nn_run_find_output(c->run, "logits");
    c->ferplus = p->ferplus_count > 0 ? nn_run_find_output(c->run, "ferplus") : -1;
    if (c->logits < 0 || columns(c->run, c->logits) != EMOTION_COUNT)
        return err_set(err, ERR_FORMAT, "the network has no output `logits` of %d numbers",
                       EMOTION_COUNT);
    if (p->ferplus_count > 0 && (c->ferplus < 0 || columns(c->run, c->ferplus) != p->ferplus_count))
        return err_set(err, ERR_FORMAT, "the network has no output `ferplus` of %d numbers",
                       p->ferplus_count);
    return ERR_OK;
}

/* 8 bits become floats where the processor is faster with those. */
static int suit_processor(struct nn_graph **g, struct err *err)
{
    return nn_int8_is_fast() || !nn_is_quantised(*g) ? ERR_OK : nn_dequantise(g, err);
}

static int compile(struct classifier *c, const char *onnx_path, struct pool *pool, struct err *err)
{
    struct nn_graph *g;
    int code = nn_onnx_load(&g, onnx_path, err);
    if (code != ERR_OK)
        return code; /* names the file itself */
    if ((code = preprocess_from_graph(&c->pre, g, err)) == ERR_OK &&
        (code = suit_processor(&g, err)) == ERR_OK &&
        (code = nn_run_create(&c->run, g, 1, pool, NULL, err)) == ERR_OK)
        code = check_shapes(c, err);
    nn_graph_destroy(g);
    return code == ERR_OK ? code : err_prefix(err, "%s", onnx_path);
}

int classifier_open(struct classifier **out, const char *onnx_path, struct pool *pool,
                    struct err *err)
{
    struct classifier *c = mem_new(1, sizeof *c);
    int code = compile(c, onnx_path, pool, err);
    if (code != ERR_OK) {
        classifier_close(c);
        return code;
    }
    c->crop = mem_new((size_t)c->pre.side, (size_t)c->pre.side);
    *out = c;
    return ERR_OK;
}

void classifier_close(struct classifier *c)
{
    if (c == NULL)
        return;
    nn_run_destroy(c->run);
    free(c->crop);
    free(c);
}

static void read_view(struct classifier *c, bool mirrored, struct reading *out)
{
    preprocess_normalise(&c->pre, c->crop, mirrored, nn_run_input(c->run, 0));
    nn_run_forward(c->run);
    preprocess_reading(&c->pre, nn_run_output(c->run, c->logits),
                       c->ferplus >= 0 ? nn_run_output(c->run, c->ferplus) : NULL, out);
}

static void read_careful(struct classifier *c, const struct gray_view *gray,
                         const struct face_box *face, struct reading *out)
{
    memset(out, 0, sizeof *out);
    for (int i = 0; i < VIEWS_MAX; i++) {
        struct reading r;
        if (i % 2 == 0)
            preprocess_crop(gray, face, c->pre.margin + careful_margins[i / 2], c->pre.side,
                            c->crop);
        read_view(c, i % 2 == 1, &r);
        for (int e = 0; e < EMOTION_COUNT; e++)
            out->scores.p[e] += r.scores.p[e] / VIEWS_MAX;
        out->unknown += r.unknown / VIEWS_MAX;
    }
}

void classifier_read(struct classifier *c, const struct gray_view *gray,
                     const struct face_box *faces, int n, enum classifier_effort effort,
                     struct reading *out)
{
    for (int i = 0; i < n; i++) {
        if (effort == CLASSIFIER_CAREFUL) {
            read_careful(c, gray, &faces[i], &out[i]);
        } else {
            preprocess_crop(gray, &faces[i], c->pre.margin, c->pre.side, c->crop);
            read_view(c, false, &out[i]);
        }
    }
}
