"""Collects the evidence of a run, from which `litlab.callbacks.diagnosis.rules` draws its conclusions."""

from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch import Tensor, nn
from torch.optim import Optimizer

from litlab.callbacks.diagnosis.rules import Evidence, Settings, verdict
from litlab.callbacks.find import callback_of
from litlab.callbacks.loggers import TensorBoard
from litlab.callbacks.outputs import outputs_of
from litlab.callbacks.throughput import Throughput
from litlab.data.augment import AUGMENTATIONS
from litlab.modules import Classification, Muon, NonFiniteLoss, Supervised

LAYERS, LARGEST = 16, 2**22  # weights whose change is measured: how many tensors at most, of how many numbers at most
IMAGES, FEWEST = 256, 50  # validation images on which units are watched: at most, and for it to mean anything
MIDDLE = 50  # the step that is measured, where an epoch has no known length


CURVES = ("train/loss_step", "train/loss", "val/loss")


class Diagnosis(lightning.Callback):
    """Says in at most four sentences what a run's curves mean, with the evidence and the override to try.

    A step costs next to nothing: the change of the weights is measured in the middle step of each epoch, ReLUs are
    watched on the first validation images of each epoch, and the loader itself counts the seconds it is waited for. The
    curves are those of the module (`Supervised.history`), the answers those of `EvaluationOutputs`, which must be there
    too.
    """

    def __init__(self) -> None:
        self.updates: list[float] = []
        self.units: list[tuple[str, int, int]] = []
        self.support: list[int] = []
        self.predicted: list[int] = []
        self.waited = 0.0
        self._epoch_starts_at = 0  # the step
        self._update: Tensor | None = None
        self._middle = 0  # the step, before and after which the weights are compared
        self._weights: list[Tensor] = []
        self._before: list[Tensor] = []
        self._on_pass: list[Any] = []  # handles of hooks, of the network
        self._fired: list[list[tuple[str, Tensor]]] = []  # of each batch, in the order of the calls
        self._watched = 0  # images

    def state_dict(self) -> dict[str, Any]:
        self._note_update()
        facts = {name: list(getattr(self, name)) for name in ("updates", "units", "support", "predicted")}
        return facts | {"epoch_starts_at": self._epoch_starts_at, "seconds": self.waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name in ("updates", "units", "support", "predicted"):
            setattr(self, name, state_dict[name])
        self._epoch_starts_at, self.waited = state_dict["epoch_starts_at"], state_dict["seconds"]

    # The change of the weights in one step

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._waited_before = getattr(trainer.train_dataloader, "waited", 0.0)
        if trainer.fit_loop.restarted_mid_epoch:  # then no epoch starts
            self._find_middle_step(trainer)

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._epoch_starts_at = trainer.global_step
        self._find_middle_step(trainer)

    def _find_middle_step(self, trainer: lightning.Trainer) -> None:
        (optimizer,) = trainer.optimizers
        batches = trainer.num_training_batches
        steps = -(-int(batches) // trainer.accumulate_grad_batches) if batches != float("inf") else 2 * MIDDLE
        self._middle = self._epoch_starts_at + steps // 2
        # A step of Muon is as large as its learning rate, whatever the gradient: no rule of thumb applies.
        self._weights = [] if isinstance(optimizer, Muon) else watched_weights(optimizer)
        self._before = []
        looked_at = {self._middle, self._middle + 1} if self._weights else set()
        trainer.lightning_module.looked_at = looked_at  # type: ignore[assignment]

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        if self._weights and not self._before and trainer.global_step == self._middle:
            self._before = [weight.detach().clone() for weight in self._weights]

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if self._before and trainer.global_step == self._middle + 1:
            self._update = change(self._before, self._weights)
            self._weights, self._before = [], []

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._note_update()
        waited = getattr(trainer.train_dataloader, "waited", 0.0)
        self.waited, self._waited_before = self.waited + waited - self._waited_before, waited

    def _note_update(self) -> None:
        if self._update is not None:
            self.updates.append(self._update.item())
            self._update = None

    # What the network does on validation images

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._on_pass = removed(self._on_pass)
        if trainer.sanity_checking:
            return
        network = pl_module.network
        assert isinstance(network, nn.Module)
        self._fired, self._watched = [[]], 0

        def watch(name: str) -> Any:
            return lambda module, inputs, output: self._fired[-1].append((name, fires(output[:IMAGES])))

        relus = ((name, module) for name, module in network.named_modules() if isinstance(module, nn.ReLU))
        self._on_pass = [module.register_forward_hook(watch(name)) for name, module in relus]

        def after(module: nn.Module, inputs: Any, output: Tensor) -> None:
            self._watched += len(output)
            if self._watched < IMAGES:
                self._fired.append([])
            else:
                self._on_pass = removed(self._on_pass)

        self._on_pass.append(network.register_forward_hook(after))

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.sanity_checking:
            return
        self._on_pass = removed(self._on_pass)
        calls = list(zip(*filter(None, self._fired), strict=True)) if self._watched >= FEWEST else []
        self._fired = []
        if calls:
            ever = [torch.stack([fired for _, fired in call]).any(0) for call in calls]
            counts = torch.stack([fired.sum() for fired in ever]).tolist()
            self.units = [
                (call[0][0] or "the network", len(fired) - count, len(fired))
                for call, fired, count in zip(calls, ever, counts, strict=True)
            ]
        if isinstance(pl_module, Classification):
            confusion = outputs_of(trainer).confusion(trainer, trainer.datamodule.num_classes)  # type: ignore[attr-defined]
            self.support, self.predicted = confusion.sum(1).tolist(), confusion.sum(0).tolist()

    # The verdict

    def conclude(
        self, trainer: lightning.Trainer, module: Supervised, failure: BaseException | None = None
    ) -> list[str]:
        """The sentences, most important first, which also go to TensorBoard.

        Args:
            failure: what ended the training early, if anything did.
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
        """All that is known."""
        self._note_update()
        data, history = trainer.datamodule, module.history  # type: ignore[attr-defined]
        curves = {name: [value for _, value in history.get(name, ())] for name in CURVES}
        last = {name: history[name][-1][1] if name in history else None for name in ("train/acc", "val/acc")}
        classes = isinstance(module, Classification)
        throughput = callback_of(trainer, Throughput)
        return Evidence(
            losses=curves["train/loss_step"],
            train=curves["train/loss"],
            val=curves["val/loss"],
            val_every=trainer.check_val_every_n_epoch or 1,
            train_acc=last["train/acc"],
            val_acc=last["val/acc"],
            num_classes=data.num_classes if classes else None,
            plain_cross_entropy=isinstance(module.loss, nn.CrossEntropyLoss | nn.NLLLoss),
            nonfinite_step=failure.step if isinstance(failure, NonFiniteLoss) else None,
            class_names=data.class_names,
            support=self.support,
            predicted=self.predicted,
            units=self.units,
            updates=self.updates,
            steps=trainer.global_step,
            waited=self.waited,
            trained=throughput.seconds if throughput else 0.0,
            ended_early=trainer.current_epoch < (trainer.max_epochs or 0),
            settings=settings(trainer, module),
        )


def settings(trainer: lightning.Trainer, module: Supervised) -> Settings:
    """What the run was made with."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    group = trainer.optimizers[0].param_groups[0] if trainer.optimizers else {"lr": 0.0}
    return Settings(
        lr=learning_rate(group),
        weight_decay=group.get("weight_decay", 0.0),
        batch_size=data.batch_size,
        num_workers=data.num_workers,
        max_epochs=max(trainer.current_epoch, trainer.max_epochs or 0),
        device="CPU" if trainer.strategy.root_device.type == "cpu" else "GPU",
        augment=[name for step in data.augment for name, kind in AUGMENTATIONS.items() if type(step) is kind],
        clips=bool(trainer.gradient_clip_val),
        stops_early=callback_of(trainer, EarlyStopping) is not None,
        frozen=not all(parameter.requires_grad for parameter in module.network.parameters()),
    )


def removed(handles: list[Any]) -> list[Any]:
    """Removes hooks; returns an empty list."""
    for handle in handles:
        handle.remove()
    return []


def learning_rate(group: dict[str, Any]) -> float:
    """`optimizer.lr` as it was set, whatever a schedule has made of it, of the first group of parameters."""
    rate = group.get("max_lr", group.get("initial_lr", group["lr"]))  # of OneCycleLR, of the others
    return float(rate)


def watched_weights(optimizer: Optimizer) -> list[Tensor]:
    """Matrices and kernels among what is trained, evenly spaced, without those that are too large to copy."""
    weights = [p for group in optimizer.param_groups for p in group["params"] if p.dim() > 1 and p.numel() <= LARGEST]
    return weights[:: -(-len(weights) // LAYERS) or 1]


def change(before: list[Tensor], after: list[Tensor]) -> Tensor:
    """The norm of the change relative to the norm before, [] : the median over the tensors."""
    with torch.no_grad():
        moved = torch.stack(list(torch._foreach_norm(torch._foreach_sub(after, before))))
        size = torch.stack(list(torch._foreach_norm(before)))
        return (moved / size.clamp_min(1e-12)).median()


def fires(activations: Tensor) -> Tensor:
    """Which units are above zero for any image, at any place: bool [C] of activations [B, C, ...]."""
    return activations.flatten(2).amax((0, 2)) > 0 if activations.dim() > 2 else activations.amax(0) > 0
