/* options: the three sources of a value, and what users get wrong. */
#include "support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "options.h"

enum { LIVE = 1, PHOTO = 2 };

struct values {
    bool mirror, once;
    int top, policy;
    double seconds;
    const char *source, *report;
    struct option_size size;
};

#define AT(field) offsetof(struct values, field)
static const struct option_spec specs[] = {
    {"Camera", "source", 's', OPTION_STRING, AT(source), 0, 0, "SOURCE", NULL, "camera:0", LIVE,
     false, "Where pictures come from."},
    {"Camera", "mirror", 0, OPTION_FLAG, AT(mirror), 0, 0, NULL, NULL, "yes", LIVE, false,
     "Show the picture as it is."},
    {"Camera", "once", 0, OPTION_FLAG, AT(once), 0, 0, NULL, NULL, NULL, LIVE, true, "Play once."},
    {"Window", "size", 0, OPTION_SIZE, AT(size), 160, 8192, "WxH", NULL, "1280x720", LIVE, false,
     "Window size."},
    {"Window", "seconds", 0, OPTION_NUMBER, AT(seconds), 0, 60, "S", NULL, "1.5", LIVE, false,
     "A pause."},
    {"Films", "top", 'n', OPTION_INT, AT(top), 1, 100, "N", NULL, "10", 0, false, "How many."},
    {"Films", "policy", 'p', OPTION_CHOICE, AT(policy), 0, 0, NULL, "match|lift|surprise", "lift",
     0, false, "Which rule."},
    {"Machines", "report", 0, OPTION_STRING, AT(report), 0, 0, "FILE", NULL, NULL, 0, true,
     "JSON lines."},
};
static const struct option_set set = {"moodreel", specs, sizeof specs / sizeof specs[0],
                                      "moodreel.conf"};

static int run_nothing(int argc, char **argv, struct err *err)
{
    (void)argv;
    (void)err;
    return 40 + argc;
}

static const struct command commands[] = {
    {"live", NULL, "Open the window", run_nothing, LIVE, NULL},
    {"photo", "IMAGE...", "Read photos", run_nothing, PHOTO, NULL},
};

static struct values values;
static char *home;

static int begin(struct options **o, int command, struct err *err, int argc, char **argv)
{
    return options_begin(o, &set, &commands[command], &values, argc, argv, err);
}

#define BEGIN(o, command, err, ...)                                                                \
    begin(o, command, err, (int)(sizeof((char *[]){"x", __VA_ARGS__}) / sizeof(char *)),           \
          (char *[]){"x", __VA_ARGS__, NULL})

static void write_config(const char *text)
{
    testing_write(testing_path(home, "moodreel/moodreel.conf"), text, strlen(text));
}

static void test_defaults(void **state)
{
    (void)state;
    struct options *o;
    struct err err = {0};
    write_config("");
    assert_int_equal(BEGIN(&o, 0, &err, "a.png"), OPTIONS_GO);
    assert_true(values.mirror);
    assert_false(values.once);
    assert_int_equal(values.top, 10);
    assert_int_equal(values.policy, 1);
    assert_true(values.seconds == 1.5);
    assert_int_equal(values.size.width, 1280);
    assert_string_equal(values.source, "camera:0");
    assert_null(values.report);
    assert_string_equal(options_origin(o, "top"), "default");
    int count;
    assert_string_equal(options_words(o, &count)[0], "a.png");
    assert_int_equal(count, 1);
    options_free(o);
}

static void test_command_line_beats_config_beats_default(void **state)
{
    (void)state;
    struct options *o;
    struct err err = {0};
    write_config("# mine\n top = 5 \npolicy = surprise\nmirror = no\n\nsource=demo");
    assert_int_equal(BEGIN(&o, 0, &err, "-n7", "--size", "800x480", "--once"), OPTIONS_GO);
    assert_int_equal(values.top, 7);
    assert_int_equal(values.policy, 2);
    assert_false(values.mirror);
    assert_true(values.once);
    assert_int_equal(values.size.height, 480);
    assert_string_equal(values.source, "demo");
    assert_string_equal(options_origin(o, "top"), "command line");
    assert_non_null(strstr(options_origin(o, "policy"), "moodreel.conf:3"));
    assert_true(options_given(o, "source"));
    assert_false(options_given(o, "seconds"));
    options_free(o);
    assert_int_equal(BEGIN(&o, 0, &err, "--config=", "--mirror"), OPTIONS_GO);
    assert_int_equal(values.top, 10);
    assert_true(values.mirror);
    options_free(o);
}

