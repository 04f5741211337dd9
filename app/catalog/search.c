/* Search as you type: FTS5 indexes whose row numbers are ranks, walked in order, so that the best
 * known titles and people come first and the walk ends at the limit. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "catalog/catalog_internal.h"
#include "catalog/db.h"
#include "catalog/recommend.h"

enum { WORDS_MAX = 8 };

/* Length of a character that is no letter or digit, 0: it is one. Covers ASCII, the Latin-1 signs,
 * general punctuation and CJK punctuation; the tokenizer splits at these. */
static int separator_len(const char *s)
{
    unsigned char a = (unsigned char)s[0];
    unsigned char b = (unsigned char)s[1];
    if (a < 0x80)
        return !isalnum(a);
    if (a == 0xc2)
        return b != 0xaa && b != 0xb5 && b != 0xba && b != 0 ? 2 : 0;
    if (((a == 0xe2 && (b == 0x80 || b == 0x81)) || (a == 0xe3 && b == 0x80)) && s[2] != '\0')
        return 3;
    return 0;
}

bool catalog_match_expression(const char *text, char *out, int cap)
{
    struct str match = {0};
    int words = 0;
    const char *s = text;
    while (words < WORDS_MAX) {
        while (*s != '\0' && separator_len(s) > 0)
            s += separator_len(s);
        const char *end = s;
        while (*end != '\0' && separator_len(end) == 0)
            end++;
        if (end == s)
            break;
        bool unfinished = *end == '\0';
        str_addf(&match, "%s\"%.*s\"%s", words > 0 ? " " : "", (int)(end - s), s,
                 unfinished ? "*" : "");
        words++;
        s = end;
    }
    bool fits = words > 0 && match.len < (size_t)cap && utf8_valid(match.s, match.len);
    if (fits)
        memcpy(out, match.s, match.len + 1);
    str_free(&match);
    return fits;
}

/* 1 and the id behind a rank, 0 none. */
static int title_of_rank(struct catalog *c, int64_t rank, int64_t *id, struct err *err)
{
    sqlite3_stmt *st = c->st[READ_TITLE_RANK];
    sqlite3_bind_int64(st, 1, rank);
    int rc = db_step(st, err);
    if (rc == 1)
        *id = sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    return rc;
}

int catalog_search(struct catalog *c, const char *text, int kind, int limit,
                   struct title_list *out, struct err *err)
{
    char match[512];
    struct title_list l = {.v = mem_new((size_t)limit + 1, sizeof *l.v), .note = "",
                           .arena = arena_create(4096)};
    int rc = ERR_OK;
    db_restart_clock();
    if (catalog_match_expression(text, match, sizeof match)) {
        sqlite3_stmt *st = c->st[FIND_TITLES];
        sqlite3_bind_text(st, 1, match, -1, SQLITE_STATIC);
        while (l.count < limit && (rc = db_step(st, err)) == 1) {
            int64_t id = 0;
            rc = title_of_rank(c, sqlite3_column_int64(st, 0), &id, err);
            if (rc == 1)
                rc = catalog_read_title(c, id, &l.v[l.count], l.arena, err);
            if (rc < 0)
                break;
            l.count += rc == 1 && (kind < 0 || (int)l.v[l.count].kind == kind);
        }
        sqlite3_reset(st);
    }
    if (rc < 0) {
        title_list_free(&l);
        return rc;
    }
    *out = l;
    return ERR_OK;
}

void person_list_free(struct person_list *l)
{
    free(l->v);
    arena_destroy(l->arena);
    *l = (struct person_list){0};
}

static int read_person(struct catalog *c, int64_t rank, struct person *p, struct arena *a,
                       struct err *err)
{
    sqlite3_stmt *st = c->st[READ_PERSON_RANK];
    sqlite3_bind_int64(st, 1, rank);
    int rc = db_step(st, err);
    if (rc == 1) {
        p->id = sqlite3_column_int64(st, 0);
        p->name = arena_strdup(a, db_text(st, 1));
        p->titles = sqlite3_column_int(st, 2);
    }
    sqlite3_reset(st);
    return rc;
}

int catalog_find_people(struct catalog *c, const char *prefix, int limit, struct person_list *out,
                        struct err *err)
{
    char match[512];
    struct person_list l = {.v = mem_new((size_t)limit + 1, sizeof *l.v),
                            .arena = arena_create(1024)};
    int rc = ERR_OK;
    db_restart_clock();
    if (catalog_match_expression(prefix, match, sizeof match)) {
        sqlite3_stmt *st = c->st[FIND_PEOPLE];
        sqlite3_bind_text(st, 1, match, -1, SQLITE_STATIC);
        while (l.count < limit && (rc = db_step(st, err)) == 1) {
            rc = read_person(c, sqlite3_column_int64(st, 0), &l.v[l.count], l.arena, err);
            if (rc < 0)
                break;
            l.count += rc == 1;
        }
        sqlite3_reset(st);
    }
    if (rc < 0) {
        person_list_free(&l);
        return rc;
    }
    *out = l;
    return ERR_OK;
}

void catalog_hot_path_counts(const struct catalog *c, int64_t *full_scan_steps, int64_t *sorts)
{
    *full_scan_steps = 0;
    *sorts = 0;
    for (int i = 0; i < CATALOG_STATEMENT_COUNT; i++) {
        *full_scan_steps += sqlite3_stmt_status(c->st[i], SQLITE_STMTSTATUS_FULLSCAN_STEP, 0);
        *sorts += sqlite3_stmt_status(c->st[i], SQLITE_STMTSTATUS_SORT, 0);
    }
}
