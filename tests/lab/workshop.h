/* What the tests of moodreel-lab share: running the program, a small data set, files of a run. */
#ifndef LAB_WORKSHOP_H
#define LAB_WORKSHOP_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <jansson.h>

#include "base/rng.h"
#include "base/str.h"
#include "support/testing.h"

enum { SIDE = 48, CLASSES = 7 };

extern const char *const labels[CLASSES]; /* in data order */
extern char *dir;                         /* of this test program, removed at its end */
extern const char *faces;                 /* a CSV of stripe patterns, 4 a class to learn */
extern const char *recipe;                /* xception38, 4 epochs, 2 threads */

int workshop_setup(void **state);
int workshop_teardown(void **state);

/* "<folder>/<name>"; stays until the end of the test program. */
const char *in(const char *folder, const char *name);

/* The program while it runs. */
struct program {
    pid_t pid;
    FILE *output; /* stdout and stderr */
};

/* args: NULL-ended, without the program's name; "mpirun" first starts that instead. file_limit > 0:
 * no file may grow beyond it, as on a full disk. */
struct program start(const char *const *args, rlim_t file_limit);

/* Reads on until a line holds `text`; false at the end of the output. */
bool wait_for_line(struct program *p, const char *text);

/* Reads the rest; the exit status, -1 after a signal. */
int finish(struct program *p, struct str *output);
int run(const char *const *args, rlim_t file_limit, struct str *output);
#define RUN(output, ...) run((const char *const[]){__VA_ARGS__, NULL}, 0, output)
void expect(int got, int want, const struct str *output);

/* Runs the program; its status must be `want` and its output hold `text`. */
void expect_run(int want, const char *text, const char *const *args);
#define SAYS(want, text, ...) expect_run(want, text, (const char *const[]){__VA_ARGS__, NULL})
#define PASSES(...) SAYS(0, "", __VA_ARGS__)

/* Runs the program with --json; what it printed, a new object. */
json_t *run_json(const char *const *args);
#define REPORT(...) run_json((const char *const[]){__VA_ARGS__, "--json", NULL})

/* Appends a CSV row: the stripe pattern of a class, with noise. */
void add_row(struct str *s, int label, const char *usage, struct rng *rng);

struct bytes {
    void *data;
    size_t len;
};
struct bytes read_file(const char *folder, const char *name);
/* That file must still hold `before`, which is freed. */
void assert_unchanged(struct bytes before, const char *folder, const char *name);
void assert_same_file(const char *a, const char *b, const char *name);

/* The bytes of a section of a checkpoint (engine/checkpoint.h, "FORMAT"). */
struct bytes section(const struct bytes *file, const char *name);

/* A model of two epochs, trained when it is first asked for. */
const char *trained_model(void);

#endif
