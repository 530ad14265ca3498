"""Does in the sandbox what Python programs do elsewhere. `sandbox.test.toml` says what comes of it."""

import codecs
import logging
import os
import pathlib
import random
import time
import warnings
from datetime import datetime

import weir_guest
from weir_guest import Context, Failure, Operator, Record, Setup

#: Files may be read while the component is made.
SOURCE = pathlib.Path(__file__).read_text()
log = logging.getLogger("sandbox")


def reciprocal(number: int) -> float:
    return 1 / number


@weir_guest.export
class Sandbox(Operator):
    """Each record is the name of a method."""

    name = "sandbox"
    version = "1"

    def open(self, setup: Setup) -> None:
        print("opened")
        self.chance = setup.subtask.random()

    def process(self, record: Record, ctx: Context) -> None:
        ctx.emit(str(getattr(self, record.text())(ctx)))

    def prints(self, ctx: Context) -> object:
        print("one\ntwo", end=" and ")
        print("the rest", "é🦀")
        print("without an end", end="")
        warnings.warn("a warning", stacklevel=1)
        return None

    def logs(self, ctx: Context) -> object:
        logging.debug("debug")
        log.info("info %d", 7)
        log.warning("warn")
        try:
            reciprocal(0)
        except ZeroDivisionError:
            log.exception("caught")
        return None

    def raises(self, ctx: Context) -> object:
        try:
            return reciprocal(0)
        except ZeroDivisionError as error:
            raise ValueError("no such number") from error

    def fails(self, ctx: Context) -> object:
        raise Failure("as it is meant")

    def exits(self, ctx: Context) -> object:
        raise SystemExit(3)

    def recurses(self, ctx: Context) -> object:
        return self.recurses(ctx)

    def opens(self, ctx: Context) -> object:
        return open("/etc/passwd").read()

    def lists(self, ctx: Context) -> object:
        return pathlib.Path("/").exists() or os.listdir("/")

    def imports(self, ctx: Context) -> object:
        import sqlite3

        return sqlite3

    def tells_time(self, ctx: Context) -> object:
        return f"{time.time()} {time.time_ns()} {ctx.processing_time} {ctx.processing_datetime}"

    def parses_time(self, ctx: Context) -> object:
        return datetime.strptime("2013-01-01", "%Y-%m-%d").isoformat()

    def takes_chances(self, ctx: Context) -> object:
        return random.SystemRandom().random()

    def is_seeded(self, ctx: Context) -> object:
        return 0 <= random.random() < 1 and 0 <= self.chance.random() < 1 and random.Random(7).random()

    def decodes(self, ctx: Context) -> object:
        return b"\xe9".decode("latin-1") + codecs.decode(b"\xff\xfea\0", "utf-16") + b"\x80".decode("cp1252")

    def source(self, ctx: Context) -> object:
        return SOURCE.splitlines()[0]
