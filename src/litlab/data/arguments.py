"""Checks of single arguments. The message of each error begins with the argument's name."""

from pathlib import Path
from typing import Any


def whole_number(name: str, value: Any, least: int) -> int:
    """`value`, if it is a whole number of at least `least`.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} must be a whole number, not {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    return value


def boolean(name: str, value: Any) -> bool:
    """`value`, if it is true or false.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, not {value!r}")
    return value


def folder_path(name: str, value: Any) -> Path:
    """The path of the folder `value`, with `~` replaced by the home folder. The folder need not exist.

    Raises:
        ValueError: it is not a path.
    """
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError(f"{name} must be the path of a folder, not {value!r}")
    return Path(value).expanduser()
