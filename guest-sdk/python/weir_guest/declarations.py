"""Reads an operator's class: what it declares, with codecs made for its types.

It is done once, when the component is made, and so is every refusal that needs no record.
"""

from __future__ import annotations

import inspect
import typing
from dataclasses import dataclass
from typing import Any

from .codec import Codec, codec_of, raw_codec
from .declare import Input, Migration, Output, StateOptions, name_checked
from .operator import Operator, WindowedOperator
from .state import BroadcastState, ListState, StateHandle
from .timers import Timer
from .world import types

__all__ = ["Declarations", "DeclaredState", "declarations_of"]


@dataclass(frozen=True)
class DeclaredState:
    """A state: its attribute, its kind, its types and what is said beside them."""

    attribute: str
    name: str
    kind: type[StateHandle]
    codecs: tuple[Codec, ...]
    options: StateOptions
    #: By the version that it leads from: how old values are read, and what they become.
    migrations: dict[int, tuple[Codec, Migration]]

    @property
    def values(self) -> Codec:
        """The codec of its values: of a map those of entries."""
        return self.codecs[-1]

    def declaration(self) -> Any:
        """The state as the world declares it."""
        ttl = self.options.ttl
        domain = types.TimeDomain
        told = (
            types.Ttl(ttl.ms, domain.EVENT if ttl.by_event else domain.PROCESSING, ttl.on_read)
            if ttl is not None
            else None
        )
        kind = types.StateKind[self.kind.kind.upper()]
        return types.StateDecl(
            self.name, kind, self.kind.schema(self.codecs), self.options.version, told, self.options.merge is not None
        )


@dataclass(frozen=True)
class Declarations:
    """What an operator's class declares."""

    cls: type[Operator[Any]]
    config: Any
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    states: tuple[DeclaredState, ...]
    timers: tuple[tuple[str, type[Timer]], ...]

    @property
    def windowed(self) -> bool:
        """The job gives it windows."""
        return issubclass(self.cls, WindowedOperator)

    def descriptor(self) -> Any:
        """All of it as the world has it."""
        by = {
            None: types.InputPartitioning.ANY,
            "key": types.InputPartitioning.BY_KEY,
            "broadcast": types.InputPartitioning.BROADCAST,
        }
        domain = types.TimeDomain
        return types.Descriptor(
            self.cls.name,
            self.cls.version,
            [
                types.InputDecl(one.name, [types.RecordSchema(*schema) for schema in one.accepts], by[one.by])
                for one in self.inputs
            ],
            [
                types.OutputDecl(one.name, types.RecordSchema(*one.schema) if one.schema else None)
                for one in self.outputs
            ],
            [one.declaration() for one in self.states],
            [types.TimerDecl(name, domain.EVENT if kind.by_event else domain.PROCESSING) for name, kind in self.timers],
            self.windowed,
        )


def declarations_of(cls: type[Operator[Any]]) -> Declarations:
    """What a class declares; ``TypeError`` names what it says wrong."""
    try:
        return _Reader(cls).read()
    except TypeError as error:
        raise TypeError(f"{cls.__name__}: {error}") from error


