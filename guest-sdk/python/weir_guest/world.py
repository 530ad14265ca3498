"""What crosses the boundary: the types of ``wit/operator.wit``.

In a component they are those that componentize-py generates. Natively (in tests) there are none, and those here stand
in for them: the same names and fields, made from the list below.
"""

from __future__ import annotations

import enum
from types import SimpleNamespace
from typing import Any, Protocol

__all__ = ["Collections", "Err", "is_component", "logging", "types"]


class Collections(Protocol):
    """The world's reads of what is too large to travel with a batch."""

    def list_length(self, state: int, key: int) -> int: ...
    def list_read(self, state: int, key: int, start: int, max_bytes: int) -> Any: ...
    def map_get(self, state: int, key: int, entries: Any) -> Any: ...
    def map_scan(self, state: int, key: int, start: bytes | None, max_bytes: int) -> Any: ...
    def broadcast_get(self, state: int, entries: Any) -> Any: ...
    def broadcast_scan(self, state: int, start: bytes | None, max_bytes: int) -> Any: ...


_RECORDS = {
    "Column": "data ends",
    "KeyedColumn": "keys items",
    "Headers": "ends names values",
    "Context": "input watermark processing_time",
    "Windows": "starts ends",
    "Batch": "keys key_of keyless values valueless headers timestamps states windows",
    "TimerBatch": "keys key_of timers times states",
    "WindowBatch": "keys windows reasons revisions replaces states",
    "Output": "output passes cause values valueless keys keyless headers timestamps",
    "ValueUpdate": "state cleared set",
    "KeyCounts": "keys counts",
    "ListUpdate": "state cleared popped truncated append",
    "MapUpdate": "state cleared removed put values",
    "BroadcastUpdate": "state cleared removed put values",
    "Touch": "state keys",
    "Timers": "keys times",
    "TimerUpdate": "timer set deleted",
    "Metric": "name delta",
    "Effects": "outputs values lists maps broadcasts touched timers metrics",
    "Failure": "cause message",
    "Ttl": "ms domain refresh_on_read",
    "StateDecl": "name kind schema version ttl merges",
    "TimerDecl": "name domain",
    "RecordSchema": "id version",
    "InputDecl": "name accepts partitioning",
    "OutputDecl": "name schema",
    "Descriptor": "name version inputs outputs states timers windowed",
    "Subtask": "index parallelism seed",
    "ListPage": "items next",
    "MapPage": "entries values next",
}
_ENUMS = {
    "StateKind": "VALUE LIST MAP BROADCAST",
    "TimeDomain": "EVENT PROCESSING",
    "InputPartitioning": "ANY BY_KEY BROADCAST",
}


def _record(name: str, fields: str) -> type[Any]:
    names = fields.split()

    def init(self: Any, *values: Any) -> None:
        if len(values) != len(names):
            raise TypeError(f"{name} has the fields {fields}")
        for field, value in zip(names, values):
            setattr(self, field, value)

    def same(self: Any, other: Any) -> bool:
        return self.__class__ is other.__class__ and self.__dict__ == other.__dict__

    def told(self: Any) -> str:
        return f"{name}({', '.join(f'{field}={getattr(self, field)!r}' for field in names)})"

    return type(name, (), {"__init__": init, "__eq__": same, "__repr__": told, "__hash__": None})


def _stand_ins() -> Any:
    made: dict[str, Any] = {name: _record(name, fields) for name, fields in _RECORDS.items()}
    for name, members in _ENUMS.items():
        made[name] = enum.Enum(name, {member: number for number, member in enumerate(members.split())})
    return SimpleNamespace(**made)


class _NativeErr(Exception):
    """The world's way to return an error."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.value = value


def _world() -> tuple[Any, Any, Any]:
    """The world's types, its logging, and the exception by which it is told of an error."""
    try:
        from componentize_py_types import Err
        from wit_world.imports import logging, types
    except ImportError:
        return _stand_ins(), None, _NativeErr
    return types, logging, Err


types, logging, Err = _world()

#: True in a component, and while one is made.
is_component: bool = logging is not None
