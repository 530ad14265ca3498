"""Records in and records out: what is emitted, passed, and told of exceptions."""

import unittest
from dataclasses import dataclass
from typing import Any

from weir_guest import (
    Context,
    EventTimer,
    Failure,
    FiredTimer,
    Input,
    Operator,
    Output,
    ProcessingTimer,
    Record,
    Setup,
    Subtask,
)
from weir_guest.instance import CallFailed
from weir_guest.testing import TestHost, TestRecord


@dataclass
class Config:
    greeting: str = "hello"


class Echo(Operator[Config]):
    """Evaluates what a record says."""

    name = "echo"
    version = "1"

    first = Input("in")
    second = Input()
    side = Output(schema=("line", 2))
    soon: EventTimer
    tick: ProcessingTimer

    def open(self, setup: Setup) -> None:
        self.setup = setup

    def process(self, record: Record, ctx: Context) -> None:
        answer: Any = eval(
            record.text() if record.value is not None else "ctx.emit('absent')",
            {"op": self, "ctx": ctx, "r": record, "Failure": Failure},
        )
        if isinstance(answer, Exception):
            raise answer

    def on_timer(self, fired: FiredTimer, ctx: Context) -> None:
        ctx.emit(f"{fired.timer.name} {fired.key_text()} {fired.time}")
        if fired.time == 5:
            self.soon.set(7)


