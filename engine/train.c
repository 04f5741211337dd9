/* Epochs, selection of the best one, checkpoints. */
#include "nn/train.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "checkpoint.h"
#include "nn/metrics.h"

enum { HISTORY_MAX = 100000, OUTPUTS_MAX = 2 };

struct nn_trainer {
    struct nn_train_config config;
    const struct nn_view *train, *val;
    struct nn_tape *tape;
    struct nn_optim *optim;
    struct nn_plateau plateau;
    float class_weight[NN_CLASSES_MAX];
    int height, width; /* of the network's input */
    size_t input_size;
    int outputs;
    struct nn_epoch *history;
    int epochs; /* entries of history */
    size_t history_capacity;
    float *saved;      /* nn_tape_total() weights, while those of the EMA are measured */
    float *val_logits; /* val->count x classes */
};

/* ---- creation ---- */

static int check_view(const struct nn_view *train, int batch, struct err *err)
{
    int counts[NN_CLASSES_MAX];
    nn_view_class_counts(train, counts);
    for (int c = 0; c < train->data->classes; c++)
        if (counts[c] == 0)
            return err_set(err, ERR_RANGE, "class %d has no picture to learn from", c);
    if (train->count < batch)
        return err_set(err, ERR_RANGE, "%d pictures are fewer than one batch of %d", train->count,
                       batch);
    return 0;
}

static int check_graph(const struct nn_graph *g, const struct nn_dataset *d, struct err *err)
{
    int outputs = nn_graph_output_count(g);
    if (nn_graph_input_count(g) != 1 || outputs > OUTPUTS_MAX)
        return err_set(err, ERR_RANGE, "the network has %d inputs and %d outputs, not 1 and 1 or 2",
                       nn_graph_input_count(g), outputs);
    const struct nn_shape *in = nn_graph_shape(g, nn_graph_input(g, 0));
    if (in->rank != 4)
        return err_set(err, ERR_RANGE, "the network's input is no picture (rank %d)", in->rank);
    for (int i = 0; i < outputs; i++) {
        const struct nn_shape *out = nn_graph_shape(g, nn_graph_output_at(g, i));
        int want = i == 0 ? d->classes : d->shares;
        if (i == 1 && want == 0)
            return err_set(err, ERR_RANGE, "the network has a second head, the data no votes");
        if (out->rank != 2 || out->dims[1] != want)
            return err_set(err, ERR_RANGE, "output %d of the network has not %d elements", i, want);
    }
    return 0;
}

static void set_class_weights(struct nn_trainer *t)
{
    int counts[NN_CLASSES_MAX], classes = t->train->data->classes;
    nn_view_class_counts(t->train, counts);
    for (int c = 0; c < classes; c++) {
        double w = (double)t->train->count / ((double)classes * counts[c]);
        t->class_weight[c] = t->config.class_weights == NN_WEIGHTS_BALANCED ? (float)w
                             : t->config.class_weights == NN_WEIGHTS_ROOT   ? (float)sqrt(w)
                                                                            : 1.0f;
    }
}

/* FNV-1a over everything that a resumed training must share with the saved one. */
static uint64_t hash(uint64_t h, const void *data, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ ((const uint8_t *)data)[i]) * 0x100000001b3u;
    return h;
}

static uint64_t network_signature(const struct nn_trainer *t)
{
    uint64_t h = 0xcbf29ce484222325u;
    int n;
    const struct nn_tape_span *spans = nn_tape_spans(t->tape, &n);
    for (int i = 0; i < n; i++) {
        h = hash(h, spans[i].name, strlen(spans[i].name));
        h = hash(h, &spans[i].count, sizeof spans[i].count);
        h = hash(h, &spans[i].trainable, sizeof spans[i].trainable);
    }
    return h;
}

