/* Emotions, times and moods in words. */
#include "views_parts.h"

#include <math.h>
#include <stdio.h>

#include "base/str.h"

enum ui_color words_color(enum emotion e)
{
    return (enum ui_color)(UI_ANGRY + (int)e); /* tokens.h keeps the order of emotion.h */
}

const char *words_looks(enum emotion e)
{
    static const char *const words[EMOTION_COUNT] = {"angry", "disgusted", "afraid", "happy",
                                                     "sad",   "surprised", "neutral"};
    return words[e];
}

const char *words_a(enum emotion e)
{
    static const char *const words[EMOTION_COUNT] = {
        "an angry", "a disgusted", "a fearful", "a happy", "a sad", "a surprised", "a neutral"};
    return words[e];
}

void words_mood(const struct emotion_scores *mood, char *out, size_t cap)
{
    struct emotion_scores left = *mood;
    struct str text = {0};
    str_addf(&text, "%s", "");
    for (int i = 0; i < 3; i++) {
        enum emotion e = emotion_top(&left);
        if (i > 0 && left.p[e] < 0.1f)
            break;
        str_addf(&text, "%s%s %d %%", i > 0 ? ", " : "", words_looks(e),
                 (int)lroundf(100.0f * left.p[e]));
        left.p[e] = 0.0f;
    }
    snprintf(out, cap, "%s", text.s);
    str_free(&text);
}

void words_runtime(int minutes, char *out, size_t cap)
{
    if (minutes >= 60)
        snprintf(out, cap, "%d h %02d", minutes / 60, minutes % 60);
    else
        snprintf(out, cap, "%d min", minutes);
}
