"""The host that tests run an operator on."""

from __future__ import annotations

import json
from typing import Any

from ..columns import NO_TIME, column, empty_column, items_of, keyed_column, s64s, spans, u32s, view_s64, view_u32
from ..declarations import declarations_of
from ..declare import Input, Output
from ..instance import CallFailed, Instance, merge, migrate
from ..operator import Operator, Subtask
from ..windows import Window, WindowReason
from ..world import types
from .record import TestRecord
from .store import Store, Unit

__all__ = ["TestHost"]


class TestHost:
    """Runs an operator: ``host = TestHost(CountVisits, {"limit": 1})``."""

    __test__ = False

    def __init__(
        self,
        operator: type[Operator[Any]],
        config: dict[str, Any] | str = "{}",
        *,
        schemas: dict[str, str] | None = None,
        subtask: Subtask = Subtask(),
    ) -> None:
        self.declared = declarations_of(operator)
        self._config = config if isinstance(config, str) else json.dumps(config)
        self._schemas = [(schemas or {}).get(one.name) for one in self.declared.inputs]
        self._subtask = subtask
        self.store = Store(self.declared)
        self.watermark = NO_TIME
        self.clock = 0
        self.metrics: dict[str, int] = {}
        self._emitted: dict[str, list[TestRecord]] = {output.name: [] for output in self.declared.outputs}
        self.renew()

    def renew(self) -> None:
        """From here on another instance works: nothing may change by that."""
        self.instance = Instance(self.declared, self._config, self._schemas, self._subtask, self.store)

    def send(self, *records: TestRecord, to: Input | str | None = None, window: Window | None = None) -> None:
        """Hands records over, as one batch. `CallFailed` says which of them failed, and nothing came of any.

        `window` is the one that the records of a windowed operator are in.
        """
        number = self._number(to)
        by_key = self.declared.inputs[number].by != "broadcast" and all(record.key is not None for record in records)
        units: list[Unit] = []
        if by_key:
            units = list(dict.fromkeys((record.key or b"", window) for record in records))
        places = {unit: place for place, unit in enumerate(units)}
        batch = types.Batch(
            column([unit[0] for unit in units] if by_key else [record.key or b"" for record in records]),
            u32s(places[record.key or b"", window] for record in records) if by_key else b"",
            b"" if by_key else u32s(place for place, record in enumerate(records) if record.key is None),
            column([record.value or b"" for record in records]),
            u32s(place for place, record in enumerate(records) if record.value is None),
            _headers(records),
            s64s(NO_TIME if record.time is None else record.time for record in records),
            self.store.brought(units) if by_key else [],
            types.Windows(s64s(window.start for _ in units), s64s(window.end for _ in units))
            if window is not None
            else None,
        )
        self._take(self.instance.process(self._context(number), batch), list(records))

    def advance_to(self, watermark: int) -> None:
        """Event time comes to a watermark: timers that are due by then fire, in order."""
        self.watermark = watermark
        self._fire_due(True, watermark)

    def advance_clock(self, ms: int) -> None:
        """The clock comes to a time: timers that are due by then fire, in order."""
        self.clock = ms
        self._fire_due(False, ms)

    def end_input(self) -> None:
        """The input ends: event timers that are there fire, and those that they set stay."""
        self.watermark = 2**63 - 1
        there = {name for name in self.store.timers if self._is_event(name[1])}
        while due := sorted(there & self.store.timers):
            self._fire(due[0])

    def _is_event(self, timer: int) -> bool:
        return self.declared.timers[timer][1].by_event

    def _fire_due(self, event: bool, until: int) -> None:
        while due := sorted(
            name for name in self.store.timers if name[0] <= until and self._is_event(name[1]) is event
        ):
            self._fire(due[0])

    def _fire(self, name: tuple[int, int, bytes]) -> None:
        time, timer, key = name
        self.store.timers.discard(name)
        fired = types.TimerBatch(
            column([key]), u32s([0]), u32s([timer]), s64s([time]), self.store.brought([(key, None)])
        )
        self._take(self.instance.on_timers(self._context(0), fired), [TestRecord(None, key=key, time=time)])

    def fire(
        self,
        key: bytes | str,
        window: Window | None,
        *,
        reason: WindowReason = WindowReason.COMPLETE,
        revision: int = 0,
        replaces: tuple[Window, ...] = (),
    ) -> None:
        """A window of a key fires; its state stays, as that of a window that is not yet past its lateness."""
        unit = (key.encode() if isinstance(key, str) else key, window)
        start, end = (window.start, window.end) if window is not None else (NO_TIME, NO_TIME)
        bounds = keyed_column([0] * len(replaces), [s64s((one.start, one.end)) for one in replaces])
        fired = types.WindowBatch(
            column([unit[0]]),
            types.Windows(s64s([start]), s64s([end])),
            bytes((reason.value,)),
            u32s([revision]),
            bounds,
            self.store.brought([unit]),
        )
        self._take(
            self.instance.on_windows(self._context(0), fired),
            [TestRecord(None, key=unit[0], time=None if window is None else end - 1)],
        )

    def _context(self, number: int) -> Any:
        return types.Context(number, self.watermark, self.clock)

    def _number(self, to: Input | str | None) -> int:
        if to is None:
            return 0
        name = to if isinstance(to, str) else to.name
        return [one.name for one in self.declared.inputs].index(name)

    def _take(self, effects: Any, causes: list[TestRecord]) -> None:
        for output in effects.outputs:
            self._emitted[self.declared.outputs[output.output].name] += _records(output, causes)
        self.store.apply(effects)
        for metric in effects.metrics:
            self.metrics[metric.name] = self.metrics.get(metric.name, 0) + metric.delta

    # What a test looks at.

    def emitted(self, output: Output | str = "out") -> list[TestRecord]:
        """What an output was sent so far."""
        return list(self._emitted[output if isinstance(output, str) else output.name])

    def take_emitted(self, output: Output | str = "out") -> list[TestRecord]:
        """What an output was sent since the last time."""
        name = output if isinstance(output, str) else output.name
        taken, self._emitted[name] = self._emitted[name], []
        return taken

    def _state(self, name: str) -> tuple[int, Any]:
        for number, state in enumerate(self.declared.states):
            if state.name == name:
                return number, state
        raise KeyError(f"there is no state `{name}`")

    def value(self, state: str, key: bytes | str, window: Window | None = None) -> Any:
        """The value that is kept of a key; `None` where there is none."""
        number, declared = self._state(state)
        data = self.store.values[number].get(_unit(key, window))
        return None if data is None else declared.values.decode(data)

    def items(self, state: str, key: bytes | str, window: Window | None = None) -> list[Any]:
        """The items of a key's list."""
        number, declared = self._state(state)
        return [declared.values.decode(item) for item in self.store.lists[number].get(_unit(key, window), [])]

    def entries(self, state: str, key: bytes | str | None = None, window: Window | None = None) -> dict[Any, Any]:
        """The entries of a key's map, or without a key those of broadcast state."""
        number, declared = self._state(state)
        of = self.store.broadcasts[number] if key is None else self.store.maps[number].get(_unit(key, window), {})
        keys, values = declared.codecs
        return {keys.decode(entry): values.decode(value) for entry, value in sorted(of.items())}

    def timers(self, timer: str, key: bytes | str) -> list[int]:
        """The times that a key's timer is set to."""
        wanted = key.encode() if isinstance(key, str) else key
        return sorted(
            time for time, number, of in self.store.timers if of == wanted and self.declared.timers[number][0] == timer
        )

    def restore(self, state: str, key: bytes | str, value: bytes, *, version: int) -> None:
        """Keeps a value of an older version of a value state, migrated."""
        number, _ = self._state(state)
        self.store.values[number][_unit(key, None)] = next(
            items_of(migrate(self.declared, number, version, column([value])))
        )

    def merged(self, state: str, earlier: Any, later: Any) -> Any:
        """What becomes of two values of a state where windows become one."""
        number, declared = self._state(state)
        dump, decode = declared.values.dump, declared.values.decode
        return decode(next(items_of(merge(self.declared, number, column([dump(earlier)]), column([dump(later)])))))


