/* FER-2013 and FER+ in their published CSV layouts; folders of pictures. */
#include "vision/fer_data.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "emotion.h"
#include "vision/opencv_c.h"
#include "vision/preprocess.h"

const char *const ferplus_names[FERPLUS_COUNT] = {"neutral", "happiness", "surprise", "sadness",
                                                  "anger",   "disgust",   "fear",     "contempt",
                                                  "unknown", "nf"};

const char *fer_split_name(enum nn_split split)
{
    static const char *const names[NN_SPLIT_COUNT] = {"Training", "PublicTest", "PrivateTest"};
    return split < NN_SPLIT_COUNT ? names[split] : "?";
}

bool fer_split_parse(const char *name, enum nn_split *out)
{
    static const struct {
        const char *name;
        enum nn_split split;
    } known[] = {{"Training", NN_TRAINING}, {"train", NN_TRAINING},   {"PublicTest", NN_VALIDATION},
                 {"val", NN_VALIDATION},    {"valid", NN_VALIDATION}, {"validation", NN_VALIDATION},
                 {"PrivateTest", NN_TEST},  {"test", NN_TEST}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcasecmp(name, known[i].name) == 0) {
            *out = known[i].split;
            return true;
        }
    }
    return false;
}

/* ---- one CSV file, line by line ---- */

enum { COLUMNS_MAX = 64 };

struct csv {
    const char *path;
    FILE *file;
    char *line; /* cut into fields */
    size_t capacity;
    long number; /* of the line, from 1 */
    char *field[COLUMNS_MAX];
    int fields;
};

/* Removes blanks and one pair of quotes around a field. */
static char *strip(char *s)
{
    size_t n;
    s += strspn(s, " \t\"");
    for (n = strlen(s); n > 0 && strchr(" \t\"\r\n", s[n - 1]) != NULL; n--)
        s[n - 1] = '\0';
    return s;
}

/* 1: the next line that is not empty is cut into fields; 0: end of file. */
static int csv_next(struct csv *c, struct err *err)
{
    do {
        errno = 0;
        if (getline(&c->line, &c->capacity, c->file) < 0)
            return ferror(c->file) ? err_errno(err, c->path) : 0;
        c->number++;
    } while (*strip(c->line) == '\0');
    c->fields = 0;
    for (char *at = c->line, *comma; at != NULL && c->fields < COLUMNS_MAX; at = comma) {
        comma = strchr(at, ',');
        if (comma != NULL)
            *comma++ = '\0';
        c->field[c->fields++] = strip(at);
    }
    return 1;
}

static void csv_close(struct csv *c)
{
    if (c->file != NULL)
        fclose(c->file);
    free(c->line);
    *c = (struct csv){0};
}

static int csv_open(struct csv *c, const char *path, struct err *err)
{
    *c = (struct csv){.path = path, .file = fopen(path, "r")};
    if (c->file == NULL)
        return err_errno(err, path);
    int rc = csv_next(c, err);
    if (rc == 0)
        rc = err_set(err, ERR_FORMAT, "%s: the file is empty", path);
    if (rc < 0)
        csv_close(c);
    return rc < 0 ? rc : 0;
}

/* The place of a column in the header line, which must be the current one. */
static int csv_column(const struct csv *c, const char *name, struct err *err)
{
    for (int i = 0; i < c->fields; i++)
        if (strcasecmp(c->field[i], name) == 0)
            return i;
    return err_set(err, ERR_FORMAT, "%s:%ld: there is no column '%s'", c->path, c->number, name);
}

static int csv_field(const struct csv *c, int column, const char *name, const char **out,
                     struct err *err)
{
    if (column >= c->fields)
        return err_set(err, ERR_FORMAT, "%s:%ld: the line has %d fields and no %s", c->path,
                       c->number, c->fields, name);
    *out = c->field[column];
    return 0;
}

/* ---- FER-2013 ---- */

struct fer_columns {
    int emotion, pixels, usage;
};

static int find_columns(struct fer_columns *out, const struct csv *c, struct err *err)
{
    if ((out->emotion = csv_column(c, "emotion", err)) < 0)
        return out->emotion;
    if ((out->pixels = csv_column(c, "pixels", err)) < 0)
        return out->pixels;
    return (out->usage = csv_column(c, "Usage", err)) < 0 ? out->usage : 0;
}

