/* What a person told the program: likes, dislikes, seen, later, favourite people, and which titles
 * were shown. One small SQLite file, $XDG_DATA_HOME/moodreel/user.db, apart from the catalogue:
 * imports never touch it. synchronous=FULL, secure_delete=ON: what was said is kept, what was
 * cleared is gone. Two running programs may use it at once. One connection per thread. */
#ifndef CATALOG_FEEDBACK_H
#define CATALOG_FEEDBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct feedback;
struct title;

enum opinion {
    OPINION_NONE,
    OPINION_LIKE,
    OPINION_DISLIKE, /* "not for me": never shown again */
    OPINION_COUNT
};

/* path NULL: the user's own file, folders made as needed; ":memory:": nothing is kept. A damaged
 * file is moved aside to "<path>.damaged" (or "-2", ...: nothing is overwritten) and a fresh one
 * begun; *moved then says so (NULL is allowed). A newer or foreign one is left as it is:
 * ERR_UNSUPPORTED. */
int feedback_open(struct feedback **out, const char *path, bool *moved, struct err *err);
/* Would the user's own file work? Looks only: makes, moves and changes nothing. `path` gets its
 * name, also on failure ("": there is no home folder). */
int feedback_check(char *path, size_t cap, struct err *err);

void feedback_close(struct feedback *f); /* NULL is allowed */

/* Used at once by the next recommend(). The title's name is stored beside its id, so that the
 * export is readable without the catalogue. */
int feedback_set_opinion(struct feedback *f, const struct title *t, enum opinion o,
                         struct err *err); /* OPINION_NONE takes it back */
int feedback_set_seen(struct feedback *f, const struct title *t, bool seen, struct err *err);
int feedback_set_later(struct feedback *f, const struct title *t, bool later, struct err *err);

enum opinion feedback_opinion(struct feedback *f, int64_t title);
bool feedback_is_seen(struct feedback *f, int64_t title);
bool feedback_is_later(struct feedback *f, int64_t title);

/* Remembers titles as shown now. */
int feedback_add_shown(struct feedback *f, const int64_t *titles, int count, struct err *err);
/* Forgets only what was shown: the lists start over. */
int feedback_forget_shown(struct feedback *f, struct err *err);

/* Everything, one line of "what TAB id TAB name TAB time", oldest first: the person's own copy. */
int feedback_export(struct feedback *f, void (*line)(const char *text, void *payload),
                    void *payload, struct err *err);

/* Deletes all of it, overwritten on disk (secure_delete), journal included. */
int feedback_clear_all(struct feedback *f, struct err *err);

/* Grows whenever the content changed through this connection or another one: caches compare it. */
int64_t feedback_revision(struct feedback *f);

/* For recommend(): calls fn for every title with an opinion or mark, the latest first, then for
 * every title shown in the last `shown_days`. */
struct feedback_entry {
    int64_t title;
    enum opinion opinion;
    bool seen, later, shown;
};
typedef void feedback_entry_fn(const struct feedback_entry *e, void *payload);
int feedback_each(struct feedback *f, int shown_days, feedback_entry_fn *fn, void *payload,
                  struct err *err);

#endif
