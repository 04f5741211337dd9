/* Cascades, working sizes, rejection. */
#include "vision/face_finder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "vision/opencv_c.h"
#include "vision/preprocess.h"

enum { HITS_MAX = 256, LOOK_SIDE = 320 };

/* How hard to look. Sides are fractions of the picture's shorter side. */
struct effort {
    int side_max;   /* the picture is shrunk until its shorter side is at most this */
    float face_min; /* smallest face looked for */
    double scale;   /* step between face sizes */
    int neighbours; /* overlapping hits that make a face */
};

static const struct effort efforts[] = {
    [FINDER_LIVE] = {.side_max = 300, .face_min = 0.1f, .scale = 1.1, .neighbours = 4},
    [FINDER_CAREFUL] = {.side_max = 720, .face_min = 0.06f, .scale = 1.08, .neighbours = 5},
};

/* Live pictures resemble each other: the whole is searched every FULL_EVERY times, or when a face
 * was lost; in between only the surroundings of the last faces, for sizes near theirs, and with
 * less proof asked for, since a face was there a moment ago. */
enum { FULL_EVERY = 6, NEAR_NEIGHBOURS = 2, NEAR_MAX = 8 };
static const float NEAR_MARGIN = 0.5f; /* of the face's side, on every side */
static const float NEAR_SMALLER = 0.75f;
static const float NEAR_LARGER = 1.35f;

/* Grey levels; a wall or a shadow that a cascade takes for a face has less contrast. */
static const double FLAT_DEVIATION = 10.0;

/* From the frame of the Haar and LBP cascades to that of FER-2013's pictures, measured by where the
 * eyes are in both (README.md, "Crop"): the side, and downwards, in sides of the cascade's box. */
static const float FRAME_GROW = 1.12f;
static const float FRAME_DROP = 0.02f;

/* OpenCV's training windows are 20 or 24 pixels wide; smaller faces can not be found. */
enum { WINDOW_MIN = 24 };

struct buffer {
    uint8_t *px;
    size_t bytes;
};

struct face_finder {
    struct cvc_cascade *cascade;
    struct cvc_cascade *second;     /* of the careful search; NULL: not needed yet, or not there */
    struct cvc_cascade *profile;    /* the same */
    struct buffer small;            /* the picture at working size */
    struct face_box last[NEAR_MAX]; /* of the last live search, in a picture of this size: */
    int last_count;
    int last_width, last_height;
    int since_full; /* live searches since the last of the whole picture */
};

static const struct {
    const char *name, *file;
} cascades[] = {
    {"haar", "haarcascades/haarcascade_frontalface_alt2.xml"},
    {"lbp", "lbpcascades/lbpcascade_frontalface.xml"},
};

/* The second opinion of the careful search: of 17 press photographs without a hit of "haar" this
 * one finds 14, and nothing in pictures without a face. Its boxes hold eyes to mouth only; they are
 * grown to the frame of the others, which the classifier was trained on (README.md, "Measured"). */
static const char second_cascade[] = "lbpcascades/lbpcascade_frontalface_improved.xml";
static const float SECOND_GROW = 1.45f;
static const float SECOND_RISE = 0.11f; /* of the small box's side, upwards */
enum { SECOND_NEIGHBOURS = 4 };

/* Of a head that looks to the left of the picture; its box reaches behind the head. Where both
 * cascades find a head, in 229 video frames, the frontal box has this part of its side and lies by
 * this part of it to the left (medians). */
static const char profile_cascade[] = "haarcascades/haarcascade_profileface.xml";
static const float PROFILE_GROW = 0.9f;
static const float PROFILE_LEFT = 0.16f;

/* Debian and Fedora, Arch, Homebrew on ARM and Intel, builds from source. */
static const char *const cascade_dirs[] = {"/usr/share/opencv4", "/usr/share/opencv",
                                           "/opt/homebrew/share/opencv4",
                                           "/usr/local/share/opencv4"};

bool face_finder_data(const char *file, char *out, size_t cap)
{
    for (size_t i = 0; i < sizeof cascade_dirs / sizeof cascade_dirs[0]; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", cascade_dirs[i], file);
        if (access(path, R_OK) == 0) {
            snprintf(out, cap, "%s", path);
            return true;
        }
    }
    return false;
}

bool face_finder_path(const char *cascade, char *out, size_t cap)
{
    const char *file = NULL;
    if (cascade == NULL)
        cascade = cascades[0].name;
    for (size_t i = 0; i < sizeof cascades / sizeof cascades[0]; i++)
        if (strcmp(cascade, cascades[i].name) == 0)
            file = cascades[i].file;
    snprintf(out, cap, "%s", cascade);
    if (file == NULL)
        return access(cascade, R_OK) == 0;
    return face_finder_data(file, out, cap);
}

