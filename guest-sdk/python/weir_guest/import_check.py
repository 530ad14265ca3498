"""Imports an operator's module natively as a component would, and says what is wrong with it. A script of its own:
``import_check.py MODULE FOLDER…``.

Packages that have a pure way beside their native extension take it here as they do there: the extension is not found,
which they expect.
"""

import importlib
import importlib.machinery
import os
import sys
import traceback
from types import TracebackType
from typing import Any


class NoNativeExtensions:
    """Refuses extension modules that are not the standard library's."""

    def __init__(self, folders: tuple[str, ...]) -> None:
        self.folders = folders
        self.refused: list[tuple[str, str]] = []

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if path is None:
            path = self.folders
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None or not isinstance(spec.loader, importlib.machinery.ExtensionFileLoader):
            return None
        file = os.path.realpath(spec.origin or "")
        if not any(file.startswith(os.path.realpath(folder) + os.sep) for folder in self.folders):
            return None
        self.refused.append((name.partition(".")[0], file))
        raise ModuleNotFoundError(f"`{name}` is a native extension, which a component cannot have: {file}", name=name)


def main(module: str, *folders: str) -> None:
    sys.path[:] = [
        *folders,
        *(
            path
            for path in sys.path
            if "site-packages" not in path and os.path.realpath(path) != os.path.dirname(__file__)
        ),
    ]
    refuses = NoNativeExtensions(folders)
    sys.meta_path.insert(0, refuses)  # type: ignore[arg-type]
    try:
        imported = importlib.import_module(module)
    except BaseException as error:
        text = "".join(traceback.format_exception(error.with_traceback(_own(error.__traceback__))))
        if refuses.refused and isinstance(error, ImportError):
            package, file = refuses.refused[-1]
            sys.exit(
                f"{module} needs `{package}`, which is native ({file}): a component holds pure Python. Do without it, or take a pure package in its place.\n{text}"
            )
        if isinstance(error, ModuleNotFoundError):
            sys.exit(
                f"{module} imports `{error.name}`, which is in none of {', '.join(folders)}: `pip install --target vendor {error.name}` and `-p vendor` bundle it.\n{text}"
            )
        sys.exit(f"{module} cannot be imported:\n{text}")
    from weir_guest import Operator

    exported = [
        one
        for one in vars(imported).values()
        if isinstance(one, type) and issubclass(one, Operator) and one.__module__ == module
    ]
    if not exported:
        sys.exit(
            f"{module} has no operator: a class that derives from `weir_guest.Operator`, under `@weir_guest.export`"
        )


def _own(tb: TracebackType | None) -> TracebackType | None:
    """The traceback from the operator's module on."""
    while tb is not None and (
        tb.tb_frame.f_code.co_filename == __file__ or "importlib" in tb.tb_frame.f_code.co_filename
    ):
        tb = tb.tb_next
    return tb


if __name__ == "__main__":
    main(*sys.argv[1:])
