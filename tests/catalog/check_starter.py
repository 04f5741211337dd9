#!/usr/bin/env python3
"""Check assets/starter: form, vocabulary and counts always; facts where the data folder is present.

The facts are compared with the public tables in $MOODREEL_DATA/catalog (default ../shared/data,
seen from the source tree): ids, titles and years with MovieLens, IMDb rows and the IMDb top 1000;
runtime, genres, director, actors, rating and votes where one of them has the film.
Every mismatch is printed with its line. Exit 0 good, 1 mismatch, 77 form good but no data folder.
"""

import collections
import csv
import gzip
import os
import re
import sys
import unicodedata

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STARTER = os.path.join(SOURCE, "assets", "starter")
DATA = os.environ.get("MOODREEL_DATA", os.path.join(SOURCE, "..", "shared", "data"))

FILM_HEADER = "imdb_id title year runtime genres language director actors rating votes".split()
SONG_HEADER = "title artist year genre language valence energy".split()
GENRES = set("Action Adventure Animation Biography Comedy Crime Documentary Drama Family Fantasy "
             "Film-Noir History Horror Music Musical Mystery Romance Sci-Fi Sport Thriller War "
             "Western".split())
SEED_GENRES = ("Action Thriller Horror Comedy Family Drama Adventure Sci-Fi Documentary Musical "
               "Sport Film-Noir Western").split()
LANGUAGES = set("ar bn bs ca cs da de el en es et fa fi fr ga he hi hu id is it ja ka ko lv ml "
                "mn mr nl no pa pl pt ro ru sk sr sv ta te th tr uk ur vi xh zh zu".split())
SONG_GENRES = set("ambient blues classical country dance disco electronic folk funk hip-hop indie "
                  "jazz latin metal pop punk r&b reggae rock rock-and-roll schlager soul "
                  "soundtrack world".split())
MIN_FILMS, MIN_PER_GENRE, MIN_LANGUAGES, FILMS_PER_LANGUAGE = 1000, 50, 12, 3
MIN_SONGS, MIN_SONG_LANGUAGES, MIN_PER_QUADRANT = 300, 4, 40
# What a source has otherwise than IMDb's own page of the film, and why.
EXPLAINED = {
    ("tt0032138", "actors"): "the top 1000 lists directors as stars",
    ("tt0032455", "actors"): "the top 1000 lists directors as stars",
    ("tt0056197", "actors"): "the top 1000 lists directors as stars",
    ("tt4857264", "title"): "English title of Contratiempo",
    ("tt2576852", "actors"): "the top 1000 lists the voices of the English version",
}
ARTICLES = set("the a an le la les l il lo i gli un una une der die das ein eine el los las o os "
               "as den det".split())

problems = []


def problem(name, line, text):
    problems.append(text)
    print(f"{name}:{line}: {text}")


def norm(title):
    """Letters and digits only, without case, accents and a leading article."""
    for a, b in ("&", " and "), ("·", ""), ("½", " half"), ("ß", "ss"), ("ø", "o"), ("ı", "i"):
        title = title.lower().replace(a, b)
    title = unicodedata.normalize("NFKD", title)
    title = "".join(c for c in title if not unicodedata.combining(c))
    words = re.sub(r"[^\w]+", " ", re.sub(r"['’`]", "", title)).split()
    while len(words) > 1 and words[0] in ARTICLES:
        words = words[1:]
    return "".join(words)


def norm_name(name):
    """A person's name without regard to the order of its parts (Kim Jee-woon, Jee-woon Kim)."""
    return "".join(sorted(norm(part) for part in re.split(r"[\s-]+", name) if part))


def read_table(name, header):
    """Rows of a TAB separated file as (line, dict); wrong lines are reported and left out."""
    path = os.path.join(STARTER, name)
    rows = []
    with open(path, encoding="utf-8", newline="\n") as f:
        for line, text in enumerate(f, 1):
            cells = text.rstrip("\n").split("\t")
            if line == 1:
                if cells != header:
                    problem(name, line, f"header is {cells}, expected {header}")
            elif len(cells) != len(header):
                problem(name, line, f"{len(cells)} cells, expected {len(header)}")
            elif any(c != c.strip() or "\r" in c for c in cells):
                problem(name, line, "blank at the edge of a cell")
            else:
                rows.append((line, dict(zip(header, cells))))
    return rows


