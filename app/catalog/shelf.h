/* The shelf: what recommend() walks. Titles of one kind in order of falling quality, 32 bytes each,
 * in blocks of SHELF_BLOCK. Blocks are read from the database when the walk first reaches them and
 * stay in memory. Private to app/catalog.
 *
 * DESIGN. Why not rows and an SQL index: a filter that few titles pass (one language, one decade)
 * makes any walk in order of quality step over nearly all titles. SQLite steps 2-4 million rows a
 * second; a column of a block is filtered by one loop of vector instructions. So 700,000 titles
 * cost 1-2 ms whatever the filters, and the common query stops in the first blocks. */
#ifndef CATALOG_SHELF_H
#define CATALOG_SHELF_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "catalog/catalog.h"

enum {
    SHELF_BLOCK = 4096,
    SHELF_ENTRY_BYTES = 32, /* stored little-endian, in the order of struct shelf_entry */
    SHELF_UNKNOWN = 255     /* certificate, valence, energy */
};

struct shelf_entry {
    int64_t id;
    uint32_t maker;      /* 32 bits of the director's or artist's id, 0: unknown */
    uint32_t votes;
    uint16_t genre_set;
    uint16_t quality;    /* 0 .. 65535, see shelf_quality() */
    uint16_t year;
    uint16_t minutes;
    uint16_t moods;      /* mood_word.h */
    uint8_t language[2]; /* shelf_language.id, the more certain first; 0: none */
    uint8_t certainty;   /* of the first, percent */
    uint8_t certificate;
    uint8_t valence, energy; /* percent */
};

void shelf_pack(const struct shelf_entry *e, unsigned char *out);

/* Weighted rating of IMDb's Top 250, WR = v/(v+m) R + m/(v+m) C (imdb.com/chart/top, "How are
 * ratings calculated"), with the share of good reviews mixed in, on 0 .. 1.
 * rating 0: unknown, then WR = C. sentiment < 0: no reviews. */
float shelf_quality(double rating, int votes, double mean, double weight, double sentiment,
                    int reviews);

/* How well known a title is, in (0, 1]: (1 + p z) / (1 + p), where z = v/(v+m) is the share that
 * its own v votes have in the weighted rating (its credibility, Bühlmann 1967) and p the policy's
 * `popularity`. Above some 10 m votes all titles are alike, so it parts the known from the
 * unknown, not the famous from the most famous. */
static inline float shelf_renown(uint32_t votes, float weight, float popularity)
{
    return 1 - popularity / (1 + popularity) * (weight / ((float)votes + weight));
}

/* A block in memory, by columns: a filter reads only the columns it needs. */
struct shelf_columns {
    int count;
    int64_t id[SHELF_BLOCK];
    uint32_t maker[SHELF_BLOCK], votes[SHELF_BLOCK];
    uint16_t genre_set[SHELF_BLOCK], quality[SHELF_BLOCK], year[SHELF_BLOCK];
    uint16_t minutes[SHELF_BLOCK], moods[SHELF_BLOCK];
    uint8_t language[2][SHELF_BLOCK], certainty[SHELF_BLOCK], certificate[SHELF_BLOCK];
    uint8_t valence[SHELF_BLOCK], energy[SHELF_BLOCK];
};

struct shelf_entry shelf_entry_at(const struct shelf_columns *c, int i);

struct shelf {
    sqlite3_stmt *read; /* borrowed */
    int64_t titles;
    int blocks;
    struct shelf_columns *columns; /* [blocks], NULL until one is read */
    struct shelf_columns **block;  /* [blocks], into columns, NULL until read */
};

/* A block, read when asked for the first time; the shelf owns it. < 0 on damage. */
int shelf_block(struct shelf *s, enum title_kind kind, int block,
                const struct shelf_columns **out, struct err *err);
void shelf_free(struct shelf *s);

#endif
