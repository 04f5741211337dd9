/* ConstantOfShape and Range: results known when the network is compiled. */
#include "exec.h"

struct fill {
    int64_t count;
    float start, step;
};

static void run_fill(const struct nn__step *s, const struct nn__env *e)
{
    const struct fill *f = s->context;
    for (int64_t i = 0; i < f->count; i++)
        e->at[s->out[0]][i] = f->start + (float)i * f->step;
}

int nn__prepare_fill(struct nn__compiler *c, const struct nn__job *j, struct nn__step *s,
                     struct err *err)
{
    const struct nn_node *n = j->node;
    struct fill *f = nn__context(c, sizeof *f);
    (void)err;
    f->count = nn__shape_elements(nn__shape_of(c, n->outputs[0]), 1);
    if (n->op == NN_OP_RANGE) {
        f->start = (float)nn__element(nn__value(c->g, n->inputs[0]), 0);
        f->step = (float)nn__element(nn__value(c->g, n->inputs[2]), 0);
    } else {
        const struct nn_attr *value = nn__attr(n, "value");
        if (value && value->kind == NN_ATTR_TENSOR)
            f->start = (float)nn__element(nn__value(c->g, value->tensor), 0);
    }
    s->context = f;
    s->run = run_fill;
    s->info.kernel = "fill";
    return 0;
}
