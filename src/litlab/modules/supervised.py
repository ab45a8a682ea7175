"""The training step, and everything that Lightning needs around it, for all supervised tasks."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from lightning.pytorch.plugins.precision import Precision
from lightning.pytorch.utilities import GradClipAlgorithmType
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.optim import Optimizer
from torchmetrics import Metric

from litlab.lightning_internals import FastAttributes, is_accumulating, remember_signature
from litlab.modules.losses import total_weight
from litlab.modules.meter import Meter, as_float
from litlab.modules.schedules import Schedule, is_of_torch, of_torch
from litlab.networks import WithAuxiliary

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


class Supervised(FastAttributes):
    """Trains a network on batches of (images, targets).

    Once an epoch it logs `train/loss`, `val/loss`, `test/loss` and the metrics of the task under the same prefixes.
    Every `trainer.log_every_n_steps` steps it logs `train/loss_step`. A step never waits for the device.

    Args:
        network: from images [B, C, H, W] to outputs [B, num_classes]; in training it may return `WithAuxiliary`.
        loss: from (predictions, targets) to a scalar.
        make_metrics: makes the metrics of the task by name; called once for each split.
        optimizer: from parameters to an optimizer; None means Adam with learning rate 1e-3.
        scheduler: one of `litlab.modules.schedules` or of torch's schedulers, with its options bound; None keeps the
            learning rate.
    """

    def step(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The training step: from a preprocessed batch to the loss. It needs no Trainer and counts nothing.

        Args:
            images: float32 [B, C, H, W].
            targets: [B, ...].

        Returns:
            The loss to minimise, []; the loss to log, [], without auxiliary outputs; the predictions, [B, ...].
        """
        network = self._compiled if self._compiled and len(images) == self._compiled_size else self.network
        output, extra = network(images), 0.0
        if isinstance(output, WithAuxiliary):
            extra = output.weight * sum(self.loss(self.shaped(branch), targets) for branch in output.auxiliary)
            output = output.predictions
        predictions = self.shaped(output)
        loss = self.loss(predictions, targets)
        return loss + extra, loss, predictions

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module,
        make_metrics: Callable[[], dict[str, Metric]],
        optimizer: MakeOptimizer | None = None,
        scheduler: Schedule | None = None,
    ) -> None:
        super().__init__()
        # Convolutions of small images are up to twice as fast with channels last, on CPUs and on tensor cores.
        self.network = network.to(memory_format=torch.channels_last)
        self.loss = loss
        self.make_optimizer: MakeOptimizer = optimizer or partial(torch.optim.Adam, lr=1e-3)
        self.make_schedulers = of_torch(scheduler) if is_of_torch(scheduler) else scheduler  # type: ignore[arg-type]
        self._is_sharded = False
        self._compiled: Callable[[Tensor], Any] | None = None
        self._compiled_size = 0

        # From the data module, once there is one.
        self.preprocess: Callable[..., tuple[Tensor, Tensor]] = _unchanged
        self.set_epoch: Callable[[int], None] = _ignore_epoch

        # What is measured and logged.
        weigh = None
        if isinstance(loss, nn.CrossEntropyLoss | nn.NLLLoss) and loss.weight is not None:
            weigh = partial(total_weight, loss)
        self.meters = {split: Meter(make_metrics(), weigh) for split in ("train", "val", "test")}
        self.log_every_n_steps = 50  # the Trainer's, once it is known
        self.images_seen = 0  # by this process, in training
        self.first_images: Tensor | None = None  # of the epoch, preprocessed; only after its first step
        self.running: dict[str, float] = {}  # loss and metrics of the last block of steps, for the progress bar
        # The logged values by name, each as (step, value). `train/loss_step` begins with the loss of the first step.
        self.history: dict[str, list[tuple[int, float]]] = {}

    def forward(self, images: Tensor) -> Tensor:
        """Predictions [B, ...] of preprocessed images [B, C, H, W]."""
        return self.shaped(self.network(images))

    def shaped(self, output: Tensor) -> Tensor:
        """The network's output [B, num_classes] in the shape of the predictions. A task may change it."""
        return output

    # The steps that Lightning calls

    def setup(self, stage: str) -> None:
        data = getattr(self.trainer, "datamodule", None)
        self.preprocess = getattr(data, "preprocess", _unchanged)
        self.set_epoch = getattr(data, "set_epoch", _ignore_epoch)

    def on_fit_start(self) -> None:
        self.log_every_n_steps = self.trainer.log_every_n_steps  # type: ignore[attr-defined]

    def on_train_start(self) -> None:  # Lightning does not start an epoch that is resumed in its middle
        self.on_train_epoch_start()

    def on_train_epoch_start(self) -> None:
        self.set_epoch(self.current_epoch)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, targets = self.preprocess(*batch, training=True)
        if batch_idx < 2:
            self.first_images = images if batch_idx == 0 else None
        total, loss, predictions = self.step(images, targets)
        self.images_seen += len(targets)
        meter, step = self.meters["train"], self.global_step
        meter.add(loss, predictions, targets, step)
        if (step + 1) % self.log_every_n_steps == 0 and not is_accumulating(self.trainer):
            self._log_block(meter, step)
        return total

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return self._evaluation_step(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return self._evaluation_step(batch, "test")

    def _evaluation_step(self, batch: tuple[Tensor, Tensor], split: str) -> Tensor:
        images, targets = self.preprocess(*batch, training=False)
        predictions = self.shaped(self.network(images))
        meter = self.meters[split]
        meter.add(self.loss(predictions, targets), predictions, targets, self.global_step)
        if len(meter) == self.log_every_n_steps:
            meter.flush()
        return predictions  # callbacks get them, see Lightning's `on_test_batch_end`

    # Logging

    @property
    def metric_names(self) -> list[str]:
        """The names that a run logs for training and validation: `train/loss`, `val/loss` and so on."""
        return [f"{split}/{name}" for split in ("train", "val") for name in self.meters[split].names]

    def on_train_epoch_end(self) -> None:
        self._log_epoch("train")

    def on_validation_start(self) -> None:
        if len(self.meters["train"]):  # finds a NaN before the weights that caused it are evaluated or saved
            self._log_block(self.meters["train"], self.global_step - 1)
        if self.trainer.world_size > 1:  # all ranks evaluate with the batch-norm statistics of rank 0
            for buffer in self.network.buffers():
                torch.distributed.broadcast(buffer, src=0)

    def on_validation_epoch_end(self) -> None:
        self._log_epoch("val")

    def on_test_epoch_end(self) -> None:
        self._log_epoch("test")

    def _log_block(self, meter: Meter, step: int) -> None:
        """Logs the loss and the metrics of the training steps since the last block."""
        self._note_first_loss()
        self.running = {name: as_float(value) for name, value in meter.flush().items()}
        self._log({f"train/{name}_step": value for name, value in self.running.items()}, step)

    def _log_epoch(self, split: str) -> None:
        """Logs the loss and the metrics of a whole pass over a split."""
        self._note_first_loss()
        values = {f"{split}/{name}": value for name, value in self.meters[split].compute().items()}
        if self.trainer.sanity_checking:
            return
        self.log_dict(values, logger=False)
        self._log({name: as_float(value) for name, value in values.items()}, self.global_step)
        if split != "val":  # validation and the end of the training epoch are one row
            for logger in self.loggers:
                logger.save()

    def _note_first_loss(self) -> None:
        first = self.meters["train"].first
        if first and first[0] == 0 and not self.history:
            self.history["train/loss_step"] = [(0, as_float(first[1]))]

    def _log(self, values: dict[str, float], step: int) -> None:
        # `log_dict` would log the training epoch one step before the validation.
        for logger in self.loggers:
            logger.log_metrics({"epoch": self.current_epoch, **values}, step)
        for name, value in values.items():
            self.history.setdefault(name, []).append((step, value))

    # Optimizer and schedule

    @property
    def steps_per_epoch(self) -> int:
        """Number of optimizer steps in an epoch. Needs a Trainer that knows its batches."""
        return max(1, -(-int(self.trainer.num_training_batches) // self.trainer.accumulate_grad_batches))

    def configure_optimizers(self) -> Any:
        optimizer = self.make_optimizer([p for p in self.network.parameters() if p.requires_grad])
        if self.make_schedulers is None:
            return optimizer
        total = self.trainer.estimated_stepping_batches
        if total == float("inf"):
            raise ValueError("trainer.max_epochs=-1 has no end, and a schedule needs one: use scheduler=none")
        epochs = max(1, -(-int(total) // self.steps_per_epoch))
        schedulers = self.make_schedulers(optimizer, self.steps_per_epoch, epochs)
        for scheduler in schedulers:
            if scheduler.get("monitor", "").startswith("val/"):  # it steps only after a validation
                scheduler["frequency"] = self.trainer.check_val_every_n_epoch or 1
        return [optimizer], schedulers

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        if not gradient_clip_val:
            return
        plugin = self.trainer.precision_plugin
        if getattr(plugin, "scaler", None) is None:
            # Lightning's own mixed precision refuses to clip with a fused optimizer, because such an optimizer would
            # undo a gradient scaler's scaling only after the clipping. Without a scaler there is nothing to undo.
            algorithm = GradClipAlgorithmType(gradient_clip_algorithm or "norm")
            Precision.clip_gradients(plugin, optimizer, gradient_clip_val, algorithm)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    # Compiled, and sharded

    def compile_training(self, batch_size: int) -> None:
        """Compiles the network with torch.compile, for training steps with this batch size.

        A smaller last batch and evaluation are not compiled: to compile them takes longer than it saves.
        """
        self._compiled = torch.compile(lambda images: self.network(images), dynamic=False)
        self._compiled_size = batch_size

    def configure_model(self) -> None:
        """With `trainer=fsdp`, shards the weights among the processes, layer by layer."""
        mesh = self.device_mesh
        if mesh is None or self._is_sharded:
            return
        self._is_sharded = True
        for layer in self.network.children():
            if any(True for _ in layer.parameters()):
                fully_shard(layer, mesh=mesh["data_parallel"])
        fully_shard(self.network, mesh=mesh["data_parallel"])


def _unchanged(images: Tensor, targets: Tensor, training: bool) -> tuple[Tensor, Tensor]:
    return images, targets


def _ignore_epoch(epoch: int) -> None:
    pass


remember_signature(Supervised.training_step)
