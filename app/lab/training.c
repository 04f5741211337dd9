/* Network, teacher and configuration of a training. */
#include "lab/training.h"

#include <stdlib.h>
#include <string.h>

#define LOG_MODULE "train"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "lab/predictor.h"
#include "lab/vote_teacher.h"
#include "nn/metrics.h"
#include "nn/onnx.h"
#include "nn/zoo.h"
#include "vision/fer_data.h"

/* ---- network ---- */

static int adopt(struct nn_graph *g, const struct lab_values *v, struct err *err)
{
    struct nn_graph *from;
    int rc = nn_onnx_load(&from, v->init, err);
    if (rc < 0)
        return rc;
    int copied = nn_graph_adopt(g, from, v->new_head);
    nn_graph_destroy(from);
    if (copied == 0)
        return err_set(err, ERR_RANGE, "%s: no weight fits the network", v->init);
    return 0;
}

static int freeze(struct nn_graph *g, const char *name, struct err *err)
{
    nn_value v = nn_graph_find(g, name);
    if (v == NN_NONE)
        return err_set(err, ERR_NOT_FOUND, "freeze: the network has no value '%s'", name);
    nn_graph_freeze(g, v);
    return 0;
}

static int build_graph(struct nn_graph **out, const struct lab_values *v, struct err *err)
{
    struct nn_zoo_options options = {
        .classes = EMOTION_COUNT, .width_factor = (float)v->width, .height = v->side,
        .width = v->side, .seed = (uint64_t)v->seed};
    int rc;
    if (v->net == NULL && v->init == NULL)
        return err_set(err, ERR_NOT_FOUND, "no network: name one with --net or in a recipe");
    if (v->net == NULL && v->side > 0)
        return err_set(err, ERR_NOT_FOUND, "--side needs --net: --init alone keeps its own size");
    if (v->new_head && (v->net == NULL || v->init == NULL || v->freeze == NULL))
        return err_set(err, ERR_NOT_FOUND, "--new-head needs --net, --init and --freeze");
    if (v->net == NULL)
        rc = nn_onnx_load(out, v->init, err);
    else
        rc = nn_zoo_build(out, v->net, &options, err);
    if (rc == 0 && v->freeze != NULL)
        rc = freeze(*out, v->freeze, err);
    if (rc == 0 && v->net != NULL && v->init != NULL)
        rc = adopt(*out, v, err);
    return rc;
}

static int set_preprocess(struct training *t, const struct lab_values *v, struct err *err)
{
    const struct nn_shape *in = nn_graph_shape(t->graph, nn_graph_input(t->graph, 0));
    if (in->rank != 4 || in->dims[2] != in->dims[3] || in->dims[2] > PREPROCESS_SIDE_MAX ||
        (in->dims[1] != 1 && in->dims[1] != 3))
        return err_set(err, ERR_RANGE,
                       "the network's input is no square picture of 1 or 3 "
                       "channels");
    t->pre = preprocess_defaults();
    t->pre.side = (int)in->dims[2];
    t->pre.channels = (int)in->dims[1];
    t->pre.mean = (float)v->mean;
    t->pre.std = (float)v->std;
    t->pre.margin = (float)v->crop_margin;
    preprocess_to_graph(&t->pre, t->graph);
    if (nn_graph_output_count(t->graph) > 1)
        nn_graph_set_meta(t->graph, "ferplus_labels", FERPLUS_LABELS);
    return preprocess_from_graph(&t->pre, t->graph, err);
}

static void normalise(const uint8_t *picture, float *x, void *preprocess)
{
    preprocess_normalise(preprocess, picture, false, x);
}

/* ---- teacher ---- */

enum { TEACHERS_MAX = 8 };

static void add_softmax(const float *logits, int count, double temperature, float share, float *sum)
{
    float p[NN_CLASSES_MAX];
    nn_softmax_row(logits, count, temperature, p);
    for (int i = 0; i < count; i++)
        sum[i] += share * p[i];
}

