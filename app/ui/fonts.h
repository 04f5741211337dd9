/* The fonts of the window: which file a style and a character come from, how wide text is, what it
 * looks like.
 *
 * DESIGN. Fontconfig names the files: Inter, else Noto Sans, else DejaVu Sans, in two weights.
 * A character that the first file lacks is looked up in Fontconfig's sorted list of all others, so
 * Japanese, Hindi, Arabic and Cyrillic titles show whenever some installed font has them. Text is
 * cut into runs of one file and one script, each shaped by HarfBuzz through SDL2_ttf; a line that
 * begins in a right-to-left script has its runs laid out from the right.
 * Single threaded. */
#ifndef UI_FONTS_H
#define UI_FONTS_H

#include <SDL.h>
#include <stddef.h>

#include "base/err.h"
#include "ui/tokens.h"

struct fonts;

/* choice: a font file (with a '/', or ending .ttf, .otf, .ttc), a family that is installed, or NULL
 * for the list above. The sentence of a failure names the file, family or package that is
 * missing. */
int fonts_create(struct fonts **out, const char *choice, struct err *err);
void fonts_destroy(struct fonts *f); /* NULL is allowed */

/* Pixels per point from now on; measured widths and rendered text change with it. */
void fonts_set_scale(struct fonts *f, float scale);

/* Width in points of the first n bytes of s. */
float fonts_width(struct fonts *f, enum ui_font font, const char *s, size_t n);

/* One line of white text on nothing, ARGB, to be freed by the caller. *baseline: pixels from the
 * surface's top to its base line. NULL when there is nothing to draw. */
SDL_Surface *fonts_render(struct fonts *f, enum ui_font font, const char *s, int *baseline);

/* Pixels from the top of a line's box to its base line. */
int fonts_baseline(struct fonts *f, enum ui_font font);

/* The file behind the regular weight, for `doctor`. Lives with f. */
const char *fonts_file(const struct fonts *f);

#endif
