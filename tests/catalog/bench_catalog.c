/* Benchmarks of the catalogue at the size of IMDb. Not a test: prints figures, judges nothing.
 *
 *     bench_catalog generate FOLDER [BASICS-ROWS [RATINGS-ROWS]]   writes title.basics.tsv.gz and
 *                                    title.ratings.tsv.gz, by default 11,000,000 and 1,500,000 rows
 *     bench_catalog people FOLDER    adds title.crew, title.principals, name.basics, title.akas
 *     bench_catalog recommend FILE   latency of recommend() over moods, policies and filters
 *     bench_catalog search FILE      latency of search as you type
 *     bench_catalog diversity FILE   variety of lists against the plain best ones; repeats
 *
 * The import itself is timed by `moodreel catalog import imdb FOLDER --catalog FILE`. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/thread.h"
#include "catalog/catalog.h"
#include "catalog/feedback.h"
#include "catalog/policy.h"
#include "catalog/recommend.h"

/* --- generating ------------------------------------------------------------------------------ */

enum { WORDS = 30000, WORD_BYTES = 16 };

static char words[WORDS][WORD_BYTES];

static void make_words(struct rng *r)
{
    static const char *const starts[] = {"b", "br", "c", "d", "f", "g", "h", "k", "l", "m", "n",
                                         "p", "r", "s", "st", "t", "th", "v", "w", ""};
    static const char *const ends[] = {"a", "an", "ar", "e", "en", "er", "ia", "in", "o", "on",
                                       "or", "u", "y", "all", "ent", "ing"};
    for (int w = 0; w < WORDS; w++) {
        size_t n = 0;
        int syllables = 1 + (int)rng_below(r, 3);
        for (int i = 0; i < syllables; i++)
            n += (size_t)snprintf(words[w] + n, WORD_BYTES - n, "%s%s", starts[rng_below(r, 20)],
                                  ends[rng_below(r, 16)]);
        words[w][0] = (char)(words[w][0] >= 'a' ? words[w][0] - 32 : words[w][0]);
    }
}

/* Frequent words come often: rank of Zipf's law by inversion. */
static const char *zipf_word(struct rng *r)
{
    double u = (double)rng_uniform(r);
    int rank = (int)(exp(u * log(WORDS)) - 1);
    return words[rank < WORDS ? rank : WORDS - 1];
}

static void add_title(struct rng *r, struct str *line)
{
    int count = 1 + (int)rng_below(r, 5);
    for (int i = 0; i < count; i++)
        str_addf(line, "%s%s", i > 0 ? " " : "", zipf_word(r));
}

static const char *pick_type(struct rng *r)
{
    /* Shares of the file of 2025, roughly. */
    static const struct {
        const char *type;
        float share;
    } types[] = {{"tvEpisode", 0.765f}, {"short", 0.09f},       {"movie", 0.062f},
                 {"video", 0.027f},     {"tvSeries", 0.024f},   {"tvMovie", 0.013f},
                 {"tvMiniSeries", 0.006f}, {"tvSpecial", 0.005f}, {"videoGame", 0.004f}};
    float u = rng_uniform(r);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (u < types[i].share)
            return types[i].type;
        u -= types[i].share;
    }
    return "tvShort";
}

static void add_genres(struct rng *r, struct str *line)
{
    static const char *const genres[] = {
        "Action", "Adventure", "Animation", "Biography", "Comedy",  "Crime",   "Documentary",
        "Drama",  "Family",    "Fantasy",   "History",   "Horror",  "Music",   "Musical",
        "Mystery", "News",     "Reality-TV", "Romance",  "Sci-Fi",  "Sport",   "Talk-Show",
        "Thriller", "War",     "Western"};
    int count = (int)rng_below(r, 4);
    int first = (int)rng_below(r, 24);
    if (count == 0)
        str_addf(line, "\\N");
    for (int i = 0; i < count; i++)
        str_addf(line, "%s%s", i > 0 ? "," : "", genres[(first + i * (1 + first % 5)) % 24]);
}

