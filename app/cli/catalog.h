/* The subcommands `moodreel catalog ...` and `moodreel recommend ...`. */
#ifndef CLI_CATALOG_H
#define CLI_CATALOG_H

/* argv[0] is the subcommand's own name. Return the process's exit status: 0, 1 (failed, sentence
 * printed to stderr), 2 (usage). */
int cli_catalog(int argc, char **argv);
int cli_recommend(int argc, char **argv);

#endif