class _Reader:
    """Goes through a class and those that it derives from."""

    def __init__(self, cls: type[Operator[Any]]) -> None:
        self._cls = cls
        try:
            self._hints = typing.get_type_hints(cls, localns=dict(vars(cls)), include_extras=True)
        except NameError as error:
            raise TypeError(f"{error}: an annotation names what its module has not") from None

    def read(self) -> Declarations:
        cls = self._cls
        for needed in ("name", "version"):
            if not isinstance(getattr(cls, needed, None), str):
                raise TypeError(f'it has no {needed}: `{needed} = "…"` in the class says it')
        inputs = self._found(Input) or (Input("in"),)
        outputs = self._found(Output)
        states = tuple(
            self._state(attribute, hint) for attribute, hint in self._hints.items() if _is(hint, StateHandle)
        )
        timers = tuple((attribute, hint) for attribute, hint in self._hints.items() if _is(hint, Timer))
        for timer, _ in timers:
            name_checked(timer, "a timer")
        declared = Declarations(cls, self._config(), inputs, outputs, states, timers)
        self._check(declared)
        return declared

    def _found(self, kind: type[Any]) -> tuple[Any, ...]:
        """The attributes of a kind, in order: those of base classes first. One that is only annotated is made."""
        found: dict[str, Any] = {}
        for base in reversed(self._cls.__mro__):
            own = [
                *vars(base),
                *(name for name, hint in self._hints.items() if hint is kind and name not in vars(base)),
            ]
            for attribute in own:
                value = vars(base).get(attribute)
                if (
                    value is None
                    and base is self._cls
                    and self._hints.get(attribute) is kind
                    and not hasattr(base, attribute)
                ):
                    value = kind()
                    value.__set_name__(base, attribute)
                    setattr(base, attribute, value)
                if isinstance(value, kind):
                    name_checked(value.name, f"an {kind.__name__.lower()}")
                    found[attribute] = value
        return tuple(found.values())

    def _state(self, attribute: str, hint: Any) -> DeclaredState:
        kind = typing.get_origin(hint) or hint
        arguments = typing.get_args(hint)
        if len(arguments) != kind.arity:
            raise TypeError(
                f"`{attribute}` says not what it keeps: write `{attribute}: {kind.__name__}[{', '.join('…' * kind.arity)}]`"
            )
        said = getattr(self._cls, attribute, None)
        options = said if isinstance(said, StateOptions) else StateOptions()
        try:
            codecs = tuple(
                raw_codec(one) if options.raw and isinstance(one, type) else codec_of(one) for one in arguments
            )
        except TypeError as error:
            raise TypeError(f"state `{attribute}`: {error}") from None
        name = name_checked(options.name or attribute, "a state")
        return DeclaredState(attribute, name, kind, codecs, options, self._migrations(name))

    def _migrations(self, state: str) -> dict[int, tuple[Codec, Migration]]:
        ways = {}
        for base in reversed(self._cls.__mro__):
            for way in vars(base).values():
                if isinstance(way, Migration) and way.state == state:
                    hints = typing.get_type_hints(way.change, include_extras=True)
                    old = [hint for name, hint in hints.items() if name != "return"]
                    if len(old) != 1:
                        raise TypeError(
                            f"`{way.change.__name__}` says not what state `{state}` was: annotate its one parameter"
                        )
                    ways[way.from_version] = (raw_codec(old[0]) if way.raw else codec_of(old[0]), way)
        return ways

    def _config(self) -> Any:
        for base in self._cls.__mro__:
            for generic in getattr(base, "__orig_bases__", ()):
                origin, arguments = typing.get_origin(generic), typing.get_args(generic)
                if (
                    isinstance(origin, type)
                    and issubclass(origin, Operator)
                    and arguments
                    and not isinstance(arguments[0], typing.TypeVar)
                ):
                    return arguments[0]
        return None

    def _check(self, declared: Declarations) -> None:
        for attribute in (*(state.attribute for state in declared.states), *(timer for timer, _ in declared.timers)):
            if hasattr(WindowedOperator, attribute) or attribute == "config":
                raise TypeError(f"`{attribute}` is what every operator has: call the state or timer otherwise")
        known = {state.name for state in declared.states}
        if len(known) < len(declared.states):
            raise TypeError("two states have one name")
        for base in self._cls.__mro__:
            for attribute, value in vars(base).items():
                if isinstance(value, StateOptions) and not _is(self._hints.get(attribute), StateHandle):
                    raise TypeError(
                        f"`{attribute} = state(…)` says not what is kept: annotate it, `{attribute}: ValueState[…] = state(…)`"
                    )
                if isinstance(value, Migration) and value.state not in known:
                    raise TypeError(f"`{attribute}` leads to state `{value.state}`, which there is not")
        self._check_methods(declared)
        for state in declared.states:
            self._check_state(state, declared.windowed)
        if declared.windowed and declared.timers:
            raise TypeError("a windowed operator has no timers: its windows fire")

    def _check_methods(self, declared: Declarations) -> None:
        """What is called has to be there, and to do its work when it is called."""
        needed = {
            "process": True,
            "on_timer": bool(declared.timers) and not declared.windowed,
            "on_window": declared.windowed,
        }
        for method, is_called in needed.items():
            own = getattr(self._cls, method, None)
            if is_called and own in (getattr(Operator, method, None), getattr(WindowedOperator, method, None)):
                raise TypeError(f"it has no `{method}`")
            flags = getattr(getattr(own, "__code__", None), "co_flags", 0)
            if flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
                raise TypeError(
                    f"`{method}` is a generator or async, and would do nothing: it emits by `ctx.emit`, and returns"
                )

    def _check_state(self, state: DeclaredState, windowed: bool) -> None:
        if state.options.ttl is not None and issubclass(state.kind, BroadcastState):
            raise TypeError(
                f"`{state.attribute}` cannot have a time to live: broadcast state is the same in all subtasks, which are not at one time"
            )
        if state.options.ttl is not None and windowed:
            raise TypeError(
                f"`{state.attribute}` has no time to live: a windowed operator's states live as long as their window"
            )
        if state.options.merge is not None and issubclass(state.kind, (ListState, BroadcastState)):
            raise TypeError(
                f"`{state.attribute}` has no values of which two become one: lists stand one behind the other, and need no `merge`"
            )


def _is(hint: Any, kind: type[Any]) -> bool:
    of = typing.get_origin(hint) or hint
    return isinstance(of, type) and issubclass(of, kind)
