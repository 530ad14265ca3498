"""Windows as an author sees them: their bounds, and the one that fires.

Which windows there are is said in the job file and known to the host alone. A windowed operator keeps its state by
key and window.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .columns import NO_TIME, items_of, view_s64, view_u32
from .times import to_datetime

__all__ = ["FiredWindow", "Window", "WindowReason", "replaced_by", "window_of"]


@dataclass(frozen=True, order=True)
class Window:
    """The bounds of a window, ms since the Unix epoch: from ``start`` on, up to and without ``end``."""

    start: int
    end: int

    @property
    def start_datetime(self) -> datetime:
        """Where it starts, in UTC."""
        return to_datetime(self.start)

    @property
    def end_datetime(self) -> datetime:
        """The first ms behind it, in UTC."""
        return to_datetime(self.end)


class WindowReason(enum.Enum):
    """Why a window fires."""

    #: It is complete: its time has come, it is full, or the input has ended.
    COMPLETE = 0
    #: It goes on, and the job file wants to hear of it meanwhile (``emit = { every = … }``).
    EARLY = 1
    #: Records have come that were late, and in time for the job file's ``lateness``.
    CORRECTION = 2


@dataclass(frozen=True)
class FiredWindow:
    """A window of a key that fires: what ``on_window`` is given."""

    key: bytes
    #: Its bounds; ``None`` for a count and for a global window, which have none.
    window: Window | None
    reason: WindowReason
    #: How often it has fired before: 0 the first time.
    revision: int
    #: Windows that have fired and became part of this one, so that what was said of them holds no more. Sessions
    #: alone have any.
    replaces: tuple[Window, ...]

    def key_text(self) -> str:
        """The key as text."""
        return str(self.key, "utf-8")


def window_of(windows: tuple[memoryview, memoryview], index: int) -> Window | None:
    """The window at this place; ``None`` for one without bounds."""
    start, end = windows[0][index], windows[1][index]
    return None if start == NO_TIME and end == NO_TIME else Window(start, end)


def replaced_by(replaces: Any) -> dict[int, tuple[Window, ...]]:
    """The windows that became part of each firing, by its index."""
    found: dict[int, list[Window]] = {}
    for firing, bounds in zip(view_u32(replaces.keys), items_of(replaces.items)):
        start, end = view_s64(bounds)
        found.setdefault(firing, []).append(Window(start, end))
    return {firing: tuple(windows) for firing, windows in found.items()}