static void add_basics_row(struct rng *r, int id, struct str *line)
{
    struct str title = {0};
    add_title(r, &title);
    str_addf(line, "tt%07d\t%s\t%s\t", id, pick_type(r), title.s);
    if (rng_below(r, 8) == 0)
        add_title(r, line);
    else
        str_addf(line, "%s", title.s);
    str_addf(line, "\t%d\t", rng_below(r, 30) == 0);
    if (rng_below(r, 8) == 0)
        str_addf(line, "\\N\t\\N\t");
    else
        str_addf(line, "%d\t\\N\t", 2025 - (int)(powf(rng_uniform(r), 3) * 110));
    if (rng_below(r, 100) < 44)
        str_addf(line, "\\N\t");
    else
        str_addf(line, "%d\t", 5 + (int)rng_below(r, 130));
    add_genres(r, line);
    str_addf(line, "\n");
    str_free(&title);
}

static gzFile create(const char *folder, const char *name, const char *header)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.gz", folder, name);
    gzFile f = gzopen(path, "wb6");
    if (f == NULL) {
        fprintf(stderr, "bench_catalog: cannot write %s\n", path);
        exit(1);
    }
    gzputs(f, header);
    return f;
}

/* Rated ids are spread evenly: every rows/ratings-th one. */
static void generate(const char *folder, int rows, int ratings)
{
    struct rng r;
    struct str line = {0};
    rng_seed(&r, 1, 0);
    make_words(&r);
    gzFile f = create(folder, "title.basics.tsv",
                      "tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\t"
                      "endYear\truntimeMinutes\tgenres\n");
    for (int id = 1; id <= rows; id++) {
        str_clear(&line);
        add_basics_row(&r, id, &line);
        gzwrite(f, line.s, (unsigned)line.len);
    }
    gzclose(f);
    f = create(folder, "title.ratings.tsv", "tconst\taverageRating\tnumVotes\n");
    for (int i = 0; i < ratings; i++) {
        double votes = 5 * pow(1 - (double)rng_uniform(&r), -0.95);
        double rating = 6.6 + 1.3 * (double)rng_normal(&r);
        gzprintf(f, "tt%07d\t%.1f\t%.0f\n", (int)((int64_t)i * rows / ratings) + 1,
                 fmin(10, fmax(1, rating)), fmin(3e6, votes));
    }
    gzclose(f);
    str_free(&line);
}

enum { PEOPLE = 400000 };

/* Crew, cast, names and regional titles for every 3rd title of the basics. */
static void generate_people(const char *folder, int rows)
{
    static const char *const regions[] = {"US", "GB", "FR", "DE", "IT", "ES", "JP", "IN", "KR",
                                          "RU", "BR", "SE", "XWW"};
    struct rng r;
    struct str name = {0};
    rng_seed(&r, 2, 0);
    make_words(&r);
    gzFile crew = create(folder, "title.crew.tsv", "tconst\tdirectors\twriters\n");
    gzFile cast = create(folder, "title.principals.tsv",
                         "tconst\tordering\tnconst\tcategory\tjob\tcharacters\n");
    gzFile akas = create(folder, "title.akas.tsv",
                         "titleId\tordering\ttitle\tregion\tlanguage\ttypes\tattributes\t"
                         "isOriginalTitle\n");
    for (int id = 1; id <= rows; id++) {
        gzprintf(crew, "tt%07d\tnm%07d\t\\N\n", id, 1 + (int)rng_below(&r, PEOPLE / 8));
        for (int i = 1; i <= 4; i++)
            gzprintf(cast, "tt%07d\t%d\tnm%07d\t%s\t\\N\t[\"X\"]\n", id, i,
                     1 + (int)(powf(rng_uniform(&r), 2) * PEOPLE), i % 2 ? "actor" : "actress");
        gzprintf(akas, "tt%07d\t1\tT%d\t\\N\t\\N\toriginal\t\\N\t1\n", id, id);
        int home = (int)(powf(rng_uniform(&r), 2) * 13);
        for (int i = 0; i < 3; i++)
            gzprintf(akas, "tt%07d\t%d\tT%d%s\t%s\t\\N\timdbDisplay\t\\N\t0\n", id, i + 2, id,
                     i > 0 ? "x" : "", regions[(home + i) % 13]);
    }
    gzclose(crew);
    gzclose(cast);
    gzclose(akas);
    gzFile names = create(folder, "name.basics.tsv",
                          "nconst\tprimaryName\tbirthYear\tdeathYear\tprimaryProfession\t"
                          "knownForTitles\n");
    for (int id = 1; id <= PEOPLE; id++)
        gzprintf(names, "nm%07d\t%s %s\t\\N\t\\N\tactor\t\\N\n", id, zipf_word(&r),
                 words[rng_below(&r, WORDS)]);
    gzclose(names);
    str_free(&name);
}

