"""`export`: an operator becomes the exports of a component."""

from __future__ import annotations

import gc
import random
import sys
from typing import Any, Callable, TypeVar

from . import failure, world
from .declarations import Declarations, declarations_of
from .failure import message_of
from .instance import CallFailed, Instance, merge, migrate
from .operator import Operator, Subtask

__all__ = ["export", "exported"]

#: The classes that were exported, by their module: the build looks whether there is one.
exported: dict[str, list[type[Operator[Any]]]] = {}

O = TypeVar("O", bound=type[Operator[Any]])


def export(cls: O) -> O:
    """Makes an operator's class what the component is. Once in a component, as a decorator of the class.

    Natively it checks the declarations and nothing else, so that a test may import the module.
    """
    declared = declarations_of(cls)
    declared.descriptor()
    module = sys.modules[cls.__module__]
    other = getattr(module, "Guest", None)
    if other is not None and getattr(other, "of", cls).__qualname__ != cls.__qualname__:
        raise TypeError(
            f"{cls.__name__}: a component is one operator, and {module.__name__} exports {other.of.__name__}"
        )
    exported.setdefault(cls.__module__, []).append(cls)
    if world.is_component:
        setattr(module, "Guest", _guest(declared))
    return cls


def _guest(declared: Declarations) -> type[Any]:
    """The class that componentize-py looks for.

    It makes an instance of it for each export, so all that they share stands outside.
    """
    from wit_world import exports
    from wit_world.imports import collections

    from .sandbox import Sandbox, preload

    preload()
    sandbox = Sandbox()
    opened: list[Instance] = []
    sources = [str(getattr(module, "__file__", None) or "") for module in list(sys.modules.values())]
    for source in sources:
        # The operator's own modules: the SDK and the standard library are known.
        if source and not source.startswith("/python") and "weir_guest" not in source:
            failure.keep_sources(source)

    def called(call: Any, fired: Any, work: Callable[[Instance], Callable[[Any, Any], Any]]) -> Any:
        sandbox.enter(True, call.processing_time)
        try:
            if not opened:
                raise world.Err(world.types.Failure(None, "a call came before open"))
            return work(opened[0])(call, fired)
        except CallFailed as failed:
            raise world.Err(world.types.Failure(failed.cause, failed.message)) from None
        except MemoryError:
            # It is no record's fault. What it passes through becomes a trap, and the host has the call made again by
            # another instance.
            raise
        finally:
            sandbox.leave()

    def told(work: Callable[..., Any], *arguments: Any) -> Any:
        sandbox.enter(False)
        try:
            return work(declared, *arguments)
        except BaseException as error:
            raise world.Err(message_of(error)) from None
        finally:
            sandbox.leave()

    class Guest(exports.Guest):  # type: ignore[misc, name-defined]
        of = declared.cls

        def describe(self) -> Any:
            return declared.descriptor()

        def open(self, config: str, schemas: list[str | None], subtask: Any) -> None:
            sandbox.enter(True)
            random.seed(subtask.seed)
            try:
                opened[:] = [
                    Instance(
                        declared,
                        config,
                        schemas,
                        Subtask(subtask.index, subtask.parallelism, subtask.seed),
                        collections,
                    )
                ]
            except BaseException as error:
                raise world.Err(message_of(error)) from None
            finally:
                sandbox.leave()

        def process(self, ctx: Any, batch: Any) -> Any:
            return called(ctx, batch, lambda instance: instance.process)

        def on_timers(self, ctx: Any, fired: Any) -> Any:
            return called(ctx, fired, lambda instance: instance.on_timers)

        def on_windows(self, ctx: Any, fired: Any) -> Any:
            return called(ctx, fired, lambda instance: instance.on_windows)

        def merge(self, state: int, earlier: Any, later: Any) -> Any:
            return told(merge, state, earlier, later)

        def migrate(self, state: int, from_version: int, values: Any) -> Any:
            return told(migrate, state, from_version, values)

    # What is there now stays: it need not be looked through again and again.
    gc.collect()
    gc.freeze()
    return Guest
