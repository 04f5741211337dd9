/* Lists of titles as files and JSON: what other programs can use. */
#ifndef CATALOG_PLAYLIST_H
#define CATALOG_PLAYLIST_H

#include <jansson.h>

#include "base/err.h"
#include "base/str.h"
#include "catalog/catalog.h"
#include "emotion.h"

/* {"id","title","original","kind","year","genres":[...],"rating","votes","minutes","certificate",
 *  "language","language_certainty","directors":[...] (songs: "artists"),"cast":[...],"moods":[...],
 *  "reviews","sentiment","valence","energy","score","why"}; unknown values are left out. New
 * reference. */
json_t *title_json(const struct title *t);
/* Array of the above. New reference. */
json_t *title_list_json(const struct title_list *l);
/* {"angry":0.01,...} New reference. */
json_t *mood_json(const struct emotion_scores *mood);

/* Extended M3U: "#EXTINF:<seconds>,<artist> - <title>" and "<artist> - <title>.mp3": players
 * find the file in the folder of the list. */
void playlist_m3u(const struct title_list *l, const char *name, struct str *out);

/* Writes a playlist file, replaced as a whole: M3U for names in .m3u or .m3u8, else JSON. */
int playlist_write(const struct title_list *l, const char *name, const char *path,
                   struct err *err);

#endif
