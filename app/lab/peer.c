/* The engines that `bench --against` knows; see peer.h. */
#include "lab/peer.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const struct peer_engine *const engines[] = {&peer_ort, &peer_opencv};

struct peer {
    const struct peer_engine *engine;
    void *self;
};

int peer_open(struct peer **out, const char *name, const struct peer_model *m, struct err *err)
{
    const struct peer_engine *engine = NULL;
    *out = NULL;
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++)
        if (strcmp(name, engines[i]->name) == 0)
            engine = engines[i];
    if (engine == NULL)
        return err_set(err, ERR_NOT_FOUND, "no peer is called %s (there are onnx-runtime, opencv)",
                       name);
    void *self;
    int rc = engine->open(&self, m, err);
    if (rc < 0)
        return rc;
    *out = mem_new(1, sizeof **out);
    **out = (struct peer){engine, self};
    return ERR_OK;
}

float *peer_input(struct peer *p)
{
    return p->engine->input(p->self);
}

int peer_run(struct peer *p, struct err *err)
{
    return p->engine->run(p->self, err);
}

const float *peer_output(struct peer *p)
{
    return p->engine->output(p->self);
}

void peer_close(struct peer *p)
{
    if (p == NULL)
        return;
    p->engine->close(p->self);
    free(p);
}
