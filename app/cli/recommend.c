/* `moodreel recommend`: titles for a mood given in words or numbers. */
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "catalog/catalog.h"
#include "catalog/feedback.h"
#include "catalog/playlist.h"
#include "catalog/policy.h"
#include "catalog/recommend.h"
#include "cli/catalog.h"
#include "options.h"

enum { FACES_MAX = 16 };

struct recommend_options {
    const char *emotion, *scores, *policy, *language, *actor, *director, *decade, *catalog;
    const char *playlist, *like, *dislike, *seen, *later;
    int kind, group, top, shuffle, max_runtime, max_certificate, min_votes, certainty, seed;
    bool json, repeat, show_seen;
};

#define AT(member) offsetof(struct recommend_options, member)

static const struct option_spec specs[] = {
    {"Mood", "emotion", 'e', OPTION_STRING, AT(emotion), 0, 0, "NAME", NULL, NULL, 0, true,
     "angry, disgust, fear, happy, sad, surprise or neutral. Several, separated by commas: one "
     "for each viewer."},
    {"Mood", "scores", 0, OPTION_STRING, AT(scores), 0, 0, "LIST", NULL, NULL, 0, true,
     "Probabilities such as sad=0.6,neutral=0.3,happy=0.1; those of several viewers are separated "
     "by /."},
    {"Mood", "group", 0, OPTION_CHOICE, AT(group), 0, 0, NULL, "mean|least-misery", "mean", 0,
     false, "How several viewers are served: on average, or the least happy one best."},
    {"Mood", "policy", 'p', OPTION_STRING, AT(policy), 0, 0, "NAME", NULL, "lift", 0, false,
     "lift, match, surprise, seed-000, seed-001, or a file ending in .conf."},
    {"Filters", "kind", 'k', OPTION_CHOICE, AT(kind), 0, 0, NULL,
     "film|series|short|song|video", "film", 0, false,
     "What to recommend; video is another word for short."},
    {"Filters", "language", 'l', OPTION_STRING, AT(language), 0, 0, "CODE", NULL, NULL, 0, false,
     "Original language: a code (fr) or a name (French)."},
    {"Filters", "certainty", 0, OPTION_INT, AT(certainty), 0, 100, "PERCENT", NULL, "50", 0, false,
     "How sure the language must be; IMDb does not state it, so it is derived."},
    {"Filters", "actor", 'a', OPTION_STRING, AT(actor), 0, 0, "NAME", NULL, NULL, 0, true,
     "Only titles with this person; the beginning of the name is enough when it is the only one."},
    {"Filters", "director", 'd', OPTION_STRING, AT(director), 0, 0, "NAME", NULL, NULL, 0, true,
     "Only titles by this director (songs: this artist)."},
    {"Filters", "decade", 0, OPTION_STRING, AT(decade), 0, 0, "YEARS", NULL, NULL, 0, false,
     "1990s, 90s, or a range such as 1985-1999."},
    {"Filters", "max-runtime", 0, OPTION_INT, AT(max_runtime), 0, 10000, "MINUTES", NULL, NULL, 0,
     false, "Not longer than this."},
    {"Filters", "max-certificate", 0, OPTION_INT, AT(max_certificate), -1, 21, "AGE", NULL, "-1",
     0, false, "Suitable from this age; titles of unknown certificate are left out."},
    {"Filters", "min-votes", 0, OPTION_INT, AT(min_votes), 0, 1e9, "N", NULL, NULL, 0, false,
     "Rated by at least this many people."},
    {"Filters", "show-seen", 0, OPTION_FLAG, AT(show_seen), 0, 0, NULL, NULL, NULL, 0, false,
     "Do not leave out what was marked as seen."},
    {"List", "top", 'n', OPTION_INT, AT(top), 1, 1000, "N", NULL, "10", 0, false,
     "How many titles."},
    {"List", "shuffle", 0, OPTION_INT, AT(shuffle), 0, 100, "N", NULL, NULL, 0, true,
     "N at random from the mood's list, none twice until the list is spent."},
    {"List", "seed", 0, OPTION_INT, AT(seed), 0, 2e9, "N", NULL, NULL, 0, true,
     "Makes --shuffle draw the same again; 0: by the clock."},
    {"List", "repeat", 0, OPTION_FLAG, AT(repeat), 0, 0, NULL, NULL, NULL, 0, false,
     "Do not leave out what was shown in the last 30 days, and do not remember this list."},
    {"List", "playlist", 0, OPTION_STRING, AT(playlist), 0, 0, "FILE", NULL, NULL, 0, true,
     "Write the list to a file: .m3u for players, else JSON."},
    {"List", "json", 'j', OPTION_FLAG, AT(json), 0, 0, NULL, NULL, NULL, 0, true,
     "Print JSON."},
    {"List", "catalog", 'c', OPTION_STRING, AT(catalog), 0, 0, "FILE", NULL, NULL, 0, false,
     "The catalogue; default: your own, else the starter catalogue."},
    {"Feedback", "like", 0, OPTION_STRING, AT(like), 0, 0, "ID", NULL, NULL, 0, true,
     "Say that you like this title (tt...), then recommend."},
    {"Feedback", "not-for-me", 0, OPTION_STRING, AT(dislike), 0, 0, "ID", NULL, NULL, 0, true,
     "Never show this title again."},
    {"Feedback", "seen", 0, OPTION_STRING, AT(seen), 0, 0, "ID", NULL, NULL, 0, true,
     "Mark this title as seen."},
    {"Feedback", "later", 0, OPTION_STRING, AT(later), 0, 0, "ID", NULL, NULL, 0, true,
     "Keep this title for later."},
};

