#!/usr/bin/env python3
"""What the example plugins with windows give of the flights, computed plainly: no code of weir's is in here, and nothing but the standard library.

    python3 windows.py traffic FLIGHTS OUT LATE      flights of each airport and hour: the last revisions in OUT, with the late records in LATE, are all flights
    python3 windows.py sessions FLIGHTS OUT LATE     flights of an aircraft without a pause of three hours, in OUT; none is late
    python3 windows.py year FLIGHTS                  writes a year of flights: in each month those of the month in FLIGHTS, months in the order of the real year's file

FLIGHTS is a CSV file, gzipped where its name says so; OUT and LATE are folders of part files with lines of JSON.
"""

import csv
import gzip
import json
import sys
from calendar import monthrange
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone
from itertools import groupby
from pathlib import Path

HOUR = timedelta(hours=1)
# The file of 2013 has its months as texts are sorted: behind December it goes back by 334 days.
MONTHS = [1, 10, 11, 12, 2, 3, 4, 5, 6, 7, 8, 9]


def rows(folder):
    return [json.loads(line) for part in sorted(Path(folder).glob("part-*")) for line in part.read_text().splitlines()]


def text(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def flights(path):
    opened = gzip.open if path.endswith(".gz") else open
    with opened(path, "rt", newline="") as file:
        return list(csv.DictReader(file))


def year(path):
    month = flights(path)
    out = csv.DictWriter(sys.stdout, month[0].keys(), lineterminator="\n")
    out.writeheader()
    times = {row["time_hour"]: datetime.strptime(row["time_hour"], "%Y-%m-%dT%H:%M:%SZ") for row in month}
    for number in MONTHS:
        days, since = monthrange(2013, number)[1], datetime(2013, number, 1) - datetime(2013, 1, 1)
        shifted = {told: text(time + since) for told, time in times.items()}
        for row in month:
            if int(row["day"]) <= days:
                out.writerow({**row, "month": number, "time_hour": shifted[row["time_hour"]]})


def traffic(path, out, late):
    expected = Counter((row["origin"], row["time_hour"]) for row in flights(path))
    revisions = defaultdict(dict)
    for row in rows(out):
        of_hour = revisions[row["origin"], row["hour"]]
        assert row["revision"] not in of_hour, f"twice: {row}"
        of_hour[row["revision"]] = row["flights"]
    told = Counter()
    for hour, of_hour in revisions.items():
        assert sorted(of_hour) == list(range(1, len(of_hour) + 1)), f"{hour}: {of_hour}"
        counts = [of_hour[revision] for revision in sorted(of_hour)]
        assert all(before < after for before, after in zip(counts, counts[1:])), f"{hour}: {of_hour}"
        told[hour] = counts[-1]
    for row in rows(late):
        hour = datetime.fromtimestamp(row["timestamp"] / 1000, timezone.utc)
        assert row["late_ms"] > 0 and row["window"]["start"] == row["timestamp"], row
        told[row["key"], text(hour)] += 1
    assert told == expected, f"missing: {expected - told}, not due: {told - expected}"
    corrections = sum(len(of_hour) - 1 for of_hour in revisions.values())
    print(f"{expected.total()} flights, {corrections} corrections, {len(rows(late))} late")


def sessions(path, out, late):
    of_aircraft = defaultdict(list)
    for row in flights(path):
        if row["tailnum"] != "NA":
            of_aircraft[row["tailnum"]].append(datetime.strptime(row["time_hour"], "%Y-%m-%dT%H:%M:%SZ"))
    expected = Counter()
    for tailnum, times in of_aircraft.items():
        times.sort()
        starts = [time for before, time in zip([None] + times, times) if before is None or time - before >= 3 * HOUR]
        for start, of_session in groupby(times, lambda time: max(start for start in starts if start <= time)):
            of_session = list(of_session)
            expected[tailnum, text(start), text(of_session[-1] + 3 * HOUR), len(of_session), 1] += 1
    told = Counter(tuple(row[name] for name in ("tailnum", "start", "end", "flights", "revision")) for row in rows(out))
    assert told == expected, f"missing: {list(expected - told)[:3]}, not due: {list(told - expected)[:3]}"
    assert not rows(late), rows(late)[:3]
    print(f"{expected.total()} sessions")


if __name__ == "__main__":
    {"traffic": traffic, "sessions": sessions, "year": year}[sys.argv[1]](*sys.argv[2:])
