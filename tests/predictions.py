"""Reads what `predict.py` has written."""

import csv
import json
from pathlib import Path
from typing import Any


def rows(folder: Path) -> list[dict[str, str]]:
    """The rows of `predictions.csv`."""
    with (folder / "predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def evaluated(folder: Path) -> dict[str, Any]:
    """The content of `evaluation.json`."""
    return json.loads((folder / "evaluation.json").read_text())
