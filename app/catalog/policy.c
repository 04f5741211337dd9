/* Policy files: form in policy.h, data in assets/policies. */
#include "catalog/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"

enum { RULES_MAX = 64, TONES_MAX = 128, LINE_MAX_BYTES = 2000, FILE_MAX_BYTES = 256 * 1024 };

struct rule {
    char genre[48];
    float weight;
};

struct tone {
    char genre[48];
    float valence, arousal;
};

/* A piece of the reason sentence. NULL: none of its own. */
struct words {
    char *all, *one[EMOTION_COUNT];
};

struct policy {
    char *name, *title;
    struct words reason, aim;
    enum policy_kind kind;
    int limit;
    bool quality, taste, diversity;
    float popularity;
    struct rule rules[EMOTION_COUNT][RULES_MAX]; /* heaviest first */
    int rule_count[EMOTION_COUNT];
    bool has_target[EMOTION_COUNT];
    float target[EMOTION_COUNT][2];
    struct tone tones[TONES_MAX];
    int tone_count;
};

static const char *const builtins[] = {"lift", "match", "surprise", "seed-000", "seed-001"};

const char *policy_builtin(size_t index)
{
    return index < sizeof builtins / sizeof builtins[0] ? builtins[index] : NULL;
}

/* --- reading --------------------------------------------------------------------------------- */

struct place {
    struct policy *policy;
    const char *name; /* of the file */
    int line;
    struct err *err;
};

static int bad_line(const struct place *at, const char *what, const char *text)
{
    return err_set(at->err, ERR_FORMAT, "%s:%d: %s: \"%.60s\"", at->name, at->line, what, text);
}

static char *trim(char *s)
{
    s += strspn(s, " \t\r");
    size_t n = strlen(s);
    while (n > 0 && strchr(" \t\r", s[n - 1]) != NULL)
        s[--n] = '\0';
    return s;
}

/* "0.6 -0.4" */
static int read_pair(const struct place *at, char *text, float out[2])
{
    double v[2];
    char *second = text + strcspn(text, " \t");
    if (*second != '\0')
        *second++ = '\0';
    if (!parse_f64(trim(text), -1, 1, &v[0]) || !parse_f64(trim(second), -1, 1, &v[1]))
        return bad_line(at, "two numbers from -1 to 1 are wanted", text);
    out[0] = (float)v[0];
    out[1] = (float)v[1];
    return ERR_OK;
}

static int read_tone(const struct place *at, char *genre, char *value)
{
    struct policy *p = at->policy;
    float pair[2];
    int rc = read_pair(at, value, pair);
    if (rc < 0)
        return rc;
    if (p->tone_count == TONES_MAX || strlen(genre) >= sizeof p->tones[0].genre)
        return bad_line(at, "too many tones, or too long a genre", genre);
    struct tone *t = &p->tones[p->tone_count++];
    snprintf(t->genre, sizeof t->genre, "%s", genre);
    t->valence = pair[0];
    t->arousal = pair[1];
    return ERR_OK;
}

static int read_target(const struct place *at, const char *emotion, char *value)
{
    enum emotion e;
    if (!emotion_parse(emotion, &e))
        return bad_line(at, "no such emotion", emotion);
    at->policy->has_target[e] = true;
    return read_pair(at, value, at->policy->target[e]);
}

/* "Comedy 0.9" or "Film-Noir": the weight is the last word when that is a number. */
static int read_rule(const struct place *at, enum emotion e, char *text)
{
    struct policy *p = at->policy;
    double weight = 1;
    char *space = strrchr(text, ' ');
    if (space != NULL && parse_f64(space + 1, -1e9, 1e9, &weight))
        *space = '\0';
    text = trim(text);
    if (weight < -1 || weight > 1)
        return bad_line(at, "a weight from -1 to 1 is wanted", text);
    if (text[0] == '\0' || strlen(text) >= sizeof p->rules[0][0].genre)
        return bad_line(at, "a genre is wanted", text);
    if (p->rule_count[e] == RULES_MAX)
        return bad_line(at, "too many genres", text);
    struct rule *r = &p->rules[e][p->rule_count[e]++];
    snprintf(r->genre, sizeof r->genre, "%s", text);
    r->weight = (float)weight;
    return ERR_OK;
}

