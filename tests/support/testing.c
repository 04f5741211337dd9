/* Temporary folders, optional data. */
#define _GNU_SOURCE /* nftw */
#include "support/testing.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

char *testing_make_dir(void)
{
    struct str name = {0};
    const char *base = getenv("TMPDIR");
    str_addf(&name, "%s/moodreel-test-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(name.s));
    return name.s;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void testing_remove_dir(char *dir)
{
    nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(dir);
}

const char *testing_path(const char *dir, const char *name)
{
    static char buffers[4][1024];
    static unsigned turn;
    char *out = buffers[turn++ % 4];
    snprintf(out, sizeof buffers[0], "%s/%s", dir, name);
    return out;
}

void testing_write(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

const char *testing_data(const char *name)
{
    const char *root = getenv("MOODREEL_DATA");
    if (root == NULL)
        root = MOODREEL_SOURCE_DIR "/../shared/data";
    const char *path = testing_path(root, name);
    return access(path, R_OK) == 0 ? path : NULL;
}
