/* Helpers of the capture tests: a capture with its pool and slot, and waiting for what it does. */
#ifndef TESTS_WATCH_H
#define TESTS_WATCH_H

#include "vision/capture.h"

/* Everything a capture needs, and a condition that its state callback signals. */
struct watch;

/* Fails the test when the source is refused. */
struct watch *watch_start(const char *source, bool once);
struct capture *watch_capture(struct watch *w);

/* Wait without limit (the test program has one): for a state with a reason, for the next frame
 * (unref it). */
struct capture_status watch_state(struct watch *w, enum capture_state s, enum capture_reason r);
struct frame *watch_frame(struct watch *w);

/* Frames that are in the slot already are let go. */
void watch_drain(struct watch *w);

/* Stops, joins, destroys; asserts that every frame came back. */
void watch_end(struct watch *w);

#endif
