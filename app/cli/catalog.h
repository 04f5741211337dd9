/* The commands `moodreel catalog ...` and `moodreel recommend ...`: each is a command_fn of
 * options.h with its own option table, so main.c only lists them. */
#ifndef CLI_CATALOG_H
#define CLI_CATALOG_H

#include "base/err.h"

int cli_catalog(int argc, char **argv, struct err *err);
int cli_recommend(int argc, char **argv, struct err *err);

#endif
