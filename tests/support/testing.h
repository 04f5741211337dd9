/* What every test program shares: temporary folders, optional data, the cmocka includes. */
#ifndef SUPPORT_TESTING_H
#define SUPPORT_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A fresh empty folder below $TMPDIR (or /tmp); testing_remove_dir() deletes it and all in it. */
char *testing_make_dir(void); /* free() it */
void testing_remove_dir(char *dir); /* takes the string */

/* "<dir>/<name>" in a static buffer that the next four calls do not reuse. */
const char *testing_path(const char *dir, const char *name);

/* Writes a whole file; fails the test when it cannot. */
void testing_write(const char *path, const void *data, size_t len);

/* A file or folder of the optional data set (env MOODREEL_DATA, default ../shared/data beside the
 * source tree), in a static buffer like testing_path(); NULL when it is not there: skip() then. */
const char *testing_data(const char *name);

#endif
