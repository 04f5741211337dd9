/* Optimizers: kernels over the spans of the collated weights. See nn/optim.h. */
#include "nn/optim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "kernels/kernels.h"

enum { CHUNK = 16384 }; /* floats a piece of work takes; sums over pieces run in order */

struct nn_optim {
    struct nn_optim_params p;
    size_t trainable, total, count; /* count: of `state` */
    float *state;                   /* first moments, second moments, average */
    float *first, *second, *average;
    double *partial; /* squared length of each chunk of the gradient */
    float *below;    /* the trainable weights before a climb; NULL without SAM */
    bool climbed;
    uint64_t steps;
};

struct nn_optim_params nn_optim_defaults(enum nn_optim_kind kind)
{
    return (struct nn_optim_params){
        .kind = kind,
        .momentum = kind == NN_SGD ? 0.9f : 0.0f,
        .nesterov = kind == NN_SGD,
        .beta1 = 0.9f,
        .beta2 = kind == NN_RMSPROP ? 0.99f : 0.999f,
        .epsilon = 1e-8f,
    };
}

bool nn_optim_parse(const char *name, enum nn_optim_kind *out)
{
    static const char *const names[] = {"sgd", "rmsprop", "adam", "adamw"};
    for (int i = 0; i < 4; i++)
        if (!strcmp(name, names[i])) {
            *out = (enum nn_optim_kind)i;
            return true;
        }
    return false;
}

static size_t chunks(size_t n)
{
    return (n + CHUNK - 1) / CHUNK;
}

struct nn_optim *nn_optim_create(const struct nn_tape *t, const struct nn_optim_params *p)
{
    struct nn_optim *o = mem_new(1, sizeof *o);
    o->p = *p;
    o->trainable = nn_tape_trainable(t);
    o->total = nn_tape_total(t);
    o->count = 2 * o->trainable + (p->ema > 0 ? o->total : 0);
    o->state = mem_new(o->count + 1, sizeof *o->state);
    o->first = o->state;
    o->second = o->first + o->trainable;
    o->average = p->ema > 0 ? o->second + o->trainable : NULL;
    o->partial = mem_new(chunks(o->trainable) + 1, sizeof *o->partial);
    o->below = p->sam > 0 ? mem_new(o->trainable + 1, sizeof *o->below) : NULL;
    return o;
}

void nn_optim_destroy(struct nn_optim *o)
{
    if (!o)
        return;
    free(o->state);
    free(o->partial);
    free(o->below);
    free(o);
}

/* One step as the pool sees it. */
struct update {
    struct nn_optim *o;
    const struct nn_kernels *k;
    const struct nn_tape_span *span;
    float *w, *g;
    float lr, scale;
};

static size_t chunk_end(size_t begin, size_t n)
{
    return n - begin < CHUNK ? n : begin + CHUNK;
}

static void sum_squares(void *arg, int begin, int end, int thread)
{
    const struct update *u = arg;
    (void)thread;
    for (int i = begin; i < end; i++) {
        size_t at = (size_t)i * CHUNK, to = chunk_end(at, u->o->trainable);
        u->o->partial[i] = u->k->dot(u->g + at, u->g + at, to - at);
    }
}

static double gradient_length(struct pool *pool, struct update *u)
{
    int n = (int)chunks(u->o->trainable);
    double sum = 0;
    pool_for(pool, n, 1, sum_squares, u);
    for (int i = 0; i < n; i++)
        sum += u->o->partial[i];
    return sqrt(sum);
}

/* Adam and RMSprop take weight decay as part of the gradient; AdamW and SGD in their kernels. */
static void decay_gradient(const struct update *u, size_t at, size_t n, float decay)
{
    if (decay != 0 && (u->o->p.kind == NN_ADAM || u->o->p.kind == NN_RMSPROP))
        u->k->axpby(decay / u->scale, u->w + at, 1, u->g + at, n);
}

static void step_chunk(const struct update *u, size_t at, size_t n)
{
    const struct nn_optim *o = u->o;
    const struct nn_optim_params *p = &o->p;
    bool decoupled = p->kind == NN_ADAMW || p->kind == NN_SGD, adam = p->kind >= NN_ADAM;
    float decay = u->span->decay ? p->weight_decay : 0;
    double t = (double)o->steps + 1;
    decay_gradient(u, at, n, decay);
    struct nn_step s = {
        .w = u->w + at,
        .g = u->g + at,
        .m = o->first + at,
        .v = o->second + at,
        .n = n,
        .lr = u->lr,
        .momentum = adam ? p->beta1 : p->momentum,
        .rho = p->beta2,
        .eps = p->epsilon,
        .decay = decoupled ? decay : 0,
        .g_scale = u->scale,
        .m_fix = (float)(1 / (1 - pow(p->beta1, t))),
        .v_fix = (float)(1 / (1 - pow(p->beta2, t))),
        .nesterov = p->nesterov,
    };
    if (p->kind == NN_SGD)
        u->k->step_sgd(&s);
    else if (p->kind == NN_RMSPROP)
        u->k->step_rmsprop(&s);
    else
        u->k->step_adam(&s);
}

