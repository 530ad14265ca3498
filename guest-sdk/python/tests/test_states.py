"""States on the host of tests: what an operator sees of its own writes, and what the host is told of them."""

import copy
import gc
import random
import unittest
import weakref
from dataclasses import dataclass
from typing import Any

from weir_guest import (
    I64,
    U64,
    BroadcastState,
    Context,
    Failure,
    Input,
    ListState,
    MapState,
    Operator,
    Record,
    ValueState,
    Window,
    WindowedOperator,
    migrates,
    state,
)
from weir_guest.instance import CallFailed
from weir_guest.testing import TestHost, TestRecord, assert_cuts_agree


@dataclass
class Visits:
    count: U64 = 0
    last: str | None = None


@dataclass
class VisitsV1:
    count: U64


class Pages(Operator):
    """Does what a record says: a list of calls in Python, whose answers are emitted."""

    name = "pages"
    version = "1"

    records = Input("in")
    rules_in = Input(by="broadcast")
    visits: ValueState[Visits] = state(version=2)
    history: ListState[str]
    by_country: MapState[str, I64]
    recent: MapState[str, I64] = state(ttl="1h", refresh="read")
    brief: ValueState[int] = state(ttl="1h", refresh="read")
    rules: BroadcastState[str, str]

    @migrates("visits", 1)
    @staticmethod
    def visits_1(old: VisitsV1) -> Visits:
        return Visits(old.count, None)

    def process(self, record: Record, ctx: Context) -> None:
        answer: Any = eval(record.text(), {"op": self, "Visits": Visits, "ctx": ctx})
        if answer is not None:
            ctx.emit(repr(answer))


def said(*texts: str, key: str = "k") -> list[TestRecord]:
    return [TestRecord(text, key=key) for text in texts]



class Seen(Operator):
    """Fails where a record says so, and remembers what it was handed out by states, without holding it."""

    name = "seen"
    version = "1"

    visits: ValueState[Visits]
    history: ListState[str]
    by_country: MapState[str, I64]

    def process(self, record: Record, ctx: Context) -> None:
        visits = self.visits.get() or Visits()
        visits.count += 1
        self.visits.set(visits)
        self.history.append(record.text())
        self.by_country[record.text()] = 1
        self.handed_out = weakref.ref(visits)
        if record.text() == "fails":
            raise Failure("as it was told to")


def containers(state: Any) -> dict[str, Any]:
    """What a state's handle holds."""
    return {name: copy.copy(held) for name, held in vars(state).items() if isinstance(held, (dict, list, set, bytes))}


class Calls(unittest.TestCase):
    def test_nothing_of_a_call_is_left_when_it_ends(self) -> None:
        host = TestHost(Seen)
        fresh = [containers(state) for state in host.instance._states]
        for values in (["NZ", "NZ"], ["AU"], ["NZ", "fails"]):
            records = [TestRecord(value, key="/") for value in values]
            if "fails" in values:
                with self.assertRaises(CallFailed):
                    host.send(*records)
            else:
                host.send(*records)
            gc.collect()
            self.assertIsNone(host.instance.operator.handed_out(), values)  # type: ignore[attr-defined]
            for state, was in zip(host.instance._states, fresh):
                self.assertEqual(containers(state), was, state)

