/* Fontconfig for files, SDL2_ttf for glyphs, runs in between. */
#include "ui/fonts.h"

#include <SDL_ttf.h>
#include <fontconfig/fontconfig.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { WEIGHTS = 2, FACES_MAX = 24, RUNS_MAX = 32, WIDTHS = 4096 };

/* One font file. */
struct face {
    char *path;
    int index;
    FcCharSet *chars;            /* what it can draw; NULL: not known, asked of SDL2_ttf */
    TTF_Font *at[UI_FONT_COUNT]; /* opened when first needed, at the current scale */
};

struct chain {
    struct face face[FACES_MAX]; /* 0 is the chosen one, the others were needed by some text */
    int count;
    FcFontSet *others; /* all fonts, best first; made when a character is missing */
};

struct width {
    char *text;
    enum ui_font font;
    float width;
};

struct fonts {
    struct chain chain[WEIGHTS];
    float scale;
    struct width widths[WIDTHS]; /* direct-mapped cache */
};

/* A piece of text in one file and one script. */
struct run {
    const char *s;
    size_t n;
    int face;
    const struct script *script;
};

static const struct script {
    uint32_t first, last;
    const char *name; /* ISO 15924 */
    bool rtl;
} scripts[] = {
    {0x0370, 0x03FF, "Grek", false}, {0x0400, 0x052F, "Cyrl", false},
    {0x0530, 0x058F, "Armn", false}, {0x0590, 0x05FF, "Hebr", true},
    {0x0600, 0x06FF, "Arab", true},  {0x0750, 0x077F, "Arab", true},
    {0x08A0, 0x08FF, "Arab", true},  {0x0900, 0x097F, "Deva", false},
    {0x0980, 0x09FF, "Beng", false}, {0x0A00, 0x0A7F, "Guru", false},
    {0x0A80, 0x0AFF, "Gujr", false}, {0x0B80, 0x0BFF, "Taml", false},
    {0x0C00, 0x0C7F, "Telu", false}, {0x0C80, 0x0CFF, "Knda", false},
    {0x0D00, 0x0D7F, "Mlym", false}, {0x0E00, 0x0E7F, "Thai", false},
    {0x3040, 0x30FF, "Hira", false}, {0x3400, 0x9FFF, "Hani", false},
    {0xAC00, 0xD7AF, "Hang", false}, {0xFB50, 0xFDFF, "Arab", true},
    {0xFE70, 0xFEFF, "Arab", true},
};
static const struct script latin = {0, 0, "Latn", false};

/* ---- files ---- */

static void face_close_sizes(struct face *face)
{
    for (int i = 0; i < UI_FONT_COUNT; i++) {
        if (face->at[i])
            TTF_CloseFont(face->at[i]);
        face->at[i] = NULL;
    }
}

static void face_from_pattern(struct face *face, FcPattern *p)
{
    FcChar8 *file = NULL;
    FcCharSet *chars = NULL;
    FcPatternGetString(p, FC_FILE, 0, &file);
    FcPatternGetInteger(p, FC_INDEX, 0, &face->index);
    FcPatternGetCharSet(p, FC_CHARSET, 0, &chars);
    face->path = mem_strdup(file ? (const char *)file : "");
    face->index &= 0xFFFF; /* the upper half numbers instances of variable fonts */
    face->chars = chars ? FcCharSetCopy(chars) : NULL;
}

static FcPattern *wanted(const char *family, int weight)
{
    static const char *const families[] = {"Inter", "Noto Sans", "DejaVu Sans"};
    FcPattern *p = FcPatternCreate();
    if (family)
        FcPatternAddString(p, FC_FAMILY, (const FcChar8 *)family);
    for (int i = 0; i < 3; i++)
        FcPatternAddString(p, FC_FAMILY, (const FcChar8 *)families[i]);
    FcPatternAddInteger(p, FC_WEIGHT, weight ? FC_WEIGHT_DEMIBOLD : FC_WEIGHT_REGULAR);
    FcPatternAddInteger(p, FC_SLANT, FC_SLANT_ROMAN);
    FcPatternAddBool(p, FC_SCALABLE, FcTrue);
    FcConfigSubstitute(NULL, p, FcMatchPattern);
    FcDefaultSubstitute(p);
    return p;
}

