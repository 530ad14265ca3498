"""Records as a test writes and compares them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from ..context import as_bytes

__all__ = ["TestRecord"]


@dataclass(frozen=True, init=False)
class TestRecord:
    """A record that is sent, or was emitted: ``TestRecord("NZ", key="/", time=1_000)``."""

    __test__ = False

    value: bytes | None
    key: bytes | None
    time: int | None
    headers: tuple[tuple[bytes, bytes], ...]

    def __init__(
        self,
        value: bytes | str | None = b"",
        *,
        key: bytes | str | None = None,
        time: int | None = None,
        headers: Sequence[tuple[bytes | str, bytes | str]] = (),
    ) -> None:
        set_field = object.__setattr__
        set_field(self, "value", None if value is None else as_bytes(value))
        set_field(self, "key", None if key is None else as_bytes(key))
        set_field(self, "time", time)
        set_field(self, "headers", tuple((as_bytes(name), as_bytes(of)) for name, of in headers))

    @property
    def text(self) -> str:
        """The value as text."""
        return (self.value or b"").decode()