static const struct option_set set = {"moodreel", specs, sizeof specs / sizeof specs[0], NULL};

static const char *const notes[] = {
    "Without --emotion and --scores the mood is neutral: quality, taste and variety decide.",
    NULL,
};

static const struct command command = {"recommend", NULL, "Titles for a mood", cli_recommend, 0,
                                       notes};

/* --- the mood -------------------------------------------------------------------------------- */

struct faces {
    struct emotion_scores v[FACES_MAX];
    int count;
};

static int usage(struct err *err, const char *what, const char *text)
{
    err_set(err, ERR_RANGE, "%s: \"%.60s\"", what, text);
    return STATUS_USAGE;
}

/* The next piece of *text up to `separator`; NULL at the end. free() it. */
static char *next_piece(const char **text, char separator)
{
    const char separators[2] = {separator, '\0'};
    if (**text == '\0')
        return NULL;
    size_t len = strcspn(*text, separators);
    char *piece = mem_strndup(*text, len);
    *text += len + ((*text)[len] != '\0');
    return piece;
}

static int read_emotions(const char *text, struct faces *faces, struct err *err)
{
    char *name;
    while ((name = next_piece(&text, ',')) != NULL) {
        enum emotion e;
        bool good = emotion_parse(name, &e);
        if (!good)
            usage(err, "--emotion: no such emotion; there are angry, disgust, fear, happy, sad, "
                  "surprise and neutral", name);
        else if (faces->count < FACES_MAX)
            faces->v[faces->count++] = emotion_pure(e);
        free(name);
        if (!good)
            return STATUS_USAGE;
    }
    return STATUS_OK;
}

/* "sad=0.6" */
static bool read_score(char *pair, struct emotion_scores *scores)
{
    enum emotion e;
    double p = 0;
    char *equals = strpbrk(pair, "=:");
    if (equals == NULL)
        return false;
    *equals = '\0';
    if (!emotion_parse(pair, &e) || !parse_f64(equals + 1, 0, 100, &p))
        return false;
    scores->p[e] = (float)p;
    return true;
}

static int read_face(const char *text, struct faces *faces, struct err *err)
{
    struct emotion_scores scores = {{0}};
    char *pair;
    while ((pair = next_piece(&text, ',')) != NULL) {
        bool good = read_score(pair, &scores);
        if (!good)
            usage(err, "--scores: emotion=probability is wanted", pair);
        free(pair);
        if (!good)
            return STATUS_USAGE;
    }
    emotion_normalise(&scores);
    if (faces->count < FACES_MAX)
        faces->v[faces->count++] = scores;
    return STATUS_OK;
}

