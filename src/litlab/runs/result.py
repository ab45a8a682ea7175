"""`result.json`: how a run ended, and its metrics."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litlab.files import atomic
from litlab.runs.layout import RESULT

PARTS = ("objective", "metrics", "config", "dataset")  # of a result: each has names and values
DAMAGED = {"status": "damaged", "error": f"{RESULT} is damaged"}


def write_result(run: Path, result: dict[str, Any]) -> None:
    """Writes `result.json` atomically.

    Raises:
        OSError: if it cannot be written.
    """
    with atomic(run / RESULT) as temporary:
        temporary.write_text(json.dumps({"objective": None} | result, indent=2, allow_nan=False) + "\n")


def write_failed(run: Path, error: str) -> None:
    """Writes the result of a run that failed before it had any metrics."""
    write_result(run, {"status": "failed", "metrics": {}, "error": error})


def read_result(run: Path) -> dict[str, Any]:
    """The content of `result.json`; empty if there is no such file; the status `damaged` alone if it cannot be read."""
    try:
        result = json.loads((run / RESULT).read_text())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError):
        return DAMAGED.copy()
    is_whole = isinstance(result, dict) and all(isinstance(result.get(part) or {}, dict) for part in PARTS)
    return result if is_whole else DAMAGED.copy()


def objective_value(result: Mapping[str, Any]) -> float | None:
    """The best value of the objective in a result, if it has one."""
    return result["objective"]["value"] if result.get("objective") else None


def finite(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics that are finite numbers.

    JSON and a checkpoint's record cannot hold NaN. The R2 of a single target is NaN, for example.
    """
    return {name: value for name, value in metrics.items() if isinstance(value, float) and math.isfinite(value)}
