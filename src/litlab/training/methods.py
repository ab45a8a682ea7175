"""Checks the methods of a user's own classes, which Lightning and litlab call, before anything is trained."""

import inspect
from collections.abc import Callable
from typing import Any

from litlab.errors import ConfigError

BY_NAME = {"setup": ["stage"], "teardown": ["stage"]}  # arguments that Lightning gives by their names


def is_own(cls: type) -> bool:
    """Whether a class is the user's, and not one of litlab or of what it stands on."""
    return cls.__module__.partition(".")[0] not in ("litlab", "lightning", "torch")


def check_methods(made: object, base: type, given: str) -> None:
    """Refuses a method that does not take the arguments which the method of the base class takes.

    Without this, the first call would end in a TypeError that has no line of the user's own code.

    Args:
        made: an object of the user's class.
        base: the class that it inherits from.
        given: the setting that names the class.

    Raises:
        ConfigError: naming the method and its arguments.
    """
    if not is_own(type(made)):
        return
    for name, theirs in inspect.getmembers(base, inspect.isfunction):
        cls = next(cls for cls in type(made).__mro__ if name in vars(cls))
        own = vars(cls)[name]
        if name.startswith("_") or not is_own(cls) or not inspect.isfunction(own):
            continue
        named = BY_NAME.get(name, [])
        positional = [argument for argument in _needed(theirs) if argument not in named]
        try:
            inspect.signature(own).bind(*positional, **dict.fromkeys(named))
        except TypeError:
            said = f"def {name}({', '.join([*positional, *named])})"
            where = f"{given}: {cls.__module__}.{cls.__qualname__}"
            raise ConfigError(f"{where}: must be {said}, as in its base class") from None


def _needed(method: Callable[..., Any]) -> list[str]:
    """The names of the arguments without a default."""
    parameters = inspect.signature(method).parameters.values()
    return [it.name for it in parameters if it.default is it.empty and it.kind is it.POSITIONAL_OR_KEYWORD]
