"""Prints the result of an evaluation, and writes it as `evaluation.json`."""

import json
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from litlab.console import console, number, printable
from litlab.files import atomic

JSON = "evaluation.json"
# What is known of each class, and what stands above its column.
HEADINGS = {
    "threshold": "threshold",
    "average_precision": "AP",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "images": "images",
}


def print_result(result: dict[str, Any], title: str) -> None:
    """Prints the metrics, and a table with those of each class if there are classes.

    Args:
        title: of the data, for a reader.
    """
    console.print(_summary(result, title))
    if "classes" in result:
        console.print(_classes(result["classes"]))


def write_result(result: dict[str, Any], folder: Path) -> None:
    with atomic(folder / JSON) as temporary:
        temporary.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n")


def how_measured(result: dict[str, Any]) -> str:
    """`, tta=flip, temperature 1.225`: what was done with the outputs of the network; empty if nothing was."""
    views = f", tta={result['tta']}" if "tta" in result else ""
    return views + (f", temperature {result['temperature']:.4g}" if "temperature" in result else "")


def _summary(result: dict[str, Any], title: str) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column(f"{printable(title)}, {result['split']}{how_measured(result)}")
    table.add_column(f"{result['images']:,} images", justify="right")
    for name, value in result["metrics"].items():
        table.add_row(name, number(value))
    if "expected_calibration_error" in result:
        table.add_row("expected calibration error", f"{result['expected_calibration_error']:.4f}")
    return table


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else number(value)


def _classes(classes: dict[str, dict[str, Any]]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("class")
    first = next(iter(classes.values()), {})
    shown = [key for key in HEADINGS if key in first]
    for key in shown:
        table.add_column(HEADINGS[key], justify="right")
    for name, row in classes.items():
        table.add_row(printable(name), *(_cell(row[key]) for key in shown))
    return table
