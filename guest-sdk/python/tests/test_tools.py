"""Times, CSV rows, the build's checks, and the copy of the world that the package has."""

import subprocess
import sys
import tempfile
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path

from weir_guest import Failure, build, rfc3339, to_datetime, to_ms
from weir_guest.csv import Columns
from weir_guest.times import duration_ms

SDK = Path(__file__).resolve().parent.parent
OPERATOR = """
import weir_guest
{imports}

@weir_guest.export
class Nothing(weir_guest.Operator):
    name = "nothing"
    version = "1"

    def process(self, record, ctx):
        pass
"""


class Times(unittest.TestCase):
    def test_times_are_written_as_people_read_them(self) -> None:
        for ms, expect in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_357_034_400_000, "2013-01-01T10:00:00Z"),
            (951_782_400_050, "2000-02-29T00:00:00.050Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ]:
            self.assertEqual(rfc3339(ms), expect)
            self.assertEqual(to_ms(to_datetime(ms)), ms)

    def test_ms_are_made_of_pythons_types(self) -> None:
        self.assertEqual(to_ms(datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))), 0)
        self.assertEqual(to_ms(timedelta(hours=1)), 3_600_000)
        with self.assertRaisesRegex(ValueError, "in no time zone"):
            to_ms(datetime(1970, 1, 1))

    def test_durations_are_read_as_a_job_file_writes_them(self) -> None:
        read = [duration_ms(text) for text in ("500ms", "30s", "10m", "1h", "7d", "1h 30m", "0s")]
        self.assertEqual(read, [500, 30_000, 600_000, 3_600_000, 604_800_000, 5_400_000, 0])
        for text in ("", " ", "1", "h", "1 h", "-1s", "1.5h", "1y", "1H", "1h30m"):
            with self.assertRaises(ValueError):
                duration_ms(text)


class Rows(unittest.TestCase):
    def test_fields_are_found_by_their_columns(self) -> None:
        columns = Columns("year,arr_delay,tailnum", "tailnum", "arr_delay")
        for row, expect in [
            (b"2013,11,N1", (b"N1", b"11")),
            (b"2013,,", (b"", b"")),
            (b'"2,013","a ""b""",N1,x"', (b"N1", b'a "b"')),
            (b'1,2,"N1"', (b"N1", b"2")),
        ]:
            self.assertEqual(columns.read(row), expect)
        self.assertEqual(Columns("a,b", "b").read(b"1,2,3"), b"2")

    def test_bad_rows_and_headers_are_named(self) -> None:
        columns = Columns("year,arr_delay,tailnum", "tailnum")
        for row, expect in [
            (b"2013,1", "2 fields, and field 3 is wanted"),
            (b'1,"2', "does not end"),
            (b'1,"2"x,3', "`x` follows a quoted field"),
        ]:
            with self.assertRaisesRegex(Failure, expect):
                columns.read(row)
        for header, name, expect in [
            ("a,b", "c", "no column `c`"),
            ("a,a", "a", "more than one column `a`"),
            (None, "a", "is not known"),
        ]:
            with self.assertRaisesRegex(Failure, expect):
                Columns(header, name)


class Build(unittest.TestCase):
    def checked(
        self, imports: str = "", text: str = OPERATOR, name: str = "nothing", files: tuple[str, ...] = ()
    ) -> str:
        """What the build says of a module; empty where it is fine."""
        with tempfile.TemporaryDirectory() as folder:
            module, vendor = Path(folder, f"{name}.py"), Path(folder, "vendor")
            vendor.mkdir()
            module.write_text(text.format(imports=imports))
            for file in files:
                path = vendor / file
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(
                    b"" if path.suffix == ".so" else b"try:\n    import fast._speed\nexcept ImportError:\n    pass\n"
                )
            try:
                build.build(str(module), None, [], check_only=True)
            except build.BuildError as error:
                return str(error)
        return ""

    def test_a_module_is_imported_before_a_component_is_made_of_it(self) -> None:
        self.assertEqual(self.checked(), "")
        self.assertIn("imports `nowhere`, which is not installed", self.checked("import nowhere"))
        self.assertIn("ZeroDivisionError", self.checked("1 / 0"))
        self.assertIn("has no operator", self.checked(text=""))
        self.assertNotIn("\n", self.checked("import nowhere"))
        self.assertIn("the name of another module", self.checked(name="operator"))
        self.assertIn("there is no nowhere.py", self.located("nowhere.py"))

    def test_a_module_exports_one_operator(self) -> None:
        told = self.checked(text=OPERATOR.replace("@weir_guest.export", ""))
        self.assertEqual(
            told,
            "nothing: `@weir_guest.export` is missing above `class Nothing`: it says which operator to build",
        )
        twice = OPERATOR + OPERATOR.replace("class Nothing", "class Other")
        self.assertIn("nothing exports Nothing and Other: a component is one operator", self.checked(text=twice))
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "real.py").write_text(OPERATOR.format(imports=""))
            Path(folder, "other.py").write_text("from real import Nothing\n")
            with self.assertRaisesRegex(build.BuildError, "other has Nothing of real: that is the module to build"):
                build.build(str(Path(folder, "other.py")), None, [], check_only=True)

    def located(self, module: str) -> str:
        with self.assertRaises(build.BuildError) as error:
            build.build(module, None, [], check_only=True)
        return str(error.exception)

    def test_a_native_package_is_refused_by_name(self) -> None:
        suffix = f".cpython-{sys.version_info.major}{sys.version_info.minor}-x86_64-linux-gnu.so"
        if sys.platform != "linux":
            suffix = ".so"
        told = self.checked("import fast._speed", files=("fast/__init__.py", f"fast/_speed{suffix}"))
        self.assertIn("fast is native code (", told)
        self.assertEqual(self.checked("import fast", files=("fast/__init__.py", f"fast/_speed{suffix}")), "")


class Package(unittest.TestCase):
    def test_it_has_the_world_as_it_is(self) -> None:
        world = SDK.parent.parent / "wit" / "operator.wit"
        if not world.exists():
            self.skipTest("outside weir's repository")
        self.assertEqual((SDK / "weir_guest" / "wit" / "operator.wit").read_text(), world.read_text())

    def test_the_readmes_first_operator_works(self) -> None:
        blocks = (SDK / "README.md").read_text().split("```python\n")
        operator = blocks[1].split("```")[0]
        testing = next(block.split("```")[0] for block in blocks if block.startswith("from weir_guest.testing"))
        done = subprocess.run([sys.executable, "-c", f"{operator}\n{testing}"], cwd=SDK, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
