"""The events of Nexmark as a job wrote them into part files: the bytes that `plugins/nexmark/README.md` describes, taken apart."""

import base64
import json
import struct
from pathlib import Path

KINDS = {
    0: ("person", "id", "name email creditCard city state extra"),
    1: ("auction", "id initialBid reserve expires seller category", "itemName description extra"),
    2: ("bid", "auction bidder price", "channel url extra"),
}


def decode(data):
    """An event as a dictionary; `plugins/nexmark/README.md` describes the bytes."""
    kind, numbers, texts = KINDS[data[0]]
    numbers, texts = numbers.split(), texts.split()
    event = {"kind": kind, "dateTime": struct.unpack_from("<q", data, 1)[0]}
    event.update(zip(numbers, struct.unpack_from(f"<{len(numbers)}Q", data, 9)))
    at = 9 + 8 * len(numbers)
    for name in texts:
        (length,) = struct.unpack_from("<H", data, at)
        event[name] = data[at + 2 : at + 2 + length].decode()
        at += 2 + length
    assert at == len(data), "bytes follow the last text of an event"
    return event


def parts(folder):
    """The part files of a folder and of the partitions in it, those of each subtask in the order in which it wrote them."""

    def written(path):
        sink, subtask, checkpoint, _nonce = path.name.removeprefix("part-").rsplit("-", 3)
        return sink, int(subtask), int(checkpoint)

    return sorted(Path(folder).rglob("part-*"), key=written)


def lines(folder):
    """The lines of these files."""
    for path in parts(folder):
        yield from path.read_text().splitlines()


def encoded(folder):
    """The events of a folder, in base64, as Python's own JSON reads them."""
    for line in lines(folder):
        value = json.loads(line)["value"]
        # What happens to be UTF-8 is written as a text.
        yield value["base64"] if isinstance(value, dict) else base64.b64encode(value.encode()).decode()


class Events:
    """All events in the order of the source, and those of each kind."""

    def __init__(self, folder):
        self.encoded = list(encoded(folder))
        events = [decode(base64.b64decode(value)) for value in self.encoded]
        self.people = [event for event in events if event["kind"] == "person"]
        self.auctions = [event for event in events if event["kind"] == "auction"]
        self.bids = [event for event in events if event["kind"] == "bid"]
