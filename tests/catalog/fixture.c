#include "catalog/fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "catalog/policy.h"

static const char films[] =
    "imdb_id\ttitle\tyear\truntime\tgenres\tlanguage\tdirector\tactors\trating\tvotes\n"
    "tt0000101\tSunny Days\t1994\t95\tComedy|Romance\ten\tAnna Able\tBob Best|Cleo Cane\t8.0\t"
    "90000\n"
    "tt0000102\tLaughing Twice\t1994\t100\tComedy|Romance\ten\tAnna Able\tBob Best\t7.9\t90000\n"
    "tt0000103\tThe Long Joke\t1996\t140\tComedy\ten\tAnna Able\tCleo Cane\t7.8\t80000\n"
    "tt0000104\tSinging Hill\t1965\t120\tFamily|Musical\ten\tDan Dorn\tEve Eder\t7.7\t60000\n"
    "tt0000105\tRain\t1950\t88\tDrama\tfr\tFay Ferro\tEve Eder\t8.2\t50000\n"
    "tt0000106\tGrey Street\t1947\t101\tFilm-Noir\ten\tGus Gold\tHal Hume\t8.1\t40000\n"
    "tt0000107\tNight Caller\t1978\t110\tHorror\ten\tIda Ivens\tHal Hume\t7.0\t70000\n"
    "tt0000108\tThe Chase\t1971\t99\tAction|Thriller\ten\tJon Jarre\tBob Best\t7.4\t90000\n"
    "tt0000109\tLes Jours\t2004\t91\tDrama\tfr\tFay Ferro\tLéa Morel\t7.6\t20000\n"
    "tt0000110\tFar Planet\t2012\t130\tAdventure|Sci-Fi\ten\tJon Jarre\tCleo Cane\t7.9\t95000\n"
    "tt0000111\tDust\t1962\t105\tWestern\tit\tMax Moro\tNeo Nardi\t8.0\t30000\n"
    "tt0000112\tKnown Facts\t2010\t85\tDocumentary\tde\tOtto Olm\t\t7.2\t9000\n";

static const char songs[] = "title\tartist\tyear\tgenre\tlanguage\tvalence\tenergy\n"
                            "Up\tThe Lift\t1999\tpop\ten\t0.95\t0.80\n"
                            "Down\tThe Lift\t2001\tpop\ten\t0.10\t0.20\n"
                            "Storm\tRage Four\t1988\tmetal\ten\t0.15\t0.95\n"
                            "Still\tCalm Trio\t1975\tjazz\tzxx\t0.70\t0.10\n";

void fixture_check(int rc, const struct err *err)
{
    if (rc < 0)
        fail_msg("%s", err->text);
}

const char *fixture_build(const char *dir)
{
    struct err err = {0};
    const char *path = testing_path(dir, "catalog.db");
    struct import_options o = {.kind = IMPORT_STARTER, .path = dir, .catalog = path,
                               .replace = true};
    testing_write(testing_path(dir, "films.tsv"), films, strlen(films));
    testing_write(testing_path(dir, "songs.tsv"), songs, strlen(songs));
    fixture_check(import_run(&o, NULL, &err), &err);
    return path;
}

struct policy *fixture_policy(const char *name)
{
    struct err err = {0};
    struct policy *p = NULL;
    fixture_check(policy_load(&p, name, &err), &err);
    return p;
}

bool fixture_file_holds(const char *path, const char *text)
{
    void *data = NULL;
    size_t len = 0;
    bool found = false;
    assert_int_equal(path_read(path, &data, &len, 1 << 24, NULL), ERR_OK);
    for (size_t i = 0; i + strlen(text) <= len && !found; i++)
        found = memcmp((char *)data + i, text, strlen(text)) == 0;
    free(data);
    return found;
}
