/* Charts of the workshop as PNG files, drawn by PLplot. Not thread safe: PLplot has one state.
 * Every function writes aside and renames: a chart is whole or the old one stays. */
#ifndef LAB_CHARTS_H
#define LAB_CHARTS_H

#include "base/err.h"
#include "nn/metrics.h"

/* One line of a chart: y over x = 1, 2, ... count. A value that is not finite leaves a gap. */
struct chart_line {
    const char *name;
    const double *y;
    int count;
};

/* Two panels above each other over the same x axis; each has its own y axis and legend. */
struct chart_panel {
    const char *y_label;
    const struct chart_line *lines;
    int count;
};
int chart_curves(const char *path, const char *title, const char *x_label,
                 const struct chart_panel panels[2], struct err *err);

/* The matrix as shaded cells: count and share of the row. */
int chart_confusion(const char *path, const char *title, const struct nn_confusion *c,
                    const char *const *names, struct err *err);

/* Parts of a whole with name, count and percentage. */
int chart_pie(const char *path, const char *title, const int *counts, const char *const *names,
              int n, struct err *err);

/* Groups of bars: value[g * bars + b] is bar b of group g. */
int chart_bars(const char *path, const char *title, const char *y_label, const double *value,
               const char *const *groups, int group_count, const char *const *bars, int bar_count,
               struct err *err);

#endif
