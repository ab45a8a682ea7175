"""The names of the files in a run folder."""

from pathlib import Path

FOLDER = "runs"  # below the current folder: all run folders are in it

CONFIG = ".hydra/config.yaml"
HYDRA = ".hydra/hydra.yaml"  # the config of Hydra itself, and the options that were chosen
OVERRIDES = ".hydra/overrides.yaml"
RESULT = "result.json"
METRICS = "metrics.csv"
SPLITS = "splits.csv"  # which picture of a folder was drawn for which split
LOG = "train.log"

BEST = "checkpoints/best.ckpt"
LAST = "checkpoints/last.ckpt"
PREVIOUS = "checkpoints/previous.ckpt"
LATEST = (LAST, PREVIOUS)  # a run goes on from the first of these that is not damaged


def best_or_last(run: Path) -> Path | None:
    """The checkpoint of a run to use: its best, else its last; None if it has neither."""
    return next((run / name for name in (BEST, LAST) if (run / name).is_file()), None)
