"""What the page of a run says: its title, its curves and its most important settings."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightning

from litlab.callbacks import Checkpoints, callback_of
from litlab.data import DataModule
from litlab.modules import Supervised
from litlab.report.evaluation import SPLITS, Evaluation

Curve = Sequence[tuple[int, float]]  # steps and values


@dataclass
class Page:
    """All that is shown of a run.

    Args:
        title: network and data.
        subtitle: how the run ended, how long it took, and on what.
        headline: its most important number.
        sentences: the verdict.
        history: the logged curves.
        settings: the most important ones, in few words.
        metrics: of the best checkpoint.
        class_names: empty where there are no classes.
        evaluation: what the network predicted; None where nothing was evaluated.
        best_step: of the best checkpoint.
        config: all settings, composed and resolved.
        steps_per_epoch: of a whole epoch; None if the run ended before that was known.
    """

    title: str
    subtitle: str
    headline: str
    sentences: Sequence[str]
    history: dict[str, Curve]
    settings: dict[str, str]
    metrics: dict[str, float]
    class_names: Sequence[str] = ()
    evaluation: Evaluation | None = None
    best_step: int | None = None
    config: Mapping[str, Any] | None = None
    steps_per_epoch: int | None = None


def page(
    config: Mapping[str, Any],
    result: Mapping[str, Any],
    trainer: lightning.Trainer,
    module: Supervised,
    data: DataModule,
    evaluation: Evaluation | None,
    ended: Sequence[str],
) -> Page:
    """The page of a run that has ended with `result`.

    Args:
        config: the composed config, resolved, as plain data.
        ended: how the run ended, and on which device, in words.
    """
    checkpoints = callback_of(trainer, Checkpoints)
    return Page(
        title=f"{type(module.network).__name__} on {data.title}",
        subtitle="  ·  ".join(ended),
        headline=_headline(result, module.meters["train"].names[1]),
        sentences=result["diagnosis"] or ([result["error"]] if "error" in result else []),
        history=dict(module.history),
        settings=key_settings(config, module, data)
        | {"precision": str(trainer.precision), "seed": str(config["seed"])},
        metrics=result["metrics"],
        class_names=data.class_names,
        evaluation=evaluation,
        best_step=checkpoints.best_step if checkpoints and result["objective"] else None,
        config=config,
        steps_per_epoch=module.steps_per_epoch if 0 < trainer.num_training_batches < math.inf else None,
    )


def _headline(result: Mapping[str, Any], metric: str) -> str:
    """The metric, `acc` or `mae`, of the test if there was one; else how the run ended."""
    split = next((s for s in ("test", "val", "train") if f"{s}/{metric}" in result["metrics"]), None)
    if split is None:
        return str(result["status"])
    value = result["metrics"][f"{split}/{metric}"]
    words = {"acc": f"{value:.2%} accuracy", "map": f"mAP {value:.4f}"}.get(metric, f"mean error {value:.4g}")
    return f"{words}, {SPLITS[split]}"


def _name_of(transform: str | Mapping[str, Any]) -> str:
    """The name of a transform, or the class of one's own."""
    if isinstance(transform, str):
        return transform
    return str(transform.get("name") or transform["_target_"]).rpartition(".")[2]


def key_settings(config: Mapping[str, Any], module: Supervised, data: DataModule) -> dict[str, str]:
    """The settings that one asks for first, in few words."""

    def named(group: str, *keys: str) -> str:
        node = config.get(group) or {}
        name = str(node.get("_target_") or "none").rpartition(".")[2]
        return ", ".join([name, *(f"{key} {node[key]:g}" for key in keys if node.get(key))])

    sizes = " / ".join(f"{size:,}" for size in data.sizes.values())
    listed = [*(config["data"].get("transforms") or ()), *(config["data"].get("augment") or ())]
    augment = ["random_crop"] if config["data"].get("random_crop") else []
    augment += [_name_of(entry) for entry in listed]
    return {
        "network": f"{type(module.network).__name__}, {sum(p.numel() for p in module.network.parameters()):,} weights",
        "data": f"{data.title}, {sizes}",
        "optimizer": named("optimizer", "lr", "momentum", "weight_decay"),
        "schedule": named("scheduler", "warmup_epochs") if config.get("scheduler") else "constant",
        "loss": named("loss", "label_smoothing"),
        "batch size": str(data.batch_size),
        "augmentation": ", ".join(augment) or "none",
    }
