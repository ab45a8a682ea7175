"""A run as the panels see it, and the way to the event file."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import lightning
import torch
from lightning.pytorch.strategies import FSDPStrategy, ModelParallelStrategy
from tensorboard.compat.proto.summary_pb2 import Summary
from torch import Tensor, nn

from litlab.callbacks.find import callback_of
from litlab.callbacks.loggers import TensorBoard
from litlab.callbacks.loggers.event_file import EventWriter
from litlab.callbacks.outputs import EvaluationOutputs
from litlab.figures import as_png
from litlab.modules import Supervised
from litlab.networks import evaluating


class View:
    """A run as the panels see it.

    Args:
        trainer: of the run.
        module: what it trains.
        config: the composed config, as plain data; empty where there is none, as in a notebook.
    """

    def __init__(self, trainer: lightning.Trainer, module: Supervised, config: Mapping[str, Any] | None = None) -> None:
        self.trainer, self.module, self.config = trainer, module, dict(config or {})
        self.data: Any = trainer.datamodule  # type: ignore[attr-defined]
        self.boards = [logger for logger in trainer.loggers if isinstance(logger, TensorBoard)]

    @property
    def network(self) -> nn.Module:
        return self.module.network

    @property
    def step(self) -> int:
        """How many steps the optimizer has taken."""
        return self.trainer.global_step

    @property
    def epoch(self) -> int:
        """The current epoch, from 0."""
        return self.trainer.current_epoch

    @property
    def has_pictures(self) -> bool:
        """Whether the inputs are images that a screen can show."""
        return len(self.data.input_shape) == 3 and bool(self.data.mean)

    @property
    def has_classes(self) -> bool:
        return self.data.task == "classification"

    @property
    def is_validated(self) -> bool:
        """Whether the outputs of each validation are collected."""
        return callback_of(self.trainer, EvaluationOutputs) is not None and self.data.val_set is not None

    @property
    def is_split(self) -> bool:
        """Whether each process holds only a part of the weights."""
        return isinstance(self.trainer.strategy, FSDPStrategy | ModelParallelStrategy)

    @property
    def draws(self) -> bool:
        """Whether this is the process that writes."""
        return self.trainer.is_global_zero

    def write(self, call: Callable[[EventWriter], Any]) -> None:
        """Lets `call` add something to the event file, on rank 0 only."""
        for board in self.boards:
            board.write(call)

    def image(self, tag: str, pixels: Tensor, step: int | None = None) -> None:
        """Shows a picture, as `view/TAG`: the tab Time Series sorts by name, and has the scalars first this way.

        Args:
            pixels: uint8 [C, H, W].
            step: at which it stands; None: the current one.
        """
        height, width = pixels.shape[1:]
        png = as_png(pixels, compression=1)
        content = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png)
        summary = Summary(value=[Summary.Value(tag=f"view/{tag}", image=content)])
        self.write(lambda writer: writer.add_summary(summary, self.step if step is None else step))

    def evaluation_images(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Validation images as the network sees them, float [N, C, H, W], and their targets [N]."""
        images, targets = self.data.val_set.__getitems__(list(indices))
        device = self.module.device
        batch: tuple[Tensor, Tensor] = self.data.preprocess(images.to(device), targets.to(device), training=False)
        return batch

    def predict(self, images: Tensor) -> Any:
        """The outputs of the network in evaluation mode for images [N, C, H, W]. Afterwards its mode is as before."""
        plugin = self.trainer.precision_plugin
        with evaluating(self.network), torch.no_grad(), plugin.forward_context():
            return self.network(plugin.convert_input(images))

    def is_due(self, every_n_epochs: int) -> bool:
        """Whether this is the first epoch, or one in so many.

        The last epoch is not always due: it is not the last if the run goes on later.
        """
        return self.epoch == 0 or (self.epoch + 1) % every_n_epochs == 0
