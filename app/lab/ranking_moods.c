/* `moodreel-lab ranking`: LDOS-CoMoDa part. The protocol is in ranking.h.
 *
 * The program's rows come from recommend() itself, over a catalogue that its own importer made of
 * the votes and ratings of the learning folds. The others are scores:
 *   popularity    viewings by the other viewers, whatever the emotion
 *   seed-000 ...  titles of the table's genres first, by popularity
 *
 * DESIGN. The strength of popularity in the policy is chosen anew for every fold, on the nine
 * others: result[p][a][b] is fold b with strength p, learnt without a and b. Strength p of fold a
 * has the best sum of MRR over the b; its figure is result[p][a][a]. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "catalog/feedback.h"
#include "catalog/import.h"
#include "catalog/policy.h"
#include "catalog/recommend.h"
#include "lab/moods.h"
#include "lab/ranking.h"

static const double strengths[] = {0, 1, 2, 4, 6, 8};
enum { STRENGTHS = sizeof strengths / sizeof strengths[0], PAGE = 50 };

/* How many films a method puts before each film, asked for each emotion. */
typedef double order[EMOTION_COUNT][MOOD_FILMS_MOST];

struct outcome {
    double percentile, in_first, reciprocal;
    int count;
};

static void add(struct outcome *sum, const struct outcome *o)
{
    sum->percentile += o->percentile;
    sum->in_first += o->in_first;
    sum->reciprocal += o->reciprocal;
    sum->count += o->count;
}

static void print(const char *title, const struct outcome *o)
{
    printf("%-46s mean rank %5.2f %%  MRR %.4f  in first %d: %5.2f %%   (%d viewings)\n", title,
           100 * o->percentile / o->count, o->reciprocal / o->count, PAGE,
           100 * o->in_first / o->count, o->count);
}

/* The viewings of a fold that are asked: enjoyed, with a known emotion. */
static struct outcome judge(const struct moods *m, int fold, order better)
{
    struct outcome o = {0};
    for (int i = 0; i < m->count; i++) {
        const struct viewing *v = &m->v[i];
        if (v->fold != fold || v->emotion < 0 || v->rating < 4)
            continue;
        double before = better[v->emotion][v->film];
        o.percentile += before / (m->films - 1);
        o.in_first += before < PAGE;
        o.reciprocal += 1 / (1 + before);
        o.count++;
    }
    return o;
}

/* --- methods that are a score ---------------------------------------------------------------- */

static double popularity_score(const struct moods *m, const struct policy *p, int film, int emotion)
{
    (void)p, (void)emotion;
    return m->votes[film];
}

/* The genre decides, popularity only among equals. */
static double table_score(const struct moods *m, const struct policy *p, int film, int emotion)
{
    bool listed = false;
    for (int g = 0; g < MOOD_GENRES_OF_FILM; g++) {
        const char *genre = moods_genre(m->genres[film][g]);
        listed |= policy_weight(p, (enum emotion)emotion, genre) > 0;
    }
    return (listed ? 1e6 : 0) + m->votes[film];
}

typedef double film_score(const struct moods *m, const struct policy *p, int film, int emotion);

/* Of equals half count as better. */
static void order_by_score(const struct moods *m, const struct policy *p, film_score *score,
                           order better)
{
    static double scores[MOOD_FILMS_MOST];
    for (int e = 0; e < EMOTION_COUNT; e++) {
        for (int i = 0; i < MOOD_FILMS_MOST; i++)
            scores[i] = m->known[i] ? score(m, p, i, e) : -1;
        for (int i = 0; i < MOOD_FILMS_MOST; i++) {
            better[e][i] = -0.5; /* itself */
            for (int k = 0; k < MOOD_FILMS_MOST && m->known[i]; k++)
                better[e][i] += scores[k] > scores[i] ? 1 : scores[k] == scores[i] ? 0.5 : 0;
        }
    }
}

