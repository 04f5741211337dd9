/* `moodreel catalog`: import, inspect, search; the user's own data. */
#include "cli/catalog.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "catalog/catalog.h"
#include "catalog/feedback.h"
#include "catalog/import.h"
#include "catalog/playlist.h"
#include "options.h"

struct catalog_options {
    const char *catalog, *years, *types, *kind;
    int min_votes, limit;
    bool adult, replace, json, quiet, people;
};

enum { INFO = 1, IMPORT = 2, CHECK = 4, SEARCH = 8, EXPORT = 16, CLEAR = 32 };

#define AT(member) offsetof(struct catalog_options, member)

static const struct option_spec specs[] = {
    {NULL, "catalog", 'c', OPTION_STRING, AT(catalog), 0, 0, "FILE", NULL, NULL,
     INFO | IMPORT | CHECK | SEARCH, false,
     "The catalogue file; default: your own in $XDG_DATA_HOME/moodreel."},
    {NULL, "min-votes", 0, OPTION_INT, AT(min_votes), 0, 1e9, "N", NULL, NULL, IMPORT, true,
     "imdb: only titles with at least this many votes."},
    {NULL, "years", 0, OPTION_STRING, AT(years), 0, 0, "FROM-TO", NULL, NULL, IMPORT, true,
     "imdb: only titles of these years."},
    {NULL, "types", 0, OPTION_STRING, AT(types), 0, 0, "LIST", NULL, NULL, IMPORT, true,
     "imdb: title types, such as movie,tvMovie; default: films, series, shorts, videos."},
    {NULL, "adult", 0, OPTION_FLAG, AT(adult), 0, 0, NULL, NULL, NULL, IMPORT, true,
     "imdb: adult titles too."},
    {NULL, "replace", 0, OPTION_FLAG, AT(replace), 0, 0, NULL, NULL, NULL, IMPORT, true,
     "Begin with an empty catalogue; otherwise what other lists brought in stays."},
    {NULL, "quiet", 'q', OPTION_FLAG, AT(quiet), 0, 0, NULL, NULL, NULL, IMPORT, true,
     "No progress."},
    {NULL, "kind", 'k', OPTION_STRING, AT(kind), 0, 0, "KIND", NULL, NULL, SEARCH, true,
     "Only film, series, short or song."},
    {NULL, "people", 0, OPTION_FLAG, AT(people), 0, 0, NULL, NULL, NULL, SEARCH, true,
     "Complete names of people instead of titles."},
    {NULL, "limit", 'n', OPTION_INT, AT(limit), 1, 1000, "N", NULL, "20", SEARCH, true,
     "How many at most."},
    {NULL, "json", 'j', OPTION_FLAG, AT(json), 0, 0, NULL, NULL, NULL, SEARCH, true,
     "Print JSON."},
};

static const struct option_set set = {"moodreel catalog", specs, sizeof specs / sizeof specs[0],
                                      NULL};

static void print_line(const char *text, void *unused)
{
    (void)unused;
    puts(text);
}

static int usage(struct err *err, const char *what)
{
    err_set(err, ERR_RANGE, "%s", what);
    return STATUS_USAGE;
}

static int status_of(int rc)
{
    return rc < 0 ? STATUS_FAILED : STATUS_OK;
}

/* --- import ---------------------------------------------------------------------------------- */

/* "1,234,567" */
static void format_count(int64_t n, char out[32])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)n);
    int k = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            out[k++] = ',';
        out[k++] = digits[i];
    }
    out[k] = '\0';
}

/* 0 .. 1 of the stage: of its file, else of its rows. */
static double share_done(const struct import_stats *s)
{
    if (s->bytes_total > 0)
        return (double)s->bytes / (double)s->bytes_total;
    return s->stage_total > 0 ? (double)s->stage_rows / (double)s->stage_total : 0;
}

static bool show_progress(const struct import_stats *s, void *unused)
{
    (void)unused;
    char rows[32], rate[32];
    double seconds = s->stage_seconds > 0.001 ? s->stage_seconds : 0.001;
    format_count(s->stage_rows, rows);
    format_count((int64_t)((double)s->stage_rows / seconds), rate);
    fprintf(stderr, "\r%-16s %14s rows  %12s rows/s", s->stage, rows, rate);
    double done = share_done(s);
    int filled = (int)(done * 20);
    fprintf(stderr, "  [%.*s%.*s] %3.0f %%  ", filled, "####################", 20 - filled,
            "....................", done * 100);
    if (done > 0)
        fprintf(stderr, "%4.0f s left ", seconds / done - seconds);
    else
        fprintf(stderr, "%12s", "");
    fflush(stderr);
    return true;
}

