/* What the program says when it is given something bad: one sentence naming the thing, exit status
 * 1, or 2 for a command line that it does not understand; and files are left as they were. */
#include "support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "support/program.h"

static char *dir;
static char model[512], broken[512];

struct run {
    const char *words[8]; /* "MODEL" and "BROKEN" stand for the two files */
    int status;
    const char *says;
};

static const char *word(const char *w)
{
    return w && strcmp(w, "MODEL") == 0 ? model : w && strcmp(w, "BROKEN") == 0 ? broken : w;
}

static const struct run runs[] = {
    {{"--bogus"}, 2, "unknown option --bogus"},
    {{"live", "--size", "big"}, 2, "--size: 'big' is not a size"},
    {{"live", "file.mp4"}, 2, "'file.mp4': live takes no such word"},
    {{"nonsense"}, 2, "unknown command 'nonsense'"},
    {{"photo"}, 2, "no picture is named"},
    {{"photo", "--top", "0", "a.png"}, 2, "--top: '0'"},
    {{"recommend", "--emotion", "hungry"}, 2, "hungry"},
    {{"recommend", "--emotion", ""}, 2, "a mood is wanted"},
    {{"recommend", "--scores", ""}, 2, "a mood is wanted"},
    {{"--config=/no/such.conf"}, 1, "/no/such.conf"},
    {{"--config=BROKEN"}, 1, "broken.bin"},
    {{"--model", "/no/such.onnx", "--config="}, 1, "/no/such.onnx"},
    {{"--model", "nosuchname", "--config="}, 1, "nosuchname"},
    {{"--model", "BROKEN", "--config="}, 1, "broken.bin"},
    {{"--model", "MODEL", "--catalog", "BROKEN", "--config="}, 1, "broken.bin"},
    {{"--model", "MODEL", "--catalog", "/no/such.db", "--config="}, 1, "/no/such.db"},
    {{"--model", "MODEL", "--font", "BROKEN", "--config="}, 1, "broken.bin"},
    {{"--model", "MODEL", "--font", "/no/such.ttf", "--config="}, 1, "/no/such.ttf"},
    {{"--model", "MODEL", "--font", "nosuch.ttf", "--config="}, 1, "nosuch.ttf"},
    {{"--model", "MODEL", "--font", "No Such Family", "--config="}, 1, "No Such Family"},
    {{"--model", "MODEL", "--cascade", "BROKEN", "--config="}, 1, "broken.bin"},
    {{"--model", "MODEL", "--policy", "nosuchpolicy", "--config="}, 1, "nosuchpolicy"},
    {{"--model", "MODEL", "--source", "/no/such.mp4", "--config="}, 1, "/no/such.mp4"},
    {{"--model", "MODEL", "--source", "BROKEN", "--config="}, 1, "broken.bin"},
    {{"--model", "MODEL", "--report", "/no/such/report", "--config="}, 1, "/no/such/report"},
    {{"--model", "MODEL", "--source", "demo", "--exit-after", "0.2", "--screenshot",
      "/no/such/shot.png"},
     1,
     "/no/such/shot.png: "},
    {{"photo", "--model", "MODEL", "/no/such.png"}, 1, "/no/such.png"},
    {{"photo", "--model", "MODEL", "BROKEN"}, 1, "broken.bin"},
    {{"photo", "--model", "BROKEN", "BROKEN"}, 1, "broken.bin"},
    {{"recommend", "--emotion", "sad", "--catalog", "BROKEN"}, 1, "broken.bin"},
    {{"recommend", "--emotion", "sad", "--policy", "nosuchpolicy"}, 1, "nosuchpolicy"},
};

