/* session: every state meets every event, and the kiosk's clock. */
#include "support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emotion.h"
#include "session.h"

#define SECOND INT64_C(1000000)
#define START (100 * SECOND)

static int64_t now;

static unsigned send(struct session *s, enum session_event e, int arg)
{
    return session_handle(s, e, arg, now);
}

static void begin(struct session *s, bool kiosk)
{
    struct session_params p = session_defaults(kiosk);
    p.songs = true;
    now = START;
    session_init(s, &p, now);
    send(s, SESSION_CAMERA, SESSION_CAMERA_LIVE);
}

/* Brings a fresh session into a state by the way a viewer would. RESULTS: a list of 12, the second
 * row chosen. */
static void put_into(struct session *s, enum session_state state, bool kiosk)
{
    begin(s, kiosk);
    if (state == SESSION_NO_CAMERA)
        send(s, SESSION_CAMERA, SESSION_CAMERA_GONE);
    if (state == SESSION_COUNTDOWN || state == SESSION_READING || state == SESSION_RESULTS)
        send(s, SESSION_GO, 0);
    if (kiosk && (state == SESSION_READING || state == SESSION_RESULTS)) {
        now += s->params.countdown_us;
        assert_int_equal(session_tick(s, now), SESSION_DO_FREEZE | SESSION_DO_READ);
    }
    if (state == SESSION_RESULTS) {
        send(s, SESSION_STILL, 1);
        send(s, SESSION_TITLES, 12);
        send(s, SESSION_MOVE, 1);
    }
    assert_int_equal(s->state, state);
}

/* What an event does in a state: the next state and the actions. */
struct step {
    enum session_state next;
    unsigned actions;
};

struct row {
    enum session_event event;
    int arg;
    struct step from[SESSION_STATE_COUNT];
};

#define LIVE SESSION_LIVE
#define NOCAM SESSION_NO_CAMERA
#define ATTRACT SESSION_ATTRACT
#define COUNT SESSION_COUNTDOWN
#define READ SESSION_READING
#define RESULTS SESSION_RESULTS
#define NO 0
#define FREEZE SESSION_DO_FREEZE
#define LIST SESSION_DO_RECOMMEND
#define BACK SESSION_DO_RESUME

/* Columns of the laptop: LIVE, NO_CAMERA, (ATTRACT, COUNTDOWN never occur), READING, RESULTS. */
#define LAPTOP(l, la, n, na, r, ra, s, sa)                                                         \
    {                                                                                              \
        [LIVE] = {l, la}, [NOCAM] = {n, na}, [READ] = {r, ra}, [RESULTS] = { s, sa }               \
    }
/* Columns of the kiosk: ATTRACT, COUNTDOWN, READING, RESULTS. */
#define KIOSK(a, aa, c, ca, r, ra, s, sa)                                                          \
    {                                                                                              \
        [ATTRACT] = {a, aa}, [COUNT] = {c, ca}, [READ] = {r, ra}, [RESULTS] = { s, sa }            \
    }
#define LAPTOP_STAYS(a) LAPTOP(LIVE, a, NOCAM, a, READ, a, RESULTS, a)
#define KIOSK_STAYS(a) KIOSK(ATTRACT, a, COUNT, a, READ, a, RESULTS, a)

