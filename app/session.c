/* The viewer's states. */
#include "session.h"

#include <stddef.h>

#define SECOND INT64_C(1000000)

struct session_params session_defaults(bool kiosk)
{
    return (struct session_params){
        .kiosk = kiosk,
        .notice_us = 3 * SECOND,
        .approach_us = 3 * SECOND / 2,
        .leave_us = SECOND,
        .countdown_us = 3 * SECOND,
        .results_us = 30 * SECOND,
        .still_us = SECOND / 5,
        .note_us = 5 * SECOND,
    };
}

const char *session_state_name(enum session_state state)
{
    static const char *const names[SESSION_STATE_COUNT] = {"live",      "no-camera", "attract",
                                                           "countdown", "reading",   "results"};
    return names[state];
}

static enum session_state home(const struct session *s)
{
    if (s->params.kiosk)
        return SESSION_ATTRACT;
    return s->camera == SESSION_CAMERA_GONE ? SESSION_NO_CAMERA : SESSION_LIVE;
}

static void enter(struct session *s, enum session_state state, int64_t now_us)
{
    s->state = state;
    s->since_us = now_us;
}

void session_init(struct session *s, const struct session_params *p, int64_t now_us)
{
    *s =
        (struct session){.params = *p, .face_us = -1, .noface_us = now_us, .manual = -1, .rows = 1};
    enter(s, home(s), now_us);
}

static void say(struct session *s, enum session_note note, int64_t now_us)
{
    s->note = note;
    s->note_until_us = now_us + s->params.note_us;
}

static unsigned go_home(struct session *s, int64_t now_us)
{
    s->manual = -1;
    s->read = false;
    s->count = 0;
    s->selected = 0;
    s->face_us = -1; /* a visitor who stays must be seen anew */
    s->noface_us = now_us;
    if (s->params.kiosk)
        s->songs = false; /* the next visitor begins afresh */
    enter(s, home(s), now_us);
    return SESSION_DO_RESUME;
}

static unsigned begin_reading(struct session *s, int64_t now_us)
{
    s->note = SESSION_NOTE_NONE;
    enter(s, SESSION_READING, now_us);
    return SESSION_DO_FREEZE | SESSION_DO_READ;
}

static unsigned show_results(struct session *s, int64_t now_us)
{
    s->selected = 0;
    s->count = 0;
    s->note = SESSION_NOTE_NONE;
    enter(s, SESSION_RESULTS, now_us);
    return SESSION_DO_RECOMMEND;
}

static unsigned on_go(struct session *s, int64_t now_us)
{
    switch (s->state) {
    case SESSION_LIVE:
        if (s->manual >= 0)
            return SESSION_DO_FREEZE | show_results(s, now_us);
        return begin_reading(s, now_us);
    case SESSION_ATTRACT:
        if (s->camera == SESSION_CAMERA_LIVE)
            enter(s, SESSION_COUNTDOWN, now_us);
        return SESSION_DO_NOTHING;
    case SESSION_RESULTS:
        return go_home(s, now_us);
    default:
        return SESSION_DO_NOTHING;
    }
}

static unsigned on_back(struct session *s, int64_t now_us)
{
    switch (s->state) {
    case SESSION_COUNTDOWN:
    case SESSION_READING:
    case SESSION_RESULTS:
        return go_home(s, now_us);
    case SESSION_LIVE:
        s->manual = -1;
        s->note = SESSION_NOTE_NONE;
        return SESSION_DO_WINDOWED;
    case SESSION_NO_CAMERA:
        return SESSION_DO_WINDOWED;
    default:
        return SESSION_DO_NOTHING;
    }
}

static unsigned select_row(struct session *s, int row)
{
    if (s->state != SESSION_RESULTS || s->count == 0)
        return SESSION_DO_NOTHING;
    s->selected = row < 0 ? 0 : row >= s->count ? s->count - 1 : row;
    return SESSION_DO_NOTHING;
}

static unsigned on_tab(struct session *s, int64_t now_us)
{
    if (s->state != SESSION_RESULTS || !s->params.songs)
        return SESSION_DO_NOTHING;
    s->songs = !s->songs;
    return show_results(s, now_us);
}

/* A list by hand: the picture, if there is one, stays as it is. */
static unsigned open_by_hand(struct session *s, int emotion, int64_t now_us)
{
    unsigned freeze = s->state == SESSION_RESULTS || s->state == SESSION_READING
                          ? SESSION_DO_NOTHING
                          : SESSION_DO_FREEZE;
    s->manual = emotion;
    return freeze | show_results(s, now_us);
}

