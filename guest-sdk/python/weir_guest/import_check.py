"""Imports an operator's module natively as a component would, says in a line what is wrong with it, and copies what it
has imported of installed packages. A script of its own: ``import_check.py MODULE PACKAGES FOLDER…``, with nothing for
PACKAGES where nothing is to be copied.

Packages that have a pure way beside their native extension take it here as they do there: the extension is not found,
which they expect.
"""

import importlib
import importlib.machinery
import os
import sys
import sysconfig
import traceback
from types import TracebackType
from typing import Any

#: Where the modules are that a component has itself.
STDLIB = tuple(
    os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib") if sysconfig.get_path(name)
)
#: How many places are told of an exception.
_PLACES_MAX = 8


def is_installed(file: str) -> bool:
    """Whether a file or folder is of what was installed beside the standard library."""
    parts = os.path.realpath(file).split(os.sep)
    if "site-packages" in parts or "dist-packages" in parts:
        return True
    return not os.path.realpath(file).startswith(STDLIB)


class NoNativeExtensions:
    """Refuses extension modules that are not the standard library's."""

    def __init__(self) -> None:
        self.refused: list[tuple[str, str]] = []

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None or not isinstance(spec.loader, importlib.machinery.ExtensionFileLoader):
            return None
        file = os.path.realpath(spec.origin or "")
        if not is_installed(file):
            return None
        self.refused.append((name.partition(".")[0], file))
        raise ModuleNotFoundError(f"`{name}` is a native extension, which a component cannot have: {file}", name=name)

    def blamed(self, error: BaseException) -> tuple[str, str] | None:
        """The package and its extension without which the import failed, where that is why."""
        for package, file in reversed(self.refused):
            if isinstance(error, ImportError) and (error.name or "").partition(".")[0] == package:
                return package, file
            # It may say in words of its own that it does not do without.
            root = file[: file.rfind(f"{os.sep}{package}{os.sep}") + len(package) + 2]
            frames = traceback.extract_tb(error.__traceback__)
            if any(os.path.realpath(frame.filename).startswith(root) for frame in frames):
                return package, file
        return None


def main(module: str, packages: str, *folders: str) -> None:
    here = os.path.dirname(os.path.realpath(__file__))
    found = [path for path in sys.path if os.path.realpath(path) != here]
    # What is installed comes last: the author's own is taken before it.
    sys.path[:] = [*folders, *sorted(found, key=lambda path: path.endswith("-packages"))]
    refuses = NoNativeExtensions()
    sys.meta_path.insert(0, refuses)  # type: ignore[arg-type]
    before = set(sys.modules)
    try:
        imported = importlib.import_module(module)
    except BaseException as error:
        sys.exit(_told(module, folders, error, refuses.blamed(error)))
    _has_an_operator(module, imported)
    if packages:
        from weir_guest.bundled import copy_installed

        copy_installed(set(sys.modules) - before, folders, packages)


def _has_an_operator(module: str, imported: Any) -> None:
    """Ends with what is missing, where the module exports no operator."""
    from weir_guest import Operator
    from weir_guest.component import exported

    classes = [one for one in vars(imported).values() if isinstance(one, type) and issubclass(one, Operator)]
    own = [one.__name__ for one in classes if one.__module__ == module]
    names = list(dict.fromkeys(one.__qualname__ for one in exported.get(module, ())))
    others = [one for one in classes if one in exported.get(one.__module__, ())]
    if len(names) > 1:
        sys.exit(f"{module} exports {' and '.join(names)}: a component is one operator")
    if names:
        return
    if own:
        sys.exit(f"{module}: `@weir_guest.export` is missing above `class {own[-1]}`: it says which operator to build")
    if others:
        sys.exit(f"{module} has {others[-1].__name__} of {others[-1].__module__}: that is the module to build")
    sys.exit(f"{module} has no operator: a class that derives from `weir_guest.Operator`, under `@weir_guest.export`")


def _told(module: str, folders: tuple[str, ...], error: BaseException, native: tuple[str, str] | None) -> str:
    """What is wrong with a module that cannot be imported."""
    places = _places(error.__traceback__)
    at = f" ({places[-1].strip()})" if places else ""
    if native is not None:
        package, file = native
        return f"{module} cannot be built: {package} is native code ({file}) and cannot run in a component: do without it, or take a package of pure Python"
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        package = error.name.partition(".")[0]
        return f"{module} imports `{error.name}`, which is not installed for {sys.executable}, nor in {', '.join(_without_the_sdk(folders))}{at}: a line `{package}` in requirements.txt, or `pip install {package}`, brings a package of that name"
    said = "".join(traceback.format_exception_only(error)).rstrip()
    return "\n".join([f"{module} cannot be imported: {said.lstrip()}", *places[-_PLACES_MAX:]])


def _without_the_sdk(folders: tuple[str, ...]) -> list[str]:
    sdk = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    return [folder for folder in folders if os.path.realpath(folder) != sdk]


def _places(tb: TracebackType | None) -> list[str]:
    """Where an exception was raised, from the operator's module on; without the ways of imports and of the SDK."""
    own = os.path.dirname(os.path.realpath(__file__))
    told = []
    for frame in traceback.extract_tb(tb):
        if "importlib" in frame.filename or os.path.dirname(os.path.realpath(frame.filename)) == own:
            continue
        told.append(f"  at {frame.filename}:{frame.lineno}: {frame.line}")
    return told


if __name__ == "__main__":
    main(*sys.argv[1:])
