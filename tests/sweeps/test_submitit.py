"""What a sweep on submitit says when it begins, and the folders that it leaves."""

from pathlib import Path

import pytest
from hydra.plugins.launcher import Launcher
from scripts import finish, start
from sweep_folders import SWEEP

from litlab.sweeps.launchers import ResilientLauncher


class Submitit(Launcher):
    """Stands for submitit's launchers: it makes a folder whose name is not filled in."""

    def __init__(self, **params):
        self.params = params

    def setup(self, **_):
        """Needs nothing."""

    def launch(self, job_overrides, initial_job_idx):
        Path(self.params["submitit_folder"]).mkdir(parents=True)
        return [None] * len(job_overrides)


@pytest.mark.parametrize(
    ("of_the_cluster", "jobs", "said"),
    [
        ({}, 2, "2 jobs submitted to this machine"),
        ({"partition": None}, 1, "1 job submitted to SLURM"),
        ({"partition": "gpu"}, 3, "3 jobs submitted to SLURM, partition gpu"),
    ],
)
def test_a_line_says_what_is_submitted_and_where_its_output_is(of_the_cluster, jobs, said, tmp_path, capsys):
    launcher = Submitit(submitit_folder=f"{tmp_path}/.submitit/%j", **of_the_cluster)
    ResilientLauncher(launcher, tmp_path).launch([[f"seed={n}"] for n in range(jobs)], 0)
    assert capsys.readouterr().out == f"{said}; what they print is in {tmp_path}/.submitit\n"
    assert list((tmp_path / ".submitit").iterdir()) == []


def test_a_folder_with_files_stays(tmp_path):
    launcher = Submitit(submitit_folder=f"{tmp_path}/%j")
    launcher.launch = lambda *_, **__: (tmp_path / "%j/of_somebody").mkdir(parents=True) or [None]
    ResilientLauncher(launcher, tmp_path).launch([["seed=0"]], 0)
    assert (tmp_path / "%j/of_somebody").is_dir()


@pytest.mark.slow
def test_a_sweep_in_processes_of_this_machine(tmp_path):
    pytest.importorskip("submitit")
    done = finish(
        start("train.py", *SWEEP, "hydra/launcher=submitit_local", "optimizer.lr=0.001,0.003", folder=tmp_path),
        tmp_path,
    )
    assert done.status == 0, done.err
    assert done.out.splitlines()[0] == "2 jobs submitted to this machine; what they print is in runs/s/.submitit"
    folders = sorted(path.name for path in tmp_path.glob("runs/s/.submitit/*"))
    assert len(folders) == 2
    assert all(name.isdigit() for name in folders)
