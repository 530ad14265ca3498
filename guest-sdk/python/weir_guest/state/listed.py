"""A list per key: appended to, read from a position on or from the front, shortened at either end, cleared.

It stays with the host.
"""

from __future__ import annotations

from typing import Any, Generic, Iterable, Iterator, TypeVar

from ..columns import items_of, keyed_column, u32s, u64s
from ..context import Context
from ..declare import StateOptions
from ..failure import Failure
from ..world import types
from .handle import PAGE_BYTES, StateHandle

__all__ = ["ListState"]

T = TypeVar("T")


class _View:
    """One key's list as the call sees it: what is stored and still there, and what was appended behind it.

    Whatever order the operator works in, it comes to the order in which the host applies it: cleared, popped,
    truncated, appended to. What is popped beyond the stored items comes off the front of those that were appended,
    and what is truncated to fewer than the stored ones takes all of these.
    """

    __slots__ = ("stored_before", "cleared", "popped", "kept", "appended")

    def __init__(self) -> None:
        #: How many items are stored, once anybody has asked.
        self.stored_before: int | None = None
        self.cleared = False
        #: So many stored items are gone at the front, and of those behind them only so many are left.
        self.popped = 0
        self.kept: int | None = None
        self.appended: list[bytes] = []

    @property
    def changed(self) -> bool:
        return self.cleared or self.popped > 0 or self.kept is not None or bool(self.appended)


class ListState(StateHandle, Generic[T]):
    """The list of the record's key: ``history: ListState[str]``. Reads fetch what they ask for, page by page."""

    kind = "list"

    def __init__(self, name: str, number: int, codecs: tuple[Any, ...], options: StateOptions, call: Context) -> None:
        super().__init__(name, number, codecs, options, call)
        self._codec = codecs[0]
        #: By key; of keys that nobody has asked for there are none.
        self._views: dict[int, _View] = {}

    def __len__(self) -> int:
        """Number of items."""
        view = self._view(self._readable())
        return self._stored(view) + len(view.appended)

    def __bool__(self) -> bool:
        """True where there is an item."""
        return len(self) > 0

    def get(self, index: int) -> T | None:
        """The item at this position, from 0; ``None`` behind the end."""
        if index < 0:
            raise IndexError(f"item {index}: positions are counted from 0")
        view = self._view(self._readable())
        stored = self._stored(view)
        if index < stored:
            page = self._call.collections.list_read(self._number, self._call.key, view.popped + index, 1)
            return self._shown(next(items_of(page.items)))
        index -= stored
        return self._shown(view.appended[index]) if index < len(view.appended) else None

    def __getitem__(self, index: int) -> T:
        """The item at this position; ``IndexError`` behind the end. From the end, -1 is the last."""
        length = len(self)
        place = index + length if index < 0 else index
        if not 0 <= place < length:
            raise IndexError(f"item {index} of {length} in state `{self._name}`")
        return self.get(place)  # type: ignore[return-value]

    def __iter__(self) -> Iterator[T]:
        """The items in order, as they are now."""
        key = self._readable()
        view = self._view(key)
        return self._items(key, view.popped, self._stored(view), list(view.appended))

    def _items(self, key: int, first: int, stored: int, appended: list[bytes]) -> Iterator[T]:
        read = 0
        while read < stored:
            page = self._call.collections.list_read(self._number, key, first + read, PAGE_BYTES)
            if not page.items.ends:
                raise Failure(f"state `{self._name}` has {stored} items, and shows {read}")
            for item in items_of(page.items):
                if read < stored:
                    yield self._shown(item)
                read += 1
        for item in appended:
            yield self._shown(item)

    def append(self, item: T) -> None:
        """Adds an item at the end."""
        key = self._writable()
        self._view(key).appended.append(self._encoded(self._codec, item, "an item"))

    def extend(self, items: Iterable[T]) -> None:
        """Adds items at the end."""
        for item in items:
            self.append(item)

    def pop_front(self, count: int = 1) -> None:
        """Removes the first items, or all where there are fewer."""
        view = self._view(self._writable())
        stored = self._stored(view)
        of_stored = min(_counted(count), stored)
        if of_stored:
            view.popped += of_stored
            if view.kept is not None:
                view.kept -= of_stored
        del view.appended[: count - of_stored]

    def truncate(self, length: int) -> None:
        """Removes all items behind the first so many; nothing where there are no more."""
        view = self._view(self._writable())
        stored = self._stored(view)
        if _counted(length) < stored:
            view.kept = length
        del view.appended[max(length - stored, 0) :]

    def clear(self) -> None:
        """Removes all items."""
        view = self._view(self._writable())
        view.cleared, view.popped, view.kept, view.appended = True, 0, None, []

    def _view(self, key: int) -> _View:
        view = self._views.get(key)
        if view is None:
            view = self._views[key] = _View()
        return view

    def _stored(self, view: _View) -> int:
        """How many stored items are still there."""
        if view.cleared:
            return 0
        if view.stored_before is None:
            view.stored_before = self._call.collections.list_length(self._number, self._call.key)
        left = max(view.stored_before - view.popped, 0)
        return left if view.kept is None else min(view.kept, left)

    def _shown(self, item: bytes) -> T:
        """Every item that is handed out comes through here."""
        if self._reads is not None:
            self._reads.add(self._call.key)
        value: T = self._decoded(self._codec, item, "an item")
        return value

    def begin(self, values: Any) -> None:
        self._views.clear()

    def finish(self, effects: Any) -> None:
        changed = [(key, view) for key, view in self._views.items() if view.changed]
        if changed:
            popped = [(key, view.popped) for key, view in changed if view.popped]
            kept = [(key, view.kept) for key, view in changed if view.kept is not None]
            appended = [(key, item) for key, view in changed for item in view.appended]
            effects.lists.append(
                types.ListUpdate(
                    self._number,
                    u32s(key for key, view in changed if view.cleared),
                    _counts(popped),
                    _counts(kept),
                    keyed_column((key for key, _ in appended), [item for _, item in appended]),
                )
            )
        self._report_reads(effects)

    def drop(self) -> None:
        self._views.clear()


def _counted(count: int) -> int:
    if not isinstance(count, int) or count < 0:
        raise ValueError(f"{count!r} is no number of items")
    return count


def _counts(of: list[tuple[int, Any]]) -> Any:
    return types.KeyCounts(u32s(key for key, _ in of), u64s(count for _, count in of))
