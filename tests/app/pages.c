/* The pages of pages.h. */
#include "pages.h"

#include <string.h>

enum { FILMS = 12, SONGS = 3 };

/* Facts of well-known films; the reasons are made up. */
static struct title films[FILMS] = {
    {.name = "Paddington 2",
     .year = 2017,
     .minutes = 103,
     .rating = 7.8f,
     .genres = "Adventure, Comedy, Family",
     .why = "A gentle comedy lifts a sad look; highly rated."},
    {.name = "Am\xc3\xa9lie",
     .year = 2001,
     .minutes = 122,
     .rating = 8.3f,
     .genres = "Comedy, Romance",
     .why = "Warm and playful: romance suits sad and neutral alike."},
    {.name = "\xe5\x8d\x83\xe3\x81\xa8\xe5\x8d\x83\xe5\xb0\x8b\xe3\x81\xae\xe7\xa5\x9e\xe9\x9a\xa0"
             "\xe3\x81\x97",
     .year = 2001,
     .minutes = 124,
     .rating = 8.6f,
     .genres = "Animation, Adventure, Family",
     .why = "Animation leads away from sad; loved by many."},
    {.name = "\xe0\xa4\xa4\xe0\xa4\xbe\xe0\xa4\xb0\xe0\xa5\x87 \xe0\xa4\x9c\xe0\xa4\xbc\xe0\xa4\xae"
             "\xe0\xa5\x80\xe0\xa4\xa8 \xe0\xa4\xaa\xe0\xa4\xb0",
     .year = 2007,
     .minutes = 162,
     .rating = 8.3f,
     .genres = "Drama, Family",
     .why = "A moving story with a hopeful end."},
    {.name = "Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb",
     .year = 1964,
     .minutes = 95,
     .rating = 8.3f,
     .genres = "Comedy, War",
     .why = "A black comedy for a look that is angry as well as sad, and long enough a reason that "
            "it has to be cut before the end of its line."},
    {.name = "\xd0\xa1\xd1\x82\xd0\xb0\xd0\xbb\xd0\xba\xd0\xb5\xd1\x80",
     .year = 1979,
     .minutes = 162,
     .rating = 8.1f,
     .genres = "Drama, Sci-Fi",
     .why = "Slow and clear."},
    {.name =
         "\xd8\xac\xd8\xaf\xd8\xa7\xdb\x8c\xdb\x8c \xd9\x86\xd8\xa7\xd8\xaf\xd8\xb1 \xd8\xa7\xd8"
         "\xb2 \xd8\xb3\xdb\x8c\xd9\x85\xdb\x8c\xd9\x86",
     .year = 2011,
     .minutes = 123,
     .rating = 8.3f,
     .genres = "Drama",
     .why = "Serious company for a serious look."},
    {.name = "Singin' in the Rain",
     .year = 1952,
     .minutes = 103,
     .rating = 8.3f,
     .genres = "Comedy, Musical, Romance",
     .why = "Musicals lift; this one most of all."},
    {.name = "My Neighbor Totoro",
     .year = 1988,
     .minutes = 86,
     .rating = 8.1f,
     .genres = "Animation, Family",
     .why = "Quiet and kind."},
    {.name = "The Grand Budapest Hotel",
     .year = 2014,
     .minutes = 99,
     .rating = 8.1f,
     .genres = "Adventure, Comedy, Crime",
     .why = "Bright and quick."},
    {.name = "It's a Wonderful Life",
     .year = 1946,
     .minutes = 130,
     .rating = 8.6f,
     .genres = "Drama, Family, Fantasy",
     .why = "From sad to hopeful in one evening."},
    {.name = "School of Rock",
     .year = 2003,
     .minutes = 109,
     .rating = 7.2f,
     .genres = "Comedy, Music",
     .why = "Loud and cheerful."},
};

static struct title songs[SONGS] = {
    {.kind = TITLE_SONG,
     .name = "Here Comes the Sun",
     .makers = "The Beatles",
     .year = 1969,
     .genres = "Rock",
     .why = "Bright and calm."},
    {.kind = TITLE_SONG,
     .name = "What a Wonderful World",
     .makers = "Louis Armstrong",
     .year = 1967,
     .genres = "Jazz",
     .why = "Warm and slow."},
    {.kind = TITLE_SONG,
     .name = "Walking on Sunshine",
     .makers = "Katrina and the Waves",
     .year = 1983,
     .genres = "Pop",
     .why = "Lively."},
};

static const struct view_mark marks[FILMS] = {
    [1] = {.liked = true}, [3] = {.seen = true}, [4] = {.not_for_me = true}};

static const struct title_list film_list = {.v = films, .count = FILMS, .note = ""};
static const struct title_list song_list = {.v = songs, .count = SONGS, .note = ""};
static const struct title_list no_list = {.note = "Every title for this mood was shown already."};

static void add_face(struct page *p, float x, float y, float side, enum emotion e, float score,
                     bool sure)
{
    struct face_track *f = &p->faces.face[p->faces.count++];
    *f = (struct face_track){.id = (uint32_t)p->faces.count,
                             .box = {x, y, side * 0.75f, side},
                             .label = e,
                             .sure = sure,
                             .steady = sure};
    for (int i = 0; i < EMOTION_COUNT; i++)
        f->smooth.p[i] = i == (int)e ? score : (1.0f - score) / (EMOTION_COUNT - 1);
    f->smooth.p[EMOTION_NEUTRAL] += 0.1f;
    emotion_normalise(&f->smooth);
}

