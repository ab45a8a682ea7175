"""Finds the checkpoint that a user means: a file, a run, the newest run, or the best job of a sweep."""

from pathlib import Path

from litlab import sweeps
from litlab.runs import FOLDER, best_or_last, newest_checkpoint


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
    found = best_or_last(path)
    if not found and (path / "multirun.yaml").exists():
        found = best_or_last(best_job(path))
    found = found or newest_checkpoint(path)
    if not found:
        raise FileNotFoundError(f"ckpt={ckpt}: no checkpoint in {path}: expected .../checkpoints/best.ckpt")
    return found


def best_job(sweep: Path) -> Path:
    """The job of a sweep with the best objective, of those that have a checkpoint: a completed one, if there is any.

    Raises:
        FileNotFoundError: if no job has both.
    """
    jobs = sweeps.read(sweep).jobs if any(sweeps.jobs_in(sweep)) else []
    scored = [job for job in jobs if job.score is not None and best_or_last(job.folder)]
    if not scored:
        raise FileNotFoundError(f"ckpt={sweep}: no job of this sweep has a checkpoint and a result")
    return min(scored, key=lambda job: job.status != "completed").folder  # the first of those: best first
