"""A map of the whole subtask, filled by broadcast records and read with every record."""

from __future__ import annotations

from typing import Any, TypeVar

from ..columns import column, items_of
from ..context import Context
from ..declare import StateOptions
from ..failure import Failure
from ..world import types
from .handle import PAGE_BYTES
from .mapped import MapHandle
from .overlay import Overlay

__all__ = ["BroadcastState"]

K = TypeVar("K")
V = TypeVar("V")


class BroadcastState(MapHandle[K, V]):
    """A map that each subtask keeps a copy of: ``rules: BroadcastState[str, str]``.

    Any record may read it; it is changed by the records of inputs that are declared with ``by="broadcast"``, which
    every subtask is given. So that the copies stay alike, a change must depend on nothing but these records and this
    state.
    """

    kind = "broadcast"

    def __init__(self, name: str, number: int, codecs: tuple[Any, ...], options: StateOptions, call: Context) -> None:
        super().__init__(name, number, codecs, options, call)
        self._shown = Overlay()

    def _map(self) -> Overlay:
        return self._shown

    def _map_to_change(self) -> Overlay:
        if not self._call.broadcast:
            raise Failure(
                f'state `{self._name}` is changed by records of a broadcast input only: declare the input with `Input(by="broadcast")` '
                'and give it `by = "broadcast"` in the job file'
            )
        return self._shown

    def _stored(self, entry: bytes) -> bytes | None:
        found = self._call.collections.broadcast_get(self._number, column([entry]))
        return next(items_of(found.items), None)

    def _pages(self) -> Any:
        return lambda start: self._call.collections.broadcast_scan(self._number, start, PAGE_BYTES)

    def begin(self, values: Any) -> None:
        self._shown = Overlay()

    def finish(self, effects: Any) -> None:
        removed, put = self._shown.removed(), self._shown.put()
        if self._shown.cleared or removed or put:
            effects.broadcasts.append(
                types.BroadcastUpdate(
                    self._number,
                    self._shown.cleared,
                    column(removed),
                    column([entry for entry, _ in put]),
                    column([value for _, value in put]),
                )
            )

    def drop(self) -> None:
        self._shown = Overlay()