static void print_stats(const struct import_stats *s, const char *target)
{
    char rows[32], kept[32], rate[32];
    format_count(s->rows, rows);
    format_count(s->kept, kept);
    format_count((int64_t)((double)s->rows / (s->seconds > 0.001 ? s->seconds : 0.001)), rate);
    printf("%s row%s read in %.1f s (%s rows/s), %s title%s and facts kept\n", rows,
           s->rows == 1 ? "" : "s", s->seconds, rate, kept, s->kept == 1 ? "" : "s");
    if (s->bad > 0)
        printf("%lld row%s could not be read and %s left out%s:\n", (long long)s->bad,
               s->bad == 1 ? "" : "s", s->bad == 1 ? "was" : "were",
               s->bad > s->bad_shown ? "; the first" : "");
    for (int i = 0; i < s->bad_shown; i++)
        printf("  %s:%lld: %s\n", s->first_bad[i].file, (long long)s->first_bad[i].line,
               s->first_bad[i].reason);
    printf("catalogue: %s\n", target);
}

static bool read_years(const char *text, int *from, int *to)
{
    int64_t a = 0, b = 0;
    char first[8] = "";
    size_t len = strcspn(text, "-");
    if (len >= sizeof first)
        return false;
    memcpy(first, text, len);
    bool open_end = text[len] == '-' && text[len + 1] == '\0';
    const char *last = text[len] == '-' ? text + len + 1 : first;
    if (len > 0 && !parse_i64(first, 1850, 2200, &a))
        return false;
    if (!open_end && !parse_i64(last, 1850, 2200, &b))
        return false;
    *from = (int)a;
    *to = (int)b;
    return true;
}

static int import_words(const struct catalog_options *o, char *const *words, int count,
                        struct err *err)
{
    struct import_options i = {.votes_min = o->min_votes, .types = o->types, .adult = o->adult,
                               .replace = o->replace, .catalog = o->catalog};
    struct import_stats stats;
    char target[4096] = "";
    if (count != 2 || !import_kind_parse(words[0], &i.kind))
        return usage(err, "import KIND PATH: KIND is imdb, movielens, movies, songs, reviews or "
                     "starter; PATH the folder or file to read");
    if (o->years != NULL && !read_years(o->years, &i.year_min, &i.year_max))
        return usage(err, "--years: 1980-2020, 1980- or -2020 is wanted");
    const char *unknown = o->types != NULL ? import_unknown_type(o->types) : NULL;
    if (unknown != NULL) {
        err_set(err, ERR_RANGE, "--types: \"%.40s\" is none of movie, tvMovie, tvSpecial, "
                "tvSeries, tvMiniSeries, short, tvShort, video and musicVideo", unknown);
        return STATUS_USAGE;
    }
    i.path = words[1];
    i.progress = !o->quiet && isatty(STDERR_FILENO) ? show_progress : NULL;
    int rc = import_run(&i, &stats, err);
    if (i.progress != NULL)
        fputc('\n', stderr);
    if (rc < 0)
        return STATUS_FAILED;
    if (o->catalog == NULL)
        catalog_user_path(target, sizeof target);
    print_stats(&stats, o->catalog != NULL ? o->catalog : target);
    return STATUS_OK;
}

/* --- search ---------------------------------------------------------------------------------- */