static int parse_pixels(const struct csv *c, const char *s, uint8_t *px, struct err *err)
{
    int n = 0;
    for (s += strspn(s, " "); *s != '\0'; s += strspn(s, " "), n++) {
        const char *start = s;
        int value = 0;
        for (; *s >= '0' && *s <= '9' && value <= 255; s++)
            value = value * 10 + (*s - '0');
        if (s == start || (*s != ' ' && *s != '\0') || value > 255)
            return err_set(err, ERR_FORMAT, "%s:%ld: pixel %d is '%.*s', not 0 to 255", c->path,
                           c->number, n + 1, (int)strcspn(start, " "), start);
        if (n < FER_SIDE * FER_SIDE)
            px[n] = (uint8_t)value;
    }
    if (n != FER_SIDE * FER_SIDE)
        return err_set(err, ERR_FORMAT, "%s:%ld: %d pixels instead of %d", c->path, c->number, n,
                       FER_SIDE * FER_SIDE);
    return 0;
}

static int parse_label(const struct csv *c, const char *s, enum emotion *out, struct err *err)
{
    int64_t number;
    if (parse_i64(s, 0, EMOTION_COUNT - 1, &number))
        *out = (enum emotion)number;
    else if (!emotion_parse(s, out))
        return err_set(err, ERR_FORMAT, "%s:%ld: label '%s' is neither 0 to %d nor an emotion",
                       c->path, c->number, s, EMOTION_COUNT - 1);
    return 0;
}

static int parse_usage(const struct csv *c, const char *s, enum nn_split *out, struct err *err)
{
    if (fer_split_parse(s, out))
        return 0;
    return err_set(err, ERR_FORMAT,
                   "%s:%ld: Usage '%s' is none of Training, PublicTest and PrivateTest", c->path,
                   c->number, s);
}

/* ---- FER+ ---- */

struct votes {
    struct csv csv; /* file NULL: none */
    int column[FERPLUS_COUNT];
};

static int votes_open(struct votes *v, const char *path, struct err *err)
{
    *v = (struct votes){0};
    int rc = path != NULL ? csv_open(&v->csv, path, err) : 0;
    for (int i = 0; i < FERPLUS_COUNT && rc >= 0 && path != NULL; i++)
        rc = v->column[i] = csv_column(&v->csv, ferplus_names[i], err);
    return rc < 0 ? rc : 0;
}

/* The votes of the next picture as shares; all 0 when nobody voted. */
static int votes_next(struct votes *v, float share[FERPLUS_COUNT], struct err *err)
{
    struct csv *c = &v->csv;
    double sum = 0, count[FERPLUS_COUNT];
    int rc = csv_next(c, err);
    if (rc <= 0)
        return rc < 0 ? rc
                      : err_set(err, ERR_FORMAT, "%s: has fewer rows than there are pictures",
                                c->path);
    for (int i = 0; i < FERPLUS_COUNT; i++) {
        const char *text = "";
        if ((rc = csv_field(c, v->column[i], ferplus_names[i], &text, err)) < 0)
            return rc;
        if (!parse_f64(text, 0, 1000, &count[i]))
            return err_set(err, ERR_FORMAT, "%s:%ld: '%s' is no number of votes", c->path,
                           c->number, text);
        sum += count[i];
    }
    for (int i = 0; i < FERPLUS_COUNT; i++)
        share[i] = sum > 0 ? (float)(count[i] / sum) : 0;
    return 0;
}

static int votes_end(struct votes *v, struct err *err)
{
    int rc = v->csv.file != NULL ? csv_next(&v->csv, err) : 0;
    if (rc > 0)
        return err_set(err, ERR_FORMAT, "%s:%ld: has more rows than there are pictures",
                       v->csv.path, v->csv.number);
    return rc;
}

static int read_row(struct nn_dataset *d, const struct csv *c, const struct fer_columns *at,
                    struct votes *votes, struct err *err)
{
    uint8_t px[FER_SIDE * FER_SIDE];
    float share[FERPLUS_COUNT];
    const char *label = "", *pixels = "", *usage = "";
    enum emotion emotion;
    enum nn_split split;
    int rc;
    if ((rc = csv_field(c, at->emotion, "emotion", &label, err)) < 0 ||
        (rc = csv_field(c, at->pixels, "pixels", &pixels, err)) < 0 ||
        (rc = csv_field(c, at->usage, "Usage", &usage, err)) < 0 ||
        (rc = parse_label(c, label, &emotion, err)) < 0 ||
        (rc = parse_pixels(c, pixels, px, err)) < 0 ||
        (rc = parse_usage(c, usage, &split, err)) < 0)
        return rc;
    if (votes->csv.file != NULL && (rc = votes_next(votes, share, err)) < 0)
        return rc;
    return nn_dataset_add(d, px, (int)emotion, split, share, err);
}

