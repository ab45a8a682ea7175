"""Makes, removes and finds run folders."""

import contextlib
import itertools
import re
import shlex
import shutil
import time
from datetime import datetime
from pathlib import Path

from litlab.errors import ConfigError
from litlab.runs.layout import BEST, CONFIG, FOLDER, HYDRA, LAST, LOG, METRICS, RESULT, best_or_last
from litlab.runs.lock import is_running

STARTED = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d")  # the time in a folder's name
SWEEP = "multirun.yaml"  # Hydra writes it into the folder of a sweep
STARTS_S = 30.0  # how long a process may take from the record of its config to its lock: it imports torch
WRITTEN_BY_HYDRA = {".hydra", LOG, SWEEP}  # a folder with nothing else holds no training


def make_new(path: str) -> Path:
    """Makes a folder that no other process has: `path`, or `path_2`, `path_3` and so on if that exists."""
    for number in itertools.count(1):
        folder = Path(path if number == 1 else f"{path}_{number}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise AssertionError


def holds_run(folder: Path) -> bool:
    """Whether a run or a sweep has begun in a folder. One that Hydra alone has written to can be used again."""
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()}
    if names & {RESULT, METRICS, SWEEP, Path(LAST).parent.name}:
        return True
    return Path(CONFIG).parent.name in names and (not names <= WRITTEN_BY_HYDRA or is_running(folder))


def remove_if_unused(folder: Path) -> None:
    """Removes the folder of a run or a sweep that never began, and the two folders above it if they are empty then."""
    if folder.is_dir() and {path.name for path in folder.iterdir()} <= WRITTEN_BY_HYDRA:
        here = Path.cwd()  # stays: with hydra.job.chdir it is the folder itself
        shutil.rmtree(folder)
        for parent in list(folder.parents)[:2]:
            if parent == here:
                break
            with contextlib.suppress(OSError):  # not empty
                parent.rmdir()


def find_run(spec: str, runs: Path = Path(FOLDER)) -> tuple[Path, Path | None]:
    """The run folder that `resume=spec` means, and the checkpoint if `spec` names one.

    Args:
        spec: `latest`, a run folder, or `checkpoints` in it, or a checkpoint in a run folder.
        runs: the folder in which `latest` looks.

    Raises:
        ConfigError: if there is no such run.
    """
    if spec == "latest":
        folders = [config.parents[1] for config in runs.glob(f"**/{CONFIG}")]
        if not folders:
            raise ConfigError(f"resume=latest: there is no run in {runs}/")
        return max(folders, key=_last_change), None
    if not spec:
        raise ConfigError("resume= is empty; give latest, a folder below runs/ or a checkpoint in one")
    path = Path(spec).expanduser()
    if path.is_file():
        folder, checkpoint = path.absolute().parent.parent, path.absolute()
    else:
        folder, checkpoint = path, None
        if path.name == Path(LAST).parent.name and (path.parent / CONFIG).is_file():  # the folder in a run folder
            folder = path.parent
    if not (folder / CONFIG).is_file():
        what = "no run folder (it has no .hydra/config.yaml)" if path.exists() else "no such run folder or checkpoint"
        if path.is_file():
            what = "no checkpoint in the folder checkpoints/ of a run (model.weights=FILE begins with its weights)"
        elif weights := best_or_last(folder):
            begin = shlex.quote(f"model.weights={weights}")
            raise ConfigError(f"resume={spec}: {CONFIG} is gone; begin a new run with {begin}")
        raise ConfigError(f"resume={spec}: {what}; give latest, a folder below runs/ or a checkpoint in one")
    return folder, checkpoint


def newest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint of the newest run below `folder`, its best if there is one; None if no run has a checkpoint."""
    found = [file for name in (BEST, LAST) for file in folder.rglob(name) if file.is_file()]
    newest = max(found, key=_age, default=None)
    return best_or_last(newest.parents[1]) if newest else None


def _last_change(folder: Path) -> float:
    files = [folder / CONFIG, folder / METRICS, folder / RESULT, folder / LAST]
    return max(path.stat().st_mtime for path in files if path.exists())


def began(run: Path) -> datetime:
    """When a run began: the time in the folder's name, which a copy keeps, else that of the first file in it."""
    if stamps := STARTED.findall(str(run)):
        with contextlib.suppress(ValueError):  # 2026-13-45_25-61-00
            return datetime.strptime(stamps[-1], "%Y-%m-%d_%H-%M-%S")
    first = next((run / name for name in (HYDRA, CONFIG, LAST, BEST) if (run / name).exists()), run)
    return datetime.fromtimestamp(first.stat().st_mtime)


def status_without_result(run: Path, may_start: bool = True) -> str:
    """The status of a run that has no `result.json`: `running`, `starting` or `killed`.

    A run writes nothing of its own before it has its lock. So one without a lock that has left more than Hydra's files
    was killed.

    Args:
        run: its folder.
        may_start: whether its process may still live. It imports torch before it has its lock.
    """
    if is_running(run):
        return "running"
    recorded = next((run / name for name in (HYDRA, CONFIG) if (run / name).exists()), None)
    has_trained = not {path.name for path in run.iterdir()} <= WRITTEN_BY_HYDRA
    if not may_start or has_trained or recorded is None:
        return "killed"
    return "starting" if time.time() - recorded.stat().st_mtime < STARTS_S else "killed"


def _age(checkpoint: Path) -> tuple[datetime, float]:
    return began(checkpoint.parents[1]), checkpoint.stat().st_mtime
