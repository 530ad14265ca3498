"""Lines in, words out: each word is the key of a record with an empty value.

A word is a maximal run of letters and digits as Python's `str.isalnum` has them, lower-cased: a combining mark that is
no letter to it ends a word, where Unicode calls some of them alphabetic. There is no state, so the input needs no key;
what follows counts the words behind an edge with `by = "key"`.
"""

import re

import weir_guest
from weir_guest import Context, Operator, Record

WORD = re.compile(r"[^\W_]+")


@weir_guest.export
class Split(Operator):
    """The operator."""

    name = "word-count-split"
    version = "0.1.0"

    def process(self, record: Record, ctx: Context) -> None:
        for word in WORD.findall(record.text()):
            ctx.emit(b"", key=word.lower())
