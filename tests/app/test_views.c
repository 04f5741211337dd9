/* views: every page as text against tests/app/golden/ (UPDATE_GOLDEN=1 rewrites), and rules that
 * hold for every page at every size. */
#include "support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/pages.h"
#include "base/path.h"
#include "ui/fake_font.h"

static const float sizes[][2] = {{1280, 720}, {1067, 640}, {720, 1280},
                                 {1706, 720}, {960, 720},  {640, 427}};

static void draw(struct ui *u, struct page *p, int index, float w, float h)
{
    page_make(p, index);
    ui_begin(u, w, h);
    session_set_rows(&p->session, views_rows(u));
    views_draw(u, &p->view);
}

static char *dump(const struct ui *u)
{
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    ui_dump(u, to);
    fclose(to);
    return text;
}

static void check_golden(const char *name, const char *got)
{
    char path[512];
    void *want;
    size_t len;
    struct err err = {0};
    snprintf(path, sizeof path, "%s/tests/app/golden/%s.txt", MOODREEL_SOURCE_DIR, name);
    if (getenv("UPDATE_GOLDEN")) {
        assert_int_equal(path_write_atomic(path, got, strlen(got), &err), ERR_OK);
        return;
    }
    if (path_read(path, &want, &len, 1 << 20, &err) < 0)
        fail_msg("%s (run with UPDATE_GOLDEN=1 to write it)", err.text);
    size_t at = 0, line = 1;
    const char *text = want;
    while (at < len && got[at] == text[at])
        line += text[at++] == '\n';
    if (at < len || got[at] != '\0') {
        const char *a = text + at, *b = got + at;
        while (a > text && a[-1] != '\n')
            a--, b--;
        fail_msg("%s:%zu differs:\n  want %.*s\n  have %.*s", path, line, (int)strcspn(a, "\n"), a,
                 (int)strcspn(b, "\n"), b);
    }
    free(want);
}

static void test_pages_match_the_golden_dumps(void **state)
{
    (void)state;
    struct ui *u = ui_create(fake_metrics);
    for (int i = 0; i < PAGE_COUNT; i++) {
        struct page page;
        draw(u, &page, i, 1280, 720);
        char *text = dump(u);
        check_golden(page.name, text);
        free(text);
    }
    ui_destroy(u);
}

static void test_text_lies_inside_the_window(void **state)
{
    (void)state;
    struct ui *u = ui_create(fake_metrics);
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        for (int i = 0; i < PAGE_COUNT; i++) {
            struct page page;
            size_t count;
            draw(u, &page, i, sizes[k][0], sizes[k][1]);
            const struct ui_command *c = ui_commands(u, &count);
            for (size_t n = 0; n < count; n++) {
                const struct ui_rect *r = &c[n].rect;
                if (c[n].kind != UI_CMD_TEXT)
                    continue;
                if (r->x < 0 || r->y < -0.5f || r->x + r->w > sizes[k][0] + 0.5f ||
                    r->y + r->h > sizes[k][1] + 0.5f)
                    fail_msg("%s at %gx%g: \"%s\" lies at %g,%g %g wide", page.name,
                             (double)sizes[k][0], (double)sizes[k][1], ui_command_text(u, &c[n]),
                             (double)r->x, (double)r->y, (double)r->w);
            }
        }
    }
    ui_destroy(u);
}

static bool texts_collide(const struct ui_command *a, const struct ui_command *b)
{
    float w = (a->rect.x + a->rect.w < b->rect.x + b->rect.w ? a->rect.x + a->rect.w
                                                             : b->rect.x + b->rect.w) -
              (a->rect.x > b->rect.x ? a->rect.x : b->rect.x);
    float h = (a->rect.y + a->rect.h < b->rect.y + b->rect.h ? a->rect.y + a->rect.h
                                                             : b->rect.y + b->rect.h) -
              (a->rect.y > b->rect.y ? a->rect.y : b->rect.y);
    return w > 1.0f && h > 5.0f; /* line boxes may touch, letters may not */
}

/* Pages that lie over another one (help) hide its text; in a crowd cards may overlap. */
static bool layered(const char *name)
{
    return strcmp(name, "help") == 0 || strcmp(name, "crowd") == 0;
}

static void test_texts_do_not_overlap(void **state)
{
    (void)state;
    struct ui *u = ui_create(fake_metrics);
    for (size_t k = 0; k < 5; k++) {
        for (int i = 0; i < PAGE_COUNT; i++) {
            struct page page;
            size_t count;
            draw(u, &page, i, sizes[k][0], sizes[k][1]);
            const struct ui_command *c = ui_commands(u, &count);
            for (size_t a = 0; a < count && !layered(page.name); a++)
                for (size_t b = a + 1; b < count; b++)
                    if (c[a].kind == UI_CMD_TEXT && c[b].kind == UI_CMD_TEXT &&
                        texts_collide(&c[a], &c[b]))
                        fail_msg("%s at %gx%g: \"%s\" and \"%s\" overlap", page.name,
                                 (double)sizes[k][0], (double)sizes[k][1],
                                 ui_command_text(u, &c[a]), ui_command_text(u, &c[b]));
        }
    }
    ui_destroy(u);
}

