"""What a name in a checkpoint may stand for.

A checkpoint is somebody else's file. Its names are looked up here, never by free instantiation: a name must lead, by
importing and not by attribute access, to a class that an allowed package defines itself, and its arguments must be
plain data. So `torchvision.models.os.system`, `litlab.networks.mlp.math.prod` or `torch.hub.load` are refused before
anything is called.
"""

import importlib
import inspect
import math
import re
import sys
import typing
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn
from torchvision import models

from litlab.console import printable

NETWORKS = ("litlab.networks", "litlab.modules", "torch.nn", "torchvision.models")
DATA = ("litlab.data",)

LARGEST = 2**31  # of a whole number in a record
MOST = 20_000  # values in a record, all together
DEEPEST = 12  # levels of nesting
LONGEST = 4_096  # characters of a text


class NotAllowed(ValueError):
    """A checkpoint names or holds what it must not. The message is one line."""


def look_up(name: Any, kind: type, packages: Sequence[str], trust: Sequence[str] = ()) -> Callable[..., Any]:
    """The class, or the function that makes one, that `name` stands for.

    Args:
        name: a dotted name, such as `litlab.networks.MLP`.
        kind: of which it must be a subclass.
        packages: those that may define it.
        trust: packages that the user allows as well.

    Raises:
        NotAllowed: if it is anything but a subclass of `kind` that one of the packages defines.
    """
    if not isinstance(name, str) or len(name) > 200 or not re.fullmatch(r"[A-Za-z]\w*(\.[A-Za-z_]\w*)+", name):
        raise NotAllowed(f"{shown(name)} is not the name of a class")
    allowed = (*packages, *trust)
    module_name, _, attribute = name.rpartition(".")
    if not _within(module_name, allowed):
        hint = f"; if you trust {name.split('.')[0]}, add trust=[{name.split('.')[0]}]" if _may_trust(name) else ""
        raise NotAllowed(f"{name} is not in {', '.join(allowed)}{hint}")
    try:
        module = importlib.import_module(module_name)  # which knows packages and modules, but no attributes
    except ImportError as error:
        raise NotAllowed(f"{name} cannot be found here: {error}") from None
    found = vars(module).get(attribute)
    if inspect.isclass(found):
        if issubclass(found, kind) and _within(found.__module__, allowed):
            return found
    elif inspect.isfunction(found) and _makes(found, kind, module_name, trust):
        return found
    raise NotAllowed(f"{name} is not a {kind.__name__} of {', '.join(allowed)}")


def build(name: Any, args: Any, kind: type, packages: Sequence[str], trust: Sequence[str] = ()) -> Any:
    """What `name` makes of the plain `args`, after all of them were checked.

    Raises:
        NotAllowed: as `look_up` and `plain_data` do, or if the arguments do not fit.
    """
    make = look_up(name, kind, packages, trust)
    args = plain_data(args, f"the arguments of {name}")
    if not isinstance(args, dict):
        raise NotAllowed(f"the arguments of {name} are {shown(args)}, not a mapping")
    parameters = inspect.signature(make).parameters
    for fetched in ("weights", "weights_backbone"):  # the weights are the checkpoint's: nothing is fetched for it
        if fetched in parameters:
            args[fetched] = None
    try:
        inspect.signature(make).bind(**args)
        made = make(**args)
    except NotAllowed:
        raise
    except Exception as error:
        raise NotAllowed(f"{name} refuses its arguments: {shown(str(error).splitlines()[:1])}") from None
    if not isinstance(made, kind):
        raise NotAllowed(f"{name} makes a {type(made).__name__}, not a {kind.__name__}")
    return made


def plain_data(value: Any, where: str) -> Any:
    """A copy of `value`, which must consist of texts, numbers, lists and mappings, of a sane size.

    Raises:
        NotAllowed: at anything else, a mapping with a `_target_` included; `where` begins the message.
    """
    left = MOST

    def copy(value: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0 or depth > DEEPEST:
            raise NotAllowed(f"{where} are too many, or nested too deep")
        if value is None or type(value) is bool:
            return value
        if type(value) is int and abs(value) < LARGEST:
            return value
        if type(value) is float and not math.isnan(value):
            return value
        if type(value) is str and len(value) <= LONGEST:
            return value
        if type(value) in (list, tuple):
            return [copy(item, depth + 1) for item in value]
        if type(value) is dict:
            for key in value:
                if type(key) is not str or (key.startswith("_") and key.endswith("_")):
                    raise NotAllowed(f"{where} hold the key {shown(key)}: only plain data may be there")
            return {copy(key, depth + 1): copy(item, depth + 1) for key, item in value.items()}
        raise NotAllowed(f"{where} hold {shown(value)}, which is not plain data of a sane size")

    return copy(value, 0)


def shown(value: Any) -> str:
    """A foreign value in a message: short, on one line, without control characters."""
    if isinstance(value, list) and len(value) <= 1:
        value = value[0] if value else "?"
    try:
        text = value if isinstance(value, str) else f"{type(value).__name__} {str(value)[:80]!r}"
    except Exception:  # an int of a million digits cannot be written
        text = f"a {type(value).__name__}"
    text = printable(text)
    return text if len(text) <= 160 else text[:157] + "..."


def _within(module: str, packages: Sequence[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _may_trust(name: str) -> bool:
    """Whether to say how a package is trusted: not for what nobody would have written a network in."""
    root = name.split(".")[0]
    return root not in sys.stdlib_module_names and root not in ("torch", "torchvision", "hydra", "numpy", "litlab")


def _makes(function: Callable[..., Any], kind: type, module_name: str, trust: Sequence[str]) -> bool:
    """Whether a function is a maker of networks: one of torchvision's registered models, or a trusted package's
    whose return annotation says so."""
    if not issubclass(nn.Module, kind) or not _within(function.__module__, ("torchvision.models", *trust)):
        return False
    if _within(module_name, ("torchvision.models",)):
        name = function.__name__
        return name in models.list_models() and models.get_model_builder(name) is function
    try:
        returned = typing.get_type_hints(function).get("return")
    except Exception:
        return False
    return inspect.isclass(returned) and issubclass(returned, nn.Module)
