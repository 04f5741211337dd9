/* What a cell says: text in whatever encoding, numbers in whatever dress. Declared in table.h. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "catalog/table.h"

/* Windows-1252, bytes 0x80 .. 0x9f, from the table of the Unicode Consortium (CP1252.TXT). The
 * five undefined bytes become U+FFFD. Other bytes are ISO-8859-1 and equal their code point. */
static const unsigned short windows_1252[32] = {
    0x20ac, 0xfffd, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0xfffd, 0x017d, 0xfffd, 0xfffd, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0xfffd, 0x017e, 0x0178};

/* Appends a code point below 0x10000; at most three bytes. */
static size_t put_utf8(char *out, unsigned code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    out[0] = (char)(0xe0 | code >> 12);
    out[1] = (char)(0x80 | (code >> 6 & 0x3f));
    out[2] = (char)(0x80 | (code & 0x3f));
    return 3;
}

static bool is_blank(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7f;
}

/* Also the no-break spaces that the IMDB 5000 table leaves behind its titles. */
static int blank_end(struct cell c)
{
    if (c.len >= 2 && memcmp(c.s + c.len - 2, "\xc2\xa0", 2) == 0)
        return 2;
    return c.len > 0 && is_blank(c.s[c.len - 1]);
}

static struct cell trimmed(struct cell c)
{
    while (c.len > 0 && is_blank(c.s[0]))
        c.s++, c.len--;
    while (blank_end(c) > 0)
        c.len -= blank_end(c);
    return c;
}

/* Control characters inside a text separate like blanks do. */
static void blank_controls(char *s)
{
    for (; *s != '\0'; s++)
        if (is_blank(*s))
            *s = ' ';
}

/* `out` has room for 3 * c.len + 1 bytes. */
static void decode(struct cell c, char *out)
{
    size_t n = 0;
    if (utf8_valid(c.s, (size_t)c.len)) {
        memcpy(out, c.s, (size_t)c.len);
        n = (size_t)c.len;
    } else {
        for (int i = 0; i < c.len; i++) {
            unsigned char byte = (unsigned char)c.s[i];
            bool special = byte >= 0x80 && byte < 0xa0;
            n += put_utf8(out + n, special ? windows_1252[byte - 0x80] : byte);
        }
    }
    out[n] = '\0';
    blank_controls(out);
}

const char *table_text(struct arena *a, struct cell c)
{
    c = trimmed(c);
    bool valid = utf8_valid(c.s, (size_t)c.len);
    char *out = arena_alloc(a, (size_t)c.len * (valid ? 1 : 3) + 1);
    decode(c, out);
    return out;
}

void table_copy_text(struct cell c, char *out, int cap)
{
    c = trimmed(c);
    char room[3 * 512 + 1];
    int most = utf8_valid(c.s, (size_t)c.len) ? (int)utf8_trim(c.s, 512) : 512;
    c.len = c.len < most ? c.len : most;
    decode(c, room);
    size_t n = strlen(room);
    if (n > (size_t)cap - 1)
        n = utf8_trim(room, (size_t)cap - 1);
    memcpy(out, room, n);
    out[n] = '\0';
}

bool cell_number(struct cell c, double *out)
{
    c = trimmed(c);
    char digits[40];
    int n = 0;
    int i = 0;
    if (i < c.len && (c.s[i] == '-' || c.s[i] == '+'))
        digits[n++] = c.s[i++];
    for (; i < c.len && n < (int)sizeof digits - 1; i++) {
        bool separator = c.s[i] == ',' && i + 1 < c.len && isdigit((unsigned char)c.s[i + 1]);
        if (separator)
            continue;
        if (!isdigit((unsigned char)c.s[i]) && c.s[i] != '.')
            break;
        digits[n++] = c.s[i];
    }
    if (n > 0 && digits[n - 1] == '.')
        n--;
    digits[n] = '\0';
    return parse_f64(digits, -1e15, 1e15, out);
}

bool cell_int(struct cell c, int64_t min, int64_t max, int64_t *out)
{
    double number = 0;
    if (!cell_number(c, &number) || number < (double)min || number > (double)max)
        return false;
    *out = (int64_t)number;
    return true;
}

bool cell_is(struct cell c, const char *text)
{
    return (size_t)c.len == strlen(text) && memcmp(c.s, text, (size_t)c.len) == 0;
}
