/* Who is who from picture to picture, and what they look like over time.
 *
 * DESIGN. Pure and single threaded: time comes in as an argument, so a test runs minutes in no
 * time. Boxes are matched to tracks greedily by overlap and distance of centres. Each track smooths
 * its scores exponentially with a half-life in seconds (not frames: the answer is the same at 5 and
 * at 30 results a second). A shown label changes only when another one leads by a margin for a
 * dwell time; a label that no longer stands out becomes "not sure" instead of a guess. Happy is let
 * in faster than the rest, because smiles are short and rarely wrong, and anger needs more, because
 * a face that looks at a screen looks angry to these networks (user-visible thresholds are data:
 * tracker_defaults()). */
#ifndef VISION_TRACKER_H
#define VISION_TRACKER_H

#include <stdbool.h>
#include <stdint.h>

#include "vision/face.h"

enum { MAX_FACES = 8 };

struct face_track {
    uint32_t id;                  /* 1, 2, .. ; stays with the face, never reused */
    struct box box;               /* smoothed a little against jitter */
    struct emotion_scores now;    /* the newest reading */
    struct emotion_scores smooth; /* over time; sums to 1. Bars and reports show this one */
    float unknown;                /* smoothed share of "none of the seven", 0 .. 1 */
    enum emotion label;           /* what to show while `sure`; else the last one shown */
    bool sure;                    /* false: show "not sure" */
    bool steady;                  /* sure, and the same label for steady_us */
    int64_t first_us;             /* when the face was first seen */
    int64_t seen_us;              /* when it was last seen */
};

/* What was seen in one picture. Largest face first. */
struct observation {
    uint64_t frame_seq; /* of the picture this was read from; 0: nothing yet */
    int64_t t_us;       /* when that picture was taken, CLOCK_MONOTONIC */
    int64_t done_us;    /* when the reading was ready: done_us - t_us is the latency */
    int count;
    struct face_track face[MAX_FACES];
    float detect_ms; /* finding the faces */
    float infer_ms;  /* reading them */
};

struct tracker_params {
    float match_iou;         /* overlap from which a box is the same face without doubt */
    float match_distance;    /* or: centres nearer than this many face widths, and similar size */
    float half_life_s;       /* of the smoothing */
    float happy_half_life_s; /* while the newest reading is happy */
    float enter[EMOTION_COUNT]; /* smoothed score from which a label may be shown */
    float leave;                /* below enter[] by this much the label is dropped: hysteresis */
    float switch_margin;        /* another label must lead the shown one by this much */
    float unknown_max;          /* above this much `unknown` nothing is sure */
    int64_t dwell_us;           /* a new label must lead this long before it is shown */
    int64_t happy_dwell_us;
    int64_t steady_us;
    int64_t confirm_us; /* a new face is shown after this long: one-picture ghosts are not */
    int64_t forget_us;  /* a face not seen for this long is gone; back before keeps its id */
    int64_t show_us;    /* an unseen face is still shown this long */
};

struct tracker;
struct tracker_params tracker_defaults(void);

/* Whether a single careful reading is clear enough to name its top emotion, as in photographs and
 * frozen pictures: by the threshold at which live faces lose a label, since nothing can flicker. */
bool tracker_sure(const struct tracker_params *p, const struct reading *r);

struct tracker *tracker_create(const struct tracker_params *p); /* copied; NULL: the defaults */

/* One result of the detector at time t_us (never going back; an older time changes nothing).
 * Of more than MAX_FACES boxes the largest are used. */
void tracker_update(struct tracker *t, int64_t t_us, const struct box *boxes,
                    const struct reading *readings, int n);

/* Fills t_us, count and face[] of *out; leaves the other fields alone. */
void tracker_read(const struct tracker *t, struct observation *out);
void tracker_reset(struct tracker *t); /* forgets every face; ids go on */
void tracker_destroy(struct tracker *t);

#endif
