"""The types of state: Python's own, and integers and floats of a known width.

``int`` is kept as ``i64`` and ``float`` as ``f64``. The names below are the same types to a type checker and to the
operator, and say how wide they are to weir: a value that does not fit is refused when it is written, and never cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

__all__ = [
    "Cases",
    "F32",
    "F64",
    "I8",
    "I16",
    "I32",
    "I64",
    "Raw",
    "U8",
    "U16",
    "U32",
    "U64",
]


@dataclass(frozen=True)
class IntWidth:
    """How wide an integer is, in the word of the schema for it."""

    word: str
    low: int
    high: int


@dataclass(frozen=True)
class FloatWidth:
    """How wide a float is, in the word of the schema for it."""

    word: str


@dataclass(frozen=True)
class RawBytes:
    """Marks bytes of which the schema says nothing."""


class Cases:
    """Names a choice between dataclasses, which is kept as the one of them that a value is.

    ``Order = Annotated[Pending | Shipped, Cases("Order")]``: a case is called as its class is, or as ``names`` says.
    A case of a dataclass without fields is its name alone.
    """

    def __init__(self, name: str, names: dict[type[Any], str] | None = None) -> None:
        self.name = name
        self.names = names or {}


def _unsigned(bits: int) -> IntWidth:
    return IntWidth(f"u{bits}", 0, 2**bits - 1)


def _signed(bits: int) -> IntWidth:
    return IntWidth(f"i{bits}", -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


U8 = Annotated[int, _unsigned(8)]
U16 = Annotated[int, _unsigned(16)]
U32 = Annotated[int, _unsigned(32)]
U64 = Annotated[int, _unsigned(64)]
I8 = Annotated[int, _signed(8)]
I16 = Annotated[int, _signed(16)]
I32 = Annotated[int, _signed(32)]
I64 = Annotated[int, _signed(64)]
F32 = Annotated[float, FloatWidth("f32")]
F64 = Annotated[float, FloatWidth("f64")]

#: Bytes of the author's own, which the schema calls ``raw``.
Raw = Annotated[bytes, RawBytes()]

#: What an unmarked ``int`` and ``float`` are.
PLAIN_INT = _signed(64)
PLAIN_FLOAT = FloatWidth("f64")