class Values(unittest.TestCase):
    def setUp(self) -> None:
        self.host = TestHost(Pages)

    def check(self, calls: list[str], expect: list[str]) -> None:
        """In one batch, and in a batch for each call."""
        for cut in (False, True):
            host = TestHost(Pages)
            for batch in [[call] for call in calls] if cut else [calls]:
                host.send(*said(*batch))
            self.assertEqual([record.text for record in host.emitted()], expect, f"cut: {cut}")

    def test_a_value_is_set_read_and_cleared(self) -> None:
        self.check(
            [
                "op.visits.get('-')",
                "op.visits.set(Visits(3, 'x'))",
                "op.visits.get().count",
                "op.visits.clear()",
                "op.visits.get('-')",
            ],
            ["'-'", "3", "'-'"],
        )

    def test_keys_are_kept_apart(self) -> None:
        self.host.send(*said("op.visits.set(Visits(1))", key="a"), *said("op.visits.set(Visits(2))", key="b"))
        self.host.send(
            *said("op.visits.get().count", key="b"),
            *said("op.visits.get('-')", key="c"),
            *said("op.visits.get().count", key="a"),
        )
        self.assertEqual([record.text for record in self.host.emitted()], ["2", "'-'", "1"])
        self.assertEqual(self.host.value("visits", "a"), Visits(1))

    def test_lists_are_read_and_shortened_at_either_end(self) -> None:
        self.check(
            [
                "op.history.extend('abcdef')",
                "op.history.pop_front(2)",
                "list(op.history)",
                "op.history.append('g')",
                "op.history[0]",
                "op.history[-1]",
                "op.history.truncate(3)",
                "list(op.history)",
                "op.history.pop_front(9)",
                "len(op.history)",
                "bool(op.history)",
                "op.history.append('h')",
                "op.history.get(0)",
                "op.history.get(1)",
                "op.history.clear()",
                "op.history.append('i')",
                "list(op.history)",
            ],
            ["['c', 'd', 'e', 'f']", "'c'", "'g'", "['c', 'd', 'e']", "0", "False", "'h'", "['i']"],
        )

    def test_maps_are_put_into_looked_up_and_read_in_order(self) -> None:
        self.check(
            [
                "op.by_country.put('bb', 2)",
                "op.by_country.put('c', -1)",
                "op.by_country['bb']",
                "op.by_country.get('x')",
                "'c' in op.by_country",
                "list(op.by_country.items())",
                "op.by_country.remove('c')",
                "list(op.by_country)",
                "op.by_country.clear()",
                "op.by_country.is_empty()",
                "op.by_country.put('d', 4)",
                "list(op.by_country.values())",
                "op.by_country.remove('d')",
                "op.by_country.is_empty()",
            ],
            ["2", "True", "[('c', -1), ('bb', 2)]", "['bb']", "True", "[4]", "True"],
        )

    def test_a_scan_shows_what_was_there_when_it_began(self) -> None:
        self.host.send(*said("op.by_country.put('a', 1)", "op.by_country.put('c', 3)"))
        self.host.send(
            *said("[op.by_country.put('b', 2) or op.by_country.remove('c') or pair for pair in op.by_country.items()]")
        )
        self.assertEqual(self.host.emitted()[-1].text, "[('a', 1), ('c', 3)]")
        self.assertEqual(self.host.entries("by_country", "k"), {"a": 1, "b": 2})

    def test_random_calls_agree_with_a_model_however_they_are_cut(self) -> None:
        chance = random.Random(5)
        calls = [
            "op.history.append('{0}')",
            "op.history.pop_front({1})",
            "op.history.truncate({1})",
            "op.history.clear()",
            "list(op.history)",
            "len(op.history)",
            "op.by_country.put('{0}', {1})",
            "op.by_country.remove('{0}')",
            "op.by_country.get('{0}')",
            "list(op.by_country.items())",
            "op.by_country.clear()",
            "op.visits.set(Visits({1}))",
            "op.visits.get()",
            "op.visits.clear()",
        ]
        weights = [9, 2, 1, 0.3, 3, 3, 9, 3, 3, 3, 0.3, 3, 3, 1]
        records = [
            TestRecord(call.format("x" * chance.randint(1, 9), chance.randint(0, 4)), key=chance.choice("ab"))
            for call in chance.choices(calls, weights, k=400)
        ]
        assert_cuts_agree(Pages, records, runs=20)

    def test_state_needs_a_key(self) -> None:
        for call in ("op.visits.get()", "op.history.append('x')", "op.by_country.get('x')", "op.visits.set(Visits())"):
            with self.assertRaisesRegex(CallFailed, 'needs a key.*by = "key"'):
                self.host.send(TestRecord(call))

    def test_broadcast_state_is_changed_by_broadcast_records_alone(self) -> None:
        self.host.send(
            TestRecord("op.rules.put('a', '1')"),
            TestRecord("op.rules.put('b', '2')"),
            TestRecord("op.rules.remove('a')"),
            to=Pages.rules_in,
        )
        self.host.send(*said("list(op.rules.items())", "op.rules['b']"))
        self.assertEqual([record.text for record in self.host.emitted()], ["[('b', '2')]", "'2'"])
        with self.assertRaisesRegex(CallFailed, "broadcast input only"):
            self.host.send(*said("op.rules.clear()"))
        self.assertEqual(self.host.entries("rules"), {"b": "2"})

    def test_reads_are_told_where_they_renew(self) -> None:
        def touched(*calls: str) -> list[tuple[int, bytes]]:
            told: list[tuple[int, bytes]] = []
            apply, self.host.store.apply = (
                self.host.store.apply,
                lambda effects: told.extend((one.state, one.keys) for one in effects.touched) or apply(effects),
            )
            self.host.send(*said(*calls))
            self.host.store.apply = apply
            return told

        self.assertEqual(touched("op.brief.get()", "op.recent.get('x')", "'x' in op.recent"), [])
        self.assertEqual(touched("op.brief.set(1)", "op.brief.get()", "op.recent.put('x', 1)"), [])
        self.assertEqual(touched("op.brief.get()", "op.recent.is_empty()"), [(4, bytes(4))])
        self.assertEqual(touched("'x' in op.recent"), [(3, bytes(4))])
        self.assertEqual(touched("list(op.recent)"), [(3, bytes(4))])

    def test_nothing_of_a_call_that_fails_is_left(self) -> None:
        with self.assertRaises(CallFailed) as failed:
            self.host.send(
                *said("op.visits.set(Visits(1))", "op.history.append('x')", "op.by_country.put('x', 1)", "1 / 0")
            )
        self.assertEqual(failed.exception.cause, 3)
        self.assertIn("ZeroDivisionError: division by zero", failed.exception.message)
        self.host.send(*said("op.visits.get('-')", "len(op.history)", "op.by_country.is_empty()"))
        self.assertEqual([record.text for record in self.host.emitted()], ["'-'", "0", "True"])

    def test_a_value_that_does_not_fit_names_its_last_record(self) -> None:
        with self.assertRaises(CallFailed) as failed:
            self.host.send(*said("1", key="a"), *said("op.visits.set(Visits(2**64))", "2"), *said("3", key="a"))
        self.assertEqual(failed.exception.cause, 2)
        self.assertIn("encode state `visits`: 18446744073709551616 is not within", failed.exception.message)

    def test_older_versions_are_migrated(self) -> None:
        self.host.restore("visits", "k", bytes.fromhex("a165636f756e7407"), version=1)
        self.assertEqual(self.host.value("visits", "k"), Visits(7))
        with self.assertRaisesRegex(Failure, "cannot migrate state `visits` from version 3"):
            self.host.restore("visits", "k", b"", version=3)
        with self.assertRaisesRegex(Failure, "decode state `visits` of version 1"):
            self.host.restore("visits", "k", b"\xff", version=1)


