/* Composition root and event loop of the live app.
 *
 * DESIGN. Three threads: capture -> slot -> this one -> slot -> detector, and in the kiosk the
 * presence thread on the same slot as the detector, one of the two at a time. This thread hands a
 * frame on only while the session allows it (session_sight), so nothing is read from a face before
 * the notice was shown, or while a list is open. It sleeps in ui_sdl_wait() until an input, a
 * wake-up of another thread, or the next deadline. Pictures: `shown` is on the screen; while it is
 * frozen, newer ones replace `waiting`. Results of a careful reading are matched by frame number,
 * so a late one cannot land in the wrong list. */
#include "app.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MODULE "app"
#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/thread.h"
#include "figures.h"
#include "films.h"
#include "input.h"
#include "report.h"
#include "session.h"
#include "session.h"
#include "ui/ui_sdl.h"
#include "views.h"
#include "vision/opencv_c.h"
#include "workers.h"

enum { INPUTS_A_TURN = 64 };

#define SECOND INT64_C(1000000)
#define IDLE_US (SECOND / 4)   /* longest sleep: signals and --exit-after are seen within it */
#define FRAME_US (SECOND / 60) /* nothing is drawn more often */
#define SLOW_FRAME_US (SECOND / 5)
#define STILL_GIVE_UP_US (2 * SECOND)
#define FRESH_US (2 * SECOND) /* live faces this old still stand in for a late reading */

struct app {
    const struct app_options *o;
    int64_t start_us, now_us;
    struct workers workers; /* the other threads */
    struct ui_sdl *window;
    struct ui *ui;
    struct session session;
    struct films *films;
    struct report *report;
    struct frame *shown, *waiting;
    int64_t first_frame_us;
    struct capture_status camera;
    struct detector_stats detector_stats;
    struct observation live, still; /* of the newest pictures; of the frozen one */
    struct emotion_scores mood;     /* the list was made for it */
    int mood_faces;
    uint64_t still_seq;
    int64_t asked_us;   /* when the list was asked for; -1: it is on the screen */
    struct err problem; /* why there is no list */
    bool mirror, fullscreen, dirty, quit, texture_stale;
    enum session_state reported;
    struct figures figures; /* since the last line of them in the report */
    int64_t presented_us;   /* last; 0: no picture yet */
};

static volatile sig_atomic_t stop_signal;

static void on_signal(int number)
{
    stop_signal = number;
}

