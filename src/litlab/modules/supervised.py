"""The training, validation and test steps, common to all supervised tasks."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

import torch
from lightning.pytorch.plugins.precision import Precision
from lightning.pytorch.utilities import GradClipAlgorithmType
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.optim import Optimizer
from torchmetrics import Metric

from litlab.lightning_internals import FastAttributes, is_accumulating, remember_signature
from litlab.modules.compiled import CompiledNetwork
from litlab.modules.losses import total_weight
from litlab.modules.meter import Flushed, Meter, as_float
from litlab.modules.schedules import Schedule
from litlab.networks import WithAuxiliary


class Engine(Protocol):
    """Runs blocks of steps; see `litlab.engines`."""

    def start(self) -> None:
        """Before the first step of a run, or of one that is resumed."""

    def run(self, block: Any) -> Tensor:
        """Trains on a block; returns the loss of its last step, []."""


MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


class Supervised(FastAttributes):
    """Trains a network on (images, targets) batches.

    Logs `train/loss`, `val/loss`, `test/loss` and the task's metrics under the same prefixes once an epoch, and
    `train/loss_step` every `trainer.log_every_n_steps` steps. Nothing in a step waits for the device.

    Args:
        network: from images [B, C, H, W] to predictions; in training it may return `WithAuxiliary`.
        loss: from (predictions, targets) to a scalar.
        make_metrics: the task's metrics by name; called once a split.
        optimizer: from parameters to optimizer; by default Adam at 1e-3.
        scheduler: one of `litlab.modules.schedules`, with its options bound; `None` keeps the learning rate.
    """

    def step(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The training step: from a preprocessed batch to the loss.

        Args:
            images: float32 [B, C, H, W].
            targets: [B, ...].

        Returns:
            The loss that is minimised, []; the loss that is logged, [], which leaves out auxiliary outputs; the
            predictions [B, ...].
        """
        network: Callable[[Tensor], Any] = self.network
        if self.compiled is not None:
            network = self.compiled.network_for(images, lambda network: self.losses(network, images, targets)[0])
        return self.losses(network, images, targets)

    def losses(
        self, network: Callable[[Tensor], Any], images: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What `step` returns, computed with `network`."""
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
        # Convolutions of small images run up to twice as fast with channels innermost, on CPUs and tensor cores alike.
        self.network = network.to(memory_format=torch.channels_last)
        self.loss = loss
        self.make_optimizer: MakeOptimizer = optimizer or partial(torch.optim.Adam, lr=1e-3)
        self.make_schedulers = scheduler
        weigh = None
        if isinstance(loss, nn.CrossEntropyLoss | nn.NLLLoss) and loss.weight is not None:
            weigh = partial(total_weight, loss)
        self.meters = {split: Meter(make_metrics(), weigh) for split in ("train", "val", "test")}
        self.running: dict[str, float] = {}  # loss and metrics of the last block of steps, for the progress bar
        self.log_every_n_steps = 50  # the Trainer's, once it is known
        self._is_split = False
        self.compiled: CompiledNetwork | None = None  # for `model.compile=true`
        self.preprocess: Callable[..., tuple[Tensor, Tensor]] = _as_it_is  # the data module's, once there is one
        self.set_epoch: Callable[[int], None] = _of_no_interest
        self.images_seen = 0  # by this process, in training
        self.keeps_first_images = False  # whether a callback shows the first images of an epoch
        self.first_images: Tensor | None = None  # as the network saw them
        self.looked_at: set[int] = set()  # steps between which a callback looks at the weights: no block goes over one
        self.gradient_norm: Tensor | None = None  # [], of all gradients, where they have been clipped since
        self.engine: Engine | None = None  # runs blocks of steps; None: Lightning runs each step
        self.later: Callable[[Callable[[], None]], None] = _now  # calls a function once the device has its values
        self.drain: Callable[[], None] = _nothing  # calls all that wait for that
        # Each logged value as (step, value), by its name; `train/loss_step` begins with the very first loss.
        self.history: dict[str, list[tuple[int, float]]] = {}

    @property
    def metric_names(self) -> list[str]:
        """What a run logs for training and validation: `train/loss`, `val/loss` and so on."""
        return [f"{split}/{name}" for split in ("train", "val") for name in self.meters[split].names]

    def forward(self, images: Tensor) -> Tensor:
        """Predictions of normalised images [B, C, H, W]."""
        return self.shaped(self.network(images))

    def shaped(self, output: Tensor) -> Tensor:
        """Predictions as the task wants them, of what the network makes, [B, num_classes]."""
        return output

    def configure_model(self) -> None:
        """Splits the weights among the processes of `trainer=fsdp`, with layers that own many a unit of their own."""
        mesh = self.device_mesh
        if mesh is None or self._is_split:
            return
        self._is_split = True
        for layer in self.network.children():
            if any(True for _ in layer.parameters()):
                fully_shard(layer, mesh=mesh["data_parallel"])
        fully_shard(self.network, mesh=mesh["data_parallel"])

    def setup(self, stage: str) -> None:
        data = getattr(self.trainer, "datamodule", None)
        self.preprocess = getattr(data, "preprocess", _as_it_is)
        self.set_epoch = getattr(data, "set_epoch", _of_no_interest)

    def on_fit_start(self) -> None:
        self.log_every_n_steps = self.trainer.log_every_n_steps  # type: ignore[attr-defined]

    def on_train_start(self) -> None:
        self.set_epoch(self.current_epoch)  # an epoch that is resumed in its middle does not start
        if self.engine is not None:
            self.engine.start()

    def on_train_epoch_start(self) -> None:
        self.set_epoch(self.current_epoch)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        if self.engine is not None:
            return self.engine.run(batch)
        images, targets = self.preprocess(*batch, training=True)
        if batch_idx == 0 and self.keeps_first_images:
            self.first_images = images
        total, loss, predictions = self.step(images, targets)
        step = self.global_step
        self.note(loss, predictions, targets, step)
        if not is_accumulating(self.trainer):
            self.log_if_due(step)
        return total

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        if self.engine is None:  # an engine has done it, as the next two
            super().backward(loss, *args, **kwargs)

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: Optimizer) -> None:
        if self.engine is None:
            super().optimizer_zero_grad(epoch, batch_idx, optimizer)

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        if self.engine is None:
            super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        else:
            optimizer_closure()

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return self._evaluate(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return self._evaluate(batch, "test")

    def on_train_epoch_end(self) -> None:
        self._finish("train")

    def on_validation_start(self) -> None:
        if len(self.meters["train"]):  # a NaN must be found before the weights that caused it are judged or saved
            self._flush_block(self.global_step - 1)
        self.drain()
        if self.trainer.world_size > 1:  # batch-norm statistics are those of rank 0 (see assembly.make_trainer)
            for buffer in self.network.buffers():
                torch.distributed.broadcast(buffer, src=0)

    def on_validation_epoch_end(self) -> None:
        self._finish("val")

    def on_test_epoch_end(self) -> None:
        self._finish("test")

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
            # Lightning refuses fused optimizers in all mixed precision, for what only a gradient scaler does: to leave
            # it to them to scale the gradients back, after they were clipped.
            algorithm = GradClipAlgorithmType(gradient_clip_algorithm or "norm")
            Precision.clip_gradients(plugin, optimizer, gradient_clip_val, algorithm)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    @property
    def steps_per_epoch(self) -> int:
        """How often the optimizer steps in an epoch, once the trainer knows the batches."""
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
            if scheduler.get("monitor", "").startswith("val/"):  # it can step when there is a new value
                scheduler["frequency"] = self.trainer.check_val_every_n_epoch or 1
        return [optimizer], schedulers

    def _evaluate(self, batch: tuple[Tensor, Tensor], split: str) -> Tensor:
        images, targets = self.preprocess(*batch, training=False)
        predictions = self.shaped(self.network(images))
        meter = self.meters[split]
        meter.add(self.loss(predictions, targets), predictions, targets, self.global_step)
        if len(meter) == self.log_every_n_steps:
            meter.flush().check()
        return predictions  # for callbacks, see Lightning's on_test_batch_end

    def note(self, loss: Tensor, predictions: Tensor, targets: Tensor, step: int) -> None:
        """Counts a training batch: its loss [], predictions [B, ...] and targets [B, ...]."""
        self.images_seen += len(targets)
        self.meters["train"].add(loss, predictions, targets, step)

    def log_if_due(self, step: int) -> None:
        """Logs the steps up to this one, every `trainer.log_every_n_steps` steps."""
        if (step + 1) % self.log_every_n_steps == 0:
            self._flush_block(step)

    def _flush_block(self, step: int) -> None:
        flushed, epoch = self.meters["train"].flush(), self.current_epoch
        self.later(lambda: self._write_block(flushed, step, epoch))

    def _write_block(self, flushed: Flushed, step: int, epoch: int) -> None:
        flushed.check()
        self._note_first_loss(flushed)
        self.running = {name: as_float(value) for name, value in flushed.values.items()}
        self._write({f"train/{name}_step": value for name, value in self.running.items()}, step, epoch)

    def _note_first_loss(self, flushed: Flushed) -> None:
        if flushed.start == 0 and not self.history:
            self.history["train/loss_step"] = [(0, as_float(flushed.losses[0]))]

    def _finish(self, split: str) -> None:
        self.drain()
        meter = self.meters[split]
        if len(meter):
            flushed = meter.flush()
            flushed.check()
            if split == "train":
                self._note_first_loss(flushed)
        values = {f"{split}/{name}": value for name, value in meter.compute().items()}
        if self.trainer.sanity_checking:
            return
        self.log_dict(values, logger=False)
        self._write({name: as_float(value) for name, value in values.items()}, self.global_step, self.current_epoch)

        if split != "val":  # the validation shares its row with the end of the training epoch
            for logger in self.loggers:
                logger.save()

    def _write(self, values: dict[str, float], step: int, epoch: int) -> None:
        # Not by `log_dict`, which would put the training's epoch values one step before the validation's.
        for logger in self.loggers:
            logger.log_metrics({"epoch": epoch, **values}, step)
        for name, value in values.items():
            self.history.setdefault(name, []).append((step, value))


def _as_it_is(images: Tensor, targets: Tensor, training: bool) -> tuple[Tensor, Tensor]:
    return images, targets


def _of_no_interest(epoch: int) -> None:
    pass


def _now(write: Callable[[], None]) -> None:
    write()


def _nothing() -> None:
    pass


remember_signature(Supervised.training_step)
