#!/usr/bin/env python3
"""What the queries of Nexmark give, computed plainly: no code of weir's is in here, and nothing but the standard library.

    python3 reference.py EVENTS q0=OUT q1=OUT ...    compares the rows that jobs wrote into the folders OUT with what the events give
    python3 reference.py EVENTS q5                   prints the rows that the events give

EVENTS is a folder of part files with the source's events as they are, and so is what query 0 writes: lines of JSON (`format = "jsonl"`) whose value is an
event in base64. The rows of all other queries are lines of JSON.

Each query is the SQL of https://github.com/nexmark/nexmark, in event time, as it stands when the input is at its end: every window has closed, every auction
has ended. Names of columns are the SQL's; times are milliseconds since the Unix epoch. Where SQL's result is a table that changes (QUERIES has the columns
that are its key), the last row of each key counts, and a job may write as many before it as it likes.

A few queries leave open which of equal rows comes first. There the earlier event is the first, and the later one the last: so the jobs are run with one subtask
of the source.
"""

import base64
import json
import sys
from collections import Counter, defaultdict
from datetime import datetime, timezone
from pathlib import Path

from events import Events, encoded, lines, parts

SECOND = 1000


def columns(event, names):
    return {name: event[name] for name in names.split()}


def date(time):
    return datetime.fromtimestamp(time // SECOND, timezone.utc)


def day(event):
    return date(event["dateTime"]).strftime("%Y-%m-%d")


def minute(event):
    return date(event["dateTime"]).strftime("%H:%M")


def euros(bid):
    """Cents of euros with three digits behind the point; compared as the text that a row has."""
    thousandths = bid["price"] * 908
    return Decimal(f"{thousandths // 1000}.{thousandths % 1000:03}")


class Decimal(str):
    """A number as it is written, so that no digit is lost."""


def tumbling(time, size):
    return time - time % size


def hopping(time, size, slide):
    """The starts of the windows of `size` that begin every `slide` and hold `time`."""
    last = time - time % slide
    return [start for start in range(last - size + slide, last + 1, slide)]


def q0(events):
    """Pass through: the bids as they came."""
    return [value for value in events.encoded if base64.b64decode(value[:4])[0] == 2]


def q1(events):
    """Currency conversion."""
    return [{**columns(bid, "auction bidder"), "price": euros(bid), **columns(bid, "dateTime extra")} for bid in events.bids]


def q2(events):
    """Selection."""
    return [columns(bid, "auction price") for bid in events.bids if bid["auction"] % 123 == 0]


def q3(events):
    """Local item suggestion: a join without any window."""
    people = {person["id"]: person for person in events.people if person["state"] in ("OR", "ID", "CA")}
    auctions = [auction for auction in events.auctions if auction["category"] == 10 and auction["seller"] in people]
    return [{**columns(people[auction["seller"]], "name city state"), "id": auction["id"]} for auction in auctions]


def winning(events):
    """Of each auction that has any the bids while it ran, both ends included."""
    auctions = {auction["id"]: auction for auction in events.auctions}
    bids = defaultdict(list)
    for bid in events.bids:
        auction = auctions.get(bid["auction"])
        if auction and auction["dateTime"] <= bid["dateTime"] <= auction["expires"]:
            bids[auction["id"]].append(bid)
    return [(auctions[id], of_auction) for id, of_auction in bids.items()]


def q4(events):
    """Average price for a category, of what each auction was sold for when it had ended; averages are cut off to whole cents."""
    finals = defaultdict(list)
    for auction, bids in winning(events):
        finals[auction["category"]].append(max(bid["price"] for bid in bids))
    return [{"id": category, "final": sum(prices) // len(prices)} for category, prices in finals.items()]


def q5(events):
    """Hot items: in every window of 10 s, one every 2 s, the auctions with the most bids. Windows that the input fills in part count as others do."""
    counts = defaultdict(Counter)
    for bid in events.bids:
        for start in hopping(bid["dateTime"], 10 * SECOND, 2 * SECOND):
            counts[start][bid["auction"]] += 1
    rows = []
    for of_window in counts.values():
        most = max(of_window.values())
        rows += [{"auction": auction, "num": count} for auction, count in of_window.items() if count == most]
    return rows


def q7(events):
    """Highest bid of every 10 s, all of them where several are. The SQL takes a bid of the window's end, which is in the next one, for one of it too."""
    highest = defaultdict(int)
    for bid in events.bids:
        start = tumbling(bid["dateTime"], 10 * SECOND)
        highest[start] = max(highest[start], bid["price"])
    rows = []
    for bid in events.bids:
        start = tumbling(bid["dateTime"], 10 * SECOND)
        windows = [start] + ([start - 10 * SECOND] if bid["dateTime"] == start else [])
        for window in windows:
            if highest.get(window) == bid["price"]:
                rows.append(columns(bid, "auction bidder price dateTime extra"))
    return rows


def q8(events):
    """Monitor new users: who came and put something up for auction within the same 10 s."""
    sellers = {(auction["seller"], tumbling(auction["dateTime"], 10 * SECOND)) for auction in events.auctions}
    rows = []
    for person in events.people:
        start = tumbling(person["dateTime"], 10 * SECOND)
        if (person["id"], start) in sellers:
            rows.append({**columns(person, "id name"), "stime": start})
    return rows


def q9(events):
    """Winning bids: of each auction, when it has ended, the highest bid, of equal ones the earliest."""
    rows = []
    for auction, bids in winning(events):
        best = min(bids, key=lambda bid: (-bid["price"], bid["dateTime"]))
        row = columns(auction, "id itemName description initialBid reserve dateTime expires seller category extra")
        row.update(columns(best, "auction bidder price"), bid_dateTime=best["dateTime"], bid_extra=best["extra"])
        rows.append(row)
    return rows


def q10(events):
    """Log to the file system: bids with the day and minute of their partition, in whose folder they have to be."""
    return [{**columns(bid, "auction bidder price dateTime extra"), "dt": day(bid), "hm": minute(bid)} for bid in events.bids]


def q11(events):
    """User sessions: a pause of 10 s ends one. Its end is 10 s behind its last bid."""
    times = defaultdict(list)
    for bid in events.bids:
        times[bid["bidder"]].append(bid["dateTime"])
    rows = []

    def close(bidder, session):
        rows.append({"bidder": bidder, "bid_count": len(session), "starttime": session[0], "endtime": session[-1] + 10 * SECOND})

    for bidder, of_bidder in times.items():
        session = []
        for time in sorted(of_bidder):
            if session and time - session[-1] >= 10 * SECOND:
                close(bidder, session)
                session = []
            session.append(time)
        close(bidder, session)
    return rows


def q12(events):
    """Processing time windows of 10 s: as if the clock that the job goes by showed the time of the event that it works on."""
    counts = Counter((bid["bidder"], tumbling(bid["dateTime"], 10 * SECOND)) for bid in events.bids)
    row = lambda bidder, start, count: {"bidder": bidder, "bid_count": count, "starttime": start, "endtime": start + 10 * SECOND}
    return [row(bidder, start, count) for (bidder, start), count in counts.items()]


def q13(events):
    """Bounded side input: the table has the text n under the number n, for the numbers below 10,000."""
    return [{**columns(bid, "auction bidder price dateTime"), "value": str(bid["auction"] % 10_000)} for bid in events.bids]


def q14(events):
    """Calculation."""
    rows = []
    for bid in events.bids:
        if not 1_000_000 * 1000 < bid["price"] * 908 < 50_000_000 * 1000:
            continue
        hour = date(bid["dateTime"]).hour
        kind = "dayTime" if 8 <= hour <= 18 else "nightTime" if hour <= 6 or hour >= 20 else "otherTime"
        row = {**columns(bid, "auction bidder"), "price": euros(bid), "bidTimeType": kind, **columns(bid, "dateTime extra")}
        rows.append({**row, "c_counts": bid["extra"].count("c")})
    return rows


RANKS = (("total", lambda price: True), ("rank1", lambda price: price < 10_000), ("rank2", lambda price: 10_000 <= price < 1_000_000), ("rank3", lambda price: price >= 1_000_000))


def grouped(bids, key):
    groups = defaultdict(list)
    for bid in bids:
        groups[key(bid)].append(bid)
    return groups.items()


def statistics(bids):
    """Bids, bidders and auctions, at all and at each level of price."""
    row = {}
    for rank, holds in RANKS:
        row[f"{rank}_bids"] = sum(holds(bid["price"]) for bid in bids)
        for what in ("bidder", "auction"):
            row[f"{rank}_{what}s"] = len({bid[what] for bid in bids if holds(bid["price"])})
    return row


def q15(events):
    """Bidding statistics of each day."""
    return [{"day": of_day, **statistics(bids)} for of_day, bids in grouped(events.bids, day)]


def q16(events):
    """Channel statistics of each day."""
    rows = []
    for (channel, of_day), bids in grouped(events.bids, lambda bid: (bid["channel"], day(bid))):
        rows.append({"channel": channel, "day": of_day, "minute": max(minute(bid) for bid in bids), **statistics(bids)})
    return rows


def q17(events):
    """Auction statistics of each day; averages are cut off to whole cents."""
    rows = []
    for (auction, of_day), bids in grouped(events.bids, lambda bid: (bid["auction"], day(bid))):
        prices = [bid["price"] for bid in bids]
        row = {"auction": auction, "day": of_day}
        row.update((f"{rank}_bids", sum(map(holds, prices))) for rank, holds in RANKS)
        row.update(min_price=min(prices), max_price=max(prices), avg_price=sum(prices) // len(prices), sum_price=sum(prices))
        rows.append(row)
    return rows


ALL_OF_A_BID = "auction bidder price channel url dateTime extra"


def q18(events):
    """The last bid of each bidder for each auction."""
    last = {}
    for bid in events.bids:
        of_pair = (bid["bidder"], bid["auction"])
        if of_pair not in last or bid["dateTime"] >= last[of_pair]["dateTime"]:
            last[of_pair] = bid
    return [columns(bid, ALL_OF_A_BID) for bid in last.values()]


def q19(events):
    """The ten highest bids of each auction, of equal ones the earliest first."""
    rows = []
    for _, bids in grouped(events.bids, lambda bid: bid["auction"]):
        top = sorted(bids, key=lambda bid: -bid["price"])[:10]
        rows += [{**columns(bid, ALL_OF_A_BID), "rank_number": rank} for rank, bid in enumerate(top, 1)]
    return rows


def q20(events):
    """Bids with their auction, where that is of category 10: a join without any window, so that a bid may come before its auction."""
    auctions = {auction["id"]: auction for auction in events.auctions if auction["category"] == 10}
    rows = []
    for bid in events.bids:
        if auction := auctions.get(bid["auction"]):
            row = columns(bid, ALL_OF_A_BID) | columns(auction, "itemName description initialBid reserve expires seller category")
            rows.append({**row, "auction_dateTime": auction["dateTime"], "auction_extra": auction["extra"]})
    return rows


def q21(events):
    """Add a channel's id."""
    known = {"apple": "0", "google": "1", "facebook": "2", "baidu": "3"}
    rows = []
    for bid in events.bids:
        in_url = [part.removeprefix("channel_id=") for part in bid["url"].split("&") if part.startswith("channel_id=")]
        channel_id = known.get(bid["channel"].lower(), in_url[0] if in_url else None)
        if channel_id is not None:
            rows.append({**columns(bid, "auction bidder price channel"), "channel_id": channel_id})
    return rows


def q22(events):
    """The folders of an address."""
    rows = []
    for bid in events.bids:
        parts = bid["url"].split("/") + [""] * 6
        rows.append({**columns(bid, "auction bidder price channel"), "dir1": parts[3], "dir2": parts[4], "dir3": parts[5]})
    return rows


# Each query with the columns that are its result's key; none: every row stays.
QUERIES = {
    "q0": (q0, ""), "q1": (q1, ""), "q2": (q2, ""), "q3": (q3, ""), "q4": (q4, "id"), "q5": (q5, ""), "q7": (q7, ""), "q8": (q8, ""),
    "q9": (q9, "id"), "q10": (q10, ""), "q11": (q11, ""), "q12": (q12, ""), "q13": (q13, ""), "q14": (q14, ""), "q15": (q15, "day"),
    "q16": (q16, "channel day"), "q17": (q17, "auction day"), "q18": (q18, "bidder auction"), "q19": (q19, "auction rank_number"),
    "q20": (q20, ""), "q21": (q21, ""), "q22": (q22, ""),
}  # fmt: skip


def parse(line):
    return json.loads(line, parse_float=Decimal)


def found(query, folder):
    """The rows that a job wrote, the last of each key where there is one."""
    if query == "q0":
        return list(encoded(folder))
    rows = [parse(line) for line in lines(folder)]
    key = QUERIES[query][1].split()
    return list({tuple(row[name] for name in key): row for row in rows}.values()) if key else rows


def misplaced(folder):
    """The rows of query 10 that are in another folder than that of their day and minute."""
    for path in parts(folder):
        for row in map(json.loads, path.read_text().splitlines()):
            if path.relative_to(folder).parent != Path(f"dt={row['dt']}", f"hm={row['hm']}"):
                yield f"{path.relative_to(folder)}: {row}"


def difference(query, events, folder):
    """How the rows of a job differ from those that they have to be; `None`: they do not."""
    text = lambda row: json.dumps(row, sort_keys=True)
    expected = Counter(map(text, QUERIES[query][0](events)))
    actual = Counter(map(text, found(query, folder)))
    if not expected:
        return f"{query}: the events give no row, so nothing is compared"
    if query == "q10":
        for row in misplaced(folder):
            return f"q10: a row is in a folder that is not its own: {row}"
    missing, spare = expected - actual, actual - expected
    if not missing and not spare:
        return None
    shown = [f"  missing: {row}" for row in list(missing)[:3]] + [f"  not due: {row}" for row in list(spare)[:3]]
    return "\n".join([f"{query}: of {expected.total()} rows {missing.total()} are missing, {spare.total()} are not due", *shown])


def main(folder, *asked):
    events = Events(folder)
    wrong = 0
    for query in asked:
        query, compared, out = query.partition("=")
        if not compared:
            for row in QUERIES[query][0](events):
                print(json.dumps(row))
            continue
        how = difference(query, events, out)
        print(how or f"{query}: {len(QUERIES[query][0](events))} rows")
        wrong += how is not None
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
