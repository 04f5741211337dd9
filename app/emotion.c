/* Names and arithmetic of the seven emotions. */
#include "emotion.h"

#include <math.h>
#include <stddef.h>
#include <strings.h>

const char *emotion_name(enum emotion e)
{
    static const char *const names[EMOTION_COUNT] = {"angry", "disgust",  "fear",   "happy",
                                                     "sad",   "surprise", "neutral"};
    return (unsigned)e < EMOTION_COUNT ? names[e] : "?";
}

bool emotion_parse(const char *name, enum emotion *out)
{
    static const struct {
        const char *name;
        enum emotion emotion;
    } aliases[] = {
        {"anger", EMOTION_ANGRY},  {"disgusted", EMOTION_DISGUST}, {"fearful", EMOTION_FEAR},
        {"afraid", EMOTION_FEAR},  {"scared", EMOTION_FEAR},       {"happiness", EMOTION_HAPPY},
        {"joy", EMOTION_HAPPY},    {"sadness", EMOTION_SAD},       {"surprised", EMOTION_SURPRISE},
        {"calm", EMOTION_NEUTRAL},
    };
    for (int e = 0; e < EMOTION_COUNT; e++)
        if (strcasecmp(name, emotion_name((enum emotion)e)) == 0) {
            *out = (enum emotion)e;
            return true;
        }
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (strcasecmp(name, aliases[i].name) == 0) {
            *out = aliases[i].emotion;
            return true;
        }
    return false;
}

enum emotion emotion_top(const struct emotion_scores *s)
{
    int top = 0;
    for (int e = 1; e < EMOTION_COUNT; e++)
        if (s->p[e] > s->p[top])
            top = e;
    return (enum emotion)top;
}

float emotion_confidence(const struct emotion_scores *s)
{
    enum emotion top = emotion_top(s);
    float second = 0.0f;
    for (int e = 0; e < EMOTION_COUNT; e++)
        if (e != (int)top && s->p[e] > second)
            second = s->p[e];
    return s->p[top] - second;
}

void emotion_blend(struct emotion_scores *into, const struct emotion_scores *s, float weight)
{
    for (int e = 0; e < EMOTION_COUNT; e++)
        into->p[e] = (1.0f - weight) * into->p[e] + weight * s->p[e];
}

struct emotion_scores emotion_pure(enum emotion e)
{
    struct emotion_scores s = {{0}};
    s.p[e] = 1.0f;
    return s;
}

void emotion_normalise(struct emotion_scores *s)
{
    float sum = 0.0f;
    for (int e = 0; e < EMOTION_COUNT; e++)
        sum += s->p[e];
    if (!(sum > 0.0f) || !isfinite(sum)) {
        *s = emotion_pure(EMOTION_NEUTRAL);
        return;
    }
    for (int e = 0; e < EMOTION_COUNT; e++)
        s->p[e] /= sum;
}