static unsigned on_mood(struct session *s, int emotion, int64_t now_us)
{
    if (emotion < 0) {
        bool changed = s->manual >= 0;
        if (s->state == SESSION_RESULTS && !s->read)
            return SESSION_DO_NOTHING; /* there is no reading to go back to */
        s->manual = -1;
        s->note = SESSION_NOTE_NONE;
        return s->state == SESSION_RESULTS && changed ? show_results(s, now_us)
                                                      : SESSION_DO_NOTHING;
    }
    if (s->state != SESSION_LIVE)
        return open_by_hand(s, emotion, now_us);
    s->manual = emotion;
    say(s, SESSION_NOTE_MOOD_SET, now_us);
    return SESSION_DO_NOTHING;
}

static unsigned on_policy(struct session *s, int64_t now_us)
{
    return SESSION_DO_POLICY |
           (s->state == SESSION_RESULTS ? show_results(s, now_us) : SESSION_DO_NOTHING);
}

static unsigned on_opinion(struct session *s, int opinion)
{
    if (s->state != SESSION_RESULTS || s->count == 0 || s->params.kiosk)
        return SESSION_DO_NOTHING; /* strangers share a kiosk: it remembers nobody */
    s->opinion = (enum session_opinion)opinion;
    return SESSION_DO_OPINION;
}

static unsigned on_camera(struct session *s, int camera, int64_t now_us)
{
    bool gone = camera == SESSION_CAMERA_GONE;
    s->camera = (enum session_camera)camera;
    if (gone) {
        s->face_us = -1;
        s->noface_us = now_us;
    }
    if ((s->state == SESSION_LIVE && gone) || (s->state == SESSION_NO_CAMERA && !gone) ||
        (s->state == SESSION_COUNTDOWN && gone))
        enter(s, home(s), now_us);
    return SESSION_DO_NOTHING;
}

static unsigned on_faces(struct session *s, int count, int64_t now_us)
{
    if (count > 0) {
        s->noface_us = -1;
        s->face_us = s->face_us < 0 ? now_us : s->face_us;
    } else {
        s->face_us = -1;
        s->noface_us = s->noface_us < 0 ? now_us : s->noface_us;
    }
    return SESSION_DO_NOTHING;
}

static unsigned on_still(struct session *s, int faces, int64_t now_us)
{
    if (s->state != SESSION_READING)
        return SESSION_DO_NOTHING;
    if (faces > 0) {
        s->read = true;
        return show_results(s, now_us);
    }
    unsigned actions = go_home(s, now_us);
    say(s, SESSION_NOTE_NO_FACE, now_us);
    return actions;
}

static unsigned on_titles(struct session *s, int count)
{
    if (s->state != SESSION_RESULTS)
        return SESSION_DO_NOTHING;
    s->count = count;
    s->selected = s->selected < count ? s->selected : count > 0 ? count - 1 : 0;
    return SESSION_DO_NOTHING;
}

/* The help page lies over everything and takes the keys that close it. */
static unsigned on_help(struct session *s, enum session_event e, bool *taken)
{
    if (e == SESSION_HELP && !s->params.kiosk) {
        s->help = !s->help;
        *taken = true;
    } else if (s->help && e < SESSION_FULLSCREEN) {
        s->help = e != SESSION_GO && e != SESSION_BACK && e != SESSION_SELECT;
        *taken = true;
    }
    return SESSION_DO_NOTHING;
}

static unsigned on_window(const struct session *s, enum session_event e)
{
    bool kiosk = s->params.kiosk;
    switch (e) {
    case SESSION_FULLSCREEN:
        return kiosk ? SESSION_DO_NOTHING : SESSION_DO_FULLSCREEN;
    case SESSION_MIRROR:
        return kiosk ? SESSION_DO_NOTHING : SESSION_DO_MIRROR;
    case SESSION_QUIT:
        return kiosk ? SESSION_DO_NOTHING : SESSION_DO_QUIT;
    case SESSION_KIOSK_QUIT:
        return SESSION_DO_QUIT;
    default:
        return SESSION_DO_NOTHING;
    }
}

