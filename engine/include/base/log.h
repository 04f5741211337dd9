/* Log lines for developers: level, module, text. People's sentences go through err.h.
 * Each .c defines LOG_MODULE once, before including this header. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Receives one finished line without newline; runs under the log's leaf lock. */
typedef void log_sink_fn(enum log_level level, const char *module, const char *line, void *payload);

/* Set both before threads start. The default level is LOG_WARN, the default sink stderr. */
void log_set_level(enum log_level level);
void log_set_sink(log_sink_fn *sink, void *payload); /* NULL: stderr */

/* Thread safe. */
void log_write(enum log_level level, const char *module, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(...) log_write(LOG_ERROR, LOG_MODULE, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, LOG_MODULE, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, LOG_MODULE, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, LOG_MODULE, __VA_ARGS__)

#endif