def check_number(name, line, row, column, kind, low, high):
    try:
        value = kind(row[column])
    except ValueError:
        problem(name, line, f"{column} '{row[column]}' is not a number")
        return
    if not low <= value <= high:
        problem(name, line, f"{column} {value} is outside {low}..{high}")


def check_film_form(rows):
    name = "films.tsv"
    seen = {}
    for line, film in rows:
        key = norm(film["title"]), film["year"]
        for k in (film["imdb_id"], key):
            if k in seen:
                problem(name, line, f"{film['title']}: same as line {seen[k]}")
            seen[k] = line
        if not re.fullmatch(r"tt\d{7,8}", film["imdb_id"]):
            problem(name, line, f"imdb_id '{film['imdb_id']}'")
        check_number(name, line, film, "year", int, 1895, 2030)
        if film["runtime"]:
            check_number(name, line, film, "runtime", int, 5, 900)
        check_number(name, line, film, "rating", float, 1, 10)
        check_number(name, line, film, "votes", int, 100, 5_000_000)
        genres = film["genres"].split("|")
        if not set(genres) <= GENRES or len(set(genres)) != len(genres):
            problem(name, line, f"{film['title']}: genres {film['genres']}")
        if film["language"] not in LANGUAGES:
            problem(name, line, f"{film['title']}: language '{film['language']}'")
        if not film["director"]:
            problem(name, line, f"{film['title']}: no director")
        actors = film["actors"].split("|")
        if len(actors) > 3 or len(set(actors)) != len(actors):
            problem(name, line, f"{film['title']}: actors {film['actors']}")
        if len(actors) < 3 and not {"Documentary", "Animation"} & set(genres) and film["actors"]:
            if int(film["year"]) >= 1930:
                problem(name, line, f"{film['title']}: fewer than three actors")