static int read_rules(const struct place *at, enum emotion e, char *value)
{
    int rc = ERR_OK;
    at->policy->rule_count[e] = 0;
    while (value != NULL && rc == ERR_OK) {
        char *comma = strchr(value, ',');
        if (comma != NULL)
            *comma++ = '\0';
        rc = read_rule(at, e, trim(value));
        value = comma;
    }
    return rc;
}

static int read_switch(const struct place *at, const char *value, bool *out)
{
    *out = strcmp(value, "yes") == 0;
    return *out || strcmp(value, "no") == 0 ? ERR_OK : bad_line(at, "yes or no is wanted", value);
}

static int read_kind(const struct place *at, const char *value)
{
    static const char *const kinds[] = {"weights", "top", "contains"};
    for (int k = 0; k < 3; k++)
        if (strcmp(value, kinds[k]) == 0) {
            at->policy->kind = (enum policy_kind)k;
            return ERR_OK;
        }
    return bad_line(at, "weights, top or contains is wanted", value);
}

static int read_limit(const struct place *at, const char *value)
{
    int64_t limit = 0;
    if (!parse_i64(value, 1, 1000, &limit))
        return bad_line(at, "a number from 1 to 1000 is wanted", value);
    at->policy->limit = (int)limit;
    return ERR_OK;
}

static int read_popularity(const struct place *at, const char *value)
{
    double popularity = 0;
    if (!parse_f64(value, 0, 100, &popularity))
        return bad_line(at, "a number from 0 to 100 is wanted", value);
    at->policy->popularity = (float)popularity;
    return ERR_OK;
}

static int replace_text(char **text, const char *value)
{
    free(*text);
    *text = mem_strdup(value);
    return ERR_OK;
}

static int read_words(const struct place *at, struct words *words, const char *emotion,
                      const char *value)
{
    enum emotion e;
    if (!emotion_parse(emotion, &e))
        return bad_line(at, "no such emotion", emotion);
    return replace_text(&words->one[e], value);
}

static int read_setting(const struct place *at, char *key, char *value)
{
    struct policy *p = at->policy;
    enum emotion e;
    if (strncmp(key, "reason ", 7) == 0)
        return read_words(at, &p->reason, trim(key + 7), value);
    if (strncmp(key, "aim ", 4) == 0)
        return read_words(at, &p->aim, trim(key + 4), value);
    if (strncmp(key, "target ", 7) == 0)
        return read_target(at, trim(key + 7), value);
    if (strncmp(key, "tone ", 5) == 0)
        return read_tone(at, trim(key + 5), value);
    if (strcmp(key, "title") == 0)
        return replace_text(&p->title, value);
    if (strcmp(key, "reason") == 0)
        return replace_text(&p->reason.all, value);
    if (strcmp(key, "aim") == 0)
        return replace_text(&p->aim.all, value);
    if (strcmp(key, "kind") == 0)
        return read_kind(at, value);
    if (strcmp(key, "limit") == 0)
        return read_limit(at, value);
    if (strcmp(key, "quality") == 0)
        return read_switch(at, value, &p->quality);
    if (strcmp(key, "taste") == 0)
        return read_switch(at, value, &p->taste);
    if (strcmp(key, "diversity") == 0)
        return read_switch(at, value, &p->diversity);
    if (strcmp(key, "popularity") == 0)
        return read_popularity(at, value);
    if (emotion_parse(key, &e))
        return read_rules(at, e, value);
    return bad_line(at, "neither a setting nor an emotion", key);
}

