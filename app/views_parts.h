/* The pieces that views.c puts together, one file each; private to app/views*.c. */
#ifndef VIEWS_PARTS_H
#define VIEWS_PARTS_H

#include "views.h"

/* Hit areas. Moods and rows count up from their first. */
enum view_hit {
    HIT_GO,
    HIT_BACK,
    HIT_HELP,
    HIT_POLICY,
    HIT_DEMO,
    HIT_TAB,
    HIT_PAGE_UP,
    HIT_PAGE_DOWN,
    HIT_OPINION,   /* + enum session_opinion */
    HIT_PICK = 20, /* + enum emotion */
    HIT_ROW = 40   /* + index of the title */
};

/* views_words.c: emotions in words and colours. */
enum ui_color words_color(enum emotion e);
const char *words_looks(enum emotion e); /* "happy", "surprised" */
const char *words_a(enum emotion e);     /* "a happy", "an angry" */
/* "happy 72 %, neutral 15 %": the scores from 10 % up, at most three. */
void words_mood(const struct emotion_scores *mood, char *out, size_t cap);
/* "2 h 5 min" */
void words_runtime(int minutes, char *out, size_t cap);

/* views_faces.c: box, name and seven bars of each face, kept inside `area`. `picture` is where the
 * whole picture lies. */
void faces_draw(struct ui *u, const struct view *v, struct ui_rect area, struct ui_rect picture);
/* Moves a picture that is larger than `where` so that its faces lie in the middle, as far as it
 * still covers `where`. */
void faces_aim(const struct view *v, struct ui_rect where, struct ui_rect *picture);

/* views_results.c */
void results_draw(struct ui *u, const struct view *v);
/* The part of the window that still shows the picture beside the list. */
struct ui_rect results_picture(const struct ui *u);

/* views_pages.c */
void no_camera_draw(struct ui *u, const struct view *v);
void attract_draw(struct ui *u, const struct view *v);
void countdown_draw(struct ui *u, const struct view *v);
void help_draw(struct ui *u);
/* The seven moods as tiles of this height, in one row or, where that is too narrow, two; `chosen`
 * (-1: none) is marked. Tall tiles are for touch and show no keys. */
void mood_tiles_draw(struct ui *u, struct ui_rect r, float height, int chosen);
float mood_tiles_height(float width, float tile);
void background_draw(struct ui *u);

#endif
