/* Files as a whole: read with a limit, replace atomically, find the program's own data. */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Reads a regular file of at most `limit` bytes. *data is free()d by the caller and has one
 * zero byte after its *len bytes. */
int path_read(const char *path, void **data, size_t *len, size_t limit, struct err *err);

/* Replaces `path` by these bytes or leaves the old file as it was: temporary file in the same
 * folder, fsync, rename, fsync of the folder. */
int path_write_atomic(const char *path, const void *data, size_t len, struct err *err);

/* The same for writers that need a file name of their own: path_aside() gives the temporary
 * name (mem_strdup'ed, free() it); path_commit() syncs it and renames it onto `path`. */
char *path_aside(const char *path);
int path_commit(const char *aside, const char *path, struct err *err);

/* mkdir -p; an existing folder is fine. */
int path_make_dirs(const char *dir, struct err *err);

/* Finds a data file of the program such as "models/xception38.onnx": $MOODREEL_DATA_DIR, then the
 * prefix the program runs from, the one it was built for, the build tree and the source tree.
 * false: nowhere (out then holds the last try). */
bool path_find_data(const char *name, char *out, size_t cap);

/* The user's folders by the XDG base directory rules, with "/moodreel" added; not created.
 * kind: "config", "data", "cache". false: neither XDG variable nor HOME is set. */
bool path_user_dir(const char *kind, char *out, size_t cap);

#endif
