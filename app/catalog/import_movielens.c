/* MovieLens (GroupLens): films, tags, and the ratings behind "people who like X like it too".
 *
 * Layouts: CSV with headers (ml-latest, ml-latest-small, ml-25m), "::" without headers (ml-1m), and
 * u.item/u.data (ml-100k). Ratings become EASE weights between the most rated films; the ratings
 * themselves are not kept. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "catalog/ease.h"
#include "catalog/idmap.h"
#include "catalog/import_internal.h"
#include "catalog/names.h"

enum {
    ITEMS_MOST = 3000,   /* films in the weight matrix: n^3 work */
    RATINGS_LEAST = 5,   /* films with fewer ratings say nothing */
    NEIGHBOURS = 60,     /* strongest weights kept of a film */
    USER_ITEMS_MOST = 20000
};
static const double lambda = 500; /* recsys-anchors: best of 300, 500 on MovieLens 100k */

/* A layout: which files, how they look. */
struct layout {
    const char *movies, *ratings, *links, *tags;
    struct table_format format, ratings_format;
    bool scattered; /* the ratings of a user do not stand together */
};

static const struct layout layouts[] = {
    {"movies.csv", "ratings.csv", "links.csv", "tags.csv",
     {.delimiter = ",", .quoted = true}, {.delimiter = ",", .quoted = true}, false},
    {"movies.dat", "ratings.dat", NULL, NULL,
     {.delimiter = "::", .header = "movieId,title,genres"},
     {.delimiter = "::", .header = "userId,movieId,rating,timestamp"},
     false},
    {"u.item", "u.data", NULL, NULL,
     {.delimiter = "|",
      .header = "movieId,title,released,video,url,unknown,Action,Adventure,Animation,Children,"
                "Comedy,Crime,Documentary,Drama,Fantasy,Film-Noir,Horror,Musical,Mystery,Romance,"
                "Sci-Fi,Thriller,War,Western"},
     {.delimiter = "\t", .header = "userId,movieId,rating,timestamp"},
     true},
};
enum { LAYOUT_COUNT = sizeof layouts / sizeof layouts[0], FIRST_FLAG = 6 };

struct movie {
    int64_t title; /* id in the catalogue */
    int ratings;
    double sum;
    int item; /* row of the weight matrix, -1: none */
};

struct movielens {
    struct import *im;
    const struct layout *layout;
    struct idmap imdb;     /* MovieLens id -> IMDb number */
    struct idmap index_of; /* MovieLens id -> index into movies */
    struct movie *movies;
    size_t movies_cap;
    int count;
    int items;
    struct ease_counts counts;
    int64_t user; /* whose ratings are being collected */
    int *user_items, user_count;
    int64_t *pairs; /* scattered: user << 32 | item */
    size_t pairs_cap, pair_count;
};

typedef int take_row(struct movielens *m, struct table *t, const struct cell *c, const int *at,
                     struct err *err);

static int read_file(struct movielens *m, const char *name, const struct table_format *format,
                     const char *const *columns, take_row *take, struct err *err)
{
    char path[4096];
    int at[4];
    const struct cell *c = NULL;
    struct table *t = NULL;
    if (name == NULL || !import_find_file(m->im->options->path, name, path))
        return ERR_OK; /* links, tags and ratings are welcome, not required */
    import_stage(m->im, name, 0);
    int rc = table_open(&t, path, format, err);
    for (int i = 0; columns[i] != NULL && rc == ERR_OK; i++)
        rc = table_need_column(t, columns[i], &at[i], err);
    while (rc == ERR_OK && (rc = table_next(t, &c, err)) == 1) {
        rc = take(m, t, c, at, err);
        if (rc == ERR_OK)
            rc = import_tick(m->im, t, err);
    }
    if (t != NULL)
        import_end_table(m->im, t, name);
    table_close(t);
    return rc < 0 ? rc : writer_failed(m->im->writer, err);
}

static int take_link(struct movielens *m, struct table *t, const struct cell *c, const int *at,
                     struct err *err)
{
    int64_t movie = 0, imdb = 0;
    (void)err;
    if (!cell_int(c[at[0]], 1, INT32_MAX, &movie))
        table_reject(t, "no movieId");
    else if (cell_int(c[at[1]], 1, INT32_MAX, &imdb))
        idmap_put(&m->imdb, movie, (int32_t)imdb);
    return ERR_OK;
}

/* u.item: one column of 0 or 1 for each genre. */
static void flags_to_genres(struct table *t, const struct cell *c, struct str *out)
{
    for (int i = FIRST_FLAG; i < table_columns(t); i++)
        if (cell_is(c[i], "1"))
            str_addf(out, "%s|", table_column_name(t, i));
}

static void put_movie(struct movielens *m, const struct title_row *r)
{
    if (!writer_has(m->im->writer, r->id)) /* better sources keep their facts */
        writer_title(m->im->writer, r);
    m->im->stats.kept++;
}

