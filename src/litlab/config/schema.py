"""JSON schemas of config files, for editors: which keys an option of a group may have, and which values."""

import inspect
import types
import typing
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, Union

from litlab.config.check import BELOW_HIGHEST, BOUNDS, FILLED_FROM_DATA, MAY_BE_AUTO, MAY_BE_NULL, TYPES, own_keys
from litlab.config.hints import LISTS, signature
from litlab.config.targets import find

Schema = dict[str, Any]

# Hydra fills these in later: `${seed}`, and a value that must be given.
LATER: Schema = {"type": "string", "pattern": r"\$\{|^\?\?\?$"}
HYDRAS: dict[str, Schema] = {  # keys that every file, or what it builds, may have
    "defaults": {"type": "array"},
    "_target_": {"type": "string", "description": "the class or the function that is called, by its name in Python"},
    "_partial_": {"type": "boolean"},
    "_convert_": {"type": "string"},
    "_recursive_": {"type": "boolean"},
}
PLAIN: dict[Any, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    Path: {"type": "string"},
    type(None): {"type": "null"},
}


def schema_of_hint(hint: Any) -> Schema:
    """The values that fit a type hint, as `accepts` judges them. A hint that is not understood takes every value."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return {"anyOf": [schema_of_hint(argument) for argument in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in LISTS:
        items = arguments[:1] if origin is not tuple or arguments[1:] == (...,) else ()
        return {"type": "array", **({"items": schema_of_hint(items[0])} if items else {})}
    if origin in (dict, Mapping) or hint in (dict, Mapping):
        return {"type": "object"}
    if hint in PLAIN:
        return dict(PLAIN[hint])
    # YAML cannot write an object of a class. Only a mapping with a `_target_` can stand for one.
    return {"type": "object"} if inspect.isclass(hint) and hint.__module__ != "builtins" else {}


def schema_of_setting(key: str, hint: Any, words: str = "", nullable: bool = False) -> Schema:
    """The values of one setting, with its bounds.

    Args:
        key: such as `optimizer.lr`.
        hint: of the constructor.
        words: what it is, which an editor shows.
        nullable: whether null is right too.
    """
    taken = schema_of_hint(hint)
    explained = {"description": words} if words else {}
    if not taken:
        return explained
    low, high, is_open = BOUNDS.get(key, (None, None, False))
    if low is not None:
        taken |= {"exclusiveMinimum" if is_open else "minimum": low}
        highest = "exclusiveMaximum" if key in BELOW_HIGHEST else "maximum"
        taken |= {highest: high} if high is not None and high < 2**40 else {}
    others: list[Schema] = [LATER]
    others += [{"enum": ["auto"]}] if key in MAY_BE_AUTO or key == "loss.class_weights" else []
    others += [{"type": "null"}] if nullable or key in MAY_BE_NULL else []
    return {"anyOf": [taken, *others], **explained}


def schema_of_target(target: str, prefix: str, words: Mapping[str, str], null: Collection[str], more: Schema) -> Schema:
    """What may stand beside `_target_` where it names a certain class.

    Args:
        target: the class.
        prefix: what stands before the keys, such as `optimizer`.
        words: what each key is.
        null: keys that may be null, although the constructor does not take it.
        more: schemas of keys that litlab reads itself, such as `enabled`.
    """
    parameters, hints, takes_any = signature(find(target))
    own = own_keys(prefix, {"_target_": target})
    keys = {key: hints.get(key) for key in parameters} | own
    properties = {
        key: schema_of_setting(f"{prefix}.{key}", hint, words.get(key, ""), key in null or key in FILLED_FROM_DATA)
        for key, hint in keys.items()
    }
    closed = {} if takes_any else {"additionalProperties": False}
    return {"properties": {**HYDRAS, **properties, **more}, **closed}


def by_target(targets: Mapping[str, Schema]) -> Schema:
    """The schema of a mapping that may name one of these classes in `_target_`. One that names another is free."""
    cases = [
        {"if": {"properties": {"_target_": {"const": name}}, "required": ["_target_"]}, "then": schema}
        for name, schema in targets.items()
    ]
    return {"type": "object", "properties": HYDRAS, **({"allOf": cases} if cases else {})}


def schema_of_general(words: Mapping[str, str]) -> Schema:
    """The settings that belong to no group, as a recipe may have them. `words` says what each is."""
    whole: Schema = {"type": "object", "properties": dict(HYDRAS)}
    for key, hint in TYPES.items():
        *above, last = key.split(".")
        place = whole
        for part in above:
            place = place["properties"].setdefault(part, {"type": "object", "properties": {}})
        place["properties"][last] = schema_of_setting(key, hint, words.get(key, ""))
    return whole