/* --- measuring ------------------------------------------------------------------------------- */

static void check(int rc, const struct err *err)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "bench_catalog: %s\n", err->text);
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_latency(const char *what, double *ms, int n)
{
    qsort(ms, (size_t)n, sizeof *ms, by_value);
    printf("%-44s n=%-5d p50 %7.3f ms  p95 %7.3f  p99 %7.3f  max %7.3f\n", what, n, ms[n / 2],
           ms[n * 95 / 100], ms[n * 99 / 100], ms[n - 1]);
}

static double ms_since(int64_t began)
{
    return (double)(clock_now_us() - began) / 1000;
}

/* A random mood, policy and set of filters. */
static void random_query(struct rng *r, struct policy **policies, int policy_count, int filters,
                         const struct person_list *people, struct recommend_query *q)
{
    static const char *const languages[] = {"en", "fr", "de", "it", "sv"};
    *q = recommend_defaults();
    for (int e = 0; e < EMOTION_COUNT; e++)
        q->mood.p[e] = powf(rng_uniform(r), 4);
    emotion_normalise(&q->mood);
    q->policy = policies[rng_below(r, (uint32_t)policy_count)];
    q->limit = 50;
    if (filters > 0) {
        q->year_min = 1930 + 10 * (int)rng_below(r, 9);
        q->year_max = q->year_min + 9;
        q->minutes_max = 60 + (int)rng_below(r, 80);
    }
    if (filters > 1)
        q->language = languages[rng_below(r, 5)];
    if (filters > 2 && people->count > 0)
        q->actor = people->v[rng_below(r, (uint32_t)people->count)].name;
}

static void bench_filters(struct catalog *c, struct feedback *f, struct policy **policies,
                          int policy_count, int filters, const struct person_list *people,
                          const char *what)
{
    enum { N = 400 };
    static double ms[N];
    struct rng r;
    struct err err = {0};
    int n = 0, titles = 0;
    rng_seed(&r, 7, (uint64_t)filters);
    for (int i = 0; i < N; i++) {
        struct recommend_query q;
        struct title_list l = {0};
        random_query(&r, policies, policy_count, filters, people, &q);
        q.allow_repeats = true;
        int64_t began = clock_now_us();
        int rc = recommend(c, f, &q, &l, &err);
        if (rc < 0)
            continue; /* a language or name this catalogue does not have */
        ms[n++] = ms_since(began);
        titles += l.count;
        title_list_free(&l);
    }
    if (n > 0)
        print_latency(what, ms, n);
    if (n > 0)
        printf("%-44s %.1f titles a list\n", "", (double)titles / n);
}

static int load_policies(struct policy **out)
{
    struct err err = {0};
    int count = 0;
    while (policy_builtin((size_t)count) != NULL) {
        check(policy_load(&out[count], policy_builtin((size_t)count), &err), &err);
        count++;
    }
    return count;
}

static void cold_start(const char *file, struct policy *lift)
{
    struct err err = {0};
    struct catalog *c = NULL;
    struct title_list l = {0};
    struct recommend_query q = recommend_defaults();
    q.mood = emotion_pure(EMOTION_SAD);
    q.policy = lift;
    q.limit = 50;
    q.year_min = 1950;
    q.year_max = 1959;
    q.minutes_max = 100;
    int64_t began = clock_now_us();
    check(catalog_open(&c, file, &err), &err);
    double opened = ms_since(began);
    check(recommend(c, NULL, &q, &l, &err), &err);
    printf("cold start: opened %.1f ms, first filtered list after %.1f ms\n", opened,
           ms_since(began));
    title_list_free(&l);
    catalog_close(c);
}

