"""Builds what a checkpoint names, if the name stands for a class that is allowed.

A checkpoint is somebody else's file, so its names are looked up here and nowhere else. A name must lead to a class that
an allowed package itself defines. It is found by importing modules, never through the attributes of an object. The
arguments must be plain data. So `torchvision.models.os.system`, `litlab.networks.mlp.math.prod` and `torch.hub.load`
are refused before anything is called.
"""

import importlib
import inspect
import re
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn
from torchvision import models

from litlab.checkpoint.plain import NotAllowed, excerpt, plain_data
from litlab.errors import one_line, place_of

NETWORKS = ("litlab.networks", "litlab.modules", "torch.nn", "torchvision.models")
DATA = ("litlab.data",)
LOSSES = ("torch.nn", "litlab.modules")
METRICS = ("torchmetrics.classification", "torchmetrics.regression", "litlab.modules")  # others fetch networks
TORCHVISION = "torchvision.models"
FETCHED = ("weights", "weights_backbone")  # arguments that make torchvision download weights


def look_up(name: Any, kind: type, packages: Sequence[str], trust: Sequence[str] = ()) -> Callable[..., Any]:
    """The class that `name` stands for, or the function that makes an object of such a class.

    Args:
        name: a dotted name, such as `litlab.networks.MLP`.
        kind: the class must be a subclass of this one.
        packages: the class must be defined in one of these.
        trust: packages that the user allows as well.

    Raises:
        NotAllowed: if the name stands for anything else.
    """
    if not isinstance(name, str) or len(name) > 200 or not re.fullmatch(r"[A-Za-z]\w*(\.[A-Za-z_]\w*)+", name):
        raise NotAllowed(f"{excerpt(name)} is not the name of a class")
    allowed = (*packages, *trust)
    module_name, _, attribute = name.rpartition(".")
    if not _within(module_name, allowed):
        hint = f"; if you trust {name.split('.')[0]}, add trust=[{name.split('.')[0]}]" if may_trust(name) else ""
        raise NotAllowed(f"{name} is not in {', '.join(allowed)}{hint}")
    try:
        module = importlib.import_module(module_name)  # finds packages and modules, but no attributes
    except SystemExit as error:
        raise NotAllowed(f"{name}: the module ended the program while it was imported{place_of(error)}") from None
    except Exception as error:  # of any kind: the package may be the user's own
        raise NotAllowed(f"{name} cannot be found here: {one_line(error)}") from None
    found = vars(module).get(attribute)
    if inspect.isclass(found):
        if issubclass(found, kind) and _within(found.__module__, allowed):
            return found
    elif inspect.isfunction(found):
        if _makes_network(found, kind, module_name, trust):
            return found
        if _within(found.__module__, trust):
            raise NotAllowed(f"{name} is a function, and does not say that it makes a {kind.__name__}")
    raise NotAllowed(f"{name} is not a {kind.__name__} of {', '.join(allowed)}")


def build(name: Any, args: Any, kind: type, packages: Sequence[str], trust: Sequence[str] = ()) -> Any:
    """Builds the object that `name` and `args` describe, after both were checked.

    Args:
        name: as for `look_up`, like `kind`, `packages` and `trust`.
        args: the arguments by name, as plain data.

    Raises:
        NotAllowed: if the name or the arguments are not allowed, or do not fit each other.
    """
    make = look_up(name, kind, packages, trust)
    args = plain_data(args, f"the arguments of {name}")
    if not isinstance(args, dict):
        raise NotAllowed(f"the arguments of {name} are {excerpt(args)}, not a mapping")
    signature = inspect.signature(make)
    args |= dict.fromkeys(set(FETCHED) & set(signature.parameters))  # the weights are those of the checkpoint
    try:
        signature.bind(**args)
        made = make(**args)
    except NotAllowed:
        raise
    except Exception as error:
        raise NotAllowed(f"{name} refuses its arguments: {excerpt(str(error).splitlines()[:1])}") from None
    if not isinstance(made, kind):
        raise NotAllowed(f"{name} makes a {type(made).__name__}, not a {kind.__name__}")
    return made


def to_be_trusted(config: Mapping[str, Any]) -> list[str]:
    """The packages that `trust` must name, so that a checkpoint of this config can be used."""
    named = {group: str(config[group]["_target_"]) for group in ("model", "loss", "data")}
    own = [name for group, name in named.items() if not _within(name, DATA if group == "data" else NETWORKS)]
    own += [str(config["task"]["_target_"])] if config.get("task") else []
    metrics = [str(node["_target_"]) for node in (config.get("metrics") or {}).values() if node]
    own += [name for name in metrics if not _within(name, ("torchmetrics",))]
    return sorted({name.split(".")[0] for name in own})


def _within(module: str, packages: Sequence[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def may_trust(name: str) -> bool:
    """Whether a message says how to trust a package. Python's own, and torch, are not where people define networks."""
    root = name.split(".")[0]
    return root not in sys.stdlib_module_names and root not in ("torch", "torchvision", "hydra", "numpy", "litlab")


def _makes_network(function: Callable[..., Any], kind: type, module_name: str, trust: Sequence[str]) -> bool:
    """Whether a function makes a network.

    That is a registered model of torchvision, or a function of a trusted package that is annotated to return one.
    """
    if not issubclass(nn.Module, kind) or not _within(function.__module__, (TORCHVISION, *trust)):
        return False
    if _within(module_name, (TORCHVISION,)):
        name = function.__name__
        return name in models.list_models() and models.get_model_builder(name) is function
    try:
        returned = typing.get_type_hints(function).get("return")
    except Exception:
        return False
    return inspect.isclass(returned) and issubclass(returned, nn.Module)
