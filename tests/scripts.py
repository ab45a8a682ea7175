"""Runs litlab as a user does: the real scripts, in a folder of their own."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import hydra
import pytest
from warm import Warm

from litlab.config import Run

Process = subprocess.Popen | Warm

REPOSITORY = Path(__file__).parents[1]
QUICK = ["data=mnist_sample", "trainer=cpu", "callbacks.report.enabled=false", "trainer.max_epochs=1"]


def composed(*overrides: str, script: str = "train") -> Any:
    """The config that a script composes of these overrides."""
    with hydra.initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        return hydra.compose(script, list(overrides))


def asked(*overrides: str, script: str = "train", folder: Path = Path(), **more: Any) -> Run:
    """The run that a script is asked for by these overrides, in `folder`."""
    return Run(composed(*overrides, script=script), folder, list(overrides), CHOSEN, **more)


CHOSEN = {group: group.upper() for group in ("data", "model", "loss", "scheduler")}  # options, as messages show them


@dataclass
class Finished:
    """A script that has ended."""

    status: int
    out: str
    err: str
    folder: Path

    @property
    def runs(self) -> list[Path]:
        """The run folders it left, oldest first."""
        return sorted(path.parent for path in self.folder.glob("runs/**/.hydra"))

    @property
    def result(self) -> dict:
        assert len(self.runs) == 1, f"{self.runs}\n{self.err}"
        return json.loads((self.runs[0] / "result.json").read_text())


def start(
    script: str, *arguments: str, folder: Path, new_group: bool = False, cold: bool = False, **environment: str
) -> Process:
    """Starts `python SCRIPT ARGUMENTS` in `folder`.

    Args:
        cold: with a new Python, as a user does. Otherwise with one that has imported the libraries, see `Warm`.
    """
    command = [REPOSITORY / script, *arguments]
    variables = {**os.environ, "HYDRA_FULL_ERROR": "0", "COLUMNS": "120", **environment}
    if not cold:
        return Warm(command, cwd=folder, env=variables, start_new_session=new_group)
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=new_group,
    )


def finish(process: Process, folder: Path, timeout: float = 240) -> Finished:
    """Waits for a started script."""
    out, err = process.communicate(timeout=timeout)
    return Finished(process.returncode, out, err, folder)


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Finished]) -> Finished:
    """What `make` does in a folder, done in one of the processes that share the tests; the others wait for it."""
    base = factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base  # of all processes
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        record, folder = base / f"{name}.json", base / name
        if record.exists():
            known = json.loads(record.read_text())
            return Finished(**known | {"folder": Path(known["folder"])})
        folder.mkdir()
        done = make(folder)
        record.write_text(json.dumps(asdict(done), default=str))
        return done
