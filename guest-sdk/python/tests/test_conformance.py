"""The conformance script of the keyed operator, natively: `weir plugin test` runs the same on the component.

The host of tests knows no time to live, so that the one test about it is left out, and states are not looked at: what
is emitted of them is.
"""

import importlib.util
import json
import sys
import tomllib
import unittest
from pathlib import Path
from typing import Any

from weir_guest.testing import TestHost, TestRecord

CONFORMANCE = Path(__file__).resolve().parents[3] / "tests" / "conformance"


def operator(name: str, cls: str) -> Any:
    """The class of an operator of the conformance tests."""
    spec = importlib.util.spec_from_file_location(f"conformance_{name}", CONFORMANCE / "python" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, cls)


def record(told: dict[str, Any]) -> TestRecord:
    """A record as a script writes it."""
    value: Any = bytes.fromhex(told["hex"]) if "hex" in told else told.get("value", "")
    key: Any = bytes.fromhex(told["key-hex"]) if "key-hex" in told else told.get("key")
    return TestRecord(
        None if told.get("absent") else value * told.get("repeat", 1),
        key=key,
        time=told.get("time"),
        headers=told.get("headers", ()),
    )


def fits(emitted: TestRecord, told: dict[str, Any]) -> bool:
    """True where a record is as a script says, which may leave out times and headers."""
    wanted = record(told)
    return (
        (emitted.value, emitted.key) == (wanted.value, wanted.key)
        and (emitted.time == wanted.time or not ("time" in told or "no-time" in told))
        and (emitted.headers == wanted.headers or "headers" not in told)
    )


@unittest.skipUnless((CONFORMANCE / "keyed.test.toml").exists(), "outside weir's repository")
class Keyed(unittest.TestCase):
    def play(self, test: dict[str, Any], *, cut: bool) -> None:
        """Runs one test; `cut` hands each record over by itself, to a new instance."""
        config, schemas = json.dumps(test.get("config", {})), test.get("schemas", {})
        if "fails" in test:
            with self.assertRaisesRegex(Exception, test["fails"]):
                TestHost(self.operator, config, schemas=schemas)
            return
        host = TestHost(self.operator, config, schemas=schemas)
        host.clock = test.get("clock", 0)
        for kept in test.get("kept", []):
            host.restore(kept["state"], kept["key"], bytes.fromhex(kept["hex"]), version=kept["version"])
        for step in test.get("step", []):
            if "fails" in step:
                with self.assertRaisesRegex(Exception, step["fails"]):
                    self.work(host, step, cut=False)
            else:
                self.work(host, step, cut=cut)
            self.compare(host, step.get("expect", []))

    def work(self, host: TestHost, step: dict[str, Any], *, cut: bool) -> None:
        """Does what a step says."""
        records = [record(told) for told in step.get("send", [])]
        for batch in [[one] for one in records] if cut else [records] if records else []:
            host.send(*batch, to=step.get("input"))
            if cut:
                host.renew()
        if "watermark" in step:
            host.advance_to(step["watermark"])
        if "clock" in step:
            host.advance_clock(step["clock"])
        if step.get("end"):
            host.end_input()

    def compare(self, host: TestHost, expect: list[dict[str, Any]]) -> None:
        """Holds what was emitted to what was expected, output by output."""
        for output in ("out", "side"):
            emitted = host.take_emitted(output)
            wanted = [told for told in expect if told.get("to", "out") == output]
            self.assertEqual(len(emitted), len(wanted), f"{output}: {emitted}")
            for one, told in zip(emitted, wanted):
                self.assertTrue(fits(one, told), f"{output}: {one} is not {told}")

    def test_the_script_holds_whole_and_cut(self) -> None:
        self.operator = operator("keyed", "Keyed")
        script = tomllib.loads((CONFORMANCE / "keyed.test.toml").read_text())
        self.assertGreater(len(script["test"]), 20)
        for test in script["test"]:
            if "time to live" in test["name"]:
                continue
            for cut in (False, True):
                with self.subTest(test["name"], cut=cut):
                    self.play(test, cut=cut)


if __name__ == "__main__":
    unittest.main()
