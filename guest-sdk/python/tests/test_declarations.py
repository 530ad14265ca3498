"""What an operator's class says, and what is refused of it before there is any record."""

import enum
import unittest
from dataclasses import dataclass, field
from typing import Any, Literal

from weir_guest import (
    U8,
    U64,
    BroadcastState,
    EventTimer,
    Failure,
    Input,
    ListState,
    MapState,
    Operator,
    Output,
    Raw,
    ValueState,
    WindowedOperator,
    export,
    migrates,
    state,
)
from weir_guest.config import ConfigError, parse_config
from weir_guest.declarations import declarations_of
from weir_guest.testing import TestHost


def nothing(*_: Any) -> None:
    pass


def yields(*_: Any) -> Any:
    yield "nothing"


async def waits(*_: Any) -> None:
    pass


class All(Operator):
    name = "all"
    version = "1.2"

    flights = Input(by="key", accepts=(("flight", 1),))
    rules_in = Input("rules-in", by="broadcast")
    late_ones: Output
    count: ValueState[U64] = state(version=3, name="the-count")
    history: ListState[str] = state(ttl="1h 30m", refresh="read", time="event")
    by_country: MapState[str, Raw]
    rules: BroadcastState[str, U8]
    quiet: EventTimer

    process = on_timer = nothing

    @migrates("the-count", 2)
    def count_2(old: str) -> int:
        return int(old)


class More(All):
    """Has what its base has, and more."""

    version = "2"
    more: ValueState[bool]


def made(base: type[Any] = Operator, **attributes: Any) -> type[Any]:
    annotations = attributes.pop("annotations", {})
    return type(
        "Made",
        (base,),
        {
            "name": "made",
            "version": "1",
            "process": nothing,
            "on_window": nothing,
            "__annotations__": annotations,
            "__module__": __name__,
            **attributes,
        },
    )


class Declared(unittest.TestCase):
    def test_a_class_says_all_that_the_world_asks(self) -> None:
        told = declarations_of(All).descriptor()
        self.assertEqual((told.name, told.version, told.windowed), ("all", "1.2", False))
        self.assertEqual(
            [(one.name, one.partitioning.name, [(s.id, s.version) for s in one.accepts]) for one in told.inputs],
            [("flights", "BY_KEY", [("flight", 1)]), ("rules-in", "BROADCAST", [])],
        )
        self.assertEqual([one.name for one in told.outputs], ["out", "late_ones"])
        self.assertEqual(
            [(one.name, one.kind.name, one.schema, one.version, one.merges) for one in told.states],
            [
                ("the-count", "VALUE", "u64", 3, False),
                ("history", "LIST", "string", 1, False),
                ("by_country", "MAP", "raw", 1, False),
                ("rules", "BROADCAST", "map<string,u8>", 1, False),
            ],
        )
        ttl = told.states[1].ttl
        self.assertEqual((ttl.ms, ttl.domain.name, ttl.refresh_on_read), (5_400_000, "EVENT", True))
        self.assertEqual([(one.name, one.domain.name) for one in told.timers], [("quiet", "EVENT")])
        self.assertIsInstance(All.late_ones, Output)

    def test_a_class_has_what_its_base_has(self) -> None:
        told = declarations_of(More)
        self.assertEqual([state.name for state in told.states], ["the-count", "history", "by_country", "rules", "more"])
        self.assertEqual([one.name for one in told.inputs], ["flights", "rules-in"])
        self.assertEqual(told.descriptor().version, "2")

    def test_what_is_said_wrong_is_refused(self) -> None:
        def check(expect: str, base: type[Any] = Operator, **attributes: Any) -> None:
            with self.assertRaisesRegex(TypeError, expect):
                declarations_of(made(base, **attributes))

        check("no version", version=None)
        check("has no `process`", process=Operator.process)
        check("has no `on_window`", WindowedOperator, on_window=WindowedOperator.on_window)
        check("has no `on_timer`", annotations={"quiet": EventTimer})
        check("`process` is a generator or async", process=yields)
        check("`process` is a generator or async", process=waits)
        check("says not what it keeps", annotations={"count": ValueState})
        check("says not what it keeps", annotations={"count": MapState[str, Any].__origin__})
        check("state `count`: .*no order", annotations={"count": ValueState[set[int]]})
        check("annotate it", count=state(version=2))
        check("time to live: broadcast", annotations={"count": BroadcastState[str, str]}, count=state(ttl="1h"))
        check("need no `merge`", annotations={"count": ListState[str]}, count=state(merge=max))
        check(
            "live as long as their window",
            WindowedOperator,
            annotations={"count": ValueState[int]},
            count=state(ttl="1h"),
        )
        check("has no timers", WindowedOperator, annotations={"quiet": EventTimer})
        check("which there is not", lost=migrates("lost", 1)(int))
        check("is no name", side=Output("über"))
        check("`open` is what every operator has", annotations={"open": ValueState[int]})
        check("`config` is what every operator has", annotations={"config": ValueState[int]})
        check("two states have one name", annotations={"a": ValueState[int], "b": ValueState[int]}, a=state(name="b"))
        for wrong in (
            {"ttl": "an hour"},
            {"ttl": "0s"},
            {"time": "event"},
            {"ttl": "1h", "refresh": "never"},
            {"version": 0},
        ):
            with self.assertRaises((TypeError, ValueError)):
                state(**wrong)  # type: ignore[arg-type]
        with self.assertRaises(TypeError):
            Input(by="nobody")  # type: ignore[arg-type]

    def test_exporting_checks(self) -> None:
        self.assertIs(export(All), All)
        with self.assertRaises(TypeError):
            export(made(version=None))


