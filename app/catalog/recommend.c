/* From a question to a list: who is meant, the walk along the shelf (walk.c), the choice, the note.
 * The scoring parts are fit.c (mood), shelf.c (quality) and taste.c. */
#include "catalog/recommend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "catalog/catalog_internal.h"
#include "catalog/db.h"
#include "catalog/feedback.h"
#include "catalog/fit.h"
#include "catalog/names.h"
#include "catalog/pick.h"
#include "catalog/policy.h"
#include "catalog/reason.h"
#include "catalog/taste.h"
#include "catalog/walk.h"
#include "catalog/writer.h"

enum {
    POOL_PER_TITLE = 6, /* candidates for each title of the list: room for variety */
    POOL_LEAST = 60,
    SHUFFLE_LIST = 50, /* --shuffle draws from a list of this length */
    LIMIT_MOST = 5000
};

/* Share of the score in the choice of the next title, the rest is variety; our choice, measured in
 * README.md. */
static const float mmr_lambda = 0.75f;

struct recommend_query recommend_defaults(void)
{
    return (struct recommend_query){.certificate_max = -1, .certainty_min = 50, .limit = 10,
                                    .hide_seen = true};
}

bool recommend_parse_decade(const char *text, int *year_min, int *year_max)
{
    int64_t from = 0, to = 0;
    size_t len = strlen(text);
    char digits[16];
    const char *dash = strchr(text, '-');
    if (dash != NULL && (size_t)(dash - text) < sizeof digits) {
        memcpy(digits, text, (size_t)(dash - text));
        digits[dash - text] = '\0';
        if (!parse_i64(digits, 1800, 2200, &from) || !parse_i64(dash + 1, from, 2200, &to))
            return false;
        *year_min = (int)from;
        *year_max = (int)to;
        return true;
    }
    if (len < 2 || len >= sizeof digits)
        return false;
    memcpy(digits, text, len + 1);
    if (digits[len - 1] == 's')
        digits[len - 1] = '\0';
    if (!parse_i64(digits, 0, 2200, &from) || (from > 99 && from < 1800) || from % 10 != 0)
        return false;
    if (from < 100)
        from += from < 30 ? 2000 : 1900; /* "20s" are ours, "30s" the last century's */
    *year_min = (int)from;
    *year_max = (int)from + 9;
    return true;
}

void recommend_mood_text(const struct emotion_scores *mood, char *out, int cap)
{
    struct emotion_scores rest = *mood;
    struct str text = {0};
    str_add(&text, "", 0);
    for (int i = 0; i < 3; i++) {
        enum emotion top = emotion_top(&rest);
        if (rest.p[top] < 0.1f && i > 0)
            break;
        str_addf(&text, "%s%s %.0f %%", i > 0 ? ", " : "", emotion_name(top),
                 100.0 * (double)rest.p[top]);
        rest.p[top] = -1;
    }
    snprintf(out, (size_t)cap, "%s", text.s);
    str_free(&text);
}

/* --- filters that need the database ---------------------------------------------------------- */

static int no_such_person(const char *name, const struct person_list *near, struct err *err)
{
    struct str names = {0};
    for (int i = 0; i < near->count; i++)
        str_addf(&names, "%s%s", i > 0 ? ", " : "", near->v[i].name);
    int rc = near->count > 0
                 ? err_set(err, ERR_NOT_FOUND, "nobody is called \"%.80s\" in the catalogue; "
                           "did you mean %s?", name, names.s)
                 : err_set(err, ERR_NOT_FOUND, "nobody is called \"%.80s\" in the catalogue",
                           name);
    str_free(&names);
    return rc;
}

/* Marks the titles of a person; with `bit` of earlier people set as well when both are wanted. */
static int mark_titles(struct walk *s, int64_t person, int role, int32_t bit, struct err *err)
{
    sqlite3_stmt *st = s->c->st[READ_FILMOGRAPHY];
    int rc;
    sqlite3_bind_int64(st, 1, person);
    while ((rc = db_step(st, err)) == 1) {
        int found = sqlite3_column_int(st, 1);
        if (found == role || found == ROLE_ARTIST)
            *idmap_at(&s->with_person, sqlite3_column_int64(st, 0), 0) |= bit;
    }
    sqlite3_reset(st);
    return rc;
}

/* The people meant by a name: all who are called so, else the only one it can be completed to. */
static int find_person(struct walk *s, const char *name, int role, int32_t bit,
                       struct err *err)
{
    struct person_list near = {0};
    int64_t wanted = name_person_id(name);
    bool found = false;
    int rc = catalog_find_people(s->c, name, 40, &near, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < near.count && rc == ERR_OK; i++)
        if (name_person_id(near.v[i].name) == wanted || near.count == 1) {
            found = true;
            rc = mark_titles(s, near.v[i].id, role, bit, err);
        }
    if (rc == ERR_OK && !found) {
        near.count = near.count < 5 ? near.count : 5;
        rc = no_such_person(name, &near, err);
    }
    person_list_free(&near);
    return rc;
}

