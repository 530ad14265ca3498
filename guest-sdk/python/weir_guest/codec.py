"""Encoders and decoders of types, written as Python source for each type and compiled once.

A state's bytes are decoded and encoded for every key of every batch, in an interpreter. So what is known of a type is
spent when the operator is built: the order of a dataclass's fields and the bytes of their names are constants, small
integers take no call, and a value is read where it stands, without a copy of its bytes.

Encoding promises the deterministic form and refuses what does not fit its type. Decoding accepts that form and no
other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

from .codec_dump import Dumper
from .codec_load import Loader
from .codec_source import Source, as_bytes
from .shapes import Word, shape_of

__all__ = ["Codec", "codec_of", "raw_codec"]


@dataclass(frozen=True)
class Codec:
    """How the values of a type become bytes and bytes become values."""

    schema: str
    #: The encoding of a value.
    dump: Callable[[Any], bytes]
    #: The value that the bytes from one position up to another encode.
    load: Callable[[bytes, int, int], Any]

    def decode(self, data: bytes) -> Any:
        """The value that these bytes, all of them, encode."""
        return self.load(data, 0, len(data))


def codec_of(hint: Any) -> Codec:
    """The codec of a type; ``TypeError`` for one that cannot be kept."""
    shape = shape_of(hint)
    if shape == Word("raw"):
        return raw_codec(bytes)
    source = Source()
    Loader(source).function(shape, "load")
    dump = Dumper(source).dumper(shape)
    compiled = source.compiled()
    return Codec(shape.schema(), compiled[dump], compiled["load"])


def raw_codec(cls: type[Any]) -> Codec:
    """The codec of bytes, or of a class with ``__bytes__`` and a class method ``from_bytes``."""
    if cls is bytes:
        return Codec("raw", as_bytes, lambda data, start, end: data[start:end])
    made = getattr(cls, "from_bytes", None)
    if made is None or not hasattr(cls, "__bytes__"):
        raise TypeError(f"`{cls.__name__}` is kept raw, and needs `__bytes__` and a class method `from_bytes`")
    return Codec("raw", bytes, lambda data, start, end: made(data[start:end]))
