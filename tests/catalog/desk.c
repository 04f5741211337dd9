#include "catalog/desk.h"

#include "catalog/feedback.h"
#include "catalog/policy.h"

int desk_open(void **state)
{
    static struct desk d;
    struct err err = {0};
    d.dir = testing_make_dir();
    fixture_check(catalog_open(&d.c, fixture_build(d.dir), &err), &err);
    fixture_check(feedback_open(&d.f, testing_path(d.dir, "user.db"), NULL, &err), &err);
    d.lift = fixture_policy("lift");
    *state = &d;
    return 0;
}

int desk_close(void **state)
{
    struct desk *d = *state;
    policy_free(d->lift);
    feedback_close(d->f);
    catalog_close(d->c);
    testing_remove_dir(d->dir);
    return 0;
}

struct recommend_query desk_ask(const struct policy *p, enum emotion e, int limit)
{
    struct recommend_query q = recommend_defaults();
    q.mood = emotion_pure(e);
    q.policy = p;
    q.limit = limit;
    return q;
}

struct title_list desk_list(struct desk *d, struct feedback *f, const struct recommend_query *q)
{
    struct err err = {0};
    struct title_list l = {0};
    fixture_check(recommend(d->c, f, q, &l, &err), &err);
    return l;
}

bool desk_holds(const struct title_list *l, int64_t id)
{
    for (int i = 0; i < l->count; i++)
        if (l->v[i].id == id)
            return true;
    return false;
}
