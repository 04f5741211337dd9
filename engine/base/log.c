/* Levels, one sink, module tag. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

static struct {
    pthread_mutex_t lock; /* leaf; protects the sink while a line is written */
    enum log_level level; /* set before threads start */
    log_sink_fn *sink;
    void *payload;
} log_state = {PTHREAD_MUTEX_INITIALIZER, LOG_WARN, NULL, NULL};

void log_set_level(enum log_level level)
{
    log_state.level = level;
}

void log_set_sink(log_sink_fn *sink, void *payload)
{
    log_state.sink = sink;
    log_state.payload = payload;
}

void log_write(enum log_level level, const char *module, const char *fmt, ...)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    if (level > log_state.level)
        return;
    char line[1000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    pthread_mutex_lock(&log_state.lock);
    if (log_state.sink != NULL)
        log_state.sink(level, module, line, log_state.payload);
    else
        fprintf(stderr, "%s %s: %s\n", names[level], module, line);
    pthread_mutex_unlock(&log_state.lock);
}
