"""One operator in one instance: runs its calls over the boundary's columns.

Invariant: nothing of a call that failed is left. States, timers and outputs are begun anew with each call, and
dropped at its end.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator, Sequence

from .columns import column, items_of, s64s, view_u32
from .config import ConfigError, parse_config
from .context import Context
from .declarations import Declarations
from .failure import Failure, message_of
from .operator import Operator, Setup, Subtask
from .record import Record, Rows
from .state import StateHandle
from .state.handle import EncodeFault
from .timers import FiredTimer, Timer, timer_updates
from .windows import FiredWindow, WindowReason, replaced_by, window_of
from .world import Collections, types

__all__ = ["CallFailed", "Instance", "merge", "migrate"]


class CallFailed(Exception):
    """A call had no effect: which record, timer or window it was, where that is known, and why."""

    def __init__(self, cause: int | None, message: str) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message


class Instance:
    """An operator that was opened, with the handles of its states."""

    def __init__(
        self,
        declared: Declarations,
        config: str,
        schemas: Sequence[str | None],
        subtask: Subtask,
        collections: Collections,
    ) -> None:
        self._declared = declared
        self._call = Context(declared.outputs, collections)
        operator: Operator[Any] = declared.cls()
        try:
            operator.config = parse_config(config, declared.config)
        except ConfigError as error:
            raise Failure(f"read the config of {declared.cls.name}: {error}") from None
        self._states: list[StateHandle] = []
        for number, state in enumerate(declared.states):
            handle = state.kind(state.name, number, state.codecs, state.options, self._call)
            self._states.append(handle)
            setattr(operator, state.attribute, handle)
        self._timers: list[Timer] = []
        for number, (name, kind) in enumerate(declared.timers):
            self._timers.append(kind(name, number, self._call))
            setattr(operator, name, self._timers[number])
        self.operator = operator
        names = (one.name for one in declared.inputs)
        operator.open(Setup(dict(zip(names, schemas)), subtask))

    def process(self, call: Any, batch: Any) -> Any:
        """Works one batch off."""
        declared = self._declared.inputs[call.input]
        rows = Rows.of_batch(batch, declared)
        keyed = len(rows.key_of) > 0
        self._begin(call, rows, batch.states, len(rows.key_ends) - 1 if keyed else 0, self._refusal())
        context, process = self._call, self.operator.process
        context.broadcast = not keyed and declared.by == "broadcast"
        with self._settled(rows):
            if keyed:
                for index, key in enumerate(rows.key_of):
                    context.index = index
                    context.key = key
                    process(Record(rows, index), context)
            else:
                for index in range(rows.count):
                    context.index = index
                    process(Record(rows, index), context)
            return self._effects(rows)

    def on_timers(self, call: Any, fired: Any) -> Any:
        """Works timers off that are due."""
        key_of = view_u32(fired.key_of).tolist()
        rows = Rows(fired.keys, key_of, fired.times, len(key_of))
        self._begin(call, rows, fired.states, len(rows.key_ends) - 1, None)
        context, on_timer = self._call, self.operator.on_timer
        with self._settled(rows):
            for index, (number, key) in enumerate(zip(view_u32(fired.timers), key_of)):
                context.index, context.key = index, key
                on_timer(FiredTimer(self._timers[number], rows.key(index) or b"", rows.times[index]), context)
            return self._effects(rows)

    def on_windows(self, call: Any, fired: Any) -> Any:
        """Works windows off that fire: each is a row with a key of its own, and the time of what is emitted."""
        if not self._declared.windowed:
            raise CallFailed(None, f"{self._declared.cls.name} is not windowed")
        count = len(fired.reasons)
        bounds = (memoryview(fired.windows.starts).cast("q"), memoryview(fired.windows.ends).cast("q"))
        times = s64s(end - 1 if end > -(2**63) else end for end in bounds[1])
        rows = Rows(fired.keys, list(range(count)), times, count)
        rows.windows = bounds
        self._begin(call, rows, fired.states, count, None)
        context, replaces, revisions = self._call, replaced_by(fired.replaces), view_u32(fired.revisions)
        on_window = self.operator.on_window  # type: ignore[attr-defined]
        context.can_write = False
        with self._settled(rows):
            for index, reason in enumerate(fired.reasons):
                context.index = context.key = index
                window = window_of(bounds, index)
                on_window(
                    FiredWindow(
                        rows.key(index) or b"", window, WindowReason(reason), revisions[index], replaces.get(index, ())
                    ),
                    context,
                )
            return self._effects(rows)

    @contextmanager
    def _settled(self, rows: Rows) -> Iterator[None]:
        """A call: what is raised in it becomes its failure, and at its end nothing of it is left in the states."""
        try:
            yield
        except MemoryError:
            raise
        except BaseException as error:
            raise self._failed(rows, error) from error
        finally:
            self._drop()

    def _refusal(self) -> str | None:
        """Why `process` may not emit."""
        if not self._declared.windowed:
            return None
        return f"{self._declared.cls.name} is windowed and emits in `process`: it may change state there and nothing else, and emits in `on_window`"

    def _begin(self, call: Any, rows: Rows, values: list[Any], keys: int, refusal: str | None) -> None:
        self._call.begin(call, rows, keys, refusal)
        for number, state in enumerate(self._states):
            state.begin(values[number] if values else None)

    def _effects(self, rows: Rows) -> Any:
        """What the call has come to."""
        context = self._call
        effects = types.Effects(context.made(), [], [], [], [], [], [], [])
        for state in self._states:
            state.finish(effects)
        if context.timers:
            effects.timers = timer_updates(context.timers)
        if context.metrics:
            effects.metrics = [types.Metric(name, delta) for name, delta in context.metrics.items()]
        return effects

    def _failed(self, rows: Rows, error: BaseException) -> CallFailed:
        """What is told of an exception:

        of the record that was worked on, or of the last one of the key whose state cannot be encoded.
        """
        if isinstance(error, EncodeFault):
            last = max((record for record, key in enumerate(rows.key_of) if key == error.key), default=None)
            return CallFailed(last, str(error))
        return CallFailed(self._call.index, message_of(error))

    def _drop(self) -> None:
        for state in self._states:
            state.drop()


def migrate(declared: Declarations, number: int, from_version: int, values: Any) -> Any:
    """Values of an older version of a state, in the declared one."""
    state = declared.states[number]
    way = state.migrations.get(from_version)
    if way is None:
        raise Failure(f"{declared.cls.name} cannot migrate state `{state.name}` from version {from_version}")
    old, change = way
    migrated = []
    for item in items_of(values):
        try:
            value = old.decode(item)
        except Exception as error:
            raise Failure(f"decode state `{state.name}` of version {from_version}: {error}") from error
        new = change(value)
        try:
            migrated.append(state.values.dump(new))
        except Exception as error:
            raise Failure(f"encode state `{state.name}`, migrated from version {from_version}: {error}") from error
    return column(migrated)


def merge(declared: Declarations, number: int, earlier: Any, later: Any) -> Any:
    """For each pair of values of a state the value of both."""
    state = declared.states[number]
    both, codec = state.options.merge, state.values
    if both is None:
        raise Failure(
            f"{declared.cls.name} has no way to make one value of two of state `{state.name}`: `state(merge=…)` gives one"
        )
    merged = []
    for one, other in zip(items_of(earlier), items_of(later), strict=True):
        try:
            merged.append(codec.dump(both(codec.decode(one), codec.decode(other))))
        except Exception as error:
            raise Failure(f"merge state `{state.name}`: {message_of(error)}") from error
    return column(merged)
