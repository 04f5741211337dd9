/* One line with bar, loss, accuracy, speed and time left. */
#include "lab/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/thread.h"

enum { BAR = 12, DURATION = 24 }; /* the line fits into 80 columns */

void progress_duration(double seconds, char *out)
{
    long s = (long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(out, DURATION, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, DURATION, "%ld:%02ld", s / 60, s % 60);
}

static bool on_terminal(void)
{
    return isatty(STDERR_FILENO) == 1;
}

void progress_clear(void)
{
    if (on_terminal())
        fputs("\r\033[K", stderr);
}

bool progress_show(const struct nn_progress *s, void *epochs)
{
    static int64_t drawn_us;
    int64_t now = clock_now_us();
    if (!on_terminal() || (now - drawn_us < 100000 && s->batch < s->batches))
        return true;
    drawn_us = now;
    char bar[BAR + 1], left[DURATION], all[DURATION];
    int full = BAR * s->batch / s->batches, total = *(const int *)epochs;
    memset(bar, '.', BAR);
    memset(bar, '#', (size_t)full);
    bar[BAR] = '\0';
    double each = s->seconds / s->batch, rest = each * (s->batches - s->batch);
    progress_duration(rest, left);
    progress_duration(rest + each * s->batches * (total - s->epoch), all);
    fprintf(stderr, "\r\033[K%d/%d [%s] %d/%d loss %.3f acc %.1f %% %.0f img/s ETA %s (all %s)",
            s->epoch, total, bar, s->batch, s->batches, (double)s->loss, 100 * (double)s->accuracy,
            s->images / (s->seconds > 0 ? s->seconds : 1), left, all);
    return true;
}
