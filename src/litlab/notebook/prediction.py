"""A trained network in a notebook."""

import reprlib
from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import hydra
import torch
from torch import Tensor, nn

from litlab import checkpoint
from litlab.checkpoint import Trained
from litlab.config import Run
from litlab.console import quieten
from litlab.data.drawn_splits import SPLITS
from litlab.errors import ConfigError
from litlab.notebook.mistakes import one_error
from litlab.notebook.pictures import pictures_of
from litlab.prediction import find_checkpoint, measure
from litlab.prediction.invert import invert_setting
from litlab.prediction.predict import predictions_for, results_of
from litlab.prediction.settings import package_names, trust_list
from litlab.project import CONF, Project


class Predictor:
    """A trained network: call it with pictures, with the paths of pictures, or with images.

    Args:
        trained: what `litlab.checkpoint.load` returns.
        run: with the settings of `litlab predict`.
    """

    def __init__(self, trained: Trained, run: Run) -> None:
        self.trained, self._run = trained, run

    @property
    def network(self) -> nn.Module:
        """The network, in evaluation mode, for normalised images."""
        return self.trained.network

    @one_error
    def __call__(self, inputs: Any, invert: bool | str = "auto") -> list[Any]:
        """The prediction for each picture, as `predictions.json` has them.

        Args:
            inputs: a path, a picture of Pillow, an array uint8 [H, W] or [H, W, C], or a list of these, all prepared as
                files are; or a tensor uint8 [B, C, H, W], images as the data set has them.
            invert: for all but a tensor, see `invert` of `litlab predict`.

        Raises:
            ConfigError: for inputs of another kind, or if `invert` is none of auto, true and false.
            ValueError: if a file cannot be read, or the images have another shape than those of the training.
        """
        invert = invert_setting(invert)
        if isinstance(inputs, Tensor):
            return self._of_images(inputs)
        found = list(predictions_for(self.trained, pictures_of(inputs), torch.device("cpu"), 64, 0, invert))
        if failed := [prediction for prediction in found if prediction.error]:
            raise ValueError(f"{failed[0].file}: {failed[0].error}")
        return [prediction.values for prediction in found]

    def _of_images(self, images: Tensor) -> list[Any]:
        data = self.trained.data
        if images.shape[1:] != torch.Size(data.input_shape) or images.dtype != torch.uint8:
            shape = " x ".join(map(str, data.input_shape))
            raise ValueError(f"images must be uint8 [B, {shape}], not {images.dtype} {list(images.shape)}")
        return [result["values"] for result in results_of(self.trained, images, torch.device("cpu"))]

    @one_error
    def evaluate(self, split: str = "test") -> dict[str, float]:
        """The metrics of the network on a split of its data set: train, val or test.

        Raises:
            ConfigError: if the data cannot be had, or have no such split.
        """
        if split not in SPLITS:
            raise ConfigError(f"evaluate({split!r}): must be one of {', '.join(SPLITS)}")
        quieten()  # in a process that has not trained, Lightning would tell of devices, and of its products
        return measure(self.trained, self._run.settled(evaluate=split))


@one_error
def load(ckpt: str | PathLike[str], trust: str | Sequence[str] | None = None) -> Predictor:
    """The network of a checkpoint, ready to use.

    Args:
        ckpt: a checkpoint, a run folder, `latest`, or the folder of a sweep.
        trust: a package, or packages, that may define the network; None: those of `[tool.litlab]` in this folder's
            pyproject.toml.

    Raises:
        ConfigError: if there is no such checkpoint, or it cannot be used.
    """
    if not isinstance(ckpt, str | PathLike):
        raise ConfigError(f"load({reprlib.repr(ckpt)}): must be a checkpoint, a run folder or latest")
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose("predict", ["trainer=cpu"])
    names = None if trust is None else package_names(trust) or None
    run = Run(cfg, Path(), project=Project.here()).settled(trust=names)
    try:
        return Predictor(checkpoint.load(find_checkpoint(fspath(ckpt)), trust_list(run)), run)
    except (ValueError, OSError) as error:  # which name a setting of predict.py
        raise ConfigError(str(error).replace(f"ckpt={fspath(ckpt)}", f"load({fspath(ckpt)!r})", 1)) from error
