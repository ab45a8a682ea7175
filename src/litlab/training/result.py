"""Writes what a run leaves when it has ended: `result.json`, the page, and the last lines on the terminal."""

import math
import platform
from pathlib import Path
from typing import Any

import lightning
import torch
import torchvision

import litlab
from litlab import report
from litlab.config import numeric
from litlab.console import say
from litlab.errors import RunFailed, with_type
from litlab.runs import finite, write_result
from litlab.training.build import Parts
from litlab.training.outcome import Outcome, has_page
from litlab.training.stopped import how_it_ended, last_line, nothing_to_train, trained_epochs
from litlab.training.terminal import device_name, print_end


def finish(parts: Parts, outcome: Outcome) -> None:
    """Writes `result.json` and the page, and prints the last lines of the run.

    If `result.json` cannot be written, and nothing else has failed, this becomes the failure of the outcome.
    """
    run, failure = parts.run, outcome.failure
    result = as_result(parts, outcome)
    if has_page(run):
        result["report"] = None
    unsaved = _save(run.folder, result)  # now already: a signal while the page is drawn must not lose the result
    try:
        if has_page(run) and _draw_page(parts, outcome, result):
            result["report"] = report.FILES[0]
            unsaved = _save(run.folder, result)
    finally:
        if outcome.idle:
            say(nothing_to_train(run, outcome.stopped_by))
        waits = outcome.status == "pruned" and parts.prune is not None and parts.prune.until is not None
        said = result | {"status": "paused"} if waits else result  # it may train on, with the best of its rung
        ended, takes_pictures = last_line(_how_it_ended(parts, outcome, said)), len(parts.data.input_shape) == 3
        print_end(run, result, ended, _best_epoch(parts, result), takes_pictures=takes_pictures)
    outcome.failure = failure or unsaved


def as_result(parts: Parts, outcome: Outcome) -> dict[str, Any]:
    """The content of `result.json`."""
    run, data, trainer, checkpoints, failure = parts.run, parts.data, parts.trainer, parts.checkpoints, outcome.failure
    result = {
        "status": outcome.status,
        "stopped_by": outcome.stopped_by,
        "metrics": finite(outcome.metrics),
        "objective": _objective(parts),
        "best_checkpoint": _if_saved(checkpoints.best, run.folder) if checkpoints else None,
        "last_checkpoint": _if_saved(checkpoints.last, run.folder) if checkpoints else None,
        "epochs": trained_epochs(trainer),
        "steps": trainer.global_step,
        "rewinds": run.get("rewinds", 0),
        "dataset": {"name": data.name, **data.sizes},
        "overrides": list(run.overrides),
        "config": numeric(run.cfg),
        "versions": {
            "litlab": litlab.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "lightning": lightning.__version__,
        },
        "seconds": round(parts.resume.seconds, 3),
        "images_per_second": round(outcome.images_per_second or parts.throughput.images_per_second, 1),
        "diagnosis": outcome.verdict or [],
    }
    if failure:
        result["error"] = str(failure) if isinstance(failure, RunFailed) else with_type(failure)
    return result


def _how_it_ended(parts: Parts, outcome: Outcome, result: dict[str, Any]) -> list[str]:
    return how_it_ended(parts.run, result, outcome.whole_epochs or 0, outcome.cut_short, parts.data.kind)


def _objective(parts: Parts) -> dict[str, Any] | None:
    """The best value of the objective; None if there is none, or if it is not finite (JSON cannot hold that)."""
    best = parts.checkpoints.best_score if parts.checkpoints else None
    if best is None or not math.isfinite(best):
        return None
    return {"name": parts.run.cfg.objective, "mode": parts.run.cfg.objective_mode, "value": best}


def _best_epoch(parts: Parts, result: dict[str, Any]) -> int | None:
    """The epoch of the best checkpoint, from 1; None if there is no such checkpoint, or no whole epoch."""
    step = parts.checkpoints.best_step if parts.checkpoints else None
    if step is None or not result["epochs"]:
        return None
    assert parts.checkpoints is not None
    return parts.checkpoints.best_epoch or max(1, round(step / result["steps"] * result["epochs"]))


def _if_saved(checkpoint: Path, folder: Path) -> str | None:
    """The path of a checkpoint relative to the run folder; None if there is no such file."""
    return str(checkpoint.relative_to(folder)) if checkpoint.exists() else None


def _draw_page(parts: Parts, outcome: Outcome, result: dict[str, Any]) -> bool:
    """Draws the page and returns True, or warns why that could not be done."""
    trainer, config = parts.trainer, parts.run.plain()
    ended = [*_how_it_ended(parts, outcome, result), f"on {device_name(trainer)}"]
    page = report.page(config, result, trainer, parts.module, parts.data, outcome.evaluation, ended)
    return report.try_to_write_page(page, parts.run.folder)


def _save(folder: Path, result: dict[str, Any]) -> RunFailed | None:
    """Writes `result.json`, or returns why that could not be done."""
    try:
        write_result(folder, result)
    except OSError as error:
        return RunFailed(f"result.json could not be saved: {error.strerror}")
    return None
