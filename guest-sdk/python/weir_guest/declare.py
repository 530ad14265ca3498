"""What an operator declares: inputs and outputs, and what is said of a state beside its type.

States and timers are declared by an annotation in the operator's class, ``visits: ValueState[Visits]``; the
attribute's name is the state's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Callable, Literal, TypeVar

from .times import duration_ms

__all__ = ["Input", "Output", "StateOptions", "Ttl", "migrates", "name_checked", "state"]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_F = TypeVar("_F", bound=Callable[[Any], Any])

#: A record's schema: the author's name for it and its version.
Schema = tuple[str, int]


def name_checked(name: str, of: str) -> str:
    """A name that the host takes."""
    if not _NAME.match(name):
        raise TypeError(f"`{name}`, {of}, is no name: 1 to 64 of the characters A-Z a-z 0-9 _ -")
    return name


class _Named:
    """Has the name of the attribute that it is assigned to, unless it was given another."""

    def __init__(self, name: str | None) -> None:
        self.name = name or ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class Input(_Named):
    """What records come from: ``flights = Input()``, in the order in which the job file lists its inputs, or by the
    names that it gives in ``to``.

    ``by="key"`` says that records are of use by key alone, each with its key's state; ``by="broadcast"`` that every
    subtask is given each of them, so that they may change :class:`BroadcastState`. A job that feeds the input
    otherwise is refused. ``accepts`` are the record schemas that it takes; none: any.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        by: Literal["key", "broadcast"] | None = None,
        accepts: tuple[Schema, ...] = (),
    ) -> None:
        super().__init__(name)
        if by not in (None, "key", "broadcast"):
            raise TypeError(f'by={by!r} is neither "key" nor "broadcast"')
        self.by = by
        self.accepts = accepts


class Output(_Named):
    """Where records go: ``rejected = Output()``, and ``ctx.emit(value, to=self.rejected)``.

    Every operator has one before those that it declares, ``main``, which is called ``out``. ``schema`` describes the
    records; ``main = Output("out", schema=("line", 1))`` describes those of the main one.
    """

    def __init__(self, name: str | None = None, *, schema: Schema | None = None) -> None:
        super().__init__(name)
        self.schema = schema


@dataclass(frozen=True)
class Ttl:
    """A time to live."""

    ms: int
    by_event: bool
    on_read: bool


@dataclass(frozen=True)
class StateOptions:
    """What is said of a state beside its type."""

    name: str | None = None
    version: int = 1
    ttl: Ttl | None = None
    merge: Callable[[Any, Any], Any] | None = None
    raw: bool = False


def state(
    *,
    name: str | None = None,
    version: int = 1,
    ttl: str | timedelta | None = None,
    time: Literal["processing", "event"] | None = None,
    refresh: Literal["write", "read"] | None = None,
    merge: Callable[[Any, Any], Any] | None = None,
    raw: bool = False,
) -> Any:
    """Says more of a state than its type: ``visits: ValueState[Visits] = state(version=2, ttl="1h")``.

    - ``name``: what it is called, where that is not the attribute's name.
    - ``version``: of its type, from 1; see :func:`migrates`.
    - ``ttl``: a time to live, as a job file writes durations. ``time`` says what it counts by, ``"processing"`` where
      nothing is said, or ``"event"``. ``refresh`` says from when, ``"write"`` where nothing is said, or ``"read"``:
      then what was handed out lives on, too.
    - ``merge``: where windows become one, as sessions do, a function of the value of the window that starts first and
      that of the other, which gives the value of both; in a map, of entries that both have. Lists need none.
    - ``raw``: bytes of the author's own, of a class with ``__bytes__`` and a class method ``from_bytes``.
    """
    if not isinstance(version, int) or not 1 <= version < 2**32:
        raise TypeError(f"version={version!r}: versions are counted from 1")
    return StateOptions(name, version, _ttl(ttl, time, refresh), merge, raw)


def _ttl(ttl: str | timedelta | None, time: str | None, refresh: str | None) -> Ttl | None:
    if ttl is None:
        if time is not None or refresh is not None:
            raise TypeError("`time` and `refresh` are said of a `ttl`, and there is none")
        return None
    ms = duration_ms(ttl)
    if not 1 <= ms < 2**64:
        raise ValueError("a time to live is 1 ms at least; a state without one is kept for ever")
    if time not in (None, "processing", "event"):
        raise TypeError(f'time={time!r} is neither "processing" nor "event"')
    if refresh not in (None, "write", "read"):
        raise TypeError(f'refresh={refresh!r} is neither "write" nor "read"')
    return Ttl(ms, time == "event", refresh == "read")


@dataclass(frozen=True)
class Migration:
    """A way from an older version of a state, as it stands in an operator's class."""

    state: str
    from_version: int
    change: Callable[[Any], Any]
    raw: bool

    def __call__(self, old: Any) -> Any:
        return self.change(old)


def migrates(state: str, from_version: int, *, raw: bool = False) -> Callable[[_F], _F]:
    """Makes a function in an operator's class the way from an older version of a state to the declared one.

    ``@migrates("visits", 1)`` over ``def visits_1(old: VisitsV1) -> Visits``: the parameter's annotation is the type
    that the state had. It is called for one value at a time: a value, an item of a list, the value of an entry. There
    is no operator then, so it is a ``@staticmethod``. ``raw`` says that the old bytes were a class's own.
    """

    def declared(change: _F) -> _F:
        return Migration(state, from_version, getattr(change, "__func__", change), raw)  # type: ignore[return-value]

    return declared