static int read_mood(const struct recommend_options *o, struct faces *faces, struct err *err)
{
    const char *text = o->scores != NULL ? o->scores : "";
    int status = o->emotion != NULL ? read_emotions(o->emotion, faces, err) : STATUS_OK;
    char *face;
    while (status == STATUS_OK && (face = next_piece(&text, '/')) != NULL) {
        status = read_face(face, faces, err);
        free(face);
    }
    if (status == STATUS_OK && faces->count == 0 && (o->emotion != NULL || o->scores != NULL))
        return usage(err, "a mood is wanted, such as --emotion sad or --scores sad=0.7,neutral=0.3",
                     "");
    if (faces->count == 0)
        faces->v[faces->count++] = emotion_pure(EMOTION_NEUTRAL);
    return status;
}

/* --- feedback -------------------------------------------------------------------------------- */

static int find_title(struct catalog *c, const char *text, struct title_list *out,
                      struct err *err)
{
    int64_t id = 0;
    if (!title_parse_imdb_id(text, &id) && !parse_i64(text, 1, INT64_MAX, &id))
        return err_set(err, ERR_RANGE, "\"%.60s\" is no title id; recommend --json shows them",
                       text);
    return catalog_title(c, id, out, err);
}

enum say { SAY_LIKE, SAY_DISLIKE, SAY_SEEN, SAY_LATER };

static int say(struct catalog *c, struct feedback *f, const char *id, enum say what,
               struct err *err)
{
    struct title_list l = {0};
    if (id == NULL)
        return ERR_OK;
    int rc = find_title(c, id, &l, err);
    if (rc < 0)
        return rc;
    if (what == SAY_LIKE || what == SAY_DISLIKE)
        rc = feedback_set_opinion(f, l.v, what == SAY_LIKE ? OPINION_LIKE : OPINION_DISLIKE, err);
    else if (what == SAY_SEEN)
        rc = feedback_set_seen(f, l.v, true, err);
    else
        rc = feedback_set_later(f, l.v, true, err);
    title_list_free(&l);
    return rc;
}

static int say_all(struct catalog *c, struct feedback *f, const struct recommend_options *o,
                   struct err *err)
{
    int rc = say(c, f, o->like, SAY_LIKE, err);
    if (rc == ERR_OK)
        rc = say(c, f, o->dislike, SAY_DISLIKE, err);
    if (rc == ERR_OK)
        rc = say(c, f, o->seen, SAY_SEEN, err);
    return rc == ERR_OK ? say(c, f, o->later, SAY_LATER, err) : rc;
}

/* --- printing -------------------------------------------------------------------------------- */

static void print_title(int number, const struct title *t)
{
    printf("%2d. %s", number, t->name);
    if (t->year > 0)
        printf(" (%d)", t->year);
    if (t->kind == TITLE_SONG && t->makers[0] != '\0')
        printf(" - %s", t->makers);
    if (t->genres[0] != '\0')
        printf("  %s", t->genres);
    if (t->language[0] != '\0' && t->certainty < 100)
        printf("  [%s, %d %% sure]", t->language, t->certainty);
    else if (t->language[0] != '\0')
        printf("  [%s]", t->language);
    printf("\n    %s\n", t->why);
}

static void print_list(const struct title_list *l, const struct policy *p,
                       const struct emotion_scores *mood)
{
    char text[200];
    recommend_mood_text(mood, text, sizeof text);
    printf("Mood: %s. Policy: %s (%s).\n", text, policy_title(p), policy_name(p));
    for (int i = 0; i < l->count; i++)
        print_title(i + 1, &l->v[i]);
    if (l->note[0] != '\0')
        printf("%s\n", l->note);
}

