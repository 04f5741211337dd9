/* Crop, scale, normalise; metadata in and out; raw outputs to readings. */
#include "vision/preprocess.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "nn/graph.h"

/* Samples per output pixel and axis; beyond it a huge face is sampled sparsely. */
enum { SAMPLES_MAX = 16 };

static const char ferplus_names[] =
    "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,nf";

struct preprocess preprocess_defaults(void)
{
    struct preprocess p = {
        .side = 48,
        .channels = 1,
        .mean = 0.5f,
        .std = 0.5f,
        .margin = PREPROCESS_MARGIN,
        .temperature = 1.0f,
    };
    for (int e = 0; e < EMOTION_COUNT; e++)
        p.order[e] = (enum emotion)e;
    return p;
}

/* ---- metadata ---- */

/* Copies the next name of a comma-separated list, without blanks around it; false: the end. */
static bool next_name(const char **list, char *out, size_t cap)
{
    const char *s = *list;
    if (s == NULL)
        return false;
    s += strspn(s, " ");
    size_t n = strcspn(s, ",");
    const char *rest = s[n] == ',' ? s + n + 1 : NULL;
    while (n > 0 && s[n - 1] == ' ')
        n--;
    snprintf(out, cap, "%.*s", (int)n, s);
    *list = rest;
    return true;
}

static int read_labels(struct preprocess *out, const char *labels, struct err *err)
{
    char name[32];
    unsigned seen = 0;
    int n = 0;
    if (labels == NULL)
        return err_set(err, ERR_FORMAT, "the model has no metadata `labels`");
    while (next_name(&labels, name, sizeof name)) {
        enum emotion e;
        if (!emotion_parse(name, &e))
            return err_set(err, ERR_FORMAT, "metadata `labels`: unknown emotion '%s'", name);
        if (n == EMOTION_COUNT || seen & 1u << e)
            return err_set(err, ERR_FORMAT, "metadata `labels`: '%s' is one too many", name);
        seen |= 1u << e;
        out->order[n++] = e;
    }
    if (n != EMOTION_COUNT)
        return err_set(err, ERR_FORMAT, "metadata `labels` names %d emotions instead of %d", n,
                       EMOTION_COUNT);
    return ERR_OK;
}

static int read_ferplus(struct preprocess *out, const char *labels, struct err *err)
{
    char name[32];
    out->ferplus_count = 0;
    while (next_name(&labels, name, sizeof name)) {
        enum emotion e;
        bool none = strcmp(name, "contempt") == 0 || strcmp(name, "unknown") == 0 ||
                    strcmp(name, "nf") == 0;
        if (out->ferplus_count == FERPLUS_MAX || (!none && !emotion_parse(name, &e)))
            return err_set(err, ERR_FORMAT, "metadata `ferplus_labels`: unexpected '%s'", name);
        out->ferplus[out->ferplus_count++] = none ? FERPLUS_NONE : (int)e;
    }
    return ERR_OK;
}

/* Reads one number; an absent key is an error unless *out holds a value worth keeping. */
static int read_number(const struct nn_graph *g, const char *key, bool optional, double min,
                       double max, float *out, struct err *err)
{
    double value;
    const char *text = nn_graph_meta(g, key);
    if (text == NULL)
        return optional ? ERR_OK : err_set(err, ERR_FORMAT, "the model has no metadata `%s`", key);
    if (!parse_f64(text, min, max, &value))
        return err_set(err, ERR_RANGE, "metadata `%s` is '%s', expected a number from %g to %g",
                       key, text, min, max);
    *out = (float)value;
    return ERR_OK;
}

