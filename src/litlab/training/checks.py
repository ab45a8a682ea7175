"""Refuses parts that do not fit together, before anything is trained."""

import inspect
import re
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from litlab.checkpoint import NAMED, why_not_loadable
from litlab.config import Run, as_written
from litlab.console import warn
from litlab.data import ClassPictures, DataModule, ImageDataModule, MNISTSample, holds_classes
from litlab.errors import ConfigError, described, one_line, own_frames
from litlab.modules import Supervised
from litlab.networks import (
    CutImages,
    Registered,
    WithAuxiliary,
    evaluating,
    refusing_cut_images,
    trying_training,
)
from litlab.training.limits import has_length
from litlab.training.methods import is_own
from litlab.training.network import typed, unfit


def check_device(run: Run) -> None:
    """Refuses to keep images on a GPU where nothing trains on one, or where workers load the batches.

    Raises:
        ConfigError: naming the setting to change.
    """
    if run.get("data.device") != "gpu":
        return
    if run.cfg.trainer.accelerator == "cpu" or not torch.cuda.is_available():
        raise ConfigError("data.device=gpu: the training is not on a CUDA GPU; write data.device=auto")
    if run.get("data.num_workers"):
        raise ConfigError(f"data.device=gpu: needs data.num_workers=0, not {run.cfg.data.num_workers}")


def check_loadable(run: Run) -> None:
    """Refuses a network, a loss or a data set of which no checkpoint could be loaded."""
    config = run.plain()
    for group in NAMED:
        if "_target_" in config[group] and (why := why_not_loadable(config, group)):
            raise ConfigError(f"{run.option(group)}: {why}")


def check_classes(run: Run, data: DataModule) -> None:
    """Refuses data whose classes have no names: there would be no outputs. So too pictures of one class alone."""
    if isinstance(data, ClassPictures):
        try:
            data.check_enough_classes()
        except ValueError as error:
            raise run.blame("data", error) from error
    names = data.class_names
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise ConfigError(f"{run.option('data')}: class_names must be a tuple of names, not {as_written(names)}")
    if not data.num_classes:
        raise ConfigError(f"{run.option('data')}: class_names is empty; it must name each class")


def check_own_pictures(run: Run, data: DataModule) -> None:
    """Refuses a folder of the user's own pictures where nobody chose a data set that reads them.

    Another data set would put its own files among them, where `data=image_folder` then finds them.
    """
    folder = typed(run, "data.data_dir")
    chosen = typed(run, "data") + typed(run, "experiment")
    if not folder or not isinstance(data, ImageDataModule) or (chosen and not isinstance(data, MNISTSample)):
        return
    if holds_classes(data.data_dir):
        given = f"data.data_dir={data.data_dir}"
        raise ConfigError(f"{given}: {run.option('data')} does not read pictures; write data=image_folder too")


def check_network(run: Run, network: torch.nn.Module, data: DataModule) -> None:
    """Passes one batch of zeros through the network.

    Raises:
        ConfigError: naming the shapes, if the outputs are not [B, num_classes].
    """
    model, source = run.option("model"), run.option("data")
    batch = torch.zeros(2, *data.input_shape)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise ConfigError(f"{model} has no parameters to train: layers in a list need nn.ModuleList or nn.Sequential")
    if hidden := _not_registered(network):
        warn(f"{model}: the layers in the list {hidden} are not trained; layers in a list need nn.ModuleList")
    # A run that an older litlab has begun goes on with the images that it has seen.
    looks = isinstance(network, Registered) and not run.resumed
    with evaluating(network), refusing_cut_images(network, data.input_shape) if looks else nullcontext():
        logits = _outputs(run, network, data, batch)
    if not isinstance(logits, Tensor):
        raise ConfigError(f"{model}: its forward must return one tensor, not {described(logits)}")
    if tuple(logits.shape) != (2, data.num_classes):
        raise ConfigError(
            f"{model} makes {list(logits.shape)} of images {list(batch.shape)}, "
            f"but {source} needs [2, {data.num_classes}]"
        )
    own = is_own(type(network))
    if logits.requires_grad and not own:
        return
    with trying_training(network):
        outputs = _outputs(run, network, data, batch)
    if own and not run.get("task") and not isinstance(outputs, Tensor | WithAuxiliary):  # an own task may take others
        raise ConfigError(
            f"{model}: in training its forward must return one tensor, or litlab.networks.WithAuxiliary with more "
            f"outputs, not {described(outputs)}"
        )
    several = outputs if isinstance(outputs, tuple | list) else [outputs]
    if not logits.requires_grad and not any(isinstance(it, Tensor) and it.requires_grad for it in several):
        raise ConfigError(
            f"{model}: its outputs have no gradient with respect to its parameters: leave out detach(), no_grad() and "
            "argmax() in its forward"
        )


