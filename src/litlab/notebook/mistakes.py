"""A mistake in a notebook is one error, without the errors that led to it, and a warning is one line."""

import functools
import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from litlab.console import warnings_in_one_line
from litlab.errors import FULL_ERROR, ConfigError

P = ParamSpec("P")
T = TypeVar("T")


def one_error(function: Callable[P, T]) -> Callable[P, T]:
    """Cuts the traceback of a `ConfigError`, whose line says it all. A notebook prints hundreds of lines otherwise.

    HYDRA_FULL_ERROR=1 shows it whole. Other errors stay as they are. Warnings are printed as on the command line,
    without the file and the line that warned.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        if os.environ.get(FULL_ERROR) == "1":
            return function(*args, **kwargs)
        try:
            with warnings_in_one_line():
                return function(*args, **kwargs)
        except ConfigError as error:
            raise error.with_traceback(None) from None

    return call
