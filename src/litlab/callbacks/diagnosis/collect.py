"""The callback that collects the evidence of a run for the verdict."""

from typing import Any

import lightning
from lightning.pytorch.callbacks import EarlyStopping
from torch import nn

from litlab.callbacks.diagnosis.dead_units import DeadUnits
from litlab.callbacks.diagnosis.evidence import Evidence, Setup
from litlab.callbacks.diagnosis.rules import verdict
from litlab.callbacks.diagnosis.weight_change import WeightChange
from litlab.callbacks.find import callback_of
from litlab.callbacks.loggers import TensorBoard
from litlab.callbacks.outputs import outputs_of
from litlab.callbacks.throughput import Throughput
from litlab.data import ImageDataset
from litlab.data.augment import AUGMENTATIONS
from litlab.machine import cores
from litlab.modules import Classification, NonFiniteLoss, Supervised
from litlab.networks import BATCH_NORMS

# Augmentations that leave an image about as easy as it was.
MILD = ("RandomCrop", "RandomHorizontalFlip", "RandomVerticalFlip", "AlternatingFlip")
CURVES = ("train/loss_step", "train/loss", "val/loss")
LATEST = ("train/acc", "val/acc", "val/r2")  # metrics whose last value counts


class Diagnosis(lightning.Callback):
    """Says in at most four sentences what a run's curves mean, with the evidence and the override to try.

    It needs an `EvaluationOutputs` among the callbacks. A step costs next to nothing: the weights are measured in one
    step of each epoch, ReLUs are watched on the first validation images, and the loader counts the seconds for which
    training waits. The curves are those of the module (`Supervised.history`).
    """

    def __init__(self) -> None:
        self.weights, self.units = WeightChange(), DeadUnits()
        self.support: list[int] = []
        self.predicted: list[int] = []
        self.waited = 0.0  # seconds without a batch

    def state_dict(self) -> dict[str, Any]:
        self.weights.note()
        return {
            "updates": list(self.weights.measured),
            "units": list(self.units.counts),
            "support": list(self.support),
            "predicted": list(self.predicted),
            "epoch_starts_at": self.weights.epoch_starts_at,
            "seconds": self.waited,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.weights.measured, self.weights.epoch_starts_at = state_dict["updates"], state_dict["epoch_starts_at"]
        self.units.counts = state_dict["units"]
        self.support, self.predicted = state_dict["support"], state_dict["predicted"]
        self.waited = state_dict["seconds"]

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._waited_before = getattr(trainer.train_dataloader, "waited", 0.0)
        if trainer.fit_loop.restarted_mid_epoch:  # Lightning does not call on_train_epoch_start for this epoch
            self.weights.go_on(trainer)

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.weights.begin_epoch(trainer)

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        self.weights.before_batch(trainer)

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        self.weights.after_batch(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.weights.note()
        waited = getattr(trainer.train_dataloader, "waited", 0.0)
        self.waited, self._waited_before = self.waited + waited - self._waited_before, waited

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if not trainer.sanity_checking:
            network = pl_module.network
            assert isinstance(network, nn.Module)
            self.units.begin(network)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.sanity_checking:
            return
        self.units.end()
        if isinstance(pl_module, Classification):
            confusion = outputs_of(trainer).confusion(trainer, trainer.datamodule.num_classes)  # type: ignore[attr-defined]
            self.support, self.predicted = confusion.sum(1).tolist(), confusion.sum(0).tolist()

    def conclude(
        self, trainer: lightning.Trainer, module: Supervised, failure: BaseException | None = None
    ) -> list[str]:
        """Returns the sentences, the most important first, and writes them to TensorBoard.

        Args:
            failure: what ended the training early; None if nothing did.
        """
        sentences = verdict(self.evidence(trainer, module, failure))
        text = "\n".join(f"- {sentence}" for sentence in sentences)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoard) and text:
                logger.write(lambda writer: writer.add_text("diagnosis", text, trainer.global_step))
        return sentences

    def evidence(
        self, trainer: lightning.Trainer, module: Supervised, failure: BaseException | None = None
    ) -> Evidence:
        """All that is known of the run."""
        self.weights.note()
        data, history = trainer.datamodule, module.history  # type: ignore[attr-defined]
        curves = {name: [value for _, value in history.get(name, ())] for name in CURVES}
        last = {name: history[name][-1][1] if name in history else None for name in LATEST}
        throughput, stopping = callback_of(trainer, Throughput), callback_of(trainer, EarlyStopping)
        return Evidence(
            losses=curves["train/loss_step"],
            train=curves["train/loss"],
            val=curves["val/loss"],
            val_every=trainer.check_val_every_n_epoch if trainer.val_check_interval == 1.0 else None,
            train_acc=last["train/acc"],
            val_acc=last["val/acc"],
            val_r2=last["val/r2"],
            num_classes=data.num_classes if isinstance(module, Classification) else None,
            plain_cross_entropy=isinstance(module.loss, nn.CrossEntropyLoss | nn.NLLLoss),
            nonfinite_step=failure.step if isinstance(failure, NonFiniteLoss) else None,
            before_training=isinstance(failure, NonFiniteLoss) and failure.before_training,
            class_names=data.class_names,
            support=self.support,
            predicted=self.predicted,
            units=self.units.counts,
            updates=self.weights.measured,
            steps=trainer.global_step,
            passes=passes(trainer),
            waited=self.waited,
            trained=throughput.seconds if throughput else 0.0,
            ended_early=trainer.current_epoch < (trainer.max_epochs or 0),
            stopped_early=stopping is not None and stopping.wait_count >= stopping.patience,
            setup=setup_of(trainer, module),
        )


def setup_of(trainer: lightning.Trainer, module: Supervised) -> Setup:
    """How the run was made."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    group = trainer.optimizers[0].param_groups[0] if trainer.optimizers else {"lr": 0.0}
    return Setup(
        lr=configured_rate(group),
        weight_decay=group.get("weight_decay", 0.0),
        batch_size=data.batch_size,
        num_workers=data.num_workers,
        cores=cores(),
        max_epochs=max(trainer.current_epoch, trainer.max_epochs or 0),
        device="CPU" if trainer.strategy.root_device.type == "cpu" else "GPU",
        data_in=where_images_are(getattr(trainer.train_dataloader, "dataset", None)),
        engine=module.engine.name if module.engine else "eager",
        augment=[name for step in data.augment for name, kind in AUGMENTATIONS.items() if type(step) is kind],
        clips=bool(trainer.gradient_clip_val),
        stops_early=callback_of(trainer, EarlyStopping) is not None,
        comparable=is_comparable(data, module),
        frozen=not all(parameter.requires_grad for parameter in module.network.parameters()),
        batch_norm=any(isinstance(layer, BATCH_NORMS) for layer in module.network.modules()),
        pure_float16=trainer.precision == "16-true",
        tries=isinstance(trainer.limit_train_batches, int) or trainer.limit_train_batches < 1,  # 1.0 is all of them
    )


def is_comparable(data: Any, module: Supervised) -> bool:
    """Whether the training loss is of the same kind as the validation loss, so that it falls with it."""
    if getattr(data, "mix", None) is not None or module.trained_later:
        return False
    if not all(parameter.requires_grad for parameter in module.network.parameters()):
        return False
    smoothing: float = getattr(module.loss, "label_smoothing", 0.0)
    if smoothing or getattr(module.loss, "weight", None) is not None:
        return False
    changes = [*data.augment, *getattr(data, "transforms", ())]
    return all(type(change).__name__ in MILD for change in changes)


def passes(trainer: lightning.Trainer) -> float | None:
    """How often each training image was seen; None if the batches of an epoch cannot be counted."""
    loader: Any = trainer.train_dataloader
    try:
        batches = trainer.num_training_batches if trainer.overfit_batches else len(loader)  # type: ignore[attr-defined]
    except TypeError:  # a loader of the user's own, without a length
        return None
    return trainer.global_step * trainer.accumulate_grad_batches / batches if batches else None


def where_images_are(dataset: Any) -> str:
    """`files`, `memory` or `gpu`. A data set that makes its batches in a way of its own counts as files."""
    if getattr(type(dataset), "__getitems__", None) is not ImageDataset.__getitems__:
        return "files"
    return "memory" if dataset.images.device.type == "cpu" else "gpu"


def configured_rate(group: dict[str, Any]) -> float:
    """`optimizer.lr` as it was set, not as a schedule has changed it, of the first group of parameters."""
    return float(group.get("max_lr", group.get("initial_lr", group["lr"])))  # OneCycleLR keeps it as max_lr
