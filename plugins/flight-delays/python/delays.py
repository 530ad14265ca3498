"""Flights in, keyed by aircraft: a running count and total of arrival delays out.

A record's value is a CSV row whose header the source hands to `open`. For each row that knows its `tailnum` and
`arr_delay` one JSON line is emitted: `{"tailnum":"N14228","flights":1,"total_delay":11}`. With the config
`{"emit":"mean"}` every row gives a CSV line instead: the aircraft, its rows so far, and its mean delay in minutes
(`N14228,1,11.00`).

The state is kept as raw bytes, three little-endian numbers of 64 bits, as the plugins in other languages keep it.
"""

from __future__ import annotations

import enum
import json
import re
from dataclasses import dataclass
from struct import Struct

import weir_guest
from weir_guest import Context, Failure, Operator, Record, Setup, ValueState, state
from weir_guest.csv import Columns

MINUTES = re.compile(rb"-?[0-9]{1,9}")
#: How a value that is not known is written.
UNKNOWN = (b"", b"NA")
NUMBERS = Struct("<QQq")


class Emit(enum.Enum):
    """What is emitted: count and total, of rows that know aircraft and delay; or rows and mean delay, of all rows."""

    TOTALS = "totals"
    MEAN = "mean"


@dataclass
class Config:
    """The job file's `config`."""

    emit: Emit = Emit.TOTALS


class Totals(tuple[int, int, int]):
    """The sums over an aircraft's rows:

    rows, rows with a known arrival delay, and the sum of the delays in minutes.
    """

    @classmethod
    def from_bytes(cls, data: bytes) -> Totals:
        return cls(NUMBERS.unpack(data))

    def __bytes__(self) -> bytes:
        return NUMBERS.pack(*self)

    def mean(self) -> str:
        """The mean delay with two decimals, halves rounded up; empty while no delay is known."""
        _, flights, total = self
        if flights == 0:
            return ""
        hundredths = (200 * total + flights) // (2 * flights)
        whole, rest = divmod(abs(hundredths), 100)
        return f"{'-' if hundredths < 0 else ''}{whole}.{rest:02}"


NONE_YET = Totals((0, 0, 0))


@weir_guest.export
class FlightDelays(Operator[Config]):
    """The operator."""

    name = "flight-delays"
    version = "0.1.0"

    totals: ValueState[Totals] = state(raw=True)

    def open(self, setup: Setup) -> None:
        header = setup.schema()
        if header is None:
            raise Failure("flight-delays needs the header of its rows: let a csv source feed it directly")
        self.columns = Columns(header, "tailnum", "arr_delay")
        self.means = self.config.emit is Emit.MEAN

    def process(self, record: Record, ctx: Context) -> None:
        tailnum, delay = self.columns.read(record.data)
        known = delay not in UNKNOWN
        if known and not MINUTES.fullmatch(delay):
            raise Failure(f"the arrival delay `{delay.decode('ascii', 'backslashreplace')}` is no number of minutes")
        if not self.means and not (known and tailnum not in UNKNOWN):
            return
        rows, flights, total = self.totals.get(NONE_YET)
        totals = Totals((rows + 1, flights + known, total + (int(delay) if known else 0)))
        self.totals.set(totals)
        if self.means:
            ctx.emit(b"%b,%d,%b" % (tailnum, totals[0], totals.mean().encode()))
        else:
            quoted = (
                b'"%b"' % tailnum if tailnum.isalnum() else json.dumps(tailnum.decode(), ensure_ascii=False).encode()
            )
            ctx.emit(b'{"tailnum":%b,"flights":%d,"total_delay":%d}' % (quoted, totals[1], totals[2]))
