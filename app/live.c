/* The command `live`: the window. */
#include "app.h"
#include "base/log.h"
#include "base/thread.h"
#include "cli/commands.h"

int cli_live(int argc, char **argv, struct err *err)
{
    int64_t start_us = clock_now_us();
    struct app_options o;
    struct options *options;
    int words;
    int status =
        options_begin(&options, &app_option_set, app_command("live"), &o, argc, argv, err);
    if (status != OPTIONS_GO)
        return status;
    const char *extra = options_words(options, &words)[0];
    if (words > 0) {
        err_set(err, ERR_RANGE, "'%s': live takes no such word (a source is named by --source)",
                extra);
        status = STATUS_USAGE;
    } else {
        log_set_level((enum log_level)o.log);
        status = app_run(&o, start_us, err);
    }
    options_free(options);
    return status;
}
