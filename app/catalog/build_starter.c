/* build-starter FOLDER FILE: makes the built-in catalogue when moodreel is built. */
#include <stdio.h>

#include "catalog/import.h"

int main(int argc, char **argv)
{
    struct err err = {0};
    struct import_stats stats;
    if (argc != 3) {
        fputs("usage: build-starter FOLDER FILE\n", stderr);
        return 2;
    }
    struct import_options o = {.kind = IMPORT_STARTER, .path = argv[1], .catalog = argv[2],
                               .replace = true};
    if (import_run(&o, &stats, &err) < 0) {
        fprintf(stderr, "build-starter: %s\n", err.text);
        return 1;
    }
    for (int i = 0; i < stats.bad_shown; i++)
        fprintf(stderr, "build-starter: %s:%lld: %s\n", stats.first_bad[i].file,
                (long long)stats.first_bad[i].line, stats.first_bad[i].reason);
    return stats.bad > 0 ? 1 : 0;
}
