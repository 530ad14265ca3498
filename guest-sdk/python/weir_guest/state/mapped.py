"""A map per key: entries are read one by one or scanned in the order of their encoded keys, put, removed, cleared.

It stays with the host.
"""

from __future__ import annotations

from typing import Any, Generic, Iterator, TypeVar, overload

from ..columns import column, items_of, keyed_column, u32s
from ..context import Context
from ..declare import StateOptions
from ..world import types
from .handle import PAGE_BYTES, StateHandle
from .overlay import Overlay

__all__ = ["MapHandle", "MapState"]

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")


class MapHandle(StateHandle, Generic[K, V]):
    """What a map of a key and a map of the subtask have in common."""

    arity = 2

    def __init__(self, name: str, number: int, codecs: tuple[Any, ...], options: StateOptions, call: Context) -> None:
        super().__init__(name, number, codecs, options, call)
        self._keys, self._values = codecs

    @classmethod
    def schema(cls, codecs: tuple[Any, ...]) -> str:
        key, value = (codec.schema for codec in codecs)
        return "raw" if "raw" in (key, value) else f"map<{key},{value}>"

    def _map(self) -> Overlay:
        """The map that is shown."""
        raise NotImplementedError

    def _map_to_change(self) -> Overlay:
        """The map that is shown, if it may be changed."""
        raise NotImplementedError

    def _stored(self, entry: bytes) -> bytes | None:
        """What the host stores of an entry."""
        raise NotImplementedError

    def _pages(self) -> Any:
        """Reads pages of what the host stores."""
        raise NotImplementedError

    @overload
    def get(self, key: K) -> V | None: ...
    @overload
    def get(self, key: K, default: D) -> V | D: ...
    def get(self, key: K, default: Any = None) -> Any:
        """The value of an entry; ``default`` where there is none."""
        found = self._find(key)
        return default if found is None else self._decoded(self._values, found, "a value")

    def __getitem__(self, key: K) -> V:
        """The value of an entry; ``KeyError`` where there is none."""
        found = self._find(key)
        if found is None:
            raise KeyError(key)
        value: V = self._decoded(self._values, found, "a value")
        return value

    def __contains__(self, key: K) -> bool:
        """True where there is such an entry."""
        return self._find(key) is not None

    def put(self, key: K, value: V) -> None:
        """Sets the value of an entry."""
        shown = self._map_to_change()
        entry = self._encoded(self._keys, key, "a key")
        shown.written[entry] = self._encoded(self._values, value, "a value")

    def __setitem__(self, key: K, value: V) -> None:
        """Sets the value of an entry."""
        self.put(key, value)

    def remove(self, key: K) -> None:
        """Removes an entry, if there is one."""
        self._map_to_change().written[self._encoded(self._keys, key, "a key")] = None

    def clear(self) -> None:
        """Removes all entries."""
        self._map_to_change().clear()

    def items(self) -> Iterator[tuple[K, V]]:
        """The entries as they are now, in the byte order of their encoded keys."""
        scan = self._scan()
        return (
            (self._decoded(self._keys, key, "a key"), self._decoded(self._values, value, "a value"))
            for key, value in scan
        )

    def keys(self) -> Iterator[K]:
        """The keys of :meth:`items`."""
        scan = self._scan()
        return (self._decoded(self._keys, key, "a key") for key, _ in scan)

    def values(self) -> Iterator[V]:
        """The values of :meth:`items`."""
        scan = self._scan()
        return (self._decoded(self._values, value, "a value") for _, value in scan)

    def __iter__(self) -> Iterator[K]:
        return self.keys()

    def __bool__(self) -> bool:
        """True where there is an entry."""
        return not self.is_empty()

    def is_empty(self) -> bool:
        """True where there is no entry."""
        return next(self._map().scan(self._pages()), None) is None

    def _find(self, key: K) -> bytes | None:
        found = self._map().get(self._encoded(self._keys, key, "a key"), self._stored)
        if found is not None and self._reads is not None:
            self._reads.add(self._call.key)
        return found

    def _scan(self) -> Iterator[tuple[bytes, bytes]]:
        """The entries as they are now, whatever key is shown when they are asked for."""
        scan = self._map().scan(self._pages())
        return scan if self._reads is None else self._noted(scan, self._reads, self._call.key)

    @staticmethod
    def _noted(scan: Iterator[tuple[bytes, bytes]], reads: set[int], key: int) -> Iterator[tuple[bytes, bytes]]:
        for entry in scan:
            reads.add(key)
            yield entry


class MapState(MapHandle[K, V]):
    """The map of the record's key: ``by_country: MapState[str, U64]``."""

    kind = "map"

    def __init__(self, name: str, number: int, codecs: tuple[Any, ...], options: StateOptions, call: Context) -> None:
        super().__init__(name, number, codecs, options, call)
        #: By key; of keys that nobody has asked for there are none.
        self._maps: dict[int, Overlay] = {}

    def _map(self) -> Overlay:
        return self._of(self._readable())

    def _map_to_change(self) -> Overlay:
        return self._of(self._writable())

    def _of(self, key: int) -> Overlay:
        shown = self._maps.get(key)
        if shown is None:
            shown = self._maps[key] = Overlay()
        return shown

    def _stored(self, entry: bytes) -> bytes | None:
        found = self._call.collections.map_get(self._number, self._call.key, column([entry]))
        return next(items_of(found.items), None)

    def _pages(self) -> Any:
        key = self._readable()
        return lambda start: self._call.collections.map_scan(self._number, key, start, PAGE_BYTES)

    def begin(self, values: Any) -> None:
        self._maps.clear()

    def finish(self, effects: Any) -> None:
        cleared = [key for key, shown in self._maps.items() if shown.cleared]
        removed = [(key, entry) for key, shown in self._maps.items() for entry in shown.removed()]
        put = [(key, *entry) for key, shown in self._maps.items() for entry in shown.put()]
        if cleared or removed or put:
            effects.maps.append(
                types.MapUpdate(
                    self._number,
                    u32s(cleared),
                    keyed_column((key for key, _ in removed), [entry for _, entry in removed]),
                    keyed_column((key for key, _, _ in put), [entry for _, entry, _ in put]),
                    column([value for _, _, value in put]),
                )
            )
        self._report_reads(effects)

    def drop(self) -> None:
        self._maps.clear()