static void go(struct page *p, enum session_event e, int arg)
{
    session_handle(&p->session, e, arg, p->view.now_us);
}

static void begin(struct page *p, const char *name, bool kiosk)
{
    struct session_params params = session_defaults(kiosk);
    memset(p, 0, sizeof *p);
    p->name = name;
    params.songs = true;
    session_init(&p->session, &params, 0);
    p->view = (struct view){.session = &p->session,
                            .faces = &p->faces,
                            .picture_width = PAGE_PICTURE_WIDTH,
                            .picture_height = PAGE_PICTURE_HEIGHT,
                            .mirror = true,
                            .camera = "HD Pro Webcam C920",
                            .camera_title = "",
                            .camera_text = "",
                            .capture_fps = 30,
                            .detect_hz = 18,
                            .detect_ms = 41,
                            .model = "moodreel-best",
                            .policy = "Lift me up",
                            .titles = &no_list,
                            .marks = marks,
                            .problem = ""};
    go(p, SESSION_CAMERA, SESSION_CAMERA_LIVE);
}

static void show_list(struct page *p, const struct title_list *list)
{
    add_face(p, 0.36f, 0.2f, 0.5f, EMOTION_SAD, 0.71f, true);
    go(p, SESSION_GO, 0);
    go(p, SESSION_STILL, p->faces.count);
    p->view.mood = p->faces.face[0].smooth;
    p->view.mood_faces = 1;
    p->view.mood_sure = true;
    p->view.titles = list;
    go(p, SESSION_TITLES, list->count);
}

static void make_live(struct page *p)
{
    begin(p, "live", false);
    add_face(p, 0.36f, 0.2f, 0.5f, EMOTION_HAPPY, 0.8f, true);
}

static void make_crowd(struct page *p)
{
    static const float at[6][3] = {{0.40f, 0.30f, 0.34f}, {0.08f, 0.22f, 0.30f},
                                   {0.70f, 0.25f, 0.30f}, {0.26f, 0.58f, 0.22f},
                                   {0.58f, 0.62f, 0.2f},  {0.86f, 0.6f, 0.18f}};
    begin(p, "crowd", false);
    for (int i = 0; i < 6; i++)
        add_face(p, at[i][0], at[i][1], at[i][2], (enum emotion)i, 0.6f, i % 3 != 2);
}

static void make_lonely(struct page *p)
{
    begin(p, "lonely", false);
    p->view.now_us = 10 * 1000000;
}

static void make_by_hand(struct page *p)
{
    begin(p, "live-by-hand", false);
    add_face(p, 0.36f, 0.2f, 0.5f, EMOTION_NEUTRAL, 0.4f, false);
    go(p, SESSION_MOOD, EMOTION_SAD);
}

static void make_reading(struct page *p)
{
    make_live(p);
    p->name = "reading";
    go(p, SESSION_GO, 0);
}

static void make_results(struct page *p)
{
    begin(p, "results", false);
    show_list(p, &film_list);
    go(p, SESSION_MOVE, 1);
}

static void make_songs(struct page *p)
{
    begin(p, "songs", false);
    show_list(p, &song_list);
    p->session.songs = true;
}

static void make_unclear(struct page *p)
{
    begin(p, "unclear", false);
    show_list(p, &film_list);
    p->faces.face[0].sure = false;
    p->view.mood_sure = false;
}

static void make_empty(struct page *p)
{
    begin(p, "empty", false);
    show_list(p, &no_list);
}

static void make_no_camera(struct page *p)
{
    begin(p, "no-camera", false);
    p->view.camera_title = "The camera is in use";
    p->view.camera_text = "HD Pro Webcam C920 (/dev/video0) is used by another program. Close that "
                          "program, for instance a video call in the browser.";
    go(p, SESSION_CAMERA, SESSION_CAMERA_GONE);
}

static void make_attract(struct page *p)
{
    begin(p, "attract", true);
    p->view.now_us = 7 * 1000000;
}

static void make_countdown(struct page *p)
{
    begin(p, "countdown", true);
    go(p, SESSION_GO, 0);
    p->view.now_us = 1200000;
}

static void make_kiosk_results(struct page *p)
{
    begin(p, "kiosk-results", true);
    add_face(p, 0.36f, 0.2f, 0.5f, EMOTION_SURPRISE, 0.8f, true);
    go(p, SESSION_PICK, EMOTION_SURPRISE);
    p->view.mood = emotion_pure(EMOTION_SURPRISE);
    p->view.titles = &film_list;
    go(p, SESSION_TITLES, FILMS);
}

static void make_no_camera_list(struct page *p)
{
    begin(p, "no-camera-list", false);
    p->view.picture_width = p->view.picture_height = 0;
    go(p, SESSION_CAMERA, SESSION_CAMERA_GONE);
    go(p, SESSION_MOOD, EMOTION_HAPPY);
    p->view.mood = emotion_pure(EMOTION_HAPPY);
    p->view.titles = &film_list;
    go(p, SESSION_TITLES, FILMS);
}

static void make_help(struct page *p)
{
    make_live(p);
    p->name = "help";
    go(p, SESSION_HELP, 0);
}

void page_make(struct page *p, int index)
{
    static void (*const makers[PAGE_COUNT])(struct page *) = {
        make_live,    make_crowd,     make_lonely,        make_by_hand,        make_reading,
        make_results, make_songs,     make_unclear,       make_empty,          make_no_camera,
        make_attract, make_countdown, make_kiosk_results, make_no_camera_list, make_help,
    };
    makers[index](p);
}
