/* Labelled faces from files: FER-2013's CSV with the FER+ votes, and folders of pictures.
 * Labels are the seven of emotion.h. Errors name the file and the line. */
#ifndef VISION_FER_DATA_H
#define VISION_FER_DATA_H

#include "emotion.h"
#include "nn/dataset.h"

enum { FER_SIDE = 48, FERPLUS_COUNT = 10 };

/* Columns of the FER+ votes, in the order of the file and of the output `ferplus`. */
extern const char *const ferplus_names[FERPLUS_COUNT];
/* The same as the value of the metadata key ferplus_labels (vision/preprocess.h). */
#define FERPLUS_LABELS "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,nf"

/* The name used in FER-2013's Usage column: "Training", "PublicTest", "PrivateTest". */
const char *fer_split_name(enum nn_split split);

/* Accepts those names, and "train", "val", "valid", "validation", "test", whatever the case. */
bool fer_split_parse(const char *name, enum nn_split *out);

/* Reads a CSV with the columns emotion, pixels and Usage, in any order and with any others beside
 * them. A label is 0 .. 6 or a name; pixels are 48 x 48 numbers 0 .. 255.
 * votes: a FER+ CSV with the same rows in the same order, or NULL. The caller destroys *out. */
int fer_read_csv(struct nn_dataset **out, const char *csv, const char *votes, struct err *err);

/* Calls `each` for the pictures dir/CLASS/FILE (all Training) and dir/SPLIT/CLASS/FILE in the order
 * of their names, until it fails. A folder whose name is no emotion and a folder without a picture
 * are errors. */
typedef int fer_picture_fn(void *payload, const char *path, enum emotion e, enum nn_split split,
                           struct err *err);
int fer_walk_folders(const char *dir, fer_picture_fn *each, void *payload, struct err *err);

/* Reads pictures dir/CLASS/FILE (all Training) or dir/SPLIT/CLASS/FILE, in the order of their
 * names, as grey pictures of side x side. A folder whose name is no emotion, a folder without a
 * picture and a file that is no picture are errors. The caller destroys *out. */
int fer_read_folders(struct nn_dataset **out, const char *dir, int side, struct err *err);

/* Folders if `path` is one (votes must be NULL then), at FER_SIDE; a CSV otherwise. */
int fer_read(struct nn_dataset **out, const char *path, const char *votes, struct err *err);

#endif