static void like_some(struct catalog *c, struct feedback *f)
{
    struct err err = {0};
    struct title_list l = {0};
    check(catalog_search(c, "the", TITLE_FILM, 30, &l, &err), &err);
    if (l.count == 0)
        check(catalog_search(c, "b", TITLE_FILM, 30, &l, &err), &err);
    for (int i = 0; i < l.count; i++)
        check(feedback_set_opinion(f, &l.v[i], i % 4 ? OPINION_LIKE : OPINION_DISLIKE, &err),
              &err);
    title_list_free(&l);
}

static void bench_recommend(const char *file)
{
    struct err err = {0};
    struct catalog *c = NULL;
    struct feedback *f = NULL;
    struct policy *policies[16];
    struct person_list people = {0};
    int64_t scans = 0, sorts = 0;
    int count = load_policies(policies);
    cold_start(file, policies[0]);
    check(catalog_open(&c, file, &err), &err);
    check(feedback_open(&f, ":memory:", NULL, &err), &err);
    check(catalog_find_people(c, "b", 50, &people, &err), &err);
    printf("%lld films, %lld series, %lld shorts\n", (long long)catalog_count(c, TITLE_FILM),
           (long long)catalog_count(c, TITLE_SERIES), (long long)catalog_count(c, TITLE_SHORT));
    bench_filters(c, NULL, policies, count, 0, &people, "top 50, no filter");
    bench_filters(c, NULL, policies, count, 1, &people, "decade, runtime");
    bench_filters(c, NULL, policies, count, 2, &people, "decade, runtime, language");
    bench_filters(c, NULL, policies, count, 3, &people, "decade, runtime, language, actor");
    like_some(c, f);
    bench_filters(c, f, policies, count, 0, &people, "with 30 opinions, no filter");
    bench_filters(c, f, policies, count, 3, &people, "with 30 opinions, all filters");
    catalog_hot_path_counts(c, &scans, &sorts);
    printf("full scan steps %lld, sorts %lld\n", (long long)scans, (long long)sorts);
    for (int i = 0; i < count; i++)
        policy_free(policies[i]);
    person_list_free(&people);
    feedback_close(f);
    catalog_close(c);
}

/* Every prefix of the names of known titles and of random words, as typed. */
static void bench_search(const char *file)
{
    enum { N = 3000 };
    static double ms[N];
    struct err err = {0};
    struct catalog *c = NULL;
    struct title_list known = {0};
    int n = 0;
    check(catalog_open(&c, file, &err), &err);
    for (char letter = 'a'; letter <= 'z' && n < N; letter++) {
        char text[2] = {letter, '\0'};
        check(catalog_search(c, text, -1, 20, &known, &err), &err);
        for (int i = 0; i < known.count; i++)
            for (size_t len = 1; len <= strlen(known.v[i].name) && len < 24 && n < N; len++) {
                char typed[32];
                struct title_list l = {0};
                snprintf(typed, sizeof typed, "%.*s", (int)utf8_trim(known.v[i].name, len),
                         known.v[i].name);
                int64_t began = clock_now_us();
                check(catalog_search(c, typed, -1, 20, &l, &err), &err);
                ms[n++] = ms_since(began);
                title_list_free(&l);
            }
        title_list_free(&known);
    }
    if (n > 0)
        print_latency("search as you type, 20 titles", ms, n);
    catalog_close(c);
}

