"""Which checkpoint a run goes on from."""

import contextlib
from pathlib import Path

from litlab.checkpoint.archive import copy, read
from litlab.console import warn
from litlab.errors import ConfigError, one_line
from litlab.runs import BEST, LATEST


def whole_checkpoint(folder: Path, named: Path | None) -> Path | None:
    """The checkpoint to go on from: the one named, else the latest that is whole; None if there is none yet.

    Raises:
        ConfigError: if there are checkpoints and none is whole.
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
        raise ConfigError(f"resume: {'; '.join(problems)}")
    return None


def good_checkpoint(folder: Path, before: int | None) -> Path | None:
    """The latest checkpoint that is whole, made `last.ckpt`; None, and no `last.ckpt` any more, if there is none.

    Args:
        before: a step: the NaN came back from the checkpoint of that step. Unless one was saved since, an older one is
            taken, the best among them.
    """
    steps = {}
    for name in (*LATEST, BEST):
        with contextlib.suppress(ValueError, FileNotFoundError):
            steps[folder / name] = read(folder / name)["global_step"]
    last, *older = (folder / name for name in (*LATEST, BEST))
    if before is not None and steps.get(last, before) <= before:
        steps = {path: step for path, step in steps.items() if step < before}
    found = max(steps, key=lambda path: steps[path], default=None)
    if found is None:
        for path in (last, *older):
            path.unlink(missing_ok=True)
    elif found != last:
        copy(found, last)
    return last if found else None