def _outputs(run: Run, network: torch.nn.Module, data: DataModule, batch: Tensor) -> Any:
    """What a network makes of a batch. Raises `ConfigError` if it cannot take it."""
    try:
        return network(batch)
    except CutImages as error:
        raise unfit(run, data, str(error)) from error
    except (RuntimeError, ValueError, AssertionError) as error:
        hint = network.hint() if isinstance(network, Registered) else ""
        raise unfit(run, data, one_line(error) + hint) from error
    except TypeError as error:
        if own_frames(error) or not is_own(type(network)):
            raise
        raise unfit(run, data, f"{one_line(error)}; write def forward(self, images)") from error


def _not_registered(network: torch.nn.Module) -> str | None:
    """`Net.blocks`: an attribute that holds layers with weights in a list or a dict, which torch does not look into."""
    known = set(network.modules())
    for module in network.modules():
        for name, value in vars(module).items():
            held = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
            layers = [layer for layer in held if isinstance(layer, torch.nn.Module) and layer not in known]
            if not name.startswith("_") and any(True for layer in layers for _ in layer.parameters()):
                return f"{type(module).__name__}.{name}"
    return None


def check_optimization(run: Run, module: Supervised) -> None:
    """Makes an optimizer and a schedule, and throws them away.

    Raises:
        ConfigError: if either refuses its values.
    """
    try:
        optimizer = module.make_optimizer(module.trained())
    except Exception as error:  # of any kind: the optimizer may be a user's own
        raise _not_called(run, "optimizer", error, "(params), the weights to train") from error
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ConfigError(f"{run.option('optimizer')} must make a torch.optim.Optimizer, not {described(optimizer)}")
    if inspect.unwrap(type(optimizer).step) is inspect.unwrap(torch.optim.Optimizer.step):
        raise ConfigError(f"{run.option('optimizer')} has no step: write def step(self, closure=None)")
    if not takes(optimizer.step, "closure"):
        raise ConfigError(f"{run.option('optimizer')}: its step must take a closure: def step(self, closure=None)")
    trainer = run.cfg.trainer
    if trainer.gradient_clip_val and str(trainer.precision) == "16-mixed" and optimizer.defaults.get("fused"):
        raise ConfigError(
            "trainer.gradient_clip_val: in 16-mixed, gradients are scaled until a fused optimizer steps; "
            "write optimizer.fused=false, or trainer.precision=bf16-mixed"
        )
    if not module.make_schedulers:
        return
    if not has_length(trainer):
        raise ConfigError(
            f"{run.option('scheduler')} needs the length of the training: "
            "write trainer.max_epochs beside trainer.max_time, or scheduler=none"
        )
    try:
        schedulers: object = module.make_schedulers(optimizer, 1, trainer.max_epochs or 1)
    except Exception as error:  # likewise
        raise _not_called(run, "scheduler", error, "(optimizer, steps_per_epoch, epochs)") from error
    if not isinstance(schedulers, list | tuple) or not all(isinstance(each, dict) for each in schedulers):
        raise ConfigError(
            f"{run.option('scheduler')} must return a list of what Lightning steps, such as "
            f'[{{"scheduler": scheduler, "interval": "step"}}], not {described(schedulers)}'
        )


def _not_called(run: Run, group: str, error: Exception, given: str) -> ConfigError:
    """The error of an optimizer or a schedule that could not be made. One that takes too few arguments is told which.

    Args:
        given: what litlab gives it.
    """
    blamed = run.blame(group, error)
    takes_fewer = isinstance(error, TypeError) and re.search(r"\) takes .* positional arguments? but ", str(error))
    if not takes_fewer or own_frames(error):
        return blamed
    return ConfigError(f"{blamed}; its first arguments must be {given}")


def takes(function: Callable[..., Any], argument: str) -> bool:
    """Whether a function takes an argument by this name."""
    parameters = inspect.signature(function).parameters
    return argument in parameters or any(it.kind is it.VAR_KEYWORD for it in parameters.values())


def check_monitors(run: Run, module: Supervised, data: DataModule) -> None:
    """Compares each monitored metric with those that will be logged.

    Raises:
        ConfigError: naming the metrics that will be logged, if it is none of them.
    """
    validated = data.validates and run.cfg.trainer.limit_val_batches != 0
    names = [name for name in module.metric_names if validated or name.startswith("train/")]
    stops_early = run.get("callbacks.early_stopping.enabled", False)
    for key in ("objective", "scheduler.monitor", *(["callbacks.early_stopping.monitor"] if stops_early else [])):
        value = run.get(key)
        if value is not None and value not in names:
            if value in module.metric_names:
                trained = value.replace("val/", "train/")
                instead = trained if trained in names else names[0]
                raise ConfigError(f"{key}={value} is not logged, as this run validates nothing: write {key}={instead}")
            raise ConfigError(f"{key}={value} is not logged; what is: {', '.join(names)}")