static void test_every_hit_area_means_something(void **state)
{
    (void)state;
    struct ui *u = ui_create(fake_metrics);
    for (int i = 0; i < PAGE_COUNT; i++) {
        struct page page;
        draw(u, &page, i, 1280, 720);
        for (float y = 1; y < 720; y += 7)
            for (float x = 1; x < 1280; x += 7) {
                enum session_event e = SESSION_EVENT_COUNT;
                int arg = -99, hit = ui_pick(u, x, y);
                assert_int_equal(views_event(hit, &e, &arg), hit >= 0);
                assert_true(hit < 0 || e < SESSION_FULLSCREEN);
                assert_false(hit >= 0 && e == SESSION_SELECT && arg >= page.session.count);
            }
    }
    ui_destroy(u);
}

/* The whole picture is mirrored, so a box at the left of the frame is drawn at the right. */
static void test_boxes_are_mirrored_with_the_picture(void **state)
{
    (void)state;
    struct ui *u = ui_create(fake_metrics);
    struct page page;
    float x[2] = {0, 0};
    for (int mirror = 0; mirror < 2; mirror++) {
        size_t count;
        page_make(&page, 0);
        page.view.mirror = mirror;
        page.faces.face[0].box = (struct box){0.1f, 0.3f, 0.2f, 0.3f};
        ui_begin(u, 1280, 720);
        views_draw(u, &page.view);
        const struct ui_command *c = ui_commands(u, &count);
        for (size_t i = 0; i < count; i++)
            if (c[i].kind == UI_CMD_STROKE)
                x[mirror] = c[i].rect.x;
    }
    assert_true(x[0] > 127.0f && x[0] < 129.0f);
    assert_true(x[1] > 895.0f && x[1] < 897.0f);
    ui_destroy(u);
}

/* Beside the list there is room for a part of the picture only: the part with the face. */
static void test_the_list_leaves_the_face_in_sight(void **state)
{
    (void)state;
    struct ui *u = ui_create(fake_metrics);
    static const float at[] = {0.0f, 0.35f, 0.7f};
    int pages = 0;
    for (int i = 0; i < PAGE_COUNT * 6; i++) {
        struct page page;
        struct ui_rect video = {0, 0, 0, 0}, face = {0, 0, 0, 0};
        size_t count;
        page_make(&page, i / 6);
        if (page.session.state != SESSION_RESULTS || !page.session.read)
            continue;
        pages++;
        page.view.mirror = i % 2;
        page.faces.face[0].box = (struct box){at[i / 2 % 3], 0.2f, 0.3f, 0.5f};
        page.faces.count = 1;
        ui_begin(u, 1280, 720);
        views_draw(u, &page.view);
        const struct ui_command *c = ui_commands(u, &count);
        for (size_t k = 0; k < count; k++) {
            if (c[k].kind == UI_CMD_VIDEO) {
                video = c[k].rect;
                assert_true(c[k].picture.x <= video.x + 0.01f);
                assert_true(c[k].picture.x + c[k].picture.w >= video.x + video.w - 0.01f);
            }
            if (c[k].kind == UI_CMD_STROKE && face.w == 0)
                face = c[k].rect;
        }
        assert_true(face.w > 0 && face.x >= video.x - 0.5f);
        assert_true(face.x + face.w <= video.x + video.w + 0.5f);
    }
    assert_true(pages > 0);
    ui_destroy(u);
}

/* The words judge pictures, not people. */
static void test_no_page_says_you_are(void **state)
{
    (void)state;
    struct ui *u = ui_create(fake_metrics);
    for (int i = 0; i < PAGE_COUNT; i++) {
        struct page page;
        draw(u, &page, i, 1280, 720);
        char *text = dump(u);
        assert_null(strstr(text, "You are"));
        assert_null(strstr(text, "you are"));
        assert_null(strstr(text, "You feel"));
        free(text);
    }
    ui_destroy(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_match_the_golden_dumps),
        cmocka_unit_test(test_text_lies_inside_the_window),
        cmocka_unit_test(test_texts_do_not_overlap),
        cmocka_unit_test(test_every_hit_area_means_something),
        cmocka_unit_test(test_boxes_are_mirrored_with_the_picture),
        cmocka_unit_test(test_the_list_leaves_the_face_in_sight),
        cmocka_unit_test(test_no_page_says_you_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