def check_film_counts(rows):
    genres = collections.Counter(g for _, f in rows for g in f["genres"].split("|"))
    languages = collections.Counter(f["language"] for _, f in rows)
    decades = collections.Counter(int(f["year"]) // 10 * 10 for _, f in rows)
    print(f"{len(rows)} films")
    for what, count in ("genres", genres), ("languages", languages), ("decades", decades):
        print(f"  {what}: " + ", ".join(f"{k} {v}" for k, v in sorted(count.items())))
    if len(rows) < MIN_FILMS:
        problem("films.tsv", 0, f"{len(rows)} films, at least {MIN_FILMS} wanted")
    for g in SEED_GENRES:
        if genres[g] < MIN_PER_GENRE:
            problem("films.tsv", 0, f"genre {g} has {genres[g]}, at least {MIN_PER_GENRE} wanted")
    if sum(n >= FILMS_PER_LANGUAGE for n in languages.values()) < MIN_LANGUAGES:
        problem("films.tsv", 0, f"fewer than {MIN_LANGUAGES} languages with several films")
    for d in range(1920, 2030, 10):
        if not decades[d]:
            problem("films.tsv", 0, f"no film of the {d}s")


def check_songs(rows):
    name = "songs.tsv"
    seen = {}
    for line, song in rows:
        key = norm(song["title"]), norm(song["artist"])
        if key in seen:
            problem(name, line, f"{song['title']}: same as line {seen[key]}")
        seen[key] = line
        check_number(name, line, song, "year", int, 1700, 2030)
        for column in "valence", "energy":
            check_number(name, line, song, column, float, 0, 1)
            if not re.fullmatch(r"[01]\.\d\d", song[column]):
                problem(name, line, f"{column} '{song[column]}' needs two decimals")
        if song["genre"] not in SONG_GENRES:
            problem(name, line, f"{song['title']}: genre '{song['genre']}'")
        if song["language"] not in LANGUAGES | {"zxx"}:
            problem(name, line, f"{song['title']}: language '{song['language']}'")
    quadrants = collections.Counter((float(s["valence"]) >= 0.5, float(s["energy"]) >= 0.5)
                                    for _, s in rows)
    languages = collections.Counter(s["language"] for _, s in rows)
    decades = collections.Counter(int(s["year"]) // 10 * 10 for _, s in rows)
    print(f"{len(rows)} songs")
    for what, count in ("languages", languages), ("decades", decades):
        print(f"  {what}: " + ", ".join(f"{k} {v}" for k, v in sorted(count.items())))
    for (glad, lively), n in sorted(quadrants.items()):
        print(f"  valence {'>=' if glad else '< '} 0.5, energy {'>=' if lively else '< '} 0.5: {n}")
    if len(rows) < MIN_SONGS:
        problem(name, 0, f"{len(rows)} songs, at least {MIN_SONGS} wanted")
    if len(languages) < MIN_SONG_LANGUAGES:
        problem(name, 0, f"{len(languages)} languages, at least {MIN_SONG_LANGUAGES} wanted")
    if len(quadrants) < 4 or min(quadrants.values()) < MIN_PER_QUADRANT:
        problem(name, 0, f"a quarter of the valence/energy plane has fewer than {MIN_PER_QUADRANT}")


def movielens_titles(text):
    """Year and all forms of a MovieLens title: 'Name, The (a.k.a. Other) (Original, Le) (1995)'."""
    year = re.search(r"\((\d{4})[^()]*\)\s*$", text)
    if year:
        text = text[:year.start()].strip()
    forms = [re.sub(r"\([^()]*\)", "", text)]
    forms += [re.sub(r"^a\.?k\.?a\.? ", "", t) for t in re.findall(r"\(([^()]*)\)", text)] + [text]
    moved = [re.sub(r"^(.*), ([A-Za-z']+)$", r"\2 \1", t.strip()) for t in forms]
    return [t.strip() for t in forms] + moved, int(year.group(1)) if year else None


def open_text(path):
    if path.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8", newline="\n")
    return open(path, encoding="utf-8", newline="\n")


def imdb_rows(path, fields):
    """Rows of an IMDb TSV file, which has no quoting; the cut last line of a slice is left out."""
    if os.path.exists(path):
        with open_text(path) as f:
            for text in f:
                cells = text.rstrip("\n").split("\t")
                if len(cells) == fields and cells[0] != "tconst":
                    yield cells


def load_by_id(folder):
    """id -> list of records of the sources that know the id."""
    known = collections.defaultdict(list)
    with open(f"{folder}/ml-latest-small/links.csv", encoding="utf-8") as f:
        ids = {r["movieId"]: "tt" + r["imdbId"].zfill(7) for r in csv.DictReader(f)}
    with open(f"{folder}/ml-latest-small/movies.csv", encoding="utf-8") as f:
        for r in csv.DictReader(f):
            titles, year = movielens_titles(r["title"])
            known[ids[r["movieId"]]].append(dict(source="MovieLens", titles=titles, year=year))
    for path in ("imdb-flatiron/derived_tsv/title.basics.tsv.gz",
                 "imdb-tsv-mini/head30k.title.basics.tsv"):
        for c in imdb_rows(f"{folder}/{path}", 9):
            if c[5] >= "2020" and c[5] != "\\N":
                continue  # only announced when these files were made: working title, planned year
            known[c[0]].append(dict(
                source="IMDb", titles=[c[2], c[3]], year=int(c[5]) if c[5].isdigit() else None,
                runtime=int(c[7]) if c[7].isdigit() else None,
                genres=[] if c[8] == "\\N" else c[8].split(",")))
    for path in ("imdb-flatiron/derived_tsv/title.ratings.tsv.gz",
                 "imdb-tsv-mini/head.title.ratings.tsv"):
        for c in imdb_rows(f"{folder}/{path}", 3):
            known[c[0]].append(dict(source="IMDb ratings", rating=float(c[1]), votes=int(c[2])))
    return known


def load_top(folder):
    """(title, year) -> record of the IMDb top 1000, which has no ids."""
    top = {}
    with open(f"{folder}/imdb-top-1000/imdb_top_1000.csv", encoding="utf-8") as f:
        for r in csv.DictReader(f):
            if r["Released_Year"].isdigit():
                top[norm(r["Series_Title"]), int(r["Released_Year"])] = dict(
                    source="IMDb top 1000", titles=[r["Series_Title"]],
                    year=int(r["Released_Year"]), runtime=int(r["Runtime"].split()[0]),
                    genres=r["Genre"].split(", "), director=r["Director"],
                    actors=",".join(r[f"Star{k}"] for k in range(1, 5)).split(","),
                    rating=float(r["IMDB_Rating"]), votes=int(r["No_of_Votes"]))
    return top


def check_facts(line, film, sources):
    """Compare one film with what the sources say; where they differ, one must agree."""
    def wrong(text):
        problem("films.tsv", line, f"{film['imdb_id']} {film['title']} ({film['year']}): {text}")

    titles = [t for s in sources for t in s.get("titles", [])]
    if titles and norm(film["title"]) not in map(norm, titles):
        if (film["imdb_id"], "title") not in EXPLAINED:
            wrong(f"title; sources have {titles}")
    years = [s["year"] for s in sources if s.get("year")]
    if years and int(film["year"]) not in years:
        wrong(f"year; sources have {years}")
    runtimes = [s["runtime"] for s in sources if s.get("runtime")]
    if runtimes and film["runtime"] not in map(str, runtimes):
        wrong(f"runtime {film['runtime']}; sources have {runtimes}")
    listed = {g for s in sources for g in s.get("genres", [])} & GENRES
    if not listed <= set(film["genres"].split("|")):
        wrong(f"genres {film['genres']}; sources have {sorted(listed)}")
    for s in sources:
        if "director" in s:
            if norm_name(s["director"]) not in map(norm_name, film["director"].split("|")):
                wrong(f"director {film['director']}; {s['source']} has {s['director']}")
            ours = set(map(norm_name, film["actors"].split("|")))
            apart = ours.isdisjoint(map(norm_name, s["actors"]))
            if apart and (film["imdb_id"], "actors") not in EXPLAINED:
                wrong(f"actors {film['actors']}; {s['source']} has {s['actors']}")
    ratings = [s for s in sources if "rating" in s]
    if ratings and not any(abs(float(film["rating"]) - s["rating"]) < 0.051 for s in ratings):
        wrong(f"rating {film['rating']}; sources have {[s['rating'] for s in ratings]}")
    if ratings and not any(abs(int(film["votes"]) - s["votes"]) <= s["votes"] * 0.06
                           for s in ratings):
        wrong(f"votes {film['votes']}; sources have {[s['votes'] for s in ratings]}")


def check_films_against(folder, rows):
    known, top = load_by_id(folder), load_top(folder)
    verified = collections.Counter()
    for line, film in rows:
        sources = list(known.get(film["imdb_id"], []))
        if any("titles" in s for s in sources):
            verified["id, title and year"] += 1
        titles = {norm(t) for s in sources for t in s.get("titles", [])} | {norm(film["title"])}
        year = int(film["year"])
        sources += [top[t, y] for t in titles for y in (year,) if (t, y) in top]
        for what in "runtime", "genres", "director", "rating":
            verified[what] += any(s.get(what) for s in sources)
        check_facts(line, film, sources)
    print("  compared with the data: " + ", ".join(f"{k} {v}" for k, v in verified.items()))


def check_songs_against(folder, rows):
    """Count the songs that the song tables know; their years are reissues', so no facts."""
    known = set()
    for part in "train", "validation", "test":
        with open(f"{folder}/songs-deezer/{part}.csv", encoding="utf-8") as f:
            known |= {(norm(r["track_name"]), norm(r["artist_name"])) for r in csv.DictReader(f)}
    with open(f"{folder}/songs-moods/data_moods.csv", encoding="utf-8") as f:
        known |= {(norm(r["name"]), norm(r["artist"])) for r in csv.DictReader(f)}
    found = sum((norm(s["title"]), norm(s["artist"])) in known for _, s in rows)
    print(f"  {found} songs are in the song tables")


def main():
    films = read_table("films.tsv", FILM_HEADER)
    songs = read_table("songs.tsv", SONG_HEADER)
    check_film_form(films)
    check_film_counts(films)
    check_songs(songs)
    folder = os.path.join(DATA, "catalog")
    present = os.path.isdir(folder)
    if present:
        check_films_against(folder, films)
        check_songs_against(folder, songs)
    if problems:
        print(f"{len(problems)} mismatches")
        return 1
    if not present:
        print(f"skipped: no folder {folder} to compare the facts with")
        return 77
    return 0


if __name__ == "__main__":
    sys.exit(main())
