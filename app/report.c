/* JSON lines. */
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "catalog/playlist.h"

#define FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(5))

struct report {
    FILE *file;
    char *path;
    int64_t start_us;
};

int report_open(struct report **out, const char *path, int64_t start_us, struct err *err)
{
    FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    *out = NULL;
    if (!file)
        return err_errno(err, path);
    setvbuf(file, NULL, _IOLBF, 0); /* a reader sees whole lines as they happen */
    *out = mem_new(1, sizeof **out);
    **out = (struct report){file, mem_strdup(path), start_us};
    return ERR_OK;
}

/* Takes the object. */
static void write_line(struct report *r, json_t *object)
{
    json_dumpf(object, r->file, FLAGS);
    fputc('\n', r->file);
    json_decref(object);
}

void report_camera(struct report *r, const struct capture_status *s)
{
    if (r)
        write_line(r, json_pack("{s:s, s:s, s:s, s:s, s:s}", "event", "camera", "state",
                                capture_state_name(s->state), "reason",
                                capture_reason_name(s->reason), "name", s->name, "text", s->text));
}

void report_first_picture(struct report *r, int64_t now_us)
{
    if (r)
        write_line(r, json_pack("{s:s, s:f}", "event", "first_picture", "ms",
                                (double)(now_us - r->start_us) * 1e-3));
}

void report_state(struct report *r, const char *state)
{
    if (r)
        write_line(r, json_pack("{s:s, s:s}", "event", "state", "state", state));
}

/* Resident memory of this process; 0 where /proc does not tell. */
static double rss_mb(void)
{
    long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f)
        return 0.0;
    if (fscanf(f, "%ld %ld", &total, &resident) != 2)
        resident = 0;
    fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / (1024.0 * 1024.0);
}

void report_stats(struct report *r, const struct report_stats *s)
{
    if (r)
        write_line(r, json_pack("{s:s, s:f, s:f, s:f, s:I, s:f, s:f, s:f}", "event", "stats",
                                "display_fps", s->display_fps, "capture_fps", s->capture_fps,
                                "detect_fps", s->detect_fps, "skipped", (json_int_t)s->skipped,
                                "latency_ms_p50", s->latency_ms_p50, "latency_ms_p95",
                                s->latency_ms_p95, "rss_mb", rss_mb()));
}

json_t *report_face(uint32_t id, const struct box *box, int width, int height, const char *label,
                    bool steady, const struct emotion_scores *scores)
{
    return json_pack("{s:I, s:[i,i,i,i], s:s, s:b, s:o}", "id", (json_int_t)id, "box",
                     (int)lroundf(box->x * (float)width), (int)lroundf(box->y * (float)height),
                     (int)lroundf(box->w * (float)width), (int)lroundf(box->h * (float)height),
                     "label", label, "steady", steady, "scores", mood_json(scores));
}

void report_faces(struct report *r, const struct observation *o, int width, int height, double t)
{
    if (!r)
        return;
    json_t *faces = json_array();
    for (int i = 0; i < o->count; i++) {
        const struct face_track *f = &o->face[i];
        json_array_append_new(faces, report_face(f->id, &f->box, width, height,
                                                 f->sure ? emotion_name(f->label) : "not sure",
                                                 f->steady, &f->smooth));
    }
    write_line(r, json_pack("{s:s, s:I, s:f, s:i, s:i, s:o}", "event", "faces", "frame",
                            (json_int_t)o->frame_seq, "t", t, "width", width, "height", height,
                            "faces", faces));
}

void report_recommendations(struct report *r, const struct emotion_scores *mood, const char *source,
                            const char *policy, const struct title_list *titles, double ms)
{
    if (r)
        write_line(r, json_pack("{s:s, s:o, s:s, s:s, s:o, s:f}", "event", "recommendations",
                                "mood", mood_json(mood), "source", source, "policy", policy,
                                "titles", title_list_json(titles), "ms", ms));
}

int report_close(struct report *r, int status, int64_t now_us, struct err *err)
{
    int code = ERR_OK;
    if (!r)
        return ERR_OK;
    write_line(r, json_pack("{s:s, s:i, s:f}", "event", "exit", "status", status, "seconds",
                            (double)(now_us - r->start_us) * 1e-6));
    if (fflush(r->file) != 0 || ferror(r->file))
        code = err_set(err, ERR_IO, "%s: the report could not be written in full", r->path);
    if (r->file != stdout && fclose(r->file) != 0 && code == ERR_OK)
        code = err_errno(err, r->path);
    free(r->path);
    free(r);
    return code;
}