int face_finder_open(struct face_finder **out, const char *cascade, struct err *err)
{
    char path[256];
    char why[160];
    if (!face_finder_path(cascade, path, sizeof path))
        return err_set(err, ERR_NOT_FOUND,
                       "%s: face cascade not found; install the package opencv-data, or give the "
                       "path of a cascade XML",
                       path);
    struct face_finder *f = mem_new(1, sizeof *f);
    if (cvc_cascade_open(&f->cascade, path, why, sizeof why) != CVC_OK) {
        free(f);
        return err_set(err, ERR_FORMAT, "%s: %s", path, why);
    }
    *out = f;
    return ERR_OK;
}

void face_finder_close(struct face_finder *f)
{
    if (f == NULL)
        return;
    cvc_cascade_close(f->cascade);
    cvc_cascade_close(f->second);
    cvc_cascade_close(f->profile);
    mem_free_aligned(f->small.px);
    free(f);
}

static int shorter(const struct gray_view *g)
{
    return g->width < g->height ? g->width : g->height;
}

static int reserve(struct buffer *b, size_t bytes, struct err *err)
{
    if (b->bytes >= bytes)
        return ERR_OK;
    mem_free_aligned(b->px);
    b->px = mem_try_aligned(bytes, 1);
    b->bytes = b->px != NULL ? bytes : 0;
    return b->px != NULL
               ? ERR_OK
               : err_set(err, ERR_NO_MEMORY, "no memory for a picture of %zu bytes", bytes);
}

/* The picture with its shorter side at most side_max; *out borrows gray or the finder's buffer. */
static int shrink(struct face_finder *f, const struct gray_view *gray, int side_max,
                  struct gray_view *out, struct err *err)
{
    char why[160];
    *out = *gray;
    if (shorter(gray) <= side_max)
        return ERR_OK;
    double k = (double)side_max / shorter(gray);
    int w = (int)(gray->width * k + 0.5);
    int h = (int)(gray->height * k + 0.5);
    int code = reserve(&f->small, (size_t)w * (size_t)h, err);
    if (code != ERR_OK)
        return code;
    *out = (struct gray_view){f->small.px, w, h, w};
    if (cvc_resize(gray->px, gray->width, gray->height, gray->stride, f->small.px, w, h, w, 1, why,
                   sizeof why) != CVC_OK)
        return err_set(err, ERR_FORMAT, "shrinking the picture: %s", why);
    return ERR_OK;
}

/* Standard deviation of the grey levels inside a hit. */
static double deviation(const struct gray_view *g, const struct cvc_rect *r)
{
    double sum = 0.0;
    double squares = 0.0;
    for (int y = r->y; y < r->y + r->h; y++) {
        const uint8_t *row = g->px + (size_t)y * (size_t)g->stride;
        for (int x = r->x; x < r->x + r->w; x++) {
            sum += row[x];
            squares += (double)row[x] * row[x];
        }
    }
    double n = (double)r->w * r->h;
    double mean = sum / n;
    return sqrt(fmax(squares / n - mean * mean, 0.0));
}

static int by_size(const void *a, const void *b)
{
    float d = ((const struct face_box *)b)->w - ((const struct face_box *)a)->w;
    return (d > 0.0f) - (d < 0.0f);
}

/* One face inside another is the same face seen twice: the larger one stays. */
static int drop_nested(struct face_box *faces, int n)
{
    int kept = 0;
    for (int i = 0; i < n; i++) {
        float cx = faces[i].x + 0.5f * faces[i].w;
        float cy = faces[i].y + 0.5f * faces[i].h;
        bool nested = false;
        for (int k = 0; k < kept && !nested; k++)
            nested = cx > faces[k].x && cx < faces[k].x + faces[k].w && cy > faces[k].y &&
                     cy < faces[k].y + faces[k].h;
        if (!nested)
            faces[kept++] = faces[i];
    }
    return kept;
}

/* A rectangle of the working picture to search, and for what. */
struct search {
    struct cvc_cascade *cascade;
    struct cvc_rect where;
    double scale;
    int neighbours;
    int min_side, max_side; /* pixels of the working picture; max_side 0: no limit */
};

/* Adds the faces of one search to faces[0 .. count), in pixels of the full picture, which is k
 * times as large; returns the new count. */
