/* --report: what happens, as one JSON object a line. Numbers and names, never pixels.
 *
 *   {"event":"camera","state","reason","name","text"}            at each change
 *   {"event":"first_picture","ms"}                               since the program began
 *   {"event":"state","state"}                                    the viewer's state, at each change
 *   {"event":"stats","display_fps","capture_fps","detect_fps","skipped","latency_ms_p50",
 *    "latency_ms_p95","rss_mb"}                                  once a second
 *   {"event":"faces","frame","t","width","height","faces":[...]} per detection
 *   {"event":"recommendations","mood","source","policy","titles":[...],"ms"}   per list
 *   {"event":"exit","status","seconds"}
 *
 * t: seconds since the first picture. Boxes: pixels of the picture as it came. latency: from taking
 * a picture to showing it. ms of a list: from the key to the list on the screen.
 * Every function allows a NULL report and does nothing then. Main thread only. */
#ifndef REPORT_H
#define REPORT_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "catalog/catalog.h"
#include "vision/capture.h"
#include "vision/tracker.h"

struct report;

struct report_stats {
    double display_fps, capture_fps, detect_fps;
    uint64_t skipped; /* frames that the detector did not get to see */
    double latency_ms_p50, latency_ms_p95;
};

/* path "-": standard output. */
int report_open(struct report **out, const char *path, int64_t start_us, struct err *err);
void report_camera(struct report *r, const struct capture_status *s);
void report_first_picture(struct report *r, int64_t now_us);
void report_state(struct report *r, const char *state);
void report_stats(struct report *r, const struct report_stats *s);
void report_faces(struct report *r, const struct observation *o, int width, int height, double t);
/* source: "picture" or "hand". */
void report_recommendations(struct report *r, const struct emotion_scores *mood, const char *source,
                            const char *policy, const struct title_list *titles, double ms);
/* Writes the exit line. An error means that the report is incomplete. */
int report_close(struct report *r, int status, int64_t now_us, struct err *err);

/* One face as it stands in "faces": also what `photo --json` prints. New reference. */
json_t *report_face(uint32_t id, const struct box *box, int width, int height, const char *label,
                    bool steady, const struct emotion_scores *scores);

#endif
