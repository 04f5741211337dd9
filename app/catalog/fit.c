/* Mood fit. The formula is in fit.h. */
#include "catalog/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/catalog_internal.h"
#include "catalog/mood_word.h"
#include "catalog/policy.h"

enum { FACES_MAX = 16 };

static const float genres_share = 0.7f;

struct point {
    float valence, arousal;
};

struct fit {
    const struct catalog *catalog;
    struct emotion_scores mood; /* of all viewers */
    struct emotion_scores face[FACES_MAX];
    int faces;
    enum group_mode group;
    bool songs;

    bool any_target, has_target[EMOTION_COUNT];
    struct point target[EMOTION_COUNT];
    float (*weight)[EMOTION_COUNT]; /* [genre][emotion] */
    struct point *tone;             /* [genre] */
    bool *has_tone;                 /* [genre] */
    float *set_fit;                 /* [genre set], without mood words */
    bool *listed;                   /* [genre set] */
    float max;
};

/* --- one title ------------------------------------------------------------------------------- */

static float tone_fit(const struct fit *f, const struct emotion_scores *p, struct point tone)
{
    float sum = 0;
    for (int e = 0; e < EMOTION_COUNT; e++) {
        float closeness = 0.5f; /* an emotion without target prefers nothing */
        if (f->has_target[e])
            closeness = 1 - hypotf(tone.valence - f->target[e].valence,
                                   tone.arousal - f->target[e].arousal) / 2;
        sum += p->p[e] * closeness;
    }
    return sum;
}

static float genres_fit(const struct fit *f, const struct emotion_scores *p,
                        const struct genre_set *set)
{
    float sum = 0;
    for (int i = 0; i < set->count; i++)
        for (int e = 0; e < EMOTION_COUNT; e++)
            sum += p->p[e] * f->weight[set->genre[i]][e];
    return set->count > 0 ? sum / (float)set->count : 0;
}

static struct point tone_of(const struct fit *f, const struct genre_set *set, unsigned moods)
{
    struct point sum = {0, 0};
    int count = 0;
    for (int i = 0; i < set->count; i++)
        if (f->has_tone[set->genre[i]]) {
            sum.valence += f->tone[set->genre[i]].valence;
            sum.arousal += f->tone[set->genre[i]].arousal;
            count++;
        }
    for (int w = 0; w < MOOD_WORD_COUNT; w++)
        if (moods >> w & 1) {
            sum.valence += mood_word_valence(w);
            sum.arousal += mood_word_arousal(w);
            count++;
        }
    if (count == 0)
        return sum;
    return (struct point){sum.valence / (float)count, sum.arousal / (float)count};
}

static float combine(const struct fit *f, const float *fits)
{
    float sum = 0, least = 1;
    for (int i = 0; i < f->faces; i++) {
        sum += fits[i];
        least = fminf(least, fits[i]);
    }
    return f->group == GROUP_LEAST_MISERY ? least : sum / (float)f->faces;
}

static float film_fit(const struct fit *f, const struct genre_set *set, unsigned moods)
{
    float fits[FACES_MAX];
    struct point tone = tone_of(f, set, moods);
    for (int i = 0; i < f->faces; i++) {
        fits[i] = (1 + genres_fit(f, &f->face[i], set)) / 2;
        if (f->any_target)
            fits[i] = genres_share * fits[i] +
                      (1 - genres_share) * tone_fit(f, &f->face[i], tone);
    }
    return combine(f, fits);
}

static float song_fit(const struct fit *f, const struct shelf_entry *e)
{
    float fits[FACES_MAX];
    struct point tone = {(float)e->valence / 50 - 1, (float)e->energy / 50 - 1};
    for (int i = 0; i < f->faces; i++)
        fits[i] = tone_fit(f, &f->face[i], tone);
    return combine(f, fits);
}

float fit_of(const struct fit *f, const struct shelf_entry *e)
{
    int set = e->genre_set < f->catalog->set_count ? e->genre_set : 0;
    if (f->songs && f->any_target && e->valence != SHELF_UNKNOWN && e->energy != SHELF_UNKNOWN)
        return song_fit(f, e);
    if (e->moods != 0)
        return film_fit(f, &f->catalog->sets[set], e->moods);
    return f->set_fit[set];
}

const float *fit_of_sets(const struct fit *f)
{
    return f->set_fit;
}

float fit_max(const struct fit *f)
{
    return f->max;
}

const struct emotion_scores *fit_mood(const struct fit *f)
{
    return &f->mood;
}