/* Ranks that learn together must have the same network, weights, pictures and plan. */
static int check_ranks(struct nn_trainer *t, struct err *err)
{
    const struct nn_train_config *c = &t->config;
    uint64_t plan[] = {c->seed, (uint64_t)c->epochs, (uint64_t)c->batch, (uint64_t)t->epochs};
    uint64_t h = hash(network_signature(t), plan, sizeof plan);
    h = hash(h, nn_tape_weights(t->tape), nn_tape_total(t->tape) * sizeof(float));
    h = hash(h, t->train->row, (size_t)t->train->count * sizeof *t->train->row);
    if (nn_ranks_agree(c->ranks, h))
        return 0;
    return err_set(err, ERR_RANGE,
                   "the %d ranks were not given the same network, pictures and settings: compare "
                   "the files on their machines",
                   nn_ranks_count(c->ranks));
}

static int check_share(const struct nn_train_config *c, struct err *err)
{
    int ranks = nn_ranks_count(c->ranks);
    if (ranks > 1 && c->batch % (2 * ranks))
        return err_set(err, ERR_RANGE,
                       "a batch of %d does not spread over %d ranks: choose a multiple of %d",
                       c->batch, ranks, 2 * ranks);
    return 0;
}

int nn_trainer_create(struct nn_trainer **out, struct nn_graph *g, const struct nn_train_config *c,
                      const struct nn_view *train, const struct nn_view *val, struct pool *pool,
                      struct err *err)
{
    assert(c->batch > 0 && c->epochs > 0 && c->normalise != NULL);
    int rc = check_graph(g, train->data, err);
    if (rc < 0 || (rc = check_view(train, c->batch, err)) < 0 || (rc = check_share(c, err)) < 0)
        return rc;
    struct nn_trainer *t = mem_new(1, sizeof *t);
    const struct nn_shape *in = nn_graph_shape(g, nn_graph_input(g, 0));
    t->config = *c;
    t->train = train;
    t->val = val;
    t->height = (int)in->dims[2];
    t->width = (int)in->dims[3];
    t->input_size = (size_t)(in->dims[1] * in->dims[2] * in->dims[3]);
    t->outputs = nn_graph_output_count(g);
    t->plateau.scale = 1;
    set_class_weights(t);
    rc = nn_tape_create(&t->tape, g, c->batch / nn_ranks_count(c->ranks), c->precision, pool, err);
    if (rc < 0) {
        nn_trainer_destroy(t);
        return rc;
    }
    nn_tape_join(t->tape, c->ranks);
    t->optim = nn_optim_create(t->tape, &c->optim);
    t->saved = mem_new(nn_tape_total(t->tape), sizeof *t->saved);
    t->val_logits =
        mem_new((size_t)val->count + 1, (size_t)val->data->classes * sizeof *t->val_logits);
    if ((rc = check_ranks(t, err)) < 0)
        nn_trainer_destroy(t);
    else
        *out = t;
    return rc;
}

void nn_trainer_destroy(struct nn_trainer *t)
{
    if (t == NULL)
        return;
    nn_optim_destroy(t->optim);
    nn_tape_destroy(t->tape);
    free(t->history);
    free(t->saved);
    free(t->val_logits);
    free(t);
}

/* ---- measuring ---- */

/* One batch of the validation view into the tape's input. */
static void show(struct nn_trainer *t, int first, int count, uint8_t *picture)
{
    const struct nn_dataset *d = t->val->data;
    struct nn_warp whole = nn_crop_warp(NN_SINGLE_CROP, 0, t->config.augment.margin, d->height,
                                        d->width, t->height, t->width);
    for (int i = 0; i < count; i++) {
        nn_warp_apply(&whole, NULL, nn_dataset_picture(d, t->val->row[first + i]), d->channels,
                      d->height, d->width, picture, t->height, t->width);
        t->config.normalise(picture, nn_tape_input(t->tape) + (size_t)i * t->input_size,
                            t->config.payload);
    }
}

/* Label logits of the whole validation view, single crop; the ranks take batches in turn. */
static void predict(struct nn_trainer *t)
{
    const struct nn_view *v = t->val;
    int batch = nn_tape_batch(t->tape);
    size_t classes = (size_t)v->data->classes;
    uint8_t *picture = mem_new((size_t)v->data->channels * (size_t)t->height, (size_t)t->width);
    memset(t->val_logits, 0, (size_t)v->count * classes * sizeof *t->val_logits);
    for (int at = 0; at < v->count; at += batch) {
        if (at / batch % nn_ranks_count(t->config.ranks) != nn_ranks_index(t->config.ranks))
            continue;
        int n = v->count - at < batch ? v->count - at : batch;
        show(t, at, n, picture);
        nn_tape_forward(t->tape, n, NN_EVAL, 0);
        memcpy(t->val_logits + (size_t)at * classes, nn_tape_output(t->tape, 0),
               (size_t)n * classes * sizeof *t->val_logits);
    }
    nn_ranks_sum_floats(t->config.ranks, t->val_logits, (size_t)v->count * classes);
    free(picture);
}

