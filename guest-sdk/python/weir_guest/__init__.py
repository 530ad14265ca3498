"""Operators for weir, in Python. The author's page is the package's README."""

from .component import export
from .context import SAME, Context
from .declare import Input, Output, migrates, state
from .failure import Failure
from .operator import Operator, Setup, Subtask, WindowedOperator
from .record import Record
from .state import BroadcastState, ListState, MapState, ValueState
from .times import duration_ms, rfc3339, to_datetime, to_ms
from .timers import EventTimer, FiredTimer, ProcessingTimer
from .types import F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, Cases, Raw
from .windows import FiredWindow, Window, WindowReason

__all__ = [
    "BroadcastState",
    "Cases",
    "Context",
    "EventTimer",
    "F32",
    "F64",
    "Failure",
    "FiredTimer",
    "FiredWindow",
    "I16",
    "I32",
    "I64",
    "I8",
    "Input",
    "ListState",
    "MapState",
    "Operator",
    "Output",
    "ProcessingTimer",
    "Raw",
    "Record",
    "SAME",
    "Setup",
    "Subtask",
    "U16",
    "U32",
    "U64",
    "U8",
    "ValueState",
    "Window",
    "WindowReason",
    "WindowedOperator",
    "duration_ms",
    "export",
    "migrates",
    "rfc3339",
    "state",
    "to_datetime",
    "to_ms",
]
