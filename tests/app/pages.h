/* Every page of the window with made-up data: for the golden dumps and the gallery of pictures. */
#ifndef TESTS_APP_PAGES_H
#define TESTS_APP_PAGES_H

#include "views.h"

enum { PAGE_COUNT = 15, PAGE_PICTURE_WIDTH = 640, PAGE_PICTURE_HEIGHT = 480 };

struct page {
    const char *name;
    struct session session;
    struct observation faces;
    struct view view; /* points into this struct */
};

/* Fills *p with page number `index`. Call session_set_rows() with views_rows() before drawing. */
void page_make(struct page *p, int index);

#endif
