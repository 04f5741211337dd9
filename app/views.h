/* What each state looks like: session and data in, drawing commands out. Pure: no SDL, no clock.
 *
 * The words say how a face looks, never how a person is, and "not sure" where it is not. Colours,
 * sizes and spacing come from ui/tokens.h. Everything that can be done by key can be pointed at:
 * views_event() says what a hit area means. */
#ifndef VIEWS_H
#define VIEWS_H

#include <stdbool.h>
#include <stdint.h>

#include "catalog/catalog.h"
#include "emotion.h"
#include "session.h"
#include "ui/ui.h"
#include "vision/tracker.h"

/* What the viewer said about a title of the list. */
struct view_mark {
    bool liked, not_for_me, seen, later;
};

/* All that a page shows. Borrows every pointer for the call. */
struct view {
    const struct session *session;
    const struct observation *faces; /* of the picture on the screen; boxes as fractions of it */
    int64_t now_us;

    int picture_width, picture_height; /* 0: there is no picture */
    bool mirror;                       /* the picture is shown mirrored: boxes must be, too */

    const char *camera;       /* its name */
    const char *camera_title; /* NO_CAMERA: what is wrong, in two or three words */
    const char *camera_text;  /* NO_CAMERA: what is wrong and what to do */
    float capture_fps, detect_hz, detect_ms;
    const char *model; /* which network reads the faces, and why */

    const char *policy;         /* for people: "Lift me up" */
    struct emotion_scores mood; /* RESULTS: what the list was made for */
    int mood_faces;             /* how many faces it was read from */
    bool mood_sure;             /* the reading stands out */
    const struct title_list *titles;
    const struct view_mark *marks; /* one per title */
    const char *problem;           /* "" or why there is no list */
};

void views_draw(struct ui *u, const struct view *v);

/* How many rows of the list fit on a page of this size. */
int views_rows(const struct ui *u);

/* What a hit area of ui_pick() means; false: nothing. */
bool views_event(int hit, enum session_event *e, int *arg);

#endif
