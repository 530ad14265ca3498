"""Records as an author sees them, over the columns of the batch that they are in.

Nothing is done for a record but what it is asked for: its value, key, time and headers are cut out of the columns
then.
"""

from __future__ import annotations

import json
from datetime import datetime as _datetime
from typing import Any

from .columns import NO_TIME, spans, view_s64, view_u32
from .declare import Input
from .failure import Failure
from .times import to_datetime

__all__ = ["Headers", "Record", "Rows"]

#: Names and values. A name that is no UTF-8 has surrogates in the place of its other bytes, and goes out as it came.
Headers = list[tuple[str, bytes]]


class Rows:
    """What came with a call:

    the columns of its records, or of its timers and windows, which have keys and times alone.
    """

    __slots__ = (
        "count",
        "input",
        "key_data",
        "key_ends",
        "key_of",
        "keyless",
        "value_data",
        "value_ends",
        "valueless",
        "times",
        "_headers",
        "_header_ends",
        "windows",
    )

    def __init__(self, keys: Any, key_of: list[int], times: bytes, count: int) -> None:
        self.count = count
        self.input: Input | None = None
        self.key_data: bytes = keys.data
        self.key_ends = spans(keys.ends)
        self.key_of = key_of
        self.times = view_s64(times)
        self.keyless: frozenset[int] | None = None
        self.value_data = b""
        self.value_ends: memoryview | None = None
        self.valueless: frozenset[int] | None = None
        self._headers: Any = None
        self._header_ends: memoryview | None = None
        self.windows: tuple[memoryview, memoryview] | None = None

    @classmethod
    def of_batch(cls, batch: Any, declared: Input) -> Rows:
        """The records of a batch."""
        rows = cls(batch.keys, view_u32(batch.key_of).tolist(), batch.timestamps, len(batch.values.ends) // 4)
        rows.input = declared
        rows.keyless = frozenset(view_u32(batch.keyless)) if batch.keyless else None
        rows.value_data = batch.values.data
        rows.value_ends = spans(batch.values.ends)
        rows.valueless = frozenset(view_u32(batch.valueless)) if batch.valueless else None
        if batch.headers.ends:
            rows._headers, rows._header_ends = batch.headers, spans(batch.headers.ends)
        if batch.windows is not None:
            rows.windows = (view_s64(batch.windows.starts), view_s64(batch.windows.ends))
        return rows

    def key(self, index: int) -> bytes | None:
        """The key of a record."""
        if self.key_of:
            index = self.key_of[index]
        elif self.keyless is not None and index in self.keyless:
            return None
        ends = self.key_ends
        return self.key_data[ends[index] : ends[index + 1]]

    def headers(self, index: int) -> list[tuple[bytes, bytes]]:
        """The headers of a record."""
        if self._header_ends is None:
            return []
        names, values = self._headers.names, self._headers.values
        name_ends, value_ends = spans(names.ends), spans(values.ends)
        return [
            (names.data[name_ends[at] : name_ends[at + 1]], values.data[value_ends[at] : value_ends[at + 1]])
            for at in range(self._header_ends[index], self._header_ends[index + 1])
        ]


class Record:
    """One record of the batch."""

    __slots__ = ("_rows", "_index")

    def __init__(self, rows: Rows, index: int) -> None:
        self._rows = rows
        self._index = index

    @property
    def input(self) -> Input:
        """The input that it came from: ``record.input is self.rules``."""
        declared = self._rows.input
        assert declared is not None
        return declared

    @property
    def value(self) -> bytes | None:
        """The value's bytes. ``None`` is absent (the delete of a keyed stream), which is not the empty value."""
        rows, index = self._rows, self._index
        if rows.valueless is not None and index in rows.valueless:
            return None
        ends = rows.value_ends
        return rows.value_data[ends[index] : ends[index + 1]]  # type: ignore[index]

    @property
    def data(self) -> bytes:
        """The value's bytes, for operators that have no use for a record without one: it fails."""
        value = self.value
        if value is None:
            raise Failure("the record has no value")
        return value

    def text(self) -> str:
        """The value as text; a record without one, or whose value is no UTF-8, fails."""
        try:
            return self.data.decode()
        except UnicodeDecodeError as error:
            raise Failure(f"the value is not UTF-8: {error}") from None

    def json(self) -> Any:
        """The value as JSON; a record without one, or whose value is none, fails."""
        try:
            return json.loads(self.data)
        except ValueError as error:
            raise Failure(f"read the value as JSON: {error}") from None

    @property
    def key(self) -> bytes | None:
        """The key. ``None`` is absent, which is not the empty key."""
        rows = self._rows
        if not rows.key_of:
            return rows.key(self._index)
        key, ends = rows.key_of[self._index], rows.key_ends
        return rows.key_data[ends[key] : ends[key + 1]]

    def key_text(self) -> str:
        """The key as text; a record without one, or whose key is no UTF-8, fails."""
        key = self.key
        if key is None:
            raise Failure("the record has no key")
        try:
            return key.decode()
        except UnicodeDecodeError as error:
            raise Failure(f"the key is not UTF-8: {error}") from None

    @property
    def time(self) -> int | None:
        """Event time, ms since the Unix epoch."""
        time: int = self._rows.times[self._index]
        return None if time == NO_TIME else time

    @property
    def datetime(self) -> _datetime | None:
        """Event time, in UTC."""
        time = self.time
        return None if time is None else to_datetime(time)

    @property
    def headers(self) -> Headers:
        """The headers in order."""
        return [(name.decode("utf-8", "surrogateescape"), value) for name, value in self._rows.headers(self._index)]

    def header(self, name: str) -> bytes | None:
        """The value of the last header of this name."""
        wanted, found = name.encode("utf-8", "surrogateescape"), None
        for other, value in self._rows.headers(self._index):
            if other == wanted:
                found = value
        return found

    def __repr__(self) -> str:
        return f"Record(key={self.key!r}, value={self.value!r}, time={self.time!r})"