/* Loss and accuracy of the current weights on the validation view. */
static void measure(struct nn_trainer *t, float *loss, float *accuracy)
{
    const struct nn_view *v = t->val;
    int classes = v->data->classes, right = 0;
    uint8_t *labels = mem_new((size_t)v->count + 1, 1);
    predict(t);
    for (int i = 0; i < v->count; i++) {
        labels[i] = v->data->label[v->row[i]];
        right += nn_argmax(t->val_logits + (size_t)i * (size_t)classes, classes) == labels[i];
    }
    *loss = (float)nn_log_loss(t->val_logits, labels, v->count, classes, 1);
    *accuracy = v->count > 0 ? (float)right / (float)v->count : 0;
    free(labels);
}

static void measure_averaged(struct nn_trainer *t, struct nn_epoch *e)
{
    const float *averaged = nn_optim_averaged(t->optim);
    size_t bytes = nn_tape_total(t->tape) * sizeof(float);
    e->averaged_loss = e->averaged_accuracy = NAN;
    if (averaged == NULL)
        return;
    memcpy(t->saved, nn_tape_weights(t->tape), bytes);
    memcpy(nn_tape_weights(t->tape), averaged, bytes);
    measure(t, &e->averaged_loss, &e->averaged_accuracy);
    memcpy(nn_tape_weights(t->tape), t->saved, bytes);
}

/* ---- learning ---- */

static float rate_of(const struct nn_trainer *t, int epoch, int batch, int batches)
{
    const struct nn_train_config *c = &t->config;
    double progress = ((double)epoch * batches + batch) / ((double)c->epochs * batches);
    switch (c->schedule) {
    case NN_COSINE:
        return c->rate * nn_schedule_cosine(progress, (double)c->warmup, 0);
    case NN_STEP:
        return c->rate * nn_schedule_step(epoch, c->step_every, c->step_factor);
    case NN_PLATEAU:
        return c->rate * t->plateau.scale;
    case NN_CONSTANT:
        break;
    }
    return c->rate;
}

static struct nn_loader_config loader_config(const struct nn_trainer *t)
{
    const struct nn_train_config *c = &t->config;
    return (struct nn_loader_config){.view = t->train,
                                     .batch = c->batch,
                                     .ranks = c->ranks,
                                     .height = t->height,
                                     .width = t->width,
                                     .input_size = t->input_size,
                                     .normalise = c->normalise,
                                     .payload = c->payload,
                                     .augment = c->augment,
                                     .seed = c->seed,
                                     .mixup = c->mixup,
                                     .mixup_share = c->mixup_share,
                                     .soft = c->soft,
                                     .soft_share = c->soft_share,
                                     .soft_weight = c->soft_weight};
}

/* Pictures of the whole batch that were recognised. */
static int count_right(const struct nn_trainer *t, const struct nn_batch *b)
{
    int classes = t->train->data->classes;
    double right = 0;
    const float *logits = nn_tape_output(t->tape, 0);
    for (int i = 0; i < b->count; i++, logits += classes)
        right += nn_argmax(logits, classes) ==
                 nn_argmax(b->label + (size_t)i * (size_t)classes, classes);
    nn_ranks_sum(t->config.ranks, &right, 1);
    return (int)right;
}

/* Loss and gradients of a batch; false: the loss is not finite. */
static bool look(struct nn_trainer *t, const struct nn_batch *b, uint64_t step, float *loss)
{
    struct nn_target targets[OUTPUTS_MAX] = {
        {.shares = b->label,
         .class_weights = t->config.class_weights == NN_WEIGHTS_NONE ? NULL : t->class_weight,
         .smoothing = t->config.smoothing,
         .weight = 1},
        {.shares = b->share, .weight = t->config.share_weight}};
    memcpy(nn_tape_input(t->tape), b->x, (size_t)b->count * t->input_size * sizeof *b->x);
    nn_tape_forward(t->tape, b->count, NN_TRAIN, step);
    *loss = nn_tape_loss(t->tape, targets);
    if (!isfinite(*loss))
        return false;
    nn_tape_backward(t->tape);
    return true;
}