static const struct row laptop[] = {
    {SESSION_GO, 0, LAPTOP(READ, FREEZE | SESSION_DO_READ, NOCAM, NO, READ, NO, LIVE, BACK)},
    {SESSION_BACK, 0,
     LAPTOP(LIVE, SESSION_DO_WINDOWED, NOCAM, SESSION_DO_WINDOWED, LIVE, BACK, LIVE, BACK)},
    {SESSION_MOVE, 1, LAPTOP_STAYS(NO)},
    {SESSION_PAGE, 1, LAPTOP_STAYS(NO)},
    {SESSION_SELECT, 3, LAPTOP_STAYS(NO)},
    {SESSION_TAB, 0, LAPTOP(LIVE, NO, NOCAM, NO, READ, NO, RESULTS, LIST)},
    {SESSION_MOOD, EMOTION_SAD,
     LAPTOP(LIVE, NO, RESULTS, FREEZE | LIST, RESULTS, LIST, RESULTS, LIST)},
    {SESSION_MOOD, -1, LAPTOP_STAYS(NO)},
    {SESSION_PICK, EMOTION_SAD,
     LAPTOP(RESULTS, FREEZE | LIST, RESULTS, FREEZE | LIST, RESULTS, LIST, RESULTS, LIST)},
    {SESSION_POLICY, 0,
     LAPTOP(LIVE, SESSION_DO_POLICY, NOCAM, SESSION_DO_POLICY, READ, SESSION_DO_POLICY, RESULTS,
            SESSION_DO_POLICY | LIST)},
    {SESSION_OPINION, SESSION_LIKE,
     LAPTOP(LIVE, NO, NOCAM, NO, READ, NO, RESULTS, SESSION_DO_OPINION)},
    {SESSION_HELP, 0, LAPTOP_STAYS(NO)},
    {SESSION_DEMO, 0, LAPTOP(LIVE, NO, NOCAM, SESSION_DO_DEMO, READ, NO, RESULTS, NO)},
    {SESSION_FULLSCREEN, 0, LAPTOP_STAYS(SESSION_DO_FULLSCREEN)},
    {SESSION_MIRROR, 0, LAPTOP_STAYS(SESSION_DO_MIRROR)},
    {SESSION_QUIT, 0, LAPTOP_STAYS(SESSION_DO_QUIT)},
    {SESSION_KIOSK_QUIT, 0, LAPTOP_STAYS(SESSION_DO_QUIT)},
    {SESSION_CAMERA, SESSION_CAMERA_OPENING, LAPTOP(LIVE, NO, LIVE, NO, READ, NO, RESULTS, NO)},
    {SESSION_CAMERA, SESSION_CAMERA_LIVE, LAPTOP(LIVE, NO, LIVE, NO, READ, NO, RESULTS, NO)},
    {SESSION_CAMERA, SESSION_CAMERA_GONE, LAPTOP(NOCAM, NO, NOCAM, NO, READ, NO, RESULTS, NO)},
    {SESSION_FACES, 1, LAPTOP_STAYS(NO)},
    {SESSION_FACES, 0, LAPTOP_STAYS(NO)},
    {SESSION_STILL, 1, LAPTOP(LIVE, NO, NOCAM, NO, RESULTS, LIST, RESULTS, NO)},
    {SESSION_STILL, 0, LAPTOP(LIVE, NO, NOCAM, NO, LIVE, BACK, RESULTS, NO)},
    {SESSION_TITLES, 5, LAPTOP_STAYS(NO)},
};

static const struct row kiosk[] = {
    {SESSION_GO, 0, KIOSK(COUNT, NO, COUNT, NO, READ, NO, ATTRACT, BACK)},
    {SESSION_BACK, 0, KIOSK(ATTRACT, NO, ATTRACT, BACK, ATTRACT, BACK, ATTRACT, BACK)},
    {SESSION_MOVE, 1, KIOSK_STAYS(NO)},
    {SESSION_PAGE, 1, KIOSK_STAYS(NO)},
    {SESSION_SELECT, 3, KIOSK_STAYS(NO)},
    {SESSION_TAB, 0, KIOSK(ATTRACT, NO, COUNT, NO, READ, NO, RESULTS, LIST)},
    {SESSION_MOOD, EMOTION_SAD,
     KIOSK(RESULTS, FREEZE | LIST, RESULTS, FREEZE | LIST, RESULTS, LIST, RESULTS, LIST)},
    {SESSION_MOOD, -1, KIOSK_STAYS(NO)},
    {SESSION_PICK, EMOTION_SAD,
     KIOSK(RESULTS, FREEZE | LIST, RESULTS, FREEZE | LIST, RESULTS, LIST, RESULTS, LIST)},
    {SESSION_POLICY, 0,
     KIOSK(ATTRACT, SESSION_DO_POLICY, COUNT, SESSION_DO_POLICY, READ, SESSION_DO_POLICY, RESULTS,
           SESSION_DO_POLICY | LIST)},
    {SESSION_OPINION, SESSION_LIKE, KIOSK_STAYS(NO)},
    {SESSION_HELP, 0, KIOSK_STAYS(NO)},
    {SESSION_DEMO, 0, KIOSK_STAYS(NO)},
    {SESSION_FULLSCREEN, 0, KIOSK_STAYS(NO)},
    {SESSION_MIRROR, 0, KIOSK_STAYS(NO)},
    {SESSION_QUIT, 0, KIOSK_STAYS(NO)},
    {SESSION_KIOSK_QUIT, 0, KIOSK_STAYS(SESSION_DO_QUIT)},
    {SESSION_CAMERA, SESSION_CAMERA_OPENING, KIOSK_STAYS(NO)},
    {SESSION_CAMERA, SESSION_CAMERA_LIVE, KIOSK_STAYS(NO)},
    {SESSION_CAMERA, SESSION_CAMERA_GONE, KIOSK(ATTRACT, NO, ATTRACT, NO, READ, NO, RESULTS, NO)},
    {SESSION_FACES, 1, KIOSK_STAYS(NO)},
    {SESSION_FACES, 0, KIOSK_STAYS(NO)},
    {SESSION_STILL, 1, KIOSK(ATTRACT, NO, COUNT, NO, RESULTS, LIST, RESULTS, NO)},
    {SESSION_STILL, 0, KIOSK(ATTRACT, NO, COUNT, NO, ATTRACT, BACK, RESULTS, NO)},
    {SESSION_TITLES, 5, KIOSK_STAYS(NO)},
};

