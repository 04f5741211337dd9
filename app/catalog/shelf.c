/* Packing, reading and the quality of a title. */
#include "catalog/shelf.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/db.h"

static void put(unsigned char **out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *(*out)++ = (unsigned char)(value >> 8 * i);
}

/* The compiler makes one load of each of these. */
static inline uint16_t get_16(const unsigned char *in)
{
    return (uint16_t)(in[0] | in[1] << 8);
}

static inline uint32_t get_32(const unsigned char *in)
{
    return get_16(in) | (uint32_t)get_16(in + 2) << 16;
}

static inline uint64_t get_64(const unsigned char *in)
{
    return get_32(in) | (uint64_t)get_32(in + 4) << 32;
}

void shelf_pack(const struct shelf_entry *e, unsigned char *out)
{
    put(&out, (uint64_t)e->id, 8);
    put(&out, e->maker, 4);
    put(&out, e->votes, 4);
    put(&out, e->genre_set, 2);
    put(&out, e->quality, 2);
    put(&out, e->year, 2);
    put(&out, e->minutes, 2);
    put(&out, e->moods, 2);
    put(&out, e->language[0], 1);
    put(&out, e->language[1], 1);
    put(&out, e->certainty, 1);
    put(&out, e->certificate, 1);
    put(&out, e->valence, 1);
    put(&out, e->energy, 1);
}

float shelf_quality(double rating, int votes, double mean, double weight, double sentiment,
                    int reviews)
{
    double v = rating > 0 ? votes : 0;
    double weighted = (v * rating + weight * mean) / (v + weight);
    double quality = (weighted - 1) / 9;
    if (sentiment >= 0) {
        /* Reviews count like votes of a panel: ten of them as much as the rating. */
        double share = 0.5 * reviews / (reviews + 10.0);
        quality += share * (sentiment - quality);
    }
    quality = quality < 0 ? 0 : quality > 1 ? 1 : quality;
    return (float)quality;
}

/* Titles of block number `block`: all are full but the last. */
static int block_titles(const struct shelf *s, int block)
{
    int64_t rest = s->titles - (int64_t)block * SHELF_BLOCK;
    return rest < SHELF_BLOCK ? (int)rest : SHELF_BLOCK;
}

struct shelf_entry shelf_entry_at(const struct shelf_columns *c, int i)
{
    return (struct shelf_entry){.id = c->id[i], .maker = c->maker[i], .votes = c->votes[i],
                                .genre_set = c->genre_set[i], .quality = c->quality[i],
                                .year = c->year[i], .minutes = c->minutes[i],
                                .moods = c->moods[i],
                                .language = {c->language[0][i], c->language[1][i]},
                                .certainty = c->certainty[i], .certificate = c->certificate[i],
                                .valence = c->valence[i], .energy = c->energy[i]};
}

/* In the order of shelf_pack(). */
static void unpack_entry(struct shelf_columns *c, int i, const unsigned char *in)
{
    c->id[i] = (int64_t)get_64(in);
    c->maker[i] = get_32(in + 8);
    c->votes[i] = get_32(in + 12);
    c->genre_set[i] = get_16(in + 16);
    c->quality[i] = get_16(in + 18);
    c->year[i] = get_16(in + 20);
    c->minutes[i] = get_16(in + 22);
    c->moods[i] = get_16(in + 24);
    c->language[0][i] = in[26];
    c->language[1][i] = in[27];
    c->certainty[i] = in[28];
    c->certificate[i] = in[29];
    c->valence[i] = in[30];
    c->energy[i] = in[31];
}

static void unpack_block(struct shelf_columns *c, const unsigned char *bytes, int count)
{
    c->count = count;
    for (int i = 0; i < count; i++)
        unpack_entry(c, i, bytes + (size_t)i * SHELF_ENTRY_BYTES);
}

static int read_block(struct shelf *s, enum title_kind kind, int block, struct err *err)
{
    int count = block_titles(s, block);
    sqlite3_bind_int(s->read, 1, kind);
    sqlite3_bind_int(s->read, 2, block);
    int rc = db_step(s->read, err);
    const unsigned char *bytes = rc == 1 ? sqlite3_column_blob(s->read, 0) : NULL;
    if (bytes != NULL && sqlite3_column_bytes(s->read, 0) == count * SHELF_ENTRY_BYTES)
        unpack_block(s->block[block] = &s->columns[block], bytes, count);
    else if (rc >= 0)
        rc = err_set(err, ERR_FORMAT, "%s: damaged shelf (block %d); import the lists again",
                     sqlite3_db_filename(sqlite3_db_handle(s->read), "main"), block);
    sqlite3_reset(s->read);
    return rc < 0 ? rc : ERR_OK;
}

/* For all blocks at once and not zeroed: on a cold start a third of the time went into touching new
 * memory in small pieces. What is not read takes no memory. */
static int make_room(struct shelf *s, struct err *err)
{
    s->columns = mem_try_aligned((size_t)s->blocks, sizeof *s->columns);
    return s->columns != NULL ? ERR_OK : err_set(err, ERR_NO_MEMORY, "no memory for the shelf");
}

int shelf_block(struct shelf *s, enum title_kind kind, int block,
                const struct shelf_columns **out, struct err *err)
{
    int rc = ERR_OK;
    if (s->columns == NULL)
        rc = make_room(s, err);
    if (rc == ERR_OK && s->block[block] == NULL)
        rc = read_block(s, kind, block, err);
    *out = s->block[block];
    return rc;
}

void shelf_free(struct shelf *s)
{
    mem_free_aligned(s->columns);
    free(s->block);
    *s = (struct shelf){0};
}
