"""The keyed operator of the conformance tests: each record is a command. See `tests/conformance/README.md`."""

import logging
from dataclasses import dataclass

import weir_guest
from weir_guest import (
    I64,
    U32,
    U64,
    BroadcastState,
    Context,
    EventTimer,
    Failure,
    FiredTimer,
    Input,
    ListState,
    MapState,
    Operator,
    Output,
    ProcessingTimer,
    Raw,
    Record,
    Setup,
    ValueState,
    migrates,
    state,
)


@dataclass
class Config:
    """The job file's `config`."""

    greeting: str = "hello"
    fail_open: str | None = None


@dataclass
class Seen:
    """What is kept of a key. In version 1 it was the count alone."""

    count: U64
    last: str | None
    low: I64


def or_none(of: object) -> str:
    """What there is, as text; `none` where there is nothing."""
    return "none" if of is None else str(of)


@weir_guest.export
class Keyed(Operator[Config]):
    """Does what each record says."""

    name = "conformance-keyed"
    version = "2.0.0"

    commands = Input(by="key")
    rules_in = Input("rules", by="broadcast")
    side = Output()
    soon: EventTimer
    tick: ProcessingTimer

    seen: ValueState[Seen] = state(version=2)
    blob: ValueState[Raw]
    items: ListState[str]
    entries: MapState[str, I64]
    brief: ValueState[U32] = state(ttl="1h", time="event", refresh="read")
    rules: BroadcastState[str, str]

    @migrates("seen", 1)
    @staticmethod
    def seen_1(count: U64) -> Seen:
        return Seen(count, None, 0)

    def open(self, setup: Setup) -> None:
        if self.config.fail_open is not None:
            raise Failure(self.config.fail_open)
        self.schema = setup.schema("commands")
        self.subtask = f"{setup.subtask.index} of {setup.subtask.parallelism}"

    def process(self, record: Record, ctx: Context) -> None:
        if record.input is self.rules_in:
            self.rule(record.text())
            return
        value = record.value
        if value is None:
            ctx.emit(None, to=self.side)
            return
        try:
            text = value.decode()
        except UnicodeDecodeError:
            ctx.emit(value[::-1])
            return
        name, _, rest = text.partition(" ")
        if not (
            self.values(ctx, name, rest)
            or self.collections(ctx, name, rest)
            or self.emits(record, ctx, name, rest)
            or self.times(record, ctx, name, rest)
        ):
            self.others(ctx, name, rest)

    def rule(self, text: str) -> None:
        """Changes the rules."""
        name, equals, rule = text.partition("=")
        if text == "*":
            self.rules.clear()
        elif equals:
            self.rules[name] = rule
        else:
            self.rules.remove(name)

    def values(self, ctx: Context, name: str, rest: str) -> bool:
        """Commands about the value states."""
        match name:
            case "count":
                seen = self.seen.get() or Seen(0, None, 0)
                before = seen.last
                self.seen.set(Seen(seen.count + 1, rest or None, seen.low - 1))
                ctx.emit(f"{seen.count + 1} {or_none(before)}")
            case "huge":
                self.seen.set(Seen(2**64 - 1, rest, -(2**63)))
            case "seen":
                kept = self.seen.get()
                ctx.emit("none" if kept is None else f"{kept.count} {or_none(kept.last)} {kept.low}")
            case "blob":
                self.blob.set(bytes.fromhex(rest))
            case "blob?":
                blob = self.blob.get()
                ctx.emit("none" if blob is None else blob.hex())
            case "brief":
                self.brief.set(int(rest))
            case "brief?":
                ctx.emit(or_none(self.brief.get()))
            case "forget":
                for each in (self.seen, self.blob, self.items, self.entries, self.brief):
                    each.clear()
            case _:
                return False
        return True

    def collections(self, ctx: Context, name: str, rest: str) -> bool:
        """Commands about the list, the map and the rules."""
        match name:
            case "append":
                self.items.append(rest)
            case "pop":
                self.items.pop_front(int(rest))
            case "truncate":
                self.items.truncate(int(rest))
            case "clear-items":
                self.items.clear()
            case "item":
                ctx.emit(or_none(self.items.get(int(rest))))
            case "items":
                ctx.emit(f"{len(self.items)} {','.join(self.items)}")
            case "put":
                entry, _, number = rest.partition(" ")
                self.entries[entry] = int(number)
            case "remove":
                self.entries.remove(rest)
            case "clear-entries":
                self.entries.clear()
            case "entry":
                ctx.emit(or_none(self.entries.get(rest)))
            case "entries":
                ctx.emit(",".join(f"{entry}={number}" for entry, number in self.entries.items()))
            case "rule":
                ctx.emit(or_none(self.rules.get(rest)))
            case "rules":
                ctx.emit(",".join(f"{rule}={what}" for rule, what in self.rules.items()))
            case _:
                return False
        return True

    def emits(self, record: Record, ctx: Context, name: str, rest: str) -> bool:
        """Commands about what is emitted."""
        match name:
            case "echo":
                ctx.emit(rest)
            case "long":
                ctx.emit("x" * int(rest))
            case "pass":
                ctx.pass_on()
            case "pass-side":
                ctx.pass_on(self.side)
            case "both":
                ctx.pass_on()
                ctx.emit("made")
            case "side":
                ctx.emit(rest, to=self.side)
            case "absent":
                ctx.emit(None)
            case "key":
                ctx.emit("keyed", key=rest)
            case "keyless":
                ctx.emit("keyless", key=None)
            case "at":
                ctx.emit("at", time=int(rest))
            case "timeless":
                ctx.emit("timeless", time=None)
            case "header":
                ctx.emit("header", headers=[*record.headers, ("seen", rest)])
            case "headers":
                ctx.emit(",".join(f"{header}={value.decode()}" for header, value in record.headers), headers=[])
            case _:
                return False
        return True

    def times(self, record: Record, ctx: Context, name: str, rest: str) -> bool:
        """Commands about time."""
        match name:
            case "timer":
                self.soon.set(int(rest))
            case "untimer":
                self.soon.delete(int(rest))
            case "tick":
                self.tick.set(int(rest))
            case "untick":
                self.tick.delete(int(rest))
            case "time":
                ctx.emit(or_none(record.time))
            case "watermark":
                ctx.emit(or_none(ctx.watermark))
            case "clock":
                ctx.emit(str(ctx.processing_time))
            case _:
                return False
        return True

    def others(self, ctx: Context, name: str, rest: str) -> None:
        """Everything else."""
        match name:
            case "config":
                ctx.emit(self.config.greeting)
            case "schema":
                ctx.emit(or_none(self.schema))
            case "subtask":
                ctx.emit(self.subtask)
            case "log":
                logging.info(rest)
            case "metric":
                ctx.metric("metric", int(rest))
            case "fail":
                raise Failure(rest)
            case _:
                raise Failure(f"no command `{name}`")

    def on_timer(self, fired: FiredTimer, ctx: Context) -> None:
        if fired.time % 1_000 == 777:
            raise Failure(f"poison at {fired.time}")
        seen = self.seen.get()
        count = None if seen is None else seen.count
        told = f"{fired.key.decode('utf-8', 'replace')} {fired.time} {or_none(count)}"
        if fired.timer is self.tick:
            ctx.emit(f"tick {told}", to=self.side)
            return
        ctx.emit(f"soon {told}")
        seen = seen or Seen(0, None, 0)
        self.seen.set(Seen(seen.count + 1, seen.last, seen.low))
        if seen.last == "again" and fired.time % 100 != 0:
            self.soon.set(fired.time + 10)
