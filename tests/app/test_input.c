/* input: every key, button and wheel, what it means and what it must not mean. */
#include "support/testing.h"

#include <stdio.h>
#include <string.h>

#include "input.h"
#include "app/pages.h"
#include "ui/fake_font.h"

static struct ui *page_ui(struct page *p, int index)
{
    struct ui *u = ui_create(fake_metrics);
    page_make(p, index);
    ui_begin(u, 1280, 720);
    session_set_rows(&p->session, views_rows(u));
    views_draw(u, &p->view);
    return u;
}

static void expect_key(struct ui_input in, bool known, enum session_event event, int arg)
{
    enum session_event e = SESSION_EVENT_COUNT;
    int got = -99;
    in.kind = UI_INPUT_KEY;
    bool is = input_event(&in, NULL, &e, &got);
    if (is != known || (known && (e != event || got != arg)))
        fail_msg("key %d '%c': %s, event %d(%d), not %d(%d)", in.key, in.letter ? in.letter : ' ',
                 is ? "known" : "unknown", e, got, event, arg);
}

static struct ui_input letter(char c)
{
    return (struct ui_input){.key = UI_KEY_CHAR, .letter = c};
}

static struct ui_input named(enum ui_key_code key)
{
    return (struct ui_input){.key = key};
}

static void test_keys(void **state)
{
    (void)state;
    for (int e = 0; e < EMOTION_COUNT; e++)
        expect_key(letter((char)('1' + e)), true, SESSION_MOOD, e);
    expect_key(letter('0'), true, SESSION_MOOD, -1);
    expect_key(letter('8'), false, 0, 0);
    expect_key(letter('9'), false, 0, 0);
    expect_key(named(UI_KEY_SPACE), true, SESSION_GO, 0);
    expect_key(named(UI_KEY_ENTER), true, SESSION_GO, 0);
    expect_key(named(UI_KEY_ESCAPE), true, SESSION_BACK, 0);
    expect_key(named(UI_KEY_UP), true, SESSION_MOVE, -1);
    expect_key(named(UI_KEY_DOWN), true, SESSION_MOVE, 1);
    expect_key(named(UI_KEY_PAGE_UP), true, SESSION_PAGE, -1);
    expect_key(named(UI_KEY_PAGE_DOWN), true, SESSION_PAGE, 1);
    expect_key(named(UI_KEY_HOME), true, SESSION_SELECT, 0);
    expect_key(named(UI_KEY_TAB), true, SESSION_TAB, 0);
    expect_key(named(UI_KEY_F1), true, SESSION_HELP, 0);
    expect_key(named(UI_KEY_F11), true, SESSION_FULLSCREEN, 0);
    expect_key(letter('?'), true, SESSION_HELP, 0);
    expect_key(letter('p'), true, SESSION_POLICY, 0);
    expect_key(letter('d'), true, SESSION_DEMO, 0);
    expect_key(letter('f'), true, SESSION_FULLSCREEN, 0);
    expect_key(letter('m'), true, SESSION_MIRROR, 0);
    expect_key(letter('q'), true, SESSION_QUIT, 0);
    expect_key(letter('l'), true, SESSION_OPINION, SESSION_LIKE);
    expect_key(letter('n'), true, SESSION_OPINION, SESSION_NOT_FOR_ME);
    expect_key(letter('s'), true, SESSION_OPINION, SESSION_SEEN);
    expect_key(letter('w'), true, SESSION_OPINION, SESSION_LATER);
    expect_key(letter('x'), false, 0, 0);
}

static void test_ctrl_and_alt_do_only_one_thing(void **state)
{
    (void)state;
    struct ui_input in = letter('q');
    in.ctrl = true;
    expect_key(in, false, 0, 0);
    in.alt = true;
    expect_key(in, true, SESSION_KIOSK_QUIT, 0);
    in.ctrl = false;
    expect_key(in, false, 0, 0);
    in = letter('p');
    in.ctrl = in.alt = true;
    expect_key(in, false, 0, 0);
}

static void test_a_held_key_only_moves(void **state)
{
    (void)state;
    struct ui_input in = named(UI_KEY_DOWN);
    in.repeat = true;
    expect_key(in, true, SESSION_MOVE, 1);
    in.key = UI_KEY_SPACE;
    expect_key(in, false, 0, 0);
    in = letter('3');
    in.repeat = true;
    expect_key(in, false, 0, 0);
}

static void test_wheel_and_close_button(void **state)
{
    (void)state;
    enum session_event e;
    int arg;
    struct ui_input in = {.kind = UI_INPUT_WHEEL, .wheel = -2};
    assert_true(input_event(&in, NULL, &e, &arg));
    assert_int_equal(e, SESSION_MOVE);
    assert_int_equal(arg, 2);
    in.wheel = 0;
    assert_false(input_event(&in, NULL, &e, &arg));
    in.kind = UI_INPUT_CLOSE;
    assert_true(input_event(&in, NULL, &e, &arg));
    assert_int_equal(e, SESSION_QUIT);
    static const enum ui_input_kind others[] = {UI_INPUT_NONE, UI_INPUT_WAKE, UI_INPUT_REDRAW,
                                                UI_INPUT_RESET};
    for (int i = 0; i < 4; i++) {
        in.kind = others[i];
        assert_false(input_event(&in, NULL, &e, &arg));
    }
}

/* Everything the keys do on a page can be done by pointing: which events its hit areas give. */
static void check_pointing(const char *name, unsigned want)
{
    for (int i = 0; i < PAGE_COUNT; i++) {
        struct page page;
        struct ui *u = page_ui(&page, i);
        unsigned got = 0;
        for (int y = 1; strcmp(page.name, name) == 0 && y < 720; y += 3)
            for (int x = 1; x < 1280; x += 3) {
                struct ui_input in = {.kind = UI_INPUT_POINTER, .x = (float)x, .y = (float)y};
                enum session_event e;
                int arg;
                if (input_event(&in, u, &e, &arg))
                    got |= 1u << e;
            }
        if (strcmp(page.name, name) == 0 && (got & want) != want)
            fail_msg("%s: pointing gives %x, not all of %x", name, got, want);
        ui_destroy(u);
    }
}

#define BIT(e) (1u << (e))

static void test_pointing_does_what_keys_do(void **state)
{
    (void)state;
    check_pointing("live", BIT(SESSION_GO) | BIT(SESSION_POLICY) | BIT(SESSION_HELP));
    check_pointing("results", BIT(SESSION_BACK) | BIT(SESSION_SELECT) | BIT(SESSION_PAGE) |
                                  BIT(SESSION_TAB) | BIT(SESSION_POLICY) | BIT(SESSION_PICK) |
                                  BIT(SESSION_OPINION));
    check_pointing("no-camera", BIT(SESSION_DEMO) | BIT(SESSION_PICK));
    check_pointing("attract", BIT(SESSION_GO) | BIT(SESSION_PICK));
    check_pointing("countdown", BIT(SESSION_BACK));
    check_pointing("kiosk-results", BIT(SESSION_BACK) | BIT(SESSION_SELECT) | BIT(SESSION_PICK));
    check_pointing("help", BIT(SESSION_HELP));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_ctrl_and_alt_do_only_one_thing),
        cmocka_unit_test(test_a_held_key_only_moves),
        cmocka_unit_test(test_wheel_and_close_button),
        cmocka_unit_test(test_pointing_does_what_keys_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
