/* Spellings: titles, genres, languages, certificates. */
#include "catalog/names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "catalog/idmap.h"

static bool article(const char *s, size_t len)
{
    static const char *const articles[] = {"the", "a",   "an",  "der", "die", "das", "le", "la",
                                           "les", "l'",  "el",  "los", "las", "il",  "lo", "i",
                                           "gli", "un", "une", "den", "det", "de",  "het"};
    for (size_t i = 0; i < sizeof articles / sizeof articles[0]; i++)
        if (strlen(articles[i]) == len && strncasecmp(articles[i], s, len) == 0)
            return true;
    return false;
}

/* "Matrix, The" -> "The Matrix", in place. */
static void move_article(char *name)
{
    char *comma = strrchr(name, ',');
    if (comma == NULL || comma[1] != ' ' || !article(comma + 2, strlen(comma + 2)))
        return;
    struct str moved = {0};
    const char *space = comma[strlen(comma) - 1] == '\'' ? "" : " ";
    str_addf(&moved, "%s%s%.*s", comma + 2, space, (int)(comma - name), name);
    memcpy(name, moved.s, moved.len + 1); /* shorter than before: the comma is gone */
    str_free(&moved);
}

/* U+00C0 .. U+017F without accents, in lower case, two letters each. */
static const char unaccented[] =
    "a a a a a a aec e e e e i i i i d n o o o o o   o u u u u y thss"
    "a a a a a a aec e e e e i i i i d n o o o o o   o u u u u y thy "
    "a a a a a a c c c c c c c c d d d d e e e e e e e e e e g g g g "
    "g g g g h h h h i i i i i i i i i i ijijj j k k k l l l l l l l "
    "l l l n n n n n n n n n o o o o o o oeoer r r r r r s s s s s s "
    "s s t t t t t t u u u u u u u u u u u u w w y y y z z z z z z s ";

/* "é" as "e", "ß" as "ss". Returns the bytes read; 0: none of the letters with accents. */
static size_t add_unaccented(struct str *key, const unsigned char *p)
{
    int code = (p[0] & 0xe0) == 0xc0 ? (p[0] & 0x1f) << 6 | (p[1] & 0x3f) : 0;
    if (code >= 0x300 && code < 0x370) /* combining accents */
        return 2;
    if (code < 0xc0 || code > 0x17f)
        return 0;
    const char *letters = unaccented + (size_t)2 * (size_t)(code - 0xc0);
    str_add(key, letters, (size_t)(letters[0] != ' ') + (size_t)(letters[1] != ' '));
    return 2;
}

/* Letters and digits of the text in lower case, Latin ones without accents: lists often lack them.
 * Other bytes beyond ASCII stay as they are. */
static void add_letters(struct str *key, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        char low = (char)tolower(*p);
        size_t read = p[1] != '\0' ? add_unaccented(key, p) : 0;
        if (read > 0)
            p += read - 1;
        else if (*p >= 0x80 || isalnum(*p))
            str_add(key, &low, 1);
        else if (*p == '&')
            str_add(key, "and", 3);
    }
}

static int64_t named_id(const struct str *key)
{
    return NAMED_ID_FIRST | (int64_t)(hash_bytes(key->s, key->len) >> 3);
}

int64_t name_title_id(enum title_kind kind, const char *name, int year, const char *by)
{
    struct str key = {0};
    char *moved = mem_strdup(name);
    move_article(moved);
    str_addf(&key, "%s:%d:", title_kind_name(kind), year);
    add_letters(&key, moved);
    str_addf(&key, ":");
    add_letters(&key, by);
    int64_t id = named_id(&key);
    free(moved);
    str_free(&key);
    return id;
}

int64_t name_person_id(const char *name)
{
    struct str key = {0};
    str_addf(&key, "person:");
    add_letters(&key, name);
    int64_t id = named_id(&key);
    str_free(&key);
    return id;
}

static bool year_in_brackets(const char *open, int *year)
{
    int64_t y = 0;
    char digits[5] = {0};
    if (strlen(open) < 6 || (open[5] != ')' && open[5] != '-'))
        return false; /* "(2009-2012)" is a series: its first year */
    memcpy(digits, open + 1, 4);
    if (!parse_i64(digits, 1850, 2200, &y))
        return false;
    *year = (int)y;
    return true;
}

static void trim_end(char *s)
{
    size_t n = strlen(s);
    while (n > 0 && s[n - 1] == ' ')
        s[--n] = '\0';
}

void name_split_year(const char *text, char *name, int cap, int *year)
{
    size_t n = utf8_trim(text, (size_t)cap - 1);
    memcpy(name, text, n);
    name[n] = '\0';
    *year = 0;
    trim_end(name);
    char *open = strrchr(name, '(');
    if (open != NULL && year_in_brackets(open, year)) {
        *open = '\0';
        trim_end(name);
        /* A name in another language stands in brackets of its own: "Seven (a.k.a. Se7en)". */
        open = strrchr(name, '(');
        if (open != NULL && open > name && name[strlen(name) - 1] == ')') {
            *open = '\0';
            trim_end(name);
        }
    }
    move_article(name);
}