/* A line of `len` bytes, without its newline. */
static int read_line(const struct place *at, const char *line, size_t len)
{
    char copy[LINE_MAX_BYTES];
    if (len >= sizeof copy)
        return bad_line(at, "the line is too long", "");
    if (memchr(line, '\0', len) != NULL || !utf8_valid(line, len))
        return bad_line(at, "not UTF-8 text", "");
    memcpy(copy, line, len);
    copy[len] = '\0';
    copy[strcspn(copy, "#")] = '\0';
    char *key = trim(copy);
    if (key[0] == '\0')
        return ERR_OK;
    char *equals = strchr(key, '=');
    if (equals == NULL)
        return bad_line(at, "`name = value` is wanted", key);
    *equals = '\0';
    char *value = trim(equals + 1);
    if (value[0] == '\0')
        return bad_line(at, "no value", key);
    return read_setting(at, trim(key), value);
}

static int read_text(struct policy *p, const char *name, const char *text, size_t len,
                     struct err *err)
{
    struct place at = {p, name, 0, err};
    int rc = ERR_OK;
    while (len > 0 && rc == ERR_OK) {
        const char *newline = memchr(text, '\n', len);
        size_t line = newline != NULL ? (size_t)(newline - text) : len;
        at.line++;
        rc = read_line(&at, text, line);
        line += newline != NULL;
        text += line;
        len -= line;
    }
    return rc;
}

static int heavier(const void *a, const void *b)
{
    const struct rule *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return strcmp(x->genre, y->genre);
}

/* The file's name without folder and ending. */
static char *short_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *base = slash != NULL ? slash + 1 : name;
    size_t len = strlen(base);
    if (len > 5 && strcmp(base + len - 5, ".conf") == 0)
        len -= 5;
    return mem_strndup(base, len);
}

static struct policy *new_policy(const char *name)
{
    struct policy *p = mem_new(1, sizeof *p);
    p->name = short_name(name);
    p->title = mem_strdup(p->name);
    p->quality = p->taste = p->diversity = true;
    return p;
}

/* Checks what only the whole file shows, and sorts. */
static int finish(struct policy *p, const char *name, struct err *err)
{
    int emotions = 0;
    for (int e = 0; e < EMOTION_COUNT; e++) {
        emotions += p->rule_count[e] > 0 || p->has_target[e];
        if (p->kind == POLICY_WEIGHTS) /* the other kinds list genres in their own order */
            qsort(p->rules[e], (size_t)p->rule_count[e], sizeof p->rules[e][0], heavier);
    }
    if (emotions == 0)
        return err_set(err, ERR_FORMAT, "%s: names no emotion, this is not a policy", name);
    return ERR_OK;
}

int policy_parse(struct policy **out, const char *name, const char *text, size_t len,
                 struct err *err)
{
    struct policy *p = new_policy(name);
    int rc = read_text(p, name, text, len, err);
    if (rc == ERR_OK)
        rc = finish(p, name, err);
    if (rc < 0) {
        policy_free(p);
        return rc;
    }
    *out = p;
    return ERR_OK;
}

/* Installed: policies/x.conf; in the source tree: assets/policies/x.conf. */
static bool find_installed(const char *name, char *path, size_t cap)
{
    char relative[200];
    snprintf(relative, sizeof relative, "policies/%s.conf", name);
    if (path_find_data(relative, path, cap))
        return true;
    snprintf(relative, sizeof relative, "assets/policies/%s.conf", name);
    return path_find_data(relative, path, cap);
}

static bool is_path(const char *name)
{
    size_t len = strlen(name);
    return strchr(name, '/') != NULL || (len > 5 && strcmp(name + len - 5, ".conf") == 0);
}

static int read_file(struct policy *p, const char *path, struct err *err)
{
    void *data = NULL;
    size_t len = 0;
    int rc = path_read(path, &data, &len, FILE_MAX_BYTES, err);
    if (rc == ERR_OK)
        rc = read_text(p, path, data, len, err);
    free(data);
    return rc;
}

