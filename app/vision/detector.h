/* The detector thread: newest frame -> faces -> readings -> tracks -> observation.
 *
 * DESIGN. Takes the newest frame of its slot, finds and reads the faces (face_reader.h), updates
 * the tracker, copies the observation under a leaf lock and calls on_result after unlocking. A
 * still (a frozen picture) is served before the slot, with the careful pass: larger picture,
 * several crops, mirrored copies, averaged; its result is tagged with the frame's seq, so that a
 * late one can be told from the one that is waited for. max_hz keeps a fast machine idle most of
 * the time. */
#ifndef VISION_DETECTOR_H
#define VISION_DETECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "vision/frame.h"
#include "vision/tracker.h"

struct pool;

struct detector_params {
    const char *cascade; /* "haar", "lbp" or the path of a cascade XML; NULL: "haar" */
    const char *model;   /* path of the ONNX file */
    const char *better;  /* path of a more accurate one, read with while it is fast enough for the
                            faces in view; loaded by the detector's thread. NULL: none */
    struct pool *pool;   /* borrowed, used by this thread alone; NULL: the detector's thread */
    struct frame_slot *source; /* borrowed; interrupt it before detector_join() */
    struct tracker_params tracking;
    float max_hz; /* results a second at most; 0: 20 */
    wakeup_fn
        *on_result; /* after each observation and each still, on the detector thread; or NULL */
    void *payload;  /* for on_result */
};

struct detector_stats {
    float hz;         /* results a second over the last second or two; 0 while no frame comes */
    float detect_ms;  /* mean time to find the faces */
    float infer_ms;   /* mean time to read them */
    uint64_t results; /* so far */
    char model[96];   /* which network read last, and why not the better one: "moodreel-fast
                         (moodreel-best would take 64 of 25 ms)" */
};

struct detector;

/* Loads cascade and model: a missing or damaged one is an error naming the file. */
int detector_create(struct detector **out, const struct detector_params *p, struct err *err);
int detector_start(struct detector *d, struct err *err); /* once */

/* Copies the newest observation when its frame_seq differs from `after_seq`; false: nothing newer.
 * Any thread. */
bool detector_latest(struct detector *d, uint64_t after_seq, struct observation *out);

/* Asks for the careful pass on f; takes the reference. A still not begun yet is replaced. */
void detector_still(struct detector *d, struct frame *f);

/* True once the still with this seq is done; *out is then its reading: ids of the faces are those
 * of the live tracks where they match, else 0; every face counts as steady. */
bool detector_still_result(struct detector *d, uint64_t seq, struct observation *out);

/* Forgets all faces: after a change of source. Any thread. */
void detector_reset(struct detector *d);

void detector_stats(struct detector *d, struct detector_stats *out); /* any thread */
void detector_stop(struct detector *d); /* asks; returns at once. NULL is allowed */
void detector_join(struct detector *d); /* bounded by one pass, well under a second */
void detector_destroy(
    struct detector *d); /* after detector_join(), or never started; NULL is allowed */

#endif
