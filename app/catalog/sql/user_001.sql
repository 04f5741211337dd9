-- What a person told the program. Title ids are stable across imports; names make the export readable.

CREATE TABLE title(
  id       INTEGER PRIMARY KEY,
  name     TEXT NOT NULL,
  opinion  INTEGER NOT NULL DEFAULT 0,  -- enum opinion
  seen     INTEGER NOT NULL DEFAULT 0,
  later    INTEGER NOT NULL DEFAULT 0,
  changed  INTEGER NOT NULL             -- seconds since 1970
);

-- No-repeat memory.
CREATE TABLE shown(
  title  INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL               -- seconds since 1970, the latest time
);
CREATE INDEX shown_at ON shown(at, title);
