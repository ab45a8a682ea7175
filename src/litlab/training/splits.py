"""Keeps which picture was drawn for which split, so that a folder that grows does not change a run."""

from typing import Any

from litlab.console import listed
from litlab.data import DrawnSplits, PictureDataModule
from litlab.errors import ConfigError
from litlab.runs import SPLITS
from litlab.training.build import Parts


def restore_splits(parts: Parts) -> None:
    """Gives the data module the splits of the run that goes on. Call it before the data are prepared.

    Raises:
        ConfigError: if they cannot be read.
    """
    if not isinstance(parts.data, PictureDataModule):
        return
    try:
        parts.data.known_splits = DrawnSplits.read(parts.run.folder / SPLITS)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def note_splits(parts: Parts, saved: dict[str, Any] | None) -> None:
    """Adds the splits to the record of the checkpoints, after those of the run that goes on were compared.

    Args:
        saved: the checkpoint that the run goes on from.

    Raises:
        ConfigError: if pictures of the run are gone, or the splits are others and the run has not recorded them.
    """
    if not isinstance(parts.data, PictureDataModule):
        return
    now, known = parts.data.drawn_splits.summary(), parts.data.known_splits
    if saved and known is not None:
        if gone := [name for name in known if name not in parts.data.drawn_splits]:
            raise ConfigError(
                f"data={parts.data.name}: {len(gone):,} of the {len(known):,} pictures of the run are gone "
                f"({listed(gone, 3)}): put them back, or start a new run"
            )
    elif saved and (then := saved["litlab"]["data"].get("drawn")) and then != now:
        raise ConfigError(
            f"data={parts.data.name}: the pictures have changed since the run began ({counts(then)} then, "
            f"{counts(now)} now), and its {SPLITS} is gone: start a new run"
        )
    if parts.checkpoints:
        parts.checkpoints.record["data"] |= {"drawn": now} if now else {}


def write_splits(parts: Parts) -> None:
    """Writes `splits.csv` into the run folder if a split was drawn, else removes that of another run."""
    path = parts.run.folder / SPLITS
    if isinstance(parts.data, PictureDataModule) and parts.data.drawn_splits:
        if parts.data.known_splits is None:
            parts.data.drawn_splits.write(path)
    else:
        path.unlink(missing_ok=True)


def counts(summary: dict[str, Any]) -> str:
    """`80 / 20 / 0`: the pictures of each split."""
    return " / ".join(f"{summary.get(split, 0):,}" for split in ("train", "val", "test"))