static unsigned dispatch(struct session *s, enum session_event e, int arg, int64_t now_us)
{
    switch (e) {
    case SESSION_GO:
        return on_go(s, now_us);
    case SESSION_BACK:
        return on_back(s, now_us);
    case SESSION_MOVE:
        return select_row(s, s->selected + arg);
    case SESSION_PAGE:
        return select_row(s, s->selected + arg * s->rows);
    case SESSION_SELECT:
        return select_row(s, arg);
    case SESSION_TAB:
        return on_tab(s, now_us);
    case SESSION_MOOD:
        return on_mood(s, arg, now_us);
    case SESSION_PICK:
        return open_by_hand(s, arg, now_us);
    case SESSION_POLICY:
        return on_policy(s, now_us);
    case SESSION_OPINION:
        return on_opinion(s, arg);
    case SESSION_DEMO:
        return s->state == SESSION_NO_CAMERA ? SESSION_DO_DEMO : SESSION_DO_NOTHING;
    case SESSION_CAMERA:
        return on_camera(s, arg, now_us);
    case SESSION_FACES:
        return on_faces(s, arg, now_us);
    case SESSION_STILL:
        return on_still(s, arg, now_us);
    case SESSION_TITLES:
        return on_titles(s, arg);
    default:
        return on_window(s, e);
    }
}

unsigned session_handle(struct session *s, enum session_event e, int arg, int64_t now_us)
{
    bool taken = false, by_hand = e < SESSION_FULLSCREEN;
    on_help(s, e, &taken);
    if (taken)
        return SESSION_DO_NOTHING;
    if (by_hand && s->state == SESSION_RESULTS)
        s->since_us = now_us;
    return dispatch(s, e, arg, now_us);
}

/* When a waiting face starts the countdown; INT64_MAX: nobody is there. */
static int64_t approach_at(const struct session *s)
{
    int64_t ready = s->since_us + s->params.notice_us;
    if (s->face_us < 0 || s->camera != SESSION_CAMERA_LIVE)
        return INT64_MAX;
    return (s->face_us > ready ? s->face_us : ready) + s->params.approach_us;
}

static int64_t state_ends_at(const struct session *s)
{
    int64_t end = s->since_us + s->params.countdown_us, left;
    switch (s->state) {
    case SESSION_ATTRACT:
        return approach_at(s);
    case SESSION_COUNTDOWN:
        left = s->noface_us > s->since_us ? s->noface_us + s->params.leave_us : INT64_MAX;
        return left < end ? left : end; /* who began by touch need not have been seen yet */
    case SESSION_READING:
        return s->since_us + s->params.still_us;
    case SESSION_RESULTS:
        return s->params.kiosk ? s->since_us + s->params.results_us : INT64_MAX;
    default:
        return INT64_MAX;
    }
}

static unsigned end_state(struct session *s, int64_t now_us)
{
    switch (s->state) {
    case SESSION_ATTRACT:
        enter(s, SESSION_COUNTDOWN, now_us);
        return SESSION_DO_NOTHING;
    case SESSION_COUNTDOWN:
        if (now_us < s->since_us + s->params.countdown_us)
            return go_home(s, now_us); /* nobody is there any more */
        return begin_reading(s, now_us);
    case SESSION_READING:
        s->since_us = now_us;
        return SESSION_DO_USE_LIVE;
    default:
        return go_home(s, now_us);
    }
}

unsigned session_tick(struct session *s, int64_t now_us)
{
    if (s->note != SESSION_NOTE_NONE && now_us >= s->note_until_us)
        s->note = SESSION_NOTE_NONE;
    return now_us >= state_ends_at(s) ? end_state(s, now_us) : SESSION_DO_NOTHING;
}

int64_t session_deadline(const struct session *s)
{
    int64_t at = state_ends_at(s);
    if (s->note != SESSION_NOTE_NONE && s->note_until_us < at)
        at = s->note_until_us;
    return at;
}

enum session_sight session_sight(const struct session *s, int64_t now_us)
{
    if (s->camera != SESSION_CAMERA_LIVE)
        return SESSION_SEES_NOTHING;
    switch (s->state) {
    case SESSION_LIVE:
    case SESSION_COUNTDOWN:
    case SESSION_READING:
        return SESSION_SEES_MOODS;
    case SESSION_ATTRACT:
        return now_us >= s->since_us + s->params.notice_us ? SESSION_SEES_FACES
                                                           : SESSION_SEES_NOTHING;
    default:
        return SESSION_SEES_NOTHING;
    }
}

void session_set_rows(struct session *s, int rows)
{
    s->rows = rows > 0 ? rows : 1;
}

int session_first_row(const struct session *s)
{
    return s->selected / s->rows * s->rows;
}

int session_countdown(const struct session *s, int64_t now_us, float *done)
{
    int64_t gone = now_us - s->since_us, left = s->params.countdown_us - gone;
    *done = (float)gone / (float)s->params.countdown_us;
    return left <= 0 ? 1 : (int)((left + SECOND - 1) / SECOND);
}
