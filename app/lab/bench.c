/* `bench`: how fast models run, beside the processor's measured peak and, if wanted, a peer.
 *
 * Each measurement runs at least --runs times; the two engines take turns in short blocks, each
 * after some warm runs and when the other's threads rest, so that whatever else the machine does
 * hits both and neither the other. Medians are compared. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_MODULE "bench"
#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/pool.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/thread.h"
#include "lab/bench.h"
#include "lab/peer.h"
#include "nn/onnx.h"
#include "nn/quantise.h"
#include "nn/run.h"
#include "nn/zoo.h"

enum { WARM_RUNS = 5, BLOCK = 20 };

struct measurement {
    const char *model, *type; /* type: fp32, bf16, or int8 when a step computes in 8 bits */
    enum nn_precision precision;
    int batch, threads;
    struct timing ours, peer;
    double gflops, peak; /* gflops counts the direct algorithm */
    double difference;   /* largest between the engines, relative to the largest output */
};

struct bench {
    const struct lab_values *v;
    json_t *rows;      /* NULL: print a table */
    double log_ratio;  /* sum over the measurements with a peer */
    int ratios;
};

double bench_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

struct timing bench_summary(double *ms, int n)
{
    qsort(ms, (size_t)n, sizeof *ms, ascending);
    return (struct timing){ms[n / 2], ms[0]};
}

static size_t count_of(const struct nn_shape *s)
{
    size_t n = 1;
    for (int i = 0; i < s->rank; i++)
        n *= (size_t)s->dims[i];
    return n;
}

static void fill_input(struct nn_run *r, struct peer *p)
{
    struct rng rng;
    size_t n = count_of(nn_run_input_shape(r, 0));
    rng_seed(&rng, 1, 0);
    for (size_t i = 0; i < n; i++)
        nn_run_input(r, 0)[i] = rng_normal(&rng);
    if (p != NULL)
        memcpy(peer_input(p), nn_run_input(r, 0), n * sizeof(float));
}

