/* Replays a command list on an SDL renderer: round shapes, text, the camera picture.
 *
 * DESIGN. Round corners and outlines are cut from small anti-aliased textures made once per radius
 * and coloured when drawn; each line of text is one texture, kept while it is in use. So drawing a
 * page is a few hundred copies, also fast in SDL's software renderer. Main thread only. */
#ifndef UI_PAINT_H
#define UI_PAINT_H

#include <SDL.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "ui/fonts.h"
#include "ui/ui.h"

struct paint;

struct paint *paint_create(SDL_Renderer *renderer, struct fonts *fonts); /* both borrowed */
void paint_destroy(struct paint *p);                                     /* NULL is allowed */

/* Drops every texture, after the driver lost them or the scale changed. */
void paint_forget(struct paint *p);

/* Copies a BGR picture into the camera texture, mirrored left to right or not. */
int paint_video(struct paint *p, const uint8_t *bgr, int width, int height, int stride, bool mirror,
                struct err *err);

/* Draws the list; scale: pixels per point. Does not present. */
void paint_draw(struct paint *p, const struct ui *u, float scale);

#endif
