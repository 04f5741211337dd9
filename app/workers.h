/* The threads beside the window's own: capture, detector, in the kiosk presence, and the slots they
 * hand pictures through. Started, stopped and freed as one. Main thread only. */
#ifndef WORKERS_H
#define WORKERS_H

#include "base/err.h"
#include "presence.h"
#include "session.h"
#include "settings.h"
#include "ui/ui_sdl.h"
#include "vision/capture.h"
#include "vision/detector.h"

struct workers {
    struct frame_pool *frames;
    struct frame_slot *to_window, *to_detector, *to_presence;
    struct capture *capture;
    struct pool *pool;
    struct detector *detector;
    struct presence *presence; /* kiosk only, as is to_presence */
};

/* Begin zeroed. The window is woken (ui_sdl_wake) by every result and must outlive the threads.
 * After a failure too workers_stop() and workers_destroy() are due. */
int workers_start(struct workers *w, const struct app_options *o, struct ui_sdl *window,
                  struct err *err);

/* Gives the picture to whoever may look at it now: the detector, presence, or nobody. */
void workers_show(struct workers *w, struct frame *f, enum session_sight sight);

void workers_stop(struct workers *w);    /* returns when all have ended, well under a second */
void workers_destroy(struct workers *w); /* after every frame was given back */

#endif