/* Adds `share` of the softened probabilities of the pictures to learn, of each and its mirror image
 * together, and `vote_share` of the second head's. */
static void ask_teacher(struct training *t, struct predictor *teacher, const struct nn_view *train,
                        double temperature, float share, float vote_share)
{
    const struct nn_dataset *d = train->data;
    size_t count = (size_t)train->count + 1, shares = (size_t)d->shares;
    float *logits = mem_new(count, EMOTION_COUNT * sizeof *logits);
    float *raw = mem_new(count, FERPLUS_MAX * sizeof *raw);
    predictor_run(teacher, train, NN_FLIP, logits, raw);
    for (int i = 0; i < train->count; i++) {
        size_t row = (size_t)train->row[i];
        add_softmax(logits + (size_t)i * EMOTION_COUNT, EMOTION_COUNT, temperature, share,
                    t->soft + row * EMOTION_COUNT);
        if (t->soft_share != NULL)
            add_softmax(raw + (size_t)i * FERPLUS_MAX, d->shares, 1, vote_share,
                        t->soft_share + row * shares);
    }
    free(logits);
    free(raw);
}

/* The mean of all, the votes being one more with --vote-teacher; of the vote head only when every
 * teacher has it. */
static int ask_teachers(struct training *t, struct predictor *const *teacher, int n,
                        const struct nn_view *train, const struct lab_values *v, struct err *err)
{
    const struct nn_dataset *d = train->data;
    bool heads = d->shares > 0 && n > 0;
    float share = 1.0f / (float)(n + v->vote_teacher);
    for (int i = 0; i < n; i++)
        heads = heads && predictor_preprocess(teacher[i])->ferplus_count == d->shares;
    t->soft = mem_new((size_t)d->count, EMOTION_COUNT * sizeof *t->soft);
    t->soft_share = heads ? mem_new((size_t)d->count, (size_t)d->shares * sizeof(float)) : NULL;
    for (int i = 0; i < n; i++)
        ask_teacher(t, teacher[i], train, v->teacher_temperature, share, 1.0f / (float)n);
    return v->vote_teacher ? vote_teacher_add(train, share, t->soft, err) : 0;
}

/* The files of a list "a.onnx,b.onnx"; *opened counts them, also after an error. */
static int open_teachers(struct predictor **out, int *opened, const char *list, struct pool *pool,
                         struct err *err)
{
    int rc = 0;
    do {
        struct str name = {0};
        size_t length = strcspn(list, ",");
        str_addf(&name, "%.*s", (int)length, list);
        if (*opened == TEACHERS_MAX)
            rc = err_set(err, ERR_RANGE, "more than %d teachers", TEACHERS_MAX);
        else if ((rc = predictor_open(&out[*opened], name.s, pool, err)) == 0)
            (*opened)++;
        str_free(&name);
        list += length + (list[length] == ',');
    } while (rc == 0 && *list != '\0');
    return rc;
}

static int set_teachers(struct training *t, const struct lab_values *v, const struct nn_view *train,
                        struct pool *pool, struct err *err)
{
    struct predictor *teacher[TEACHERS_MAX];
    int n = 0;
    int rc = 0;
    if (v->teacher != NULL)
        rc = open_teachers(teacher, &n, v->teacher, pool, err);
    if (rc == 0 && n + v->vote_teacher > 0)
        rc = ask_teachers(t, teacher, n, train, v, err);
    for (int i = 0; i < n; i++)
        predictor_close(teacher[i]);
    return rc;
}

/* ---- configuration ---- */

static struct nn_augment augment_of(const struct lab_values *v)
{
    return (struct nn_augment){.flip = (float)v->flip,
                               .shift = (float)v->shift,
                               .rotate = (float)v->rotate,
                               .zoom = (float)v->zoom,
                               .shear = (float)v->shear,
                               .brightness = (float)v->brightness,
                               .contrast = (float)v->contrast,
                               .gamma = (float)v->gamma,
                               .erase = (float)v->erase,
                               .erase_area = (float)v->erase_area,
                               .margin = (float)v->crop_margin};
}

