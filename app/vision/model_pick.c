/* Expected times, and a choice that does not flicker. */
#include "vision/model_pick.h"

#include <assert.h>
#include <math.h>

/* Share of a new time in the running mean, and what a single outlier may count for. */
static const float LOAD_WEIGHT = 0.1f;
static const float LOAD_MAX = 20.0f;
static const float STEADY = 0.75f;

void model_pick_begin(struct model_pick *p, float alone_ms)
{
    *p = (struct model_pick){.count = 1, .alone_ms = {alone_ms}, .load = 1.0f};
}

void model_pick_add(struct model_pick *p, float alone_ms)
{
    assert(p->count < MODEL_PICK_MAX);
    p->alone_ms[p->count++] = alone_ms;
}

float model_pick_ms(const struct model_pick *p, int model, int views)
{
    return p->alone_ms[model] * p->load * (float)views;
}

int model_pick_choose(struct model_pick *p, int views, float budget_ms)
{
    int model = p->count - 1;
    while (model > 0 &&
           model_pick_ms(p, model, views) > (model == p->current ? budget_ms : STEADY * budget_ms))
        model--;
    return p->current = model;
}

void model_pick_measured(struct model_pick *p, int views, float ms)
{
    float alone = p->alone_ms[p->current] * (float)views;
    if (alone > 0.0f && isfinite(ms))
        p->load += LOAD_WEIGHT * (fminf(ms / alone, LOAD_MAX) - p->load);
}
