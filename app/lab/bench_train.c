/* `bench --train`: images a second that a network learns, on pictures in memory, so that neither
 * decoding nor augmentation counts. The batch, the loss and the optimiser are those of the PyTorch
 * script that engine/README.md compares with. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "base/thread.h"
#include "lab/bench.h"
#include "nn/optim.h"
#include "nn/run.h"
#include "nn/tape.h"

enum { WARM_STEPS = 3, STEPS = 20, OUTPUTS_MAX = 2 };

/* A training in progress. */
struct learner {
    struct nn_tape *tape;
    struct nn_optim *optim;
    int *labels;
    struct nn_target targets[OUTPUTS_MAX];
    int steps;
};

static void fill(struct learner *l, const struct nn_graph *g, int batch)
{
    struct rng rng;
    const struct nn_shape *in = nn_graph_shape(g, nn_graph_input(g, 0));
    size_t n = (size_t)batch;
    for (int i = 1; i < in->rank; i++)
        n *= (size_t)in->dims[i];
    rng_seed(&rng, 1, 0);
    for (size_t i = 0; i < n; i++)
        nn_tape_input(l->tape)[i] = rng_normal(&rng);
    for (int i = 0; i < batch; i++)
        l->labels[i] = (int)rng_below(&rng, (uint32_t)nn_tape_output_width(l->tape, 0));
}

static int learner_open(struct learner *l, struct nn_graph *g, int batch,
                        enum nn_precision precision, struct pool *pool, struct err *err)
{
    struct nn_optim_params adam = nn_optim_defaults(NN_ADAM);
    *l = (struct learner){0};
    int rc = nn_tape_create(&l->tape, g, batch, precision, pool, err);
    if (rc < 0)
        return rc;
    l->optim = nn_optim_create(l->tape, &adam);
    l->labels = mem_new((size_t)batch, sizeof *l->labels);
    l->targets[0] = (struct nn_target){.labels = l->labels, .weight = 1};
    fill(l, g, batch);
    return 0;
}

static void learner_close(struct learner *l)
{
    nn_optim_destroy(l->optim);
    nn_tape_destroy(l->tape);
    free(l->labels);
}

static void learn(struct learner *l)
{
    nn_tape_forward(l->tape, nn_tape_batch(l->tape), NN_TRAIN, (uint64_t)l->steps++);
    nn_tape_loss(l->tape, l->targets);
    nn_tape_backward(l->tape);
    nn_optim_step(l->optim, l->tape, 0.001f);
}

static struct timing time_steps(struct learner *l, int runs)
{
    double *ms = mem_new((size_t)runs, sizeof *ms);
    for (int i = 0; i < WARM_STEPS; i++)
        learn(l);
    for (int i = 0; i < runs; i++) {
        double start = bench_now_ms();
        learn(l);
        ms[i] = bench_now_ms() - start;
    }
    struct timing t = bench_summary(ms, runs);
    free(ms);
    return t;
}

void bench_training_header(void)
{
    printf("%-24s %-4s %5s %7s %10s %10s %9s %9s %6s\n", "model", "type", "batch", "threads",
           "median ms", "min ms", "images/s", "GFLOP/s", "peak");
}

/* One line of the result. */
struct row {
    const char *model, *type;
    int batch, threads;
    struct timing time;
    double macs, peak;
};

/* GFLOP/s counts three times the direct algorithm's forward pass, as is usual. */
static void report(const struct row *r, json_t *rows)
{
    double images = r->batch * 1e3 / r->time.median_ms, gflops = 6e-9 * r->macs * images;
    if (rows == NULL) {
        printf("%-24.24s %-4s %5d %7d %10.2f %10.2f %9.1f %9.1f %5.0f%%\n", r->model, r->type,
               r->batch, r->threads, r->time.median_ms, r->time.min_ms, images, gflops,
               gflops / r->peak * 100);
        fflush(stdout);
        return;
    }
    json_array_append_new(
        rows, json_pack("{s:s, s:s, s:i, s:i, s:f, s:f, s:f, s:f, s:f}", "training", r->model,
                        "type", r->type, "batch", r->batch, "threads", r->threads, "median_ms",
                        r->time.median_ms, "min_ms", r->time.min_ms, "images_per_second", images,
                        "gflops", gflops, "peak_gflops", r->peak));
}

static int measure(struct nn_graph *g, enum nn_precision precision, struct row *r, int runs,
                   struct pool *pool, json_t *rows, struct err *err)
{
    struct learner l;
    int rc = learner_open(&l, g, r->batch, precision, pool, err);
    if (rc < 0)
        return rc;
    r->type = precision == NN_BF16 ? "bf16" : "fp32";
    r->time = time_steps(&l, runs);
    r->peak = nn_peak_gflops(pool, precision);
    report(r, rows);
    learner_close(&l);
    return 0;
}

int bench_training(struct nn_graph *g, const char *name, const struct lab_values *v,
                   const struct options *o, json_t *rows, struct err *err)
{
    struct pool *pool = pool_create(v->threads);
    int runs = options_given(o, "runs") ? v->runs : STEPS, rc = 0;
    for (int p = NN_FP32; p <= NN_BF16 && rc == 0; p++) {
        struct row r = {.model = name, .batch = v->batch, .threads = pool_size(pool),
                        .macs = (double)nn_graph_macs(g)};
        if (!options_given(o, "precision") || v->precision == p)
            rc = measure(g, (enum nn_precision)p, &r, runs, pool, rows, err);
    }
    pool_destroy(pool);
    return rc;
}
