"""Says before a training whether its checkpoints could be loaded. They name classes, see `litlab.checkpoint.trust`."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from litlab.checkpoint.plain import NotAllowed, plain_data
from litlab.checkpoint.trust import DATA, LOSSES, NETWORKS, look_up, may_trust
from litlab.config import class_of, own_model_keys
from litlab.data import DataModule

NAMED: dict[str, tuple[type, tuple[str, ...]]] = {
    "data": (DataModule, DATA),
    "model": (nn.Module, NETWORKS),
    "loss": (nn.Module, LOSSES),
}
# What to write instead of a function.
INSTEAD = {
    "data": "a class that inherits from litlab.data.DataModule",
    "model": "def {name}(...) -> torch.nn.Module, or a class",
    "loss": "a class that inherits from torch.nn.Module, whose forward(self, predictions, targets) returns the loss",
}


def why_not_loadable(config: Mapping[str, Any], group: str) -> str | None:
    """What is wrong with a class or a function that a checkpoint must not name; None if it may.

    Args:
        config: composed and resolved, as plain data.
        group: data, model or loss.
    """
    node = config[group]
    name = str(node["_target_"])
    kind, packages = NAMED[group]
    found = class_of(config, group)
    roots = {name.split(".")[0], str(getattr(found, "__module__", name)).split(".")[0]}
    try:
        look_up(name, kind, packages, [root for root in sorted(roots) if may_trust(root)])  # as the user will
    except NotAllowed as error:
        if inspect.isclass(found) and not issubclass(found, kind):
            base = "torch.nn.Module" if kind is nn.Module else "litlab.data.DataModule"
            return f"{name} must inherit from {base}"
        function = name.rpartition(".")[2]
        instead = INSTEAD[group].format(name=function if may_trust(name) else "build")
        said = str(error) if group == "model" else str(error).partition(", and does not say")[0]
        return f"{said}, so its checkpoints could not be loaded: write {instead}"
    if group == "data":  # what is not plain in it, such as an own augmentation, is not asked for again
        return None
    own = own_model_keys(node) if group == "model" else {}
    for key, value in node.items():
        if key.startswith("_") or key in own:
            continue
        try:
            plain_data(value, f"the values of {group}.{key}")
        except NotAllowed as error:
            return f"{error}, so its checkpoints could not be loaded: make it within {name}"
    return None
