-- Derived: rebuilt from the content at the end of every import (derive.c), never edited.

-- The shelf: titles of a kind in order of falling quality, packed into blocks (shelf.h). The walk
-- that recommend() makes reads blocks 0, 1, 2 ... until no later title can win.
CREATE TABLE shelf(
  kind     INTEGER NOT NULL,
  block    INTEGER NOT NULL,
  entries  BLOB NOT NULL,
  PRIMARY KEY(kind, block)
);
CREATE TABLE shelf_kind(
  kind    INTEGER PRIMARY KEY,
  titles  INTEGER NOT NULL,
  blocks  INTEGER NOT NULL,
  mean    REAL NOT NULL,           -- C of the weighted rating: mean rating of the kind
  weight  REAL NOT NULL            -- m of the weighted rating: votes the mean counts for
);
-- The small numbers that stand for languages on the shelf; 0 is "unknown".
CREATE TABLE shelf_language(
  id        INTEGER PRIMARY KEY,
  language  TEXT NOT NULL,
  titles    INTEGER NOT NULL
);

-- Review summary of a title.
CREATE TABLE title_mood(
  title      INTEGER PRIMARY KEY,
  sentiment  REAL NOT NULL,        -- mean probability of "positive", 0 .. 1
  reviews    INTEGER NOT NULL,
  moods      INTEGER NOT NULL      -- bits of the prevailing mood words
);

-- People by the number of their titles' votes: rowid is the rank, so that a search walks the
-- index in order and stops at its limit.
CREATE TABLE person_rank(
  rank    INTEGER PRIMARY KEY,
  person  INTEGER NOT NULL,
  titles  INTEGER NOT NULL
);
CREATE TABLE title_rank(
  rank    INTEGER PRIMARY KEY,
  title   INTEGER NOT NULL
);
CREATE VIRTUAL TABLE person_search USING fts5(
  name, content='', detail=none, tokenize="unicode61 remove_diacritics 2", prefix='1 2 3 4 5 6 7 8');
CREATE VIRTUAL TABLE title_search USING fts5(
  words, content='', detail=none, tokenize="unicode61 remove_diacritics 2", prefix='1 2 3 4 5 6 7 8');

-- The index credit_by_person(person, title) is made last, when all credits are in.
