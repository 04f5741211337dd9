/* ui: text layout, hit areas, geometry. One character of UI_TINY is 6 points wide. */
#include "support/testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ui/fake_font.h"
#include "ui/ui.h"

static struct ui *u;

static int set_up(void **state)
{
    (void)state;
    u = ui_create(fake_metrics);
    ui_begin(u, 1000, 500);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ui_destroy(u);
    return 0;
}

/* Lays text out in a column of `chars` characters and checks its lines, joined by '|'. */
static void check_lines(const char *text, int chars, int max_lines, const char *want)
{
    char got[400] = "";
    size_t count, len = 0;
    ui_begin(u, 1000, 500);
    float h = ui_text(u, (struct ui_rect){0, 0, 6.0f * (float)chars + 0.5f, 0}, UI_TINY, UI_INK,
                      UI_LEFT, max_lines, text);
    const struct ui_command *c = ui_commands(u, &count);
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(got + len, sizeof got - len, "%s%s", i ? "|" : "",
                                ui_command_text(u, &c[i]));
    assert_string_equal(got, want);
    assert_true(fabsf(h - (float)count * ui_line_height(UI_TINY)) < 0.01f);
}

static void test_wrapping(void **state)
{
    (void)state;
    check_lines("one two three", 20, 0, "one two three");
    check_lines("one two three", 8, 0, "one two|three");
    check_lines("one two three", 7, 0, "one two|three");
    check_lines("one\ntwo", 20, 0, "one|two");
    check_lines("a\n\nb", 20, 0, "a||b");
    check_lines("incomprehensible", 6, 0, "incomp|rehens|ible");
    check_lines("", 6, 0, "");
}

static void test_scripts_without_spaces_break_between_characters(void **state)
{
    (void)state;
    check_lines("\xe5\x8d\x83\xe3\x81\xa8\xe5\xb0\x8b\xe3\x81\xae", 3, 0,
                "\xe5\x8d\x83\xe3\x81\xa8\xe5\xb0\x8b|\xe3\x81\xae");
    check_lines("\xc3\xa9\xc3\xa9\xc3\xa9", 1, 0, "\xc3\xa9|\xc3\xa9|\xc3\xa9");
    check_lines("\xc3\xa9\xc3\xa9", 0, 0, "\xc3\xa9|\xc3\xa9"); /* narrower than any character */
}

static void test_ellipsis(void **state)
{
    (void)state;
    check_lines("one two three", 9, 1, "one two\xe2\x80\xa6");
    check_lines("one two three", 13, 1, "one two three");
    check_lines("one two three four", 8, 2, "one two|three f\xe2\x80\xa6");
    check_lines("one, two", 6, 1, "one\xe2\x80\xa6");
    check_lines("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 3, 1, "\xc3\xa9\xc3\xa9\xe2\x80\xa6");
    check_lines("one\ntwo", 20, 1, "one\xe2\x80\xa6");
}

static void test_alignment(void **state)
{
    (void)state;
    size_t count;
    struct ui_rect r = {100, 0, 60, 0};
    ui_text(u, r, UI_TINY, UI_INK, UI_LEFT, 1, "abcd");
    ui_text(u, r, UI_TINY, UI_INK, UI_CENTER, 1, "abcd");
    ui_text(u, r, UI_TINY, UI_INK, UI_RIGHT, 1, "abcd");
    const struct ui_command *c = ui_commands(u, &count);
    assert_int_equal(count, 3);
    assert_true(c[0].rect.x == 100.0f && c[1].rect.x == 118.0f && c[2].rect.x == 136.0f);
}

static void test_measuring_draws_nothing(void **state)
{
    (void)state;
    size_t count;
    ui_label(u, 0, 0, UI_TINY, UI_INK, "first");
    float h = ui_text_height(u, 48.5f, UI_TINY, 0, "one two three");
    assert_true(fabsf(h - 2 * ui_line_height(UI_TINY)) < 0.01f);
    const struct ui_command *c = ui_commands(u, &count);
    assert_int_equal(count, 1);
    assert_string_equal(ui_command_text(u, c), "first");
}

static void test_the_topmost_hit_area_answers(void **state)
{
    (void)state;
    ui_hit(u, (struct ui_rect){0, 0, 100, 100}, 1);
    ui_hit(u, (struct ui_rect){50, 50, 10, 10}, 2);
    assert_int_equal(ui_pick(u, 10, 10), 1);
    assert_int_equal(ui_pick(u, 55, 55), 2);
    assert_int_equal(ui_pick(u, 60, 55), 1); /* the right edge lies outside */
    assert_int_equal(ui_pick(u, 100, 10), -1);
    ui_begin(u, 1000, 500);
    assert_int_equal(ui_pick(u, 10, 10), -1);
}

static void test_a_picture_covers_its_place(void **state)
{
    (void)state;
    struct ui_rect wide = ui_cover((struct ui_rect){0, 0, 1280, 720}, 640, 480);
    assert_true(wide.x == 0 && wide.w == 1280 && wide.h == 960 && wide.y == -120);
    struct ui_rect tall = ui_cover((struct ui_rect){10, 20, 300, 600}, 640, 480);
    assert_true(tall.h == 600 && tall.w == 800 && tall.x == -240 && tall.y == 20);
    struct ui_rect none = ui_cover((struct ui_rect){1, 2, 3, 4}, 0, 0);
    assert_true(none.w == 3 && none.h == 4);
}

static void test_bars_are_cut_to_their_track(void **state)
{
    (void)state;
    size_t count;
    ui_bar(u, (struct ui_rect){0, 0, 100, 8}, 7.0f, UI_HAPPY);
    ui_bar(u, (struct ui_rect){0, 0, 100, 8}, -1.0f, UI_HAPPY);
    const struct ui_command *c = ui_commands(u, &count);
    assert_int_equal(count, 3);
    assert_true(c[1].rect.w == 100.0f);
}

/* WCAG 2.1, "contrast ratio": text on a panel over a white picture. */
static double luminance(const double rgb[3])
{
    double sum = 0;
    static const double weight[3] = {0.2126, 0.7152, 0.0722};
    for (int i = 0; i < 3; i++) {
        double c = rgb[i] / 255.0;
        sum += weight[i] * (c <= 0.03928 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4));
    }
    return sum;
}

static double contrast_on_panel(enum ui_color text)
{
    struct ui_rgb p = ui_rgb_tokens[UI_PANEL], t = ui_rgb_tokens[text];
    double white = (1.0 - (double)UI_PANEL_ALPHA) * 255.0, a = (double)UI_PANEL_ALPHA;
    double below[3] = {a * p.r + white, a * p.g + white, a * p.b + white};
    double above[3] = {t.r, t.g, t.b};
    return (luminance(above) + 0.05) / (luminance(below) + 0.05);
}

static void test_text_colours_have_contrast(void **state)
{
    (void)state;
    static const enum ui_color texts[] = {UI_INK, UI_DIM, UI_ACCENT, UI_WARN, UI_GOOD};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (contrast_on_panel(texts[i]) < 4.5)
            fail_msg("%s has a contrast of %.2f only", ui_color_name(texts[i]),
                     contrast_on_panel(texts[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_wrapping, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_scripts_without_spaces_break_between_characters,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ellipsis, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_alignment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_measuring_draws_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_topmost_hit_area_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_picture_covers_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bars_are_cut_to_their_track, set_up, tear_down),
        cmocka_unit_test(test_text_colours_have_contrast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
