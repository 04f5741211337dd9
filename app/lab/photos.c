/* `photos`: labelled photographs, read as `moodreel photo` reads them: the face is looked for
 * first. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/pool.h"
#include "lab/evaluation.h"
#include "lab/lab.h"
#include "lab/sheet.h"
#include "vision/face_reader.h"
#include "vision/fer_data.h"
#include "vision/opencv_c.h"
#include "vision/preprocess.h"
#include "vision/tracker.h"

enum { SHEET_COLUMNS = 16, CROP = 48 };

struct photo {
    enum emotion truth, guess;
    bool found, sure;
    uint8_t crop[CROP * CROP]; /* the face as the finder frames it */
};

struct photos {
    struct face_reader *reader;
    struct photo *v;
    size_t count, capacity;
    double detect_ms, infer_ms;
};

static int crop_face(const char *path, const struct face_box *face, uint8_t *crop, struct err *err)
{
    uint8_t *px;
    int width, height;
    char why[160];
    if (cvc_image_read(path, 1, &px, &width, &height, why, sizeof why) < 0)
        return err_set(err, ERR_FORMAT, "%s: %s", path, why);
    struct gray_view view = {px, width, height, width};
    preprocess_crop(&view, face, PREPROCESS_MARGIN, CROP, crop);
    cvc_free(px);
    return 0;
}

/* The largest face counts. */
static int read_photo(void *payload, const char *path, enum emotion truth, enum nn_split split,
                      struct err *err)
{
    struct photos *p = payload;
    struct read_result r;
    struct tracker_params thresholds = tracker_defaults();
    (void)split;
    int rc = face_reader_photo(p->reader, path, &r, err);
    if (rc < 0)
        return rc;
    p->v = mem_grow(p->v, &p->capacity, p->count + 1, sizeof *p->v);
    struct photo *photo = &p->v[p->count++];
    *photo = (struct photo){.truth = truth, .found = r.count > 0};
    p->detect_ms += (double)r.detect_ms;
    p->infer_ms += (double)r.infer_ms;
    if (!photo->found)
        return 0;
    photo->guess = emotion_top(&r.face[0].reading.scores);
    photo->sure = tracker_sure(&thresholds, &r.face[0].reading);
    return crop_face(path, &r.face[0].box, photo->crop, err);
}

/* ---- output ---- */

struct counts {
    int found, right, sure, sure_right;
    struct nn_confusion confusion; /* of the found ones */
};

static struct counts count(const struct photos *p)
{
    struct counts c = {0};
    nn_confusion_init(&c.confusion, EMOTION_COUNT);
    for (size_t i = 0; i < p->count; i++) {
        const struct photo *photo = &p->v[i];
        if (!photo->found)
            continue;
        bool right = photo->truth == photo->guess;
        c.found++;
        c.right += right;
        c.sure += photo->sure;
        c.sure_right += photo->sure && right;
        nn_confusion_add(&c.confusion, (int)photo->truth, (int)photo->guess);
    }
    return c;
}

static void print_text(const struct photos *p, const struct counts *c)
{
    double all = p->count > 0 ? (double)p->count : 1.0;
    printf("face found   %6.2f %%  in %d of %zu pictures\n", 100 * c->found / all, c->found,
           p->count);
    printf("agree        %6.2f %%  of all pictures: highest score of the largest face\n",
           100 * c->right / all);
    printf("sure         %6.2f %%  of all pictures; of these %.2f %% agree\n", 100 * c->sure / all,
           c->sure > 0 ? 100.0 * c->sure_right / c->sure : 0.0);
    printf("macro F1     %6.4f\n", nn_confusion_macro_f1(&c->confusion));
    printf("a picture    %6.1f ms to find faces, %.1f ms to read them\n", p->detect_ms / all,
           p->infer_ms / all);
    evaluation_print_classes(&c->confusion, stdout);
}

static void print_json(const struct photos *p, const struct counts *c)
{
    double all = p->count > 0 ? (double)p->count : 1.0;
    json_t *out = json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "count", (json_int_t)p->count,
                            "found", c->found / all, "accuracy", c->right / all, "sure",
                            c->sure / all, "sure_right", c->sure_right / all, "detect_ms",
                            p->detect_ms / all, "infer_ms", p->infer_ms / all);
    json_object_update_new(out, evaluation_classes_json(&c->confusion));
    json_dumpf(out, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(out);
}

/* Every face as the network saw it, wrong and missing ones marked. */
static int write_sheet(const struct photos *p, const char *dir, struct err *err)
{
    struct str path = {0};
    struct sheet *sheet = sheet_create((int)p->count, SHEET_COLUMNS);
    int rc = path_make_dirs(dir, err);
    for (size_t i = 0; i < p->count && rc == 0; i++) {
        const struct photo *photo = &p->v[i];
        bool right = photo->found && photo->truth == photo->guess;
        rc = sheet_put(sheet, (int)i, photo->crop, CROP, CROP, lab_labels[photo->truth],
                       photo->found ? lab_labels[photo->guess] : "no face",
                       right ? SHEET_GOOD : SHEET_BAD, err);
    }
    str_addf(&path, "%s/photos.png", dir);
    if (rc == 0)
        rc = sheet_write(sheet, path.s, err);
    sheet_destroy(sheet);
    str_free(&path);
    return rc;
}

static int report(const struct photos *p, const struct lab_values *v, struct err *err)
{
    if (p->count == 0)
        return err_set(err, ERR_FORMAT, "%s: there is no folder of pictures in it", v->data);
    struct counts c = count(p);
    if (v->json)
        print_json(p, &c);
    else
        print_text(p, &c);
    return v->out != NULL ? write_sheet(p, v->out, err) : 0;
}

static int run(const char *model, const struct lab_values *v, struct err *err)
{
    struct photos p = {0};
    struct pool *pool = pool_create(v->threads);
    int rc = face_reader_open(&p.reader, NULL, model, pool, err);
    if (rc == 0)
        rc = fer_walk_folders(v->data, read_photo, &p, err);
    if (rc == 0)
        rc = report(&p, v, err);
    face_reader_close(p.reader);
    free(p.v);
    pool_destroy(pool);
    return rc;
}

int lab_photos(int argc, char **argv, struct err *err)
{
    struct lab_values v;
    struct options *o;
    int words, status;
    status = options_begin(&o, &lab_options, &lab_commands[LAB_PHOTOS], &v, argc, argv, err);
    if (status != OPTIONS_GO)
        return status;
    char *const *word = options_words(o, &words);
    if (words != 1 || v.data == NULL) {
        err_set(err, ERR_RANGE, "photos takes one model and --data DIR");
        status = STATUS_USAGE;
    } else {
        status = run(word[0], &v, err) < 0 ? STATUS_FAILED : STATUS_OK;
    }
    options_free(o);
    return status;
}
