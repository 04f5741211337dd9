#include "catalog/importing.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"

char *importing_dir;

int importing_begin(void **state)
{
    (void)state;
    importing_dir = testing_make_dir();
    return 0;
}

int importing_end(void **state)
{
    (void)state;
    testing_remove_dir(importing_dir);
    return 0;
}

void importing_put(const char *name, const char *text)
{
    testing_write(importing_path(name), text, strlen(text));
}

int importing_run(enum import_kind kind, const char *path, struct import_stats *stats,
                  struct err *err)
{
    const char *target = importing_path("catalog.db");
    struct import_options o = {.kind = kind,
                               .path = path,
                               .catalog = target,
                               .replace = access(target, F_OK) != 0}; /* no starter below */
    return import_run(&o, stats, err);
}

struct catalog *importing_open(void)
{
    struct catalog *c = NULL;
    struct err err = {0};
    fixture_check(catalog_open(&c, importing_path("catalog.db"), &err), &err);
    fixture_check(catalog_check(c, &err), &err);
    return c;
}

struct title_list importing_title(struct catalog *c, int64_t id)
{
    struct title_list l = {0};
    struct err err = {0};
    fixture_check(catalog_title(c, id, &l, &err), &err);
    return l;
}

void *importing_bytes(const char *name, size_t *len)
{
    void *data = NULL;
    struct err err = {0};
    fixture_check(path_read(importing_path(name), &data, len, 1 << 26, &err), &err);
    return data;
}

void importing_unchanged(const void *before, size_t len)
{
    size_t now = 0;
    void *after = importing_bytes("catalog.db", &now);
    assert_int_equal(now, len);
    assert_memory_equal(before, after, len);
    free(after);
}

void importing_put_many(int count)
{
    struct str rows = {0};
    str_addf(&rows, "title,year,genres,rating,votes,director\n");
    for (int i = 0; i < count; i++)
        str_addf(&rows, "Film %d,%d,Comedy,7.1,%d,Director %d\n", i, 1950 + i % 70, i + 10, i);
    importing_put("many.csv", rows.s);
    str_free(&rows);
}

static const char basics[] =
    "tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\truntimeMinutes\t"
    "genres\n"
    "tt0000001\tmovie\tFirst Film\tLe Premier\t0\t1999\t\\N\t90\tComedy,Drama\n"
    "tt0000002\ttvEpisode\tAn Episode\tAn Episode\t0\t2001\t\\N\t42\tDrama\n"
    "tt0000003\tmovie\tAdult Film\tAdult Film\t1\t2001\t\\N\t80\tDrama\n"
    "tt0000004\tmovie\tOther Adult\tOther Adult\t0\t2001\t\\N\t80\tAdult,Drama\n"
    "tt10233364\tshort\t\"Rolling Deep\t\"Rolling Deep\t0\t2019\t\\N\t\\N\tComedy\n"
    "tt0000005\tmovie\tUnrated\tUnrated\t0\t2001\t\\N\t80\tDrama\n"
    "tt0000006\ttvSeries\tLong One\tLong One\t0\t2115\t\\N\t51420\t\\N\n"
    "tt0000007\tmovie\tCut";
static const char ratings[] = "tconst\taverageRating\tnumVotes\n"
                              "tt0000001\t7.5\t12000\ntt0000002\t8.0\t500\ntt0000003\t6.0\t50\n"
                              "tt0000004\t6.0\t50\ntt10233364\t8.1\t40\ntt0000006\t5.5\t10\n"
                              "tt0000007\t5.5\t10\nbroken\t1\t2\n";

void importing_put_imdb(void)
{
    importing_put("title.basics.tsv", basics);
    importing_put("title.ratings.tsv", ratings);
    importing_put("title.crew.tsv",
                  "tconst\tdirectors\twriters\ntt0000001\tnm0000010,nm0000011\t\\N\n");
    importing_put("title.principals.tsv", "tconst\tordering\tnconst\tcategory\tjob\tcharacters\n"
                                          "tt0000001\t1\tnm0000012\tactress\t\\N\t[\"Mary\"]\n"
                                          "tt0000001\t2\tnm0000099\tactor\t\\N\t\\N\n"
                                          "tt0000002\t1\tnm0000013\tactor\t\\N\t\\N\n");
    importing_put("name.basics.tsv",
                  "nconst\tprimaryName\tbirthYear\tdeathYear\tprimaryProfession\t"
                  "knownForTitles\n"
                  "nm0000010\tDina Direct\t\\N\t\\N\t\\N\t\\N\n"
                  "nm0000011\tSecond Direct\t\\N\t\\N\t\\N\t\\N\n"
                  "nm0000012\tAva Actress\t\\N\t\\N\t\\N\t\\N\n");
    importing_put("title.akas.tsv",
                  "titleId\tordering\ttitle\tregion\tlanguage\ttypes\tattributes\tisOriginalTitle\n"
                  "tt0000001\t1\tLe Premier\t\\N\t\\N\toriginal\t\\N\t1\n"
                  "tt0000001\t2\tLe Premier\tFR\t\\N\timdbDisplay\t\\N\t0\n"
                  "tt0000001\t3\tFirst Film\tUS\t\\N\timdbDisplay\t\\N\t0\n");
}

const char *importing_path(const char *name)
{
    return testing_path(importing_dir, name);
}
