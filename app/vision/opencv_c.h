/* The only door to OpenCV, and the only C++ of the project behind it.
 *
 * Plain pointers and sizes, no project header. Every function catches every exception and returns 0
 * or more on success, CVC_FAILED with a sentence in `why` (cap bytes, always terminated) otherwise.
 * Pictures are 8 bit: grey (1 byte a pixel) or BGR (3 bytes), `stride` bytes from row to row.
 * Threads: objects belong to one thread at a time; functions without an object may be called from
 * any. */
#ifndef VISION_OPENCV_C_H
#define VISION_OPENCV_C_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CVC_OK = 0, CVC_END = 1, CVC_FAILED = -1 };

/* One thread for OpenCV's own loops and silence on stderr. Called by every open below; programs
 * that use only the picture functions call it once themselves, before threads start. */
void cvc_setup(void);

/* "4.6.0" */
const char *cvc_version(void);

/* Video files and network streams (FFmpeg). Cameras do not come through here: see source_v4l2.c. */
struct cvc_video;
int cvc_video_open(struct cvc_video **out, const char *uri, char *why, size_t cap);

/* Decodes the next picture and gives its size. CVC_END at the end of the file. */
int cvc_video_next(struct cvc_video *v, int *width, int *height, char *why, size_t cap);

/* Copies the picture of the last cvc_video_next() out; width and height must be those it gave. */
int cvc_video_copy(struct cvc_video *v, uint8_t *bgr, int width, int height, int stride, char *why,
                   size_t cap);
int cvc_video_rewind(struct cvc_video *v, char *why, size_t cap); /* to the first picture */
double cvc_video_fps(const struct cvc_video *v);                  /* 0: unknown */
int64_t cvc_video_length(const struct cvc_video *v); /* pictures; 0: unknown, as of a live stream */
void cvc_video_close(struct cvc_video *v);           /* NULL is allowed */

/* Haar and LBP cascades. */
struct cvc_cascade;
struct cvc_rect {
    int x, y, w, h;
};
int cvc_cascade_open(struct cvc_cascade **out, const char *xml_path, char *why, size_t cap);

/* Fills out[0 .. max); returns how many. scale: step between sizes (> 1); neighbours: overlapping
 * hits that make one face; support[i] (may be NULL) is how many hits made out[i]. max_side 0: no
 * upper limit. */
int cvc_cascade_detect(struct cvc_cascade *c, const uint8_t *gray, int width, int height,
                       int stride, double scale, int neighbours, int min_side, int max_side,
                       struct cvc_rect *out, int *support, int max, char *why, size_t cap);
void cvc_cascade_close(struct cvc_cascade *c); /* NULL is allowed */

/* Pictures in memory. Sizes must be positive. */
int cvc_bgr_to_gray(const uint8_t *bgr, int width, int height, int stride, uint8_t *gray,
                    int gray_stride, char *why, size_t cap);

/* Area averaging when shrinking, bilinear when enlarging. channels: 1 or 3. */
int cvc_resize(const uint8_t *src, int sw, int sh, int ss, uint8_t *dst, int dw, int dh, int ds,
               int channels, char *why, size_t cap);

/* Histogram of oriented gradients (Dalal and Triggs, "Histograms of oriented gradients for human
 * detection", 2005) of a grey picture without padding whose sides are multiples of 8: cells of 8 x
 * 8 pixels, blocks of 2 x 2 cells, 9 directions. Fills out (`max` floats), returns how many. */
int cvc_hog(const uint8_t *gray, int width, int height, float *out, int max, char *why, size_t cap);

/* Networks of the dnn module, on the processor. Only measurements use it. */
struct cvc_net;

/* An ONNX file with one input and one output, their names, and the whole input shape. `threads`
 * holds for all of OpenCV. */
int cvc_net_open(struct cvc_net **out, const char *onnx_path, const char *input, const char *output,
                 const int *dims, int rank, int threads, char *why, size_t cap);
float *cvc_net_input(struct cvc_net *n); /* owned by n; the caller fills it */
int cvc_net_run(struct cvc_net *n, char *why, size_t cap);
const float *cvc_net_output(const struct cvc_net *n); /* of the last run */
void cvc_net_close(struct cvc_net *n);                /* NULL is allowed */

/* Raw camera pictures to BGR. fourcc: "YUYV", "UYVY", "NV12", "YU12", "GREY", "RGB3", "BGR3".
 * src_stride: bytes from row to row of the first plane; bytes: how many there are. */
int cvc_raw_to_bgr(const char *fourcc, const uint8_t *src, size_t bytes, int src_stride, int width,
                   int height, uint8_t *bgr, int stride, char *why, size_t cap);

/* Image files and JPEG pictures in memory. A decoded picture is freed with cvc_free(). channels:
 * 1 or 3. EXIF turns are applied. Pictures over 64 megapixels are refused. */
int cvc_image_read(const char *path, int channels, uint8_t **px, int *width, int *height, char *why,
                   size_t cap);
int cvc_image_decode(const void *data, size_t len, int channels, uint8_t **px, int *width,
                     int *height, char *why, size_t cap);

/* The same into memory of the caller, for camera pictures of a known size; another size is an
 * error. */
int cvc_image_decode_into(const void *data, size_t len, uint8_t *bgr, int width, int height,
                          int stride, char *why, size_t cap);

/* Writes one line of ASCII with its left end on the baseline at (x, y), capitals `size` pixels
 * tall, cut at the picture's edges. colour: blue, green, red. */
int cvc_text(uint8_t *bgr, int width, int height, int stride, int x, int y, double size,
             const uint8_t colour[3], const char *text, char *why, size_t cap);

/* A picture as the bytes of an image file, type ".png" or ".jpg"; *out is freed with cvc_free().
 * channels: 1 or 3 (BGR). */
int cvc_image_encode(const char *type, const uint8_t *px, int channels, int width, int height,
                     int stride, uint8_t **out, size_t *len, char *why, size_t cap);
void cvc_free(void *p); /* what this file allocated; NULL is allowed */

#ifdef __cplusplus
}
#endif

#endif
