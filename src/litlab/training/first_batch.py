"""Looks at the first images of a data set of the user's own, before anything is trained."""

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor

from litlab.config import Run
from litlab.console import warn
from litlab.data import DataModule, ImageDataModule, PictureDataModule
from litlab.errors import ConfigError, described, one_line, own_frames
from litlab.training.build import Parts

COUNT = 64  # inputs that are looked at


def check_first_batch(parts: Parts) -> None:
    """Refuses a data set of which neither the network nor the loss could take a batch.

    The checkpoints get a mean of 0 and a standard deviation of 1 where images are in a known range and not normalised.

    Raises:
        ConfigError: naming what the data set should return.
    """
    run, data = parts.run, parts.data
    if isinstance(data, ImageDataModule | PictureDataModule):  # they check what they are given
        return
    option = run.option("data")
    if (data.mean or data.std) and {len(data.mean), len(data.std)} != {data.input_shape[0]}:
        raise ConfigError(f"{option}: mean and std must have {data.input_shape[0]} values each, one a channel")
    with isolate_rng(include_cuda=False):
        inputs, targets = _first(run, data)
        seen, aims = data.preprocess(inputs, targets, training=False)
    if data.validates != (data.val_set is not None):
        said = (
            "sets no self.val_set: write val_size = 0"
            if data.validates
            else "sets self.val_set: leave out val_size = 0"
        )
        raise ConfigError(f"{option}: its setup {said} in the class")
    if seen.shape[1:] != torch.Size(data.input_shape):
        raise ConfigError(f"{option}: input_shape is {list(data.input_shape)}, and an input is {described(seen[0])}")
    if not seen.is_floating_point() or (seen.dtype == torch.float64 and run.cfg.trainer.precision != "64-true"):
        kinds = "float32, or uint8 if they are images" if len(data.input_shape) == 3 else "float32"
        raise ConfigError(f"{option}: inputs must be {kinds}, not {described(inputs)}")
    if not run.get("task"):
        _check_targets(option, data, aims)
    if len(data.input_shape) == 3:
        _check_range(run, data, inputs)
        if parts.checkpoints:
            parts.checkpoints.record["data"] |= {"mean": list(data.mean), "std": list(data.std)}


def _first(run: Run, data: DataModule) -> tuple[Tensor, Tensor]:
    """The first inputs [B, ...] and targets [B, ...] for training."""
    option = run.option("data")
    if data.train_set is None:
        raise ConfigError(f"{option}: its setup must set self.train_set")
    try:
        batch = data.train_set.__getitems__(list(range(min(COUNT, len(data.train_set)))))
    except Exception as error:  # of any kind: the data set is the user's own
        if own_frames(error):
            raise run.blame("data", error) from error
        raise ConfigError(f"{option}: no batch can be made of train_set: {one_line(error)}") from error
    if isinstance(batch, tuple | list) and [isinstance(it, Tensor) for it in batch] == [True, True]:
        return batch[0], batch[1]
    what = f"{len(batch)} parts" if isinstance(batch, tuple | list) else described(batch)
    raise ConfigError(f"{option}: train_set must return inputs and targets, two tensors, and not {what}")


def _check_targets(option: str, data: DataModule, targets: Tensor) -> None:
    if data.task == "regression" and not data.target_shape:
        raise ConfigError(f"{option}: target_shape must be the shape of one target, such as (1,), not ()")
    are_classes = data.task == "classification"
    of_one = {"classification": [], "multilabel": [data.num_classes], "regression": list(data.target_shape)}
    wanted, shape = "whole numbers" if are_classes else "float32", [len(targets), *of_one[data.task]]
    if targets.is_floating_point() == are_classes or list(targets.shape) != shape:
        raise ConfigError(f"{option}: targets must be {wanted} {shape}, not {described(targets)}")
    if are_classes and not 0 <= targets.min() <= targets.max() < data.num_classes:
        raise ConfigError(
            f"{option}: targets must be from 0 to {data.num_classes - 1}, as there are {data.num_classes} class_names, "
            f"not from {targets.min()} to {targets.max()}"
        )


def _check_range(run: Run, data: DataModule, images: Tensor) -> None:
    """Compares images with `mean` and `std`, by which `predict.py` normalises pictures.

    Args:
        images: [B, C, H, W], as the data set returns them.
    """
    option, channels = run.option("data"), data.input_shape[0]
    if type(data).preprocess is DataModule.preprocess:
        low, high = images.min(), images.max()
        if data.mean and images.is_floating_point() and low >= 0 and max(data.mean) > 0:
            raise ConfigError(
                f"{option}: has mean and std, but its images, from {low:.3g} to {high:.3g}, are not normalised by "
                "them; return uint8 images from 0 to 255, which litlab normalises"
            )
        if not data.mean and (not images.is_floating_point() or (low >= 0 and high <= 1)):
            data.mean, data.std = (0.0,) * channels, (1.0,) * channels
    if not data.mean:
        warn(
            f"{option}: has no mean and std, so predict.py cannot use its checkpoints: write those by which its images "
            "are normalised, as pixels from 0 to 1"
        )
