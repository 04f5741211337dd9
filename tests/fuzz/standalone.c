/* A fuzz target without libFuzzer: every file of the folder argv[1], as it is and damaged in
 * argv[2] repeatable ways (bytes changed, cut out, doubled; the end cut off). With a third argument
 * it goes on with as many other ways again until MOODREEL_FUZZ_SECONDS of the environment are
 * over. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/thread.h"
#include "fuzz/fuzz.h"

enum { LIMIT = 1 << 20 };

/* Changes `data` (room for twice `size`); returns the new size. */
static size_t damage(uint8_t *data, size_t size, struct rng *r)
{
    static const uint8_t loud[] = {0, 1, 0x7f, 0x80, 0xff};
    if (size == 0)
        return 0;
    size_t at = rng_below(r, (uint32_t)size), n = 1 + rng_below(r, 8);
    n = n < size - at ? n : size - at;
    switch (rng_below(r, 5)) {
    case 0:
        data[at] ^= (uint8_t)(1u << rng_below(r, 8));
        return size;
    case 1:
        data[at] = loud[rng_below(r, sizeof loud)];
        return size;
    case 2:
        memmove(data + at, data + at + n, size - at - n);
        return size - n;
    case 3:
        memmove(data + at + n, data + at, size - at);
        return size + n;
    default:
        return at;
    }
}

/* Damaged in the ways [first, end). */
static void try_file(const uint8_t *data, size_t size, int64_t first, int64_t end, uint64_t stream)
{
    LLVMFuzzerTestOneInput(data, size);
    for (int64_t i = first; i < end; i++) {
        struct rng r;
        rng_seed(&r, (uint64_t)i, stream);
        uint8_t *copy = mem_new(2 * size + 64, 1);
        memcpy(copy, data, size);
        size_t n = size;
        for (uint32_t k = 1 + rng_below(&r, 4); k > 0 && n < 2 * size; k--)
            n = damage(copy, n, &r);
        LLVMFuzzerTestOneInput(copy, n);
        free(copy);
    }
}

/* All files of the folder once; how many, -1: the folder cannot be read. */
static int try_folder(const char *folder, int64_t first, int64_t end)
{
    int files = 0;
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return -1;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        struct str path = {0};
        void *data;
        size_t size;
        str_addf(&path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.' && path_read(path.s, &data, &size, LIMIT, NULL) == 0) {
            try_file(data, size, first, end, (uint64_t)files++);
            free(data);
        }
        str_free(&path);
    }
    closedir(dir);
    return files;
}

static int64_t seconds_wanted(int argc)
{
    const char *text = getenv("MOODREEL_FUZZ_SECONDS");
    int64_t seconds = 0;
    return argc == 4 && text != NULL && parse_i64(text, 0, 86400, &seconds) ? seconds : 0;
}

int main(int argc, char **argv)
{
    int64_t times = 0, ways = 0, end = clock_now_us() + seconds_wanted(argc) * 1000000;
    int files = 0;
    if (argc < 3 || argc > 4 || !parse_i64(argv[2], 0, 1000000, &times)) {
        fprintf(stderr, "usage: %s FOLDER TIMES [timed]\n", argv[0]);
        return 2;
    }
    do {
        files = try_folder(argv[1], ways, ways + times);
        ways += times;
    } while (files > 0 && clock_now_us() < end);
    printf("%d files, each also damaged in %lld ways\n", files, (long long)ways);
    return files > 0 ? 0 : 1;
}
