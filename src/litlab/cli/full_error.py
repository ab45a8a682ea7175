"""HYDRA_FULL_ERROR: whether Hydra raises an error, or prints it over several lines and ends the process."""

import contextlib
import os
from collections.abc import Iterator

from litlab.errors import FULL_ERROR


def wanted() -> str | None:
    """What the user has set: "1" to see tracebacks."""
    return os.environ.get(FULL_ERROR)


@contextlib.contextmanager
def full_error(value: str | None) -> Iterator[None]:
    """Sets HYDRA_FULL_ERROR in the block; None: it is not set there."""
    before = os.environ.pop(FULL_ERROR, None)
    if value is not None:
        os.environ[FULL_ERROR] = value
    try:
        yield
    finally:
        os.environ.pop(FULL_ERROR, None)
        if before is not None:
            os.environ[FULL_ERROR] = before


def hydra_raises() -> contextlib.AbstractContextManager[None]:
    """Makes Hydra raise its errors in the block, so that litlab can print each in one line."""
    return full_error("1")
