"""Checks that what a checkpoint holds is plain data, and shows it in messages.

A checkpoint is somebody else's file. It may hold anything, in any size.
"""

import math
from typing import Any

from litlab.console import printable

MAX_INTEGER = 2**31
MAX_VALUES = 20_000  # in one record, at all levels together
MAX_DEPTH = 12  # levels of lists and mappings in each other
MAX_TEXT = 4_096  # characters


class NotAllowed(ValueError):
    """A checkpoint holds, or names, what it must not. The message is one line."""


def plain_data(value: Any, where: str) -> Any:
    """A copy of `value`, which must consist of texts, numbers, lists and mappings, of a sane size.

    Args:
        value: from a checkpoint.
        where: the beginning of the error message, such as `the arguments of litlab.networks.MLP`.

    Raises:
        NotAllowed: if there is anything else, such as a mapping with a key `_target_`.
    """
    left = MAX_VALUES

    def copy(value: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0 or depth > MAX_DEPTH:
            raise NotAllowed(f"{where} are too many, or nested too deep")
        if _is_scalar(value):
            return value
        if type(value) in (list, tuple):
            return [copy(item, depth + 1) for item in value]
        if type(value) is dict:
            for key in value:
                if type(key) is not str or (key.startswith("_") and key.endswith("_")):
                    raise NotAllowed(f"{where} hold the key {excerpt(key)}: only plain data may be there")
            return {copy(key, depth + 1): copy(item, depth + 1) for key, item in value.items()}
        raise NotAllowed(f"{where} hold {excerpt(value)}, which is not plain data of a sane size")

    return copy(value, 0)


def excerpt(value: Any) -> str:
    """A value from a checkpoint, for a message: short, in one line, without control characters."""
    if isinstance(value, list) and len(value) <= 1:
        value = value[0] if value else "?"
    try:
        text = value if isinstance(value, str) else f"{type(value).__name__} {str(value)[:80]!r}"
    except Exception:  # Python does not write an integer of a million digits
        text = f"a {type(value).__name__}"
    text = printable(text)
    return text if len(text) <= 160 else text[:157] + "..."


def _is_scalar(value: Any) -> bool:
    """Whether a value is None, a bool, a number or a text, of a sane size. Subclasses do not count."""
    return (
        value is None
        or type(value) is bool
        or (type(value) is int and abs(value) < MAX_INTEGER)
        or (type(value) is float and not math.isnan(value))
        or (type(value) is str and len(value) <= MAX_TEXT)
    )
