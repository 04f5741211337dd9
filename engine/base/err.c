/* Error codes and the sentence that travels with them. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Names from files may hold anything: one line, and nothing that a terminal obeys. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 127)
            *text = '?';
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
    if (err != NULL) {
        va_list ap;
        va_start(ap, fmt);
        err->code = code;
        vsnprintf(err->text, sizeof err->text, fmt, ap);
        va_end(ap);
        make_printable(err->text);
    }
    return code;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
    if (err == NULL)
        return ERR_IO;
    char text[sizeof err->text];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof text)
        snprintf(text + n, sizeof text - (size_t)n, ": %s", err->text);
    memcpy(err->text, text, sizeof text);
    make_printable(err->text);
    return err->code;
}

int err_errno(struct err *err, const char *what)
{
    int saved = errno;
    return err_set(err, ERR_IO, "%s: %s", what, strerror(saved));
}

void err_clear(struct err *err)
{
    if (err != NULL) {
        err->code = ERR_OK;
        err->text[0] = '\0';
    }
}

const char *err_name(int code)
{
    static const char *const names[] = {"ERR_OK",        "ERR_IO",    "ERR_FORMAT",
                                        "ERR_UNSUPPORTED", "ERR_NOT_FOUND", "ERR_RANGE",
                                        "ERR_NO_MEMORY", "ERR_STOPPED"};
    int index = -code;
    return index >= 0 && index < (int)(sizeof names / sizeof names[0]) ? names[index] : "ERR_?";
}
