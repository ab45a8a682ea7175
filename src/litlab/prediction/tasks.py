"""What the outputs of a network say of each picture: one function a task.

A new task is a function here, from outputs [B, ...] to one mapping a picture, and its columns.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from litlab.checkpoint import Data


@dataclass
class Prediction:
    """What is known of one file. Every task fills `label`, which people read, and `values`, which programs read."""

    file: str
    label: str = ""
    columns: list[str] = field(default_factory=list)  # of the table
    values: dict[str, Any] = field(default_factory=dict)
    points: Tensor | None = None  # [P, 2], as fractions of width and height
    inverted: bool = False
    error: str | None = None


def classify(outputs: Tensor, data: Data) -> list[dict[str, Any]]:
    """Logits [B, num_classes] to the class of each picture, its probability and the next best two."""
    names, predictions = data.class_names or range(data.num_classes), []
    probabilities = outputs.double().softmax(1)
    top = probabilities.topk(min(3, probabilities.shape[1]))
    for row, shares, classes in zip(probabilities.tolist(), top.values.tolist(), top.indices.tolist(), strict=True):
        best, *others = ((str(names[index]), share) for index, share in zip(classes, shares, strict=True))
        predictions.append(
            {
                "label": f"{best[0]} {best[1]:.0%}",
                "columns": [best[0], f"{best[1]:.4f}", ", ".join(f"{name} {share:.4f}" for name, share in others)],
                "values": {
                    "class": best[0],
                    "probability": round(best[1], 6),
                    "probabilities": {str(name): round(share, 6) for name, share in zip(names, row, strict=True)},
                },
            }
        )
    return predictions


def regress(outputs: Tensor, data: Data) -> list[dict[str, Any]]:
    """Numbers [B, ...] as they are."""
    predictions = []
    for row in outputs.double().flatten(1).tolist():
        numbers = [round(value, 6) for value in row]
        text = " ".join(f"{value:.4g}" for value in numbers)
        predictions.append({"label": text, "columns": [text, "", ""], "values": {"values": numbers}})
    return predictions


def locate(outputs: Tensor, data: Data) -> list[dict[str, Any]]:
    """Points [B, P, 2], or [B, 2 P], as fractions of width and height."""
    predictions = []
    for points in outputs.double().reshape(len(outputs), -1, 2).cpu():
        rounded = [[round(value, 6) for value in point] for point in points.tolist()]
        text = " ".join(f"({x:.3f}, {y:.3f})" for x, y in rounded)
        predictions.append({"label": "", "columns": [text, "", ""], "values": {"points": rounded}, "points": points})
    return predictions


def kind(task: str, data: Data) -> str:
    """Which of the predictions below a network gives: a regression of [P, 2] on pictures places P points."""
    return "Landmarks" if task == "Regression" and data.target_shape[1:] == (2,) else task


TASKS: dict[str, Callable[[Tensor, Data], list[dict[str, Any]]]] = {
    "Classification": classify,
    "Regression": regress,
    "Landmarks": locate,
}

HEADINGS = {
    "Classification": ("class", "probability", "next best"),
    "Regression": ("values", "", ""),
    "Landmarks": ("points (x, y), as fractions of width and height", "", ""),
}


def csv_columns(task: str, data: Data) -> list[str]:
    """The columns of `csv_values`, for a table whose rows are written one by one."""
    if task == "Classification":
        names = data.class_names or range(data.num_classes)
        return ["class", "probability", *(f"p({name})" for name in names)]
    return ["values" if task == "Regression" else "points"]


def csv_values(values: Mapping[str, Any]) -> list[Any]:
    """An answer's values in one row."""
    if "class" in values:
        return [values["class"], values["probability"], *values["probabilities"].values()]
    numbers = values.get("values") or [value for point in values["points"] for value in point]
    return [" ".join(map(str, numbers))]
