"""The training step, and everything that Lightning needs around it, for all supervised tasks."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Protocol

import torch
from lightning.pytorch.plugins.precision import Precision
from lightning.pytorch.utilities import GradClipAlgorithmType
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.optim import Optimizer
from torchmetrics import Metric

from litlab.lightning_internals import is_accumulating, remember_signature
from litlab.modules.added import Added
from litlab.modules.compiled import CompiledNetwork
from litlab.modules.losses import total_weight
from litlab.modules.measured import Measured
from litlab.modules.optimizers import with_all_momenta
from litlab.modules.schedules import Schedule, is_of_torch, of_torch
from litlab.modules.true_precision import TRUE_PRECISION, in_dtype
from litlab.networks import WithAuxiliary, with_versions


class Engine(Protocol):
    """Runs blocks of steps; see `litlab.engines`."""

    name: str

    def start(self) -> None:
        """Before the first step of a run, or of a resumed one."""

    def run(self, block: Any) -> Tensor:
        """Trains on a block; returns the loss of its last step, []."""

    def renew(self) -> None:
        """After other parameters have begun to be trained."""


MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


class Supervised(Measured):
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
        added: metrics of the user, beside those of the task.
    """

    def step(self, images: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """The training step: from a preprocessed batch to the loss. It needs no Trainer and counts nothing.

        Args:
            images: float32 [B, C, H, W].
            targets: [B, ...].

        Returns:
            The loss to minimise, []; the loss to log, [], without auxiliary outputs; the predictions, [B, ...].
        """
        network: Callable[[Tensor], Any] = self.network
        if self.compiled is not None:
            network = self.compiled.network_for(images, lambda network: self._losses(network, images, targets)[0])
        return self._losses(network, images, targets)

    def _losses(self, network: Callable[[Tensor], Any], images: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        output = network(images)
        auxiliary = output if isinstance(output, WithAuxiliary) else None
        predictions = self.shaped(auxiliary.predictions if auxiliary else output)
        loss = self.loss(predictions, targets)
        total = loss
        if auxiliary:
            total = loss + auxiliary.weight * sum(self.loss(self.shaped(b), targets) for b in auxiliary.auxiliary)
        return total, loss, predictions

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module,
        make_metrics: Callable[[], dict[str, Metric]],
        optimizer: MakeOptimizer | None = None,
        scheduler: Schedule | None = None,
        added: Added | None = None,
    ) -> None:
        weigh = None
        if isinstance(loss, nn.CrossEntropyLoss | nn.NLLLoss) and loss.weight is not None:
            weigh = partial(total_weight, loss)
        super().__init__(make_metrics, weigh, added)
        # Convolutions of small images are up to twice as fast with channels last, on CPUs and on tensor cores.
        self.network = network.to(memory_format=torch.channels_last)
        self.loss = loss
        self.make_optimizer: MakeOptimizer = optimizer or partial(torch.optim.Adam, lr=1e-3)
        self.make_schedulers = of_torch(scheduler) if is_of_torch(scheduler) else scheduler  # type: ignore[arg-type]
        self.trained_later: tuple[nn.Parameter, ...] = ()  # frozen now; the optimizer gets them from the start
        self._is_sharded = False
        self.compiled: CompiledNetwork | None = None  # for `model.compile=true`
        self.engine: Engine | None = None  # runs blocks of steps; None: Lightning runs each step

        # From the data module, once there is one.
        self.preprocess: Callable[..., tuple[Tensor, Tensor]] = _unchanged
        self.set_epoch: Callable[[int], None] = _ignore_epoch

        # For callbacks that show something, and for the engine that must know of it.
        self.keeps_first_images = False  # whether a callback shows the first images of an epoch
        self.first_images: Tensor | None = None  # these images, preprocessed
        self.looked_at: set[int] = set()  # numbers of steps after which a callback looks at the weights
        self.gradient_norm: Tensor | None = None  # [], before clipping, if an engine has measured it

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
        if dtype := TRUE_PRECISION.get(self.trainer.precision):
            self.preprocess = partial(in_dtype, self.preprocess, dtype)
            if dtype == torch.float64:  # Lightning does so after it has put the weights of a checkpoint into 32 bits
                self.network.double()
        self.set_epoch = getattr(data, "set_epoch", _ignore_epoch)

    def on_train_start(self) -> None:  # Lightning does not start an epoch that is resumed in its middle
        self.on_train_epoch_start()
        if self.trainer.num_training_batches != float("inf"):
            steps = self.steps_per_epoch if self.trainer.max_steps < 0 else self.trainer.max_steps
            self.log_at_least_once_an_epoch(min(self.steps_per_epoch, steps))
        if self.engine is not None:
            self.engine.start()

    def on_train_epoch_start(self) -> None:
        self.set_epoch(self.current_epoch)
        super().on_train_epoch_start()

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        if self.engine is not None:
            return self.engine.run(batch)
        images, targets = self.preprocess(*batch, training=True)
        if batch_idx == 0 and self.keeps_first_images:
            self.first_images = images
        total, loss, predictions = self.step(images, targets)
        step = self.global_step
        self.measure(loss, predictions, targets, step)
        if not is_accumulating(self.trainer):
            self.log_if_due(step)
        return total

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        if self.engine is None:  # an engine has done it, and so in the two methods below
            super().backward(loss, *args, **kwargs)

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: Optimizer) -> None:
        if self.engine is None:
            super().optimizer_zero_grad(epoch, batch_idx, optimizer)

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        if self.engine is None:
            super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        else:
            optimizer_closure()

    def on_validation_start(self) -> None:
        super().on_validation_start()
        if self.trainer.world_size > 1:  # all ranks evaluate with the batch-norm statistics of rank 0
            for buffer in self.network.buffers():
                torch.distributed.broadcast(buffer, src=0)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return self._evaluation_step(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return self._evaluation_step(batch, "test")

    def predict_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, _ = self.preprocess(*batch, training=False)
        return self(images)

    def _evaluation_step(self, batch: tuple[Tensor, Tensor], split: str) -> Tensor:
        images, targets = self.preprocess(*batch, training=False)
        predictions = self.shaped(self.network(images))
        meter = self.meters[split]
        meter.add(self.loss(predictions, targets), predictions, targets, self.global_step)
        if len(meter) == self.flush_every_n_batches:
            meter.flush().check()
        return predictions  # callbacks get them, see Lightning's `on_test_batch_end`

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **options: Any) -> Any:
        return super().load_state_dict(with_versions(self, state_dict), *args, **options)

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, *args: Any, **arguments: Any) -> Any:
        """Lightning's own, for which all arguments of the constructor must be given. `litlab.load` needs none.

        Raises:
            TypeError: if one is missing.
        """
        try:
            return super().load_from_checkpoint(checkpoint_path, *args, **arguments)
        except TypeError as error:
            raise TypeError(
                f"{checkpoint_path}: call litlab.load(path).network for a checkpoint of litlab, or give "
                f"load_from_checkpoint the arguments of {cls.__name__} too, such as network=... ({error})"
            ) from None

    # Optimizer and schedule

    @property
    def steps_per_epoch(self) -> int:
        """Number of optimizer steps in an epoch. Needs a Trainer that knows its batches."""
        return max(1, -(-int(self.trainer.num_training_batches) // self.trainer.accumulate_grad_batches))

    def trained(self) -> list[nn.Parameter]:
        """The parameters that are trained, now or later."""
        later = {id(parameter) for parameter in self.trained_later}
        return [p for p in self.network.parameters() if p.requires_grad or id(p) in later]

    def configure_optimizers(self) -> Any:
        optimizer = with_all_momenta(self.make_optimizer(self.trained()))
        if self.make_schedulers is None:
            return optimizer
        total = self.trainer.estimated_stepping_batches
        if total == float("inf"):
            raise ValueError("trainer.max_epochs=-1 has no end, and a schedule needs one: use scheduler=none")
        if self.trainer.num_training_batches == float("inf"):  # not counted yet: trainer.max_steps alone
            self.trainer.fit_loop.setup_data()
        epochs = max(1, -(-int(total) // self.steps_per_epoch))
        schedulers = self.make_schedulers(optimizer, self.steps_per_epoch, epochs)
        for scheduler in schedulers:
            if scheduler.get("monitor", "").startswith("val/"):  # it steps only after a validation
                scheduler["frequency"] = self.trainer.check_val_every_n_epoch or 1
        return [optimizer], schedulers

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
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

    def configure_model(self) -> None:
        """With `trainer=fsdp`, shards the weights among the processes, layer by layer."""
        mesh = self.device_mesh
        if mesh is None or self._is_sharded:
            return
        self._is_sharded = True
        self.network.to(memory_format=torch.contiguous_format)  # FSDP shards no other weights
        for layer in self.network.children():
            if any(True for _ in layer.parameters()):
                fully_shard(layer, mesh=mesh["data_parallel"])
        fully_shard(self.network, mesh=mesh["data_parallel"])


def _unchanged(images: Tensor, targets: Tensor, training: bool) -> tuple[Tensor, Tensor]:
    return images, targets


def _ignore_epoch(epoch: int) -> None:
    pass


remember_signature(Supervised.training_step)
