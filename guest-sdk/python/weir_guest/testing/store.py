"""What a test keeps of an operator:

its states by key, and its timers. It stands in for the host's store and its reads.
"""

from __future__ import annotations

from typing import Any

from ..columns import column, items_of, keyed_column, view_s64, view_u32
from ..declarations import Declarations
from ..world import types

__all__ = ["Store", "Unit"]

#: A key, and in a windowed operator the window that it is in.
Unit = tuple[bytes, Any]


def _u64s(data: bytes) -> memoryview:
    return memoryview(data).cast("Q")


class Store:
    """States and timers. The reads show what was there when the call began, since effects are applied behind it."""

    def __init__(self, declared: Declarations) -> None:
        self.values: list[dict[Unit, bytes]] = [{} for _ in declared.states]
        self.lists: list[dict[Unit, list[bytes]]] = [{} for _ in declared.states]
        self.maps: list[dict[Unit, dict[bytes, bytes]]] = [{} for _ in declared.states]
        self.broadcasts: list[dict[bytes, bytes]] = [{} for _ in declared.states]
        self.timers: set[tuple[int, int, bytes]] = set()
        #: Of the call that is under way.
        self.units: list[Unit] = []
        #: Bytes in a page, whatever is asked for: small, so that tests turn pages.
        self.page_bytes = 16

    def brought(self, units: list[Unit]) -> list[Any]:
        """The values that come with a call about these units."""
        self.units = units
        return [
            keyed_column(
                [place for place, unit in enumerate(units) if unit in of], [of[unit] for unit in units if unit in of]
            )
            for of in self.values
        ]

    # The world's reads.

    def list_length(self, state: int, key: int) -> int:
        return len(self.lists[state].get(self.units[key], ()))

    def list_read(self, state: int, key: int, start: int, max_bytes: int) -> Any:
        items = self.lists[state].get(self.units[key], [])[start:]
        page = _page(items, min(max_bytes, self.page_bytes))
        return types.ListPage(column(page), start + len(page) if len(page) < len(items) else None)

    def map_get(self, state: int, key: int, entries: Any) -> Any:
        return _found(self.maps[state].get(self.units[key], {}), entries)

    def map_scan(self, state: int, key: int, start: bytes | None, max_bytes: int) -> Any:
        return self._scanned(self.maps[state].get(self.units[key], {}), start, max_bytes)

    def broadcast_get(self, state: int, entries: Any) -> Any:
        return _found(self.broadcasts[state], entries)

    def broadcast_scan(self, state: int, start: bytes | None, max_bytes: int) -> Any:
        return self._scanned(self.broadcasts[state], start, max_bytes)

    def _scanned(self, of: dict[bytes, bytes], start: bytes | None, max_bytes: int) -> Any:
        entries = [entry for entry in sorted(of) if start is None or entry >= start]
        page = _page(entries, min(max_bytes, self.page_bytes))
        return types.MapPage(
            column(page),
            column([of[entry] for entry in page]),
            entries[len(page)] if len(page) < len(entries) else None,
        )

    # Effects, in the order in which the world applies them.

    def apply(self, effects: Any) -> None:
        """Keeps what a call has come to."""
        for update in effects.values:
            of = self.values[update.state]
            for key in view_u32(update.cleared):
                of.pop(self.units[key], None)
            for key, item in zip(view_u32(update.set.keys), items_of(update.set.items)):
                of[self.units[key]] = item
        for update in effects.lists:
            self._apply_list(update)
        for update in effects.maps:
            self._apply_map(update)
        for update in effects.broadcasts:
            entries = self.broadcasts[update.state]
            if update.cleared:
                entries.clear()
            for entry in items_of(update.removed):
                entries.pop(entry, None)
            entries.update(zip(items_of(update.put), items_of(update.values)))
        for update in effects.timers:
            self.timers |= self._named(update.timer, update.set)
            self.timers -= self._named(update.timer, update.deleted)

    def _apply_list(self, update: Any) -> None:
        of = self.lists[update.state]
        for key in view_u32(update.cleared):
            of.pop(self.units[key], None)
        for key, count in zip(view_u32(update.popped.keys), _u64s(update.popped.counts)):
            del of.get(self.units[key], [])[:count]
        for key, count in zip(view_u32(update.truncated.keys), _u64s(update.truncated.counts)):
            del of.get(self.units[key], [])[count:]
        for key, item in zip(view_u32(update.append.keys), items_of(update.append.items)):
            of.setdefault(self.units[key], []).append(item)
        self.lists[update.state] = {unit: items for unit, items in of.items() if items}

    def _apply_map(self, update: Any) -> None:
        of = self.maps[update.state]
        for key in view_u32(update.cleared):
            of.pop(self.units[key], None)
        for key, entry in zip(view_u32(update.removed.keys), items_of(update.removed.items)):
            of.get(self.units[key], {}).pop(entry, None)
        for key, entry, value in zip(view_u32(update.put.keys), items_of(update.put.items), items_of(update.values)):
            of.setdefault(self.units[key], {})[entry] = value
        self.maps[update.state] = {unit: entries for unit, entries in of.items() if entries}

    def _named(self, timer: int, of: Any) -> set[tuple[int, int, bytes]]:
        return {(time, timer, self.units[key][0]) for key, time in zip(view_u32(of.keys), view_s64(of.times))}

    def kept(self) -> Any:
        """All that is kept, to compare."""
        return self.values, self.lists, self.maps, self.broadcasts, self.timers


def _page(items: list[bytes], max_bytes: int) -> list[bytes]:
    """Of these items as many as fit, but one at least."""
    page: list[bytes] = []
    size = 0
    for item in items:
        if page and size + len(item) > max_bytes:
            break
        page.append(item)
        size += len(item)
    return page


def _found(of: dict[bytes, bytes], entries: Any) -> Any:
    asked = list(items_of(entries))
    there = [place for place, entry in enumerate(asked) if entry in of]
    return keyed_column(there, [of[asked[place]] for place in there])