static void check(const struct run *r)
{
    const char *argv[10] = {MOODREEL_PROGRAM};
    char config[600], *text;
    for (int i = 0; i < 8 && r->words[i]; i++) {
        argv[i + 1] = word(r->words[i]);
        if (strcmp(r->words[i], "--config=BROKEN") == 0) {
            snprintf(config, sizeof config, "--config=%s", broken);
            argv[i + 1] = config;
        }
    }
    int status = program_end(program_start(NULL, argv), &text);
    size_t lines = 0;
    for (const char *at = text; *at; at++)
        lines += *at == '\n';
    if (status != r->status || !strstr(text, r->says) || lines != 1 ||
        strncmp(text, "moodreel: ", 10) != 0)
        fail_msg("%s %s: status %d (want %d), said \"%s\" (want one line with \"%s\")", r->words[0],
                 r->words[1] ? r->words[1] : "", status, r->status, text, r->says);
    free(text);
}

static void test_bad_input_is_one_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++)
        check(&runs[i]);
}

static void test_bad_files_are_left_alone(void **state)
{
    (void)state;
    void *data;
    size_t len;
    struct err err = {0};
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++)
        if (strstr(runs[i].says, "broken"))
            check(&runs[i]);
    assert_int_equal(path_read(broken, &data, &len, 1 << 20, &err), ERR_OK);
    assert_int_equal(len, 4096);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(((unsigned char *)data)[i], (i * 131 + 17) & 0xFF);
    free(data);
}

static void test_help_and_version(void **state)
{
    (void)state;
    static const char *const runs_well[][3] = {
        {"--help"},
        {"--version"},
        {"help"},
        {"live", "--help"},
        {"photo", "--help"},
        {"recommend", "--help"},
        {"doctor", "--help"},
        {"live", "--print-config"},
    };
    for (size_t i = 0; i < sizeof runs_well / sizeof runs_well[0]; i++) {
        const char *argv[] = {MOODREEL_PROGRAM, runs_well[i][0], runs_well[i][1], NULL};
        char *text;
        int status = program_end(program_start(NULL, argv), &text);
        if (status != 0 || *text)
            fail_msg("%s: status %d, \"%s\"", runs_well[i][0], status, text);
        free(text);
    }
}

/* A copy of moodreel alone, without moodreel-live at any of the places where it may lie. */
static const char *lonely_program(void)
{
    void *bytes;
    size_t len;
    struct err err = {0};
    const char *path = testing_path(dir, "lonely");
    assert_int_equal(path_read(MOODREEL_PROGRAM, &bytes, &len, 1 << 30, &err), ERR_OK);
    testing_write(path, bytes, len);
    assert_int_equal(chmod(path, 0700), 0);
    free(bytes);
    return path;
}

static void test_without_the_live_part(void **state)
{
    (void)state;
    char *text;
    const char *program = lonely_program();
    const char *live[] = {program, "--source", "demo", NULL};
    const char *recommend[] = {program, "recommend", "--emotion", "sad", NULL};
    assert_int_equal(program_end(program_start(NULL, live), &text), 1);
    assert_non_null(strstr(text, "moodreel-live: No such file or directory"));
    assert_non_null(strstr(text, "install moodreel again"));
    free(text);
    assert_int_equal(program_end(program_start(NULL, recommend), &text), 0);
    assert_string_equal(text, "");
    free(text);
}

static int set_up(void **state)
{
    unsigned char junk[4096];
    (void)state;
    for (size_t i = 0; i < sizeof junk; i++)
        junk[i] = (unsigned char)(i * 131 + 17);
    dir = testing_make_dir();
    setenv("XDG_CONFIG_HOME", dir, 1);
    setenv("XDG_DATA_HOME", dir, 1);
    snprintf(model, sizeof model, "%s", program_model(dir));
    snprintf(broken, sizeof broken, "%s", testing_path(dir, "broken.bin"));
    testing_write(broken, junk, sizeof junk);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    testing_remove_dir(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_input_is_one_sentence),
        cmocka_unit_test(test_bad_files_are_left_alone),
        cmocka_unit_test(test_help_and_version),
        cmocka_unit_test(test_without_the_live_part),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
