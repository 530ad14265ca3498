"""Times and durations: ms since the Unix epoch as the world has them, and Python's own types for them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

__all__ = ["duration_ms", "rfc3339", "to_datetime", "to_ms"]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MS = timedelta(milliseconds=1)
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART = re.compile(r"(\d+)(ms|s|m|h|d)")


def to_datetime(ms: int) -> datetime:
    """The time in UTC. ``OverflowError`` before the year 1 and behind 9999, which Python's own type has not."""
    return _EPOCH + timedelta(milliseconds=ms)


def to_ms(time: datetime | timedelta) -> int:
    """The ms since the Unix epoch, or of a span;

    parts of one are cut off downwards. A time without a zone is refused.
    """
    if isinstance(time, timedelta):
        return time // _MS
    if time.tzinfo is None:
        raise ValueError(f"{time} is in no time zone: give it one, `.replace(tzinfo=timezone.utc)`")
    return (time - _EPOCH) // _MS


def rfc3339(ms: int) -> str:
    """The time in UTC as people read it:

    ``2013-01-01T10:00:00Z``, and ``2013-01-01T10:00:00.250Z`` where it has a part of a second.
    """
    text = to_datetime(ms).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    return f"{text}.{ms % 1000:03}Z" if ms % 1000 else f"{text}Z"


def duration_ms(duration: str | timedelta) -> int:
    """The ms of a duration, written as a job file does: ``500ms``, ``30s``, ``1h 30m``, ``7d``."""
    if isinstance(duration, timedelta):
        return to_ms(duration)
    parts = [_PART.fullmatch(part) for part in duration.split()]
    if not parts or None in parts:
        raise ValueError(
            f'`{duration}` is no duration: write one as a job file does, like "500ms", "30s", "1h 30m" or "7d"'
        )
    return sum(int(part[1]) * _UNITS[part[2]] for part in parts if part is not None)