static bool given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static int resolve_people(struct walk *s, struct err *err)
{
    const struct recommend_query *q = s->q;
    int32_t wanted = 0;
    int rc = ERR_OK;
    if (given(q->actor)) {
        wanted |= 1;
        rc = find_person(s, q->actor, ROLE_ACTOR, 1, err);
    }
    if (given(q->director) && rc == ERR_OK) {
        wanted |= 2;
        rc = find_person(s, q->director, ROLE_DIRECTOR, 2, err);
    }
    s->by_person = wanted != 0;
    if (wanted == 3) /* titles of only one of the two do not count */
        for (size_t i = 0; i < s->with_person.cap; i++)
            s->with_person.values[i] = s->with_person.values[i] == 3;
    return rc;
}

static int resolve_language(struct walk *s, struct err *err)
{
    if (!given(s->q->language))
        return ERR_OK;
    const char *code = name_language(s->q->language);
    if (code == NULL)
        return err_set(err, ERR_NOT_FOUND, "no language \"%.40s\"; use a code such as fr or a "
                       "name such as French", s->q->language);
    s->language = (uint8_t)catalog_language_number(s->c, code);
    if (s->language == 0)
        return err_set(err, ERR_NOT_FOUND, "the catalogue knows no title in %s",
                       name_of_language(code));
    return ERR_OK;
}

/* --- the list -------------------------------------------------------------------------------- */

static int wanted_count(const struct recommend_query *q)
{
    int wanted = q->shuffle > 0 ? q->shuffle : q->limit;
    int own = policy_limit(q->policy);
    wanted = wanted < 1 ? 1 : wanted > LIMIT_MOST ? LIMIT_MOST : wanted;
    return own > 0 && own < wanted ? own : wanted;
}

static int pool_size(const struct recommend_query *q, int wanted)
{
    if (q->shuffle > 0)
        return policy_limit(q->policy) > 0 ? policy_limit(q->policy) : SHUFFLE_LIST;
    if (!policy_uses_diversity(q->policy))
        return wanted;
    return wanted * POOL_PER_TITLE > POOL_LEAST ? wanted * POOL_PER_TITLE : POOL_LEAST;
}

/* Draws `wanted` of the list that were not shown yet. */
static void shuffle_pool(struct walk *s, int wanted)
{
    struct rng rng;
    int left = 0;
    rng_seed(&rng, s->q->seed, 0);
    for (int i = 0; i < s->pool.count; i++)
        if (s->q->allow_repeats ||
            !(taste_exclusions(s->taste, s->pool.v[i].entry.id) & TASTE_SHOWN))
            s->pool.v[left++] = s->pool.v[i];
    s->fitting = s->pool.count;
    s->shown = s->pool.count - left;
    s->pool.count = left;
    for (int i = 0; i < wanted && i < left; i++) {
        int k = i + (int)rng_below(&rng, (uint32_t)(left - i));
        struct candidate swap = s->pool.v[i];
        s->pool.v[i] = s->pool.v[k];
        s->pool.v[k] = swap;
    }
}

static const char *plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

/* Why the list is shorter than asked for. */
static void add_shortage(const struct walk *s, int count, struct str *note)
{
    static const char *const kinds[TITLE_KIND_COUNT] = {"films", "series", "shorts or videos",
                                                        "songs"};
    const char *genres[8];
    const struct recommend_query *q = s->q;
    int named = policy_genres(q->policy, emotion_top(fit_mood(s->fit)), genres, 8);
    if (catalog_count(s->c, q->kind) == 0)
        str_addf(note, "The catalogue holds no %s at all; `moodreel catalog import` brings some "
                 "in.", kinds[q->kind]);
    else if (policy_kind(q->policy) == POLICY_TOP && named > 0 && s->fitting == 0)
        str_addf(note, "The catalogue holds no title of genre %s that fits.", genres[0]);
    else if (policy_kind(q->policy) == POLICY_TOP && named > 0)
        str_addf(note, "The catalogue holds only %lld title%s of genre %s that fit%s, the list of "
                 "%d is shorter for it.", (long long)s->fitting, plural(s->fitting), genres[0],
                 s->fitting == 1 ? "s" : "", policy_limit(q->policy));
    else if (s->shown > 0)
        str_addf(note, "The list is exhausted: %lld title%s fit%s, %lld of them %s shown in the "
                 "last 30 days; --repeat shows them again.", (long long)s->fitting,
                 plural(s->fitting), s->fitting == 1 ? "s" : "", (long long)s->shown,
                 s->shown == 1 ? "was" : "were");
    else if (count == 0)
        str_addf(note, "The list is exhausted: no title of the catalogue fits all of this%s.",
                 q->certificate_max >= 0 ? "; certificates are known only where an imported "
                                           "list has them" : "");
    else
        str_addf(note, "The list is exhausted: only %d title%s of the catalogue fit%s all of "
                 "this.", count, plural(count), count == 1 ? "s" : "");
}

