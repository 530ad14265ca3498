"""Finds fields of one CSV row (RFC 4180) by their columns, reading no further than the last of them.

It is for operators behind a csv source, which hands them rows as values and the header as the schema of its input.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, Callable

from .failure import Failure

__all__ = ["Columns"]


class Columns:
    """The columns that are wanted of each row: ``Columns(setup.schema(), "tailnum", "arr_delay")``."""

    def __init__(self, header: str | None, *names: str) -> None:
        if header is None:
            raise Failure("the header of the rows is not known: let a csv source feed the operator directly")
        if not names:
            raise ValueError("no column is asked for")
        columns = [field.decode() for field in _fields(header.encode(), header.count(",") + 1)]
        for name in names:
            if columns.count(name) != 1:
                raise Failure(
                    f"the header has {'more than one' if name in columns else 'no'} column `{name}`: {','.join(columns)}"
                )
        self._places = [columns.index(name) for name in names]
        self._last = max(self._places)
        self._pick: Callable[[Any], Any] = itemgetter(*self._places)

    def read(self, row: bytes) -> Any:
        """The wanted fields in the order of the names: one alone, or a tuple. A row that has too few fails."""
        fields = row.split(b",", self._last + 1) if b'"' not in row else _fields(row, self._last + 1)
        if len(fields) <= self._last:
            raise Failure(f"the row has {len(fields)} fields, and field {self._last + 1} is wanted")
        return self._pick(fields)


def _fields(row: bytes, wanted: int) -> list[bytes]:
    """The first so many fields, quoted or not, or all where there are fewer."""
    fields: list[bytes] = []
    at: int | None = 0
    while at is not None and len(fields) < wanted:
        if row[at : at + 1] == b'"':
            field, at = _unquoted(row, at + 1)
        else:
            comma = row.find(b",", at)
            field, at = (row[at:], None) if comma < 0 else (row[at:comma], comma + 1)
        fields.append(field)
    return fields


def _unquoted(row: bytes, at: int) -> tuple[bytes, int | None]:
    """A field up to its closing quote, with doubled quotes made single, and where the next one begins."""
    field = b""
    while True:
        quote = row.find(b'"', at)
        if quote < 0:
            raise Failure("a quoted field does not end")
        field += row[at:quote]
        after = row[quote + 1 : quote + 2]
        if after == b'"':
            field, at = field + b'"', quote + 2
        elif after == b",":
            return field, quote + 2
        elif after == b"":
            return field, None
        else:
            raise Failure(f"`{after.decode('ascii', 'backslashreplace')}` follows a quoted field where a comma should")
