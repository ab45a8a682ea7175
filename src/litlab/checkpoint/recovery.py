"""Chooses the checkpoint that a run goes on from."""

import contextlib
import shlex
from pathlib import Path

from litlab.checkpoint.archive import copy, read
from litlab.console import warn
from litlab.errors import ConfigError, one_line
from litlab.files import shown
from litlab.runs import BEST, LAST, LATEST


def whole_checkpoint(folder: Path, named: Path | None) -> Path | None:
    """The checkpoint to go on from; None if the run has none yet.

    Args:
        folder: the run folder.
        named: the checkpoint that the user names; None: the latest that is not damaged.

    Raises:
        ConfigError: if all of these are damaged, with the command that goes on from another one.
    """
    candidates = [named] if named else [folder / name for name in LATEST]
    problems = []
    for path in candidates:
        if not path.exists():
            continue
        try:
            read(path)
        except ValueError as error:
            problems.append(one_line(error))
            continue
        for problem in problems:
            warn(f"{problem}; going on from {path.name}")
        return path
    if problems:
        raise ConfigError(f"resume: {'; '.join(problems)}; {how_to_go_on(folder) or 'begin a new run'}")
    return None


def how_to_go_on(folder: Path) -> str | None:
    """The command that goes on from the newest checkpoint of a run that can be read; None if there is none."""
    found = [path for path in (folder / LAST).parent.glob("*.ckpt") if path.is_file()]
    for path in sorted(found, key=lambda path: (path.stat().st_mtime, path.name), reverse=True):
        with contextlib.suppress(ValueError):
            if "global_step" in read(path):  # else weights that somebody has put there
                return f"go on with {shlex.quote(f'resume={shown(path)}')}"
    return None


def good_checkpoint(folder: Path, before: int | None) -> Path | None:
    """Makes the checkpoint to go back to, after a NaN, the file `last.ckpt`. None if there is none.

    It is the latest checkpoint that is not damaged. Without one, there is no `last.ckpt` afterwards.

    Args:
        folder: the run folder.
        before: the step of the checkpoint that the run went back to last time. If no later checkpoint was saved since,
            the NaN came back from it: then the latest older checkpoint is taken.
    """
    last, *older = (folder / name for name in (*LATEST, BEST))
    found = latest_good(folder, before)
    if found is None:
        for path in (last, *older):
            path.unlink(missing_ok=True)
    elif found != last:
        copy(found, last)
    return last if found else None


def latest_good(folder: Path, before: int | None) -> Path | None:
    """The latest checkpoint that is not damaged, and that the NaN did not come back from; None if there is none.

    Args:
        folder: the run folder.
        before: as above.
    """
    steps = {}
    for name in (*LATEST, BEST):
        with contextlib.suppress(ValueError, FileNotFoundError):
            steps[folder / name] = read(folder / name)["global_step"]
    if before is not None and steps.get(folder / LATEST[0], before) <= before:
        steps = {path: step for path, step in steps.items() if step < before}
    return max(steps, key=lambda path: steps[path], default=None)