int fer_read_csv(struct nn_dataset **out, const char *csv, const char *votes_path, struct err *err)
{
    struct csv c;
    struct votes votes = {0};
    struct fer_columns columns;
    int rc = csv_open(&c, csv, err);
    if (rc < 0)
        return rc;
    struct nn_dataset *d = nn_dataset_create(1, FER_SIDE, FER_SIDE, EMOTION_COUNT,
                                             votes_path != NULL ? FERPLUS_COUNT : 0);
    if ((rc = find_columns(&columns, &c, err)) == 0)
        rc = votes_open(&votes, votes_path, err);
    while (rc == 0 && (rc = csv_next(&c, err)) > 0)
        rc = read_row(d, &c, &columns, &votes, err);
    if (rc == 0)
        rc = votes_end(&votes, err);
    if (rc == 0 && d->count == 0)
        rc = err_set(err, ERR_FORMAT, "%s: there is no picture in it", csv);
    csv_close(&c);
    csv_close(&votes.csv);
    if (rc == 0)
        *out = d;
    else
        nn_dataset_destroy(d);
    return rc;
}

/* ---- folders ---- */

struct names {
    char **v; /* sorted */
    size_t count, capacity;
};

static void names_free(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->v[i]);
    free(n->v);
    *n = (struct names){0};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in `dir` that do not start with a dot, sorted. */
static int names_read(struct names *out, const char *dir, struct err *err)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    *out = (struct names){0};
    if (d == NULL)
        return err_errno(err, dir);
    while ((entry = readdir(d)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        out->v = mem_grow(out->v, &out->capacity, out->count + 1, sizeof *out->v);
        out->v[out->count++] = mem_strdup(entry->d_name);
    }
    closedir(d);
    if (out->count > 0)
        qsort(out->v, out->count, sizeof *out->v, by_name);
    return 0;
}

struct walk {
    fer_picture_fn *each;
    void *payload;
};

static int walk_class(const struct walk *w, const char *dir, enum emotion e, enum nn_split split,
                      struct err *err)
{
    struct names files;
    int rc = names_read(&files, dir, err);
    if (rc == 0 && files.count == 0)
        rc = err_set(err, ERR_FORMAT, "%s: there is no picture in it", dir);
    for (size_t i = 0; i < files.count && rc == 0; i++) {
        struct str path = {0};
        str_addf(&path, "%s/%s", dir, files.v[i]);
        rc = w->each(w->payload, path.s, e, split, err);
        str_free(&path);
    }
    names_free(&files);
    return rc;
}

/* `top`: folders named after splits may stand here too. */
static int walk_level(const struct walk *w, const char *dir, enum nn_split split, bool top,
                      struct err *err)
{
    struct names names;
    int rc = names_read(&names, dir, err);
    for (size_t i = 0; i < names.count && rc == 0; i++) {
        struct str path = {0};
        enum emotion e;
        str_addf(&path, "%s/%s", dir, names.v[i]);
        if (emotion_parse(names.v[i], &e))
            rc = walk_class(w, path.s, e, split, err);
        else if (top && fer_split_parse(names.v[i], &split))
            rc = walk_level(w, path.s, split, false, err);
        else
            rc = err_set(err, ERR_FORMAT, "%s: the folder's name is no emotion%s", path.s,
                         top ? " and no split (train, val, test)" : "");
        str_free(&path);
    }
    names_free(&names);
    return rc;
}

int fer_walk_folders(const char *dir, fer_picture_fn *each, void *payload, struct err *err)
{
    struct walk w = {each, payload};
    return walk_level(&w, dir, NN_TRAINING, true, err);
}

static int add_picture(void *dataset, const char *path, enum emotion e, enum nn_split split,
                       struct err *err)
{
    struct nn_dataset *d = dataset;
    uint8_t *px, side_px[PREPROCESS_SIDE_MAX * PREPROCESS_SIDE_MAX];
    int width, height;
    char why[200];
    if (cvc_image_read(path, 1, &px, &width, &height, why, sizeof why) < 0)
        return err_set(err, ERR_FORMAT, "%s: %s", path, why);
    struct gray_view view = {.px = px, .width = width, .height = height, .stride = width};
    preprocess_resize(&view, d->width, side_px);
    cvc_free(px);
    return nn_dataset_add(d, side_px, (int)e, split, NULL, err);
}

int fer_read_folders(struct nn_dataset **out, const char *dir, int side, struct err *err)
{
    struct nn_dataset *d = nn_dataset_create(1, side, side, EMOTION_COUNT, 0);
    int rc = fer_walk_folders(dir, add_picture, d, err);
    if (rc == 0 && d->count == 0)
        rc = err_set(err, ERR_FORMAT, "%s: there is no folder of pictures in it", dir);
    if (rc == 0)
        *out = d;
    else
        nn_dataset_destroy(d);
    return rc;
}

int fer_read(struct nn_dataset **out, const char *path, const char *votes, struct err *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return err_errno(err, path);
    if (!S_ISDIR(st.st_mode))
        return fer_read_csv(out, path, votes, err);
    if (votes != NULL)
        return err_set(err, ERR_UNSUPPORTED, "%s: votes belong to a CSV, not to folders", path);
    return fer_read_folders(out, path, FER_SIDE, err);
}
