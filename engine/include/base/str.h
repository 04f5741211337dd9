/* Text: a growing string, strict parsing of numbers, UTF-8. Thread safe: no shared state. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing string; {0} is a valid empty one (s is then NULL). End with str_free(). */
struct str {
    char *s; /* always terminated once anything was added */
    size_t len, cap;
};

void str_addf(struct str *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void str_add(struct str *b, const char *s, size_t n);
void str_clear(struct str *b); /* keeps the memory */
void str_free(struct str *b);

/* The whole string must be one number inside [min, max], else false and *out is left alone.
 * Locale independent. */
bool parse_i64(const char *s, int64_t min, int64_t max, int64_t *out);
bool parse_f64(const char *s, double min, double max, double *out);

/* The longest prefix of s of at most max_bytes that does not cut a UTF-8 character, in bytes. */
size_t utf8_trim(const char *s, size_t max_bytes);
/* True when the n bytes are well-formed UTF-8 (RFC 3629, section 3). */
bool utf8_valid(const char *s, size_t n);

#endif