static int measure_score(struct moods *m, const char *title, const char *policy, film_score *score,
                         struct err *err)
{
    static order better;
    struct outcome sum = {0};
    struct policy *p = NULL;
    int rc = policy != NULL ? policy_load(&p, policy, err) : ERR_OK;
    if (rc < 0)
        return rc;
    for (int fold = 0; fold < MOOD_FOLDS; fold++) {
        moods_learn(m, fold, fold);
        order_by_score(m, p, score, better);
        struct outcome o = judge(m, fold, better);
        add(&sum, &o);
    }
    policy_free(p);
    print(title, &sum);
    return ERR_OK;
}

/* --- the program itself ---------------------------------------------------------------------- */

/* Films and a catalogue of them, in a folder of its own that goes away at the end. */
struct bench {
    struct moods *m;
    char folder[64];
    struct str films, conf;
    struct catalog *catalog;
};

static int make_bench(struct bench *b, struct moods *m, struct err *err)
{
    *b = (struct bench){.m = m};
    snprintf(b->folder, sizeof b->folder, "/tmp/moodreel-lab-XXXXXX");
    return mkdtemp(b->folder) != NULL ? ERR_OK : err_errno(err, b->folder);
}

static void end_bench(struct bench *b)
{
    static const char *const files[] = {"films.csv", "catalog.db", ""};
    char path[128];
    catalog_close(b->catalog);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", b->folder, files[i]);
        remove(path);
    }
    str_free(&b->films);
    str_free(&b->conf);
}

/* A catalogue of what was learnt, by the program's own importer. */
static int open_learnt(struct bench *b, struct err *err)
{
    char films[128], path[128];
    struct import_options o = {.kind = IMPORT_MOVIES, .path = films, .catalog = path,
                               .replace = true};
    snprintf(films, sizeof films, "%s/films.csv", b->folder);
    snprintf(path, sizeof path, "%s/catalog.db", b->folder);
    catalog_close(b->catalog);
    b->catalog = NULL;
    moods_write_films(b->m, &b->films);
    int rc = path_write_atomic(films, b->films.s, b->films.len, err);
    if (rc == ERR_OK)
        rc = import_run(&o, NULL, err);
    return rc == ERR_OK ? catalog_open(&b->catalog, path, err) : rc;
}

static int film_of(const struct title *t)
{
    int64_t film = 0;
    parse_i64(t->name + strlen("film "), 0, MOOD_FILMS_MOST - 1, &film);
    return (int)film;
}

/* With memory: list after list of PAGE titles until the catalogue is spent, as somebody would see
 * them. Without: one list of all. */
static int ask_for_all(struct bench *b, struct feedback *memory, const struct policy *p,
                       enum emotion e, double *better, struct err *err)
{
    struct recommend_query q = recommend_defaults();
    struct title_list l = {0};
    int rc, before = 0;
    q.mood = emotion_pure(e);
    q.policy = p;
    q.limit = memory != NULL ? PAGE : MOOD_FILMS_MOST;
    do {
        rc = recommend(b->catalog, memory, &q, &l, err);
        for (int i = 0; i < l.count && rc == ERR_OK; i++)
            better[film_of(&l.v[i])] = before++;
        int shown = l.count;
        title_list_free(&l);
        if (shown == 0)
            break;
    } while (rc == ERR_OK && memory != NULL);
    return rc;
}

static int order_by_policy(struct bench *b, const struct policy *p, bool in_pages, order better,
                           struct err *err)
{
    int rc = ERR_OK;
    for (int e = 0; e < EMOTION_COUNT && rc == ERR_OK; e++) {
        struct feedback *memory = NULL;
        if (in_pages)
            rc = feedback_open(&memory, ":memory:", NULL, err);
        if (rc == ERR_OK)
            rc = ask_for_all(b, memory, p, (enum emotion)e, better[e], err);
        feedback_close(memory);
    }
    return rc;
}

/* The learnt policy with this strength of popularity over the open catalogue. */
static int order_by_learnt(struct bench *b, double strength, bool as_shipped, order better,
                           struct err *err)
{
    struct policy *p = NULL;
    moods_write_policy(b->m, strength, as_shipped, &b->conf);
    int rc = policy_parse(&p, "learnt", b->conf.s, b->conf.len, err);
    if (rc == ERR_OK)
        rc = order_by_policy(b, p, as_shipped, better, err);
    policy_free(p);
    return rc;
}

