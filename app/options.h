/* One table per program drives the command line, the config file, --help and --print-config.
 *
 * A program is a list of commands (`moodreel photo`) and one table of options. A spec says where
 * its value lies in the program's own struct, which commands know it, its default as text, its
 * limits and its help. Three sources are merged, the later ones winning:
 * default, config file (`long-option = value` a line, `#` comments), command line.
 * Every flag has a `--no-` form. --help, --config FILE and --print-config exist in every command.
 * Not thread safe: getopt_long() keeps static state. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

enum option_type {
    OPTION_FLAG,   /* bool */
    OPTION_INT,    /* int, min .. max */
    OPTION_NUMBER, /* double, min .. max */
    OPTION_STRING, /* const char *, NULL without default; owned by the struct options */
    OPTION_CHOICE, /* int: index into `choices` */
    OPTION_SIZE    /* struct option_size, each side min .. max */
};

struct option_size {
    int width, height;
};

struct option_spec {
    const char *group; /* heading in --help, NULL: "Options"; neighbours with the same heading stand
                        * together */
    const char *name;  /* long option and config key */
    char letter;       /* short option, 0: none */
    enum option_type type;
    size_t offset;       /* of the value in the program's struct */
    double min, max;     /* INT, NUMBER, SIZE; both 0: no limit */
    const char *arg;     /* name of the value in --help: "FILE" */
    const char *choices; /* CHOICE: "match|lift" */
    const char *value;   /* default as text, NULL: off, 0 or no string */
    unsigned commands;   /* OR of the bits of the commands that know it; 0: all */
    bool once;           /* only for one run: refused in the config file */
    const char *help;    /* one or two sentences, wrapped by the printer */
};

struct option_set {
    const char *program;             /* "moodreel" */
    const struct option_spec *specs; /* borrowed for ever */
    size_t count;
    const char *config; /* file name below the user's config folder; NULL: only --config */
};

/* Runs one command. argv[0] is the name of the command or the program. Returns the exit status;
 * when it is not 0 the sentence is in err (err->code 0: already said by other means, e.g. a list of
 * problems). */
typedef int command_fn(int argc, char **argv, struct err *err);

struct command {
    const char *name;
    const char *synopsis; /* what follows the options: "IMAGE..." */
    const char *summary;  /* one line for the list of commands */
    command_fn *run;
    unsigned bit;             /* the command's bit in option_spec.commands */
    const char *const *notes; /* paragraphs after the options in --help, NULL-ended; may be NULL */
};

enum { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2, OPTIONS_GO = -1 };

/* The values of one run and where each came from. Owns the strings it hands out. */
struct options;

/* Fills the struct `into` from defaults, command line and config file. argv[0] is skipped.
 * OPTIONS_GO: run the command; *out is set, end it with options_free().
 * Anything else is the exit status: STATUS_OK after --help or --print-config (printed on stdout),
 * STATUS_USAGE for a bad command line, STATUS_FAILED for a bad config file; *out is NULL. */
int options_begin(struct options **out, const struct option_set *set, const struct command *command,
                  void *into, int argc, char **argv, struct err *err);
void options_free(struct options *o); /* NULL is allowed */

/* The words after the options, NULL-ended; owned by o. */
char *const *options_words(const struct options *o, int *count);
/* Where a value came from: "default", "/path/moodreel.conf:3", "command line". */
const char *options_origin(const struct options *o, const char *name);
/* True when the value is not the default. */
bool options_given(const struct options *o, const char *name);
/* Reads `name = value` lines as if they were a config file: values that the command line or an
 * earlier file gave stay. For recipes and the like; the error names file and line. */
int options_load_file(struct options *o, const char *path, struct err *err);

void options_print_help(const struct option_set *set, const struct command *command, FILE *to);
/* Every value as a config line with its origin as a comment; a valid config file itself. */
void options_print_config(const struct options *o, FILE *to);

/* Picks the command named by argv[1] and runs it with the rest; without a name (or when argv[1] is
 * an option) the first command runs. `--help` in first place and `help` list all commands,
 * `--version` prints `version`. An unknown command gives STATUS_USAGE and a sentence. */
int commands_run(const struct option_set *set, const char *about, const char *version,
                 const struct command *commands, size_t count, int argc, char **argv,
                 struct err *err);

#endif
