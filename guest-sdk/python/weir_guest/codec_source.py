"""Source text that is being written for a type's codec, and the names that it uses."""

from __future__ import annotations

from typing import Any

from . import cbor
from .cbor import CborError
from .shapes import Field, RecordShape

__all__ = ["Source", "as_bytes", "in_order"]


def as_bytes(value: Any) -> bytes:
    """Bytes, and nothing else."""
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise CborError(f"{value!r} is not bytes")
    return bytes(value)


def _wrong_key() -> CborError:
    return CborError("the keys of a map are not in order, or one stands twice")


def _map_bytes(entries: list[tuple[bytes, bytes]]) -> bytes:
    entries.sort()
    if any(one[0] == other[0] for one, other in zip(entries, entries[1:])):
        raise CborError("a map has one key twice")
    return cbor.head(cbor.MAP, len(entries)) + b"".join(key + value for key, value in entries)


def _sized(values: Any, count: int) -> Any:
    if len(values) != count:
        raise CborError(f"{len(values)} items where there are {count}")
    return values


class Source:
    """Source text that is being written, and the names that it uses."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._number = 0
        self._names: dict[str, Any] = {
            "CborError": CborError,
            "map_bytes": _map_bytes,
            "sized": _sized,
            "wrong_key": _wrong_key,
            "head": cbor.head,
            "read_bytes": cbor.read_bytes,
            "read_float": cbor.read_float,
            "read_head": cbor.read_head,
            "read_int": cbor.read_int,
            "read_text": cbor.read_text,
            "float_bytes": cbor.float_bytes,
            "int_bytes": cbor.int_bytes,
            "text_bytes": cbor.text_bytes,
            "uint_bytes": cbor.uint_bytes,
            "as_bytes": as_bytes,
            "SMALL": cbor.SMALL,
        }

    def line(self, depth: int, text: str) -> None:
        """Writes a line."""
        self._lines.append("    " * depth + text)

    def fresh(self, stem: str) -> str:
        """A name that nothing else has."""
        self._number += 1
        return f"{stem}_{self._number}"

    def constant(self, stem: str, value: Any) -> str:
        """The name of a value."""
        name = self.fresh(stem)
        self._names[name] = value
        return name

    def compiled(self) -> dict[str, Any]:
        """What the text defines, by its names."""
        exec(compile("\n".join(self._lines), "<codec>", "exec"), self._names)
        return self._names


def in_order(shape: RecordShape) -> list[Field]:
    """The fields in the order in which their names are encoded."""
    return sorted(shape.fields, key=lambda field: cbor.text_bytes(field.name))
