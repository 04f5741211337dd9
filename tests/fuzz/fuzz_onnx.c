/* Any bytes as a model: read, compile, and execute when that is cheap. Nothing may crash, leak or
 * leave the stated memory; every refusal carries a sentence. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "nn/onnx.h"
#include "nn/quantise.h"
#include "nn/run.h"

enum { MEMORY = 32 << 20, CHEAP_MACS = 2000000, CHEAP_ELEMENTS = 200000 };

/* Steps cost at most their result times a window; shapes are bounded by the memory limit. */
static bool is_cheap(const struct nn_run *r)
{
    int64_t macs = 0, elements = 0;
    for (int i = 0; i < nn_run_step_count(r); i++) {
        struct nn_run_step s;
        nn_run_step_at(r, i, &s);
        int64_t n = 1;
        for (int k = 0; k < s.shape.rank; k++)
            n *= s.shape.dims[k];
        macs += s.macs;
        elements += n;
    }
    return macs < CHEAP_MACS && elements < CHEAP_ELEMENTS;
}

static void check_sentence(const struct err *err)
{
    if (err->code >= 0 || err->text[0] == '\0' || strchr(err->text, '\n') != NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct nn_graph *g;
    struct nn_run *r;
    if (nn_onnx_read(&g, data, size, &err) < 0) {
        check_sentence(&err);
        return 0;
    }
    struct nn_run_options options = {.memory_limit = MEMORY};
    if (nn_run_create(&r, g, 2, NULL, &options, &err) < 0)
        check_sentence(&err);
    else if (is_cheap(r))
        nn_run_forward(r);
    nn_run_destroy(r);
    /* The way back from 8 bits, which processors without byte products take. */
    if (nn_is_quantised(g) && nn_dequantise(&g, &err) < 0)
        check_sentence(&err);
    nn_graph_destroy(g);
    return 0;
}
