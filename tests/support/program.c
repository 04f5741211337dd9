/* Processes, pipes, a screen. */
#include "support/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/thread.h"
#include "nn/onnx.h"
#include "nn/zoo.h"
#include "support/testing.h"
#include "vision/preprocess.h"

enum { WAIT_S = 60, EVENTS_MAX = 32 };

#define WAYLAND_SOCKET "moodreel-test"

struct screen {
    pid_t pid;
    char display[32];
    pid_t compositor;
    char *runtime; /* the compositor's folder; NULL: programs use X11 */
};

struct program {
    pid_t pid;
    int out;
    char *err_path;
    char buffer[1 << 17];
    size_t len;
    char seen[EVENTS_MAX][32];
    int seen_count;
};

static bool installed(const char *name)
{
    const char *folders[] = {"/usr/bin", "/usr/local/bin", "/bin"};
    char path[256];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folders[i], name);
        if (access(path, X_OK) == 0)
            return true;
    }
    return false;
}

/* fork and exec; out and err become the child's standard output and error when >= 0. */
static pid_t spawn(const char *const *argv, int out, int err, const struct screen *screen)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    if (out >= 0)
        dup2(out, STDOUT_FILENO);
    if (err >= 0)
        dup2(err, STDERR_FILENO);
    if (screen)
        setenv("DISPLAY", screen->display, 1);
    if (screen && screen->runtime) {
        setenv("XDG_RUNTIME_DIR", screen->runtime, 1);
        setenv("WAYLAND_DISPLAY", WAYLAND_SOCKET, 1);
    }
    setenv("SDL_VIDEODRIVER", !screen ? "dummy" : screen->runtime ? "wayland" : "x11", 1);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- the screen ---- */

struct screen *screen_start(const char *size)
{
    int ends[2];
    char fd[16], mode[32], number[16] = "";
    if (!installed("Xvfb") || !installed("xdotool"))
        return NULL;
    assert_int_equal(pipe(ends), 0);
    snprintf(fd, sizeof fd, "%d", ends[1]);
    snprintf(mode, sizeof mode, "%sx24", size);
    const char *argv[] = {"Xvfb", "-displayfd", fd, "-screen", "0", mode, "-nolisten", "tcp", NULL};
    struct screen *s = mem_new(1, sizeof *s);
    int nowhere = open("/dev/null", O_WRONLY);
    s->pid = spawn(argv, nowhere, nowhere, NULL);
    close(ends[1]);
    close(nowhere);
    if (read(ends[0], number, sizeof number - 1) <= 0) /* written once it is ready */
        fail_msg("Xvfb did not start");
    close(ends[0]);
    number[strcspn(number, "\n")] = '\0';
    snprintf(s->display, sizeof s->display, ":%s", number);
    return s;
}

/* Connects as a program would: there is nothing else that tells when the compositor is up. */
static bool compositor_answers(const struct screen *s)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s/" WAYLAND_SOCKET, s->runtime);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    bool answers = connect(fd, (const struct sockaddr *)&at, sizeof at) == 0;
    close(fd);
    return answers;
}

static bool await_compositor(struct screen *s)
{
    int64_t deadline = clock_now_us() + WAIT_S * INT64_C(1000000);
    while (!compositor_answers(s)) {
        bool ended = waitpid(s->compositor, NULL, WNOHANG) == s->compositor;
        if (ended)
            s->compositor = 0;
        if (ended || clock_now_us() > deadline)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
    }
    return true;
}

struct screen *screen_start_wayland(const char *size)
{
    if (!installed("weston"))
        return NULL;
    struct screen *s = screen_start(size);
    if (!s)
        return NULL;
    char width[32], height[32];
    snprintf(width, sizeof width, "--width=%.*s", (int)strcspn(size, "x"), size);
    snprintf(height, sizeof height, "--height=%s", size + strcspn(size, "x") + 1);
    const char *argv[] = {"weston", "--backend=x11-backend.so", "--shell=kiosk-shell.so",
                          "--socket=" WAYLAND_SOCKET, width, height, "--no-config",
                          "--idle-time=0", NULL};
    int nowhere = open("/dev/null", O_WRONLY);
    s->runtime = testing_make_dir();
    s->compositor = spawn(argv, nowhere, nowhere, s);
    close(nowhere);
    if (await_compositor(s))
        return s;
    screen_stop(s);
    return NULL;
}

void screen_stop(struct screen *s)
{
    if (!s)
        return;
    if (s->compositor > 0) {
        kill(s->compositor, SIGKILL); /* one that waits for its screen hears nothing else */
        wait_for(s->compositor);
    }
    if (s->runtime)
        testing_remove_dir(s->runtime);
    kill(s->pid, SIGTERM);
    wait_for(s->pid);
    free(s);
}

void screen_key(struct screen *s, const char *key)
{
    const char *argv[] = {"xdotool", "key", key, NULL};
    assert_int_equal(wait_for(spawn(argv, -1, -1, s)), 0);
}

void screen_click(struct screen *s, int x, int y)
{
    char at[2][16];
    snprintf(at[0], sizeof at[0], "%d", x);
    snprintf(at[1], sizeof at[1], "%d", y);
    const char *argv[] = {"xdotool", "mousemove", at[0], at[1], "click", "1", NULL};
    assert_int_equal(wait_for(spawn(argv, -1, -1, s)), 0);
}

