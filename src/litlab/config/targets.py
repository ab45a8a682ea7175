"""What a `_target_` names, or why it cannot be had."""

import difflib
import inspect
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from hydra.utils import get_object

from litlab.errors import ConfigError, one_line, place_of


class NoTarget(ImportError):
    """A `_target_` that names something else. The message begins with that name."""


def find(target: str) -> Any:
    """The class, or the function, that a dotted name stands for. It is imported, and not called.

    Raises:
        ImportError: if it cannot be imported.
        NoTarget: if it is none, or its module ends the program while it is imported.
    """
    try:
        found = get_object(target)
    except SystemExit as error:
        raise NoTarget(f"{target}: the module ended the program while it was imported{place_of(error)}") from error
    if isinstance(found, ModuleType):
        instead = next(_classes_of(found), None)
        raise NoTarget(f"{target} is a module: name the class in it" + (f", such as {instead}" if instead else ""))
    if not callable(found):
        raise NoTarget(f"{target} is of type {type(found).__name__}: name a class or a function")
    return found


def target_of(key: str, target: str) -> Any:
    """Likewise of the `_target_` of a group.

    Raises:
        ConfigError: naming the key, if there is none.
    """
    try:
        return find(target)
    except NoTarget as error:
        raise ConfigError(f"{key}._target_={error}") from error
    except Exception as error:
        raise ConfigError(f"{key}._target_={target}: cannot be imported: {why_not_imported(target, error)}") from error


def check_nested(key: str, value: Any) -> None:
    """Looks up each `_target_` that is within a setting, such as those in the list `data.augment`.

    Raises:
        ConfigError: naming the setting and the `_target_`, if it names no class and no function.
    """
    if isinstance(value, list):
        for entry in value:
            check_nested(key, entry)
    elif isinstance(value, Mapping):
        if "_target_" in value:
            target_of(key, str(value["_target_"]))
        for name, entry in value.items():
            check_nested(f"{key}.{name}", entry)


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


def _classes_of(module: ModuleType) -> Iterator[str]:
    """The names of the classes that a module defines itself."""
    for name, value in vars(module).items():
        if inspect.isclass(value) and value.__module__ == module.__name__:
            yield f"{module.__name__}.{name}"
