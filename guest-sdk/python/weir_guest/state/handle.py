"""What every handle knows of itself, and what the run of a call asks of it."""

from __future__ import annotations

from typing import Any, ClassVar

from ..columns import u32s
from ..context import Context
from ..declare import StateOptions
from ..failure import Failure
from ..world import types

__all__ = ["PAGE_BYTES", "EncodeFault", "StateHandle"]

#: How much one host call reads of a list or a map.
PAGE_BYTES = 64 * 1024


class EncodeFault(Exception):
    """What was written for a key cannot be encoded."""

    def __init__(self, key: int, message: str) -> None:
        super().__init__(message)
        self.key = key


class StateHandle:
    """A state of an operator. The operator's class declares it by an annotation, and each instance has its own."""

    #: The kind in the world's words, and how many types it is of.
    kind: ClassVar[str]
    arity: ClassVar[int] = 1

    def __init__(self, name: str, number: int, codecs: tuple[Any, ...], options: StateOptions, call: Context) -> None:
        self._name = name
        self._number = number
        self._call = call
        #: Keys whose state was handed out; ``None``: nobody asks.
        self._reads: set[int] | None = set() if options.ttl is not None and options.ttl.on_read else None

    @classmethod
    def schema(cls, codecs: tuple[Any, ...]) -> str:
        """The schema of a state of these types."""
        schema: str = codecs[0].schema
        return schema

    def begin(self, values: Any) -> None:
        """A call begins; ``values`` is what came with it."""

    def finish(self, effects: Any) -> None:
        """The call ends: adds what was written to the effects."""

    def drop(self) -> None:
        """Forgets the call."""

    def _readable(self) -> int:
        """The key that is shown."""
        key = self._call.key
        if key < 0:
            raise self._no_key()
        return key

    def _writable(self) -> int:
        """The key that is shown, whose state may be changed."""
        if not self._call.can_write:
            raise Failure(
                f"state `{self._name}` is changed in `on_window`, which may read it alone: `process` changes it"
            )
        return self._readable()

    def _no_key(self) -> Failure:
        return Failure(
            f'state `{self._name}` needs a key, and this input is not keyed: give it `by = "key"` in the job file'
        )

    def _failed(self, attempt: str, error: Exception) -> Failure:
        return Failure(f"{attempt} state `{self._name}`: {error}")

    def _encoded(self, codec: Any, value: Any, what: str) -> bytes:
        try:
            encoded: bytes = codec.dump(value)
        except Exception as error:
            raise self._failed(f"encode {what} of", error) from error
        return encoded

    def _decoded(self, codec: Any, data: bytes, what: str) -> Any:
        try:
            return codec.load(data, 0, len(data))
        except Exception as error:
            raise self._failed(f"decode {what} of", error) from error

    def _report_reads(self, effects: Any, written: Any = ()) -> None:
        """Adds the keys that were read, but for those that were written and are renewed by that."""
        if self._reads:
            keys = sorted(self._reads.difference(written))
            if keys:
                effects.touched.append(types.Touch(self._number, u32s(keys)))
            self._reads.clear()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name!r})"