/* ---- the program ---- */

struct program *program_start(struct screen *screen, const char *const *argv)
{
    int ends[2];
    char name[] = "/tmp/moodreel-stderr-XXXXXX";
    struct program *p = mem_new(1, sizeof *p);
    int err = mkstemp(name);
    assert_true(err >= 0);
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    p->err_path = mem_strdup(name);
    p->out = ends[0];
    p->pid = spawn(argv, ends[1], err, screen);
    close(ends[1]);
    close(err);
    return p;
}

/* Gives the next line, without its end, in p->buffer. false: the output is over. */
static bool next_line(struct program *p, char *line, size_t cap, int64_t deadline_us)
{
    for (;;) {
        char *end = memchr(p->buffer, '\n', p->len);
        if (end) {
            size_t n = (size_t)(end - p->buffer);
            assert_true(n < cap);
            memcpy(line, p->buffer, n);
            line[n] = '\0';
            p->len -= n + 1;
            memmove(p->buffer, end + 1, p->len);
            return true;
        }
        struct pollfd ready = {.fd = p->out, .events = POLLIN};
        int64_t left = deadline_us - clock_now_us();
        if (left <= 0 || poll(&ready, 1, (int)(left / 1000)) == 0)
            return false;
        ssize_t n = read(p->out, p->buffer + p->len, sizeof p->buffer - p->len);
        if (n <= 0)
            return false;
        p->len += (size_t)n;
    }
}

static void note_seen(struct program *p, const char *name)
{
    if (!program_saw(p, name) && p->seen_count < EVENTS_MAX)
        snprintf(p->seen[p->seen_count++], sizeof p->seen[0], "%s", name);
}

bool program_saw(const struct program *p, const char *name)
{
    for (int i = 0; i < p->seen_count; i++)
        if (strcmp(p->seen[i], name) == 0)
            return true;
    return false;
}

static char *error_text(const struct program *p)
{
    void *text = NULL;
    size_t len;
    return path_read(p->err_path, &text, &len, 1 << 20, NULL) == ERR_OK ? text : mem_strdup("");
}

/* The next report line as an object; NULL: the output is over or the time is. */
static json_t *next_event(struct program *p, int64_t deadline_us)
{
    static char line[1 << 17];
    json_error_t why;
    if (!next_line(p, line, sizeof line, deadline_us))
        return NULL;
    json_t *o = json_loads(line, 0, &why);
    if (!o)
        fail_msg("not JSON: %s (%s)", line, why.text);
    assert_non_null(json_string_value(json_object_get(o, "event")));
    note_seen(p, json_string_value(json_object_get(o, "event")));
    return o;
}

static bool matches(const json_t *o, const struct program_wish *w)
{
    const char *got = w->key ? json_string_value(json_object_get(o, w->key)) : NULL;
    return strcmp(json_string_value(json_object_get(o, "event")), w->event) == 0 &&
           (!w->key || (got && strcmp(got, w->value) == 0));
}

static void fail_missing(struct program *p, const struct program_wish *w)
{
    fail_msg("no event %s with %s %s came; stderr: %s", w->event, w->key ? w->key : "",
             w->key ? w->value : "", error_text(p));
}

json_t *program_event(struct program *p, const char *name, const char *key, const char *value)
{
    struct program_wish wish = {name, key, value};
    int64_t deadline = clock_now_us() + WAIT_S * INT64_C(1000000);
    json_t *o;
    while ((o = next_event(p, deadline)) != NULL) {
        if (matches(o, &wish))
            return o;
        json_decref(o);
    }
    fail_missing(p, &wish);
    return NULL;
}

void program_events(struct program *p, const struct program_wish *wishes, size_t count)
{
    int64_t deadline = clock_now_us() + WAIT_S * INT64_C(1000000);
    bool came[EVENTS_MAX] = {false};
    size_t left = count;
    json_t *o;
    assert_true(count <= EVENTS_MAX);
    while (left > 0 && (o = next_event(p, deadline)) != NULL) {
        for (size_t i = 0; i < count; i++) {
            bool now = !came[i] && matches(o, &wishes[i]);
            came[i] |= now;
            left -= now;
        }
        json_decref(o);
    }
    for (size_t i = 0; i < count; i++)
        if (!came[i])
            fail_missing(p, &wishes[i]);
}

void program_signal(struct program *p, int number)
{
    kill(p->pid, number);
}

int program_end(struct program *p, char **text)
{
    char rest[4096];
    while (read(p->out, rest, sizeof rest) > 0)
        continue;
    close(p->out);
    int status = wait_for(p->pid);
    if (text)
        *text = error_text(p);
    unlink(p->err_path);
    free(p->err_path);
    free(p);
    return status;
}

const char *program_model(const char *dir)
{
    struct nn_graph *g = NULL;
    struct err err = {0};
    struct preprocess p = preprocess_defaults();
    const char *path = testing_path(dir, "untrained.onnx");
    assert_int_equal(nn_zoo_build(&g, "xception38", NULL, &err), ERR_OK);
    preprocess_to_graph(&p, g);
    assert_int_equal(nn_onnx_save(g, path, &err), ERR_OK);
    nn_graph_destroy(g);
    return path;
}
