"""Timers as an author sees them: declared by name, set and deleted for the key that is being worked on, and handed in
when they are due.

Key, name and time are a timer: setting it twice is setting it once. Of what a call does to one the last word counts,
and the host is told that alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime as _datetime
from typing import Any

from .columns import s64s, u32s
from .context import Context, ms_checked
from .failure import Failure
from .times import to_datetime
from .world import types

__all__ = ["EventTimer", "FiredTimer", "ProcessingTimer", "Timer", "timer_updates"]


class Timer:
    """A declared timer, ``quiet:

    EventTimer`` in the operator's class, and the handle by which it is set: ``self.quiet.set(time)``.
    """

    __slots__ = ("name", "_number", "_call")
    by_event: bool

    def __init__(self, name: str, number: int, call: Context) -> None:
        self.name = name
        self._number = number
        self._call = call

    def set(self, time: int) -> None:
        """Sets a timer of this key to a time, ms since the Unix epoch.

        A key may have one at many times. One that is set to a time that has passed fires next.
        """
        self._call.timers[self._number, self._key(), ms_checked(time)] = True

    def delete(self, time: int) -> None:
        """Deletes a timer of this key that was set to this time; nothing where it was not."""
        self._call.timers[self._number, self._key(), ms_checked(time)] = False

    def _key(self) -> int:
        key = self._call.key
        if key < 0:
            raise Failure(
                f'timer `{self.name}` needs a key, and this input is not keyed: give it `by = "key"` in the job file'
            )
        return key

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class EventTimer(Timer):
    """A timer of event time:

    it fires when the watermark has come to it, and where it still stands at the end of the input, there.
    """

    __slots__ = ()
    by_event = True


class ProcessingTimer(Timer):
    """A timer of processing time: it fires when the clock has come to it, also while there is no input."""

    __slots__ = ()
    by_event = False


@dataclass(frozen=True)
class FiredTimer:
    """A timer that is due: what ``on_timer`` is given."""

    #: Which one it is: ``fired.timer is self.quiet``.
    timer: Timer
    #: The key that it was set for.
    key: bytes
    #: The time that it was set to, ms since the Unix epoch: not the time that it is, which may be later.
    time: int

    @property
    def datetime(self) -> _datetime:
        """The time that it was set to, in UTC."""
        return to_datetime(self.time)

    def key_text(self) -> str:
        """The key as text."""
        return str(self.key, "utf-8")


def timer_updates(changes: dict[tuple[int, int, int], bool]) -> list[Any]:
    """What was done to timers, as the world has it."""
    updates = []
    for number in sorted({number for number, _, _ in changes}):
        parts = []
        for wanted in (True, False):
            of = sorted(
                (key, time) for (timer, key, time), was_set in changes.items() if timer == number and was_set is wanted
            )
            parts.append(types.Timers(u32s(key for key, _ in of), s64s(time for _, time in of)))
        updates.append(types.TimerUpdate(number, *parts))
    return updates
