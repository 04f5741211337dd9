/* The commands with pictures, in the program without them: moodreel-live takes over.
 *
 * DESIGN. OpenCV and SDL bring 250 libraries along, which take longer to load than a whole
 * `moodreel recommend` takes to run. So there are two programs from one list of commands:
 * moodreel-live has all of it, and moodreel, the one that people type, has the commands without
 * pictures and becomes moodreel-live for the others: same process, same arguments, same status. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/commands.h"

/* Beside this program, as in the build tree, or where it is installed: seen from the folder of this
 * program, so that an installation may be moved. */
static const char *const places[] = {"moodreel-live", MOODREEL_LIBEXEC_FROM_BIN "/moodreel-live"};

/* The folder of the running program with a slash at its end. */
static bool own_folder(char *out, size_t cap)
{
    ssize_t n = readlink("/proc/self/exe", out, cap - 1);
    if (n <= 0)
        return false;
    out[n] = '\0';
    char *slash = strrchr(out, '/');
    if (slash == NULL)
        return false;
    slash[1] = '\0';
    return true;
}

static int hand_over(const char *command, int argc, char **argv, struct err *err)
{
    char folder[4096], path[4200] = "moodreel-live";
    char **words = mem_new((size_t)argc + 2, sizeof *words);
    words[1] = mem_strdup(command);
    for (int i = 1; i < argc; i++)
        words[i + 1] = argv[i];
    errno = ENOENT;
    for (size_t i = 0; i < sizeof places / sizeof places[0] && errno == ENOENT; i++) {
        if (!own_folder(folder, sizeof folder))
            break;
        snprintf(path, sizeof path, "%s%s", folder, places[i]);
        words[0] = path;
        execv(path, words);
    }
    err_set(err, ERR_IO, "%s: %s: the part with camera and window cannot be started; install "
            "moodreel again", path, strerror(errno));
    free(words[1]);
    free(words);
    return STATUS_FAILED;
}

int cli_live(int argc, char **argv, struct err *err)
{
    return hand_over("live", argc, argv, err);
}

int cli_photo(int argc, char **argv, struct err *err)
{
    return hand_over("photo", argc, argv, err);
}

int cli_doctor(int argc, char **argv, struct err *err)
{
    return hand_over("doctor", argc, argv, err);
}
