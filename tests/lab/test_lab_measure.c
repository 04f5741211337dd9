/* What moodreel-lab measures and says: evaluation, data, folds, and the sentence for every kind of
 * bad input. */
#include "workshop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/path.h"

static void test_evaluate_adds_up(void **state)
{
    (void)state;
    const char *model = trained_model(), *sheet = in(dir, "report");
    json_t *report = REPORT("evaluate", model, "--data", faces, "--split", "PrivateTest", "--out",
                            sheet, "--samples", "5");
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
}

/* Photographs without a face are counted, not skipped; folders that are no emotion are named. */
static void test_photos_are_looked_for_faces(void **state)
{
    (void)state;
    const char *photos = in(dir, "photos"), *happy = in(photos, "happy"), *look = in(dir, "faces");
    struct err err = {0};
    assert_int_equal(path_make_dirs(happy, &err), 0);
    static const char white[] = "P5 64 64 255\n";
    uint8_t picture[sizeof white - 1 + 64 * 64];
    memset(picture, 255, sizeof picture);
    memcpy(picture, white, sizeof white - 1);
    testing_write(in(happy, "a.pgm"), picture, sizeof picture);
    json_t *report = REPORT("photos", trained_model(), "--data", photos, "--out", look);
    assert_int_equal(json_integer_value(json_object_get(report, "count")), 1);
    assert_true(json_real_value(json_object_get(report, "found")) == 0.0);
    assert_true(json_real_value(json_object_get(report, "accuracy")) == 0.0);
    json_decref(report);
    assert_int_equal(access(in(look, "photos.png"), F_OK), 0);
    assert_int_equal(path_make_dirs(in(photos, "tired"), &err), 0);
    SAYS(1, "photos/tired: the folder's name is no emotion", "photos", trained_model(), "--data",
         photos);
    SAYS(2, "--data DIR", "photos", trained_model());
}

static double accuracy_of(const char *model)
{
    json_t *report = REPORT("evaluate", model, "--data", faces);
    double accuracy = json_real_value(json_object_get(report, "accuracy"));
    json_decref(report);
    return accuracy;
}

/* Then in 8 bits, from a file that says what the first one said, and back in floats. */
static void test_learning_reaches_the_pattern(void **state)
{
    (void)state;
    const char *folder = in(dir, "learnt"), *model = in(folder, "model.onnx");
    const char *bytes = in(folder, "int8.onnx");
    struct str out = {0};
    PASSES("train", recipe, "--data", faces, "--epochs", "25", "--mixup", "0", "--ema", "0",
           "--shift", "0", "--rotate", "0", "--flip", "0", "--out", folder);
    assert_true(accuracy_of(model) > 0.7);
    str_clear(&out);
    expect(RUN(&out, "quantize", model, "--data", faces, "--out", bytes), 0, &out);
    assert_non_null(strstr(out.s, " PublicTest pictures: float "));
    assert_true(accuracy_of(bytes) > 0.7);
    str_clear(&out);
    expect(RUN(&out, "bench", bytes, "--runs", "1", "--batch", "1", "--threads", "1", "--json"), 0,
           &out);
    assert_non_null(strstr(out.s, "\"type\": \"int8\""));
    const char *wide = in(folder, "wide.onnx");
    PASSES("export", bytes, "--wide", "--out", wide);
    assert_true(accuracy_of(wide) > 0.7);
    str_clear(&out);
    expect(RUN(&out, "bench", wide, "--runs", "1", "--batch", "1", "--threads", "1", "--precision",
               "fp32", "--json"), 0, &out);
    assert_non_null(strstr(out.s, "\"type\": \"fp32\""));
    str_clear(&out);
    expect(RUN(&out, "quantize", model, "--data", faces), 2, &out);
    str_free(&out);
}

