/* Reading and writing of checkpoint files. */
#include "checkpoint.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "base/path.h"

enum { VERSION = 1, NAME = 16, LIMIT = 2000000000 };

static const char magic[4] = {'N', 'N', 'C', 'K'};

struct header {
    char magic[4];
    uint32_t version;
    uint64_t signature, count;
};

struct section_header {
    char name[NAME];
    uint64_t size;
};

static uint32_t checksum(const uint8_t *p, size_t n)
{
    uLong crc = crc32(0, NULL, 0);
    for (size_t at = 0; at < n; at += 1u << 30)
        crc = crc32(crc, p + at, (uInt)(n - at < 1u << 30 ? n - at : 1u << 30));
    return (uint32_t)crc;
}

static size_t put(uint8_t *at, const void *data, size_t n)
{
    if (n > 0)
        memcpy(at, data, n);
    return n;
}

static struct section_header section_header(const struct checkpoint_section *s)
{
    struct section_header h = {.size = s->size};
    size_t n = strlen(s->name);
    memcpy(h.name, s->name, n < NAME ? n : NAME - 1);
    return h;
}

int checkpoint_write(const char *path, uint64_t signature, const struct checkpoint_section *s,
                     int count, struct err *err)
{
    struct header head = {.version = VERSION, .signature = signature, .count = (uint64_t)count};
    size_t size = sizeof head + sizeof(uint32_t), at = 0;
    memcpy(head.magic, magic, sizeof magic);
    for (int i = 0; i < count; i++)
        size += sizeof(struct section_header) + s[i].size;
    uint8_t *bytes = mem_try_aligned(size, 1);
    if (bytes == NULL)
        return err_set(err, ERR_NO_MEMORY, "%s: no memory for %zu bytes", path, size);
    at += put(bytes + at, &head, sizeof head);
    for (int i = 0; i < count; i++) {
        struct section_header h = section_header(&s[i]);
        at += put(bytes + at, &h, sizeof h);
        at += put(bytes + at, s[i].data, s[i].size);
    }
    uint32_t crc = checksum(bytes, at);
    put(bytes + at, &crc, sizeof crc);
    int rc = path_write_atomic(path, bytes, size, err);
    mem_free_aligned(bytes);
    return rc;
}

/* Walks the sections; `fill`: copies them out, which only a first walk without it permits. */
static int walk(const char *path, const uint8_t *bytes, size_t len, struct checkpoint_section *s,
                int count, bool fill, struct err *err)
{
    size_t at = sizeof(struct header);
    for (int i = 0; i < count; i++) {
        struct section_header h, want = section_header(&s[i]);
        if (len - at < sizeof h)
            return err_set(err, ERR_FORMAT, "%s: the checkpoint ends early", path);
        memcpy(&h, bytes + at, sizeof h);
        at += sizeof h;
        bool fits = s[i].capacity == s[i].size ? h.size == s[i].size : h.size <= s[i].capacity;
        if (memcmp(h.name, want.name, NAME) != 0 || !fits || h.size > len - at)
            return err_set(err, ERR_FORMAT, "%s: section '%s' of the checkpoint does not fit", path,
                           s[i].name);
        if (fill) {
            put(s[i].data, bytes + at, (size_t)h.size);
            s[i].size = (size_t)h.size;
        }
        at += (size_t)h.size;
    }
    return 0;
}

static int check_header(const char *path, const uint8_t *bytes, size_t len, uint64_t signature,
                        const char *owner, int count, struct err *err)
{
    struct header head;
    uint32_t crc;
    if (len < sizeof head + sizeof crc || memcmp(bytes, magic, sizeof magic) != 0)
        return err_set(err, ERR_FORMAT, "%s: this is no checkpoint", path);
    memcpy(&head, bytes, sizeof head);
    memcpy(&crc, bytes + len - sizeof crc, sizeof crc);
    if (head.version != VERSION)
        return err_set(err, ERR_UNSUPPORTED, "%s: checkpoint version %u, this program knows %d",
                       path, head.version, VERSION);
    if (crc != checksum(bytes, len - sizeof crc))
        return err_set(err, ERR_FORMAT, "%s: the checkpoint is damaged (checksum)", path);
    if (head.signature != signature || head.count != (uint64_t)count)
        return err_set(err, ERR_FORMAT, "%s: the checkpoint does not belong to %s", path, owner);
    return 0;
}

int checkpoint_read(const char *path, uint64_t signature, const char *owner,
                    struct checkpoint_section *s, int count, struct err *err)
{
    void *data;
    size_t len;
    int rc = path_read(path, &data, &len, LIMIT, err);
    if (rc < 0)
        return rc;
    rc = check_header(path, data, len, signature, owner, count, err);
    if (rc == 0)
        rc = walk(path, data, len - sizeof(uint32_t), s, count, false, err);
    if (rc == 0)
        rc = walk(path, data, len - sizeof(uint32_t), s, count, true, err);
    free(data);
    return rc;
}