struct nested {
    struct outcome result[STRENGTHS][MOOD_FOLDS][MOOD_FOLDS];
};

/* Both places of the pair (a, c) at once: what is learnt is the same. */
static int fill_pair(struct bench *b, struct nested *n, int a, int c, struct err *err)
{
    static order better;
    moods_learn(b->m, a, c);
    int rc = open_learnt(b, err);
    for (int s = 0; s < STRENGTHS && rc == ERR_OK; s++) {
        rc = order_by_learnt(b, strengths[s], false, better, err);
        n->result[s][a][c] = judge(b->m, c, better);
        n->result[s][c][a] = judge(b->m, a, better);
    }
    return rc;
}

static int chosen_for(const struct nested *n, int fold)
{
    double best = -1;
    int chosen = 0;
    for (int s = 0; s < STRENGTHS; s++) {
        double sum = 0;
        for (int k = 0; k < MOOD_FOLDS; k++)
            sum += k != fold ? n->result[s][fold][k].reciprocal : 0;
        if (sum > best) {
            best = sum;
            chosen = s;
        }
    }
    return chosen;
}

static void print_strengths(const struct nested *n)
{
    for (int s = 0; s < STRENGTHS; s++) {
        struct outcome sum = {0};
        char title[64];
        for (int fold = 0; fold < MOOD_FOLDS; fold++)
            add(&sum, &n->result[s][fold][fold]);
        snprintf(title, sizeof title, "  recommend(), popularity = %g", strengths[s]);
        print(title, &sum);
    }
}

/* As a viewer sees it: varied, in lists of PAGE. */
static int measure_chosen(struct bench *b, const struct nested *n, struct err *err)
{
    static order better;
    struct outcome plain = {0}, shipped = {0};
    int rc = ERR_OK;
    printf("strength chosen for each fold on the nine others:");
    for (int fold = 0; fold < MOOD_FOLDS && rc == ERR_OK; fold++) {
        int s = chosen_for(n, fold);
        printf(" %g", strengths[s]);
        add(&plain, &n->result[s][fold][fold]);
        moods_learn(b->m, fold, fold);
        rc = open_learnt(b, err);
        if (rc == ERR_OK)
            rc = order_by_learnt(b, strengths[s], true, better, err);
        struct outcome o = judge(b->m, fold, better);
        add(&shipped, &o);
    }
    printf("\n");
    if (rc < 0)
        return rc;
    print("recommend(), chosen strength, one list", &plain);
    print("recommend(), chosen strength, varied lists", &shipped);
    return ERR_OK;
}

static int measure_program(struct moods *m, struct err *err)
{
    struct nested *n = mem_new(1, sizeof *n);
    struct bench b;
    int rc = make_bench(&b, m, err);
    for (int a = 0; a < MOOD_FOLDS && rc == ERR_OK; a++)
        for (int c = a; c < MOOD_FOLDS && rc == ERR_OK; c++)
            rc = fill_pair(&b, n, a, c, err);
    if (rc == ERR_OK) {
        print_strengths(n);
        rc = measure_chosen(&b, n, err);
    }
    end_bench(&b);
    free(n);
    return rc;
}

int ranking_moods(const char *file, struct err *err)
{
    struct moods *m = mem_new(1, sizeof *m);
    int rc = moods_read(m, file, err);
    if (rc == ERR_OK)
        rc = measure_score(m, "popularity", NULL, popularity_score, err);
    if (rc == ERR_OK)
        rc = measure_score(m, "seed-000 table", "seed-000", table_score, err);
    if (rc == ERR_OK)
        rc = measure_score(m, "seed-001 table", "seed-001", table_score, err);
    if (rc == ERR_OK)
        rc = measure_program(m, err);
    moods_free(m);
    free(m);
    return rc;
}