static int64_t title_of(struct movielens *m, int64_t movie, const char *name, int year)
{
    int32_t imdb = 0;
    if (idmap_get(&m->imdb, movie, &imdb))
        return imdb;
    int64_t found = writer_find(m->im->writer, TITLE_FILM, name, year);
    return found != 0 ? found : name_title_id(TITLE_FILM, name, year, "");
}

static int take_movie(struct movielens *m, struct table *t, const struct cell *c, const int *at,
                      struct err *err)
{
    struct title_row r = {.certificate = -1, .valence = -1, .energy = -1};
    int64_t movie = 0;
    char text[512], name[512];
    struct str genres = {0};
    (void)err;
    if (!cell_int(c[at[0]], 1, INT32_MAX, &movie) || c[at[1]].len == 0) {
        table_reject(t, "no movieId or title");
        return ERR_OK;
    }
    table_copy_text(c[at[1]], text, sizeof text);
    name_split_year(text, name, sizeof name, &r.year);
    str_add(&genres, "", 0);
    int column = table_column(t, "genres");
    if (column >= 0)
        str_add(&genres, c[column].s, (size_t)c[column].len);
    else
        flags_to_genres(t, c, &genres);
    r.name = name;
    r.genres = genres.s;
    r.id = title_of(m, movie, name, r.year);
    put_movie(m, &r);
    m->movies = mem_grow(m->movies, &m->movies_cap, (size_t)m->count + 1, sizeof *m->movies);
    m->movies[m->count] = (struct movie){.title = r.id, .item = -1};
    idmap_put(&m->index_of, movie, m->count++);
    str_free(&genres);
    return ERR_OK;
}

static int take_tag(struct movielens *m, struct table *t, const struct cell *c, const int *at,
                    struct err *err)
{
    int64_t movie = 0;
    int32_t i = 0;
    char tag[128];
    (void)err;
    table_copy_text(c[at[1]], tag, sizeof tag);
    if (!cell_int(c[at[0]], 1, INT32_MAX, &movie) || tag[0] == '\0') {
        table_reject(t, "no movieId or tag");
        return ERR_OK;
    }
    if (idmap_get(&m->index_of, movie, &i))
        writer_tag(m->im->writer, m->movies[i].title, tag, 1);
    return ERR_OK;
}

/* The movie of a rating row; NULL: unusable or of an unknown film. */
static struct movie *rated_movie(struct movielens *m, struct table *t, const struct cell *c,
                                 const int *at, int64_t *user, double *rating)
{
    int64_t movie = 0;
    int32_t i = 0;
    if (!cell_int(c[at[0]], 0, INT32_MAX, user) || !cell_int(c[at[1]], 1, INT32_MAX, &movie) ||
        !cell_number(c[at[2]], rating)) {
        table_reject(t, "no user, film or rating");
        return NULL;
    }
    return idmap_get(&m->index_of, movie, &i) ? &m->movies[i] : NULL;
}

static int count_rating(struct movielens *m, struct table *t, const struct cell *c, const int *at,
                        struct err *err)
{
    int64_t user = 0;
    double rating = 0;
    struct movie *movie = rated_movie(m, t, c, at, &user, &rating);
    (void)err;
    if (movie != NULL) {
        movie->ratings++;
        movie->sum += rating;
    }
    return ERR_OK;
}

static void end_user(struct movielens *m)
{
    ease_counts_add(&m->counts, m->user_items, m->user_count);
    m->user_count = 0;
}

static void add_item(struct movielens *m, int64_t user, int item)
{
    if (user != m->user)
        end_user(m);
    m->user = user;
    if (m->user_count < USER_ITEMS_MOST)
        m->user_items[m->user_count++] = item;
}

static int collect_rating(struct movielens *m, struct table *t, const struct cell *c,
                          const int *at, struct err *err)
{
    int64_t user = 0;
    double rating = 0;
    struct movie *movie = rated_movie(m, t, c, at, &user, &rating);
    (void)err;
    if (movie == NULL || movie->item < 0)
        return ERR_OK;
    if (!m->layout->scattered) {
        add_item(m, user, movie->item);
        return ERR_OK;
    }
    m->pairs = mem_grow(m->pairs, &m->pairs_cap, m->pair_count + 1, sizeof *m->pairs);
    m->pairs[m->pair_count++] = user << 32 | movie->item;
    return ERR_OK;
}