/* One file of two models, with a temperature of its own, half as large on demand. */
static void test_export_joins_models(void **state)
{
    (void)state;
    const char *model = trained_model(), *twice = in(dir, "twice.onnx"), *half = in(dir, "h.onnx");
    SAYS(0, "PublicTest pictures", "export", model, model, "--data", faces, "--out", twice);
    SAYS(0, "parameters", "export", twice, "--half", "--out", half);
    assert_true(accuracy_of(twice) == accuracy_of(model));
    struct bytes wide = read_file(dir, "twice.onnx"), narrow = read_file(dir, "h.onnx");
    assert_true(narrow.len < wide.len);
    free(wide.data);
    free(narrow.data);
    SAYS(1, "recipe.conf", "export", model, recipe, "--out", twice);
    const char *private = in(dir, "private.csv");
    struct str rows = {0};
    struct rng rng;
    rng_seed(&rng, 5, 0);
    str_addf(&rows, "emotion,pixels,Usage\n");
    add_row(&rows, 3, "PrivateTest", &rng);
    testing_write(private, rows.s, rows.len);
    str_free(&rows);
    struct bytes before = read_file(dir, "h.onnx");
    SAYS(1, "there is no PublicTest picture", "export", model, "--data", private, "--out", half);
    assert_unchanged(before, dir, "h.onnx");
    const char *folder = in(dir, "cut"), *cut = in(folder, "model.onnx");
    PASSES("train", recipe, "--data", faces, "--epochs", "1", "--crop-margin", "-0.1", "--out",
           folder);
    SAYS(1, "only models that are used alike become one", "export", model, cut, "--out", twice);
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
    PASSES("train", recipe, "--data", faces, "--precision", "bf16", "--epochs", "1", "--out",
           folder);
    PASSES("train", "--resume", "--out", folder, "--epochs", "2");
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
    expect(
        RUN(&out, "bench", model, "--train", "--precision", "bf16", "--runs", "1", "--batch", "2"),
        0, &out);
    assert_non_null(strstr(out.s, " bf16 "));
    assert_null(strstr(out.s, " fp32 "));
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
        {{"export", "--out", out_dir}, 2, "models or --net NAME"},
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
    struct str s = {0};
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
    json_t *report = REPORT("data", path, "--out", look, "--samples", "2");
    assert_int_equal(access(in(look, "classes.png"), F_OK), 0);
    assert_int_equal(access(in(look, "training.png"), F_OK), 0);
    assert_int_equal(access(in(look, "samples-happy.png"), F_OK), 0);
    json_t *splits = json_object_get(report, "splits");
    json_t *training = json_object_get(splits, "Training");
    json_t *private_test = json_object_get(splits, "PrivateTest");
    assert_int_equal(json_integer_value(json_object_get(training, "pictures")), 2);
    assert_int_equal(json_integer_value(json_object_get(training, "repeats")), 1);
    assert_int_equal(json_integer_value(json_object_get(private_test, "seen_before")), 1);
    json_decref(report);
    str_free(&twin);
    str_free(&s);
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

/* Both engines compute the same function, so their answers to one input agree. */
static void test_bench_beside_opencv(void **state)
{
    (void)state;
    json_t *report = REPORT("bench", trained_model(), "--against", "opencv", "--precision", "fp32",
                            "--batch", "1", "--threads", "2", "--runs", "1");
    json_t *row = json_array_get(json_object_get(report, "measurements"), 0);
    json_t *peer = json_object_get(row, "peer");
    assert_string_equal(json_string_value(json_object_get(peer, "engine")), "opencv");
    assert_true(json_real_value(json_object_get(peer, "difference")) < 1e-3);
    json_decref(report);
    SAYS(1, "no peer is called abacus", "bench", trained_model(), "--against", "abacus");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_evaluate_adds_up),
        cmocka_unit_test(test_photos_are_looked_for_faces),
        cmocka_unit_test(test_learning_reaches_the_pattern),
        cmocka_unit_test(test_export_joins_models),
        cmocka_unit_test(test_precisions),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_data_counts_rows_and_duplicates),
        cmocka_unit_test(test_crossval_measures_every_fold),
        cmocka_unit_test(test_bench_beside_opencv),
    };
    return cmocka_run_group_tests(tests, workshop_setup, workshop_teardown);
}
