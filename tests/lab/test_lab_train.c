/* Trainings as users of moodreel-lab run them: killed and resumed, taught, diverged, on a full
 * disk. */
#include "workshop.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "nn/onnx.h"
#include "nn/tape.h"

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
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--threads", "1", "--out", one);
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--threads", "2", "--out", two);
    assert_same_file(one, two, "model.onnx");
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
    PASSES("train", recipe, "--data", faces, "--optimizer", "sgd", "--schedule", "constant",
           "--epochs", "2", "--threads", "1", "--out", one);
    str_clear(&out);
    expect(RUN(&out, "mpirun", "-n", "2", MOODREEL_LAB, "train", recipe, "--data", faces,
               "--optimizer", "sgd", "--schedule", "constant", "--epochs", "1", "--threads", "1",
               "--out", two),
           0, &out);
    assert_non_null(strstr(out.s, "epoch 1/1"));
    assert_null(strstr(strstr(out.s, "epoch 1/1") + 1, "epoch 1/1")); /* one rank speaks */
    PASSES("mpirun", "-n", "2", MOODREEL_LAB, "train", "--resume", "--epochs", "2", "--out", two);
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

static int input_side(const char *model)
{
    struct nn_graph *g;
    struct err err = {0};
    if (nn_onnx_load(&g, model, &err) < 0)
        fail_msg("%s", err.text);
    int side = (int)nn_graph_shape(g, nn_graph_input(g, 0))->dims[2];
    nn_graph_destroy(g);
    return side;
}

static void test_transfer_keeps_what_is_frozen(void **state)
{
    (void)state;
    const char *base = trained_model(), *folder = in(dir, "transfer");
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--init", base, "--freeze", "v72",
           "--out", folder);
    const char *model = in(folder, "model.onnx");
    assert_true(same_tensor(base, model, "Conv_0.weight"));
    assert_true(same_tensor(base, model, "Conv_24.weight"));
    assert_false(same_tensor(base, model, "Conv_28.weight"));
    assert_false(same_tensor(base, model, "Conv_50.weight"));
}

/* One step at rate 0 shows what a training starts from. */
static void test_a_new_head_starts_fresh(void **state)
{
    (void)state;
    const char *base = trained_model(), *same = in(dir, "same-head"), *new = in(dir, "new-head");
    const char *fresh = in(dir, "fresh-head");
    struct str out = {0};
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--rate", "0", "--ema", "0", "--init",
           base, "--freeze", "v72", "--out", same);
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--rate", "0", "--ema", "0", "--init",
           base, "--freeze", "v72", "--new-head", "--out", new);
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--rate", "0", "--ema", "0", "--out",
           fresh);
    const char *a = in(same, "model.onnx"), *b = in(new, "model.onnx");
    assert_true(same_tensor(base, b, "Conv_24.weight"));
    assert_true(same_tensor(base, a, "Conv_50.weight"));
    assert_false(same_tensor(base, b, "Conv_50.weight"));
    assert_true(same_tensor(in(fresh, "model.onnx"), b, "Conv_50.weight"));
    str_clear(&out);
    expect(RUN(&out, "train", recipe, "--data", faces, "--new-head", "--out", in(dir, "x")), 1,
           &out);
    assert_non_null(strstr(out.s, "--new-head"));
    str_free(&out);
}

/* The same weights read smaller pictures first, then those that the network was made for. */
static void test_small_pictures_come_first(void **state)
{
    (void)state;
    const char *small = in(dir, "small"), *grown = in(dir, "grown");
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--side", "32", "--out", small);
    small = in(small, "model.onnx");
    assert_int_equal(input_side(small), 32);
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--rate", "0", "--ema", "0", "--init",
           small, "--out", grown);
    grown = in(grown, "model.onnx");
    assert_int_equal(input_side(grown), SIDE);
    assert_true(same_tensor(small, grown, "Conv_0.weight"));
    assert_true(same_tensor(small, grown, "Conv_50.weight"));
    SAYS(1, "--side needs --net", "train", "--data", faces, "--init", small, "--side", "24",
         "--out", in(dir, "sideless"));
}

static void test_a_teacher_changes_what_is_learnt(void **state)
{
    (void)state;
    const char *teacher = trained_model();
    const char *with = in(dir, "taught"), *without = in(dir, "untaught");
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--teacher", teacher, "--out", with);
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--out", without);
    assert_false(same_tensor(in(with, "model.onnx"), in(without, "model.onnx"), "Conv_50.weight"));
}

