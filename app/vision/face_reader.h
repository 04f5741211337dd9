/* Finder and classifier together: a picture in, faces with readings out. The live detector, the
 * careful pass on a frozen picture and `moodreel photo` all go through here. One reader belongs to
 * one thread. */
#ifndef VISION_FACE_READER_H
#define VISION_FACE_READER_H

#include <stdint.h>

#include "base/err.h"
#include "vision/face.h"

struct pool;

enum reader_effort { READER_LIVE, READER_CAREFUL };

enum { READER_FACES_MAX = 32 };

struct read_face {
    struct face_box box; /* pixels */
    struct reading reading;
};

/* Largest face first. */
struct read_result {
    int width, height; /* of the picture */
    int count;
    struct read_face face[READER_FACES_MAX];
    float detect_ms, infer_ms;
    int model; /* that read the faces: 0 the first, 1 the one added */
};

struct face_reader;

/* cascade as in face_finder_open(); model: path of the ONNX file; pool: borrowed, may be NULL. */
int face_reader_open(struct face_reader **out, const char *cascade, const char *model,
                     struct pool *pool, struct err *err);

/* Puts a more accurate and slower model beside the first, measures both, and from now on reads with
 * it whenever it is expected to take at most live_ms for the faces of a live picture, careful_ms
 * for those of a careful pass. Once. After a failure the reader is as it was. */
int face_reader_add(struct face_reader *r, const char *model, struct pool *pool, float live_ms,
                    float careful_ms, struct err *err);

/* What one face is expected to take with a model now, milliseconds; 0: it was never measured. */
float face_reader_ms(const struct face_reader *r, int model);
void face_reader_close(struct face_reader *r); /* NULL is allowed */

/* bgr: height rows of `stride` bytes. max_faces <= READER_FACES_MAX. */
int face_reader_read(struct face_reader *r, const uint8_t *bgr, int width, int height, int stride,
                     enum reader_effort effort, int max_faces, struct read_result *out,
                     struct err *err);

/* A picture file, with the careful pass: what `moodreel photo` shows. The sentence names the file.
 */
int face_reader_photo(struct face_reader *r, const char *path, struct read_result *out,
                      struct err *err);

#endif
