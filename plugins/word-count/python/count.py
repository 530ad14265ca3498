"""Words in, as keys; after each the word and how often it has come: `{"word":"a","count":1}`.

The state is the same as that of the plugins in other languages, to the byte: a job may go on with any of them.
"""

from dataclasses import dataclass

import weir_guest
from weir_guest import U64, Context, Operator, Record, ValueState


@dataclass
class Occurrences:
    """The state of a word."""

    count: U64 = 0


@weir_guest.export
class Count(Operator):
    """The operator."""

    name = "word-count-count"
    version = "0.1.0"

    occurrences: ValueState[Occurrences]

    def process(self, record: Record, ctx: Context) -> None:
        word = record.key_text()
        occurrences = self.occurrences.get() or Occurrences()
        occurrences.count += 1
        self.occurrences.set(occurrences)
        ctx.emit_json({"word": word, "count": occurrences.count})