static void print_json(const struct title_list *l, const struct policy *p,
                       const struct emotion_scores *mood, const char *catalog, double ms)
{
    json_t *o = json_pack("{s:o, s:s, s:s, s:o, s:b, s:s, s:f}", "mood", mood_json(mood), "policy",
                          policy_name(p), "catalog", catalog, "titles", title_list_json(l),
                          "exhausted", l->exhausted, "note", l->note, "ms", ms);
    json_dumpf(o, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(o);
}

/* --- running --------------------------------------------------------------------------------- */

static int read_query(const struct recommend_options *o, struct recommend_query *q,
                      struct err *err)
{
    *q = recommend_defaults();
    if (o->decade != NULL && !recommend_parse_decade(o->decade, &q->year_min, &q->year_max))
        return usage(err, "--decade: 1990s, 90s or 1985-1999 is wanted", o->decade);
    q->group = (enum group_mode)o->group;
    q->kind = o->kind < TITLE_KIND_COUNT ? (enum title_kind)o->kind : TITLE_SHORT; /* video */
    q->language = o->language;
    q->certainty_min = o->certainty;
    q->actor = o->actor;
    q->director = o->director;
    q->minutes_max = o->max_runtime;
    q->certificate_max = o->max_certificate;
    q->votes_min = o->min_votes;
    q->hide_seen = !o->show_seen;
    q->limit = o->top;
    q->shuffle = o->shuffle;
    q->allow_repeats = o->repeat;
    q->seed = o->seed > 0 ? (uint64_t)o->seed : (uint64_t)clock_now_us() ^ (uint64_t)time(NULL);
    return STATUS_OK;
}

/* What a run has open. */
struct desk {
    struct catalog *catalog;
    struct feedback *feedback;
    struct policy *policy;
    struct title_list list;
};

/* Without a file for it there is no memory, but there are recommendations. */
static int open_feedback(struct desk *d, const struct recommend_options *o, struct err *err)
{
    bool moved = false;
    bool needed = o->like != NULL || o->dislike != NULL || o->seen != NULL || o->later != NULL;
    int rc = feedback_open(&d->feedback, NULL, &moved, err);
    if (moved)
        fputs("moodreel: the file of your likes was damaged; it was moved aside and a new one "
              "begun\n", stderr);
    if (rc == ERR_OK || needed)
        return rc;
    fprintf(stderr, "moodreel: going on without your likes and without memory: %s\n", err->text);
    err_clear(err);
    return ERR_OK;
}

static int open_desk(struct desk *d, const struct recommend_options *o, struct err *err)
{
    int rc = policy_load(&d->policy, o->policy, err);
    if (rc == ERR_OK)
        rc = catalog_open(&d->catalog, o->catalog, err);
    return rc == ERR_OK ? open_feedback(d, o, err) : rc;
}

static void close_desk(struct desk *d)
{
    title_list_free(&d->list);
    policy_free(d->policy);
    feedback_close(d->feedback);
    catalog_close(d->catalog);
}

static void mean_mood(const struct faces *faces, struct emotion_scores *mood)
{
    *mood = (struct emotion_scores){{0}};
    for (int i = 0; i < faces->count; i++)
        for (int e = 0; e < EMOTION_COUNT; e++)
            mood->p[e] += faces->v[i].p[e] / (float)faces->count;
}

static int run_query(struct desk *d, const struct recommend_options *o, struct recommend_query *q,
                     const struct faces *faces, struct err *err)
{
    int rc = say_all(d->catalog, d->feedback, o, err);
    if (rc < 0)
        return rc;
    mean_mood(faces, &q->mood);
    q->by_hand = o->scores == NULL; /* scores come from a reading elsewhere */
    q->faces = faces->v;
    q->face_count = faces->count;
    q->policy = d->policy;
    int64_t began = clock_now_us();
    rc = recommend(d->catalog, d->feedback, q, &d->list, err);
    double ms = (double)(clock_now_us() - began) / 1000;
    if (rc < 0)
        return rc;
    if (o->json)
        print_json(&d->list, d->policy, &q->mood, catalog_path(d->catalog), ms);
    else
        print_list(&d->list, d->policy, &q->mood);
    return o->playlist != NULL
               ? playlist_write(&d->list, policy_title(d->policy), o->playlist, err)
               : ERR_OK;
}

int cli_recommend(int argc, char **argv, struct err *err)
{
    struct recommend_options o;
    struct recommend_query q;
    struct faces faces = {.count = 0};
    struct desk d = {0};
    struct options *options = NULL;
    int words = 0;
    int status = options_begin(&options, &set, &command, &o, argc, argv, err);
    if (status != OPTIONS_GO)
        return status;
    options_words(options, &words);
    status = words == 0 ? read_query(&o, &q, err)
                        : usage(err, "recommend takes no words; name the mood with --emotion",
                                options_words(options, &words)[0]);
    if (status == STATUS_OK)
        status = read_mood(&o, &faces, err);
    if (status == STATUS_OK) {
        int rc = open_desk(&d, &o, err);
        if (rc == ERR_OK)
            rc = run_query(&d, &o, &q, &faces, err);
        status = rc < 0 ? STATUS_FAILED : STATUS_OK;
    }
    close_desk(&d);
    options_free(options);
    return status;
}
