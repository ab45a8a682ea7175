"""Turns the outputs of a network into predictions: one function for each task.

A new task needs a function in `TASKS`, from outputs [B, ...] to a mapping for each picture; headings; and CSV columns.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from litlab.checkpoint import Data, Trained
from litlab.console import number


@dataclass
class Prediction:
    """The prediction for one file, or why there is none.

    Args:
        file: its path, as it was typed.
        label: a few words for people, such as `7 99%`.
        columns: the cells of the table that is printed.
        values: numbers for programs, which CSV and JSON hold.
        points: [P, 2], as fractions of width and height.
        inverted: whether light and dark were swapped before the network saw the picture.
        error: why the file could not be read.
        thumbnail: uint8 [3, h, w], of the first files.
    """

    file: str
    label: str = ""
    columns: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    points: Tensor | None = None
    inverted: bool = False
    error: str | None = None
    thumbnail: Tensor | None = None


def classify(outputs: Tensor, data: Data) -> list[dict[str, Any]]:
    """From logits [B, num_classes] to the class of each picture, its probability and the next best two."""
    names, results = data.class_names or range(data.num_classes), []
    probabilities = outputs.double().softmax(1)
    # Of equal ones the first is the best, as in an evaluation; topk may take any.
    top, order = (of_all[:, :3].tolist() for of_all in probabilities.sort(dim=1, descending=True, stable=True))
    for row, values, indices in zip(probabilities.tolist(), top, order, strict=True):
        best, *others = ((str(names[index]), value) for index, value in zip(indices, values, strict=True))
        results.append(
            {
                "label": f"{best[0]} {best[1]:.0%}",
                "columns": [best[0], f"{best[1]:.4f}", ", ".join(f"{name} {value:.4f}" for name, value in others)],
                "values": {
                    "class": best[0],
                    "probability": round(best[1], 6),
                    "probabilities": {str(name): round(value, 6) for name, value in zip(names, row, strict=True)},
                },
            }
        )
    return results


def label(outputs: Tensor, data: Data) -> list[dict[str, Any]]:
    """From logits [B, num_classes] to the labels of each picture whose probability reaches their threshold."""
    probabilities = outputs.float().sigmoid()
    predicted = probabilities >= torch.tensor(data.thresholds, device=outputs.device)
    results = []
    for row, reached in zip(probabilities.tolist(), predicted.tolist(), strict=True):
        pairs = list(zip(data.class_names, row, reached, strict=True))
        labels = [(name, value) for name, value, yes in pairs if yes]
        others = sorted(((name, value) for name, value, yes in pairs if not yes), key=lambda pair: -pair[1])
        results.append(
            {
                "label": ", ".join(f"{name} {percent(value)}" for name, value in labels) or "no label",
                "columns": [
                    ", ".join(name for name, _ in labels) or "-",
                    ", ".join(number(value) for _, value in labels),
                    ", ".join(f"{name} {number(value)}" for name, value in others[:2]),
                ],
                "values": {
                    "labels": [name for name, _ in labels],
                    "probabilities": {name: round(value, 6) for name, value, _ in pairs},
                },
            }
        )
    return results


def percent(probability: float) -> str:
    """`93%`, and `0.0045%` of a label that is predicted because its threshold is even lower."""
    return f"{probability:.0%}" if probability >= 0.01 else f"{100 * probability:.2g}%"


def regress(outputs: Tensor, data: Data) -> list[dict[str, Any]]:
    """From outputs [B, ...] to the numbers of each picture."""
    results = []
    for row in outputs.double().flatten(1).tolist():
        numbers = [round(value, 6) for value in row]
        text = " ".join(f"{value:.4g}" for value in numbers)
        results.append({"label": text, "columns": [text, "", ""], "values": {"values": numbers}})
    return results


def locate(outputs: Tensor, data: Data) -> list[dict[str, Any]]:
    """From outputs [B, P, 2] or [B, 2 P] to the landmarks of each picture, as fractions of width and height."""
    results = []
    for points in outputs.double().reshape(len(outputs), -1, 2).cpu():
        rounded = [[round(value, 6) for value in point] for point in points.tolist()]
        text = " ".join(f"({x:.3f}, {y:.3f})" for x, y in rounded)
        results.append({"label": "", "columns": [text, "", ""], "values": {"points": rounded}, "points": points})
    return results


def in_pixels(result: Mapping[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    """A result of `locate`, with the landmarks in pixels of a picture too, as the file of labels has them.

    Args:
        size: width and height of the picture, before it was made as small as the network needs it.
    """
    pixels = [[round(x, 2), round(y, 2)] for x, y in (result["points"] * torch.tensor(size)).tolist()]
    text = " ".join(f"({x:.1f}, {y:.1f})" for x, y in pixels)
    return {**result, "columns": [text, "", ""], "values": {**result["values"], "pixels": pixels}}


TASKS: dict[str, Callable[[Tensor, Data], list[dict[str, Any]]]] = {
    "Classification": classify,
    "Multilabel": label,
    "Regression": regress,
    "Landmarks": locate,
}

HEADINGS = {
    "Classification": ("class", "probability", "next best"),
    "Multilabel": ("labels", "probabilities", "next best"),
    "Regression": ("values", "", ""),
    "Landmarks": ("landmarks (x, y), in pixels", "", ""),
}


def task_of(trained: Trained) -> str:
    """The key of `TASKS` for a network. A regression whose targets are [P, 2] places landmarks."""
    if trained.task == "Regression" and trained.data.target_shape[1:] == (2,):
        return "Landmarks"
    return trained.task


def csv_columns(trained: Trained) -> list[str]:
    """The headings of the columns that `csv_values` fills."""
    data = trained.data
    probabilities = [f"p({name})" for name in data.class_names or range(data.num_classes)]
    if task_of(trained) == "Classification":
        return ["class", "probability", *probabilities]
    if task_of(trained) == "Multilabel":
        return ["labels", *probabilities]
    return ["values"] if task_of(trained) == "Regression" else ["points", "pixels"]


def csv_values(values: Mapping[str, Any]) -> list[Any]:
    """The `values` of a prediction as the cells of one row."""
    if "class" in values:
        return [values["class"], values["probability"], *values["probabilities"].values()]
    if "labels" in values:
        return [";".join(values["labels"]), *values["probabilities"].values()]
    if "values" in values:
        return [" ".join(map(str, values["values"]))]
    return [" ".join(f"{x} {y}" for x, y in values[key]) for key in ("points", "pixels")]
