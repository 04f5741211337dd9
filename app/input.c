/* Which key does what. */
#include "input.h"

#include <stddef.h>

#include "views.h"

struct binding {
    enum ui_key_code key;
    char letter; /* with UI_KEY_CHAR */
    enum session_event event;
    int arg;
};

static const struct binding bindings[] = {
    {UI_KEY_SPACE, 0, SESSION_GO, 0},
    {UI_KEY_ENTER, 0, SESSION_GO, 0},
    {UI_KEY_ESCAPE, 0, SESSION_BACK, 0},
    {UI_KEY_UP, 0, SESSION_MOVE, -1},
    {UI_KEY_DOWN, 0, SESSION_MOVE, 1},
    {UI_KEY_PAGE_UP, 0, SESSION_PAGE, -1},
    {UI_KEY_PAGE_DOWN, 0, SESSION_PAGE, 1},
    {UI_KEY_HOME, 0, SESSION_SELECT, 0},
    {UI_KEY_END, 0, SESSION_SELECT, 1 << 20},
    {UI_KEY_TAB, 0, SESSION_TAB, 0},
    {UI_KEY_F1, 0, SESSION_HELP, 0},
    {UI_KEY_F11, 0, SESSION_FULLSCREEN, 0},
    {UI_KEY_CHAR, '?', SESSION_HELP, 0},
    {UI_KEY_CHAR, 'h', SESSION_HELP, 0},
    {UI_KEY_CHAR, 'p', SESSION_POLICY, 0},
    {UI_KEY_CHAR, 'd', SESSION_DEMO, 0},
    {UI_KEY_CHAR, 'f', SESSION_FULLSCREEN, 0},
    {UI_KEY_CHAR, 'm', SESSION_MIRROR, 0},
    {UI_KEY_CHAR, 'q', SESSION_QUIT, 0},
    {UI_KEY_CHAR, 'l', SESSION_OPINION, SESSION_LIKE},
    {UI_KEY_CHAR, 'n', SESSION_OPINION, SESSION_NOT_FOR_ME},
    {UI_KEY_CHAR, 's', SESSION_OPINION, SESSION_SEEN},
    {UI_KEY_CHAR, 'w', SESSION_OPINION, SESSION_LATER},
};

static bool key_event(const struct ui_input *in, enum session_event *e, int *arg)
{
    if (in->key == UI_KEY_CHAR && in->letter >= '0' && in->letter <= '7') {
        *e = SESSION_MOOD;
        *arg = in->letter - '1'; /* '0': back to the picture */
        return !in->repeat;
    }
    for (size_t i = 0; i < sizeof bindings / sizeof bindings[0]; i++) {
        const struct binding *b = &bindings[i];
        if (b->key != in->key || (b->key == UI_KEY_CHAR && b->letter != in->letter))
            continue;
        *e = b->event;
        *arg = b->arg;
        return !in->repeat || b->event == SESSION_MOVE || b->event == SESSION_PAGE;
    }
    return false;
}

bool input_event(const struct ui_input *in, const struct ui *ui, enum session_event *e, int *arg)
{
    *arg = 0;
    switch (in->kind) {
    case UI_INPUT_KEY:
        if (in->ctrl || in->alt) {
            *e = SESSION_KIOSK_QUIT;
            return in->ctrl && in->alt && in->key == UI_KEY_CHAR && in->letter == 'q';
        }
        return key_event(in, e, arg);
    case UI_INPUT_POINTER:
        return views_event(ui_pick(ui, in->x, in->y), e, arg);
    case UI_INPUT_WHEEL:
        *e = SESSION_MOVE;
        *arg = -in->wheel;
        return in->wheel != 0;
    case UI_INPUT_CLOSE:
        *e = SESSION_QUIT;
        return true;
    default:
        return false;
    }
}