static int by_pair(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void add_scattered(struct movielens *m)
{
    if (m->pair_count > 0)
        qsort(m->pairs, m->pair_count, sizeof *m->pairs, by_pair);
    for (size_t i = 0; i < m->pair_count; i++)
        add_item(m, m->pairs[i] >> 32, (int)(m->pairs[i] & 0xffffffff));
}

static int more_rated(const void *a, const void *b)
{
    const struct movie *x = *(struct movie *const *)a, *y = *(struct movie *const *)b;
    if (x->ratings != y->ratings)
        return x->ratings > y->ratings ? -1 : 1;
    return (x->title > y->title) - (x->title < y->title);
}

/* Numbers the most rated films 0, 1, 2 ...; *order receives them. */
static void choose_items(struct movielens *m, struct movie ***order)
{
    *order = mem_new((size_t)m->count + 1, sizeof **order);
    for (int i = 0; i < m->count; i++)
        (*order)[i] = &m->movies[i];
    qsort(*order, (size_t)m->count, sizeof **order, more_rated);
    while (m->items < m->count && m->items < ITEMS_MOST &&
           (*order)[m->items]->ratings >= RATINGS_LEAST) {
        (*order)[m->items]->item = m->items;
        m->items++;
    }
}

struct neighbour {
    double weight;
    int item;
};

static int stronger(const void *a, const void *b)
{
    const struct neighbour *x = a, *y = b;
    return x->weight != y->weight ? (x->weight > y->weight ? -1 : 1) : x->item - y->item;
}

static int put_neighbours(struct movielens *m, struct movie **order, const double *weights,
                          struct err *err)
{
    struct neighbour *row = mem_new((size_t)m->items + 1, sizeof *row);
    int rc = ERR_OK;
    import_stage(m->im, "nearest films", m->items);
    for (int i = 0; i < m->items && rc == ERR_OK; i++) {
        for (int j = 0; j < m->items; j++)
            row[j] = (struct neighbour){weights[(size_t)i * (size_t)m->items + (size_t)j], j};
        qsort(row, (size_t)m->items, sizeof *row, stronger);
        for (int k = 0; k < NEIGHBOURS && k < m->items && row[k].weight > 0; k++)
            writer_similar(m->im->writer, order[i]->title, order[row[k].item]->title,
                           row[k].weight);
        rc = import_share(m->im, (double)(i + 1) / m->items, err);
    }
    free(row);
    return rc;
}

/* Of the weights' computation. */
struct weighing {
    struct import *im;
    struct err *err;
};

static bool tell_share(double share, void *payload)
{
    struct weighing *w = payload;
    return import_share(w->im, share, w->err) == ERR_OK;
}

static int weigh(struct movielens *m, struct movie **order, struct err *err)
{
    struct weighing w = {m->im, err};
    import_stage(m->im, "film weights", m->items);
    int rc = ease_weights(m->counts.gram, m->items, lambda, tell_share, &w, err);
    return rc == ERR_OK ? put_neighbours(m, order, m->counts.gram, err) : rc;
}

/* Films that no better source rated get the mean rating, on 1 .. 10. */
static void put_ratings(struct movielens *m)
{
    for (int i = 0; i < m->count; i++)
        if (m->movies[i].ratings > 0)
            writer_rating(m->im->writer, m->movies[i].title,
                          fmax(1, 2 * m->movies[i].sum / m->movies[i].ratings),
                          m->movies[i].ratings);
}

static int derive_weights(struct movielens *m, const char *const *columns, struct err *err)
{
    struct movie **order = NULL;
    choose_items(m, &order);
    int rc = m->items > 1 ? ease_counts_create(&m->counts, m->items, err) : ERR_OK;
    if (rc == ERR_OK && m->items > 1) {
        m->user_items = mem_new(USER_ITEMS_MOST, sizeof *m->user_items);
        rc = read_file(m, m->layout->ratings, &m->layout->ratings_format, columns, collect_rating,
                       err);
        add_scattered(m);
        end_user(m);
        if (rc == ERR_OK)
            rc = weigh(m, order, err);
        free(m->user_items);
        free(m->pairs);
        ease_counts_free(&m->counts);
    }
    free(order);
    return rc;
}

static const struct layout *find_layout(const char *folder)
{
    char path[4096];
    for (int i = 0; i < LAYOUT_COUNT; i++)
        if (import_find_file(folder, layouts[i].movies, path))
            return &layouts[i];
    return NULL;
}

static int read_all(struct movielens *m, struct err *err)
{
    static const char *const links[] = {"movieId", "imdbId", NULL};
    static const char *const movies[] = {"movieId", "title", NULL};
    static const char *const tags[] = {"movieId", "tag", NULL};
    static const char *const ratings[] = {"userId", "movieId", "rating", NULL};
    const struct layout *l = m->layout;
    int rc = read_file(m, l->links, &l->format, links, take_link, err);
    if (rc == ERR_OK)
        rc = read_file(m, l->movies, &l->format, movies, take_movie, err);
    if (rc == ERR_OK)
        rc = read_file(m, l->tags, &l->format, tags, take_tag, err);
    if (rc == ERR_OK)
        rc = read_file(m, l->ratings, &l->ratings_format, ratings, count_rating, err);
    put_ratings(m);
    return rc == ERR_OK ? derive_weights(m, ratings, err) : rc;
}

int import_movielens(struct import *im, struct err *err)
{
    struct movielens m = {.im = im, .layout = find_layout(im->options->path), .user = -1};
    if (m.layout == NULL)
        return err_set(err, ERR_NOT_FOUND, "%s: no movies.csv, movies.dat or u.item in this folder",
                       im->options->path);
    int rc = read_all(&m, err);
    idmap_free(&m.imdb);
    idmap_free(&m.index_of);
    free(m.movies);
    return rc;
}