static void check_table(const struct row *rows, size_t count, bool is_kiosk)
{
    bool covered[SESSION_EVENT_COUNT] = {false};
    for (size_t i = 0; i < count; i++) {
        covered[rows[i].event] = true;
        for (int state = 0; state < SESSION_STATE_COUNT; state++) {
            bool occurs =
                is_kiosk ? state != LIVE && state != NOCAM : state != ATTRACT && state != COUNT;
            struct session s;
            if (!occurs)
                continue;
            put_into(&s, (enum session_state)state, is_kiosk);
            unsigned actions = send(&s, rows[i].event, rows[i].arg);
            struct step want = rows[i].from[state];
            if (s.state != want.next || actions != want.actions)
                fail_msg("%s: event %d(%d) in %s: went to %s with %u, not to %s with %u",
                         is_kiosk ? "kiosk" : "laptop", rows[i].event, rows[i].arg,
                         session_state_name((enum session_state)state), session_state_name(s.state),
                         actions, session_state_name(want.next), want.actions);
        }
    }
    for (int e = 0; e < SESSION_EVENT_COUNT; e++)
        if (!covered[e])
            fail_msg("event %d is not in the table", e);
}

static void test_every_event_in_every_laptop_state(void **state)
{
    (void)state;
    check_table(laptop, sizeof laptop / sizeof laptop[0], false);
}

static void test_every_event_in_every_kiosk_state(void **state)
{
    (void)state;
    check_table(kiosk, sizeof kiosk / sizeof kiosk[0], true);
}

static void test_list_movement_stays_inside(void **state)
{
    (void)state;
    struct session s;
    put_into(&s, RESULTS, false);
    session_set_rows(&s, 5);
    assert_int_equal(s.selected, 1);
    send(&s, SESSION_MOVE, -9);
    assert_int_equal(s.selected, 0);
    send(&s, SESSION_PAGE, 1);
    assert_int_equal(s.selected, 5);
    assert_int_equal(session_first_row(&s), 5);
    send(&s, SESSION_SELECT, 1 << 20);
    assert_int_equal(s.selected, 11);
    assert_int_equal(session_first_row(&s), 10);
    send(&s, SESSION_TITLES, 4);
    assert_int_equal(s.selected, 3);
    send(&s, SESSION_TITLES, 0);
    send(&s, SESSION_MOVE, 1);
    assert_int_equal(s.selected, 0);
    session_set_rows(&s, 0);
    assert_int_equal(session_first_row(&s), 0);
}

static void test_a_mood_by_hand_lasts_for_one_list(void **state)
{
    (void)state;
    struct session s;
    put_into(&s, LIVE, false);
    send(&s, SESSION_MOOD, EMOTION_FEAR);
    assert_int_equal(s.note, SESSION_NOTE_MOOD_SET);
    assert_int_equal(send(&s, SESSION_GO, 0), FREEZE | LIST);
    assert_int_equal(s.state, RESULTS);
    assert_int_equal(s.manual, EMOTION_FEAR);
    assert_int_equal(send(&s, SESSION_MOOD, -1), NO); /* nothing was read */
    assert_int_equal(s.manual, EMOTION_FEAR);
    send(&s, SESSION_GO, 0);
    assert_int_equal(s.manual, -1);
    put_into(&s, RESULTS, false);
    send(&s, SESSION_MOOD, EMOTION_FEAR);
    assert_int_equal(send(&s, SESSION_MOOD, -1), LIST);
    assert_int_equal(s.manual, -1);
}

static void test_no_face_is_said_for_a_while(void **state)
{
    (void)state;
    struct session s;
    put_into(&s, READ, false);
    send(&s, SESSION_STILL, 0);
    assert_int_equal(s.note, SESSION_NOTE_NO_FACE);
    assert_int_equal(session_deadline(&s), now + s.params.note_us);
    now = session_deadline(&s);
    session_tick(&s, now);
    assert_int_equal(s.note, SESSION_NOTE_NONE);
    assert_int_equal(session_deadline(&s), INT64_MAX);
}