static void step_chunks(void *arg, int begin, int end, int thread)
{
    const struct update *u = arg;
    (void)thread;
    for (int i = begin; i < end; i++) {
        size_t at = (size_t)i * CHUNK, to = chunk_end(at, u->span->count);
        step_chunk(u, u->span->offset + at, to - at);
    }
}

/* Huggingface and TensorFlow warm an average up in the same way. */
static void update_average(struct nn_optim *o, const struct nn_kernels *k, const float *weights)
{
    double warm = (1.0 + (double)o->steps) / (10.0 + (double)o->steps);
    float keep = (float)(warm < o->p.ema ? warm : o->p.ema);
    if (o->steps == 0)
        memcpy(o->average, weights, o->total * sizeof *weights);
    else
        k->axpby(1 - keep, weights, keep, o->average, o->total);
}

static struct update update_of(struct nn_optim *o, struct nn_tape *t, float lr)
{
    return (struct update){.o = o,
                           .k = nn_kernels(),
                           .w = nn_tape_weights(t),
                           .g = nn_tape_gradients(t),
                           .lr = lr,
                           .scale = 1};
}

bool nn_optim_climb(struct nn_optim *o, struct nn_tape *t)
{
    struct update u = update_of(o, t, 0);
    double length = gradient_length(nn_tape_pool(t), &u);
    if (!isfinite(length))
        return false;
    memcpy(o->below, u.w, o->trainable * sizeof *u.w);
    u.k->axpby((float)(o->p.sam / (length + 1e-12)), u.g, 1, u.w, o->trainable);
    o->climbed = true;
    return true;
}

static void climb_down(struct nn_optim *o, struct nn_tape *t)
{
    if (o->climbed)
        memcpy(nn_tape_weights(t), o->below, o->trainable * sizeof *o->below);
    o->climbed = false;
}

float nn_optim_step(struct nn_optim *o, struct nn_tape *t, float lr)
{
    struct pool *pool = nn_tape_pool(t);
    struct update u = update_of(o, t, lr);
    climb_down(o, t);
    double length = gradient_length(pool, &u);
    if (!isfinite(length))
        return (float)length;
    if (o->p.clip_norm > 0 && length > o->p.clip_norm)
        u.scale = (float)(o->p.clip_norm / length);
    int spans;
    const struct nn_tape_span *span = nn_tape_spans(t, &spans);
    for (int i = 0; i < spans && span[i].trainable; i++) {
        u.span = &span[i];
        pool_for(pool, (int)chunks(span[i].count), 1, step_chunks, &u);
    }
    if (o->average)
        update_average(o, u.k, u.w);
    o->steps++;
    return (float)length;
}

const float *nn_optim_averaged(const struct nn_optim *o)
{
    return o->average;
}

float *nn_optim_state(struct nn_optim *o, size_t *count)
{
    *count = o->count;
    return o->state;
}

uint64_t nn_optim_steps(const struct nn_optim *o)
{
    return o->steps;
}

void nn_optim_set_steps(struct nn_optim *o, uint64_t steps)
{
    o->steps = steps;
}

/* Schedules */

float nn_schedule_cosine(double progress, double warmup, float least)
{
    const double pi = 3.14159265358979323846;
    if (progress < warmup)
        return (float)(progress / warmup);
    double rest = warmup < 1 ? (progress - warmup) / (1 - warmup) : 1;
    rest = rest > 1 ? 1 : rest;
    return (float)(least + (1 - least) * 0.5 * (1 + cos(pi * rest)));
}

float nn_schedule_step(int epoch, int every, float factor)
{
    return powf(factor, (float)(epoch / every));
}

float nn_schedule_plateau(struct nn_plateau *p, float loss, int patience, float factor)
{
    if (!p->started || loss < p->best) {
        p->best = loss;
        p->wait = 0;
        p->started = true;
    } else if (++p->wait > patience) {
        p->scale *= factor;
        p->wait = 0;
    }
    return p->scale;
}
