"""Failures: what an operator says of a record that it cannot work off, and what is told of exceptions that it did not
mean.

The host shows a message and no more. So a message holds the exception's text first, and behind it where it was
raised: the operator's own lines, read when the component was made, since there are no files in it.
"""

from __future__ import annotations

import linecache
import os
import re
from types import TracebackType

__all__ = ["Failure", "keep_sources", "message_of"]

_HERE = os.path.dirname(os.path.abspath(__file__))
_FRAMES_MAX = 20
#: Where componentize-py has the folders that modules were read from.
_MOUNT = re.compile(r"^/\d+/")
_sources: dict[str, list[str]] = {}


class Failure(Exception):
    """Fails the record, timer or window that is being worked on, with this text and nothing else.

    Any other exception does so, too; its message then also says where it was raised. Either way the whole call has no
    effect, and the job fails or sets the record aside, as its file says.
    """


def keep_sources(filename: str) -> None:
    """Keeps the lines of a module for messages."""
    lines = linecache.getlines(filename)
    if lines:
        _sources[filename] = lines


def message_of(error: BaseException) -> str:
    """What is told of an exception that ended a call."""
    if isinstance(error, Failure):
        return str(error)
    told = _text(error)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    lines = [told, *_frames(error.__traceback__)]
    if cause is not None:
        lines += [f"because of {_text(cause)}", *_frames(cause.__traceback__)]
    return "\n".join(lines)


def _text(error: BaseException) -> str:
    text = str(error)
    name = type(error).__name__
    notes = getattr(error, "__notes__", [])
    return "\n".join([f"{name}: {text}" if text else name, *notes])


def _frames(traceback: TracebackType | None) -> list[str]:
    """Where it was raised, the innermost place last; without the SDK's own way there."""
    told: list[str] = []
    while traceback is not None:
        code, line = traceback.tb_frame.f_code, traceback.tb_lineno
        traceback = traceback.tb_next
        if os.path.dirname(code.co_filename) == _HERE and not told:
            continue
        told.append(
            f"  at {_MOUNT.sub('', code.co_filename)}:{line} in {code.co_qualname}{_source(code.co_filename, line)}"
        )
    if len(told) > _FRAMES_MAX:
        half = _FRAMES_MAX // 2
        told[half:-half] = [f"  … {len(told) - _FRAMES_MAX} more"]
    return told


def _source(filename: str, line: int) -> str:
    lines = _sources.get(filename, ())
    return f": {lines[line - 1].strip()}" if 0 < line <= len(lines) else ""
