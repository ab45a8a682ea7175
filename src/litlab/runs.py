"""Finds the checkpoint that a user means: a file, a run, the newest run, or the best job of a sweep."""

import contextlib
import re
import shutil
from pathlib import Path

from litlab import sweeps

FOLDER = "runs"
NAMES = ("best.ckpt", "last.ckpt")  # in this order
STARTED = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d")


def find_checkpoint(ckpt: str, runs: str | Path = FOLDER) -> Path:
    """The checkpoint file that `ckpt` names.

    Args:
        ckpt: a checkpoint; a run folder, for its best checkpoint, or its last where there is none; a sweep folder,
            for its best job's; any other folder, for the newest run's in it; `latest` is the newest run's in `runs`.
        runs: where runs are.

    Raises:
        FileNotFoundError: if there is none, in one line that says where it was looked for.
    """
    path = Path(runs) if ckpt == "latest" else Path(ckpt).expanduser()
    if path.is_file():
        return path
    if not path.is_dir():
        raise FileNotFoundError(
            f"ckpt=latest: there is no folder {runs} here: train first"
            if ckpt == "latest"
            else f"ckpt={ckpt}: not there"
        )
    if own := checkpoint_of(path):
        return own
    if (path / "multirun.yaml").exists():
        return checkpoint_of(best_job(path)) or _none(ckpt, path)
    return _newest(path) or _none(ckpt, path)


def checkpoint_of(run: Path) -> Path | None:
    """The best checkpoint of a run folder, or its last."""
    return next((file for name in NAMES if (file := run / "checkpoints" / name).is_file()), None)


def best_job(sweep: Path) -> Path:
    """The job of a sweep with the best objective, of those that have a checkpoint: a completed one, if there is any.

    Raises:
        FileNotFoundError: if no job has both.
    """
    jobs = sweeps.read(sweep).jobs if any(sweeps.jobs_in(sweep)) else []
    scored = [job for job in jobs if job.score is not None and checkpoint_of(job.folder)]
    if not scored:
        raise FileNotFoundError(f"ckpt={sweep}: no job of this sweep has a checkpoint and a result")
    return min(scored, key=lambda job: job.status != "completed").folder  # the first of those: best first


def remove_if_unused(folder: Path) -> None:
    """Removes what Hydra wrote for a run or a sweep that never began, and the folders above that leaves empty."""
    if folder.is_dir() and {path.name for path in folder.iterdir()} <= {".hydra", "train.log", "multirun.yaml"}:
        here = Path.cwd()  # which may be the folder itself (hydra.job.chdir)
        shutil.rmtree(folder)
        for parent in list(folder.parents)[:2]:
            if parent == here:
                break
            with contextlib.suppress(OSError):  # not empty
                parent.rmdir()


def _newest(folder: Path) -> Path | None:
    found = [file for name in NAMES for file in folder.rglob(f"checkpoints/{name}") if file.is_file()]
    newest = max(found, key=_age, default=None)
    return checkpoint_of(newest.parents[1]) if newest else None


def _age(checkpoint: Path) -> tuple[str, float]:
    """By the time in the folder's name, which survives copying; by the file's where there is none."""
    stamps = STARTED.findall(str(checkpoint))
    return (stamps[-1] if stamps else "", checkpoint.stat().st_mtime)


def _none(ckpt: str, path: Path) -> Path:
    raise FileNotFoundError(f"ckpt={ckpt}: no checkpoint in {path}: expected .../checkpoints/best.ckpt")
