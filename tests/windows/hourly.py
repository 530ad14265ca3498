"""Flights of each origin in each hour, counted without weir: `python3 hourly.py FLIGHTS.csv[.gz]` prints `origin hour flights` lines."""

import collections
import csv
import gzip
import sys

path = sys.argv[1]
with (gzip.open if path.endswith(".gz") else open)(path, "rt", newline="") as rows:
    flights = collections.Counter((row["origin"], row["time_hour"]) for row in csv.DictReader(rows))
for (origin, hour), count in sorted(flights.items()):
    print(origin, hour, count)