/* The climb reaches the training, and repeats. */
static void test_sharpness_aware_learns_another_network(void **state)
{
    (void)state;
    const char *flat = in(dir, "flat"), *sharp = in(dir, "sharp"), *again = in(dir, "sharp-again");
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--out", flat);
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--sam", "0.1", "--out", sharp);
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--sam", "0.1", "--out", again);
    assert_false(same_tensor(in(flat, "model.onnx"), in(sharp, "model.onnx"), "Conv_50.weight"));
    assert_same_file(sharp, again, "model.onnx");
}

/* The mean of a teacher and itself is that teacher; another one beside it is heard. */
static void test_several_teachers_give_their_mean(void **state)
{
    (void)state;
    const char *teacher = trained_model(), *one = in(dir, "a-teacher"),
               *twice = in(dir, "it-twice");
    const char *two = in(dir, "two-teachers");
    struct str list = {0};
    str_addf(&list, "%s,%s", teacher, teacher);
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--teacher", teacher, "--out", one);
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--teacher", list.s, "--out", twice);
    str_clear(&list);
    str_addf(&list, "%s,%s", teacher, in(one, "model.onnx"));
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--teacher", list.s, "--out", two);
    assert_true(same_tensor(in(one, "model.onnx"), in(twice, "model.onnx"), "Conv_50.weight"));
    assert_false(same_tensor(in(one, "model.onnx"), in(two, "model.onnx"), "Conv_50.weight"));
    SAYS(1, "absent.onnx", "train", recipe, "--data", faces, "--teacher", "absent.onnx", "--out",
         in(dir, "untold"));
    str_free(&list);
}

/* One picture of each split whose outer pixels are all `border`. */
static const char *bordered(const char *name, int border)
{
    static const char *const splits[] = {"Training", "PublicTest", "PrivateTest"};
    const char *path = in(dir, name);
    struct str s = {0};
    str_addf(&s, "emotion,pixels,Usage\n");
    for (int split = 0; split < 3; split++) {
        str_addf(&s, "3,");
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++)
                str_addf(&s, "%d ",
                         x < 4 || y < 4 || x >= SIDE - 4 || y >= SIDE - 4 ? border
                                                                          : (x * 5 + y * 3) % 256);
        str_addf(&s, ",%s\n", splits[split]);
    }
    testing_write(path, s.s, s.len);
    str_free(&s);
    return path;
}

static double loss_on(const char *model, const char *data)
{
    json_t *report = REPORT("evaluate", model, "--data", data, "--split", "PrivateTest");
    double loss = json_real_value(json_object_get(report, "log_loss"));
    json_decref(report);
    return loss;
}

/* What lies outside of the margin is seen neither in training nor in evaluation. */
static void test_a_margin_is_cut_away(void **state)
{
    (void)state;
    const char *whole = trained_model(), *part = in(dir, "margin");
    const char *black = bordered("black.csv", 0), *white = bordered("white.csv", 255);
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--crop-margin", "-0.12", "--out",
           part);
    part = in(part, "model.onnx");
    assert_true(fabs(loss_on(whole, black) - loss_on(whole, white)) > 1e-6);
    assert_true(fabs(loss_on(part, black) - loss_on(part, white)) < 1e-9);
}

static void test_votes_train_the_second_head(void **state)
{
    (void)state;
    const char *votes = in(dir, "votes.csv"), *folder = in(dir, "heads");
    struct str s = {0};
    str_addf(&s, "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,"
                 "unknown,NF\n");
    for (int i = 0; i < 4 * CLASSES + 4 * CLASSES + 1; i++)
        str_addf(&s, "x,y,%s\n", i % 2 == 0 ? "9,1,0,0,0,0,0,0,0,0" : "0,8,0,0,0,0,0,0,2,0");
    testing_write(votes, s.s, s.len);
    PASSES("train", "--net", "moodreel-fast", "--data", faces, "--votes", votes, "--epochs", "1",
           "--batch", "8", "--out", folder);
    json_t *report =
        REPORT("evaluate", in(folder, "model.onnx"), "--data", faces, "--votes", votes);
    json_t *ferplus = json_object_get(report, "ferplus");
    assert_int_equal(json_integer_value(json_object_get(ferplus, "count")), 2 * CLASSES + 1);
    assert_true(json_is_real(json_object_get(report, "both_heads_accuracy")));
    json_decref(report);
    const char *taught = in(dir, "taught-by-votes");
    PASSES("train", "--net", "moodreel-fast", "--data", faces, "--votes", votes, "--epochs", "1",
           "--batch", "8", "--vote-teacher", "--out", taught);
    assert_false(same_tensor(in(folder, "model.onnx"), in(taught, "model.onnx"), "Conv_0.weight"));
    SAYS(1, "name their file with --votes", "train", recipe, "--data", faces, "--vote-teacher",
         "--out", in(dir, "votes-unknown"));
    SAYS(1, "the data no votes", "train", "--net", "moodreel-fast", "--data", faces, "--batch", "8",
         "--out", in(dir, "voteless"));
    str_free(&s);
}

