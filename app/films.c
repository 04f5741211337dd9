/* Catalogue, policies, memory. */
#include "films.h"

#include <stdlib.h>
#include <string.h>

#define LOG_MODULE "films"
#include "base/log.h"
#include "base/mem.h"
#include "catalog/feedback.h"
#include "catalog/policy.h"
#include "catalog/recommend.h"

struct films {
    struct films_params params;
    struct catalog *catalog;
    struct feedback *feedback;
    struct policy *policy;
    char *own_policy;    /* the policy of the command line when it is not a built-in one */
    size_t policy_index; /* among the built-in ones */
    bool own;            /* own_policy is in use */
    struct title_list titles;
    struct view_mark *marks;
    size_t marks_cap;
};

static int use_policy(struct films *f, const char *name, struct err *err)
{
    struct policy *loaded;
    int code = policy_load(&loaded, name, err);
    if (code < 0)
        return code;
    policy_free(f->policy);
    f->policy = loaded;
    return ERR_OK;
}

static int first_policy(struct films *f, const char *name, struct err *err)
{
    if (!name)
        name = policy_builtin(0);
    for (size_t i = 0; policy_builtin(i); i++) {
        if (strcmp(policy_builtin(i), name) == 0) {
            f->policy_index = i;
            return use_policy(f, name, err);
        }
    }
    f->own_policy = mem_strdup(name);
    f->own = true;
    return use_policy(f, name, err);
}

/* A file of likes that cannot be used, whyever, does not stop the films: it is left as it is. */
static int open_memory(struct films *f, struct err *err)
{
    bool moved = false;
    struct err why = {0};
    if (!f->params.memory)
        return feedback_open(&f->feedback, ":memory:", NULL, err);
    int code = feedback_open(&f->feedback, NULL, &moved, &why);
    if (moved)
        log_warn("the file of likes was damaged; it was moved aside and a fresh one begun");
    if (code == ERR_OK)
        return code;
    log_warn("likes are remembered only until the end: %s", why.text);
    return feedback_open(&f->feedback, ":memory:", NULL, err);
}

int films_open(struct films **out, const struct films_params *p, struct err *err)
{
    struct films *f = mem_new(1, sizeof *f);
    *out = NULL;
    f->params = *p;
    int code = catalog_open(&f->catalog, p->catalog, err);
    if (code == ERR_OK)
        code = first_policy(f, p->policy, err);
    if (code == ERR_OK)
        code = open_memory(f, err);
    if (code < 0) {
        films_close(f);
        return code;
    }
    *out = f;
    return ERR_OK;
}

void films_close(struct films *f)
{
    if (!f)
        return;
    title_list_free(&f->titles);
    free(f->marks);
    free(f->own_policy);
    policy_free(f->policy);
    feedback_close(f->feedback);
    catalog_close(f->catalog);
    free(f);
}

bool films_has_songs(const struct films *f)
{
    return catalog_count(f->catalog, TITLE_SONG) > 0;
}

struct emotion_scores films_mood(const struct emotion_scores *faces, const float *areas, int count)
{
    struct emotion_scores mood = {{0}};
    float total = 0.0f;
    for (int i = 0; i < count; i++) {
        total += areas[i];
        if (total > 0.0f)
            emotion_blend(&mood, &faces[i], areas[i] / total);
    }
    emotion_normalise(&mood);
    return mood;
}

static void read_mark(struct films *f, int index)
{
    int64_t id = f->titles.v[index].id;
    enum opinion o = feedback_opinion(f->feedback, id);
    f->marks[index] = (struct view_mark){.liked = o == OPINION_LIKE,
                                         .not_for_me = o == OPINION_DISLIKE,
                                         .seen = feedback_is_seen(f->feedback, id),
                                         .later = feedback_is_later(f->feedback, id)};
}

int films_fetch(struct films *f, const struct emotion_scores *mood,
                const struct emotion_scores *faces, int face_count, bool songs, struct err *err)
{
    struct recommend_query q = recommend_defaults();
    q.mood = *mood;
    q.faces = face_count > 1 ? faces : NULL;
    q.face_count = face_count > 1 ? face_count : 0;
    q.by_hand = face_count == 0;
    q.policy = f->policy;
    q.kind = songs ? TITLE_SONG : TITLE_FILM;
    q.language = f->params.language;
    q.limit = f->params.top;
    films_clear(f);
    int code = recommend(f->catalog, f->feedback, &q, &f->titles, err);
    if (code < 0)
        films_clear(f);
    f->marks = mem_grow(f->marks, &f->marks_cap, (size_t)f->titles.count + 1, sizeof *f->marks);
    for (int i = 0; i < f->titles.count; i++)
        read_mark(f, i);
    return code;
}

void films_clear(struct films *f)
{
    title_list_free(&f->titles);
}

const struct title_list *films_titles(const struct films *f)
{
    return &f->titles;
}

const struct view_mark *films_marks(const struct films *f)
{
    return f->marks;
}

int films_next_policy(struct films *f, struct err *err)
{
    if (f->own) {
        f->own = false;
        f->policy_index = 0;
    } else if (!policy_builtin(++f->policy_index)) {
        f->policy_index = 0;
        f->own = f->own_policy != NULL;
    }
    return use_policy(f, f->own ? f->own_policy : policy_builtin(f->policy_index), err);
}

const char *films_policy_name(const struct films *f)
{
    return policy_name(f->policy);
}

const char *films_policy_title(const struct films *f)
{
    return policy_title(f->policy);
}

int films_opinion(struct films *f, int index, enum session_opinion o, struct err *err)
{
    if (index < 0 || index >= f->titles.count)
        return ERR_OK;
    const struct title *t = &f->titles.v[index];
    const struct view_mark *m = &f->marks[index];
    int code = ERR_OK;
    switch (o) {
    case SESSION_LIKE:
        code = feedback_set_opinion(f->feedback, t, m->liked ? OPINION_NONE : OPINION_LIKE, err);
        break;
    case SESSION_NOT_FOR_ME:
        code = feedback_set_opinion(f->feedback, t, m->not_for_me ? OPINION_NONE : OPINION_DISLIKE,
                                    err);
        break;
    case SESSION_SEEN:
        code = feedback_set_seen(f->feedback, t, !m->seen, err);
        break;
    case SESSION_LATER:
        code = feedback_set_later(f->feedback, t, !m->later, err);
        break;
    }
    read_mark(f, index);
    return code;
}
