"""Where the files of a run folder are."""

from pathlib import Path

FOLDER = "runs"  # all run folders, below the current folder

CONFIG = ".hydra/config.yaml"
OVERRIDES = ".hydra/overrides.yaml"
RESULT = "result.json"
METRICS = "metrics.csv"
LOG = "train.log"

BEST = "checkpoints/best.ckpt"
LAST = "checkpoints/last.ckpt"
PREVIOUS = "checkpoints/previous.ckpt"
LATEST = (LAST, PREVIOUS)  # from which a run goes on, in this order


def best_or_last(run: Path) -> Path | None:
    """The checkpoint of a run that is used: its best, or its last where there is no best; None if it has neither."""
    return next((run / name for name in (BEST, LAST) if (run / name).is_file()), None)
