import json
import re
import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from scripts import finish, start
from sweep_folders import SWEEP, job_of, rows

from litlab.sweeps.grid import GridSweeper
from litlab.sweeps.launchers import ResilientLauncher


def test_how_to_go_on_can_be_typed_where_folders_have_spaces(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sweeper = GridSweeper()
    sweeper.folder = Path("a sweep")
    basic = next(kind for kind in Plugins.instance().discover(Launcher) if kind.__name__ == "BasicLauncher")()
    sweeper.launcher = ResilientLauncher(basic, sweeper.folder)
    job_of(sweeper.folder, "a", ["seed=1"])
    sweeper.report_stopped()
    typed = shlex.split(capsys.readouterr().err)[-1]
    assert OverridesParser.create().parse_override(typed).value() == "a sweep"


@pytest.mark.slow
def test_a_job_that_fails_outside_of_the_training_is_a_row_too(train_here, tmp_path):
    broken = ["data._target_=faults.injected.BrokenData", "optimizer.lr=0.1,0.2"]
    done = train_here(*SWEEP, *broken)
    assert done.status == 1
    assert [row["status"] for row in rows(tmp_path)] == ["failed", "failed"]
    for row in rows(tmp_path):
        assert re.fullmatch(r"RuntimeError: the tape is torn \(.*injected\.py, line \d+\)", row["error"])


@pytest.mark.slow
def test_ddp_in_a_sweep_has_one_folder_a_job_and_survives_a_failing_one(tmp_path):
    arguments = [*SWEEP, "trainer=ddp_cpu", "optimizer=sgd", "optimizer.lr=1e30,0.1", "callbacks.report.enabled=true"]
    done = finish(start("train.py", *arguments, folder=tmp_path), tmp_path)
    assert done.status == 1
    assert [row["status"] for row in rows(tmp_path)] == ["completed", "failed"]
    folders = {path.name for path in (tmp_path / "runs/s").iterdir() if path.is_dir()}
    assert folders == {"optimizer.lr=0.1", "optimizer.lr=1e+30"}
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}
    result = json.loads((tmp_path / "runs/s/optimizer.lr=0.1/result.json").read_text())
    assert result["steps"] == 10
    assert not list(tmp_path.glob("runs/s/*/report.png")), "the sweep's own table is enough"
    assert "verdict" not in done.out
