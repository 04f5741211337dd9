/* The commands of moodreel that open no window, besides those of cli/catalog.h. Each is a
 * command_fn (options.h). */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "options.h"

int cli_photo(int argc, char **argv, struct err *err);
int cli_doctor(int argc, char **argv, struct err *err);

/* The entry of main.c's list, for options_begin(); NULL: no such command. */
const struct command *app_command(const char *name);

#endif
