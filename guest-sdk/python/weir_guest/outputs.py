"""The records of a call on their way out, one buffer for each output.

A record that has its cause's key, time and headers costs its value and its cause. What a record says for itself is
kept beside, by its place, and the columns for keys, times and headers are made at the end of the call, where any
record said something. A record that passes as it came costs a bit.
"""

from __future__ import annotations

from typing import Any, Iterable

from .columns import NO_TIME, column, empty_column, s64s, u32s
from .failure import Failure
from .record import Rows
from .world import types

__all__ = ["OutputBuffer"]

RawHeaders = list[tuple[bytes, bytes]]


class OutputBuffer:
    """What goes to one output."""

    __slots__ = ("values", "causes", "passes", "valueless", "keys", "times", "headers")

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.causes: list[int] = []
        #: Records of the batch that pass.
        self.passes: set[int] = set()
        #: Places of records without a value.
        self.valueless: list[int] = []
        #: By the place of a record what it has of its own.
        self.keys: dict[int, bytes | None] = {}
        self.times: dict[int, int] = {}
        self.headers: dict[int, RawHeaders] = {}

    def clear(self) -> None:
        """Begins anew."""
        self.values.clear()
        self.causes.clear()
        for own in (self.passes, self.valueless, self.keys, self.times, self.headers):
            if own:
                own.clear()

    def finish(self, number: int, rows: Rows) -> Any:
        """All of it as the world's output of this number; ``None`` where there is nothing."""
        if not self.causes and not self.passes:
            return None
        keys, keyless = self._keys(rows)
        return types.Output(
            number,
            self._passes(rows),
            u32s(self.causes),
            column(self.values),
            u32s(self.valueless),
            keys,
            keyless,
            self._headers(rows),
            s64s(self._times(rows)) if self.times else b"",
        )

    def _passes(self, rows: Rows) -> bytes:
        if not self.passes:
            return b""
        bits = bytearray((rows.count + 7) // 8)
        for record in self.passes:
            bits[record >> 3] |= 1 << (record & 7)
        return bytes(bits)

    def _keys(self, rows: Rows) -> tuple[Any, bytes]:
        if not self.keys:
            return empty_column(), b""
        own = self.keys
        if len(own) == len(self.causes):
            keys: Iterable[bytes | None] = own.values()
        else:
            keys = [own[place] if place in own else rows.key(cause) for place, cause in enumerate(self.causes)]
        if None not in keys:
            return column(list(keys)), b""  # type: ignore[arg-type]
        keyless = u32s(place for place, key in enumerate(keys) if key is None)
        return column([key or b"" for key in keys]), keyless

    def _times(self, rows: Rows) -> Iterable[int]:
        own = self.times
        if len(own) == len(self.causes):
            return own.values()
        if rows.value_ends is None and any(
            place not in own and rows.times[cause] == NO_TIME for place, cause in enumerate(self.causes)
        ):
            raise Failure("of windows without bounds all that an output is sent has a time of its own, or nothing has")
        return [own[place] if place in own else rows.times[cause] for place, cause in enumerate(self.causes)]

    def _headers(self, rows: Rows) -> Any:
        if not self.headers:
            return None
        names: list[bytes] = []
        values: list[bytes] = []
        ends = []
        for place, cause in enumerate(self.causes):
            for name, value in self.headers[place] if place in self.headers else rows.headers(cause):
                names.append(name)
                values.append(value)
            ends.append(len(names))
        return types.Headers(u32s(ends), column(names), column(values))