int preprocess_from_graph(struct preprocess *out, const struct nn_graph *g, struct err *err)
{
    struct preprocess p = preprocess_defaults();
    float side = 0.0f;
    float channels = 1.0f;
    int code;
    if ((code = read_labels(&p, nn_graph_meta(g, "labels"), err)) < 0 ||
        (code = read_ferplus(&p, nn_graph_meta(g, "ferplus_labels"), err)) < 0 ||
        (code = read_number(g, "input_size", false, 8, PREPROCESS_SIDE_MAX, &side, err)) < 0 ||
        (code = read_number(g, "input_channels", true, 1, 3, &channels, err)) < 0 ||
        (code = read_number(g, "mean", false, -10, 10, &p.mean, err)) < 0 ||
        (code = read_number(g, "std", false, 1e-3, 10, &p.std, err)) < 0 ||
        (code = read_number(g, "crop_margin", true, -0.4, 2, &p.margin, err)) < 0 ||
        (code = read_number(g, "temperature", true, 0.05, 20, &p.temperature, err)) < 0)
        return code;
    p.side = (int)side;
    p.channels = (int)channels;
    if ((float)p.side != side || (p.channels != 1 && p.channels != 3))
        return err_set(err, ERR_RANGE,
                       "metadata `input_size` must be a whole number and `input_channels` 1 or 3");
    *out = p;
    return ERR_OK;
}

static void set_number(struct nn_graph *g, const char *key, double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.9g", value);
    nn_graph_set_meta(g, key, text);
}

void preprocess_to_graph(const struct preprocess *p, struct nn_graph *g)
{
    struct str labels = {0};
    for (int i = 0; i < EMOTION_COUNT; i++)
        str_addf(&labels, "%s%s", i > 0 ? "," : "", emotion_name(p->order[i]));
    nn_graph_set_meta(g, "labels", labels.s);
    str_free(&labels);
    set_number(g, "input_size", p->side);
    set_number(g, "input_channels", p->channels);
    set_number(g, "mean", p->mean);
    set_number(g, "std", p->std);
    set_number(g, "crop_margin", p->margin);
    set_number(g, "temperature", p->temperature);
    if (p->ferplus_count > 0)
        nn_graph_set_meta(g, "ferplus_labels", ferplus_names);
}

/* ---- pixels ---- */

static float at(const struct gray_view *g, int x, int y)
{
    x = x < 0 ? 0 : x >= g->width ? g->width - 1 : x;
    y = y < 0 ? 0 : y >= g->height ? g->height - 1 : y;
    return (float)g->px[(size_t)y * (size_t)g->stride + (size_t)x];
}

/* Bilinear between the four pixel centres around (x, y); the edge is repeated outside. */
static float sample(const struct gray_view *g, float x, float y)
{
    float fx = floorf(x);
    float fy = floorf(y);
    int x0 = (int)fx;
    int y0 = (int)fy;
    float u = x - fx;
    float v = y - fy;
    float top = at(g, x0, y0) * (1.0f - u) + at(g, x0 + 1, y0) * u;
    float bottom = at(g, x0, y0 + 1) * (1.0f - u) + at(g, x0 + 1, y0 + 1) * u;
    return top * (1.0f - v) + bottom * v;
}

/* A parallelogram of the picture: its centre and the steps from one output pixel to the next. */
struct patch {
    float cx, cy;
    float right_x, right_y;
    float down_x, down_y;
};

static int samples_for(float step_x, float step_y)
{
    int n = (int)ceilf(hypotf(step_x, step_y) - 1e-3f);
    return n < 1 ? 1 : n > SAMPLES_MAX ? SAMPLES_MAX : n;
}

/* Each output pixel is the mean of enough samples to see every source pixel under it. */
static void scale_patch(const struct gray_view *g, const struct patch *p, int side, uint8_t *out)
{
    int nx = samples_for(p->right_x, p->right_y);
    int ny = samples_for(p->down_x, p->down_y);
    float half = 0.5f * (float)side;
    for (int j = 0; j < side; j++)
        for (int i = 0; i < side; i++) {
            float sum = 0.0f;
            for (int sj = 0; sj < ny; sj++)
                for (int si = 0; si < nx; si++) {
                    float u = (float)i + ((float)si + 0.5f) / (float)nx - half;
                    float v = (float)j + ((float)sj + 0.5f) / (float)ny - half;
                    /* -0.5: pixel k is centred at k + 0.5 */
                    sum += sample(g, p->cx + u * p->right_x + v * p->down_x - 0.5f,
                                  p->cy + u * p->right_y + v * p->down_y - 0.5f);
                }
            out[j * side + i] = (uint8_t)(sum / (float)(nx * ny) + 0.5f);
        }
}