const char *fit_best_genre(const struct fit *f, const struct shelf_entry *e)
{
    const char *best = NULL;
    float most = 0.1f;
    for (int i = 0; e->genre_set < f->catalog->set_count &&
                    i < f->catalog->sets[e->genre_set].count; i++) {
        int genre = f->catalog->sets[e->genre_set].genre[i];
        float weight = 0;
        for (int k = 0; k < EMOTION_COUNT; k++)
            weight += f->mood.p[k] * f->weight[genre][k];
        if (weight > most) {
            most = weight;
            best = f->catalog->genres.texts[genre];
        }
    }
    return best;
}

const char *fit_best_mood(const struct fit *f, const struct shelf_entry *e)
{
    int set = e->genre_set < f->catalog->set_count ? e->genre_set : 0;
    const char *best = NULL;
    if (!f->any_target)
        return NULL;
    float most = tone_fit(f, &f->mood, tone_of(f, &f->catalog->sets[set], 0));
    for (int w = 0; w < MOOD_WORD_COUNT; w++) {
        struct point tone = {mood_word_valence(w), mood_word_arousal(w)};
        float closeness = tone_fit(f, &f->mood, tone);
        if ((e->moods >> w & 1) != 0 && closeness > most) {
            most = closeness;
            best = mood_word_name(w);
        }
    }
    return best;
}

const bool *fit_listed_sets(const struct fit *f)
{
    return f->listed;
}

/* --- setting up ------------------------------------------------------------------------------ */

static void take_faces(struct fit *f, const struct recommend_query *q)
{
    f->group = q->group;
    f->faces = q->face_count < FACES_MAX ? q->face_count : FACES_MAX;
    if (q->faces == NULL || f->faces < 1) {
        f->face[0] = q->mood;
        f->faces = 1;
    } else {
        memcpy(f->face, q->faces, (size_t)f->faces * sizeof *f->face);
    }
    for (int i = 0; i < f->faces; i++) {
        emotion_normalise(&f->face[i]);
        for (int e = 0; e < EMOTION_COUNT; e++)
            f->mood.p[e] += f->face[i].p[e] / (float)f->faces;
    }
}

static void take_policy(struct fit *f, const struct policy *p)
{
    const struct intern *genres = &f->catalog->genres;
    for (int e = 0; e < EMOTION_COUNT; e++) {
        f->has_target[e] = policy_target(p, (enum emotion)e, &f->target[e].valence,
                                         &f->target[e].arousal);
        f->any_target |= f->has_target[e];
    }
    for (int g = 0; g < genres->count; g++) {
        for (int e = 0; e < EMOTION_COUNT; e++)
            f->weight[g][e] = policy_weight(p, (enum emotion)e, genres->texts[g]);
        f->has_tone[g] = policy_tone(p, genres->texts[g], &f->tone[g].valence,
                                     &f->tone[g].arousal);
    }
}

/* The seeds take one emotion's words; `contains` also finds them inside longer ones, as
 * str.contains() does. */
static bool set_listed(const struct fit *f, const struct policy *p, const struct genre_set *set)
{
    const char *wanted[16];
    int count = policy_genres(p, emotion_top(&f->mood), wanted, 16);
    bool exact = policy_kind(p) != POLICY_CONTAINS;
    for (int i = 0; i < set->count; i++)
        for (int w = 0; w < count; w++) {
            const char *genre = f->catalog->genres.texts[set->genre[i]];
            if (exact ? strcmp(genre, wanted[w]) == 0 : strstr(genre, wanted[w]) != NULL)
                return true;
        }
    return false;
}

struct fit *fit_create(const struct catalog *c, const struct recommend_query *q)
{
    struct fit *f = mem_new(1, sizeof *f);
    size_t genres = (size_t)c->genres.count + 1;
    f->catalog = c;
    f->songs = q->kind == TITLE_SONG;
    f->weight = mem_new(genres, sizeof *f->weight);
    f->tone = mem_new(genres, sizeof *f->tone);
    f->has_tone = mem_new(genres, sizeof *f->has_tone);
    f->set_fit = mem_new(UINT16_MAX + 1, sizeof *f->set_fit);
    f->listed = mem_new(UINT16_MAX + 1, sizeof *f->listed);
    take_faces(f, q);
    take_policy(f, q->policy);
    for (int s = 0; s < c->set_count; s++) {
        f->set_fit[s] = film_fit(f, &c->sets[s], 0);
        f->listed[s] = set_listed(f, q->policy, &c->sets[s]);
        f->max = fmaxf(f->max, f->set_fit[s]);
    }
    if (f->any_target) /* mood words and songs may lie right on the target */
        f->max = f->songs ? 1 : fminf(1, f->max + 1 - genres_share);
    return f;
}

void fit_destroy(struct fit *f)
{
    if (f == NULL)
        return;
    free(f->weight);
    free(f->tone);
    free(f->has_tone);
    free(f->set_fit);
    free(f->listed);
    free(f);
}
