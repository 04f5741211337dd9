/* Titles as JSON and as extended M3U. */
#include "catalog/playlist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"

/* "A, B" -> ["A", "B"] */
static json_t *list_of(const char *text)
{
    json_t *list = json_array();
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        json_array_append_new(list, json_stringn(text, len));
        text += len;
        text += strspn(text, ", ");
    }
    return list;
}

static void put_text(json_t *o, const char *key, const char *value)
{
    if (value[0] != '\0')
        json_object_set_new(o, key, json_string(value));
}

static void put_list(json_t *o, const char *key, const char *value)
{
    if (value[0] != '\0')
        json_object_set_new(o, key, list_of(value));
}

static void put_int(json_t *o, const char *key, int value, int unknown)
{
    if (value != unknown)
        json_object_set_new(o, key, json_integer(value));
}

static void put_real(json_t *o, const char *key, float value, float unknown)
{
    if (value > unknown)
        json_object_set_new(o, key, json_real((double)value));
}

/* Ids beyond 2^53 would lose digits in JavaScript: IMDb ids are "tt...", others text of digits. */
static void put_id(json_t *o, const struct title *t)
{
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)t->id);
    json_object_set_new(o, "id", json_string(t->imdb_id[0] != '\0' ? t->imdb_id : id));
}

json_t *title_json(const struct title *t)
{
    json_t *o = json_object();
    put_id(o, t);
    put_text(o, "title", t->name);
    if (strcmp(t->name, t->original) != 0)
        put_text(o, "original", t->original);
    put_text(o, "kind", title_kind_name(t->kind));
    put_int(o, "year", t->year, 0);
    json_object_set_new(o, "genres", list_of(t->genres));
    put_real(o, "rating", t->rating, 0);
    put_int(o, "votes", t->votes, 0);
    put_int(o, "minutes", t->minutes, 0);
    put_int(o, "certificate", t->certificate, -1);
    put_text(o, "language", t->language);
    put_int(o, "language_certainty", t->certainty, 0);
    put_list(o, t->kind == TITLE_SONG ? "artists" : "directors", t->makers);
    put_list(o, "cast", t->cast);
    put_list(o, "moods", t->moods);
    put_int(o, "reviews", t->reviews, 0);
    if (t->reviews > 0)
        put_real(o, "sentiment", t->sentiment, -1);
    put_real(o, "valence", t->valence, -1);
    put_real(o, "energy", t->energy, -1);
    put_real(o, "score", t->score, 0);
    put_text(o, "why", t->why);
    return o;
}

json_t *title_list_json(const struct title_list *l)
{
    json_t *list = json_array();
    for (int i = 0; i < l->count; i++)
        json_array_append_new(list, title_json(&l->v[i]));
    return list;
}

json_t *mood_json(const struct emotion_scores *mood)
{
    json_t *o = json_object();
    for (int e = 0; e < EMOTION_COUNT; e++)
        json_object_set_new(o, emotion_name((enum emotion)e), json_real((double)mood->p[e]));
    return o;
}

/* A title becomes one line: what could end it is left out. */
static void add_line_text(struct str *out, const char *text)
{
    for (const char *s = text; *s != '\0'; s++)
        if ((unsigned char)*s >= ' ')
            str_add(out, s, 1);
}

/* "Artist - Title.mp3" as one relative file name: AC/DC is no folder, "#1" no comment. */
static void add_file_name(struct str *out, const char *by, const char *name)
{
    size_t from = out->len;
    add_line_text(out, by);
    str_addf(out, " - ");
    add_line_text(out, name);
    str_addf(out, ".mp3\n");
    for (size_t i = from; i < out->len; i++)
        if (out->s[i] == '/' || (i == from && out->s[i] == '#'))
            out->s[i] = '_';
}

void playlist_m3u(const struct title_list *l, const char *name, struct str *out)
{
    str_addf(out, "#EXTM3U\n#PLAYLIST:");
    add_line_text(out, name);
    str_addf(out, "\n");
    for (int i = 0; i < l->count; i++) {
        const struct title *t = &l->v[i];
        const char *by = t->makers[0] != '\0' ? t->makers : "unknown";
        str_addf(out, "#EXTINF:%d,", t->minutes > 0 ? t->minutes * 60 : -1);
        add_line_text(out, by);
        str_addf(out, " - ");
        add_line_text(out, t->name);
        str_addf(out, "\n");
        add_file_name(out, by, t->name);
    }
}

static bool is_m3u(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot != NULL && (strcmp(dot, ".m3u") == 0 || strcmp(dot, ".m3u8") == 0);
}

int playlist_write(const struct title_list *l, const char *name, const char *path,
                   struct err *err)
{
    struct str text = {0};
    if (is_m3u(path)) {
        playlist_m3u(l, name, &text);
    } else {
        json_t *o = json_pack("{s:s, s:o}", "name", name, "titles", title_list_json(l));
        char *dump = json_dumps(o, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        str_addf(&text, "%s\n", dump != NULL ? dump : "");
        free(dump);
        json_decref(o);
    }
    int rc = path_write_atomic(path, text.s, text.len, err);
    str_free(&text);
    return rc;
}
