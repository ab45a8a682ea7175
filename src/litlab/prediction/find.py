"""Finds the checkpoint that `ckpt` names: a file, a run folder, the newest run, or the best job of a sweep."""

from pathlib import Path

from litlab import sweeps
from litlab.runs import BEST, FOLDER, best_or_last, newest_checkpoint


def find_checkpoint(ckpt: str, runs: str | Path = FOLDER) -> Path:
    """The checkpoint file that `ckpt` names.

    Args:
        ckpt: a checkpoint file; a run folder, or the folder `checkpoints` in it, for its best checkpoint, or its last
            if there is no best one; a sweep folder, for its best job; any other folder, for the newest run in it;
            `latest`, for the newest of `runs`.
        runs: the folder with all run folders.

    Raises:
        FileNotFoundError: if there is none. The message has one line and says where it was expected.
    """
    if not ckpt.strip():
        raise FileNotFoundError("ckpt= is empty: name a checkpoint, a run folder or latest")
    path = Path(runs) if ckpt == "latest" else Path(ckpt).expanduser()
    if path.is_file():
        return path
    if not path.is_dir():
        raise FileNotFoundError(
            f"ckpt=latest: there is no folder {runs} here: train first"
            if ckpt == "latest"
            else f"ckpt={ckpt}: not there; give a checkpoint, a run folder or latest"
        )
    if path.name == Path(BEST).parent.name and best_or_last(path.parent):  # the folder in a run folder
        path = path.parent
    found = best_or_last(path)
    if not found and (path / "multirun.yaml").exists():
        found = best_or_last(best_job(path))
    found = found or newest_checkpoint(path)
    if not found:
        raise FileNotFoundError(f"ckpt={ckpt}: no checkpoint in {path}: expected .../checkpoints/best.ckpt")
    return found


def best_job(sweep: Path) -> Path:
    """The folder of the job with the best objective. Completed jobs come before others.

    Raises:
        FileNotFoundError: if no job has both a checkpoint and an objective.
    """
    jobs = sweeps.read(sweep).jobs if any(sweeps.jobs_in(sweep)) else []
    scored = [job for job in jobs if job.score is not None and best_or_last(job.folder)]
    if not scored:
        raise FileNotFoundError(f"ckpt={sweep}: no job of this sweep has a checkpoint and a result")
    return min(scored, key=lambda job: job.status != "completed").folder  # `min` takes the first, and the best is first
