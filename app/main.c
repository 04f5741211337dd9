/* moodreel and moodreel-live: the list of commands. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/catalog.h"
#include "cli/commands.h"
#include "options.h"
#include "settings.h"

static const char *const live_notes[] = {
    "Keys: SPACE freezes the picture and shows films, SPACE or Esc goes back; arrows, PgUp and "
    "PgDn\nmove; Tab shows songs; 1 .. 7 set the mood by hand, 0 reads it again; P changes the "
    "policy;\nL N S W: like, not for me, seen, later; F full screen; M mirror; ? help; Q quit.",
    "Settings live in $XDG_CONFIG_HOME/moodreel/moodreel.conf, one `long-option = value` a line.",
    NULL,
};

static const struct command commands[] = {
    {"live", NULL, "Open the window: the camera, faces, films", cli_live, SETTINGS_LIVE,
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

/* What was printed must have arrived: a full disk is a failure. */
static int flush_output(int status, struct err *err)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    if (status != STATUS_OK)
        return status;
    err_set(err, ERR_IO, "standard output: %s", strerror(errno));
    return STATUS_FAILED;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a full disk: a sentence, not a death */
    int status =
        commands_run(&app_option_set, "films and songs for the mood a face shows", MOODREEL_VERSION,
                     commands, sizeof commands / sizeof commands[0], argc, argv, &err);
    status = flush_output(status, &err);
    if (err.code != ERR_OK)
        fprintf(stderr, "moodreel: %s\n", err.text);
    return status;
}
