/* Mood words and the spellings they are recognised by. */
#include "catalog/mood_word.h"

#include <ctype.h>
#include <string.h>

static const struct {
    const char *name;
    float valence, arousal;
    const char *stems; /* beginnings of words; '_' stands for a blank or hyphen */
} words[MOOD_WORD_COUNT] = {
    {"heart-warming", 0.8f, -0.2f, "heartwarm heart_warm warm_hearted touching tender sweet"},
    {"feel-good", 0.8f, 0.3f, "feelgood feel_good uplifting cheerful joyous joyful delightful"},
    {"funny", 0.7f, 0.4f, "funny hilarious laugh witty comic humor humour"},
    {"gentle", 0.5f, -0.5f, "gentle quiet serene charming whimsical soothing calm"},
    {"inspiring", 0.6f, 0.4f, "inspir life_affirming triumphant stirring"},
    {"romantic", 0.6f, 0.2f, "romantic love_story swoon"},
    {"moving", 0.2f, 0.0f, "moving poignant emotional affecting tear_jerk tearjerk"},
    {"bittersweet", 0.0f, -0.2f, "bittersweet nostalgi wistful melanchol"},
    {"bleak", -0.7f, -0.4f, "bleak depressing grim hopeless despair downbeat"},
    {"sad", -0.6f, -0.3f, "sad heartbreak heart_breaking tragic sorrow mournful"},
    {"dark", -0.4f, 0.1f, "dark noir sinister gritty"},
    {"tense", -0.2f, 0.7f, "tense suspense gripping nail_biting taut edge_of_your_seat"},
    {"thrilling", 0.3f, 0.8f, "thrilling exhilarat exciting action_packed breathtaking electrify"},
    {"frightening", -0.6f, 0.8f, "frighten scary terrifying creepy horrifying chilling spooky"},
    {"violent", -0.6f, 0.6f, "violent violence brutal gory bloody gruesome"},
    {"strange", 0.0f, 0.3f, "surreal bizarre strange weird mind_bending dreamlike quirky"},
};

const char *mood_word_name(int bit)
{
    return words[bit].name;
}

float mood_word_valence(int bit)
{
    return words[bit].valence;
}

float mood_word_arousal(int bit)
{
    return words[bit].arousal;
}

/* The text continues at `s` with this stem. */
static int stem_matches(const char *s, const char *stem, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = (char)tolower((unsigned char)s[i]);
        if (stem[i] == '_' ? c != ' ' && c != '-' : c != stem[i])
            return 0;
    }
    return 1;
}

static int any_stem_matches(const char *s, const char *stems)
{
    while (*stems != '\0') {
        size_t len = strcspn(stems, " ");
        if (stem_matches(s, stems, len))
            return 1;
        stems += len;
        stems += strspn(stems, " ");
    }
    return 0;
}

static int begins_word(const char *text, const char *s)
{
    return s == text || !isalpha((unsigned char)s[-1]);
}

unsigned mood_words_in(const char *text)
{
    unsigned bits = 0;
    for (const char *s = text; *s != '\0'; s++) {
        if (!isalpha((unsigned char)*s) || !begins_word(text, s))
            continue;
        for (int w = 0; w < MOOD_WORD_COUNT; w++)
            if (any_stem_matches(s, words[w].stems))
                bits |= 1u << w;
    }
    return bits;
}

void mood_words_text(unsigned bits, struct str *out)
{
    str_clear(out);
    str_add(out, "", 0);
    for (int w = 0; w < MOOD_WORD_COUNT; w++)
        if (bits & 1u << w)
            str_addf(out, "%s%s", out->len > 0 ? ", " : "", words[w].name);
}
