/* Capture, detector, presence. */
#include "workers.h"

#include "base/pool.h"

static int open_camera(struct workers *w, const struct app_options *o, struct ui_sdl *window,
                       struct err *err)
{
    w->frames = frame_pool_create(FRAME_POOL_SIZE);
    w->to_window = frame_slot_create(ui_sdl_wake, window);
    struct capture_params p = {.source = o->source,
                               .width = o->camera_size.width,
                               .height = o->camera_size.height,
                               .fps = o->camera_fps,
                               .once = o->once,
                               .pool = w->frames,
                               .sinks = {w->to_window, NULL},
                               .on_state = ui_sdl_wake,
                               .payload = window};
    int code = capture_create(&w->capture, &p, err);
    return code < 0 ? code : capture_start(w->capture, err);
}

static int open_detector(struct workers *w, const struct app_options *o, struct ui_sdl *window,
                         struct err *err)
{
    struct settings_models models;
    int code = settings_models(o->model, &models, err);
    if (code < 0)
        return code;
    w->to_detector = frame_slot_create(NULL, NULL);
    w->pool = o->threads > 1 ? pool_create(o->threads) : NULL;
    struct detector_params p = {.cascade = o->cascade,
                                .model = models.usual,
                                .better = models.better[0] != '\0' ? models.better : NULL,
                                .pool = w->pool,
                                .source = w->to_detector,
                                .tracking = tracker_defaults(),
                                .max_hz = (float)o->readings,
                                .on_result = ui_sdl_wake,
                                .payload = window};
    code = detector_create(&w->detector, &p, err);
    return code < 0 ? code : detector_start(w->detector, err);
}

static int open_presence(struct workers *w, const struct app_options *o, struct ui_sdl *window,
                         struct err *err)
{
    w->to_presence = frame_slot_create(NULL, NULL);
    struct presence_params p = {o->cascade, w->to_presence, ui_sdl_wake, window};
    int code = presence_create(&w->presence, &p, err);
    return code < 0 ? code : presence_start(w->presence, err);
}

int workers_start(struct workers *w, const struct app_options *o, struct ui_sdl *window,
                  struct err *err)
{
    int code = open_camera(w, o, window, err);
    if (code == ERR_OK)
        code = open_detector(w, o, window, err);
    if (code == ERR_OK && o->kiosk)
        code = open_presence(w, o, window, err);
    return code;
}

void workers_show(struct workers *w, struct frame *f, enum session_sight sight)
{
    if (sight == SESSION_SEES_MOODS)
        frame_slot_put(w->to_detector, frame_ref(f));
    else if (sight == SESSION_SEES_FACES && w->presence)
        frame_slot_put(w->to_presence, frame_ref(f));
}

void workers_stop(struct workers *w)
{
    capture_stop(w->capture);
    detector_stop(w->detector);
    presence_stop(w->presence);
    if (w->to_detector)
        frame_slot_interrupt(w->to_detector);
    if (w->to_presence)
        frame_slot_interrupt(w->to_presence);
    capture_join(w->capture);
    detector_join(w->detector);
    presence_join(w->presence);
}

void workers_destroy(struct workers *w)
{
    presence_destroy(w->presence);
    detector_destroy(w->detector);
    pool_destroy(w->pool);
    capture_destroy(w->capture);
    frame_slot_destroy(w->to_presence);
    frame_slot_destroy(w->to_detector);
    frame_slot_destroy(w->to_window);
    frame_pool_destroy(w->frames);
}