void preprocess_crop(const struct gray_view *gray, const struct face_box *face, float margin,
                     int side, uint8_t *out)
{
    float longer = face->w > face->h ? face->w : face->h;
    float step = longer * (1.0f + 2.0f * margin) / (float)side;
    float c = cosf(face->roll) * step;
    float s = sinf(face->roll) * step;
    struct patch p = {face->x + 0.5f * face->w, face->y + 0.5f * face->h, c, s, -s, c};
    scale_patch(gray, &p, side, out);
}

void preprocess_resize(const struct gray_view *gray, int side, uint8_t *out)
{
    float w = (float)gray->width;
    float h = (float)gray->height;
    struct patch p = {0.5f * w, 0.5f * h, w / (float)side, 0.0f, 0.0f, h / (float)side};
    scale_patch(gray, &p, side, out);
}

void preprocess_normalise(const struct preprocess *p, const uint8_t *crop, bool mirrored, float *x)
{
    float scale = 1.0f / (255.0f * p->std);
    float shift = -p->mean / p->std;
    int side = p->side;
    for (int j = 0; j < side; j++)
        for (int i = 0; i < side; i++)
            x[j * side + i] = (float)crop[j * side + (mirrored ? side - 1 - i : i)] * scale + shift;
    for (int c = 1; c < p->channels; c++)
        memcpy(x + (size_t)c * (size_t)(side * side), x, sizeof *x * (size_t)(side * side));
}

/* ---- outputs ---- */

static void softmax(const float *logits, int n, float temperature, float *out)
{
    float max = logits[0];
    float sum = 0.0f;
    for (int i = 1; i < n; i++)
        max = fmaxf(max, logits[i]);
    for (int i = 0; i < n; i++)
        sum += out[i] = expf((logits[i] - max) / temperature);
    for (int i = 0; i < n; i++)
        out[i] /= sum;
}

/* Softmax gives a head's belief under the shares its classes had in training, and disgust or fear
 * is next to never believed. Dividing by the shares would suit faces of which every class is as
 * frequent (Saerens et al., "Adjusting the outputs of a classifier to new a priori probabilities",
 * 2002, equation 2.4); by a power of them goes a part of the way. Powers and weight were measured
 * (README.md, "Two heads"). Shares in the order of enum emotion: FER-2013's labels, and the FER+
 * votes that went to one of the seven. */
static const float label_share[] = {0.139f, 0.015f, 0.143f, 0.251f, 0.168f, 0.110f, 0.173f};
static const float vote_share[] = {0.084f, 0.016f, 0.036f, 0.275f, 0.144f, 0.124f, 0.320f};

static const float label_power = 0.5f, vote_power = 0.75f;
static const float vote_weight = 1.5f; /* of the FER+ head; the label head's is 1 */

static void even_out(struct emotion_scores *s, const float *share, float power)
{
    for (int e = 0; e < EMOTION_COUNT; e++)
        s->p[e] /= powf(share[e], power);
    emotion_normalise(s);
}

void preprocess_reading(const struct preprocess *p, const float *logits, const float *ferplus,
                        struct reading *out)
{
    float prob[FERPLUS_MAX];
    struct emotion_scores votes = {0};
    memset(out, 0, sizeof *out);
    softmax(logits, EMOTION_COUNT, p->temperature, prob);
    for (int i = 0; i < EMOTION_COUNT; i++)
        out->scores.p[p->order[i]] = prob[i];
    even_out(&out->scores, label_share, label_power);
    if (ferplus == NULL || p->ferplus_count == 0)
        return;
    softmax(ferplus, p->ferplus_count, 1.0f, prob);
    for (int i = 0; i < p->ferplus_count; i++) {
        if (p->ferplus[i] == FERPLUS_NONE)
            out->unknown += prob[i];
        else
            votes.p[p->ferplus[i]] += prob[i];
    }
    even_out(&votes, vote_share, vote_power);
    float weight = vote_weight * (1.0f - out->unknown);
    emotion_blend(&out->scores, &votes, weight / (1.0f + weight));
}
