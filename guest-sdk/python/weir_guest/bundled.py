"""What a component takes along of the packages that are installed in the interpreter that builds it: those that the
operator's module has imported, whole, but for their native extensions.

They are copied to a folder of their own, so that componentize-py is shown nothing else of what is installed.
"""

from __future__ import annotations

import os
import shutil
import sys
from importlib import machinery, metadata
from typing import Iterable

from .import_check import is_installed

__all__ = ["copy_installed"]

#: Endings of what no component can load.
_NATIVE = (*machinery.EXTENSION_SUFFIXES, ".so", ".pyd", ".dylib", ".dll")


def copy_installed(names: Iterable[str], folders: tuple[str, ...], to: str) -> None:
    """Copies the packages whose modules have these names, and that are in none of the folders."""
    tops = {name.partition(".")[0] for name in names if _is_installed_module(name, folders)}
    for top in sorted(tops):
        module = sys.modules[top]
        for path in getattr(module, "__path__", ()):
            shutil.copytree(path, os.path.join(to, top), ignore=_left_out, dirs_exist_ok=True)
        if not hasattr(module, "__path__"):
            shutil.copy(str(module.__file__), to)
    _copy_metadata(tops, to)


def _is_installed_module(name: str, folders: tuple[str, ...]) -> bool:
    file = getattr(sys.modules.get(name), "__file__", None)
    if not file or name.partition(".")[0] not in sys.modules or not is_installed(file):
        return False
    folder = os.path.realpath(file)
    return not any(_is_inside(folder, os.path.realpath(one)) for one in folders)


def _is_inside(file: str, folder: str) -> bool:
    """Whether a file would be found from a folder: an environment inside it is another's."""
    inside = file.removeprefix(folder + os.sep)
    return inside != file and not any(part in inside.split(os.sep) for part in ("site-packages", "dist-packages"))


def _left_out(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "__pycache__" or name.endswith(_NATIVE)]


def _copy_metadata(tops: set[str], to: str) -> None:
    """Copies what says of which version a package is: some ask for their own when they are imported."""
    of = metadata.packages_distributions()
    for name in sorted({name for top in tops for name in of.get(top, ())}):
        for file in metadata.files(name) or ():
            if file.parent.name.endswith(".dist-info") and os.path.exists(file.locate()):
                target = os.path.join(to, str(file))
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copy(str(file.locate()), target)