static void catch_signals(void)
{
    struct sigaction a = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
    sigaction(SIGHUP, &a, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

/* ---- starting ---- */

static int open_window(struct app *a, struct err *err)
{
    struct ui_sdl_params p = {.title = "moodreel",
                              .font = a->o->font,
                              .width = a->o->size.width,
                              .height = a->o->size.height,
                              .zoom = (float)a->o->zoom,
                              .fullscreen = a->fullscreen,
                              .hide_cursor = a->o->kiosk,
                              .software = a->o->renderer == APP_RENDERER_SOFTWARE};
    int code = ui_sdl_create(&a->window, &p, err);
    if (code == ERR_OK)
        a->ui = ui_create(ui_sdl_metrics(a->window));
    return code;
}

static int open_films(struct app *a, struct err *err)
{
    struct films_params p = {.catalog = a->o->catalog,
                             .policy = a->o->policy,
                             .language = a->o->language,
                             .top = a->o->top,
                             .memory = a->o->memory && !a->o->kiosk};
    return films_open(&a->films, &p, err);
}

static void begin_session(struct app *a)
{
    struct session_params p = session_defaults(a->o->kiosk);
    p.songs = films_has_songs(a->films);
    p.results_us = (int64_t)(a->o->results_s * (double)SECOND);
    session_init(&a->session, &p, clock_now_us());
    a->reported = SESSION_STATE_COUNT;
}

static int start(struct app *a, struct err *err)
{
    int code = a->o->report ? report_open(&a->report, a->o->report, a->start_us, err) : ERR_OK;
    if (code == ERR_OK)
        code = open_films(a, err);
    if (code == ERR_OK)
        code = open_window(a, err);
    if (code == ERR_OK)
        code = workers_start(&a->workers, a->o, a->window, err);
    if (code == ERR_OK)
        begin_session(a);
    return code;
}

/* Stop all, join all, destroy all; also after a start that failed half way. */
static void finish(struct app *a)
{
    workers_stop(&a->workers);
    /* No other thread is left: nobody calls ui_sdl_wake() or holds a frame. */
    frame_unref(&a->shown);
    frame_unref(&a->waiting);
    workers_destroy(&a->workers);
    films_close(a->films);
    ui_destroy(a->ui);
    ui_sdl_destroy(a->window);
}

/* ---- what the session's actions mean ---- */

static void handle(struct app *a, enum session_event e, int arg);

static void recommend_titles(struct app *a)
{
    struct emotion_scores faces[MAX_FACES];
    float areas[MAX_FACES];
    const struct observation *o = &a->still;
    bool by_hand = a->session.manual >= 0;
    for (int i = 0; i < o->count; i++) {
        faces[i] = o->face[i].smooth;
        areas[i] = o->face[i].box.w * o->face[i].box.h;
    }
    a->mood = by_hand ? emotion_pure((enum emotion)a->session.manual)
                      : films_mood(faces, areas, o->count);
    a->mood_faces = by_hand ? 0 : o->count;
    err_clear(&a->problem);
    if (films_fetch(a->films, &a->mood, faces, a->mood_faces, a->session.songs, &a->problem) < 0)
        log_warn("%s", a->problem.text);
    handle(a, SESSION_TITLES, films_titles(a->films)->count);
}

static void read_still(struct app *a)
{
    a->still = (struct observation){0};
    a->still_seq = a->shown ? a->shown->seq : 0;
    if (a->shown)
        detector_still(a->workers.detector, frame_ref(a->shown));
    else
        handle(a, SESSION_STILL, 0);
}

/* A live label lags behind its scores on purpose (tracker.h); a list is made from the scores, so
 * beside it a label that no longer fits them is not sure. */
static void settle_label(struct face_track *f)
{
    enum emotion top = emotion_top(&f->smooth);
    f->sure = f->sure && f->label == top;
    f->label = top;
}

/* The careful reading is late: the live faces stand in while they are fresh. */
static void use_live_faces(struct app *a)
{
    bool fresh = a->live.count > 0 && a->now_us - a->live.t_us < FRESH_US;
    if (fresh) {
        a->still = a->live;
        for (int i = 0; i < a->still.count; i++)
            settle_label(&a->still.face[i]);
        handle(a, SESSION_STILL, a->still.count);
    } else if (a->now_us - a->asked_us > STILL_GIVE_UP_US) {
        handle(a, SESSION_STILL, 0);
    }
}

static void resume(struct app *a)
{
    a->asked_us = -1;
    a->still = (struct observation){0};
    if (!a->waiting)
        return;
    frame_unref(&a->shown);
    a->shown = a->waiting;
    a->waiting = NULL;
    a->texture_stale = true;
}

static void show_demo(struct app *a)
{
    struct err err = {0};
    if (capture_switch(a->workers.capture, "demo", &err) < 0)
        log_error("%s", err.text);
    detector_reset(a->workers.detector);
}

static void next_policy(struct app *a)
{
    struct err err = {0};
    if (films_next_policy(a->films, &err) < 0)
        log_error("%s", err.text);
}

static void store_opinion(struct app *a)
{
    struct err err = {0};
    if (films_opinion(a->films, a->session.selected, a->session.opinion, &err) < 0)
        log_error("%s", err.text);
}

static void set_fullscreen(struct app *a, bool on)
{
    if (on != a->fullscreen)
        ui_sdl_fullscreen(a->window, on);
    a->fullscreen = on;
}

static void act(struct app *a, unsigned actions)
{
    if (actions & (SESSION_DO_READ | SESSION_DO_FREEZE))
        a->asked_us = a->now_us;
    else if ((actions & SESSION_DO_RECOMMEND) && a->asked_us < 0)
        a->asked_us = a->now_us;
    if (actions & SESSION_DO_RESUME)
        resume(a);
    if (actions & SESSION_DO_READ)
        read_still(a);
    if (actions & SESSION_DO_USE_LIVE)
        use_live_faces(a);
    if (actions & SESSION_DO_POLICY)
        next_policy(a);
    if (actions & SESSION_DO_RECOMMEND)
        recommend_titles(a);
    if (actions & SESSION_DO_OPINION)
        store_opinion(a);
    if (actions & SESSION_DO_DEMO)
        show_demo(a);
    if (actions & SESSION_DO_FULLSCREEN)
        set_fullscreen(a, !a->fullscreen);
    if (actions & SESSION_DO_WINDOWED)
        set_fullscreen(a, false);
    if (actions & SESSION_DO_MIRROR) {
        a->mirror = !a->mirror;
        a->texture_stale = true;
    }
    if (actions & SESSION_DO_QUIT)
        a->quit = true;
}

static void handle(struct app *a, enum session_event e, int arg)
{
    a->dirty = true;
    act(a, session_handle(&a->session, e, arg, a->now_us));
}

/* ---- what the other threads bring ---- */

static bool frozen(const struct app *a)
{
    return a->session.state == SESSION_READING || a->session.state == SESSION_RESULTS;
}

static void take_frame(struct app *a)
{
    struct frame *f = frame_slot_take(a->workers.to_window, 0);
    if (!f)
        return;
    if (a->first_frame_us == 0)
        a->first_frame_us = f->t_us;
    workers_show(&a->workers, f, session_sight(&a->session, a->now_us));
    struct frame **place = frozen(a) ? &a->waiting : &a->shown;
    frame_unref(place);
    *place = f;
    if (!frozen(a)) {
        a->texture_stale = true;
        a->dirty |= a->session.state == SESSION_LIVE || a->session.state == SESSION_COUNTDOWN;
    }
}

static int camera_event(const struct capture_status *s)
{
    bool over = s->state == CAPTURE_ENDED && s->reason == CAPTURE_FINE; /* its last picture stays */
    if (s->state == CAPTURE_LIVE || over)
        return SESSION_CAMERA_LIVE;
    return s->state == CAPTURE_OPENING ? SESSION_CAMERA_OPENING : SESSION_CAMERA_GONE;
}

static void take_camera_state(struct app *a)
{
    struct capture_status s;
    capture_status(a->workers.capture, &s);
    bool changed = s.state != a->camera.state || s.reason != a->camera.reason ||
                   strcmp(s.name, a->camera.name) != 0 || strcmp(s.text, a->camera.text) != 0;
    bool first = a->camera.name[0] == '\0' && a->camera.text[0] == '\0';
    a->camera = s;
    if (!changed && !first)
        return;
    report_camera(a->report, &s);
    handle(a, SESSION_CAMERA, camera_event(&s));
}

static void take_observation(struct app *a)
{
    struct observation o;
    int faces;
    if (detector_latest(a->workers.detector, a->live.frame_seq, &o)) {
        a->live = o;
        report_faces(a->report, &o, a->camera.width, a->camera.height,
                     (double)(o.t_us - a->first_frame_us) * 1e-6);
        handle(a, SESSION_FACES, o.count);
    }
    if (a->workers.presence && presence_latest(a->workers.presence, &faces))
        handle(a, SESSION_FACES, faces);
    if (a->session.state == SESSION_READING && a->still_seq != 0 &&
        detector_still_result(a->workers.detector, a->still_seq, &o)) {
        a->still = o;
        handle(a, SESSION_STILL, o.count);
    }
}

static void take_input(struct app *a, const struct ui_input *in)
{
    enum session_event e;
    int arg;
    if (in->kind == UI_INPUT_RESET)
        a->texture_stale = true;
    if (in->kind == UI_INPUT_RESET || in->kind == UI_INPUT_REDRAW)
        a->dirty = true;
    if (input_event(in, a->ui, &e, &arg))
        handle(a, e, arg);
}

/* ---- drawing ---- */

static const char *camera_title(enum capture_reason reason)
{
    switch (reason) {
    case CAPTURE_BUSY:
        return "The camera is in use";
    case CAPTURE_DENIED:
        return "The camera may not be opened";
    case CAPTURE_STALLED:
        return "The camera sends no picture";
    case CAPTURE_FAILED:
        return "The camera does not work";
    default:
        return "No camera";
    }
}

static bool mirrored(const struct app *a)
{
    return a->camera.mirror && a->o->mirror ? !a->mirror : a->mirror;
}

static void fill_texture(struct app *a)
{
    struct err err = {0};
    const struct frame *f = a->shown;
    if (!f || !a->texture_stale)
        return;
    a->texture_stale = false;
    if (ui_sdl_video(a->window, f->bgr, f->width, f->height, f->stride, mirrored(a), &err) < 0)
        log_error("%s", err.text);
}

static void build_page(struct app *a)
{
    float width, height;
    struct view v = {
        .session = &a->session,
        .faces = frozen(a) && a->session.read ? &a->still : &a->live,
        .now_us = a->now_us,
        .picture_width = a->shown ? a->shown->width : 0,
        .picture_height = a->shown ? a->shown->height : 0,
        .mirror = mirrored(a),
        .camera = a->camera.name,
        .camera_title = camera_title(a->camera.reason),
        .camera_text = a->camera.text,
        .capture_fps = a->camera.fps,
        .detect_hz = a->detector_stats.hz,
        .detect_ms = a->live.detect_ms + a->live.infer_ms,
        .model = a->detector_stats.model,
        .policy = films_policy_title(a->films),
        .mood = a->mood,
        .mood_faces = a->mood_faces,
        .mood_sure = a->still.count > 0 && a->still.face[0].sure,
        .titles = films_titles(a->films),
        .marks = films_marks(a->films),
        .problem = a->problem.text,
    };
    ui_sdl_size(a->window, &width, &height);
    ui_begin(a->ui, width, height);
    session_set_rows(&a->session, views_rows(a->ui));
    views_draw(a->ui, &v);
}

static void report_shown(struct app *a)
{
    if (a->shown && a->presented_us == 0)
        report_first_picture(a->report, clock_now_us());
    if (a->session.state != a->reported)
        report_state(a->report, session_state_name(a->session.state));
    a->reported = a->session.state;
    if (a->session.state == SESSION_RESULTS && a->asked_us >= 0) {
        report_recommendations(a->report, &a->mood, a->session.manual >= 0 ? "hand" : "picture",
                               films_policy_name(a->films), films_titles(a->films),
                               (double)(clock_now_us() - a->asked_us) * 1e-3);
        a->asked_us = -1;
    }
}

static void present(struct app *a)
{
    bool fresh = a->texture_stale && a->shown && !frozen(a);
    fill_texture(a);
    build_page(a);
    ui_sdl_present(a->window, a->ui);
    report_shown(a);
    if (fresh)
        figures_add_latency(&a->figures, clock_now_us() - a->shown->t_us);
    if (a->shown)
        a->presented_us = clock_now_us();
    a->figures.presents++;
    a->dirty = false;
}

/* ---- figures ---- */

static void make_stats(struct app *a)
{
    detector_stats(a->workers.detector, &a->detector_stats);
    struct report_stats s = {
        .display_fps = figures_fps(&a->figures, a->now_us),
        .capture_fps = (double)a->camera.fps,
        .detect_fps = (double)a->detector_stats.hz,
        .skipped = frame_slot_skipped(a->workers.to_detector),
        .latency_ms_p50 = figures_latency_ms(&a->figures, 0.5),
        .latency_ms_p95 = figures_latency_ms(&a->figures, 0.95),
    };
    report_stats(a->report, &s);
    figures_begin(&a->figures, a->now_us);
    if (a->session.state == SESSION_LIVE)
        a->dirty = true; /* the state line shows them */
}

/* ---- the loop ---- */

/* Pages that move by themselves want a frame at this time; INT64_MAX: none does. */
static int64_t next_motion(const struct app *a)
{
    bool moves = a->session.state == SESSION_ATTRACT || a->session.state == SESSION_COUNTDOWN;
    bool smooth = ui_sdl_accelerated(a->window) || a->session.state == SESSION_COUNTDOWN;
    return moves ? a->presented_us + (smooth ? FRAME_US : SLOW_FRAME_US) : INT64_MAX;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int sleep_ms(const struct app *a)
{
    int64_t at = earlier(session_deadline(&a->session), a->now_us + IDLE_US);
    at = earlier(at, a->figures.since_us + SECOND);
    at = earlier(at, next_motion(a));
    if (a->dirty)
        at = earlier(at, a->presented_us + FRAME_US);
    return at <= a->now_us ? 0 : (int)((at - a->now_us + 999) / 1000);
}

static void take_inputs(struct app *a)
{
    struct ui_input in;
    ui_sdl_wait(a->window, sleep_ms(a), &in);
    a->now_us = clock_now_us();
    for (int i = 0; in.kind != UI_INPUT_NONE && i < INPUTS_A_TURN; i++) {
        take_input(a, &in);
        ui_sdl_wait(a->window, 0, &in);
    }
}

static bool time_is_up(const struct app *a)
{
    return a->o->exit_after > 0 && (double)(a->now_us - a->start_us) * 1e-6 >= a->o->exit_after;
}

static void loop(struct app *a)
{
    a->now_us = clock_now_us();
    figures_begin(&a->figures, a->now_us);
    a->dirty = true;
    while (!a->quit && !stop_signal && !time_is_up(a)) {
        take_inputs(a);
        take_camera_state(a);
        take_frame(a);
        take_observation(a);
        unsigned actions = session_tick(&a->session, a->now_us);
        if (actions || a->now_us >= next_motion(a))
            a->dirty = true;
        act(a, actions);
        if (a->now_us - a->figures.since_us >= SECOND)
            make_stats(a);
        if (a->dirty && a->now_us - a->presented_us >= FRAME_US)
            present(a);
    }
}

static int write_screenshot(struct app *a, struct err *err)
{
    uint8_t *bgr = NULL, *png = NULL;
    int width, height;
    size_t len;
    char why[200];
    int code = ui_sdl_screenshot(a->window, a->ui, &bgr, &width, &height, err);
    if (code < 0)
        return code;
    if (cvc_image_encode(".png", bgr, 3, width, height, width * 3, &png, &len, why, sizeof why) < 0)
        code = err_set(err, ERR_IO, "%s: %s", a->o->screenshot, why);
    else
        code = path_write_atomic(a->o->screenshot, png, len, err);
    cvc_free(png);
    free(bgr);
    return code;
}

int app_run(const struct app_options *o, int64_t start_us, struct err *err)
{
    struct app *a = mem_new(1, sizeof *a);
    struct err late = {0};
    a->o = o;
    a->start_us = start_us;
    a->asked_us = -1;
    a->fullscreen = o->fullscreen || o->kiosk;
    stop_signal = 0;
    catch_signals();
    int code = start(a, err);
    if (code == ERR_OK) {
        loop(a);
        if (o->screenshot)
            code = write_screenshot(a, err);
    }
    finish(a);
    int closed =
        report_close(a->report, code < 0 ? STATUS_FAILED : STATUS_OK, clock_now_us(), &late);
    if (code == ERR_OK && closed < 0) {
        *err = late;
        code = closed;
    }
    free(a);
    return code < 0 ? STATUS_FAILED : STATUS_OK;
}
