"""The job file's `config`, which is JSON, as the dataclass that an operator wants.

A field that there is not is refused by name, and so is one that is missing or of another type. A field is called as
in the dataclass, with `-` or `_` between its words.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import types as python_types
import typing
from typing import Annotated, Any, Literal, Union

from .types import IntWidth

__all__ = ["ConfigError", "parse_config"]


class ConfigError(ValueError):
    """The config is not what the operator wants."""


def parse_config(text: str, hint: Any) -> Any:
    """The config; `hint` is the type that the operator says, and `None` means that it has no settings."""
    try:
        found = json.loads(text) if text.strip() not in ("", "null") else {}
    except ValueError as error:
        raise ConfigError(str(error)) from None
    if not isinstance(found, dict):
        raise ConfigError(f"{_shown(found)} is no object")
    if hint is None:
        for name in found:
            raise ConfigError(f"there is no setting `{name}`: there are none")
        return None
    return _value(found, hint, "")


def _shown(found: Any) -> str:
    text = json.dumps(found, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _at(path: str) -> str:
    return f"`{path}`: " if path else ""


def _value(found: Any, hint: Any, path: str) -> Any:
    """What was found at a path, as a type."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or hint is object:
        return found
    if origin is Annotated:
        value = _value(found, arguments[0], path)
        for mark in arguments[1:]:
            if isinstance(mark, IntWidth) and not mark.low <= value <= mark.high:
                raise ConfigError(f"{_at(path)}{value} is not within {mark.low} and {mark.high}")
        return value
    if origin in (Union, python_types.UnionType):
        return _one_of(found, arguments, path)
    if origin is Literal:
        if found in arguments:
            return found
        raise ConfigError(f"{_at(path)}{_shown(found)} is none of {', '.join(map(_shown, arguments))}")
    if origin in (list, tuple) and isinstance(found, list):
        if origin is tuple and arguments[1:] != (Ellipsis,):
            if len(found) != len(arguments):
                raise ConfigError(f"{_at(path)}{len(found)} items where there are {len(arguments)}")
            return tuple(
                _value(item, kind, f"{path}[{place}]") for place, (item, kind) in enumerate(zip(found, arguments))
            )
        return origin(_value(item, arguments[0], f"{path}[{place}]") for place, item in enumerate(found))
    if origin is dict and isinstance(found, dict):
        return {key: _value(item, arguments[1], f"{path}.{key}".lstrip(".")) for key, item in found.items()}
    if isinstance(hint, type):
        return _plain(found, hint, path)
    raise ConfigError(f"{_at(path)}{_shown(found)} is no {hint}")


def _plain(found: Any, hint: type[Any], path: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(found, dict):
        return _dataclass(found, hint, path)
    if issubclass(hint, enum.Enum):
        for member in hint:
            if found in (member.value, member.name):
                return member
        raise ConfigError(f"{_at(path)}{_shown(found)} is none of {', '.join(_shown(member.value) for member in hint)}")
    if hint is float and isinstance(found, int) and not isinstance(found, bool):
        return float(found)
    if hint is type(None) and found is None:
        return None
    if isinstance(found, hint) and not (isinstance(found, bool) and hint is int):
        return found
    wanted = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}.get(
        hint.__name__, hint.__name__
    )
    raise ConfigError(f"{_at(path)}{_shown(found)} is no {wanted}")


def _one_of(found: Any, hints: tuple[Any, ...], path: str) -> Any:
    if found is None and type(None) in hints:
        return None
    errors = []
    for hint in hints:
        if hint is type(None):
            continue
        try:
            return _value(found, hint, path)
        except ConfigError as error:
            errors.append(error)
    raise errors[-1]


def _dataclass(found: dict[str, Any], cls: type[Any], path: str) -> Any:
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = {field.metadata.get("name", field.name): field for field in dataclasses.fields(cls) if field.init}
    given = {}
    for name, item in found.items():
        field = fields.get(name) or fields.get(name.replace("-", "_"))
        if field is None:
            raise ConfigError(
                f"{_at(path)}there is no setting `{name}`: there are {', '.join(f'`{one}`' for one in fields) or 'none'}"
            )
        given[field.name] = _value(item, hints[field.name], f"{path}.{name}".lstrip("."))
    for name, field in fields.items():
        no_default = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if no_default and field.name not in given:
            if type(None) in typing.get_args(hints[field.name]):
                given[field.name] = None
            else:
                raise ConfigError(f"{_at(path)}the setting `{name}` is missing")
    return cls(**given)