static bool is_file(const char *choice)
{
    static const char *const endings[] = {".ttf", ".otf", ".ttc"};
    size_t n = strlen(choice);
    for (int i = 0; i < 3; i++)
        if (n > 4 && strcmp(choice + n - 4, endings[i]) == 0)
            return true;
    return strchr(choice, '/') != NULL;
}

/* Fontconfig answers every wish with some font; who names one wants that one. */
static bool is_family(const char *name)
{
    static const char *const generic[] = {"sans-serif", "sans", "serif", "monospace", "system-ui"};
    for (int i = 0; i < 5; i++)
        if (strcmp(name, generic[i]) == 0)
            return true;
    FcPattern *p = FcPatternCreate();
    FcPatternAddString(p, FC_FAMILY, (const FcChar8 *)name);
    FcObjectSet *what = FcObjectSetCreate();
    FcObjectSetAdd(what, FC_FILE);
    FcFontSet *found = FcFontList(NULL, p, what);
    bool any = found && found->nfont > 0;
    if (found)
        FcFontSetDestroy(found);
    FcObjectSetDestroy(what);
    FcPatternDestroy(p);
    return any;
}

static int chain_begin(struct chain *c, const char *choice, int weight, struct err *err)
{
    c->count = 1;
    if (choice && !is_file(choice) && !is_family(choice))
        return err_set(err, ERR_NOT_FOUND,
                       "%s: no such font is installed; `fc-list : family` names those that are",
                       choice);
    if (choice && is_file(choice)) {
        c->face[0].path = mem_strdup(choice);
        return ERR_OK;
    }
    FcResult result;
    FcPattern *p = wanted(choice, weight);
    FcPattern *found = FcFontMatch(NULL, p, &result);
    FcPatternDestroy(p);
    if (!found)
        return err_set(err, ERR_NOT_FOUND,
                       "no font is installed; install the package fonts-dejavu-core");
    face_from_pattern(&c->face[0], found);
    FcPatternDestroy(found);
    return ERR_OK;
}

static TTF_Font *font_at(struct fonts *f, struct face *face, enum ui_font font)
{
    if (!face->at[font]) {
        int pixels = (int)lroundf(ui_font_tokens[font].size * f->scale);
        face->at[font] = TTF_OpenFontIndex(face->path, pixels > 4 ? pixels : 4, face->index);
        if (face->at[font])
            TTF_SetFontHinting(face->at[font], TTF_HINTING_LIGHT);
    }
    return face->at[font];
}

static int check_file(struct fonts *f, int weight, struct err *err)
{
    struct face *face = &f->chain[weight].face[0];
    if (font_at(f, face, weight ? UI_STRONG : UI_BODY))
        return ERR_OK;
    return err_set(err, ERR_FORMAT, "%s: not a usable font (%s)", face->path, TTF_GetError());
}

int fonts_create(struct fonts **out, const char *choice, struct err *err)
{
    struct fonts *f = mem_new(1, sizeof *f);
    int code = ERR_OK;
    *out = NULL;
    f->scale = 1.0f;
    if (TTF_Init() < 0) {
        free(f);
        return err_set(err, ERR_IO, "no text: %s", TTF_GetError());
    }
    for (int w = 0; w < WEIGHTS && code == ERR_OK; w++) {
        code = chain_begin(&f->chain[w], choice, w, err);
        if (code == ERR_OK)
            code = check_file(f, w, err);
    }
    if (code < 0) {
        fonts_destroy(f);
        return code;
    }
    *out = f;
    return ERR_OK;
}

static void forget_widths(struct fonts *f)
{
    for (int i = 0; i < WIDTHS; i++) {
        free(f->widths[i].text);
        f->widths[i].text = NULL;
    }
}

void fonts_destroy(struct fonts *f)
{
    if (!f)
        return;
    for (int w = 0; w < WEIGHTS; w++) {
        struct chain *c = &f->chain[w];
        for (int i = 0; i < c->count; i++) {
            face_close_sizes(&c->face[i]);
            free(c->face[i].path);
            if (c->face[i].chars)
                FcCharSetDestroy(c->face[i].chars);
        }
        if (c->others)
            FcFontSetDestroy(c->others);
    }
    forget_widths(f);
    free(f);
    TTF_Quit();
}

