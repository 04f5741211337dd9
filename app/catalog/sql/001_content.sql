-- Content: what was imported. Numbered files are applied in order; PRAGMA user_version counts them.
-- Everything that can be computed from these tables stands in derived.sql.

-- Where facts came from. `bit` is a power of two, used in title.sources.
CREATE TABLE source(
  bit     INTEGER PRIMARY KEY,
  name    TEXT NOT NULL UNIQUE,    -- "imdb", "starter" ...: import_kind_name()
  detail  TEXT NOT NULL            -- "title.basics 11000000 rows, 700000 kept"
);

-- A combination of genres. Few thousand exist, so titles point to one and the recommender
-- judges combinations instead of titles.
CREATE TABLE genre_set(
  id      INTEGER PRIMARY KEY,     -- 1 .. 65535
  genres  TEXT NOT NULL UNIQUE     -- "Comedy|Drama", sorted, "" for none
);

CREATE TABLE title(
  id          INTEGER PRIMARY KEY, -- number of the IMDb id ("tt0034583" is 34583), else
                                   -- 2^62 + 61-bit hash of kind, name, year and artist
  kind        INTEGER NOT NULL,    -- enum title_kind
  name        TEXT NOT NULL,
  original    TEXT,                -- NULL: the same
  year        INTEGER,
  minutes     INTEGER,
  rating      REAL,                -- 1 .. 10
  votes       INTEGER,
  genre_set   INTEGER NOT NULL,
  certificate INTEGER,             -- youngest age, 0 .. 18
  valence     REAL,                -- songs, 0 .. 1
  energy      REAL,                -- songs, 0 .. 1
  sources     INTEGER NOT NULL     -- bits of the sources that know this title
);

CREATE TABLE person(
  id    INTEGER PRIMARY KEY,       -- number of the IMDb id ("nm0000006" is 6), else 2^62 + hash
  name  TEXT NOT NULL
);

-- role: 0 director, 1 actor, 2 artist of a song. `place`: order of billing.
CREATE TABLE credit(
  title   INTEGER NOT NULL,
  role    INTEGER NOT NULL,
  place   INTEGER NOT NULL,
  person  INTEGER NOT NULL,
  PRIMARY KEY(title, role, place)
) WITHOUT ROWID;

-- Original languages. IMDb has none: those are derived from regional titles (import_imdb.c) and
-- carry a certainty below 100.
CREATE TABLE title_language(
  title      INTEGER NOT NULL,
  language   TEXT NOT NULL,        -- ISO 639-1
  certainty  INTEGER NOT NULL,     -- percent
  PRIMARY KEY(title, language)
) WITHOUT ROWID;

-- Words people attached to a title (MovieLens tags), lower case.
CREATE TABLE tag(
  title  INTEGER NOT NULL,
  tag    TEXT NOT NULL,
  uses   INTEGER NOT NULL,
  PRIMARY KEY(title, tag)
) WITHOUT ROWID;

-- One review sentence or text, reduced to what we keep of it.
CREATE TABLE review(
  title  INTEGER NOT NULL,
  text   INTEGER NOT NULL,         -- hash of the text: the same review counts once
  score  REAL NOT NULL,            -- probability that it is positive, 0 .. 1
  moods  INTEGER NOT NULL,         -- bits of the mood words found, see mood_word.c
  PRIMARY KEY(title, text)
) WITHOUT ROWID;

-- Collaborative part: row of the EASE weight matrix (ease.h), the strongest entries.
CREATE TABLE similar(
  title   INTEGER NOT NULL,        -- somebody liked this ...
  other   INTEGER NOT NULL,        -- ... then this gains
  weight  REAL NOT NULL,
  PRIMARY KEY(title, other)
) WITHOUT ROWID;