static int search(const struct gray_view *work, const struct search *s, float k,
                  struct face_box *faces, int count, struct err *err)
{
    struct cvc_rect hits[HITS_MAX];
    char why[160];
    const uint8_t *corner =
        work->px + (size_t)s->where.y * (size_t)work->stride + (size_t)s->where.x;
    int n = cvc_cascade_detect(s->cascade, corner, s->where.w, s->where.h, work->stride, s->scale,
                               s->neighbours, s->min_side < WINDOW_MIN ? WINDOW_MIN : s->min_side,
                               s->max_side, hits, NULL, HITS_MAX - count, why, sizeof why);
    if (n < 0)
        return err_set(err, ERR_FORMAT, "looking for faces: %s", why);
    for (int i = 0; i < n; i++) {
        struct cvc_rect r = {hits[i].x + s->where.x, hits[i].y + s->where.y, hits[i].w, hits[i].h};
        if (deviation(work, &r) >= FLAT_DEVIATION)
            faces[count++] = (struct face_box){(float)r.x * k, (float)r.y * k, (float)r.w * k,
                                               (float)r.h * k, 0.0f};
    }
    return count;
}

static int search_all(struct cvc_cascade *cascade, const struct gray_view *work,
                      const struct effort *e, float k, struct face_box *faces, struct err *err)
{
    struct search s = {
        .cascade = cascade,
        .where = {0, 0, work->width, work->height},
        .scale = e->scale,
        .neighbours = e->neighbours,
        .min_side = (int)((float)shorter(work) * e->face_min),
    };
    return search(work, &s, k, faces, 0, err);
}

/* The surroundings of a face, cut at the picture's edges. */
static struct cvc_rect surroundings(const struct face_box *b, const struct gray_view *work, float k)
{
    float x0 = fmaxf((b->x - NEAR_MARGIN * b->w) / k, 0.0f);
    float y0 = fmaxf((b->y - NEAR_MARGIN * b->h) / k, 0.0f);
    float x1 = fminf((b->x + (1.0f + NEAR_MARGIN) * b->w) / k, (float)work->width);
    float y1 = fminf((b->y + (1.0f + NEAR_MARGIN) * b->h) / k, (float)work->height);
    return (struct cvc_rect){(int)x0, (int)y0, (int)x1 - (int)x0, (int)y1 - (int)y0};
}

static int search_near(struct face_finder *f, const struct gray_view *work, float k,
                       struct face_box *faces, struct err *err)
{
    int count = 0;
    for (int i = 0; i < f->last_count; i++) {
        struct search s = {
            .cascade = f->cascade,
            .where = surroundings(&f->last[i], work, k),
            .scale = efforts[FINDER_LIVE].scale,
            .neighbours = NEAR_NEIGHBOURS,
            .min_side = (int)(f->last[i].w / k * NEAR_SMALLER),
            .max_side = (int)(f->last[i].w / k * NEAR_LARGER),
        };
        count = search(work, &s, k, faces, count, err);
        if (count < 0)
            return count;
    }
    return count;
}

/* A face found in `side` x side pixels of the picture seen through `window`, as one of the picture
 * itself. */
static void out_of_window(struct face_box *face, const struct face_box *window, int side)
{
    float step = window->w / (float)side;
    float right = (face->x + 0.5f * face->w) * step - 0.5f * window->w;
    float down = (face->y + 0.5f * face->h) * step - 0.5f * window->h;
    float c = cosf(window->roll);
    float s = sinf(window->roll);
    face->w *= step;
    face->h *= step;
    face->x = window->x + 0.5f * window->w + right * c - down * s - 0.5f * face->w;
    face->y = window->y + 0.5f * window->h + right * s + down * c - 0.5f * face->h;
    face->roll = window->roll;
}

/* Where a tilted head is looked for that stood upright a moment ago, or was tilted like this. */
static const float TILT = 0.35f; /* radians; a cascade bears about as much to either side */
static const float TILT_MAX = 0.8f;
enum { TILT_SIDE = 120, TILT_NEIGHBOURS = 3 };

/* The surroundings of a face, turned upright by `roll`; returns the new count. */
static int search_tilted(struct face_finder *f, const struct gray_view *gray,
                         const struct face_box *last, float roll, struct face_box *faces, int count,
                         struct err *err)
{
    uint8_t px[TILT_SIDE * TILT_SIDE];
    struct gray_view work = {px, TILT_SIDE, TILT_SIDE, TILT_SIDE};
    float margin = NEAR_MARGIN * last->w, side = last->w + 2.0f * margin;
    float face = TILT_SIDE * last->w / side;
    struct face_box window = {last->x - margin, last->y - margin, side, side, roll};
    struct search s = {
        .cascade = f->cascade,
        .where = {0, 0, TILT_SIDE, TILT_SIDE},
        .scale = efforts[FINDER_LIVE].scale,
        .neighbours = TILT_NEIGHBOURS,
        .min_side = (int)(face * NEAR_SMALLER),
        .max_side = (int)(face * NEAR_LARGER),
    };
    preprocess_crop(gray, &window, 0.0f, TILT_SIDE, px);
    int n = search(&work, &s, 1.0f, faces, count, err);
    for (int i = count; i < n; i++)
        out_of_window(&faces[i], &window, TILT_SIDE);
    return n;
}