static void test_a_late_reading_falls_back_again_and_again(void **state)
{
    (void)state;
    struct session s;
    put_into(&s, READ, false);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(session_deadline(&s), now + s.params.still_us);
        assert_int_equal(session_tick(&s, now + s.params.still_us - 1), NO);
        now += s.params.still_us;
        assert_int_equal(session_tick(&s, now), SESSION_DO_USE_LIVE);
        assert_int_equal(s.state, READ);
    }
}

static void test_camera_lost_under_a_list_shows_after_it(void **state)
{
    (void)state;
    struct session s;
    put_into(&s, RESULTS, false);
    send(&s, SESSION_CAMERA, SESSION_CAMERA_GONE);
    assert_int_equal(s.state, RESULTS);
    send(&s, SESSION_GO, 0);
    assert_int_equal(s.state, NOCAM);
}

static void test_help_takes_the_keys_that_close_it(void **state)
{
    (void)state;
    struct session s;
    put_into(&s, LIVE, false);
    send(&s, SESSION_HELP, 0);
    assert_true(s.help);
    assert_int_equal(send(&s, SESSION_PICK, EMOTION_SAD), NO);
    assert_true(s.help);
    assert_int_equal(send(&s, SESSION_GO, 0), NO);
    assert_false(s.help);
    assert_int_equal(s.state, LIVE);
    send(&s, SESSION_HELP, 0);
    send(&s, SESSION_BACK, 0);
    assert_false(s.help);
    send(&s, SESSION_HELP, 0);
    assert_int_equal(send(&s, SESSION_QUIT, 0), SESSION_DO_QUIT);
    send(&s, SESSION_HELP, 0);
    assert_false(s.help);
}

static void test_nothing_is_seen_before_the_notice(void **state)
{
    (void)state;
    struct session s;
    begin(&s, true);
    assert_int_equal(session_sight(&s, now), SESSION_SEES_NOTHING);
    assert_int_equal(session_sight(&s, now + s.params.notice_us - 1), SESSION_SEES_NOTHING);
    assert_int_equal(session_sight(&s, now + s.params.notice_us), SESSION_SEES_FACES);
    send(&s, SESSION_GO, 0);
    assert_int_equal(session_sight(&s, now), SESSION_SEES_MOODS);
    put_into(&s, RESULTS, true);
    assert_int_equal(session_sight(&s, now + 100 * SECOND), SESSION_SEES_NOTHING);
    put_into(&s, LIVE, false);
    assert_int_equal(session_sight(&s, now), SESSION_SEES_MOODS);
    send(&s, SESSION_CAMERA, SESSION_CAMERA_OPENING);
    assert_int_equal(session_sight(&s, now), SESSION_SEES_NOTHING);
}

static void test_a_steady_face_begins_the_countdown(void **state)
{
    (void)state;
    struct session s;
    begin(&s, true);
    now += s.params.notice_us + SECOND;
    send(&s, SESSION_FACES, 1);
    int64_t at = session_deadline(&s);
    assert_int_equal(at, now + s.params.approach_us);
    now = at - SECOND / 2;
    send(&s, SESSION_FACES, 0); /* looked away: it begins anew */
    assert_int_equal(session_deadline(&s), INT64_MAX);
    send(&s, SESSION_FACES, 1);
    now = session_deadline(&s);
    assert_int_equal(session_tick(&s, now - 1), NO);
    assert_int_equal(s.state, ATTRACT);
    session_tick(&s, now);
    assert_int_equal(s.state, COUNT);
}

static void test_a_face_during_the_notice_waits_for_its_end(void **state)
{
    (void)state;
    struct session s;
    begin(&s, true);
    send(&s, SESSION_FACES, 1);
    assert_int_equal(session_deadline(&s), START + s.params.notice_us + s.params.approach_us);
}

static void test_countdown_ends_when_the_visitor_leaves(void **state)
{
    (void)state;
    struct session s;
    put_into(&s, COUNT, true);
    send(&s, SESSION_FACES, 1);
    now += SECOND;
    send(&s, SESSION_FACES, 0);
    assert_int_equal(session_deadline(&s), now + s.params.leave_us);
    now += s.params.leave_us;
    assert_int_equal(session_tick(&s, now), BACK);
    assert_int_equal(s.state, ATTRACT);
}

