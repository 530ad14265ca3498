"""Writes decoders: statements that read a value at the position ``at``, and move that behind it.

A value is read where it stands, without a copy of its bytes. Every shape is written out in one function, with no call
for small integers, so that a dataclass costs what is in it.
"""

from __future__ import annotations

from . import cbor
from .codec_source import Source, in_order
from .shapes import (
    ChoiceShape,
    EnumShape,
    FloatShape,
    IntShape,
    ListShape,
    MapShape,
    OptionShape,
    RecordShape,
    Shape,
    TupleShape,
    Word,
)

__all__ = ["Loader"]


class Loader:
    """Writes to a source."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.line = source.line
        self.fresh = source.fresh
        self.constant = source.constant

    def function(self, shape: Shape, name: str) -> None:
        """Writes the function that gives the value in the bytes from ``at`` up to ``end``."""
        self.line(0, f"def {name}(data, at, end):")
        self.line(1, "try:")
        self.load(shape, "value", 2)
        self.line(1, "except IndexError:")
        self.line(2, "raise CborError('the value ends early') from None")
        self.line(1, "if at != end:")
        self.line(2, "raise CborError('the value ends early' if at > end else f'{end - at} bytes follow the value')")
        self.line(1, "return value")

    def load(self, shape: Shape, target: str, depth: int) -> None:
        """Reads a value of a shape into a variable."""
        match shape:
            case IntShape():
                self._load_int(shape, target, depth)
            case FloatShape():
                self.line(depth, f"{target}, at = read_float(data, at)")
            case Word("string"):
                self.line(depth, f"{target}, at = read_text(data, at)")
            case Word("bytes"):
                self.line(depth, f"{target}, at = read_bytes(data, at)")
            case Word():
                self._load_simple(shape.word, target, depth)
            case OptionShape():
                self.line(depth, "if data[at] == 0xf6:")
                self.line(depth + 1, f"{target} = None; at += 1")
                self.line(depth, "else:")
                self.load(shape.inner, target, depth + 1)
            case ListShape():
                item, count = self.fresh("item"), self.fresh("count")
                self.line(depth, f"{count}, at = read_head(data, at, {cbor.ARRAY})")
                self.line(depth, f"{target} = []")
                self.line(depth, f"for _ in range({count}):")
                self.load(shape.inner, item, depth + 1)
                self.line(depth + 1, f"{target}.append({item})")
            case TupleShape():
                self._expect(cbor.head(cbor.ARRAY, len(shape.items)), "a tuple of other length", depth)
                items = [self.fresh("item") for _ in shape.items]
                for item, inner in zip(items, shape.items):
                    self.load(inner, item, depth)
                self.line(depth, f"{target} = ({', '.join(items)},)")
            case MapShape():
                self._load_map(shape, target, depth)
            case RecordShape():
                self._load_record(shape, target, depth)
            case EnumShape():
                self._load_enum(shape, target, depth)
            case ChoiceShape():
                self._load_choice(shape, target, depth)
            case _:
                raise AssertionError(shape)

    def _load_int(self, shape: IntShape, target: str, depth: int) -> None:
        width = shape.width
        self.line(depth, "byte = data[at]")
        self.line(depth, "if byte < 24:")
        self.line(depth + 1, f"{target} = byte; at += 1")
        if width.low < 0:
            self.line(depth, "elif 32 <= byte < 56:")
            self.line(depth + 1, f"{target} = 31 - byte; at += 1")
        self.line(depth, "else:")
        self.line(depth + 1, f"{target}, at = read_int(data, at, {width.low}, {width.high})")

    def _load_simple(self, word: str, target: str, depth: int) -> None:
        meanings = {"bool": {0xF4: False, 0xF5: True}, "unit": {0xF6: None}}[word]
        table = self.constant("simple", meanings)
        self.line(depth, f"if data[at] not in {table}:")
        self.line(depth + 1, f"raise CborError('no {word} where one was expected')")
        self.line(depth, f"{target} = {table}[data[at]]; at += 1")

    def _expect(self, constant: bytes, otherwise: str, depth: int) -> None:
        """Reads bytes that are known."""
        self.line(depth, f"if not data.startswith({constant!r}, at):")
        self.line(depth + 1, f"raise CborError({otherwise!r})")
        self.line(depth, f"at += {len(constant)}")

    def _load_map(self, shape: MapShape, target: str, depth: int) -> None:
        key, value, start, before, count = (self.fresh(stem) for stem in ("key", "value", "start", "before", "count"))
        self.line(depth, f"{count}, at = read_head(data, at, {cbor.MAP})")
        self.line(depth, f"{target} = {{}}; {before} = b''")
        self.line(depth, f"for _ in range({count}):")
        self.line(depth + 1, f"{start} = at")
        self.load(shape.key, key, depth + 1)
        self.line(depth + 1, f"if data[{start}:at] <= {before}:")
        self.line(depth + 2, "raise wrong_key()")
        self.line(depth + 1, f"{before} = data[{start}:at]")
        self.load(shape.value, value, depth + 1)
        self.line(depth + 1, f"{target}[{key}] = {value}")

    def _load_record(self, shape: RecordShape, target: str, depth: int) -> None:
        known = cbor.head(cbor.MAP, len(shape.fields))
        values = {field.attribute: self.fresh("field") for field in shape.fields}
        for field in in_order(shape):
            self._expect(
                known + cbor.text_bytes(field.name),
                f"the field `{field.name}` of {shape.name} is not where it belongs",
                depth,
            )
            self.load(field.shape, values[field.attribute], depth)
            known = b""
        if known:
            self._expect(known, f"no {shape.name}", depth)
        given = (
            f"{field.attribute}={values[field.attribute]}" if field.keyword_only else values[field.attribute]
            for field in shape.fields
        )
        self.line(depth, f"{target} = {self.constant('cls', shape.cls)}({', '.join(given)})")

    def _load_enum(self, shape: EnumShape, target: str, depth: int) -> None:
        members, name = self.constant("members", dict(shape.cases)), self.fresh("name")
        self.line(depth, f"{name}, at = read_text(data, at)")
        self.line(depth, f"{target} = {members}.get({name})")
        self.line(depth, f"if {target} is None:")
        self.line(depth + 1, f"raise CborError(f'{shape.name} has no case `{{{name}}}`')")

    def _load_choice(self, shape: ChoiceShape, target: str, depth: int) -> None:
        word = "if"
        for name, record in shape.cases:
            start = cbor.head(cbor.MAP, 1) + cbor.text_bytes(name) if record.fields else cbor.text_bytes(name)
            self.line(depth, f"{word} data.startswith({start!r}, at):")
            self.line(depth + 1, f"at += {len(start)}")
            if record.fields:
                self._load_record(record, target, depth + 1)
            else:
                self.line(depth + 1, f"{target} = {self.constant('cls', record.cls)}()")
            word = "elif"
        self.line(depth, "else:")
        self.line(depth + 1, f"raise CborError('no case of {shape.name}')")
