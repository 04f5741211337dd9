/* Camera pictures and how they travel between threads.
 *
 * DESIGN. A pool owns a fixed number of frames; when all are out, the producer drops its picture
 * and never waits. A frame is written only by the thread that got it from the pool and is
 * read-only from the first frame_ref() or frame_slot_put() on. A slot holds the newest frame only:
 * one producer, one consumer, capacity one; what was not taken in time is replaced and counted.
 * So nothing queues, and the display never waits for the detector.
 * Both locks are leaves; the wakeup is called after unlocking. Frame memory is left out of core
 * dumps (MADV_DONTDUMP): pictures of people stay in memory. */
#ifndef VISION_FRAME_H
#define VISION_FRAME_H

#include <stdint.h>

/* One picture: 8-bit BGR, top row first. */
struct frame {
    uint64_t seq; /* 1, 2, 3, .. over the life of the capture; never repeats */
    int64_t t_us; /* when it was taken, CLOCK_MONOTONIC */
    int width;    /* pixels */
    int height;   /* pixels */
    int stride;   /* bytes from one row to the next */
    uint8_t *bgr; /* owned by the frame */
};

/* Seven frames: 1 being written, 2 pending, 1 in the detector, 1 shown, 1 held while another is
 * frozen, 1 spare. */
enum { FRAME_POOL_SIZE = 7, FRAME_SIDE_MAX = 8192 };

struct frame_pool;
struct frame_pool *frame_pool_create(int max_frames);

/* A frame with room for width x height, its picture undefined, one reference for the caller.
 * NULL: all frames are in use, or the size is outside 1 .. FRAME_SIDE_MAX, or memory is short:
 * drop the picture. Any thread. */
struct frame *frame_pool_get(struct frame_pool *p, int width, int height);

/* How many frames are out. Any thread. */
int frame_pool_out(struct frame_pool *p);

/* Asserts that every frame came back. NULL is allowed. */
void frame_pool_destroy(struct frame_pool *p);

struct frame *frame_ref(struct frame *f); /* returns f. Any thread */
void frame_unref(struct frame **f);       /* *f becomes NULL; NULL inside is allowed. Any thread */

/* Overwrites the picture with zeros, for a frame that was kept (frozen) and is about to be let go.
 * Only while the caller holds the last reference. */
void frame_wipe(struct frame *f);

/* Tells the owner that something new is there. May only unblock it (SDL_PushEvent); runs on the
 * producer's thread, with no lock held. */
typedef void wakeup_fn(void *payload);

struct frame_slot;
struct frame_slot *frame_slot_create(wakeup_fn *wakeup, void *payload); /* wakeup may be NULL */

/* Producer: takes the reference. Wakes the consumer only when the slot was empty. */
void frame_slot_put(struct frame_slot *s, struct frame *f);

/* Consumer: the newest frame, whose reference now belongs to the caller. timeout 0 polls.
 * NULL: none came in time, or the slot is interrupted. */
struct frame *frame_slot_take(struct frame_slot *s, int64_t timeout_us);

/* Consumer: sleeps that long without taking anything; a nudge or an interrupt ends it early. */
void frame_slot_pause(struct frame_slot *s, int64_t timeout_us);

/* Ends the consumer's take or pause early, or else its next one, once: there is other work. Any
 * thread. */
void frame_slot_nudge(struct frame_slot *s);

uint64_t frame_slot_skipped(struct frame_slot *s); /* frames replaced before they were taken */
void frame_slot_interrupt(struct frame_slot *s);   /* take() returns NULL at once from now on */
void frame_slot_destroy(struct frame_slot *s);     /* lets go of what is left; NULL is allowed */

#endif
