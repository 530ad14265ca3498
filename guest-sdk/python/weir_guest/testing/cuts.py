"""Holds an operator to its first rule:

however its input is cut, and whenever its instance is replaced, the same comes of it.
"""

from __future__ import annotations

import random
from typing import Any, Sequence

from ..operator import Operator
from .host import TestHost
from .record import TestRecord

__all__ = ["assert_cuts_agree"]


def assert_cuts_agree(
    operator: type[Operator[Any]],
    records: Sequence[TestRecord],
    config: Any = "{}",
    *,
    seed: int = 1,
    runs: int = 10,
    **setup: Any,
) -> None:
    """Sends records as one batch, then so many times in batches that are cut at random, each to a new instance, and
    compares what was emitted and kept.
    """
    whole = TestHost(operator, config, **setup)
    whole.send(*records)
    chance = random.Random(seed)
    for run in range(runs):
        host = TestHost(operator, config, **setup)
        start = 0
        while start < len(records):
            end = min(start + chance.randint(1, max(1, len(records) // 4)), len(records))
            host.send(*records[start:end])
            host.renew()
            start = end
        for output in whole.declared.outputs:
            if host.emitted(output) != whole.emitted(output):
                raise AssertionError(
                    f"run {run} of seed {seed} emits something else to `{output.name}`: a batch's result depends on how it is cut"
                )
        if host.store.kept() != whole.store.kept():
            raise AssertionError(
                f"run {run} of seed {seed} keeps something else: a batch's result depends on how it is cut"
            )
