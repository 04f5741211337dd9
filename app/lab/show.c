/* `models show`: what the engine makes of a model. */
#include <stdio.h>
#include <string.h>

#include "base/pool.h"
#include "base/str.h"
#include "lab/lab.h"
#include "nn/onnx.h"
#include "nn/run.h"

enum { PROFILED_RUNS = 100 };

static const char *shape_text(const struct nn_shape *s, struct str *out)
{
    str_clear(out);
    for (int i = 0; i < s->rank; i++)
        str_addf(out, "%s%lld", i > 0 ? "x" : "", (long long)s->dims[i]);
    return out->s != NULL ? out->s : "scalar";
}

static void print_ports(const struct nn_run *r)
{
    struct str text = {0};
    for (int i = 0; i < nn_run_input_count(r); i++)
        printf("input   %-20s %s\n", nn_run_input_name(r, i),
               shape_text(nn_run_input_shape(r, i), &text));
    for (int i = 0; i < nn_run_output_count(r); i++)
        printf("output  %-20s %s\n", nn_run_output_name(r, i),
               shape_text(nn_run_output_shape(r, i), &text));
    str_free(&text);
}

static void print_meta(const struct nn_graph *g)
{
    for (int i = 0; i < nn_graph_meta_count(g); i++) {
        const char *key, *value;
        nn_graph_meta_at(g, i, &key, &value);
        printf("meta    %-20s %s\n", key, value);
    }
}

/* Share of `peak`, in GFLOP/s; a step that is computed together with the next takes no time. */
static void print_time(const struct nn_run_step *s, double peak)
{
    double us = (double)s->ns / 1e3;
    if (us < 0.1)
        printf(" %9.1f %6s", us, "-");
    else
        printf(" %9.1f %5.0f%%", us, (double)s->macs * 2e-3 / us / peak * 100);
}

/* One line a step; times are the shortest of the profiled runs. */
static void print_steps(const struct nn_run *r, bool profile, double peak)
{
    struct str text = {0};
    printf("\n%-30s %-18s %-14s %-15s %9s %9s", "node", "operator", "kernel", "output", "MMAC",
           "weights");
    printf(profile ? " %9s %6s\n" : "\n", "us", "peak");
    for (int i = 0; i < nn_run_step_count(r); i++) {
        struct nn_run_step s;
        nn_run_step_at(r, i, &s);
        printf("%-30.30s %-18.18s %-14s %-15s %9.3f %8zuK", s.node, s.op, s.kernel,
               shape_text(&s.shape, &text), (double)s.macs / 1e6, s.weight_bytes >> 10);
        if (profile)
            print_time(&s, peak);
        putchar('\n');
    }
    str_free(&text);
}

static int show_run(const struct lab_values *v, const struct nn_graph *g, int batch,
                    struct pool *pool, struct err *err)
{
    struct nn_run *r;
    const struct nn_run_options options = {.precision = (enum nn_precision)v->precision};
    int rc = nn_run_create(&r, g, batch, pool, &options, err);
    if (rc < 0)
        return rc;
    double peak = v->profile ? nn_peak_gflops(pool, options.precision) : 1;
    for (int i = 0; v->profile && i < PROFILED_RUNS / 10; i++)
        nn_run_forward(r);
    for (int i = 0; v->profile && i < PROFILED_RUNS; i++)
        nn_run_forward_profiled(r);
    print_meta(g);
    print_ports(r);
    printf("memory  weights %.2f MB, activations %.2f MB\n",
           (double)nn_run_weight_bytes(r) / 1e6, (double)nn_run_activation_bytes(r) / 1e6);
    if (v->profile)
        printf("peak    %.0f GFLOP/s with %d thread%s\n", peak, pool_size(pool),
               pool_size(pool) > 1 ? "s" : "");
    print_steps(r, v->profile, peak);
    nn_run_destroy(r);
    return 0;
}

int lab_show(const struct lab_values *v, const char *model, int batch, struct err *err)
{
    struct nn_graph *g;
    int rc = nn_onnx_load(&g, model, err);
    if (rc < 0)
        return rc;
    struct pool *pool = pool_create(v->threads);
    printf("%s: %zu parameters, %.2f MMAC an image\n", model, nn_graph_parameters(g, false),
           (double)nn_graph_macs(g) / 1e6);
    rc = show_run(v, g, batch, pool, err);
    pool_destroy(pool);
    nn_graph_destroy(g);
    return rc < 0 ? err_prefix(err, "%s", model) : 0;
}
