/* Running moodreel-lab on a small data set. */
#define _DEFAULT_SOURCE /* setrlimit */
#include "workshop.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/path.h"

enum { ARGS_MAX = 24 };

const char *const labels[CLASSES] = {"angry", "disgust",  "fear",   "happy",
                                     "sad",   "surprise", "neutral"};
char *dir;
const char *faces, *recipe;
static char *paths[100]; /* what in() gave out */
static size_t path_count;

/* ---- running the program ---- */

struct program start(const char *const *args, rlim_t file_limit)
{
    struct program p;
    int ends[2];
    char *argv[ARGS_MAX + 2] = {(char[]){"moodreel-lab"}};
    assert_int_equal(pipe(ends), 0);
    p.pid = fork();
    assert_true(p.pid >= 0);
    if (p.pid == 0) {
        for (int i = 0; args[i] != NULL; i++)
            argv[i + 1] = strdup(args[i]);
        if (file_limit > 0) {
            struct rlimit limit = {file_limit, file_limit};
            signal(SIGXFSZ, SIG_IGN);
            setrlimit(RLIMIT_FSIZE, &limit);
        }
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        if (strcmp(args[0], "mpirun") == 0)
            execv(MOODREEL_MPIEXEC, argv + 1);
        execv(MOODREEL_LAB, argv);
        _exit(127);
    }
    close(ends[1]);
    p.output = fdopen(ends[0], "r");
    assert_non_null(p.output);
    return p;
}

bool wait_for_line(struct program *p, const char *text)
{
    char line[1000];
    while (fgets(line, sizeof line, p->output) != NULL)
        if (strstr(line, text) != NULL)
            return true;
    return false;
}

int finish(struct program *p, struct str *output)
{
    char part[1000];
    int status;
    while (fgets(part, sizeof part, p->output) != NULL)
        str_addf(output, "%s", part);
    fclose(p->output);
    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int run(const char *const *args, rlim_t file_limit, struct str *output)
{
    struct program p = start(args, file_limit);
    str_addf(output, "%s", "");
    return finish(&p, output);
}

void expect(int got, int want, const struct str *output)
{
    if (got != want)
        fail_msg("status %d instead of %d:\n%s", got, want, output->s);
}

void expect_run(int want, const char *text, const char *const *args)
{
    struct str out = {0};
    expect(run(args, 0, &out), want, &out);
    if (strstr(out.s, text) == NULL)
        fail_msg("'%s' does not say '%s'", out.s, text);
    str_free(&out);
}

json_t *run_json(const char *const *args)
{
    struct str out = {0};
    expect(run(args, 0, &out), 0, &out);
    json_t *report = json_loads(out.s, 0, NULL);
    if (report == NULL)
        fail_msg("no JSON: %s", out.s);
    str_free(&out);
    return report;
}

/* ---- a small data set ---- */

/* A stripe pattern for each class, with noise, so that there is something to learn. */
void add_row(struct str *s, int label, const char *usage, struct rng *rng)
{
    double angle = label * 3.14159265 / CLASSES;
    str_addf(s, "%d,", label);
    for (int i = 0; i < SIDE * SIDE; i++) {
        double wave = sin((i % SIDE * cos(angle) + i / SIDE * sin(angle)) * 0.8);
        int value = (int)(128 + 60 * wave + 20 * (double)rng_normal(rng));
        str_addf(s, "%s%d", i > 0 ? " " : "", value < 0 ? 0 : value > 255 ? 255 : value);
    }
    str_addf(s, ",%s\n", usage);
}

static void write_faces(const char *path, int per_class)
{
    struct str s = {0};
    struct rng rng;
    rng_seed(&rng, 1, 0);
    str_addf(&s, "emotion,pixels,Usage\n");
    for (int i = 0; i < per_class * CLASSES; i++)
        add_row(&s, i % CLASSES, "Training", &rng);
    for (int i = 0; i < 2 * CLASSES; i++)
        add_row(&s, i % CLASSES, "PublicTest", &rng);
    for (int i = 0; i < 2 * CLASSES + 1; i++)
        add_row(&s, i % CLASSES, "PrivateTest", &rng);
    testing_write(path, s.s, s.len);
    str_free(&s);
}

const char *in(const char *folder, const char *name)
{
    struct str s = {0};
    str_addf(&s, "%s/%s", folder, name);
    assert_true(path_count < sizeof paths / sizeof *paths);
    return paths[path_count++] = s.s;
}

int workshop_setup(void **state)
{
    static const char text[] = "# a recipe\nnet = xception38\nepochs = 4\nbatch = 8\n"
                               "rate = 0.003\nflip = 0.5\nshift = 0.1\nrotate = 10\nmixup = 0.2\n"
                               "ema = 0.9\nthreads = 2\n";
    (void)state;
    dir = testing_make_dir();
    faces = in(dir, "faces.csv");
    recipe = in(dir, "recipe.conf");
    write_faces(faces, 4);
    testing_write(recipe, text, strlen(text));
    return 0;
}

int workshop_teardown(void **state)
{
    (void)state;
    testing_remove_dir(dir);
    while (path_count > 0)
        free(paths[--path_count]);
    return 0;
}

/* ---- files ---- */

struct bytes read_file(const char *folder, const char *name)
{
    struct bytes b;
    struct err err = {0};
    if (path_read(in(folder, name), &b.data, &b.len, 1 << 28, &err) < 0)
        fail_msg("%s", err.text);
    return b;
}

void assert_unchanged(struct bytes before, const char *folder, const char *name)
{
    struct bytes after = read_file(folder, name);
    assert_int_equal(before.len, after.len);
    assert_memory_equal(before.data, after.data, before.len);
    free(before.data);
    free(after.data);
}

void assert_same_file(const char *a, const char *b, const char *name)
{
    assert_unchanged(read_file(a, name), b, name);
}

struct bytes section(const struct bytes *file, const char *name)
{
    char padded[16] = {0};
    snprintf(padded, sizeof padded, "%s", name);
    for (size_t at = 24; at + 24 <= file->len;) {
        uint64_t size;
        char *bytes = (char *)file->data + at;
        memcpy(&size, bytes + 16, sizeof size);
        if (memcmp(bytes, padded, sizeof padded) == 0)
            return (struct bytes){bytes + 24, (size_t)size};
        at += 24 + (size_t)size;
    }
    fail_msg("the checkpoint has no section %s", name);
    return (struct bytes){0};
}

const char *trained_model(void)
{
    const char *folder = in(dir, "model"), *model = in(folder, "model.onnx");
    struct str out = {0};
    if (access(model, F_OK) == 0)
        return model;
    expect(RUN(&out, "train", recipe, "--data", faces, "--epochs", "2", "--out", folder), 0, &out);
    str_free(&out);
    return model;
}
