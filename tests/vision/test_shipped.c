/* The shipped networks: moodreel-best is what its parts say together, in 8 bits. */
#include <glob.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "nn/onnx.h"
#include "nn/run.h"
#include "support/testing.h"
#include "vision/demo_face.h"
#include "vision/opencv_c.h"
#include "vision/preprocess.h"

enum { PICTURE = 240, SIDE = 44, PARTS_MAX = 16, STEP_MS = 700 };

/* What 8 bits may move a logit by; the logits of drawn faces lie several apart. */
static const float ROUNDING = 0.2f;

static struct nn_graph *load(const char *path)
{
    struct nn_graph *g;
    struct err err = {0};
    if (nn_onnx_load(&g, path, &err) < 0)
        fail_msg("%s", err.text);
    return g;
}

static struct nn_run *compile(const struct nn_graph *g)
{
    struct nn_run *run;
    struct err err = {0};
    if (nn_run_create(&run, g, 1, NULL, NULL, &err) < 0)
        fail_msg("%s", err.text);
    return run;
}

static struct nn_graph *join_parts(void)
{
    struct nn_graph *part[PARTS_MAX], *joined;
    struct err err = {0};
    glob_t found;
    assert_int_equal(glob(MOODREEL_SOURCE_DIR "/models/parts/*.onnx", 0, NULL, &found), 0);
    int count = (int)found.gl_pathc;
    assert_in_range(count, 2, PARTS_MAX);
    for (int i = 0; i < count; i++)
        part[i] = load(found.gl_pathv[i]);
    if (nn_graph_join(&joined, part, count, &err) < 0)
        fail_msg("%s", err.text);
    for (int i = 0; i < count; i++)
        nn_graph_destroy(part[i]);
    globfree(&found);
    return joined;
}

static void draw(int64_t t_ms, uint8_t *crop)
{
    uint8_t *bgr = mem_new(PICTURE * PICTURE, 3), *gray = mem_new(PICTURE, PICTURE);
    struct gray_view view = {gray, PICTURE, PICTURE, PICTURE};
    char why[160];
    demo_face_draw(t_ms, bgr, PICTURE, PICTURE, PICTURE * 3);
    assert_int_equal(
        cvc_bgr_to_gray(bgr, PICTURE, PICTURE, PICTURE * 3, gray, PICTURE, why, sizeof why), 0);
    preprocess_resize(&view, SIDE, crop);
    free(bgr);
    free(gray);
}

static void moodreel_best_is_the_mean_of_its_parts(void **state)
{
    (void)state;
    struct nn_graph *shipped = load(MOODREEL_SOURCE_DIR "/models/moodreel-best.onnx");
    struct nn_graph *joined = join_parts();
    struct nn_run *run[2] = {compile(shipped), compile(joined)};
    struct preprocess pre;
    struct err err = {0};
    assert_int_equal(preprocess_from_graph(&pre, shipped, &err), 0);
    assert_int_equal(pre.side, SIDE);
    for (int64_t t = 0; t < DEMO_FACE_CYCLE_MS; t += STEP_MS) {
        uint8_t crop[SIDE * SIDE];
        draw(t, crop);
        for (int i = 0; i < 2; i++) {
            preprocess_normalise(&pre, crop, false, nn_run_input(run[i], 0));
            nn_run_forward(run[i]);
        }
        const float *bytes = nn_run_output(run[0], 0), *floats = nn_run_output(run[1], 0);
        for (int c = 0; c < EMOTION_COUNT; c++)
            if (!(fabsf(bytes[c] - floats[c]) < ROUNDING))
                fail_msg("column %d at %d ms: %g shipped, %g by its parts", c, (int)t,
                         (double)bytes[c], (double)floats[c]);
    }
    for (int i = 0; i < 2; i++)
        nn_run_destroy(run[i]);
    nn_graph_destroy(shipped);
    nn_graph_destroy(joined);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moodreel_best_is_the_mean_of_its_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