class Emit(enum.Enum):
    TOTALS = "totals"
    MEAN = "mean"


@dataclass
class Inner:
    at: U8


@dataclass
class Config:
    limit: int
    fail_open: str | None = None
    emit: Emit = Emit.TOTALS
    mode: Literal["a", "b"] = "a"
    rate: float = 0.5
    inner: Inner | None = None
    names: list[str] = field(default_factory=list)
    by: dict[str, Inner] = field(default_factory=dict)


class Configs(unittest.TestCase):
    def test_a_config_is_made_of_json(self) -> None:
        found = parse_config(
            '{"limit":3,"fail-open":"x","emit":"mean","mode":"b","rate":2,"inner":{"at":255},"names":["a"],"by":{"k":{"at":1}}}',
            Config,
        )
        self.assertEqual(found, Config(3, "x", Emit.MEAN, "b", 2.0, Inner(255), ["a"], {"k": Inner(1)}))
        self.assertEqual(parse_config('{"limit":3,"fail_open":null}', Config), Config(3))

    def test_no_settings_are_an_empty_object(self) -> None:
        for text in ("", "null", "{}", " "):
            self.assertIsNone(parse_config(text, None))

    def test_what_is_wrong_is_named(self) -> None:
        for text, expect in [
            ('{"limit":1,"greting":2}', "no setting `greting`"),
            ("{}", "`limit` is missing"),
            ('{"limit":"x"}', '`limit`: "x" is no whole number'),
            ('{"limit":true}', "is no whole number"),
            ('{"limit":1,"emit":"x"}', 'none of "totals", "mean"'),
            ('{"limit":1,"mode":"c"}', 'none of "a", "b"'),
            ('{"limit":1,"inner":{"at":256}}', "`inner.at`: 256 is not within 0 and 255"),
            ('{"limit":1,"names":[1]}', r"`names\[0\]`: 1 is no text"),
            ("[]", "is no object"),
            ("{", "line 1"),
        ]:
            with self.assertRaisesRegex(ConfigError, expect):
                parse_config(text, Config)
        with self.assertRaisesRegex(ConfigError, "there is no setting `x`: there are none"):
            parse_config('{"x":1}', None)
        with self.assertRaisesRegex(Failure, "read the config of all: there is no setting `x`"):
            TestHost(All, {"x": 1})


if __name__ == "__main__":
    unittest.main()
