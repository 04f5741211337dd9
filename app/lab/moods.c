/* LDOS-CoMoDa: reading and learning. */
#include "lab/moods.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/table.h"

/* Codes of the data set, inferred from known films (the list is not published with it). */
static const char *const genre_names[MOOD_GENRES] = {
    "",       "Action",    "Adult",     "Adventure",   "Animation", "",        "Biography",
    "Comedy", "Crime",     "Documentary", "Drama",     "Family",    "Fantasy", "History",
    "Horror", "Music",     "Musical",   "Mystery",     "Romance",   "Sci-Fi",  "Sport",
    "Thriller", "War",     "Western"};

/* dominantEmo 1 .. 7. */
static const enum emotion emotions[8] = {
    EMOTION_NEUTRAL, EMOTION_SAD,   EMOTION_HAPPY,   EMOTION_FEAR,
    EMOTION_SURPRISE, EMOTION_ANGRY, EMOTION_DISGUST, EMOTION_NEUTRAL};

static const char *const columns[] = {"userID", "itemID", "rating", "dominantEmo", "genre1",
                                      "genre2", "genre3"};
enum { COLUMN_COUNT = sizeof columns / sizeof columns[0] };

const char *moods_genre(int genre)
{
    return genre_names[genre];
}

/* --- reading --------------------------------------------------------------------------------- */

static void take_row(struct moods *m, const struct cell *c, const int *at)
{
    int64_t n[COLUMN_COUNT];
    for (int i = 0; i < COLUMN_COUNT; i++)
        if (!cell_int(c[at[i]], -1, INT32_MAX, &n[i]))
            return;
    if (n[0] < 0 || n[1] < 0 || n[1] >= MOOD_FILMS_MOST)
        return;
    for (int g = 0; g < MOOD_GENRES_OF_FILM; g++)
        m->genres[n[1]][g] = n[4 + g] > 0 && n[4 + g] < MOOD_GENRES ? (int)n[4 + g] : 0;
    m->films += !m->known[n[1]];
    m->known[n[1]] = true;
    m->v = mem_grow(m->v, &m->cap, (size_t)m->count + 1, sizeof *m->v);
    m->v[m->count++] = (struct viewing){(int)(n[0] % MOOD_FOLDS), (int)n[1], (int)n[2],
                                        n[3] >= 1 && n[3] <= 7 ? (int)emotions[n[3]] : -1};
}

int moods_read(struct moods *m, const char *file, struct err *err)
{
    static const struct table_format format = {.delimiter = ","};
    const struct cell *c = NULL;
    struct table *t = NULL;
    int at[COLUMN_COUNT];
    int rc = table_open(&t, file, &format, err);
    for (int i = 0; i < COLUMN_COUNT && rc == ERR_OK; i++)
        rc = table_need_column(t, columns[i], &at[i], err);
    while (rc >= 0 && (rc = table_next(t, &c, err)) == 1)
        take_row(m, c, at);
    table_close(t);
    if (rc == ERR_OK && m->count == 0)
        rc = err_set(err, ERR_FORMAT, "%s: no viewings in it", file);
    return rc;
}

void moods_free(struct moods *m)
{
    free(m->v);
}

/* --- learning -------------------------------------------------------------------------------- */

static bool left_out(const struct viewing *v, int without, int nor)
{
    return v->fold == without || v->fold == nor;
}

/* Ratings 1 .. 5 are stretched to IMDb's 1 .. 10. */
static void count_votes(struct moods *m, int without, int nor)
{
    memset(m->votes, 0, sizeof m->votes);
    memset(m->rating, 0, sizeof m->rating);
    for (int i = 0; i < m->count; i++) {
        const struct viewing *v = &m->v[i];
        if (left_out(v, without, nor))
            continue;
        m->votes[v->film]++;
        m->rating[v->film] += 1 + (v->rating - 1) * 9 / 4.0;
    }
    for (int i = 0; i < MOOD_FILMS_MOST; i++)
        if (m->votes[i] > 0)
            m->rating[i] /= m->votes[i];
}

struct counts {
    double all, share[EMOTION_COUNT], in_genre[EMOTION_COUNT][MOOD_GENRES], of_genre[MOOD_GENRES];
};

static void count_emotions(const struct moods *m, int without, int nor, struct counts *c)
{
    for (int i = 0; i < m->count; i++) {
        const struct viewing *v = &m->v[i];
        if (left_out(v, without, nor) || v->emotion < 0)
            continue;
        c->all++;
        c->share[v->emotion]++;
        for (int g = 0; g < MOOD_GENRES_OF_FILM; g++) {
            c->of_genre[m->genres[v->film][g]]++;
            c->in_genre[v->emotion][m->genres[v->film][g]]++;
        }
    }
}

void moods_learn(struct moods *m, int without, int nor)
{
    struct counts c = {.all = 0};
    count_votes(m, without, nor);
    count_emotions(m, without, nor, &c);
    memset(m->weight, 0, sizeof m->weight);
    for (int e = 0; e < EMOTION_COUNT; e++)
        for (int g = 1; g < MOOD_GENRES && e != EMOTION_NEUTRAL; g++) {
            double expected = c.share[e] / c.all;
            double seen = (c.in_genre[e][g] + 10 * expected) / (c.of_genre[g] + 10);
            double lift = expected > 0 ? log2(seen / expected) : 0;
            m->weight[e][g] = (float)fmax(-1, fmin(1, lift));
        }
}

/* --- for the program's own importer and policies --------------------------------------------- */

void moods_write_films(const struct moods *m, struct str *csv)
{
    str_clear(csv);
    str_addf(csv, "title,year,genres,rating,votes\n");
    for (int i = 0; i < MOOD_FILMS_MOST; i++) {
        if (!m->known[i])
            continue;
        str_addf(csv, "film %d,2000,", i);
        for (int g = 0; g < MOOD_GENRES_OF_FILM; g++)
            str_addf(csv, "%s|", genre_names[m->genres[i][g]]);
        if (m->votes[i] > 0)
            str_addf(csv, ",%.6f,%d\n", m->rating[i], m->votes[i]);
        else
            str_addf(csv, ",,\n");
    }
}

static void write_weights(const struct moods *m, enum emotion e, struct str *conf)
{
    const char *before = "";
    str_addf(conf, "%s = ", emotion_name(e));
    for (int g = 1; g < MOOD_GENRES; g++)
        if (genre_names[g][0] != '\0') {
            str_addf(conf, "%s%s %.6f", before, genre_names[g], (double)m->weight[e][g]);
            before = ", ";
        }
    str_addf(conf, "\n");
}

void moods_write_policy(const struct moods *m, double popularity, bool varied, struct str *conf)
{
    str_clear(conf);
    str_addf(conf, "kind = weights\npopularity = %g\ndiversity = %s\n", popularity,
             varied ? "yes" : "no");
    for (int e = 0; e < EMOTION_COUNT; e++)
        write_weights(m, (enum emotion)e, conf);
}
