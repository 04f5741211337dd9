/* Read-ahead over zlib's gzread, which takes plain files as they are.
 *
 * DESIGN. A ring of CHUNKS buffers; the reader thread fills, the caller drains, one mutex guards
 * the counters (never the bytes: a chunk belongs to one side at a time). */
#include "catalog/unpack.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/mem.h"
#include "base/thread.h"

enum { CHUNKS = 4, CHUNK_BYTES = 512 * 1024 };

struct unpack {
    gzFile file;
    char *path;
    int64_t size;
    char *chunk[CHUNKS];
    pthread_t reader;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    int length[CHUNKS];  /* lock */
    unsigned filled;     /* lock: chunks ever filled */
    unsigned drained;    /* lock: chunks ever drained */
    bool ended, closing; /* lock */
    struct err failure;  /* lock: set before `ended` */
    int64_t position;    /* lock */

    size_t taken; /* caller: bytes already taken from the current chunk */
};

static void set_failure(struct unpack *s)
{
    int code = Z_OK;
    const char *words = gzerror(s->file, &code);
    if (code == Z_ERRNO)
        err_errno(&s->failure, s->path);
    else if (code == Z_BUF_ERROR)
        err_set(&s->failure, ERR_FORMAT, "%s: the file is cut short; download it again", s->path);
    else
        err_set(&s->failure, ERR_FORMAT, "%s: damaged gzip data (%s)", s->path, words);
}

/* Returns false when the reader should stop. */
static bool wait_for_room(struct unpack *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->closing && s->filled - s->drained == CHUNKS)
        pthread_cond_wait(&s->changed, &s->lock);
    bool go = !s->closing;
    pthread_mutex_unlock(&s->lock);
    return go;
}

static void publish(struct unpack *s, int length)
{
    int code = Z_OK;
    gzerror(s->file, &code);
    bool failed = length < 0 || (length < CHUNK_BYTES && code != Z_OK && code != Z_STREAM_END);
    pthread_mutex_lock(&s->lock);
    if (length > 0) {
        s->length[s->filled % CHUNKS] = length;
        s->filled++;
    }
    s->position = gzoffset(s->file);
    if (failed)
        set_failure(s);
    s->ended = length < CHUNK_BYTES;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void *read_ahead(void *arg)
{
    struct unpack *s = arg;
    int length = CHUNK_BYTES;
    while (length == CHUNK_BYTES && wait_for_room(s)) {
        length = gzread(s->file, s->chunk[s->filled % CHUNKS], CHUNK_BYTES);
        publish(s, length);
    }
    return NULL;
}

static int open_file(struct unpack *s, struct err *err)
{
    struct stat st;
    if (stat(s->path, &st) != 0)
        return err_errno(err, s->path);
    if (S_ISDIR(st.st_mode))
        return err_set(err, ERR_IO, "%s: this is a folder, a file is wanted", s->path);
    s->size = st.st_size;
    s->file = gzopen(s->path, "rb");
    if (s->file == NULL)
        return err_errno(err, s->path);
    gzbuffer(s->file, 256 * 1024);
    return ERR_OK;
}

int unpack_open(struct unpack **out, const char *path, struct err *err)
{
    struct unpack *s = mem_new(1, sizeof *s);
    s->path = mem_strdup(path);
    int rc = open_file(s, err);
    if (rc < 0)
        goto fail_open;
    for (int i = 0; i < CHUNKS; i++)
        s->chunk[i] = mem_new(1, CHUNK_BYTES);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    rc = thread_start(&s->reader, "read-ahead", read_ahead, s, err);
    if (rc < 0)
        goto fail_thread;
    *out = s;
    return ERR_OK;

fail_thread:
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    for (int i = 0; i < CHUNKS; i++)
        free(s->chunk[i]);
    gzclose(s->file);
fail_open:
    free(s->path);
    free(s);
    return rc;
}

/* Waits for the next chunk: 1 there is one, 0 end, < 0 failure. */
static int wait_for_chunk(struct unpack *s, int *length, struct err *err)
{
    pthread_mutex_lock(&s->lock);
    while (s->filled == s->drained && !s->ended)
        pthread_cond_wait(&s->changed, &s->lock);
    int rc = s->filled != s->drained;
    if (rc == 1)
        *length = s->length[s->drained % CHUNKS];
    else if (s->failure.code != ERR_OK)
        rc = err_set(err, s->failure.code, "%s", s->failure.text);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static void release_chunk(struct unpack *s)
{
    s->taken = 0;
    pthread_mutex_lock(&s->lock);
    s->drained++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

int64_t unpack_read(struct unpack *s, char *to, size_t cap, struct err *err)
{
    int length = 0;
    int rc = wait_for_chunk(s, &length, err);
    if (rc <= 0)
        return rc;
    size_t n = (size_t)length - s->taken;
    n = n < cap ? n : cap;
    memcpy(to, s->chunk[s->drained % CHUNKS] + s->taken, n);
    s->taken += n;
    if (s->taken == (size_t)length)
        release_chunk(s);
    return (int64_t)n;
}

int64_t unpack_position(struct unpack *s)
{
    pthread_mutex_lock(&s->lock);
    int64_t position = s->position;
    pthread_mutex_unlock(&s->lock);
    return position;
}

int64_t unpack_size(const struct unpack *s)
{
    return s->size;
}

void unpack_close(struct unpack *s)
{
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->reader, NULL);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    for (int i = 0; i < CHUNKS; i++)
        free(s->chunk[i]);
    gzclose(s->file);
    free(s->path);
    free(s);
}