void fonts_set_scale(struct fonts *f, float scale)
{
    if (scale == f->scale)
        return;
    f->scale = scale;
    for (int w = 0; w < WEIGHTS; w++)
        for (int i = 0; i < f->chain[w].count; i++)
            face_close_sizes(&f->chain[w].face[i]);
    forget_widths(f);
}

const char *fonts_file(const struct fonts *f)
{
    return f->chain[0].face[0].path;
}

/* ---- runs ---- */

static uint32_t next_char(const char **s, const char *end)
{
    const unsigned char *p = (const unsigned char *)*s;
    int more = *p < 0xC0 ? 0 : *p < 0xE0 ? 1 : *p < 0xF0 ? 2 : 3;
    uint32_t c = more == 0 ? *p : *p & (0x3Fu >> more);
    (*s)++;
    for (; more > 0 && *s < end; more--)
        c = c << 6 | ((unsigned char)*(*s)++ & 0x3Fu);
    return c;
}

static const struct script *script_of(uint32_t c)
{
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        if (c >= scripts[i].first && c <= scripts[i].last)
            return &scripts[i];
    return &latin;
}

/* Spaces, digits and punctuation belong to whatever script stands around them. */
static bool is_common(uint32_t c)
{
    return c < 'A' || (c > 'Z' && c < 'a') || (c > 'z' && c < 0xC0) ||
           (c >= 0x2000 && c < 0x2070) || (c >= 0x0300 && c < 0x0370);
}

static bool face_has(struct fonts *f, struct face *face, enum ui_font font, uint32_t c)
{
    if (face->chars)
        return FcCharSetHasChar(face->chars, c);
    TTF_Font *ttf = font_at(f, face, font);
    return ttf && TTF_GlyphIsProvided32(ttf, c);
}

static int chain_extend(struct chain *c, int weight, uint32_t ch)
{
    if (!c->others) {
        FcResult result;
        FcPattern *p = wanted(NULL, weight);
        c->others = FcFontSort(NULL, p, FcTrue, NULL, &result);
        FcPatternDestroy(p);
    }
    for (int i = 0; c->others && i < c->others->nfont && c->count < FACES_MAX; i++) {
        FcCharSet *chars = NULL;
        FcBool scalable = FcFalse;
        FcPattern *p = c->others->fonts[i];
        FcPatternGetBool(p, FC_SCALABLE, 0, &scalable);
        if (FcPatternGetCharSet(p, FC_CHARSET, 0, &chars) == FcResultMatch && scalable &&
            FcCharSetHasChar(chars, ch)) {
            face_from_pattern(&c->face[c->count], p);
            return c->count++;
        }
    }
    return 0; /* nobody has it: the first font draws its "missing" box */
}

static int face_for(struct fonts *f, enum ui_font font, uint32_t ch)
{
    int weight = ui_font_tokens[font].semibold;
    struct chain *c = &f->chain[weight];
    for (int i = 0; i < c->count; i++)
        if (face_has(f, &c->face[i], font, ch))
            return i;
    return chain_extend(c, weight, ch);
}

/* Cuts text into runs, in reading order from left to right on the screen. Returns how many. */
static int split(struct fonts *f, enum ui_font font, const char *s, size_t n, struct run *runs)
{
    const char *end = s + n;
    int count = 0;
    while (s < end) {
        const char *start = s;
        uint32_t ch = next_char(&s, end);
        struct run *last = count > 0 ? &runs[count - 1] : NULL;
        bool common = is_common(ch);
        struct face *faces = f->chain[ui_font_tokens[font].semibold].face;
        if (last && common && face_has(f, &faces[last->face], font, ch)) {
            last->n += (size_t)(s - start);
            continue;
        }
        const struct script *script = common && last ? last->script : script_of(ch);
        int face = face_for(f, font, ch);
        if (last && ((last->face == face && last->script == script) || count == RUNS_MAX))
            last->n += (size_t)(s - start);
        else
            runs[count++] = (struct run){start, (size_t)(s - start), face, script};
    }
    for (int i = 0; count > 0 && runs[0].script->rtl && i < count / 2; i++) {
        struct run swap = runs[i];
        runs[i] = runs[count - 1 - i];
        runs[count - 1 - i] = swap;
    }
    return count;
}

