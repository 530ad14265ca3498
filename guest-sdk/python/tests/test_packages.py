"""Packages that pip has installed in the interpreter that builds a component."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import venv
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from .test_tools import OPERATOR, SDK

INSTALLED = {
    "humane/__init__.py": "import helper\nfrom importlib.metadata import version\nfrom . import text\nV = version('humane')\n",
    "humane/text.py": "",
    "humane/words.txt": "words",
    "humane/late.py": "",
    "humane/__pycache__/text.pyc": "",
    f"humane/_speed{EXTENSION_SUFFIXES[0]}": "",
    "humane-4.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: humane\nVersion: 4.2\n",
    "humane-4.2.dist-info/top_level.txt": "humane\n",
    "humane-4.2.dist-info/RECORD": "humane/__init__.py,,\nhumane-4.2.dist-info/METADATA,,\nhumane-4.2.dist-info/RECORD,,\n",
    "helper.py": "import spaces.one\n",
    "spaces/one/__init__.py": "",
    "unasked/__init__.py": "1 / 0",
    "quick/__init__.py": "try:\n    from . import _quick\nexcept ImportError:\n    raise RuntimeError('no quick')\n",
    f"quick/_quick{EXTENSION_SUFFIXES[0]}": "",
    "either/__init__.py": "try:\n    from . import _fast\nexcept ImportError:\n    _fast = None\n",
    f"either/_fast{EXTENSION_SUFFIXES[0]}": "",
}


class Packages(unittest.TestCase):
    folder: tempfile.TemporaryDirectory[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = Path(cls.folder.name).resolve()
        venv.create(cls.root / ".venv", with_pip=False, symlinks=True)
        (site,) = (cls.root / ".venv").glob("lib/python*/site-packages")
        cls.site = site
        for name, text in INSTALLED.items():
            (site / name).parent.mkdir(parents=True, exist_ok=True)
            (site / name).write_text(text)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def run_with(self, imports: str, *command: str, sdk: str = str(SDK)) -> subprocess.CompletedProcess[str]:
        """Runs the environment's Python beside a module with these imports."""
        (self.root / "visits.py").write_text(OPERATOR.format(imports=imports))
        return subprocess.run(
            [str(self.root / ".venv" / "bin" / "python"), "-B", *command],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": sdk},
            capture_output=True,
            text=True,
        )

    def copied(self, imports: str) -> list[str]:
        """The files that a component takes along."""
        with tempfile.TemporaryDirectory() as folder:
            check = str(SDK / "weir_guest" / "import_check.py")
            done = self.run_with(imports, "-I", check, "visits", folder, str(self.root), str(SDK))
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            return sorted(str(file.relative_to(folder)) for file in Path(folder).rglob("*") if file.is_file())

    def test_what_is_imported_is_bundled_with_what_that_imports(self) -> None:
        self.assertEqual(
            self.copied("import humane"),
            [
                "helper.py",
                "humane-4.2.dist-info/METADATA",
                "humane-4.2.dist-info/RECORD",
                "humane/__init__.py",
                "humane/late.py",
                "humane/text.py",
                "humane/words.txt",
                "spaces/one/__init__.py",
            ],
        )
        self.assertEqual(self.copied("import json"), [])
        self.assertEqual(self.copied("import either"), ["either/__init__.py"])

    def test_an_sdk_that_is_installed_is_a_package_like_another(self) -> None:
        installed = self.site / "weir_guest"
        shutil.copytree(SDK / "weir_guest", installed)
        try:
            self.assertEqual(self.run_with("", "-m", "weir_guest.build", "visits.py", "--check", sdk="").stderr, "")
            with tempfile.TemporaryDirectory() as folder:
                check = str(installed / "import_check.py")
                done = self.run_with("", "-I", check, "visits", folder, str(self.root), sdk="")
                self.assertEqual(done.stderr, "")
                self.assertTrue(Path(folder, "weir_guest", "state", "value.py").exists())
                self.assertEqual([file.name for file in Path(folder).iterdir()], ["weir_guest"])
        finally:
            shutil.rmtree(installed)

    def test_the_authors_own_comes_before_what_is_installed(self) -> None:
        own = self.root / "vendor" / "humane.py"
        own.parent.mkdir()
        own.write_text("OWN = 1\n")
        try:
            done = self.run_with("from humane import OWN", "-m", "weir_guest.build", "visits.py", "--check")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
        finally:
            own.unlink()
            own.parent.rmdir()

    def test_what_is_native_is_refused_in_a_line(self) -> None:
        for name in ("quick", "quick._quick"):
            done = self.run_with(f"import {name}", "-m", "weir_guest.build", "visits.py", "--check")
            file = self.site / f"quick/_quick{EXTENSION_SUFFIXES[0]}"
            self.assertEqual(
                done.stderr,
                f"error: visits cannot be built: quick is native code ({file}) and cannot run in a component: do without it, or take a package of pure Python\n",
            )
            self.assertEqual(done.returncode, 1)
        done = self.run_with("import either\n1 / 0", "-m", "weir_guest.build", "visits.py", "--check")
        self.assertIn("visits cannot be imported: ZeroDivisionError", done.stderr)

    def test_what_is_missing_is_said_in_a_line(self) -> None:
        done = self.run_with("import humaine.text", "-m", "weir_guest.build", "visits.py", "--check")
        self.assertIn("error: visits imports `humaine`, which is not installed for ", done.stderr)
        self.assertIn("visits.py:3: import humaine.text", done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)


if __name__ == "__main__":
    unittest.main()
