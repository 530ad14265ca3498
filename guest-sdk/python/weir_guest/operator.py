"""What an author implements."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic

from .context import Context
from .declare import Output
from .failure import Failure
from .record import Record
from .timers import FiredTimer
from .windows import FiredWindow

__all__ = ["Operator", "Setup", "Subtask", "WindowedOperator"]

if TYPE_CHECKING:
    # So that `Operator` alone is one without settings.
    from typing_extensions import TypeVar

    C = TypeVar("C", default=None)
else:
    from typing import TypeVar

    C = TypeVar("C")


@dataclass(frozen=True)
class Subtask:
    """One of the parallel parts of an operator."""

    #: From 0.
    index: int = 0
    #: How many there are.
    parallelism: int = 1
    #: Fixed for the operator and subtask: seeds chance that a replay repeats.
    seed: int = 0

    def random(self) -> random.Random:
        """Chance that a replay repeats: always the same numbers from here on. There is no other in the sandbox."""
        return random.Random(self.seed)


@dataclass(frozen=True)
class Setup:
    """What an operator is told when it is opened."""

    #: By input what its source says of the records (csv: the header row), where a source feeds it directly.
    schemas: dict[str, str | None] = field(default_factory=dict)
    #: Which part of the operator this is.
    subtask: Subtask = Subtask()

    def schema(self, name: str | None = None) -> str | None:
        """The schema of an input by its name, or that of the first."""
        return next(iter(self.schemas.values()), None) if name is None else self.schemas[name]


class Operator(Generic[C]):
    """An operator: a function from records and the state of their keys to records and new state.

    A class derives from ``Operator[Config]``, where ``Config`` is a dataclass of the job file's `config`, or from
    ``Operator`` if there are no settings. It says its name and version, declares states, timers, inputs and outputs
    as annotated attributes, and implements :meth:`process`.

    One instance serves one subtask. The host may replace it by a new one between any two calls, so attributes are
    only a cache: what must survive is kept in states. The same records and state must give the same results, however
    the records are cut into batches; there is no clock and no chance but what the context and :class:`Subtask` hand
    in.
    """

    #: The operator's name, as ``weir plugin inspect`` shows it.
    name: ClassVar[str]
    #: Its version.
    version: ClassVar[str]
    #: The main output.
    main: ClassVar[Output] = Output("out")

    #: The job file's `config`.
    config: C

    def open(self, setup: Setup) -> None:
        """Called once, before the first record, with ``self.config`` at hand.

        An exception fails the job with its message.
        """

    def process(self, record: Record, ctx: Context) -> None:
        """Works one record off.

        After an exception the whole batch had no effect and the record stands named: the job fails or sets it aside,
        as its file says.
        """
        raise NotImplementedError(f"{type(self).__name__} has no `process`")

    def on_timer(self, fired: FiredTimer, ctx: Context) -> None:
        """Works one timer off that is due: its key's state is shown, and what is emitted has its key and the time
        that it was set to.

        Timers of a key come in the order of their times, and of one time only in a call. It is gone when this is
        called, and may be set anew.
        """
        raise Failure(f"{self.name} declares the timer `{fired.timer.name}` and has no `on_timer`")


class WindowedOperator(Operator[C]):
    """An operator that the job file gives windows, ``[operator.ID] window``: it keeps its state by key *and window*.

    :meth:`process` changes the state of the record's window and does nothing else; :meth:`on_window` reads it and
    emits. So the same fires of the same state, wherever a batch is cut. It has no timers, and no state a time to
    live.
    """

    def on_window(self, firing: FiredWindow, ctx: Context) -> None:
        """Works one window of a key off that fires: its state is shown, to be read and not to be changed.

        What is emitted has the key, and the window's last ms as its time; of windows without bounds the largest time
        that their records had.
        """
        raise NotImplementedError(f"{type(self).__name__} has no `on_window`")

    def on_timer(self, fired: FiredTimer, ctx: Context) -> Any:
        """A windowed operator has no timers: its windows fire."""
        raise Failure(f"{self.name} is windowed and has no timers")
