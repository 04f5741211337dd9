/* "Looks sad, you asked to be lifted: comedies do that; 8.1 from 310,000 votes; with Amy Adams,
 * whom you like." Of a mood set by hand: "For a sad mood, to be lifted: comedies do that." */
#include "catalog/reason.h"

#include <ctype.h>
#include <string.h>

#include "catalog/policy.h"

/* A mood is called by one name when it is this far ahead of the next. */
static const float sure = 0.15f;

static const char *looks(enum emotion e)
{
    static const char *const words[EMOTION_COUNT] = {"angry", "disgusted", "afraid", "happy",
                                                     "sad",   "surprised", "neutral"};
    return words[e];
}

/* As said of the mood, not of a face. */
static const char *called(enum emotion e)
{
    return e == EMOTION_FEAR ? "fearful" : looks(e);
}

/* Several viewers are spoken of as one. */
static void add_mood(struct str *out, const struct recommend_query *q,
                     const struct emotion_scores *mood)
{
    const char *(*word)(enum emotion) = q->by_hand ? called : looks;
    enum emotion top = emotion_top(mood);
    struct emotion_scores rest = *mood;
    rest.p[top] = -1;
    if (q->by_hand)
        str_addf(out, top == EMOTION_ANGRY ? "For an " : "For a ");
    else
        str_addf(out, q->face_count > 1 ? "The group looks " : "Looks ");
    str_addf(out, "%s", word(top));
    if (emotion_confidence(mood) < sure)
        str_addf(out, " or %s", word(emotion_top(&rest)));
    if (q->by_hand)
        str_addf(out, " mood");
}

/* How the policy answers, in words that follow the mood's. */
static const char *answer(const struct recommend_query *q, enum emotion top)
{
    return q->by_hand ? policy_aim(q->policy, top) : policy_reason(q->policy, top);
}

/* "comedies", "Sci-Fi films". */
static void add_films_of(struct str *out, const char *genre)
{
    static const struct {
        const char *genre, *films;
    } names[] = {{"Comedy", "comedies"},       {"Musical", "musicals"},
                 {"Drama", "dramas"},          {"Western", "westerns"},
                 {"Thriller", "thrillers"},    {"Documentary", "documentaries"},
                 {"Adventure", "adventures"},  {"Animation", "animated films"},
                 {"Biography", "biographies"}, {"Mystery", "mysteries"},
                 {"Romance", "love stories"},  {"Sport", "sports films"},
                 {"Film-Noir", "films noirs"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i].genre, genre) == 0) {
            str_addf(out, "%s", names[i].films);
            return;
        }
    bool proper = strchr(genre, '-') != NULL;
    for (const char *s = genre; *s != '\0'; s++) {
        char c = proper ? *s : (char)tolower((unsigned char)*s);
        str_add(out, &c, 1);
    }
    str_addf(out, " films");
}

static void add_seed(struct str *out, const struct fit *fit, const struct recommend_query *q)
{
    const char *genres[8];
    enum emotion top = emotion_top(fit_mood(fit));
    int count = policy_genres(q->policy, top, genres, 8);
    str_addf(out, ", %s: ", answer(q, top));
    for (int i = 0; i < count; i++)
        str_addf(out, "%s%s", i > 0 ? " or " : "", genres[i]);
}

static void add_song_tone(struct str *out, const struct title *t)
{
    const char *energy = t->energy >= 0.6f ? "lively" : t->energy <= 0.4f ? "calm" : "steady";
    const char *valence = t->valence >= 0.6f ? "bright" : t->valence <= 0.4f ? "sombre" : "warm";
    str_addf(out, ": a %s, %s song fits", energy, valence);
}

/* "feel-good comedies do that" */
static void add_kind(struct str *out, const struct fit *fit, const struct candidate *chosen)
{
    const char *genre = fit_best_genre(fit, &chosen->entry);
    const char *mood = fit_best_mood(fit, &chosen->entry);
    if (genre == NULL && mood == NULL)
        return;
    str_addf(out, ": %s%s", mood != NULL ? mood : "", mood != NULL ? " " : "");
    if (genre != NULL)
        add_films_of(out, genre);
    else
        str_addf(out, "films");
    str_addf(out, " do that");
}

static void add_fit(struct str *out, const struct recommend_query *q, const struct fit *fit,
                    const struct candidate *chosen, const struct title *t)
{
    enum emotion top = emotion_top(fit_mood(fit));
    float valence, arousal;
    if (policy_kind(q->policy) != POLICY_WEIGHTS) {
        add_seed(out, fit, q);
        return;
    }
    bool mood_decides = top != EMOTION_NEUTRAL || fit_best_genre(fit, &chosen->entry) != NULL;
    if (mood_decides && answer(q, top)[0] != '\0')
        str_addf(out, ", %s", answer(q, top));
    if (t->kind != TITLE_SONG)
        add_kind(out, fit, chosen);
    else if (t->valence >= 0 && t->energy >= 0 && policy_target(q->policy, top, &valence, &arousal))
        add_song_tone(out, t);
}

/* 310000 -> "310,000". */
static void add_count(struct str *out, int n)
{
    if (n >= 1000)
        add_count(out, n / 1000);
    str_addf(out, n >= 1000 ? ",%03d" : "%d", n >= 1000 ? n % 1000 : n);
}

static void add_quality(struct str *out, const struct title *t)
{
    if (t->rating > 0)
        str_addf(out, "; %.1f", (double)t->rating);
    if (t->rating > 0 && t->votes > 0) {
        str_addf(out, " from ");
        add_count(out, t->votes);
        str_addf(out, t->votes == 1 ? " vote" : " votes");
    }
    if (t->reviews > 0)
        str_addf(out, "; %d %s, %.0f %% positive", t->reviews,
                 t->reviews == 1 ? "review" : "reviews", 100 * (double)t->sentiment);
}

static void add_taste(struct str *out, const struct catalog *c, const struct taste *taste,
                      const struct candidate *chosen)
{
    if (chosen->taste < 1.05f)
        return;
    struct taste_reason r = taste_reason_for(taste, c, &chosen->entry);
    if (r.person != NULL)
        str_addf(out, "; with %s, whom you like", r.person);
    else if (r.title != NULL)
        str_addf(out, "; people who like %s like it too", r.title);
    else if (r.genre != NULL) {
        str_addf(out, "; you like ");
        add_films_of(out, r.genre);
    }
}

void reason_write(const struct catalog *c, const struct recommend_query *q, const struct fit *fit,
                  const struct taste *taste, const struct candidate *chosen,
                  const struct title *title, struct str *out)
{
    str_clear(out);
    add_mood(out, q, fit_mood(fit));
    add_fit(out, q, fit, chosen, title);
    if (policy_uses_quality(q->policy))
        add_quality(out, title);
    add_taste(out, c, taste, chosen);
    str_addf(out, ".");
}
