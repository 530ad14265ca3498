"""One value per key. It travels with the batch, is decoded once where it is asked for, and encoded once where it was
set.
"""

from __future__ import annotations

from typing import Any, Final, Generic, TypeVar, overload

from ..columns import keyed_column, spans, u32s, view_u32
from ..context import Context
from ..declare import StateOptions
from ..world import types
from .handle import EncodeFault, StateHandle

__all__ = ["ValueState"]

T = TypeVar("T")
D = TypeVar("D")


class _Slot:
    """What stands in a slot that has no value."""


#: The key has a value that nobody has asked for; it has none.
_UNREAD: Final = _Slot()
_ABSENT: Final = _Slot()


class ValueState(StateHandle, Generic[T]):
    """The value of the record's key: ``visits: ValueState[Visits]``.

    What ``get`` gives is kept until the end of the batch, so that a key's records see one object. To keep a change of
    it, ``set`` it.
    """

    kind = "value"

    def __init__(self, name: str, number: int, codecs: tuple[Any, ...], options: StateOptions, call: Context) -> None:
        super().__init__(name, number, codecs, options, call)
        self._load, self._dump = codecs[0].load, codecs[0].dump
        #: One for each key of the batch; none where the input is not keyed.
        self._slots: list[Any] = []
        #: Keys that were set or cleared, in the order of the first time.
        self._changed: dict[int, None] = {}
        self._data = b""
        self._ends: memoryview = spans(b"")
        #: Where the value of a key is among those that came; ``None``: at the key's own index.
        self._places: dict[int, int] | None = None

    @overload
    def get(self) -> T | None: ...
    @overload
    def get(self, default: D) -> T | D: ...
    def get(self, default: Any = None) -> Any:
        """The value; ``default`` where there is none."""
        key = self._call.key
        if key < 0:
            raise self._no_key()
        value = self._slots[key]
        if value is _UNREAD:
            value = self._read(key)
        elif value is _ABSENT:
            return default
        if self._reads is not None:
            self._reads.add(key)
        return value

    def set(self, value: T) -> None:
        """Replaces the value."""
        key = self._call.key
        if key < 0 or not self._call.can_write:
            key = self._writable()
        self._slots[key] = value
        self._changed[key] = None

    def clear(self) -> None:
        """Removes the value."""
        key = self._writable()
        self._slots[key] = _ABSENT
        self._changed[key] = None

    def _read(self, key: int) -> Any:
        """Decodes the value of a key that has one."""
        place = key if self._places is None else self._places[key]
        try:
            value = self._load(self._data, self._ends[place], self._ends[place + 1])
        except Exception as error:
            raise self._failed("decode", error) from error
        self._slots[key] = value
        return value

    def begin(self, values: Any) -> None:
        keys = self._call.keys
        self._changed.clear()
        if values is None or not values.keys:
            self._slots = [_ABSENT] * keys
            return
        self._data, self._ends = values.items.data, spans(values.items.ends)
        if len(values.keys) == 4 * keys:
            self._slots, self._places = [_UNREAD] * keys, None
            return
        self._slots = [_ABSENT] * keys
        self._places = {key: place for place, key in enumerate(view_u32(values.keys))}
        for key in self._places:
            self._slots[key] = _UNREAD

    def finish(self, effects: Any) -> None:
        changed = self._changed
        if changed:
            slots = self._slots
            present = [key for key in changed if slots[key] is not _ABSENT]
            cleared = u32s(key for key in changed if slots[key] is _ABSENT) if len(present) < len(changed) else b""
            try:
                items = [*map(self._dump, [slots[key] for key in present])]
            except Exception:
                raise self._fault(present) from None
            effects.values.append(types.ValueUpdate(self._number, cleared, keyed_column(present, items)))
        self._report_reads(effects, changed)

    def drop(self) -> None:
        self._slots, self._data, self._ends, self._places = [], b"", spans(b""), None
        self._changed.clear()

    def _fault(self, keys: list[int]) -> EncodeFault:
        """Which of these keys has a value that cannot be encoded, and why."""
        for key in keys:
            try:
                self._dump(self._slots[key])
            except Exception as error:
                return EncodeFault(key, str(self._failed("encode", error)))
        raise AssertionError("a value that could not be encoded can be now")