/* The last faces at the tilt they had, else at the next ones to either side. */
static int search_all_tilted(struct face_finder *f, const struct gray_view *gray,
                             struct face_box *faces, struct err *err)
{
    int count = 0;
    for (int i = 0; i < f->last_count && count >= 0; i++) {
        const struct face_box *last = &f->last[i];
        const float rolls[] = {last->roll, last->roll + TILT, last->roll - TILT};
        int before = count;
        for (int k = last->roll == 0.0f ? 1 : 0; k < 3 && count == before; k++)
            if (fabsf(rolls[k]) > 0.5f * TILT && fabsf(rolls[k]) < TILT_MAX)
                count = search_tilted(f, gray, last, rolls[k], faces, count, err);
    }
    return count;
}

/* Sorts by size and removes doubles. */
static int tidy(struct face_box *faces, int count)
{
    qsort(faces, (size_t)count, sizeof faces[0], by_size);
    return drop_nested(faces, count);
}

static int search_live(struct face_finder *f, const struct gray_view *gray,
                       const struct gray_view *work, float k, struct face_box *faces,
                       struct err *err)
{
    if (f->last_count > 0 && ++f->since_full < FULL_EVERY) {
        int count = search_near(f, work, k, faces, err);
        if (count == 0)
            count = search_all_tilted(f, gray, faces, err);
        if (count >= 0)
            count = tidy(faces, count);
        if (count < 0 || count >= f->last_count)
            return count;
    }
    f->since_full = 0;
    int count = search_all(f->cascade, work, &efforts[FINDER_LIVE], k, faces, err);
    if (count == 0)
        count = search_all_tilted(f, gray, faces, err);
    return count < 0 ? count : tidy(faces, count);
}

static void remember(struct face_finder *f, const struct gray_view *gray,
                     const struct face_box *faces, int count)
{
    f->last_count = count < NEAR_MAX ? count : NEAR_MAX;
    f->last_width = gray->width;
    f->last_height = gray->height;
    memcpy(f->last, faces, sizeof faces[0] * (size_t)f->last_count);
}

/* false: OpenCV's data has no such file. */
static bool open_lazily(struct cvc_cascade **cascade, const char *file)
{
    char path[256];
    char why[160];
    if (*cascade == NULL && face_finder_data(file, path, sizeof path))
        cvc_cascade_open(cascade, path, why, sizeof why);
    return *cascade != NULL;
}

/* Larger by this factor, and moved by parts of the old side to the face's right and down. */
static void reframe(struct face_box *face, float grow, float right, float down)
{
    float c = cosf(face->roll);
    float s = sinf(face->roll);
    face->x += (right * c - down * s - 0.5f * (grow - 1.0f)) * face->w;
    face->y += (right * s + down * c - 0.5f * (grow - 1.0f)) * face->h;
    face->w *= grow;
    face->h *= grow;
}

static int search_second(struct face_finder *f, const struct gray_view *work, float k,
                         struct face_box *faces, struct err *err)
{
    struct effort effort = efforts[FINDER_CAREFUL];
    if (!open_lazily(&f->second, second_cascade))
        return 0;
    effort.neighbours = SECOND_NEIGHBOURS;
    int count = search_all(f->second, work, &effort, k, faces, err);
    for (int i = 0; i < count; i++)
        reframe(&faces[i], SECOND_GROW, 0.0f, -SECOND_RISE);
    return count;
}

/* The picture in a square with room around it, of its longer side (its edge is repeated), turned
 * by `roll`. */
static int look(struct face_finder *f, const struct gray_view *gray, float roll, float room,
                struct face_box *window, struct gray_view *work, struct err *err)
{
    float side = (float)(gray->width > gray->height ? gray->width : gray->height);
    float wide = side * (1.0f + 2.0f * room);
    int code = reserve(&f->small, (size_t)LOOK_SIDE * LOOK_SIDE, err);
    if (code != ERR_OK)
        return code;
    *work = (struct gray_view){f->small.px, LOOK_SIDE, LOOK_SIDE, LOOK_SIDE};
    *window = (struct face_box){0.5f * ((float)gray->width - wide),
                                0.5f * ((float)gray->height - wide), wide, wide, roll};
    preprocess_crop(gray, window, 0.0f, LOOK_SIDE, f->small.px);
    return ERR_OK;
}

