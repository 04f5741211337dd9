/* moodreel-lab as its users run it: a training that is killed and resumed, evaluation, and the
 * sentence for every kind of bad input. */
#define _DEFAULT_SOURCE /* setrlimit */
#include "support/testing.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "base/path.h"
#include "base/rng.h"
#include "base/str.h"
#include "nn/onnx.h"
#include "nn/tape.h"

enum { SIDE = 48, CLASSES = 7, ARGS_MAX = 32 };

static const char *const labels[CLASSES] = {"angry", "disgust",  "fear",   "happy",
                                            "sad",   "surprise", "neutral"};

/* ---- running the program ---- */

struct program {
    pid_t pid;
    FILE *output; /* stdout and stderr */
};

/* args: NULL-ended, without the program's name; from "mpirun" on those of the launcher, when that
 * is the first. file_limit > 0: no file may grow beyond it, as on a full disk. */
static struct program start(const char *const *args, rlim_t file_limit)
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

/* Reads on until a line holds `text`; false at the end of the output. */
static bool wait_for_line(struct program *p, const char *text)
{
    char line[1000];
    while (fgets(line, sizeof line, p->output) != NULL)
        if (strstr(line, text) != NULL)
            return true;
    return false;
}

static int finish(struct program *p, struct str *output)
{
    char part[1000];
    int status;
    while (fgets(part, sizeof part, p->output) != NULL)
        str_addf(output, "%s", part);
    fclose(p->output);
    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run(const char *const *args, rlim_t file_limit, struct str *output)
{
    struct program p = start(args, file_limit);
    str_addf(output, "%s", "");
    return finish(&p, output);
}

#define RUN(output, ...) run((const char *const[]){__VA_ARGS__, NULL}, 0, output)

static void expect(int got, int want, const struct str *output)
{
    if (got != want)
        fail_msg("status %d instead of %d:\n%s", got, want, output->s);
}

/* ---- a small data set ---- */

/* A stripe pattern for each class, with noise, so that there is something to learn. */
static void add_row(struct str *s, int label, const char *usage, struct rng *rng)
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

static char *dir;
static char *paths[100]; /* what in() gave out */
static size_t path_count;
static const char *faces, *recipe; /* in dir */

/* "<folder>/<name>"; stays until the end of the test program. */
static const char *in(const char *folder, const char *name)
{
    struct str s = {0};
    str_addf(&s, "%s/%s", folder, name);
    assert_true(path_count < sizeof paths / sizeof *paths);
    return paths[path_count++] = s.s;
}

static int setup(void **state)
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

static int teardown(void **state)
{
    (void)state;
    testing_remove_dir(dir);
    while (path_count > 0)
        free(paths[--path_count]);
    return 0;
}

struct bytes {
    void *data;
    size_t len;
};

static struct bytes read_file(const char *folder, const char *name)
{
    struct bytes b;
    struct err err = {0};
    if (path_read(in(folder, name), &b.data, &b.len, 1 << 28, &err) < 0)
        fail_msg("%s", err.text);
    return b;
}

static void assert_same_file(const char *a, const char *b, const char *name)
{
    struct bytes x = read_file(a, name), y = read_file(b, name);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
    free(x.data);
    free(y.data);
}

/* The bytes of a section of a checkpoint (engine/checkpoint.h, "FORMAT"). */
static struct bytes section(const struct bytes *file, const char *name)
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

/* ---- tests ---- */

static void test_killed_and_resumed_equals_uninterrupted(void **state)
{
    (void)state;
    const char *whole = in(dir, "whole"), *cut = in(dir, "cut");
    struct str out = {0};
    const char *args[] = {"train",         recipe,  "--data", faces,
                          "--rate", /* all digits count */
                          "0.00312345678", "--out", whole,    NULL};
    expect(run(args, 0, &out), 0, &out);
    args[7] = cut;
    struct program p = start(args, 0);
    assert_true(wait_for_line(&p, "epoch 2/4"));
    kill(p.pid, SIGKILL); /* epoch 1 is saved, epoch 2 perhaps */
    finish(&p, &out);
    str_clear(&out);
    expect(RUN(&out, "train", "--resume", "--out", cut), 0, &out);
    assert_null(strstr(out.s, "epoch 1/4"));
    assert_non_null(strstr(out.s, "epoch 4/4"));
    assert_same_file(whole, cut, "model.onnx");
    static const char *const sections[] = {"state", "weights", "optimizer"};
    struct bytes a = read_file(whole, "checkpoint"), b = read_file(cut, "checkpoint");
    for (int i = 0; i < 3; i++) {
        struct bytes x = section(&a, sections[i]), y = section(&b, sections[i]);
        assert_int_equal(x.len, y.len);
        assert_true(x.len > 0);
        assert_memory_equal(x.data, y.data, x.len);
    }
    free(a.data);
    free(b.data);
    str_free(&out);
}

static void test_same_seed_same_model_whatever_the_threads(void **state)
{
    (void)state;
    const char *one = in(dir, "one"), *two = in(dir, "two");
    struct str out = {0};
    expect(RUN(&out, "train", recipe, "--data", faces, "--epochs", "1", "--threads", "1", "--out",
               one),
           0, &out);
    expect(RUN(&out, "train", recipe, "--data", faces, "--epochs", "1", "--threads", "2", "--out",
               two),
           0, &out);
    assert_same_file(one, two, "model.onnx");
    str_free(&out);
}

static void skip_without_mpi(void)
{
    if (MOODREEL_MPIEXEC[0] != '\0')
        return;
    print_message("skipped: this build is without MPI\n");
    skip();
}

static void test_two_ranks_learn_what_one_does(void **state)
{
    (void)state;
    skip_without_mpi();
    const char *one = in(dir, "alone"), *two = in(dir, "shared");
    struct str out = {0};
    expect(RUN(&out, "train", recipe, "--data", faces, "--optimizer", "sgd", "--schedule",
               "constant", "--epochs", "2", "--threads", "1", "--out", one),
           0, &out);
    str_clear(&out);
    expect(RUN(&out, "mpirun", "-n", "2", MOODREEL_LAB, "train", recipe, "--data", faces,
               "--optimizer", "sgd", "--schedule", "constant", "--epochs", "1", "--threads", "1",
               "--out", two),
           0, &out);
    assert_non_null(strstr(out.s, "epoch 1/1"));
    assert_null(strstr(strstr(out.s, "epoch 1/1") + 1, "epoch 1/1")); /* one rank speaks */
    str_clear(&out);
    expect(RUN(&out, "mpirun", "-n", "2", MOODREEL_LAB, "train", "--resume", "--epochs", "2",
               "--out", two),
           0, &out);
    struct bytes a = read_file(one, "checkpoint"), b = read_file(two, "checkpoint");
    struct bytes x = section(&a, "weights"), y = section(&b, "weights");
    assert_int_equal(x.len, y.len);
    for (size_t i = 0; i < x.len / sizeof(float); i++) {
        float want, got;
        memcpy(&want, (char *)x.data + i * sizeof want, sizeof want);
        memcpy(&got, (char *)y.data + i * sizeof got, sizeof got);
        if (!(fabsf(want - got) <= 1e-4f + 1e-3f * fabsf(want)))
            fail_msg("weight %zu is %g alone, %g shared", i, (double)want, (double)got);
    }
    free(a.data);
    free(b.data);
    str_free(&out);
}

/* Kills a process that `parent` started, as a machine that fails would. */
static int kill_child_of(pid_t parent)
{
    char path[64];
    long child = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld", &child), 1);
    fclose(f);
    return kill((pid_t)child, SIGKILL);
}

static void test_a_failing_rank_ends_all(void **state)
{
    (void)state;
    skip_without_mpi();
    struct str out = {0};
    int status = RUN(&out, "mpirun", "-n", "2", MOODREEL_LAB, "train", recipe, "--data", faces,
                     "--batch", "6", "--out", in(dir, "odd"));
    assert_true(status > 0);
    assert_non_null(strstr(out.s, "of 2: a batch of 6 does not spread over 2 ranks"));
    str_clear(&out);
    const char *args[] = {"mpirun", "-n",  "2",        MOODREEL_LAB, "train", recipe,
                          "--data", faces, "--epochs", "500",        "--out", in(dir, "dies"),
                          NULL};
    struct program p = start(args, 0);
    assert_true(wait_for_line(&p, "epoch 1/500"));
    assert_int_equal(kill_child_of(p.pid), 0);
    assert_true(finish(&p, &out) > 0);
    assert_non_null(strstr(out.s, "signal 9"));
    str_free(&out);
}

/* A model of two epochs, trained when it is first asked for. */
static const char *trained_model(void)
{
    const char *folder = in(dir, "model"), *model = in(folder, "model.onnx");
    struct str out = {0};
    if (access(model, F_OK) == 0)
        return model;
    expect(RUN(&out, "train", recipe, "--data", faces, "--epochs", "2", "--out", folder), 0, &out);
    str_free(&out);
    return model;
}

static void test_evaluate_adds_up(void **state)
{
    (void)state;
    const char *model = trained_model(), *sheet = in(dir, "report");
    struct str out = {0};
    expect(RUN(&out, "evaluate", model, "--data", faces, "--split", "PrivateTest", "--json",
               "--out", sheet, "--samples", "5"),
           0, &out);
    json_t *report = json_loads(out.s, 0, NULL);
    assert_non_null(report);
    json_t *confusion = json_object_get(report, "confusion");
    json_t *per_class = json_object_get(report, "per_class");
    json_int_t right = 0, all = 0;
    for (size_t t = 0; t < CLASSES; t++) {
        json_int_t row = 0;
        for (size_t g = 0; g < CLASSES; g++)
            row += json_integer_value(json_array_get(json_array_get(confusion, t), g));
        right += json_integer_value(json_array_get(json_array_get(confusion, t), t));
        all += row;
        json_t *class = json_object_get(per_class, labels[t]);
        assert_int_equal(row, t == 0 ? 3 : 2); /* 15 rows, one more of the first class */
        assert_int_equal(json_integer_value(json_object_get(class, "support")), row);
        assert_true(json_is_real(json_object_get(class, "f1")));
    }
    assert_int_equal(all, 2 * CLASSES + 1);
    double accuracy = json_real_value(json_object_get(report, "accuracy"));
    assert_true(fabs(accuracy - (double)right / (double)all) < 1e-6);
    assert_true(json_is_real(json_object_get(report, "macro_f1")));
    double ece = json_real_value(json_object_get(report, "ece"));
    assert_true(ece >= 0 && ece <= 1);
    json_decref(report);
    static const char *const files[] = {"confusion.csv", "confusion.png", "classes.png",
                                        "samples.png"};
    for (int i = 0; i < 4; i++) {
        struct bytes b = read_file(sheet, files[i]);
        assert_true(b.len > 50);
        free(b.data);
    }
    str_free(&out);
}

/* The numbers of one tensor of a model file; free() them. */
static float *read_tensor(const char *model, const char *name, size_t *count)
{
    struct nn_graph *g;
    struct nn_tape *t;
    struct err err = {0};
    float *copy = NULL;
    int n;
    if (nn_onnx_load(&g, model, &err) < 0 || nn_tape_create(&t, g, 1, NN_FP32, NULL, &err) < 0)
        fail_msg("%s", err.text);
    const struct nn_tape_span *spans = nn_tape_spans(t, &n);
    for (int i = 0; i < n; i++) {
        if (strcmp(spans[i].name, name) != 0)
            continue;
        *count = spans[i].count;
        copy = malloc(*count * sizeof *copy);
        assert_non_null(copy);
        memcpy(copy, nn_tape_weights(t) + spans[i].offset, *count * sizeof *copy);
    }
    nn_tape_destroy(t);
    nn_graph_destroy(g);
    assert_non_null(copy);
    return copy;
}

static bool same_tensor(const char *a, const char *b, const char *name)
{
    size_t n = 0, m = 0;
    float *x = read_tensor(a, name, &n), *y = read_tensor(b, name, &m);
    bool same = n == m && memcmp(x, y, n * sizeof *x) == 0;
    free(x);
    free(y);
    return same;
}

static void test_transfer_keeps_what_is_frozen(void **state)
{
    (void)state;
    const char *base = trained_model(), *folder = in(dir, "transfer");
    struct str out = {0};
    expect(RUN(&out, "train", recipe, "--data", faces, "--epochs", "1", "--init", base, "--freeze",
               "v72", "--out", folder),
           0, &out);
    const char *model = in(folder, "model.onnx");
    assert_true(same_tensor(base, model, "Conv_0.weight"));
    assert_true(same_tensor(base, model, "Conv_24.weight"));
    assert_false(same_tensor(base, model, "Conv_28.weight"));
    assert_false(same_tensor(base, model, "Conv_50.weight"));
    str_free(&out);
}

static void test_a_teacher_changes_what_is_learnt(void **state)
{
    (void)state;
    const char *teacher = trained_model();
    const char *with = in(dir, "taught"), *without = in(dir, "untaught");
    struct str out = {0};
    expect(RUN(&out, "train", recipe, "--data", faces, "--epochs", "1", "--teacher", teacher,
               "--out", with),
           0, &out);
    expect(RUN(&out, "train", recipe, "--data", faces, "--epochs", "1", "--out", without), 0, &out);
    assert_false(same_tensor(in(with, "model.onnx"), in(without, "model.onnx"), "Conv_50.weight"));
    str_free(&out);
}

static void test_votes_train_the_second_head(void **state)
{
    (void)state;
    const char *votes = in(dir, "votes.csv"), *folder = in(dir, "heads");
    struct str s = {0}, out = {0};
    str_addf(&s, "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,"
                 "unknown,NF\n");
    for (int i = 0; i < 4 * CLASSES + 4 * CLASSES + 1; i++)
        str_addf(&s, "x,y,%s\n", i % 2 == 0 ? "9,1,0,0,0,0,0,0,0,0" : "0,8,0,0,0,0,0,0,2,0");
    testing_write(votes, s.s, s.len);
    expect(RUN(&out, "train", "--net", "moodreel-fast", "--data", faces, "--votes", votes,
               "--epochs", "1", "--batch", "8", "--out", folder),
           0, &out);
    str_clear(&out);
    expect(RUN(&out, "evaluate", in(folder, "model.onnx"), "--data", faces, "--votes", votes,
               "--json"),
           0, &out);
    json_t *report = json_loads(out.s, 0, NULL);
    assert_non_null(report);
    json_t *ferplus = json_object_get(report, "ferplus");
    assert_int_equal(json_integer_value(json_object_get(ferplus, "count")), 2 * CLASSES + 1);
    assert_true(json_is_real(json_object_get(report, "both_heads_accuracy")));
    json_decref(report);
    str_clear(&out);
    expect(RUN(&out, "train", "--net", "moodreel-fast", "--data", faces, "--batch", "8", "--out",
               in(dir, "voteless")),
           1, &out);
    assert_non_null(strstr(out.s, "the data no votes"));
    str_free(&s);
    str_free(&out);
}

static double accuracy_of(const char *model)
{
    struct str out = {0};
    expect(RUN(&out, "evaluate", model, "--data", faces, "--json"), 0, &out);
    json_t *report = json_loads(out.s, 0, NULL);
    assert_non_null(report);
    double accuracy = json_real_value(json_object_get(report, "accuracy"));
    json_decref(report);
    str_free(&out);
    return accuracy;
}

/* Then in 8 bits, from a file that says what the first one said. */
static void test_learning_reaches_the_pattern(void **state)
{
    (void)state;
    const char *folder = in(dir, "learnt"), *model = in(folder, "model.onnx");
    const char *bytes = in(folder, "int8.onnx");
    struct str out = {0};
    expect(RUN(&out, "train", recipe, "--data", faces, "--epochs", "25", "--mixup", "0", "--ema",
               "0", "--shift", "0", "--rotate", "0", "--flip", "0", "--out", folder),
           0, &out);
    assert_true(accuracy_of(model) > 0.7);
    str_clear(&out);
    expect(RUN(&out, "quantize", model, "--data", faces, "--out", bytes), 0, &out);
    assert_non_null(strstr(out.s, " PublicTest pictures: float "));
    assert_true(accuracy_of(bytes) > 0.7);
    str_clear(&out);
    expect(RUN(&out, "bench", bytes, "--runs", "1", "--batch", "1", "--threads", "1", "--json"), 0,
           &out);
    assert_non_null(strstr(out.s, "\"type\": \"int8\""));
    str_clear(&out);
    expect(RUN(&out, "quantize", model, "--data", faces), 2, &out);
    str_free(&out);
}

static size_t count_of(const char *text, const char *part)
{
    size_t n = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        n++;
    return n;
}

/* A float model is timed in every type, training in both that it knows, and each alone on demand;
 * a training in bfloat16 goes on as one. */
static void test_precisions(void **state)
{
    (void)state;
    const char *folder = in(dir, "rounded"), *model = in(folder, "model.onnx");
    struct str out = {0};
    expect(RUN(&out, "train", recipe, "--data", faces, "--precision", "bf16", "--epochs", "1",
               "--out", folder),
           0, &out);
    str_clear(&out);
    expect(RUN(&out, "train", "--resume", "--out", folder, "--epochs", "2"), 0, &out);
    struct bytes kept = read_file(folder, "recipe.conf");
    assert_non_null(strstr((const char *)kept.data, "precision = bf16"));
    free(kept.data);
    str_clear(&out);
    expect(RUN(&out, "bench", model, "--runs", "1", "--batch", "2", "--threads", "1", "--json"), 0,
           &out);
    assert_int_equal(count_of(out.s, "\"type\": "), 3);
    str_clear(&out);
    expect(RUN(&out, "bench", model, "--train", "--runs", "1", "--batch", "2", "--json"), 0, &out);
    assert_int_equal(count_of(out.s, "\"images_per_second\": "), 2);
    str_clear(&out);
    expect(RUN(&out, "bench", model, "--train", "--precision", "bf16", "--runs", "1", "--batch",
               "2"),
           0, &out);
    assert_non_null(strstr(out.s, " bf16 "));
    assert_null(strstr(out.s, " fp32 "));
    str_free(&out);
}

static void test_nan_keeps_the_best_model(void **state)
{
    (void)state;
    const char *folder = in(dir, "diverged");
    struct str out = {0};
    expect(RUN(&out, "train", recipe, "--data", faces, "--optimizer", "sgd", "--clip", "0",
               "--schedule", "step", "--step-every", "1", "--rate", "0.001", "--epochs", "1",
               "--out", folder),
           0, &out);
    struct bytes before = read_file(folder, "model.onnx");
    str_clear(&out);
    expect(RUN(&out, "train", "--resume", "--out", folder, "--epochs", "9", "--rate", "100"), 1,
           &out);
    assert_non_null(strstr(out.s, "keeps the best model (epoch 1)"));
    assert_non_null(strstr(out.s, "the loss is not a number any more"));
    struct bytes after = read_file(folder, "model.onnx");
    assert_int_equal(before.len, after.len);
    assert_memory_equal(before.data, after.data, before.len);
    free(before.data);
    free(after.data);
    str_free(&out);
}

static void test_full_disk_loses_nothing(void **state)
{
    (void)state;
    const char *folder = in(dir, "full");
    struct str out = {0};
    expect(RUN(&out, "train", recipe, "--data", faces, "--epochs", "1", "--out", folder), 0, &out);
    struct bytes model = read_file(folder, "model.onnx"),
                 state_file = read_file(folder, "checkpoint");
    const char *const again[] = {"train", "--resume", "--out", folder, "--epochs", "3", NULL};
    str_clear(&out);
    expect(run(again, 100000, &out), 1, &out);
    assert_non_null(strstr(out.s, "File too large"));
    assert_non_null(strstr(out.s, folder));
    struct bytes model2 = read_file(folder, "model.onnx"), state2 = read_file(folder, "checkpoint");
    assert_memory_equal(model.data, model2.data, model.len);
    assert_memory_equal(state_file.data, state2.data, state_file.len);
    free(model.data);
    free(model2.data);
    free(state_file.data);
    free(state2.data);
    str_clear(&out);
    expect(run(again, 0, &out), 0, &out);
    str_free(&out);
}

static void test_checkpoint_must_fit(void **state)
{
    (void)state;
    const char *folder = in(dir, "other");
    struct str out = {0};
    expect(RUN(&out, "train", recipe, "--data", faces, "--epochs", "1", "--out", folder), 0, &out);
    str_clear(&out);
    expect(RUN(&out, "train", recipe, "--data", faces, "--out", folder), 1, &out);
    assert_non_null(strstr(out.s, "holds a training already"));
    str_clear(&out);
    expect(RUN(&out, "train", "--resume", "--out", folder, "--net", "cnn1"), 1, &out);
    assert_non_null(strstr(out.s, "other/checkpoint: the checkpoint does not belong to this"));
    struct bytes b = read_file(folder, "checkpoint");
    ((char *)b.data)[b.len / 2] ^= 1;
    testing_write(in(folder, "checkpoint"), b.data, b.len);
    str_clear(&out);
    expect(RUN(&out, "train", "--resume", "--out", folder, "--epochs", "2"), 1, &out);
    assert_non_null(strstr(out.s, "other/checkpoint: the checkpoint is damaged"));
    testing_write(in(folder, "checkpoint"), b.data, b.len / 2);
    str_clear(&out);
    expect(RUN(&out, "train", "--resume", "--out", folder, "--epochs", "2"), 1, &out);
    assert_non_null(strstr(out.s, "other/checkpoint: "));
    free(b.data);
    str_free(&out);
}

static void test_bad_input(void **state)
{
    (void)state;
    const char *bad = in(dir, "bad.conf"), *rows = in(dir, "rows.csv"), *out_dir = in(dir, "never");
    testing_write(bad, "net = xception38\n\nepochs = many\n", 32);
    struct str s = {0};
    struct rng rng;
    rng_seed(&rng, 1, 0);
    str_addf(&s, "emotion,pixels,Usage\n");
    for (int i = 0; i < CLASSES - 1; i++)
        add_row(&s, i, "Training", &rng);
    testing_write(rows, s.s, s.len);
    str_free(&s);
    const struct {
        const char *args[12];
        int status;
        const char *want;
    } cases[] = {
        {{"train", recipe, "--data", faces}, 2, "--out DIR"},
        {{"train", recipe, "more", "--out", out_dir}, 2, "one recipe, not 2"},
        {{"train", "--optimizer", "magic", "--out", out_dir}, 2, "sgd|rmsprop|adam|adamw"},
        {{"train", "--epochs", "0", "--out", out_dir}, 2, "--epochs"},
        {{"train", bad, "--data", faces, "--out", out_dir}, 1, "bad.conf:3: epochs"},
        {{"train", "none.conf", "--out", out_dir}, 1, "none.conf: No such file"},
        {{"train", recipe, "--out", out_dir}, 1, "--data"},
        {{"train", "--data", faces, "--out", out_dir}, 1, "--net"},
        {{"train", "--net", "vgg99", "--data", faces, "--out", out_dir}, 1, "vgg99"},
        {{"train", recipe, "--data", rows, "--out", out_dir},
         1,
         "rows.csv: there is no Training "
         "picture of class 'neutral'"},
        {{"train", recipe, "--data", faces, "--batch", "999", "--out", out_dir}, 1, "one batch of"},
        {{"train", recipe, "--data", faces, "--freeze", "nothing", "--out", out_dir}, 1, "nothing"},
        {{"train", recipe, "--data", faces, "--init", recipe, "--out", out_dir}, 1, "recipe.conf"},
        {{"train", "--resume", "--out", out_dir}, 1, "never/recipe.conf: No such file"},
        {{"evaluate", "--data", faces}, 2, "one model, not 0"},
        {{"evaluate", "none.onnx", "--data", faces}, 1, "none.onnx"},
        {{"evaluate", "none.onnx", "--samples", "9"}, 2, "--out DIR"},
        {{"evaluate", faces, "--data", faces}, 1, "faces.csv"},
        {{"data", "none.csv"}, 1, "none.csv: No such file"},
        {{"data"}, 2, "one file or folder, not 0"},
        {{"export", "--out", out_dir}, 2, "one model or --net NAME"},
        {{"crossval", recipe, "--data", faces}, 2, "--out DIR"},
        {{"juggle"}, 2, "juggle"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str out = {0};
        expect(run(cases[i].args, 0, &out), cases[i].status, &out);
        if (strstr(out.s, cases[i].want) == NULL)
            fail_msg("case %zu: '%s' does not say '%s'", i, out.s, cases[i].want);
        str_free(&out);
    }
    assert_int_equal(access(in(out_dir, "model.onnx"), F_OK), -1);
}

static void test_data_counts_rows_and_duplicates(void **state)
{
    (void)state;
    const char *path = in(dir, "twins.csv");
    struct str s = {0}, out = {0};
    struct rng rng;
    rng_seed(&rng, 2, 0);
    str_addf(&s, "emotion,pixels,Usage\n");
    size_t start_of_row = s.len;
    add_row(&s, 3, "Training", &rng);
    struct str twin = {0};
    str_add(&twin, s.s + start_of_row, s.len - start_of_row);
    str_add(&s, twin.s, twin.len);
    twin.len -= strlen("Training\n");
    str_add(&s, twin.s, twin.len);
    str_addf(&s, "PrivateTest\n");
    add_row(&s, 4, "PrivateTest", &rng);
    testing_write(path, s.s, s.len);
    const char *look = in(dir, "look");
    expect(RUN(&out, "data", path, "--json", "--out", look, "--samples", "2"), 0, &out);
    assert_int_equal(access(in(look, "classes.png"), F_OK), 0);
    assert_int_equal(access(in(look, "training.png"), F_OK), 0);
    assert_int_equal(access(in(look, "samples-happy.png"), F_OK), 0);
    json_t *report = json_loads(out.s, 0, NULL);
    assert_non_null(report);
    json_t *splits = json_object_get(report, "splits");
    json_t *training = json_object_get(splits, "Training");
    json_t *private_test = json_object_get(splits, "PrivateTest");
    assert_int_equal(json_integer_value(json_object_get(training, "pictures")), 2);
    assert_int_equal(json_integer_value(json_object_get(training, "repeats")), 1);
    assert_int_equal(json_integer_value(json_object_get(private_test, "seen_before")), 1);
    json_decref(report);
    str_free(&twin);
    str_free(&s);
    str_free(&out);
}

static void test_crossval_measures_every_fold(void **state)
{
    (void)state;
    const char *folder = in(dir, "folds");
    struct str out = {0};
    expect(RUN(&out, "crossval", recipe, "--data", faces, "--folds", "2", "--epochs", "1", "--out",
               folder),
           0, &out);
    assert_non_null(strstr(out.s, "dedup: 0 of 28 Training pictures dropped"));
    assert_non_null(strstr(out.s, "fold 2 of 2: "));
    assert_non_null(strstr(out.s, "mean "));
    str_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_and_resumed_equals_uninterrupted),
        cmocka_unit_test(test_same_seed_same_model_whatever_the_threads),
        cmocka_unit_test(test_two_ranks_learn_what_one_does),
        cmocka_unit_test(test_a_failing_rank_ends_all),
        cmocka_unit_test(test_evaluate_adds_up),
        cmocka_unit_test(test_transfer_keeps_what_is_frozen),
        cmocka_unit_test(test_a_teacher_changes_what_is_learnt),
        cmocka_unit_test(test_votes_train_the_second_head),
        cmocka_unit_test(test_learning_reaches_the_pattern),
        cmocka_unit_test(test_precisions),
        cmocka_unit_test(test_nan_keeps_the_best_model),
        cmocka_unit_test(test_full_disk_loses_nothing),
        cmocka_unit_test(test_checkpoint_must_fit),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_data_counts_rows_and_duplicates),
        cmocka_unit_test(test_crossval_measures_every_fold),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
