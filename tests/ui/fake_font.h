/* Metrics for tests: every character is half its font's size wide. */
#ifndef TESTS_UI_FAKE_FONT_H
#define TESTS_UI_FAKE_FONT_H

#include "ui/ui.h"

static inline float fake_text_width(enum ui_font f, const char *s, size_t n, void *payload)
{
    int count = 0;
    (void)payload;
    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)s[i] & 0xC0) != 0x80;
    return 0.5f * ui_font_tokens[f].size * (float)count;
}

static const struct ui_metrics fake_metrics = {fake_text_width, NULL};

#endif
