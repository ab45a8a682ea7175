"""One TensorBoard panel, and the run as it sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import lightning
import torch
from lightning.pytorch.strategies import FSDPStrategy, ModelParallelStrategy
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from litlab.callbacks.find import callback_of
from litlab.callbacks.loggers import TensorBoard
from litlab.callbacks.outputs import EvaluationOutputs
from litlab.modules import Supervised
from litlab.networks import evaluating


class View:
    """A run as its parts see it.

    Args:
        trainer: of the run.
        module: what it trains.
    """

    def __init__(self, trainer: lightning.Trainer, module: Supervised) -> None:
        self.trainer, self.module = trainer, module
        self.data: Any = trainer.datamodule  # type: ignore[attr-defined]
        self.boards = [logger for logger in trainer.loggers if isinstance(logger, TensorBoard)]

    @property
    def network(self) -> nn.Module:
        return self.module.network

    @property
    def step(self) -> int:
        return self.trainer.global_step

    @property
    def epoch(self) -> int:
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
        """Whether there will be `outputs` of a validation."""
        return callback_of(self.trainer, EvaluationOutputs) is not None and self.data.val_set is not None

    @property
    def is_split(self) -> bool:
        """Whether each process holds only a part of the weights."""
        return isinstance(self.trainer.strategy, FSDPStrategy | ModelParallelStrategy)

    @property
    def draws(self) -> bool:
        """Whether this process is the one that writes."""
        return self.trainer.is_global_zero

    def write(self, call: Callable[[SummaryWriter], Any]) -> None:
        """Lets `call` add something to TensorBoard's event file, from rank 0 only."""
        for board in self.boards:
            board.write(call)

    def image(self, tag: str, pixels: Tensor, step: int | None = None) -> None:
        """Shows a picture, uint8 [C, H, W], at this step; None: at the step of now."""
        png = BytesIO()
        rows = pixels.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()
        Image.fromarray(rows).save(png, "PNG", compress_level=1)  # at the usual 6, that is most of a picture's time
        height, width, channels = rows.shape
        content = Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=png.getvalue())
        summary = Summary(value=[Summary.Value(tag=tag, image=content)])
        self.write(lambda writer: writer._get_file_writer().add_summary(summary, self.step if step is None else step))

    def evaluation_images(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Of the validation set: images as the network sees them, float [N, C, H, W], and targets [N]."""
        images, targets = self.data.val_set.__getitems__(list(indices))
        device = self.module.device
        batch: tuple[Tensor, Tensor] = self.data.preprocess(images.to(device), targets.to(device), training=False)
        return batch

    def predict(self, images: Tensor) -> Any:
        """What the network makes of images [N, C, H, W] in evaluation; it is left as it was."""
        plugin = self.trainer.precision_plugin
        with evaluating(self.network), torch.no_grad(), plugin.forward_context():
            return self.network(plugin.convert_input(images))


class Panel:
    """One sight. Each method is called at its moment by `Watch`, on every rank; what is not overridden costs nothing.

    A part draws from no random number generator and keeps nothing from one moment to the next that a resumed run would
    need. What it writes bears the step of `view.step`, or an earlier one.
    """

    only_board = True  # it has nothing to say without TensorBoard
    whole_weights = False  # it reads the weights, or runs the network on one rank: not where they are split (fsdp)
    reproducible = True  # its scalars are the same whenever the run is repeated, so they may enter metrics.csv

    def check_network(self, network: nn.Module) -> None:
        """Raises ValueError, beginning with the argument's name, for a setting that does not fit the network."""

    def applies(self, view: View) -> bool:
        """Whether there is anything to see in this run."""
        return True

    def begin(self, view: View) -> None:
        """Before the first step of a run, or of one that is resumed."""

    def begin_epoch(self, view: View) -> None:
        """Before the first step of an epoch."""

    def first_batch(self, view: View, images: Tensor, step: int) -> None:
        """After the first step of an epoch, with its images [B, ...] as the network saw them, and its number."""

    def wants_first_batch(self, view: View) -> bool:
        """Whether `first_batch` has something to do in this epoch."""
        return True

    def scalars(self, view: View) -> dict[str, float | Tensor]:
        """What to log of a step every `trainer.log_every_n_steps`; its gradients are there.

        A value may be a tensor [], which is read when the device has it.
        """
        return {}

    def last_step(self, view: View) -> None:
        """In the last step of an epoch; its gradients are there."""

    def validated(self, view: View) -> None:
        """After a validation pass."""

    def end_epoch(self, view: View) -> None:
        """After an epoch and its validation."""

    def finish(self, view: View) -> None:
        """After training."""

    def diverge(self, view: View) -> None:
        """After training has ended because the loss or a weight became NaN or infinite."""


def is_due(view: View, every_n_epochs: int) -> bool:
    """Whether this is the first epoch, or one in so many. Not the last: it is not the last if the run goes on later."""
    return view.epoch == 0 or (view.epoch + 1) % every_n_epochs == 0
