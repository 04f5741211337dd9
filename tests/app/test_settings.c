/* settings: the sample configuration file shows the defaults, and the table is in good order. */
#include "support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"

static const struct command live = {"live", NULL, "Live", NULL, SETTINGS_LIVE, NULL};

static struct options *begin(struct app_options *values, char *argument)
{
    struct options *o;
    struct err err = {0};
    char *argv[] = {"live", argument, NULL};
    memset(values, 0, sizeof *values); /* padding, too: they are compared as bytes */
    if (options_begin(&o, &app_option_set, &live, values, 2, argv, &err) != OPTIONS_GO)
        fail_msg("%s: %s", argument, err.text);
    return o;
}

static size_t value_size(enum option_type type)
{
    return type == OPTION_FLAG     ? sizeof(bool)
           : type == OPTION_NUMBER ? sizeof(double)
           : type == OPTION_SIZE   ? sizeof(struct option_size)
                                   : sizeof(int);
}

static void test_sample_file_shows_the_defaults(void **state)
{
    (void)state;
    struct app_options plain, sample;
    char path[600];
    snprintf(path, sizeof path, "--config=%s/assets/moodreel.conf", MOODREEL_SOURCE_DIR);
    struct options *a = begin(&plain, "--config="), *b = begin(&sample, path);
    int shown = 0;
    for (size_t i = 0; i < app_option_set.count; i++) {
        const struct option_spec *s = &app_option_set.specs[i];
        const char *x = (const char *)&plain + s->offset, *y = (const char *)&sample + s->offset;
        shown += options_given(b, s->name);
        if (s->type == OPTION_STRING) {
            const char *p, *q;
            memcpy(&p, x, sizeof p);
            memcpy(&q, y, sizeof q);
            if ((p == NULL) != (q == NULL) || (p && strcmp(p, q) != 0))
                fail_msg("%s differs from its default", s->name);
        } else if (memcmp(x, y, value_size(s->type)) != 0) {
            fail_msg("%s differs from its default", s->name);
        }
    }
    assert_true(shown > 10);
    options_free(a);
    options_free(b);
}

static void test_table_is_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < app_option_set.count; i++) {
        const struct option_spec *s = &app_option_set.specs[i];
        size_t n = strlen(s->help);
        assert_true(n > 3 && s->help[n - 1] == '.');
        assert_true(s->type == OPTION_FLAG || s->type == OPTION_CHOICE || s->arg);
        assert_true(s->type != OPTION_CHOICE || s->choices);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(s->name, app_option_set.specs[k].name);
            assert_false(s->letter && s->letter == app_option_set.specs[k].letter);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample_file_shows_the_defaults),
        cmocka_unit_test(test_table_is_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
