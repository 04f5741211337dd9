/* An open fixture catalogue with empty feedback, for tests of recommend(). */
#ifndef TESTS_CATALOG_DESK_H
#define TESTS_CATALOG_DESK_H

#include "catalog/fixture.h"
#include "catalog/recommend.h"

struct desk {
    char *dir; /* of catalog.db and user.db */
    struct catalog *c;
    struct feedback *f;
    struct policy *lift;
};

/* cmocka's setup and teardown; *state is the struct desk. */
int desk_open(void **state);
int desk_close(void **state);

/* A pure mood, `limit` titles. */
struct recommend_query desk_ask(const struct policy *p, enum emotion e, int limit);
/* recommend() that must succeed. title_list_free() it. */
struct title_list desk_list(struct desk *d, struct feedback *f, const struct recommend_query *q);
bool desk_holds(const struct title_list *l, int64_t id);

#endif
