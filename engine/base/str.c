/* String builder, strict number parsing, UTF-8. */
#include "base/str.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void str_add(struct str *b, const char *s, size_t n)
{
    b->s = mem_grow(b->s, &b->cap, b->len + n + 1, 1);
    memcpy(b->s + b->len, s, n);
    b->len += n;
    b->s[b->len] = '\0';
}

void str_addf(struct str *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    b->s = mem_grow(b->s, &b->cap, b->len + (size_t)n + 1, 1);
    va_start(ap, fmt);
    vsnprintf(b->s + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

void str_clear(struct str *b)
{
    b->len = 0;
    if (b->s != NULL)
        b->s[0] = '\0';
}

void str_free(struct str *b)
{
    free(b->s);
    *b = (struct str){0};
}

/* strtod and strtoll skip leading white space; a strict number has none. */
static bool starts_like_number(const char *s)
{
    return (*s >= '0' && *s <= '9') || *s == '-' || *s == '+' || *s == '.';
}

bool parse_i64(const char *s, int64_t min, int64_t max, int64_t *out)
{
    char *end;
    if (!starts_like_number(s))
        return false;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (errno != 0 || end == s || *end != '\0' || v < min || v > max)
        return false;
    *out = v;
    return true;
}

/* strtod() reads the decimal point of the locale; ours is always '.'. */
static double strtod_c(const char *s, char **end)
{
    const char *point = localeconv()->decimal_point;
    if (point[0] == '.' && point[1] == '\0')
        return strtod(s, end);
    char copy[64];
    size_t n = strcspn(s, ".");
    if (strlen(s) + strlen(point) >= sizeof copy) {
        *end = (char *)(uintptr_t)s;
        return 0.0;
    }
    snprintf(copy, sizeof copy, "%.*s%s%s", (int)n, s, s[n] == '.' ? point : "",
             s[n] == '.' ? s + n + 1 : "");
    char *stop;
    double v = strtod(copy, &stop);
    *end = (char *)(uintptr_t)(*stop == '\0' ? s + strlen(s) : s);
    return v;
}

bool parse_f64(const char *s, double min, double max, double *out)
{
    char *end;
    if (!starts_like_number(s))
        return false;
    double v = strtod_c(s, &end);
    if (end == s || *end != '\0' || !(v >= min && v <= max))
        return false;
    *out = v;
    return true;
}

size_t utf8_trim(const char *s, size_t max_bytes)
{
    size_t n = strlen(s);
    if (n <= max_bytes)
        return n;
    n = max_bytes;
    while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
        n--;
    return n;
}

/* Bytes of the character that starts at s, 0 when it is malformed. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
    if (s[0] < 0x80)
        return 1;
    size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool surrogate = s[0] == 0xed && s[1] > 0x9f;
    bool beyond = s[0] == 0xf4 && s[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : len;
}

bool utf8_valid(const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t len = utf8_length((const unsigned char *)s + i, n - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}