/* One optimizer step; false: the loss or the gradient is not finite. */
static bool learn(struct nn_trainer *t, const struct nn_batch *b, float rate, uint64_t step,
                  float *loss, int *right)
{
    float above;
    if (!look(t, b, step, loss))
        return false;
    *right += count_right(t, b);
    if (t->config.optim.sam > 0 &&
        (!nn_optim_climb(t->optim, t->tape) || !look(t, b, step, &above)))
        return false;
    return isfinite(nn_optim_step(t->optim, t->tape, rate));
}

static int learn_all(struct nn_trainer *t, struct nn_loader *loader, int batches,
                     struct nn_epoch *e, nn_progress_fn *on_step, void *payload, struct err *err)
{
    const struct nn_batch *b;
    int64_t start = clock_now_us();
    double loss_sum = 0;
    int right = 0;
    for (int i = 0; (b = nn_loader_next(loader)) != NULL; i++) {
        float loss = 0;
        e->rate = rate_of(t, t->epochs, i, batches);
        uint64_t step = (uint64_t)t->epochs * (uint64_t)batches + (uint64_t)i;
        if (!learn(t, b, e->rate, step, &loss, &right))
            return err_set(err, ERR_RANGE,
                           "epoch %d, batch %d: the loss is not a number any more (a lower "
                           "learning rate or clip-norm may help)",
                           e->number, i + 1);
        loss_sum += (double)loss;
        e->train_loss = (float)(loss_sum / (i + 1));
        int images = (i + 1) * t->config.batch;
        e->train_accuracy = (float)right / (float)images;
        struct nn_progress s = {e->number,
                                i + 1,
                                batches,
                                e->train_loss,
                                e->train_accuracy,
                                e->rate,
                                (double)(clock_now_us() - start) / 1e6,
                                images};
        if (on_step != NULL && !on_step(&s, payload))
            return err_set(err, ERR_STOPPED, "stopped in epoch %d", e->number);
    }
    return 0;
}

static float score(const struct nn_epoch *e)
{
    return e->averaged ? e->averaged_accuracy : e->val_accuracy;
}

static void finish_epoch(struct nn_trainer *t, struct nn_epoch *e)
{
    const struct nn_epoch *best = nn_trainer_best(t);
    measure(t, &e->val_loss, &e->val_accuracy);
    measure_averaged(t, e);
    e->averaged = e->averaged_accuracy >= e->val_accuracy; /* false for NAN */
    e->best = best == NULL || score(e) > score(best);
    if (t->config.schedule == NN_PLATEAU)
        nn_schedule_plateau(&t->plateau, e->val_loss, t->config.step_every, t->config.step_factor);
    t->history =
        mem_grow(t->history, &t->history_capacity, (size_t)t->epochs + 1, sizeof *t->history);
    t->history[t->epochs++] = *e;
}

int nn_trainer_epoch(struct nn_trainer *t, nn_progress_fn *on_step, void *payload, struct err *err)
{
    struct nn_loader_config config = loader_config(t);
    struct nn_loader *loader;
    struct nn_epoch e;
    memset(&e, 0, sizeof e); /* also the padding: it goes into checkpoints */
    e.number = t->epochs + 1;
    int64_t start = clock_now_us();
    int rc = nn_loader_start(&loader, &config, t->epochs, err);
    if (rc < 0)
        return rc;
    rc = learn_all(t, loader, nn_loader_batches(&config), &e, on_step, payload, err);
    nn_loader_stop(loader);
    if (rc < 0)
        return rc;
    finish_epoch(t, &e);
    t->history[t->epochs - 1].seconds = (float)((double)(clock_now_us() - start) / 1e6);
    return 0;
}

/* ---- state ---- */

