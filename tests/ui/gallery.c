/* Every page as a picture: `gallery OUTDIR WxH [ZOOM]` writes OUTDIR/<page>.png through the real
 * window (any SDL video driver, "dummy" too). To look at; ctest runs it to see that every page
 * draws and none is blank. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/pages.h"
#include "base/path.h"
#include "ui/ui_sdl.h"
#include "vision/demo_face.h"
#include "vision/opencv_c.h"

enum { STRIDE = 3 * PAGE_PICTURE_WIDTH, COLORS_MIN = 8 };

/* A page counts as drawn when it has several colours besides its fade. */
static bool blank(const uint8_t *bgr, size_t pixels)
{
    bool seen[64] = {false};
    int colors = 0;
    for (size_t i = 0; i < pixels; i++, bgr += 3) {
        int key = (bgr[0] >> 6) << 4 | (bgr[1] >> 6) << 2 | bgr[2] >> 6;
        colors += !seen[key];
        seen[key] = true;
    }
    return colors < COLORS_MIN;
}

static int write_page(struct ui_sdl *window, const struct ui *u, const char *path, struct err *err)
{
    uint8_t *bgr = NULL, *png = NULL;
    int w, h;
    size_t len;
    char why[200];
    int code = ui_sdl_screenshot(window, u, &bgr, &w, &h, err);
    if (code < 0)
        return code;
    if (blank(bgr, (size_t)w * (size_t)h))
        code = err_set(err, ERR_FORMAT, "%s: the page is blank", path);
    else if (cvc_image_encode(".png", bgr, 3, w, h, w * 3, &png, &len, why, sizeof why) < 0)
        code = err_set(err, ERR_IO, "%s", why);
    else
        code = path_write_atomic(path, png, len, err);
    cvc_free(png);
    free(bgr);
    return code;
}

static int draw_pages(struct ui_sdl *window, const char *out, struct err *err)
{
    static uint8_t picture[STRIDE * PAGE_PICTURE_HEIGHT];
    struct ui *u = ui_create(ui_sdl_metrics(window));
    int code = ERR_OK;
    demo_face_draw(2000, picture, PAGE_PICTURE_WIDTH, PAGE_PICTURE_HEIGHT, STRIDE);
    for (int i = 0; i < PAGE_COUNT && code == ERR_OK; i++) {
        struct page page;
        char path[4096];
        float w, h;
        page_make(&page, i);
        ui_sdl_size(window, &w, &h);
        ui_begin(u, w, h);
        session_set_rows(&page.session, views_rows(u));
        views_draw(u, &page.view);
        code = ui_sdl_video(window, picture, PAGE_PICTURE_WIDTH, PAGE_PICTURE_HEIGHT, STRIDE,
                            page.view.mirror, err);
        snprintf(path, sizeof path, "%s/%s.png", out, page.name);
        if (code == ERR_OK)
            code = write_page(window, u, path, err);
    }
    ui_destroy(u);
    return code;
}

int main(int argc, char **argv)
{
    struct ui_sdl_params p = {.title = "gallery", .zoom = 1.0f, .software = true};
    struct ui_sdl *window = NULL;
    struct err err = {0};
    if (argc < 3 || sscanf(argv[2], "%dx%d", &p.width, &p.height) != 2) {
        fprintf(stderr, "usage: gallery OUTDIR WxH [ZOOM]\n");
        return 2;
    }
    if (argc > 3)
        p.zoom = strtof(argv[3], NULL);
    int code = path_make_dirs(argv[1], &err);
    if (code == ERR_OK)
        code = ui_sdl_create(&window, &p, &err);
    if (code == ERR_OK)
        code = draw_pages(window, argv[1], &err);
    ui_sdl_destroy(window);
    if (code < 0)
        fprintf(stderr, "gallery: %s\n", err.text);
    return code < 0;
}
