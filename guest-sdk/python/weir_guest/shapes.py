"""What a Python type is to weir: its shape, and the text that describes it in the grammar of ``wit/schema.md``.

A shape is made once, when an operator's declarations are read. Whatever has no description is refused there, by name:
a type that contains itself, a union that is no option, a set (which has no order).
"""

from __future__ import annotations

import dataclasses
import enum
import re
import types as python_types
import typing
from dataclasses import dataclass
from typing import Annotated, Any, Union

from .types import PLAIN_FLOAT, PLAIN_INT, Cases, FloatWidth, IntWidth, RawBytes

__all__ = ["Shape", "shape_of"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z")
_DEPTH_MAX = 64


class Shape:
    """A type that can be kept."""

    def schema(self) -> str:
        """The type in the words of the schema."""
        raise NotImplementedError


@dataclass(frozen=True)
class Word(Shape):
    """A type that is a word of the grammar: ``bool``, ``string``, ``bytes``, ``unit`` or ``raw``."""

    word: str

    def schema(self) -> str:
        return self.word


@dataclass(frozen=True)
class IntShape(Shape):
    """An integer of a width."""

    width: IntWidth

    def schema(self) -> str:
        return self.width.word


@dataclass(frozen=True)
class FloatShape(Shape):
    """A float of a width."""

    width: FloatWidth

    def schema(self) -> str:
        return self.width.word


@dataclass(frozen=True)
class OptionShape(Shape):
    """A value or ``None``."""

    inner: Shape

    def schema(self) -> str:
        return f"option<{self.inner.schema()}>"


@dataclass(frozen=True)
class ListShape(Shape):
    """A ``list``."""

    inner: Shape

    def schema(self) -> str:
        return f"list<{self.inner.schema()}>"


@dataclass(frozen=True)
class MapShape(Shape):
    """A ``dict``."""

    key: Shape
    value: Shape

    def schema(self) -> str:
        return f"map<{self.key.schema()},{self.value.schema()}>"


@dataclass(frozen=True)
class TupleShape(Shape):
    """A ``tuple`` of so many items."""

    items: tuple[Shape, ...]

    def schema(self) -> str:
        return f"tuple<{','.join(item.schema() for item in self.items)}>"


@dataclass(frozen=True)
class Field:
    """A field: the attribute, the name that it is kept under, and its shape."""

    attribute: str
    name: str
    shape: Shape
    keyword_only: bool


@dataclass(frozen=True)
class RecordShape(Shape):
    """A dataclass."""

    cls: type[Any]
    name: str
    fields: tuple[Field, ...]

    def schema(self) -> str:
        return f"{self.name}{{{','.join(f'{field.name}:{field.shape.schema()}' for field in self.fields)}}}"


@dataclass(frozen=True)
class EnumShape(Shape):
    """An ``enum.Enum``: its members are called as their value is where that is a text, else as they are."""

    cls: type[enum.Enum]
    name: str
    cases: tuple[tuple[str, enum.Enum], ...]

    def schema(self) -> str:
        return f"{self.name}[{','.join(name for name, _ in self.cases)}]"


@dataclass(frozen=True)
class ChoiceShape(Shape):
    """A choice between dataclasses."""

    name: str
    cases: tuple[tuple[str, RecordShape], ...]

    def schema(self) -> str:
        told = (f"{name}({record.schema()})" if record.fields else name for name, record in self.cases)
        return f"{self.name}[{','.join(told)}]"


_SCALARS: dict[Any, Shape] = {
    bool: Word("bool"),
    int: IntShape(PLAIN_INT),
    float: FloatShape(PLAIN_FLOAT),
    str: Word("string"),
    bytes: Word("bytes"),
    None: Word("unit"),
    type(None): Word("unit"),
}


def shape_of(hint: Any, depth: int = 0) -> Shape:
    """The shape of a type; ``TypeError`` for one that cannot be kept."""
    if depth > _DEPTH_MAX:
        raise TypeError(f"{_called(hint)} is nested deeper than {_DEPTH_MAX}, or contains itself")
    scalar = _SCALARS.get(hint) if _hashable(hint) else None
    if scalar is not None:
        return scalar
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1:], depth)
    if origin in (Union, python_types.UnionType):
        return _option(hint, arguments, depth)
    if origin is list:
        return ListShape(shape_of(arguments[0], depth + 1))
    if origin is dict:
        return MapShape(shape_of(arguments[0], depth + 1), shape_of(arguments[1], depth + 1))
    if origin is tuple and arguments and Ellipsis not in arguments:
        return TupleShape(tuple(shape_of(item, depth + 1) for item in arguments))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _enumeration(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _record(hint, hint.__name__, depth)
    raise TypeError(_refusal(hint, origin))


def _hashable(hint: Any) -> bool:
    try:
        hash(hint)
    except TypeError:
        return False
    return True


def _called(hint: Any) -> str:
    return getattr(hint, "__name__", None) or str(hint)


def _refusal(hint: Any, origin: Any) -> str:
    if hint in (list, dict, tuple):
        return f"`{hint.__name__}` says nothing of what is in it: write `{hint.__name__}[…]`"
    if origin is tuple:
        return f"`{hint}` has no fixed number of items: a `list[…]` has any"
    if hint in (set, frozenset) or origin in (set, frozenset):
        return "a set has no order, and the same state must always have the same bytes: keep a sorted `list[…]`"
    return f"`{_called(hint)}` is no type that can be kept: dataclasses, enums, and Python's own types can"


def _annotated(inner: Any, marks: tuple[Any, ...], depth: int) -> Shape:
    for mark in marks:
        if isinstance(mark, IntWidth):
            return IntShape(mark)
        if isinstance(mark, FloatWidth):
            return FloatShape(mark)
        if isinstance(mark, RawBytes):
            return Word("raw")
        if isinstance(mark, Cases):
            return _choice(mark, inner, depth)
    return shape_of(inner, depth)


def _option(hint: Any, arguments: tuple[Any, ...], depth: int) -> Shape:
    inner = [argument for argument in arguments if argument is not type(None)]
    if len(inner) != 1 or len(inner) == len(arguments):
        raise TypeError(
            f'`{hint}` is a union, whose values cannot be told apart: name its cases, `Annotated[{hint}, Cases("Name")]`'
        )
    shape = shape_of(inner[0], depth + 1)
    if isinstance(shape, OptionShape) or shape == Word("unit"):
        raise TypeError(f"option<{shape.schema()}> has two encodings of null")
    return OptionShape(shape)


def _checked(name: str, of: str) -> str:
    if not _NAME.match(name):
        raise TypeError(f"`{name}`, {of}, is no name that can be kept: a letter, then letters, digits, `_` and `-`")
    return name


def _record(cls: type[Any], name: str, depth: int) -> RecordShape:
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = []
    for field in dataclasses.fields(cls):
        if not field.init:
            raise TypeError(f"`{cls.__name__}.{field.name}` is not set by the constructor, and would be lost")
        called = _checked(field.metadata.get("name", field.name), f"a field of `{cls.__name__}`")
        try:
            shape = shape_of(hints[field.name], depth + 1)
        except TypeError as error:
            raise TypeError(f"`{cls.__name__}.{field.name}`: {error}") from None
        fields.append(Field(field.name, called, shape, bool(field.kw_only)))
    if len({field.name for field in fields}) < len(fields):
        raise TypeError(f"two fields of `{cls.__name__}` have one name")
    return RecordShape(cls, _checked(name, "a class"), tuple(fields))


def _enumeration(cls: type[enum.Enum]) -> EnumShape:
    members = [(member.value if isinstance(member.value, str) else member.name, member) for member in cls]
    if not members:
        raise TypeError(f"`{cls.__name__}` has no members, and so no values to keep")
    return EnumShape(
        cls,
        _checked(cls.__name__, "an enum"),
        tuple((_checked(name, f"a case of `{cls.__name__}`"), m) for name, m in members),
    )


def _choice(mark: Cases, inner: Any, depth: int) -> ChoiceShape:
    classes = typing.get_args(inner) or (inner,)
    cases = []
    for cls in classes:
        if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
            raise TypeError(f"`{_called(cls)}`, a case of `{mark.name}`, is no dataclass")
        name = _checked(mark.names.get(cls, cls.__name__), f"a case of `{mark.name}`")
        cases.append((name, _record(cls, name, depth + 1)))
    return ChoiceShape(_checked(mark.name, "a choice"), tuple(cases))
