/* The walk along the shelf: filters and scores, best first, until no later title can win. Private
 * to app/catalog. */
#ifndef CATALOG_WALK_H
#define CATALOG_WALK_H

#include "catalog/idmap.h"
#include "catalog/pick.h"
#include "catalog/recommend.h"

struct feedback;
struct fit;
struct taste;

/* One recommendation under way: recommend.c fills it in, walk_shelf() fills the pool. */
struct walk {
    struct catalog *c;
    struct feedback *feedback;
    const struct recommend_query *q;
    const struct taste *taste;
    struct fit *fit;
    struct pool pool;
    uint8_t language; /* number on the shelf, 0: any */
    unsigned excluded; /* TASTE_* flags that leave a title out */

    bool by_person;
    struct idmap with_person; /* titles of the wanted people; value 0: of only one of two */
    uint64_t maybe[1024];     /* one bit of a hash: off, surely not one of them */

    int64_t fitting, shown; /* titles that pass the filters; of these left out as shown */
};

/* Call when with_person is complete. */
void walk_mark_people(struct walk *w);
int walk_shelf(struct walk *w, struct err *err);

#endif
