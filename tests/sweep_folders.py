"""What the tests of sweeps share: the settings of a small sweep, its table, and the folders of jobs."""

import csv
import json
from pathlib import Path
from typing import Any

from scripts import QUICK

SWEEP = ["-m", *QUICK, "data.train_limit=640", "callbacks.model_summary.enabled=false", "hydra.sweep.dir=runs/s"]


def rows(folder: Path) -> list[dict[str, str]]:
    """`sweep.csv` of the sweep in `folder`."""
    with (folder / "runs/s/sweep.csv").open() as file:
        return list(csv.DictReader(file))


def job_of(sweep: Path, name: str, overrides: list[str], **result: Any) -> Path:
    """A job's folder as training leaves it, without the training."""
    folder = sweep / name
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra/overrides.yaml").write_text(json.dumps(overrides))
    if result:
        (folder / "result.json").write_text(json.dumps({"objective": None, "overrides": overrides} | result))
    return folder


def scored(value: float, mode: str = "max") -> dict[str, Any]:
    """The result of a completed job."""
    return {"status": "completed", "objective": {"name": "val/acc", "mode": mode, "value": value}}
