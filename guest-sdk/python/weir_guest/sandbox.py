"""Makes Python at home in the sandbox: `print` and `logging` become lines of the job's log, and what there is not
says so.

A component has no files, no clock and no chance of its own; what asks for them would end in a trap without a word.
Here it raises an exception that says what to do, or, where there is an answer that a replay repeats, gives that:
`time.time()` is the call's processing time.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.machinery
import io
import logging
import os
import random
import sys
import time
from typing import Any

from . import world

__all__ = ["Sandbox", "preload"]


class _Lines(io.TextIOBase):
    """Writes whole lines to the log."""

    def __init__(self, sandbox: Sandbox, level: Any, before: Any) -> None:
        self._sandbox, self._level, self._before, self._line = sandbox, level, before, ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not self._sandbox.is_live:
            return self._before.write(text) if self._sandbox.is_building else len(text)
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._sandbox.log(self._level, line)
        return len(text)

    def flush(self) -> None:
        if self._sandbox.is_building:
            self._before.flush()

    def end(self) -> None:
        """Writes the line that was begun."""
        if self._line:
            line, self._line = self._line, ""
            self._sandbox.log(self._level, line)


class _Handler(logging.Handler):
    """Writes records of the standard library's `logging` to the log."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self._sandbox = sandbox

    def emit(self, record: logging.LogRecord) -> None:
        levels = world.logging.Level
        if record.levelno >= logging.ERROR:
            level = levels.ERROR
        elif record.levelno >= logging.WARNING:
            level = levels.WARN
        else:
            level = levels.INFO if record.levelno >= logging.INFO else levels.DEBUG
        text = record.getMessage() if record.name == "root" else f"{record.name}: {record.getMessage()}"
        if record.exc_info and record.exc_info[1] is not None:
            from .failure import message_of

            text = f"{text}\n{message_of(record.exc_info[1])}"
        for line in text.split("\n"):
            self._sandbox.log(level, line)


class _NoImports:
    """Finds no module: all that a component has were imported when it was made."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        raise ModuleNotFoundError(
            f"`{name}` is imported while the operator runs, and was not when it was built: import it at the top of the operator's module",
            name=name,
        )


class Sandbox:
    """What is in force in a component."""

    def __init__(self) -> None:
        #: The component is being made.
        self.is_building = True
        #: A call is under way that may write to the log.
        self.is_live = False
        #: Of the call, ms since the Unix epoch.
        self.now = 0
        levels = world.logging.Level
        self._out = _Lines(self, levels.INFO, sys.stdout)
        self._err = _Lines(self, levels.WARN, sys.stderr)
        sys.stdout, sys.stderr = self._out, self._err  # type: ignore[assignment]

    def log(self, level: Any, line: str) -> None:
        """Writes a line, where that is allowed."""
        if self.is_live:
            world.logging.log(level, line.encode("utf-8", "replace").decode())

    def enter(self, may_log: bool, now: int = 0) -> None:
        """A call begins."""
        if self.is_building:
            self.is_building = False
            self._seal()
        self.is_live, self.now = may_log, now

    def leave(self) -> None:
        """It ends."""
        if self.is_live:
            self._out.end()
            self._err.end()
            self.is_live = False

    def _seal(self) -> None:
        """From here on there are no files, no clock and no chance."""
        root = logging.getLogger()
        root.handlers[:] = [
            _Handler(self),
            *(handler for handler in root.handlers if not isinstance(handler, logging.StreamHandler)),
        ]
        if root.level == logging.WARNING:
            root.setLevel(logging.DEBUG)
        logging.raiseExceptions = False
        for name, ns in (("time", 1e-3), ("monotonic", 1e-3), ("perf_counter", 1e-3)):
            setattr(time, name, lambda unit=ns: self.now * unit)
            setattr(time, f"{name}_ns", lambda: self.now * 1_000_000)
        found = [finder for finder in sys.meta_path if finder is not importlib.machinery.PathFinder]
        sys.meta_path[:] = [*found, _NoImports()]  # type: ignore[list-item]
        for module, names in (
            (builtins, ("open",)),
            (io, ("open",)),
            (os, ("open", "stat", "lstat", "listdir", "scandir")),
        ):
            for name in names:
                setattr(module, name, _no_files)
        os.urandom = random._urandom = _no_chance  # type: ignore[attr-defined]
        _refuse_unseeded()


def preload() -> None:
    """Imports what the standard library imports when it is called."""
    for name in (
        "_strptime",
        *(
            f"encodings.{codec}"
            for codec in ("ascii", "cp1252", "latin_1", "utf_16", "utf_16_be", "utf_16_le", "utf_8_sig")
        ),
    ):
        importlib.import_module(name)


def _no_files(*_: Any, **__: Any) -> Any:
    raise OSError("there are no files in the sandbox: read them at the top of the operator's module, while it is built")


def _no_chance(*_: Any) -> Any:
    raise NotImplementedError(
        "there is no chance of its own in the sandbox: `setup.subtask.random()` gives some that a replay repeats"
    )


def _refuse_unseeded() -> None:
    seed = random.Random.seed

    def seeded(self: random.Random, a: Any = None, version: int = 2) -> None:
        if a is None:
            _no_chance()
        seed(self, a, version)

    random.Random.seed = seeded  # type: ignore[method-assign, assignment]