class Emits(unittest.TestCase):
    def setUp(self) -> None:
        self.host = TestHost(Echo, schemas={"in": "a,b"})

    def check(self, sent: list[TestRecord], *expect: TestRecord, output: str = "out") -> None:
        self.host.send(*sent)
        self.assertEqual(self.host.take_emitted(output), list(expect))

    def test_what_is_emitted_has_its_causes_key_time_and_headers(self) -> None:
        sent = TestRecord("ctx.emit(b'x')", key="k", time=-5, headers=[("h", "1"), ("h", "2")])
        self.check([sent], TestRecord("x", key="k", time=-5, headers=[("h", "1"), ("h", "2")]))
        self.check([TestRecord("ctx.emit('é')")], TestRecord("é"))

    def test_it_may_have_its_own(self) -> None:
        told = [
            "ctx.emit('a')",
            "ctx.emit('b', key='other')",
            "ctx.emit('c', key=None)",
            "ctx.emit('d', time=7)",
            "ctx.emit('e', time=None)",
            "ctx.emit('f', headers=[*r.headers, ('n', b'v')])",
            "ctx.emit('g', headers=[])",
            "ctx.emit(None)",
        ]
        of = {"time": 3, "headers": [("h", "1")]}
        self.check(
            [TestRecord(text, key="k", **of) for text in told],  # type: ignore[arg-type]
            TestRecord("a", key="k", **of),
            TestRecord("b", key="other", **of),
            TestRecord("c", **of),  # type: ignore[arg-type]
            TestRecord("d", key="k", time=7, headers=[("h", "1")]),
            TestRecord("e", key="k", headers=[("h", "1")]),
            TestRecord("f", key="k", time=3, headers=[("h", "1"), ("n", "v")]),
            TestRecord("g", key="k", time=3),
            TestRecord(None, key="k", **of),  # type: ignore[arg-type]
        )

    def test_records_pass_before_what_is_emitted_of_them(self) -> None:
        sent = [
            TestRecord("ctx.emit('made') or ctx.pass_on() or ctx.pass_on()", key="a"),
            TestRecord("ctx.pass_on(op.side)"),
            TestRecord("ctx.emit('x')"),
        ]
        self.check(sent, sent[0], TestRecord("made", key="a"), TestRecord("x"))
        self.assertEqual(self.host.take_emitted("side"), [sent[1]])

    def test_many_records_pass_by_their_bits(self) -> None:
        sent = [TestRecord("ctx.pass_on()" if place % 3 == 0 else "None", key=str(place)) for place in range(20)]
        self.check(sent, *sent[::3])

    def test_absent_values_and_keys_are_not_empty_ones(self) -> None:
        self.check([TestRecord(None, key="k")], TestRecord("absent", key="k"))
        self.check(
            [TestRecord("ctx.emit(repr(r.key))"), TestRecord("ctx.emit(repr(r.key))", key="")],
            TestRecord("None"),
            TestRecord("b''", key=""),
        )

    def test_names_of_headers_are_text_and_come_back_as_they_were(self) -> None:
        sent = TestRecord(
            "ctx.emit(repr(r.header('h')), headers=r.headers)", headers=[(b"\xff", b"1"), ("h", "a"), ("h", "b")]
        )
        self.check([sent], TestRecord("b'b'", headers=sent.headers))

    def test_inputs_are_told_apart(self) -> None:
        self.host.send(TestRecord("ctx.emit(str(r.input is op.second))"), to=Echo.second)
        self.host.send(TestRecord("ctx.emit(str(r.input is op.second))"))
        self.assertEqual([record.text for record in self.host.emitted()], ["True", "False"])

    def test_json_is_written_without_white_space(self) -> None:
        self.check([TestRecord("ctx.emit_json({'a': [1, None, 'é']})")], TestRecord('{"a":[1,null,"é"]}'))
        with self.assertRaisesRegex(CallFailed, "ValueError"):
            self.host.send(TestRecord("ctx.emit_json(float('nan'))"))

    def test_timers_are_set_deleted_and_fire_in_order(self) -> None:
        self.host.send(
            *(
                TestRecord(f"op.{call}", key="k")
                for call in (
                    "soon.set(5)",
                    "soon.set(5)",
                    "soon.set(3)",
                    "soon.set(4)",
                    "soon.delete(4)",
                    "tick.set(9)",
                )
            )
        )
        self.assertEqual(self.host.timers("soon", "k"), [3, 5])
        self.host.advance_to(7)
        self.assertEqual(
            self.host.take_emitted(), [TestRecord(f"soon k {time}", key="k", time=time) for time in (3, 5, 7)]
        )
        self.host.advance_clock(9)
        self.assertEqual(self.host.take_emitted(), [TestRecord("tick k 9", key="k", time=9)])

    def test_what_cannot_be_is_refused(self) -> None:
        for call, expect in [
            ("op.soon.set(5)", "needs a key"),
            ("op.soon.set(1.5)", "no time in ms|needs a key"),
            ("ctx.emit(5)", "neither bytes nor text"),
            ("ctx.metric('m', 1.5)", "whole numbers"),
            ("ctx.metric('m', 2**63)", "beyond 64 bits"),
            ("ctx.emit('x', time=2**63)", "beyond 64 bits"),
            ("ctx.emit('x', to=object())", "no output that the operator declares"),
        ]:
            with self.assertRaisesRegex(CallFailed, expect):
                self.host.send(TestRecord(call))

    def test_an_exception_names_its_record_and_where_it_was_raised(self) -> None:
        for raised, expect in [
            ("1 / 0", "^ZeroDivisionError: division by zero\n(.|\n)*in Echo.process"),
            ("Failure('out of cheese')", "^out of cheese$"),
            ("exit()", "^SystemExit"),
        ]:
            with self.assertRaisesRegex(CallFailed, expect) as failed:
                self.host.send(TestRecord("None"), TestRecord(raised))
            self.assertEqual(failed.exception.cause, 1)

    def test_an_operator_is_told_how_it_is_opened(self) -> None:
        host = TestHost(Echo, {"greeting": "x"}, schemas={"in": "a,b"}, subtask=Subtask(1, 2, 3))
        host.send(
            TestRecord(
                "ctx.emit(f'{op.config.greeting} {op.setup.schema()} {op.setup.schema(\"second\")} {op.setup.subtask.index}')"
            )
        )
        self.assertEqual(host.emitted()[0].text, "x a,b None 1")
        self.assertEqual(Subtask(seed=1).random().random(), Subtask(seed=1).random().random())

    def test_metrics_add_up(self) -> None:
        self.host.send(TestRecord("ctx.metric('m', 3)"), TestRecord("ctx.metric('m')"))
        self.assertEqual(self.host.metrics, {"m": 4})


if __name__ == "__main__":
    unittest.main()