static void test_config_knows_the_options_of_every_command(void **state)
{
    (void)state;
    struct options *o;
    struct err err = {0};
    write_config("source = demo\ntop = 3\n");
    assert_int_equal(BEGIN(&o, 1, &err, "a.png", "--top", "4", "b.png"), OPTIONS_GO);
    int count;
    options_words(o, &count);
    assert_int_equal(count, 2);
    assert_int_equal(values.top, 4);
    options_free(o);
    write_config("");
}

static void test_usage_errors_are_one_sentence(void **state)
{
    (void)state;
    static const struct {
        char *word, *value;
        int command;
        const char *says;
    } table[] = {
        {"--bogus", "1", 0, "unknown option --bogus"},
        {"-z", "1", 0, "unknown option -z"},
        {"--source", NULL, 0, "option --source needs a value"},
        {"-n", NULL, 0, "option -n needs a value"},
        {"--top", "0", 0, "--top: '0' is not a whole number from 1 to 100"},
        {"--top", "3.5", 0, "--top: '3.5' is not a whole number"},
        {"--seconds", "soon", 0, "--seconds: 'soon' is not a number from 0 to 60"},
        {"--policy", "match|lift", 0, "--policy: 'match|lift' is not one of match|lift|surprise"},
        {"--policy", "mat", 0, "--policy: 'mat' is not one of"},
        {"--size", "1280", 0, "--size: '1280' is not a size such as 1280x720"},
        {"--size", "1280x", 0, "--size: '1280x'"},
        {"--size", "10x10", 0, "--size: '10x10'"},
        {"--once=yes", "x", 0, "no value belongs to option --once=yes"},
        {"--source", "demo", 1, "unknown option --source"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct options *o = (struct options *)&values;
        struct err err = {0};
        char *argv[] = {"x", table[i].word, table[i].value, NULL};
        assert_int_equal(begin(&o, table[i].command, &err, table[i].value ? 3 : 2, argv),
                         STATUS_USAGE);
        assert_null(o);
        if (strncmp(err.text, table[i].says, strlen(table[i].says)) != 0)
            fail_msg("'%s' should begin with '%s'", err.text, table[i].says);
    }
}

static void test_bad_config_names_file_and_line(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {"top = 5\nfoo = 1\n", "moodreel.conf:2: unknown option 'foo'"},
        {"top\n", "moodreel.conf:1: 'top' is not of the form name = value"},
        {"\n\ntop = many\n", "moodreel.conf:3: top: 'many' is not a whole number"},
        {"mirror = maybe\n", "moodreel.conf:1: mirror: 'maybe' is neither yes nor no"},
        {"report = x\n", "moodreel.conf:1: 'report' belongs on the command line"},
        {"top = \xff\n", "moodreel.conf: not a text file"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct options *o;
        struct err err = {0};
        write_config(table[i][0]);
        assert_int_equal(BEGIN(&o, 0, &err, "a"), STATUS_FAILED);
        if (!strstr(err.text, table[i][1]))
            fail_msg("'%s' should hold '%s'", err.text, table[i][1]);
    }
    write_config("");
    struct options *o;
    struct err err = {0};
    assert_int_equal(BEGIN(&o, 0, &err, "--config=/no/such.conf"), STATUS_FAILED);
    assert_non_null(strstr(err.text, "/no/such.conf"));
}

static char *printed(void (*print)(FILE *, void *), void *payload)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    print(to, payload);
    fclose(to);
    return text;
}

static void print_help(FILE *to, void *payload)
{
    options_print_help(&set, payload, to);
}

