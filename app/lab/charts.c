/* Learning curves, confusion matrix, pie and bars through PLplot's cairo driver. */
#include "lab/charts.h"

#include <math.h>
#include <plplot.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"

static const char driver[] = "pngcairo";

/* Colour map 0: 0 paper, 1 ink, 2 grid, then the series (Okabe and Ito's palette, which colour
 * blind people can tell apart). */
enum { PAPER, INK, GRID, SERIES, SERIES_COUNT = 8 };

static void set_colours(void)
{
    static const PLINT rgb[SERIES + SERIES_COUNT][3] = {
        {255, 255, 255}, {40, 40, 40},   {205, 205, 205}, {0, 114, 178},
        {213, 94, 0},    {0, 158, 115},  {204, 121, 167}, {230, 159, 0},
        {86, 180, 233},  {148, 103, 60}, {120, 120, 120}};
    for (int i = 0; i < SERIES + SERIES_COUNT; i++)
        plscol0(i, rgb[i][0], rgb[i][1], rgb[i][2]);
}

static PLINT series_colour(int i)
{
    return SERIES + i % SERIES_COUNT;
}

/* PLplot asks on the terminal when a driver is missing, so look first. */
static int check_driver(struct err *err)
{
    const char *menu[64], *names[64];
    const char **menus = menu, **devices = names;
    int n = 64;
    plgFileDevs(&menus, &devices, &n);
    for (int i = 0; i < n; i++)
        if (devices[i] != NULL && strcmp(devices[i], driver) == 0)
            return 0;
    return err_set(err, ERR_NOT_FOUND,
                   "PLplot has no PNG driver (install the package plplot-driver-cairo)");
}

/* Starts a page in a file aside; end it with page_end(). */
static int page_begin(const char *path, int width, int height, char **aside, struct err *err)
{
    int rc = check_driver(err);
    if (rc < 0)
        return rc;
    *aside = path_aside(path);
    FILE *probe = fopen(*aside, "wb"); /* PLplot ends the program when it cannot open its file */
    if (probe == NULL) {
        rc = err_errno(err, path);
        free(*aside);
        return rc;
    }
    fclose(probe);
    set_colours();
    plsdev(driver);
    plsfnam(*aside);
    plspage(0, 0, width, height, 0, 0);
    plinit();
    plfont(1);
    return 0;
}

static int page_end(const char *path, char *aside, struct err *err)
{
    plend();
    int rc = path_commit(aside, path, err);
    free(aside);
    return rc;
}

/* Writes text at (x, y); align 0 left, 0.5 centred, 1 right. */
static void text(double x, double y, double align, PLINT colour, const char *s)
{
    plcol0(colour);
    plptex(x, y, 1, 0, align, s);
}

static void box(double x0, double y0, double x1, double y1)
{
    double x[4] = {x0, x1, x1, x0}, y[4] = {y0, y0, y1, y1};
    plfill(4, x, y);
}

/* ---- curves ---- */

static void panel_range(const struct chart_panel *p, double *low, double *high, int *most)
{
    *low = HUGE_VAL;
    *high = -HUGE_VAL;
    for (int i = 0; i < p->count; i++) {
        const struct chart_line *l = &p->lines[i];
        *most = l->count > *most ? l->count : *most;
        for (int j = 0; j < l->count; j++) {
            if (!isfinite(l->y[j]))
                continue;
            *low = fmin(*low, l->y[j]);
            *high = fmax(*high, l->y[j]);
        }
    }
    if (*low > *high)
        *low = 0, *high = 1;
    double air = fmax((*high - *low) * 0.05, 1e-3);
    *low -= air;
    *high += air;
}

static void draw_line(const struct chart_line *l)
{
    for (int i = 0; i < l->count; i++) {
        if (!isfinite(l->y[i]))
            continue;
        if (i > 0 && isfinite(l->y[i - 1]))
            pljoin(i, l->y[i - 1], i + 1, l->y[i]);
        else
            plpoin(1, (double[]){i + 1}, &l->y[i], 17);
    }
}

static void draw_panel(const struct chart_panel *p, double bottom, double top)
{
    double low, high;
    int most = 2;
    panel_range(p, &low, &high, &most);
    plvpor(0.10, 0.80, bottom, top);
    plwind(1, most, low, high);
    plcol0(GRID);
    plbox("g", 0, 0, "g", 0, 0);
    plcol0(INK);
    plbox("bcnst", 0, 0, "bcnstv", 0, 0);
    plmtex("l", 5.5, 0.5, 0.5, p->y_label);
    for (int i = 0; i < p->count; i++) {
        plcol0(series_colour(i));
        plwidth(2);
        draw_line(&p->lines[i]);
        plwidth(1);
        plmtex("rv", 1.5, 0.94 - 0.09 * i, 0, p->lines[i].name);
    }
}

int chart_curves(const char *path, const char *title, const char *x_label,
                 const struct chart_panel panels[2], struct err *err)
{
    char *aside;
    int rc = page_begin(path, 1100, 900, &aside, err);
    if (rc < 0)
        return rc;
    pladv(0);
    plschr(0, 0.8);
    draw_panel(&panels[0], 0.54, 0.92);
    plcol0(INK);
    plmtex("t", 1.5, 0.5, 0.5, title);
    draw_panel(&panels[1], 0.09, 0.47);
    plcol0(INK);
    plmtex("b", 3.2, 0.5, 0.5, x_label);
    return page_end(path, aside, err);
}

