/* Any bytes as a table, in every format the importers use. No crash, no hang; every good row has as
 * many cells as the header, each ended where its length says. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "catalog/table.h"
#include "fuzz/fuzz.h"

static void check_row(const struct table *t, const struct cell *c)
{
    struct arena *a = arena_create(4096);
    for (int i = 0; i < table_columns(t); i++) {
        double number = 0;
        if (c[i].len < 0 || c[i].s[c[i].len] != '\0')
            abort();
        const char *text = table_text(a, c[i]);
        if (!utf8_valid(text, strlen(text)))
            abort();
        cell_number(c[i], &number);
    }
    arena_destroy(a);
}

static void read_all(const uint8_t *data, size_t size, const struct table_format *format)
{
    struct err err = {0};
    struct table *t = NULL;
    const struct cell *c = NULL;
    int rc = table_open_bytes(&t, "fuzz", data, size, format, &err);
    if (rc >= 0)
        while ((rc = table_next(t, &c, &err)) == 1)
            check_row(t, c);
    if (rc < 0 && (err.text[0] == '\0' || strchr(err.text, '\n') != NULL))
        abort();
    table_close(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct table_format formats[] = {
        {.delimiter = "\t"},
        {.quoted = true},
        {.delimiter = "::", .header = "a,b,c"},
        {.delimiter = ",", .quoted = true, .header = "a,b"},
    };
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        read_all(data, size, &formats[i]);
    return 0;
}
