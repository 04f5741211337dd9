/* How titles, people and genres are recognised under their various spellings. Private. */
#ifndef CATALOG_NAMES_H
#define CATALOG_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "catalog/catalog.h"

struct str;

/* Ids from this one on are hashes of names; below are IMDb numbers. */
#define NAMED_ID_FIRST ((int64_t)1 << 62)

/* The same film under its usual spellings ("Matrix, The" and "The Matrix", case, punctuation,
 * accents) has the same id. `by` is the artist of a song, "" otherwise. */
int64_t name_title_id(enum title_kind kind, const char *name, int year, const char *by);
int64_t name_person_id(const char *name);

/* "Matrix, The (1999)" -> name "The Matrix", *year 1999; 0 without a year. Also drops a second
 * name in brackets. name: cap bytes. */
void name_split_year(const char *text, char *name, int cap, int *year);

/* Genres in the catalogue's spelling, sorted, without doubles, joined by '|': "Comedy|Sci-Fi" of
 * "Science Fiction, comedy". Separators: , | and ;. Empty for "\N" and "(no genres listed)". */
void name_genres(const char *text, struct str *out);

/* ISO 639-1 code of "en", "eng", "English", "EN-us"; NULL: unknown. Static. */
const char *name_language(const char *text);
/* "English" for "en"; the code itself when unknown. */
const char *name_of_language(const char *code);
/* Main language of an ISO 3166 region, "fr" for "FR"; NULL: unknown or several. Static. */
const char *name_region_language(const char *region);

/* Youngest age of a certificate: 13 for "PG-13", 12 for "FSK 12"; -1: unknown. */
int name_certificate(const char *text);

#endif