/* ---- confusion matrix ---- */

static void draw_cell(const struct nn_confusion *c, int t, int g, int64_t support)
{
    char line[32];
    double share = support > 0 ? (double)c->cell[t][g] / (double)support : 0;
    double y = c->classes - 1 - t;
    plscol0(15, (PLINT)(255 - 235 * share), (PLINT)(255 - 150 * share), (PLINT)(255 - 80 * share));
    plcol0(15);
    box(g, y, g + 1, y + 1);
    snprintf(line, sizeof line, "%lld", (long long)c->cell[t][g]);
    text(g + 0.5, y + 0.6, 0.5, share > 0.55 ? PAPER : INK, line);
    snprintf(line, sizeof line, "%.1f %%", 100 * share);
    text(g + 0.5, y + 0.3, 0.5, share > 0.55 ? PAPER : INK, line);
}

int chart_confusion(const char *path, const char *title, const struct nn_confusion *c,
                    const char *const *names, struct err *err)
{
    char *aside;
    int rc = page_begin(path, 1000, 900, &aside, err);
    if (rc < 0)
        return rc;
    pladv(0);
    plvpor(0.17, 0.97, 0.10, 0.90);
    plwind(0, c->classes, 0, c->classes);
    plschr(0, 0.7);
    for (int t = 0; t < c->classes; t++) {
        int64_t support = nn_confusion_score(c, t).support;
        for (int g = 0; g < c->classes; g++)
            draw_cell(c, t, g, support);
        plcol0(INK);
        plmtex("lv", 0.8, (c->classes - t - 0.5) / c->classes, 1, names[t]);
        plmtex("b", 1.5, (t + 0.5) / c->classes, 0.5, names[t]);
    }
    plbox("bc", 1, 0, "bc", 1, 0);
    plschr(0, 0.85);
    plmtex("t", 1.5, 0.5, 0.5, title);
    plmtex("b", 3, 0.5, 0.5, "network's answer");
    plmtex("l", 8, 0.5, 0.5, "true label");
    return page_end(path, aside, err);
}

/* ---- pie ---- */

/* A wedge from `start` to `end`, fractions of the whole, clockwise from the top. */
static void draw_wedge(double start, double end)
{
    enum { POINTS = 64 };
    double x[POINTS + 1] = {0}, y[POINTS + 1] = {0};
    for (int i = 0; i < POINTS; i++) {
        double angle = 2 * 3.14159265358979 * (start + (end - start) * i / (POINTS - 1));
        x[i + 1] = sin(angle);
        y[i + 1] = cos(angle);
    }
    plfill(POINTS + 1, x, y);
}

int chart_pie(const char *path, const char *title, const int *counts, const char *const *names,
              int n, struct err *err)
{
    char *aside, line[96];
    double whole = 0, start = 0;
    int rc = page_begin(path, 900, 650, &aside, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < n; i++)
        whole += counts[i];
    pladv(0);
    plvpas(0.03, 0.97, 0.05, 0.90, 2.2 / 3.4);
    plwind(-1.1, 2.3, -1.1, 1.1);
    plschr(0, 0.85);
    for (int i = 0; i < n; i++) {
        double share = whole > 0 ? counts[i] / whole : 0, y = 0.85 - 0.25 * i;
        plcol0(series_colour(i));
        draw_wedge(start, start + share);
        box(1.2, y - 0.06, 1.32, y + 0.06);
        snprintf(line, sizeof line, "%s  %d  (%.1f %%)", names[i], counts[i], 100 * share);
        text(1.4, y, 0, INK, line);
        start += share;
    }
    plmtex("t", 1.2, 0.5, 0.5, title);
    return page_end(path, aside, err);
}

/* ---- bars ---- */

int chart_bars(const char *path, const char *title, const char *y_label, const double *value,
               const char *const *groups, int group_count, const char *const *bars, int bar_count,
               struct err *err)
{
    char *aside;
    double top = 0, width = 0.8 / bar_count;
    int rc = page_begin(path, 1100, 650, &aside, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < group_count * bar_count; i++)
        top = fmax(top, value[i]);
    pladv(0);
    plvpor(0.11, 0.80, 0.12, 0.90);
    plwind(0, group_count, 0, top > 0 ? top * 1.06 : 1);
    plschr(0, 0.8);
    plcol0(GRID);
    plbox("", 0, 0, "g", 0, 0);
    for (int b = 0; b < bar_count; b++) {
        plcol0(series_colour(b));
        for (int g = 0; g < group_count; g++)
            box(g + 0.1 + b * width, 0, g + 0.1 + (b + 1) * width, value[g * bar_count + b]);
        plmtex("rv", 1.5, 0.95 - 0.07 * b, 0, bars[b]);
    }
    plcol0(INK);
    plbox("bc", 1, 0, "bcnstv", 0, 0);
    for (int g = 0; g < group_count; g++)
        plmtex("b", 1.5, (g + 0.5) / group_count, 0.5, groups[g]);
    plmtex("l", 6, 0.5, 0.5, y_label);
    plmtex("t", 1.5, 0.5, 0.5, title);
    return page_end(path, aside, err);
}
