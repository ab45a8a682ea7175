"""Imports many modules faster."""

import contextlib
import gc
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def collector_rests() -> Iterator[None]:
    """Stops Python's garbage collector while the block imports torch and what stands on it.

    These imports make some hundred thousand objects that stay. The collector would look at all of them again and
    again, which takes a sixth of the time. It does not look at them after the block either. The jobs of a sweep that
    find torch imported change nothing.
    """
    if "torch" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