class Hours(WindowedOperator):
    """Counts, and says so when its window fires."""

    name = "hours"
    version = "1"

    count: ValueState[U64] = state(merge=lambda a, b: a + b)
    words: ListState[str]

    def process(self, record: Record, ctx: Context) -> None:
        if record.value == b"emit":
            ctx.emit("no")
        self.count.set(self.count.get(0) + 1)
        self.words.append(record.text())

    def on_window(self, firing: Any, ctx: Context) -> None:
        if "spoil" in list(self.words):
            self.count.set(7)
        ctx.emit(f"{firing.key_text()} {firing.window} {firing.reason.name} {self.count.get()} {list(self.words)}")


class Windows(unittest.TestCase):
    def test_a_window_is_kept_for_itself_and_tells_when_it_fires(self) -> None:
        host, first, second = TestHost(Hours), Window(0, 10), Window(10, 20)
        host.send(TestRecord("a", key="k"), TestRecord("b", key="k"), window=first)
        host.send(TestRecord("c", key="k"), window=second)
        host.fire("k", first)
        self.assertEqual(
            host.emitted(), [TestRecord("k Window(start=0, end=10) COMPLETE 2 ['a', 'b']", key="k", time=9)]
        )
        self.assertEqual(host.value("count", "k", second), 1)

    def test_what_either_call_may_not_do_is_refused(self) -> None:
        host = TestHost(Hours)
        with self.assertRaisesRegex(CallFailed, "emits in `process`") as failed:
            host.send(TestRecord("a", key="k"), TestRecord("emit", key="k"), window=Window(0, 10))
        self.assertEqual(failed.exception.cause, 1)
        host.send(TestRecord("spoil", key="k"), window=Window(0, 10))
        with self.assertRaisesRegex(CallFailed, "may read it alone"):
            host.fire("k", Window(0, 10))

    def test_values_merge(self) -> None:
        self.assertEqual(TestHost(Hours).merged("count", 2, 3), 5)
        with self.assertRaisesRegex(Failure, "no way to make one value of two of state `words`"):
            TestHost(Hours).merged("words", "a", "b")


if __name__ == "__main__":
    unittest.main()
