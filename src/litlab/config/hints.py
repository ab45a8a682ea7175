"""Reads from the signature of a constructor which values it takes."""

import inspect
import re
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union

from litlab.config.suggest import suggest

# torch.nn.Module is there. Its constructor has `*args, **kwargs`, and takes none.
MODULE = "torch.nn.modules.module"
LISTS = (list, Sequence, Iterable, tuple)  # what a list in YAML may stand for


def signature(target: Callable) -> tuple[dict[str, Any], dict[str, Any], bool]:
    """The parameters and the type hints of a constructor by name, and whether it takes others as well.

    A constructor with `**arguments` passes them on to its base class. So the parameters of the base class count too.
    """
    functions: list[Callable] = [target]
    if inspect.isclass(target):
        makers = [cls for cls in target.__mro__ if cls is not object and "__init__" in vars(cls)]
        if [cls.__module__ for cls in makers] == [MODULE]:
            return {}, {}, False
        functions = [vars(cls)["__init__"] for cls in makers]
    parameters: dict[str, Any] = {}
    hints: dict[str, Any] = {}
    for function in functions:
        found = inspect.signature(function).parameters
        named = {name: p for name, p in found.items() if p.kind is not p.VAR_KEYWORD and name != "self"}
        parameters, hints = named | parameters, _type_hints(function) | hints
        if len(named) + ("self" in found) == len(found):
            return parameters, hints, False
    return parameters, hints, True


def unknown_to(target: Callable, named: str, key: str, parameters: Collection[str]) -> str:
    """`is unknown to mylab.Net; there is: width`: what to say of a setting that a constructor does not take.

    Args:
        named: the constructor, as the config names it.
        parameters: what it takes.
    """
    instead = suggest(key, parameters)
    if inspect.isclass(target) and any(key in signature(base)[0] for base in target.__bases__):
        instead = "its base class takes it: let __init__ take **options too, and call super().__init__(**options)"
    return f"is unknown to {named}; {instead}"


def _type_hints(function: Callable) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # a hint may name a class that is imported for type checkers only
        return {}


def accepts(hint: Any, value: Any) -> bool:
    """Whether a plain value fits a type hint. A hint that is not understood takes every value."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return any(accepts(argument, value) for argument in arguments)
    if origin is Literal:
        return value in arguments
    if hint is Any:
        return True
    if hint is type(None):
        return value is None
    if hint is bool:
        return isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is str:
        return isinstance(value, str)
    if hint is Path:
        return isinstance(value, str)
    if origin in LISTS:
        if not isinstance(value, list):
            return False
        items = arguments[:1] if origin is not tuple or arguments[1:] == (...,) else ()
        return all(accepts(item, element) for item in items for element in value)
    if origin in (dict, Mapping) or hint in (dict, Mapping):
        return isinstance(value, dict)
    # YAML cannot write an object of a class. Only a mapping with a `_target_` can stand for one.
    return isinstance(value, dict) if inspect.isclass(hint) and hint.__module__ != "builtins" else True


def as_written(value: Any) -> str:
    """A value as it stands in a config: `null`, not `None`."""
    if isinstance(value, str) and re.fullmatch(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?|true|false|null", value, re.IGNORECASE):
        return f'"{value}"'  # a text that would be something else without quotes
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def describe(hint: Any) -> str:
    """A type hint in words, such as `an integer or null`."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        literals = [a for a in arguments if typing.get_origin(a) is Literal]
        values = dict.fromkeys(str(value) for literal in literals for value in typing.get_args(literal))
        # Sorted, because typing takes `int | float` and `float | int` for the same and gives the one that came first.
        others = sorted((describe(a) for a in arguments if _is_plain(a) and a not in literals), key=_place)
        return " or ".join(dict.fromkeys([*(["one of " + ", ".join(values)] if values else []), *others]))
    if origin is Literal:
        return ("one of " if len(arguments) > 1 else "") + ", ".join(map(str, arguments))
    if origin in LISTS:
        return " of ".join(["a list", *_items(hint)])
    names = {int: "an integer", float: "a number", str: "text", bool: "true or false", type(None): "null"}
    return names.get(hint, "a mapping" if origin in (dict, Mapping) else getattr(hint, "__name__", str(hint)))


def must_be(key: str, value: Any, hint: Any, also: str = "") -> str:
    """What a setting must be that does not take a value; a value that lacks the brackets of a list is shown with them.

    Args:
        also: what it may be beside the type, such as ` or auto`.
    """
    text = as_written(value)
    brackets = f": write {key}=[{text}]" if isinstance(value, str) and accepts(hint, [value]) else ""
    return f"{key}={text}: must be {describe(hint)}{also}{brackets}"


SEVERAL = {int: "integers", float: "numbers", str: "texts", dict: "mappings", Mapping: "mappings"}


def _items(hint: Any) -> list[str]:
    """What is in a list, such as `integers`; nothing where the type does not say it, or `accepts` does not check it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    of_any_length = len(arguments) == 1 or (origin is tuple and arguments[1:] == (...,))
    item = arguments[0] if of_any_length else None
    if typing.get_origin(item) in LISTS:
        return ["lists", *_items(item)]
    kinds = typing.get_args(item) if typing.get_origin(item) in (Union, types.UnionType) else (item,)
    words = [SEVERAL.get(typing.get_origin(kind) or kind) for kind in kinds]
    return [" or ".join(map(str, words))] if all(words) else []


ORDER = ("true or false", "an integer", "a number", "text", "a list", "a mapping", "null")


def _place(words: str) -> int:
    """Where a type stands in a list of types."""
    kind = words.partition(" of ")[0]
    return ORDER.index(kind) if kind in ORDER else len(ORDER) - 2


def _is_plain(hint: Any) -> bool:
    return typing.get_origin(hint) is not None or hint in (int, float, str, bool, type(None))
