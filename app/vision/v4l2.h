/* Small things that the camera list and the camera source share. Private to app/vision. */
#ifndef VISION_V4L2_H
#define VISION_V4L2_H

#include "vision/camera_list.h"

/* ioctl() that goes on after signals. */
int v4l2_ioctl(int fd, unsigned long request, void *arg);

/* What an errno of open() or of an ioctl says about the device. */
enum camera_access v4l2_access(int error);

/* V4L2_PIX_FMT_MJPEG -> "MJPG". */
void v4l2_format_name(unsigned pixelformat, char out[5]);

/* The formats that we decode, best first: MJPG needs least of the USB bus, so cameras reach their
 * frame rate with it. NULL after the last. */
const char *v4l2_decoded_format(int rank);

#endif
