"""What one page shows of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import lightning
import torch
from torch import Tensor

from litlab.callbacks import outputs_of
from litlab.data import DataModule
from litlab.modules import Classification, Supervised

PICTURES = 8  # right ones, and as many wrong ones
VALUES = 2000  # dots that show the answers of a regression
SPLITS = {"train": "training", "val": "validation", "test": "test"}

Curve = Sequence[tuple[int, float]]


@dataclass
class Sample:
    """A picture uint8 [C, H, W], what the network says it is and what it is; or points [P, 2], as shares."""

    image: Tensor
    predicted: Any
    true: Any


@dataclass
class Answers:
    """What the network made of the images of a split.

    Args:
        split: `test` or `val`.
        matrix: int64 [num_classes, num_classes], a row a true class; None where there are no classes.
        right, wrong: samples; in regression all are in `right`.
        values: true and predicted numbers of a regression, [N] each.
    """

    split: str
    matrix: Tensor | None = None
    right: list[Sample] = field(default_factory=list)
    wrong: list[Sample] = field(default_factory=list)
    values: tuple[Tensor, Tensor] | None = None


@dataclass
class Page:
    """All that is shown of a run."""

    title: str
    subtitle: str
    headline: str
    sentences: Sequence[str]
    history: dict[str, Curve]
    settings: dict[str, str]
    metrics: dict[str, float]
    class_names: Sequence[str] = ()
    answers: Answers | None = None
    best_step: int | None = None


def answers(trainer: lightning.Trainer, module: Supervised, data: DataModule, split: str) -> Answers | None:
    """What the network made of `split` in its last pass; all ranks must call this together."""
    outputs = outputs_of(trainer)
    classes = isinstance(module, Classification)
    matrix = outputs.confusion(trainer, data.num_classes).cpu() if classes else None
    if not trainer.is_global_zero or not outputs:
        return None  # nothing was evaluated
    found = Answers(split, matrix)
    predictions, targets = outputs.predictions.float().cpu(), outputs.targets.cpu()
    if not classes:
        found.values = targets.flatten()[:VALUES], predictions.flatten()[:VALUES]
    if len(data.input_shape) != 3:
        return found
    loader: Any = data.test_dataloader() if split == "test" else data.val_dataloader()
    order = [index for batch in loader.batch_sampler for index in batch]  # of this rank's share

    def samples(rows: Tensor) -> list[Sample]:
        if not len(rows):
            return []
        images, _ = loader.dataset.__getitems__([order[row] for row in rows.tolist()])
        images = images.cpu()
        shown = predictions.argmax(1) if classes else predictions
        return [Sample(image, shown[row], targets[row]) for image, row in zip(images, rows.tolist(), strict=True)]

    if not classes:
        found.right = samples(torch.arange(min(2 * PICTURES, len(targets)))) if targets.shape[-1:] == (2,) else []
        return found
    sure, predicted = predictions.softmax(1).max(1)
    good = (predicted == targets).nonzero()[:, 0]
    spread = torch.linspace(0, max(0, len(good) - 1), min(PICTURES, len(good))).long()
    bad = (predicted != targets).nonzero()[:, 0]
    found.right = samples(good[spread])
    found.wrong = samples(bad[sure[bad].argsort(descending=True)[:PICTURES]])  # the most confident first
    return found


def page(
    config: Mapping[str, Any],
    result: Mapping[str, Any],
    trainer: lightning.Trainer,
    module: Supervised,
    data: DataModule,
    answers: Answers | None,
    device: str,
) -> Page:
    """The page of a run that has ended with `result`.

    Args:
        config: the composed config, resolved, as plain data.
    """
    metrics, scored = result["metrics"], module.meters["train"].names[1]  # acc, or mae in regression
    split = next((s for s in ("test", "val", "train") if f"{s}/{scored}" in metrics), None)
    headline = result["status"]
    if split:
        value = metrics[f"{split}/{scored}"]
        words = f"{value:.2%} accuracy" if scored == "acc" else f"mean error {value:.4g}"
        headline = f"{words}, {SPLITS[split]}"
    epochs, network = result["epochs"], type(module.network).__name__
    parts = [
        f"{result['status']} after {epochs} epoch{'s' * (epochs != 1)}",
        f"{result['seconds']:,.0f} s",
        f"{result['images_per_second']:,.0f} images/s",
        f"on {device}",
    ]
    best = result["objective"] and next((c for c in trainer.callbacks if getattr(c, "best_step", None)), None)  # type: ignore[attr-defined]
    return Page(
        title=f"{network} on {data.name}",
        subtitle="  ·  ".join(parts),
        headline=headline,
        sentences=result["diagnosis"] or ([result["error"]] if "error" in result else []),
        history=dict(module.history),
        settings=key_settings(config, module, data)
        | {"precision": str(trainer.precision), "seed": str(config["seed"])},
        metrics=metrics,
        class_names=data.class_names,
        answers=answers,
        best_step=best.best_step if best else None,
    )


def key_settings(config: Mapping[str, Any], module: Supervised, data: DataModule) -> dict[str, str]:
    """What one asks first of a run, in few words."""

    def named(group: str, *keys: str) -> str:
        node = config.get(group) or {}
        name = str(node.get("_target_") or "none").rpartition(".")[2]
        return ", ".join([name, *(f"{key} {node[key]:g}" for key in keys if node.get(key))])

    sizes = " / ".join(f"{size:,}" for size in data.sizes.values())
    listed = [*(config["data"].get("transforms") or ()), *(config["data"].get("augment") or ())]
    augment = ["random_crop"] if config["data"].get("random_crop") else []
    augment += [str(entry["name"] if isinstance(entry, dict) else entry) for entry in listed]
    return {
        "network": f"{type(module.network).__name__}, {sum(p.numel() for p in module.network.parameters()):,} weights",
        "data": f"{data.name}, {sizes}",
        "optimizer": named("optimizer", "lr", "momentum", "weight_decay"),
        "schedule": named("scheduler", "warmup_epochs") if config.get("scheduler") else "constant",
        "loss": named("loss", "label_smoothing"),
        "batch size": str(data.batch_size),
        "augmentation": ", ".join(augment) or "none",
    }