static void print_config(FILE *to, void *payload)
{
    options_print_config(payload, to);
}

static void test_help_lists_what_the_command_knows(void **state)
{
    (void)state;
    struct command photo = commands[1], live = commands[0];
    char *text = printed(print_help, &photo);
    assert_non_null(strstr(text, "Usage: moodreel photo [OPTION...] IMAGE..."));
    assert_non_null(strstr(text, "-n, --top N"));
    assert_non_null(strstr(text, "One of match|lift|surprise. [lift]"));
    assert_non_null(strstr(text, "Exit status"));
    assert_null(strstr(text, "--source"));
    free(text);
    text = printed(print_help, &live);
    assert_non_null(strstr(text, "--no-mirror"));
    assert_non_null(strstr(text, "--source SOURCE"));
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 80);
    assert_null(strstr(text, " \n"));
    free(text);
}

static void test_options_without_a_heading_have_one(void **state)
{
    (void)state;
    static const struct option_spec plain[] = {
        {.name = "one", .type = OPTION_FLAG, .help = "First."},
        {.name = "two", .type = OPTION_FLAG, .help = "Second."}};
    static const struct option_set bare = {.program = "bare", .specs = plain, .count = 2};
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    options_print_help(&bare, &commands[0], to);
    fclose(to);
    char *heading = strstr(text, "\nOptions:\n");
    assert_non_null(heading);
    assert_null(strstr(heading + 1, "\nOptions:\n"));
    assert_null(strstr(text, "(null)"));
    free(text);
}

static void test_printed_config_is_a_config(void **state)
{
    (void)state;
    struct options *o;
    struct err err = {0};
    assert_int_equal(BEGIN(&o, 0, &err, "--top=9", "--size=640x480", "--policy=match"), OPTIONS_GO);
    char *text = printed(print_config, o);
    assert_non_null(strstr(text, "# command line\ntop = 9\n"));
    assert_non_null(strstr(text, "# default\nsource = camera:0\n"));
    assert_non_null(strstr(text, "# default, not set\n# report = \n"));
    options_free(o);
    write_config(text);
    free(text);
    assert_int_equal(BEGIN(&o, 0, &err, "a"), OPTIONS_GO);
    assert_int_equal(values.top, 9);
    assert_int_equal(values.policy, 0);
    assert_int_equal(values.size.width, 640);
    options_free(o);
    write_config("");
}

static void test_commands(void **state)
{
    (void)state;
    struct err err = {0};
    char *none[] = {"moodreel", NULL}, *option[] = {"moodreel", "--once", NULL};
    char *photo[] = {"moodreel", "photo", "a.png", "b.png", NULL};
    char *wrong[] = {"moodreel", "phot", NULL};
    assert_int_equal(commands_run(&set, "a", "1", commands, 2, 1, none, &err), 41);
    assert_int_equal(commands_run(&set, "a", "1", commands, 2, 2, option, &err), 42);
    assert_int_equal(commands_run(&set, "a", "1", commands, 2, 4, photo, &err), 43);
    assert_int_equal(commands_run(&set, "a", "1", commands, 2, 2, wrong, &err), STATUS_USAGE);
    assert_string_equal(err.text, "unknown command 'phot' (see moodreel --help)");
}

static int set_up(void **state)
{
    (void)state;
    home = testing_make_dir();
    setenv("XDG_CONFIG_HOME", home, 1);
    return path_make_dirs(testing_path(home, "moodreel"), NULL);
}

static int tear_down(void **state)
{
    (void)state;
    testing_remove_dir(home);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_command_line_beats_config_beats_default),
        cmocka_unit_test(test_config_knows_the_options_of_every_command),
        cmocka_unit_test(test_usage_errors_are_one_sentence),
        cmocka_unit_test(test_bad_config_names_file_and_line),
        cmocka_unit_test(test_help_lists_what_the_command_knows),
        cmocka_unit_test(test_options_without_a_heading_have_one),
        cmocka_unit_test(test_printed_config_is_a_config),
        cmocka_unit_test(test_commands),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
