/* Failure is a negative code; the sentence for people travels beside it.
 *
 * A function that can fail takes `struct err *err` LAST and may be given NULL.
 * The lowest function that knows sets the sentence; callers add context on the
 * way up with err_prefix(); only main() prints it. Thread safe: no shared state. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err_code {
    ERR_OK = 0,
    ERR_IO = -1,          /* the system refused: open, read, write, device */
    ERR_FORMAT = -2,      /* the bytes are not what they claim to be */
    ERR_UNSUPPORTED = -3, /* well formed, but outside what we implement */
    ERR_NOT_FOUND = -4,
    ERR_RANGE = -5,       /* a value, shape or size is out of bounds */
    ERR_NO_MEMORY = -6,   /* only for sizes that come from outside (see mem.h) */
    ERR_STOPPED = -7      /* interrupted on purpose; not an error to report */
};

struct err {
    int code;
    char text[400]; /* one sentence without a final newline; "" while code is ERR_OK */
};

/* Sets code and sentence; returns `code`, so a caller can `return err_set(...)`. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "<prefix>: " before the sentence; returns err->code (ERR_IO when err is NULL). */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ERR_IO with "<what>: <strerror(errno)>". */
int err_errno(struct err *err, const char *what);

void err_clear(struct err *err);

/* The code's name, "ERR_FORMAT". Static. */
const char *err_name(int code);

#endif
