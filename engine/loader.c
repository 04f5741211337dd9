/* One thread that prepares batches ahead of the training. */
#include "nn/loader.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"

enum { SLOTS = 2 };

/* Independent random streams of one seed. */
enum stream { STREAM_ORDER = 1, STREAM_PICTURE, STREAM_MIXUP };

struct nn_loader {
    struct nn_loader_config config;
    int epoch;
    int *order;       /* the view's rows, shuffled */
    uint8_t *picture; /* scratch of the thread */
    struct nn_batch slot[SLOTS];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int made, taken, released; /* batches so far; protected by lock */
    bool stop;                 /* protected by lock */
};

int nn_loader_batches(const struct nn_loader_config *config)
{
    return config->view->count / config->batch;
}

static struct rng stream_of(const struct nn_loader *l, enum stream s, int index)
{
    struct rng r;
    uint64_t id = (uint64_t)s << 60 | (uint64_t)(unsigned)l->epoch << 32 | (unsigned)index;
    rng_seed(&r, l->config.seed, id);
    return r;
}

/* (1 - soft) x one-hot + soft x teacher. */
static void set_label(const struct nn_loader *l, int row, float *label)
{
    const struct nn_loader_config *c = &l->config;
    const struct nn_dataset *d = c->view->data;
    float soft = c->soft != NULL ? c->soft_weight : 0;
    for (int i = 0; i < d->classes; i++)
        label[i] = soft > 0 ? soft * c->soft[(size_t)row * (size_t)d->classes + (size_t)i] : 0;
    label[d->label[row]] += 1 - soft;
}

static void set_share(const struct nn_loader *l, int row, float *share)
{
    const struct nn_loader_config *c = &l->config;
    size_t n = (size_t)c->view->data->shares;
    const float *votes = c->view->data->share + (size_t)row * n;
    float sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += share[i] = votes[i];
    if (c->soft_share == NULL)
        return;
    float soft = sum > 0 ? c->soft_weight : 1; /* a picture nobody rated has only the teacher */
    for (size_t i = 0; i < n; i++)
        share[i] = (1 - soft) * share[i] + soft * c->soft_share[(size_t)row * n + i];
}

static void make_picture(struct nn_loader *l, struct nn_batch *b, int at, int row)
{
    const struct nn_loader_config *c = &l->config;
    const struct nn_dataset *d = c->view->data;
    struct rng rng = stream_of(l, STREAM_PICTURE, row);
    struct nn_variation v;
    nn_augment_draw(&v, &c->augment, &rng, d->height, d->width, c->height, c->width);
    nn_augment_apply(&v, nn_dataset_picture(d, row), d->channels, d->height, d->width, l->picture,
                     c->height, c->width);
    c->normalise(l->picture, b->x + (size_t)at * c->input_size, c->payload);
    set_label(l, row, b->label + (size_t)at * (size_t)d->classes);
    if (b->share != NULL)
        set_share(l, row, b->share + (size_t)at * (size_t)d->shares);
}

/* Beta(alpha, alpha) by Joehnk's method, folded to 0.5 .. 1 so that a picture keeps its label. */
static float draw_mix(struct rng *r, float alpha)
{
    for (;;) {
        float a = powf(rng_uniform(r), 1 / alpha), b = powf(rng_uniform(r), 1 / alpha);
        if (a + b <= 1 && a + b > 0)
            return a > b ? a / (a + b) : b / (a + b);
    }
}

static void mix(float *a, float *b, size_t n, float keep)
{
    for (size_t i = 0; i < n; i++) {
        float first = a[i], second = b[i];
        a[i] = keep * first + (1 - keep) * second;
        b[i] = keep * second + (1 - keep) * first;
    }
}

/* Picture i is mixed with picture n - 1 - i: the order is random already. All ranks draw for the
 * whole batch and mix the pairs that they have. */
