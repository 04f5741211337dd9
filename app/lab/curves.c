/* The history of a training as table, chart and sentence. */
#include "lab/curves.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/path.h"
#include "lab/charts.h"
#include "lab/progress.h"

static int write_csv(const char *dir, const struct nn_epoch *h, int count, struct err *err)
{
    struct str path = {0}, text = {0};
    str_addf(&path, "%s/curves.csv", dir);
    str_addf(&text, "epoch,rate,train_loss,train_accuracy,val_loss,val_accuracy,averaged_loss,"
                    "averaged_accuracy,best,seconds\n");
    for (int i = 0; i < count; i++) {
        str_addf(&text, "%d,%.6g,%.5f,%.5f,%.5f,%.5f,", h[i].number, (double)h[i].rate,
                 (double)h[i].train_loss, (double)h[i].train_accuracy, (double)h[i].val_loss,
                 (double)h[i].val_accuracy);
        if (isfinite(h[i].averaged_accuracy))
            str_addf(&text, "%.5f,%.5f", (double)h[i].averaged_loss,
                     (double)h[i].averaged_accuracy);
        else
            str_addf(&text, ",");
        str_addf(&text, ",%d,%.1f\n", h[i].best, (double)h[i].seconds);
    }
    int rc = path_write_atomic(path.s, text.s, text.len, err);
    str_free(&path);
    str_free(&text);
    return rc;
}

enum series { TRAIN_LOSS, VAL_LOSS, AVERAGED_LOSS, TRAIN, VAL, AVERAGED, SERIES };

static int write_png(const char *dir, const char *title, const struct nn_epoch *h, int count,
                     struct err *err)
{
    double *y[SERIES];
    struct str path = {0};
    for (int s = 0; s < SERIES; s++)
        y[s] = mem_new((size_t)count + 1, sizeof **y);
    for (int i = 0; i < count; i++) {
        const float value[SERIES] = {h[i].train_loss,         h[i].val_loss,
                                     h[i].averaged_loss,      100 * h[i].train_accuracy,
                                     100 * h[i].val_accuracy, 100 * h[i].averaged_accuracy};
        for (int s = 0; s < SERIES; s++)
            y[s][i] = (double)value[s];
    }
    bool averaged = count > 0 && isfinite(h[count - 1].averaged_accuracy);
    const char *names[] = {"Training", "validation", "averaged weights"};
    struct chart_line lines[SERIES];
    for (int s = 0; s < SERIES; s++)
        lines[s] = (struct chart_line){names[s % 3], y[s], count};
    struct chart_panel panels[2] = {{"loss", lines, averaged ? 3 : 2},
                                    {"accuracy, %", lines + 3, averaged ? 3 : 2}};
    str_addf(&path, "%s/curves.png", dir);
    int rc = chart_curves(path.s, title, "epoch", panels, err);
    str_free(&path);
    for (int s = 0; s < SERIES; s++)
        free(y[s]);
    return rc;
}

int curves_write(const char *dir, const char *title, const struct nn_epoch *history, int count,
                 struct err *err)
{
    int rc = write_csv(dir, history, count, err);
    return rc < 0 ? rc : write_png(dir, title, history, count, err);
}

void curves_line(const struct nn_epoch *e, int epochs, struct str *out)
{
    char took[24];
    progress_duration((double)e->seconds, took);
    str_addf(out, "epoch %d/%d: loss %.4f, accuracy %.2f %%; validation loss %.4f, %.2f %%",
             e->number, epochs, (double)e->train_loss, 100 * (double)e->train_accuracy,
             (double)e->val_loss, 100 * (double)e->val_accuracy);
    if (isfinite(e->averaged_accuracy))
        str_addf(out, ", averaged %.2f %%", 100 * (double)e->averaged_accuracy);
    str_addf(out, "; rate %.3g; %s%s", (double)e->rate, took, e->best ? "; best" : "");
}
