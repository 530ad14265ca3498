"""One map as a call sees it:

what the host stores, read entry by entry or page by page, with what the call wrote laid over it.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator

from ..columns import items_of

__all__ = ["Overlay"]

#: Reads stored values by their entries, and pages of entries and values.
Get = Callable[[bytes], bytes | None]
Scan = Callable[[bytes | None], Any]


class Overlay:
    """What a call read and did of one map. An entry that was read once is kept for the call."""

    __slots__ = ("cleared", "written", "_read")

    def __init__(self) -> None:
        #: Everything stored is gone before what was written counts.
        self.cleared = False
        #: Entries that were put, and with ``None`` those that were removed.
        self.written: dict[bytes, bytes | None] = {}
        self._read: dict[bytes, bytes | None] = {}

    def get(self, entry: bytes, stored: Get) -> bytes | None:
        """The value of an entry."""
        if entry in self.written:
            return self.written[entry]
        if self.cleared:
            return None
        if entry not in self._read:
            self._read[entry] = stored(entry)
        return self._read[entry]

    def clear(self) -> None:
        """Removes all entries."""
        self.cleared = True
        self.written.clear()

    def scan(self, page: Scan) -> Iterator[tuple[bytes, bytes]]:
        """All entries in byte order, as they are now."""
        own = sorted(self.written.items())
        stored = iter(()) if self.cleared else _stored(page)
        return _merged(own, stored)

    def put(self) -> list[tuple[bytes, bytes]]:
        """The entries that the host is to put, in byte order."""
        return sorted((entry, value) for entry, value in self.written.items() if value is not None)

    def removed(self) -> list[bytes]:
        """The entries that the host is to remove, in byte order."""
        return [] if self.cleared else sorted(entry for entry, value in self.written.items() if value is None)


def _stored(page: Scan) -> Iterator[tuple[bytes, bytes]]:
    start = None
    while True:
        found = page(start)
        yield from zip(items_of(found.entries), items_of(found.values))
        start = found.next
        if start is None:
            return


def _merged(
    own: list[tuple[bytes, bytes | None]], stored: Iterator[tuple[bytes, bytes]]
) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    for entry, value in stored:
        while place < len(own) and own[place][0] < entry:
            mine = own[place][1]
            if mine is not None:
                yield own[place][0], mine
            place += 1
        if place < len(own) and own[place][0] == entry:
            continue
        yield entry, value
    for entry, mine in own[place:]:
        if mine is not None:
            yield entry, mine
