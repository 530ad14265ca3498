"""What an operator is given with each record: the way to its outputs, and what the call knows of time."""

from __future__ import annotations

import dataclasses
import enum
import json
from datetime import datetime
from typing import Any, Callable, Final, Mapping, Sequence

from .columns import NO_TIME
from .declare import Output
from .failure import Failure
from .outputs import OutputBuffer
from .record import Rows
from .times import to_datetime
from .windows import Window, window_of
from .world import Collections

__all__ = ["SAME", "Context", "Same"]

Bytes = bytes | bytearray | memoryview | str
HeadersLike = Sequence[tuple[str | bytes, Bytes]] | Mapping[str, Bytes]


class Same:
    """The type of :data:`SAME`."""

    def __repr__(self) -> str:
        return "SAME"


#: What is emitted has it from the record, the timer or the window that is being worked on.
SAME: Final = Same()


def as_bytes(value: Bytes) -> bytes:
    """Bytes, or a text's UTF-8."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    raise TypeError(f"{value!r} is neither bytes nor text")


class Context:
    """Where a call is, and what it has come to so far. One serves an instance; it is begun anew with each call."""

    __slots__ = (
        "rows",
        "index",
        "key",
        "keys",
        "can_write",
        "broadcast",
        "collections",
        "timers",
        "_refusal",
        "_watermark",
        "_processing_time",
        "_outputs",
        "_main",
        "metrics",
    )

    def __init__(self, outputs: Sequence[Output], collections: Collections) -> None:
        #: The record, timer or window that is being worked on, and its key's index; -1 where it has none that brings
        #: state.
        self.index = 0
        self.key = -1
        #: Number of keys that bring state.
        self.keys = 0
        #: State by key may be changed; the input is a broadcast one.
        self.can_write = True
        self.broadcast = False
        self.collections = collections
        #: By timer, key and time: whether it was set last, or deleted.
        self.timers: dict[tuple[int, int, int], bool] = {}
        self.metrics: dict[str, int] = {}
        self._outputs = {output: OutputBuffer() for output in outputs}
        self._main = self._outputs[outputs[0]]
        #: Why nothing may be emitted.
        self._refusal: str | None = None
        self._watermark = self._processing_time = 0
        self.rows: Rows

    def begin(self, call: Any, rows: Rows, keys: int, refusal: str | None) -> None:
        """A call begins."""
        self.rows, self.keys, self.index, self.key = rows, keys, 0, -1
        self.can_write, self.broadcast = True, False
        self._watermark, self._processing_time = call.watermark, call.processing_time
        self._refusal = refusal
        self.timers.clear()
        self.metrics.clear()
        for buffer in self._outputs.values():
            buffer.clear()

    def made(self) -> list[Any]:
        """What has been emitted."""
        made = (buffer.finish(number, self.rows) for number, buffer in enumerate(self._outputs.values()))
        return [output for output in made if output is not None]

    def emit(
        self,
        value: Bytes | None,
        *,
        to: Output | None = None,
        key: Bytes | None | Same = SAME,
        time: int | None | Same = SAME,
        headers: HeadersLike | Same = SAME,
    ) -> None:
        """Emits a record: to the main output, or to another one.

        A text goes out as UTF-8; ``None`` is a record without a value, the delete of a keyed stream. Key, time and
        headers are those of the record (the timer, the window) that is being worked on, unless they are given:
        ``key=None`` is a record without a key, ``time=None`` one without a time, ``headers=[]`` one without headers.
        """
        self._put(value, to, key, time, headers)

    def emit_json(
        self,
        value: Any,
        *,
        to: Output | None = None,
        key: Bytes | None | Same = SAME,
        time: int | None | Same = SAME,
        headers: HeadersLike | Same = SAME,
    ) -> None:
        """Emits a value as JSON without white space, as :meth:`emit` does.

        A dataclass is an object, an enum its value; NaN has no form and fails.
        """
        self._put(_to_json(value), to, key, time, headers)

    def _put(self, value: Any, to: Output | None, key: Any, time: Any, headers: Any) -> None:
        if self._refusal is not None:
            raise Failure(self._refusal)
        buffer = self._main if to is None else self._buffer(to)
        absent = value is None
        if value.__class__ is str:
            try:
                value = value.encode()
            except UnicodeEncodeError:
                value = as_bytes(value)
        elif value.__class__ is not bytes:
            value = b"" if absent else as_bytes(value)
        if key is not SAME or time is not SAME or headers is not SAME:
            _own(buffer, key, time, headers)
        if absent:
            buffer.valueless.append(len(buffer.values))
        buffer.values.append(value)
        buffer.causes.append(self.index)

    def pass_on(self, to: Output | None = None) -> None:
        """Lets the record go on as it came: key, value, time and headers. Nothing is copied for it.

        It stands before whatever else the record emits to that output, and goes there once, however often this is
        called.
        """
        if self._refusal is not None:
            raise Failure(self._refusal)
        if self.rows.value_ends is None:
            raise Failure("only a record passes, and this is called for a timer or a window: emit what it comes to")
        (self._main if to is None else self._buffer(to)).passes.add(self.index)

    def metric(self, name: str, delta: int = 1) -> None:
        """Adds to a metric of this name."""
        if not isinstance(name, str) or not isinstance(delta, int):
            raise TypeError(f"metric {name!r}, {delta!r}: a metric has a name, and adds up whole numbers")
        total = self.metrics.get(name, 0) + delta
        if not -(2**63) <= total < 2**63:
            raise OverflowError(f"metric `{name}` adds up to {total}, which is beyond 64 bits")
        self.metrics[name] = total

    @property
    def watermark(self) -> int | None:
        """Event time up to which the input is complete, ms since the Unix epoch. ``None``: there is none yet.

        The same for all records of a batch, and batches may be cut anywhere: what is emitted must not depend on it.
        """
        return None if self._watermark == NO_TIME else self._watermark

    @property
    def processing_time(self) -> int:
        """The time by the clock, ms since the Unix epoch;

        the same for all records of a batch. There is no other clock.
        """
        return self._processing_time

    @property
    def processing_datetime(self) -> datetime:
        """The time by the clock, in UTC."""
        return to_datetime(self._processing_time)

    @property
    def window(self) -> Window | None:
        """The window of the record that is being worked on, or the one that fires.

        ``None``: the operator is not windowed, the window has no bounds (a count, a global one), or they are not
        known before it fires (a session).
        """
        windows = self.rows.windows
        return None if windows is None or self.key < 0 else window_of(windows, self.key)

    def _buffer(self, output: Output) -> OutputBuffer:
        buffer = self._outputs.get(output)
        if buffer is None:
            raise Failure(f"`{output!r}` is no output that the operator declares: `name = Output()` in its class does")
        return buffer


def _jsonable(value: Any) -> Any:
    """What JSON has no form for: dataclasses are objects, enums their values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    raise TypeError(f"{value!r} has no form in JSON")