static const struct {
    const char *other, *ours;
} genre_names[] = {
    {"Science Fiction", "Sci-Fi"}, {"SciFi", "Sci-Fi"},       {"Science-Fiction", "Sci-Fi"},
    {"Children's", "Family"},      {"Children", "Family"},    {"Kids", "Family"},
    {"Film Noir", "Film-Noir"},    {"Noir", "Film-Noir"},     {"Biopic", "Biography"},
    {"Sports", "Sport"},           {"Historical", "History"}, {"Musicals", "Musical"},
    {"(no genres listed)", ""},    {"\\N", ""},               {"unknown", ""},
    {"N/A", ""},                   {"IMAX", ""},              {"TV Movie", ""},
};

/* The catalogue's spelling of one genre, first letters capital; may be "". */
static void spell_genre(const char *s, size_t len, char out[64])
{
    len = len < 63 ? utf8_trim(s, len) : utf8_trim(s, 63);
    memcpy(out, s, len);
    out[len] = '\0';
    for (size_t i = 0; i < sizeof genre_names / sizeof genre_names[0]; i++)
        if (strcasecmp(out, genre_names[i].other) == 0) {
            memcpy(out, genre_names[i].ours, strlen(genre_names[i].ours) + 1);
            return;
        }
    for (size_t i = 0; i < len; i++)
        if (i == 0 || out[i - 1] == ' ' || out[i - 1] == '-')
            out[i] = (char)toupper((unsigned char)out[i]);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

void name_genres(const char *text, struct str *out)
{
    char genres[16][64];
    int count = 0;
    str_clear(out);
    while (*text != '\0' && count < 16) {
        text += strspn(text, ",|; ");
        size_t len = strcspn(text, ",|;");
        size_t end = len;
        while (end > 0 && text[end - 1] == ' ')
            end--;
        if (end > 0)
            spell_genre(text, end, genres[count]);
        count += end > 0 && genres[count][0] != '\0';
        text += len;
    }
    qsort(genres, (size_t)count, sizeof genres[0], by_text);
    str_add(out, "", 0);
    for (int i = 0; i < count; i++)
        if (i == 0 || strcmp(genres[i], genres[i - 1]) != 0)
            str_addf(out, "%s%s", out->len > 0 ? "|" : "", genres[i]);
}

/* ISO 639-1, ISO 639-2, English name. */
static const struct {
    char two[3], three[4];
    const char *name;
} languages[] = {
    {"en", "eng", "English"},    {"fr", "fre", "French"},     {"de", "ger", "German"},
    {"it", "ita", "Italian"},    {"es", "spa", "Spanish"},    {"pt", "por", "Portuguese"},
    {"ja", "jpn", "Japanese"},   {"ko", "kor", "Korean"},     {"zh", "chi", "Chinese"},
    {"yu", "yue", "Cantonese"},  {"cm", "cmn", "Mandarin"},   {"hi", "hin", "Hindi"},
    {"ta", "tam", "Tamil"},      {"te", "tel", "Telugu"},     {"ml", "mal", "Malayalam"},
    {"kn", "kan", "Kannada"},    {"bn", "ben", "Bengali"},    {"mr", "mar", "Marathi"},
    {"pa", "pan", "Punjabi"},    {"ur", "urd", "Urdu"},       {"gu", "guj", "Gujarati"},
    {"ru", "rus", "Russian"},    {"uk", "ukr", "Ukrainian"},  {"pl", "pol", "Polish"},
    {"cs", "cze", "Czech"},      {"sk", "slo", "Slovak"},     {"hu", "hun", "Hungarian"},
    {"ro", "rum", "Romanian"},   {"bg", "bul", "Bulgarian"},  {"sr", "srp", "Serbian"},
    {"hr", "hrv", "Croatian"},   {"bs", "bos", "Bosnian"},    {"sl", "slv", "Slovenian"},
    {"mk", "mac", "Macedonian"}, {"el", "gre", "Greek"},      {"tr", "tur", "Turkish"},
    {"ar", "ara", "Arabic"},     {"fa", "per", "Persian"},    {"he", "heb", "Hebrew"},
    {"sv", "swe", "Swedish"},    {"da", "dan", "Danish"},     {"no", "nor", "Norwegian"},
    {"fi", "fin", "Finnish"},    {"is", "ice", "Icelandic"},  {"nl", "dut", "Dutch"},
    {"et", "est", "Estonian"},   {"lv", "lav", "Latvian"},    {"lt", "lit", "Lithuanian"},
    {"th", "tha", "Thai"},       {"vi", "vie", "Vietnamese"}, {"id", "ind", "Indonesian"},
    {"ms", "may", "Malay"},      {"tl", "tgl", "Tagalog"},    {"sw", "swa", "Swahili"},
    {"ka", "geo", "Georgian"},   {"hy", "arm", "Armenian"},   {"kk", "kaz", "Kazakh"},
    {"mn", "mon", "Mongolian"},  {"ca", "cat", "Catalan"},    {"eu", "baq", "Basque"},
    {"gl", "glg", "Galician"},   {"ga", "gle", "Irish"},      {"cy", "wel", "Welsh"},
    {"la", "lat", "Latin"},      {"bo", "tib", "Tibetan"},    {"dz", "dzo", "Dzongkha"},
    {"ne", "nep", "Nepali"},     {"si", "sin", "Sinhala"},    {"km", "khm", "Khmer"},
    {"my", "bur", "Burmese"},    {"az", "aze", "Azerbaijani"}, {"sq", "alb", "Albanian"},
    {"be", "bel", "Belarusian"}, {"ps", "pus", "Pashto"},     {"ku", "kur", "Kurdish"},
    {"yi", "yid", "Yiddish"},    {"af", "afr", "Afrikaans"},  {"zu", "zul", "Zulu"},
    {"xh", "xho", "Xhosa"},      {"am", "amh", "Amharic"},    {"wo", "wol", "Wolof"},
    {"iu", "iku", "Inuktitut"},
    {"xx", "zxx", "no language"},
};

/* Dialects and writings that share a filter: Mandarin and Cantonese films are "zh". */
static const char *shared_code(const char *code)
{
    if (strcmp(code, "yu") == 0 || strcmp(code, "cm") == 0)
        return "zh";
    return code;
}

const char *name_language(const char *text)
{
    size_t len = strcspn(text, " -_,;|(");
    if (len == 0)
        return NULL;
    if (strcasecmp(text, "cn") == 0) /* TMDB's code for Cantonese */
        return "zh";
    for (size_t i = 0; i < sizeof languages / sizeof languages[0]; i++) {
        bool same = (len == 2 && strncasecmp(languages[i].two, text, 2) == 0) ||
                    (len == 3 && strncasecmp(languages[i].three, text, 3) == 0) ||
                    strncasecmp(languages[i].name, text, len > 3 ? len : 99) == 0;
        if (same)
            return shared_code(languages[i].two);
    }
    return NULL;
}

const char *name_of_language(const char *code)
{
    for (size_t i = 0; i < sizeof languages / sizeof languages[0]; i++)
        if (strcmp(languages[i].two, code) == 0)
            return languages[i].name;
    return code;
}

/* Regions with one main language of film. India, Switzerland, Belgium, Canada ... have several
 * and are left out on purpose. */
static const char region_languages[][6] = {
    "US en", "GB en", "AU en", "NZ en", "IE en", "FR fr", "DE de", "AT de", "IT it", "ES es",
    "MX es", "AR es", "CL es", "CO es", "PE es", "VE es", "UY es", "CU es", "PT pt", "BR pt",
    "JP ja", "KR ko", "CN zh", "TW zh", "HK zh", "RU ru", "UA uk", "PL pl", "CZ cs", "SK sk",
    "HU hu", "RO ro", "BG bg", "RS sr", "HR hr", "SI sl", "GR el", "TR tr", "EG ar", "MA ar",
    "TN ar", "LB ar", "IR fa", "IL he", "SE sv", "DK da", "NO no", "FI fi", "IS is", "NL nl",
    "EE et", "LV lv", "LT lt", "TH th", "VN vi", "ID id", "PH tl", "GE ka", "AM hy", "KZ kk",
    "MN mn", "AL sq", "MK mk", "AZ az", "BD bn", "PK ur", "LK si", "NP ne", "KH km",
};

const char *name_region_language(const char *region)
{
    if (strcmp(region, "XWG") == 0 || strcmp(region, "DDDE") == 0)
        return "de";
    if (strcmp(region, "SUHH") == 0)
        return "ru";
    if (strlen(region) != 2)
        return NULL;
    for (size_t i = 0; i < sizeof region_languages / sizeof region_languages[0]; i++)
        if (memcmp(region_languages[i], region, 2) == 0)
            return region_languages[i] + 3;
    return NULL;
}

/* Ages named by the boards themselves: MPA (US), BBFC (UK), CBFC (India). */
static const struct {
    const char *name;
    int age;
} certificates[] = {
    {"G", 0},     {"U", 0},     {"Approved", 0}, {"Passed", 0}, {"TV-G", 0},  {"TV-Y", 0},
    {"PG", 8},    {"GP", 8},    {"TV-PG", 8},    {"UA", 12},    {"U/A", 12},  {"12A", 12},
    {"PG-13", 13}, {"M", 15},   {"TV-14", 14},   {"TV-Y7", 7},  {"R", 17},    {"TV-MA", 17},
    {"NC-17", 18}, {"X", 18},   {"A", 18},       {"16", 16},    {"AL", 0},    {"S", 18},
};

int name_certificate(const char *text)
{
    for (size_t i = 0; i < sizeof certificates / sizeof certificates[0]; i++)
        if (strcasecmp(text, certificates[i].name) == 0)
            return certificates[i].age;
    const char *digits = text + strcspn(text, "0123456789");
    int64_t age = 0;
    char two[3] = {0};
    memcpy(two, digits, strnlen(digits, 2));
    if (two[0] != '\0' && !isdigit((unsigned char)two[1]))
        two[1] = '\0';
    return parse_i64(two, 0, 18, &age) ? (int)age : -1;
}
