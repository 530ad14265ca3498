"""Makes a component of an operator's module: ``python -m weir_guest.build count.py -o count.wasm``.

It first imports the module natively, with native extensions refused, so that what is wrong is told at once and by
name. What it imports of packages that pip has installed, or that are in a folder ``vendor`` beside it, is taken along.
Then componentize-py runs the module in the interpreter that goes into the component, imports included, and
keeps what is in memory then: there are no files in a component, and nothing is imported later.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

__all__ = ["BuildError", "build", "main"]

SDK = Path(__file__).resolve().parent
WORLD = "operator"
#: The version that this SDK is tested with.
COMPONENTIZE_PY = "0.25.1"


class BuildError(Exception):
    """What keeps a component from being made, and what to do."""


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="weir_guest.build", description="Makes a component of an operator's module.")
    parser.add_argument("module", help="the module's file, or its name where --path has it")
    parser.add_argument("-o", "--output", type=Path, help="the component; by default MODULE.wasm")
    parser.add_argument(
        "-p",
        "--path",
        action="append",
        default=[],
        type=Path,
        help="a folder of packages to bundle, such as one of `pip install --target`",
    )
    parser.add_argument("--check", action="store_true", help="only see whether it could be made")
    said = parser.parse_args(arguments)
    try:
        build(said.module, said.output, said.path, check_only=said.check)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def build(module: str, output: Path | None, paths: list[Path], *, check_only: bool = False) -> None:
    """Checks a module and makes a component of it."""
    name, folders = _located(module, paths)
    if check_only:
        _check(name, folders, None)
        return
    with tempfile.TemporaryDirectory(prefix="weir-packages-") as packages:
        _check(name, folders, Path(packages))
        _componentized(name, [*folders, Path(packages)], output or Path(f"{name}.wasm"))


def _componentized(name: str, folders: list[Path], output: Path) -> None:
    """Makes a component of a module that was checked."""
    tool = _componentize_py()
    command = [*tool, "-d", str(SDK / "wit"), "-w", WORLD, "componentize", "--stub-wasi"]
    for folder in folders:
        command += ["-p", str(folder)]
    print(f"{name}: making a component of it, which takes some 30 s of processor time", file=sys.stderr, flush=True)
    began = time.monotonic()
    done = subprocess.run([*command, "-o", str(output), name], capture_output=True, text=True, env=_environment())
    if done.returncode != 0:
        raise BuildError(f"componentize-py could not make it:\n{done.stdout}{done.stderr}".rstrip())
    size = output.stat().st_size / 2**20
    print(f"{output}: {size:.1f} MiB after {time.monotonic() - began:.0f} s", file=sys.stderr)


def _located(module: str, paths: list[Path]) -> tuple[str, list[Path]]:
    """The module's name, and the folders that it and what it imports are in."""
    file = Path(module)
    if file.suffix == ".py" or file.is_dir():
        if not file.exists():
            raise BuildError(f"there is no {module}")
        name, folders = file.stem, [file.resolve().parent]
    else:
        name, folders = module, [Path.cwd()]
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name):
        raise BuildError(f"`{name}` is no name of a module: letters, digits and `_`")
    if name in sys.stdlib_module_names or name in (WORLD, "wit_world", "weir_guest"):
        raise BuildError(f"`{name}` is the name of another module: call the operator's otherwise")
    for path in paths:
        if not path.is_dir():
            raise BuildError(f"there is no folder {path}")
    vendor = folders[0] / "vendor"
    paths = [*paths, *([vendor] if vendor.is_dir() else [])]
    # An SDK that pip has installed is taken along as any other package is.
    sdk = [] if SDK.parent.name.endswith("-packages") else [SDK.parent]
    return name, list(dict.fromkeys([*folders, *(path.resolve() for path in paths), *sdk]))


def _environment() -> dict[str, str]:
    """The environment without what would add folders to the module's."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


def _check(name: str, folders: list[Path], packages: Path | None) -> None:
    """Imports the module as the component will: without native extensions, from these folders, the standard library and
    what is installed beside it. What it imports of the last is copied to the folder of packages.
    """
    command = [sys.executable, "-I", "-B", str(SDK / "import_check.py"), name, str(packages or ""), *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, env=_environment())
    if done.returncode != 0:
        raise BuildError((done.stderr or done.stdout).strip())


def _componentize_py() -> list[str]:
    """The command of componentize-py."""
    beside = Path(sys.executable).parent / "componentize-py"
    found = str(beside) if beside.exists() else shutil.which("componentize-py")
    if found is None:
        raise BuildError(
            f"componentize-py is missing: `{sys.executable} -m pip install componentize-py=={COMPONENTIZE_PY}` gets it"
        )
    return [found]


if __name__ == "__main__":
    sys.exit(main())