const struct nn_epoch *nn_trainer_history(const struct nn_trainer *t, int *count)
{
    *count = t->epochs;
    return t->history;
}

const struct nn_epoch *nn_trainer_best(const struct nn_trainer *t)
{
    for (int i = t->epochs - 1; i >= 0; i--)
        if (t->history[i].best)
            return &t->history[i];
    return NULL;
}

bool nn_trainer_done(const struct nn_trainer *t)
{
    const struct nn_epoch *best = nn_trainer_best(t);
    if (t->epochs >= t->config.epochs)
        return true;
    return best != NULL && t->config.patience > 0 && t->epochs - best->number >= t->config.patience;
}

void nn_trainer_store(struct nn_trainer *t, bool averaged)
{
    nn_tape_store(t->tape, averaged ? nn_optim_averaged(t->optim) : NULL);
}

/* ---- checkpoints ---- */

struct state {
    uint64_t rows, steps; /* hash of the training rows; optimizer steps */
    struct nn_plateau plateau;
};

static struct state state_of(const struct nn_trainer *t)
{
    struct state s;
    memset(&s, 0, sizeof s);
    s.rows =
        hash(0xcbf29ce484222325u, t->train->row, (size_t)t->train->count * sizeof *t->train->row);
    s.steps = nn_optim_steps(t->optim);
    s.plateau.scale = t->plateau.scale;
    s.plateau.best = t->plateau.best;
    s.plateau.wait = t->plateau.wait;
    s.plateau.started = t->plateau.started;
    return s;
}

enum { SECTIONS = 4 };

static void list_sections(struct checkpoint_section out[SECTIONS], struct state *state,
                          float *weights, float *moments, size_t weight_count, size_t moment_count,
                          struct nn_epoch *history, int epochs, size_t history_max)
{
    size_t w = weight_count * sizeof *weights, m = moment_count * sizeof *moments;
    out[0] = (struct checkpoint_section){"state", state, sizeof *state, sizeof *state};
    out[1] = (struct checkpoint_section){"weights", weights, w, w};
    out[2] = (struct checkpoint_section){"optimizer", moments, m, m};
    out[3] = (struct checkpoint_section){"history", history, (size_t)epochs * sizeof *history,
                                         history_max * sizeof *history};
}

int nn_trainer_save(const struct nn_trainer *t, const char *path, struct err *err)
{
    struct checkpoint_section s[SECTIONS];
    struct state state = state_of(t);
    size_t moments;
    float *moment = nn_optim_state(t->optim, &moments);
    list_sections(s, &state, nn_tape_weights(t->tape), moment, nn_tape_total(t->tape), moments,
                  t->history, t->epochs, HISTORY_MAX);
    return checkpoint_write(path, network_signature(t), s, SECTIONS, err);
}

int nn_trainer_load(struct nn_trainer *t, const char *path, struct err *err)
{
    struct checkpoint_section s[SECTIONS];
    struct state state, own = state_of(t);
    size_t moments, weights = nn_tape_total(t->tape);
    float *moment = nn_optim_state(t->optim, &moments);
    float *weight = mem_new(weights + moments + 1, sizeof *weight);
    struct nn_epoch *history = mem_new(HISTORY_MAX, sizeof *history);
    list_sections(s, &state, weight, weight + weights, weights, moments, history, 0, HISTORY_MAX);
    int rc = checkpoint_read(path, network_signature(t), "this network", s, SECTIONS, err);
    if (rc == 0 && state.rows != own.rows)
        rc = err_set(err, ERR_FORMAT, "%s: the checkpoint was made with other training pictures",
                     path);
    if (rc == 0) {
        memcpy(nn_tape_weights(t->tape), weight, weights * sizeof *weight);
        memcpy(moment, weight + weights, moments * sizeof *weight);
        nn_optim_set_steps(t->optim, state.steps);
        t->plateau = state.plateau;
        t->epochs = (int)(s[3].size / sizeof *history);
        t->history =
            mem_grow(t->history, &t->history_capacity, (size_t)t->epochs + 1, sizeof *t->history);
        memcpy(t->history, history, s[3].size);
    }
    free(weight);
    free(history);
    return rc < 0 ? rc : check_ranks(t, err);
}
