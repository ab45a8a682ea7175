"""The model card: what a network is, what it was trained on, how good it is, and with which settings."""

from collections.abc import Iterable
from typing import Any

from litlab.checkpoint import Trained
from litlab.runs import finite, read_result

SETTINGS = ("optimizer", "scheduler", "loss", "mix")  # groups whose class is named


def model_card(trained: Trained) -> list[tuple[str, str]]:
    """Rows of a table: what it is, and its value. What the run folder would tell is left out if it is not there."""
    data = trained.data
    result = read_result(trained.path.parent.parent)
    parameters = sum(parameter.numel() for parameter in trained.network.parameters())
    rows = [
        ("network", f"{trained.architecture.name.rpartition('.')[2]}, {parameters:,} parameters"),
        ("data", _data(data.name, result.get("dataset") or {})),
        ("input", f"{' x '.join(map(str, data.input_shape))} pixels"),
        ("classes", ", ".join(data.class_names)),
        ("metrics", _metrics({**trained.metrics, **_tested(result.get("metrics") or {})})),
        ("settings", ", ".join(_settings(result.get("config") or {}))),
        ("precision", trained.precision),
        ("checkpoint", str(trained.path)),
    ]
    return [(name, value) for name, value in rows if value]


def _data(name: str, sizes: dict[str, Any]) -> str:
    there = [f"{sizes[split]:,} {split}" for split in ("train", "val", "test") if isinstance(sizes.get(split), int)]
    return ": ".join([name, *([f"{', '.join(there)} images"] if there else [])])


def _tested(metrics: dict[str, Any]) -> dict[str, float]:
    """The test metrics of the run: they are those of its best checkpoint."""
    return {name: value for name, value in finite(metrics).items() if name.startswith("test/")}


def _metrics(metrics: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in metrics.items() if not name.startswith("train/"))


def _settings(config: dict[str, Any]) -> Iterable[str]:
    """The chosen classes, and the settings that a reader looks for first."""
    for group in SETTINGS:
        if target := config.get(f"{group}._target_"):
            lr = f" (lr {config[f'{group}.lr']:g})" if isinstance(config.get(f"{group}.lr"), float) else ""
            yield f"{group} {str(target).rpartition('.')[2]}{lr}"
    for key in ("trainer.max_epochs", "data.batch_size", "seed"):
        if (value := config.get(key)) is not None:
            yield f"{key.rpartition('.')[2]} {value}"
