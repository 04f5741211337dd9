/* The commands of moodreel besides those of cli/catalog.h. Each is a command_fn (options.h).
 * In the program moodreel-live they are live.c, cli/photo.c and cli/doctor.c; in moodreel, which
 * has neither OpenCV nor SDL, cli/hand_over.c makes the process become moodreel-live. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "options.h"

int cli_live(int argc, char **argv, struct err *err);
int cli_photo(int argc, char **argv, struct err *err);
int cli_doctor(int argc, char **argv, struct err *err);

/* The entry of main.c's list, for options_begin(); NULL: no such command. */
const struct command *app_command(const char *name);

#endif