/* Mean share of genres that two titles of a list have in common, by their text. */
static double shared_genres(const struct title_list *l)
{
    double sum = 0;
    int pairs = 0;
    for (int i = 0; i < l->count; i++)
        for (int k = i + 1; k < l->count; k++) {
            int shared = 0, first = 0, second = 1;
            for (const char *s = l->v[k].genres; *s != '\0'; s++)
                second += *s == ',';
            for (const char *s = l->v[i].genres; *s != '\0';) {
                char genre[64];
                size_t len = strcspn(s, ",");
                snprintf(genre, sizeof genre, "%.*s", (int)len, s);
                shared += strstr(l->v[k].genres, genre) != NULL;
                first++;
                s += len;
                s += strspn(s, ", ");
            }
            sum += (double)shared / (first + second - shared);
            pairs++;
        }
    return pairs > 0 ? sum / pairs : 0;
}

static const char no_variety[] = "diversity = no\n";

/* The default policy with the choice for variety switched off. */
static struct policy *plain_lift(void)
{
    struct err err = {0};
    struct policy *p = NULL;
    char path[4096];
    void *data = NULL;
    size_t len = 0;
    struct str text = {0};
    snprintf(path, sizeof path, "%s/assets/policies/lift.conf", MOODREEL_SOURCE_DIR);
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        exit(1);
    data = mem_new(1, 65536);
    len = fread(data, 1, 65535, f);
    fclose(f);
    str_add(&text, data, len);
    str_addf(&text, "\n%s", no_variety);
    check(policy_parse(&p, "plain", text.s, text.len, &err), &err);
    free(data);
    str_free(&text);
    return p;
}

static void bench_diversity(const char *file)
{
    struct err err = {0};
    struct catalog *c = NULL;
    struct feedback *f = NULL;
    struct policy *plain = plain_lift(), *varied = NULL;
    int64_t seen[20 * 50];
    int count = 0, repeats = 0;
    check(policy_load(&varied, "lift", &err), &err);
    check(catalog_open(&c, file, &err), &err);
    check(feedback_open(&f, ":memory:", NULL, &err), &err);
    for (int e = 0; e < EMOTION_COUNT; e++) {
        struct title_list a = {0}, b = {0};
        struct recommend_query q = recommend_defaults();
        q.mood = emotion_pure((enum emotion)e);
        q.limit = 50;
        q.policy = plain;
        check(recommend(c, NULL, &q, &a, &err), &err);
        q.policy = varied;
        check(recommend(c, NULL, &q, &b, &err), &err);
        printf("%-9s genre diversity of 50 titles: plain %.3f, varied %.3f\n",
               emotion_name((enum emotion)e), 1 - shared_genres(&a), 1 - shared_genres(&b));
        title_list_free(&a);
        title_list_free(&b);
    }
    for (int i = 0; i < 20; i++) {
        struct title_list l = {0};
        struct recommend_query q = recommend_defaults();
        q.mood = emotion_pure(EMOTION_SAD);
        q.policy = varied;
        check(recommend(c, f, &q, &l, &err), &err);
        for (int k = 0; k < l.count; k++) {
            for (int s = 0; s < count; s++)
                repeats += seen[s] == l.v[k].id;
            seen[count++] = l.v[k].id;
        }
        title_list_free(&l);
    }
    printf("20 consecutive lists: %d titles, %d repeats\n", count, repeats);
    policy_free(plain);
    policy_free(varied);
    feedback_close(f);
    catalog_close(c);
}

int main(int argc, char **argv)
{
    int64_t rows = 11000000, ratings = 1500000;
    if (argc < 3) {
        fputs("usage: bench_catalog generate|people|recommend|search|diversity PATH ...\n", stderr);
        return 2;
    }
    if (argc > 3)
        parse_i64(argv[3], 1, 100000000, &rows);
    if (argc > 4)
        parse_i64(argv[4], 1, rows, &ratings);
    if (strcmp(argv[1], "generate") == 0)
        generate(argv[2], (int)rows, (int)ratings);
    else if (strcmp(argv[1], "people") == 0)
        generate_people(argv[2], (int)rows);
    else if (strcmp(argv[1], "recommend") == 0)
        bench_recommend(argv[2]);
    else if (strcmp(argv[1], "search") == 0)
        bench_search(argv[2]);
    else
        bench_diversity(argv[2]);
    return 0;
}
