/* Sheets of faces through the OpenCV door. */
#include "lab/sheet.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "vision/opencv_c.h"

enum { FACE = 96, GAP = 8, LINE = 15, CELL_W = FACE + GAP, CELL_H = FACE + 2 * LINE + GAP };

struct sheet {
    int count, columns, width, height;
    uint8_t *bgr;
};

struct sheet *sheet_create(int count, int columns)
{
    assert(count > 0 && columns > 0);
    struct sheet *s = mem_new(1, sizeof *s);
    s->count = count;
    s->columns = count < columns ? count : columns;
    s->width = s->columns * CELL_W + GAP;
    s->height = (count + s->columns - 1) / s->columns * CELL_H + GAP;
    s->bgr = mem_new((size_t)s->width * (size_t)s->height, 3);
    memset(s->bgr, 255, (size_t)s->width * (size_t)s->height * 3);
    return s;
}

void sheet_destroy(struct sheet *s)
{
    if (s == NULL)
        return;
    free(s->bgr);
    free(s);
}

static int put_text(struct sheet *s, int x, int y, const char *text, enum sheet_ink ink,
                    struct err *err)
{
    static const uint8_t colour[3][3] = {{40, 40, 40}, {60, 130, 0}, {20, 20, 200}}; /* BGR */
    char why[200];
    if (cvc_text(s->bgr, s->width, s->height, s->width * 3, x, y, LINE - 5, colour[ink], text, why,
                 sizeof why) < 0)
        return err_set(err, ERR_IO, "%s", why);
    return 0;
}

int sheet_put(struct sheet *s, int index, const uint8_t *px, int width, int height,
              const char *first, const char *second, enum sheet_ink ink, struct err *err)
{
    assert(index >= 0 && index < s->count);
    int x = GAP + index % s->columns * CELL_W, y = GAP + index / s->columns * CELL_H;
    uint8_t face[FACE * FACE];
    char why[200];
    if (cvc_resize(px, width, height, width, face, FACE, FACE, FACE, 1, why, sizeof why) < 0)
        return err_set(err, ERR_IO, "%s", why);
    for (int row = 0; row < FACE; row++) {
        uint8_t *out = s->bgr + ((size_t)(y + row) * (size_t)s->width + (size_t)x) * 3;
        for (int i = 0; i < FACE * 3; i++)
            out[i] = face[row * FACE + i / 3];
    }
    int rc = put_text(s, x, y + FACE + LINE - 3, first, SHEET_PLAIN, err);
    return rc < 0 ? rc : put_text(s, x, y + FACE + 2 * LINE - 3, second, ink, err);
}

int sheet_write(const struct sheet *s, const char *path, struct err *err)
{
    uint8_t *png;
    size_t len;
    char why[200];
    if (cvc_image_encode(".png", s->bgr, 3, s->width, s->height, s->width * 3, &png, &len, why,
                         sizeof why) < 0)
        return err_set(err, ERR_IO, "%s: %s", path, why);
    int rc = path_write_atomic(path, png, len, err);
    cvc_free(png);
    return rc;
}
