"""CBOR in its deterministic form (RFC 8949, section 4.2): heads, integers, texts and floats.

One value has one encoding: shortest integers and lengths, definite lengths only, the shortest float that keeps the
value, and every NaN as ``f97e00``. What is read here is in that form or refused. :mod:`weir_guest.codec` makes
encoders and decoders of whole types from these parts.

Readers take the bytes and a position, and give the value and the position behind it. A reader that runs past the end
of the bytes raises ``IndexError``; one whose item ends behind them gives a position that its caller finds to be too
far.
"""

from __future__ import annotations

from struct import Struct

__all__ = [
    "CborError",
    "FALSE",
    "NULL",
    "SMALL",
    "TRUE",
    "float_bytes",
    "head",
    "int_bytes",
    "read_float",
    "read_head",
    "read_int",
    "read_text",
    "text_bytes",
    "uint_bytes",
]

UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP = 0x00, 0x20, 0x40, 0x60, 0x80, 0xA0
FALSE, TRUE, NULL = b"\xf4", b"\xf5", b"\xf6"
NAN = b"\xf9\x7e\x00"

_HALF, _SINGLE, _DOUBLE = Struct(">e"), Struct(">f"), Struct(">d")
_KINDS = {
    UNSIGNED: "an integer",
    NEGATIVE: "an integer",
    BYTES: "bytes",
    TEXT: "a text",
    ARRAY: "an array",
    MAP: "a map",
    0xC0: "a tag",
}


class CborError(ValueError):
    """A value that cannot be encoded, or bytes that are not the deterministic encoding of what was asked for."""


def head(major: int, argument: int) -> bytes:
    """The first bytes of an item of this major type."""
    if argument < 24:
        return bytes((major | argument,))
    if argument < 0x100:
        return bytes((major | 24, argument))
    if argument < 0x10000:
        return bytes((major | 25,)) + argument.to_bytes(2, "big")
    if argument < 0x1_0000_0000:
        return bytes((major | 26,)) + argument.to_bytes(4, "big")
    if argument < 0x1_0000_0000_0000_0000:
        return bytes((major | 27,)) + argument.to_bytes(8, "big")
    raise CborError(f"{argument} does not fit 64 bits")


#: The encodings of the smallest unsigned integers.
SMALL = tuple(head(UNSIGNED, number) for number in range(1024))

_TEXT_HEADS = tuple(head(TEXT, length) for length in range(256))


def uint_bytes(value: int, high: int) -> bytes:
    """The encoding of an unsigned integer that is at most ``high``."""
    if not isinstance(value, int):
        raise CborError(f"{value!r} is no integer")
    if not 0 <= value <= high:
        raise CborError(f"{value} is not within 0 and {high}")
    return head(UNSIGNED, value)


def int_bytes(value: int, low: int, high: int) -> bytes:
    """The encoding of an integer from ``low`` to ``high``."""
    if not isinstance(value, int):
        raise CborError(f"{value!r} is no integer")
    if not low <= value <= high:
        raise CborError(f"{value} is not within {low} and {high}")
    return head(UNSIGNED, value) if value >= 0 else head(NEGATIVE, -1 - value)


def text_bytes(text: str) -> bytes:
    """The encoding of a text."""
    if not isinstance(text, str):
        raise CborError(f"{text!r} is no text")
    data = text.encode()
    length = len(data)
    return (_TEXT_HEADS[length] if length < 256 else head(TEXT, length)) + data


def float_bytes(value: float, word: str = "f64") -> bytes:
    """The shortest encoding of a float, which is first rounded to single precision where ``word`` is ``f32``."""
    if not isinstance(value, (float, int)):
        raise CborError(f"{value!r} is no number")
    if value != value:
        return NAN
    value = float(value)
    try:
        single = _SINGLE.pack(value)
    except OverflowError:
        if word == "f32":
            raise CborError(f"{value} is beyond the floats of 32 bits") from None
        return b"\xfb" + _DOUBLE.pack(value)
    if word == "f32":
        value = _SINGLE.unpack(single)[0]
    elif _SINGLE.unpack(single)[0] != value:
        return b"\xfb" + _DOUBLE.pack(value)
    try:
        half = _HALF.pack(value)
    except OverflowError:
        return b"\xfa" + single
    return b"\xf9" + half if _HALF.unpack(half)[0] == value else b"\xfa" + single


def _argument(data: bytes, at: int, low_bits: int) -> tuple[int, int]:
    """The argument behind a first byte with these low bits, 24 or more, and the position behind it."""
    if low_bits > 27:
        raise CborError(
            "an item of indefinite length is not deterministic" if low_bits == 31 else f"{data[at]:#04x} begins no item"
        )
    width = 1 << (low_bits - 24)
    behind = at + 1 + width
    argument = int.from_bytes(data[at + 1 : behind], "big")
    if behind > len(data):
        raise IndexError
    if argument < (24, 0x100, 0x10000, 0x1_0000_0000)[low_bits - 24]:
        raise CborError(f"the number {argument} is not in its shortest form")
    return argument, behind


def kind_of(first: int) -> str:
    """What an item with this first byte is called."""
    return _KINDS.get(first & 0xE0, "a simple value or float")


def read_head(data: bytes, at: int, major: int) -> tuple[int, int]:
    """The argument of an item of this major type, and the position behind its head."""
    first = data[at]
    if first & 0xE0 != major:
        raise CborError(f"{kind_of(first)} where {_KINDS[major]} was expected")
    low_bits = first & 0x1F
    return (low_bits, at + 1) if low_bits < 24 else _argument(data, at, low_bits)


def read_int(data: bytes, at: int, low: int, high: int) -> tuple[int, int]:
    """An integer from ``low`` to ``high``."""
    first = data[at]
    if first >= 0x40:
        raise CborError(f"{kind_of(first)} where an integer was expected")
    low_bits = first & 0x1F
    argument, behind = (low_bits, at + 1) if low_bits < 24 else _argument(data, at, low_bits)
    value = argument if first < 0x20 else -1 - argument
    if not low <= value <= high:
        raise CborError(f"{value} is not within {low} and {high}")
    return value, behind


def read_text(data: bytes, at: int) -> tuple[str, int]:
    """A text."""
    first = data[at]
    if 0x60 <= first < 0x78:
        start = at + 1
        end = start + first - 0x60
    else:
        length, start = read_head(data, at, TEXT)
        end = start + length
    return data[start:end].decode(), end


def read_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    """Bytes."""
    length, start = read_head(data, at, BYTES)
    return data[start : start + length], start + length


def read_float(data: bytes, at: int) -> tuple[float, int]:
    """A float of whichever width is the shortest for it."""
    first = data[at]
    if not 0xF9 <= first <= 0xFB:
        raise CborError(f"{kind_of(first)} where a float was expected")
    form = (_HALF, _SINGLE, _DOUBLE)[first - 0xF9]
    behind = at + 1 + form.size
    if behind > len(data):
        raise IndexError
    value: float = form.unpack_from(data, at + 1)[0]
    if float_bytes(value) != data[at:behind]:
        raise CborError(f"the float {value} is not in its shortest form")
    return value, behind
