/* Grey, find, read. */
#include "vision/face_reader.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/thread.h"
#include "vision/classifier.h"
#include "vision/eye_finder.h"
#include "vision/face_finder.h"
#include "vision/model_pick.h"
#include "vision/opencv_c.h"

struct face_reader {
    struct face_finder *finder;
    struct eye_finder *eyes; /* of the careful pass */
    struct classifier *classifier[MODEL_PICK_MAX];
    struct model_pick pick;
    float budget_ms[2]; /* for all faces of a picture; of enum reader_effort */
    uint8_t *gray;
    size_t gray_bytes;
};

int face_reader_open(struct face_reader **out, const char *cascade, const char *model,
                     struct pool *pool, struct err *err)
{
    struct face_reader *r = mem_new(1, sizeof *r);
    int code = face_finder_open(&r->finder, cascade, err);
    r->eyes = eye_finder_create();
    if (code == ERR_OK)
        code = classifier_open(&r->classifier[0], model, pool, err);
    model_pick_begin(&r->pick, 0.0f);
    if (code != ERR_OK) {
        face_reader_close(r);
        return code;
    }
    *out = r;
    return ERR_OK;
}

int face_reader_add(struct face_reader *r, const char *model, struct pool *pool, float live_ms,
                    float careful_ms, struct err *err)
{
    int code = classifier_open(&r->classifier[1], model, pool, err);
    if (code != ERR_OK)
        return code;
    model_pick_begin(&r->pick, classifier_ms(r->classifier[0]));
    model_pick_add(&r->pick, classifier_ms(r->classifier[1]));
    r->budget_ms[READER_LIVE] = live_ms;
    r->budget_ms[READER_CAREFUL] = careful_ms;
    return ERR_OK;
}

float face_reader_ms(const struct face_reader *r, int model)
{
    return model_pick_ms(&r->pick, model, 1);
}

void face_reader_close(struct face_reader *r)
{
    if (r == NULL)
        return;
    face_finder_close(r->finder);
    eye_finder_destroy(r->eyes);
    for (int i = 0; i < MODEL_PICK_MAX; i++)
        classifier_close(r->classifier[i]);
    mem_free_aligned(r->gray);
    free(r);
}

static int make_gray(struct face_reader *r, const uint8_t *bgr, int width, int height, int stride,
                     struct gray_view *out, struct err *err)
{
    size_t bytes = (size_t)width * (size_t)height;
    char why[160];
    if (r->gray_bytes < bytes) {
        mem_free_aligned(r->gray);
        r->gray = mem_try_aligned(bytes, 1);
        r->gray_bytes = r->gray != NULL ? bytes : 0;
    }
    if (r->gray == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for a picture of %d x %d", width, height);
    if (cvc_bgr_to_gray(bgr, width, height, stride, r->gray, width, why, sizeof why) != CVC_OK)
        return err_set(err, ERR_FORMAT, "turning the picture grey: %s", why);
    *out = (struct gray_view){r->gray, width, height, width};
    return ERR_OK;
}

static float ms_since(int64_t start_us)
{
    return (float)(clock_now_us() - start_us) * 1e-3f;
}

static void read_faces(struct face_reader *r, const struct gray_view *gray,
                       const struct face_box *boxes, int n, enum reader_effort effort,
                       struct read_result *out)
{
    struct reading readings[READER_FACES_MAX];
    bool careful = effort == READER_CAREFUL;
    int views = n * (careful ? CLASSIFIER_CAREFUL_VIEWS : CLASSIFIER_LIVE_VIEWS);
    int64_t start = clock_now_us();
    out->model = model_pick_choose(&r->pick, views, r->budget_ms[effort]);
    classifier_read(r->classifier[out->model], gray, boxes, n,
                    careful ? CLASSIFIER_CAREFUL : CLASSIFIER_LIVE, readings);
    out->infer_ms = ms_since(start);
    model_pick_measured(&r->pick, views, out->infer_ms);
    out->count = n;
    for (int i = 0; i < n; i++)
        out->face[i] = (struct read_face){boxes[i], readings[i]};
}

static int read_gray(struct face_reader *r, const struct gray_view *gray, enum reader_effort effort,
                     int max_faces, struct read_result *out, struct err *err)
{
    struct face_box boxes[READER_FACES_MAX];
    bool careful = effort == READER_CAREFUL;
    int max = max_faces < READER_FACES_MAX ? max_faces : READER_FACES_MAX;
    int64_t start = clock_now_us();
    int n =
        face_finder_find(r->finder, gray, careful ? FINDER_CAREFUL : FINDER_LIVE, boxes, max, err);
    if (n < 0)
        return n;
    for (int i = 0; careful && i < n; i++)
        eye_finder_align(r->eyes, gray, &boxes[i]);
    out->detect_ms += ms_since(start);
    read_faces(r, gray, boxes, n, effort, out);
    return ERR_OK;
}

int face_reader_read(struct face_reader *r, const uint8_t *bgr, int width, int height, int stride,
                     enum reader_effort effort, int max_faces, struct read_result *out,
                     struct err *err)
{
    struct gray_view gray;
    int64_t start = clock_now_us();
    *out = (struct read_result){.width = width, .height = height};
    int code = make_gray(r, bgr, width, height, stride, &gray, err);
    out->detect_ms = ms_since(start);
    return code == ERR_OK ? read_gray(r, &gray, effort, max_faces, out, err) : code;
}

int face_reader_photo(struct face_reader *r, const char *path, struct read_result *out,
                      struct err *err)
{
    uint8_t *px;
    int width;
    int height;
    char why[160];
    if (cvc_image_read(path, 1, &px, &width, &height, why, sizeof why) != CVC_OK)
        return err_set(err, ERR_FORMAT, "%s: %s", path, why);
    struct gray_view gray = {px, width, height, width};
    *out = (struct read_result){.width = width, .height = height};
    int code = read_gray(r, &gray, READER_CAREFUL, READER_FACES_MAX, out, err);
    cvc_free(px);
    return code == ERR_OK ? code : err_prefix(err, "%s", path);
}
