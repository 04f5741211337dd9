/* Whether a catalogue is whole: its pages, and what must hold between its tables. */
#include <string.h>

#include "catalog/catalog_internal.h"
#include "catalog/db.h"

int catalog_check_pages(struct catalog *c, const char *pragma, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = db_prepare(c->db, pragma, &st, err);
    if (rc == ERR_OK)
        rc = db_step(st, err);
    const char *fault = rc == 1 ? db_text(st, 0) : "";
    const char *last_line = strrchr(fault, '\n');
    if (rc == 1 && strcmp(fault, "ok") != 0)
        rc = err_set(err, ERR_FORMAT, "%s: the catalogue is damaged (%s); import the lists again",
                     c->path, last_line != NULL ? last_line + 1 : fault);
    sqlite3_finalize(st);
    return rc < 0 ? rc : ERR_OK;
}

/* What must hold between content and derived tables: each query counts the offenders. */
static const struct {
    const char *rule, *offenders;
} rules[] = {
    {"every title has a genre set",
     "SELECT count(*) FROM title WHERE genre_set NOT IN (SELECT id FROM genre_set)"},
    {"the shelf holds every title",
     "SELECT (SELECT count(*) FROM title) - (SELECT coalesce(sum(titles), 0) FROM shelf_kind)"},
    {"the search index ranks every title",
     "SELECT (SELECT count(*) FROM title) - (SELECT count(*) FROM title_rank)"},
    {"every rank leads to a title",
     "SELECT count(*) FROM title_rank WHERE title NOT IN (SELECT id FROM title)"},
    {"every person on the ranks has a name",
     "SELECT count(*) FROM person_rank WHERE person NOT IN (SELECT id FROM person)"},
};

static int check_shelf(struct catalog *c, enum title_kind kind, struct err *err)
{
    for (int b = 0; b < c->shelf[kind].blocks; b++) {
        const struct shelf_columns *e = NULL;
        int rc = shelf_block(&c->shelf[kind], kind, b, &e, err);
        if (rc < 0)
            return rc;
        for (int i = 0; i < e->count; i++)
            if (e->genre_set[i] >= c->set_count ||
                (i > 0 && e->quality[i - 1] < e->quality[i]))
                return err_set(err, ERR_FORMAT, "%s: damaged shelf (block %d)", c->path, b);
    }
    return ERR_OK;
}

int catalog_check(struct catalog *c, struct err *err)
{
    sqlite3_progress_handler(c->db, 0, NULL, NULL); /* a check may take longer than a query */
    int rc = catalog_check_pages(c, "PRAGMA integrity_check(1)", err);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0] && rc == ERR_OK; i++) {
        int64_t offenders = 0;
        rc = db_value(c->db, rules[i].offenders, &offenders, err);
        if (rc == ERR_OK && offenders != 0)
            rc = err_set(err, ERR_FORMAT, "%s: rule broken: %s (%lld); import the lists again",
                         c->path, rules[i].rule, (long long)offenders);
    }
    for (int k = 0; k < TITLE_KIND_COUNT && rc == ERR_OK; k++)
        rc = check_shelf(c, (enum title_kind)k, err);
    return rc;
}