static void test_countdown_counts(void **state)
{
    (void)state;
    struct session s;
    float done;
    put_into(&s, COUNT, true);
    assert_int_equal(session_countdown(&s, now, &done), 3);
    assert_true(done == 0.0f);
    assert_int_equal(session_countdown(&s, now + SECOND, &done), 2);
    assert_int_equal(session_countdown(&s, now + 3 * SECOND - 1, &done), 1);
    assert_int_equal(session_countdown(&s, now + 9 * SECOND, &done), 1);
}

static void test_kiosk_list_closes_by_itself_and_touch_keeps_it(void **state)
{
    (void)state;
    struct session s;
    put_into(&s, RESULTS, true);
    send(&s, SESSION_TAB, 0);
    now += 20 * SECOND;
    send(&s, SESSION_MOVE, 1);
    send(&s, SESSION_FACES, 0);
    assert_int_equal(session_deadline(&s), now + s.params.results_us);
    now += s.params.results_us;
    assert_int_equal(session_tick(&s, now), BACK);
    assert_int_equal(s.state, ATTRACT);
    assert_false(s.songs);
    assert_int_equal(s.count, 0);
}

/* A year of visitors, one an hour, who never touch anything. */
static void test_a_year_of_kiosk(void **state)
{
    (void)state;
    struct session s;
    int lists = 0;
    begin(&s, true);
    for (int hour = 0; hour < 365 * 24; hour++) {
        int64_t end = START + (int64_t)(hour + 1) * 3600 * SECOND;
        if (now < end - 1800 * SECOND)
            now = end - 1800 * SECOND;
        send(&s, SESSION_FACES, 1);
        while (session_deadline(&s) <= end) {
            now = session_deadline(&s);
            unsigned actions = session_tick(&s, now);
            if (actions & SESSION_DO_READ)
                actions = send(&s, SESSION_STILL, 1);
            if (actions & LIST) {
                send(&s, SESSION_TITLES, 10);
                lists++;
            }
        }
        assert_int_equal(s.state, ATTRACT);
    }
    assert_int_equal(lists, 365 * 24);
}

/* Whatever happens, the session stays within its own rules. */
static void test_random_events_keep_the_rules(void **state)
{
    (void)state;
    for (int is_kiosk = 0; is_kiosk < 2; is_kiosk++) {
        struct session s;
        unsigned seed = 12345;
        begin(&s, is_kiosk);
        for (int i = 0; i < 200000; i++) {
            seed = seed * 1103515245u + 12345u;
            int arg = (int)(seed >> 8) % 8 - 1;
            enum session_event e = (enum session_event)((seed >> 16) % SESSION_EVENT_COUNT);
            now += (int64_t)(seed % 700000);
            unsigned actions = session_tick(&s, now);
            if (e == SESSION_CAMERA)
                arg = arg & 1 ? SESSION_CAMERA_LIVE : SESSION_CAMERA_GONE;
            if (e == SESSION_OPINION || e == SESSION_PICK || e == SESSION_TITLES)
                arg = arg < 0 ? 0 : arg & 3;
            actions |= send(&s, e, arg);
            assert_true((s.state == ATTRACT || s.state == COUNT) ? is_kiosk : true);
            assert_true((s.state == LIVE || s.state == NOCAM) ? !is_kiosk : true);
            assert_true(s.selected >= 0 && (s.selected < s.count || s.selected == 0));
            assert_true(s.manual >= -1 && s.manual < EMOTION_COUNT);
            assert_true(session_deadline(&s) > now - 3600 * SECOND);
            assert_false(is_kiosk && (actions & (SESSION_DO_OPINION | SESSION_DO_FULLSCREEN)));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_event_in_every_laptop_state),
        cmocka_unit_test(test_every_event_in_every_kiosk_state),
        cmocka_unit_test(test_list_movement_stays_inside),
        cmocka_unit_test(test_a_mood_by_hand_lasts_for_one_list),
        cmocka_unit_test(test_no_face_is_said_for_a_while),
        cmocka_unit_test(test_a_late_reading_falls_back_again_and_again),
        cmocka_unit_test(test_camera_lost_under_a_list_shows_after_it),
        cmocka_unit_test(test_help_takes_the_keys_that_close_it),
        cmocka_unit_test(test_nothing_is_seen_before_the_notice),
        cmocka_unit_test(test_a_steady_face_begins_the_countdown),
        cmocka_unit_test(test_a_face_during_the_notice_waits_for_its_end),
        cmocka_unit_test(test_countdown_ends_when_the_visitor_leaves),
        cmocka_unit_test(test_countdown_counts),
        cmocka_unit_test(test_kiosk_list_closes_by_itself_and_touch_keeps_it),
        cmocka_unit_test(test_a_year_of_kiosk),
        cmocka_unit_test(test_random_events_keep_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
