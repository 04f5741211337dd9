/* What the viewer sees and what happens next, as a pure state machine: events and the time go in,
 * actions come out. No window, no threads, no database, no clock of its own: a test runs years of
 * kiosk in milliseconds.
 *
 *  laptop:  LIVE --SPACE--> READING --reading--> RESULTS --SPACE, Esc--> LIVE
 *             '--camera gone--> NO_CAMERA --camera back--> LIVE
 *  kiosk:   ATTRACT --notice shown, then a face for 1.5 s, or a touch--> COUNTDOWN --3 s--> READING
 *             --reading--> RESULTS --30 s without a touch--> ATTRACT
 *
 * A mood set by hand needs no picture: RESULTS opens without READING. It lasts for one list. */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stdint.h>

enum session_state {
    SESSION_LIVE,
    SESSION_NO_CAMERA,
    SESSION_ATTRACT,
    SESSION_COUNTDOWN,
    SESSION_READING,
    SESSION_RESULTS,
    SESSION_STATE_COUNT
};

/* What happened; some carry a number. */
enum session_event {
    SESSION_GO,     /* SPACE, Enter; in the kiosk also a touch */
    SESSION_BACK,   /* Esc */
    SESSION_MOVE,   /* rows down (negative: up) */
    SESSION_PAGE,   /* pages down */
    SESSION_SELECT, /* a row of the list, from 0 */
    SESSION_TAB,    /* films or songs */
    SESSION_MOOD,   /* a mood key: an emotion, -1: as read from the picture */
    SESSION_PICK,   /* a mood tile: an emotion; opens the list at once */
    SESSION_POLICY,
    SESSION_OPINION, /* an enum session_opinion about the selected row */
    SESSION_HELP,
    SESSION_DEMO, /* the drawn face instead of a camera */
    SESSION_FULLSCREEN,
    SESSION_MIRROR,
    SESSION_QUIT,       /* Q or the close button; not in the kiosk */
    SESSION_KIOSK_QUIT, /* Ctrl+Alt+Q */
    SESSION_CAMERA,     /* an enum session_camera */
    SESSION_FACES,      /* how many faces the newest picture shows */
    SESSION_STILL,      /* how many faces the careful reading found */
    SESSION_TITLES,     /* how many titles the list has now */
    SESSION_EVENT_COUNT
};

enum session_camera { SESSION_CAMERA_OPENING, SESSION_CAMERA_LIVE, SESSION_CAMERA_GONE };

enum session_opinion { SESSION_LIKE, SESSION_NOT_FOR_ME, SESSION_SEEN, SESSION_LATER };

/* What the caller has to do, as bits. A redraw follows every event anyway. */
enum session_action {
    SESSION_DO_NOTHING = 0,
    SESSION_DO_FREEZE = 1,    /* keep showing the picture that is on the screen */
    SESSION_DO_READ = 2,      /* read that picture with care; answer with SESSION_STILL */
    SESSION_DO_USE_LIVE = 4,  /* the reading is late: answer SESSION_STILL from the live faces */
    SESSION_DO_RECOMMEND = 8, /* fetch titles for mood, kind, policy; answer SESSION_TITLES */
    SESSION_DO_RESUME = 16,   /* show the newest picture again */
    SESSION_DO_POLICY = 32,   /* go to the next policy (before SESSION_DO_RECOMMEND) */
    SESSION_DO_OPINION = 64,  /* store `opinion` about row `selected` */
    SESSION_DO_DEMO = 128,
    SESSION_DO_FULLSCREEN = 256, /* switch it */
    SESSION_DO_WINDOWED = 512,   /* leave it */
    SESSION_DO_MIRROR = 1024,
    SESSION_DO_QUIT = 2048
};

/* What may be computed from the camera's pictures now. */
enum session_sight {
    SESSION_SEES_NOTHING,
    SESSION_SEES_FACES, /* that somebody is there, not what they look like */
    SESSION_SEES_MOODS
};

/* A short message to the viewer, shown for note_us. */
enum session_note { SESSION_NOTE_NONE, SESSION_NOTE_NO_FACE, SESSION_NOTE_MOOD_SET };

struct session_params {
    bool kiosk;
    bool songs;          /* the catalogue has songs */
    int64_t notice_us;   /* kiosk: the notice stays this long before a face counts */
    int64_t approach_us; /* kiosk: a face this long begins the countdown */
    int64_t leave_us;    /* kiosk: no face this long ends the countdown */
    int64_t countdown_us;
    int64_t results_us; /* kiosk: the list stays this long after the last touch */
    int64_t still_us;   /* the careful reading may take this long */
    int64_t note_us;
};

struct session {
    struct session_params params;
    enum session_state state;
    int64_t since_us; /* when the state began; kiosk RESULTS: the last touch */
    enum session_camera camera;
    int64_t face_us;   /* since when a face is there; -1: none */
    int64_t noface_us; /* since when none is there; -1: one is */
    int manual;        /* mood set by hand, -1: read from the picture */
    bool read;         /* RESULTS: a reading of the picture exists */
    bool songs;        /* the list shows songs */
    bool help;
    int count, selected, rows; /* the list; rows: how many fit on a page (session_set_rows) */
    enum session_opinion opinion;
    enum session_note note;
    int64_t note_until_us;
};

struct session_params session_defaults(bool kiosk);
void session_init(struct session *s, const struct session_params *p, int64_t now_us);

/* Both return an OR of session_action. `arg` as said at the event. Time never goes back. */
unsigned session_handle(struct session *s, enum session_event e, int arg, int64_t now_us);
unsigned session_tick(struct session *s, int64_t now_us);

/* When session_tick() must run next; INT64_MAX: never. */
int64_t session_deadline(const struct session *s);

enum session_sight session_sight(const struct session *s, int64_t now_us);

/* How many rows fit on a page, at least 1: told by the view. */
void session_set_rows(struct session *s, int rows);
int session_first_row(const struct session *s); /* of the page that holds `selected` */

/* Seconds left on the countdown, 3 .. 1, and its share that is over, 0 .. 1. */
int session_countdown(const struct session *s, int64_t now_us, float *done);

const char *session_state_name(enum session_state state); /* "live"; static */

#endif
