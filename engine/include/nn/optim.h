/* Optimizers over a tape's collated weights, and learning-rate schedules as pure functions.
 * The formulas are PyTorch's, so that recipes carry over. */
#ifndef NN_OPTIM_H
#define NN_OPTIM_H

#include "nn/tape.h"

enum nn_optim_kind {
    NN_SGD,     /* Sutskever et al. 2013: v = mu v + g; w -= lr v (Nesterov: g + mu v) */
    NN_RMSPROP, /* Tieleman and Hinton 2012: s = a s + (1 - a) g^2; w -= lr g / (sqrt(s) + eps) */
    NN_ADAM,    /* Kingma and Ba 2015, weight decay added to the gradient */
    NN_ADAMW    /* Loshchilov and Hutter 2019: decoupled weight decay */
};

struct nn_optim_params {
    enum nn_optim_kind kind;
    float momentum;     /* SGD */
    bool nesterov;      /* SGD */
    float beta1, beta2; /* Adam, AdamW; RMSprop's decay is beta2 */
    float epsilon;
    float weight_decay; /* not on biases and batch-norm parameters */
    float clip_norm;    /* the whole gradient is scaled down to this length; 0: never */
    float ema;          /* decay of the averaged weights per step, as 0.999; 0: none */
    float sam;          /* radius of nn_optim_climb(); 0: it is not used */
};

/* The usual constants of each kind: SGD 0.9 with Nesterov, RMSprop beta2 0.99, Adam 0.9 and 0.999,
 * epsilon 1e-8, no decay, no clipping, no EMA. */
struct nn_optim_params nn_optim_defaults(enum nn_optim_kind kind);
bool nn_optim_parse(const char *name, enum nn_optim_kind *out); /* "sgd" "rmsprop" "adam" "adamw" */

struct nn_optim;
/* Sized for this tape; any tape of the same graph may be stepped. */
struct nn_optim *nn_optim_create(const struct nn_tape *t, const struct nn_optim_params *p);
void nn_optim_destroy(struct nn_optim *o); /* NULL is allowed */

/* Sharpness-aware minimisation (Foret et al. 2021, equations 2 and 3): moves the weights by `sam`
 * along the gradient. The next step takes the gradient that the tape has then, at the climbed
 * weights, but starts from where the climb began. False, and nothing is changed, when the gradient
 * is not finite. */
bool nn_optim_climb(struct nn_optim *o, struct nn_tape *t);

/* One update of the tape's weights from its gradients at learning rate `lr`. Returns the
 * gradient's length before clipping; a gradient that is not finite changes nothing. */
float nn_optim_step(struct nn_optim *o, struct nn_tape *t, float lr);

/* Averaged weights, nn_tape_total() floats for nn_tape_store(); NULL without EMA. The decay is
 * min(ema, (1 + steps) / (10 + steps)), so that a young average forgets its start. */
const float *nn_optim_averaged(const struct nn_optim *o);

/* For checkpoints: everything besides the parameters (moments, average) as one writable vector. */
float *nn_optim_state(struct nn_optim *o, size_t *count);
uint64_t nn_optim_steps(const struct nn_optim *o);
void nn_optim_set_steps(struct nn_optim *o, uint64_t steps);

/* Schedules: the factor on the base rate at `progress` = steps done / steps in all, 0 .. 1. */
float nn_schedule_cosine(double progress, double warmup, float least); /* linear warm-up share */
float nn_schedule_step(int epoch, int every, float factor);            /* factor^(epoch / every) */

/* Halves (or whatever `factor` says) the rate when a loss stops falling (Keras'
 * ReduceLROnPlateau). Start with {.scale = 1}; save it whole in a checkpoint. */
struct nn_plateau {
    float scale, best;
    int wait;
    bool started;
};
float nn_schedule_plateau(struct nn_plateau *p, float loss, int patience, float factor); /* scale */

#endif
