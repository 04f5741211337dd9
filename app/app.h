/* The live app: composition root. Threads, event loop, what the session's actions mean. */
#ifndef APP_H
#define APP_H

#include <stdint.h>

#include "base/err.h"
#include "settings.h"

/* Runs until the viewer quits, a signal comes or --exit-after is over; start_us: when the program
 * began (clock_now_us), for the report. */
int app_run(const struct app_options *o, int64_t start_us, struct err *err);

#endif