/* Tones first, so that a policy may replace them. */
static int read_tones(struct policy *p, struct err *err)
{
    char path[4096];
    return find_installed("tones", path, sizeof path) ? read_file(p, path, err) : ERR_OK;
}

static int no_such_policy(const char *name, struct err *err)
{
    struct str list = {0};
    for (size_t i = 0; policy_builtin(i) != NULL; i++)
        str_addf(&list, "%s%s", i > 0 ? ", " : "", policy_builtin(i));
    int rc = err_set(err, ERR_NOT_FOUND, "no policy \"%.80s\"; there are %s, or a file ending in "
                     ".conf", name, list.s);
    str_free(&list);
    return rc;
}

int policy_load(struct policy **out, const char *name, struct err *err)
{
    char path[4096];
    if (is_path(name))
        snprintf(path, sizeof path, "%s", name);
    else if (strlen(name) > 100 || !find_installed(name, path, sizeof path))
        return no_such_policy(name, err);
    struct policy *p = new_policy(name);
    int rc = read_tones(p, err);
    if (rc == ERR_OK)
        rc = read_file(p, path, err);
    if (rc == ERR_OK)
        rc = finish(p, path, err);
    if (rc < 0) {
        policy_free(p);
        return rc;
    }
    *out = p;
    return ERR_OK;
}

static void free_words(struct words *w)
{
    free(w->all);
    for (int e = 0; e < EMOTION_COUNT; e++)
        free(w->one[e]);
}

void policy_free(struct policy *p)
{
    if (p == NULL)
        return;
    free(p->name);
    free(p->title);
    free_words(&p->reason);
    free_words(&p->aim);
    free(p);
}

/* --- asking ---------------------------------------------------------------------------------- */

const char *policy_name(const struct policy *p)
{
    return p->name;
}

const char *policy_title(const struct policy *p)
{
    return p->title;
}

static const char *words_for(const struct words *w, enum emotion e)
{
    const char *text = w->one[e] != NULL ? w->one[e] : w->all;
    return text != NULL ? text : "";
}

const char *policy_reason(const struct policy *p, enum emotion e)
{
    return words_for(&p->reason, e);
}

const char *policy_aim(const struct policy *p, enum emotion e)
{
    const char *aim = words_for(&p->aim, e);
    return aim[0] != '\0' ? aim : policy_reason(p, e);
}

enum policy_kind policy_kind(const struct policy *p)
{
    return p->kind;
}

int policy_limit(const struct policy *p)
{
    return p->limit;
}

bool policy_uses_quality(const struct policy *p)
{
    return p->quality;
}

float policy_popularity(const struct policy *p)
{
    return p->popularity;
}

bool policy_uses_taste(const struct policy *p)
{
    return p->taste;
}

bool policy_uses_diversity(const struct policy *p)
{
    return p->diversity;
}

float policy_weight(const struct policy *p, enum emotion e, const char *genre)
{
    for (int i = 0; i < p->rule_count[e]; i++)
        if (strcasecmp(p->rules[e][i].genre, genre) == 0)
            return p->rules[e][i].weight;
    return 0;
}

bool policy_target(const struct policy *p, enum emotion e, float *valence, float *arousal)
{
    *valence = p->target[e][0];
    *arousal = p->target[e][1];
    return p->has_target[e];
}

bool policy_tone(const struct policy *p, const char *genre, float *valence, float *arousal)
{
    for (int i = p->tone_count - 1; i >= 0; i--) /* the policy's own come last and win */
        if (strcasecmp(p->tones[i].genre, genre) == 0) {
            *valence = p->tones[i].valence;
            *arousal = p->tones[i].arousal;
            return true;
        }
    return false;
}

int policy_genres(const struct policy *p, enum emotion e, const char **out, int cap)
{
    int count = 0;
    for (int i = 0; i < p->rule_count[e] && count < cap; i++)
        if (p->rules[e][i].weight > 0)
            out[count++] = p->rules[e][i].genre;
    return count;
}
