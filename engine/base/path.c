/* Whole files: bounded read, atomic replace, the program's data and the user's folders. */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

static int read_all(FILE *f, const char *path, void **data, size_t *len, size_t limit,
                    struct err *err)
{
    struct stat st;
    if (fstat(fileno(f), &st) != 0)
        return err_errno(err, path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_IO, "%s: not a regular file", path);
    if ((uintmax_t)st.st_size > limit)
        return err_set(err, ERR_RANGE, "%s: %jd bytes, at most %zu are allowed", path,
                       (intmax_t)st.st_size, limit);
    char *bytes = mem_try_aligned((size_t)st.st_size + 1, 1);
    if (bytes == NULL)
        return err_set(err, ERR_NO_MEMORY, "%s: no memory for %jd bytes", path,
                       (intmax_t)st.st_size);
    size_t n = fread(bytes, 1, (size_t)st.st_size, f);
    if (ferror(f)) {
        free(bytes);
        return err_set(err, ERR_IO, "%s: read error", path);
    }
    bytes[n] = '\0';
    *data = bytes;
    *len = n;
    return ERR_OK;
}

int path_read(const char *path, void **data, size_t *len, size_t limit, struct err *err)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return err_errno(err, path);
    int rc = read_all(f, path, data, len, limit, err);
    fclose(f);
    return rc;
}

char *path_aside(const char *path)
{
    struct str name = {0};
    str_addf(&name, "%s.%ld.tmp", path, (long)getpid());
    return name.s;
}

static int sync_folder_of(const char *path, struct err *err)
{
    char *copy = mem_strdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY);
    free(copy);
    if (fd < 0)
        return err_errno(err, path);
    /* Some file systems cannot sync a folder; the rename itself has happened. */
    int rc = fsync(fd) == 0 || errno == EINVAL ? ERR_OK : err_errno(err, path);
    close(fd);
    return rc;
}

int path_commit(const char *aside, const char *path, struct err *err)
{
    int fd = open(aside, O_RDONLY);
    if (fd < 0)
        return err_errno(err, aside);
    int synced = fsync(fd);
    close(fd);
    if (synced != 0 || rename(aside, path) != 0) {
        int rc = err_errno(err, path);
        unlink(aside);
        return rc;
    }
    return sync_folder_of(path, err);
}

/* Writes `aside`; messages speak of `path`, the file that people know. */
static int write_new(const char *aside, const char *path, const void *data, size_t len,
                     struct err *err)
{
    FILE *f = fopen(aside, "wb");
    if (f == NULL)
        return err_errno(err, path);
    bool whole = fwrite(data, 1, len, f) == len;
    int saved = errno;
    if (fclose(f) != 0 && whole) {
        whole = false;
        saved = errno;
    }
    errno = saved;
    return whole ? ERR_OK : err_errno(err, path);
}

int path_write_atomic(const char *path, const void *data, size_t len, struct err *err)
{
    char *aside = path_aside(path);
    int rc = write_new(aside, path, data, len, err);
    if (rc == ERR_OK)
        rc = path_commit(aside, path, err);
    else
        unlink(aside);
    free(aside);
    return rc;
}

int path_make_dirs(const char *dir, struct err *err)
{
    char *copy = mem_strdup(dir);
    int rc = ERR_OK;
    for (char *p = copy + 1; rc == ERR_OK; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char end = *p;
        *p = '\0';
        if (mkdir(copy, 0700) != 0 && errno != EEXIST)
            rc = err_errno(err, copy);
        *p = end;
        if (end == '\0')
            break;
    }
    free(copy);
    return rc;
}

/* The data folder of the prefix that the running program lies in, <prefix>/bin/program: installed
 * files may be moved. NULL: the system does not say where the program is. */
static const char *data_of_prefix(char *out, size_t cap)
{
    char program[4096];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0)
        return NULL;
    program[n] = '\0';
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(program, '/');
        if (slash == NULL)
            return NULL;
        *slash = '\0';
    }
    n = snprintf(out, cap, "%s/" MOODREEL_DATA_IN_PREFIX, program);
    return (size_t)n < cap ? out : NULL;
}

bool path_find_data(const char *name, char *out, size_t cap)
{
    char moved[4200];
    const char *roots[] = {getenv("MOODREEL_DATA_DIR"), data_of_prefix(moved, sizeof moved),
                           MOODREEL_INSTALL_DATA, MOODREEL_BUILD_DATA, MOODREEL_SOURCE_DATA};
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        if (roots[i] == NULL)
            continue;
        int n = snprintf(out, cap, "%s/%s", roots[i], name);
        if (n > 0 && (size_t)n < cap && access(out, R_OK) == 0)
            return true;
    }
    return false;
}

bool path_user_dir(const char *kind, char *out, size_t cap)
{
    static const struct {
        const char *kind, *variable, *below_home;
    } rules[] = {{"config", "XDG_CONFIG_HOME", ".config"},
                 {"data", "XDG_DATA_HOME", ".local/share"},
                 {"cache", "XDG_CACHE_HOME", ".cache"}};
    const char *home = getenv("HOME");
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (strcmp(kind, rules[i].kind) != 0)
            continue;
        const char *base = getenv(rules[i].variable);
        int n = -1;
        if (base != NULL && base[0] == '/')
            n = snprintf(out, cap, "%s/moodreel", base);
        else if (home != NULL && home[0] == '/')
            n = snprintf(out, cap, "%s/%s/moodreel", home, rules[i].below_home);
        return n > 0 && (size_t)n < cap;
    }
    return false;
}