static void note_shortage(const struct walk *s, int wanted, struct title_list *l)
{
    struct str note = {0};
    l->exhausted = l->count < wanted;
    if (l->exhausted)
        add_shortage(s, l->count, &note);
    l->note = note.s != NULL ? arena_strdup(l->arena, note.s) : "";
    str_free(&note);
}

static int fill_list(struct walk *s, int wanted, struct title_list *l, struct err *err)
{
    struct str why = {0};
    int rc = ERR_OK;
    for (int i = 0; i < wanted && i < s->pool.count && rc >= 0; i++) {
        struct title *t = &l->v[l->count];
        rc = catalog_read_shelved(s->c, &s->pool.v[i].entry, t, l->arena, err);
        if (rc != 1)
            continue;
        t->score = s->pool.v[i].score;
        reason_write(s->c, s->q, s->fit, s->taste, &s->pool.v[i], t, &why);
        t->why = arena_strdup(l->arena, why.s);
        l->count++;
    }
    str_free(&why);
    return rc < 0 ? rc : ERR_OK;
}

/* A disk that cannot be written to takes the memory away, not the list. */
static void remember(struct walk *s, struct title_list *l)
{
    struct err err = {0};
    int64_t *ids = mem_new((size_t)l->count + 1, sizeof *ids);
    for (int i = 0; i < l->count; i++)
        ids[i] = l->v[i].id;
    if (feedback_add_shown(s->feedback, ids, l->count, &err) == ERR_OK) {
        taste_note_shown(s->c, s->feedback, ids, l->count);
    } else {
        struct str note = {0};
        str_addf(&note, "%s%sWhat was shown is not remembered: %s.", l->note,
                 l->note[0] != '\0' ? " " : "", err.text);
        l->note = arena_strdup(l->arena, note.s);
        str_free(&note);
    }
    free(ids);
}

static bool uses_memory(const struct walk *s)
{
    return s->feedback != NULL && !s->q->allow_repeats &&
           (policy_uses_taste(s->q->policy) || s->q->shuffle > 0);
}

static int choose(struct walk *s, struct title_list *out, struct err *err)
{
    int wanted = wanted_count(s->q);
    struct title_list l = {.v = mem_new((size_t)wanted + 1, sizeof *l.v), .note = "",
                           .arena = arena_create(16 * 1024)};
    pool_sort(&s->pool);
    if (s->q->shuffle > 0)
        shuffle_pool(s, wanted);
    else if (policy_uses_diversity(s->q->policy))
        pick_varied(&s->pool, s->c, wanted, mmr_lambda);
    int rc = fill_list(s, wanted, &l, err);
    if (rc < 0) {
        title_list_free(&l);
        return rc;
    }
    note_shortage(s, wanted, &l);
    if (uses_memory(s))
        remember(s, &l);
    *out = l;
    return ERR_OK;
}

static unsigned exclusions(const struct walk *s)
{
    unsigned flags = TASTE_DISLIKED;
    if (s->q->hide_seen)
        flags |= TASTE_SEEN;
    if (uses_memory(s) && s->q->shuffle == 0)
        flags |= TASTE_SHOWN;
    return policy_uses_taste(s->q->policy) ? flags : 0;
}

int recommend(struct catalog *c, struct feedback *f, const struct recommend_query *q,
              struct title_list *out, struct err *err)
{
    struct walk s = {.c = c, .feedback = f, .q = q};
    if ((unsigned)q->kind >= TITLE_KIND_COUNT)
        return err_set(err, ERR_RANGE, "no such kind of title");
    db_restart_clock();
    int rc = taste_of(c, f, &s.taste, err);
    if (rc == ERR_OK)
        rc = resolve_people(&s, err);
    if (rc == ERR_OK)
        rc = resolve_language(&s, err);
    if (rc == ERR_OK) {
        s.excluded = exclusions(&s);
        s.fit = fit_create(c, q);
        pool_init(&s.pool, pool_size(q, wanted_count(q)),
                  policy_kind(q->policy) == POLICY_CONTAINS);
        walk_mark_people(&s);
        rc = walk_shelf(&s, err);
        if (rc == ERR_OK)
            rc = choose(&s, out, err);
    }
    fit_destroy(s.fit);
    pool_free(&s.pool);
    idmap_free(&s.with_person);
    return rc;
}
