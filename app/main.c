/* moodreel: the list of commands. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "base/log.h"
#include "base/thread.h"
#include "cli/catalog.h"
#include "cli/commands.h"
#include "options.h"

static const char *const live_notes[] = {
    "Keys: SPACE freezes the picture and shows films, SPACE or Esc goes back; arrows, PgUp and "
    "PgDn\nmove; Tab shows songs; 1 .. 7 set the mood by hand, 0 reads it again; P changes the "
    "policy;\nL N S W: like, not for me, seen, later; F full screen; M mirror; ? help; Q quit.",
    "Settings live in $XDG_CONFIG_HOME/moodreel/moodreel.conf, one `long-option = value` a line.",
    NULL,
};

static int run_live(int argc, char **argv, struct err *err);

static const struct command commands[] = {
    {"live", NULL, "Open the window: the camera, faces, films", run_live, SETTINGS_LIVE,
     live_notes},
    {"photo", "IMAGE...", "Read the faces of picture files and recommend films for each", cli_photo,
     SETTINGS_PHOTO, NULL},
    {"recommend", NULL, "Recommend films or songs for a mood, without a camera", cli_recommend, 0,
     NULL},
    {"catalog", "COMMAND", "Import, search and inspect catalogues; export or clear your data",
     cli_catalog, 0, NULL},
    {"doctor", NULL, "Say in plain words what works and what is missing", cli_doctor,
     SETTINGS_DOCTOR, NULL},
};

const struct command *app_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int64_t start_us;

static int run_live(int argc, char **argv, struct err *err)
{
    struct app_options o;
    struct options *options;
    int words;
    int status = options_begin(&options, &app_option_set, &commands[0], &o, argc, argv, err);
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

int main(int argc, char **argv)
{
    struct err err = {0};
    start_us = clock_now_us();
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a full disk: a sentence, not a death */
    int status =
        commands_run(&app_option_set, "films and songs for the mood a face shows", MOODREEL_VERSION,
                     commands, sizeof commands / sizeof commands[0], argc, argv, &err);
    if (err.code != ERR_OK)
        fprintf(stderr, "moodreel: %s\n", err.text);
    return status;
}
