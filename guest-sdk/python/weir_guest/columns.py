"""Columns as the world has them: little-endian integers and byte strings end to end, seen through views and made in
one go.

Reading never copies more than the integers that say where items end; an item is cut out when it is asked for.
"""

from __future__ import annotations

from array import array
from itertools import accumulate
from typing import Any, Iterable, Iterator, Sequence

from .world import types

__all__ = [
    "NO_TIME",
    "column",
    "empty_column",
    "items_of",
    "keyed_column",
    "s64s",
    "spans",
    "u32s",
    "u64s",
    "view_s64",
    "view_u32",
]

#: How 'no time' crosses the boundary.
NO_TIME = -(2**63)


def u32s(numbers: Iterable[int]) -> bytes:
    """Numbers as a ``u32s``."""
    return array("I", numbers).tobytes()


def u64s(numbers: Iterable[int]) -> bytes:
    """Numbers as a ``u64s``."""
    return array("Q", numbers).tobytes()


def s64s(numbers: Iterable[int]) -> bytes:
    """Numbers as an ``s64s``."""
    return array("q", numbers).tobytes()


def view_u32(data: bytes) -> memoryview:
    """The numbers of a ``u32s``."""
    return memoryview(data).cast("I")


def view_s64(data: bytes) -> memoryview:
    """The numbers of an ``s64s``."""
    return memoryview(data).cast("q")


def spans(ends: bytes) -> memoryview:
    """The ends of items with a zero in front of them: item i is from number i up to number i + 1."""
    return memoryview(b"\0\0\0\0" + ends).cast("I")


def column(items: Sequence[bytes]) -> Any:
    """Byte strings as a column."""
    return types.Column(b"".join(items), array("I", accumulate(map(len, items))).tobytes())


def empty_column() -> Any:
    """A column without items."""
    return types.Column(b"", b"")


def keyed_column(keys: Iterable[int], items: Sequence[bytes]) -> Any:
    """Byte strings that belong to keys."""
    return types.KeyedColumn(u32s(keys), column(items))


def items_of(of: Any) -> Iterator[bytes]:
    """The items of a column."""
    data, start = of.data, 0
    for end in view_u32(of.ends):
        yield data[start:end]
        start = end
