"""State as an author sees it: handles that show the key of the record that is being worked on, or what the subtask
keeps as a whole.

The values of a batch's keys arrive with the batch; lists, maps and broadcast state are read through host calls. Every
handle lays what was written in the call over what was read, so that an operator sees its own writes, and hands all of
it back at the call's end. Nothing of a call stays in a handle.
"""

from .broadcast import BroadcastState
from .handle import StateHandle
from .listed import ListState
from .mapped import MapState
from .value import ValueState

__all__ = ["BroadcastState", "ListState", "MapState", "StateHandle", "ValueState"]