def _unit(key: bytes | str, window: Window | None) -> Unit:
    return (key.encode() if isinstance(key, str) else key), window


def _headers(records: tuple[TestRecord, ...]) -> Any:
    if not any(record.headers for record in records):
        return types.Headers(b"", empty_column(), empty_column())
    pairs = [pair for record in records for pair in record.headers]
    ends = [sum(len(record.headers) for record in records[: place + 1]) for place in range(len(records))]
    return types.Headers(u32s(ends), column([name for name, _ in pairs]), column([value for _, value in pairs]))


def _records(output: Any, causes: list[TestRecord]) -> list[TestRecord]:
    """The records of an output, in the order in which they go out."""
    values, keys = list(items_of(output.values)), list(items_of(output.keys))
    valueless, keyless = set(view_u32(output.valueless)), set(view_u32(output.keyless))
    times = list(view_s64(output.timestamps))
    made: list[tuple[int, TestRecord]] = []
    for place, cause in enumerate(view_u32(output.cause)):
        of = causes[cause]
        record = TestRecord(
            None if place in valueless else values[place],
            key=of.key if not keys else None if place in keyless else keys[place],
            time=of.time if not times else None if times[place] == NO_TIME else times[place],
            headers=of.headers if output.headers is None else _headers_at(output.headers, place),
        )
        made.append((cause, record))
    if not output.passes:
        return [record for _, record in made]
    passed = [(index, record) for index, record in enumerate(causes) if output.passes[index // 8] >> index % 8 & 1]
    return [record for _, record in sorted([*passed, *made], key=lambda pair: pair[0])]


def _headers_at(headers: Any, place: int) -> list[tuple[bytes, bytes]]:
    ends, pairs = spans(headers.ends), list(zip(items_of(headers.names), items_of(headers.values)))
    return pairs[ends[place] : ends[place + 1]]