def _json_encoder() -> Callable[[Any], str]:
    """The encoder of the standard library, made once where that can be: making it takes longer than what it does."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_jsonable).encode
    chunks = make(None, _jsonable, json.encoder.encode_basestring, None, ":", ",", False, False, False)  # type: ignore[attr-defined]
    return lambda value: "".join(chunks(value, 0))


_to_json = _json_encoder()


def _own(buffer: OutputBuffer, key: Any, time: Any, headers: Any) -> None:
    """Keeps what the next record of a buffer has of its own: all of it, or nothing where a part is refused."""
    place = len(buffer.values)
    own_key = None if key is None or key is SAME else as_bytes(key)
    own_time = NO_TIME if time is None or time is SAME else ms_checked(time)
    if headers is not SAME:
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        buffer.headers[place] = [(as_bytes(name), as_bytes(value)) for name, value in pairs]
    if key is not SAME:
        buffer.keys[place] = own_key
    if time is not SAME:
        buffer.times[place] = own_time


def ms_checked(time: int) -> int:
    """A time as the world has it."""
    if not isinstance(time, int):
        raise TypeError(f"{time!r} is no time in ms: `to_ms` makes one of a datetime")
    if not -(2**63) < time < 2**63:
        raise OverflowError(f"{time} ms is a time beyond 64 bits")
    return time