static struct nn_optim_params optim_of(const struct lab_values *v)
{
    struct nn_optim_params p = nn_optim_defaults((enum nn_optim_kind)v->optimizer);
    if (p.kind == NN_SGD)
        p.momentum = (float)v->momentum;
    p.weight_decay = (float)v->weight_decay;
    p.clip_norm = (float)v->clip;
    p.ema = (float)v->ema;
    p.sam = (float)v->sam;
    return p;
}

static struct nn_train_config config_of(struct training *t, const struct lab_values *v)
{
    return (struct nn_train_config){.epochs = v->epochs,
                                    .batch = v->batch,
                                    .patience = v->patience,
                                    .seed = (uint64_t)v->seed,
                                    .precision = (enum nn_precision)v->precision,
                                    .optim = optim_of(v),
                                    .rate = (float)v->rate,
                                    .schedule = (enum nn_schedule)v->schedule,
                                    .warmup = (float)v->warmup,
                                    .step_every = v->step_every,
                                    .step_factor = (float)v->step_factor,
                                    .smoothing = (float)v->smoothing,
                                    .share_weight = (float)v->vote_weight,
                                    .soft = t->soft,
                                    .soft_share = t->soft_share,
                                    .soft_weight = (float)v->teacher_weight,
                                    .class_weights = (enum nn_class_weights)v->class_weights,
                                    .augment = augment_of(v),
                                    .mixup = (float)v->mixup,
                                    .mixup_share = (float)v->mixup_share,
                                    .normalise = normalise,
                                    .payload = &t->pre};
}

int training_open(struct training *out, const struct lab_values *v, const struct nn_view *train,
                  const struct nn_view *val, struct nn_ranks *ranks, struct pool *pool,
                  struct err *err)
{
    *out = (struct training){0};
    int rc = build_graph(&out->graph, v, err);
    if (rc == 0)
        rc = set_preprocess(out, v, err);
    if (rc == 0)
        rc = set_teachers(out, v, train, pool, err);
    if (rc < 0)
        return rc;
    struct nn_train_config config = config_of(out, v);
    config.ranks = ranks;
    if (config.precision == NN_BF16 && !nn_bf16_is_fast())
        log_warn("this processor has no AVX512_BF16: --precision bf16 works, but slower than fp32");
    return nn_trainer_create(&out->trainer, out->graph, &config, train, val, pool, err);
}

void training_close(struct training *t)
{
    nn_trainer_destroy(t->trainer);
    nn_graph_destroy(t->graph);
    free(t->soft);
    free(t->soft_share);
    *t = (struct training){0};
}

int training_save_model(struct training *t, bool averaged, const char *path, struct err *err)
{
    nn_trainer_store(t->trainer, averaged);
    return nn_onnx_save(t->graph, path, err);
}

int training_calibrate(const char *path, const struct nn_view *val, struct pool *pool,
                       double *temperature, struct err *err)
{
    struct predictor *p;
    int rc = predictor_open(&p, path, pool, err);
    if (rc < 0)
        return rc;
    float *logits = mem_new((size_t)val->count + 1, EMOTION_COUNT * sizeof *logits);
    uint8_t *labels = mem_new((size_t)val->count + 1, 1);
    predictor_run(p, val, NN_SINGLE_CROP, logits, NULL);
    for (int i = 0; i < val->count; i++)
        labels[i] = val->data->label[val->row[i]];
    *temperature = nn_fit_temperature(logits, labels, val->count, EMOTION_COUNT);
    struct str text = {0};
    str_addf(&text, "%.4f", *temperature);
    nn_graph_set_meta(predictor_graph(p), "temperature", text.s);
    str_free(&text);
    rc = nn_onnx_save(predictor_graph(p), path, err);
    free(logits);
    free(labels);
    predictor_close(p);
    return rc;
}