/* The last looks of the careful search, when the picture as it stands shows no face: with room
 * around it, for a face cut off tightly, and turned, for a tilted head or a picture on its side,
 * with more proof for a face. */
static const struct {
    float roll; /* radians */
    float room;
    int neighbours;
} looks[] = {{0.0f, 0.2f, 6},  {0.35f, 0.2f, 8}, {-0.35f, 0.2f, 8}, {0.7f, 0.0f, 8},
             {-0.7f, 0.0f, 8}, {1.57f, 0.0f, 8}, {-1.57f, 0.0f, 8}};

static int search_turned(struct face_finder *f, const struct gray_view *gray,
                         struct face_box *faces, struct err *err)
{
    int count = 0;
    for (size_t i = 0; i < sizeof looks / sizeof looks[0] && count == 0; i++) {
        struct face_box window;
        struct gray_view work;
        struct effort effort = {.face_min = 0.15f, .scale = 1.1, .neighbours = looks[i].neighbours};
        count = look(f, gray, looks[i].roll, looks[i].room, &window, &work, err);
        if (count == ERR_OK)
            count = search_all(f->cascade, &work, &effort, 1.0f, faces, err);
        for (int k = 0; k < count; k++)
            out_of_window(&faces[k], &window, LOOK_SIDE);
    }
    return count;
}

/* Left and right change places in side x side pixels. */
static void mirror(uint8_t *px, int side)
{
    for (uint8_t *row = px; row < px + side * side; row += side)
        for (int x = 0; x < side / 2; x++) {
            uint8_t left = row[x];
            row[x] = row[side - 1 - x];
            row[side - 1 - x] = left;
        }
}

static const struct effort profile_effort = {.face_min = 0.2f, .scale = 1.1, .neighbours = 4};

/* Heads that are turned to the side: to the left of the picture, then to the right. */
static int search_profiles(struct face_finder *f, const struct gray_view *gray,
                           struct face_box *faces, struct err *err)
{
    struct face_box window;
    struct gray_view work;
    if (!open_lazily(&f->profile, profile_cascade))
        return 0;
    int count = look(f, gray, 0.0f, looks[0].room, &window, &work, err);
    for (int right = 0; right < 2 && count == 0; right++) {
        if (right)
            mirror(f->small.px, LOOK_SIDE);
        count = search_all(f->profile, &work, &profile_effort, 1.0f, faces, err);
        for (int i = 0; i < count; i++) {
            reframe(&faces[i], PROFILE_GROW, -PROFILE_LEFT, 0.0f);
            if (right)
                faces[i].x = LOOK_SIDE - faces[i].x - faces[i].w;
            out_of_window(&faces[i], &window, LOOK_SIDE);
        }
    }
    return count;
}

static int search_careful(struct face_finder *f, const struct gray_view *gray,
                          const struct gray_view *work, float k, struct face_box *faces,
                          struct err *err)
{
    int count = search_all(f->cascade, work, &efforts[FINDER_CAREFUL], k, faces, err);
    if (count == 0)
        count = search_second(f, work, k, faces, err);
    if (count == 0)
        count = search_turned(f, gray, faces, err);
    if (count == 0)
        count = search_profiles(f, gray, faces, err);
    return count < 0 ? count : tidy(faces, count);
}

/* Copies at most `max` faces, in FER-2013's frame. */
static int give_out(const struct face_box *faces, int count, struct face_box *out, int max)
{
    if (count > max)
        count = max;
    for (int i = 0; i < count; i++) {
        out[i] = faces[i];
        reframe(&out[i], FRAME_GROW, 0.0f, FRAME_DROP);
    }
    return count;
}

int face_finder_find(struct face_finder *f, const struct gray_view *gray, enum finder_effort effort,
                     struct face_box *out, int max, struct err *err)
{
    struct gray_view work;
    struct face_box faces[HITS_MAX];
    int count = shrink(f, gray, efforts[effort].side_max, &work, err);
    if (count < 0)
        return count;
    float k = (float)gray->width / (float)work.width;
    if (effort == FINDER_LIVE) {
        if (gray->width != f->last_width || gray->height != f->last_height)
            f->last_count = 0;
        count = search_live(f, gray, &work, k, faces, err);
        remember(f, gray, faces, count < 0 ? 0 : count);
    } else {
        count = search_careful(f, gray, &work, k, faces, err);
    }
    return give_out(faces, count, out, max);
}