static void mix_batch(struct nn_loader *l, struct nn_batch *b, int index)
{
    const struct nn_loader_config *c = &l->config;
    struct rng rng = stream_of(l, STREAM_MIXUP, index);
    if (c->mixup <= 0 || rng_uniform(&rng) >= c->mixup_share)
        return;
    size_t classes = (size_t)c->view->data->classes, shares = (size_t)c->view->data->shares;
    size_t pairs = (size_t)b->count / 2, first = pairs * (size_t)nn_ranks_index(c->ranks);
    for (size_t pair = 0; pair < first + pairs; pair++) {
        float keep = draw_mix(&rng, c->mixup);
        if (pair < first)
            continue;
        size_t i = pair - first, j = (size_t)b->count - 1 - i;
        mix(b->x + i * c->input_size, b->x + j * c->input_size, c->input_size, keep);
        mix(b->label + i * classes, b->label + j * classes, classes, keep);
        if (b->share != NULL)
            mix(b->share + i * shares, b->share + j * shares, shares, keep);
    }
}

/* Waits for a slot that the consumer has given back; false: stopped. */
static bool wait_for_room(struct nn_loader *l)
{
    pthread_mutex_lock(&l->lock);
    while (!l->stop && l->made - l->released >= SLOTS)
        pthread_cond_wait(&l->changed, &l->lock);
    bool go = !l->stop;
    pthread_mutex_unlock(&l->lock);
    return go;
}

static void *run(void *arg)
{
    struct nn_loader *l = arg;
    int batches = nn_loader_batches(&l->config);
    for (int i = 0; i < batches && wait_for_room(l); i++) {
        struct nn_batch *b = &l->slot[i % SLOTS];
        const int *rows = l->order + i * l->config.batch;
        for (int j = 0; j < b->count; j++)
            make_picture(l, b, j, rows[nn_ranks_place(l->config.ranks, j, b->count)]);
        mix_batch(l, b, i);
        pthread_mutex_lock(&l->lock);
        l->made++;
        pthread_cond_broadcast(&l->changed);
        pthread_mutex_unlock(&l->lock);
    }
    return NULL;
}

static int create_batch(struct nn_batch *b, const struct nn_loader_config *c, struct err *err)
{
    const struct nn_dataset *d = c->view->data;
    b->count = c->batch / nn_ranks_count(c->ranks);
    size_t n = (size_t)b->count;
    b->x = mem_try_aligned(n * c->input_size, sizeof *b->x);
    b->label = mem_new(n * (size_t)d->classes, sizeof *b->label);
    b->share = d->shares > 0 ? mem_new(n * (size_t)d->shares, sizeof *b->share) : NULL;
    if (b->x == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for batches of %d pictures", c->batch);
    return 0;
}

static void destroy(struct nn_loader *l)
{
    for (int i = 0; i < SLOTS; i++) {
        mem_free_aligned(l->slot[i].x);
        free(l->slot[i].label);
        free(l->slot[i].share);
    }
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    free(l->picture);
    free(l->order);
    free(l);
}

static void shuffle(struct nn_loader *l)
{
    const struct nn_view *v = l->config.view;
    struct rng rng = stream_of(l, STREAM_ORDER, 0);
    l->order = mem_new((size_t)v->count + 1, sizeof *l->order);
    memcpy(l->order, v->row, (size_t)v->count * sizeof *v->row);
    rng_shuffle(&rng, l->order, v->count);
}

int nn_loader_start(struct nn_loader **out, const struct nn_loader_config *config, int epoch,
                    struct err *err)
{
    struct nn_loader *l = mem_new(1, sizeof *l);
    int rc = 0;
    l->config = *config;
    l->epoch = epoch;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->changed, NULL);
    shuffle(l);
    l->picture = mem_new((size_t)config->view->data->channels * (size_t)config->height,
                         (size_t)config->width);
    for (int i = 0; i < SLOTS && rc == 0; i++)
        rc = create_batch(&l->slot[i], config, err);
    if (rc == 0)
        rc = thread_start(&l->thread, "loader", run, l, err);
    if (rc < 0)
        destroy(l);
    else
        *out = l;
    return rc;
}

const struct nn_batch *nn_loader_next(struct nn_loader *l)
{
    const struct nn_batch *b = NULL;
    pthread_mutex_lock(&l->lock);
    l->released = l->taken;
    pthread_cond_broadcast(&l->changed);
    if (l->taken < nn_loader_batches(&l->config)) {
        while (l->made == l->taken)
            pthread_cond_wait(&l->changed, &l->lock);
        b = &l->slot[l->taken++ % SLOTS];
    }
    pthread_mutex_unlock(&l->lock);
    return b;
}

void nn_loader_stop(struct nn_loader *l)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    destroy(l);
}
