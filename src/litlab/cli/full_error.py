"""HYDRA_FULL_ERROR: whether Hydra raises an error, or prints it over several lines and ends the process.

Without it, litlab prints an error of the user's own code with the user's own lines alone.
"""

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator

from litlab import console
from litlab.errors import RunFailed, short_traceback, with_type

VARIABLE = "HYDRA_FULL_ERROR"


def wanted() -> str | None:
    """What the user has set: "1" to see tracebacks."""
    return os.environ.get(VARIABLE)


@contextlib.contextmanager
def full_error(value: str | None) -> Iterator[None]:
    """Sets HYDRA_FULL_ERROR in the block; None: it is not set there."""
    before = os.environ.pop(VARIABLE, None)
    if value is not None:
        os.environ[VARIABLE] = value
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)
        if before is not None:
            os.environ[VARIABLE] = before


def hydra_raises() -> contextlib.AbstractContextManager[None]:
    """Makes Hydra raise its errors in the block, so that litlab can print each in one line."""
    return full_error("1")


def in_own_code(error: Exception) -> RunFailed:
    """Prints an error of the user's own code without the calls of libraries, which are in the log.

    Returns:
        It, in one line.
    """
    console.log.error("".join(traceback.format_exception(error)).rstrip())
    print(f"{short_traceback(error)}\n({VARIABLE}=1 shows all calls)", file=sys.stderr)
    return RunFailed(with_type(error))