static TTF_Font *run_font(struct fonts *f, enum ui_font font, const struct run *r)
{
    TTF_Font *ttf = font_at(f, &f->chain[ui_font_tokens[font].semibold].face[r->face], font);
    if (ttf) {
        TTF_SetFontScriptName(ttf, r->script->name);
        TTF_SetFontDirection(ttf, r->script->rtl ? TTF_DIRECTION_RTL : TTF_DIRECTION_LTR);
    }
    return ttf;
}

static int run_pixels(struct fonts *f, enum ui_font font, const struct run *r)
{
    int w = 0;
    TTF_Font *ttf = run_font(f, font, r);
    char *text = mem_strndup(r->s, r->n);
    if (ttf)
        TTF_SizeUTF8(ttf, text, &w, NULL);
    free(text);
    return w;
}

static uint32_t hash_text(const char *s, size_t n, enum ui_font font)
{
    uint32_t h = 2166136261u ^ (uint32_t)font; /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)s[i]) * 16777619u;
    return h;
}

float fonts_width(struct fonts *f, enum ui_font font, const char *s, size_t n)
{
    struct width *w = &f->widths[hash_text(s, n, font) % WIDTHS];
    if (w->text && w->font == font && strlen(w->text) == n && memcmp(w->text, s, n) == 0)
        return w->width;
    struct run runs[RUNS_MAX];
    int count = split(f, font, s, n, runs), pixels = 0;
    for (int i = 0; i < count; i++)
        pixels += run_pixels(f, font, &runs[i]);
    free(w->text);
    *w = (struct width){mem_strndup(s, n), font, (float)pixels / f->scale};
    return w->width;
}

/* ---- pictures of text ---- */

static SDL_Surface *render_run(struct fonts *f, enum ui_font font, const struct run *r, int *ascent)
{
    static const SDL_Color white = {255, 255, 255, 255};
    TTF_Font *ttf = run_font(f, font, r);
    char *text = mem_strndup(r->s, r->n);
    SDL_Surface *made = ttf ? TTF_RenderUTF8_Blended(ttf, text, white) : NULL;
    free(text);
    *ascent = ttf ? TTF_FontAscent(ttf) : 0;
    return made;
}

SDL_Surface *fonts_render(struct fonts *f, enum ui_font font, const char *s, int *baseline)
{
    struct run runs[RUNS_MAX];
    SDL_Surface *piece[RUNS_MAX], *line = NULL;
    int ascent[RUNS_MAX];
    int count = split(f, font, s, strlen(s), runs), above = 0, below = 0, width = 0;
    for (int i = 0; i < count; i++) {
        piece[i] = render_run(f, font, &runs[i], &ascent[i]);
        if (!piece[i])
            continue;
        above = SDL_max(above, ascent[i]);
        below = SDL_max(below, piece[i]->h - ascent[i]);
        width += piece[i]->w;
    }
    if (width > 0)
        line =
            SDL_CreateRGBSurfaceWithFormat(0, width, above + below, 32, SDL_PIXELFORMAT_ARGB8888);
    for (int i = 0, x = 0; i < count; i++) {
        if (!piece[i])
            continue;
        SDL_Rect at = {x, above - ascent[i], piece[i]->w, piece[i]->h};
        x += piece[i]->w;
        SDL_SetSurfaceBlendMode(piece[i], SDL_BLENDMODE_NONE);
        if (line)
            SDL_BlitSurface(piece[i], NULL, line, &at);
        SDL_FreeSurface(piece[i]);
    }
    *baseline = above;
    return line;
}

int fonts_baseline(struct fonts *f, enum ui_font font)
{
    TTF_Font *ttf = font_at(f, &f->chain[ui_font_tokens[font].semibold].face[0], font);
    float box = ui_font_tokens[font].size * ui_font_tokens[font].leading * f->scale;
    if (!ttf)
        return (int)box;
    return (int)lroundf(0.5f * (box - (float)TTF_FontHeight(ttf))) + TTF_FontAscent(ttf);
}