static int search_people(struct catalog *c, const struct catalog_options *o, const char *text,
                         struct err *err)
{
    struct person_list l = {0};
    int rc = catalog_find_people(c, text, o->limit, &l, err);
    json_t *list = json_array();
    for (int i = 0; i < l.count; i++) {
        if (o->json)
            json_array_append_new(list, json_pack("{s:s, s:i}", "name", l.v[i].name, "titles",
                                                  l.v[i].titles));
        else
            printf("%s (%d title%s)\n", l.v[i].name, l.v[i].titles,
                   l.v[i].titles == 1 ? "" : "s");
    }
    if (o->json && rc == ERR_OK) {
        json_dumpf(list, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(list);
    person_list_free(&l);
    return rc;
}

static void print_title(const struct title *t)
{
    printf("%-10s %s", t->imdb_id[0] != '\0' ? t->imdb_id : "-", t->name);
    if (t->year > 0)
        printf(" (%d)", t->year);
    printf(", %s", title_kind_name(t->kind));
    if (t->makers[0] != '\0')
        printf(", %s", t->makers);
    if (t->rating > 0)
        printf(", %.1f", (double)t->rating);
    putchar('\n');
}

static int search_titles(struct catalog *c, const struct catalog_options *o, const char *text,
                         int kind, struct err *err)
{
    struct title_list l = {0};
    int rc = catalog_search(c, text, kind, o->limit, &l, err);
    if (rc < 0)
        return rc;
    if (o->json) {
        json_t *list = title_list_json(&l);
        json_dumpf(list, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        putchar('\n');
        json_decref(list);
    }
    for (int i = 0; i < l.count && !o->json; i++)
        print_title(&l.v[i]);
    if (l.count == 0 && !o->json)
        puts("nothing found");
    title_list_free(&l);
    return ERR_OK;
}

static int search_words(struct catalog *c, const struct catalog_options *o, char *const *words,
                        int count, struct err *err)
{
    enum title_kind kind = TITLE_FILM;
    struct str text = {0};
    if (count == 0)
        return usage(err, "search TEXT: the words to look for");
    if (o->kind != NULL && !title_kind_parse(o->kind, &kind))
        return usage(err, "--kind: film, series, short or song is wanted");
    for (int i = 0; i < count; i++)
        str_addf(&text, "%s%s", i > 0 ? " " : "", words[i]);
    int rc = o->people ? search_people(c, o, text.s, err)
                       : search_titles(c, o, text.s, o->kind != NULL ? (int)kind : -1, err);
    str_free(&text);
    return status_of(rc);
}

/* --- commands -------------------------------------------------------------------------------- */

static int check_catalog(struct catalog *c, struct err *err)
{
    int rc = catalog_check(c, err);
    if (rc == ERR_OK)
        printf("%s: sound\n", catalog_path(c));
    return status_of(rc);
}

static int with_catalog(unsigned what, const struct catalog_options *o, char *const *words,
                        int count, struct err *err)
{
    struct catalog *c = NULL;
    int status = STATUS_FAILED;
    if (what != SEARCH && count > 0)
        return usage(err, "this command takes no words");
    if (catalog_open(&c, o->catalog, err) < 0)
        return STATUS_FAILED;
    if (what == SEARCH)
        status = search_words(c, o, words, count, err);
    else if (what == CHECK)
        status = check_catalog(c, err);
    else
        status = status_of(catalog_info(c, print_line, NULL, err));
    catalog_close(c);
    return status;
}

static int with_feedback(unsigned what, struct err *err)
{
    struct feedback *f = NULL;
    int rc = feedback_open(&f, NULL, NULL, err);
    if (rc == ERR_OK && what == CLEAR)
        rc = feedback_clear_all(f, err);
    else if (rc == ERR_OK)
        rc = feedback_export(f, print_line, NULL, err);
    if (rc == ERR_OK && what == CLEAR)
        puts("Everything you told moodreel is deleted: likes, seen, later, and what was shown.");
    feedback_close(f);
    return status_of(rc);
}

static int run(unsigned what, int argc, char **argv, struct err *err);

static int run_info(int argc, char **argv, struct err *err)
{
    return run(INFO, argc, argv, err);
}

static int run_import(int argc, char **argv, struct err *err)
{
    return run(IMPORT, argc, argv, err);
}

static int run_check(int argc, char **argv, struct err *err)
{
    return run(CHECK, argc, argv, err);
}

static int run_search(int argc, char **argv, struct err *err)
{
    return run(SEARCH, argc, argv, err);
}

static int run_export(int argc, char **argv, struct err *err)
{
    return run(EXPORT, argc, argv, err);
}

static int run_clear(int argc, char **argv, struct err *err)
{
    return run(CLEAR, argc, argv, err);
}

static const char *const import_notes[] = {
    "imdb DIR: title.basics and title.ratings (.tsv or .tsv.gz), and if present title.crew, "
    "title.principals, name.basics (people) and title.akas (languages).",
    "movielens DIR: ml-latest, ml-latest-small, ml-25m, ml-1m or ml-100k. movies, songs, reviews: "
    "a CSV file with a header line.",
    "The new catalogue replaces the old one only when it is whole. Likes and seen marks stay.",
    NULL,
};

static const struct command commands[] = {
    {"info", NULL, "What the catalogue holds", run_info, INFO, NULL},
    {"import", "KIND PATH", "Read lists into the catalogue", run_import, IMPORT, import_notes},
    {"search", "TEXT", "Find titles by name or people", run_search, SEARCH, NULL},
    {"check", NULL, "Check the whole catalogue file", run_check, CHECK, NULL},
    {"export", NULL, "Print everything you told moodreel", run_export, EXPORT, NULL},
    {"clear-data", NULL, "Delete everything you told moodreel", run_clear, CLEAR, NULL},
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static const struct command *command_of(unsigned what)
{
    int i = 0;
    while (i + 1 < COMMAND_COUNT && commands[i].bit != what)
        i++;
    return &commands[i];
}

static int run(unsigned what, int argc, char **argv, struct err *err)
{
    struct catalog_options o;
    struct options *options = NULL;
    int count = 0;
    int status = options_begin(&options, &set, command_of(what), &o, argc, argv, err);
    if (status != OPTIONS_GO)
        return status;
    char *const *words = options_words(options, &count);
    if (what == IMPORT)
        status = import_words(&o, words, count, err);
    else if (what == EXPORT || what == CLEAR)
        status = with_feedback(what, err);
    else
        status = with_catalog(what, &o, words, count, err);
    options_free(options);
    return status;
}

int cli_catalog(int argc, char **argv, struct err *err)
{
    return commands_run(&set, "the catalogue of films and songs", "", commands, COMMAND_COUNT,
                        argc, argv, err);
}
