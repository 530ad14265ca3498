"""word-count's count in Bytewax: records of 100,000 keys, of each the key and how often it has come so far, as a line of JSON, to a sink that drops it.

    python count.py RECORDS            # microseconds of processor time by record, the start taken off
"""

import json
import resource
import sys

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

KEYS = 100_000
BATCH = 1_024


class Records(StatelessSourcePartition):
    """Keys of sixteen characters, in batches."""

    def __init__(self, records: int) -> None:
        self.left = records
        self.number = 0

    def next_batch(self) -> list[tuple[str, bytes]]:
        if self.left == 0:
            raise StopIteration
        count = min(BATCH, self.left)
        self.left -= count
        batch = []
        number = self.number
        for _ in range(count):
            number = (number * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
            batch.append((f"key-{(number >> 33) % KEYS:012}", b""))
        self.number = number
        return batch


class Source(DynamicSource):
    def __init__(self, records: int) -> None:
        self.records = records

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Records:
        return Records(self.records)


class Dropped(StatelessSinkPartition):
    def write_batch(self, items: list) -> None:
        pass


class Sink(DynamicSink):
    def build(self, step_id: str, worker_index: int, worker_count: int) -> Dropped:
        return Dropped()


def count(kept: int | None, _value: bytes) -> tuple[int, int]:
    now = (kept or 0) + 1
    return now, now


def run(records: int) -> float:
    """Processor time."""
    flow = Dataflow("count")
    stream = op.input("records", flow, Source(records))
    counts = op.stateful_map("count", stream, count)
    lines = op.map("lines", counts, lambda counted: json.dumps({"word": counted[0], "count": counted[1]}, separators=(",", ":")))
    op.output("nothing", lines, Sink())
    before = resource.getrusage(resource.RUSAGE_SELF)
    run_main(flow)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def source_alone(records: int) -> float:
    """Processor time of the source and the sink with nothing between."""
    flow = Dataflow("source")
    op.output("nothing", op.input("records", flow, Source(records)), Sink())
    before = resource.getrusage(resource.RUSAGE_SELF)
    run_main(flow)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    whole, source = run(records), source_alone(records)
    print(f"{whole * 1e6 / records:.2f} us a record, {(whole - source) * 1e6 / records:.2f} without making it")
