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

static uint64_t get(const unsigned char **in, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t) * (*in)++ << 8 * i;
    return value;
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

void shelf_unpack(struct shelf_entry *e, const unsigned char *in)
{
    e->id = (int64_t)get(&in, 8);
    e->maker = (uint32_t)get(&in, 4);
    e->votes = (uint32_t)get(&in, 4);
    e->genre_set = (uint16_t)get(&in, 2);
    e->quality = (uint16_t)get(&in, 2);
    e->year = (uint16_t)get(&in, 2);
    e->minutes = (uint16_t)get(&in, 2);
    e->moods = (uint16_t)get(&in, 2);
    e->language[0] = (uint8_t)get(&in, 1);
    e->language[1] = (uint8_t)get(&in, 1);
    e->certainty = (uint8_t)get(&in, 1);
    e->certificate = (uint8_t)get(&in, 1);
    e->valence = (uint8_t)get(&in, 1);
    e->energy = (uint8_t)get(&in, 1);
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

static void put_columns(struct shelf_columns *c, int i, const struct shelf_entry *e)
{
    c->id[i] = e->id;
    c->maker[i] = e->maker;
    c->votes[i] = e->votes;
    c->genre_set[i] = e->genre_set;
    c->quality[i] = e->quality;
    c->year[i] = e->year;
    c->minutes[i] = e->minutes;
    c->moods[i] = e->moods;
    c->language[0][i] = e->language[0];
    c->language[1][i] = e->language[1];
    c->certainty[i] = e->certainty;
    c->certificate[i] = e->certificate;
    c->valence[i] = e->valence;
    c->energy[i] = e->energy;
}

static struct shelf_columns *unpack_block(const unsigned char *bytes, int count)
{
    struct shelf_columns *c = mem_new(1, sizeof *c);
    c->count = count;
    for (int i = 0; i < count; i++) {
        struct shelf_entry e;
        shelf_unpack(&e, bytes + (size_t)i * SHELF_ENTRY_BYTES);
        put_columns(c, i, &e);
    }
    return c;
}

static int read_block(struct shelf *s, enum title_kind kind, int block, struct err *err)
{
    int count = block_titles(s, block);
    sqlite3_bind_int(s->read, 1, kind);
    sqlite3_bind_int(s->read, 2, block);
    int rc = db_step(s->read, err);
    const unsigned char *bytes = rc == 1 ? sqlite3_column_blob(s->read, 0) : NULL;
    if (bytes != NULL && sqlite3_column_bytes(s->read, 0) == count * SHELF_ENTRY_BYTES)
        s->block[block] = unpack_block(bytes, count);
    else if (rc >= 0)
        rc = err_set(err, ERR_FORMAT, "%s: damaged shelf (block %d); import the lists again",
                     sqlite3_db_filename(sqlite3_db_handle(s->read), "main"), block);
    sqlite3_reset(s->read);
    return rc < 0 ? rc : ERR_OK;
}

int shelf_block(struct shelf *s, enum title_kind kind, int block,
                const struct shelf_columns **out, struct err *err)
{
    int rc = s->block[block] == NULL ? read_block(s, kind, block, err) : ERR_OK;
    *out = s->block[block];
    return rc;
}

void shelf_free(struct shelf *s)
{
    for (int i = 0; i < s->blocks; i++)
        free(s->block[i]);
    free(s->block);
    *s = (struct shelf){0};
}
