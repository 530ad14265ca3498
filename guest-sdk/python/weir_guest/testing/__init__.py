"""Runs an operator natively, for its unit tests.

``TestHost`` stands in for weir: it hands records over in batches, applies what comes of them, fires timers and
windows that a test asks for, and shows what was emitted and kept. It knows no time to live and cuts no windows;
``weir plugin test`` does, in the real sandbox.
"""

from .cuts import assert_cuts_agree
from .host import TestHost
from .record import TestRecord

__all__ = ["TestHost", "TestRecord", "assert_cuts_agree"]
