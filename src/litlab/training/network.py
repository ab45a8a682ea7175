"""Builds the network for the data. If they do not fit, the error names a setting that the user made."""

import re

from torch import nn

from litlab.config import FILLED_FROM_DATA, Run
from litlab.data import DataModule, PictureDataModule
from litlab.errors import ConfigError, described

DECIDE_SHAPE = ("data.image_size", "data.input_shape", "data.resize")
FAILED = "does not pass through the network: "


def build_network(run: Run, data: DataModule) -> nn.Module:
    """Builds the network for the shape and the classes of the data.

    Raises:
        ConfigError: if a value is refused, or images of this shape do not pass through the network.
    """
    try:
        network: nn.Module = run.build("model", input_shape=data.input_shape, num_classes=data.num_classes)
    except ConfigError as error:
        if re.search(rf"unexpected keyword argument '({'|'.join(FILLED_FROM_DATA)})'", str(error)):
            said = f"{error}; litlab gives each network its shapes: write def __init__(self, input_shape, num_classes)"
            raise ConfigError(said) from error
        if not str(error).startswith("model.input_shape") or typed(run, "model.input_shape"):
            raise
        raise unfit(run, data, str(error).partition(FAILED)[2] or str(error)) from error
    check_made(run, "model", network)
    return network


def check_made(run: Run, group: str, made: object) -> None:
    """Raises `ConfigError` unless the class or the function that a group names has made a module of torch."""
    if not isinstance(made, nn.Module):
        target = run.cfg[group]["_target_"]
        raise ConfigError(f"{run.option(group)}: {target} must make a torch.nn.Module, not {described(made)}")


def unfit(run: Run, data: DataModule, reason: str) -> ConfigError:
    """The error that the network cannot take the data: it says which setting to change.

    Args:
        reason: what the network says of the data.
    """
    model, source = run.option("model"), run.option("data")
    if len(data.input_shape) != 3:
        change = ["model=mlp"]
        if data.task == "regression" and not typed(run, "loss"):
            change += ["loss=mse", f"objective={'val' if data.validates else 'train'}/mse"]
        return ConfigError(f"{model} takes images, and {source} has points: use {' '.join(change)}")
    made = [setting for key in DECIDE_SHAPE for setting in typed(run, key)]
    by = f"{', '.join(made)}: " if made else ""
    return ConfigError(f"{by}{model} cannot take images {list(data.input_shape)} of {source}: {reason}")


def advice(run: Run, data: DataModule) -> str | None:
    """What to choose instead of the default network, which is for digits; None if the user has chosen one."""
    if not isinstance(data, PictureDataModule) or typed(run, "model") or typed(run, "experiment"):
        return None
    recipe = "landmarks" if data.task == "regression" else "fine_tune_folder"
    return (
        f"{run.option('model')} is made for digits, and photographs need another network: "
        f"experiment={recipe}, or model=resnet18"
    )


def typed(run: Run, key: str) -> list[str]:
    """The overrides of the command line that set a key, or choose the option of a group."""
    return [override for override in run.overrides if override.lstrip("+").partition("=")[0] == key]
