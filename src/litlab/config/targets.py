"""Why a `_target_` cannot be imported."""

import difflib
import sys

from litlab.errors import one_line


def why_not_imported(target: str, error: BaseException) -> str:
    """`mylab.networks has no Tyni; did you mean Tiny?`, or why its module cannot be imported.

    Args:
        target: the dotted name of a class or a function.
        error: of Hydra, which has tried it.
    """
    module, _, name = target.rpartition(".")
    if module not in sys.modules:
        return one_line(error.__cause__ or error)
    close = difflib.get_close_matches(name, vars(sys.modules[module]), n=1)
    return f"{module} has no {name}" + (f"; did you mean {close[0]}?" if close else "")
