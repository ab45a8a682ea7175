"""Checks the methods of a user's own classes, which Lightning and litlab call, before anything is trained."""

import inspect
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
        positional, named = _arguments(theirs, BY_NAME.get(name, []))
        try:
            inspect.signature(own).bind(*positional, **dict.fromkeys(named))
        except TypeError:
            said = f"def {name}({', '.join([*positional, *named])})"
            where = f"{given}: {cls.__module__}.{cls.__qualname__}"
            raise ConfigError(f"{where}: must be {said}, as in its base class") from None


def _arguments(method: Any, by_name: list[str]) -> tuple[list[str], list[str]]:
    """The names of the arguments that a method needs: those without a default, by their places and by their names."""
    parameters = inspect.signature(method).parameters.values()
    needed = [it.name for it in parameters if it.default is it.empty and it.kind is it.POSITIONAL_OR_KEYWORD]
    return [name for name in needed if name not in by_name], by_name
