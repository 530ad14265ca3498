"""Writes encoders: a function for each shape, and expressions of bytes.

The order of a dataclass's fields and the bytes of their names are constants, and the smallest integers are looked up.
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

__all__ = ["Dumper"]


class Dumper:
    """Writes to a source."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.line = source.line
        self.fresh = source.fresh
        self.constant = source.constant
        #: The functions that there are, by the shape that each is for.
        self._dumpers: dict[int, str] = {}
        self._kept: list[Shape] = []

    def dumper(self, shape: Shape) -> str:
        """The name of a function that gives the bytes of a value of this shape."""
        known = self._dumpers.get(id(shape))
        if known is not None:
            return known
        name = self._dumpers[id(shape)] = self.fresh("dump")
        self._kept.append(shape)
        match shape:
            case RecordShape():
                self._dump_record(shape, name)
            case EnumShape():
                table = self.constant("cases", {member: cbor.text_bytes(case) for case, member in shape.cases})
                self._function(name, f"return {table}[value]")
            case ChoiceShape():
                self._dump_choice(shape, name)
            case _:
                expression = self.bytes_of(shape, "value")
                self._function(name, f"return {expression}")
        return name

    def _function(self, name: str, *body: str) -> None:
        self.line(0, f"def {name}(value):")
        for text in body:
            self.line(1, text)

    def bytes_of(self, shape: Shape, value: str) -> str:
        """An expression for the encoding of `value`, which is an expression that may stand twice."""
        match shape:
            case IntShape() if shape.width.low == 0:
                below = min(1023, shape.width.high)
                return f"(SMALL[{value}] if 0 <= {value} <= {below} else uint_bytes({value}, {shape.width.high}))"
            case IntShape():
                below = min(1023, shape.width.high)
                return f"(SMALL[{value}] if 0 <= {value} <= {below} else int_bytes({value}, {shape.width.low}, {shape.width.high}))"
            case FloatShape():
                return f"float_bytes({value}, {shape.width.word!r})"
            case Word("string"):
                return f"text_bytes({value})"
            case Word("bytes"):
                return f"(head({cbor.BYTES}, len({value})) + as_bytes({value}))"
            case Word("bool"):
                return f"{self.constant('bools', {False: cbor.FALSE, True: cbor.TRUE})}[{value}]"
            case Word("unit"):
                return f"{self.constant('unit', {None: cbor.NULL})}[{value}]"
            case OptionShape():
                return f"({cbor.NULL!r} if {value} is None else {self.bytes_of(shape.inner, value)})"
            case ListShape():
                inner = self.dumper(shape.inner)
                return f"(head({cbor.ARRAY}, len({value})) + b''.join([{inner}(item) for item in {value}]))"
            case MapShape():
                key, inner = self.dumper(shape.key), self.dumper(shape.value)
                return f"map_bytes([({key}(key), {inner}(item)) for key, item in {value}.items()])"
            case TupleShape():
                items = ", ".join(f"{self.dumper(inner)}({value}[{place}])" for place, inner in enumerate(shape.items))
                return f"b''.join(({cbor.head(cbor.ARRAY, len(shape.items))!r} if sized({value}, {len(shape.items)}) else b'', {items}))"
        return f"{self.dumper(shape)}({value})"

    def _dump_record(self, shape: RecordShape, name: str) -> None:
        known, parts, body = cbor.head(cbor.MAP, len(shape.fields)), [], []
        cls = self.constant("cls", shape.cls)
        body.append(f"if value.__class__ is not {cls} and not isinstance(value, {cls}):")
        body.append(f"    raise CborError(f'{{value!r}} is no {shape.name}')")
        for place, field in enumerate(in_order(shape)):
            body.append(f"field_{place} = value.{field.attribute}")
            parts += [repr(known + cbor.text_bytes(field.name)), self.bytes_of(field.shape, f"field_{place}")]
            known = b""
        if known:
            parts.append(repr(known))
        joined = " + ".join(parts) if len(parts) <= 4 else f"b''.join(({', '.join(parts)}))"
        self._function(name, *body, f"return {joined}")

    def _dump_choice(self, shape: ChoiceShape, name: str) -> None:
        body = ["cls = value.__class__"]
        for case, record in shape.cases:
            body.append(f"if cls is {self.constant('cls', record.cls)}:")
            if record.fields:
                body.append(
                    f"    return {cbor.head(cbor.MAP, 1) + cbor.text_bytes(case)!r} + {self.dumper(record)}(value)"
                )
            else:
                body.append(f"    return {cbor.text_bytes(case)!r}")
        self._function(name, *body, f"raise CborError(f'{{value!r}} is no case of {shape.name}')")
