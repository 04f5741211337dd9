/* Runs the real program under test: starts it, reads its report from its standard output, sends it
 * keys on a screen of its own, checks how it ends. Every failure fails the calling test. */
#ifndef SUPPORT_PROGRAM_H
#define SUPPORT_PROGRAM_H

#include <jansson.h>
#include <stdbool.h>

struct program;

/* A screen without a window manager (Xvfb on a free display). NULL: Xvfb or xdotool is missing,
 * skip() then. */
struct screen;
struct screen *screen_start(const char *size);      /* "1280x720" */
/* The same with a Wayland compositor (Weston) that fills it: programs speak Wayland to it, keys and
 * clicks reach them through it. NULL: Weston is missing, or cannot run here. */
struct screen *screen_start_wayland(const char *size);
void screen_stop(struct screen *s);                 /* NULL is allowed */
void screen_key(struct screen *s, const char *key); /* an xdotool key name */
void screen_click(struct screen *s, int x, int y);

/* Starts argv[0] with argv (NULL-ended); standard output is piped here, standard error goes to a
 * file. screen NULL: SDL's dummy video driver. */
struct program *program_start(struct screen *screen, const char *const *argv);

/* Reads report lines until one has event == name and, with key not NULL, the string value at key.
 * Fails after 60 seconds or at the end of the output. The object belongs to the caller. */
json_t *program_event(struct program *p, const char *name, const char *key, const char *value);

/* Reads until each of the events came, in whatever order: for what several threads report. */
struct program_wish {
    const char *event, *key, *value; /* as in program_event() */
};
void program_events(struct program *p, const struct program_wish *wishes, size_t count);

/* True when an event of this name was read by program_event() so far. */
bool program_saw(const struct program *p, const char *name);

void program_signal(struct program *p, int number);

/* Reads the rest, waits for the end, returns the exit status (128 + signal when killed) and, with
 * `text` not NULL, what was written to standard error (free() it). Frees p. */
int program_end(struct program *p, char **text);

/* An untrained network with right metadata, in a file of `dir`: enough to see the machinery turn.
 * The path in a static buffer. */
const char *program_model(const char *dir);

#endif
