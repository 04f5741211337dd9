/* Is somebody there? For the kiosk's attract page: faces are found, nothing is read from them.
 *
 * DESIGN. One thread that takes frames from a slot, runs the face finder a few times a second and
 * keeps the count. It holds no picture and no result but that number. The emotion network lives in
 * the detector, which gets no frame while the page still shows the notice. */
#ifndef PRESENCE_H
#define PRESENCE_H

#include <stdbool.h>

#include "base/err.h"
#include "vision/frame.h"

struct presence_params {
    const char *cascade;       /* as in face_finder_open() */
    struct frame_slot *source; /* borrowed; interrupt it before presence_join() */
    wakeup_fn *on_result;      /* after each look, on the presence thread */
    void *payload;
};

struct presence;
int presence_create(struct presence **out, const struct presence_params *p, struct err *err);
int presence_start(struct presence *p, struct err *err); /* once */
/* True when there was a look since the last call; *faces is then how many it found. Any thread. */
bool presence_latest(struct presence *p, int *faces);
void presence_stop(struct presence *p); /* asks; NULL is allowed, as below */
void presence_join(struct presence *p);
void presence_destroy(struct presence *p);

#endif