static void test_nan_keeps_the_best_model(void **state)
{
    (void)state;
    const char *folder = in(dir, "diverged");
    struct str out = {0};
    PASSES("train", recipe, "--data", faces, "--optimizer", "sgd", "--clip", "0", "--schedule",
           "step", "--step-every", "1", "--rate", "0.001", "--epochs", "1", "--out", folder);
    struct bytes before = read_file(folder, "model.onnx");
    str_clear(&out);
    expect(RUN(&out, "train", "--resume", "--out", folder, "--epochs", "9", "--rate", "100"), 1,
           &out);
    assert_non_null(strstr(out.s, "keeps the best model (epoch 1)"));
    assert_non_null(strstr(out.s, "the loss is not a number any more"));
    assert_unchanged(before, folder, "model.onnx");
    str_free(&out);
}

static void test_full_disk_loses_nothing(void **state)
{
    (void)state;
    const char *folder = in(dir, "full");
    struct str out = {0};
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--out", folder);
    struct bytes model = read_file(folder, "model.onnx"),
                 state_file = read_file(folder, "checkpoint");
    const char *const again[] = {"train", "--resume", "--out", folder, "--epochs", "3", NULL};
    str_clear(&out);
    expect(run(again, 100000, &out), 1, &out);
    assert_non_null(strstr(out.s, "File too large"));
    assert_non_null(strstr(out.s, folder));
    assert_unchanged(model, folder, "model.onnx");
    assert_unchanged(state_file, folder, "checkpoint");
    str_clear(&out);
    expect(run(again, 0, &out), 0, &out);
    str_free(&out);
}

static void test_a_model_is_never_overwritten_by_another_training(void **state)
{
    (void)state;
    const char *folder = in(dir, "kept");
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--out", folder);
    struct bytes before = read_file(folder, "model.onnx");
    assert_int_equal(unlink(in(folder, "checkpoint")), 0);
    SAYS(1, "kept: holds a model already", "train", recipe, "--data", faces, "--epochs", "1",
         "--out", folder);
    SAYS(1, "kept: there is no checkpoint to continue from", "train", "--resume", "--out", folder);
    assert_unchanged(before, folder, "model.onnx");
}

static void test_checkpoint_must_fit(void **state)
{
    (void)state;
    const char *folder = in(dir, "other");
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--out", folder);
    SAYS(1, "holds a training already", "train", recipe, "--data", faces, "--out", folder);
    SAYS(1, "other/checkpoint: the checkpoint does not belong to this", "train", "--resume",
         "--out", folder, "--net", "cnn1");
    struct bytes b = read_file(folder, "checkpoint");
    ((char *)b.data)[b.len / 2] ^= 1;
    testing_write(in(folder, "checkpoint"), b.data, b.len);
    SAYS(1, "other/checkpoint: the checkpoint is damaged", "train", "--resume", "--out", folder,
         "--epochs", "2");
    testing_write(in(folder, "checkpoint"), b.data, b.len / 2);
    SAYS(1, "other/checkpoint: ", "train", "--resume", "--out", folder, "--epochs", "2");
    free(b.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_and_resumed_equals_uninterrupted),
        cmocka_unit_test(test_same_seed_same_model_whatever_the_threads),
        cmocka_unit_test(test_two_ranks_learn_what_one_does),
        cmocka_unit_test(test_a_failing_rank_ends_all),
        cmocka_unit_test(test_transfer_keeps_what_is_frozen),
        cmocka_unit_test(test_a_new_head_starts_fresh),
        cmocka_unit_test(test_small_pictures_come_first),
        cmocka_unit_test(test_a_teacher_changes_what_is_learnt),
        cmocka_unit_test(test_sharpness_aware_learns_another_network),
        cmocka_unit_test(test_several_teachers_give_their_mean),
        cmocka_unit_test(test_a_margin_is_cut_away),
        cmocka_unit_test(test_votes_train_the_second_head),
        cmocka_unit_test(test_nan_keeps_the_best_model),
        cmocka_unit_test(test_full_disk_loses_nothing),
        cmocka_unit_test(test_a_model_is_never_overwritten_by_another_training),
        cmocka_unit_test(test_checkpoint_must_fit),
    };
    return cmocka_run_group_tests(tests, workshop_setup, workshop_teardown);
}
