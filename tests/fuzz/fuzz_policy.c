/* Any bytes as a policy file: refused with one sentence, or usable. */
#include <stdlib.h>
#include <string.h>

#include "catalog/policy.h"
#include "fuzz/fuzz.h"

static void use(const struct policy *p)
{
    for (int e = 0; e < EMOTION_COUNT; e++) {
        const char *genres[8];
        float valence = 0, arousal = 0;
        int count = policy_genres(p, (enum emotion)e, genres, 8);
        for (int i = 0; i < count; i++) {
            float weight = policy_weight(p, (enum emotion)e, genres[i]);
            if (!(weight >= -1 && weight <= 1))
                abort();
        }
        policy_target(p, (enum emotion)e, &valence, &arousal);
        if (!(valence >= -1 && valence <= 1 && arousal >= -1 && arousal <= 1))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct policy *p = NULL;
    if (policy_parse(&p, "fuzz", (const char *)data, size, &err) < 0) {
        if (err.text[0] == '\0')
            abort();
        return 0;
    }
    use(p);
    policy_free(p);
    return 0;
}