static double difference(const struct nn_run *r, struct peer *p)
{
    const float *a = nn_run_output(r, 0), *b = peer_output(p);
    double most = 0, largest = 1e-30;
    for (size_t i = 0; i < count_of(nn_run_output_shape(r, 0)); i++) {
        most = fmax(most, fabs((double)a[i] - b[i]));
        largest = fmax(largest, fabs(b[i]));
    }
    return most / largest;
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* The threads of the engine that ran last look on for work a while and would take processors from
 * the next one: waits until the process rests, a second at most. */
static void await_rest(void)
{
    enum { NAP_MS = 5, TRIES = 200 };
    const struct timespec nap = {.tv_nsec = NAP_MS * 1000000L};
    for (int i = 0; i < TRIES; i++) {
        double before = cpu_ms();
        nanosleep(&nap, NULL);
        if (cpu_ms() - before < 0.1 * NAP_MS)
            return;
    }
}

typedef int run_fn(void *engine, struct err *err);

static int run_ours(void *engine, struct err *err)
{
    (void)err;
    nn_run_forward(engine);
    return 0;
}

static int run_theirs(void *engine, struct err *err)
{
    return peer_run(engine, err);
}

static int run_block(run_fn *run, void *engine, double *ms, struct err *err)
{
    int rc = 0;
    await_rest();
    for (int k = -WARM_RUNS; k < BLOCK && rc == 0; k++) {
        double start = bench_now_ms();
        rc = run(engine, err);
        if (k >= 0)
            ms[k] = bench_now_ms() - start;
    }
    return rc;
}

/* Blocks in turn until both have enough runs. */
static int run_both(struct nn_run *r, struct peer *p, int runs, struct measurement *m,
                    struct err *err)
{
    double *ours = mem_new((size_t)runs + BLOCK, sizeof *ours);
    double *theirs = mem_new((size_t)runs + BLOCK, sizeof *theirs);
    int n = 0, rc = 0;
    for (; n < runs && rc == 0; n += BLOCK) {
        rc = run_block(run_ours, r, ours + n, err);
        if (rc == 0 && p != NULL)
            rc = run_block(run_theirs, p, theirs + n, err);
    }
    m->ours = bench_summary(ours, n);
    m->peer = p != NULL ? bench_summary(theirs, n) : (struct timing){0};
    m->difference = p != NULL && rc == 0 ? difference(r, p) : 0;
    free(ours);
    free(theirs);
    return rc;
}

static void print_header(const struct bench *b)
{
    printf("%-24s %-4s %5s %7s %10s %10s %9s %6s", "model", "type", "batch", "threads",
           "median ms", "min ms", "GFLOP/s", "peak");
    if (b->v->against != NULL)
        printf(" %14s %10s %7s %8s", b->v->against, "min ms", "ratio", "differs");
    putchar('\n');
}

static void print_row(const struct bench *b, const struct measurement *m)
{
    printf("%-24.24s %-4s %5d %7d %10.3f %10.3f %9.1f %5.0f%%", m->model, m->type, m->batch,
           m->threads, m->ours.median_ms, m->ours.min_ms, m->gflops, m->gflops / m->peak * 100);
    if (b->v->against != NULL)
        printf(" %14.3f %10.3f %7.2f %8.1e", m->peer.median_ms, m->peer.min_ms,
               m->peer.median_ms / m->ours.median_ms, m->difference);
    putchar('\n');
    fflush(stdout);
}

static void add_json(const struct bench *b, const struct measurement *m)
{
    json_t *row = json_pack("{s:s, s:i, s:i, s:s, s:f, s:f, s:f, s:f}", "model", m->model, "batch",
                            m->batch, "threads", m->threads, "type", m->type, "median_ms",
                            m->ours.median_ms, "min_ms", m->ours.min_ms, "gflops", m->gflops,
                            "peak_gflops", m->peak);
    if (b->v->against != NULL) {
        json_t *peer = json_pack("{s:s, s:f, s:f, s:f}", "engine", b->v->against, "median_ms",
                                 m->peer.median_ms, "min_ms", m->peer.min_ms, "difference",
                                 m->difference);
        json_object_set_new(row, "peer", peer);
    }
    json_array_append_new(b->rows, row);
}

static void report(struct bench *b, const struct measurement *m)
{
    if (b->v->against != NULL) {
        b->log_ratio += log(m->peer.median_ms / m->ours.median_ms);
        b->ratios++;
    }
    if (b->rows != NULL)
        add_json(b, m);
    else
        print_row(b, m);
}

static double total_macs(const struct nn_run *r)
{
    double macs = 0;
    for (int i = 0; i < nn_run_step_count(r); i++) {
        struct nn_run_step s;
        nn_run_step_at(r, i, &s);
        macs += (double)s.macs;
    }
    return macs;
}

static const char *type_of(const struct nn_run *r, enum nn_precision precision)
{
    struct nn_run_step s;
    for (int i = 0; i < nn_run_step_count(r); i++) {
        nn_run_step_at(r, i, &s);
        if (strcmp(s.kernel, "qconv16") == 0 || strcmp(s.kernel, "qdepthwise16") == 0)
            return "int8";
    }
    return precision == NN_BF16 ? "bf16" : "fp32";
}

static int open_peer(struct peer **out, const struct bench *b, const char *path, struct nn_run *r,
                     int threads, struct err *err)
{
    const struct nn_shape *s = nn_run_input_shape(r, 0);
    *out = NULL;
    if (b->v->against == NULL)
        return 0;
    struct peer_model m = {path, nn_run_input_name(r, 0), nn_run_output_name(r, 0), s->dims,
                           s->rank, threads};
    return peer_open(out, b->v->against, &m, err);
}

static int measure(struct bench *b, const struct nn_graph *g, const char *path,
                   struct measurement *m, struct err *err)
{
    struct nn_run *r;
    struct peer *p = NULL;
    struct pool *pool = pool_create(m->threads);
    const struct nn_run_options options = {.precision = m->precision};
    int rc = nn_run_create(&r, g, m->batch, pool, &options, err);
    if (rc == 0)
        rc = open_peer(&p, b, path, r, m->threads, err);
    if (rc == 0) {
        fill_input(r, p);
        m->type = type_of(r, m->precision);
        m->peak = nn_peak_gflops(pool, m->precision);
        rc = run_both(r, p, b->v->runs, m, err);
        m->gflops = total_macs(r) * 2e-6 / m->ours.median_ms;
    }
    if (rc == 0)
        report(b, m);
    peer_close(p);
    nn_run_destroy(r);
    pool_destroy(pool);
    return rc;
}

/* Batch 1 and 16 with one thread and all, unless the command line says which. */
static int bench_graph(struct bench *b, const struct options *o, const struct nn_graph *g,
                       enum nn_precision precision, const char *path, const char *name,
                       struct err *err)
{
    const int batches[] = {1, 16}, threads[] = {1, cpu_count()};
    bool one_batch = options_given(o, "batch"), one_thread = options_given(o, "threads");
    int rc = 0;
    for (int i = 0; i < (one_batch ? 1 : 2) && rc == 0; i++)
        for (int k = 0; k < (one_thread || cpu_count() == 1 ? 1 : 2) && rc == 0; k++) {
            struct measurement m = {.model = name, .precision = precision,
                                    .batch = one_batch ? b->v->batch : batches[i],
                                    .threads = one_thread ? b->v->threads : threads[k]};
            rc = measure(b, g, path, &m, err);
        }
    return rc;
}

/* The network in 8 bits, calibrated with noise: good for its time only. */
static int quantise(struct nn_graph **out, const struct nn_graph *g, struct err *err)
{
    struct nn_quantiser *q;
    struct rng rng;
    int rc = nn_quantiser_create(&q, g, 1, NULL, err);
    if (rc < 0)
        return rc;
    rng_seed(&rng, 1, 0);
    const struct nn_shape *in = nn_graph_shape(g, nn_graph_input(g, 0));
    size_t n = 1;
    for (int i = 1; i < in->rank; i++)
        n *= (size_t)in->dims[i];
    for (size_t i = 0; i < n; i++)
        nn_quantiser_input(q)[i] = rng_normal(&rng);
    nn_quantiser_observe(q, 1);
    rc = nn_quantiser_finish(q, out, err);
    nn_quantiser_destroy(q);
    return rc;
}

static bool has_bytes(const struct nn_graph *g)
{
    struct nn_run *r;
    if (nn_run_create(&r, g, 1, NULL, NULL, NULL) < 0)
        return false;
    bool bytes = strcmp(type_of(r, NN_FP32), "int8") == 0;
    nn_run_destroy(r);
    return bytes;
}

/* A float network in 8 bits and bfloat16 too; one that cannot be quantised goes without. */
static int bench_narrow(struct bench *b, const struct options *o, const struct nn_graph *g,
                        const char *path, const char *name, struct err *err)
{
    struct nn_graph *bytes;
    struct err why = {0};
    int rc = 0;
    if (quantise(&bytes, g, &why) == 0) {
        rc = bench_graph(b, o, bytes, NN_FP32, path, name, err);
        nn_graph_destroy(bytes);
    } else {
        log_warn("%s: not measured in 8 bits: %s", name, why.text);
    }
    return rc < 0 ? rc : bench_graph(b, o, g, NN_BF16, path, name, err);
}

/* In the types that are asked for: a peer has but the one of its file. */
static int bench_types(struct bench *b, const struct options *o, const struct nn_graph *g,
                       const char *path, const char *name, struct err *err)
{
    if (options_given(o, "precision"))
        return bench_graph(b, o, g, (enum nn_precision)b->v->precision, path, name, err);
    int rc = bench_graph(b, o, g, NN_FP32, path, name, err);
    if (rc < 0 || b->v->against != NULL || has_bytes(g))
        return rc;
    return bench_narrow(b, o, g, path, name, err);
}

static int bench_file(struct bench *b, const struct options *o, const char *path, const char *name,
                      struct err *err)
{
    struct nn_graph *g;
    int rc = nn_onnx_load(&g, path, err);
    if (rc < 0)
        return rc;
    rc = b->v->train ? bench_training(g, name, b->v, o, b->rows, err)
                     : bench_types(b, o, g, path, name, err);
    nn_graph_destroy(g);
    return rc < 0 ? err_prefix(err, "%s", name) : 0;
}

/* The zoo's networks with their first weights, through a file, as a peer reads one. */
static int bench_zoo(struct bench *b, const struct options *o, struct err *err)
{
    size_t n;
    const struct nn_zoo_entry *zoo = nn_zoo_list(&n);
    const char *base = getenv("TMPDIR");
    struct str path = {0};
    int rc = 0;
    str_addf(&path, "%s/moodreel-bench-%ld.onnx", base != NULL ? base : "/tmp", (long)getpid());
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct nn_graph *g;
        rc = nn_zoo_build(&g, zoo[i].name, NULL, err);
        if (rc < 0)
            break;
        rc = nn_onnx_save(g, path.s, err);
        nn_graph_destroy(g);
        if (rc == 0)
            rc = bench_file(b, o, path.s, zoo[i].name, err);
    }
    unlink(path.s);
    str_free(&path);
    return rc;
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static void finish(struct bench *b)
{
    double mean = b->ratios > 0 ? exp(b->log_ratio / b->ratios) : 0;
    if (b->rows != NULL) {
        json_t *out = json_pack("{s:O}", "measurements", b->rows);
        if (b->ratios > 0)
            json_object_set_new(out, "geometric_mean_ratio", json_real(mean));
        json_dumpf(out, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
        putchar('\n');
        json_decref(out);
    } else if (b->ratios > 0) {
        printf("geometric mean of the ratios %.3f\n", mean);
    }
    json_decref(b->rows);
}

int lab_bench(int argc, char **argv, struct err *err)
{
    struct lab_values v;
    struct options *o;
    int words, rc = 0;
    int status = options_begin(&o, &lab_options, &lab_commands[LAB_BENCH], &v, argc, argv, err);
    if (status != OPTIONS_GO)
        return status;
    char *const *word = options_words(o, &words);
    struct bench b = {.v = &v, .rows = v.json ? json_array() : NULL};
    if (!v.json)
        v.train ? bench_training_header() : print_header(&b);
    for (int i = 0; i < words && rc == 0; i++)
        rc = bench_file(&b, o, word[i], file_name(word[i]), err);
    if (words == 0)
        rc = bench_zoo(&b, o, err);
    finish(&b);
    options_free(o);
    return rc < 0 ? STATUS_FAILED : STATUS_OK;
}
