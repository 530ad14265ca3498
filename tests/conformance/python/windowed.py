"""The windowed operator of the conformance tests. See `tests/conformance/README.md`."""

import operator

import weir_guest
from weir_guest import (
    I64,
    U64,
    Context,
    Failure,
    FiredWindow,
    ListState,
    MapState,
    Record,
    ValueState,
    Window,
    WindowedOperator,
    state,
)


def bounds(window: Window | None) -> str:
    """A window's bounds, or `-` of one without."""
    return "-" if window is None else f"{window.start}..{window.end}"


@weir_guest.export
class Windowed(WindowedOperator):
    """Adds up words by window."""

    name = "conformance-windowed"
    version = "1.0.0"

    sum: ValueState[I64] = state(merge=operator.add)
    first: ValueState[str] = state(merge=lambda earlier, _: earlier)
    words: ListState[str]
    tally: MapState[str, U64] = state(merge=operator.add)

    def process(self, record: Record, ctx: Context) -> None:
        word, _, number = record.text().partition(" ")
        if word == "fail":
            raise Failure(number)
        self.sum.set(self.sum.get(0) + int(number))
        if self.first.get() is None:
            self.first.set(word)
        self.words.append(word)
        self.tally[word] = self.tally.get(word, 0) + 1

    def on_window(self, firing: FiredWindow, ctx: Context) -> None:
        first = self.first.get()
        window = bounds(firing.window)
        if first == "poison":
            raise Failure(f"poison in {window}")
        words = ",".join(self.words)
        tally = ",".join(f"{word}:{times}" for word, times in self.tally.items())
        replaces = ",".join(map(bounds, firing.replaces))
        ctx.emit(
            f"{window} {firing.reason.name.lower()} {firing.revision} sum={self.sum.get('none')} first={first or 'none'} "
            f"words={words} tally={tally} replaces={replaces}"
        )
